"""Pages for a shared cache to keep: some never touch their session, some read or change it."""

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug import Request, Response
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from sessionware import SessionMiddleware
from tests.gateway import KEY

SHARED = "public, max-age=60"
MARKS = {"public": SHARED, "s-maxage": "s-maxage=60", "unmarked": ""}
REACHED: list[str] = []


@Request.application
def site(request: Request) -> Response:
    """Do what /{act}/{mark}/... says; the rest only tells the pages of one test from another's.

    Who is there, and how often they wrote, is the body of every page that looks at its session.
    """
    if request.path == "/reached":
        return Response(str(REACHED.count(request.args["path"])))
    REACHED.append(request.root_path + request.path)
    act, mark = request.path.split("/")[1:3]
    response = Response("everybody")
    if MARKS[mark]:
        response.headers["Cache-Control"] = MARKS[mark]
    if act != "never":
        response.set_data(use(request.environ["session"], act, request.headers.get("X-User")))
    if act == "translated":
        response.headers.extend([("Vary", "Cookie"), ("Vary", "Accept-Language")])
    return response


def use(session: Any, act: str, name: str | None) -> str:
    """Log in, write, log out, or only read; a proxy in front has told who is logging in."""
    if act == "log-in":
        session["user"] = name
    if act == "write":
        session["written"] = session.get("written", 0) + 1
    body = f"{session.get('user', 'nobody')} {session.get('written', 0)}"
    if act == "log-out":
        session.invalidate()
    return body


def without(header: str, app: WSGIApplication, instead: str = "") -> WSGIApplication:
    """Undo what was done about this header; what stands there instead may be nothing."""

    def careless(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            kept = [(name, value) for name, value in headers if name.lower() != header.lower()]
            if instead:
                kept.append((header, instead))
            return start_response(status, kept, exc_info)

        return app(environ, start)

    return careless


protected = SessionMiddleware(site, KEY)
app = DispatcherMiddleware(
    protected,
    {
        "/without-vary": without("Vary", protected),
        "/without-private": without("Cache-Control", protected, SHARED),
    },
)
