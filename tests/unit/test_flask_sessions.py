"""Sessions, the Flask extension: where its session is open, and what may be put into it."""

from collections.abc import Callable
from typing import Any, assert_type
from uuid import UUID

import pytest

pytest.importorskip("flask", reason="flask is not installed: pip install 'sessionware[dev]'")

import flask
from markupsafe import Markup
from werkzeug.debug import DebuggedApplication
from werkzeug.middleware.profiler import ProfilerMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from sessionware import (
    LateWrite,
    Session,
    SessionMiddleware,
    SessionUnavailable,
    UnserializableValue,
)
from sessionware.flask import EnvironSessionInterface, Sessions, session
from tests.gateway import KEY, OLDER_KEY, call, make_environ, run
from tests.peers.flask_sites import (
    MakeApp,
    each_way_of_ours,
    flasks,
    ours,
    put,
    read,
    set_cookies,
    wrap,
)
from tests.sites import MemoryStore
from tests.unit.applications import acting
from tests.unit.interfaces import MySessionInterface


def in_a_closure(app: Any) -> Any:
    return lambda environ, start_response: app(environ, start_response)


def in_a_closure_with_a_variable_that_is_not_set(app: Any) -> Any:
    def traced(environ: Any, start_response: Any) -> Any:
        return tracer(environ, start_response) if tracing else app(environ, start_response)

    tracing = False
    if tracing:
        tracer = print
    return traced


wrappers = pytest.mark.parametrize(
    "wrapper",
    [
        ProxyFix,
        lambda app: ProfilerMiddleware(app, stream=None),
        in_a_closure,
        in_a_closure_with_a_variable_that_is_not_set,
    ],
    ids=["ProxyFix", "profiler", "closure", "empty closure"],
)


# The proxy


def test_proxy_is_flasks_own_with_the_type_of_ours() -> None:
    assert_type(session, Session)
    assert session is flask.session


def test_proxy_sets_what_a_session_of_ours_has() -> None:
    def log_in() -> object:
        session.owner = UUID(int=7)
        session.permanent = True
        return session.owner

    app = ours(login=log_in, who=lambda: (session.owner, session.permanent))
    client = app.test_client()
    client.get("/login")
    assert client.get("/who").text == f"({UUID(int=7)!r}, True)"


# Where it is open


@wrappers
def test_application_may_be_wrapped_again(wrapper: Callable[[Any], Any]) -> None:
    app = ours(put=put(a=42), read=read)
    app.wsgi_app = wrapper(app.wsgi_app)  # type: ignore[method-assign]  # Flask says so
    client = app.test_client()
    with client.session_transaction() as kept:
        kept["a"] = 41
    assert client.get("/read").text == "41"
    client.get("/put")
    assert client.get("/read").text == "42"
    with app.test_request_context(headers={"Cookie": "session=junk"}):
        assert read() is None


def test_it_needs_no_test_client() -> None:
    app = ours(put=put(a=42), read=read)
    assert call(app, call(app, PATH_INFO="/put").cookie, PATH_INFO="/read").data == b"42"


def test_session_that_is_left_alone_leaves_the_response_alone() -> None:
    client = ours(put=put(a=1), nothing=str).test_client()
    client.get("/put")
    assert [*client.get("/nothing").headers.keys()] == ["Content-Type", "Content-Length"]


def inside(middleware: dict[str, Any], wrapper: Callable[[Any], Any] = ProxyFix) -> flask.Flask:
    """Return an application with the extension, in a middleware, in another wrapper."""
    app = ours(put=put(a=42), read=read)
    wrap(app, **middleware)
    app.wsgi_app = wrapper(app.wsgi_app)  # type: ignore[method-assign]  # Flask says so
    return app


@pytest.mark.parametrize("other", [KEY, flask.session], ids=["key", "proxy"])
def test_middleware_of_another_application_beside_it_is_not_its_own(other: Any) -> None:
    """Such as an administration below /admin, whose key must not sign the site's log-ins."""

    def beside(site: Any, admin: Any, shared: Any) -> Any:
        def dispatch(environ: Any, start_response: Any) -> Any:
            is_admin = shared is not None and environ["PATH_INFO"].startswith("/admin")
            return (admin if is_admin else site)(environ, start_response)

        return dispatch

    app = ours(put=put(a=42), read=read)
    before = call(app, PATH_INFO="/put").cookie
    admin = SessionMiddleware(flasks(read=read), OLDER_KEY)
    app.wsgi_app = beside(app.wsgi_app, admin, other)  # type: ignore[method-assign]  # Flask says so
    assert call(app, before, PATH_INFO="/read").data == b"42"
    assert call(app, call(app, PATH_INFO="/put").cookie, PATH_INFO="/read").data == b"42"


def test_sealed_session_of_an_earlier_application_is_not_taken_again() -> None:
    """A cascade tries one application after the other, with one environ."""
    app = ours(put=put(a=42), read=read)
    cookie = call(app, PATH_INFO="/put").cookie
    environ = make_environ(cookie, PATH_INFO="/read")
    run(acting(dict), environ)
    response = run(app, environ)
    assert (response.data, response.headers.getlist("Vary")) == (b"42", ["Cookie"])


@each_way_of_ours
def test_first_use_while_a_page_is_streamed_is_warned_about(
    make: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    def streamed() -> flask.Response:
        return flask.Response(flask.stream_with_context(str(read()) for _ in "1"))

    app = make(put=put(a=42), streamed=streamed)
    cookie = call(app, PATH_INFO="/put").cookie
    assert call(app, cookie, PATH_INFO="/streamed").data == b"42"
    assert [vars(record)["reason"] for record in caplog.records] == ["late_look"]


def test_session_that_a_middleware_has_opened_is_the_one() -> None:
    app = ours(same=lambda: session._get_current_object() is flask.request.environ["session"])  # type: ignore[attr-defined]
    assert call(SessionMiddleware(app, KEY), PATH_INFO="/same").data == b"True"


def test_middleware_saves_its_session_with_its_settings() -> None:
    [cookie] = set_cookies(inside({"cookie_name": "outer"}).test_client().get("/put"))
    assert cookie.startswith("outer=")


@wrappers
def test_transaction_has_the_settings_of_the_middleware(wrapper: Callable[[Any], Any]) -> None:
    app = inside({"store": MemoryStore()}, wrapper)
    client = app.test_client()
    with client.session_transaction() as kept:
        kept["a"] = 41
    assert client.get("/read").text == "41"


def test_application_that_another_one_calls_has_a_session_of_its_own() -> None:
    inner = flasks(put=put(b=2))
    Sessions(inner, cookie_name="inner")

    def call_inner() -> Any:
        session["a"] = 1
        return flask.Response.from_app(inner, {**flask.request.environ, "PATH_INFO": "/put"})

    def call_inner_with_the_same_environ() -> Any:
        session["a"] = 1
        flask.request.environ["PATH_INFO"] = "/put"
        return flask.Response.from_app(inner, flask.request.environ)

    app = ours(one=call_inner, other=call_inner_with_the_same_environ)
    for page in ("/one", "/other"):
        cookies = set_cookies(app.test_client().get(page))
        assert [cookie.partition("=")[0] for cookie in cookies] == ["inner", "session"]


class LeadsBack:
    """A layer that has the application, which has the layer."""

    def __init__(self, application: flask.Flask) -> None:
        self.application = application
        self.wrapped = application.wsgi_app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.wrapped(environ, start_response)


class MakesUp(LeadsBack):
    """A layer that has any attribute, as a mock."""

    def __getattr__(self, name: str) -> "MakesUp":
        return MakesUp(self.application)


@pytest.mark.parametrize("layer", [LeadsBack, MakesUp])
def test_layer_without_a_middleware_in_it_is_searched_in_vain(layer: type[LeadsBack]) -> None:
    app = ours(read=read)
    app.wsgi_app = layer(app)  # type: ignore[method-assign]  # Flask says so
    client = app.test_client()
    with client.session_transaction() as kept:
        kept["a"] = 41
    assert client.get("/read").text == "41"


# Once the response has begun


def streaming(*steps: Callable[[], object]) -> Callable[[], flask.Response]:
    return lambda: flask.Response(flask.stream_with_context(str(step()) for step in steps))


@pytest.mark.parametrize(
    "late",
    [put(a=1), lambda: session.pop("a"), lambda: session.clear()],
    ids=["put", "pop", "clear"],
)
def test_late_change_is_an_error(late: Callable[[], object]) -> None:
    client = ours(put=put(a=1), stream=streaming(late)).test_client()
    client.get("/put")
    with pytest.raises(LateWrite), client:
        client.get("/stream")


def test_change_in_a_teardown_is_an_error() -> None:
    app = ours(read=read)

    @app.teardown_request
    def late(_: object) -> None:
        session["a"] = 1

    with pytest.raises(LateWrite):
        app.test_client().get("/read")


def flashed(make: MakeApp) -> flask.Flask:
    return make(flash=lambda: flask.flash("Hello"), nothing=str, show=flask.get_flashed_messages)


@each_way_of_ours
def test_messages_can_be_taken_out_in_a_context_that_the_test_client_keeps(make: MakeApp) -> None:
    with flashed(make).test_client() as client:
        client.get("/flash")
        assert [flask.get_flashed_messages() for _ in range(2)] == [["Hello"]] * 2
        assert "_flashes" not in session


@each_way_of_ours
def test_what_is_taken_out_there_is_not_saved(make: MakeApp) -> None:
    with flashed(make).test_client() as client:
        client.get("/flash")
        client.get("/nothing")
        flask.get_flashed_messages()
        assert client.get("/show").text == "['Hello']"
        assert client.get("/show").text == "[]"


@each_way_of_ours
def test_what_is_deleted_there_is_not_saved(make: MakeApp) -> None:
    with flashed(make).test_client() as client:
        client.get("/flash")
        client.get("/nothing")
        assert session.pop("missing", default=1) == 1
        del session["_flashes"]
        assert client.get("/show").text == "['Hello']"


@each_way_of_ours
def test_change_there_is_an_error(make: MakeApp) -> None:
    with make(nothing=str).test_client() as client:
        client.get("/nothing")
        with pytest.raises(LateWrite):
            session["a"] = 1


@each_way_of_ours
def test_what_is_missing_there_is_missing(make: MakeApp) -> None:
    with make(nothing=str).test_client() as client:
        client.get("/nothing")
        with pytest.raises(KeyError):
            del session["a"]


@each_way_of_ours
def test_session_of_a_context_that_has_ended_is_closed(make: MakeApp) -> None:
    with flashed(make).test_client() as client:
        client.get("/flash")
        kept: Any = session._get_current_object()  # type: ignore[attr-defined]  # a proxy
    with pytest.raises(LateWrite):
        del kept["_flashes"]


def test_late_change_is_an_error_under_the_debugger_too() -> None:
    app = ours(flash=lambda: flask.flash("Hello"), late=streaming(flask.get_flashed_messages))
    client = app.test_client()
    client.get("/flash")
    app.wsgi_app = DebuggedApplication(app.wsgi_app, evalex=True, pin_security=False)  # type: ignore[method-assign]  # Flask says so
    assert "LateWrite" in client.get("/late").text


# Error pages


def test_error_page_of_a_save_that_failed_does_not_try_again() -> None:
    """Its session would be asked of a store that does not answer, as long as that takes."""
    saves: list[str] = []

    class Down(MemoryStore):
        def create(self, key: str, *_: object, **__: object) -> bool:
            saves.append(key)
            raise SessionUnavailable("down")

    app = flasks(put=put(a=42))
    app.testing = False
    Sessions(app, store=Down())
    app.register_error_handler(500, lambda error: repr(error.original_exception))
    response = app.test_client().get("/put")
    assert response.text == "SessionUnavailable('down')"
    assert response.headers["Vary"] == "Cookie"
    assert len(saves) == 1


def test_error_page_in_place_of_a_saved_response_has_its_cookie(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Flask makes one if a receiver of ``request_finished`` fails, and saves the session again."""
    public = {"Cache-Control": "public"}
    store = MemoryStore()
    app = flasks(login=lambda: setattr(session, "owner", 7), who=lambda: session.owner)
    Sessions(app, store=store)
    app.testing = False

    def fail(*_: object, **__: object) -> None:
        flask.request_finished.disconnect(fail, app)
        raise ZeroDivisionError

    client = app.test_client()
    flask.request_finished.connect(fail, app)
    app.register_error_handler(500, lambda _: ("failed", 500, public))
    failed = client.get("/login")
    assert (failed.status_code, len(set_cookies(failed))) == (500, 1)
    assert failed.headers["Cache-Control"] == "private"
    assert "shared_cache" in [vars(record).get("reason") for record in caplog.records]
    assert client.get("/who").text == "7"
    assert store.asked.count("create") == 1


# What may be flashed


class WithHtml:
    def __html__(self) -> str:
        return "<b>Hello</b>"


class Lazy:
    """A text that is translated when it is used, as Flask-Babel's LazyString."""

    def __str__(self) -> str:
        return "<b>Hello</b>"

    def __html__(self) -> str:
        return str(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(str(self), name)


@each_way_of_ours
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Hello", "Hello"),
        (Markup("<b>Hello</b>"), Markup("<b>Hello</b>")),
        (WithHtml(), Markup("<b>Hello</b>")),
        (Lazy(), "<b>Hello</b>"),
        (7, 7),
    ],
    ids=["str", "Markup", "__html__", "lazy", "int"],
)
def test_message_comes_back(make: MakeApp, message: Any, expected: object) -> None:
    app = make(
        flash=lambda: flask.flash(message, "info"),
        show=lambda: repr(flask.get_flashed_messages(with_categories=True)),
    )
    client = app.test_client()
    client.get("/flash")
    assert client.get("/show").text == repr([("info", expected)])


@pytest.mark.parametrize("junk", ["abc", ["a"], [1], {"a": 1}])
def test_value_in_place_of_messages_is_saved_as_it_is(junk: Any) -> None:
    """A form may hold anything, and an application may put all of it into the session."""
    client = ours(keep=lambda: "" if flask.session.update(_flashes=junk) else "kept").test_client()
    assert client.get("/keep").text == "kept"


def test_message_of_a_transaction_comes_back() -> None:
    client = ours(show=lambda: repr(flask.get_flashed_messages())).test_client()
    with client.session_transaction() as kept:
        kept["_flashes"] = [("message", WithHtml())]
    assert client.get("/show").text == repr([Markup("<b>Hello</b>")])


NOT_TEXT: Any = object()


@pytest.mark.parametrize(
    "change",
    [lambda: flask.flash(NOT_TEXT), put(a=WithHtml()), put(a=Lazy())],
    ids=["flash", "__html__ elsewhere", "lazy elsewhere"],
)
def test_other_object_is_an_error(change: Callable[[], object]) -> None:
    with pytest.raises(UnserializableValue):
        ours(change=change).test_client().get("/change")


def test_messages_of_a_custom_session_are_left_alone() -> None:
    app, interface = flasks(flash=lambda: flask.flash("Hello")), MySessionInterface()
    app.wsgi_app = SessionMiddleware(app.wsgi_app, interface=interface)  # type: ignore[method-assign]
    app.session_interface = EnvironSessionInterface()
    app.test_client().get("/flash")
    assert interface.kept == {"sid-0": {"_flashes": [("message", "Hello")]}}
