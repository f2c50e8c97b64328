"""``session_transaction``: read and change a test client's session between requests."""

from collections.abc import Iterable
from contextlib import suppress
from email.message import Message
from types import SimpleNamespace
from typing import Any
from urllib.parse import urljoin
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import httpx
import pytest
import requests
import webtest
from requests.adapters import BaseAdapter
from werkzeug.datastructures import Headers
from werkzeug.test import Client

from sessionware import LateWrite, NullSession, SessionMiddleware
from sessionware.errors import SessionTooLarge, SessionUnavailable, UsageError
from sessionware.testing import session_transaction
from tests.conftest import Clock
from tests.gateway import KEY
from tests.unit.interfaces import MySessionInterface, SharedInterface

SITE = "http://www.example.org/"


def count(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Count visits, except to ``/look``. A visit to ``/permanent`` makes the session permanent."""
    session = environ["session"]
    if environ["PATH_INFO"] != "/look":
        session["n"] = session.get("n", 0) + 1
        session.permanent = environ["PATH_INFO"] == "/permanent"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(session.get("n")).encode()]


class Wire(BaseAdapter):
    """An adapter for ``requests`` that sends each request to a WSGI application."""

    def __init__(self, app: WSGIApplication) -> None:
        super().__init__()
        self.app = app

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        url = request.url or ""
        client = Client(self.app, use_cookies=False)
        answer = client.get(url, base_url=urljoin(url, "/"), headers=dict(request.headers))
        message = Message()
        for name, value in answer.headers:
            message[name] = value
        response = requests.Response()
        response.status_code = answer.status_code
        response.raw = SimpleNamespace(_original_response=SimpleNamespace(msg=message))
        response._content = answer.data
        return response


class Visitor:
    """A test client of one of the four kinds, with one interface for all."""

    def __init__(self, kind: str, app: SessionMiddleware) -> None:
        self.app = app
        self.client: Any = getattr(self, kind)()

    def webtest(self) -> object:
        return webtest.TestApp(self.app)

    def werkzeug(self) -> object:
        return Client(self.app)

    def requests(self) -> object:
        session = requests.Session()
        session.mount("http://", Wire(self.app))
        session.mount("https://", Wire(self.app))
        return session

    def httpx(self) -> object:
        return httpx.Client(transport=httpx.WSGITransport(self.app))

    def get(self, url: str = "http://localhost/look") -> str:
        """Send a request, and return the text of the response."""
        base = {"base_url": urljoin(url, "/")} if isinstance(self.client, Client) else {}
        return str(self.client.get(url, **base).text)

    def jar(self) -> list[object]:
        """Return all that the client stores about its cookies."""
        if isinstance(self.client, Client):
            return [*(self.client._cookies or {}).values()]
        jar = self.client.cookiejar if hasattr(self.client, "cookiejar") else self.client.cookies
        return [vars(cookie) for cookie in getattr(jar, "jar", jar)]

    def transaction(self, **url: str) -> Any:
        return session_transaction(self.client, self.app, **url)


@pytest.fixture(params=["webtest", "werkzeug", "requests", "httpx"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def visitor(kind: str) -> Visitor:
    return Visitor(kind, SessionMiddleware(count, KEY))


def test_next_request_finds_the_change(visitor: Visitor) -> None:
    with visitor.transaction() as session:
        session["n"] = 41
    assert visitor.get("http://localhost/") == "42"


def test_session_of_the_last_request_can_be_read(visitor: Visitor) -> None:
    visitor.get("http://localhost/")
    with visitor.transaction() as session:
        assert dict(session) == {"n": 1}
        assert not session.new


def test_only_reading_changes_nothing(visitor: Visitor, clock: Clock) -> None:
    visitor.get("http://localhost/")
    before = visitor.jar()
    clock.advance(1)
    with visitor.transaction() as session:
        assert session["n"] == 1
    assert visitor.jar() == before


def test_exception_in_the_block_changes_nothing(visitor: Visitor) -> None:
    visitor.get("http://localhost/")
    before = visitor.jar()
    with pytest.raises(ZeroDivisionError), visitor.transaction() as session:
        session["n"] = 1 / 0 if session.pop("n") else 0
    assert visitor.jar() == before


def test_session_that_cannot_be_saved_changes_nothing(visitor: Visitor) -> None:
    visitor.get("http://localhost/")
    before = visitor.jar()
    with pytest.raises(SessionTooLarge), visitor.transaction() as session:
        session["n"] = "".join(map(chr, range(1000, 3000)))
    assert visitor.jar() == before


def test_emptying_the_session_removes_the_cookie(visitor: Visitor) -> None:
    visitor.get("http://localhost/")
    with visitor.transaction() as session:
        session.clear()
    assert visitor.jar() == []


def test_change_after_the_block_is_refused(visitor: Visitor) -> None:
    with visitor.transaction() as session:
        pass
    with pytest.raises(LateWrite):
        session["n"] = 1


@pytest.mark.parametrize("path", ["", "permanent"])
@pytest.mark.parametrize("url", [SITE, SITE.replace("http", "https")])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"cookie_name": "__Host-sid", "cookie_samesite": "None"},
        {"cookie_domain": "example.org", "cookie_httponly": False},
        {"cookie_path": "/permanent", "cookie_secure": False},
    ],
    ids=str,
)
def test_cookie_is_the_one_that_a_response_sets(
    kind: str, settings: dict[str, Any], url: str, path: str, clock: Clock
) -> None:
    served, prepared = (Visitor(kind, SessionMiddleware(count, KEY, **settings)) for _ in range(2))
    served.get(url + path)
    with suppress(UsageError), prepared.transaction(url=url + path) as session:
        session["n"] = 1
        session.permanent = path == "permanent"
    assert len(served.jar()) == 1
    assert prepared.jar() == served.jar()


def test_cookie_without_a_path_gets_that_of_the_url(kind: str) -> None:
    class Interface(MySessionInterface):
        def save_session(self, environ: WSGIEnvironment, session: Any, headers: Headers) -> None:
            headers.add("Set-Cookie", "sid=1")

    middleware = SessionMiddleware(count, interface=Interface())
    served, prepared = Visitor(kind, middleware), Visitor(kind, middleware)
    served.get("http://localhost/a/b")
    with prepared.transaction(url="http://localhost/a/b"):
        pass
    assert len(served.jar()) == 1
    assert prepared.jar() == served.jar()


def test_session_of_one_host_is_not_sent_to_another(visitor: Visitor) -> None:
    with visitor.transaction(url=SITE) as session:
        session["n"] = 41
    with visitor.transaction(url="http://www.example.com/") as session:
        assert session == {}
    assert visitor.get(SITE) == "42"


def test_secure_cookie_is_sent_only_over_https() -> None:
    visitor = Visitor("requests", SessionMiddleware(count, KEY))
    with visitor.transaction(url="https://localhost/") as session:
        session["n"] = 41
    with visitor.transaction(url="http://localhost/") as session:
        assert session == {}
    assert visitor.get("https://localhost/look") == "41"


def test_other_cookies_stay(visitor: Visitor) -> None:
    neighbour = SessionMiddleware(count, KEY, cookie_name="neighbour")
    with session_transaction(visitor.client, neighbour) as session:
        session["n"] = 7
    with visitor.transaction() as session:
        session["n"] = 41
    with session_transaction(visitor.client, neighbour) as session:
        assert session["n"] == 7


def test_environ_key_makes_no_difference(kind: str) -> None:
    visitor = Visitor(kind, SessionMiddleware(count, KEY, environ_key="my.session"))
    with visitor.transaction() as session:
        session["n"] = 41
    with visitor.transaction() as session:
        assert session["n"] == 41


def test_custom_interface_works_with_its_own_cookie(kind: str) -> None:
    interface = MySessionInterface()
    visitor = Visitor(kind, SessionMiddleware(count, interface=interface))
    with visitor.transaction() as session:
        session["n"] = 41
    assert visitor.get("http://localhost/") == "42"
    assert list(interface.kept) == ["sid-0"]


def test_interface_may_return_the_same_object_again(kind: str) -> None:
    visitor = Visitor(kind, SessionMiddleware(count, interface=SharedInterface()))
    for step in range(2):
        with visitor.transaction() as session:
            session["step"] = step


def test_interface_sees_a_request_to_the_url(kind: str) -> None:
    visitor = Visitor(kind, SessionMiddleware(count, interface=MySessionInterface()))
    with visitor.transaction(url="http://localhost/?down") as session:
        assert isinstance(session, NullSession)


def test_without_a_key_the_error_says_what_to_do(kind: str) -> None:
    visitor = Visitor(kind, SessionMiddleware(count))
    with visitor.transaction() as session:
        assert session == {}
        with pytest.raises(SessionUnavailable, match="Set the secret_key of SessionMiddleware"):
            session["n"] = 1


def test_subclass_of_a_client_is_accepted() -> None:
    class Mine(httpx.Client):
        pass

    with session_transaction(Mine(), SessionMiddleware(count, KEY)) as session:
        assert session == {}


def refusal(client: object, middleware: Any, url: str = "http://localhost/") -> str:
    with pytest.raises(UsageError) as caught, session_transaction(client, middleware, url):
        pass
    return str(caught.value)


@pytest.mark.parametrize("client", [None, count, requests.Response(), httpx.AsyncClient()])
def test_any_other_client_is_an_error_that_lists_the_four_kinds(client: object) -> None:
    assert refusal(client, SessionMiddleware(count, KEY)) == (
        f"client: found {type(client).__qualname__}, expected a webtest.TestApp, "
        "werkzeug.test.Client, requests.Session or httpx.Client"
    )


def test_client_without_cookies_is_an_error() -> None:
    app = SessionMiddleware(count, KEY)
    assert refusal(Client(app, use_cookies=False), app).startswith("client: Cookies are disabled")


def test_argument_that_is_not_a_middleware_is_an_error(visitor: Visitor) -> None:
    assert refusal(visitor.client, count) == (
        "middleware: found function, expected the application's SessionMiddleware: pass that, not "
        "what is around it (in Pyramid: app.registry['sessionware'])"
    )


@pytest.mark.parametrize("url", ["", "/", "localhost", "localhost:80/", "http:///", "ftp://a/"])
def test_url_has_to_be_absolute(visitor: Visitor, url: str) -> None:
    assert refusal(visitor.client, visitor.app, url) == (
        f"url: found {url!r}, expected one like 'http://localhost/'"
    )


# A url that the cookie is not sent to


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (Client, {"cookie_path": "/app"}),
        (Client, {"cookie_domain": "example.com"}),
        (lambda _: requests.Session(), {"cookie_path": "/app"}),
        (lambda _: requests.Session(), {"cookie_domain": "example.com"}),
        (lambda _: requests.Session(), {"cookie_secure": True}),
    ],
)
def test_cookie_that_the_client_does_not_send_there_is_an_error(
    make: Any, settings: dict[str, Any]
) -> None:
    middleware = SessionMiddleware(count, KEY, **settings)
    with (
        pytest.raises(UsageError) as caught,
        session_transaction(make(middleware), middleware) as session,
    ):
        session["n"] = 1
    assert str(caught.value) == (
        "url: the client does not send the cookie 'session' to 'http://localhost/': use a url that "
        "the cookie's domain, path and Secure allow"
    )
