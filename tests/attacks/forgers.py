"""Attacks on the peers: forged cookies with their keys, and other cookie settings."""

import hmac
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from hashlib import sha256
from typing import Any
from unittest.mock import patch

import beaker.middleware
import flask
from django.core import signing
from django.test.utils import override_settings
from itsdangerous import Signer, TimestampSigner, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from sessionware.codec import SignedCodec
from tests.peers import frameworks as peers
from tests.peers.frameworks import PEERS, Settings, View, clock
from tests.peers.probes import Browser
from tests.unit.foreign_cookies import KEY, sign_as_django, sign_as_flask
from tests.unit.foreign_cookies import SIGN as OTHERS_SIGN

# How each peer signs a payload


def sign_as_sessionware(payload: bytes) -> str:
    salt = SignedCodec(KEY).salt
    signer = TimestampSigner(KEY, salt, key_derivation="hmac", digest_method=sha256)
    return signer.sign(payload).decode()


def sign_as_secure_cookie(plain: bytes) -> str:
    item = b"user=" + b64encode(plain)
    signature = hmac.digest(KEY.encode(), b"|" + item, "sha1")
    return f"{b64encode(signature).decode()}?{item.decode()}"


SIGN: dict[str, Callable[[bytes], str]] = {
    **OTHERS_SIGN,
    "sessionware": lambda plain: sign_as_sessionware(urlsafe_b64encode(plain).rstrip(b"=")),
    "secure-cookie": sign_as_secure_cookie,
}
"""Functions that sign any bytes with the peer's key in the place of its JSON."""


def _dotted(small: bytes) -> bytes:
    return b"." + urlsafe_b64encode(small).rstrip(b"=")


SIGN_COMPRESSED: dict[str, Callable[[bytes], str]] = {
    "sessionware": lambda small: sign_as_sessionware(_dotted(small)),
    "Flask": lambda small: sign_as_flask(_dotted(small)),
    "Django": lambda small: sign_as_django(_dotted(small)),
    "Beaker": OTHERS_SIGN["Beaker"],
}
"""The same for compressed JSON, for the peers that compress."""


def payload_of(peer: str, value: str) -> bytes:
    """Return what is signed in a cookie of this peer."""
    if peer == "Beaker":
        return value[40:].encode()
    if peer == "Pyramid":
        return urlsafe_b64decode(value + "==")[64:]
    if peer == "secure-cookie":
        return value.replace("?", "|", 1)[28:].encode()
    return value.rsplit(":" if peer == "Django" else ".", 2)[0].encode()


def signed_elsewhere(peer: str, value: str) -> Iterator[tuple[str, str]]:
    """Yield forgeries: a cookie's payload, signed with the same key by other common signers."""
    payload = payload_of(peer, value)
    text = payload.decode("latin-1")
    with clock(0):
        yield "`TimestampSigner`", TimestampSigner(KEY).sign(payload).decode()
        yield "`Signer`", Signer(KEY).sign(payload).decode()
        yield "serializer", str(URLSafeTimedSerializer(KEY).dumps({"user": "ada"}))
        yield "`django.core.signing`", signing.dumps({"user": "ada"}, key=KEY)
        yield "Django's signer", signing.TimestampSigner(key=KEY).sign(text)
    for digest in ("sha1", "sha256", "sha512"):
        signature = hmac.digest(KEY.encode(), payload, digest)
        yield "a bare HMAC", signature.hex() + text
        yield "a bare HMAC", urlsafe_b64encode(signature + payload).rstrip(b"=").decode()
        yield "a bare HMAC", f"{b64encode(signature).decode()}{text.replace('|', '?', 1)}"
        yield "a bare HMAC", f"{text}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


# The cookie settings of each peer


def _secure_cookie(**settings: Any) -> AbstractContextManager[Any]:
    real = Response.set_cookie

    def set_cookie(self: Response, key: str, *args: Any, **options: Any) -> None:
        changed = options | settings
        real(self, changed.pop("name", key), *args, **changed)

    return patch.object(Response, "set_cookie", set_cookie)


def _partial(
    where: Any, name: str, names: Callable[[str], str], settings: Any
) -> AbstractContextManager[Any]:
    changed = {names(setting): value for setting, value in settings.items()}
    return patch.object(where, name, partial(getattr(where, name), **changed))


def configured(peer: str, **settings: str) -> AbstractContextManager[Any]:
    """Set ``name``, ``path`` or ``domain`` of the cookie while the block runs."""
    if peer == "secure-cookie":
        return _secure_cookie(**settings)
    upper = {f"SESSION_COOKIE_{setting.upper()}": value for setting, value in settings.items()}
    if peer == "Django":
        django: AbstractContextManager[Any] = override_settings(**upper)
        return django
    if peer == "Flask":
        return patch.object(flask.Flask, "default_config", {**flask.Flask.default_config, **upper})
    where: dict[str, tuple[Any, str, Callable[[str], str]]] = {
        "sessionware": (peers, "SessionMiddleware", lambda it: f"cookie_{it}"),
        "Beaker": (
            beaker.middleware,
            "SessionMiddleware",
            lambda it: "session.key" if it == "name" else f"session.cookie_{it}",
        ),
        "Pyramid": (
            peers,
            "SignedCookieSessionFactory",
            lambda it: "cookie_name" if it == "name" else it,
        ),
        "Starlette": (
            peers,
            "StarletteSessions",
            lambda it: "session_cookie" if it == "name" else it,
        ),
    }
    return _partial(*where[peer], settings)


# What a peer does with a cookie


def cookie_of(peer: str, **settings: Any) -> tuple[str, str]:
    """Return the name and the value of the cookie of a user who has logged in."""
    name, _, value = Browser(peer, **settings).login().cookie.strip().partition("=")
    return name, value


def reads(peer: str, header: str, **settings: Any) -> list[object]:
    """Return the user in this Cookie header's session, in a list, which is empty on an error."""
    browser, seen = Browser(peer, **settings), []
    browser.cookie = header
    browser.fails(before=lambda session: seen.append(session.get("user")))
    return seen


def raises(peer: str, header: str, **settings: Any) -> bool:
    """Return whether a page that reads its session raises an exception."""
    browser = Browser(peer, **settings)
    browser.cookie = header
    return browser.fails(before=lambda session: session.get("user"))


def answer_slowly(peer: str, cookie: str, at: float, seconds: float, **settings: Any) -> str:
    """Read the session of a page that takes so long, and return the cookie that it sets."""
    now = 1_800_000_000 + at

    def read(session: peers.Session) -> None:
        nonlocal now
        session.get("user")
        now += seconds

    clocks = [
        patch("time.time", lambda: now),
        patch("time.monotonic", lambda: now),
        patch.object(peers.secure_cookie, "time", lambda: now),
    ]
    with ExitStack() as stack:
        for each in clocks:
            stack.enter_context(each)
        headers = PEERS[peer](View(before=read), Settings(**settings), cookie)
    found = [value for name, value in headers if name.lower() == "set-cookie"]
    return found[-1].partition(";")[0].strip() if found else ""
