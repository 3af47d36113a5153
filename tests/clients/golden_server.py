"""Serves the golden event streams word for word, for the SDKs to read.

Usage: golden_server.py DIRECTORY, where DIRECTORY holds the vectors (`tests/golden/stream`). The model of a request
names the vector. `GET /vectors` lists what the events of each say: its blocks, its reason to stop, its error.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def expected_stream(directory):
    """The stream of a vector, with a number where ours would be counted."""
    text = (directory / "expected.sse").read_text(encoding="utf-8")
    return text.replace('"ESTIMATED"', "5")


def events(stream):
    for frame in stream.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in frame.splitlines() if ": " in line)
        if lines:
            value = json.loads(lines["data"])
            assert lines["event"] == value["type"], frame
            yield value


def summary(directory):
    """What the events of a vector say, put together in the plainest way."""
    result = {"name": directory.name, "blocks": [], "stop_reason": None, "error": None}
    for event in events(expected_stream(directory)):
        kind = event["type"]
        if kind == "content_block_start":
            assert event["index"] == len(result["blocks"]), event
            result["blocks"].append({**event["content_block"], "json": ""})
        elif kind == "content_block_delta":
            block, delta = result["blocks"][event["index"]], event["delta"]
            for source, target in (
                ("text", "text"), ("thinking", "thinking"), ("signature", "signature"), ("partial_json", "json"),
            ):
                if source in delta:
                    block[target] = block.get(target, "") + delta[source]
        elif kind == "message_delta":
            result["stop_reason"] = event["delta"]["stop_reason"]
            result["stop_sequence"] = event["delta"]["stop_sequence"]
            result["usage"] = event["usage"]
        elif kind == "error":
            result["error"] = event["error"]["type"]
    for block in result["blocks"]:
        text = block.pop("json")
        if block["type"] == "tool_use":
            block["input"] = whole_json(text)
    return result


def whole_json(text):
    """The value of a tool's input; null where the text is not one, and the SDKs may make of it what they like."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return None


class Golden(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def reply(self, media_type, payload):
        self.send_response(200)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def do_GET(self):
        vectors = [summary(path.parent) for path in sorted(self.server.directory.glob("*/expected.sse"))]
        self.reply("application/json", json.dumps(vectors).encode())

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        stream = expected_stream(self.server.directory / Path(body["model"]).name)
        self.reply("text/event-stream; charset=utf-8", stream.encode())


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Golden)
    server.daemon_threads = True
    server.directory = Path(sys.argv[1])
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


main()
