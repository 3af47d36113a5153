"""An upstream that answers as `script` says, and fails as it says, once for each call."""

import asyncio
import json
import socket
import struct

from script import Script, pieces

GO_ON = "Continue exactly where you stopped. Do not repeat or comment."


class Upstream:
    def __init__(self, stall, sabotage=False):
        self.stall = stall
        self.sabotage = sabotage
        self.failed = set()
        self.counts = {}
        self.writers = set()
        self.server = None

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=2**22)
        host, port = self.server.sockets[0].getsockname()
        return f"http://{host}:{port}/v1"

    async def stop(self):
        self.server.close()
        for writer in list(self.writers):
            writer.close()

    async def serve(self, reader, writer):
        self.writers.add(writer)
        try:
            while await self.answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # Whoever asked has left, or the run is over.
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def answer(self, reader, writer):
        """Answers one request; whether the connection goes on."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        request = json.loads(await reader.readexactly(length))
        script = Script(request["model"])
        messages = request["messages"]
        goes_on = messages[-1].get("content") == GO_ON
        fault = script.fault
        # It fails once; a call that begins again, or goes on, is answered.
        if fault == "none" or goes_on or request["model"] in self.failed:
            fault = "none"
        else:
            self.failed.add(request["model"])
            self.counts[fault] = self.counts.get(fault, 0) + 1
        text = script.text[len(messages[-2]["content"]) :] if goes_on else script.text
        if goes_on and not script.text.startswith(messages[-2]["content"]):
            raise SystemExit(f"asked to go on behind what was never said: {messages[-2]['content']!r}")
        # A model seldom goes on without looking back.
        if goes_on and len(messages[-2]["content"]) > 20 and script.chance.random() < 0.5:
            text = messages[-2]["content"][-16:] + text
        if await self.refuse(fault, writer):
            return False
        if request.get("stream"):
            await self.stream(script, text, fault, goes_on, writer)
            return False
        return await self.whole(script, text, fault, writer)

    async def refuse(self, fault, writer):
        """The faults that leave no answer; whether this was one."""
        if fault == "close":
            return True
        if fault == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return True
        status = {"s500": "500", "s502": "502", "s503": "503", "s429": "429", "html": "200"}.get(fault)
        if status is None:
            return False
        wait = {"s429": "retry-after: 0\r\n", "s503": "retry-after: soon\r\n"}.get(fault, "")
        body = "<html>Welcome</html>" if fault in ("html", "s502") else '{"error":{"message":"not now"}}'
        writer.write(f"HTTP/1.1 {status} X\r\n{wait}content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode())
        await writer.drain()
        return True

    async def stream(self, script, text, fault, goes_on, writer):
        chunks = list(self.chunks(script, text, goes_on))
        # An answer that was cut before its first word is not one to go on with (F03).
        stop_at = script.chance.randrange(2 if fault == "cut" else 1, max(3, len(chunks) - 2))
        if script.kind != "text" and fault == "kill":
            # Behind the first piece of what cannot be taken up: the thoughts, or a call.
            stop_at = 1 if script.kind == "think" else len(list(self.chunks(script, text, goes_on, calls=False))) + 1
        if self.sabotage and len(chunks) > 4:
            del chunks[2]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        if fault == "empty":
            chunks = chunks[:1]
        for number, delta in enumerate(chunks):
            if number == stop_at and fault in ("kill", "stall", "cut"):
                if fault == "stall":
                    await asyncio.sleep(self.stall)
                if fault != "cut" or script.kind != "text":
                    if fault == "cut":
                        fault = "none"
                    else:
                        return
                else:
                    break
            if fault == "slow" and number % 7 == 0:
                await asyncio.sleep(0.01)
            self.event(writer, {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
            await writer.drain()
        reason = "length" if fault == "cut" else "stop" if fault == "empty" else script.finish
        self.event(writer, {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if fault != "empty":
            self.event(writer, {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}})
        writer.write(b"data: [DONE]\n\n")
        await writer.drain()

    def chunks(self, script, text, goes_on, calls=True):
        yield {"role": "assistant", "content": ""}
        if not goes_on:
            for piece in pieces(script.thoughts, script.chance):
                yield {"reasoning_content": piece}
        for piece in pieces(text, script.chance):
            yield {"content": piece}
        for index, (id, name, arguments) in enumerate(script.calls if calls else []):
            yield {"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}]}
            for piece in pieces(arguments, script.chance):
                yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}

    def event(self, writer, members):
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **members}
        writer.write(b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n")

    async def whole(self, script, text, fault, writer):
        cut = fault == "cut" and script.kind == "text"
        message = {"role": "assistant", "content": text[: len(text) // 2] if cut else text}
        if script.thoughts:
            message["reasoning_content"] = script.thoughts
        if script.calls:
            calls = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in script.calls]
            message["tool_calls"] = calls
        if self.sabotage:
            message["content"] = message["content"][1:]
        if fault == "empty":
            message = {"role": "assistant", "content": ""}
        reason = "length" if cut else "stop" if fault == "empty" else script.finish
        body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
        body["choices"] = [{"index": 0, "message": message, "finish_reason": reason}]
        if fault != "empty":
            body["usage"] = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}
        data = json.dumps(body, ensure_ascii=False).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n".encode()
        if fault in ("kill", "stall"):
            writer.write(head + data[: len(data) // 2])
            await writer.drain()
            if fault == "stall":
                await asyncio.sleep(self.stall)
            return False
        writer.write(head + data)
        await writer.drain()
        return True
