"""A pytest plugin: every Flask application that has a key gets our sessions, at its first request.

It is for the tests that other projects have published, which know nothing of it.
"""

from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

import flask
import pytest
from flask.sessions import SecureCookieSessionInterface

from sessionware.flask import Sessions

KEYS: WeakKeyDictionary[flask.Flask, list[str]] = WeakKeyDictionary()
"""The keys with which each application has got our sessions."""

names: list[str] = []
request_context = flask.Flask.request_context


def with_ours(app: flask.Flask, environ: Any) -> Any:
    if app.secret_key and type(app.session_interface) is SecureCookieSessionInterface:
        put_on(app)
    elif KEYS.get(app, keys_of(app)) != keys_of(app):  # in a test of its own with a newer key
        app.session_interface = SecureCookieSessionInterface()
        put_on(app)
    return request_context(app, environ)


def put_on(app: flask.Flask) -> None:
    KEYS[app] = keys_of(app)
    names.append(app.name)
    Sessions(app, secret_key=KEYS[app][0], secret_key_fallbacks=KEYS[app][1:])


def keys_of(app: flask.Flask) -> list[str]:
    """Return the newest key and the older ones, made longer: theirs are words such as "dev"."""
    keys = [app.secret_key or "", *(app.config["SECRET_KEY_FALLBACKS"] or ())]
    return [sha256(key.encode() if isinstance(key, str) else key).hexdigest() for key in keys]


flask.Flask.request_context = with_ours  # type: ignore[assignment, method-assign]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"{len(names)} applications had our sessions")
