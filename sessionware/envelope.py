"""The JSON text that a cookie carries: a session's age, its data, and its id if it has one."""

import re
from typing import Any

from .errors import CookieRejected
from .expiry import CLOCK_SKEW
from .serializer import loads

MAX_SESSION_AGE = 2**40
"""Seconds. Far larger ages have more digits than Python converts to text."""

_ID = re.compile("[0-9A-Za-z_-]+")


def wrap(age: int, text: str, name: str | None) -> str:
    """Return the JSON text ``[age,data]`` or ``[age,data,id]``; ``text`` is the data, or ``null``.

    The age is in seconds, because it takes fewer bytes than the time of creation. If the clocks of
    two servers differ, it may be negative, but never below what ``unwrap`` accepts.
    """
    if age < -CLOCK_SKEW:
        age = -CLOCK_SKEW
    return f'[{age},{text},"{name}"]' if name else f"[{age},{text}]"


def unwrap(wrapped: str) -> tuple[int, dict[str, Any] | None, str, str | None]:
    """Return the age in seconds, the data, the JSON text of the data, and the id.

    Raises CookieRejected if the text does not have the form that ``wrap`` writes.
    """
    try:
        envelope = loads(wrapped)
    except ValueError:
        raise CookieRejected("malformed") from None
    if type(envelope) is not list or not 2 <= len(envelope) <= 3:
        raise CookieRejected("malformed")
    age, data = envelope[:2]
    if (
        type(age) is not int
        or not -CLOCK_SKEW <= age <= MAX_SESSION_AGE
        or not (type(data) is dict or data is None)
    ):
        raise CookieRejected("malformed")
    name, end = None, len(wrapped) - 1
    if len(envelope) == 3:
        name, end = envelope[2], wrapped.rindex(",")
        if type(name) is not str or not _ID.fullmatch(name):
            raise CookieRejected("malformed")
    return age, data, wrapped[wrapped.index(",") + 1 : end], name
