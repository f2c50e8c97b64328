"""Custom session interfaces, as an application would write them."""

from typing import Any
from wsgiref.types import WSGIEnvironment

from werkzeug.datastructures import Headers
from werkzeug.http import dump_cookie, parse_cookie

from sessionware import SessionInterface, SessionMixin


class MySession(dict[str, Any], SessionMixin):
    """The smallest custom session class."""


class MySessionInterface(SessionInterface):
    """The interface of Flask's documentation, with a dict. ``?down`` simulates a failure."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def open_session(self, environ: WSGIEnvironment) -> SessionMixin | None:
        if environ["QUERY_STRING"] == "down":
            return None
        return MySession(self.kept.get(parse_cookie(environ).get("sid", ""), {}))

    def save_session(self, environ: WSGIEnvironment, session: Any, headers: Headers) -> None:
        sid = parse_cookie(environ).get("sid", f"sid-{len(self.kept)}")
        self.kept[sid] = dict(session)
        headers.add("Set-Cookie", dump_cookie("sid", sid))


class SharedInterface(MySessionInterface):
    """An interface that opens the same session object in every request."""

    session = MySession()

    def open_session(self, environ: WSGIEnvironment) -> SessionMixin:
        return self.session
