"""The middleware between a server and an application: PEP 3333, towards both of them."""

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from sessionware import SessionMiddleware, SessionTooLarge, UnserializableValue
from sessionware.errors import UsageError
from tests.gateway import KEY, Response, call, make_environ

OK, ERROR = "200 OK", "500 Internal Server Error"
TEXT = [("Content-Type", "text/plain")]
Step = Callable[["App"], object]


@dataclass(eq=False)
class App:
    """An application, and its body: counts the chunks taken from it, and how often it is closed.

    A "list" calls start_response and returns the body; a "generator" calls it when the body is
    read; a "write" uses write(). The step ``first`` comes before the chunks, ``later`` after.
    """

    shape: str = "list"
    first: Step = id
    later: Step = id
    chunks: tuple[bytes, ...] = (b"body",)
    taken: int = 0
    closed: int = 0

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        self.environ, self.start = environ, start
        self.session: Any = environ.get("session", environ.get("sessionware.session"))
        if self.shape == "generator":
            return self
        write = self.begin()
        if self.shape == "list":
            return self
        for chunk in self.chunks:
            write(chunk)
        self.later(self)
        return App(chunks=())

    def begin(self) -> Callable[[bytes], object]:
        write = self.start(OK, TEXT)
        self.first(self)
        return write

    def __iter__(self) -> Iterator[bytes]:
        if self.shape == "generator":
            self.begin()
        for chunk in self.chunks:
            self.taken += 1
            yield chunk
        self.later(self)

    def close(self) -> None:
        self.closed += 1

    def look(self) -> None:
        self.seen = dict(self.session)

    def log_in(self) -> None:
        self.session["user"] = "ada"

    def overfill(self) -> None:
        self.session["user"] = os.urandom(5000).hex()

    def confuse(self) -> None:
        self.session["user"] = object()

    def fail(self) -> None:
        self.log_in()
        raise KeyError("missing")

    def replace_and_log_in(self) -> None:
        self.replace()
        self.log_in()

    def replace_and_fail(self) -> None:
        self.replace()
        self.fail()

    def replace(self) -> None:
        """Replace the response by an error page, as PEP 3333 shows it."""
        try:
            raise KeyError("missing")
        except KeyError:
            self.start(ERROR, TEXT, sys.exc_info())


class Server(list[tuple[Any, ...]]):
    """A start_response that keeps the arguments of its calls, and the chunks of its write."""

    def __call__(self, *given: Any) -> Callable[[bytes], object]:
        self.append(given)
        return lambda chunk: self.append((chunk,))


every_shape = pytest.mark.parametrize("shape", ["list", "generator", "write"])
every_body = pytest.mark.parametrize("shape", ["list", "generator"])
every_session_error = pytest.mark.parametrize("spoil", [App.overfill, App.confuse])
SESSION_ERRORS = (SessionTooLarge, UnserializableValue)


def serve(app: WSGIApplication, cookie: str = "", **more: Any) -> Response:
    return call(SessionMiddleware(app, KEY), cookie, **more)


def saved(response: Response) -> dict[str, Any]:
    """Give the session that the client's next request finds."""
    serve(app := App("list", App.look), response.cookie)
    return app.seen


# The commit


def test_return_commits_where_start_response_was_called() -> None:
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


def test_first_write_commits_and_each_chunk_is_handed_on_at_once() -> None:
    server = Server()
    app = App("write", later=lambda _: server.append(("later",)), chunks=(b"1", b"2"))
    SessionMiddleware(app, KEY)(make_environ(), server)
    assert server == [(OK, TEXT), (b"1",), (b"2",), ("later",)]


# start_response


@every_shape
def test_untouched_response_is_byte_for_byte_the_applications_own(shape: str) -> None:
    """Status, headers, chunks; no ``exc_info`` where none was given."""
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
def test_error_page_after_the_commit_goes_to_the_server_as_it_is(shape: str) -> None:
    response = serve(App(shape, App.log_in, App.replace, (b"",)))
    assert (response.status, response.header_list) == (ERROR, TEXT)


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


# Errors


@every_shape
@every_session_error
def test_session_error_is_raised_instead_of_the_response(shape: str, spoil: Step) -> None:
    server = Server()
    with pytest.raises(SESSION_ERRORS):
        list(SessionMiddleware(App(shape, spoil), KEY)(make_environ(), server))
    assert server == []


def test_session_error_is_never_raised_out_of_start_response() -> None:
    """Whoever calls it there would be kept from answering with an error page."""
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


# The body


@pytest.mark.parametrize("body", [[b"1"], (b"1", b"2"), App(), FileWrapper(io.BytesIO())])
def test_body_is_the_applications_own_and_not_wrapped(body: Iterable[bytes]) -> None:
    """So that ``len`` and ``wsgi.file_wrapper`` keep their meaning for the server."""
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
