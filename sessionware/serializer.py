"""Serialize Python values as JSON text, so that they come back exactly.

A value of a type that JSON lacks is written as an object with a single key that begins with ``!``:
``{"!t":[1,2]}`` is the tuple ``(1, 2)``. If a dict of the application looks like that, its key gets
another ``!``, so that the two cannot be confused.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime, timezone
from decimal import Decimal
from math import isinf
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from .errors import UnserializableValue

MAX_DEPTH = 100
"""Levels of nesting. Deeper data could be written, but would overflow the stack when read."""

_MISREAD = (ArithmeticError, AttributeError, LookupError, OSError, TypeError)
_PLAIN = frozenset({str, int, float, bool, type(None)})
_EXPECTED = (
    "expected None, bool, int, float, str, list, dict, tuple, set, datetime, date, UUID, bytes or "
    "Decimal, and no subclass of them. Convert it before storing it."
)


def dumps(value: Any, path: str = "session") -> str:
    """Return the value as ASCII JSON text.

    Raises UnserializableValue with the path to the first value that cannot round-trip, which
    begins with the given path.
    """
    try:
        return _write(value, MAX_DEPTH)
    except ValueError:
        raise UnserializableValue(_blame(value, MAX_DEPTH, path)) from None


def loads(text: str) -> Any:
    """Return the value of a text that ``dumps`` wrote. Raises ValueError if it is invalid."""
    try:
        # The hook doubles the time of decoding, and few sessions need it.
        value, end = (_TAGGED if '{"!' in text else _UNTAGGED).raw_decode(text)
        if end != len(text):
            raise ValueError("extra data after the value")
        return value
    except (*_MISREAD, RecursionError) as error:
        raise ValueError("invalid session data") from error


def _write(value: Any, levels: int) -> str:
    tagged = _tag(value, levels)
    text = "".join(_encode(tagged, 0))
    # JSON escapes an emoji and a pair of surrogates alike, and only the emoji comes back.
    if "\\" in text and "\\ud" in text and _UNTAGGED.decode(text) != tagged:
        raise ValueError
    return text


def _to_text(value: Any) -> str:
    return "".join(_encode(value, 0))


def _tag(value: Any, levels: int) -> Any:
    """Return the value itself if JSON has all of its types, or else a tagged copy."""
    kind = type(value)  # not __class__, which a proxy copies from its target
    if levels == 0 and kind not in _PLAIN:
        raise ValueError
    tagged = value
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise ValueError
            if type(item) not in _PLAIN and (new := _tag(item, levels - 1)) is not item:
                tagged = value.copy() if tagged is value else tagged
                tagged[key] = new
        return {f"!{key}": tagged[key]} if len(value) == 1 and key[:1] == "!" else tagged
    if kind is list:
        for index, item in enumerate(value):
            if type(item) not in _PLAIN and (new := _tag(item, levels - 1)) is not item:
                tagged = value.copy() if tagged is value else tagged
                tagged[index] = new
        return tagged
    return _tag_other(value, kind, levels)


def _tag_other(value: Any, kind: type, levels: int) -> Any:
    if kind in _PLAIN:
        return value
    if kind is tuple:
        return {"!t": [_tag(item, levels - 1) for item in value]}
    if kind is set:
        # Sorted, because the order of a set varies between processes.
        return {"!s": sorted((_tag(item, levels - 1) for item in value), key=_to_text)}
    if kind in _WRITERS:
        tag, write = _WRITERS[kind]
        return {tag: write(value)}
    raise ValueError


def _untag(found: dict[str, Any]) -> Any:
    if len(found) != 1:
        return found
    [(key, value)] = found.items()
    if key[:1] != "!":
        return found
    return {key[1:]: value} if key[:2] == "!!" else _READERS[key](value)


def _write_datetime(value: datetime) -> str:
    zone, fold = value.tzinfo, "f" * value.fold
    if type(zone) is ZoneInfo:
        text = f"{value.replace(tzinfo=None).isoformat()}{fold}[{zone.key}]"
    elif zone is None or type(zone) is timezone:
        text = value.isoformat() + fold
    else:
        raise ValueError
    # Refuse what the text does not preserve, such as the name of a timezone.
    with suppress(*_MISREAD):
        if repr(_read_datetime(text)) == repr(value):
            return text
    raise ValueError


def _read_datetime(text: str) -> datetime:
    local, _, key = text.partition("[")
    value = datetime.fromisoformat(local.removesuffix("f"))
    zone = ZoneInfo(key.removesuffix("]")) if key else value.tzinfo
    return value.replace(tzinfo=zone, fold=int(local.endswith("f")))


def _write_decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError
    return str(value)


def _read_decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError("not a finite number")
    return value


def _read_float(text: str) -> float:
    value = float(text)
    if isinf(value):
        raise ValueError("not a finite number")  # 1e999 is valid JSON
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


_WRITERS: dict[type, tuple[str, Callable[[Any], str]]] = {
    bytes: ("!b", lambda value: b64encode(value).decode()),
    date: ("!d", date.isoformat),
    datetime: ("!dt", _write_datetime),
    Decimal: ("!n", _write_decimal),
    UUID: ("!u", lambda value: value.hex),
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "!b": lambda text: b64decode(text, validate=True),
    "!d": date.fromisoformat,
    "!dt": _read_datetime,
    "!n": _read_decimal,
    "!s": set,
    "!t": tuple,
    "!u": UUID,
}
_SURROGATES = "contains a pair of surrogates, which JSON does not preserve: store it as bytes."
# Made once, because JSONEncoder.encode spends a third of its time on making it.
_encode = json.encoder.c_make_encoder(  # type: ignore[attr-defined]  # typeshed lacks it
    None, None, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, False
)
_UNTAGGED = json.JSONDecoder(parse_float=_read_float, parse_constant=_no_constant)
_TAGGED = json.JSONDecoder(parse_float=_read_float, parse_constant=_no_constant, object_hook=_untag)


def _blame(value: Any, levels: int, path: str) -> str:
    """Return the path to the first value that is refused, and the reason."""
    if levels == 0 and type(value) not in _PLAIN:
        return f"{path} is more than {MAX_DEPTH} levels deep, or contains itself: flatten it."
    for step, item in _steps(value):
        try:
            _write(item, levels - 1)
        except ValueError:
            return _blame(item, levels - 1, path + step)
    return f"{path} {_reason(value)}"


def _steps(value: Any) -> Iterator[tuple[str, Any]]:
    kind = type(value)
    if kind is dict:
        yield from ((f"[{_to_text(key)}]", item) for key, item in value.items() if type(key) is str)
    elif kind in (list, tuple):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    elif kind is set:
        yield from (("{...}", item) for item in value)


def _reason(value: Any) -> str:
    kind = type(value)
    if kind is dict:
        wrong = [type(key).__qualname__ for key in value if type(key) is not str]
        return f"has a key of type {wrong[0]}: keys must be str." if wrong else _SURROGATES
    if kind is str:
        return _SURROGATES
    if kind in (float, Decimal):
        return "is not a finite number: store None or a str instead."
    if kind is int:
        return "is an int with too many digits: store it as bytes."
    if kind is datetime:
        zone = type(value.tzinfo).__qualname__
        return f"is a datetime whose {zone} cannot be stored exactly: use astimezone(UTC)."
    return f"is of type {kind.__module__}.{kind.__qualname__}: {_EXPECTED}"
