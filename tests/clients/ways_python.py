"""Which way calls take to an upstream: proxies of the environment and of the settings, SOCKS5, and certificates.

Usage: ways_python.py, with PROGRAM. It plays the proxies itself; names below `.invalid` are never resolved.
"""

import base64
import contextlib
import socket
import ssl
import subprocess
import tempfile
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

import anthropic
from strict_upstream import Strict
from support import CALL_SECONDS, PROGRAM, check, clean, equal, gateway
from upstream import ANSWER, Upstream

EVERY = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
folder = tempfile.TemporaryDirectory(prefix="ways-")
HOME = Path(folder.name)


class HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A refused certificate ends a connection, and here it has to."""


class TcpServer(ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def serve(server):
    """Serves until the end of the script; its port."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def relay(one, other):
    """Bytes in both directions, until one side ends."""

    def copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=copy, args=(other, one), daemon=True)
    back.start()
    copy(one, other)
    back.join(CALL_SECONDS)


class Proxy(Strict):
    """An HTTP proxy that plays all plain servers itself, and knows the ports of those behind TLS."""

    asked = []
    tunnels = {}

    def do_CONNECT(self):
        self.asked.append(("CONNECT", self.path, self.headers.get("proxy-authorization")))
        port = self.tunnels.get(self.path)
        self.close_connection = True
        if port is None:
            self.send_response(403)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        with socket.create_connection(("127.0.0.1", port)) as server:
            relay(self.connection, server)

    def plain(self, method):
        url = urlsplit(self.path)
        self.asked.append((self.command, f"{url.scheme}://{url.netloc}", self.headers.get("proxy-authorization")))
        self.path = url.path
        method()

    def do_GET(self):
        self.plain(super().do_GET)

    def do_POST(self):
        self.plain(super().do_POST)


class Socks(StreamRequestHandler):
    """SOCKS5 without a password (RFC 1928); every name leads to one port of this machine."""

    asked = []
    port = None

    def handle(self):
        _, methods = self.rfile.read(2)
        self.rfile.read(methods)
        self.wfile.write(b"\x05\x00")
        _, command, _, kind = self.rfile.read(4)
        host = self.rfile.read(self.rfile.read(1)[0]).decode() if kind == 3 else self.rfile.read(4).hex()
        self.asked.append((command, kind, host, int.from_bytes(self.rfile.read(2), "big")))
        self.wfile.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        with socket.create_connection(("127.0.0.1", self.port)) as server:
            relay(self.connection, server)


plain_port = serve(HttpServer(("127.0.0.1", 0), Upstream))
strict_port = serve(HttpServer(("127.0.0.1", 0), Strict))
Socks.port = plain_port
PROXY = f"127.0.0.1:{serve(HttpServer(('127.0.0.1', 0), Proxy))}"
SOCKS = f"127.0.0.1:{serve(TcpServer(('127.0.0.1', 0), Socks))}"


def chat(settings=None, *arguments, model="scripted-text", **variables):
    """`iflow2api chat` with these settings and variables; what the proxies were asked meanwhile stands in `asked`."""
    Proxy.asked.clear()
    Socks.asked.clear()
    command = [PROGRAM]
    if settings is not None:
        config = HOME / "config.toml"
        config.write_text(f'[timeout]\nconnect = "3s"\n[retry]\nretries = 0\n{settings}')
        command += ["--config", str(config)]
    return subprocess.run(
        [*command, "chat", "-m", model, *arguments, "hi"], env=clean(HOME, **variables), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=CALL_SECONDS,
    )


def answered(run):
    equal((run.returncode, run.stdout, run.stderr if run.returncode else ""), (0, ANSWER + "\n", ""))


def everywhere(address):
    return {name: f"http://{address}" for name in EVERY}


def upstream(base_url, **more):
    lines = [f'base_url = "{base_url}"', 'key = "test-key"', *(f'{name} = "{value}"' for name, value in more.items())]
    return "[upstream.llm]\n" + "\n".join(lines) + "\n"


@check("`ZAI_API_KEY` and nothing else: `chat -m glm-4.7 hi` goes to Z.AI, and the error names it")
def zai():
    run = chat(model="glm-4.7", ZAI_API_KEY="test-key", HTTPS_PROXY=f"http://{PROXY}", IFLOW2API_RETRY_RETRIES="0")
    equal({each[:2] for each in Proxy.asked}, {("CONNECT", "api.z.ai:443")})
    equal((run.returncode, run.stdout), (5, ""))
    assert "`zai`" in run.stderr and "test-key" not in run.stderr, run.stderr


@check("the key of one provider never sets up another: with `DEEPSEEK_API_KEY` the same goes to DeepSeek")
def deepseek():
    chat(model="deepseek-v4-pro", DEEPSEEK_API_KEY="k", HTTPS_PROXY=f"http://{PROXY}", IFLOW2API_RETRY_RETRIES="0")
    equal({each[:2] for each in Proxy.asked}, {("CONNECT", "api.deepseek.com:443")})


@check("an upstream on this machine is reached without any proxy, whatever is set")
def loopback():
    for host in ("127.0.0.1", "localhost"):
        base_url = f"http://{host}:{plain_port}/v1"
        answered(chat(None, "--upstream", base_url, **everywhere(PROXY)))
        equal(Proxy.asked, [])
        for proxy in ("env", "none", f"http://{PROXY}", f"socks5h://{SOCKS}"):
            answered(chat(upstream(base_url, proxy=proxy), **everywhere(PROXY)))
            equal((Proxy.asked, Socks.asked), ([], []))


@check("other names are reached through the proxy of the environment, and not where NO_PROXY names them")
def environment():
    settings = upstream("http://llm.invalid/v1")
    answered(chat(settings, HTTP_PROXY=f"http://{PROXY}"))
    equal({each[1] for each in Proxy.asked}, {"http://llm.invalid"})
    run = chat(settings, HTTP_PROXY=f"http://{PROXY}", NO_PROXY="llm.invalid")
    equal((run.returncode, Proxy.asked), (5, []))
    assert "`llm`" in run.stderr, run.stderr


@check("`proxy` of one upstream: its address, with a password, `none`, and `env`")
def of_upstream():
    answered(chat(upstream("http://llm.invalid/v1", proxy=f"http://{PROXY}")))
    equal({each[1] for each in Proxy.asked}, {"http://llm.invalid"})
    answered(chat(upstream("http://llm.invalid/v1", proxy=f"http://me:secret-word@{PROXY}")))
    equal({each[2] for each in Proxy.asked}, {"Basic " + base64.b64encode(b"me:secret-word").decode()})
    # Its own proxy wins over that of the environment.
    answered(chat(upstream("http://llm.invalid/v1", proxy=f"http://{PROXY}"), **everywhere("127.0.0.1:9")))
    run = chat(upstream("http://llm.invalid/v1", proxy="none"), **everywhere(PROXY))
    equal((run.returncode, run.stdout, Proxy.asked), (5, "", []))
    answered(chat(upstream("http://llm.invalid/v1", proxy="env"), **everywhere(PROXY)))


@check("a proxy that is not there is an error that names the upstream and hides the password")
def absent():
    run = chat(upstream("http://llm.invalid/v1", proxy="http://me:secret-word@127.0.0.1:9"))
    equal(run.returncode, 5)
    assert "`llm`" in run.stderr and "secret-word" not in run.stderr, run.stderr


@check("SOCKS5, in settings and environment; the proxy resolves the name")
def socks():
    settings = upstream("http://llm.invalid/v1", proxy=f"socks5h://{SOCKS}")
    for run in (
        lambda: chat(settings),
        lambda: chat(upstream("http://llm.invalid/v1"), ALL_PROXY=f"socks5h://{SOCKS}"),
    ):
        answered(run())
        equal(set(Socks.asked), {(1, 3, "llm.invalid", 80)})


@check("two upstreams, each on its own way")
def two():
    settings = upstream("http://llm.invalid/v1", proxy=f"http://{PROXY}")
    settings += upstream("http://other.invalid/v1", proxy=f"socks5h://{SOCKS}").replace("llm", "other", 1)
    answered(chat(settings, model="other/scripted-text"))
    equal((Proxy.asked, {each[2] for each in Socks.asked}), ([], {"other.invalid"}))
    answered(chat(settings, model="llm/scripted-text"))
    equal(({each[1] for each in Proxy.asked}, Socks.asked), ({"http://llm.invalid"}, []))


@check("the native wire of an upstream takes the way to its own address: past the proxy to this machine, else through it")
def native():
    here, there = f"http://127.0.0.1:{strict_port}", "http://llm.invalid"
    for name, base, own, expected in (("here", there, here, set()), ("there", here, there, {there})):
        settings = f'preset = "zai"\nanthropic_base_url = "{own}/bearer"\n'
        Proxy.asked.clear()
        with gateway(f"way-{name}", upstream(f"{base}/v1") + settings, HTTP_PROXY=f"http://{PROXY}") as address:
            Proxy.asked.clear()  # Lists of models are asked for at the other address.
            client = anthropic.Anthropic(base_url=address, api_key="a", max_retries=0, timeout=CALL_SECONDS)
            message = client.messages.create(
                model="llm/scripted-text", max_tokens=99, messages=[{"role": "user", "content": "hi"}]
            )
        equal(message.content[0].text, ANSWER)
        equal((name, {each[1] for each in Proxy.asked if each[0] == "POST"}), (name, expected))


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], cwd=HOME, check=True, capture_output=True, timeout=CALL_SECONDS)


def certificates():
    """An authority of our own, and what it has signed for this machine and for `llm.invalid`."""
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *new, "-days", "2", "-subj", "/CN=An authority", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *new, "-subj", "/CN=llm.invalid", "-keyout", "server.key", "-out", "server.csr")
    (HOME / "names").write_text("subjectAltName=DNS:llm.invalid,IP:127.0.0.1\n")
    openssl(
        "x509", "-req", "-days", "2", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-extfile", "names", "-out", "server.pem",
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HOME / "server.pem", HOME / "server.key")
    return context


@check("`ca_file`: an authority of one's own is trusted where it is named, directly and through a proxy")
def ca_file():
    server = HttpServer(("127.0.0.1", 0), Upstream)
    server.socket = certificates().wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    port = serve(server)
    base_url, ca = f"https://127.0.0.1:{port}/v1", HOME / "ca.pem"
    answered(chat(upstream(base_url, ca_file=ca)))
    run = chat(upstream(base_url))
    equal((run.returncode, run.stdout), (5, ""))
    assert "certificate" in run.stderr, run.stderr
    Proxy.tunnels["llm.invalid:443"] = port
    answered(chat(upstream("https://llm.invalid/v1", ca_file=ca, proxy=f"http://{PROXY}")))
    equal({each[:2] for each in Proxy.asked}, {("CONNECT", "llm.invalid:443")})
    Proxy.tunnels["other.invalid:443"] = port
    run = chat(upstream("https://other.invalid/v1", ca_file=ca, proxy=f"http://{PROXY}"))
    equal((run.returncode, run.stdout), (5, ""))
    assert "certificate" in run.stderr, run.stderr


@check("a `ca_file` that is not there, or no PEM, is refused before anything is sent")
def wrong_ca_file():
    (HOME / "empty.pem").write_text("nothing\n")
    for name in ("absent.pem", "empty.pem"):
        run = chat(upstream("https://llm.invalid/v1", ca_file=HOME / name, proxy=f"http://{PROXY}"))
        equal((run.returncode, Proxy.asked), (2, []))
        assert "upstream.llm.ca_file" in run.stderr and name in run.stderr, run.stderr
