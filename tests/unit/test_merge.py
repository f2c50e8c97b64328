"""Merging what two requests have changed at once."""

import copy
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import count, product
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from sessionware.errors import UnserializableValue
from sessionware.merge import merge
from sessionware.serializer import MAX_DEPTH, dumps, loads
from tests.unit.exactness import exact

CHECKED = settings(deadline=None, max_examples=100)
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
MISSING = object()


def merged(base: Any, ours: Any, theirs: Any) -> Any:
    """Return what becomes of one key's value, each of which may be MISSING."""
    sides = [{} if value is MISSING else {"k": value} for value in (base, ours, theirs)]
    return merge(*sides).get("k", MISSING)


# Sides that changed nothing


SOME: dict[str, Any] = {
    "b": {"y": 1, "x": {"deep": [1]}},
    "a": [1, {"z": 1, "a": 2}, 1],
    "t": (1, [2]),
    "s": {1, 2},
    "e": {},
    "l": [],
    "n": None,
}
OTHER: list[dict[str, Any]] = [
    {},
    {"new": 1},
    {**SOME, "new": {"x": []}},
    {**SOME, "b": {"x": {"deep": [1]}, "y": 1}},
    {**SOME, "b": {}},
    {**SOME, "e": {"x": {}}, "l": [[]]},
    {**SOME, "a": [0, 1, 1]},
    {**SOME, "a": [1, {"a": 2, "z": 1}, 1]},
    {**SOME, "a": (1,)},
    {key: SOME[key] for key in sorted(SOME)},
    {**SOME, "b": [1], "a": {"x": 1}},
]


def test_nothing_changed_is_the_base() -> None:
    assert exact(merge(SOME, SOME, SOME)) == exact(SOME)


@pytest.mark.parametrize("changed", OTHER)
def test_what_only_we_changed_is_saved_as_it_is(changed: dict[str, Any]) -> None:
    assert exact(merge(SOME, changed, SOME)) == exact(changed)


@pytest.mark.parametrize("changed", OTHER)
def test_what_only_they_changed_stays_as_it_is(changed: dict[str, Any]) -> None:
    assert exact(merge(SOME, SOME, changed)) == exact(changed)


@pytest.mark.parametrize("changed", OTHER)
def test_what_only_one_side_changed_stays_beside_a_key_that_the_other_set(changed: Any) -> None:
    ours = merge(SOME, {**SOME, "mine": 1}, changed)
    theirs = merge(SOME, changed, {**SOME, "mine": 1})
    for result in (ours, theirs):
        assert result.pop("mine") == 1
        assert {key: exact(result[key]) for key in result} == {
            key: exact(changed[key]) for key in changed
        }


# Dicts


def test_keys_that_either_side_set_are_there() -> None:
    assert merge({"a": 1}, {"a": 1, "b": 2}, {"a": 1, "c": 3}) == {"a": 1, "b": 2, "c": 3}


def test_keys_that_either_side_deleted_are_gone() -> None:
    assert merge({"a": 1, "b": 2, "c": 3}, {"b": 2, "c": 3}, {"a": 1, "c": 3}) == {"c": 3}


def test_dicts_are_merged_at_any_depth() -> None:
    base = {"cart": {"lines": {"1": {"n": 1, "note": "x"}}}}
    ours = {"cart": {"lines": {"1": {"n": 2, "note": "x"}}}}
    theirs = {"cart": {"lines": {"1": {"n": 1}, "2": {"n": 5}}}}
    assert merge(base, ours, theirs) == {"cart": {"lines": {"1": {"n": 2}, "2": {"n": 5}}}}


def test_dict_that_both_began_is_merged() -> None:
    assert merged(MISSING, {"x": 1, "z": 1}, {"y": 2, "z": 2}) == {"x": 1, "y": 2, "z": 1}


@pytest.mark.parametrize("base", [None, 1, [1]])
def test_dict_that_both_set_in_the_place_of_another_value_is_merged(base: Any) -> None:
    assert merged(base, {"x": 1}, {"y": 2}) == {"x": 1, "y": 2}


def test_keys_are_in_their_order_and_then_our_new_ones() -> None:
    base = dict.fromkeys("abc", 0)
    assert list(merge(base, dict.fromkeys("abcxy", 0), dict.fromkeys("zcba", 0))) == [*"zcbaxy"]


def test_keys_are_in_our_order_if_they_changed_only_values() -> None:
    assert list(merge({"a": 0, "b": 0}, {"x": 0, "b": 0, "a": 0}, {"a": 1, "b": 1})) == [*"xba"]


# What one side deleted


def test_deleted_dict_comes_back_only_with_what_the_other_side_set_in_it() -> None:
    cart = {"old": 1, "changed": 1, "dict": {"old": 1}}
    used = {"old": 1, "changed": 2, "dict": {"old": 1, "new": 1}, "new": {}}
    left = {"changed": 2, "dict": {"new": 1}, "new": {}}
    assert merged(cart, used, MISSING) == left
    assert merged(cart, MISSING, used) == left


def test_deleted_dict_stays_deleted_if_the_other_side_only_deleted_in_it() -> None:
    cart = {"a": 1, "b": {"c": 1}}
    assert merged(cart, {"a": 1, "b": {}}, MISSING) is MISSING
    assert merged(cart, MISSING, {"b": {"c": 1}}) is MISSING


def test_deleted_dict_stays_deleted_if_the_other_side_only_reordered_it() -> None:
    assert merged({"a": 1, "b": 1}, MISSING, {"b": 1, "a": 1}) is MISSING


def test_emptied_dict_is_no_deleted_dict() -> None:
    assert merged({"a": 1, "b": 1}, {"a": 1}, {}) == {}


def test_empty_dict_that_one_side_deleted_stays_deleted() -> None:
    assert merged({}, MISSING, {}) is MISSING
    assert merged({}, {}, MISSING) is MISSING


def test_deleted_dict_differs_from_deleted_values_in_it() -> None:
    """Of a single value, the later save wins, be it a deletion."""
    assert merged({"a": 1}, MISSING, {"a": 2}) == {"a": 2}
    assert merged({"a": 1}, {}, {"a": 2}) == {}
    assert merged({"a": {"b": 1}}, {}, {"a": {"b": 2}}) == {"a": {"b": 2}}


def test_value_that_we_deleted_stays_deleted_though_they_set_it() -> None:
    assert merged(1, MISSING, 2) is MISSING


def test_value_that_we_set_stays_though_they_deleted_it() -> None:
    assert merged(1, 2, MISSING) == 2


def test_value_that_both_deleted_is_gone() -> None:
    assert merge({"a": {"x": 1}, "b": [1], "c": 1}, {}, {}) == {}


def test_dict_that_we_deleted_stays_deleted_though_they_set_another_value() -> None:
    assert merged({"a": 1}, MISSING, 5) is MISSING
    assert merged({"a": 1}, MISSING, [5]) is MISSING


# Lists


def test_items_that_both_appended_are_there_theirs_first() -> None:
    assert merged([1], [1, 2, 3], [1, 4, 5]) == [1, 4, 5, 2, 3]


def test_items_that_either_side_removed_are_gone() -> None:
    assert merged([1, 2, 3, 4], [2, 3, 4], [1, 2, 4]) == [2, 4]


def test_item_that_both_removed_is_removed_once() -> None:
    assert merged([1, 2, 2, 3], [1, 2, 3], [1, 2, 3]) == [1, 2, 3]


def test_items_removed_by_one_side_and_appended_by_the_other() -> None:
    assert merged([1, 2], [2], [1, 2, 3]) == [2, 3]
    assert merged([1, 2], [1, 2, 3], [2]) == [2, 3]


def test_both_sides_remove_and_append() -> None:
    assert merged([1, 2, 3], [1, 3, 4], [1, 2, 5]) == [1, 5, 4]


def test_list_that_both_began_has_their_items_and_then_ours() -> None:
    assert merged(MISSING, ["a", "b"], ["c"]) == ["c", "a", "b"]


@pytest.mark.parametrize("base", [None, "x", {"x": 1}, (1,)])
def test_list_that_both_set_in_the_place_of_another_value_is_merged(base: Any) -> None:
    assert merged(base, [1], [2]) == [2, 1]


def test_equal_items_that_both_appended_are_two() -> None:
    assert merged(["a"], ["a", "b"], ["a", "b"]) == ["a", "b", "b"]
    assert merged(["a"], ["a", "a"], ["a", "a", "a"]) == ["a"] * 4


def test_as_many_equal_items_are_left_as_the_side_left_that_removed_more() -> None:
    assert merged([1] * 5, [1] * 3, [1] * 2) == [1] * 2


def test_equal_item_that_one_side_removed_and_the_other_appended() -> None:
    assert merged([1, 1], [1], [1, 1, 1]) == [1, 1]
    assert merged([1, 2, 1], [2, 1], [1, 2, 1, 1]) == [2, 1, 1]


def test_items_of_a_list_are_not_merged() -> None:
    """They have no names, so an item that was changed is another item."""
    assert merged([{"a": 1}], [{"a": 1, "b": 1}], [{"a": 1, "c": 1}]) == [
        {"a": 1, "c": 1},
        {"a": 1, "b": 1},
    ]


def test_item_that_one_side_changed_and_the_other_removed_is_the_changed_one() -> None:
    assert merged([{"n": 1}], [{"n": 2}], []) == [{"n": 2}]
    assert merged([{"n": 1}], MISSING, [{"n": 2}]) == [{"n": 2}]


def test_lists_in_dicts_are_merged_and_lists_in_lists_are_not() -> None:
    assert merged({"d": {"l": []}}, {"d": {"l": [1]}}, {"d": {"l": [2]}}) == {"d": {"l": [2, 1]}}
    assert merged([[0]], [[0, 1]], [[0, 2]]) == [[0, 2], [0, 1]]


def test_reordered_list_is_merged() -> None:
    """No item was added by that, so none is there twice."""
    assert merged([3, 1, 2], [1, 2, 3], [3, 1, 2, 4]) == [1, 2, 3, 4]
    assert merged([3, 1, 2], [3, 1, 2, 4], [1, 2, 3]) == [1, 2, 3, 4]
    assert merged([3, 1, 2], [1, 2, 3], [1, 2, 3]) == [1, 2, 3]
    assert merged([3, 1, 2], [1, 2, 3], [1, 2]) == [1, 2]


def test_of_two_orders_the_later_wins() -> None:
    assert merged([1, 2, 3], [3, 2, 1, 4], [2, 3, 1, 5]) == [3, 2, 1, 5, 4]


@pytest.mark.parametrize(
    "inserted",
    [
        pytest.param([0, 1, 2, 3], id="at the front"),
        pytest.param([1, 0, 2, 3], id="between"),
        pytest.param([1, 1, 2, 3], id="the same as one that was there"),
        pytest.param([1, 20, 3], id="in the place of another"),
        pytest.param([1, 2.0, 3], id="in the place of an equal one"),
    ],
)
def test_list_with_an_inserted_item_is_not_merged(inserted: list[Any]) -> None:
    assert exact(merged([1, 2, 3], inserted, [1, 2, 3, 4])) == exact(inserted)
    assert merged([1, 2, 3], [1, 2, 3, 4], inserted) == [1, 2, 3, 4]


def test_inserted_item_counts_as_appended_if_nothing_is_left_behind_it() -> None:
    assert merged([1, 2], [0, 1, 2], []) == [0]
    assert merged([1, 2], MISSING, [0, 1, 2]) == [0]
    assert merged([1, 2, 3], [1, 0, 2, 3], [1]) == [1, 0]


# Flash messages: a queue is deleted when it is shown


def test_message_that_we_flash_while_they_show_the_queue_stays() -> None:
    assert merged(["old"], ["old", "new"], MISSING) == ["new"]


def test_message_that_they_flash_while_we_show_the_queue_stays() -> None:
    assert merged(["old"], MISSING, ["old", "new"]) == ["new"]


def test_messages_that_both_showed_are_gone() -> None:
    assert merged(["old"], MISSING, MISSING) is MISSING


def test_messages_that_one_side_showed_are_gone() -> None:
    assert merged(["old"], ["old"], MISSING) is MISSING
    assert merged(["old"], MISSING, ["old"]) is MISSING


def test_message_that_one_side_flashes_after_it_showed_the_queue_stays() -> None:
    assert merged(["old"], ["next"], ["old", "new"]) == ["new", "next"]
    assert merged(["old"], ["next"], ["new"]) == ["new", "next"]
    assert merged(["old"], ["next"], MISSING) == ["next"]


def test_list_that_one_side_deleted_and_the_other_emptied_is_gone() -> None:
    assert merged([1, 2], MISSING, []) is MISSING
    assert merged([1, 2], [], MISSING) is MISSING
    assert merged([1, 2], [2], MISSING) is MISSING


# Other values


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (1, 2),
        ("a", None),
        ((1, 2), (1, 3)),
        ({1, 2}, {1, 3}),
        ([1], (1,)),
        ([1], {"x": 1}),
        ({"x": 1}, 1),
        (1, {"x": 1}),
        (Markup("<b>"), "<b>"),
    ],
)
@pytest.mark.parametrize("base", [MISSING, 0, (1,), {1}])
def test_of_a_value_that_both_changed_the_later_save_wins(
    base: Any, ours: Any, theirs: Any
) -> None:
    assert exact(merged(base, ours, theirs)) == exact(ours)


@pytest.mark.parametrize("base", [[0], {"x": 0}])
def test_changed_dict_or_list_wins_whole_over_a_value_of_another_type(base: Any) -> None:
    kind = type(base)
    ours = kind(base, y=1) if kind is dict else [0, 1]
    assert merged(base, ours, 5) == ours
    assert merged(base, 5, ours) == 5


def test_dict_of_a_subclass_is_not_merged() -> None:
    ours = OrderedDict(a=1)
    assert merged({}, ours, {"b": 1}) is ours


def test_tuple_is_kept_whole() -> None:
    assert merged(("EUR", 1), ("EUR", 2), ("USD", 1)) == ("EUR", 2)


# Values that are equal, but not the same

ALIKE: list[tuple[Any, Any]] = [
    (1, True),
    (0, False),
    (1, 1.0),
    (0.0, -0.0),
    (1, Decimal(1)),
    (Decimal("1.0"), Decimal("1.00")),
    ("a", Markup("a")),
    ((1,), [1]),
    ((1,), (True,)),
    ({1}, {True}),
    ({(1, 2)}, {(1, 2.0)}),
    (NOON, NOON.astimezone(timezone(timedelta(hours=1)))),
    (NOON, NOON.astimezone(ZoneInfo("Europe/Berlin"))),
    (NOON, NOON.astimezone(ZoneInfo("UTC"))),
    (NOON, NOON.replace(fold=1)),
    (date(2024, 1, 1), datetime(2024, 1, 1)),
    (UUID(int=1), UUID(int=1).hex),
    ("1", 1),
    ("None", None),
    ("b'a'", b"a"),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({"a": 1, "b": 1}, {"b": 1, "a": 1}),
    ([1, [2]], [1, 2]),
]


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda value: value, id="itself"),
        pytest.param(lambda value: (value,), id="in a tuple"),
        pytest.param(lambda value: ([{"a": value}],), id="deeper"),
    ],
)
@pytest.mark.parametrize(("before", "after"), [*ALIKE, *(pair[::-1] for pair in ALIKE)])
def test_change_of_the_type_is_a_change(
    before: Any, after: Any, wrap: Callable[[Any], Any]
) -> None:
    before, after = wrap(before), wrap(after)
    assert exact(merged(before, after, before)) == exact(after)
    assert exact(merged(before, before, after)) == exact(after)


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_items_of_other_types_are_other_items(one: Any, other: Any) -> None:
    assert exact(merged([one, other], [other], [one, other, 7])) == exact([other, 7])
    assert exact(merged([one, other], [one, other, 7], [one])) == exact([one, 7])


def test_set_is_the_same_in_any_order() -> None:
    one, other = {8, 0, "a"}, {"a", 0, 8}
    assert merged([one], [one, 1], [other, 2]) == [one, 2, 1]


def test_long_int_is_compared() -> None:
    """Its repr raises ValueError."""
    long = 10 ** (sys.get_int_max_str_digits() + 1)
    assert merged([long, 1], [1], [long, 1, 2]) == [1, 2]


# The arguments


def mutables(value: Any) -> Iterator[int]:
    """Yield the ids of all dicts, lists and sets in a value."""
    if isinstance(value, dict | list | set):
        yield id(value)
    if isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from mutables(item)


def test_result_shares_no_mutable_value_with_the_arguments() -> None:
    rich: dict[str, Any] = {"d": {"l": [{"a": 1}]}, "l": [[1]], "t": ([1], {"a": ({1},)}), "s": {1}}
    theirs = {**copy.deepcopy(rich), "new": [rich["l"]], "l": [[1], [2]]}
    ours = {**copy.deepcopy(rich), "d": {"l": [{"a": 1}, {"b": [1]}]}, "mine": ([{}],)}
    arguments = [{}, rich, ours, theirs]
    before = exact(arguments)
    shared = set(mutables(arguments))
    for base, mine, others in product(arguments, repeat=3):
        assert shared.isdisjoint(mutables(merge(base, mine, others)))
    assert exact(arguments) == before


def test_result_is_the_same_if_the_arguments_share_values() -> None:
    shared: dict[str, Any] = {"l": [1], "d": {}}
    base, ours, theirs = {"a": shared}, {"a": shared, "b": shared}, {"c": shared}
    assert merge(base, ours, theirs) == {"b": shared, "c": shared}
    assert merge(*copy.deepcopy([base, ours, theirs])) == {"b": shared, "c": shared}


# Size and depth


def nested(wrap: Callable[[Any], Any], core: Any) -> dict[str, Any]:
    """Return a session of as many levels as the serializer accepts."""
    for _ in range(MAX_DEPTH - 2):
        core = wrap(core)
    return {"k": core}


@pytest.mark.parametrize(
    ("wrap", "expected"),
    [
        pytest.param(lambda value: {"k": value}, {"theirs": 1, "ours": 1}, id="dicts"),
        pytest.param(lambda value: (value,), {"ours": 1}, id="tuples"),
    ],
)
def test_session_may_be_as_deep_as_the_serializer_accepts(
    wrap: Callable[[Any], Any], expected: Any
) -> None:
    base, ours, theirs = (nested(wrap, core) for core in ({}, {"ours": 1}, {"theirs": 1}))
    dumps(ours)
    result = merge(base, ours, theirs)
    assert result == nested(wrap, expected)
    with pytest.raises(UnserializableValue):
        dumps(wrap(result))


def test_deep_items_of_a_list_are_compared() -> None:
    base, ours, theirs = (nested(lambda value: [value], core) for core in (0, 1, 2))
    assert merge(base, ours, theirs) == {"k": [*theirs["k"], *ours["k"]]}


MANY = 10_000


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(lambda number: number, id="numbers"),
        pytest.param(lambda number: number * sys.hash_info.modulus, id="numbers of one hash"),
        pytest.param(lambda number: "same", id="the same"),
        pytest.param(lambda number: {"id": number, "tags": ["a", number]}, id="dicts"),
    ],
)
def test_list_of_ten_thousand_items_is_merged_in_linear_time(item: Callable[[int], Any]) -> None:
    """It takes less than a second. In quadratic time it would take minutes."""
    base = [item(number) for number in range(MANY)]
    ours = base[::2] + [item(-number) for number in range(1, MANY)]
    theirs = base[1:] + [item(MANY + number) for number in range(MANY)]
    started = time.process_time()
    result = merged(base, ours, theirs)
    assert time.process_time() - started < 5
    assert result[-1] == ours[-1]


# Many requests

CLIENTS = [f"client {number}" for number in range(16)]


def used_by(client: str, session: dict[str, Any]) -> dict[str, Any]:
    """Return the session after a request that shows the messages, and adds to everything."""
    session = copy.deepcopy(session)
    session.pop("_f_", None)
    session["_f_"] = [f"hello {client}", f"bye {client}"]
    session[client] = 1
    session["cart"][client] = {"lines": [client]}
    session["cart"]["lines"].append(client)
    session.setdefault("begun", {}).setdefault("deeper", {})[client] = 1
    session.setdefault("list", []).append(client)
    session["last"] = client
    return session


@pytest.mark.parametrize("behind", [1, 4, 16])
def test_sixteen_clients_lose_nothing(behind: int) -> None:
    """Each saves a session that was loaded some saves ago."""
    saved: list[dict[str, Any]] = [{"_f_": ["old"], "cart": {"lines": ["first"]}, "last": None}]
    for client in CLIENTS:
        base = saved[-behind] if behind <= len(saved) else saved[0]
        saved.append(merge(base, used_by(client, base), saved[-1]))
    result = saved[-1]
    assert result.pop("cart") == {
        "lines": ["first", *CLIENTS],
        **{client: {"lines": [client]} for client in CLIENTS},
    }
    assert result.pop("begun") == {"deeper": dict.fromkeys(CLIENTS, 1)}
    assert result.pop("list") == CLIENTS
    assert result.pop("last") == CLIENTS[-1]
    # The messages that a client found are shown, and so in no later session.
    unseen = CLIENTS if behind == 16 else CLIENTS[-behind:]
    messages = [message for client in unseen for message in (f"hello {client}", f"bye {client}")]
    assert result.pop("_f_") == messages
    assert result == dict.fromkeys(CLIENTS, 1)


def test_request_that_fails_to_save_merges_the_same_changes_anew() -> None:
    base = {"list": [1, 2]}
    ours = {"list": [2, 3], "mine": 1}
    first = {"list": [1, 2, 4]}
    second = merge(first, {"list": [1, 4, 5]}, first)
    assert merge(base, ours, first) == {"list": [2, 4, 3], "mine": 1}
    assert merge(base, ours, second) == {"list": [4, 5, 3], "mine": 1}


# Models: all of a dict whose items cannot be confused, and lists of which many are equal

Facts = dict[tuple[str, ...], Any]


def facts(value: Any, path: tuple[str, ...] = ()) -> Facts:
    """Return all that a session holds by its path, without dicts and without empty lists."""
    if type(value) is not dict:
        return {} if value == [] else {path: value}
    return {
        place: fact
        for key, item in value.items()
        for place, fact in facts(item, (*path, key)).items()
    }


def has_deleted(session: dict[str, Any], base: dict[str, Any], path: tuple[str, ...]) -> bool:
    """Return whether the session lacks a dict of the base on the path."""
    for name in path[:-1]:
        if name in base and name not in session:
            return True
        base, session = base.get(name, {}), session.get(name, {})
    return False


def merged_items(old: list[Any], mine: list[Any], others: list[Any]) -> list[Any]:
    """Return the items of a merged list. Each is unique, and keeps its place."""
    left = [item for item in old if item in mine and item in others]
    return left + [item for side in (others, mine) for item in side if item not in old]


def merged_facts(base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any]) -> Facts:
    """Return the facts of a merged session."""
    sides = [facts(base), facts(ours), facts(theirs)]
    result = {}
    for path in {path for side in sides for path in side}:
        if path[-1].startswith("list"):
            if items := merged_items(*(side.get(path, []) for side in sides)):
                result[path] = items
            continue
        was, mine, others = (side.get(path, MISSING) for side in sides)
        they_count = exact(mine) == exact(was)
        if has_deleted(ours, base, path):
            they_count = exact(others) != exact(was)
        value = others if they_count else mine
        if value is not MISSING:
            result[path] = value
    return result


NAMES = {"dict": ["dict a", "dict b"], "list": ["list a", "list b"], "value": ["a", "b"]}
"""A key always has the same kind of value. Dicts come first, so that they are deep."""

paths = st.lists(st.sampled_from(NAMES["dict"]), max_size=3)
VALUES = [1, True, 1.0, "1", Decimal(1), None, (1,), (1, 2), {1}, NOON, Markup("1")]
operations = st.tuples(
    st.sampled_from(
        ["set", "append", "append", "remove", "clear", "delete", "delete dict", "dict"]
    ),
    paths,
    st.integers(0, 1),
    st.sampled_from(VALUES),
    st.integers(0, 5),
)
logs = st.lists(operations, max_size=10)


def apply(log: list[Any], session: dict[str, Any], numbers: Iterator[int]) -> dict[str, Any]:
    """Return a copy of the session after all operations of the log."""
    session = copy.deepcopy(session)
    for operation, path, which, value, index in log:
        place = session
        for name in path:
            place = place.setdefault(name, {})
        items = place.get(NAMES["list"][which], [])
        match operation:
            case "set":
                place[NAMES["value"][which]] = value
            case "append":
                place[NAMES["list"][which]] = [*items, [next(numbers)]]
            case "remove" if items:
                place[NAMES["list"][which]] = [
                    item for item in items if item != items[index % len(items)]
                ]
            case "clear":
                place[NAMES["list"][which]] = []
            case "delete":
                place.pop(NAMES["value" if index % 2 else "list"][which], None)
            case "delete dict":
                place.pop(NAMES["dict"][which], None)
            case "dict":
                place[NAMES["dict"][which]] = {}
    return session


@CHECKED
@given(logs, logs, logs)
def test_merge_holds_what_the_model_holds(before: Any, our_log: Any, their_log: Any) -> None:
    numbers = count()
    base = apply(before, {}, numbers)
    ours, theirs = apply(our_log, base, numbers), apply(their_log, base, numbers)
    result = merge(base, ours, theirs)
    expected = merged_facts(base, ours, theirs)
    found = facts(result)
    assert {path: exact(found[path]) for path in found} == {
        path: exact(expected[path]) for path in expected
    }
    assert loads(dumps(result)) == result


@CHECKED
@given(logs, logs)
def test_side_that_changed_nothing_yields_the_other(before: Any, log: Any) -> None:
    numbers = count()
    base = apply(before, {}, numbers)
    changed = apply(log, base, numbers)
    assert exact(merge(base, changed, base)) == exact(changed)
    assert exact(merge(base, base, changed)) == exact(changed)


ITEMS = [1, True, 1.0, "1", (1,), [1], {"a": 1}, {"a": True}, NOON]
items = st.sampled_from(ITEMS)


def removed_and_appended(base: list[Any], flags: list[bool], new: list[Any]) -> list[Any]:
    """Return the base without some of its items, and with new ones that are not among those."""
    kept = [item for item, flag in zip(base, flags, strict=False) if flag]
    gone = [exact(item) for item, flag in zip(base, flags, strict=False) if not flag]
    return kept + [item for item in new if exact(item) not in gone]


changes = st.tuples(st.lists(st.booleans(), min_size=12, max_size=12), st.lists(items, max_size=6))


def how_many(item: Any, values: list[Any]) -> int:
    return [exact(value) for value in values].count(exact(item))


@CHECKED
@given(st.lists(items, max_size=12), changes, changes)
def test_equal_items_are_counted(base: list[Any], our_change: Any, their_change: Any) -> None:
    ours, theirs = (removed_and_appended(base, *change) for change in (our_change, their_change))
    result = merged(base, ours, theirs)
    for item in ITEMS:
        was, mine, others = (how_many(item, side) for side in (base, ours, theirs))
        expected = min(was, mine, others) + max(0, mine - was) + max(0, others - was)
        assert how_many(item, result) == expected
    # What both have appended is last, theirs first.
    added = [item for item in ITEMS if how_many(item, base) == 0]
    new = [exact(item) for side in (theirs, ours) for item in side if how_many(item, added)]
    assert [exact(item) for item in result if how_many(item, added)] == new


anything = st.recursive(
    items | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=12,
)
sessions = st.dictionaries(st.sampled_from("abcd"), anything)


@CHECKED
@given(sessions, sessions, sessions)
def test_any_three_sessions_can_be_merged(base: Any, ours: Any, theirs: Any) -> None:
    arguments = exact([base, ours, theirs])
    result = merge(base, ours, theirs)
    assert exact(loads(dumps(result))) == exact(result)
    assert exact([base, ours, theirs]) == arguments
    assert set(mutables([base, ours, theirs])).isdisjoint(mutables(result))
    for key in ours.keys() - base.keys():
        assert key in result
    for key in base.keys() - ours.keys() - theirs.keys():
        assert key not in result
