"""A session as JSON text, in a cookie or in a store.

``[data,age,id,csrf,owner,stamp]``. Parts that are absent at the end are left out; before others,
an absent id or CSRF token is ``0``. Version 1.0 wrote ``[age,data]`` or ``[age,data,id]``, with the
owner and the CSRF token in the data. The type of the first item tells the two forms apart.
"""

import re
from typing import Any, NamedTuple

from .errors import CookieRejected
from .expiry import CLOCK_SKEW
from .serializer import dumps, loads
from .session import OWNER_TYPES, Owner

MAX_SESSION_AGE = 2**40
"""Seconds. Far larger ages have more digits than Python converts to text."""

_ID = re.compile("[0-9A-Za-z_-]+")
# 32 bytes, or 38 if masked, in base64 whose last character has two spare bits.
_CSRF_TOKEN = re.compile("([0-9A-Za-z_-]{8})?[0-9A-Za-z_-]{42}[AEIMQUYcgkosw048]")


class Envelope(NamedTuple):
    """A session, and what belongs to it.

    - ``text``: the data as JSON text; ``null`` if a store has the data.
    - ``data``: the same as a dict, or ``None``. ``wrap`` does not need it.
    - ``age``: the seconds between the session's creation and this writing, because they take fewer
      bytes than the time itself. If the clocks of two servers differ, it may be negative.
    - ``stamp``: the owner's stamp at log-in, from the store or the list of revocations.
    """

    text: str
    data: dict[str, Any] | None
    age: int
    id: str | None = None
    csrf_token: str | None = None
    owner: Owner | None = None
    stamp: str = ""


def wrap(envelope: Envelope) -> str:
    """Return the JSON text of the envelope."""
    return f"[{envelope.text}{_tail(envelope)}"


def unwrap(wrapped: str) -> Envelope:
    """Return the envelope of a JSON text.

    Raises CookieRejected if the text does not have the form that ``wrap`` or version 1.0 writes.
    """
    try:
        items = loads(wrapped)
    except ValueError:
        raise CookieRejected("malformed") from None
    if type(items) is list:
        match items:
            case [(dict() | None), age, *more] if _is_age(age) and len(more) <= 4:
                return _present_form(wrapped, items)
            case [age, (dict() | None), *more] if _is_age(age) and len(more) <= 1:
                return _first_form(wrapped, items)
    raise CookieRejected("malformed")


def _present_form(wrapped: str, items: list[Any]) -> Envelope:
    data, age, name, csrf_token, owner, stamp = items + [0, 0, None, ""][len(items) - 2 :]
    if (
        not (_is_absent(name) or _matches(_ID, name))
        or not (_is_absent(csrf_token) or _matches(_CSRF_TOKEN, csrf_token))
        or type(owner) not in (*OWNER_TYPES, type(None))
        or type(stamp) is not str
    ):
        raise CookieRejected("malformed")
    envelope = Envelope("", data, age, name or None, csrf_token or None, owner, stamp)
    # The parts after the data have one spelling, so what comes before them is the data's text.
    tail = _tail(envelope)
    if not wrapped.endswith(tail):
        raise CookieRejected("malformed")
    return envelope._replace(text=wrapped[1 : -len(tail)])


def _first_form(wrapped: str, items: list[Any]) -> Envelope:
    age, data, *more = items
    if more and not _matches(_ID, more[0]):
        raise CookieRejected("malformed")
    start, end = wrapped.index(",") + 1, wrapped.rindex(",") if more else -1
    envelope = Envelope(wrapped[start:end], data, age, *more)
    if data is None or data.keys().isdisjoint(("_owner", "_csrft_")):
        return envelope
    match data.pop("_owner", None):
        case [owner, str(stamp)] if type(owner) in OWNER_TYPES:
            envelope = envelope._replace(owner=owner, stamp=stamp)
    token = data.pop("_csrft_", None)
    token = token if _matches(_CSRF_TOKEN, token) else None
    return envelope._replace(text=dumps(data), csrf_token=token)


def _tail(envelope: Envelope) -> str:
    """Return what comes after the data."""
    _, _, age, name, csrf_token, owner, stamp = envelope
    parts = [str(max(age, -CLOCK_SKEW)), _quoted(name), _quoted(csrf_token)]
    if owner is not None:
        parts += [dumps(owner), *([dumps(stamp)] if stamp else [])]
    else:
        while parts[-1] == "0" and len(parts) > 1:
            parts.pop()
    return f",{','.join(parts)}]"


def _quoted(name: str | None) -> str:
    return f'"{name}"' if name else "0"


def _is_age(value: object) -> bool:
    return type(value) is int and -CLOCK_SKEW <= value <= MAX_SESSION_AGE


def _is_absent(value: object) -> bool:
    return type(value) is int and value == 0


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return type(value) is str and pattern.fullmatch(value) is not None
