"""A session as JSON text, in a cookie or in a store.

``[data,age,id,csrf,owner,stamp,place]``. Parts that are absent at the end are left out; before
others, an absent id or CSRF token is ``0``, an absent owner ``null``, and an absent stamp ``""``.
Version 1.0 wrote ``[age,data]`` or ``[age,data,id]``, with the owner and the CSRF token in the
data. The type of the first item tells the two forms apart.
"""

import re
from dataclasses import dataclass
from typing import Any

from .cookie import PLACE
from .errors import CookieRejected, UnserializableValue
from .expiry import CLOCK_SKEW
from .keys import ID
from .serializer import dumps, loads, loads_at
from .session import OWNER_TYPES, Owner

IN_STORE, FIRST = "null", "true"
"""What a cookie has in place of the data that a store has, and what the first one has."""

MAX_SESSION_AGE = 2**40
"""Seconds. Far larger ages have more digits than Python converts to text."""

_START = len("[")
_BESIDE = "*"
_NOT_OWNED = None, "", "", False
_PLACE = re.compile(rf"\*?({PLACE.pattern})?")
# 32 bytes, or 38 if masked, in base64 whose last character has two spare bits.
CSRF_TOKEN = re.compile("(?:[0-9A-Za-z_-]{8})?[0-9A-Za-z_-]{42}[AEIMQUYcgkosw048]")
# Everything after the data. An absent part is only there if others follow.
_PARTS = re.compile(
    rf"""
    ,(-?[1-9][0-9]{{,12}} | 0)
    (?: ,(?: "({ID.pattern})" | 0(?=,))
    (?: ,(?: "({CSRF_TOKEN.pattern})" | 0(?=,))
    (?: ,(.+)
    )?)?)?\]
    """,
    re.VERBOSE,
)


@dataclass(slots=True)
class Envelope:
    """A session, and what belongs to it.

    - ``text``: the data as JSON text; ``null`` if a store has the data, and ``true`` if so and this
      is the first cookie of a session.
    - ``data``: the same as a dict, or ``None``. ``wrap`` does not need it.
    - ``age``: the seconds between the session's creation and this writing, because they take fewer
      bytes than the time itself. If the clocks of two servers differ, it may be negative. In a
      store, which the age is not for, it is when the session's idle timeout became shorter, or 0.
    - ``stamp``: the owner's stamp at log-in, from the store or the list of revocations. Without an
      owner, that of the list itself when the session began.
    - ``place``: that of the cookie (``SessionCookie.place``). ``None``: it is one of version 1.0,
      which does not tell.
    - ``beside``: whether older cookies at other places would count without this one. In the text,
      the place then begins with ``*``.
    """

    text: str
    data: dict[str, Any] | None
    age: int
    id: str | None = None
    csrf_token: str | None = None
    owner: Owner | None = None
    stamp: str = ""
    place: str | None = ""
    beside: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this is the first cookie of a session, which a store has."""
        return self.text == FIRST

    @property
    def ends(self) -> bool:
        """Whether this is the empty session that a log-out leaves in place of others."""
        if self.data or self.data is None:
            return False
        return self.id is self.csrf_token is self.owner is None

    @property
    def permanent(self) -> bool | None:
        """Whether the session is permanent, or ``None`` if the envelope does not tell.

        A store has the data, or the sessions that have ended had it.
        """
        if self.data:
            return bool(self.data.get("_permanent", False))
        return None if self.data is None or self.ends else False


def wrap(envelope: Envelope) -> str:
    """Return the JSON text of the envelope."""
    age = max(envelope.age, -CLOCK_SKEW)
    session_id, csrf_token = envelope.id, envelope.csrf_token
    place = f"{_BESIDE if envelope.beside else ''}{envelope.place or ''}"
    if envelope.owner is not None or envelope.stamp or place:
        owned = _owned(envelope.owner, envelope.stamp, place)
        tail = f",{age},{_quoted(session_id)},{_quoted(csrf_token)},{owned}]"
    elif csrf_token is not None:
        tail = f",{age},{_quoted(session_id)},{_quoted(csrf_token)}]"
    elif session_id is not None:
        tail = f",{age},{_quoted(session_id)}]"
    else:
        tail = f",{age}]"
    return f"[{envelope.text}{tail}"


def unwrap(wrapped: str) -> Envelope:
    """Return the envelope of a JSON text.

    Raises CookieRejected if the text does not have the form that ``wrap`` or version 1.0 writes.
    """
    try:
        data, end = loads_at(wrapped, _START)
        kind = type(data)
        if kind is int:
            return _first_form(wrapped, loads(wrapped))
        # The parts after the data have one spelling, and what comes before them is its text.
        parts = _PARTS.fullmatch(wrapped, end)
        if not parts or wrapped[0] != "[" or not (kind is dict or data is None or data is True):
            raise CookieRejected("malformed")
        age, session_id, csrf_token, owned = parts.groups()
        owner, stamp, place, beside = _NOT_OWNED if owned is None else _owned_parts(owned)
    except ValueError:
        raise CookieRejected("malformed") from None
    if not -CLOCK_SKEW <= (seconds := int(age)) <= MAX_SESSION_AGE:
        raise CookieRejected("malformed")
    text, data = wrapped[1:end], None if data is True else data
    return Envelope(text, data, seconds, session_id, csrf_token, owner, stamp, place, beside)


def _quoted(part: str | None) -> str:
    return "0" if part is None else f'"{part}"'


def _owned(owner: Owner | None, stamp: str, place: str) -> str:
    text = dumps(owner, "session.owner")
    if stamp or place:
        text = f"{text},{dumps(stamp)}"
    return f"{text},{dumps(place)}" if place else text


def _owned_parts(owned: str) -> tuple[Owner | None, str, str, bool]:
    """Return the last parts of an envelope. Raise ValueError if ``_owned`` has not written it."""
    owner, stamp, place = (*loads(f"[{owned}]"), "", "")[:3]
    is_owner = type(owner) in OWNER_TYPES or (owner is None and (stamp, place) != ("", ""))
    is_place = place == "" or _matches(_PLACE, place)
    if not (is_owner and is_place and type(stamp) is str):
        raise ValueError("another type")
    if _owned(owner, stamp, place) != owned:
        raise ValueError("another spelling")
    return owner, stamp, place.removeprefix(_BESIDE), place.startswith(_BESIDE)


def _first_form(wrapped: str, items: Any) -> Envelope:
    """Return the envelope of version 1.0, whose data holds the owner and the CSRF token."""
    if type(items) is not list or len(items) < 2:
        raise CookieRejected("malformed")
    age, data, *more = items
    if not (_is_age(age) and _is_data(data) and len(more) <= 1 and all(map(_is_id, more))):
        raise CookieRejected("malformed")
    start, end = wrapped.index(",") + 1, wrapped.rindex(",") if more else -1
    session_id = more[0] if more else None
    envelope = Envelope(wrapped[start:end].strip(), data, age, session_id, place=None)
    if data is None or data.keys().isdisjoint(("_owner", "_csrft_")):
        return envelope
    match data.pop("_owner", None):
        case [owner, str(stamp)] if type(owner) in OWNER_TYPES:
            envelope.owner, envelope.stamp = owner, stamp
    token = data.pop("_csrft_", None)
    envelope.csrf_token = token if _matches(CSRF_TOKEN, token) else None
    try:
        envelope.text = dumps(data)
    except UnserializableValue:  # it was not written by us, such as a list that is too deep
        raise CookieRejected("malformed") from None
    return envelope


def _is_data(value: object) -> bool:
    return type(value) is dict or value is None


def _is_age(value: object) -> bool:
    return type(value) is int and -CLOCK_SKEW <= value <= MAX_SESSION_AGE


def _is_id(value: object) -> bool:
    return _matches(ID, value)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return type(value) is str and pattern.fullmatch(value) is not None
