"""What the Python client tests share: where the servers are, and one line for each check."""

import json
import os
import time
import traceback
import urllib.request

GATEWAY = os.environ.get("GATEWAY_URL", "")
UPSTREAM = os.environ.get("UPSTREAM_URL", "")
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


def seen(model):
    """The requests that the scripted upstream has got for a model, oldest first."""
    with urllib.request.urlopen(f"{UPSTREAM}/seen?model={model}", timeout=CALL_SECONDS) as answer:
        return json.load(answer)


def wait_until(question, seconds=5.0):
    """Ask until the answer is true, for a bounded time."""
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
