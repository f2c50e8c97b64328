"""Cookies that the application sets beside the session's."""

import logging
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from sessionware import SessionMiddleware
from tests.gateway import KEY, Response, call


def respond(*set_cookies: str, change: bool = True) -> Response:
    """A response that sets these cookies, and perhaps the session's."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        if change:
            environ["session"]["a"] = 1
        start_response("200 OK", [("set-cookie", value) for value in set_cookies])
        return []

    return call(SessionMiddleware(app, KEY))


def test_cookies_of_other_names_stay(caplog: pytest.LogCaptureFixture) -> None:
    cookies = respond("theme=dark", "xsession=1").headers.getlist("Set-Cookie")
    assert cookies[:2] == ["theme=dark", "xsession=1"]
    assert len(cookies) == 3
    assert caplog.records == []


def test_cookie_of_the_same_name_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """As of another framework's session: a browser keeps one, and the other's data is lost."""
    assert len(respond("session=another").headers.getlist("Set-Cookie")) == 2
    [record] = caplog.records
    assert (record.levelno, vars(record)["reason"]) == (logging.WARNING, "cookie_name_taken")
    assert record.getMessage() == (
        "The response sets a cookie named 'session' already, the application's or another "
        "SessionMiddleware's, and a browser keeps one of them: give this SessionMiddleware "
        "another cookie_name (cookie_name_taken)."
    )


def test_cookie_of_the_same_name_alone_is_the_application_s_own_affair(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert respond("session=another", change=False).set_cookie == "session=another"
    assert caplog.records == []
