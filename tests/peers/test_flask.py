"""Flask's own tests of sessions, run with Flask's session and with ours, and the differences.

"Ours" are two: that of the middleware, and that of the extension.


Based on Flask 3.1.3: ``tests/test_session_interface.py``, ``tests/test_testing.py``, and the
tests of sessions in ``tests/test_basic.py``.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import flask
import pytest
from flask import session
from flask.globals import request_ctx
from flask.sessions import SecureCookieSessionInterface, SessionInterface
from flask.testing import FlaskClient
from markupsafe import Markup
from werkzeug.middleware.proxy_fix import ProxyFix

from sessionware import ConfigurationError, LateWrite
from sessionware.flask import EnvironSessionInterface
from sessionware.testing import session_transaction
from tests.conftest import Clock
from tests.gateway import KEY
from tests.peers.flask_sites import (
    MakeApp,
    Page,
    clear,
    each_way,
    each_way_of_ours,
    each_way_without_a_key,
    flasks,
    put,
    put_permanent,
    read,
    set_cookies,
    vary,
    wrap,
    wrapped,
)
from tests.processes import require


@each_way
def test_session_is_there_in_the_next_request(make: MakeApp) -> None:
    client = make(put=put(a=42), read=read).test_client()
    client.get("/put")
    assert client.get("/read").text == "42"


@each_way
@pytest.mark.parametrize(
    ("pages", "accessed", "modified"),
    [
        (["nothing"], False, False),
        (["put"], True, True),
        (["put", "read"], True, False),
        (["put", "nothing"], False, False),
    ],
    ids=["nothing", "put", "put, read", "put, nothing"],
)
def test_accessed_and_modified_are_set_by_this_request(
    make: MakeApp, pages: list[str], accessed: bool, modified: bool
) -> None:
    with make(put=put(a=1), read=read, nothing=str).test_client() as client:
        for page in pages:
            response = client.get(page)
        kept = request_ctx._session
        assert kept is not None
        assert (kept.accessed, kept.modified) == (accessed, modified)
        assert ("Cookie" in vary(response)) is accessed


@each_way_without_a_key
def test_without_a_secret_key_it_reads_as_empty_and_refuses_changes(make: MakeApp) -> None:
    changes: list[Page] = [put(a=1), lambda: session.pop("a"), clear, put_permanent]
    with make(None).test_request_context():
        assert read() is None
        for change in changes:
            with pytest.raises(RuntimeError, match="session is unavailable"):
                change()


@each_way_without_a_key
def test_without_a_secret_key_a_page_that_only_reads_is_shown(make: MakeApp) -> None:
    response = make(None, read=read).test_client().get("/read")
    assert (response.text, set_cookies(response)) == ("None", [])


@each_way
def test_permanent_session_has_an_expiry_of_31_days(make: MakeApp, clock: Clock) -> None:
    client = make(put=put_permanent, permanent=lambda: session.permanent).test_client()
    [cookie] = set_cookies(client.get("/put"))
    assert "Expires=" in cookie
    assert client.get("/permanent").text == "True"


@each_way
def test_session_that_is_not_permanent_ends_with_the_browser(make: MakeApp) -> None:
    def put_not_permanent() -> None:
        session["a"] = 1
        session.permanent = False

    client = make(forever=put_permanent, put=put_not_permanent).test_client()
    client.get("/forever")
    [cookie] = set_cookies(client.get("/put"))
    assert "Expires=" not in cookie
    assert "Max-Age=" not in cookie


@each_way
def test_after_request_may_still_change_it(make: MakeApp) -> None:
    app = make(read=read)

    @app.after_request
    def late(response: flask.Response) -> flask.Response:
        session["a"] = 42
        return response

    client = app.test_client()
    assert [client.get("/read").text for _ in range(2)] == ["None", "42"]


@each_way
@pytest.mark.parametrize(
    "value",
    [
        (1, 2, 3),
        b"\xff",
        UUID(int=7),
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        {" t": "not-a-tuple"},
        {" t__": "not-a-tuple"},
        {" di": "not-a-dict"},
        {"deep": [({"a": b"\x00"},)]},
    ],
    ids=repr,
)
def test_value_comes_back_unchanged(make: MakeApp, value: object) -> None:
    client = make(put=put(a=value), read=lambda: repr(session["a"])).test_client()
    client.get("/put")
    assert client.get("/read").text == repr(value)


@each_way
@pytest.mark.parametrize(
    "use",
    [put(a=1), read, lambda: session["a"], lambda: session.setdefault("a", 2), clear],
    ids=["put", "get", "[]", "setdefault", "clear"],
)
def test_any_use_varies_by_cookie(make: MakeApp, use: Page) -> None:
    client = make(first=put(a=1), use=use).test_client()
    client.get("/first")
    assert vary(client.get("/use")) == ["Cookie"]


@each_way
@pytest.mark.parametrize(
    ("stated", "expected"),
    [("Cookie", "Cookie"), ("Accept-Encoding, Accept", "Accept-Encoding, Accept, Cookie")],
)
def test_existing_vary_is_merged(make: MakeApp, stated: str, expected: str) -> None:
    def page() -> flask.Response:
        session["a"] = 1
        return flask.Response(headers={"Vary": stated})

    assert vary(make(page=page).test_client().get("/page")) == [expected]


@each_way
def test_response_without_a_use_of_the_session_is_left_alone(make: MakeApp) -> None:
    client = make(put=put(a=1), nothing=str).test_client()
    client.get("/put")
    response = client.get("/nothing")
    assert [*response.headers.keys()] == ["Content-Type", "Content-Length"]


@each_way
def test_emptied_session_removes_the_cookie(make: MakeApp) -> None:
    client = make(put=put(a=1), pop=lambda: session.pop("a")).test_client()
    client.get("/put")
    [cookie] = set_cookies(client.get("/pop"))
    assert cookie.startswith("session=;")
    assert client.get_cookie("session") is None


@each_way
def test_flash_modifies_the_session(make: MakeApp) -> None:
    with make().test_request_context():
        assert not session.modified
        flask.flash("Zap")
        session.modified = False
        flask.flash("Zip")
        assert session.modified
        assert flask.get_flashed_messages() == ["Zap", "Zip"]


@each_way
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["Hello", "Help", "Hear"]),
        (
            {"with_categories": True},
            [("message", "Hello"), ("error", "Help"), ("warning", "Hear")],
        ),
        ({"category_filter": ["message"], "with_categories": True}, [("message", "Hello")]),
        ({"category_filter": ["message", "warning"]}, ["Hello", "Hear"]),
    ],
    ids=repr,
)
def test_flashed_messages_are_shown_once_on_the_next_page(
    make: MakeApp, options: dict[str, Any], expected: list[object]
) -> None:
    def leave() -> None:
        flask.flash("Hello")
        flask.flash("Help", "error")
        flask.flash("Hear", "warning")

    client = make(leave=leave, show=lambda: flask.get_flashed_messages(**options)).test_client()
    client.get("/leave")
    assert [client.get("/show").text for _ in range(2)] == [str(expected), "[]"]


@each_way
def test_template_has_the_session(make: MakeApp) -> None:
    app = make(put=put(a=42), show=lambda: flask.render_template_string("{{ session.a }}"))
    client = app.test_client()
    client.get("/put")
    assert client.get("/show").text == "42"


@pytest.mark.parametrize("base", [SecureCookieSessionInterface, EnvironSessionInterface])
def test_open_session_can_read_the_endpoint(base: type[SessionInterface]) -> None:
    endpoints = []

    class Interface(base):  # type: ignore[misc, valid-type]  # each in turn
        def open_session(self, app: flask.Flask, request: flask.Request) -> Any:
            request_ctx.match_request()
            endpoints.append(request.endpoint)
            return super().open_session(app, request)

    app = wrapped(index=str)
    app.session_interface = Interface()
    assert app.test_client().get("/index").status_code == 200
    assert endpoints == ["index"]


# Flask's test client


@each_way
def test_both_requests_of_a_redirect_change_it(make: MakeApp) -> None:
    def leave() -> flask.Response:
        session["redirect"] = True
        return flask.Response(status=302, headers={"Location": "/target"})

    with make(leave=leave, target=put(target=True)).test_client() as client:
        client.get("/leave", follow_redirects=True)
        assert dict(session) == {"redirect": True, "target": True}


@each_way
def test_transaction_reads_and_changes_it(make: MakeApp) -> None:
    with make(read=read).test_client() as client:
        with client.session_transaction() as kept:
            assert len(kept) == 0
            kept["a"] = [42]
            assert len(kept) == 1
        assert client.get("/read").text == "[42]"
        with client.session_transaction() as kept:
            assert dict(kept) == {"a": [42]}


@each_way
def test_transaction_that_raises_changes_nothing(make: MakeApp) -> None:
    client = make().test_client()
    with pytest.raises(ZeroDivisionError), client.session_transaction() as kept:
        kept["a"] = 1 / len(kept)
    assert client.get_cookie("session") is None


@each_way_without_a_key
def test_transaction_without_a_secret_key_is_an_error(make: MakeApp) -> None:
    with (
        pytest.raises(RuntimeError, match="Session backend did not open a session"),
        make(None).test_client().session_transaction(),
    ):
        pass


@each_way
def test_transaction_keeps_the_context(make: MakeApp) -> None:
    app = make()
    with app.test_request_context():
        request = flask.request._get_current_object()  # type: ignore[attr-defined]  # a proxy
        with app.test_client().session_transaction():
            assert flask.request._get_current_object() is request  # type: ignore[attr-defined]


@each_way
def test_transaction_needs_cookies(make: MakeApp) -> None:
    client: FlaskClient = make().test_client(use_cookies=False)
    with pytest.raises(TypeError, match="Cookies are disabled"), client.session_transaction():
        pass


def test_transaction_finds_the_middleware_inside_others() -> None:
    app = wrapped(read=read)
    wrap(app, environ_key="other", cookie_name="other")
    proxied = ProxyFix(app.wsgi_app)
    app.wsgi_app = lambda *request: proxied(*request)  # type: ignore[method-assign]  # Flask says so
    client = app.test_client()
    with client.session_transaction() as kept:
        kept["a"] = 42
    assert client.get("/read").text == "42"


@each_way_of_ours
def test_transaction_over_https_sets_a_secure_cookie(make: MakeApp) -> None:
    client = make().test_client()
    with client.session_transaction(base_url="https://localhost/") as kept:
        kept["a"] = 42
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert cookie.secure


@each_way_of_ours
def test_transaction_that_only_reads_sets_no_cookie(make: MakeApp) -> None:
    client = make().test_client()
    with client.session_transaction() as kept:
        assert "a" not in kept
    assert client.get_cookie("session") is None


def test_transaction_of_sessionware_works_with_flasks_client() -> None:
    app = wrapped(read=read)
    client = app.test_client()
    middleware: Any = app.wsgi_app
    with session_transaction(client, middleware) as kept:
        kept["a"] = 42
    assert client.get("/read").text == "42"


# Differences between our session and Flask's


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
    """Return an application with these settings of the middleware."""
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


@pytest.mark.parametrize("make", [flasks, wrapped])
def test_settings_in_flasks_configuration_are_not_the_middlewares(make: Any) -> None:
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


@each_way
def test_permanent_session_is_issued_again_when_it_is_read_and_old(make: Any, clock: Clock) -> None:
    # Flask reissues it with every response, even if the session is not used
    # (SESSION_REFRESH_EACH_REQUEST).
    client = make(put=put_permanent, read=read, nothing=str).test_client()
    client.get("/put")
    assert len(set_cookies(client.get("/read"))) == (make is flasks)
    assert len(vary(client.get("/nothing"))) == (make is flasks)
    clock.advance(4 * 24 * 60 * 60)
    assert len(set_cookies(client.get("/read"))) == 1


@each_way
def test_nested_change_is_saved_without_modified(make: Any) -> None:
    client = make(put=put(a=[]), add=lambda: session["a"].append(1), read=read).test_client()
    for page in ("/put", "/add"):
        client.get(page)
    assert client.get("/read").text == ("[]" if make is flasks else "[1]")


@each_way
def test_change_while_the_body_is_sent_is_an_error(make: Any) -> None:
    def stream() -> flask.Response:
        return flask.Response(flask.stream_with_context(str(put(a=1)()) for _ in "."))

    client = make(stream=stream).test_client()
    if make is flasks:
        assert set_cookies(client.get("/stream")) == []
    else:
        with pytest.raises(LateWrite):
            client.get("/stream")


@each_way
def test_markup_comes_back_as_markup(make: Any) -> None:
    value = Markup("<em>Testing</em>")
    pages: dict[str, Page] = {"put": put(a=value), "read": lambda: repr(read())}
    client = make(**pages).test_client()
    client.get("/put")
    assert client.get("/read").text == repr(value)


@each_way
def test_lazily_translated_text_can_be_flashed(make: MakeApp) -> None:
    """In Flask it comes back as Markup, which a template would not escape."""
    require("flask_babel")
    from flask_babel import Babel, lazy_gettext

    app = make(
        flash=lambda: flask.flash(lazy_gettext("Hello %(name)s", name="<b>")),
        show=lambda: repr(flask.get_flashed_messages()),
    )
    Babel(app)
    client = app.test_client()
    client.get("/flash")
    expected = Markup("Hello <b>") if make is flasks else "Hello <b>"
    assert client.get("/show").text == repr([expected])
