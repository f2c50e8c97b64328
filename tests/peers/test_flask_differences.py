"""Where our session under Flask answers otherwise than Flask's own: each difference, both ways."""

from typing import Any

import flask
import pytest
from flask import session
from markupsafe import Markup

from sessionware import ConfigurationError, LateWrite, UnserializableValue
from sessionware.flask import EnvironSessionInterface
from tests.conftest import Clock
from tests.gateway import KEY
from tests.peers.flask_sites import (
    Page,
    clear,
    flasks,
    ours,
    put,
    put_permanent,
    read,
    set_cookies,
    vary,
    wrap,
)

SETTINGS: dict[str, Any] = {
    "cookie_name": "sid",
    "cookie_domain": "example.com",
    "cookie_path": "/test",
    "cookie_secure": True,
    "cookie_httponly": False,
    "cookie_samesite": "Strict",
    "cookie_partitioned": True,
}


def configured(**settings: Any) -> flask.Flask:
    """Make an application with these settings of the middleware."""
    app = flasks(put=put(a=1), clear=clear, read=read)
    wrap(app, **settings)
    app.session_interface = EnvironSessionInterface()
    return app


def test_settings_of_the_cookie_are_the_middlewares() -> None:
    client = configured(**SETTINGS).test_client()
    base = "https://www.example.com/test"
    attributes = "; Secure; Domain=example.com; Path=/test; SameSite=Strict; Partitioned"
    [written] = set_cookies(client.get("/put", base))
    [deleted] = set_cookies(client.get("/clear", base))
    assert written.startswith("sid=")
    assert written.endswith(attributes)
    assert deleted.startswith("sid=;")
    assert deleted.endswith(attributes)


@pytest.mark.parametrize("make", [flasks, ours])
def test_settings_in_flasks_configuration_are_flasks_alone(make: Any) -> None:
    app = make(put=put(a=1))
    app.config.update(
        APPLICATION_ROOT="/foo",
        SESSION_COOKIE_NAME="sid",
        SESSION_COOKIE_DOMAIN="example.com",
        SESSION_COOKIE_SAMESITE="Strict",
    )
    [cookie] = set_cookies(app.test_client().get("/put", "http://example.com/foo"))
    expected = ["Domain=example.com", "HttpOnly", "Path=/foo", "SameSite=Strict"]
    assert sorted(cookie.split("; ")[1:]) == (
        expected if make is flasks else ["HttpOnly", "Path=/", "SameSite=Lax"]
    )


def test_wrong_setting_is_an_error_at_once_and_not_in_a_request() -> None:
    with pytest.raises(ConfigurationError, match="cookie_samesite: found 'invalid'"):
        configured(cookie_samesite="invalid")


def test_keys_are_rotated_with_the_middlewares_fallbacks() -> None:
    app = configured()
    client = app.test_client()
    client.get("/put")

    def shown(key: str, *fallbacks: str) -> str:
        follower = flasks(key, read=read)
        wrap(follower, secret_key_fallbacks=fallbacks)
        follower.session_interface = EnvironSessionInterface()
        kept = client.get_cookie("session")
        assert kept is not None
        other = follower.test_client()
        other.set_cookie("session", kept.value)
        return other.get("/read").text

    assert shown("another " * 5) == "None"
    assert shown("another " * 5, "older " * 6, KEY) == "1"


@pytest.mark.parametrize("make", [flasks, ours])
def test_permanent_session_is_issued_again_when_it_is_read_and_old(make: Any, clock: Clock) -> None:
    # Flask: with every response, also one that never looked at it (SESSION_REFRESH_EACH_REQUEST).
    client = make(put=put_permanent, read=read, nothing=str).test_client()
    client.get("/put")
    assert len(set_cookies(client.get("/read"))) == (make is flasks)
    assert len(vary(client.get("/nothing"))) == (make is flasks)
    clock.advance(4 * 24 * 60 * 60)
    assert len(set_cookies(client.get("/read"))) == 1


@pytest.mark.parametrize("make", [flasks, ours])
def test_nested_change_is_saved_without_being_told_of(make: Any) -> None:
    client = make(put=put(a=[]), add=lambda: session["a"].append(1), read=read).test_client()
    for page in ("/put", "/add"):
        client.get(page)
    assert client.get("/read").text == ("[]" if make is flasks else "[1]")


@pytest.mark.parametrize("make", [flasks, ours])
def test_change_while_the_body_is_sent_is_an_error_and_not_lost(make: Any) -> None:
    def stream() -> flask.Response:
        return flask.Response(flask.stream_with_context(str(put(a=1)()) for _ in "."))

    client = make(stream=stream).test_client()
    if make is flasks:
        assert set_cookies(client.get("/stream")) == []
    else:
        with pytest.raises(LateWrite):
            client.get("/stream")


@pytest.mark.parametrize("make", [flasks, ours])
def test_markup_is_refused_by_name(make: Any) -> None:
    value = Markup("<em>Testing</em>")
    pages: dict[str, Page] = {"put": put(a=value), "read": lambda: repr(read())}
    client = make(**pages).test_client()
    if make is flasks:
        client.get("/put")
        assert client.get("/read").text == repr(value)
    else:
        with pytest.raises(UnserializableValue, match=r'session\["a"\] is of type markupsafe'):
            client.get("/put")
