"""An application for a browser: one counter for each setting of the cookie, and a blank page."""

import random
import string
from typing import Any
from wsgiref.types import WSGIApplication

from markupsafe import Markup
from werkzeug import Request, Response
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from sessionware import SessionMiddleware
from tests.gateway import KEY

SETTINGS: dict[str, dict[str, Any]] = {
    "/lax": {"cookie_samesite": "Lax"},
    "/strict": {"cookie_samesite": "Strict"},
    "/none": {"cookie_samesite": "None", "cookie_secure": True},
    "/partitioned": {
        "cookie_samesite": "None",
        "cookie_secure": True,
        "cookie_partitioned": True,
    },
    "/host": {"cookie_name": "__Host-session"},
}


@Request.application
def counter(request: Request) -> Response:
    """Count a visit, and tell how many there were."""
    session = request.environ["session"]
    session["visits"] = session.get("visits", 0) + 1
    return Response(str(session["visits"]))


@Request.application
def note(request: Request) -> Response:
    """Keep a note of that `length`, which does not compress well; tell how long the last one is."""
    session = request.environ["session"]
    if "length" in request.args:
        letters = random.Random(0).choices(string.ascii_letters, k=int(request.args["length"]))  # noqa: S311
        session["note"] = "".join(letters)
    return Response(str(len(session["note"])))


@Request.application
def blank(request: Request) -> Response:
    """A page that is not ours: it shows the cookies that it is sent, and a test may fill it."""
    page = Markup("<!doctype html><title>blank</title><body>{}")
    return Response(page.format(request.headers.get("Cookie", "")), mimetype="text/html")


notes = SessionMiddleware(note, KEY, cookie_name="notes")
pages: dict[str, WSGIApplication] = {"/notes": notes}
for path, settings in SETTINGS.items():
    pages[path] = SessionMiddleware(counter, KEY, **{"cookie_name": path[1:]} | settings)
app = DispatcherMiddleware(blank, pages)
