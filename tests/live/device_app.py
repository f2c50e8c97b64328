"""An application for a browser, whose sessions are bound to devices, once for each mode."""

from typing import Any
from wsgiref.types import WSGIApplication

from werkzeug import Request, Response
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from sessionware import SessionMiddleware
from tests.gateway import KEY
from tests.sites import MemoryRevocations, MemoryStore

MODES: dict[str, dict[str, Any]] = {
    "signed": {},
    "encrypted": {"encrypt": True},
    "revocations": {"revocations": MemoryRevocations()},
    "store": {"store": MemoryStore()},
}
REFRESHES, REGISTERS = "/.dbsc/refresh", "/.dbsc/register"
refreshed = dict.fromkeys(MODES, 0)
failing: dict[str, set[str]] = {"/down": set(), "/lossy": set()}
"""Modes whose next refresh meets a server that is down, or whose next registration is lost."""


@Request.application
def pages(request: Request) -> Response:
    """Tell whose the session is, how often it was counted, and whether it is bound."""
    session = request.environ["session"]
    match request.path:
        case "/login":
            session.owner, session.permanent = "ann", True
        case "/logout":
            session.invalidate()
        case "/count":
            session["n"] = session.get("n", 0) + 1
        case "/picture":
            return Response(session.owner, mimetype="text/plain")
        case "/pictures":
            return Response("<img src=picture>" * 6 + str(session.owner), mimetype="text/html")
        case "/body":
            return Response(f"{session.owner} {len(request.get_data())}", mimetype="text/plain")
        case "/link":
            to = request.args["to"]
            return Response(f"<!doctype html><a href='{to}'>Go</a>", mimetype="text/html")
        case "/refreshed":
            return Response(str(refreshed[request.root_path.strip("/")]), mimetype="text/plain")
        case "/down" | "/lossy":
            failing[request.path].add(request.root_path.strip("/"))
    bound = "bound" if session.device_bound else "not bound"
    page = f"<!doctype html><title>shop</title>{session.owner}, {session.get('n', 0)}, {bound}"
    return Response(page, mimetype="text/html")


def counting(app: WSGIApplication, mode: str) -> WSGIApplication:
    """Count the proofs that were accepted, and be down, or lose an answer, when it is asked for."""

    def counted(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: Any, *more: Any) -> Any:
            refreshed[mode] += environ["PATH_INFO"] == REFRESHES and status == "200 OK"
            return start_response(status, headers, *more)

        if environ["PATH_INFO"] == REFRESHES and mode in failing["/down"]:
            failing["/down"].remove(mode)
            return Response(status=502)(environ, start)
        if environ["PATH_INFO"] == REGISTERS and mode in failing["/lossy"]:
            failing["/lossy"].remove(mode)
            Response.from_app(app, environ).close()
            return Response(status=502)(environ, start)
        return app(environ, start)

    return counted


apps: dict[str, WSGIApplication] = {
    f"/{mode}": counting(
        SessionMiddleware(
            pages, KEY, cookie_name=mode, cookie_path=f"/{mode}", device_bound=True, **settings
        ),
        mode,
    )
    for mode, settings in MODES.items()
}
app = DispatcherMiddleware(pages, apps)
