"""The official Python SDK `anthropic` through the gateway, to an upstream that speaks Anthropic's API itself.

Usage: native_python.py, with GATEWAY_URL (set up by `strict.toml`) and UPSTREAM_URL (`strict_upstream.py`).
"""

import anthropic
import openai
from anthropic import beta_tool
from strict_upstream import USAGE, signature
from support import CALL_SECONDS, GATEWAY, check, equal, seen, wait_until
from upstream import ANSWER, THOUGHT

SETTINGS = {"api_key": "a-caller-key", "max_retries": 0, "timeout": CALL_SECONDS}
client = anthropic.Anthropic(base_url=GATEWAY, **SETTINGS)
HELLO = [{"role": "user", "content": "Say hello"}]
TOOLS = [
    {"name": "get_weather", "cache_control": {"type": "ephemeral"}, "input_schema": {"type": "object"}},
    {"name": "get_time", "input_schema": {"type": "object"}},
]
THINKING = {"type": "enabled", "budget_tokens": 1024}
# How each way shows the key, which the upstream checks as well.
WAYS = {"deepseek": ("/x-api-key/v1/messages", "x-api-key"), "zai": ("/bearer/v1/messages", "authorization")}


def ask(model, messages=HELLO, **more):
    return {"model": model, "max_tokens": 2048, "messages": messages, **more}


def both(**request):
    """The answer whole, and as the stream helper puts it together; they must be alike."""
    whole = client.messages.create(**request)
    with client.messages.stream(**request) as stream:
        streamed = stream.get_final_message()
    equal(streamed.model_dump(exclude_none=True), whole.model_dump(exclude_none=True))
    return whole


def one(stream, request):
    if not stream:
        return client.messages.create(**request)
    with client.messages.stream(**request) as events:
        return events.get_final_message()


def raised(call):
    try:
        call()
    except anthropic.APIError as error:
        return error
    raise AssertionError("not raised")


class Calls:
    """What reaches the upstream for a model while the block runs."""

    def __init__(self, model):
        self.model, self.before = model, len(seen(model))

    def __call__(self):
        return seen(self.model)[self.before :]


def turns(message, *following):
    return [*HELLO, {"role": "assistant", "content": message.content}, {"role": "user", "content": list(following)}]


def said(text):
    return {"type": "text", "text": text}


def kinds(message):
    return [block["type"] for block in message["content"]]


@check("text, whole and through the stream helper: the upstream's own message, under the caller's name for the model")
def text():
    for upstream, (path, header) in WAYS.items():
        calls = Calls("scripted-text")
        message = both(**ask(f"{upstream}/scripted-text"))
        equal((message.id, message.model), ("msg_strict", f"{upstream}/scripted-text"))
        equal([block.text for block in message.content], [ANSWER])
        equal(message.usage.model_dump(include=USAGE.keys()), USAGE)
        equal(message.model_extra["odd_member"], {"kept": [1.1, None]})
        equal([each["path"] for each in calls()], [path] * 2)
        assert all("test-key" in each["headers"][header] for each in calls())
    assert all("a-caller-key" not in str(each["headers"]) for each in seen("scripted-text"))


@check("raw events in their order, each with its name")
def events():
    kinds = [event.type for event in client.messages.create(**ask("zai/scripted-text"), stream=True)]
    equal((kinds[0], kinds[-2:]), ("message_start", ["message_delta", "message_stop"]))
    with client.messages.stream(**ask("zai/scripted-text")) as stream:
        equal("".join(stream.text_stream), ANSWER)


@check("the answer says who gave it")
def headers():
    for stream in (False, True):
        raw = client.messages.with_raw_response.create(**ask("zai/scripted-text"), stream=stream)
        names = [raw.headers.get(f"x-iflow2api-{name}") for name in ("upstream", "model")]
        equal(names, ["zai", "scripted-text"])
        raw.http_response.close()


@check("what only Anthropic's API knows arrives as it was sent")
def request_fields():
    request = ask(
        "deepseek/scripted-text",
        [{"role": "user", "content": [{**said("Hi"), "cache_control": {"type": "ephemeral"}}]}],
        system=[{**said("Be brief."), "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        tools=TOOLS,
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        stop_sequences=["END"],
        metadata={"user_id": "somebody"},
        extra_body={"context_management": {"edits": []}, "top_k": 3, "vendor": {"nested": [None, 1e-7]}},
    )
    client.messages.create(**request)
    expected = {**request, **request.pop("extra_body"), "model": "scripted-text"}
    del expected["extra_body"]
    equal(seen("scripted-text")[-1]["body"], expected)


@check("parallel tools, whole and streamed, and their results in the next turn")
def tools():
    message = both(**ask("zai/scripted-tools", tools=TOOLS))
    equal((message.stop_reason, [block.type for block in message.content]), ("tool_use", ["text", *["tool_use"] * 2]))
    equal([block.input for block in message.content[1:]], [{"city": "Paris", "days": 2}, {"city": "東京", "days": 3}])
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": f"sunny in {block.input['city']}"}
        for block in message.content[1:]
    ]
    answer = both(**ask("zai/scripted-tools", turns(message, *results), tools=TOOLS))
    equal(answer.content[0].text, "Results: sunny in Paris | sunny in 東京")


@check("thoughts are kept over two questions with a tool each, with the upstream's own signatures")
def thinking():
    for upstream in WAYS:
        for stream in (False, True):
            messages, calls = list(HELLO), Calls("deepseek-flash")
            for question in range(2):
                for _ in range(2):
                    message = one(stream, ask(f"{upstream}/deepseek-flash", messages, tools=TOOLS, thinking=THINKING))
                    messages.append({"role": "assistant", "content": message.content})
                    thought = message.content[0]
                    equal((thought.type, thought.signature), ("thinking", signature(thought.thinking)))
                    if message.stop_reason == "tool_use":
                        use = message.content[-1].id
                        result = {"type": "tool_result", "tool_use_id": use, "content": f"{question} o'clock"}
                        messages.append({"role": "user", "content": [result]})
                equal(message.content[1].text, f"It is {question} o'clock.")
                messages.append({"role": "user", "content": "And then?"})
            equal(len(calls()), 4)
            history = [each for each in calls()[-1]["body"]["messages"] if each["role"] == "assistant"]
            equal([kinds(each)[0] for each in history], ["thinking"] * 3)


@check("thoughts that another provider signed are refused once, and the call goes on without them")
def foreign():
    block = {"type": "thinking", "thinking": "From elsewhere.", "signature": "EqQBCkgIARABGAIiQL"}
    history = [*HELLO, {"role": "assistant", "content": [block, said("Hello.")]}, {"role": "user", "content": "Again"}]
    for stream in (False, True):
        calls = Calls("scripted-reasoning")
        message = one(stream, ask("deepseek/scripted-reasoning", history, thinking=THINKING))
        equal((message.content[0].thinking, message.content[1].text), (THOUGHT, ANSWER))
        equal([kinds(each["body"]["messages"][1]) for each in calls()], [["thinking", "text"], ["text"]])


@check("a conversation that began translated goes on natively in one call, and back again")
def begun_elsewhere():
    def question(model, messages, result="noon"):
        request = ask(model, messages, tools=TOOLS, thinking=THINKING)
        message = client.messages.create(**request)
        use = message.content[-1]
        equal(use.type, "tool_use")
        answer = {"type": "tool_result", "tool_use_id": use.id, "content": result}
        done = [*messages, {"role": "assistant", "content": message.content}, {"role": "user", "content": [answer]}]
        return message, done

    def answered(model, messages):
        with client.messages.stream(**ask(model, messages, tools=TOOLS, thinking=THINKING)) as stream:
            message = stream.get_final_message()
        equal(message.content[-1].text, "It is noon.")
        again = {"role": "user", "content": "And then?"}
        return message, [*messages, {"role": "assistant", "content": message.content}, again]

    calls = Calls("deepseek-flash")
    first, messages = question("translated/deepseek-flash", HELLO)
    assert first.content[0].signature.startswith("ifw1."), first
    second, messages = answered("deepseek/deepseek-flash", messages)
    equal(second.content[0].signature, signature(second.content[0].thinking))
    _, messages = question("zai/deepseek-flash", messages)
    _, messages = answered("translated/deepseek-flash", messages)
    question("deepseek/deepseek-flash", messages)
    paths = ["/v1/chat/completions", WAYS["deepseek"][0], WAYS["zai"][0], "/v1/chat/completions", WAYS["deepseek"][0]]
    equal([each["path"] for each in calls()], paths)
    native = [kinds(each) for each in calls()[1]["body"]["messages"] if each["role"] == "assistant"]
    equal(native, [["tool_use"]])
    native = [kinds(each) for each in calls()[4]["body"]["messages"] if each["role"] == "assistant"]
    equal(native, [["tool_use"], ["thinking", "text"], ["thinking", "tool_use"], ["text"]])


@check("`wire = \"openai\"` has it translated, although the upstream speaks the API itself")
def forced():
    calls = Calls("scripted-text")
    for stream in (False, True):
        equal(one(stream, ask("translated/scripted-text")).content[0].text, ANSWER)
    equal({each["path"] for each in calls()}, {"/v1/chat/completions"})


@check("the OpenAI face of the same upstream goes to its OpenAI wire")
def other_face():
    calls = Calls("scripted-text")
    chat = openai.OpenAI(base_url=f"{GATEWAY}/v1", **SETTINGS)
    answer = chat.chat.completions.create(model="zai/scripted-text", messages=HELLO)
    equal(answer.choices[0].message.content, ANSWER)
    equal([each["path"] for each in calls()], ["/v1/chat/completions"])


@check("a wish to think behind the model's name is said in the API's own words")
def suffixes():
    wishes = {
        "(none)": ({"type": "disabled"}, None),
        "(auto)": ({"type": "adaptive"}, None),
        "(high)": ({"type": "adaptive"}, {"effort": "high"}),
        "(1536)": ({"type": "enabled", "budget_tokens": 1536}, None),
        # The request allows 2048 tokens, of which one is left for the answer.
        "(9000)": ({"type": "enabled", "budget_tokens": 2047}, None),
    }
    for suffix, expected in wishes.items():
        message = client.messages.create(**ask(f"zai/scripted-reasoning{suffix}"))
        body = seen("scripted-reasoning")[-1]["body"]
        equal((body["thinking"], body.get("output_config")), expected)
        types = ["text"] if suffix == "(none)" else ["thinking", "text"]
        equal([block.type for block in message.content], types)


@check("the tool runner of the SDK, whose message threads are refused in the way it understands")
def tool_runner():
    @beta_tool
    def get_time() -> str:
        """Tell the time."""
        return "half past nine"

    runner = client.beta.messages.tool_runner(
        model="deepseek/deepseek-flash", max_tokens=2048, messages=HELLO, tools=[get_time], thinking=THINKING
    )
    equal(runner.until_done().content[-1].text, "It is half past nine.")
    assert all("thread" not in each["body"] for each in seen("deepseek-flash"))


@check("count_tokens")
def count_tokens():
    counted = client.messages.count_tokens(model="zai/scripted-text", messages=HELLO, tools=TOOLS).input_tokens
    assert counted > 50, counted


@check("errors keep status, class and type, whole and streamed, and are asked once")
def errors():
    kinds = {
        400: (anthropic.BadRequestError, "invalid_request_error"),
        401: (anthropic.AuthenticationError, "authentication_error"),
        403: (anthropic.PermissionDeniedError, "permission_error"),
        404: (anthropic.NotFoundError, "not_found_error"),
    }
    for status, (kind, name) in kinds.items():
        for stream in (False, True):
            calls = Calls(f"scripted-status-{status}")
            error = raised(lambda: client.messages.create(**ask(f"deepseek/scripted-status-{status}"), stream=stream))
            assert isinstance(error, kind), error
            equal((error.status_code, error.body["error"]["type"]), (status, name))
            equal(len(calls()), 1)
    error = raised(lambda: client.messages.create(**ask("zai/no-such-model")))
    assert isinstance(error, anthropic.NotFoundError) and "no-such-model" in error.body["error"]["message"], error.body


@check("a rate limit passes with its `retry-after`, and an overflow in the words that make a client compact")
def limits():
    error = raised(lambda: client.messages.create(**ask("deepseek/scripted-status-429")))
    equal((error.status_code, error.response.headers.get("retry-after")), (429, "45"))
    for stream in (False, True):
        error = raised(lambda: client.messages.create(**ask("zai/scripted-overflow"), stream=stream))
        equal((error.status_code, error.body["error"]["message"]), (400, "prompt is too long: 9000 tokens > 8192 maximum"))


@check("an error in the middle of a stream, and a stream that breaks off, raise after the text before them")
def midstream():
    pieces = []

    def read(model):
        with client.messages.stream(**ask(model)) as stream:
            for piece in stream.text_stream:
                pieces.append(piece)

    error = raised(lambda: read("zai/scripted-midstream"))
    assert "broke down" in error.body["error"]["message"], error.body
    equal("".join(pieces), "Half an answer")
    raised(lambda: read("zai/scripted-eof"))


@check("a caller who leaves ends the upstream's answer")
def cancel():
    calls = Calls("scripted-slow")
    with client.messages.stream(**ask("zai/scripted-slow")) as stream:
        next(iter(stream.text_stream))
    wait_until(lambda: calls() and calls()[-1]["aborted"])
