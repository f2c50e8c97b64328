"""The fuzz targets: each takes any bytes, and fails if a rule is broken."""

import json
import re
import time
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any

from itsdangerous import BadData, Signer, URLSafeTimedSerializer
from werkzeug.datastructures import Headers

from sessionware import SecureCookieSessionInterface, SessionTooLarge, UnserializableValue
from sessionware.codec import MAX_TEXT, Opened, SignedCodec
from sessionware.cookie import MAX_PAIR, SessionCookie
from sessionware.envelope import unwrap, wrap
from sessionware.errors import CookieRejected
from sessionware.serializer import dumps, loads
from tests.fuzz.browser import tokens_in
from tests.gateway import KEY, make_environ
from tests.unit.exactness import exact

COOKIES = [SessionCookie(name=name) for name in ("session", "a", "__Host-$.b|c*")]
INTERFACE = SecureCookieSessionInterface(KEY)
CODEC = SignedCodec(KEY)
AS_DESIGNED: dict[str, Any] = {"key_derivation": "hmac", "digest_method": sha256}
SIGNER = Signer(KEY, CODEC.salt, **AS_DESIGNED)
MAX_TIME = 253_402_300_799
"""The last time that datetime can hold, and so stock itsdangerous, in seconds since the epoch."""

MAX_TIME_LENGTH = 11
"""The base64 length of the longest time that itsdangerous reads, which is eight bytes."""


class Text:
    """A serializer for itsdangerous that leaves text unchanged instead of writing JSON."""

    loads = dumps = staticmethod(str)


STOCK: Any = URLSafeTimedSerializer(KEY, CODEC.salt, serializer=Text(), signer_kwargs=AS_DESIGNED)
OURS = {
    CODEC.encode(text, 1_800_000_000): text
    for text in ('[0,{"user":"ann"}]', f'[9,{{"cart":"{"a" * 99}"}},"id"]')
}


def scanner(data: bytes) -> None:
    """Check how a header is read: split at ``;``, trim, compare exactly, at most eight.

    A value ends at the first comma too, and is freed from one pair of quotes.
    """
    cookie, header = COOKIES[sum(data[:1]) % len(COOKIES)], data[1:].decode("latin-1")
    expected = tokens_in(header, cookie.name)
    found = cookie.find(header)
    assert found == expected, (found, expected)


def codec(data: bytes) -> None:
    """Check the codec: the first byte selects the check, which gets the other bytes."""
    _WAYS[sum(data[:1]) % len(_WAYS)](data[1:])


def _decode_unsigned(data: bytes) -> None:
    token = data.decode(errors="surrogateescape")
    opened = _decode(token)
    assert (opened.text if opened else None) == OURS.get(token), opened


def _decode_signed(data: bytes) -> None:
    """Check that a signed text is read as by stock itsdangerous."""
    token = SIGNER.sign(data.decode("ascii", "ignore")).decode()
    ours, stock = _decode(token), _decode_as_stock(token)
    if ours and stock:
        assert (ours.text, ours.issued) == stock
        assert len(ours.text.encode()) <= MAX_TEXT
    elif stock:
        assert len(stock[0].encode()) > MAX_TEXT
    elif ours:
        # Both skip characters that are not base64, but only itsdangerous counts them.
        strange = re.search(rb"[^\w-]", data.removeprefix(b".").replace(b".", b"", 1))
        # A token without a time has no text either, and the envelope is refused later.
        # itsdangerous reads at most eight bytes of time, even if they begin with zeros.
        long = len(data.rpartition(b".")[2]) > MAX_TIME_LENGTH
        assert strange or long or ours.issued > MAX_TIME or ours.text == "", ours


def _decode_compressed(data: bytes) -> None:
    """Check any bytes in the place of a zlib stream."""
    _decode_signed(b"." + urlsafe_b64encode(data).rstrip(b"=") + b".a0nSAA")
    _decode_signed(b"." + urlsafe_b64encode(zlib.compress(data)).rstrip(b"=") + b".a0nSAA")


def _round_trip(data: bytes) -> None:
    """Check that a text comes back unchanged, and that stock itsdangerous is compatible."""
    issued = int.from_bytes(data[:5], "big") % MAX_TIME
    text = data[5:].decode(errors="replace")
    token = CODEC.encode(text, issued)
    assert token.isascii()
    assert CODEC.decode(token) == Opened(text, issued, False)
    assert _decode_as_stock(token) == (text, issued)
    assert CODEC.decode(str(STOCK.dumps(text))).text == text


_WAYS = (_decode_unsigned, _decode_signed, _decode_compressed, _round_trip)


def _decode(token: str) -> Opened | None:
    try:
        return CODEC.decode(token)
    except CookieRejected:
        return None


def _decode_as_stock(token: str) -> tuple[str, int] | None:
    try:
        text, issued = STOCK.loads(token, return_timestamp=True)
    except (BadData, ValueError, OverflowError, OSError):  # not BadData if the year is out of range
        return None
    return text, int(issued.timestamp())


def serializer(data: bytes) -> None:
    """Check that a text is a value or a ValueError, and that a value round-trips exactly."""
    given = data.decode(errors="replace")
    try:
        value = loads(given)
    except ValueError:
        return
    json.loads(given)
    if (text := _dumps(value)) is not None:
        assert exact(loads(text)) == exact(value)
        assert dumps(loads(text)) == text


def _dumps(value: Any) -> str | None:
    """Return the text; ``None`` for a value that can be read but not written."""
    try:
        return dumps(value)
    except UnserializableValue as error:
        refusal = str(error)
    assert "levels deep" in refusal, refusal
    return None


def envelope(data: bytes) -> None:
    """Check that of all signed texts only an envelope opens, and that it can be saved again."""
    text = data.decode(errors="replace")
    token = CODEC.encode(text, int(time.time()))
    value = None
    with suppress(CookieRejected):
        age, value, inner, name = unwrap(text)
    if value is not None:
        assert _is_envelope(json.loads(text))
        again, _, *rest = unwrap(wrap(age, inner, name))
        assert (again, *rest) == (age, inner, name)
    fits = value is not None and COOKIES[0].size(token) <= MAX_PAIR
    session: Any = INTERFACE.open_session(make_environ(f"session={token}"))
    assert session.new is not fits
    if not fits:
        assert session == {}
    elif _dumps(value) is not None:
        assert exact(session.copy()) == exact(value)
        _save_and_open_again(session)


def _is_envelope(found: Any) -> bool:
    match found:
        case [int(age), dict(), *rest] if (
            type(age) is int and -60 <= age <= 2**40 and len(rest) < 2
        ):
            return all(type(name) is str and re.fullmatch("[0-9A-Za-z_-]+", name) for name in rest)
    return False


def _save_and_open_again(session: Any) -> None:
    headers = Headers()
    session["more"] = [1]
    session.changed()  # in case the value was already there
    try:
        INTERFACE.save_session(make_environ(), session, headers)
    except SessionTooLarge:
        return
    cookie = headers["Set-Cookie"].partition(";")[0]
    again: Any = INTERFACE.open_session(make_environ(cookie))
    assert exact(again.copy()) == exact(session.copy())
    assert again.identity()[1] == session.identity()[1]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "scanner": scanner,
    "codec": codec,
    "serializer": serializer,
    "envelope": envelope,
}
