"""A cookie of which little is told, as another framework's that is deleted."""

import logging
from typing import Any

import pytest

from sessionware import SecureCookieSessionInterface, SessionMiddleware
from sessionware.cookie import SessionCookie
from sessionware.migration import FlaskCookie
from tests.gateway import KEY, call


def test_a_cookie_is_by_itself_what_it_is_without_settings() -> None:
    """HttpOnly and SameSite=Lax, so that forgetting one never makes it weaker."""
    assert SessionCookie() == SecureCookieSessionInterface(KEY).cookie


def test_deleting_another_framework_s_secure_cookie_over_http_is_not_warned_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing in the settings of ours would change it."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        session = environ["session"]
        session.invalidate() if session else session.update(user="ada")
        start_response("200 OK", [])
        return []

    foreign = FlaskCookie(KEY, session_cookie_name="__Host-old")
    middleware = SessionMiddleware(app, KEY, migrate_from=[foreign])
    reply = call(middleware, call(middleware).cookie)
    assert "__Host-old=; " in str(reply.headers)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
