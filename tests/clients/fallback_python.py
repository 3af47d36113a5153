"""Two upstreams at once, of which one is killed while it is asked: both official Python SDKs get the other's answer.

Usage: fallback_python.py, with PROGRAM and LOG_FOLDER; it starts the upstreams and the program itself.
"""

import contextlib
import sys
import threading
from pathlib import Path

import anthropic
import openai
from support import CALL_SECONDS, check, equal, gateway, running, seen, wait_until
from upstream import ANSWER

HERE = Path(__file__).parent
HELLO = [{"role": "user", "content": "Say hello"}]
SETTINGS = {"api_key": "a-caller-key", "max_retries": 0, "timeout": CALL_SECONDS}
STREAMS = (False, True)


def server(script, name):
    return running(name, [sys.executable, str(HERE / script)])


def configured(first, second):
    """`a` is asked first, `b` stands in; `native` is `a` on its Anthropic wire."""
    return f"""
default_upstream = "a"

[retry]
delays = ["20ms"]

[upstream.a]
base_url = "{first}/v1"
key = "test-key"

[upstream.native]
preset = "zai"
base_url = "{first}/v1"
anthropic_base_url = "{first}/bearer"
key = "test-key"

[upstream.b]
base_url = "{second}/v1"
key = "test-key"

[fallback]
"a/scripted-stall" = ["b/scripted-text"]
"native/*" = ["b/scripted-text"]
"scripted-slow" = ["b/scripted-slow"]
"scripted-*" = ["b/scripted-text"]
"""


@contextlib.contextmanager
def stage(name):
    """Both upstreams, the first with its process, and both SDKs at a gateway before them."""
    with server("strict_upstream.py", f"{name}-a") as first, server("upstream.py", f"{name}-b") as second:
        with gateway(name, configured(first[0], second[0])) as address:
            chat = openai.OpenAI(base_url=f"{address}/v1", **SETTINGS)
            yield first, second[0], (chat, anthropic.Anthropic(base_url=address, **SETTINGS))


def ask(client, model, stream):
    """The text of an answer, and its headers."""
    if isinstance(client, openai.OpenAI):
        raw = client.chat.completions.with_raw_response.create(model=model, messages=HELLO, stream=stream)
        answer = raw.parse()
        if stream:
            return "".join(chunk.choices[0].delta.content or "" for chunk in answer), raw.headers
        return answer.choices[0].message.content, raw.headers
    raw = client.messages.with_raw_response.create(model=model, max_tokens=2048, messages=HELLO, stream=stream)
    answer = raw.parse()
    if stream:
        deltas = [event.delta for event in answer if event.type == "content_block_delta"]
        return "".join(delta.text for delta in deltas), raw.headers
    return answer.content[0].text, raw.headers


def told(headers):
    return headers["x-iflow2api-upstream"], headers["x-iflow2api-model"]


def asked_while(address, model, calls, event):
    """The answers to calls during which, once the upstream has all of them, something happens."""
    answers, errors = [None] * len(calls), []

    def one(at, client, stream):
        try:
            answers[at] = ask(client, model, stream)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(at, *call)) for at, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(seen(model.split("/")[-1], address)) == len(calls))
    event()
    for thread in threads:
        thread.join(CALL_SECONDS)
    assert not errors, errors
    return answers


@check("an upstream that is killed while it is asked: whole and streamed, on both faces, the other answers, and says so")
def killed():
    with stage("killed") as ((address, process), other, clients):
        for client in clients:
            for stream in STREAMS:
                text, headers = ask(client, "a/scripted-text", stream)
                equal((text, told(headers)), (ANSWER, ("a", "scripted-text")))
        calls = [(client, stream) for client in clients for stream in STREAMS]
        for text, headers in asked_while(address, "a/scripted-stall", calls, process.kill):
            equal((text, told(headers)), (ANSWER, ("b", "scripted-text")))
        equal(len(seen("scripted-text", other)), len(calls))
        # From now on it cannot be reached at all, also where the name alone was asked for.
        for client in clients:
            for stream in STREAMS:
                text, headers = ask(client, "scripted-reasoning", stream)
                equal((text, told(headers)), (ANSWER, ("b", "scripted-text")))


@check("the same on the native wire, in whose place the other is asked in its own words")
def killed_native():
    with stage("killed-native") as ((address, process), _, (_, client)):
        for stream in STREAMS:
            equal(told(ask(client, "native/scripted-text", stream)[1]), ("native", "scripted-text"))
        calls = [(client, stream) for stream in STREAMS]
        for text, headers in asked_while(address, "native/scripted-stall", calls, process.kill):
            equal((text, told(headers)), (ANSWER, ("b", "scripted-text")))


@check("killed in the middle of an answer, the caller hears of it, and the next call has the other's answer")
def killed_midway():
    with stage("killed-midway") as ((address, process), _, clients):
        chat, messages = clients
        chunks = chat.chat.completions.create(model="scripted-slow", messages=HELLO, stream=True)
        with messages.messages.stream(model="scripted-slow", max_tokens=2048, messages=HELLO) as events:
            texts = iter(events.text_stream)
            begun = [next(texts), next(chunks).id]
            equal(len(seen("scripted-slow", address)), 2)
            process.kill()
            for rest, kind in ((texts, anthropic.APIError), (chunks, openai.APIError)):
                try:
                    list(rest)
                    raise AssertionError(f"ended as if nothing was after {begun}")
                except kind as error:
                    assert "`a`" in str(error) or "upstream" in str(error), error
        for client in clients:
            equal(told(ask(client, "scripted-text", False)[1]), ("b", "scripted-text"))


@check("a rate limit goes to the other upstream, a wrong request and a wrong key do not")
def kinds():
    with stage("kinds") as (_, other, clients):
        for client in clients:
            for stream in STREAMS:
                text, headers = ask(client, "scripted-status-429", stream)
                equal((text, told(headers)), (ANSWER, ("b", "scripted-text")))
                for status in (400, 401, 404):
                    try:
                        ask(client, f"scripted-status-{status}", stream)
                        raise AssertionError("not raised")
                    except (openai.APIStatusError, anthropic.APIStatusError) as error:
                        equal(error.status_code, status)
        equal(len(seen("scripted-text", other)), 4)


@check("where nobody can be had, the caller hears what the first failed with")
def nobody():
    with gateway("nobody-there", configured("http://127.0.0.1:9", "http://127.0.0.1:9")) as address:
        chat = openai.OpenAI(base_url=f"{address}/v1", **SETTINGS)
        messages = anthropic.Anthropic(base_url=address, **SETTINGS)
        for client in (chat, messages):
            for stream in STREAMS:
                try:
                    ask(client, "scripted-text", stream)
                    raise AssertionError("not raised")
                except (openai.APIStatusError, anthropic.APIStatusError) as error:
                    assert error.status_code in (502, 503), error
                    assert "`a`" in str(error), error
