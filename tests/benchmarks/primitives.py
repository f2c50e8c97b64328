"""The limit: what any signed and compressed JSON cookie has to do, and nothing else.

One HMAC-SHA256, JSON, a small zlib window, base64, one Set-Cookie and one Vary header. No time
limits, no checks of any kind, one key, and the application says itself what it has changed. Not a
session to use: the number below which no session of this kind can go.
"""

from __future__ import annotations

import hmac
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Any

from .gateways import Request, StartResponse, WSGIApp

encode = json.JSONEncoder(separators=(",", ":")).encode
decode = json.JSONDecoder().decode


class Session(dict[str, Any]):
    """A dict that is told when it was changed."""

    __slots__ = ("changed",)

    changed: bool


def dumps(session: Session, key: bytes) -> str:
    squeeze = zlib.compressobj(6, zlib.DEFLATED, 12, 4)
    data = squeeze.compress(encode(session).encode()) + squeeze.flush()
    payload = b"." + urlsafe_b64encode(data).rstrip(b"=")
    signature = urlsafe_b64encode(hmac.digest(key, payload, "sha256")).rstrip(b"=")
    return (payload + b"." + signature).decode()


def loads(text: str, key: bytes) -> Session:
    payload, _, signature = text.encode().rpartition(b".")
    if not hmac.compare_digest(
        urlsafe_b64decode(signature + b"="), hmac.digest(key, payload, "sha256")
    ):
        return Session()
    return Session(decode(zlib.decompress(urlsafe_b64decode(payload[1:] + b"==")).decode()))


def open_session(environ: Request) -> Session:
    """The session of this request, loaded on demand."""
    cookies = environ.get("HTTP_COOKIE", "")
    start = cookies.find("session=") + 8
    if start < 8:
        session = Session()
    else:
        session = loads(cookies[start:].partition(";")[0], environ["primitives.key"])
    session.changed = False
    environ["primitives.session"] = session
    return session


def wrap(app: WSGIApp, key: bytes) -> WSGIApp:
    def middleware(environ: Request, start_response: StartResponse) -> Iterable[bytes]:
        environ["primitives.key"] = key

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
            session = environ.get("primitives.session")
            if session is not None:
                if session.changed:
                    cookie = f"session={dumps(session, key)}; HttpOnly; Path=/; SameSite=Lax"
                    headers.append(("Set-Cookie", cookie))
                headers.append(("Vary", "Cookie"))
            return start_response(status, headers, exc_info)

        return app(environ, start)

    return middleware
