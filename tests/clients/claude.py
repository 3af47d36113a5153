"""Runs Claude Code, whose path is the first argument of the script that imports this."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from support import GATEWAY

CLAUDE = str(Path(sys.argv[1]).resolve())
# Claude Code takes a few seconds to start on two cores; measured below ten with both busy.
RUN_SECONDS = 90


def environment(home, model):
    """What Claude Code needs to run offline, as root too, with nothing of this machine's own settings."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": GATEWAY,
        "ANTHROPIC_AUTH_TOKEN": "a-caller-key",
        "ANTHROPIC_MODEL": model,
        "ANTHROPIC_SMALL_FAST_MODEL": model,
        "DISABLE_TELEMETRY": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "IS_SANDBOX": "1",
        "NO_PROXY": "*",
    }


def claude(work, model, prompt, *more, launcher=()):
    """Run `claude -p` in a directory of its own; its answer, and how long it took."""
    home = work / "home"
    home.mkdir(exist_ok=True)
    command = [*launcher, CLAUDE, "-p", prompt, "--output-format", "json", "--permission-mode", "acceptEdits"]
    command += ["--allowedTools", "Read,Edit,WebSearch,StructuredOutput", *more]
    variables = environment(home, model)
    if launcher:
        del variables["ANTHROPIC_BASE_URL"], variables["ANTHROPIC_AUTH_TOKEN"]
    begun = time.monotonic()
    run = subprocess.run(
        command, cwd=work, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_SECONDS
    )
    try:
        answer = json.loads(run.stdout)
    except ValueError:
        raise AssertionError(f"exit {run.returncode}\n{run.stdout}\n{run.stderr}") from None
    return answer, time.monotonic() - begun
