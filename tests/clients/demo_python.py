"""Both official Python SDKs over `serve --demo`, the upstream that needs no account."""

import anthropic
import openai
from support import CALL_SECONDS, GATEWAY, check, equal

SETTINGS = {"api_key": "none", "max_retries": 0, "timeout": CALL_SECONDS}
chat = openai.OpenAI(base_url=f"{GATEWAY}/v1", **SETTINGS)
messages = anthropic.Anthropic(base_url=GATEWAY, **SETTINGS)
PROPERTIES = {"city": {"type": "string"}, "days": {"type": "integer"}}
SCHEMA = {"type": "object", "properties": PROPERTIES, "required": ["city", "days"]}


def user(text):
    return [{"role": "user", "content": text}]


def both(**request):
    """The same message whole and streamed."""
    whole = messages.messages.create(max_tokens=4096, **request)
    with messages.messages.stream(max_tokens=4096, **request) as stream:
        streamed = stream.get_final_message()
    equal([block.type for block in streamed.content], [block.type for block in whole.content])
    equal((streamed.stop_reason, streamed.usage), (whole.stop_reason, whole.usage))
    return whole


@check("demo-echo says back what was said, on both faces")
def echo():
    answer = chat.chat.completions.create(model="demo-echo", messages=user("a word for 你"))
    assert "a word for 你" in answer.choices[0].message.content, answer
    assert "a word for 你" in both(model="demo-echo", messages=user("a word for 你")).content[0].text


@check("demo-think thinks, on both faces")
def think():
    answer = chat.chat.completions.create(model="demo-think", messages=user("hello"))
    assert answer.choices[0].message.reasoning_content, answer
    message = both(model="demo-think", messages=user("hello"), thinking={"type": "enabled", "budget_tokens": 1024})
    equal([block.type for block in message.content], ["thinking", "text"])
    assert message.content[0].thinking and message.content[0].signature, message


@check("demo-tools calls tools with arguments that fit, on both faces, and takes their results")
def tools():
    functions = [
        {"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("weather", "forecast")
    ]
    ask = user("use weather and forecast")
    choice = chat.chat.completions.create(model="demo-tools", messages=ask, tools=functions).choices[0]
    equal(choice.finish_reason, "tool_calls")
    equal([each.function.name for each in choice.message.tool_calls], ["weather", "forecast"])
    definitions = [{"name": name, "input_schema": SCHEMA} for name in ("weather", "forecast")]
    message = both(model="demo-tools", messages=ask, tools=definitions)
    calls = [block for block in message.content if block.type == "tool_use"]
    equal([call.name for call in calls], ["weather", "forecast"])
    for call in calls:
        equal((type(call.input["city"]), type(call.input["days"])), (str, int))
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": f"of {call.name}"} for call in calls]
    history = [*ask, {"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
    last = both(model="demo-tools", messages=history, tools=definitions)
    assert "of weather" in last.content[0].text and "of forecast" in last.content[0].text, last


@check("demo-fail fails as asked, before and in a stream, on both faces")
def fail():
    for status in (401, 404):
        try:
            messages.messages.create(model="demo-fail", max_tokens=99, messages=user(f"fail with {status}"))
            raise AssertionError("not raised")
        except anthropic.APIStatusError as error:
            equal(error.status_code, status)
        try:
            chat.chat.completions.create(model="demo-fail", messages=user(f"fail with {status}"), stream=True)
            raise AssertionError("not raised")
        except openai.APIStatusError as error:
            equal(error.status_code, status)
    try:
        with messages.messages.stream(model="demo-fail", max_tokens=99, messages=user("fail in the stream")) as stream:
            stream.get_final_message()
        raise AssertionError("not raised")
    except anthropic.APIError as error:
        equal(error.body["error"]["type"], "api_error")
    try:
        list(chat.chat.completions.create(model="demo-fail", messages=user("fail in the stream"), stream=True))
        raise AssertionError("not raised")
    except openai.APIError:
        pass


@check("models.list names the demo models in both SDKs")
def models():
    for client in (chat, messages):
        names = {model.id for model in client.models.list()}
        assert {"demo-echo", "demo-think", "demo-tools", "demo-fail"} <= names, names


@check("embeddings pass through, in the base64 form that the SDK asks for")
def embeddings():
    answer = chat.embeddings.create(model="demo-echo", input=["one text", "another"])
    equal([each.index for each in answer.data], [0, 1])
    assert answer.data[0].embedding and answer.data[0].embedding != answer.data[1].embedding
