"""A site whose store is made, and used, before its server forks: gunicorn --preload."""

import os
from collections.abc import Iterable
from contextlib import ExitStack
from wsgiref.types import StartResponse, WSGIEnvironment

from sessionware import SessionMiddleware
from tests.gateway import KEY
from tests.stores.race import keeping

KIND, ADDRESS = os.environ["KEPT_IN"].split()

stack = ExitStack()
address = int(ADDRESS) if ADDRESS.isdigit() else ADDRESS
setting = stack.enter_context(keeping(KIND, address, "store"))
setting["store"].load("used before the fork")


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Return whose session it is, how often it was asked for, and which process answers."""
    session = environ["session"]
    session.setdefault("who", environ["QUERY_STRING"])
    session["n"] = session.get("n", 0) + 1
    start_response("200 OK", [])
    return [f"{session['who']} {session['n']} {os.getpid()}".encode()]


application = SessionMiddleware(app, KEY, **setting)
