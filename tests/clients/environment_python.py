"""Both official Python SDKs as `serve -- COMMAND` starts them: addresses and keys come from the environment alone."""

import anthropic
import openai
from support import check

HELLO = [{"role": "user", "content": "pineapple"}]


@check("`serve --demo -- COMMAND` points both SDKs at the gateway")
def environment():
    chat = openai.OpenAI(max_retries=0).chat.completions.create(model="demo-echo", messages=HELLO)
    assert "pineapple" in chat.choices[0].message.content, chat
    message = anthropic.Anthropic(max_retries=0).messages.create(model="demo-echo", max_tokens=99, messages=HELLO)
    assert "pineapple" in message.content[0].text, message
