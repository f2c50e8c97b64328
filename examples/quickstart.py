"""A counter in plain WSGI: how often this browser has been here."""

import os
import sys
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from sessionware import SessionMiddleware


def counter(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Count a visit, and say which it is."""
    session = environ["session"]
    session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"You have been here {session['visits']} times.\n".encode()]


if not os.environ.get("SECRET_KEY"):
    sys.stderr.write("SECRET_KEY is not set: export SECRET_KEY=$(python -m sessionware secret)\n")
    sys.exit(3)  # Only on a 3 does gunicorn give up; on another it tries again for ever.
app = SessionMiddleware(counter, os.environ["SECRET_KEY"])
