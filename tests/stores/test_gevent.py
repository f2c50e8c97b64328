"""A time-out of gevent's in the middle of an answer: nobody gets it in place of their own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip(
    "sqlalchemy", reason="sqlalchemy is not installed: pip install 'sessionware[dev]'"
)

from tests.processes import ROOT, family, require, resume
from tests.stores.databases import Databases
from tests.stores.sentinel import Trio
from tests.stores.sql_servers import SQLServers

DRIVERS = {"postgresql": "psycopg", "mariadb": "pymysql"}

# Given the kind of client, the address of its server, and the server's processes.
INTERRUPTED = """
from gevent import monkey

monkey.patch_all()

import sys
from contextlib import ExitStack

import gevent

from tests.processes import frozen
from tests.stores.race import keeping

kind, address, *pids = sys.argv[1:]
if address.isdigit():
    address = int(address)

def interrupt(ask):
    pause = ExitStack()
    pause.enter_context(frozen(*map(int, pids)))
    gevent.spawn_later(0.2, pause.close)
    with gevent.Timeout(0.1, False):
        ask()
        raise AssertionError("it was not interrupted")

life = {"seconds": 99, "owner": None}
with keeping(kind, address, "store") as store, keeping(kind, address, "list") as revocations:
    store, ended = store["store"], revocations["revocations"]
    for key in "ab":
        assert store.create(key, key * 9, **life)
    assert ended.revoke("ended", 99)
    for ask in (
        lambda: store.load("a"),
        lambda: store.create("c", "c", **life),
        lambda: store.touch("a", **life),
    ):
        interrupt(ask)
        assert [store.load("b").text for _ in range(3)] == ["b" * 9] * 3
    interrupt(lambda: ended.check("not ended", "ann"))
    assert [ended.check("ended", "ann") for _ in range(3)] == [None] * 3
"""


def run(kind: str, address: object, pids: Sequence[int]) -> None:
    """Run the program, whose stderr says what is wrong."""
    done = subprocess.run(  # noqa: S603 - the arguments are the tests' own
        [sys.executable, "-c", INTERRUPTED, kind, str(address), *map(str, pids)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        timeout=60,
        capture_output=True,
        text=True,
    )
    for pid in pids:
        resume(family(pid))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("kind", ["redis", "valkey", "cluster"])
def test_answer_of_redis_that_comes_too_late_is_dropped(databases: Databases, kind: str) -> None:
    require("gevent")
    database = databases.redis(kind)
    pids = [node.info("server")["process_id"] for node in database.nodes]
    run(kind, database.port, pids)


def test_answer_to_the_client_of_a_sentinel_that_comes_too_late_is_dropped(tmp_path: Path) -> None:
    """By the store, because redis-py and valkey keep the connection."""
    require("gevent")
    with Trio(tmp_path) as trio:
        run("sentinel", trio.port, [trio.primary.process.pid])


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_answer_of_a_database_that_comes_too_late_is_dropped(kind: str) -> None:
    require("gevent")
    require(DRIVERS[kind])
    with SQLServers() as servers, servers.empty(kind, Path()) as database:
        database.store()
        database.revocations()
        run(kind, database.url, [servers.server(kind).process.pid])
