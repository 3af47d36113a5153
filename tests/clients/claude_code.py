"""Claude Code, headless, through the gateway: it reads a file, edits it and finishes.

Usage: claude_code.py CLAUDE IFLOW2API, both of them programs. The scripted upstream plays the model.
"""

import base64
import json
import re
import sys
import tempfile
from pathlib import Path

from claude import claude
from support import check, equal, seen
from upstream import THOUGHT

PROGRAM = str(Path(sys.argv[2]).resolve())
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
)


def main_requests(model):
    """The requests of the conversation itself, without those for titles and the like."""
    requests = [each["body"] for each in seen(model)]
    return [body for body in requests if any(tool["function"]["name"] == "Edit" for tool in body.get("tools") or [])]


def check_request(body):
    """Nothing that only Anthropic's API knows may stand in a request on the OpenAI wire."""
    sent = json.dumps(body)
    for leak in (
        "cache_control", "x-anthropic-billing-header", "context_management", "input_schema", "output_config",
        "budget_tokens", "device_id", "tool_use_id", '"signature"',
    ):
        assert leak not in sent, leak
    unknown = set(body) - {
        "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "stream", "stream_options", "max_tokens",
        "max_completion_tokens", "reasoning_effort", "temperature", "stop", "user",
    }
    assert not unknown, unknown
    equal(body["stream_options"], {"include_usage": True})
    equal(body["messages"][0]["role"], "system")
    assert "Claude" in body["messages"][0]["content"], body["messages"][0]
    for tool in body["tools"]:
        equal(tool["type"], "function")
        equal(tool["function"]["parameters"]["type"], "object")
    check_pairing(body["messages"])


def check_pairing(messages):
    """Every call is followed at once by its results; parts of a content are known to OpenAI's wire."""
    open_calls = []
    for message in messages:
        if open_calls:
            equal((message["role"], message.get("tool_call_id")), ("tool", open_calls.pop(0)))
        else:
            assert message["role"] in ("system", "user", "assistant"), message["role"]
        open_calls += [each["id"] for each in message.get("tool_calls") or []]
        if isinstance(message.get("content"), list):
            assert {part["type"] for part in message["content"]} <= {"text", "image_url"}, message
    equal(open_calls, [])


@check("claude -p reads a file with a tool, edits it and finishes; the file has changed on disk")
def edit():
    with tempfile.TemporaryDirectory(prefix="claude-") as directory:
        work = Path(directory)
        path = work / "fox.txt"
        path.write_text("Once there was a slow brown fox.\n二\n")
        answer, _ = claude(work, "glm-4.7", f"Make the fox quick. FILE={path}")
        equal((answer["type"], answer["subtype"], answer["is_error"]), ("result", "success", False))
        equal(answer["result"], "The fox is quick now.")
        equal(answer["num_turns"], 3)
        assert answer["usage"]["input_tokens"] > 0 and answer["usage"]["output_tokens"] > 0, answer["usage"]
        equal(path.read_text(), "Once there was a quick brown fox — 快.\n二\n")


@check("its requests reach the upstream as clean chat completions, with system prompt, tools and pairs")
def requests():
    bodies = main_requests("glm-4.7")
    equal(len(bodies), 3)
    for body in bodies:
        check_request(body)
    results = [message for message in bodies[-1]["messages"] if message["role"] == "tool"]
    equal([message["tool_call_id"] for message in results], ["call_read", "call_edit"])
    assert "slow brown fox" in results[0]["content"], results[0]
    thoughts = {message.get("reasoning_content") for message in bodies[-1]["messages"]}
    assert thoughts <= {None, "", THOUGHT}, thoughts


@check("the beginning of its conversation stays byte for byte the same from turn to turn")
def stable_prefix():
    first, second, third = main_requests("glm-4.7")
    equal(json.dumps(second["tools"]), json.dumps(first["tools"]))
    equal(json.dumps(second["messages"][0]), json.dumps(first["messages"][0]))
    equal(json.dumps(third["messages"][: len(second["messages"]) - 1]), json.dumps(second["messages"][:-1]))


@check("two reads at once, one of a picture: the picture arrives, after all results")
def picture():
    with tempfile.TemporaryDirectory(prefix="claude-") as directory:
        work = Path(directory)
        path, image = work / "fox.txt", work / "pixel.png"
        path.write_text("a slow brown fox\n")
        image.write_bytes(PIXEL)
        answer, _ = claude(work, "scripted-vision", f"Look and edit. FILE={path} PICTURE={image}")
        equal((answer["subtype"], answer["is_error"]), ("success", False))
        equal(path.read_text(), "a quick brown fox — 快\n")
    bodies = main_requests("scripted-vision")
    for body in bodies:
        check_request(body)
    results = [message for message in bodies[-1]["messages"] if message["role"] == "tool"]
    equal([message["tool_call_id"] for message in results], ["call_read", "call_picture", "call_edit"])
    parts = [
        part
        for message in bodies[-1]["messages"]
        if message["role"] == "user" and isinstance(message["content"], list)
        for part in message["content"]
    ]
    pictures = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    equal([url.split(",")[0] for url in pictures], ["data:image/png;base64"])


@check("a refused key ends it at once, with the real status")
def refused():
    with tempfile.TemporaryDirectory(prefix="claude-") as directory:
        answer, seconds = claude(Path(directory), "scripted-status-401", "Say hello")
    equal((answer["is_error"], answer.get("api_error_status")), (True, 401))
    # It tries again for minutes, even at a 401, unless `x-should-retry: false` comes with it.
    assert seconds < 30, seconds


@check("an overflow and an error in the middle of a stream are understood, and end it at once")
def failures():
    expected = {"scripted-overflow": "Prompt is too long", "scripted-midstream": "the provider broke down"}
    for model, words in expected.items():
        with tempfile.TemporaryDirectory(prefix="claude-") as directory:
            answer, seconds = claude(Path(directory), model, "Say hello")
        equal(answer["is_error"], True)
        assert words in answer["result"], answer["result"]
        assert seconds < 30, seconds


@check("a session is taken up again, with all its blocks in the history")
def continued():
    with tempfile.TemporaryDirectory(prefix="claude-") as directory:
        work = Path(directory)
        path = work / "fox.txt"
        path.write_text("a slow brown fox\n")
        claude(work, "scripted-continued", f"Make the fox quick. FILE={path}")
        answer, _ = claude(work, "scripted-continued", "Are you sure?", "--continue")
        equal((answer["subtype"], answer["is_error"]), ("success", False))
    last = main_requests("scripted-continued")[-1]
    check_request(last)
    results = [message["tool_call_id"] for message in last["messages"] if message["role"] == "tool"]
    equal(results, ["call_read", "call_edit"])


@check("--json-schema: the schema goes up as a tool, the object comes back")
def json_schema():
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "population": {"type": "integer"}},
        "required": ["city", "population"],
    }
    with tempfile.TemporaryDirectory(prefix="claude-") as directory:
        answer, _ = claude(Path(directory), "scripted-schema", "Which city?", "--json-schema", json.dumps(schema))
    equal((answer["subtype"], answer["is_error"]), ("success", False))
    equal(answer["structured_output"], {"city": "Paris", "population": 2102650})


@check("a web search that no upstream can do is refused in words, and the turn goes on")
def web_search():
    with tempfile.TemporaryDirectory(prefix="claude-") as directory:
        answer, seconds = claude(Path(directory), "scripted-search", "Look it up. SEARCH=/web")
    equal((answer["subtype"], answer["is_error"]), ("success", False))
    assert "web_search is not available" in answer["result"], answer["result"]
    assert seconds < 30, seconds
    for each in seen("scripted-search"):
        for tool in each["body"].get("tools") or []:
            equal(set(tool), {"type", "function"})


@check("/context counts tools and system prompt through count_tokens")
def context():
    with tempfile.TemporaryDirectory(prefix="claude-") as directory:
        answer, _ = claude(Path(directory), "glm-4.7", "/context")
    found = dict(re.findall(r"\| (System prompt|System tools) \| ([0-9.]+)k \|", answer["result"]))
    # The measured sizes of this version are 1.4k and 14.4k.
    assert 1 <= float(found["System prompt"]) <= 3, answer["result"]
    assert 8 <= float(found["System tools"]) <= 25, answer["result"]


@check("`serve --demo -- claude` runs it against the demo upstream, without any address given")
def served():
    with tempfile.TemporaryDirectory(prefix="claude-") as directory:
        answer, _ = claude(
            Path(directory), "demo-echo", "Say pineapple", launcher=[PROGRAM, "--quiet", "serve", "--demo", "--"]
        )
    equal((answer["subtype"], answer["is_error"]), ("success", False))
    assert "pineapple" in answer["result"], answer["result"]
