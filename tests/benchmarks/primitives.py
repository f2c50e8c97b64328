"""The limits: what a signed JSON cookie has to do, and nothing else.

One HMAC-SHA256, JSON, base64, one Set-Cookie and one Vary header, by the standard library alone. No
time limits, no checks of any kind, one key, and the application says itself what it has changed.
Not sessions to use: the numbers below which no session of this kind can go.

- ``Best`` uses the standard library as well as it can be used, with or without zlib.
- ``AsIn1`` is what the benchmark of version 1.0 took for the limit: ``hmac.digest``, which hashes
  the key each time, ``base64``, which calls ``binascii``, and an encoder that JSONEncoder makes
  each time. The targets are multiples of it.
"""

from __future__ import annotations

import hmac
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable
from typing import Any, Protocol

from .gateways import Request, StartResponse, WSGIApp

encode = json.JSONEncoder(separators=(",", ":")).encode
decode = json.JSONDecoder().decode
pieces = json.encoder.c_make_encoder(  # type: ignore[attr-defined]  # typeshed lacks it
    None, None, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True
)
TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")
FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class Session(dict[str, Any]):
    """A dict that is told when it was changed."""

    __slots__ = ("changed",)

    changed: bool


class Limit(Protocol):
    """Cookies of one key."""

    def dumps(self, session: Session) -> str:
        """Return the cookie's value."""

    def loads(self, text: str) -> Session:
        """Return the session, which is empty if the signature is wrong."""


class Best:
    """The standard library at its best."""

    def __init__(self, key: bytes, compressed: bool) -> None:
        self.mac = hmac.new(key, digestmod="sha256")
        self.compressed = compressed

    def sign(self, payload: bytes) -> bytes:
        mac = self.mac.copy()
        mac.update(payload)
        return b2a_base64(mac.digest(), newline=False).translate(TO_URL_SAFE, b"=")

    def dumps(self, session: Session) -> str:
        data = "".join(pieces(session, 0)).encode()
        if self.compressed:
            data = deflate(data)
        payload = b2a_base64(data, newline=False).translate(TO_URL_SAFE, b"=")
        return (payload + b"." + self.sign(payload)).decode()

    def loads(self, text: str) -> Session:
        payload, _, signature = text.encode().rpartition(b".")
        if not hmac.compare_digest(signature, self.sign(payload)):
            return Session()
        data = a2b_base64(payload.translate(FROM_URL_SAFE) + b"==")
        if self.compressed:
            data = zlib.decompress(data)
        return Session(decode(data.decode()))


class AsIn1:
    """The primitives of the benchmark of version 1.0, which compress every session."""

    def __init__(self, key: bytes) -> None:
        self.key = key

    def dumps(self, session: Session) -> str:
        payload = b"." + urlsafe_b64encode(deflate(encode(session).encode())).rstrip(b"=")
        signature = urlsafe_b64encode(hmac.digest(self.key, payload, "sha256")).rstrip(b"=")
        return (payload + b"." + signature).decode()

    def loads(self, text: str) -> Session:
        payload, _, signature = text.encode().rpartition(b".")
        if not hmac.compare_digest(
            urlsafe_b64decode(signature + b"="), hmac.digest(self.key, payload, "sha256")
        ):
            return Session()
        return Session(decode(zlib.decompress(urlsafe_b64decode(payload[1:] + b"==")).decode()))


def deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(6, zlib.DEFLATED, 12, 4)
    return squeeze.compress(data) + squeeze.flush()


def open_session(environ: Request) -> Session:
    """The session of this request, loaded on demand."""
    cookies = environ.get("HTTP_COOKIE", "")
    start = cookies.find("session=") + 8
    if start < 8:
        session = Session()
    else:
        session = environ["primitives.limit"].loads(cookies[start:].partition(";")[0])
    session.changed = False
    environ["primitives.session"] = session
    return session


def wrap(app: WSGIApp, limit: Limit) -> WSGIApp:
    def middleware(environ: Request, start_response: StartResponse) -> Iterable[bytes]:
        environ["primitives.limit"] = limit

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
            session = environ.get("primitives.session")
            if session is not None:
                if session.changed:
                    cookie = f"session={limit.dumps(session)}; HttpOnly; Path=/; SameSite=Lax"
                    headers.append(("Set-Cookie", cookie))
                headers.append(("Vary", "Cookie"))
            return start_response(status, headers, exc_info)

        return app(environ, start)

    return middleware
