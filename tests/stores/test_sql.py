"""SQLStore and SQLRevocations in SQLite, PostgreSQL and MariaDB."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip(
    "sqlalchemy", reason="sqlalchemy is not installed: pip install 'sessionware[dev]'"
)

from sqlalchemy import inspect, text

from sessionware import SessionUnavailable
from sessionware.envelope import Envelope, wrap
from sessionware.session import Owner
from sessionware.sql import SQLStore
from sessionware.testing import StoreContract
from tests.conftest import Clock
from tests.processes import ROOT, require
from tests.stores.sql_servers import SQL_KINDS, SQLDatabase, SQLServers

SECRET = "a secret of the application"
DRIVERS = {"sqlite": "sqlite3", "postgresql": "psycopg", "mariadb": "pymysql"}


@pytest.fixture(scope="module")
def servers() -> Iterator[SQLServers]:
    with SQLServers() as servers:
        yield servers


@pytest.fixture(params=SQL_KINDS)
def database(
    request: pytest.FixtureRequest, servers: SQLServers, tmp_path: Path
) -> Iterator[SQLDatabase]:
    require(DRIVERS[request.param])
    with servers.empty(request.param, tmp_path) as database:
        yield database


@pytest.fixture(params=SQL_KINDS[1:])
def served(request: pytest.FixtureRequest, servers: SQLServers) -> Iterator[SQLDatabase]:
    require(DRIVERS[request.param])
    with servers.empty(request.param, Path()) as database:
        yield database


def session(owner: Owner | None = None, data: str = "{}") -> str:
    return wrap(Envelope(data, None, 0, None, None, owner, ""))


def test_isolation_level_of_an_engine_makes_no_difference(served: SQLDatabase) -> None:
    """Nor does it matter that an engine commits nothing by itself."""
    store = served.store(engine=served.engine(isolation_level="SERIALIZABLE"))
    proof: Any = type("Proof", (StoreContract,), {"make": lambda _: store})()
    proof.test_threads_lose_no_update()
    proof.test_of_two_replacements_one_succeeds()


# The table


def test_error_before_create_table_names_it(served: SQLDatabase) -> None:
    store, ended = served.store(ready=False), served.revocations(ready=False)
    asked: dict[str, Callable[[], object]] = {
        "SQLStore": partial(store.load, SECRET),
        "SQLRevocations": partial(ended.revoke, SECRET, 9),
    }
    for kind, ask in asked.items():
        with pytest.raises(SessionUnavailable, match=f"call create_table.. of the {kind}") as found:
            ask()
        assert SECRET not in f"{found.value} {found.value.__cause__}"
    store.create_table()
    assert store.load(SECRET) is None


def test_several_workers_may_create_the_table_at_once(database: SQLDatabase) -> None:
    stores = [database.store(ready=False) for _ in range(8)]
    barrier = threading.Barrier(8)

    def work(store: SQLStore) -> bool:
        barrier.wait()
        store.create_table()
        return store.create("k", "[]", seconds=9, owner=None)

    with ThreadPoolExecutor(8) as threads:
        assert [*threads.map(work, stores)].count(True) == 1
    indexes = inspect(stores[0].engine).get_indexes("sessions")
    assert sorted(str(index["name"]) for index in indexes) == [
        "ix_sessions_expires",
        "ix_sessions_owner",
    ]


def test_tables_of_metadata_are_complete(database: SQLDatabase) -> None:
    """Nothing is left for create_table."""
    store, ended = database.store(ready=False), database.revocations(ready=False)
    for made in (store, ended):
        made.metadata.create_all(made.engine)
        made.create_table()
    assert store.create("k", "[]", seconds=9, owner="ann")
    assert ended.revoke("k", 9)


# What is kept


def test_text_of_a_megabyte_and_of_every_character_comes_back(database: SQLDatabase) -> None:
    store = database.store()
    for number, kept in enumerate(("x" * store.limit, "é 𝄞 '\"\\%s:%(x)s ?", "")):
        assert store.create(str(number), kept, seconds=9, owner=None)
        found = store.load(str(number))
        assert found
        assert found.text == kept


def test_names_that_differ_in_case_alone_are_two(database: SQLDatabase) -> None:
    """MariaDB compares without regard to case, unless it is told not to."""
    store, ended = database.store(), database.revocations()
    for key in ("k", "K"):
        assert store.create(key, session(key), seconds=9, owner=key)
        assert ended.revoke(key, 9)
    assert [kept.key for kept in store.sessions_of("K")] == ["K"]


def test_what_has_expired_is_never_returned_and_deleted(
    database: SQLDatabase, clock: Clock
) -> None:
    store = database.store()
    for number in range(5):
        store.create(str(number), session("ann"), seconds=1 + number // 4, owner="ann")
    clock.advance(1)
    assert [store.load(str(number)) is None for number in range(5)] == [True] * 4 + [False]
    assert [kept.key for kept in store.sessions_of("ann")] == ["4"]
    assert not store.end("ann", "0")
    assert [store.delete_expired(most=3), store.delete_expired(), store.delete_expired()] == [
        3,
        1,
        0,
    ]
    assert store.revoke_owner("ann") == 1


# At once


def test_busy_threads_meet_no_error(database: SQLDatabase) -> None:
    """Whatever they do, and whichever lock of the database they meet in."""
    store, ended = database.store(), database.revocations()

    def work(number: int) -> None:
        for turn in range(12):
            key, owner = f"{turn % 3}", turn % 2
            store.create(key, session(owner), seconds=1, owner=owner)
            kept = store.load(key)
            if kept is not None:
                store.replace(key, session(owner), version=kept.version, seconds=9, owner=owner)
            store.touch(key, seconds=9, owner=owner)
            ended.revoke(key, 1)
            ended.revoke_owner(owner)
            store.sessions_of(owner)
            acts: list[Callable[[], object]] = [
                partial(store.delete, key),
                partial(store.revoke_owner, owner),
                store.revoke_all,
                ended.revoke_all,
                store.delete_expired,
            ]
            acts[(number + turn) % len(acts)]()

    with ThreadPoolExecutor(8) as threads:
        assert [*threads.map(work, range(8))] == [None] * 8


COUNT = """
import os, sys
from sessionware.sql import SQLStore

def count(store):
    store.create_table()
    store.create("k", "0", seconds=99, owner=None)
    done = 0
    while done < 20:
        kept = store.load("k")
        text = str(int(kept.text) + 1)
        done += store.replace("k", text, version=kept.version, seconds=99, owner=None)

children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        count(SQLStore(sys.argv[1]))
        os._exit(0)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""

FORK = """
import json, os, sys
from sqlalchemy import create_engine
from sessionware.sql import SQLStore

url = sys.argv[1]
stores = [SQLStore(url), SQLStore(create_engine(url))]
texts = [json.dumps([number] * 999) for number in range(4)]
stores[0].create_table()
for number in range(4):
    stores[0].create(str(number), texts[number], seconds=99, owner=None)
assert stores[1].load("0").text == texts[0]
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        found = {store.load(str(number)).text for store in stores for _ in range(100)}
        os._exit(found != {texts[number]})
    children.append(child)
for _ in range(100):
    assert [store.load("0").text for store in stores] == [texts[0]] * 2
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


def run(script: str, url: str) -> None:
    """Run a script that forks; its children say on stderr what is wrong."""
    done = subprocess.run(  # noqa: S603 - the arguments are the tests' own
        [sys.executable, "-c", script, url],
        cwd=ROOT,
        check=False,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_several_processes_lose_no_update(database: SQLDatabase) -> None:
    """All begin at once, with no table. For SQLite, in one file that is not there yet."""
    run(COUNT, database.url)
    kept = database.store().load("k")
    assert kept
    assert kept.text == "80"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_processes_never_get_an_answer_to_another(database: SQLDatabase) -> None:
    """As under gunicorn --preload, where the store was used before the fork."""
    run(FORK, database.url)


def test_file_that_another_process_writes_to_is_waited_for(
    servers: SQLServers, tmp_path: Path
) -> None:
    with servers.empty("sqlite", tmp_path) as database:
        store = database.store()
        engine = database.engine()
        with engine.connect() as other, ThreadPoolExecutor(1) as threads:
            other.execute(text("BEGIN IMMEDIATE"))
            assert store.load("k") is None  # A reader does not wait.
            created = threads.submit(store.create, "k", "[]", seconds=9, owner=None)
            time.sleep(0.1)
            assert not created.done()
            other.rollback()
            assert created.result()
