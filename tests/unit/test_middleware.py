"""SessionMiddleware between a server and an application (PEP 3333): open, dispatch, commit."""

import gc
import io
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from secrets import token_hex
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from werkzeug.datastructures import Headers
from werkzeug.http import dump_cookie

from sessionware import (
    SecureCookieSessionInterface,
    Session,
    SessionInterface,
    SessionMiddleware,
    SessionTooLarge,
    UnserializableValue,
)
from sessionware.errors import ConfigurationError, LateWrite, UsageError
from tests.gateway import KEY, Response, call, make_environ, run
from tests.sites import MemoryStore
from tests.unit.applications import ERROR, OK, TEXT, App, Step, count, every_shape, saved, serve
from tests.unit.interfaces import MySession, MySessionInterface

every_body = pytest.mark.parametrize("shape", ["list", "generator"])
every_session_error = pytest.mark.parametrize("spoil", [App.overfill, App.confuse])
SESSION_ERRORS = (SessionTooLarge, UnserializableValue)


class Server(list[tuple[Any, ...]]):
    """A start_response that records the arguments of its calls, and the chunks of its write."""

    def __call__(self, *given: Any) -> Callable[[bytes], object]:
        self.append(given)
        return lambda chunk: self.append((chunk,))


# Open: the session in the environ


def test_session_is_in_the_environ_under_the_key_of_its_setting() -> None:
    run(SessionMiddleware(App(), KEY, environ_key="mine"), environ := make_environ())
    assert (type(environ["mine"]), "session" in environ) == (Session, False)


@every_shape
@pytest.mark.parametrize("first", [App.log_in, App.fail, App.overfill])
@pytest.mark.parametrize("leave_after", [None, 0])
def test_environ_may_be_reused_for_another_request(
    shape: str, first: Step, leave_after: Any
) -> None:
    """The next request starts with its own session, even if the previous request failed."""
    environ, middleware = make_environ(), SessionMiddleware(App(shape, first), KEY)
    with suppress(KeyError, SessionTooLarge):
        run(middleware, environ, leave_after=leave_after)
    middleware.app, environ["HTTP_COOKIE"] = count, serve(count).cookie
    assert saved(run(middleware, environ)) == {"n": 2}


@pytest.mark.parametrize("found", [{}, "", 0, []])
def test_another_object_under_the_environ_key_is_an_error(found: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        serve(count, session=found)
    assert tuple(map(str, caught.value.problems)) == (
        f"environ_key: found {type(found).__name__} in environ['session'], expected nothing "
        "there; if the application is already wrapped in a SessionMiddleware, wrap it once, or "
        "give this one another environ_key and another cookie_name",
    )


def test_two_middlewares_with_one_environ_key_are_an_error() -> None:
    """Another middleware stands between them, so that only a request shows it."""
    inner = SessionMiddleware(count, KEY, cookie_name="inner")
    with pytest.raises(ConfigurationError) as caught:
        serve(lambda environ, start: inner(environ, start))
    assert str(caught.value) == (
        "Invalid sessionware configuration:\n"
        "environ_key: found another session in environ['session'], expected nothing there; if the "
        "application is already wrapped in a SessionMiddleware, wrap it once, or give this one "
        "another environ_key and another cookie_name"
    )


WRAP_ONCE = (
    "environ_key: found 'session', which the SessionMiddleware around the application has; "
    "wrap it once, or give this one another environ_key and another cookie_name"
)
OTHER_COOKIE = (
    "cookie_name: found 'session', which the SessionMiddleware around the application has; "
    "give this one another cookie_name"
)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (WRAP_ONCE, OTHER_COOKIE)),
        ({"cookie_name": "outer"}, (WRAP_ONCE,)),
        ({"environ_key": "outer"}, (OTHER_COOKIE,)),
    ],
)
@pytest.mark.parametrize("between", [False, True])
def test_wrapping_twice_with_the_same_names_is_refused_at_once(
    settings: Any, expected: tuple[str, ...], between: bool
) -> None:
    app = SessionMiddleware(count, KEY)
    if between:
        app = SessionMiddleware(app, KEY, environ_key="between", cookie_name="between")
    with pytest.raises(ConfigurationError) as caught:
        SessionMiddleware(app, KEY, **settings)
    assert tuple(map(str, caught.value.problems)) == expected


def test_a_custom_interface_may_be_wrapped_in_another_middleware() -> None:
    app = SessionMiddleware(count, interface=MySessionInterface())
    assert SessionMiddleware(app, KEY, environ_key="outer").app is app


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Stand for an ASGI application that is a function."""


class Asgi:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Stand for an ASGI application that is an object."""


@pytest.mark.parametrize(("app", "found"), [(asgi, "function"), (Asgi(), "Asgi")])
def test_an_asgi_application_is_refused(app: Any, found: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SessionMiddleware(app, KEY)
    assert tuple(map(str, caught.value.problems)) == (
        f"app: found {found}, which is an ASGI application, expected a WSGI application; "
        "use a session middleware for ASGI, such as Starlette's",
    )


@every_shape
def test_two_middlewares_with_different_environ_keys_work_together(shape: str) -> None:
    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        environ["outer"]["n"] = environ["outer"].get("n", 0) + 1
        return App(shape, App.log_in)(environ, start)

    inner = SessionMiddleware(app, KEY)
    outer = SessionMiddleware(inner, KEY, environ_key="outer", cookie_name="outer")
    cookies = call(outer).headers.getlist("Set-Cookie")
    run(outer, environ := make_environ("; ".join(cookies)))
    assert (environ["session"], environ["outer"]) == ({"user": "ada"}, {"n": 2})


every_environ = pytest.mark.parametrize("derive", [dict, lambda environ: environ])


def with_sub_request(derive: Any, when: str) -> tuple[Response, ...]:
    """Return a response, and that of its sub-request, which is sent ``first`` or ``later``."""

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return (outer if environ.pop("test.outer", False) else count)(environ, start)

    def ask(outer: App) -> None:
        inner.append(run(middleware, derive(outer.environ)))

    outer, middleware = App(**{when: ask}), SessionMiddleware(app, KEY)  # type: ignore[arg-type]
    inner: list[Response] = []
    return call(middleware, test__outer=True), *inner


@every_environ
def test_sub_request_shares_the_session_and_the_outer_call_commits(derive: Any) -> None:
    outer, inner = with_sub_request(derive, "first")
    assert (saved(outer), inner.header_list) == ({"n": 1}, TEXT)


@every_environ
def test_sub_request_after_the_outer_commit_has_its_own_session(derive: Any) -> None:
    outer, inner = with_sub_request(derive, "later")
    assert (outer.header_list, saved(inner)) == (TEXT, {"n": 1})


def test_sub_request_with_a_session_that_the_application_made_is_refused() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        environ["session"] = MySession()
        return middleware(environ, start_response)

    middleware = SessionMiddleware(app, KEY)
    with pytest.raises(ConfigurationError, match=r"found another session in environ\['session'\]"):
        call(middleware)


# Commit: when, and what is saved


def test_return_commits_if_start_response_was_called() -> None:
    assert saved(serve(App("list", App.log_in), leave_after=0)) == {"user": "ada"}


def test_first_chunk_commits_even_an_empty_one() -> None:
    server, app = Server(), App("generator", chunks=(b"", b"body"))
    chunks = iter(SessionMiddleware(app, KEY)(make_environ(), server))
    assert server == []
    assert next(chunks) == b""
    assert server == [(OK, TEXT)]


def test_end_of_an_empty_body_commits() -> None:
    server, app = Server(), App("generator", chunks=())
    assert list(SessionMiddleware(app, KEY)(make_environ(), server)) == []
    assert server == [(OK, TEXT)]


def test_first_write_commits_and_each_chunk_is_passed_on_at_once() -> None:
    server = Server()
    app = App("write", later=lambda _: server.append(("later",)), chunks=(b"1", b"2"))
    SessionMiddleware(app, KEY)(make_environ(), server)
    assert server == [(OK, TEXT), (b"1",), (b"2",), ("later",)]


@every_shape
def test_change_after_start_response_is_saved(shape: str) -> None:
    response = serve(App(shape, App.log_in))
    assert (response.status, response.data) == (OK, b"body")
    assert saved(response) == {"user": "ada"}


@every_shape
@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_change_is_saved_if_the_response_has_no_body(shape: str, status: str, method: str) -> None:
    app = App(shape, App.log_in, chunks=())
    response = serve(lambda env, go: app(env, lambda *_: go(status, [])), REQUEST_METHOD=method)
    assert (response.status, response.chunks) == (status, [])
    assert saved(response) == {"user": "ada"}


@every_shape
def test_change_after_the_commit_raises_late_write(shape: str) -> None:
    with pytest.raises(LateWrite):
        serve(App(shape, later=App.log_in))


@every_shape
def test_change_by_an_outer_middleware_in_start_response_raises_late_write(shape: str) -> None:
    """It runs in the commit, when the session is saved already."""
    middleware, environ = SessionMiddleware(App(shape, App.log_in), KEY), make_environ()

    def start(status: str, headers: Any, exc_info: Any = None) -> Any:
        environ["session"]["late"] = 1

    with pytest.raises(LateWrite):
        list(middleware(environ, start))


@every_shape
@pytest.mark.parametrize("first", [id, App.look], ids=["first look", "second look"])
def test_session_can_be_read_after_the_commit(shape: str, first: Step) -> None:
    app = App(shape, first, later=App.look)
    serve(app, serve(App("list", App.log_in)).cookie)
    assert app.seen == {"user": "ada"}


@every_shape
def test_header_list_of_the_application_is_never_changed(shape: str) -> None:
    """``TEXT`` is shared by all requests: a header added for Alice would reach Bob."""
    alice, bob = serve(App(shape, App.log_in)), serve(App(shape))
    assert saved(alice) == {"user": "ada"}
    assert bob.header_list == TEXT == [("Content-Type", "text/plain")]


def test_session_that_was_removed_from_the_environ_is_saved() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ.pop("session")["user"] = "ada"
        start_response("200 OK", [])
        return []

    assert saved(call(SessionMiddleware(app, KEY))) == {"user": "ada"}


@every_shape
def test_session_that_was_replaced_in_the_environ_is_an_error(shape: str) -> None:
    def replace(app: App) -> None:
        app.environ["session"] = {"user": "ada"}

    with pytest.raises(UsageError) as caught:
        serve(App(shape, replace))
    assert str(caught.value) == (
        "environ['session'] was replaced by a dict, which is not saved: keep the session, "
        "and change it in place, as with update()"
    )


# start_response


@every_shape
def test_untouched_response_is_byte_for_byte_the_applications_own(shape: str) -> None:
    """Status, headers and chunks are passed on, and ``exc_info`` only if there is one."""
    server, app = Server(), App(shape, chunks=(b"1", b"", b"2"))
    environ = make_environ(serve(App("list", App.log_in)).cookie)
    server.extend((chunk,) for chunk in SessionMiddleware(app, KEY)(environ, server))
    assert server == [(OK, TEXT), (b"1",), (b"",), (b"2",)]


@every_shape
def test_exc_info_before_the_commit_replaces_the_response(shape: str) -> None:
    response = serve(App(shape, App.replace_and_log_in))
    assert (response.status, response.exc_info[0]) == (ERROR, KeyError)
    assert saved(response) == {"user": "ada"}


@every_shape
def test_exc_info_after_the_first_byte_goes_to_the_server_which_raises_it(shape: str) -> None:
    with pytest.raises(KeyError, match="missing"):
        serve(App(shape, later=App.replace))


@every_shape
@pytest.mark.parametrize("when", ["first", "later"])
def test_second_start_response_without_exc_info_is_an_error(shape: str, when: str) -> None:
    with pytest.raises(UsageError) as caught:
        serve(App(shape, **{when: lambda app: app.start(OK, TEXT)}))  # type: ignore[arg-type]
    assert str(caught.value) == (
        "start_response was called a second time without exc_info (PEP 3333): "
        "call it once, or give it sys.exc_info() to replace the response by an error"
    )


@pytest.mark.parametrize("chunks", [[], [b""], [b"body"]])
def test_body_without_a_start_response_is_an_error(chunks: list[bytes]) -> None:
    with pytest.raises(UsageError) as caught:
        serve(lambda *_: chunks)
    assert str(caught.value) == (
        "The application's body began before start_response was called (PEP 3333): "
        "call it before the first chunk"
    )


# start_response with exc_info after the commit, when the server has sent nothing yet


def error_page(*headers: tuple[str, str], look: Step = id) -> Step:
    """Return a step that looks at the session and replaces the response by an error page."""

    def step(app: App) -> None:
        try:
            raise KeyError("missing")
        except KeyError:
            look(app)
            app.start(ERROR, [*headers], sys.exc_info())

    return step


def failing(shape: str, first: Step, later: Step, cookie: str = "", **settings: Any) -> Response:
    """Return the error page of an application that fails at the end of an empty body."""
    app = App(shape, first, later, (b"",))
    response = call(SessionMiddleware(app, **settings or {"secret_key": KEY}), cookie)
    assert (response.status, response.exc_info[0]) == (ERROR, KeyError)
    return response


PUBLIC = ("Cache-Control", "public, max-age=60")


@every_shape
def test_error_page_after_the_commit_has_the_cookie_and_is_private(shape: str) -> None:
    response = failing(shape, App.log_in, error_page(PUBLIC, ("CDN-Cache-Control", "max-age=60")))
    assert response.headers.getlist("Cache-Control") == ["private, max-age=60"]
    assert response.headers.getlist("Vary") == ["Cookie"]
    assert "CDN-Cache-Control" not in response.headers
    assert saved(response) == {"user": "ada"}


@every_shape
def test_error_page_for_shared_caches_after_the_commit_is_reported(
    shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    failing(shape, App.log_in, error_page(PUBLIC))
    assert [vars(record)["reason"] for record in caplog.records] == ["shared_cache"]


@every_shape
def test_error_page_after_the_commit_deletes_the_cookie_of_a_log_out(shape: str) -> None:
    cookie = serve(App("list", App.log_in)).cookie
    response = failing(shape, lambda app: app.session.clear(), error_page(PUBLIC), cookie)
    assert "Max-Age=0" in (response.set_cookie or "")
    assert response.headers["Cache-Control"] == "private, max-age=60"


@every_shape
def test_error_page_after_the_commit_of_a_session_that_was_read_varies(shape: str) -> None:
    """It is private only if the response that it replaces was made private."""
    response = failing(shape, App.look, error_page(PUBLIC, ("Vary", "Accept")))
    assert response.header_list == [PUBLIC, ("Vary", "Accept, Cookie")]


@every_shape
def test_error_page_varies_even_if_the_application_said_so_before(shape: str) -> None:
    def app(environ: Any, start: Any) -> Any:
        vary = [("Vary", "Accept, Cookie")]
        return inner(environ, lambda *given: start(*given) if given[2:] else start(OK, vary))

    inner = App(shape, App.look, error_page(), (b"",))
    assert call(SessionMiddleware(app, KEY)).header_list == [("Vary", "Cookie")]


@every_shape
def test_error_page_with_the_first_look_at_the_session_varies_and_is_private(shape: str) -> None:
    """It is too late for a warning, and the page may show the user's name."""
    cookie = serve(App("list", App.log_in)).cookie
    response = failing(shape, id, error_page(PUBLIC, look=App.look), cookie)
    assert response.header_list == [("Vary", "Cookie"), ("Cache-Control", "private, max-age=60")]


@every_shape
def test_error_page_with_another_look_at_the_session_only_varies(shape: str) -> None:
    response = failing(shape, App.look, error_page(PUBLIC, look=App.look))
    assert response.header_list == [PUBLIC, ("Vary", "Cookie")]


@every_shape
def test_error_page_of_an_untouched_session_is_the_applications_own(shape: str) -> None:
    assert failing(shape, id, error_page(PUBLIC)).header_list == [PUBLIC]


@every_shape
@pytest.mark.parametrize("first", [id, App.look])
def test_error_page_of_a_null_session_is_the_applications_own(shape: str, first: Step) -> None:
    response = failing(shape, first, error_page(PUBLIC, look=App.look), secret_key=None)
    assert response.header_list == [PUBLIC]


@every_shape
def test_every_further_error_page_has_the_cookie_once(shape: str) -> None:
    def fail_three_times(app: App) -> None:
        for _ in range(3):
            error_page(PUBLIC)(app)

    response = failing(shape, App.log_in, fail_three_times)
    assert len(response.header_list) == 3
    assert saved(response) == {"user": "ada"}


@every_shape
@pytest.mark.parametrize(("first", "look"), [(App.log_in, id), (id, App.look)])
def test_header_list_of_an_error_page_is_never_changed(shape: str, first: Step, look: Step) -> None:
    def fail(app: App) -> None:
        look(app)
        app.replace()

    assert len(failing(shape, first, fail).header_list) > len(TEXT)
    assert TEXT == [("Content-Type", "text/plain")]


@pytest.mark.parametrize("mode", [dict, lambda: {"store": MemoryStore()}])
def test_error_page_in_place_of_headers_that_the_server_refuses_has_the_cookie(
    mode: Callable[[], dict[str, Any]],
) -> None:
    """The session is saved once. A store would take the second time for another request."""

    class Strict(Server):
        def __call__(self, status: str, *given: Any) -> Callable[[bytes], object]:
            if status == OK:
                raise ValueError("a header is invalid")
            return super().__call__(status, *given)

    def app(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        environ["session"].owner = "ada"
        try:
            start(OK, TEXT)(b"")
        except ValueError:
            start(ERROR, [], sys.exc_info())
        return []

    server, middleware = Strict(), SessionMiddleware(app, KEY, **mode())
    middleware(make_environ(), server)
    [(_, fields, _)] = server
    headers = Headers(fields)
    assert [*headers.keys()] == ["Vary", "Set-Cookie", "Cache-Control"]
    session: Any = middleware.interface.open_session(make_environ(headers["Set-Cookie"]))
    assert session.owner == "ada"


@every_shape
def test_cookie_follows_those_of_the_error_page(shape: str) -> None:
    """A browser keeps the last of two cookies with one name, as in any other response."""
    own = [("Set-Cookie", "theme=dark"), ("Set-Cookie", "session=own")]
    lines = failing(shape, App.log_in, error_page(*own)).headers.getlist("Set-Cookie")
    assert lines[:2] == ["theme=dark", "session=own"]
    assert lines[2].startswith("session=")
    assert len(lines) == 3


@every_shape
def test_error_page_has_no_cookie_that_the_application_set_before(shape: str) -> None:
    def app(environ: Any, start: Any) -> Any:
        theme = [("Set-Cookie", "theme=dark"), ("X-Other", "1")]
        return inner(environ, lambda *given: start(*given) if given[2:] else start(OK, theme))

    inner = App(shape, App.log_in, error_page(), (b"",))
    response = call(SessionMiddleware(app, KEY))
    assert saved(response) == {"user": "ada"}
    assert [name for name, _ in response.header_list] == ["Vary", "Set-Cookie", "Cache-Control"]


@every_shape
def test_error_page_has_nothing_that_the_server_added(shape: str) -> None:
    """PEP 3333 allows a server to change the list of headers."""

    def server(*given: Any) -> Any:
        pages.append([*given[1]])
        given[1].append(("Set-Cookie", "of=the-server"))
        return lambda _: None

    pages: list[Any] = []
    app = App(shape, App.log_in, error_page(), (b"",))
    list(SessionMiddleware(app, KEY)(make_environ(), server))
    first, second = pages
    assert sorted(second) == sorted(field for field in first if field not in TEXT)


class Adding(SecureCookieSessionInterface):
    """An interface whose save_session adds these headers, and nothing else."""

    def __init__(self, *fields: tuple[str, str]) -> None:
        super().__init__(KEY)
        self.fields = fields

    def save_session(self, environ: WSGIEnvironment, session: Any, headers: Headers) -> None:
        headers.extend(self.fields)


@every_shape
@pytest.mark.parametrize(
    ("decided", "expected"),
    [
        ([], [PUBLIC]),
        ([("X-Other", "1")], [PUBLIC]),
        ([("Vary", "X-Tenant")], [PUBLIC, ("Vary", "X-Tenant")]),
        ([("vary", "x-tenant, Cookie, a")], [PUBLIC, ("Vary", "x-tenant, Cookie, a")]),
        ([("Vary", "*")], [PUBLIC, ("Vary", "*")]),
        ([("Cache-Control", "public, s-maxage=60")], [PUBLIC]),
        ([("Cache-Control", "Private")], [("Cache-Control", "private, max-age=60")]),
        ([("cache-control", "no-store")], [("Cache-Control", "no-store, max-age=60")]),
        (
            [("set-cookie", "a=1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
            [
                *(("set-cookie", "a=1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")),
                ("Cache-Control", "private, max-age=60"),
            ],
        ),
    ],
)
def test_only_cookies_vary_and_privacy_of_an_interface_are_carried_over(
    shape: str, decided: Any, expected: Any
) -> None:
    response = failing(shape, App.look, error_page(PUBLIC), interface=Adding(*decided))
    assert response.header_list == expected


@every_shape
def test_error_page_has_the_cookie_of_an_interface_with_sessions_of_its_own(shape: str) -> None:
    cookie = dump_cookie("sid", "sid-0")
    response = failing(shape, App.look, error_page(PUBLIC), interface=MySessionInterface())
    assert response.header_list == [
        ("Set-Cookie", cookie),
        ("Cache-Control", "private, max-age=60"),
    ]


# Errors


@every_shape
@every_session_error
def test_session_error_is_raised_instead_of_the_response(shape: str, spoil: Step) -> None:
    server = Server()
    with pytest.raises(SESSION_ERRORS):
        list(SessionMiddleware(App(shape, spoil), KEY)(make_environ(), server))
    assert server == []


def test_session_error_is_never_raised_out_of_start_response() -> None:
    """An application could not replace the response by an error page there."""
    returned: list[object] = []

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        environ["session"]["user"] = object()
        returned.append(start(OK, TEXT))
        return []

    with pytest.raises(UnserializableValue):
        serve(app)
    assert len(returned) == 1


@every_shape
def test_exception_of_the_application_passes_through_and_nothing_is_saved(shape: str) -> None:
    server = Server()
    with pytest.raises(KeyError, match="missing"):
        list(SessionMiddleware(App(shape, App.fail), KEY)(make_environ(), server))
    assert server == []


class Closing(list[bytes]):
    """A body with a close method."""

    def __init__(self, close: Callable[[], object]) -> None:
        self.close = close


@pytest.mark.parametrize("last", ["change", "write"])
def test_session_error_is_not_hidden_by_the_close_method_of_the_body(last: str) -> None:
    def app(environ: Any, start_response: Any) -> Closing:
        session = environ["session"]
        session["large"] = token_hex(4096)
        write = start_response("200 OK", [])
        return Closing({"change": lambda: session.update(a=1), "write": lambda: write(b"")}[last])

    with pytest.raises(SessionTooLarge):
        call(SessionMiddleware(app, KEY))


# The body


@pytest.mark.parametrize("body", [[b"1"], (b"1", b"2"), App(), FileWrapper(io.BytesIO())])
def test_body_is_the_applications_own_and_not_wrapped(body: Iterable[bytes]) -> None:
    """The server may use ``len`` and ``wsgi.file_wrapper`` as without the middleware."""
    response = serve(lambda *given: body if App("list", App.log_in)(*given) else ())
    assert response.body is body


@every_body
def test_body_is_streamed_one_chunk_at_a_time(shape: str) -> None:
    app = App(shape, App.log_in, chunks=(b"1", b"", b"2"))
    chunks = SessionMiddleware(app, KEY)(make_environ(), Server())
    assert [(chunk, app.taken) for chunk in chunks] == [(b"1", 1), (b"", 2), (b"2", 3)]


@every_body
@pytest.mark.parametrize("leave_after", [None, 0, 1])
def test_body_is_closed_once_whenever_the_client_leaves(shape: str, leave_after: Any) -> None:
    app = App(shape, App.log_in, chunks=(b"1", b"2"))
    serve(app, leave_after=leave_after)
    assert app.closed == 1


@every_body
@every_session_error
def test_body_is_closed_once_and_before_a_session_error_is_raised(shape: str, spoil: Step) -> None:
    app = App(shape, spoil)
    with pytest.raises(SESSION_ERRORS):
        list(SessionMiddleware(app, KEY)(make_environ(), Server()))
    assert app.closed == 1
    with pytest.raises(SESSION_ERRORS):
        serve(app)
    assert app.closed == 2


@pytest.mark.parametrize("app", [App("generator", App.fail), App("generator", later=App.replace)])
def test_body_is_closed_once_when_it_raises(app: App) -> None:
    with pytest.raises(KeyError):
        serve(app)
    assert app.closed == 1


@every_body
def test_body_is_closed_once_when_the_server_refuses_the_response(shape: str) -> None:
    app = App(shape)
    with pytest.raises(AssertionError, match="oops"):
        serve(lambda environ, start: app(environ, lambda *_: start("oops", TEXT)))
    assert app.closed == 1


@every_shape
@pytest.mark.parametrize("sides", ["outside", "inside", "outside and inside"])
@pytest.mark.parametrize("first", [id, App.look, App.log_in, App.replace])
@pytest.mark.parametrize("chunks", [(), (b"",), (b"1", b"2")])
def test_every_kind_of_response_validates(shape: str, sides: str, first: Step, chunks: Any) -> None:
    app: WSGIApplication = App(shape, first, chunks=chunks)
    app = validator(app) if "inside" in sides else app
    app = SessionMiddleware(app, KEY, environ_key="sessionware.session")
    assert call(validator(app) if "outside" in sides else app).chunks == list(chunks)


# Many requests


def greet(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Log in the user of the query string, and wait for another request before the body."""
    start(OK, TEXT)
    environ["session"]["user"] = environ["QUERY_STRING"]
    environ["test.other"]()
    yield b"body"


def test_requests_in_two_threads_do_not_mix() -> None:
    middleware, meet = SessionMiddleware(greet, KEY), threading.Barrier(2, timeout=10).wait
    with ThreadPoolExecutor(2) as pool:
        ada = pool.submit(call, middleware, QUERY_STRING="ada", test__other=meet)
        bob = pool.submit(call, middleware, QUERY_STRING="bob", test__other=meet)
    assert (saved(ada.result()), saved(bob.result())) == ({"user": "ada"}, {"user": "bob"})


@every_shape
def test_middleware_keeps_nothing_of_a_request(shape: str) -> None:
    middleware = SessionMiddleware(App(shape, App.log_in), KEY)
    before = vars(middleware).copy(), vars(middleware.interface).copy()
    call(middleware)
    assert (vars(middleware), vars(middleware.interface)) == before


class Environ(dict[str, Any]):
    """An environ that allows weak references."""


@every_shape
@pytest.mark.parametrize("step", [App.log_in, App.overfill, App.replace, App.replace_and_fail])
@pytest.mark.parametrize("later", [id, App.replace])
def test_environ_is_freed_with_its_request(shape: str, step: Step, later: Step) -> None:
    """It is in no reference cycle, so it is freed without the garbage collector."""

    def answer(environ: Any) -> Any:
        with suppress(KeyError, SessionTooLarge), closing(app(environ, lambda *_: bool)) as body:
            list(body)
        return weakref.ref(environ)

    app: Any = SessionMiddleware(lambda *given: App(shape, step, later)(*given), KEY)
    gc.disable()
    try:
        there = answer(Environ(make_environ()))
        assert there() is None
    finally:
        gc.enable()


# The settings


def problems(*secret_key: Any, app: object = count, **settings: Any) -> tuple[str, ...]:
    """Return the problems that the middleware finds in its settings."""
    construct: Any = SessionMiddleware
    with pytest.raises(ConfigurationError) as caught:
        construct(app, *secret_key, **settings)
    return tuple(map(str, caught.value.problems))


def test_app_environ_key_and_interface_are_public() -> None:
    middleware = SessionMiddleware(
        count, environ_key="mine", interface=(mine := SessionInterface())
    )
    assert (middleware.app, middleware.environ_key, middleware.interface) == (count, "mine", mine)


def test_interface_with_settings_is_refused_along_with_every_other_problem() -> None:
    assert problems(KEY, app=None, environ_key=b"a", interface=SessionInterface(), salt="") == (
        "app: found NoneType, expected a WSGI application, which is callable",
        "environ_key: found bytes, expected a str that is not empty",
        "interface: found together with secret_key, salt, which it replaces",
    )


@pytest.mark.parametrize(("interface", "found"), [(SessionInterface, "type"), ("cookie", "str")])
def test_interface_that_is_not_a_session_interface_is_refused(interface: Any, found: str) -> None:
    problem = f"interface: found {found}, expected a SessionInterface()"
    assert problems(interface=interface) == (problem,)


@pytest.mark.parametrize("name", ["secret_key", "environ_key", "interface", "cookie_name"])
def test_unknown_setting_is_refused_with_the_nearest_known_name(name: str) -> None:
    typo = name[:-2] + name[-1]
    assert problems(**{typo: 1}) == (f"{typo}: unknown setting; did you mean {name}?",)


def test_every_problem_is_in_one_message() -> None:
    settings = {"environ_key": "", "cookie_name": "a b", "idle_timeout": -1, "cookie_pth": "/"}
    found = problems("short", app=None, **settings)
    assert {problem.partition(":")[0] for problem in found} == {"app", "secret_key", *settings}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"app": 7}, "app: found int, expected a WSGI application, which is callable"),
        ({"environ_key": ""}, "environ_key: found an empty str, expected a str that is not empty"),
        ({"environ_key": 7}, "environ_key: found int, expected a str that is not empty"),
    ],
)
def test_argument_of_the_wrong_type_is_refused(arguments: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SessionMiddleware(**{"app": App(), "secret_key": KEY} | arguments)
    assert tuple(map(str, caught.value.problems)) == (problem,)
