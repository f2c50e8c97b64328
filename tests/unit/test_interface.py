"""SessionInterface: custom ones; SecureCookieSessionInterface: the application's own cookies."""

import logging
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.datastructures import Headers

from sessionware import NullSession, SessionInterface, SessionMiddleware
from sessionware.errors import UsageError
from tests.gateway import Response, call, make_environ, run
from tests.sites import Act
from tests.unit.applications import TEXT, App, acting, count, every_shape
from tests.unit.interfaces import MySessionInterface, SharedInterface


def write(**data: Any) -> Act:
    return lambda session: session.update(data)


# The application's own cookies


def respond(*set_cookies: str, change: bool = True) -> Response:
    """Return a response that sets these cookies, and the session cookie if ``change``."""
    act = write(a=1) if change else id
    return call(acting(act, *(("set-cookie", value) for value in set_cookies)))


def test_cookies_of_other_names_stay(caplog: pytest.LogCaptureFixture) -> None:
    cookies = respond("theme=dark", "xsession=1").headers.getlist("Set-Cookie")
    assert cookies[:2] == ["theme=dark", "xsession=1"]
    assert len(cookies) == 3
    assert cookies[2].startswith("session=")
    assert caplog.records == []


@pytest.mark.parametrize("space", ["", " "], ids=["Flask", "Django"])
def test_cookie_of_the_same_name_is_warned_about(
    caplog: pytest.LogCaptureFixture, space: str
) -> None:
    """For example, Flask's own session: a browser keeps one cookie and loses the other's data."""
    assert len(respond(f"{space}session=another").headers.getlist("Set-Cookie")) == 2
    [record] = caplog.records
    assert (record.levelno, vars(record)["reason"]) == (logging.WARNING, "cookie_name_taken")
    assert record.getMessage() == (
        "The application, or another SessionMiddleware, already sets a cookie named 'session', "
        "and browsers keep only one: give this SessionMiddleware another cookie_name "
        "(cookie_name_taken)."
    )


def test_cookie_of_the_same_name_is_allowed_if_the_session_sets_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert respond("session=another", change=False).set_cookie == "session=another"
    assert caplog.records == []


# Custom interfaces


def test_a_custom_interface_has_to_implement_two_methods() -> None:
    interface = SessionInterface()
    with pytest.raises(NotImplementedError):
        interface.open_session(make_environ())
    with pytest.raises(NotImplementedError):
        interface.save_session(make_environ(), {}, Headers())
    assert interface.is_null_session(interface.make_null_session(make_environ()))
    assert not interface.is_null_session({})


def test_flasks_documented_interface_works() -> None:
    middleware = SessionMiddleware(count, interface=(interface := MySessionInterface()))
    ada, bob = call(middleware), call(middleware)
    call(middleware, ada.cookie)
    assert (ada.cookie, bob.cookie) == ("sid=sid-0", "sid=sid-1")
    assert interface.kept == {"sid-0": {"n": 2}, "sid-1": {"n": 1}}


def test_custom_session_that_was_not_accessed_is_not_saved() -> None:
    app = App("list", lambda app: setattr(app.session, "accessed", False))
    assert call(SessionMiddleware(app, interface=MySessionInterface())).header_list == TEXT


@every_shape
@pytest.mark.parametrize("interface", [None, MySessionInterface()], ids=["no key", "None"])
def test_null_session_stands_in_for_none_and_is_never_saved(shape: str, interface: Any) -> None:
    environ = make_environ("session=forged", QUERY_STRING="down")
    response = run(SessionMiddleware(App(shape, App.look), interface=interface), environ)
    assert type(environ["session"]) is NullSession
    assert response.header_list == TEXT


def test_sub_request_shares_a_session_object_that_an_earlier_request_sealed() -> None:
    seen: list[Response] = []

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/":
            seen.append(run(middleware, environ | {"PATH_INFO": "/sub"}))
        return count(environ, start)

    middleware = SessionMiddleware(app, interface=SharedInterface())
    assert all("Set-Cookie" in call(middleware).headers for _ in range(2))
    assert not any("Set-Cookie" in response.headers for response in seen)


def test_session_that_is_not_a_session_mixin_is_an_error() -> None:
    class Plain(MySessionInterface):
        def open_session(self, environ: WSGIEnvironment) -> Any:
            return {}

    with pytest.raises(UsageError) as caught:
        call(SessionMiddleware(count, interface=Plain()))
    assert str(caught.value) == (
        "test_session_that_is_not_a_session_mixin_is_an_error.<locals>.Plain"
        ".open_session returned a dict, expected a SessionMixin or None"
    )


def test_custom_null_session_is_made_for_its_request() -> None:
    class Down(SessionInterface):
        def open_session(self, environ: Any) -> None:
            return None

        def save_session(self, environ: Any, session: Any, headers: Headers) -> None:
            raise AssertionError

        def make_null_session(self, environ: Any) -> NullSession:
            asked.append(environ)
            return NullSession()

    asked: list[Any] = []
    environ = make_environ()
    run(SessionMiddleware(App("list", App.look), interface=Down()), environ)
    assert len(asked) == 1
    assert asked[0] is environ
