"""EnvironSessionInterface: ``flask.session`` is the session that the middleware opened."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("flask", reason="flask is not installed: pip install 'sessionware[dev]'")

import flask
from flask import session
from werkzeug.datastructures import Headers
from werkzeug.routing import BaseConverter

from sessionware import ConfigurationError, NullSession, SessionMiddleware
from sessionware.flask import EnvironSessionInterface
from tests.gateway import KEY, call
from tests.peers.flask_sites import (
    MakeApp,
    each_way_of_ours,
    flasks,
    put,
    read,
    set_cookies,
    wrap,
    wrapped,
)
from tests.unit.interfaces import MySessionInterface

LINE = "add app.wsgi_app = SessionMiddleware(app.wsgi_app, app.secret_key)"


def bare(environ_key: str = "session", **pages: Any) -> flask.Flask:
    """Return an application without the middleware."""
    app = flasks(**pages)
    app.session_interface = EnvironSessionInterface(environ_key)
    return app


def same() -> bool:
    return session._get_current_object() is flask.request.environ["session"]  # type: ignore[attr-defined]


def test_flask_session_is_that_of_the_environ() -> None:
    assert wrapped(same=same).test_client().get("/same").text == "True"


def test_change_sets_one_cookie_and_the_middleware_reads_it() -> None:
    app = wrapped(put=put(a=42))
    [cookie] = set_cookies(app.test_client().get("/put"))
    seen = []

    def look(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(dict(environ["session"]))
        start_response("200 OK", [])
        return []

    call(SessionMiddleware(look, KEY), cookie.partition(";")[0])
    assert seen == [{"a": 42}]


def test_response_that_is_returned_twice_has_no_cookie_of_another_user() -> None:
    """Where Flask saves a session, it puts the cookie into the response itself."""
    page = flask.Response("the same for all")
    app = wrapped(put=lambda: put(a=42)() and page, page=lambda: page)
    assert len(set_cookies(app.test_client().get("/put"))) == 1
    assert set_cookies(app.test_client().get("/page")) == []


@each_way_of_ours
def test_session_can_be_read_while_the_body_is_sent(make: MakeApp) -> None:
    def stream() -> flask.Response:
        return flask.Response(flask.stream_with_context(str(read()) for _ in ".."))

    client = make(put=put(a=4), stream=stream).test_client()
    client.get("/put")
    assert client.get("/stream").text == "44"


@each_way_of_ours
def test_session_can_be_read_after_the_response(make: MakeApp) -> None:
    with make(put=put(a=42), nothing=str).test_client() as client:
        client.get("/put")
        client.get("/nothing")
        assert session["a"] == 42
        assert not session.new


@each_way_of_ours
def test_error_page_saves_too(make: MakeApp) -> None:
    app = make(read=read, fail=lambda: put(a=42)() or 1 / 0)
    app.testing = False
    client = app.test_client()
    assert client.get("/fail").status_code == 500
    assert client.get("/read").text == "42"


@each_way_of_ours
def test_url_converter_has_the_session(make: MakeApp) -> None:
    class Mine(BaseConverter):
        def to_python(self, value: str) -> object:
            return session.get(value)

    app = make(put=put(a=42))
    app.url_map.converters["mine"] = Mine
    app.add_url_rule("/show/<mine:value>", "show", str)
    app.view_functions["show"] = lambda value: str(value)
    client = app.test_client()
    client.get("/put")
    assert client.get("/show/a").text == "42"


@each_way_of_ours
def test_response_processed_by_hand_has_the_cookie(make: MakeApp) -> None:
    app = make()
    with app.test_request_context():
        session["a"] = 42
        response = app.process_response(app.response_class())
    assert len(response.headers.getlist("Set-Cookie")) == 1


def test_custom_interface_is_used() -> None:
    app = bare(put=put(a=42), read=read)
    interface = MySessionInterface()
    app.wsgi_app = SessionMiddleware(app.wsgi_app, interface=interface)  # type: ignore[method-assign]
    client = app.test_client()
    with client.session_transaction() as kept:
        kept["a"] = 41
    assert client.get("/read").text == "41"
    client.get("/put")
    assert interface.kept == {"sid-0": {"a": 42}}


def test_custom_session_that_was_not_accessed_is_not_saved() -> None:
    class Careful(MySessionInterface):
        def save_session(self, environ: Any, session: Any, headers: Headers) -> None:
            raise AssertionError

    app = bare()
    app.wsgi_app = SessionMiddleware(app.wsgi_app, interface=Careful())  # type: ignore[method-assign]
    with app.test_client().session_transaction() as kept:
        kept.accessed = False


def test_null_session_is_wrapped() -> None:
    with wrapped(None).test_request_context() as context:
        opened: object = context._session
        assert type(opened) is NullSession
        with pytest.raises(RuntimeError, match="Set the secret_key of SessionMiddleware"):
            session["a"] = 1


def ask(app: flask.Flask) -> None:
    app.test_client().get("/read")


def transact(app: flask.Flask) -> None:
    app.test_client().session_transaction().__enter__()


@pytest.mark.parametrize("use", [ask, transact])
def test_missing_middleware_is_an_error_that_says_which_line_to_add(
    use: Callable[[flask.Flask], None],
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        use(bare(read=read))
    assert tuple(map(str, caught.value.problems)) == (
        f"app.wsgi_app: found no SessionMiddleware for environ['session'], {LINE}",
    )


def test_middleware_with_another_environ_key_is_missing_too() -> None:
    app = bare("mine", read=read)
    wrap(app)
    with pytest.raises(ConfigurationError, match=r"app\.secret_key, environ_key='mine'\)"):
        ask(app)


def test_adding_the_line_of_the_error_fixes_it() -> None:
    app = bare("mine", read=read)
    wrap(app, environ_key="mine")
    assert app.test_client().get("/read").text == "None"


def test_session_of_another_library_is_not_used() -> None:
    app = bare(read=read)
    with pytest.raises(ConfigurationError, match="found no SessionMiddleware"):
        app.test_client().get("/read", environ_base={"session": {"a": 1}})


@pytest.mark.parametrize("environ", [{}, {"session": {"a": 1}}], ids=["nothing", "other"])
def test_missing_middleware_is_reported_in_the_log_and_not_on_the_error_page(
    environ: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    app = bare(read=read)
    app.testing = False
    with caplog.at_level(logging.ERROR):
        assert app.test_client().get("/read", environ_base=environ).status_code == 500
    assert [record.getMessage() for record in caplog.records] == ["Exception on /read [GET]"]
    assert LINE in caplog.text
