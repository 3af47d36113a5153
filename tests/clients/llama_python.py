"""Both official Python SDKs through the gateway, over llama.cpp's own server with a small real model.

Usage: llama_python.py, with GATEWAY_URL. A model of this size says what it likes, so texts are not compared.
"""

import asyncio

import anthropic
import openai
from support import CALL_SECONDS, GATEWAY, check, equal

SETTINGS = {"api_key": "a-caller-key", "max_retries": 0, "timeout": CALL_SECONDS}
CHAT = {"base_url": f"{GATEWAY}/v1", **SETTINGS}
MESSAGES = {"base_url": GATEWAY, **SETTINGS}
ASK = {"model": "gemma", "max_tokens": 16, "messages": [{"role": "user", "content": "Say hello and tell a story."}]}

chat = openai.OpenAI(**CHAT)
messages = anthropic.Anthropic(**MESSAGES)


def check_completion(completion):
    choice = completion.choices[0]
    assert choice.message.content.strip(), completion
    equal((choice.index, choice.message.role, completion.model), (0, "assistant", "gemma"))
    assert choice.finish_reason in ("stop", "length"), completion
    usage = completion.usage
    assert usage.prompt_tokens > 5 and usage.completion_tokens > 0, usage
    equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
    assert usage.completion_tokens <= ASK["max_tokens"], usage


def last_snapshot(events):
    """What the stream helper has put together; its `get_final_completion` refuses an answer that a limit has cut."""
    return [event.snapshot for event in events if event.type == "chunk"][-1]


def check_message(message):
    equal([block.type for block in message.content], ["text"])
    assert message.content[0].text.strip(), message
    equal((message.type, message.role, message.model, message.stop_sequence), ("message", "assistant", "gemma", None))
    assert message.stop_reason in ("end_turn", "max_tokens"), message
    usage = message.usage
    # llama.cpp takes the beginning of a repeated prompt from its cache, and says so.
    assert usage.input_tokens + usage.cache_read_input_tokens > 5, usage
    assert 0 < usage.output_tokens <= ASK["max_tokens"], usage


def members(value, path=""):
    """The names of all members that are set, with their paths."""
    if isinstance(value, dict):
        return {name for key, item in value.items() if item is not None for name in members(item, f"{path}.{key}")}
    if isinstance(value, list):
        return {name for item in value for name in members(item, f"{path}[]")}
    return {path}


@check("openai: whole, streamed and through the stream helper")
def openai_sync():
    whole = chat.chat.completions.create(**ASK)
    check_completion(whole)
    chunks = list(chat.chat.completions.create(**ASK, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).strip(), chunks
    equal(len({chunk.id for chunk in chunks}), 1)
    equal([bool(chunk.choices[0].finish_reason) for chunk in chunks][-1], True)
    with chat.chat.completions.stream(**ASK, stream_options={"include_usage": True}) as stream:
        streamed = last_snapshot(stream)
    check_completion(streamed)
    own = {".choices[].index", ".choices[].message.role", ".choices[].message.content", ".choices[].finish_reason"}
    own |= {".id", ".created", ".model", ".usage.prompt_tokens", ".usage.completion_tokens", ".usage.total_tokens"}
    for completion in (whole, streamed):
        assert own <= members(completion.model_dump()), own - members(completion.model_dump())


@check("openai: the async client, two calls at once")
def openai_async():
    async def run():
        async with openai.AsyncOpenAI(**CHAT) as own:
            both = await asyncio.gather(own.chat.completions.create(**ASK), own.chat.completions.create(**ASK))
            for completion in both:
                check_completion(completion)
            async with own.chat.completions.stream(**ASK, stream_options={"include_usage": True}) as stream:
                check_completion(last_snapshot([event async for event in stream]))

    asyncio.run(run())


@check("anthropic: whole and through the stream helper, of the same shape")
def anthropic_sync():
    whole = messages.messages.create(**ASK)
    check_message(whole)
    with messages.messages.stream(**ASK) as stream:
        assert "".join(stream.text_stream).strip()
        streamed = stream.get_final_message()
    check_message(streamed)
    equal(members(streamed.model_dump()), members(whole.model_dump()))
    kinds = [event.type for event in messages.messages.create(**ASK, stream=True)]
    equal((kinds[0], kinds[-2:]), ("message_start", ["message_delta", "message_stop"]))


@check("anthropic: the async client, two calls at once")
def anthropic_async():
    async def run():
        async with anthropic.AsyncAnthropic(**MESSAGES) as own:
            for message in await asyncio.gather(own.messages.create(**ASK), own.messages.create(**ASK)):
                check_message(message)
            async with own.messages.stream(**ASK) as stream:
                check_message(await stream.get_final_message())

    asyncio.run(run())


@check("a system prompt and several turns")
def several_turns():
    turns = [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Hello Ada."},
        {"role": "user", "content": "What is my name?"},
    ]
    check_message(messages.messages.create(model="gemma", max_tokens=16, system="Be brief.", messages=turns))
    system = [{"role": "system", "content": "Be brief."}]
    check_completion(chat.chat.completions.create(model="gemma", max_tokens=16, messages=system + turns))


@check("models.list in both SDKs, and count_tokens near the model's own count")
def models_and_tokens():
    for client in (chat, messages):
        equal([model.id for model in client.models.list()], ["gemma"])
        equal(client.models.retrieve("gemma").id, "gemma")
    counted = messages.messages.count_tokens(model="gemma", messages=ASK["messages"]).input_tokens
    real = chat.chat.completions.create(**ASK).usage.prompt_tokens
    assert real / 2 <= counted <= real * 3, (counted, real)


@check("openai: plain completions pass through, whole and streamed")
def plain_completions():
    whole = chat.completions.create(model="gemma", prompt="Once upon a time", max_tokens=12)
    assert whole.choices[0].text.strip() and whole.usage.completion_tokens > 0, whole
    pieces = list(chat.completions.create(model="gemma", prompt="Once upon a time", max_tokens=12, stream=True))
    assert "".join(piece.choices[0].text for piece in pieces if piece.choices).strip(), pieces
