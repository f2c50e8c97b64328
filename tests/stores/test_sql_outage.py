"""The database is down, silent, read-only or full: one clear error, and then it is back."""

import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip(
    "sqlalchemy", reason="sqlalchemy is not installed: pip install 'sessionware[dev]'"
)

from sqlalchemy import event, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from sessionware import Session, SessionUnavailable
from sessionware.sql import SQLStore
from tests.processes import ROOT, require, wait_for
from tests.sites import Site, count, untouched
from tests.stores.sql_servers import MariaDB, PostgreSQL, SQLDatabase, SQLServers

SECRET = "a secret of the application"
DRIVERS = {"postgresql": "psycopg", "mariadb": "pymysql"}
KEEPERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "store": lambda database: {"store": database.store()},
    "list": lambda database: {"revocations": database.revocations()},
}


@pytest.fixture(scope="module")
def servers() -> Iterator[SQLServers]:
    with SQLServers() as servers:
        yield servers


@pytest.fixture(params=DRIVERS)
def served(request: pytest.FixtureRequest, servers: SQLServers) -> Iterator[SQLDatabase]:
    require(DRIVERS[request.param])
    with servers.empty(request.param, Path()) as database:
        yield database


@pytest.fixture
def in_file(tmp_path: Path) -> Iterator[SQLDatabase]:
    """A file of SQLite, whose lock is waited for only for a moment."""
    with SQLDatabase("sqlite", f"sqlite:///{tmp_path}/sessions.db?timeout=0.1") as database:
        yield database


def refused(ask: Callable[[], object], told: str) -> None:
    """It is an error that says this, with the driver's own for a cause."""
    with pytest.raises(SessionUnavailable, match=f"the database says: {told}") as caught:
        ask()
    assert isinstance(caught.value.__cause__, DBAPIError)


# Down


@pytest.mark.parametrize("kind", [PostgreSQL, MariaDB])
def test_database_that_is_down_is_one_clear_error_and_then_it_is_back(
    kind: type[PostgreSQL | MariaDB],
) -> None:
    require(DRIVERS[kind.__name__.lower()])
    with kind() as server, SQLDatabase("", server.url) as database:
        store, ended = database.store(), database.revocations()
        of_engine = database.store(engine=database.engine())
        store.create("k", "[]", seconds=99, owner=None)
        of_engine.load("k")
        server.kill()
        asked: list[Callable[[], object]] = [
            partial(store.load, SECRET),
            partial(store.create, SECRET, SECRET, seconds=9, owner=SECRET),
            partial(of_engine.touch, SECRET, seconds=9, owner=SECRET),
            partial(ended.check, SECRET, SECRET),
            store.create_table,
        ]
        for ask in asked:
            with pytest.raises(SessionUnavailable, match=r"Could not .* the database says: ") as no:
                ask()
            assert str(no.value).endswith("Check that the database is up and reachable.")
            assert isinstance(no.value.__cause__, OperationalError)
            assert SECRET not in f"{no.value} {no.value.__cause__}"
        server.start()
        assert store.load("k") is not None
        assert of_engine.touch("k", seconds=9, owner=None)
        # And while nobody looked.
        server.kill()
        server.start()
        assert store.load("k") is not None
        assert ended.check("k", None) is not None


def test_wrong_password_is_said_and_not_shown(served: SQLDatabase) -> None:
    url = make_url(served.url).set(username="nobody-else", password=SECRET)
    store = SQLStore(url)
    with pytest.raises(SessionUnavailable) as found:
        store.load("k")
    assert "nobody-else" in str(found.value)
    assert SECRET not in f"{found.value} {found.value.__cause__}"


@pytest.mark.parametrize("keeper", KEEPERS)
def test_requests_that_leave_the_session_alone_go_on(
    servers: SQLServers, served: SQLDatabase, keeper: str
) -> None:
    site = Site(**KEEPERS[keeper](served))
    cookie = site.visit(count).cookie
    servers.server(served.kind).kill()
    try:
        site.visit(untouched, cookie)
        assert site.read("session=junk") is None
        refused(lambda: site.read(cookie), "")
    finally:
        servers.server(served.kind).start()
    assert site.visit(count, cookie).result == 2


# Silent


def test_server_that_is_frozen_is_an_error_within_seconds(
    servers: SQLServers, served: SQLDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it still accepts connections, and the system acknowledges what is sent."""
    monkeypatch.setattr("sessionware.sql.MAX_WAIT", 1)
    limits = {"postgresql": "connect_timeout=2", "mariadb": "connect_timeout=1&read_timeout=1"}
    served.url += f"?{limits[served.kind]}"
    site = Site(store=served.store())
    cookie = site.visit(count).cookie
    with servers.server(served.kind).paused():
        for ask in (partial(site.read, cookie), partial(site.visit, count, cookie)):
            start = time.monotonic()
            refused(ask, ".*(nothing within|timed out|timeout)")
            assert 0.5 < time.monotonic() - start < 10
    assert site.visit(count, cookie).result == 2


def test_lock_of_another_is_not_waited_for_for_ever(
    servers: SQLServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does PostgreSQL go on waiting, with one more connection for each request."""
    require("psycopg")
    monkeypatch.setattr("sessionware.sql.MAX_WAIT", 0.5)
    with servers.empty("postgresql", Path()) as database:
        site = Site(store=database.store())
        cookie = site.visit(count).cookie
        with database.engine().connect() as other:
            other.execute(text("LOCK TABLE sessions"))
            refused(lambda: site.visit(count, cookie), "nothing within 0.5 seconds")
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_for(lambda: other.execute(text(waiting)).scalar() == 0, "nothing waits")
        assert site.visit(count, cookie).result == 2


# Read-only


@pytest.fixture
def read_only(served: SQLDatabase) -> Iterator[Callable[[bool], None]]:
    """Return a function that turns the server of ``served`` read-only, and back."""
    turn, then = {
        "postgresql": ("ALTER SYSTEM SET default_transaction_read_only = ", "pg_reload_conf()"),
        "mariadb": ("SET GLOBAL read_only = ", "1"),
    }[served.kind]
    engine = served.engine(isolation_level="AUTOCOMMIT")
    if served.kind == "mariadb":  # root may write all the same
        for right in ("CREATE USER IF NOT EXISTS app", "GRANT ALL ON test.* TO app"):
            with engine.connect() as connection:
                connection.execute(text(right))
        served.url = served.url.replace("//root@", "//app@")

    def make(on: bool) -> None:
        with engine.connect() as connection:
            if served.kind == "postgresql":
                connection.execute(text("SET default_transaction_read_only = off"))
            connection.execute(text(f"{turn}{'on' if on else 'off'}"))
            connection.execute(text(f"SELECT {then}"))

    yield make
    make(False)


@pytest.mark.parametrize("keeper", KEEPERS)
def test_server_that_turns_read_only_still_serves_those_who_read(
    served: SQLDatabase, read_only: Callable[[bool], None], keeper: str
) -> None:
    """It refuses each change, and the session stays as it was."""
    site = Site(**KEEPERS[keeper](served))
    cookie = site.visit(count).cookie
    read_only(True)
    told = ".*(read-only|read_only)"
    wait_for(lambda: refuses(partial(site.visit, Session.regenerate, cookie)), "it is read-only")
    assert site.read(cookie) == {"n": 1}
    for act in (Session.regenerate, Session.invalidate):
        refused(partial(site.visit, act, cookie), told)
    read_only(False)
    wait_for(lambda: not refuses(partial(site.visit, Session.invalidate, cookie)), "it is not")
    assert site.read(cookie) is None


def refuses(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except SessionUnavailable:
        return True
    return False


def test_file_that_may_only_be_read_still_serves_those_who_read(in_file: SQLDatabase) -> None:
    site = Site(store=in_file.store())
    cookie = site.visit(count).cookie
    in_file.url = f"sqlite:///file:{make_url(in_file.url).database}?mode=ro&uri=true"
    reader = Site(store=in_file.store())
    assert reader.read(cookie) == {"n": 1}
    for act in (count, Session.regenerate, Session.invalidate):
        refused(partial(reader.visit, act, cookie), "attempt to write a readonly database")
    assert site.read(cookie) == {"n": 1}


# Full


def fill(site: Site) -> str:
    """Begin large sessions until it is refused, and return what the error says."""
    with pytest.raises(SessionUnavailable) as caught:
        add_large(site, times=99)
    assert isinstance(caught.value.__cause__, DBAPIError)
    return str(caught.value)


def add_large(site: Site, *, times: int = 1) -> None:
    for _ in range(times):
        site.visit(lambda session: session.update(large=secrets.token_hex(400_000)))


def test_full_disk_of_postgresql_is_an_error_and_nothing_is_lost() -> None:
    """Until there is room again."""
    require("psycopg")
    with PostgreSQL() as server, SQLDatabase("postgresql", server.url) as database:
        site = Site(store=database.store())
        cookie = site.visit(count).cookie
        server.limit_files(17 * 1024 * 1024)  # just above the one of its log
        assert "the database says: could not extend file" in fill(site)
        assert site.read(cookie) == {"n": 1}
        site.visit(Session.invalidate, cookie)
        assert site.read(cookie) is None
        server.limit_files("unlimited")
        add_large(site)


def test_full_file_is_an_error_and_nothing_is_lost(in_file: SQLDatabase) -> None:
    store, pages = in_file.store(), 1000
    site = Site(store=store)
    cookie = site.visit(count).cookie

    @event.listens_for(store.engine, "checkout")
    def limit(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    assert "the database says: database or disk is full" in fill(site)
    assert site.read(cookie) == {"n": 1}
    site.visit(Session.invalidate, cookie)
    assert site.read(cookie) is None
    pages = 2000
    add_large(site)


# SQLite's file


def test_file_that_stays_locked_is_an_error(in_file: SQLDatabase) -> None:
    site = Site(store=in_file.store())
    cookie = site.visit(count).cookie
    with in_file.engine().connect() as other:
        other.execute(text("BEGIN IMMEDIATE"))
        for act in (count, Session.regenerate, Session.invalidate):
            refused(partial(site.visit, act, cookie), "database is locked")
        assert site.read(cookie) == {"n": 1}
        other.rollback()
    assert site.visit(count, cookie).result == 2


def test_file_that_was_replaced_is_opened_anew(in_file: SQLDatabase, tmp_path: Path) -> None:
    """Or else old connections would see what new ones do not."""
    site = Site(store=in_file.store())
    cookie = site.visit(count).cookie
    file = Path(str(make_url(in_file.url).database))
    for path in tmp_path.glob(f"{file.name}*"):
        path.rename(path.with_name(path.name.replace("sessions", "backup")))
    assert site.read(cookie) is None
    later = site.visit(count).cookie
    assert site.read(later) == {"n": 1}
    site_of_new_process = Site(store=in_file.store())
    assert site_of_new_process.read(later) == {"n": 1}
    for path in tmp_path.glob("backup*"):
        path.rename(path.with_name(path.name.replace("backup", "sessions")))
    assert [each.read(cookie) for each in (site, site_of_new_process)] == [{"n": 1}] * 2


def test_folder_that_is_gone_is_an_error_and_then_it_is_back(
    in_file: SQLDatabase, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    in_file.url = f"sqlite:///{tmp_path}/folder/sessions.db"
    site = Site(store=in_file.store())
    cookie = site.visit(count).cookie
    (tmp_path / "folder").rename(tmp_path / "elsewhere")
    refused(lambda: site.read(cookie), "unable to open database file")
    (tmp_path / "elsewhere").rename(tmp_path / "folder")
    assert site.visit(count, cookie).result == 2


WRITE = """
import sys
from sessionware.sql import SQLStore
store = SQLStore(sys.argv[1])
for number in range(10**9):
    store.create(f"{number}", "x" * 20_000, seconds=99, owner="ann")
    print(number, flush=True)
"""


def test_process_that_is_killed_leaves_nothing_half_written(in_file: SQLDatabase) -> None:
    """And no lock that others would wait for."""
    store = in_file.store()
    for _ in range(3):
        command = [sys.executable, "-c", WRITE, in_file.url]
        with subprocess.Popen(  # noqa: S603 - the arguments are the tests' own
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            written = [process.stdout.readline() for _ in range(20)]
            process.kill()
            last = int([*written, *process.stdout.readlines()][-1])
        assert all(store.load(f"{number}") for number in range(last + 1))
        texts = {kept.text for number in range(last + 9) if (kept := store.load(f"{number}"))}
        assert texts == {"x" * 20_000}
        assert store.revoke_owner("ann") in (last + 1, last + 2)
