"""The accumulator of the Python SDK `anthropic` reads every golden stream as its events say."""

import json
import os
import urllib.request

import anthropic
from support import CALL_SECONDS, check, equal

ADDRESS = os.environ["GOLDEN_URL"]
client = anthropic.Anthropic(base_url=ADDRESS, api_key="none", max_retries=0, timeout=CALL_SECONDS)


def blocks_of(message, expected):
    """The blocks of a message as the events name them; an input that is no JSON counts as the expected one."""
    blocks = [block.model_dump(exclude_none=True) for block in message.content]
    for block, other in zip(blocks, expected):
        if block["type"] == "tool_use" and other.get("input") is None:
            block["input"] = None
    return [{name: block[name] for name in other} for block, other in zip(blocks, expected)], len(blocks)


def has_broken_input(vector):
    return any(block["type"] == "tool_use" and block["input"] is None for block in vector["blocks"])


def read(vector):
    try:
        with client.messages.stream(
            model=vector["name"], max_tokens=100, messages=[{"role": "user", "content": "x"}]
        ) as stream:
            for _ in stream:
                pass
            message = stream.get_final_message()
    except anthropic.APIError as error:
        equal(error.body and error.body["error"]["type"], vector["error"])
        return
    except ValueError as error:
        # The model's own words were no JSON: the SDK says so, which is louder than an empty input.
        assert "tool parameter JSON" in str(error) and has_broken_input(vector), error
        return
    equal(vector["error"], None)
    equal(blocks_of(message, vector["blocks"]), (vector["blocks"], len(vector["blocks"])))
    equal((message.stop_reason, message.stop_sequence), (vector["stop_reason"], vector["stop_sequence"]))
    for name, count in vector["usage"].items():
        if name == "iflow2api":
            continue  # a member of ours, which the accumulator leaves out
        equal((name, getattr(message.usage, name)), (name, count))


with urllib.request.urlopen(f"{ADDRESS}/vectors", timeout=CALL_SECONDS) as answer:
    vectors = json.load(answer)


@check(f"the Python SDK reads all {len(vectors)} golden streams")
def all_vectors():
    assert len(vectors) > 30, len(vectors)
    for vector in vectors:
        try:
            read(vector)
        except Exception as error:
            raise AssertionError(f"{vector['name']}: {error!r}") from error
