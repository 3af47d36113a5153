"""A browser, as far as logging in needs one: cookies, redirects one by one, and forms that are sent as they stand."""

import html
import http.cookiejar
import re
import urllib.error
import urllib.request
from urllib.parse import urlencode, urljoin, urlsplit

from support import CALL_SECONDS

HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
}
# More than any login takes.
STEPS = 20


class Unfollowed(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Page:
    """An answer as it came, of whatever status."""

    def __init__(self, address, answer):
        self.address, self.status, self.headers = address, answer.status, answer.headers
        self.text = answer.read().decode()

    def __repr__(self):
        return f"{self.status} of {self.address}\n{self.text}"

    def location(self):
        """Where it redirects to, if it does."""
        target = self.headers["location"]
        return target and urljoin(self.address, target)

    def form(self):
        """The address and the fields of its one form, if it has one."""
        found = re.search(r"<form\b.*?</form>", self.text, re.DOTALL)
        if not found:
            return None
        address = attribute(re.match(r"<form\b[^>]*>", found[0])[0], "action")
        fields = re.findall(r"<input\b[^>]*>", found[0])
        named = {attribute(field, "name"): attribute(field, "value") or "" for field in fields}
        return urljoin(self.address, address), named


def attribute(tag, name):
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return found and html.unescape(found[1])


class Browser:
    """One person with a browser, who has not been anywhere yet."""

    def __init__(self):
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(cookies, Unfollowed, urllib.request.ProxyHandler({}))

    def open(self, address, fields=None):
        """One request: a `GET`, or a `POST` of these fields."""
        body = None if fields is None else urlencode(fields).encode()
        request = urllib.request.Request(address, body, HEADERS)
        try:
            with self.opener.open(request, timeout=CALL_SECONDS) as answer:
                return Page(address, answer)
        except urllib.error.HTTPError as answer:
            with answer:
                return Page(address, answer)

    def follow(self, page, until=lambda address: False, turn=lambda address: address):
        """Redirects from a page on, up to one that leads to an address which is not to be opened (that address), or to
        the page where there is none (that page). `turn` may put another address into the place of one."""
        for _ in range(STEPS):
            target = page.location()
            if target is None:
                return page
            if until(target):
                return target
            page = self.open(turn(target))
        raise AssertionError(f"still no end after {STEPS} redirects: {page}")


def deny(address):
    """The account says no at the first thing that it is asked."""
    return f"{address}/abort" if urlsplit(address).path.startswith("/interaction/") else address


def authorize(address, callback, turn=lambda address: address):
    """Log in at the address of an authorization request: the address of the loopback callback that it ends with."""
    browser = Browser()
    target = browser.follow(browser.open(address), lambda target: target.split("?")[0] == callback, turn)
    assert isinstance(target, str), f"the authorization server did not send the browser back to {callback}: {target}"
    return target


def confirm(address, user_code, agreed=True):
    """Confirm a device, or say no to it, at the address that it shows."""
    browser = Browser()
    page = browser.open(address)
    # Without the code in the address it has to be typed; with it, the form sends itself.
    for _ in range(2):
        form = page.form()
        assert form, f"no form to confirm a device with: {page}"
        target, fields = form
        if "confirm" in fields:
            break
        page = browser.follow(browser.open(target, {**fields, "user_code": user_code}))
    assert "confirm" in fields, f"the server does not ask whether the device is meant: {page}"
    if not agreed:
        del fields["confirm"]
        fields["abort"] = "yes"
    page = browser.follow(browser.open(target, fields))
    word = "Sign-in Success" if agreed else "interrupted"
    assert word in page.text, f"the device is not {'confirmed' if agreed else 'denied'}: {page}"
