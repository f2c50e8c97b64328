"""Every order in which regenerate() and revoke_owner() can meet in a cluster: none lets one live.

A model of the commands that RedisStore sends. Sessions are numbers: each regenerate puts n + 1 in
the place of n, up to so many times, while one revoke_owner is under way.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

Ids = frozenset[int]
NONE: Ids = frozenset()
WRITES = ("SET", "ZADD")


class State(NamedTuple):
    """What the nodes hold, what the regenerate has sent, and how far revoke_owner is."""

    alive: Ids
    listed: Ids
    last: int = 0
    sent: frozenset[str] = frozenset()
    renewed: bool = False
    looked: bool = False
    ending: Ids = NONE


def regenerates(state: State, checks: bool, times: int) -> Iterator[State]:
    """Yield what the request may do next: write in any order, read the stamp, end the old one."""
    if state.last == times:
        return
    heir = state.last + 1
    for command in {*WRITES} - state.sent:
        after = state._replace(sent=state.sent | {command})
        if command == "SET":
            yield after._replace(alive=state.alive | {heir})
        else:
            yield after._replace(listed=state.listed | {heir})
    if state.sent == {*WRITES}:
        yield state._replace(sent=state.sent | {"old stamp" if state.renewed else "GET"})
    if "GET" in state.sent and state.last in state.alive:
        alive, listed = state.alive - {state.last}, state.listed - {state.last}
        yield state._replace(alive=alive, listed=listed, last=heir, sent=frozenset())
    elif "GET" in state.sent or (checks and "old stamp" in state.sent):
        # Its id was never told to anyone.
        yield state._replace(alive=state.alive - {heir}, last=times)
    elif "old stamp" in state.sent:
        yield state._replace(sent=state.sent | {"GET"})


def ends_all(state: State, renews_first: bool) -> Iterator[State]:
    """Yield what revoke_owner may do next: its commands reach the nodes in any order."""
    if not state.renewed and (renews_first or state.looked):
        yield state._replace(renewed=True)
    if not state.looked and (state.renewed or not renews_first):
        yield state._replace(looked=True, ending=state.listed)
    for key in state.ending:
        yield state._replace(alive=state.alive - {key}, ending=state.ending - {key})


def survivors(times: int, checks: bool = True, renews_first: bool = True) -> list[State]:
    """Go through every order, and return the ends in which a session is alive."""
    left = [State(alive=frozenset({0}), listed=frozenset(stale)) for stale in ({0}, {0, -1})]
    known, found = set(left), []
    while left:
        state = left.pop()
        after = [*regenerates(state, checks, times), *ends_all(state, renews_first)]
        if not after and state.alive:
            found.append(state)
        left += [new for new in after if new not in known]
        known.update(after)
    return found


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_session_that_moves_is_ended_in_every_order(times: int) -> None:
    assert survivors(times) == []


def test_session_that_does_not_read_the_stamp_again_may_live() -> None:
    assert survivors(1, checks=False) != []


def test_session_may_live_if_the_stamp_changes_after_the_look_at_the_list() -> None:
    assert survivors(1, renews_first=False) != []
