"""Sessions of one's own, through the interface that Flask documents."""

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.datastructures import Headers
from werkzeug.http import dump_cookie, parse_cookie

from sessionware import NullSession, SessionInterface, SessionMiddleware, SessionMixin
from sessionware.errors import UsageError
from tests.gateway import Response, call, make_environ, run
from tests.unit.test_middleware import count
from tests.unit.test_middleware_protocol import TEXT, App, every_shape


class MySession(dict[str, Any], SessionMixin):
    pass


class MySessionInterface(SessionInterface):
    """Flask's documented interface: sessions kept here, unless it is down."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def open_session(self, environ: WSGIEnvironment) -> SessionMixin | None:
        if environ["QUERY_STRING"] == "down":
            return None
        return MySession(self.kept.get(parse_cookie(environ).get("sid", ""), {}))

    def save_session(self, environ: WSGIEnvironment, session: Any, headers: Headers) -> None:
        sid = parse_cookie(environ).get("sid", f"sid-{len(self.kept)}")
        self.kept[sid] = dict(session)
        headers.add("Set-Cookie", dump_cookie("sid", sid))


def test_flasks_documented_interface_works_as_it_stands() -> None:
    middleware = SessionMiddleware(count, interface=(interface := MySessionInterface()))
    ada, bob = call(middleware), call(middleware)
    call(middleware, ada.cookie)
    assert (ada.cookie, bob.cookie) == ("sid=sid-0", "sid=sid-1")
    assert interface.kept == {"sid-0": {"n": 2}, "sid-1": {"n": 1}}


def test_session_that_says_that_it_was_not_accessed_is_not_saved() -> None:
    app = App("list", lambda app: setattr(app.session, "accessed", False))
    assert call(SessionMiddleware(app, interface=MySessionInterface())).header_list == TEXT


@every_shape
@pytest.mark.parametrize("interface", [None, MySessionInterface()], ids=["no key", "None"])
def test_null_session_stands_in_for_none_and_is_never_saved(shape: str, interface: Any) -> None:
    environ = make_environ("session=forged", QUERY_STRING="down")
    response = run(SessionMiddleware(App(shape, App.look), interface=interface), environ)
    assert type(environ["session"]) is NullSession
    assert response.header_list == TEXT


class SharedInterface(MySessionInterface):
    """Gives the one object that it keeps, in every request."""

    session = MySession()

    def open_session(self, environ: WSGIEnvironment) -> SessionMixin:
        return self.session


def test_sub_request_finds_a_session_open_that_an_earlier_request_sealed() -> None:
    seen: list[Response] = []

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/":
            seen.append(run(middleware, environ | {"PATH_INFO": "/sub"}))
        return count(environ, start)

    middleware = SessionMiddleware(app, interface=SharedInterface())
    assert all("Set-Cookie" in call(middleware).headers for _ in range(2))
    assert not any("Set-Cookie" in response.headers for response in seen)


def test_session_that_is_no_session_mixin_is_an_error_that_says_so() -> None:
    class Plain(MySessionInterface):
        def open_session(self, environ: WSGIEnvironment) -> Any:
            return {}

    with pytest.raises(UsageError) as caught:
        call(SessionMiddleware(count, interface=Plain()))
    assert str(caught.value) == (
        "test_session_that_is_no_session_mixin_is_an_error_that_says_so.<locals>.Plain"
        ".open_session gave a dict, expected a SessionMixin or None"
    )
