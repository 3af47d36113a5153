"""The program as somebody's own: a home with its settings and credentials, a login that is under way, and what the
authorization server of `oidc_server.mjs` says about it."""

import contextlib
import fcntl
import json
import os
import pty
import re
import subprocess
import sys
import tempfile
import termios
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from browser import Browser, authorize
from support import CALL_SECONDS, LOGS, PROGRAM, clean, equal, running

OIDC = os.environ["OIDC_URL"]
# The server gives a refresh token only to those who ask for consent anew; the query of an address of ours is kept.
AUTHORIZE = f'authorize_url = "{OIDC}/auth?prompt=consent"'
DISCOVERED = f'issuer = "{OIDC}"\n{AUTHORIZE}'
WRITTEN_OUT = f"""{AUTHORIZE}
token_url = "{OIDC}/token"
device_url = "{OIDC}/device/auth"
revoke_url = "{OIDC}/token/revocation\""""
SECRET = "a-client-secret"
# What says nothing about logins, or depends on when the program asks.
UNCOUNTED = ("calls", "calls_refused", "device_code_pending", "errors")

# All that the program has said and nobody typed, for the last check.
said = []


def control(path, method="POST"):
    request = urllib.request.Request(f"{OIDC}/control/{path}", method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=CALL_SECONDS) as answer:
        return json.load(answer)


def counts():
    return control("counts", "GET")


@contextlib.contextmanager
def asked(**expected):
    """What the server is asked for while the block runs: these, as often, and nothing else."""
    before = counts()
    try:
        yield
    except Exception as error:
        error.add_note(errors_since(before))
        raise
    after = counts()
    happened = {name: after[name] - before.get(name, 0) for name in after if name not in UNCOUNTED}
    happened = {name: number for name, number in happened.items() if number}
    assert happened == expected, f"the server was asked for {happened}, not {expected}\n{errors_since(before)}"


def errors_since(before):
    """What the server has refused since then, and why; of very much only the begin."""
    errors = counts()["errors"][len(before["errors"]) :]
    return "\n  ".join(["the authorization server refused:", *(errors[:10] or ["nothing"])])


class Home:
    """A home with a `config.toml` and nothing else in it."""

    def __init__(self, folder, settings, variables):
        self.folder = Path(folder) / "settings"
        self.folder.mkdir(mode=0o700)
        self.config, self.credentials = self.folder / "config.toml", self.folder / "credentials.json"
        self.config.write_text(settings)
        user = Path(folder) / "user"
        user.mkdir()
        xdg = {f"XDG_{kind}_HOME": str(user / kind.lower()) for kind in ("CONFIG", "DATA", "CACHE", "STATE")}
        self.variables = clean(user, **xdg, **variables)

    def command(self, *arguments):
        return [PROGRAM, "--config", str(self.config), *arguments]

    def run(self, *arguments, status=0):
        """Run the program to its end, which must be this one: its standard output and error."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CALL_SECONDS,
        )
        said.append(done.stdout + done.stderr)
        assert done.returncode == status, f"`{' '.join(arguments)}` ended with {done.returncode}:\n{said[-1]}"
        return done.stdout, done.stderr

    @contextlib.contextmanager
    def serving(self, name):
        """The program serving while the block runs: its address. If the block fails, the end of its log is shown."""
        name = f"serve-auth-{name}"
        try:
            with running(name, self.command("serve", "--port", "0"), self.variables) as (address, _):
                yield address
        except Exception:
            lines = (LOGS / f"{name}.server.log").read_text().splitlines()
            print(f"--- the end of {name}.server.log", *lines[-15:], sep="\n", file=sys.stderr)
            raise

    def tokens(self):
        """Those of the server's tokens and codes that the stored credentials hold."""
        text = self.credentials.read_text() if self.credentials.exists() else ""
        return {secret for secret in control("secrets", "GET") if secret in text}

    def log_in(self, *arguments):
        """Log in with a browser to the end: the last page that it shows."""
        with login(self, "--no-browser", *arguments) as process:
            page = Browser().open(process.callback())
            assert page.status == 200, f"{page}\n{process}"
            process.end(0)
        return page


@contextlib.contextmanager
def home(client="native", endpoints=DISCOVERED, **variables):
    """A home in which the upstream `corp` is signed in at as this client; tokens are renewed only just before their
    end, unless the variables say otherwise."""
    variables = {"IFLOW2API_AUTH_REFRESH_BEFORE": "1s", **variables}
    settings = f"""
[upstream.corp]
base_url = "{OIDC}/llm/v1"

[auth.corp]
{endpoints}
client_id = "{client}"
scopes = ["openid", "offline_access"]
"""
    with tempfile.TemporaryDirectory(prefix="auth-") as folder:
        yield Home(folder, settings, {name: value for name, value in variables.items() if value is not None})


@contextlib.contextmanager
def logged_in(**more):
    with home(**more) as place:
        place.log_in()
        yield place


class Login:
    """`auth login corp` under way, with what it has said so far."""

    def __init__(self, child, source):
        self.child, self.source = child, source
        self.pieces, self.heard = [], time.monotonic()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        # A terminal whose other side is gone is an error, not an end.
        with contextlib.suppress(OSError):
            while piece := os.read(self.source, 4096):
                self.pieces.append(piece)
                self.heard = time.monotonic()

    def text(self):
        """All of it as plain text: no colours, no carriage returns."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", b"".join(self.pieces).decode(errors="replace"))

    def __repr__(self):
        return f"`auth login` (exit {self.child.poll()}) said:\n{self.text()}"

    def find(self, what, pattern):
        """The first group of a pattern, as soon as the program has said it."""
        deadline = time.monotonic() + CALL_SECONDS
        while not (found := re.search(pattern, self.text(), re.MULTILINE)):
            over = self.child.poll() is not None and not self.reader.is_alive()
            assert not over and time.monotonic() < deadline, f"{what} was not said; {self}"
            time.sleep(0.02)
        return found[1]

    def address(self):
        """The address to open, which stands on a line of its own."""
        return self.find("the address", r"^  (https?://\S+)\n")

    def user_code(self):
        return self.find("the code", r"^  ([A-Z]{4}-[A-Z]{4})\n")

    def callback(self, turn=lambda address: address):
        """The address that the browser ends at, when the account has agreed, or what `turn` makes of it."""
        address = self.address()
        return authorize(address, query(address)["redirect_uri"], turn)

    def type(self, line):
        """Type a line on the terminal, once the program has said nothing more for a moment."""
        latest = time.monotonic() + 5
        while time.monotonic() < min(self.heard + 0.3, latest):
            time.sleep(0.02)
        assert self.child.poll() is None, self
        os.write(self.source, f"{line}\r".encode())

    def end(self, status):
        """Wait for the end, which must be this one."""
        try:
            self.child.wait(CALL_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {CALL_SECONDS} s; {self}") from None
        self.reader.join(CALL_SECONDS)
        assert self.child.returncode == status, f"it did not end with {status}; {self}"
        if self.child.stdout:
            equal(self.child.stdout.read(), b"")


@contextlib.contextmanager
def ended(child):
    try:
        yield
    finally:
        child.kill()
        child.wait()


@contextlib.contextmanager
def login(place, *arguments):
    """A login of which nobody sees standard input, and which may not lean on a careful umask."""
    child = subprocess.Popen(
        place.command("auth", "login", "corp", *arguments),
        env=place.variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        umask=0,
    )
    with ended(child), child.stdout, child.stderr:
        process = Login(child, child.stderr.fileno())
        yield process
        said.append(process.text())


@contextlib.contextmanager
def login_on_terminal(place, *arguments):
    """A login on a terminal, where lines can be typed. It echoes them, so this is not among what the program said."""
    ours, its = pty.openpty()
    try:
        child = subprocess.Popen(
            place.command("auth", "login", "corp", *arguments),
            env={**place.variables, "TERM": "xterm"},
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(its)
        with ended(child):
            yield Login(child, ours)
    finally:
        os.close(ours)


def query(address):
    return dict(parse_qsl(urlsplit(address).query))
