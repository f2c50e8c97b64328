"""WSGI and ASGI without a server: a bare application for each, and a request driven through it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple
from wsgiref.util import setup_testing_defaults

Request = dict[str, Any]
"""A WSGI environ or an ASGI scope."""

Handler = Callable[[Request], bytes]
"""What the application does with a request; the body of its response."""

StartResponse = Callable[..., object]
WSGIApp = Callable[[Request, StartResponse], Iterable[bytes]]
ASGIApp = Callable[..., Coroutine[Any, Any, None]]


class Reply(NamedTuple):
    """A response: its headers (text in WSGI, bytes in ASGI) and its body."""

    headers: list[tuple[Any, Any]]
    body: bytes

    def set_cookie(self) -> str | None:
        """Name and value of the first cookie that this response sets."""
        for name, value in self.headers:
            if name.lower() in ("set-cookie", b"set-cookie"):
                text: str = value if isinstance(value, str) else value.decode("latin-1")
                return text.partition(";")[0].strip()
        return None


@dataclass(frozen=True, slots=True)
class Gateway:
    """How requests look to a kind of application, the barest one, and how it is called."""

    request: Callable[[str | None], Request]
    bare: Callable[[Handler], Any]
    serve: Callable[[Any, Request], Reply]


def wsgi_request(cookie: str | None) -> Request:
    environ: Request = {}
    setup_testing_defaults(environ)
    environ["HTTP_USER_AGENT"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Firefox/140.0"
    if cookie is not None:
        environ["HTTP_COOKIE"] = cookie
    return environ


def wsgi_bare(handler: Handler) -> WSGIApp:
    def application(environ: Request, start_response: StartResponse) -> Iterable[bytes]:
        body = handler(environ)
        # A new list each time: Beaker appends to the application's own.
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [body]

    return application


def wsgi_serve(app: WSGIApp, environ: Request) -> Reply:
    sent: list[list[tuple[str, str]]] = []

    def start_response(
        status: str,
        headers: list[tuple[str, str]],
        exc_info: object = None,
    ) -> None:
        sent.append(headers)

    chunks = app(environ, start_response)
    body = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    return Reply(sent[0], body)


def asgi_request(cookie: str | None) -> Request:
    headers = [(b"host", b"127.0.0.1"), (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64)")]
    if cookie is not None:
        headers.append((b"cookie", cookie.encode("latin-1")))
    return {"type": "http", "method": "GET", "path": "/", "headers": headers}


def asgi_bare(handler: Handler) -> ASGIApp:
    async def application(scope: Request, receive: object, send: Any) -> None:
        body = handler(scope)
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


def asgi_serve(app: ASGIApp, scope: Request) -> Reply:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    # Nothing in a bare application waits, so one step runs the coroutine to its end: no event loop.
    with suppress(StopIteration):
        app(scope, None, send).send(None)
    start, body = sent
    return Reply(start["headers"], body["body"])


WSGI = Gateway(wsgi_request, wsgi_bare, wsgi_serve)
ASGI = Gateway(asgi_request, asgi_bare, asgi_serve)
