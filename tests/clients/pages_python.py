"""Answers of several rounds over llama.cpp's own server: its answer is cut after 8 tokens and goes on, and the caller
cannot tell it from one that came at once.

Usage: pages_python.py, with GATEWAY_URL (an upstream with `max_output = 8`) and LLAMA_URL.
"""

import os

import anthropic
import openai
from support import CALL_SECONDS, GATEWAY, check, equal

SETTINGS = {"api_key": "a-caller-key", "max_retries": 0, "timeout": CALL_SECONDS}
# The model's answer to this is so sure that no rounding changes it.
ASK = {"model": "gemma", "max_tokens": 20,
    "messages": [{"role": "user", "content": "1 2 3 4 5 6 7 8 9 10 11"}]}

direct = openai.OpenAI(base_url=os.environ["LLAMA_URL"] + "/v1", **SETTINGS)
chat = openai.OpenAI(base_url=f"{GATEWAY}/v1", **SETTINGS)
messages = anthropic.Anthropic(base_url=GATEWAY, **SETTINGS)
expected = direct.chat.completions.create(**ASK)


def told(usage):
    rounds = usage.model_extra["iflow2api"]
    assert rounds["continuations"] >= 1 and rounds["billed_prompt_tokens"] > 11, rounds


@check("openai: a whole answer of several rounds")
def openai_whole():
    raw = chat.chat.completions.with_raw_response.create(**ASK)
    completion = raw.parse()
    equal(completion.choices[0].message.content, expected.choices[0].message.content)
    equal(completion.choices[0].finish_reason, expected.choices[0].finish_reason)
    equal(completion.usage.completion_tokens, expected.usage.completion_tokens)
    assert int(raw.headers["x-iflow2api-continuations"]) >= 1
    told(completion.usage)


@check("openai: a stream of several rounds")
def openai_stream():
    chunks = list(chat.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True}))
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    equal(text, expected.choices[0].message.content)
    equal(len({chunk.id for chunk in chunks}), 1)
    equal([c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason], [expected.choices[0].finish_reason])
    told(chunks[-1].usage)


@check("anthropic: whole and streamed")
def anthropic_both():
    whole = messages.messages.create(**ASK)
    equal([block.text for block in whole.content], [expected.choices[0].message.content])
    told(whole.usage)
    with messages.messages.stream(**ASK) as stream:
        final = stream.get_final_message()
    equal(final.content[0].text, expected.choices[0].message.content)
    equal(final.usage.output_tokens, expected.usage.completion_tokens)
