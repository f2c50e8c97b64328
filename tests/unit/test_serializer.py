"""Serialization of Python values as JSON text, exactly or not at all."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import IntEnum
from typing import Any
from unittest.mock import Mock
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.local import LocalProxy

from sessionware.errors import UnserializableValue
from sessionware.serializer import MAX_DEPTH, dumps, loads
from tests.unit.exactness import exact

CHECKED = settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
EXPECTED = (
    ": expected None, bool, int, float, str, list, dict, tuple, set, datetime, date, UUID, bytes "
    "or Decimal, and no subclass of them. Convert it before storing it."
)


def other(kind: str) -> str:
    return f"is of type {kind}{EXPECTED}"


FINITE = "is not a finite number: store None or a str instead."
PAIRED = "contains a pair of surrogates, which JSON does not preserve: store it as bytes."
ZONE = "cannot be stored exactly: use astimezone(UTC)."
TOO_DEEP = " is more than 100 levels deep, or contains itself: flatten it."
TAGS = ["!t", "!s", "!d", "!dt", "!n", "!u", "!b", "!x", "!", "!!", "!!t", "t", ""]
PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
WRAPS = [(lambda v: (v,), "[0]"), (lambda v: [v], "[0]"), (lambda v: {"!": v}, '["!"]')]

Point = namedtuple("Point", "x y")
PLAIN = ["a", 1, 1.0, [1], {"a": 1}, (1,), {1}, b"a", Decimal(1)]


class Colour(IntEnum):
    RED = 1


class Custom(tzinfo):
    def utcoffset(self, _: datetime | None) -> Any:
        return timedelta(0)

    dst = tzname = utcoffset


class Broken(Custom):
    def utcoffset(self, _: datetime | None) -> Any:
        raise NotImplementedError


def subclassed(kind: Any, *arguments: Any) -> Any:
    return type("Sub", (kind,), {})(*arguments)


def proxy(value: Any) -> Any:
    return LocalProxy(lambda: value)


def refusal(data: dict[Any, Any]) -> str:
    with pytest.raises(UnserializableValue) as caught:
        dumps(data)
    return str(caught.value)


def nested(wrap: Callable[[Any], Any], levels: int) -> Any:
    value: Any = "core"
    for _ in range(levels):
        value = wrap(value)
    return value


# Without pairs of surrogates and offsets of microseconds, which are refused (see below).
texts = st.text(st.characters()).filter(lambda text: not PAIR.search(text))
tags = st.sampled_from(TAGS)
offsets = st.integers(-86399, 86399).map(lambda seconds: timezone(timedelta(0, seconds)))
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]).map(ZoneInfo)
times = st.builds(
    lambda moment, zone, fold: moment.replace(tzinfo=zone, fold=fold),
    st.datetimes(),
    st.none() | offsets | zones,
    st.integers(0, 1),
)
floats = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.integers() | floats | st.decimals(allow_nan=False, allow_infinity=False)
scalars = st.one_of(
    st.none(), st.booleans(), numbers, texts, st.binary(), st.uuids(), st.dates(), times
)
hashables = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple))
values = st.recursive(
    scalars | st.lists(hashables, max_size=4).map(set),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(tags | texts, inner, max_size=3),
    ),
    max_leaves=12,
)
sessions = st.dictionaries(texts, values, max_size=4)


@CHECKED
@given(sessions)
def test_every_supported_type_round_trips_at_any_depth(data: dict[str, Any]) -> None:
    assert exact(loads(dumps(data))) == exact(data)


EDGES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    10**4299,
    -(10**4299),
    2**53 + 1,
    0.0,
    -0.0,
    1.0,
    5e-324,
    1e308,
    "",
    "\0",
    "\ud800",
    "\udc00\ud800",
    "\U0001f600",
    "\u2028",
    '"\\</script>',
    '{"!t":1}',
    b"",
    b"\0\xff",
    (),
    ((),),
    [],
    {},
    set(),
    {(1, ("a", b"b"))},
    {1, "1", b"1", None},
    Decimal("0E-7"),
    Decimal("-0"),
    Decimal("1.10"),
    Decimal("1E+999999"),
    UUID(int=0),
    date.min,
    date.max,
    datetime.min,
    datetime.max,
    datetime(2030, 1, 2, 3, 4, 5, 6, UTC),
    datetime(2030, 1, 2, tzinfo=timezone(timedelta(hours=-5, microseconds=1))),
    datetime(2030, 10, 27, 2, 30, fold=1),
    datetime(2030, 10, 27, 2, 30, fold=1, tzinfo=timezone(timedelta(hours=1))),
    *(datetime(2030, 10, 27, 2, 30, 0, 0, ZoneInfo("Europe/Berlin"), fold=fold) for fold in (0, 1)),
    *(nested(wrap, MAX_DEPTH - 1) for wrap, _ in WRAPS),
]


@pytest.mark.parametrize("value", EDGES, ids=lambda value: ascii(value)[:40])
def test_edge_cases_of_the_supported_types_round_trip(value: Any) -> None:
    assert exact(loads(dumps({"a": value}))) == exact({"a": value})


@pytest.mark.parametrize(
    "data",
    [
        {"a": datetime(2030, 1, 2, tzinfo=timezone(timedelta(hours=1), "CET"))},
        {"a": datetime(2030, 1, 2, tzinfo=timezone(timedelta(0), "Z"))},
        {"a": datetime(2030, 1, 2, tzinfo=timezone(timedelta(microseconds=1)))},
    ],
    ids=ascii,
)
def test_ambiguous_timezones_round_trip_or_are_refused(data: dict[str, Any]) -> None:
    with contextlib.suppress(UnserializableValue):
        assert exact(loads(dumps(data))) == exact(data)


def test_zone_that_cannot_be_found_by_its_key_is_refused() -> None:
    """Otherwise, the cookie would be written and then be malformed on every request."""
    counts = b"".join(number.to_bytes(4, "big") for number in (0, 0, 0, 0, 1, 4))
    file = io.BytesIO(b"TZif".ljust(20, b"\0") + counts + bytes(6) + b"XYZ\0")
    refusal({"a": datetime(2030, 1, 2, tzinfo=ZoneInfo.from_file(file, key="No/Such"))})


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("inner", [1, "2030-01-02", [1, 2], {"!t": [1]}, (1, 2)], ids=repr)
def test_dict_that_looks_like_a_tag_round_trips(tag: str, inner: Any) -> None:
    for data in ({tag: inner}, {tag: inner, "!t": [1]}, {"a": {tag: {tag: inner}}}):
        assert exact(loads(dumps(data))) == exact(data)


def test_order_of_a_set_does_not_depend_on_the_hash_seed() -> None:
    program = "from sessionware.serializer import dumps; print(dumps({'a': {*'abcdefgh', ('b',)}}))"
    command = [sys.executable, "-c", program]
    seeds = ({**os.environ, "PYTHONHASHSEED": seed} for seed in "12")
    assert len({subprocess.check_output(command, env=env) for env in seeds}) == 1  # noqa: S603


@CHECKED
@given(sessions)
def test_text_is_ascii_without_white_space_between_its_parts(data: dict[str, Any]) -> None:
    text = dumps(data)
    assert text.isascii()
    assert text == json.dumps(json.loads(text), separators=(",", ":"))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        *(
            (it, other(f"{__name__}.{type(it).__name__}"))
            for it in (Custom(), Point(1, 2), Colour.RED)
        ),
        (OrderedDict(a=1), other("collections.OrderedDict")),
        (frozenset({1}), other("builtins.frozenset")),
        (bytearray(b"a"), other("builtins.bytearray")),
        *((kind(it), FINITE) for kind in (float, Decimal) for it in ("nan", "-inf")),
        (Decimal("sNaN"), FINITE),
        ({1: 2}, "has a key of type int: keys must be str."),
        ({subclassed(str): 1}, "has a key of type Sub: keys must be str."),
        (datetime(2030, 1, 2, tzinfo=Custom()), f"is a datetime whose Custom {ZONE}"),
        (datetime(2030, 1, 2, tzinfo=Broken()), f"is a datetime whose Broken {ZONE}"),
        *((subclassed(type(it)), other(f"{__name__}.Sub")) for it in PLAIN),
        (subclassed(UUID, "0" * 32), other(f"{__name__}.Sub")),
        *((subclassed(it, 1, 1, 1), other(f"{__name__}.Sub")) for it in (date, datetime)),
        # A proxy has the __class__ of its target.
        *((proxy(it), other("werkzeug.local.LocalProxy")) for it in (*PLAIN, None, date.min)),
    ],
)
def test_everything_else_is_refused_with_its_path(value: Any, reason: str) -> None:
    data = {"ok": 1, "cart": [1, "a", {}, {"price": value}]}
    assert refusal(data) == f'session["cart"][3]["price"] {reason}'


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"a": ([0, 1j],)}, 'session["a"][0][1] is of type builtins.complex' + EXPECTED),
        ({"a": {(1, (2, 1j))}}, 'session["a"]{...}[1][1] is of type builtins.complex' + EXPECTED),
        ({"a": 10**4300}, 'session["a"] is an int with too many digits: store it as bytes.'),
        ({"a": {10**4300}}, 'session["a"]{...} is an int with too many digits: store it as bytes.'),
        ({"a": 1, "b": 1j, "c": 1j}, 'session["b"] is of type builtins.complex' + EXPECTED),
        ({"a": "\ud83d\ude00"}, f'session["a"] {PAIRED}'),
        ({"\ud83d\ude00": 1}, f"session {PAIRED}"),
        ({'"\n\xe9': 1j}, 'session["\\"\\n\\u00e9"] is of type builtins.complex' + EXPECTED),
        ({1: 2}, "session has a key of type int: keys must be str."),
    ],
)
def test_path_leads_to_the_first_refused_value(data: dict[str, Any], path: str) -> None:
    assert refusal(data) == path


@pytest.mark.parametrize("levels", [MAX_DEPTH, MAX_DEPTH + 1, 5000])
@pytest.mark.parametrize(("wrap", "step"), WRAPS)
def test_deeper_nesting_is_refused(wrap: Callable[[Any], Any], step: str, levels: int) -> None:
    message = refusal({"a": nested(wrap, levels)})
    assert message == f'session["a"]{step * (MAX_DEPTH - 1)}{TOO_DEEP}'


def test_list_that_contains_itself_is_refused() -> None:
    cart: list[Any] = []
    cart.append(cart)
    assert refusal({"cart": cart}) == f'session["cart"]{"[0]" * (MAX_DEPTH - 1)}{TOO_DEEP}'


@pytest.mark.parametrize(
    "value",
    [{("hunter2", 1j)}, OrderedDict(a="hunter2"), {b"hunter2": 1}, [subclassed(str, "hunter2")]],
)
def test_message_never_shows_a_value(value: Any) -> None:
    assert "hunter2" not in refusal({"a": value})


leaves = st.none() | numbers | st.text() | st.sampled_from(["1e9", "NaN", "2030-01-02[A", "ff"])
objects = st.recursive(leaves, lambda v: st.lists(v) | st.dictionaries(tags, v), max_leaves=9)
foreign = objects.map(lambda value: json.dumps(value, separators=(",", ":"), default=str))


@st.composite
def changed(draw: st.DrawFn) -> str:
    """Return a text of ``dumps`` with a few characters changed."""
    text = dumps(draw(sessions))
    start = draw(st.integers(0, len(text)))
    return text[:start] + draw(st.text(max_size=3)) + text[start + draw(st.integers(0, 9)) :]


@settings(CHECKED, max_examples=300)
@given(st.text(st.characters()) | st.text('{}[]"!:,tsdnub0e-.') | changed() | foreign)
def test_any_text_raises_only_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        loads(text)


# Text that sessionware does not write, but that might be signed with our key


@pytest.mark.parametrize(
    "text",
    [
        '{"!":1}',
        '{"!x":1}',
        '{"!T":[1]}',
        '{"!tt":[1]}',
        '{"a":{"!x":1}}',
        '{"!t":1}',
        '{"!s":[[1]]}',
        '{"!s":null}',
        '{"!b":"?"}',
        '{"!b":1}',
        '{"!u":1}',
        '{"!d":1}',
        '{"!d":"x"}',
        '{"!dt":1}',
        '{"!dt":"x"}',
        '{"!n":"x"}',
        '{"!n":null}',
        '{"!n":"NaN"}',
        '{"!n":"-Infinity"}',
        "1e999",
        "[-1e999]",
        '{"!t":[1e999]}',
        '{"!n":"1e99999999999999999999"}',
        '{"!dt":"2030-01-02T00:00:00[../../etc/passwd]"}',
        '{"!dt":"2030-01-02T00:00:00[No/Such]"}',
        '{"!dt":"2030-01-02T00:00:00[]]"}',
        *(bomb * 100_000 for bomb in ("[", '{"a":', '{"!t":', '{"!!t":', '[{"!s":[')),
        "NaN",
        "[Infinity]",
        '{"a":-Infinity}',
        '{"!t":[NaN]}',
        "1" * 4301,
        "",
        "[1",
        "{}x",
    ],
    ids=lambda text: text[:40],
)
def test_invalid_text_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)


def test_zone_that_is_a_folder_is_a_value_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the package ``tzdata``, ``ZoneInfo("Europe")`` raises IsADirectoryError."""
    monkeypatch.setattr("sessionware.serializer.ZoneInfo", Mock(side_effect=IsADirectoryError))
    with pytest.raises(ValueError, match=r"."):
        loads('{"!dt":"2030-01-02T00:00:00[Europe]"}')
