"""Claude Code, headless, through the gateway to upstreams that speak Anthropic's API themselves.

Usage: claude_code_native.py CLAUDE, with the servers of `native_python.py`.
"""

import json
import tempfile
from pathlib import Path

from claude import claude
from strict_upstream import signature
from support import check, equal, seen
from upstream import THOUGHT

WAYS = {"deepseek": ("deepseek-v4-pro", "/x-api-key/v1/messages"), "zai": ("glm-4.7", "/bearer/v1/messages")}


def edits(model, prompt="Make the fox quick.", *more):
    """Claude Code has a file edited; its answer."""
    with tempfile.TemporaryDirectory(prefix="claude-") as directory:
        work = Path(directory)
        path = work / "fox.txt"
        path.write_text("Once there was a slow brown fox.\n二\n")
        answer, _ = claude(work, model, f"{prompt} FILE={path}", *more)
        equal((answer["type"], answer["subtype"], answer["is_error"]), ("result", "success", False))
        equal((answer["result"], answer["num_turns"]), ("The fox is quick now.", 3))
        equal(path.read_text(), "Once there was a quick brown fox — 快.\n二\n")
        return answer


def main_requests(model, path):
    """The conversation's own requests on one way, without those for titles and the like."""
    bodies = [each["body"] for each in seen(model) if each["path"] == path]
    return [body for body in bodies if any(tool.get("name") == "Edit" for tool in body.get("tools") or [])]


@check("claude -p reads a file with a tool, edits it and finishes, with either way to show the key")
def edit():
    for upstream, (model, _) in WAYS.items():
        usage = edits(f"{upstream}/{model}")["usage"]
        # Three answers, each with the usage that the upstream told.
        told = [usage[name] for name in ("input_tokens", "cache_read_input_tokens", "output_tokens")]
        equal(told, [3 * 20, 3 * 100, 3 * 17])


@check("its requests arrive as it sent them, and its thoughts come back with the upstream's signature")
def requests():
    for model, path in WAYS.values():
        bodies = main_requests(model, path)
        equal(len(bodies), 3)
        for body in bodies:
            equal((body["model"], body["stream"], body["thinking"]["type"]), (model, True, "adaptive"))
            assert "cache_control" in json.dumps(body), body.keys()
            assert {"system", "metadata", "context_management", "output_config"} <= body.keys(), body.keys()
        blocks = [block for message in bodies[-1]["messages"] for block in message["content"] if isinstance(block, dict)]
        thoughts = [block for block in blocks if block["type"] == "thinking"]
        equal([(block["thinking"], block["signature"]) for block in thoughts], [(THOUGHT, signature(THOUGHT))])
        uses = [block["id"] for block in blocks if block["type"] == "tool_use"]
        equal(uses, ["toolu_call_read", "toolu_call_edit"])


@check("a session that began on the translated wire is taken up natively, and goes on translated again")
def taken_up():
    before = len(seen("deepseek-v4-pro"))
    with tempfile.TemporaryDirectory(prefix="claude-") as directory:
        work = Path(directory)
        path = work / "fox.txt"
        path.write_text("a slow brown fox\n")
        answer, _ = claude(work, "translated/deepseek-v4-pro", f"Make the fox quick. FILE={path}")
        equal((answer["subtype"], answer["result"]), ("success", "The fox is quick now."))
        equal(path.read_text(), "a quick brown fox — 快\n")
        for model in ("deepseek/deepseek-v4-pro", "translated/deepseek-v4-pro"):
            answer, _ = claude(work, model, "Are you sure?", "--continue")
            equal((answer["subtype"], answer["is_error"]), ("success", False))
    paths = [each["path"] for each in seen("deepseek-v4-pro")[before:] if each["body"].get("tools")]
    equal(paths, ["/v1/chat/completions"] * 3 + ["/x-api-key/v1/messages", "/v1/chat/completions"])
    native = main_requests("deepseek-v4-pro", "/x-api-key/v1/messages")[-1]
    assert "ifw1." not in json.dumps(native), "a signature of ours"
