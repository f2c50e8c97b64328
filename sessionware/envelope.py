"""A session as it is signed: its age, its data, and its id where it has one."""

import re
from typing import Any

from .errors import CookieRejected
from .expiry import CLOCK_SKEW
from .serializer import loads

OLDEST = 2**40
"""Seconds. An age beyond it could be one that grows too long to be written."""

_ID = re.compile("[0-9A-Za-z_-]+")


def wrap(age: int, text: str, name: str | None) -> str:
    """Give ``[age,data]`` or ``[age,data,id]`` as JSON text; ``text`` is the data's, or ``null``.

    An age takes a byte or a few where the time of creation would take ten. It may be negative,
    but no further than clocks may differ: of three servers, two may differ by more.
    """
    if age < -CLOCK_SKEW:
        age = -CLOCK_SKEW
    return f'[{age},{text},"{name}"]' if name else f"[{age},{text}]"


def unwrap(wrapped: str) -> tuple[int, dict[str, Any] | None, str, str | None]:
    """Give the age in seconds, the data, the data as it was written, and the id.

    Raises CookieRejected for what is signed, but not ours.
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
        or not -CLOCK_SKEW <= age <= OLDEST
        or not (type(data) is dict or data is None)
    ):
        raise CookieRejected("malformed")
    name, end = None, len(wrapped) - 1
    if len(envelope) == 3:
        name, end = envelope[2], wrapped.rindex(",")
        if type(name) is not str or not _ID.fullmatch(name):
            raise CookieRejected("malformed")
    return age, data, wrapped[wrapped.index(",") + 1 : end], name
