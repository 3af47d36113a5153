"""The official Python SDK `anthropic` through the gateway, against the scripted upstream."""

import asyncio
import json

import anthropic
from anthropic import beta_tool
from support import CALL_SECONDS, GATEWAY, check, equal, seen, wait_until
from upstream import ANSWER, THOUGHT, USAGE

SETTINGS = {"base_url": GATEWAY, "api_key": "a-caller-key", "max_retries": 0, "timeout": CALL_SECONDS}
client = anthropic.Anthropic(**SETTINGS)
HELLO = [{"role": "user", "content": "Say hello"}]
TOOLS = [
    {
        "name": "get_weather",
        "description": "Weather of a city",
        "cache_control": {"type": "ephemeral"},
        "input_schema": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "additionalProperties": False,
        },
    },
    {"name": "get_time", "input_schema": {"type": "object"}},
]
PARIS, TOKYO = {"city": "Paris", "days": 2}, {"city": "東京", "days": 3}
THINKING = {"type": "enabled", "budget_tokens": 1024}


def ask(model, messages=HELLO, **more):
    return {"model": model, "max_tokens": 2048, "messages": messages, **more}


def both(**request):
    """The answer whole, and as the stream helper puts it together."""
    whole = client.messages.create(**request)
    with client.messages.stream(**request) as stream:
        streamed = stream.get_final_message()
    return whole, streamed


def shape(message):
    """A message without what is different each time."""
    value = message.model_dump(exclude_none=True)
    del value["id"]
    return value


@check("text, whole and through the stream helper: the same message")
def text():
    whole, streamed = both(**ask("scripted-text"))
    equal(shape(whole), shape(streamed))
    equal([block.type for block in whole.content], ["text"])
    equal(whole.content[0].text, ANSWER)
    equal((whole.stop_reason, whole.stop_sequence, whole.role), ("end_turn", None, "assistant"))
    equal(whole.model, "scripted-text")
    assert whole.id.startswith("msg_"), whole.id
    equal(whole.usage.cache_read_input_tokens, 100)
    equal(whole.usage.input_tokens, USAGE["prompt_tokens"] - 100)
    equal(whole.usage.output_tokens, USAGE["completion_tokens"])


@check("text_stream of the helper, and the raw events in their order")
def events():
    with client.messages.stream(**ask("scripted-text")) as stream:
        equal("".join(stream.text_stream), ANSWER)
    kinds = [event.type for event in client.messages.create(**ask("scripted-text"), stream=True)]
    equal((kinds[0], kinds[-2:]), ("message_start", ["message_delta", "message_stop"]))
    equal((kinds.count("content_block_start"), kinds.count("content_block_stop")), (1, 1))


@check("async client: whole, stream helper, and eight calls at once")
def asynchronous():
    async def run():
        async with anthropic.AsyncAnthropic(**SETTINGS) as own:
            calls = [own.messages.create(**ask("scripted-text")) for _ in range(8)]
            for answer in await asyncio.gather(*calls):
                equal(answer.content[0].text, ANSWER)
            async with own.messages.stream(**ask("scripted-text")) as stream:
                equal("".join([piece async for piece in stream.text_stream]), ANSWER)

    asyncio.run(run())


@check("forty streams at once, each whole and to its own caller")
def many_streams():
    async def one(own, number):
        ask_it = ask("scripted-many", [{"role": "user", "content": f"number {number}"}])
        async with own.messages.stream(**ask_it) as stream:
            equal(await stream.get_final_text(), f"You said: number {number}")

    async def run():
        async with anthropic.AsyncAnthropic(**SETTINGS) as own:
            await asyncio.gather(*(one(own, number) for number in range(40)))

    asyncio.run(run())


@check("system, cache_control and Anthropic-only fields: none of them leaks upstream")
def request_fields():
    system = [
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "Be kind."},
    ]
    client.messages.create(
        **ask("scripted-text"),
        system=system,
        tools=TOOLS,
        stop_sequences=["END"],
        metadata={"user_id": "somebody"},
        extra_body={"context_management": {"edits": []}, "top_k": 3, "thread": None},
    )
    body = seen("scripted-text")[-1]["body"]
    equal(body["messages"][0], {"role": "system", "content": "Be brief.\n\nBe kind."})
    equal(body["messages"][1], {"role": "user", "content": "Say hello"})
    equal(body["stop"], ["END"])
    equal([tool["function"]["name"] for tool in body["tools"]], ["get_weather", "get_time"])
    equal(body["tools"][1]["function"]["parameters"]["properties"], {})
    sent = json.dumps(body)
    for leak in ("cache_control", "context_management", "metadata", "thread", "input_schema", "$schema"):
        assert leak not in sent, (leak, sent)
    equal({each["headers"].get("authorization") for each in seen("scripted-text")}, {"Bearer test-key"})


@check("parallel tools, whole and streamed: complete blocks, one after the other; their results go back")
def tools():
    for model in ("scripted-tools", "scripted-tools-stop"):
        whole, streamed = both(**ask(model, tools=TOOLS))
        equal(shape(whole), shape(streamed))
        equal(whole.stop_reason, "tool_use")
        equal([block.type for block in whole.content], ["text", "tool_use", "tool_use"])
        equal([block.input for block in whole.content[1:]], [PARIS, TOKYO])
    results = [
        {"type": "tool_result", "tool_use_id": whole.content[1].id, "content": "sunny"},
        {"type": "tool_result", "tool_use_id": whole.content[2].id, "content": [{"type": "text", "text": "rain"}]},
        {"type": "text", "text": "Which is better?"},
    ]
    history = [*HELLO, {"role": "assistant", "content": whole.content}, {"role": "user", "content": results}]
    answer = client.messages.create(**ask("scripted-tools", history, tools=TOOLS))
    equal(answer.content[0].text, "Results: sunny | rain")
    sent = seen("scripted-tools")[-1]["body"]["messages"]
    equal([message["role"] for message in sent], ["user", "assistant", "tool", "tool", "user"])
    equal([call["id"] for call in sent[1]["tool_calls"]], ["call_paris", "call_tokyo"])
    equal([message["tool_call_id"] for message in sent[2:4]], ["call_paris", "call_tokyo"])
    equal([json.loads(call["function"]["arguments"]) for call in sent[1]["tool_calls"]], [PARIS, TOKYO])


@check("tool_choice in all four forms")
def tool_choice():
    forms = [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "get_time"}, {"type": "function", "function": {"name": "get_time"}}),
    ]
    for choice, expected in forms:
        client.messages.create(**ask("scripted-text", tools=TOOLS, tool_choice=choice))
        equal(seen("scripted-text")[-1]["body"]["tool_choice"], expected)


@check("thinking: signed blocks before the text, whole and streamed, and replayed in a second turn")
def thinking():
    whole, streamed = both(**ask("scripted-reasoning", thinking=THINKING))
    equal(shape(whole), shape(streamed))
    equal([block.type for block in whole.content], ["thinking", "text"])
    equal((whole.content[0].thinking, whole.content[1].text), (THOUGHT, ANSWER))
    assert whole.content[0].signature, whole.content[0]
    history = [*HELLO, {"role": "assistant", "content": whole.content}, {"role": "user", "content": "Again"}]
    client.messages.create(**ask("scripted-reasoning", history, thinking=THINKING))
    sent = seen("scripted-reasoning")[-1]["body"]["messages"]
    equal(sent[1]["content"], ANSWER)
    assert sent[1].get("reasoning_content") in (None, THOUGHT), sent[1]
    assert "signature" not in json.dumps(sent), sent


@check("the wish to think becomes a reasoning effort")
def effort():
    wishes = [
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "medium"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}, "high"),
        ({}, None),
    ]
    for wish, expected in wishes:
        client.messages.create(**ask("scripted-reasoning", **wish))
        equal(seen("scripted-reasoning")[-1]["body"].get("reasoning_effort"), expected)


@check("no thinking block for a caller who did not ask for thinking")
def no_thinking():
    whole, streamed = both(**ask("scripted-reasoning"))
    equal(shape(whole), shape(streamed))
    equal([block.type for block in whole.content], ["text"])


@check("thinking, then a tool without arguments, then its result")
def thinking_and_tool():
    request = ask("scripted-reasoning-tools", tools=TOOLS, thinking={"type": "adaptive"})
    whole, streamed = both(**request)
    equal(shape(whole), shape(streamed))
    equal([block.type for block in whole.content], ["thinking", "tool_use"])
    equal(whole.content[1].input, {})
    result = {"type": "tool_result", "tool_use_id": whole.content[1].id, "content": "noon", "is_error": True}
    history = [*HELLO, {"role": "assistant", "content": streamed.content}, {"role": "user", "content": [result]}]
    answer = client.messages.create(**{**request, "messages": history})
    equal([block.type for block in answer.content], ["thinking", "text"])
    equal(answer.content[1].text, "Result: [tool error] noon")


@check("pictures and documents, in messages and in tool results")
def pictures():
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}
    linked = {"type": "image", "source": {"type": "url", "url": "https://example.com/fox.png"}}
    document = {
        "type": "document", "title": "Foxes", "source": {"type": "text", "media_type": "text/plain", "data": "Red."}
    }
    content = [{"type": "text", "text": "Look:"}, picture, linked, document]
    call = {"type": "tool_use", "id": "call_one", "name": "get_time", "input": {}}
    history = [
        {"role": "user", "content": content},
        {"role": "assistant", "content": [call, {**call, "id": "call_two"}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_two", "content": [picture]},
                {"type": "tool_result", "tool_use_id": "call_one"},
            ],
        },
    ]
    client.messages.create(**ask("scripted-text", history, tools=TOOLS))
    sent = seen("scripted-text")[-1]["body"]["messages"]
    equal([message["role"] for message in sent], ["user", "assistant", "tool", "tool", "user"])
    urls = [part["image_url"]["url"] for part in sent[0]["content"] if part["type"] == "image_url"]
    equal(urls, ["data:image/png;base64,aGVsbG8=", "https://example.com/fox.png"])
    assert "Foxes" in json.dumps(sent[0]) and "Red." in json.dumps(sent[0]), sent[0]
    equal([message["tool_call_id"] for message in sent[2:4]], ["call_one", "call_two"])
    assert "data:image/png;base64,aGVsbG8=" in json.dumps(sent[4]), sent[4]


@check("one tool at a time, where the caller wants no parallel calls")
def one_tool():
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    whole, streamed = both(**ask("scripted-tools", tools=TOOLS, tool_choice=choice))
    equal(shape(whole), shape(streamed))
    equal([block.type for block in whole.content], ["text", "tool_use"])
    equal(seen("scripted-tools")[-1]["body"]["parallel_tool_calls"], False)


@check("a cut at the caller's own limit is `max_tokens`")
def max_tokens():
    whole, streamed = both(model="scripted-length", max_tokens=9, messages=HELLO)
    equal((whole.stop_reason, streamed.stop_reason), ("max_tokens", "max_tokens"))
    equal(whole.usage.output_tokens, 9)


@check("the tool runner of the SDK, whose message threads are refused in the way it understands")
def tool_runner():
    @beta_tool
    def get_time() -> str:
        """Tell the time."""
        return "half past nine"

    runner = client.beta.messages.tool_runner(
        model="scripted-reasoning-tools", max_tokens=2048, messages=HELLO, tools=[get_time]
    )
    equal(runner.until_done().content[-1].text, "Result: half past nine")
    roles = [message["role"] for message in seen("scripted-reasoning-tools")[-1]["body"]["messages"]]
    equal(roles, ["user", "assistant", "tool"])


@check("count_tokens counts the text, the system prompt and the tools")
def count_tokens():
    short = client.messages.count_tokens(model="scripted-text", messages=HELLO).input_tokens
    long = client.messages.count_tokens(model="scripted-text", messages=HELLO, system="word " * 100).input_tokens
    tooled = client.messages.count_tokens(model="scripted-text", messages=HELLO, tools=TOOLS).input_tokens
    assert 3 <= short <= 40, short
    assert 100 <= long - short <= 220, (short, long)
    assert tooled > short + 50, (short, tooled)


@check("errors keep status, class and type, whole and streamed")
def errors():
    kinds = {
        400: (anthropic.BadRequestError, "invalid_request_error"),
        401: (anthropic.AuthenticationError, "authentication_error"),
        403: (anthropic.PermissionDeniedError, "permission_error"),
        404: (anthropic.NotFoundError, "not_found_error"),
        429: (anthropic.RateLimitError, "rate_limit_error"),
    }
    for status, (kind, name) in kinds.items():
        for stream in (False, True):
            try:
                client.messages.create(**ask(f"scripted-status-{status}"), stream=stream)
                raise AssertionError(f"{status} was not raised")
            except anthropic.APIStatusError as error:
                assert isinstance(error, kind), error
                equal(error.status_code, status)
                equal((error.body["type"], error.body["error"]["type"]), ("error", name))
                assert error.request_id, error.response.headers
                if status == 429:
                    equal(error.response.headers.get("retry-after"), "45")


@check("a prompt that the upstream finds too long is told in the words that make a client compact")
def overflow():
    for stream in (False, True):
        try:
            client.messages.create(**ask("scripted-overflow"), stream=stream)
            raise AssertionError("not raised")
        except anthropic.BadRequestError as error:
            equal(error.body["error"]["message"], "prompt is too long: 9000 tokens > 8192 maximum")


@check("our own 400 comes in the same envelope and names the field")
def own_error():
    content = [{"type": "image", "source": {"type": "base64", "media_type": "image/png"}}]
    try:
        client.messages.create(**ask("scripted-text", [{"role": "user", "content": content}]))
        raise AssertionError("not raised")
    except anthropic.BadRequestError as error:
        equal(error.body["error"]["type"], "invalid_request_error")
        assert "messages[0].content[0].source" in error.body["error"]["message"], error.body


@check("an error in the middle of a stream raises after the text before it")
def midstream():
    text = ""
    try:
        with client.messages.stream(**ask("scripted-midstream")) as stream:
            for piece in stream.text_stream:
                text += piece
        raise AssertionError("not raised")
    except anthropic.APIError as error:
        equal(error.body["error"]["type"], "api_error")
        assert "broke down" in error.body["error"]["message"], error.body
    equal(text, "Half an answer")


@check("a stream that breaks off in a tool call raises, whole too, and is never a finished turn")
def eof():
    for call in (client.messages.create, lambda **request: list(client.messages.create(stream=True, **request))):
        try:
            call(**ask("scripted-eof", tools=TOOLS))
            raise AssertionError("not raised")
        except anthropic.APIError as error:
            equal(error.body["error"]["type"], "api_error")


@check("a caller who leaves ends the upstream request")
def cancel():
    before = len(seen("scripted-slow"))
    with client.messages.stream(**ask("scripted-slow")) as stream:
        next(iter(stream.text_stream))
    wait_until(lambda: len(seen("scripted-slow")) > before and seen("scripted-slow")[-1]["aborted"])


@check("models.list and models.retrieve")
def models():
    names = [model.id for model in client.models.list()]
    assert "scripted-text" in names, names
    model = client.models.retrieve("scripted-text")
    equal((model.id, model.type), ("scripted-text", "model"))
