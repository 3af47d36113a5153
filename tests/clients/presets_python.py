"""The presets `llamacpp` and `ollama` over llama.cpp's own server, and its own Anthropic face as a native wire.

Usage: presets_python.py, with LLAMA_URL, PROGRAM and LOG_FOLDER. What is sent to llama.cpp is noted on the way.
"""

import http.client
import json
import os
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import anthropic
import openai
from support import CALL_SECONDS, PROGRAM, check, clean, equal, gateway

LLAMA = os.environ["LLAMA_URL"]
SETTINGS = {"api_key": "a-caller-key", "max_retries": 0, "timeout": CALL_SECONDS}
HELLO = [{"role": "user", "content": "Say hello and tell a story."}]
noted = []


class Notes(BaseHTTPRequestHandler):
    """Passes everything on to llama.cpp and back, and notes what was asked and how it was answered."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        connection = http.client.HTTPConnection(urlsplit(LLAMA).netloc, timeout=CALL_SECONDS)
        connection.request(self.command, self.path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        noted.append((self.path, json.loads(body) if body else None, answer.status))
        self.send_response(answer.status)
        self.send_header("content-type", answer.headers["content-type"])
        self.send_header("connection", "close")
        self.end_headers()
        while piece := answer.read1():
            self.wfile.write(piece)
        connection.close()
        self.close_connection = True

    do_GET = do_POST = pass_on


class Server(ThreadingHTTPServer):
    daemon_threads = True


notes = Server(("127.0.0.1", 0), Notes)
threading.Thread(target=notes.serve_forever, daemon=True).start()
BASE = f"http://127.0.0.1:{notes.server_port}"

CONFIG = f"""
[upstream.llamacpp]
base_url = "{BASE}/v1"

[upstream.ollama]
base_url = "{BASE}/v1"

[upstream.native]
preset = "llamacpp"
base_url = "{BASE}/v1"
anthropic_base_url = "{BASE}"
"""


def sent(path="/v1/chat/completions"):
    """The last request on a path, which llama.cpp must have taken."""
    body, status = [(body, status) for known, body, status in noted if known == path][-1]
    equal(status, 200)
    return body


THINKING = ("reasoning_effort", "thinking", "enable_thinking", "chat_template_kwargs", "reasoning")


def thinking_in(body):
    return {member: body[member] for member in THINKING if member in body}


def text_of(answer):
    """The text of an answer of either SDK, whole or streamed."""
    if isinstance(answer, openai.types.chat.ChatCompletion):
        return answer.choices[0].message.content
    if isinstance(answer, anthropic.types.Message):
        return "".join(block.text for block in answer.content if block.type == "text")
    if isinstance(answer, openai.Stream):
        return "".join(choice.delta.content or "" for chunk in answer for choice in chunk.choices)
    return "".join(event.delta.text for event in answer if event.type == "content_block_delta")


def faces(address):
    """A question on each face: its text, whole or streamed."""
    chat = openai.OpenAI(base_url=f"{address}/v1", **SETTINGS).chat.completions
    messages = anthropic.Anthropic(base_url=address, **SETTINGS).messages
    return [
        lambda **more: text_of(chat.create(max_tokens=4, messages=HELLO, **more)),
        lambda **more: text_of(messages.create(max_tokens=4, messages=HELLO, **more)),
    ]


# What each wish becomes. llama.cpp knows templates that think by their names only, so a name with `qwen` is asked for.
OFF, ON = {"chat_template_kwargs": {"enable_thinking": False}}, {"chat_template_kwargs": {"enable_thinking": True}}
WISHES = {
    "llamacpp": ("qwen3-gemma", {"none": OFF, "low": ON, "high": ON}),
    "ollama": ("gemma", {level: {"reasoning_effort": level} for level in ("none", "low", "high")}),
}


def presets(address):
    @check("both presets: text on both faces, whole and streamed, with nothing said of thinking that nobody wished")
    def text():
        for preset in WISHES:
            for face in faces(address):
                for stream in (False, True):
                    assert face(model=f"{preset}/gemma", stream=stream).strip(), preset
                    equal(thinking_in(sent()), {})

    @check("openai: `reasoning_effort` in the words of each preset, which llama.cpp takes")
    def effort():
        for preset, (model, words) in WISHES.items():
            for level, expected in words.items():
                for stream in (False, True):
                    answer = faces(address)[0](model=f"{preset}/{model}", reasoning_effort=level, stream=stream)
                    assert answer.strip(), (preset, level)
                    equal((preset, level, thinking_in(sent())), (preset, level, expected))

    @check("anthropic: `thinking` in the words of each preset, which llama.cpp takes")
    def thinking():
        wishes = {
            "none": {"thinking": {"type": "disabled"}},
            "low": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            "high": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        }
        for preset, (model, words) in WISHES.items():
            for level, wish in wishes.items():
                for stream in (False, True):
                    assert faces(address)[1](model=f"{preset}/{model}", stream=stream, **wish).strip(), (preset, level)
                    equal((preset, level, thinking_in(sent())), (preset, level, words[level]))

    @check("a wish behind the model's name, on both faces")
    def suffix():
        for preset, (model, words) in WISHES.items():
            for level in ("none", "high"):
                for face in faces(address):
                    assert face(model=f"{preset}/{model}({level})").strip(), (preset, level)
                    equal((preset, thinking_in(sent())), (preset, words[level]))
                    equal(sent()["model"], model)

    @check("thoughts of a history are taken by llama.cpp in the form of each preset")
    def history():
        call = {"id": "call_a", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
        turns = [
            *HELLO,
            {"role": "assistant", "content": "", "reasoning_content": "A thought.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_a", "content": "noon"},
        ]
        chat = openai.OpenAI(base_url=f"{address}/v1", **SETTINGS).chat.completions
        for preset, field in (("llamacpp", "reasoning_content"), ("ollama", "reasoning")):
            model = f"{preset}/{WISHES[preset][0]}"
            answer = chat.create(model=model, max_tokens=8, messages=turns, reasoning_effort="high")
            assert answer.usage.completion_tokens > 0, answer
            equal(sent()["messages"][1][field], "A thought.")

    @check("models.list names the model for each preset")
    def models():
        names = [model.id for model in openai.OpenAI(base_url=f"{address}/v1", **SETTINGS).models.list()]
        assert {"gemma", "llamacpp/gemma", "ollama/gemma"} <= set(names), names


def native(address):
    """llama.cpp's own `/v1/messages`."""
    client = anthropic.Anthropic(base_url=address, **SETTINGS)
    ask = {"model": "native/gemma", "max_tokens": 16, "messages": HELLO}

    def check_message(message):
        equal((message.type, message.role, message.model), ("message", "assistant", "native/gemma"))
        equal([block.type for block in message.content], ["text"])
        assert message.content[0].text.strip() and 0 < message.usage.output_tokens <= 16, message
        assert message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0) > 5, message
        assert message.stop_reason in ("end_turn", "max_tokens", "stop_sequence"), message

    @check("native: llama.cpp's own messages, whole and through the stream helper")
    def both():
        check_message(client.messages.create(**ask))
        with client.messages.stream(**ask) as stream:
            assert "".join(stream.text_stream).strip()
            check_message(stream.get_final_message())
        kinds = [event.type for event in client.messages.create(**ask, stream=True)]
        equal((kinds[0], kinds[-2:]), ("message_start", ["message_delta", "message_stop"]))
        equal(sent("/v1/messages")["model"], "gemma")

    @check("native: several turns, a system prompt, thoughts of another wire, thinking on and off")
    def turns():
        thought = {"type": "thinking", "thinking": "A thought.", "signature": "ifw1.llamacpp.0123456789abcdef"}
        history = [
            *HELLO,
            {"role": "assistant", "content": [thought, {"type": "text", "text": "Hello."}]},
            {"role": "user", "content": "Go on."},
        ]
        for thinking in ({"type": "disabled"}, {"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive"}):
            request = {**ask, "messages": history, "system": "Be brief.", "thinking": thinking}
            message = client.messages.create(**request)
            assert message.usage.output_tokens > 0, message
            body = sent("/v1/messages")
            equal((body["thinking"], len(body["messages"][1]["content"])), (thinking, 1))

    @check("native: what llama.cpp refuses keeps its status and its words")
    def refused():
        for stream in (False, True):
            try:
                client.messages.create(**{**ask, "messages": [{"role": "user", "content": "word " * 2000}]}, stream=stream)
                raise AssertionError("not raised")
            except anthropic.BadRequestError as error:
                assert error.body["error"]["message"].startswith("prompt is too long"), error.body


def commands(path, home):
    def run(*arguments):
        command = [PROGRAM, "--config", str(path), *arguments]
        done = subprocess.run(
            command, env=clean(home), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=CALL_SECONDS
        )
        equal((arguments, done.returncode, done.stderr if done.returncode else ""), (arguments, 0, ""))
        return done.stdout

    @check("`models` and `chat` with each preset, and with a wish behind the model's name")
    def chat():
        listed = json.loads(run("models", "--json"))
        assert {"gemma", "llamacpp/gemma", "ollama/gemma"} <= {each["id"] for each in listed}, listed
        for preset, (model, words) in WISHES.items():
            assert "gemma" in run("models", "--upstream", preset), preset
            for level in ("none", "high"):
                arguments = ["--max-tokens", "8", "-m", f"{preset}/{model}({level})", "Say hello"]
                more = [] if level == "none" else ["--no-stream", "--upstream", preset]
                assert run("chat", *more, *arguments).strip(), (preset, level)
                equal((preset, thinking_in(sent())), (preset, words[level]))

    @check("`models test`, `show`, `refresh` and `resolve` with each preset")
    def models():
        equal(sorted(line.split() for line in run("models", "refresh").splitlines())[0], ["llamacpp", "1", "model"])
        for preset in WISHES:
            tried = {each["name"]: each for each in json.loads(run("models", "test", f"{preset}/gemma", "--json"))["tried"]}
            for name in ("text", "stream", "anthropic"):
                assert tried[name]["ok"], tried
            assert 0 < tried["stream"]["first_token_ms"] <= tried["stream"]["took_ms"], tried
            assert not any("error" in each for each in tried.values()), tried
            shown = json.loads(run("models", "show", f"{preset}/gemma", "--json"))
            equal((shown["upstream"], shown["listed"]), (preset, True))
            count = len(noted)
            found = json.loads(run("models", "resolve", f"{preset}/gemma", "--effort", "low", "--json"))
            equal((found["url"], len(noted)), (f"{BASE}/v1/chat/completions", count))


def speaks_anthropic():
    """Whether this llama.cpp has `/v1/messages`."""
    connection = http.client.HTTPConnection(urlsplit(LLAMA).netloc, timeout=CALL_SECONDS)
    body = {"model": "gemma", "max_tokens": 1, "messages": HELLO}
    connection.request("POST", "/v1/messages", json.dumps(body), {"content-type": "application/json"})
    return connection.getresponse().status == 200


with tempfile.TemporaryDirectory(prefix="presets-") as folder:
    config = Path(folder) / "config.toml"
    config.write_text(CONFIG)
    commands(config, folder)
with gateway("presets", CONFIG) as serving:
    presets(serving)
    if speaks_anthropic():
        native(serving)
    else:
        print("skipped - this llama.cpp has no `/v1/messages`", flush=True)
