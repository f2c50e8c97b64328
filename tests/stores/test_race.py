"""Sixteen threads in each of four processes race on shared sessions; a model checks what came."""

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.processes import wait_for
from tests.sites import Site
from tests.stores.databases import Databases, RedisDatabase
from tests.stores.model import Event, Model
from tests.stores.race import ACTS, KEEPERS, crowd, found_in
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
    """Run in the four processes at once; its jar of cookies is on a server of its own."""

    def __init__(
        self,
        pool: ProcessPoolExecutor,
        kind: str,
        port: int,
        jar: RedisDatabase,
        keeper: str,
        long: float,
    ) -> None:
        self.long = long
        arguments = kind, port, jar.port, keeper, long
        self.crowds = [pool.submit(crowd, str(name), *arguments) for name in range(PROCESSES)]

    def history(self) -> list[Event]:
        """Wait until they are done, and return what all of them did."""
        return [event for future in self.crowds for event in future.result(self.long + 60)]


def try_again(site: Site, done: Event) -> Event:
    """Send a cookie that was handed out once more, when all is over."""
    session = done.heir or done.session
    asked = {"who": done.who, "login": done.login, "id": session}
    start = time.monotonic()
    value, marks = site.visit(
        lambda found: (found_in(found, asked), tuple(found.get("marks", {}).items())), done.cookie
    ).result
    end = time.monotonic()
    return Event("read", start, end, True, done.who, done.login, session, value, marks=marks)


def check(history: list[Event], client: Any, keeper: str) -> Counter[str]:
    """Find nothing that cannot be, and return how often what was done."""
    made = KEEPERS[keeper](client)
    site = Site(**made)
    last = [try_again(site, event) for event in history if event.cookie]
    assert [*Model([*history, *last], in_cookie=keeper == "list").problems()] == []
    if keeper == "store":
        known = {read.session for read in last}
        alive = {read.session for read in last if read.value is not None}
        users = {event.who for event in history}
        kept = {session.key for user in users for session in made["store"].sessions_of(user)}
        assert kept & known == alive
    return Counter(f"{event.act} {event.note}".strip() for event in history)


@pytest.fixture
def jar(databases: Databases) -> RedisDatabase:
    return databases.redis()


@pytest.mark.parametrize(
    ("kind", "keeper", "long"),
    [
        ("redis", "store", 4),
        ("redis", "list", 1.5),
        ("cluster", "store", 1.5),
        ("cluster", "list", 1),
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
    database = databases.redis(kind)
    history = Race(processes, kind, database.port, jar, keeper, seconds(long)).history()
    done = check(history, database.client, keeper)
    assert min(done[act] for act in ACTS) > 0
    assert done["regenerate ended"] > 0
    assert done["write ended"] > 0 or keeper == "list"


@pytest.mark.parametrize("keeper", ["store", "list"])
def test_what_was_acknowledged_outlives_a_killed_redis(
    tmp_path: Path, processes: ProcessPoolExecutor, jar: RedisDatabase, keeper: str
) -> None:
    """Killed twice in the middle of it all, and started again with what is on its disk."""
    with RedisServer(tmp_path / "redis", *ON_DISK) as server, server.client() as client:
        race = Race(processes, "redis", server.port, jar, keeper, seconds(1.5))
        wait_for(lambda: jar.client.dbsize() > 0, "the race has begun")
        for _ in range(2):
            time.sleep(seconds(1.5) / 4)
            server.kill()
            server.start()
        done = check(race.history(), client, keeper)
    assert sum(times for act, times in done.items() if act.endswith("outage")) > 0
    assert done["write"] > 0


@pytest.mark.parametrize(
    ("keeper", "promises"),
    [
        (
            "careless",
            ["came back after its end", "was changed after its end", "under another key"],
        ),
        ("deaf", ["came back after its end"]),
    ],
)
def test_a_keeper_that_breaks_its_promise_is_found_out(
    processes: ProcessPoolExecutor, jar: RedisDatabase, keeper: str, promises: list[str]
) -> None:
    history = Race(processes, "redis", jar.port, jar, keeper, 1).history()
    found = "\n".join(Model(history, in_cookie=keeper == "deaf").problems())
    assert [promise for promise in promises if promise not in found] == []
