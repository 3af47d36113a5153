"""A scripted upstream on the OpenAI wire, on a free port of the loopback interface.

Prints `listening on http://127.0.0.1:PORT`. What it answers depends on the name of the model (see
`SCRIPTS`), and for a request with Claude Code's tools on the conversation so far. `GET /seen?model=NAME` lists the
requests that came in for that model; `aborted` in it says that the caller left before the end.
"""

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

ANSWER = "Hello from the scripted upstream: ünïcode, 你好 and 🦀."
THOUGHT = "The user wants a greeting.\nI will give one."
USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 17,
    "total_tokens": 137,
    "prompt_tokens_details": {"cached_tokens": 100},
}
FAILURES = {
    400: "the parameter `temperature` is out of range",
    401: "the key is not valid",
    403: "this account may not use the model",
    404: "there is no such model",
    429: "too many requests",
}
STALL_SECONDS = 60
OVERFLOW = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."

seen = []
seen_lock = threading.Lock()


def call(index, identifier, name, arguments):
    """A tool call of an answer."""
    return {"index": index, "id": identifier, "name": name, "arguments": arguments}


class Turn:
    """One answer: what is thought, said and called, and how it ends."""

    def __init__(self, text="", reasoning="", calls=(), finish=None, ending="normal", usage=USAGE):
        self.text, self.reasoning, self.calls = text, reasoning, list(calls)
        self.finish = finish or ("tool_calls" if self.calls else "stop")
        self.ending, self.usage = ending, usage


def tool_results(body):
    """The contents of all tool messages, oldest first."""
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


def say(body):
    return Turn(text=ANSWER)


def repeat(body):
    return Turn(text=f"You said: {body['messages'][-1]['content']}")


def think(body):
    return Turn(text=ANSWER, reasoning=THOUGHT)


def two_tools(body):
    results = tool_results(body)
    if results:
        return Turn(text="Results: " + " | ".join(str(result) for result in results))
    return Turn(
        text="Let me look.",
        calls=[
            call(0, "call_paris", "get_weather", '{"city": "Paris", "days": 2}'),
            call(1, "call_tokyo", "get_weather", '{"city": "東京", "days": 3}'),
        ],
        # Many providers end a turn with calls like this.
        finish="stop" if body["model"].endswith("-stop") else None,
    )


def think_then_tool(body):
    results = tool_results(body)
    if results:
        return Turn(text=f"Result: {results[-1]}", reasoning="The tool has answered.")
    return Turn(reasoning=THOUGHT, calls=[call(0, "call_clock", "get_time", "{}")])


def loop(body):
    """Every question is thought about, then a tool is called, then its result is thought about."""
    last, number = body["messages"][-1], sum(message["role"] == "assistant" for message in body["messages"])
    thought = f"Thought {number}: 想.\n"
    if last["role"] == "tool":
        return Turn(text=f"It is {last['content']}.", reasoning=thought)
    return Turn(reasoning=thought, calls=[call(0, f"call_{number}", "get_time", "{}")])


def structured(body):
    return Turn(text='{"city": "Paris", "population": 2102650}')


def cut(body):
    limit = body.get("max_tokens") or body.get("max_completion_tokens") or 5
    usage = {"prompt_tokens": 20, "completion_tokens": limit, "total_tokens": 20 + limit}
    return Turn(text="This answer is cut at the", finish="length", usage=usage)


def fails_midway(body):
    return Turn(text="Half an answer", ending="error")


def breaks_off(body):
    return Turn(calls=[call(0, "call_cut", "get_weather", '{"city": "Par')], ending="eof")


def stalls(body):
    time.sleep(STALL_SECONDS)  # So long that only the end of the process ends it.
    return Turn(text="too late")


def slowly(body):
    return Turn(text="and so on " * 400, ending="slow")


def latest_path(body, word):
    """The path that the last `WORD=/path` of the conversation names."""
    found = re.findall(word + r"=(/[^\s\"\\<>]+)", json.dumps(body["messages"], ensure_ascii=False))
    return found[-1] if found else None


def code(body):
    """Claude Code's session: think and read, edit, done; with two files it reads both at once."""
    names = {tool["function"]["name"] for tool in body.get("tools") or []}
    results = tool_results(body)
    done = len(results)
    if "StructuredOutput" in names:
        city = '{"city": "Paris", "population": 2102650}'
        return Turn(text="Given.") if done else Turn(calls=[call(0, "call_city", "StructuredOutput", city)])
    if not {"Read", "Edit"} <= names:
        return Turn(text='{"title": "A small edit"}')
    if latest_path(body, "SEARCH"):
        query = json.dumps({"query": "foxes of the world"})
        return Turn(text=f"Found: {results[-1]}") if done else Turn(calls=[call(0, "call_search", "WebSearch", query)])
    path, picture = latest_path(body, "FILE"), latest_path(body, "PICTURE")
    reads = [call(0, "call_read", "Read", json.dumps({"file_path": path}))]
    if picture:
        reads.append(call(1, "call_picture", "Read", json.dumps({"file_path": picture})))
    if done == 0:
        return Turn(text="I'll read it first.", reasoning=THOUGHT, calls=reads)
    if done <= len(reads):
        edit = {"file_path": path, "old_string": "a slow brown fox", "new_string": "a quick brown fox — 快"}
        return Turn(calls=[call(0, "call_edit", "Edit", json.dumps(edit, ensure_ascii=False))])
    return Turn(text="The fox is quick now.")


SCRIPTS = {
    "scripted-text": say,
    "scripted-many": repeat,
    "scripted-reasoning": think,
    "scripted-tools": two_tools,
    "scripted-tools-stop": two_tools,
    "scripted-reasoning-tools": think_then_tool,
    "scripted-json": structured,
    "scripted-length": cut,
    "scripted-midstream": fails_midway,
    "scripted-eof": breaks_off,
    "scripted-slow": slowly,
    "scripted-stall": stalls,
    "deepseek-flash": loop,
}


def pieces(text, length=7):
    return [text[start : start + length] for start in range(0, len(text), length)]


def deltas(turn):
    """The deltas of a streamed answer; fragments of parallel calls alternate, as some providers send them."""
    yield {"role": "assistant", "content": ""}
    for piece in pieces(turn.reasoning):
        yield {"reasoning_content": piece}
    for piece in pieces(turn.text):
        yield {"content": piece}
    for each in turn.calls:
        function = {"name": each["name"], "arguments": ""}
        yield {"tool_calls": [{"index": each["index"], "id": each["id"], "type": "function", "function": function}]}
    fragments = [pieces(each["arguments"]) for each in turn.calls]
    for position in range(max(map(len, fragments), default=0)):
        for each, own in zip(turn.calls, fragments):
            if position < len(own):
                yield {"tool_calls": [{"index": each["index"], "function": {"arguments": own[position]}}]}


def completion(turn, model):
    message = {"role": "assistant", "content": turn.text or None}
    if turn.reasoning:
        message["reasoning_content"] = turn.reasoning
    if turn.calls:
        message["tool_calls"] = [
            {
                "id": each["id"],
                "type": "function",
                "function": {"name": each["name"], "arguments": each["arguments"]},
            }
            for each in turn.calls
        ]
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1700000000,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": turn.finish}],
        "usage": turn.usage,
    }


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are written apart; without this each answer waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def reply(self, status, value, headers=()):
        payload = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        for name, text in headers:
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(payload)

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/seen":
            wanted = parse_qs(url.query).get("model", [None])[0]
            with seen_lock:
                self.reply(200, [each for each in seen if wanted in (None, each["body"].get("model"))])
        elif url.path == "/v1/models":
            models = [
                {"id": name, "object": "model", "created": 1700000000, "owned_by": "scripts"} for name in SCRIPTS
            ]
            self.reply(200, {"object": "list", "data": models})
        else:
            self.reply(404, {"error": {"message": f"no route {url.path}", "type": "invalid_request_error"}})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        record = {"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body}
        record["aborted"] = False
        with seen_lock:
            seen.append(record)
        self.answer(body, record)

    def answer(self, body, record):
        if self.path != "/v1/chat/completions":
            return self.reply(404, {"error": {"message": f"no route {self.path}"}})
        model = body["model"]
        if match := re.fullmatch(r"scripted-status-(\d+)", model):
            status = int(match[1])
            extra = [("retry-after", "45")] if status == 429 else []
            return self.reply(status, {"error": {"message": FAILURES[status], "type": "scripted"}}, extra)
        if model == "scripted-overflow":
            return self.reply(400, {"error": {"message": OVERFLOW, "type": "invalid_request_error", "code": None}})
        turn = SCRIPTS.get(model, code)(body)
        if body.get("stream"):
            self.stream(turn, body, record)
        elif turn.ending == "error":
            self.reply(500, {"error": {"message": "the provider broke down", "type": "server_error"}})
        elif turn.ending == "eof":
            self.reply_cut(completion(turn, model))
        else:
            self.reply(200, completion(turn, model))

    def reply_cut(self, value):
        """Promise a whole answer and close the connection in the middle of it."""
        payload = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload[: len(payload) // 2])
        self.close_connection = True

    def pace(self):
        time.sleep(0.05)  # The pace of the script, not a wait for something.

    def frame(self, data):
        payload = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(payload), payload))
        self.wfile.flush()

    def stream(self, turn, body, record):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            self.send_stream(turn, body)
        except OSError:
            record["aborted"] = True
            self.close_connection = True

    def send_stream(self, turn, body):
        def chunk(choices, **more):
            head = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1700000000}
            self.frame(json.dumps({**head, "model": body["model"], "choices": choices, **more}, ensure_ascii=False))

        for delta in deltas(turn):
            chunk([{"index": 0, "delta": delta, "finish_reason": None}])
            if turn.ending == "slow":
                self.pace()
        if turn.ending == "eof":
            # No last chunk: the connection ends in the middle of the body.
            self.close_connection = True
            return
        if turn.ending == "error":
            error = {"message": "the provider broke down", "type": "server_error", "code": 500}
            self.frame(json.dumps({"error": error}))
        else:
            chunk([{"index": 0, "delta": {}, "finish_reason": turn.finish}])
            if (body.get("stream_options") or {}).get("include_usage"):
                chunk([], usage=turn.usage)
            self.frame("[DONE]")
        self.wfile.write(b"0\r\n\r\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True


def main(handler=Upstream):
    server = Server(("127.0.0.1", 0), handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
