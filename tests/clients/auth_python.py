"""`iflow2api auth` against the certified authorization server `oidc-provider`, and an upstream behind its tokens.

Usage: auth_python.py, with OIDC_URL (where `oidc_server.mjs` listens), PROGRAM and LOG_FOLDER; it starts the program
itself, each time in a home of its own.
"""

import collections
import contextlib
import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

import openai
from browser import Browser, confirm, deny
from login import OIDC, SECRET, WRITTEN_OUT, asked, control, counts, query, said
from login import home, logged_in, login, login_on_terminal
from support import CALL_SECONDS, LOGS, check, equal, wait_until

MODEL = "guarded-1"
# What `oidc_server.mjs` says to everyone.
ANSWER = "The door is open, Ada: ünïcode, 你好 and 🦀."
HELLO = [{"role": "user", "content": "Say hello"}]
RENEW = "iflow2api auth login corp"


def sdk(address):
    return openai.OpenAI(base_url=f"{address}/v1", api_key="a-caller-key", max_retries=0, timeout=CALL_SECONDS)


def ask(client, stream=False):
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, stream=stream)
    if stream:
        return "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)
    return answer.choices[0].message.content


def chat(place, status=0):
    return place.run("chat", "-m", MODEL, "Say hello", status=status)


def works(place):
    """A call from the command line is answered."""
    equal(chat(place)[0], f"{ANSWER}\n")


def all_answered(addresses, each):
    """So many calls at once at each of these addresses, every other one streamed, are all answered."""
    clients = [sdk(address) for address in addresses]
    start = threading.Barrier(len(clients) * each)

    def one(client, stream):
        start.wait(CALL_SECONDS)
        try:
            return ask(client, stream)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor(start.parties) as pool:
        calls = [pool.submit(one, client, at % 2 == 1) for client in clients for at in range(each)]
        texts = collections.Counter(call.result() for call in calls)
    equal(dict(texts), {ANSWER: len(clients) * each})


def refused(client):
    """A call that cannot be signed in: the error, which says so."""
    try:
        text = ask(client)
    except openai.AuthenticationError as error:
        equal((error.status_code, error.code, error.type), (401, "login_required", "invalid_request_error"))
        equal(sorted(error.body), ["code", "message", "param", "type"])
        return error
    raise AssertionError(f"answered: {text}")


def changed(address, **parameters):
    """An address with other parameters in its query."""
    return f"{address.split('?')[0]}?{urlencode({**query(address), **parameters})}"


@contextlib.contextmanager
def revoked():
    """The refresh token is revoked while the block runs; the access token may be too."""
    before = counts()
    yield
    after = counts()
    names = ("revoked_refresh_token", "revoked_failed")
    equal([after.get(name, 0) - before.get(name, 0) for name in names], [1, 0])


def not_stored(place):
    equal(place.tokens(), set())
    place.run("auth", "status", "corp", status=4)


@check("a login with a browser: PKCE and a state in the address, a page without either secret, files for nobody else")
def code_flow():
    with home() as place, asked(authorization_code=1):
        with login(place, "--no-browser") as process:
            address = process.address()
            asks = query(address)
            equal(address.split("?")[0], f"{OIDC}/auth")
            named = ("response_type", "code_challenge_method", "client_id", "scope", "prompt")
            equal([asks.get(name) for name in named], ["code", "S256", "native", "openid offline_access", "consent"])
            assert re.fullmatch(r"[\w-]{43}", asks["code_challenge"]), asks
            assert len(asks["state"]) >= 16, asks
            redirect = urlsplit(asks["redirect_uri"])
            equal((redirect.scheme, redirect.hostname), ("http", "127.0.0.1"))
            callback = process.callback()
            page = Browser().open(callback)
            assert page.status == 200, f"{page}\n{process}"
            process.end(0)
        equal(page.headers.get_content_type(), "text/html")
        assert "<html" in page.text.lower(), page
        for secret in (query(callback)["code"], asks["state"], asks["code_challenge"]):
            assert secret not in page.text and secret not in str(page.headers), page
        equal(len(place.tokens()), 2)
        equal(place.folder.stat().st_mode & 0o777, 0o700)
        equal(place.credentials.stat().st_mode & 0o777, 0o600)
        beside = [path for path in place.folder.iterdir() if path != place.config and path.stat().st_mode & 0o077]
        equal(beside, [])


@check("logged in, the upstream answers on the command line and through `serve`, whole and streamed")
def answers():
    with logged_in() as place, asked():
        works(place)
        with place.serving("answers") as address:
            client = sdk(address)
            equal([ask(client, stream) for stream in (False, True)], [ANSWER, ANSWER])
            assert MODEL in [model.id.split("/")[-1] for model in client.models.list()]


@check("`auth status` shows the login and no token, `auth refresh` rotates it, and it still works")
def status_and_refresh():
    with logged_in() as place:
        before = place.tokens()
        with asked():
            for arguments in (("--json",), ("corp",), ()):
                text = "".join(place.run("auth", "status", *arguments))
                assert "corp" in text, text
                assert not [token for token in before if token in text], text
            json.loads(place.run("auth", "status", "--json")[0])
        with asked(refresh_token=1):
            place.run("auth", "refresh", "corp")
            works(place)
        after = place.tokens()
        equal((len(before), len(after), before & after), (2, 2, set()))
        equal(place.credentials.stat().st_mode & 0o777, 0o600)


@check("a token that is near its end is renewed before the upstream refuses it")
def renewed_in_time():
    # Of 16 seconds 15 are lead: one second later it is time.
    control("life?seconds=16")
    try:
        with logged_in(IFLOW2API_AUTH_REFRESH_BEFORE=None) as place:
            before = counts()
            with place.serving("renewed") as address:
                client = sdk(address)

                def is_renewed():
                    equal(ask(client), ANSWER)
                    return counts().get("refresh_token", 0) > before.get("refresh_token", 0)

                wait_until(is_renewed)
            for name in ("refresh_token_failed", "calls_refused"):
                equal((name, counts().get(name, 0)), (name, before.get(name, 0)))
    finally:
        control("life?seconds=3600")


@check("when the token is refused, 20 calls at once share one refresh, and all are answered")
def shared_refresh():
    with logged_in() as place, place.serving("shared") as address:
        with asked():
            all_answered([address], 2)
        with asked(refresh_token=1):
            control("expire")
            all_answered([address], 20)
        with asked(refresh_token=1):
            control("expire")
            works(place)
        # What another process has renewed is not renewed again.
        with asked():
            all_answered([address], 20)


@check("two programs over one home, 50 calls at once at each: one refresh in all, of a token that is good for one use")
def shared_home():
    with logged_in() as place, contextlib.ExitStack() as both:
        addresses = [both.enter_context(place.serving(f"home-{name}")) for name in "ab"]
        # Once only: a token that was made within the last minute is not renewed again, whoever refuses it.
        with asked(refresh_token=1):
            control("expire")
            all_answered(addresses, 50)
        equal(len(place.tokens()), 2)


@check("a login that cannot be refreshed: 401 `login_required`, what to do, the file untouched; a new login mends it")
def dead():
    with logged_in() as place, place.serving("dead") as address:
        client = sdk(address)
        equal(ask(client), ANSWER)
        control("refuse-refresh")
        control("expire")
        before = place.credentials.read_bytes()
        error = refused(client)
        log = (LOGS / "serve-auth-dead.server.log").read_text()
        assert RENEW in str(error) or RENEW in log, f"neither the error nor the log says `{RENEW}`: {error}\n{log}"
        assert "invalid_grant" in str(counts()["errors"][-1]), counts()
        equal(place.credentials.read_bytes(), before)
        words = chat(place, status=4)[1]
        assert RENEW in words, words
        equal(place.credentials.read_bytes(), before)
        place.log_in()
        equal(ask(client), ANSWER)


@check("logging out revokes the refresh token and forgets both")
def logout():
    with logged_in() as place:
        with revoked():
            place.run("auth", "logout", "corp")
        not_stored(place)
        with asked():
            assert RENEW in chat(place, status=4)[1], said[-1]


@check("a callback with another state is refused, and the login goes on and ends well")
def wrong_state():
    with home() as place, asked(authorization_code=1), login(place, "--no-browser") as process:
        callback = process.callback()
        wrong = Browser().open(changed(callback, state="another-state"))
        assert wrong.status == 400, wrong
        assert query(callback)["code"] not in wrong.text, wrong
        assert process.child.poll() is None, process
        equal(Browser().open(callback).status, 200)
        process.end(0)


@check("a browser that opens a connection ahead of time, and asks for an icon, does not hold the login up")
def early_connection():
    with home() as place, asked(authorization_code=1), login(place, "--no-browser") as process:
        callback = process.callback()
        redirect = urlsplit(callback)
        with socket.create_connection((redirect.hostname, redirect.port), CALL_SECONDS):
            Browser().open(f"http://{redirect.netloc}/favicon.ico")
            equal(Browser().open(callback).status, 200)
            process.end(0)


@check("who says no in the browser is heard: exit 4, and nothing is stored")
def denied_in_browser():
    with home() as place, asked():
        with login(place, "--no-browser") as process:
            callback = process.callback(deny)
            equal(query(callback)["error"], "access_denied")
            Browser().open(callback)
            process.end(4)
        not_stored(place)


@check("on a terminal the address that the browser ended at can be pasted, or the code alone")
def pasted():
    for what in (lambda callback: callback, lambda callback: query(callback)["code"]):
        with home() as place, asked(authorization_code=1):
            with login_on_terminal(place, "--no-browser") as process:
                process.type(what(process.callback()))
                process.end(0)
            works(place)


def add_device(place, agreed=True):
    """Log in as a device, which the account confirms, or not."""
    with login(place, "--device") as process:
        address, code = process.address(), process.user_code()
        assert re.fullmatch(r"[A-Z]{4}-[A-Z]{4}", code), process
        equal((address.split("?")[0], query(address)), (f"{OIDC}/device", {"user_code": code}))
        confirm(address, code, agreed)
        process.end(0 if agreed else 4)


@check("as a device: the code and the address are shown, and the login works; who says no is heard with exit 4")
def device():
    with home() as place:
        with asked(device_code=1):
            add_device(place)
        works(place)
        with asked(refresh_token=1):
            place.run("auth", "refresh", "corp")
        works(place)
    with home() as place, asked(device_code_failed=1):
        add_device(place, agreed=False)
        not_stored(place)


@check("a client with a secret, which is in a variable and is never stored, logs in, refreshes and logs out")
def confidential():
    with home(client="confidential", IFLOW2API_AUTH_CORP_CLIENT_SECRET=SECRET) as place:
        with asked(authorization_code=1):
            page = place.log_in()
            works(place)
        assert SECRET not in page.text and SECRET not in place.credentials.read_text()
        with asked(refresh_token=1):
            control("expire")
            works(place)
        with revoked():
            place.run("auth", "logout", "corp")
        with asked(device_code=1):
            add_device(place)
            works(place)


@check("with every address written out and no issuer: the browser, the device, a refresh and a logout")
def written_out():
    with home(endpoints=WRITTEN_OUT) as place:
        with asked(authorization_code=1, refresh_token=1):
            place.log_in()
            place.run("auth", "refresh", "corp")
            works(place)
        with revoked():
            place.run("auth", "logout", "corp")
        not_stored(place)
        with asked(device_code=1):
            add_device(place)
            works(place)


@check("a callback in another issuer's name is refused, and its code goes nowhere (RFC 9207)")
def other_issuer():
    with home() as place, asked(), login(place, "--no-browser") as process:
        callback = process.callback()
        equal(query(callback)["iss"], OIDC)
        # The server says that it always names itself, so a callback without a name is another's too.
        for of_another in [changed(callback, iss="https://attacker.example"), changed(callback, iss="").replace("iss=", "")]:
            page = Browser().open(of_another)
            assert page.status == 400, page


@check("no token, code or secret was printed or logged")
def nothing_told():
    secrets = [*control("secrets", "GET"), SECRET]
    logs = list(LOGS.glob("serve-auth-*.server.log"))
    equal((len(secrets) > 20, len(logs) > 3, len(said) > 20), (True, True, True))
    for text in [*said, *(log.read_text() for log in logs)]:
        found = [secret for secret in secrets if secret in text]
        assert not found, f"{found} in\n{text}"
