"""Serialize Python values as JSON text, so that they come back exactly.

A value of a type that JSON lacks is written as an object with a single key that begins with ``!``:
``{"!t":[1,2]}`` is the tuple ``(1, 2)``. If a dict of the application looks like that, its key gets
another ``!``, so that the two cannot be confused.

A value of a subclass is written as one of its base type, if the two are equal.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import cache
from itertools import chain
from math import isinf
from typing import Any, NoReturn
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from markupsafe import Markup

from .errors import UnserializableValue

MAX_DEPTH = 100
"""Levels of nesting. Deeper data could be written, but would overflow the stack when read."""

_HALF_THE_LEVELS = range(MAX_DEPTH // 2)
_MISREAD = (ArithmeticError, AttributeError, LookupError, OSError, TypeError)
_PLAIN = frozenset({str, int, float, bool, type(None)})
_NESTING = frozenset({dict, list, tuple, set})
# Looked up once, because freezegun puts its own classes in the place of date and datetime.
_combine = datetime.combine
_parse_datetime = datetime.fromisoformat
_from_ordinal = date.fromordinal
_EXPECTED = (
    "expected None, bool, int, float, str, list, dict, tuple, set, datetime, date, UUID, bytes, "
    "Decimal, Markup, or a value of a subclass that equals one of these. Convert it before "
    "storing it."
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
    value, end = loads_at(text, 0)
    if end != len(text):
        raise ValueError("extra data after the value")
    return value


def loads_at(text: str, start: int) -> tuple[Any, int]:
    """Return the value that begins there, and where it ends. Raises ValueError if it is invalid."""
    try:
        # The hook doubles the time of decoding, and few sessions need it.
        is_tagged = "!" in text and '{"!' in text
        return (_TAGGED if is_tagged else _UNTAGGED).raw_decode(text, start)
    except (*_MISREAD, RecursionError) as error:
        raise ValueError("invalid session data") from error


def is_too_deep(value: Any, text: str) -> bool:
    """Return whether a value that was read from the text has more levels than ``dumps`` writes."""
    if len(text) <= 2 * MAX_DEPTH or not (_has_many("[", text) or _has_many("{", text)):
        return False
    level = [value]
    for _ in range(MAX_DEPTH):
        items = [
            each.values() if type(each) is dict else each
            for each in level
            if type(each) in _NESTING
        ]
        level = [item for item in chain.from_iterable(items) if type(item) not in _PLAIN]
        if not level:
            return False
    return True


def _has_many(bracket: str, text: str) -> bool:
    """Return whether it is half as often in the text as a value that is too deep has brackets.

    To find the first ones is a tenth of the work of counting all.
    """
    index = 0  # after the first character, which begins the value
    for _ in _HALF_THE_LEVELS:
        index = text.find(bracket, index + 1)
        if index < 0:
            return False
    return True


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
        return _tag_deepest(value)
    tagged = value
    if kind is dict:
        has_str_keys = True
        for key, item in value.items():
            if type(key) is not str:
                _as_key(key)  # first of all, because its __hash__ may raise anything
                has_str_keys = False
            if type(item) not in _PLAIN and (new := _tag(item, levels - 1)) is not item:
                tagged = value.copy() if tagged is value else tagged
                tagged[key] = new
        if not has_str_keys:
            tagged = _with_str_keys(tagged)
            key = next(iter(tagged))
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
    if kind is tuple or kind is set:
        items = [item if type(item) in _PLAIN else _tag(item, levels - 1) for item in value]
        if kind is tuple:
            return {"!t": items}
        # Sorted, because the order of a set varies between processes.
        tagged = {"!s": sorted(items, key=_to_text)}
        if not _are_exact(value) and not _comes_back(tagged, len(value)):
            raise ValueError
        return tagged
    if kind in _WRITERS:
        tag, write = _WRITERS[kind]
        return {tag: write(value)}
    return _tag(_as_base(value), levels)


def _tag_deepest(value: Any) -> Any:
    """Return the value as its base type, if no level is needed for that."""
    plain = _as_base(value)
    if type(plain) not in _PLAIN:
        raise ValueError
    return plain


def _are_exact(items: Iterable[Any]) -> bool:
    """Return whether the items of a set hold no value of a subclass, in no tuple either."""
    while kinds := {*map(type, items)}:
        if not kinds <= _HASHABLE:
            return False
        items = [each for item in items if type(item) is tuple for each in item]
    return True


def _comes_back(tagged: dict[str, Any], size: int) -> bool:
    """Return whether the set is read with as many items. A subclass may have its own hash."""
    with suppress(TypeError):  # a list, for example, cannot be in a set
        return len(_TAGGED.decode(_to_text(tagged))) == size
    return False


def _as_base(value: Any) -> Any:
    """Return the value of a subclass as one of its base type.

    Raises ValueError if it has no base type that is supported, or is not equal to it.
    """
    kind = type(value)
    for base, convert in _CONVERTERS.items():
        if issubclass(kind, base):
            return _equal_to(value, convert)
    raise ValueError


def _equal_to(value: Any, convert: Callable[[Any], Any]) -> Any:
    """Return what the value is converted to. Raises ValueError if it is not equal to that."""
    with suppress(Exception):  # its methods may raise anything
        plain = convert(value)
        if _is_true(value == plain) and _is_true(plain == value):
            return plain
    raise ValueError


def _is_true(answer: Any) -> bool:
    """Return whether a comparison said so. It may return any object, and most are merely true."""
    return (answer.item() if hasattr(answer, "item") else answer) is True  # NumPy has its own bool


def _as_key(key: Any) -> str:
    """Return the key as a plain str, with which it can be found too, or raise ValueError."""
    if issubclass(type(key), str):
        with suppress(Exception):
            text: str = _equal_to(key, str.__str__)
            if hash(key) == hash(text):
                return text
    raise ValueError


def _with_str_keys(value: dict[Any, Any]) -> dict[str, Any]:
    plain = {_as_key(key): item for key, item in value.items()}
    if len(plain) < len(value):
        raise ValueError
    return plain


def _to_dict(value: dict[Any, Any]) -> dict[Any, Any]:
    held = dict(dict.items(value))
    if {key: value[key] for key in value} != held:
        raise ValueError  # it shows other items, as a MultiDict does
    return {key: held[key] for key in value}  # in the order of an OrderedDict


def _if_shown(value: Any, held: Any) -> Any:
    """Return the items that the value holds, if it also shows them to who iterates."""
    if type(held)(iter(value)) != held:
        raise ValueError
    return held


def _untag(found: dict[str, Any]) -> Any:
    if len(found) != 1:
        return found
    [(key, value)] = found.items()
    if key[:1] != "!":
        return found
    return {key[1:]: value} if key[:2] == "!!" else _READERS[key](value)


def _write_datetime(value: datetime) -> str:
    zone, fold = value.tzinfo, "f" * value.fold
    if type(zone) is ZoneInfo or type(zone) is _MissingZone:
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
    value = _parse_datetime(local.removesuffix("f"))
    zone = _zone(key.removesuffix("]")) if key else value.tzinfo
    return value.replace(tzinfo=zone, fold=int(local.endswith("f")))


def _zone(key: str) -> tzinfo:
    try:
        return ZoneInfo(key)
    except ZoneInfoNotFoundError:
        if not _ZONE_KEY.fullmatch(key):
            raise
        return _missing_zone(key)


_ZONE_KEY = re.compile("[0-9A-Za-z_+/-]+")


class _MissingZone(tzinfo):
    """A time zone that another machine has stored, and that is not on this one.

    The rest of the session can be used, and the datetime is kept as it is. Asking it for the offset
    from UTC raises ZoneInfoNotFoundError. A set asks its items for that, so there, the session is
    refused as malformed.
    """

    def __init__(self, key: str) -> None:
        self.key = key

    def __reduce__(self) -> tuple[Callable[[str], tzinfo], tuple[str]]:
        return _zone, (self.key,)

    def utcoffset(self, _: datetime | None, /) -> timedelta:
        self._fail()

    def dst(self, _: datetime | None, /) -> timedelta:
        self._fail()

    def tzname(self, _: datetime | None, /) -> str:
        self._fail()

    def _fail(self) -> NoReturn:
        raise ZoneInfoNotFoundError(
            f"found the time zone {self.key!r} in a session, expected a key of the time zone "
            "database of this machine: pip install tzdata"
        )


@cache  # datetimes compare equal only if their time zone is one object
def _missing_zone(key: str) -> _MissingZone:
    return _MissingZone(key)


def _to_markup(text: str) -> Markup:
    return Markup(str.__str__(text))  # noqa: S704 - the application stored it as Markup


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
    Markup: ("!m", str.__str__),
    UUID: ("!u", lambda value: value.hex),
}
_HASHABLE = _PLAIN | _WRITERS.keys() | {tuple}
# Made of what the base type holds, not of what a subclass returns. Derived types come first.
_CONVERTERS: dict[type, Callable[[Any], Any]] = {
    Markup: _to_markup,
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    dict: _to_dict,
    list: lambda value: _if_shown(value, list.copy(value)),
    tuple: lambda value: _if_shown(value, tuple.__getitem__(value, slice(None))),
    set: lambda value: _if_shown(value, set(value)),
    datetime: lambda value: _combine(datetime.date(value), datetime.timetz(value)),
    date: lambda value: _from_ordinal(date.toordinal(value)),
    bytes: bytes.__bytes__,
    Decimal: Decimal,
    UUID: lambda value: UUID(int=value.int),  # asyncpg's has no value in UUID's slot
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "!b": lambda text: b64decode(text, validate=True),
    "!d": date.fromisoformat,
    "!dt": _read_datetime,
    "!m": _to_markup,
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
    with suppress(ValueError):
        value = _as_base(value)
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
        for key, item in value.items():
            if issubclass(type(key), str):
                yield f"[{_to_text(str.__str__(key))}]", item
    elif kind in (list, tuple):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    elif kind is set:
        yield from (("{...}", item) for item in value)


def _reason(value: Any) -> str:
    kind = type(value)
    if kind is dict:
        return _reason_of_keys(value)
    if kind is set:
        return "has items that would be equal, or have no hash, as their base types: convert them."
    if kind in (str, Markup):
        return _SURROGATES
    if kind in (float, Decimal):
        return "is not a finite number: store None or a str instead."
    if kind is int:
        return "is an int with too many digits: store it as bytes."
    if kind is datetime:
        zone = type(value.tzinfo).__qualname__
        return f"is a datetime whose {zone} cannot be stored exactly: use astimezone(UTC)."
    return f"is of type {kind.__module__}.{kind.__qualname__}: {_EXPECTED}"


def _reason_of_keys(keys: Iterable[Any]) -> str:
    texts = set()
    for key in keys:
        try:
            text = _as_key(key)
        except ValueError:
            return f"has a key of type {type(key).__qualname__}: keys must be str."
        if text in texts:
            return "has two keys that would be the same str: rename one."
        texts.add(text)
    return _SURROGATES
