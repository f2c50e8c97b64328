"""What Flask's own tests ask of a session: each holds for Flask's cookie and for ours.

After Flask 3.1.3: ``tests/test_session_interface.py``, and what ``test_basic.py`` and
``test_testing.py`` say of sessions. What differs is in ``test_flask_differences.py``.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import flask
import pytest
from flask import session
from flask.globals import request_ctx
from flask.sessions import SecureCookieSessionInterface, SessionInterface

from sessionware.flask import EnvironSessionInterface
from tests.conftest import Clock
from tests.peers.flask_sites import (
    MakeApp,
    Page,
    both,
    clear,
    ours,
    put,
    put_permanent,
    read,
    set_cookies,
    vary,
)


@both
def test_session_is_there_in_the_next_request(make: MakeApp) -> None:
    client = make(put=put(a=42), read=read).test_client()
    client.get("/put")
    assert client.get("/read").text == "42"


@both
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
def test_accessed_and_modified_tell_what_this_request_did(
    make: MakeApp, pages: list[str], accessed: bool, modified: bool
) -> None:
    with make(put=put(a=1), read=read, nothing=str).test_client() as client:
        for page in pages:
            response = client.get(page)
        kept = request_ctx._session
        assert kept is not None
        assert (kept.accessed, kept.modified) == (accessed, modified)
        assert ("Cookie" in vary(response)) is accessed


@both
def test_without_a_secret_key_it_reads_as_empty_and_refuses_changes(make: MakeApp) -> None:
    changes: list[Page] = [put(a=1), lambda: session.pop("a"), clear, put_permanent]
    with make(None).test_request_context():
        assert read() is None
        for change in changes:
            with pytest.raises(RuntimeError, match="session is unavailable"):
                change()


@both
def test_without_a_secret_key_a_page_that_only_reads_is_shown(make: MakeApp) -> None:
    response = make(None, read=read).test_client().get("/read")
    assert (response.text, set_cookies(response)) == ("None", [])


@both
def test_permanent_session_has_an_expiry_of_31_days(make: MakeApp, clock: Clock) -> None:
    client = make(put=put_permanent, permanent=lambda: session.permanent).test_client()
    [cookie] = set_cookies(client.get("/put"))
    assert "Expires=" in cookie
    assert client.get("/permanent").text == "True"


@both
def test_session_that_is_not_permanent_ends_with_the_browser(make: MakeApp) -> None:
    def put_not_permanent() -> None:
        session["a"] = 1
        session.permanent = False

    client = make(forever=put_permanent, put=put_not_permanent).test_client()
    client.get("/forever")
    [cookie] = set_cookies(client.get("/put"))
    assert "Expires=" not in cookie
    assert "Max-Age=" not in cookie


@both
def test_after_request_may_still_change_it(make: MakeApp) -> None:
    app = make(read=read)

    @app.after_request
    def late(response: flask.Response) -> flask.Response:
        session["a"] = 42
        return response

    client = app.test_client()
    assert [client.get("/read").text for _ in range(2)] == ["None", "42"]


@both
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
def test_value_comes_back_as_what_it_was(make: MakeApp, value: object) -> None:
    client = make(put=put(a=value), read=lambda: repr(session["a"])).test_client()
    client.get("/put")
    assert client.get("/read").text == repr(value)


@both
@pytest.mark.parametrize(
    "use",
    [put(a=1), read, lambda: session["a"], lambda: session.setdefault("a", 2), clear],
    ids=["put", "get", "[]", "setdefault", "clear"],
)
def test_any_use_varies_by_cookie(make: MakeApp, use: Page) -> None:
    client = make(first=put(a=1), use=use).test_client()
    client.get("/first")
    assert vary(client.get("/use")) == ["Cookie"]


@both
@pytest.mark.parametrize(
    ("stated", "expected"),
    [("Cookie", "Cookie"), ("Accept-Encoding, Accept", "Accept-Encoding, Accept, Cookie")],
)
def test_vary_that_is_there_is_merged(make: MakeApp, stated: str, expected: str) -> None:
    def page() -> flask.Response:
        session["a"] = 1
        return flask.Response(headers={"Vary": stated})

    assert vary(make(page=page).test_client().get("/page")) == [expected]


@both
def test_response_that_never_looked_at_it_is_left_alone(make: MakeApp) -> None:
    client = make(put=put(a=1), nothing=str).test_client()
    client.get("/put")
    response = client.get("/nothing")
    assert [*response.headers.keys()] == ["Content-Type", "Content-Length"]


@both
def test_emptied_session_removes_the_cookie(make: MakeApp) -> None:
    client = make(put=put(a=1), pop=lambda: session.pop("a")).test_client()
    client.get("/put")
    [cookie] = set_cookies(client.get("/pop"))
    assert cookie.startswith("session=;")
    assert client.get_cookie("session") is None


@both
def test_flash_modifies_the_session(make: MakeApp) -> None:
    with make().test_request_context():
        assert not session.modified
        flask.flash("Zap")
        session.modified = False
        flask.flash("Zip")
        assert session.modified
        assert flask.get_flashed_messages() == ["Zap", "Zip"]


@both
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
def test_flashed_messages_are_shown_by_the_next_page_and_no_other(
    make: MakeApp, options: dict[str, Any], expected: list[object]
) -> None:
    def leave() -> None:
        flask.flash("Hello")
        flask.flash("Help", "error")
        flask.flash("Hear", "warning")

    client = make(leave=leave, show=lambda: flask.get_flashed_messages(**options)).test_client()
    client.get("/leave")
    assert [client.get("/show").text for _ in range(2)] == [str(expected), "[]"]


@both
def test_template_has_the_session(make: MakeApp) -> None:
    app = make(put=put(a=42), show=lambda: flask.render_template_string("{{ session.a }}"))
    client = app.test_client()
    client.get("/put")
    assert client.get("/show").text == "42"


@pytest.mark.parametrize("base", [SecureCookieSessionInterface, EnvironSessionInterface])
def test_open_session_may_look_at_the_endpoint(base: type[SessionInterface]) -> None:
    endpoints = []

    class Interface(base):  # type: ignore[misc, valid-type]  # each in turn
        def open_session(self, app: flask.Flask, request: flask.Request) -> Any:
            request_ctx.match_request()
            endpoints.append(request.endpoint)
            return super().open_session(app, request)

    app = ours(index=str)
    app.session_interface = Interface()
    assert app.test_client().get("/index").status_code == 200
    assert endpoints == ["index"]
