"""The fuzz targets: each takes any bytes, and fails if a rule is broken."""

import json
import re
import time
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from hashlib import sha256
from operator import attrgetter
from typing import Any

from itsdangerous import BadData, Signer, URLSafeTimedSerializer
from werkzeug.datastructures import Headers

from sessionware import SecureCookieSessionInterface, SessionTooLarge, UnserializableValue
from sessionware.codec import MAX_TEXT, Opened, SignedCodec
from sessionware.cookie import MAX_PAIR, SessionCookie
from sessionware.envelope import Envelope, unwrap, wrap
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
    for text in ('[0,{"user":"ann"}]', '[{},9,"id",0,"ann"]', f'[{{"cart":"{"a" * 299}"}},9]')
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
    assert (opened[0] if opened else None) == OURS.get(token), opened


def _decode_signed(data: bytes) -> None:
    """Check that a signed text is read as by stock itsdangerous."""
    token = SIGNER.sign(data.decode("ascii", "ignore")).decode()
    ours, stock = _decode(token), _decode_as_stock(token)
    if ours and stock:
        assert ours[:2] == stock
        assert len(ours[0].encode()) <= MAX_TEXT
    elif stock:
        assert len(stock[0].encode()) > MAX_TEXT
    elif ours:
        # Both skip characters that are not base64, but only itsdangerous counts them.
        strange = re.search(rb"[^\w-]", data.removeprefix(b".").replace(b".", b"", 1))
        # A token without a time has no text either, and the envelope is refused later.
        # itsdangerous reads at most eight bytes of time, even if they begin with zeros.
        long = len(data.rpartition(b".")[2]) > MAX_TIME_LENGTH
        assert strange or long or ours[1] > MAX_TIME or ours[0] == "", ours


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
    assert CODEC.decode(token) == (text, issued, False)
    assert _decode_as_stock(token) == (text, issued)
    assert CODEC.decode(str(STOCK.dumps(text)))[0] == text


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
    found = None
    with suppress(CookieRejected):
        found = unwrap(text)
    if found is not None:
        assert _is_envelope(json.loads(text))
        told = replace(found, place=found.place or "")  # version 1.0 does not tell
        assert exact(asdict(unwrap(wrap(found)))) == exact(asdict(told))
    is_writable = found is not None and _dumps(found.data) is not None
    fits = is_writable and _has_session(found) and COOKIES[0].size(token) <= MAX_PAIR
    session: Any = INTERFACE.open_session(make_environ(f"session={token}"))
    assert session.new is not fits
    if found is None or not fits:
        assert session == {}
    else:
        assert exact(session.copy()) == exact(found.data)
        assert (session._state.id, session.owner) == (found.id, found.owner)
        _save_and_open_again(session)


def _has_session(found: Envelope | None) -> bool:
    """Return whether there is data, and anything that a log-out would not leave."""
    if found is None or found.data is None:
        return False
    return bool(found.data or found.id or found.csrf_token) or found.owner is not None


def _is_envelope(found: Any) -> bool:
    match found:
        case [dict() | None | True, int(age), _, _, owner, stamp, str(place)]:
            shorter = [*found[:4], 0 if owner is None else owner, "stamp" if stamp == "" else stamp]
            return re.fullmatch(_PLACE, place) is not None and _is_envelope(shorter)
        case [dict() | None | True, int(age), _, _, None, stamp]:  # without an owner
            return bool(stamp) and _is_envelope([*found[:4], "owner", stamp])
        case [dict() | None | True, int(age), *parts]:
            return _is_age(age) and len(parts) < 5 and all(map(_is_part, parts, _PARTS))
        case [int(age), dict() | None, *parts]:
            return _is_age(age) and len(parts) < 2 and all(map(_is_part, parts, [_ID]))
    return False


def _is_age(age: int) -> bool:
    return type(age) is int and -60 <= age <= 2**40


def _is_part(part: Any, pattern: str) -> bool:
    return re.fullmatch(pattern, json.dumps(part), re.ASCII) is not None


_ID = r'"[\w-]+"'
_PLACE = r"(?!$)\*?(/[!-:<-~]+)?(;[\w.-]*(;P)?)?"
_PARTS = (rf"0|{_ID}", r'0|"[\w-]{43}"|"[\w-]{51}"', r'".*"|-?\d+|\{"!u": ".*"\}', '".+"')


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
    parts = attrgetter("id", "owner", "csrf_token", "stamp")
    assert exact([*parts(again._state)]) == exact([*parts(session._state)])


TARGETS: dict[str, Callable[[bytes], None]] = {
    "scanner": scanner,
    "codec": codec,
    "serializer": serializer,
    "envelope": envelope,
}
