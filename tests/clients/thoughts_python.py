"""Loops of tools with the official Python SDKs as they are, before an upstream that wants every thought back.

Usage: thoughts_python.py, with the servers of `native_python.py`; `translated/` leads to its OpenAI wire on both faces.
What `openai` gives a program to keep has the thoughts or has not, as the program's author chose; `anthropic` keeps them.
"""

import anthropic
import openai
from support import CALL_SECONDS, GATEWAY, check, equal, seen

SETTINGS = {"api_key": "a-caller-key", "max_retries": 0, "timeout": CALL_SECONDS}
chat = openai.OpenAI(base_url=f"{GATEWAY}/v1", **SETTINGS)
messages = anthropic.Anthropic(base_url=GATEWAY, **SETTINGS)
MODEL = "translated/deepseek-flash"
TIME = {"type": "object", "properties": {}}
QUESTIONS = ("What time is it?", "And then?")


def thought(number):
    """What the script thinks when there are so many answers already."""
    return f"Thought {number}: 想.\n"


def check_upstream(before):
    """One call each, and in each the thoughts of all answers before it, to the byte."""
    calls = seen("deepseek-flash")[before:]
    equal(len(calls), 2 * len(QUESTIONS))
    for number, each in enumerate(calls):
        answers = [message for message in each["body"]["messages"] if message["role"] == "assistant"]
        equal([message["reasoning_content"] for message in answers], [thought(at) for at in range(number)])


def openai_loop(question, stream, kept):
    """Two questions on the OpenAI face. `question` makes each history its own; `kept` makes history of an answer."""
    before, history = len(seen("deepseek-flash")), []
    tools = [{"type": "function", "function": {"name": "get_time", "parameters": TIME}}]
    for text in QUESTIONS:
        history.append({"role": "user", "content": f"{question}: {text}"})
        for _ in range(2):
            request = {"model": MODEL, "messages": history, "tools": tools, "reasoning_effort": "medium"}
            if stream:
                with chat.chat.completions.stream(**request) as events:
                    message = events.get_final_completion().choices[0].message
            else:
                message = chat.chat.completions.create(**request).choices[0].message
            history.append(kept(message))
            for call in message.tool_calls or []:
                history.append({"role": "tool", "tool_call_id": call.id, "content": text})
        equal(message.content, f"It is {text}.")
    check_upstream(before)


def without_thoughts(message):
    """The members that the SDK's own types know."""
    calls = [call.model_dump(include={"id", "type", "function"}) for call in message.tool_calls or []]
    calls = [{**call, "function": {key: call["function"][key] for key in ("name", "arguments")}} for call in calls]
    return {"role": "assistant", "content": message.content, **({"tool_calls": calls} if calls else {})}


@check("openai: a history that lost the thoughts has them again upstream, whole and streamed")
def openai_dropped():
    openai_loop("dropped, whole", False, without_thoughts)
    openai_loop("dropped, streamed", True, without_thoughts)


@check("openai: the SDK's own message objects as history, whole and streamed")
def openai_objects():
    openai_loop("objects, whole", False, lambda message: message)
    openai_loop("objects, streamed", True, lambda message: message)


def anthropic_loop(question, stream, kept):
    before, history = len(seen("deepseek-flash")), []
    tools = [{"name": "get_time", "input_schema": TIME}]
    for text in QUESTIONS:
        history.append({"role": "user", "content": f"{question}: {text}"})
        for _ in range(2):
            request = {"model": MODEL, "max_tokens": 4096, "messages": history, "tools": tools}
            request["thinking"] = {"type": "enabled", "budget_tokens": 2048}
            if stream:
                with messages.messages.stream(**request) as events:
                    message = events.get_final_message()
            else:
                message = messages.messages.create(**request)
            equal(message.content[0].type, "thinking")
            history.append({"role": "assistant", "content": kept(message)})
            uses = [block.id for block in message.content if block.type == "tool_use"]
            if uses:
                results = [{"type": "tool_result", "tool_use_id": use, "content": text} for use in uses]
                history.append({"role": "user", "content": results})
        equal(message.content[-1].text, f"It is {text}.")
    check_upstream(before)


@check("anthropic: a history with its thinking blocks, whole and streamed")
def anthropic_kept():
    anthropic_loop("kept, whole", False, lambda message: message.content)
    anthropic_loop("kept, streamed", True, lambda message: message.content)


@check("anthropic: a history that lost its thinking blocks, whole and streamed")
def anthropic_dropped():
    def kept(message):
        return [block for block in message.content if block.type != "thinking"]

    anthropic_loop("lost, whole", False, kept)
    anthropic_loop("lost, streamed", True, kept)


@check("a history that nobody remembers goes up with empty thoughts, in one call")
def unknown():
    call = {"id": "call_old", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
    history = [
        {"role": "user", "content": "From another program: what time is it?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_old", "content": "noon"},
    ]
    before = len(seen("deepseek-flash"))
    answer = chat.chat.completions.create(model=MODEL, messages=history, reasoning_effort="high")
    equal(answer.choices[0].message.content, "It is noon.")
    last = seen("deepseek-flash")[-1]["body"]["messages"][1]
    equal((last["reasoning_content"], len(seen("deepseek-flash")) - before), ("", 1))
