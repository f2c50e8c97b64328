"""Microseconds that a session adds to a request, the contestants taking turns.

In every round each contestant has one turn in each scenario, and each round begins with another
one. What counts is the median over the rounds of the difference to the bare application's turn in
the same scenario and round; so a slow second of the machine is a slow second for all of them. The
clock is the process' own processor time: nothing here waits, and other work on the machine does not
count. The garbage collector runs as it does in a server, so that a contestant that leaves reference
cycles pays for them; before each turn it is brought to the same state, and what was there before
the first is frozen, so that none pays for the modules of the others.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from time import process_time
from typing import Any, Protocol, TypeVar

from .contestants import KEYS, Peer, bare, bare_asgi
from .gateways import ASGI, WSGI, Gateway, Reply, Request
from .scenarios import SCENARIOS, UNTOUCHED, Act, WrongResultError, check, cookies, handler

Group = TypeVar("Group")
Contestant = TypeVar("Contestant")

Cost = dict[str, float]
"""Microseconds added to a request, by the name of the peer."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many rounds, and about how many seconds each turn takes."""

    rounds: int
    seconds: float


FULL = Pace(rounds=15, seconds=0.02)
GROWTH = Pace(rounds=9, seconds=0.01)
QUICK = Pace(rounds=3, seconds=0.0005)


class Timed(Protocol):
    """What can take a turn."""

    def seconds(self, calls: int) -> float:
        """Return how long it takes to do it so often."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The same request over and over: each time a fresh copy of it."""

    serve: Callable[[Any, Request], Reply]
    app: Any
    request: Request

    def seconds(self, calls: int) -> float:
        serve, app, request = self.serve, self.app, self.request
        start = process_time()
        for _ in range(calls):
            serve(app, request.copy())
        return process_time() - start


def turn(
    peer: Peer, act: Act, cookie: str | None, body: bytes, keys: Sequence[str] = KEYS[:1]
) -> Turn:
    """This request to this peer, tried once: it has to answer with this body."""
    app = peer.wrap(peer.gateway.bare(handler(peer, act)), keys)
    request = peer.gateway.request(cookie)
    answer = peer.gateway.serve(app, request.copy()).body
    if answer != body:
        raise WrongResultError(f"{peer.name}: {answer!r} instead of {body!r}")
    return Turn(peer.gateway.serve, app, request)


BASES: dict[Gateway, Peer] = {WSGI: bare(), ASGI: bare_asgi()}


def by_scenario(peers: Sequence[Peer], pace: Pace) -> dict[str, Cost]:
    """The main table. Every peer is checked in every scenario before it is timed there."""
    groups: dict[str, dict[Peer, Turn]] = {}
    for scenario in SCENARIOS:
        groups[scenario.name] = {}
        for peer in peers:
            check(peer, scenario)
            cookie = cookies(peer, scenario)
            groups[scenario.name][peer] = turn(peer, scenario.act, cookie, scenario.body)
    return added(groups, pace)


def added(groups: Mapping[Group, Mapping[Peer, Turn]], pace: Pace) -> dict[Group, Cost]:
    """Microseconds added to the bare application, in each group by the name of the peer."""
    contestants = {}
    for group, turns in groups.items():
        for gateway in {peer.gateway for peer in turns}:
            base = BASES[gateway]
            contestants[group, base] = turn(base, UNTOUCHED.act, None, UNTOUCHED.body)
        contestants.update({(group, peer): each for peer, each in turns.items()})
    taken = take_turns(contestants, pace)

    def over_base(group: Group, peer: Peer) -> float:
        rounds = zip(taken[group, peer], taken[group, BASES[peer.gateway]], strict=True)
        return median(own - base for own, base in rounds)

    return {
        group: {peer.name: over_base(group, peer) for peer in turns}
        for group, turns in groups.items()
    }


def take_turns(
    contestants: Mapping[Contestant, Timed], pace: Pace
) -> dict[Contestant, list[float]]:
    """Microseconds per request of each contestant, in each round."""
    calls = {
        contestant: max(10, round(pace.seconds * 20 / each.seconds(20)))
        for contestant, each in contestants.items()
    }
    taken: dict[Contestant, list[float]] = {contestant: [] for contestant in contestants}
    order = list(contestants)
    gc.collect()
    gc.freeze()
    try:
        for _ in range(pace.rounds):
            for contestant in order:
                number = calls[contestant]
                contestants[contestant].seconds(number // 10)  # warm
                gc.collect()
                seconds = contestants[contestant].seconds(number)
                taken[contestant].append(seconds / number * 1e6)
            order.append(order.pop(0))
    finally:
        gc.unfreeze()
    return taken
