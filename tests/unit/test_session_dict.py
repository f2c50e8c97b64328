"""Session: the whole API of a dict, compared with a real dict."""

import operator
from collections import UserDict
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from werkzeug.datastructures import Headers

from tests.gateway import make_environ
from tests.sites import Act
from tests.unit.sessions import INTERFACE, READS, holding, opened, outcome


class Keyed:
    """The least that ``update`` accepts as a mapping: ``keys`` and ``__getitem__``."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def keys(self) -> Iterable[str]:
        return self._data

    def __getitem__(self, key: str) -> Any:
        return self._data[key]


def union(target: Any, other: Any) -> bool:
    """Return whether ``|=`` changes the target in place."""
    before = target
    target |= other
    return before is target


UPDATES: list[Callable[[Any, dict[str, Any]], object]] = [
    lambda it, new: it.update(new),
    lambda it, new: it.update(new.items()),
    lambda it, new: it.update(iter(list(new.items()))),
    lambda it, new: it.update(UserDict(new)),
    lambda it, new: it.update(Keyed(new)),
    lambda it, new: it.update(**new),
    lambda it, new: it.update(new, self=1, other=2),
    lambda it, new: it.update(dict.fromkeys(new, 0), **new),
    union,
    lambda it, new: union(it, new.items()),
    lambda it, new: union(it, UserDict(new)),
    lambda it, new: union(it, holding(**new)),
]
# What raises on a dict: missing or unhashable keys, wrong arguments.
MISUSES: dict[str, Act] = {
    "[] missing": lambda it: it["missing"],
    "del missing": lambda it: operator.delitem(it, "missing"),
    "pop missing": lambda it: it.pop("missing"),
    "[] unhashable": lambda it: it[[]],
    "set unhashable": lambda it: operator.setitem(it, [], 1),
    "del unhashable": lambda it: operator.delitem(it, []),
    "in unhashable": lambda it: [] in it,
    "get unhashable": lambda it: it.get([], 1),
    "pop unhashable": lambda it: it.pop([], 1),
    "setdefault unhashable": lambda it: it.setdefault([], 1),
    "update unhashable": lambda it: it.update([([], 1)]),
    "update number": lambda it: it.update(1),
    "update None": lambda it: it.update(None),
    "update singles": lambda it: it.update(["a"]),
    "update triples": lambda it: it.update([(1, 2, 3)]),
    "update two": lambda it: it.update({}, {}),
    "|= number": lambda it: union(it, 1),
    "| pairs": lambda it: it | [("b", 2)],
    "pairs |": lambda it: [("b", 2)] | it,
    "| None": lambda it: it | None,
    "<": lambda it: it < {"a": 1},
    "pop nothing": lambda it: it.pop(),
    "popitem argument": lambda it: it.popitem("a"),
    "attribute": lambda it: it.a,
    "hash": hash,
}

KEYS = st.sampled_from("abcd")
PLAIN = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=5)
RICH = st.binary(max_size=5) | st.decimals(-9, 9, places=1) | st.dates() | st.uuids()
VALUES = st.recursive(
    PLAIN | RICH,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


class SessionBesideDict(RuleBasedStateMachine):
    """Do the same to a session and to a dict, from request to request."""

    def __init__(self) -> None:
        super().__init__()
        self.session = opened()
        self.twin: dict[str, Any] = {}
        self.cookie = ""
        self.loaded = "{}"
        self.begun_anew = False

    def do(self, use: Act) -> None:
        assert outcome(use, self.session) == outcome(use, self.twin)

    @rule(key=KEYS, value=VALUES)
    def set(self, key: str, value: Any) -> None:
        self.do(lambda it: operator.setitem(it, key, deepcopy(value)))

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.do(lambda it: operator.delitem(it, key))

    @rule(key=KEYS, default=st.lists(VALUES, max_size=1))
    def pop(self, key: str, default: list[Any]) -> None:
        self.do(lambda it: it.pop(key, *default))

    @rule()
    def pop_last(self) -> None:
        self.do(lambda it: it.popitem())

    @rule(key=KEYS, default=st.lists(VALUES, max_size=1))
    def set_default(self, key: str, default: list[Any]) -> None:
        self.do(lambda it: it.setdefault(key, *deepcopy(default)))

    @rule(form=st.sampled_from(UPDATES), new=st.dictionaries(KEYS, VALUES, max_size=3))
    def update(self, form: Callable[[Any, dict[str, Any]], object], new: dict[str, Any]) -> None:
        self.do(lambda it: form(it, deepcopy(new)))

    @rule()
    def clear(self) -> None:
        self.do(lambda it: it.clear())
        self.begun_anew = not self.session.new

    @rule(key=KEYS, value=VALUES)
    def change_nested(self, key: str, value: Any) -> None:
        if isinstance(self.twin.get(key), list):
            self.do(lambda it: it[key].append(deepcopy(value)))

    @rule(read=st.sampled_from([*READS.values()]))
    def read(self, read: Act) -> None:
        self.do(read)

    @rule()
    def next_request(self) -> None:
        headers = Headers()
        INTERFACE.save_session(make_environ(self.cookie), self.session, headers)
        self.cookie = headers.get("Set-Cookie", self.cookie).partition(";")[0]
        self.session, self.loaded = opened(self.cookie), repr(self.twin)
        self.begun_anew = False

    @invariant()
    def is_the_same(self) -> None:
        self.do(lambda it: it.items())

    @invariant()
    def knows_whether_it_differs(self) -> None:
        """After a log-out, a session with the same data is another one."""
        assert self.session.modified == (self.begun_anew or repr(self.twin) != self.loaded)


TestSessionBesideDict = SessionBesideDict.TestCase
TestSessionBesideDict.settings = settings(
    max_examples=50, stateful_step_count=25, deadline=None, database=None
)


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_read_returns_what_a_dict_returns(read: Act) -> None:
    data = {"b": [1], "a": 1, "c": None}
    assert outcome(read, holding(**data)) == outcome(read, data)


@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
def test_misuse_raises_what_a_dict_raises(misuse: Act) -> None:
    result = outcome(misuse, {"a": 1})
    assert result[0] == "raises"
    assert outcome(misuse, holding(a=1)) == result


@pytest.mark.parametrize("form", UPDATES)
def test_every_form_of_update_and_union_sets_the_keys(form: Any) -> None:
    session, twin = holding(a=1), {"a": 1}
    new = {"b": 2, "a": 3}
    assert outcome(lambda it: form(it, new), session) == outcome(lambda it: form(it, new), twin)
    assert [*session.items()] == [*twin.items()]
