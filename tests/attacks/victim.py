"""The application under attack, which records the session of each request."""

import logging
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

import pytest
from itsdangerous import TimestampSigner

from sessionware import SecureCookieSessionInterface, SessionMiddleware
from sessionware.codec import SignedCodec
from tests.gateway import KEY, Response, call

Act = Callable[[Any], object]


class Victim:
    """A site behind the middleware. ``found``: the session at the start of the last request."""

    def __init__(self, key: str = KEY, **settings: Any) -> None:
        self.found: dict[str, Any] = {}
        self.act: Act = len
        self.alone = False
        self.headers: list[tuple[str, str]] = []
        self.settings = settings
        self.app = SessionMiddleware(self._serve, key, **settings)

    def _serve(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        session = environ["session"]
        if not self.alone:
            self.found = dict(session)
        page = repr(self.act(session)).encode()
        start_response("200 OK", self.headers)
        return [page]

    def visit(
        self, cookie: str = "", act: Act = len, *, alone: bool = False, **environ: Any
    ) -> Response:
        """Send a request that calls ``act`` with its session; ``alone``: without recording it."""
        self.act, self.alone = act, alone
        return call(self.app, cookie, **environ)

    def log_in(self, user: str = "ada", **environ: Any) -> str:
        """Return the cookie of a user who has just logged in."""
        return self.visit("", lambda session: session.update(user=user), **environ).cookie

    def sees(self, cookie: str) -> dict[str, Any]:
        """Return the data of the session that this Cookie header opens."""
        self.visit(cookie)
        return self.found

    def asks(self, cookie: str, act: Callable[[Any], Any]) -> Any:
        """Return what the act returns, in a request with this Cookie header."""
        results: list[Any] = []
        self.visit(cookie, lambda session: results.append(act(session)), alone=True)
        return results[0]

    def refuses(self, cookie: str, caplog: pytest.LogCaptureFixture) -> str:
        """Return the logged reason why this Cookie header is refused, or ``""`` for none."""
        caplog.clear()
        caplog.set_level(logging.INFO, "sessionware")
        assert self.sees(cookie) == {}
        return " ".join(vars(record)["reason"] for record in caplog.records)


def to_base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(text: str, key: str = KEY, **settings: Any) -> str:
    """Return a cookie with any text, signed like the middleware does it: the key has leaked."""
    codec = SecureCookieSessionInterface(key, **settings).codec
    name = settings.get("cookie_name", "session")
    return f"{name}={codec.encode(text, int(time.time()))}"


def sign_payload(payload: str) -> str:
    """Return a signed cookie with a payload that our codec would not write."""
    salt = SignedCodec(KEY).salt
    signer = TimestampSigner(KEY, salt, key_derivation="hmac", digest_method=sha256)
    return f"session={signer.sign(payload).decode()}"
