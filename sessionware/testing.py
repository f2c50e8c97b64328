"""Read and change a test client's session between requests.

Like ``session_transaction`` of Flask's test client, for any client that keeps cookies.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import Message
from http.cookiejar import CookieJar
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit
from urllib.request import Request
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.datastructures import Headers
from werkzeug.test import Client, create_environ

from .errors import UsageError
from .middleware import SessionMiddleware

# By name, because none is a dependency: package and class, and where its CookieJar is.
_COOKIEJARS = {
    ("webtest", "TestApp"): attrgetter("cookiejar"),
    ("requests", "Session"): attrgetter("cookies"),
    ("httpx", "Client"): attrgetter("cookies.jar"),
}


@contextmanager
def session_transaction(
    client: object, middleware: SessionMiddleware, url: str = "http://localhost/"
) -> Iterator[Any]:
    """Open the client's session as a request to ``url`` would, and save it after the block.

    ``client`` is a webtest.TestApp, werkzeug.test.Client, requests.Session or httpx.Client. The
    cookie goes through the client's own jar, so its attributes have to allow ``url``. If the block
    raises an exception, the jar stays as it was. Raises UsageError for a wrong argument, and all
    that saving raises (SessionTooLarge, UnserializableValue).
    """
    jar = _jar_of(client)
    _check(middleware, url)
    environ = _environ_of(url)
    if cookie := jar.cookie_header(url):
        environ["HTTP_COOKIE"] = cookie
    headers = Headers()
    # A whole request, to an application that waits until the block is over.
    visit: Any = SessionMiddleware(_wait, interface=middleware.interface)
    with closing(visit(environ, lambda _, fields, *__: headers.extend(fields))) as body:
        yield environ["session"]
        list(body)
    sent = headers.getlist("Set-Cookie")
    jar.take(url, sent)
    pairs = [line.partition(";")[0] for line in sent]
    kept = jar.cookie_header(url).split("; ")
    if lost := [pair.partition("=")[0] for pair in pairs if pair[-1:] != "=" and pair not in kept]:
        raise UsageError(
            f"url: the client does not send the cookie {lost[0]!r} to {url!r}: use a url that the "
            "cookie's domain, path and Secure allow"
        )


def _wait(_: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield b""


class _Jar(Protocol):
    """A client's cookies, as session_transaction uses them."""

    def cookie_header(self, url: str) -> str:
        """Return the Cookie header of a request to the url, or an empty str."""

    def take(self, url: str, set_cookies: list[str]) -> None:
        """Store these Set-Cookie headers like those of a response."""


class _StandardJar:
    """The standard library's CookieJar, which WebTest, requests and httpx use."""

    def __init__(self, jar: CookieJar) -> None:
        self._jar = jar

    def cookie_header(self, url: str) -> str:
        request = Request(url)  # noqa: S310  # it is never sent
        self._jar.add_cookie_header(request)
        return request.get_header("Cookie", "")

    def take(self, url: str, set_cookies: list[str]) -> None:
        headers = Message()
        for line in set_cookies:
            headers["Set-Cookie"] = line
        response: Any = SimpleNamespace(info=lambda: headers)
        self._jar.extract_cookies(response, Request(url))  # noqa: S310  # it is never sent


class _WerkzeugJar:
    """The cookies of werkzeug's client, by the two methods that Flask's test client uses."""

    def __init__(self, client: Client) -> None:
        try:
            client.get_cookie("")
        except TypeError as error:
            raise UsageError(f"client: {error}") from None
        self._client = client

    def cookie_header(self, url: str) -> str:
        environ = _environ_of(url)
        self._client._add_cookies_to_wsgi(environ)
        return str(environ.get("HTTP_COOKIE", ""))

    def take(self, url: str, set_cookies: list[str]) -> None:
        target = urlsplit(url)
        host = target.hostname or ""
        self._client._update_cookies_from_response(host, target.path, set_cookies)


def _jar_of(client: object) -> _Jar:
    if isinstance(client, Client):
        return _WerkzeugJar(client)
    for kind in type(client).__mro__:
        find = _COOKIEJARS.get((kind.__module__.partition(".")[0], kind.__name__))
        if find is not None:
            return _StandardJar(find(client))
    raise UsageError(
        f"client: found {type(client).__qualname__}, expected a webtest.TestApp, "
        "werkzeug.test.Client, requests.Session or httpx.Client"
    )


def _check(middleware: object, url: str) -> None:
    if not isinstance(middleware, SessionMiddleware):
        found = type(middleware).__qualname__
        raise UsageError(f"middleware: found {found}, expected the application's SessionMiddleware")
    target = urlsplit(url)
    if target.scheme not in ("http", "https") or not target.hostname:
        raise UsageError(f"url: found {url!r}, expected one like 'http://localhost/'")


def _environ_of(url: str) -> WSGIEnvironment:
    return create_environ(url, urljoin(url, "/"))
