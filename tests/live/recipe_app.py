"""The recipes of examples/README.md that need a proxy or a browser, each in an application."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug import Request, Response

from sessionware import SessionMiddleware
from tests.gateway import KEY
from tests.live.browser_app import note
from tests.live.pages import block, executed

callback: WSGIApplication = executed(block("def callback"))["callback"]
log_out: WSGIApplication = executed(block("Clear-Site-Data"))["log_out"]


@Request.application
def page(request: Request) -> Response:
    """Put tea into the cart, log in by a form, and tell whose cart has what in it."""
    session = request.environ["session"]
    if request.path == "/cart":
        session["cart"] = ["tea"]
    elif request.method == "POST":
        session.owner = request.form["user"]
    return Response(f"{session.owner}: {session.get('cart', [])}", mimetype="text/html")


def shop(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    pages = {"/callback": callback, "/logout": log_out}
    return pages.get(environ["PATH_INFO"], page)(environ, start_response)


app = SessionMiddleware(shop, KEY)
never_cached = executed(block("if session.accessed"), app=shop)["app"]

notes = SessionMiddleware(note, KEY)
notes_of_https = executed(block("x_for=1"), app=note)["app"]
