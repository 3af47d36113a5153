"""Clients of both faces that know what they must get."""

import asyncio
import json

from script import Script

TOOLS = {
    "chat": [{"type": "function", "function": {"name": "read_file", "parameters": {"type": "object", "properties": {}}}}],
    "messages": [{"name": "read_file", "input_schema": {"type": "object", "properties": {}}}],
}
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages"}


class Wrong(Exception):
    """An answer that is not what it must be."""


def need(holds, what):
    if not holds:
        raise Wrong(what)


class Client:
    def __init__(self, address):
        self.host, self.port = address.removeprefix("http://").rsplit(":", 1)

    async def call(self, face, model, stream, manner):
        """One call, checked; returns `answer`, `error`, `left` or `refused`."""
        script = Script(model)
        request = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Tell me."}]}
        if face == "messages":
            request |= {"max_tokens": 100_000, "thinking": {"type": "adaptive"}}
        if script.calls:
            request["tools"] = TOOLS[face]
        body = json.dumps(request).encode()
        if manner == "broken":
            body = body[:-7]
        reader, writer = await asyncio.open_connection(self.host, int(self.port), limit=2**20)
        try:
            head = f"POST {PATHS[face]} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
            if manner == "leave":
                await reader.read(script.chance.randrange(1, 2000))
                return "left"
            status, data = await self.read(reader, 0.002 if manner == "slow" else 0)
        finally:
            writer.close()
        if manner == "broken":
            need(status == 400, f"a broken request got {status}")
            need("error" in json.loads(data), "a refusal without an error")
            return "refused"
        if status != 200:
            need(not script.is_hidden(stream), f"{model} got {status}: {data[:300]!r}")
            body = json.loads(data)
            need("message" in body["error"], f"{model}: no error in {data[:300]!r}")
            need((face == "messages") == (body.get("type") == "error"), f"{model}: the other face's error: {data[:300]!r}")
            return "error"
        if not stream:
            self.check_whole(face, script, json.loads(data))
            return "answer"
        return self.check_stream(face, script, data.decode())

    async def read(self, reader, pause):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        status = int(lines[0].split(" ")[1])
        length = [line.split(":")[1] for line in lines if line.startswith("content-length")]
        if length:
            return status, await reader.readexactly(int(length[0]))
        data = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            data += await reader.readexactly(size)
            await reader.readexactly(2)
            if pause:
                await asyncio.sleep(pause)
        return status, data

    def check_whole(self, face, script, body):
        if face == "chat":
            message = body["choices"][0]["message"]
            calls = [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in message.get("tool_calls") or []]
            got = (message.get("reasoning_content") or "", message["content"], calls, body["choices"][0]["finish_reason"])
            need(got == (script.thoughts, script.text, script.calls, script.finish), f"{script.kind}: {got}")
            return
        blocks = body["content"]
        calls = [(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"]
        self.check_message(script, blocks_text(blocks, "thinking"), blocks_text(blocks, "text"), calls, body["stop_reason"])

    def check_message(self, script, thoughts, text, calls, reason):
        expected = [(id, name, json.loads(arguments)) for id, name, arguments in script.calls]
        got = (thoughts, text, calls, reason)
        need(got == (script.thoughts, script.text, expected, "tool_use" if script.calls else "end_turn"), f"{script.kind}: {got}")

    def check_stream(self, face, script, text):
        events = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
        done = events[-1] == "[DONE]"
        events = [json.loads(event) for event in events if event != "[DONE]"]
        errors = [event for event in events if "error" in event]
        if errors:
            need(not script.is_hidden(True), f"{script.kind}-{script.fault}: {errors}")
            need(len(errors) == 1 and events[-1] is errors[0] and not done, f"more than one error, or not the last: {text[-500:]}")
            need("message" in errors[0]["error"], f"no message: {errors}")
            need("message_stop" not in text, "an end behind an error")
        check = self.chat_stream if face == "chat" else self.message_stream
        check(script, events, done, bool(errors))
        return "error" if errors else "answer"

    def chat_stream(self, script, events, done, failed):
        deltas = [choice["delta"] for event in events for choice in event.get("choices", [])]
        thoughts = "".join(delta.get("reasoning_content") or "" for delta in deltas)
        text = "".join(delta.get("content") or "" for delta in deltas)
        calls = {}
        for call in (call for delta in deltas for call in delta.get("tool_calls", [])):
            known = calls.setdefault(call["index"], ["", "", ""])
            known[0] += call.get("id", "")
            known[1] += call["function"].get("name", "")
            known[2] += call["function"].get("arguments", "")
        calls = [tuple(call) for call in calls.values()]
        reasons = [c["finish_reason"] for e in events for c in e.get("choices", []) if c["finish_reason"]]
        if failed:
            need(script.thoughts.startswith(thoughts) and script.text.startswith(text) and not reasons, f"lost: {text!r}")
            return
        got = (thoughts, text, calls, reasons, done)
        need(got == (script.thoughts, script.text, script.calls, [script.finish], True), f"{script.kind}-{script.fault}: {got}")

    def message_stream(self, script, events, _done, failed):
        events = [event for event in events if event["type"] != "ping"]
        need(events[0]["type"] == "message_start" or failed, f"begins with {events[0]}")
        blocks, is_open, reason = [], False, None
        for event in events[1:]:
            kind = event["type"]
            if kind == "content_block_start":
                need(not is_open and event["index"] == len(blocks), f"out of order: {event}")
                blocks.append({**event["content_block"], "json": ""})
                is_open = True
            elif kind == "content_block_delta":
                need(is_open and event["index"] == len(blocks) - 1, f"out of order: {event}")
                grow(blocks[-1], event["delta"])
            elif kind == "content_block_stop":
                need(is_open and event["index"] == len(blocks) - 1, f"out of order: {event}")
                is_open = False
            elif kind == "message_delta":
                reason = event["delta"]["stop_reason"]
        need(not is_open, "a block without its end")
        thoughts, text = blocks_text(blocks, "thinking"), blocks_text(blocks, "text")
        if failed:
            need(script.thoughts.startswith(thoughts) and script.text.startswith(text) and reason is None, f"lost: {text!r}")
            return
        need(events[-1]["type"] == "message_stop", f"ends with {events[-1]}")
        calls = [(b["id"], b["name"], json.loads(b["json"] or "{}")) for b in blocks if b["type"] == "tool_use"]
        self.check_message(script, thoughts, text, calls, reason)


def grow(block, delta):
    for key, member in (("text", "text"), ("thinking", "thinking"), ("partial_json", "json")):
        block[member] = block.get(member, "") + delta[key] if key in delta else block.get(member, "")


def blocks_text(blocks, kind):
    return "".join(block[kind] for block in blocks if block["type"] == kind)
