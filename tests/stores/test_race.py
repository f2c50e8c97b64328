"""Sixteen threads in each of four processes race on shared sessions; a model checks what came."""

import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.processes import require, wait_for
from tests.sites import Site
from tests.stores.databases import Databases, RedisDatabase
from tests.stores.model import Event, Model
from tests.stores.race import (
    ACTS,
    PATIENCE,
    Visitor,
    address_of,
    crowd,
    found_in,
    keeping,
    written_in,
)
from tests.stores.servers import ON_DISK, RedisServer

SECONDS = os.environ.get("SESSIONWARE_RACE_SECONDS", "")
PROCESSES = 4


def seconds(default: float) -> float:
    return float(SECONDS or default)


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        yield pool


class Race:
    """Run in the four processes at once; its jar of cookies is on a Redis of its own."""

    def __init__(
        self,
        pool: ProcessPoolExecutor,
        kind: str,
        address: Any,
        jar: RedisDatabase,
        keeper: str,
        long: float,
        wanted: Collection[str] = (),
    ) -> None:
        self.long = long + PATIENCE
        arguments = kind, address, jar.port, keeper, long, wanted
        jar.client.delete("happened")
        self.crowds = [pool.submit(crowd, str(name), *arguments) for name in range(PROCESSES)]
        self.merges = 0

    def history(self) -> list[Event]:
        """Wait until they are done, and return what all of them did."""
        told = [future.result(self.long + 60) for future in self.crowds]
        self.merges = sum(each.merges for each in told)
        return [event for each in told for event in each.history]


def try_again(site: Site, done: Event) -> Event:
    """Send a cookie that was handed out once more, when all is over."""
    session = done.heir or done.session
    asked = {"who": done.who, "login": done.login, "id": session}
    start = time.monotonic()
    value, (marks, messages) = site.visit(
        lambda found: (found_in(found, asked), written_in(found)), done.cookie
    ).result
    read = Event("read", start, time.monotonic(), True, done.who, done.login, session, value)
    return read._replace(marks=marks, messages=messages)


def check(history: list[Event], keeper: str, setting: dict[str, Any]) -> Counter[str]:
    """Find nothing that cannot be, and return how often what was done."""
    site = Site(**setting)
    last = [try_again(site, event) for event in history if event.cookie]
    assert [*Model([*history, *last], in_cookie=keeper == "list").problems()] == []
    if keeper == "store":
        known = {read.session for read in last}
        alive = {read.session for read in last if read.value is not None}
        listed = {key for user in users_of(history) for key in keys_of(setting["store"], user)}
        # One that was regenerated may be read for a while, and is listed no more.
        regenerated = {event.session for event in history if event.heir}
        assert alive - regenerated <= listed & known <= alive
    return Counter(event.outcome for event in history)


def users_of(history: list[Event]) -> set[str]:
    return {event.who for event in history}


def keys_of(store: Any, user: str) -> list[str]:
    return [session.key for session in store.sessions_of(user, most=10**6)]


@pytest.fixture
def jar(databases: Databases) -> RedisDatabase:
    return databases.redis()


@pytest.mark.parametrize(
    ("kind", "keeper", "long"),
    [
        ("redis", "store", 2),
        ("redis", "list", 1),
        ("cluster", "store", 1),
        ("cluster", "list", 1),
        ("postgresql", "store", 1.5),
        ("postgresql", "list", 1),
        ("sqlite", "store", 1.5),
        ("sqlite", "list", 1),
    ],
)
def test_no_session_comes_back_and_no_write_is_lost(
    databases: Databases,
    processes: ProcessPoolExecutor,
    jar: RedisDatabase,
    kind: str,
    keeper: str,
    long: float,
) -> None:
    address = address_of(databases.empty(kind))
    wanted = {*ACTS, "regenerate ended", "write ended", "take ended"}
    race = Race(processes, kind, address, jar, keeper, seconds(long), wanted)
    history = race.history()
    with keeping(kind, address, keeper) as setting:
        done = check(history, keeper, setting)
    requests = sum(done[act] for act in done if act.startswith(("read", "log in", "end all")))
    figures = f"{requests} requests, {race.merges} merges, {dict(done)}"
    sys.stdout.write(f"{kind} {keeper}: {figures}\n")  # pytest -rP shows it.
    assert [act for act in done if act.endswith("outage")] == []
    assert wanted <= done.keys()
    assert race.merges > 0 or keeper == "list"


@pytest.mark.parametrize("keeper", ["store", "list"])
@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_what_was_acknowledged_outlives_a_killed_server(
    kind: str, tmp_path: Path, processes: ProcessPoolExecutor, jar: RedisDatabase, keeper: str
) -> None:
    """Killed twice in the middle of it all, and started again with what is on its disk."""
    with durable(kind, tmp_path) as (server, address):
        race = Race(processes, kind, address, jar, keeper, seconds(1.5))
        wait_for(lambda: jar.client.dbsize() > 0, "the race has begun")
        for _ in range(2):
            time.sleep(seconds(1.5) / 4)
            server.kill()
            server.start()
        history = race.history()
        with keeping(kind, address, keeper) as setting:
            done = check(history, keeper, setting)
    assert sum(times for act, times in done.items() if act.endswith("outage")) > 0
    assert done["write"] > 0


@contextmanager
def durable(kind: str, folder: Path) -> Iterator[tuple[Any, Any]]:
    """Run a server that has on its disk what it has acknowledged. Return it, and its address."""
    if kind == "redis":
        with RedisServer(folder / "redis", *ON_DISK) as started:
            yield started, started.port
        return
    require("psycopg")
    from tests.stores.sql_servers import PostgreSQL, SQLDatabase

    with PostgreSQL() as server, SQLDatabase(kind, server.url) as database:
        database.store()
        database.revocations()
        yield server, server.url


class Slow(Visitor):
    """A visitor between whose look at the session and answer another one is served."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def linger(self) -> None:
        self.meanwhile()


@pytest.mark.parametrize("kind", ["redis", "sqlite"])
@pytest.mark.parametrize(
    ("keeper", "act", "promises"),
    [
        ("careless", "end", ["came back after its end", "was changed after its end"]),
        ("careless", "write", ["under another key", "which was appended"]),
        ("careless", "take", ["which was taken out"]),
        ("deaf", "end", ["came back after its end"]),
    ],
)
def test_a_keeper_that_breaks_its_promise_is_found_out(
    databases: Databases,
    jar: RedisDatabase,
    kind: str,
    keeper: str,
    act: str,
    promises: list[str],
) -> None:
    """One visitor acts while another is about to write, and the model tells what went wrong."""
    with keeping(kind, address_of(databases.empty(kind)), keeper) as setting:
        writer, other = (Slow(name, setting, jar.client) for name in ("writer", "other"))
        writer.visit("log in", {"who": "ann", "login": "one"})
        cookie = json.loads(jar.client.lindex("ann", 0))
        writer.meanwhile = lambda: other.visit(act, cookie)
        writer.visit("write", cookie)
        other.visit("read", cookie)
    history = [*writer.history, *other.history]
    found = "\n".join(Model(history, in_cookie=keeper == "deaf").problems())
    assert [promise for promise in promises if promise not in found] == []
