"""A scripted upstream as strict as real providers, on a free port of the loopback interface.

It plays the scripts of `upstream` on two wires, and refuses what the providers refuse:

* `/v1` is the OpenAI wire. Models called `deepseek-*` want every thought of a conversation with tools back.
* `/x-api-key/v1/messages` and `/bearer/v1/messages` are the Anthropic wire, each with its one way to show the key. A
  thought comes back with the signature that was made for it, or not at all.
"""

import hashlib
import hmac
import json
import re

from upstream import FAILURES, SCRIPTS, Upstream, code, main, pieces

KEY = "test-key"
MISSING = "The `reasoning_content` in the thinking mode must be passed back to the API."
# The native wire tells the usage of `upstream.USAGE` in its own words.
USAGE = {"input_tokens": 20, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 100, "output_tokens": 17}
# Those that Claude Code is run with.
CODE = ("deepseek-v4-pro", "glm-4.7")
STOPS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}
TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    429: "rate_limit_error", 500: "api_error",
}


class Refusal(Exception):
    """A status and a message."""


def signature(thought):
    """What only this upstream can make."""
    return "Eq" + hmac.new(b"nobody knows", thought.encode(), hashlib.sha256).hexdigest()


def blocks_of(message):
    content = message["content"]
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def text_of(result):
    content = result.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def as_chat(body):
    """As much of a request as the scripts look at, in the words in which they look at it."""
    messages = []
    for message in body["messages"]:
        others = []
        for block in blocks_of(message):
            if block["type"] == "tool_result":
                messages.append({"role": "tool", "content": text_of(block)})
            else:
                others.append(block)
        if others:
            text = "".join(block.get("text", "") for block in others)
            messages.append({"role": message["role"], "content": text})
    tools = [{"function": {"name": tool["name"]}} for tool in body.get("tools") or []]
    return {"model": body["model"], "messages": messages, "tools": tools, "max_tokens": body["max_tokens"]}


def thinks(body):
    return (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")


def content_of(turn, body):
    """The blocks of an answer."""
    if turn.reasoning and thinks(body):
        yield {"type": "thinking", "thinking": turn.reasoning, "signature": signature(turn.reasoning)}
    if turn.text:
        yield {"type": "text", "text": turn.text}
    for each in turn.calls:
        # The script whose stream breaks off has but half of its arguments.
        arguments = json.loads(each["arguments"]) if turn.ending == "normal" else {"half": each["arguments"]}
        yield {"type": "tool_use", "id": f"toolu_{each['id']}", "name": each["name"], "input": arguments}


def check_messages(body):
    """What Anthropic's API says of a history."""
    # Stateless as all but Anthropic's own.
    if body.get("thread"):
        raise Refusal(400, "thread: Extra inputs are not permitted")
    for needed in ("model", "max_tokens", "messages"):
        if needed not in body:
            raise Refusal(400, f"{needed}: Field required")
    if body["model"] not in SCRIPTS and body["model"] not in CODE and not body["model"].startswith("scripted-"):
        raise Refusal(404, f"model: {body['model']}")
    open_calls = set()
    for at, message in enumerate(body["messages"]):
        if message["role"] not in ("user", "assistant", "system"):
            raise Refusal(400, f"messages.{at}.role: Input should be 'user' or 'assistant'")
        if not message["content"]:
            raise Refusal(400, f"messages.{at}: all messages must have non-empty content")
        results = {block["tool_use_id"] for block in blocks_of(message) if block["type"] == "tool_result"}
        if open_calls - results:
            calls = ", ".join(sorted(open_calls - results))
            raise Refusal(400, f"messages.{at - 1}: `tool_use` ids were found without `tool_result` blocks: {calls}")
        open_calls = {block["id"] for block in blocks_of(message) if block["type"] == "tool_use"}
        for place, block in enumerate(blocks_of(message)):
            if block["type"] == "thinking" and block.get("signature") != signature(block["thinking"]):
                raise Refusal(400, f"messages.{at}.content.{place}: Invalid `signature` in `thinking` block")


def check_chat(body):
    """What DeepSeek says of a history, and of a wish to think."""
    if body.get("reasoning_effort") not in (None, "low", "high", "max"):
        raise Refusal(400, f"reasoning_effort: unknown variant `{body['reasoning_effort']}`")
    answers = [message for message in body["messages"] if message["role"] == "assistant"]
    is_off = (body.get("thinking") or {}).get("type") == "disabled"
    if is_off or not any(message.get("tool_calls") for message in answers):
        return
    if any(not isinstance(message.get("reasoning_content"), str) for message in answers):
        raise Refusal(400, MISSING)


class Strict(Upstream):
    def answer(self, body, record):
        native = re.fullmatch(r"/(x-api-key|bearer)/v1/messages", self.path)
        try:
            if native:
                self.check_head(native[1])
                check_messages(body)
                self.message(body, record)
            else:
                if body["model"].startswith("deepseek-"):
                    check_chat(body)
                super().answer(body, record)
        except Refusal as refusal:
            status, text = refusal.args
            self.refuse(status, text, native)

    def refuse(self, status, text, native, headers=()):
        error = {"type": TYPES[status], "message": text}
        value = {"type": "error", "error": error, "request_id": "req_strict"} if native else {"error": error}
        self.reply(status, value, headers)

    def check_head(self, way):
        expected = {"x-api-key": (KEY, None), "bearer": (None, f"Bearer {KEY}")}[way]
        if (self.headers.get("x-api-key"), self.headers.get("authorization")) != expected:
            raise Refusal(401, f"invalid {way}")
        if not self.headers.get("anthropic-version"):
            raise Refusal(400, "anthropic-version: header is required")

    def message(self, body, record):
        model = body["model"]
        if match := re.fullmatch(r"scripted-status-(\d+)", model):
            status = int(match[1])
            return self.refuse(status, FAILURES[status], True, [("retry-after", "45")] if status == 429 else [])
        if model == "scripted-overflow":
            raise Refusal(400, "prompt is too long: 9000 tokens > 8192 maximum")
        turn = SCRIPTS.get(model, code)(as_chat(body))
        whole = {
            "id": "msg_strict", "type": "message", "role": "assistant", "model": model,
            "content": list(content_of(turn, body)), "stop_reason": STOPS[turn.finish], "stop_sequence": None,
            "usage": USAGE, "odd_member": {"kept": [1.10, None]},
        }
        if body.get("stream"):
            self.stream_message(whole, turn, record)
        elif turn.ending == "error":
            self.refuse(500, "the provider broke down", True)
        elif turn.ending == "eof":
            self.reply_cut(whole)
        else:
            self.reply(200, whole)

    def stream_message(self, whole, turn, record):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for name, value in events(whole, turn):
                if turn.ending == "eof" and name == "content_block_stop":
                    self.close_connection = True
                    return
                self.event(name, value)
                if turn.ending == "slow":
                    self.pace()
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            record["aborted"] = True
            self.close_connection = True

    def event(self, name, value):
        text = json.dumps({"type": name, **value}, ensure_ascii=False)
        payload = f"event: {name}\ndata: {text}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(payload), payload))
        self.wfile.flush()


def deltas_of(block):
    """How a block begins, and what follows."""
    if block["type"] == "thinking":
        parts = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
        return {**block, "thinking": "", "signature": ""}, [
            *parts, {"type": "signature_delta", "signature": block["signature"]}
        ]
    if block["type"] == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
    arguments = json.dumps(block["input"], ensure_ascii=False)
    return {**block, "input": {}}, [
        {"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(arguments)]
    ]


def events(whole, turn):
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}}
    yield "message_start", {"message": begun}
    yield "ping", {}
    for index, block in enumerate(whole["content"]):
        start, parts = deltas_of(block)
        yield "content_block_start", {"index": index, "content_block": start}
        for part in parts:
            yield "content_block_delta", {"index": index, "delta": part}
        if turn.ending == "error":
            yield "error", {"error": {"type": "overloaded_error", "message": "the provider broke down"}}
            return
        yield "content_block_stop", {"index": index}
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"delta": ended, "usage": USAGE}
    yield "message_stop", {}


if __name__ == "__main__":
    main(Strict)
