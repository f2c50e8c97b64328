"""`python -m tests.benchmarks.stores`: what sessions in Redis, PostgreSQL and SQLite cost.

Redis, PostgreSQL and a file of SQLite's are asked by one thread, on this machine, without waiting
for a disk. What is shown is what a session adds to a request of the same application without
sessions. The contestants take turns, and of each the fastest round counts; the clock is the one on
the wall, because to wait for an answer is the better part of it.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import NullPool, create_engine, text

from sessionware.serializer import dumps
from tests.stores.servers import RedisServer
from tests.stores.sql_servers import PostgreSQL

from . import machine, round_trips
from .bare_commands import COMMANDS, CORE, VERBS, bare_commands
from .contestants import nothing, release
from .growth import sized
from .report import REFUSED, table
from .round_trips import Trips
from .server_side import (
    ACTS,
    READ,
    REGENERATE,
    SESSION,
    STORE,
    UNTOUCHED,
    WRITE,
    Act,
    Browser,
    Contestant,
    begin,
    libraries,
    sessionware,
)
from .targets import Target
from .timing import Pace, take_turns

FULL = Pace(rounds=12, seconds=0.08)
GROWTH = Pace(rounds=7, seconds=0.08)
SIZES = {"1 KB": 1_000, "10 KB": 10_000, "100 KB": 100_000, "1 MB": 1_000_000}
TIMES_THE_COMMANDS = {READ: 1.5, WRITE: 1.8}
LIBRARIES = ("sessionware", "Flask-Session", "Django", "Beaker", "redis", "SQLAlchemy", "psycopg")

T = TypeVar("T")
Costs = dict[str, dict[str, float]]
"""Microseconds, by the name of the contestant, and of the act."""


class Figures(NamedTuple):
    """What was measured in one database."""

    trips: Trips
    costs: Costs
    growth: dict[str, Costs]
    """By the size of the session."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The same request over and over, on the clock on the wall."""

    browser: Browser
    act: Act

    def seconds(self, calls: int) -> float:
        visit, act = self.browser.visit, self.act
        start = perf_counter()
        for _ in range(calls):
            visit(act)
        return perf_counter() - start


# In a process of its own


def figures_of(url: str, pace: Pace, slow: Pace) -> Figures:
    return Figures(alone(count, url), alone(measure, url, pace), alone(grow, url, slow))


def alone(function: Callable[..., T], *arguments: object) -> T:
    """Call it in another process, because Django can be configured only once in each."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def count(url: str) -> Trips:
    """Count the round trips."""
    with TemporaryDirectory() as folder, round_trips.counted(url) as (through, so_far):
        contestants = [*bare_commands(through), *libraries(through, folder)]
        return round_trips.of_each(contestants, so_far)


def measure(url: str, pace: Pace) -> Costs:
    """Measure every contestant, with the same session."""
    with TemporaryDirectory() as folder:
        return added([*bare_commands(url), *libraries(url, folder)], SESSION, ACTS, pace)


def grow(url: str, pace: Pace) -> dict[str, Costs]:
    """Measure ours, and the bare commands, with sessions of each size."""
    store, _ = sessionware(url)
    contestants = [*bare_commands(url), store]
    return {
        name: added(contestants, {"user": "ann", **sized(size)}, (READ, WRITE), pace)
        for name, size in SIZES.items()
    }


def added(
    contestants: Sequence[Contestant], data: dict[str, Any], acts: Sequence[str], pace: Pace
) -> Costs:
    """Return the microseconds that each act adds to the application without sessions."""
    turns = {(one.name, ""): Turn(Browser(one.without), nothing) for one in contestants}
    for one in contestants:
        for name in acts:
            if name in one.acts:
                turns[one.name, name] = Turn(begin(one, data), one.acts[name])
    fastest = {key: min(taken) for key, taken in take_turns(turns, pace).items()}
    costs: Costs = {one.name: {} for one in contestants}
    for name, act in turns:
        if act:
            costs[name][act] = fastest[name, act] - fastest[name, ""]
    return costs


# The databases


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Start them, and yield the URL of each by its name and release."""
    with (
        TemporaryDirectory() as folder,
        RedisServer(Path(folder)) as redis,
        PostgreSQL() as postgresql,
        redis.client() as client,
        create_engine(postgresql.url, poolclass=NullPool).connect() as connection,
    ):
        shown = str(connection.scalar(text("SHOW server_version")))
        yield {
            f"Redis {client.info('server')['redis_version']}": f"redis://127.0.0.1:{redis.port}/0",
            f"PostgreSQL {shown.partition(' ')[0]}": postgresql.url,
            f"SQLite {sqlite3.sqlite_version}": f"sqlite:///{folder}/sessions.db",
        }


# What is printed


def acts_table(figures: Mapping[str, Figures], acts: Sequence[str]) -> str:
    """A row for each contestant that does one of these acts."""
    columns = [f"{database}: {act}" for database in figures for act in acts]
    names = [COMMANDS, CORE, VERBS, *(name for each in figures.values() for name in each.costs)]
    rows = {}
    for name in dict.fromkeys(names):
        cells = [cell(each, name, act) for each in figures.values() for act in acts]
        if {*cells} != {REFUSED}:
            rows[name] = cells
    return table("µs (round trips)", columns, rows)


def cell(figures: Figures, name: str, act: str) -> str:
    cost = figures.costs.get(name, {}).get(act)
    return REFUSED if cost is None else f"{cost:.0f} ({figures.trips[name][act]})"


def growth_table(figures: Mapping[str, Figures]) -> str:
    rows = {
        f"{database}, {act}": [
            f"{costs[STORE][act]:.0f} / {costs[COMMANDS][act]:.0f}"
            for costs in each.growth.values()
        ]
        for database, each in figures.items()
        for act in (READ, WRITE)
    }
    return table("µs, ours / bare commands, JSON of", list(SIZES), rows)


def targets(figures: Mapping[str, Figures]) -> Iterator[Target]:
    for database, each in figures.items():
        for act, bound in TIMES_THE_COMMANDS.items():
            for ours in (VERBS, STORE):
                for bare in COMMANDS, CORE:
                    if bare in each.costs:
                        name = f"{database}, {act}, {ours}, times {bare}"
                        yield Target(name, each.costs[ours][act] / each.costs[bare][act], bound)


def main(pace: Pace = FULL, slow: Pace = GROWTH) -> int:
    """Print the tables; 1 if a target was missed."""
    with databases() as urls:
        figures = {name: figures_of(url, pace, slow) for name, url in urls.items()}
    promised = [*targets(figures)]
    parts = [
        f"{machine.here({name: release(name) for name in LIBRARIES})}\n",
        f"{len(dumps(SESSION))} bytes of JSON; for SQLite, statements are counted\n",
        acts_table(figures, (READ, WRITE)),
        acts_table(figures, (UNTOUCHED, REGENERATE)),
        growth_table(figures),
        "".join(map(str, promised)),
    ]
    sys.stdout.write("\n".join(parts))
    return int(not all(target.held for target in promised))


if __name__ == "__main__":
    sys.exit(main())
