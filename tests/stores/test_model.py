"""The model against which the race is checked: what it allows, and what it finds."""

from typing import Any

import pytest

from tests.stores.model import Event, Model


def event(act: str, start: float, end: float, value: str | None = "", **more: object) -> Event:
    made = Event(act, start, end, True, "ann", "login", "one", value)
    return made._replace(**more)  # type: ignore[arg-type]  # the tests know the types


LOG_IN = event("log in", 0, 1, "a")
REFUSED: dict[str, Any] = {"ok": False, "note": "ended"}

POSSIBLE = {
    "a read of what was written": [event("read", 2, 3, "a")],
    "a read of what is being written": [event("write", 2, 5, "b"), event("read", 3, 4, "b")],
    "a read of what was there before that": [event("write", 2, 5, "b"), event("read", 3, 4, "a")],
    "either of two writes at once": [
        event("write", 2, 4, "b"),
        event("write", 3, 5, "c"),
        event("read", 6, 7, "b"),
    ],
    "a write that failed and is there": [
        event("write", 2, 3, "b", ok=False, note="outage"),
        event("read", 4, 5, "b"),
    ],
    "a read during a log-out": [event("end", 2, 5), event("read", 3, 4, "a")],
    "a log-out that failed, and was one": [
        event("end", 2, 3, ok=False, note="outage"),
        event("read", 4, 5, None),
    ],
    "a write that is too late": [event("end", 2, 3), event("write", 4, 5, **REFUSED)],
    "a move": [
        event("regenerate", 2, 3, "b", heir="two"),
        event("read", 4, 5, None),
        event("read", 4, 5, "b", session="two"),
    ],
    "the later of two moves": [
        event("regenerate", 2, 4, "b", heir="two"),
        event("regenerate", 3, 5, "c", heir="three", **REFUSED),
    ],
    "a late read of what was there before a move": [
        event("write", 2, 3, "b", marks=(("x", 1),)),
        event("regenerate", 4, 5, "c", heir="two", marks=(("x", 2),)),
        event("read", 6, 7, "b", marks=(("x", 1),), messages=("a", "b")),
    ],
    "no late read after a move": [
        event("regenerate", 2, 3, "b", heir="two"),
        event("read", 4, 5, None),
        event("write", 4, 5, "c", **REFUSED),
    ],
    "everywhere": [event("end all", 2, 3), event("read", 4, 5, None)],
    "a write beside another": [
        event("write", 2, 4, "b", marks=(("x", 1),)),
        event("write", 3, 5, "c", marks=(("y", 2),)),
        event("read", 6, 7, "b", marks=(("x", 1), ("y", 2))),
    ],
    "a read of what one visitor wrote before its last write is over": [
        event("write", 2, 3, "b", marks=(("x", 1),)),
        event("write", 4, 6, "c", marks=(("x", 2),)),
        event("read", 5, 6, "b", marks=(("x", 1),)),
    ],
    "messages of several, taken by one": [
        event("write", 2, 3, "b"),
        event("read", 3.5, 4, "b", messages=("a", "b")),
        event("take", 4, 5, None, messages=("a", "b")),
        event("write", 4.5, 6, "c"),
        event("read", 7, 8, "c", messages=("c",)),
    ],
    "messages that are being taken": [
        event("take", 2, 5, None, messages=("a",)),
        event("read", 3, 4, "a", messages=()),
        event("read", 3, 4, "a", messages=("a",)),
    ],
    "messages whose taking failed, and was one": [
        event("take", 2, 3, None, messages=("a",), ok=False, note="outage"),
        event("read", 4, 5, "a", messages=()),
    ],
    "messages that move along": [
        event("regenerate", 2, 3, "b", heir="two"),
        event("read", 4, 5, "b", session="two", messages=("a", "b")),
        event("take", 6, 7, None, session="two", messages=("a", "b")),
        event("read", 8, 9, "a", messages=("a",)),
    ],
    "a log-in during everywhere": [event("end all", 0.5, 3), event("read", 4, 5, "a")],
}

IMPOSSIBLE = {
    "came back after its end": [
        [event("end", 2, 3), event("read", 4, 5, "a")],
        [
            event("regenerate", 2, 3, "b", heir="two"),
            event("end", 4, 5, session="two"),
            event("read", 6, 7, "a"),
        ],
        [
            event("regenerate", 2, 4, "b", heir="two"),
            event("end", 3, 5),
            event("read", 6, 7, "b", session="two"),
        ],
        [
            event("regenerate", 2, 3, "b", heir="two"),
            event("end all", 4, 5),
            event("read", 6, 7, "a"),
        ],
        [event("end all", 2, 3), event("read", 4, 5, "a")],
        [
            event("regenerate", 2, 5, "b", heir="two"),
            event("end all", 3, 4),
            event("read", 6, 7, "b", session="two"),
        ],
    ],
    "was changed after its end": [
        [event("regenerate", 2, 3, "b", heir="two"), event("write", 4, 5, "c")],
        [event("end", 2, 3), event("take", 4, 5, None, messages=("a",))],
        [event("end", 2, 3), event("write", 4, 5, "b")],
        [event("end all", 2, 3), event("write", 4, 5, "b")],
        [event("end all", 2, 3), event("regenerate", 4, 5, "b", heir="two")],
    ],
    "was regenerated after its end": [
        [event("end", 2, 3), event("regenerate", 4, 5, "b", heir="two")]
    ],
    "was regenerated twice": [
        [
            event("regenerate", 2, 4, "b", heir="two"),
            event("regenerate", 3, 5, "c", heir="three"),
        ]
    ],
    "was gone without a reason": [
        [event("read", 2, 3, None)],
        [event("read", 2, 3, None), event("end", 4, 5)],
        [event("write", 2, 3, "b", **REFUSED)],
        [event("regenerate", 2, 3, "b", heir="two", **REFUSED)],
    ],
    "holds what was never written": [
        [event("read", 2, 3, "b")],
        [event("read", 2, 3, "b"), event("write", 4, 5, "b")],
        [event("regenerate", 2, 3, "b", heir="two"), event("read", 4, 5, "b")],
    ],
    "lost a write that was acknowledged": [
        [event("write", 2, 3, "b"), event("read", 4, 5, "a")],
        [event("write", 2, 3, "b"), event("write", 4, 5, "c"), event("read", 6, 7, "b")],
    ],
    "lost b, which was appended": [
        [event("write", 2, 3, "b"), event("read", 4, 5, "b", messages=("a",))],
        [
            event("write", 2, 4, "b"),
            event("regenerate", 3, 5, "c", heir="two"),
            event("read", 6, 7, "c", session="two", messages=("a", "c")),
        ],
        [
            event("write", 2, 3, "b"),
            event("read", 4, 5, "b", messages=("a",)),
            event("take", 6, 7, None, messages=("a", "b")),
        ],
    ],
    "holds a, which was taken out": [
        [
            event("take", 2, 3, None, messages=("a",)),
            event("read", 4, 5, "a", messages=("a",)),
        ],
        [
            event("take", 2, 3, None, messages=("a",)),
            event("regenerate", 4, 5, "b", heir="two"),
            event("read", 6, 7, "b", session="two", messages=("a", "b")),
        ],
    ],
    "holds b, which was never appended": [
        [event("read", 2, 3, "a", messages=("a", "b"))],
        [
            event("regenerate", 2, 3, "b", heir="two"),
            event("read", 4, 5, "a", messages=("a", "b")),
        ],
    ],
    "lost what ['x'] wrote under another key": [
        [
            event("write", 2, 4, "b", marks=(("x", 1),)),
            event("write", 3, 5, "c", marks=(("y", 1),)),
            event("read", 6, 7, "c", marks=(("y", 1),)),
        ],
        [
            event("write", 2, 3, "b", marks=(("x", 1),)),
            event("write", 4, 5, "c", marks=(("x", 2),)),
            event("read", 6, 7, "c", marks=(("x", 1),)),
        ],
        [
            event("write", 2, 4, "b", marks=(("x", 1),)),
            event("regenerate", 3, 5, "c", heir="two"),
            event("read", 6, 7, "c", session="two"),
        ],
    ],
}


@pytest.mark.parametrize("history", POSSIBLE.values(), ids=POSSIBLE)
def test_what_may_happen_is_no_problem(history: list[Event]) -> None:
    assert [*Model([LOG_IN, *history]).problems()] == []


@pytest.mark.parametrize(
    ("promise", "history"),
    [(promise, history) for promise, histories in IMPOSSIBLE.items() for history in histories],
)
def test_what_cannot_be_is_found(promise: str, history: list[Event]) -> None:
    assert promise in "\n".join(Model([LOG_IN, *history]).problems())


def test_list_refuses_what_was_moved_at_once() -> None:
    moved = [event("regenerate", 2, 3, "b", heir="two"), event("read", 4, 5, "a")]
    found = "\n".join(Model([LOG_IN, *moved], in_cookie=True).problems())
    assert "came back after its end" in found


def test_a_stale_copy_of_a_cookie_is_no_problem() -> None:
    stale = [event("write", 2, 3, "b"), event("read", 4, 5, "a")]
    late = [event("end", 6, 7), event("write", 8, 9, "c")]
    assert [*Model([LOG_IN, *stale, *late], in_cookie=True).problems()] == []
