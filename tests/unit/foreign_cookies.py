"""Cookies in the formats of other frameworks, made without the frameworks, and our readers.

``tests/peers/test_migration.py`` checks that the frameworks make the same cookies.
"""

import hmac
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha1, sha256
from typing import Any

import itsdangerous
import pytest

from sessionware.errors import CookieRejected
from sessionware.migration import (
    BeakerCookie,
    DjangoCookie,
    FlaskCookie,
    ForeignCookie,
    PyramidCookie,
    StarletteCookie,
)

KEY = "the-key-that-every-peer-signs-with"
OTHER_KEY = "another-key-that-somebody-signs-with"
NOW = 1_800_000_000
HOUR = 3600

Make = Callable[..., ForeignCookie]
MAKERS: dict[str, tuple[Make, str]] = {
    "Flask": (FlaskCookie, "permanent_session_lifetime"),
    "Starlette": (StarletteCookie, "max_age"),
    "Django": (DjangoCookie, "session_cookie_age"),
    "Pyramid": (PyramidCookie, "timeout"),
    "Beaker": (BeakerCookie, "timeout"),
}
every_peer = pytest.mark.parametrize("peer", MAKERS)

# Signed with KEY at NOW; the data is {"user": "alice"}.
LITERALS = {
    # flask 3.1.3, itsdangerous 2.2.0
    "Flask": "eyJ1c2VyIjoiYWxpY2UifQ.a0nSAA.XyVv3hVoU3gesPYzIMdH_Ml6dfs",
    # starlette 1.10.0, itsdangerous 2.2.0
    "Starlette": "eyJ1c2VyIjogImFsaWNlIn0=.a0nSAA.7pZZmSiUJkgHZ0xnKuJMDulG5WA",
    # django 5.2.19
    "Django": "eyJ1c2VyIjoiYWxpY2UifQ:1xocE4:BkUmI5OVardqCGhRCXUiLcaHjqAN7R0QanKnz7HvOIY",
    # pyramid 2.1, webob 1.8.11
    "Pyramid": "ZvnyCpjHa_iz1Ujk7zYYuoUICwWV8mhnbT6zMQ9T4kHA0nIWKYcBaaeuUSGEvm9Qh2KIFSzO9UPYz51M"
    "DYg8R1sxODAwMDAwMDAwLCAxODAwMDAwMDAwLCB7InVzZXIiOiAiYWxpY2UifV0",
    # beaker 1.14.1
    "Beaker": "a6b05f8057dcb806b77ee94c8f59635997adf74aeJxli0EKwzAMBL8SdC40Ianj9jNGlmQqcJwSO6fQ"
    "vzcqvXVPu8zsAYHXBbXAoyt7zpcOwgvb85xwBVvK1tM9DZTQM5Kb/ER4i+xGJxL9OM99NHWvspmLWUm+X9oEm64l"
    "NF3kRIPvfzGKRFKr8D99fwAVuyty",
}


def reader(peer: str, key: str = KEY, limit: Any = HOUR, **settings: Any) -> ForeignCookie:
    """Return the reader of this framework's cookies."""
    make, timeout = MAKERS[peer]
    return make(key, **{timeout: limit}, **settings)


def refusal(cookie: ForeignCookie, value: str, now: int = NOW) -> str:
    """Return the reason for which the value is refused."""
    with pytest.raises(CookieRejected) as caught:
        cookie.load(value, now)
    return caught.value.reason


def user_of(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != "_permanent"}


# Signed by hand

DJANGO_SALT = "django.contrib.sessions.backends.signed_cookies"


class SignerAtNow(itsdangerous.TimestampSigner):
    """A signer whose time is NOW."""

    def get_timestamp(self) -> int:
        return NOW


def sign_as_flask(payload: bytes) -> str:
    """Return the value of Flask's cookie with this payload."""
    return SignerAtNow(KEY, "cookie-session", key_derivation="hmac").sign(payload).decode()


def sign_as_django(payload: bytes) -> str:
    """Return the value of Django's cookie with this payload."""
    signer = itsdangerous.Signer(KEY, DJANGO_SALT, ":", "django-concat", sha256)
    return signer.sign(payload + b":1xocE4").decode()  # NOW in base 62


def sign_as_pyramid(plain: bytes, key: bytes = b"pyramid.session." + KEY.encode()) -> str:
    """Return the value of Pyramid's cookie around these bytes."""
    signature = hmac.digest(key, plain, "sha512")
    return urlsafe_b64encode(signature + plain).rstrip(b"=").decode()


def sign_as_beaker(payload: bytes) -> str:
    """Return the value of Beaker's cookie with this payload."""
    return hmac.digest(KEY.encode(), payload, "sha1").hex() + payload.decode()


SIGN: dict[str, Callable[[bytes], str]] = {
    "Flask": lambda plain: sign_as_flask(urlsafe_b64encode(plain).rstrip(b"=")),
    "Starlette": lambda plain: SignerAtNow(KEY).sign(b64encode(plain)).decode(),
    "Django": lambda plain: sign_as_django(urlsafe_b64encode(plain).rstrip(b"=")),
    "Pyramid": sign_as_pyramid,
    "Beaker": lambda plain: sign_as_beaker(b64encode(plain)),
}
"""Functions that sign any bytes at NOW in the place of the framework's JSON."""


def flask_cookie(name: str, data: dict[str, Any]) -> str:
    """Return the Cookie header with a new session of Flask's own."""
    signing = {"key_derivation": "hmac", "digest_method": sha1}
    serializer = itsdangerous.URLSafeTimedSerializer(
        KEY, salt="cookie-session", signer_kwargs=signing
    )
    return f"{name}={serializer.dumps(data)!s}"
