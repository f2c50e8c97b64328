"""A counter in plain WSGI: how often this browser has been here."""

import os
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from sessionware import SessionMiddleware


def counter(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Count a visit, and return the number."""
    session = environ["session"]
    session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"You have been here {session['visits']} times.\n".encode()]


app = SessionMiddleware(counter, os.environ.get("SECRET_KEY", ""))
