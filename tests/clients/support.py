"""What the Python client tests share: where the servers are, and one line for each check."""

import contextlib
import json
import os
import re
import subprocess
import tempfile
import time
import traceback
import urllib.request
from pathlib import Path

GATEWAY = os.environ.get("GATEWAY_URL", "")
UPSTREAM = os.environ.get("UPSTREAM_URL", "")
# The built program, for the scripts that start it themselves, and where its logs go.
PROGRAM = os.environ.get("PROGRAM", "")
LOGS = Path(os.environ.get("LOG_FOLDER", tempfile.gettempdir()))
# Every call of a client is bounded by this, so a gateway that hangs fails a check instead of the whole run.
CALL_SECONDS = 30.0
# For the one who looks for a fault: run the checks after a failed one too.
KEEP_GOING = os.environ.get("KEEP_GOING") == "1"


def check(name):
    """Run the decorated function at once as one check, and print its line."""

    def run(function):
        try:
            function()
        except BaseException:
            print(f"not ok - {name}", flush=True)
            if not KEEP_GOING:
                raise
            traceback.print_exc()
            return
        print(f"ok - {name}", flush=True)

    return run


def equal(left, right):
    assert left == right, f"\n  left:  {left!r}\n  right: {right!r}"


def seen(model, upstream=UPSTREAM):
    """The requests that the scripted upstream has got for a model, oldest first."""
    with urllib.request.urlopen(f"{upstream}/seen?model={model}", timeout=CALL_SECONDS) as answer:
        return json.load(answer)


def wait_until(question, seconds=5.0):
    """Ask until the answer is true, for a bounded time."""
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


@contextlib.contextmanager
def running(name, command, variables=None):
    """A server that says where it listens, while the block runs: its address and its process."""
    log = LOGS / f"{name}.server.log"
    with log.open("w") as output:
        child = subprocess.Popen(
            command, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield address_in(log, child), child
    finally:
        child.terminate()
        try:
            child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def address_in(log, child):
    """The address that a server's log names, as soon as it does."""

    def found():
        return re.search(r"listening on (http://127\.0\.0\.1:[0-9]+)", log.read_text())

    wait_until(lambda: found() or child.poll() is not None, 30)
    assert found(), log.read_text()
    return found()[1]


def clean(home, **more):
    """An environment with nothing of this machine's own settings."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), **more}


@contextlib.contextmanager
def gateway(name, settings, **variables):
    """The program with this `config.toml`, serving while the block runs; its address."""
    with tempfile.TemporaryDirectory(prefix="gateway-") as home:
        path = Path(home) / "config.toml"
        path.write_text(settings)
        command = [PROGRAM, "--config", str(path), "serve", "--port", "0"]
        with running(f"serve-{name}", command, clean(home, **variables)) as (address, _):
            yield address
