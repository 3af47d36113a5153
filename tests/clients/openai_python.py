"""The official Python SDK `openai` through the gateway, against the scripted upstream."""

import asyncio
import json

import openai
from pydantic import BaseModel
from support import CALL_SECONDS, GATEWAY, check, equal, seen, wait_until
from upstream import ANSWER, THOUGHT, USAGE

SETTINGS = {"base_url": f"{GATEWAY}/v1", "api_key": "a-caller-key", "max_retries": 0, "timeout": CALL_SECONDS}
client = openai.OpenAI(**SETTINGS)
HELLO = [{"role": "user", "content": "Say hello"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
        },
    }
]
PARIS, TOKYO = {"city": "Paris", "days": 2}, {"city": "東京", "days": 3}


@check("whole text, with the usage of the upstream")
def whole_text():
    answer = client.chat.completions.create(model="scripted-text", messages=HELLO)
    equal(answer.choices[0].message.content, ANSWER)
    equal(answer.choices[0].finish_reason, "stop")
    equal(answer.model, "scripted-text")
    equal(answer.usage.prompt_tokens, USAGE["prompt_tokens"])
    equal(answer.usage.completion_tokens, USAGE["completion_tokens"])
    equal(answer.usage.prompt_tokens_details.cached_tokens, 100)


@check("streamed text: one id, one finish reason, no usage that nobody asked for")
def streamed_text():
    chunks = list(client.chat.completions.create(model="scripted-text", messages=HELLO, stream=True))
    equal("".join(chunk.choices[0].delta.content or "" for chunk in chunks), ANSWER)
    equal(len({chunk.id for chunk in chunks}), 1)
    equal([chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason], ["stop"])
    assert all(chunk.usage is None for chunk in chunks)


@check("streamed usage: exactly one chunk, the last, without choices")
def streamed_usage():
    options = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(model="scripted-text", messages=HELLO, stream=True, stream_options=options)
    )
    equal([bool(chunk.usage) for chunk in chunks], [False] * (len(chunks) - 1) + [True])
    equal(chunks[-1].choices, [])
    equal(chunks[-1].usage.total_tokens, USAGE["total_tokens"])


@check("stream helper: its final completion is the whole answer")
def stream_helper():
    with client.chat.completions.stream(model="scripted-text", messages=HELLO) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds, kinds
    equal(final.choices[0].message.content, ANSWER)


@check("async client: whole, streamed, and eight calls at once")
def asynchronous():
    async def run():
        async with openai.AsyncOpenAI(**SETTINGS) as own:
            calls = [own.chat.completions.create(model="scripted-text", messages=HELLO) for _ in range(8)]
            for answer in await asyncio.gather(*calls):
                equal(answer.choices[0].message.content, ANSWER)
            text = ""
            async for chunk in await own.chat.completions.create(model="scripted-text", messages=HELLO, stream=True):
                text += chunk.choices[0].delta.content or ""
            equal(text, ANSWER)

    asyncio.run(run())


@check("parallel tool calls, whole and streamed, and their results")
def tools():
    ask = {"model": "scripted-tools", "messages": HELLO, "tools": TOOLS}
    whole = client.chat.completions.create(**ask).choices[0]
    with client.chat.completions.stream(**ask) as stream:
        streamed = stream.get_final_completion().choices[0]
    for choice in (whole, streamed):
        equal(choice.finish_reason, "tool_calls")
        equal([each.id for each in choice.message.tool_calls], ["call_paris", "call_tokyo"])
        equal([each.function.name for each in choice.message.tool_calls], ["get_weather"] * 2)
        equal([json.loads(each.function.arguments) for each in choice.message.tool_calls], [PARIS, TOKYO])
    results = [
        {"role": "tool", "tool_call_id": each.id, "content": text}
        for each, text in zip(whole.message.tool_calls, ("sunny", "rain"))
    ]
    history = [*HELLO, whole.message.model_dump(exclude_none=True), *results]
    answer = client.chat.completions.create(model="scripted-tools", messages=history, tools=TOOLS)
    equal(answer.choices[0].message.content, "Results: sunny | rain")


@check("reasoning comes as reasoning_content, whole and streamed, and goes back as it is")
def reasoning():
    ask = {"model": "scripted-reasoning", "messages": HELLO, "reasoning_effort": "high"}
    whole = client.chat.completions.create(**ask).choices[0].message
    equal((whole.reasoning_content, whole.content), (THOUGHT, ANSWER))
    thought = text = ""
    for chunk in client.chat.completions.create(**ask, stream=True):
        delta = chunk.choices[0].delta
        thought += getattr(delta, "reasoning_content", None) or ""
        text += delta.content or ""
    equal((thought, text), (THOUGHT, ANSWER))
    again = [*HELLO, whole.model_dump(exclude_none=True), {"role": "user", "content": "Again"}]
    client.chat.completions.create(model="scripted-reasoning", messages=again)
    equal(seen("scripted-reasoning")[-1]["body"]["messages"][1].get("reasoning_content"), THOUGHT)


@check("structured output is parsed by the SDK")
def structured():
    class City(BaseModel):
        city: str
        population: int

    answer = client.chat.completions.parse(model="scripted-json", messages=HELLO, response_format=City)
    equal(answer.choices[0].message.parsed, City(city="Paris", population=2102650))
    equal(seen("scripted-json")[-1]["body"]["response_format"]["type"], "json_schema")


@check("a cut at the caller's own limit stays `length`")
def length():
    before = len(seen("scripted-length"))
    answer = client.chat.completions.create(model="scripted-length", messages=HELLO, max_tokens=9)
    equal(answer.choices[0].finish_reason, "length")
    equal(answer.usage.completion_tokens, 9)
    equal([each["body"].get("max_tokens") for each in seen("scripted-length")[before:]], [9])


@check("unknown members and sampling values reach the upstream as written")
def unknown_members():
    extra = {"seed": 9007199254740993, "extra_body": {"top_k": 40, "vendor": {"nested": [None, 1e-7]}}}
    client.chat.completions.create(model="scripted-text", messages=HELLO, temperature=0.1, **extra)
    body = seen("scripted-text")[-1]["body"]
    equal(
        (body["temperature"], body["seed"], body["top_k"], body["vendor"]),
        (0.1, 9007199254740993, 40, {"nested": [None, 1e-7]}),
    )


@check("the caller's key never reaches the upstream, the upstream's own does")
def keys():
    keys = {each["headers"].get("authorization") for each in seen("scripted-text")}
    equal(keys, {"Bearer test-key"})


@check("errors keep status, class and message, whole and streamed")
def errors():
    kinds = {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        403: openai.PermissionDeniedError,
        404: openai.NotFoundError,
        429: openai.RateLimitError,
    }
    for status, kind in kinds.items():
        for stream in (False, True):
            try:
                client.chat.completions.create(model=f"scripted-status-{status}", messages=HELLO, stream=stream)
                raise AssertionError(f"{status} was not raised")
            except openai.APIStatusError as error:
                assert isinstance(error, kind), error
                equal(error.status_code, status)
                equal(set(error.body), {"message", "type", "param", "code"})
                assert error.request_id, error.response.headers
                if status == 429:
                    equal(error.response.headers.get("retry-after"), "45")


@check("a prompt that the upstream finds too long has the code that clients look for")
def overflow():
    try:
        client.chat.completions.create(model="scripted-overflow", messages=HELLO)
        raise AssertionError("not raised")
    except openai.BadRequestError as error:
        equal(error.code, "context_length_exceeded")


@check("our own 400 comes in the same envelope and names the field")
def own_error():
    try:
        client.chat.completions.create(model="scripted-text", messages=[{"role": "wizard", "content": "x"}])
        raise AssertionError("not raised")
    except openai.BadRequestError as error:
        equal(error.body["type"], "invalid_request_error")
        assert "messages[0]" in str(error.body["param"]) + error.body["message"], error.body


@check("an error in the middle of a stream raises APIError after the text before it")
def midstream():
    text = ""
    try:
        for chunk in client.chat.completions.create(model="scripted-midstream", messages=HELLO, stream=True):
            text += chunk.choices[0].delta.content or ""
        raise AssertionError("not raised")
    except openai.APIError as error:
        assert "broke down" in error.message, error
    equal(text, "Half an answer")


@check("a stream that breaks off in a tool call raises APIError, whole too")
def eof():
    for stream in (True, False):
        try:
            answer = client.chat.completions.create(
                model="scripted-eof", messages=HELLO, tools=TOOLS, stream=stream
            )
            list(answer)
            raise AssertionError("not raised")
        except openai.APIError as error:
            assert error.message, error


@check("a caller who leaves ends the upstream request")
def cancel():
    stream = client.chat.completions.create(model="scripted-slow", messages=HELLO, stream=True)
    next(stream)
    stream.close()
    wait_until(lambda: seen("scripted-slow")[-1]["aborted"])


@check("models.list and models.retrieve")
def models():
    names = [model.id for model in client.models.list()]
    assert "scripted-text" in names, names
    equal(client.models.retrieve("scripted-text").id, "scripted-text")
