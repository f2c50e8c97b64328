"""Session: ``accessed`` and ``modified``."""

import operator
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from sessionware import SecureCookieSessionInterface, Session
from tests.conftest import Clock
from tests.sites import Act
from tests.unit.sessions import READS, SESSION_READS, holding, opened, visit

CART = {"cart": [1], "user": "Ada"}
NESTED: dict[str, tuple[Any, Act]] = {
    "list": ([1], lambda value: value.append(2)),
    "dict": ({"a": 1}, lambda value: value.update(a=2)),
    "set": ({1}, lambda value: value.add(2)),
    "list in list": ([[1]], lambda value: value[0].append(2)),
    "dict in dict": ({"a": {}}, lambda value: value["a"].update(b=1)),
    "list in tuple": (([],), lambda value: value[0].append(2)),
    "set in dict in list in tuple": (([{"a": {1}}],), lambda value: value[0][0]["a"].clear()),
}


def get_and_put_back(take: Act) -> Act:
    """Return a function that takes the cart and stores it in the session again."""

    def use(session: Session) -> object:
        cart = take(session)
        session["cart"] = cart
        return cart

    return use


def dict_or_equal(session: Session) -> object:
    data: dict[str, Any] = {}
    data |= session
    return data["cart"]


def match(session: Session) -> object:
    match session:
        case {"user": "Ada", "cart": cart}:
            return cart
    return None


class Curious:
    """An object that keeps what it is compared or combined with."""

    met: Any = None

    def __eq__(self, other: object) -> bool:
        self.met = other
        return False

    def __ror__(self, other: object) -> object:
        self.met = other
        return other

    __hash__ = object.__hash__


def meet(act: Callable[[Any, Curious], object]) -> Act:
    """Return a function that does this with an object, and returns what the object was given."""

    def use(session: Session) -> object:
        curious = Curious()
        act(session, curious)
        return curious.met

    return use


# Every way to get at the dict in which the session keeps its data.
LEAKS: dict[str, Act] = {
    "==": meet(lambda session, other: session == other),
    "!=": meet(lambda session, other: session != other),
    "keys().mapping ==": meet(lambda session, other: session.keys().mapping == other),
    "values().mapping ==": meet(lambda session, other: session.values().mapping == other),
    "items().mapping |": meet(lambda session, other: session.items().mapping | other),
}
# Every way to get the list that the session has under "cart".
WAYS: dict[str, Act] = {
    "[]": lambda session: session["cart"],
    "get": lambda session: session.get("cart"),
    "setdefault": lambda session: session.setdefault("cart", []),
    "values": lambda session: next(iter(session.values())),
    "reversed values": lambda session: [*reversed(session.values())][-1],
    "items": lambda session: next(iter(session.items()))[1],
    "keys().mapping": lambda session: session.keys().mapping["cart"],
    "values().mapping": lambda session: session.values().mapping["cart"],
    "items().mapping": lambda session: session.items().mapping["cart"],
    "==": lambda session: LEAKS["=="](session)["cart"],  # type: ignore[index]  # a dict
    "copy": lambda session: session.copy()["cart"],
    "dict()": lambda session: dict(session)["cart"],
    "{**}": lambda session: {**session}["cart"],
    "|": lambda session: (session | {})["cart"],
    "dict |": lambda session: ({} | session)["cart"],
    "dict |=": dict_or_equal,
    "match": match,
    "pop, put back": get_and_put_back(lambda session: session.pop("cart")),
    "put in": get_and_put_back(lambda _: [1]),
}
NO_OPS: dict[str, Act] = {
    "pop missing": lambda session: session.pop("missing", None),
    "setdefault present": lambda session: session.setdefault("user", "Bob"),
    "equal value": lambda session: operator.setitem(session, "user", "Ada"),
    "equal list": lambda session: operator.setitem(session, "cart", [1]),
    "update()": lambda session: session.update(),
    "update({})": lambda session: session.update({}),
    "update equal": lambda session: session.update(cart=[1], user="Ada"),
    "|= {}": lambda session: session.__ior__({}),
    "append, pop": lambda session: (session["cart"].append(2), session["cart"].pop()),
    "put in, take out": lambda session: (session.update(a=1), session.pop("a")),
    "flash, pop_flash": lambda session: (session.flash("hello"), session.pop_flash()),
    "pop_flash none": lambda session: session.pop_flash(),
    "peek_flash none": lambda session: session.peek_flash(),
    "not permanent": lambda session: setattr(session, "permanent", False),
}
OTHER_TYPES = [
    (1, True),
    (1, 1.0),
    (0, False),
    (0.0, -0.0),
    (Decimal("1.0"), Decimal("1.00")),
    (1, Decimal(1)),
    ([1], [True]),
    ({"a": (1,)}, {"a": (1.0,)}),
    (
        datetime(2027, 1, 15, 8, tzinfo=UTC),
        datetime(2027, 1, 15, 9, tzinfo=timezone(timedelta(hours=1))),
    ),
]


# Accessed


@pytest.mark.parametrize("read", (READS | SESSION_READS).values(), ids=READS | SESSION_READS)
def test_every_read_is_an_access(read: Act) -> None:
    session = holding(a=1)
    read(session)
    assert session.accessed is True


def test_read_of_a_missing_key_is_an_access() -> None:
    session = opened()
    assert session.get("missing") is None
    assert session.accessed is True


def test_read_that_raises_is_an_access() -> None:
    session = opened()
    with pytest.raises(KeyError):
        session["missing"]
    assert session.accessed is True


def test_comparison_from_the_other_side_is_an_access() -> None:
    session = holding(a=1)
    assert holding(a=1) == session
    assert session.accessed is True


def test_change_is_an_access() -> None:
    session = opened()
    session["a"] = 1
    assert session.accessed is True


def test_unused_session_is_not_accessed() -> None:
    assert holding(a=1).accessed is False


def test_reading_accessed_and_modified_is_not_an_access() -> None:
    session = holding(a=1)
    assert (session.accessed, session.modified, session.accessed) == (False, False, False)


@pytest.mark.parametrize("update", [Session.update, Session.__ior__])
def test_update_with_nothing_is_not_an_access(update: Any) -> None:
    session = opened()
    update(session, {})
    assert not session.accessed


# Modified


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_value_that_was_changed_in_place_is_a_change(way: Callable[[Any], Any]) -> None:
    session = holding(**CART)
    way(session).append(2)
    assert session.modified is True


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_value_that_was_changed_in_place_is_saved(way: Callable[[Any], Any]) -> None:
    cookie = visit(lambda session: session.update(CART)).cookie
    response = visit(lambda session: way(session).append(2), cookie)
    assert opened(response.cookie)["cart"] == [1, 2]


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_change_by_an_object_that_was_given_the_dict_is_found(leak: Callable[[Any], Any]) -> None:
    """From Python 3.15 on, the view's mapping gives it a copy of the dict instead."""
    session = holding(user="Ada")
    leak(session)["user"] = "Bob"
    assert session.modified is (session["user"] == "Bob")


@pytest.mark.parametrize(("value", "change"), NESTED.values(), ids=NESTED)
def test_change_is_found_at_any_depth(value: Any, change: Act) -> None:
    session = holding(value=value)
    change(session["value"])
    assert session.modified is True


@pytest.mark.parametrize("value", [value for value, _ in NESTED.values()], ids=NESTED)
def test_reading_a_nested_value_is_not_a_change(value: Any) -> None:
    session = holding(value=value)
    assert session["value"] == value
    assert session.modified is False


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_read_is_not_a_change(read: Act) -> None:
    session = holding(a=[1])
    read(session)
    assert session.modified is False


@pytest.mark.parametrize("no_op", NO_OPS.values(), ids=NO_OPS)
def test_no_op_is_not_a_change(no_op: Act) -> None:
    session = holding(**CART)
    no_op(session)
    assert session.modified is False


@pytest.mark.parametrize("no_op", NO_OPS.values(), ids=NO_OPS)
def test_no_op_sets_no_cookie(no_op: Act) -> None:
    cookie = visit(lambda session: session.update(CART)).cookie
    assert visit(no_op, cookie).set_cookie is None


def test_deletion_that_fails_is_not_a_change() -> None:
    session = holding(a=1)
    with pytest.raises(KeyError):
        del session["missing"]
    assert session.modified is False


@pytest.mark.parametrize(("old", "new"), OTHER_TYPES)
def test_equal_value_that_is_written_differently_is_a_change(old: Any, new: Any) -> None:
    assert old == new
    session = holding(value=old)
    session["value"] = new
    assert session.modified is True


@pytest.mark.parametrize(("old", "new"), OTHER_TYPES)
def test_equal_value_that_is_written_differently_is_saved(old: Any, new: Any) -> None:
    cookie = visit(lambda session: session.update(value=old)).cookie
    response = visit(lambda session: session.update(value=new), cookie)
    assert repr(opened(response.cookie)["value"]) == repr(new)


@pytest.mark.parametrize(("old", "new"), OTHER_TYPES)
def test_equal_item_that_is_written_differently_is_a_change(old: Any, new: Any) -> None:
    session = holding(values=[old])
    session["values"][0] = new
    assert session.modified is True


def test_items_in_another_order_are_a_change() -> None:
    session = holding(value={"a": 1, "b": 2})
    session["value"]["a"] = session["value"].pop("a")
    assert session.modified is True


def test_item_that_cannot_be_stored_is_a_change() -> None:
    session = holding(values=[1])
    session["values"][0] = object()
    assert session.modified is True


@pytest.mark.parametrize("read", [lambda it: it["cart"], lambda it: it.get("cart")])
def test_list_that_was_only_read_is_not_written_again(
    read: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = holding(**CART)
    monkeypatch.delattr(SecureCookieSessionInterface, "dumps")
    assert read(session) == read(session) == [1]
    assert session.modified is False


def test_new_session_is_not_modified() -> None:
    session = opened()
    assert (len(session), session.modified) == (0, False)


@pytest.mark.parametrize("value", [object(), {1: 2}, [float("nan")], {"a": (frozenset(),)}])
def test_value_that_cannot_be_saved_is_a_change(value: object) -> None:
    """``modified`` does not raise, because the code that reads it does not expect that."""
    session = holding(a=1)
    session["value"] = value
    assert session.modified is True


def test_update_that_fails_changes_nothing() -> None:
    def pairs() -> Iterator[tuple[str, int]]:
        yield "a", 1
        raise KeyError

    session = opened()
    with pytest.raises(KeyError):
        session.update(pairs())
    assert dict(session) == {}


def test_default_value_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that only checks for flash messages does not serialize the session."""
    session = opened()
    monkeypatch.setattr(SecureCookieSessionInterface, "dumps", lambda *_: pytest.fail("written"))
    assert (session.get("cart", []), session.peek_flash(), session.modified) == ([], [], False)


# Forced


FORCES: dict[str, Act] = {
    "changed()": lambda session: session.changed(),
    "modified = True": lambda session: setattr(session, "modified", True),
}


@pytest.mark.parametrize("force", FORCES.values(), ids=FORCES)
def test_unchanged_session_can_be_marked_as_modified(force: Act) -> None:
    session = holding(a=1)
    force(session)
    assert session.modified is True


@pytest.mark.parametrize("force", FORCES.values(), ids=FORCES)
def test_save_can_be_forced(force: Act) -> None:
    cookie = visit(lambda session: session.update(a=1)).cookie
    assert opened(visit(force, cookie).cookie) == {"a": 1}


def test_forced_save_can_be_undone() -> None:
    session = holding(a=1)
    session.modified = True
    session.modified = False
    assert session.modified is False


# Changes that ``modified = False`` does not undo.
CHANGES: dict[str, Act] = {
    "data": lambda session: session.update(a=2),
    "nested": lambda session: session["cart"].append(2),
    "id": lambda session: session.id,
    "csrf token": lambda session: session.new_csrf_token(),
    "owner": lambda session: setattr(session, "owner", "ann"),
    "clear": lambda session: session.clear(),
    "regenerate": lambda session: session.regenerate(),
    "invalidate": lambda session: session.invalidate(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_modified_false_does_not_undo_a_change(change: Act, clock: Clock) -> None:
    session = holding(a=1, cart=[1])
    clock.advance(1)
    change(session)
    session.modified = False
    assert session.modified is True


@pytest.mark.parametrize("change", ["data", "id", "csrf token", "owner"])
def test_modified_false_does_not_undo_the_beginning_of_a_session(change: str) -> None:
    session = opened()
    CHANGES[change](session)
    session.modified = False
    assert session.modified is True


@pytest.mark.parametrize("owner", ["ann", "bob", None])
def test_modified_false_does_not_undo_a_log_in_or_log_out(clock: Clock, owner: str | None) -> None:
    """Not even in the second in which the session began."""
    session = opened(visit(lambda session: setattr(session, "owner", "ann")).cookie)
    session.owner = owner
    session.modified = False
    assert session.modified is True


def test_session_that_is_cleared_and_filled_alike_is_another(clock: Clock) -> None:
    session = holding(a=1)
    session.clear()
    session.update(a=1)
    assert session.modified is True


def test_modified_false_does_not_hide_a_later_change() -> None:
    session = holding(a=1)
    session.modified = False
    session["a"] = 2
    assert session.modified is True
