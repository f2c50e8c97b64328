"""An application with a websocket, which reads its session and may change it."""

from collections.abc import Iterable
from contextlib import suppress
from wsgiref.types import StartResponse, WSGIEnvironment

from simple_websocket import ConnectionClosed, Server

from sessionware import SessionMiddleware
from tests.gateway import KEY


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session = environ["session"]
    if "HTTP_UPGRADE" not in environ:
        session["user"] = "ann"
        start_response("200 OK", [])
        return [b"logged in"]
    websocket = Server.accept(environ)
    with suppress(ConnectionClosed):
        while message := websocket.receive():
            if message == "change":
                session["user"] = "bob"
            websocket.send(f"{session.get('user')}: {message}")
    raise StopIteration  # the end of a connection that gunicorn must not answer, as in Flask-Sock


app = SessionMiddleware(application, KEY)
