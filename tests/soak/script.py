"""What a call of the soak is about, said by the model's name, so that upstream and client agree on every byte of its
answer without a word between them: `KIND-SEED-FAULT`, as in `text-17-kill`."""

import json
import random

# What can be hidden from the caller: the answer must come whole.
HIDDEN = ["close", "reset", "s500", "s502", "s503", "s429", "html", "empty", "slow", "cut"]
# What ends in one error where it is not hidden, too.
SHOWN = ["kill", "stall"]
FAULTS = HIDDEN + SHOWN

WORDS = "keeper lamp ship harbour 灯塔 夜 🦊 storm \"quoted\" back\\slash tab\there line\nbreak café naïve".split(" ")


class Script:
    """One call's answer."""

    def __init__(self, model):
        self.kind, seed, self.fault = model.split("-")
        chance = random.Random(f"{self.kind} {seed}")

        def text(least, most):
            # Numbers keep twelve characters from standing twice.
            return " ".join(f"{chance.choice(WORDS)}{chance.randrange(10**6)}" for _ in range(chance.randrange(least, most)))

        self.thoughts = text(2, 20) if self.kind == "think" else ""
        self.text = text(8, 60)
        self.calls = []
        if self.kind == "tool":
            self.text = text(1, 4)
            for number in range(chance.randrange(1, 4)):
                arguments = json.dumps({"path": text(1, 8), "line": chance.randrange(1000)}, ensure_ascii=False)
                self.calls.append((f"call_{seed}_{number}", "read_file", arguments))
        self.chance = chance

    @property
    def finish(self):
        return "tool_calls" if self.calls else "stop"

    def is_hidden(self, stream):
        """Whether the caller must get the whole answer."""
        if self.fault == "kill":
            # A whole answer is asked for again, a text is taken up where it was.
            return not stream or self.kind == "text"
        return self.fault != "stall"


def pieces(text, chance):
    """A text in pieces of a few characters."""
    at = 0
    while at < len(text):
        size = chance.randrange(1, 24)
        yield text[at : at + size]
        at += size
