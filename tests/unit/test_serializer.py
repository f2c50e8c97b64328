"""Serialization of Python values as JSON text, exactly or not at all."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any
from unittest.mock import Mock
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markupsafe import Markup
from werkzeug.datastructures import MultiDict
from werkzeug.local import LocalProxy

from sessionware.errors import UnserializableValue
from sessionware.serializer import MAX_DEPTH, dumps, is_too_deep, loads
from tests.unit.exactness import exact

CHECKED = settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
EXPECTED = (
    ": expected None, bool, int, float, str, list, dict, tuple, set, datetime, date, UUID, bytes, "
    "Decimal, Markup, or a value of a subclass that equals one of these. Convert it before "
    "storing it."
)


def other(kind: str) -> str:
    return f"is of type {kind}{EXPECTED}"


COMPLEX = "builtins.complex" + EXPECTED
FINITE = "is not a finite number: store None or a str instead."
PAIRED = "contains a pair of surrogates, which JSON does not preserve: store it as bytes."
ZONE = "cannot be stored exactly: use astimezone(UTC)."
TOO_DEEP = " is more than 100 levels deep, or contains itself: flatten it."
TAGS = ["!t", "!s", "!d", "!dt", "!m", "!n", "!u", "!b", "!x", "!", "!!", "!!t", "t", ""]
PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
WRAPS = [(lambda v: (v,), "[0]"), (lambda v: [v], "[0]"), (lambda v: {"!": v}, '["!"]')]

Point = namedtuple("Point", "x y")
PLAIN = ["a", 1, 1.0, [1], {"a": 1}, (1,), {1}, b"a", Decimal(1)]


class Colour(IntEnum):
    RED = 1


class Size(StrEnum):
    LARGE = "large"


class Mood(str, Enum):  # noqa: UP042 - this is the older kind
    """An enum of text from before StrEnum: its ``str()`` is not its value."""

    GOOD = "good"


class Custom(tzinfo):
    def utcoffset(self, _: datetime | None) -> Any:
        return timedelta(0)

    dst = tzname = utcoffset


class Broken(Custom):
    def utcoffset(self, _: datetime | None) -> Any:
        raise NotImplementedError


def subclassed(kind: Any, *arguments: Any, **keywords: Any) -> Any:
    return type("Sub", (kind,), {})(*arguments, **keywords)


def with_methods(kind: Any, **methods: Any) -> Any:
    """Return a subclass with these methods, and the hash of its base type."""
    return type("Sub", (kind,), {"__hash__": kind.__hash__, **methods})


def equal_never(kind: Any) -> Any:
    return with_methods(kind, __eq__=lambda self, other: False)


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
markups = texts.map(Markup)
scalars = st.one_of(
    st.none(), st.booleans(), numbers, texts, markups, st.binary(), st.uuids(), st.dates(), times
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


SUBCLASSES: dict[type, Any] = {
    kind: type("Sub", (kind,), {})
    for kind in (str, int, float, bytes, Decimal, UUID, Markup, date, datetime, tuple, set, list)
}


def as_subclasses(value: Any, chosen: Callable[[], bool]) -> Any:
    """Return an equal value in which those that are chosen are of a subclass, at any depth."""
    kind = type(value)
    if kind is dict:
        pairs = [(as_subclasses(key, chosen), as_subclasses(value[key], chosen)) for key in value]
        return OrderedDict(pairs) if chosen() else dict(pairs)
    if kind in (list, tuple, set):
        value = kind([as_subclasses(item, chosen) for item in value])
    if kind not in SUBCLASSES or not chosen():
        return value
    if kind is datetime:
        moment = SUBCLASSES[kind].combine(value.date(), value.timetz())
        return moment.replace(fold=value.fold)
    if kind is date:
        return SUBCLASSES[kind].fromordinal(value.toordinal())
    return SUBCLASSES[kind](int=value.int) if kind is UUID else SUBCLASSES[kind](value)


@CHECKED
@given(sessions, st.data())
def test_subclasses_come_back_as_their_base_types_at_any_depth(
    data: dict[str, Any], draws: st.DataObject
) -> None:
    dressed = as_subclasses(data, lambda: draws.draw(st.booleans()))
    assert exact(loads(dumps(dressed))) == exact(data)


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
    Markup(),
    Markup("<b>\U0001f600</b>"),
    {Markup("a"), "b"},
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


# Subclasses: kept as their base types if they are equal


class Token(dict[str, Any]):
    """An OAuth token, as authlib's: a dict with methods and attributes."""

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.issued = 1

    def is_expired(self) -> bool:
        return False


class DriversUUID(UUID):
    """A UUID whose number is not in UUID's own slot, as asyncpg's."""

    __slots__ = ()
    int = property(lambda self: 7)  # type: ignore[misc]  # it is final in UUID

    def __init__(self) -> None:
        """Leave the slot empty."""


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Token({"access_token": "x", "expires_at": 5}), {"access_token": "x", "expires_at": 5}),
        (Point(1, (2, Point(3, 4))), (1, (2, (3, 4)))),
        (Colour.RED, 1),
        (Size.LARGE, "large"),
        (Mood.GOOD, "good"),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (Counter("aab"), {"a": 2, "b": 1}),
        (DriversUUID(), UUID(int=7)),
        (subclassed(Markup, "<b>"), Markup("<b>")),
        ({Size.LARGE: {Markup("<b>"): Size.LARGE}}, {"large": {"<b>": "large"}}),
        ({subclassed(str, "!t"): [1]}, {"!t": [1]}),
        ({Colour.RED, (Point(1, 2),)}, {1, ((1, 2),)}),
        ([Colour.RED, True, 1.0], [1, True, 1.0]),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_subclass_comes_back_as_its_base_type(value: Any, plain: Any) -> None:
    assert exact(loads(dumps({"a": value}))) == exact({"a": plain})


def test_saving_a_subclass_leaves_the_value_as_it_is() -> None:
    inner = OrderedDict({Size.LARGE: Point(1, 2)})
    data: dict[str, Any] = {"a": inner, "b": [inner]}
    dumps(data)
    assert data == {"a": inner, "b": [inner]}
    assert exact(data["a"]) == exact(data["b"][0]) == exact(inner)
    assert [*map(type, inner), *map(type, inner.values())] == [Size, Point]


def test_ordered_dict_comes_back_in_its_own_order() -> None:
    """It keeps its order apart from that of the dict below."""
    value = OrderedDict(a=1, b=2)
    value.move_to_end("a")
    assert [*loads(dumps({"a": value}))["a"]] == ["b", "a"]


def test_what_the_base_type_holds_is_saved_and_not_what_a_method_returns() -> None:
    """``str`` of an enum is its name, for example."""
    lie = lambda self, *_: 1 / 0  # noqa: E731
    text = with_methods(str, __str__=lie, __repr__=lie, __iter__=lie, encode=lie)("a")
    number = with_methods(int, __int__=lie, __index__=lie, __str__=lie, __repr__=lie)(1)
    real = with_methods(float, __float__=lie, __repr__=lie)(1.5)
    raw = with_methods(bytes, __bytes__=lie, __iter__=lie)(b"a")
    items = with_methods(dict, items=lie, values=lie, keys=lie, copy=lie, get=lie)(a=1)
    data = {"all": [text, number, real, raw, items], text: 1}
    assert exact(loads(dumps(data))) == exact({"all": ["a", 1, 1.5, b"a", {"a": 1}], "a": 1})


class Failure(Exception):
    pass


def test_time_to_the_nanosecond_is_refused() -> None:
    """As pandas' Timestamp, which is equal to a datetime only if it has no nanoseconds."""

    class Timestamp(datetime):
        nanosecond = 7
        __hash__ = datetime.__hash__

        def __eq__(self, other: object) -> bool:
            return datetime.__eq__(self, other) and self.nanosecond == 0

    assert "Timestamp" in refusal({"a": Timestamp(2030, 1, 2)})
    Timestamp.nanosecond = 0
    assert exact(loads(dumps({"a": Timestamp(2030, 1, 2)}))["a"]) == exact(datetime(2030, 1, 2))


def test_enum_with_an_equality_of_its_own_is_refused() -> None:
    class Own(StrEnum):
        ONE = "one"

        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            return self is other

    assert "Own" in refusal({"a": Own.ONE})


@pytest.mark.parametrize(
    "value",
    [
        MultiDict([("a", 1), ("a", 2)]),
        with_methods(dict, __iter__=lambda self: iter(()))(a=1),
        with_methods(dict, __getitem__=lambda self, key: 2)(a=1),
        *(with_methods(kind, __iter__=lambda self: iter((2,)))([1]) for kind in (list, tuple, set)),
    ],
    ids=lambda value: ascii(type(value)),
)
def test_subclass_that_shows_other_items_than_it_holds_is_refused(value: Any) -> None:
    """It may still equal its base type: the comparison does not call these methods."""
    assert f"{type(value).__qualname__}: expected" in refusal({"a": value})


def fail(*_: Any) -> Any:
    raise Failure


class NoTruth:
    """What a comparison of arrays returns."""

    def __bool__(self) -> bool:
        raise Failure


@pytest.mark.parametrize("kind", [type(it) for it in (*PLAIN, Markup())])
@pytest.mark.parametrize(
    "equal",
    [fail, lambda *_: NoTruth(), lambda *_: "yes", lambda *_: 1],
    ids=["raises", "array", "text", "number"],
)
def test_comparison_that_is_not_simply_true_is_a_refusal(kind: Any, equal: Any) -> None:
    value = with_methods(kind, __eq__=equal)()
    assert refusal({"a": value}).startswith(f'session["a"] is of type {__name__}.Sub: ')


class Bool:
    """The bool of NumPy, whose float64 is a subclass of float."""

    def __init__(self, value: bool) -> None:
        self.item = lambda: value


@pytest.mark.parametrize("equal", [True, False])
def test_comparison_may_return_the_bool_of_numpy(equal: bool) -> None:
    value = with_methods(float, __eq__=lambda *_: Bool(equal))(1.5)
    if equal:
        assert dumps({"a": value}) == '{"a":1.5}'
    else:
        assert refusal({"a": value}).startswith(f'session["a"] is of type {__name__}.Sub: ')


@pytest.mark.parametrize("method", ["__iter__", "__getitem__"])
def test_method_that_raises_is_a_refusal(method: str) -> None:
    value = with_methods(dict, **{method: fail})(a=1)
    assert refusal({"a": value}).startswith(f'session["a"] is of type {__name__}.Sub: ')


def test_number_of_a_uuid_that_raises_is_a_refusal() -> None:
    value = with_methods(UUID, int=property(fail), __init__=lambda self: None)()
    assert refusal({"a": value}).startswith(f'session["a"] is of type {__name__}.Sub: ')


@pytest.mark.parametrize("item", [1, (1, 2)], ids=ascii)
@pytest.mark.parametrize("hash_", [lambda _: 7, fail], ids=["other", "raises"])
def test_key_with_another_hash_than_its_text_is_refused(hash_: Any, item: Any) -> None:
    """Otherwise, ``session["a"]["key"]`` would find it only after it was saved."""

    class Key(str):
        __slots__ = ()
        hashed = str.__hash__

        def __hash__(self) -> int:
            return type(self).hashed(self)

    data = {"a": {Key("key"): item}}
    Key.hashed = hash_
    assert refusal(data) == f'session["a"] has a key of type {Key.__qualname__}: keys must be str.'


def test_two_keys_that_would_become_one_are_refused() -> None:
    """Each is equal to its text, but they are not equal to each other."""
    kinds = [
        with_methods(str, __eq__=lambda self, other: type(other) in (str, type(self)))
        for _ in range(2)
    ]
    data = {"a": {kind("key"): 1 for kind in kinds}}
    assert len(data["a"]) == 2
    assert refusal(data) == 'session["a"] has two keys that would be the same str: rename one.'


SET = "has items that would be equal, or have no hash, as their base types: convert them."


def test_items_of_a_set_that_would_become_one_are_refused() -> None:
    twin = with_methods(str, __hash__=lambda self: 7)("a")
    for items in ({"a", twin}, {("a",), (twin,)}, subclassed(set, {"a", twin})):
        assert len(items) == 2
        assert refusal({"a": items}) == f'session["a"] {SET}'


def test_item_of_a_set_that_would_have_no_hash_is_refused() -> None:
    """Otherwise, the cookie would be written and then be malformed on every request."""
    hashable = with_methods(list, __hash__=lambda self: 7)([1])
    for items in ({hashable}, {(hashable,)}):
        assert refusal({"a": items}) == f'session["a"] {SET}'


def test_set_of_many_tuples_and_subclasses_round_trips() -> None:
    items = {("a", (1, date(2030, 1, 2))), Point(1, Size.LARGE), Colour.RED, Markup("a")}
    assert loads(dumps({"a": items})) == {"a": items}


def test_dates_are_kept_while_a_test_has_put_a_class_of_its_own_in_their_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As freezegun does, in every module."""
    real = datetime(2030, 1, 2, 3, 4, 5, 6, UTC)
    fake, fake_date = with_methods(datetime), with_methods(date)
    monkeypatch.setattr("sessionware.serializer.datetime", fake)
    monkeypatch.setattr("sessionware.serializer.date", fake_date)
    data = {"a": [real, fake.combine(real.date(), real.timetz()), real.date()]}
    data["a"].append(fake_date(2030, 1, 2))
    plain = [real, real, real.date(), real.date()]
    assert exact(loads(dumps(data))) == exact({"a": plain})


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
        (Custom(), other(f"{__name__}.Custom")),
        (frozenset({1}), other("builtins.frozenset")),
        (bytearray(b"a"), other("builtins.bytearray")),
        *((kind(it), FINITE) for kind in (float, Decimal) for it in ("nan", "-inf")),
        (Decimal("sNaN"), FINITE),
        ({1: 2}, "has a key of type int: keys must be str."),
        ({equal_never(str)(): 1}, "has a key of type Sub: keys must be str."),
        (datetime(2030, 1, 2, tzinfo=Custom()), f"is a datetime whose Custom {ZONE}"),
        (datetime(2030, 1, 2, tzinfo=Broken()), f"is a datetime whose Broken {ZONE}"),
        *((equal_never(type(it))(), other(f"{__name__}.Sub")) for it in (*PLAIN, Markup())),
        (equal_never(UUID)("0" * 32), other(f"{__name__}.Sub")),
        *((equal_never(it)(1, 1, 1), other(f"{__name__}.Sub")) for it in (date, datetime)),
        (subclassed(float, "inf"), FINITE),
        (subclassed(Decimal, "-inf"), FINITE),
        *((subclassed(it, "nan"), other(f"{__name__}.Sub")) for it in (float, Decimal)),
        (subclassed(Decimal, "sNaN"), other(f"{__name__}.Sub")),
        (subclassed(datetime, 1, 1, 1, tzinfo=Custom()), f"is a datetime whose Custom {ZONE}"),
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
        ({"a": Point(1, [1j])}, 'session["a"][1][0] is of type builtins.complex' + EXPECTED),
        ({"a": OrderedDict(b=1j)}, 'session["a"]["b"] is of type builtins.complex' + EXPECTED),
        ({Size.LARGE: 1j}, 'session["large"] is of type builtins.complex' + EXPECTED),
        ({"a": subclassed(set, {(1j,)})}, 'session["a"]{...}[0] is of type ' + COMPLEX),
        ({"a": subclassed(str, "\ud83d\ude00")}, f'session["a"] {PAIRED}'),
        ({"a": Markup("\ud83d\ude00")}, f'session["a"] {PAIRED}'),
        ({subclassed(str, "\ud83d\ude00"): 1}, f"session {PAIRED}"),
    ],
)
def test_path_leads_to_the_first_refused_value(data: dict[str, Any], path: str) -> None:
    assert refusal(data) == path


@pytest.mark.parametrize(
    "item", ["0", "[]", '"[["', '{"!t":[0]}', '{"!s":[]}', '{"!d":"2026-11-21"}']
)
@pytest.mark.parametrize("ends", [("[", "]"), ('{"a":', "}"), ('[0,{"!t":[', "]}]")])
@pytest.mark.parametrize("space", ["", " "])
def test_text_is_too_deep_if_its_value_could_not_be_written(
    item: str, ends: tuple[str, str], space: str
) -> None:
    """Such a text is not ours, but the same key may have signed it."""
    outcomes = []
    limits = MAX_DEPTH // 2, MAX_DEPTH  # the former for those that begin two levels
    for levels in (*(limit + more for limit in limits for more in range(-3, 2)), 2 * MAX_DEPTH):
        text = f'{{"a":{space}{ends[0] * levels}{item}{ends[1] * levels}}}'
        value = loads(text)
        outcomes.append(is_too_deep(value, text))
        assert outcomes[-1] == can_not_be_written(value)
    assert {*outcomes} == {False, True}


def can_not_be_written(value: Any) -> bool:
    try:
        dumps(value)
    except UnserializableValue:
        return True
    return False


def test_text_with_any_number_of_lists_beside_each_other_is_not_too_deep() -> None:
    value = {"a": [[0]] * 2 * MAX_DEPTH}
    assert not is_too_deep(value, dumps(value))


@pytest.mark.parametrize("levels", [MAX_DEPTH, MAX_DEPTH + 1, 5000])
@pytest.mark.parametrize(("wrap", "step"), WRAPS)
def test_deeper_nesting_is_refused(wrap: Callable[[Any], Any], step: str, levels: int) -> None:
    message = refusal({"a": nested(wrap, levels)})
    assert message == f'session["a"]{step * (MAX_DEPTH - 1)}{TOO_DEEP}'


def test_list_that_contains_itself_is_refused() -> None:
    cart: list[Any] = []
    cart.append(cart)
    assert refusal({"cart": cart}) == f'session["cart"]{"[0]" * (MAX_DEPTH - 1)}{TOO_DEEP}'


def test_subclass_of_a_list_that_contains_itself_is_refused() -> None:
    cart = subclassed(list)
    cart.append(cart)
    assert refusal({"cart": cart}) == f'session["cart"]{"[0]" * (MAX_DEPTH - 1)}{TOO_DEEP}'


@pytest.mark.parametrize("wrap", [lambda v: subclassed(tuple, [v]), lambda v: OrderedDict(a=v)])
def test_subclasses_may_be_nested_as_deeply_as_their_base_types(wrap: Any) -> None:
    deepest = nested(wrap, MAX_DEPTH - 1)
    assert loads(dumps({"a": deepest})) == {"a": deepest}
    assert refusal({"a": wrap(deepest)}).endswith(TOO_DEEP)


def test_text_of_a_subclass_is_kept_where_text_is_the_deepest_value() -> None:
    data = {"a": nested(lambda v: [Size.LARGE if v == "core" else v], MAX_DEPTH - 1)}
    assert loads(dumps(data)) == data


@pytest.mark.parametrize("subclass", [Point(1, 2), equal_never(str)()], ids=["tuple", "str"])
def test_subclass_that_would_be_too_deep_or_unequal_is_refused(subclass: Any) -> None:
    data = {"a": nested(lambda v: [subclass if v == "core" else v], MAX_DEPTH - 1)}
    assert refusal(data).endswith(TOO_DEEP)


@pytest.mark.parametrize(
    "value",
    [
        {("hunter2", 1j)},
        MultiDict({"a": "hunter2"}),
        {b"hunter2": 1},
        {equal_never(str)("hunter2"): 1},
        [equal_never(str)("hunter2")],
    ],
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
        '{"!m":1}',
        '{"!m":null}',
        '{"!m":["a"]}',
        '{"!n":"x"}',
        '{"!n":null}',
        '{"!n":"NaN"}',
        '{"!n":"-Infinity"}',
        "1e999",
        "[-1e999]",
        '{"!t":[1e999]}',
        '{"!n":"1e99999999999999999999"}',
        '{"!dt":"2030-01-02T00:00:00[../../etc/passwd]"}',
        '{"!s":[{"!dt":"2030-01-02T00:00:00[No/Such]"}]}',
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


# A time zone that is not on this machine, which may have no tzdata

ELSEWHERE = '{"name":"Ada","when":{"!dt":"2030-01-02T00:00:00[Mars/Olympus]"}}'


def test_zone_of_another_machine_leaves_the_rest_of_the_session_alone() -> None:
    assert loads(ELSEWHERE)["name"] == "Ada"


@pytest.mark.parametrize("ask", [datetime.utcoffset, datetime.dst, datetime.tzname, hash])
def test_zone_of_another_machine_says_what_to_install(ask: Callable[[datetime], object]) -> None:
    with pytest.raises(ZoneInfoNotFoundError, match=r"'Mars/Olympus' .*: pip install tzdata"):
        ask(loads(ELSEWHERE)["when"])


def test_zone_of_another_machine_in_a_set_is_a_value_error() -> None:
    """A set asks its items for their hash, and so for the offset. A tuple does not."""
    text = '{"a":{"!%s":[{"!dt":"2030-01-02T00:00:00[Mars/Olympus]"}]}}'
    assert type(loads(text % "t")["a"]) is tuple
    with pytest.raises(ValueError, match="invalid session data"):
        loads(text % "s")


@pytest.mark.parametrize("copy", [lambda value: value, deepcopy], ids=["itself", "deepcopy"])
def test_datetime_of_another_machine_s_zone_is_kept_as_it_is(copy: Callable[[Any], Any]) -> None:
    data = loads(ELSEWHERE)
    assert copy(data) == loads(ELSEWHERE)
    assert dumps(copy(data)) == ELSEWHERE
