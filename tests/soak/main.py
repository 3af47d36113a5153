"""The soak: mixed traffic with 5 % faults through a running program.

Usage: main.py BINARY [--seconds N] [--seed N] [--sabotage]. Ends with 1 on any lost or corrupted answer, leaked
descriptor or growing memory. Sabotaged, the upstream drops a delta of every answer, and it ends with 0 only if
that was seen.
"""

import argparse
import asyncio
import collections
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clients import Client
from script import FAULTS
from upstream import Upstream

AT_ONCE = 16
FAULT_SHARE = 0.05
# How far the descriptors may be from where they began.
SPARE_DESCRIPTORS = 5
# Memory may grow by so much from the second quarter to the last: what an allocator's pages do on their own.
GROWTH = (0.10, 8 * 1024)
STALL = 3


def environment(home, url):
    return {
        "HOME": home,
        "PATH": os.environ["PATH"],
        "IFLOW2API_BASE_URL": url,
        "IFLOW2API_RETRY_DELAYS": "20ms",
        # Faults come one by one, and each must be asked again; the circuit has tests of its own.
        "IFLOW2API_RETRY_BUDGET": "1000",
        "IFLOW2API_CIRCUIT_FAILURES": "0",
        "IFLOW2API_TIMEOUT_IDLE": "1s",
        "IFLOW2API_TIMEOUT_FIRST_BYTE": "2s",
        "IFLOW2API_TIMEOUT_PING": "200ms",
    }


async def started(program, log):
    for _ in range(200):
        found = re.search(r"listening on (http://\S+)", log.read_text())
        if found:
            return found[1]
        if program.poll() is not None:
            break
        await asyncio.sleep(0.1)
    sys.exit(f"the program did not start:\n{log.read_text()}")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory(pid):
    """Resident memory in KiB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


class Soak:
    def __init__(self, address, seed):
        self.client = Client(address)
        self.chance = random.Random(seed)
        self.results = collections.Counter()
        self.wrong = []
        self.number = 0

    async def one(self):
        chance = self.chance
        self.number += 1
        fault = chance.choice(FAULTS) if chance.random() < FAULT_SHARE else "none"
        model = f"{chance.choice(['text', 'text', 'think', 'tool'])}-{self.number}-{fault}"
        face, stream = chance.choice(["chat", "messages"]), chance.random() < 0.7
        manner = chance.choices(["plain", "leave", "slow", "broken"], [90, 4, 3, 3])[0]
        try:
            result = await asyncio.wait_for(self.client.call(face, model, stream, manner), 60)
            self.results[result] += 1
        except Exception as error:
            self.wrong.append(f"{face} {model} stream={stream} {manner}: {type(error).__name__} {error}"[:1500])

    async def worker(self, until):
        while time.monotonic() < until and len(self.wrong) < 5:
            await self.one()


async def sample(program, until, samples):
    while time.monotonic() < until and program.poll() is None:
        samples.append((descriptors(program.pid), memory(program.pid)))
        await asyncio.sleep(1)


async def run(options):
    upstream = Upstream(STALL, options.sabotage)
    url = await upstream.start()
    with tempfile.TemporaryDirectory() as home:
        log = Path(home) / "log"
        with log.open("w") as out:
            command = [options.binary, "serve", "--port", "0"]
            program = subprocess.Popen(command, env=environment(home, url), stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            soak = Soak(await started(program, log), options.seed)
            # What is made once, such as vocabularies, is there after this.
            for _ in range(40):
                await soak.one()
            begun, samples = descriptors(program.pid), []
            until = time.monotonic() + options.seconds
            await asyncio.gather(sample(program, until, samples), *(soak.worker(until) for _ in range(AT_ONCE)))
            reasons = soak.wrong + judge_memory(samples)
            if program.poll() is None:
                reasons += await judge_descriptors(program.pid, begun, upstream)
            else:
                reasons.append(f"the program ended with {program.returncode}")
            if "panicked" in log.read_text():
                reasons.append("the log says `panicked`")
        finally:
            program.kill()
            program.wait()
            await upstream.stop()
    rate = sum(soak.results.values()) / max(options.seconds, 1)
    print(f"seed {options.seed}: {sum(soak.results.values())} calls, {rate:.0f}/s: {dict(soak.results)}")
    print(f"faults: {dict(sorted(upstream.counts.items()))}")
    if samples:
        print(f"descriptors: {begun} before, at most {max(fds for fds, _ in samples)}")
        print(f"resident KiB: {samples[0][1]} at first, at most {max(rss for _, rss in samples)}, {samples[-1][1]} at last")
    if options.sabotage:
        return judge_sabotage(soak, reasons)
    for reason in reasons:
        print(f"WRONG: {reason}")
    return 1 if reasons else 0


def judge_sabotage(soak, reasons):
    """Whether the lost deltas, and nothing else, were seen."""
    others = [reason for reason in reasons if ": Wrong " not in reason]
    if soak.wrong and not others:
        print(f"{len(soak.wrong)} corrupted answers were seen")
        return 0
    print("\n".join(["the soak does not see a lost delta", *others]))
    return 1


def judge_memory(samples):
    quarter = len(samples) // 4
    if quarter < 5:
        return []
    early = statistics.median(rss for _, rss in samples[quarter : 2 * quarter])
    late = statistics.median(rss for _, rss in samples[-quarter:])
    most = early + max(GROWTH[0] * early, GROWTH[1])
    return [f"memory grew from {early} to {late} KiB"] if late > most else []


async def judge_descriptors(pid, begun, upstream):
    """Waits for what is idle to be closed, as long as that may take."""
    await upstream.stop()
    for _ in range(100):
        left = descriptors(pid)
        if left <= begun + SPARE_DESCRIPTORS:
            return []
        await asyncio.sleep(0.1)
    return [f"{left} descriptors are open, {begun} were"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--sabotage", action="store_true")
    sys.exit(asyncio.run(run(parser.parse_args())))
