"""`iflow2api chat` and `models` from a pipe, over the scripted upstream and over llama.cpp.

Usage: chat.py IFLOW2API, with UPSTREAM_URL and LLAMA_URL; the environment is otherwise the program's own.
"""

import json
import os
import signal
import subprocess
import sys

from support import CALL_SECONDS, UPSTREAM, check, equal, seen, wait_until
from upstream import ANSWER, THOUGHT

PROGRAM = sys.argv[1]
LLAMA = os.environ["LLAMA_URL"]


def command(*arguments, upstream=UPSTREAM):
    return [PROGRAM, *arguments[:1], "--upstream", upstream, *arguments[1:]]


def run(*arguments, text="", upstream=UPSTREAM):
    return subprocess.run(
        command(*arguments, upstream=upstream), input=text.encode(), capture_output=True, timeout=CALL_SECONDS
    )


def answer(*arguments, **more):
    """What a run that must succeed says on standard output."""
    done = run(*arguments, **more)
    equal((done.returncode, done.stderr.decode() if done.returncode else ""), (0, ""))
    return done.stdout.decode()


@check("chat over llama.cpp: as an argument, from standard input, both joined and whole, as JSON")
def llama():
    assert answer("chat", "-m", "gemma", "Say hello", upstream=LLAMA).strip()
    assert answer("chat", "-m", "gemma", text="One, two, three,", upstream=LLAMA).strip()
    assert answer("chat", "-m", "gemma", "--no-stream", "Go on:", text="One, two, three,", upstream=LLAMA).strip()
    value = json.loads(answer("chat", "-m", "gemma", "--json", "Say hello", upstream=LLAMA))
    assert value["text"].strip() and value["model"] == "gemma", value
    assert "gemma" in answer("models", upstream=LLAMA)
    assert "gemma" in json.dumps(json.loads(answer("models", "--json", upstream=LLAMA)))


@check("in a pipe standard output is exactly the answer and one newline, streamed and whole")
def exact_output():
    for more in ((), ("--no-stream",)):
        equal(answer("chat", "-m", "scripted-text", *more, "Say hello"), ANSWER + "\n")


@check("the prompt and standard input are joined in one message, after the system prompt")
def joined():
    answer("chat", "-m", "scripted-text", "-s", "Be brief.", "sum up", text="a long text")
    messages = seen("scripted-text")[-1]["body"]["messages"]
    equal([message["role"] for message in messages], ["system", "user"])
    equal(messages[0]["content"], "Be brief.")
    assert "sum up" in messages[1]["content"] and "a long text" in messages[1]["content"], messages


@check("thinking is hidden in a pipe, and goes to standard error when it is to be shown")
def thinking():
    hidden = run("chat", "-m", "scripted-reasoning", "Say hello")
    equal((hidden.returncode, hidden.stdout.decode()), (0, ANSWER + "\n"))
    assert THOUGHT.splitlines()[0] not in hidden.stderr.decode(), hidden.stderr
    shown = run("chat", "-m", "scripted-reasoning", "--thinking", "show", "Say hello")
    equal((shown.returncode, shown.stdout.decode()), (0, ANSWER + "\n"))
    assert THOUGHT.splitlines()[0] in shown.stderr.decode(), shown.stderr


@check("failures say what was wrong and end with the documented status")
def failures():
    for model, status in (
        ("scripted-status-401", 4),
        ("scripted-status-403", 4),
        ("scripted-status-404", 1),
        ("scripted-status-429", 6),
        ("scripted-midstream", 5),
    ):
        done = run("chat", "-m", model, "Say hello")
        equal((model, done.returncode), (model, status))
        assert b"iflow2api: error: " in done.stderr, done.stderr
        assert b"test-key" not in done.stderr, done.stderr


@check("a reader who leaves, and an interrupt, end it and the upstream's answer")
def leaving():
    ways = [(0, lambda child: child.stdout.close()), (130, lambda child: child.send_signal(signal.SIGINT))]
    for status, leave in ways:
        before = len(seen("scripted-slow"))
        child = subprocess.Popen(
            command("chat", "-m", "scripted-slow", "Say hello"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        try:
            assert child.stdout.read(3)
            leave(child)
            equal(child.wait(timeout=CALL_SECONDS), status)
        finally:
            child.kill()
            child.wait()
        wait_until(lambda: seen("scripted-slow")[before]["aborted"])
