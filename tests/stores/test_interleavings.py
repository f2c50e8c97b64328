"""Every order in which regenerate() and revoke_owner() can meet in a cluster: none lets one live.

A model of the commands that RedisStore sends. Sessions are numbers: each regenerate puts n + 1 in
the place of n, up to so many times, while one revoke_owner is under way.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

Ids = frozenset[int]
NONE: Ids = frozenset()
ALL = frozenset({"SET", "ZADD", "GETDEL"})


class State(NamedTuple):
    """What the nodes hold, what the regenerate has yet to send, and how far revoke_owner is."""

    alive: Ids
    listed: Ids
    last: int = 0
    to_send: frozenset[str] = ALL
    ending: Ids = NONE
    seen: Ids = NONE
    missed: bool = True
    over: bool = False


def regenerates(state: State, listed: str, times: int) -> Iterator[State]:
    """What the request may do next; ``listed`` before or after the session is there, or at once."""
    alive, last, to_send = state.alive, state.last, state.to_send
    heir = last + 1
    writes = {"before": ["ZADD", "SET"], "after": ["SET", "ZADD"]}.get(listed, ["SET", "ZADD"])
    left = [command for command in writes if command in to_send]
    if last == times or not to_send:
        return
    for command in left if listed == "at once" else left[:1]:
        after = state._replace(to_send=to_send - {command})
        if command == "SET":
            yield after._replace(alive=alive | {heir})
        else:
            yield after._replace(listed=state.listed | {heir})
    if not left and last in alive:
        yield state._replace(
            alive=alive - {last}, listed=state.listed - {last}, last=heir, to_send=ALL
        )
    elif not left:  # Ended by the other: so is the heir, whose id was never told.
        yield state._replace(
            alive=alive - {heir}, listed=state.listed - {heir}, to_send=frozenset()
        )


def ends_all(state: State) -> Iterator[State]:
    """What revoke_owner may do next: its commands reach the nodes in any order."""
    for key in state.ending:
        yield state._replace(
            alive=state.alive - {key},
            ending=state.ending - {key},
            missed=state.missed or key not in state.alive,
        )
    if not state.ending and not state.over:
        fresh = state.listed - state.seen if state.missed else NONE
        yield state._replace(ending=fresh, seen=state.seen | fresh, missed=False, over=not fresh)


def survivors(listed: str, times: int) -> list[State]:
    """Go through every order, and return the ends in which a session is alive."""
    left = [State(alive=frozenset({0}), listed=frozenset(stale)) for stale in ({0}, {0, -1})]
    known, found = set(left), []
    while left:
        state = left.pop()
        after = [*regenerates(state, listed, times), *ends_all(state)]
        if not after and state.alive:
            found.append(state)
        left += [new for new in after if new not in known]
        known.update(after)
    return found


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_session_that_moves_is_ended_in_every_order(times: int) -> None:
    assert survivors("after", times) == []


@pytest.mark.parametrize("listed", ["before", "at once"])
def test_session_that_is_listed_before_it_is_there_may_live(listed: str) -> None:
    assert survivors(listed, 1) != []
