"""A strict PEP 3333 gateway, which checks what an application does and records its response."""

import io
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import WSGIApplication, WSGIEnvironment
from wsgiref.util import is_hop_by_hop

from werkzeug.datastructures import Headers

KEY = "a secret key of more than thirty-two bytes"
"""The secret key of most tests."""

OLDER_KEY = "the secret key of last year, which is out of use"


def make_environ(cookie: str = "", **variables: Any) -> WSGIEnvironment:
    """Return the environ of a request, with everything that ``wsgiref.validate`` requires.

    ``variables`` override it. A double underscore in a name stands for a dot, as in
    ``wsgi__url_scheme="https"``.
    """
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if cookie:
        environ["HTTP_COOKIE"] = cookie
    return environ | {name.replace("__", "."): value for name, value in variables.items()}


@dataclass
class Response:
    """The response that the client received. ``body`` is the application's own iterable."""

    status: str = ""
    headers: Headers = field(default_factory=Headers)
    header_list: list[tuple[str, str]] = field(default_factory=list)
    exc_info: Any = None
    chunks: list[bytes] = field(default_factory=list)
    body: Iterable[bytes] = ()

    @property
    def data(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)

    @property
    def set_cookie(self) -> str | None:
        """The Set-Cookie header, or ``None``. More than one is an error."""
        found = self.headers.getlist("Set-Cookie")
        assert len(found) <= 1, found
        return found[0] if found else None

    @property
    def cookie(self) -> str:
        """The Cookie header of the next request: ``name=value``, or ``""`` if no cookie was set."""
        return (self.set_cookie or "").partition(";")[0]


def call(
    app: WSGIApplication, cookie: str = "", *, leave_after: int | None = None, **variables: Any
) -> Response:
    """Send one request to the application and read its whole response.

    ``leave_after``: the client disconnects after this number of chunks. Exceptions of the
    application are raised, after its body was closed as a server would close it.
    """
    return run(app, make_environ(cookie, **variables), leave_after=leave_after)


def run(
    app: WSGIApplication, environ: WSGIEnvironment, *, leave_after: int | None = None
) -> Response:
    """Do the same as ``call``, with this environ."""
    response = Response()

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        _check_start(response, status, headers, exc_info)
        response.status = status
        response.header_list = headers
        response.headers = Headers(headers)
        response.exc_info = exc_info
        return write

    def write(data: bytes) -> None:
        assert response.status, "write() before start_response()"
        assert type(data) is bytes, f"{type(data)} is not bytes"
        response.chunks.append(data)

    body = app(environ, start_response)
    response.body = body
    try:
        if leave_after != 0:
            for count, chunk in enumerate(body, 1):
                write(chunk)
                if count == leave_after:
                    break
            else:
                assert response.status, "the body ended before start_response()"
    finally:
        if close := getattr(body, "close", None):
            close()
    return response


def _check_start(
    response: Response, status: str, headers: list[tuple[str, str]], exc_info: Any
) -> None:
    if exc_info is not None and any(response.chunks):
        raise exc_info[1].with_traceback(exc_info[2])
    assert exc_info is not None or not response.status, "start_response() a second time"
    assert type(status) is str
    assert re.fullmatch(r"\d{3} [^\r\n]+", status), status
    assert type(headers) is list
    for item in headers:
        assert type(item) is tuple
        name, value = item
        assert type(name) is str
        assert type(value) is str
        assert re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name), name
        assert not re.search(r"[\x00-\x1f\x7f]", value), value
        assert not is_hop_by_hop(name), name
