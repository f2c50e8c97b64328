"""Microseconds that a session adds to a request, the contestants taking turns.

In every one of many rounds each contestant has one short turn in each scenario, and each round
begins with another one. What counts is the lowest tenth of the turns: on a machine with other work
to do, it swings by 4 % between runs where the median swings by 30 %. What the bare application
takes in the same scenario is taken off. The clock is the process' own processor time: nothing here
waits, and other work on the machine does not count, but for what it leaves in the caches. The
garbage collector runs as it does in a server, so that a contestant that leaves reference cycles
pays for them; before each turn it is brought to the same state, and what was there before the first
is frozen, so that none pays for the modules of the others.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from time import process_time
from typing import Any, Protocol, TypeVar

from .contestants import KEYS, Peer, bare, bare_asgi
from .gateways import ASGI, WSGI, Gateway, Reply, Request
from .scenarios import (
    UNTOUCHED,
    Act,
    Scenario,
    WrongResultError,
    check,
    cookies_of_all,
    handler,
)

Group = TypeVar("Group")
Contestant = TypeVar("Contestant")

Cost = dict[str, float]
"""Microseconds added to a request, by the name of the peer."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many rounds, and about how many seconds each turn takes."""

    rounds: int
    seconds: float


FULL = Pace(rounds=100, seconds=0.002)
GROWTH = Pace(rounds=30, seconds=0.002)
QUICK = Pace(rounds=3, seconds=0.0005)


class Timed(Protocol):
    """What can take a turn."""

    def seconds(self, calls: int) -> float:
        """Return how long it takes to do it so often."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The same requests over and over: each time a fresh copy of the next one."""

    serve: Callable[[Any, Request], Reply]
    app: Any
    requests: Sequence[Request]

    def seconds(self, calls: int) -> float:
        serve, app = self.serve, self.app
        start = process_time()
        for request in islice(cycle(self.requests), calls):
            serve(app, request.copy())
        return process_time() - start


def turn(
    peer: Peer, act: Act, cookies: Sequence[str | None], body: bytes, keys: Sequence[str] = KEYS[:1]
) -> Turn:
    """A request to this peer with each of these cookies. It has to answer with this body."""
    app = peer.wrap(peer.gateway.bare(handler(peer, act)), keys)
    requests = [peer.gateway.request(cookie) for cookie in cookies]
    for request in requests:
        answer = peer.gateway.serve(app, request.copy()).body
        if answer != body:
            raise WrongResultError(f"{peer.name}: {answer!r} instead of {body!r}")
    return Turn(peer.gateway.serve, app, requests)


BASES: dict[Gateway, Peer] = {WSGI: bare(), ASGI: bare_asgi()}


def by_scenario(
    peers: Sequence[Peer], scenarios: Sequence[Scenario], pace: Pace
) -> dict[str, Cost]:
    """The main table. Every peer is checked in every scenario before it is timed there."""
    groups: dict[str, dict[Peer, Turn]] = {}
    for scenario in scenarios:
        groups[scenario.name] = {}
        for peer in filter(scenario.suits, peers):
            check(peer, scenario)
            brought = cookies_of_all(peer, scenario, scenario.visitors)
            groups[scenario.name][peer] = turn(peer, scenario.act, brought, scenario.body)
    return added(groups, pace)


def added(groups: Mapping[Group, Mapping[Peer, Turn]], pace: Pace) -> dict[Group, Cost]:
    """Microseconds added to the bare application, in each group by the name of the peer."""
    contestants = {}
    for group, turns in groups.items():
        for gateway in {peer.gateway for peer in turns}:
            base = BASES[gateway]
            contestants[group, base] = turn(base, UNTOUCHED.act, [None], UNTOUCHED.body)
        contestants.update({(group, peer): each for peer, each in turns.items()})
    typical = {key: lowest_tenth(taken) for key, taken in take_turns(contestants, pace).items()}
    return {
        group: {
            peer.name: typical[group, peer] - typical[group, BASES[peer.gateway]] for peer in turns
        }
        for group, turns in groups.items()
    }


def lowest_tenth(taken: Sequence[float]) -> float:
    """The value below which one turn in ten is."""
    return sorted(taken)[len(taken) // 10]


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
