"""Session interfaces of one's own, as an application would write them."""

from typing import Any
from wsgiref.types import WSGIEnvironment

from werkzeug.datastructures import Headers
from werkzeug.http import dump_cookie, parse_cookie

from sessionware import SessionInterface, SessionMixin


class MySession(dict[str, Any], SessionMixin):
    """The least that a session of one's own has to be."""


class MySessionInterface(SessionInterface):
    """Flask's documented interface: sessions kept here, unless it is down."""

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
    """Opens the one object that it keeps, in every request."""

    session = MySession()

    def open_session(self, environ: WSGIEnvironment) -> SessionMixin:
        return self.session
