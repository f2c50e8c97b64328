"""Applications to wrap, which do what a test tells them."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest

from sessionware import SessionMiddleware
from tests.gateway import KEY, Response, call
from tests.sites import Act

OK, ERROR = "200 OK", "500 Internal Server Error"
TEXT = [("Content-Type", "text/plain")]
Step = Callable[["App"], object]


@dataclass(eq=False)
class App:
    """An application that is also its body. It counts the chunks it yields, and calls of close().

    The shape "list" calls start_response and returns the body, "generator" calls it when the body
    is read, and "write" calls write(). ``first`` runs before the chunks, ``later`` after them.
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


every_shape = pytest.mark.parametrize("shape", ["list", "generator", "write"])


def serve(app: WSGIApplication, cookie: str = "", **more: Any) -> Response:
    return call(SessionMiddleware(app, KEY), cookie, **more)


def saved(response: Response) -> dict[str, Any]:
    """Return the data of the session that the client's next request loads."""
    serve(app := App("list", App.look), response.cookie)
    return app.seen


def count(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Count the requests of a session under the key ``n``."""
    start(OK, TEXT)
    environ["session"]["n"] = environ["session"].get("n", 0) + 1
    yield b"body"


def acting(
    act: Act, *headers: tuple[str, str], status: str = OK, **settings: Any
) -> SessionMiddleware:
    """Wrap an application that does this with its session and returns these headers."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        act(environ["session"])
        start_response(status, list(headers))
        return []

    return SessionMiddleware(app, **{"secret_key": KEY} | settings)


def log_in(session: Any) -> None:
    """Log a user in."""
    session["user"] = "ann"
