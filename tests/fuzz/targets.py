"""What is fuzzed: each target takes any bytes, and fails where a rule is broken."""

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
from tests.gateway import KEY, make_environ
from tests.unit.values import exact

COOKIES = [SessionCookie(name=name) for name in ("session", "a", "__Host-$.b|c*")]
INTERFACE = SecureCookieSessionInterface(KEY)
CODEC = SignedCodec(KEY)
AS_DESIGNED: dict[str, Any] = {"key_derivation": "hmac", "digest_method": sha256}
SIGNER = Signer(KEY, CODEC.salt, **AS_DESIGNED)
LAST_MOMENT = 253_402_300_799
"""The last second that datetime knows, and so stock itsdangerous."""

LONGEST_MOMENT = 11
"""Characters of base64 for the eight bytes of time that itsdangerous reads."""


class Text:
    """Hands the text to itsdangerous' serializer as it is, where JSON would be."""

    loads = dumps = staticmethod(str)


STOCK: Any = URLSafeTimedSerializer(KEY, CODEC.salt, serializer=Text(), signer_kwargs=AS_DESIGNED)
OURS = {
    CODEC.encode(text, 1_800_000_000): text
    for text in ('[0,{"user":"ann"}]', f'[9,{{"cart":"{"a" * 99}"}},"id"]')
}


def scanner(data: bytes) -> None:
    """A header is read as four rules say: split at ``;``, trim, compare exactly, at most eight."""
    cookie, header = COOKIES[sum(data[:1]) % len(COOKIES)], data[1:].decode("latin-1")
    pairs = [part.strip(" \t").partition("=") for part in header.split(";")]
    expected = [value for name, equals, value in pairs if name == cookie.name and equals][:8]
    found = cookie.find(header)
    assert found == expected, (found, expected)


def codec(data: bytes) -> None:
    """The first byte says which of the ways into the codec the others go."""
    _WAYS[sum(data[:1]) % len(_WAYS)](data[1:])


def _decode_unsigned(data: bytes) -> None:
    token = data.decode(errors="surrogateescape")
    opened = _decode(token)
    assert (opened.text if opened else None) == OURS.get(token), opened


def _decode_signed(data: bytes) -> None:
    """What is signed is what stock itsdangerous reads, wherever that reads all of it."""
    token = SIGNER.sign(data.decode("ascii", "ignore")).decode()
    ours, stock = _decode(token), _decode_as_stock(token)
    if ours and stock:
        assert (ours.text, ours.issued) == stock
        assert len(ours.text.encode()) <= MAX_TEXT
    elif stock:
        assert len(stock[0].encode()) > MAX_TEXT
    elif ours:
        # What is no base64 at all is skipped by both, but counted by itsdangerous alone.
        strange = re.search(rb"[^\w-]", data.removeprefix(b".").replace(b".", b"", 1))
        # What has no time has no text either: it is refused when the envelope is opened.
        # Eight bytes of time are all that itsdangerous reads, also where they begin with zeros.
        long = len(data.rpartition(b".")[2]) > LONGEST_MOMENT
        assert strange or long or ours.issued > LAST_MOMENT or ours.text == "", ours


def _decode_compressed(data: bytes) -> None:
    """Any bytes where a zlib stream should be."""
    _decode_signed(b"." + urlsafe_b64encode(data).rstrip(b"=") + b".a0nSAA")
    _decode_signed(b"." + urlsafe_b64encode(zlib.compress(data)).rstrip(b"=") + b".a0nSAA")


def _round_trip(data: bytes) -> None:
    """A text comes back as it was, and stock itsdangerous reads and writes it too."""
    issued = int.from_bytes(data[:5], "big") % LAST_MOMENT
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
    except (BadData, ValueError, OverflowError, OSError):  # but for one, of a year beyond reason
        return None
    return text, int(issued.timestamp())


def serializer(data: bytes) -> None:
    """A text is a value or a ValueError, and a value is written so that it comes back exactly."""
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
    """Return the text; ``None`` for what is read from a signed text, but was never written."""
    try:
        return dumps(value)
    except UnserializableValue as error:
        refusal = str(error)
    assert "levels deep" in refusal, refusal
    return None


def envelope(data: bytes) -> None:
    """Whatever text is signed, only an envelope opens; it is saved, and opens again."""
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
    session.changed()  # where it held that already
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
