"""What Flask's own tests ask of its test client, for Flask's cookie and for ours.

After ``tests/test_testing.py`` of Flask 3.1.3; then what only ours has to answer.
"""

from typing import Any

import flask
import pytest
from flask import session
from flask.testing import FlaskClient
from werkzeug.middleware.proxy_fix import ProxyFix

from sessionware.testing import session_transaction
from tests.peers.flask_sites import MakeApp, both, ours, put, read, wrap


@both
def test_both_requests_of_a_redirect_change_it(make: MakeApp) -> None:
    def leave() -> flask.Response:
        session["redirect"] = True
        return flask.Response(status=302, headers={"Location": "/target"})

    with make(leave=leave, target=put(target=True)).test_client() as client:
        client.get("/leave", follow_redirects=True)
        assert dict(session) == {"redirect": True, "target": True}


@both
def test_transaction_reads_and_changes_it(make: MakeApp) -> None:
    with make(read=read).test_client() as client:
        with client.session_transaction() as kept:
            assert len(kept) == 0
            kept["a"] = [42]
            assert len(kept) == 1
        assert client.get("/read").text == "[42]"
        with client.session_transaction() as kept:
            assert dict(kept) == {"a": [42]}


@both
def test_transaction_that_raises_changes_nothing(make: MakeApp) -> None:
    client = make().test_client()
    with pytest.raises(ZeroDivisionError), client.session_transaction() as kept:
        kept["a"] = 1 / len(kept)
    assert client.get_cookie("session") is None


@both
def test_transaction_without_a_secret_key_is_an_error(make: MakeApp) -> None:
    with (
        pytest.raises(RuntimeError, match="Session backend did not open a session"),
        make(None).test_client().session_transaction(),
    ):
        pass


@both
def test_transaction_keeps_the_context(make: MakeApp) -> None:
    app = make()
    with app.test_request_context():
        request = flask.request._get_current_object()  # type: ignore[attr-defined]  # a proxy
        with app.test_client().session_transaction():
            assert flask.request._get_current_object() is request  # type: ignore[attr-defined]


@both
def test_transaction_needs_cookies(make: MakeApp) -> None:
    client: FlaskClient = make().test_client(use_cookies=False)
    with pytest.raises(TypeError, match="Cookies are disabled"), client.session_transaction():
        pass


def test_transaction_goes_through_the_middleware_wherever_it_stands() -> None:
    app = ours(read=read)
    wrap(app, environ_key="other", cookie_name="other")
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]  # Flask says so
    client = app.test_client()
    with client.session_transaction() as kept:
        kept["a"] = 42
    assert client.get("/read").text == "42"


def test_transaction_over_https_gives_a_secure_cookie() -> None:
    client = ours().test_client()
    with client.session_transaction(base_url="https://localhost/") as kept:
        kept["a"] = 42
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert cookie.secure


def test_transaction_that_only_reads_gives_no_cookie() -> None:
    client = ours().test_client()
    with client.session_transaction() as kept:
        assert "a" not in kept
    assert client.get_cookie("session") is None


def test_transaction_of_sessionware_works_with_flasks_client() -> None:
    app = ours(read=read)
    client = app.test_client()
    middleware: Any = app.wsgi_app
    with session_transaction(client, middleware) as kept:
        kept["a"] = 42
    assert client.get("/read").text == "42"
