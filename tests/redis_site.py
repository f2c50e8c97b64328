"""An application whose every request does what the test says, on a store or a list in Redis."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIEnvironment

from sessionware import Session, SessionMiddleware
from tests.gateway import KEY, Response, make_environ, run

Act = Callable[[Session], object]


class Page(NamedTuple):
    """What came of a visit. ``cookie``: what the browser holds after it; ``""`` for none."""

    result: Any
    cookie: str
    response: Response


class Site:
    """Wrapped in a SessionMiddleware of these settings."""

    def __init__(self, **settings: Any) -> None:
        self.app = SessionMiddleware(act_out, KEY, **settings)

    def visit(self, act: Act, cookie: str = "") -> Page:
        environ = make_environ(cookie, test__act=act)
        response = run(self.app, environ)
        held = response.cookie or cookie
        return Page(environ["test.result"], "" if held == "session=" else held, response)

    def log_in(self, owner: Any = "ann", **data: Any) -> str:
        """Give the cookie of a new session that is this owner's."""

        def act(session: Session) -> None:
            session.owner = owner
            session.update(data)

        return self.visit(act).cookie

    def read(self, cookie: str) -> dict[str, Any] | None:
        """What the cookie's session holds, but for its owner; ``None`` for a new one."""
        result: dict[str, Any] | None = self.visit(data_of, cookie).result
        return result


def act_out(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    environ["test.result"] = environ["test.act"](environ["session"])
    start_response("200 OK", [])
    return []


def data_of(session: Session) -> dict[str, Any] | None:
    return None if session.new else {key: session[key] for key in session if key != "_owner"}


def id_of(session: Session) -> str:
    return session.id


def count(session: Session) -> int:
    session["n"] = session.get("n", 0) + 1
    return int(session["n"])


def untouched(session: Session) -> None:
    """Do nothing with it."""
