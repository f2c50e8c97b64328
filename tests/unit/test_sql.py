"""SQLStore and SQLRevocations in SQLite, which needs no server: settings, rows, errors, forks."""

import gc
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

pytest.importorskip(
    "sqlalchemy", reason="sqlalchemy is not installed: pip install 'sessionware[sql]'"
)

from sqlalchemy import (
    NullPool,
    StaticPool,
    create_engine,
    create_mock_engine,
    event,
    exc,
    inspect,
    make_url,
    text,
)

from sessionware import ConfigurationError, SessionUnavailable, UnserializableValue
from sessionware.envelope import Envelope, wrap
from sessionware.session import Owner
from sessionware.sql import (
    _ENGINES,
    MAX_IDLE,
    MAX_TRIES,
    SWEEP_EVERY,
    SQLRevocations,
    SQLStore,
    _leave_connections_to_the_parent,
    _note_when_to_ping,
    _ping,
)
from sessionware.store import KeptSession, Revocations, Store
from sessionware.testing import RevocationsContract, StoreContract
from tests.conftest import Clock
from tests.processes import require
from tests.unit.extras import hide

HOUR = 60 * 60
SECRET = "a secret of the application"
EXPECTED = "expected an Engine, or a URL such as 'sqlite:///sessions.db'"

Made = SQLStore | SQLRevocations


class Maker:
    """Makes stores and lists, and closes their connections after the test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.made: list[Made] = []

    def store(self, kind: type[SQLStore] = SQLStore, **settings: Any) -> SQLStore:
        self.made.append(store := kind(settings.pop("url", self.url), **settings))
        return store

    def revocations(self, **settings: Any) -> SQLRevocations:
        self.made.append(ended := SQLRevocations(settings.pop("url", self.url), **settings))
        return ended


@pytest.fixture
def maker(tmp_path: Path) -> Iterator[Maker]:
    maker = Maker(f"sqlite:///{tmp_path}/sessions.db")
    yield maker
    for made in maker.made:
        made.engine.dispose()


@pytest.fixture
def store(maker: Maker, clock: Clock) -> SQLStore:
    return maker.store()


@pytest.fixture
def revocations(maker: Maker, clock: Clock) -> SQLRevocations:
    return maker.revocations()


def rows_of(made: Made) -> int:
    """Return how many rows there are, expired ones too."""
    [table] = made.metadata.sorted_tables
    with made.engine.connect() as connection:
        return len(connection.execute(table.select()).all())


def session(owner: Owner | None = None, data: str = "{}", stamp: str = "") -> str:
    return wrap(Envelope(data, None, 0, None, None, owner, stamp))


def log_in(store: SQLStore, key: str, owner: Owner, *, data: str = "{}", seconds: int = 9) -> None:
    assert store.create(key, session(owner, data), seconds=seconds, owner=owner)


# The contract


@pytest.fixture(params=["sqlite://", "file"])
def url(request: pytest.FixtureRequest, maker: Maker) -> str:
    return maker.url if request.param == "file" else request.param


class OverSQLite:
    """A clock that stands still, and a database in memory or in a file."""

    @pytest.fixture(autouse=True)
    def _set_up(
        self, maker: Maker, url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # In memory, the threads take turns, and no call takes long.
        monkeypatch.setattr("sessionware.testing._SECONDS_TO_ANSWER", 0.02)
        self.maker, self.url, self.clock = maker, url, clock

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)


class TestStoreContract(OverSQLite, StoreContract):
    def make(self) -> Store:
        return self.maker.store(url=self.url)


class TestRevocationsContract(OverSQLite, RevocationsContract):
    def make(self) -> Revocations:
        return self.maker.revocations(url=self.url)


# Settings


def problems(make: Callable[..., object], *arguments: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        make(*arguments)
    return tuple(map(str, caught.value.problems))


@pytest.mark.parametrize("make", [SQLStore, SQLRevocations])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, f"found NoneType, {EXPECTED}"),
        ({}, f"found dict, {EXPECTED}"),
        ("", f"found a str that is no URL, {EXPECTED}"),
        (SECRET, f"found a str that is no URL, {EXPECTED}"),
        ("nosql://", "found a URL that SQLAlchemy has no driver for"),
        ("postgresql+none://", "found a URL that SQLAlchemy has no driver for"),
        ("postgresql+pg8000://", "found a URL whose driver is missing (No module named 'pg8000')"),
        ("sqlite+aiosqlite:///x", "found a URL whose driver is missing"),
    ],
)
def test_what_is_no_engine_and_no_url_is_refused(make: type[Made], given: Any, told: str) -> None:
    [problem] = problems(make, given)
    assert problem.startswith(f"{make.__name__}: engine_or_url: {told}")
    assert SECRET not in problem


def test_message_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    hide("sqlalchemy", "sessionware.sql", monkeypatch)
    with pytest.raises(ImportError, match=r"pip install 'sessionware\[sql\]'"):
        import_module("sessionware.sql")


def test_missing_driver_is_named_and_another_one_advised() -> None:
    [problem] = problems(SQLStore, "postgresql+pg8000://")
    assert problem.endswith("; install it, or name another driver, as in 'postgresql+psycopg://'")


class AsyncEngine:
    """What SQLAlchemy's class of this name has."""

    sync_engine = None


def test_asyncio_engine_is_refused() -> None:
    [problem] = problems(SQLStore, AsyncEngine())
    assert "found an asyncio engine, which WSGI cannot use, expected an Engine" in problem


def test_asyncio_driver_is_refused() -> None:
    engine = create_engine("sqlite:///x", poolclass=NullPool)
    engine.dialect.is_async = True
    [problem] = problems(SQLStore, engine)
    assert "found the asyncio driver pysqlite, which WSGI cannot use" in problem


def test_database_of_another_kind_is_refused() -> None:
    engine = create_engine("sqlite:///x", poolclass=NullPool)
    engine.dialect.name = "oracle"
    [problem] = problems(SQLStore, engine)
    assert "found oracle, expected one of sqlite, postgresql, mariadb, mysql" in problem


def test_mock_engine_is_refused() -> None:
    engine = create_mock_engine("sqlite://", lambda *_: None)
    assert problems(SQLStore, engine) == (
        f"SQLStore: engine_or_url: found MockConnection, {EXPECTED}",
    )


@pytest.mark.parametrize("settings", [{}, {"poolclass": StaticPool}])
def test_engine_in_memory_is_refused(settings: dict[str, Any]) -> None:
    """Each thread would have a database of its own, or all would share one transaction."""
    [problem] = problems(SQLStore, create_engine("sqlite://", **settings))
    assert "found an engine for SQLite in memory" in problem
    assert problem.endswith("; pass the URL 'sqlite://', or that of a file")


@pytest.mark.parametrize("make", [SQLStore, SQLRevocations])
@pytest.mark.parametrize("table", ["", None, b"sessions", "a.b", "a b", "1a", 'a"', "ä", "x" * 51])
def test_bad_table_is_refused(make: type[Made], table: Any) -> None:
    assert problems(make, "sqlite://", table) == (
        f"{make.__name__}: table: found {table!r}, expected at most 50 ASCII letters, digits and "
        "_, with no digit first",
    )


@pytest.mark.parametrize("limit", [0, -1, 1.0, True, None, "1"])
def test_bad_limit_is_refused(limit: Any) -> None:
    assert problems(SQLStore, "sqlite://", "sessions", limit) == (
        f"SQLStore: limit: found {limit!r}, expected a number of bytes, an int from 1",
    )


def test_all_problems_are_reported_at_once() -> None:
    told = problems(SQLStore, None, "", 0)
    assert [problem.split(":")[1] for problem in told] == [" engine_or_url", " table", " limit"]


def test_defaults(store: SQLStore, revocations: SQLRevocations) -> None:
    assert store.limit == 1024 * 1024
    assert [*store.metadata.tables, *revocations.metadata.tables] == ["sessions", "revocations"]
    assert isinstance(store, Store)
    assert isinstance(revocations, Revocations)


@pytest.mark.parametrize(
    "name", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"]
)
def test_all_threads_share_one_database_in_memory(maker: Maker, name: str) -> None:
    store = maker.store(url=name)
    store.create("k", "[]", seconds=9, owner=None)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(store.load("k")))
    thread.start()
    thread.join()
    assert found == [store.load("k")] != [None]


def test_url_object_is_accepted(maker: Maker) -> None:
    assert maker.store(url=make_url(maker.url)).load("k") is None


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("postgresql+psycopg://", {"connect_timeout": 5, "tcp_user_timeout": 5000}),
        ("postgresql+psycopg://h/d?connect_timeout=9", {"tcp_user_timeout": 5000}),
        ("mysql+pymysql://", {"connect_timeout": 5, "read_timeout": 5, "write_timeout": 5}),
    ],
)
def test_engine_of_a_url_has_time_outs(
    name: str, limits: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for those that the URL has itself."""
    require(make_url(name).get_driver_name())
    given: dict[str, Any] = {}

    def note(url: object, **settings: Any) -> Any:
        given.update(settings)
        return create_engine(make_url(name), **settings)

    monkeypatch.setattr("sessionware.sql.create_engine", note)
    SQLStore(name)
    assert (given["connect_args"], given["pool_timeout"]) == (limits, 5)


def test_connection_to_sqlite_is_waited_for_as_long(maker: Maker, url: str) -> None:
    pool: Any = maker.store(url=url).engine.pool
    assert pool.timeout() == 5


# The table


def test_sqlite_makes_its_table_by_itself_and_again(maker: Maker, store: SQLStore) -> None:
    assert store.load("k") is None
    with store.engine.begin() as connection:
        connection.execute(text("DROP TABLE sessions"))
    assert store.create("k", "[]", seconds=9, owner=None)


def test_table_has_an_index_on_owner_and_on_expiry(
    store: SQLStore, revocations: SQLRevocations
) -> None:
    for _ in range(2):
        store.create_table()
        revocations.create_table()
    found = inspect(store.engine)
    assert [index["column_names"] for index in found.get_indexes("sessions")] == [
        ["expires"],
        ["owner"],
    ]
    assert [index["column_names"] for index in found.get_indexes("revocations")] == [["expires"]]


def test_metadata_makes_the_same_table(maker: Maker, store: SQLStore) -> None:
    """So that Alembic can."""
    store.metadata.create_all(store.engine)
    store.create_table()
    assert store.create("k", "[]", seconds=9, owner=None)


def test_missing_index_is_added(store: SQLStore) -> None:
    store.create_table()
    with store.engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_sessions_owner"))
    store.create_table()
    assert len(inspect(store.engine).get_indexes("sessions")) == 2


def test_another_worker_may_create_the_table_at_the_same_moment(
    maker: Maker, store: SQLStore
) -> None:
    """After this one has looked for it, and before it creates it."""
    other = maker.store()
    acts = [other.create_table]

    @event.listens_for(store.engine, "before_cursor_execute")
    def meanwhile(*arguments: Any) -> None:
        if acts and "CREATE TABLE" in arguments[2]:
            acts.pop()()

    store.create_table()
    assert acts == []
    assert store.create("k", "[]", seconds=9, owner=None)


def test_another_thread_may_make_the_table_before_this_one(maker: Maker, store: SQLStore) -> None:
    """After a statement has found that there is none."""
    other = maker.store()
    acts = [other.create_table]

    @event.listens_for(store.engine, "handle_error")
    def meanwhile(_: object) -> None:
        acts.pop()()

    assert store.create("k", "[]", seconds=9, owner=None)
    assert acts == []


def test_two_tables_share_nothing(maker: Maker) -> None:
    one, other = maker.store(table="one"), maker.store(table="Other")
    one.create("k", "[]", seconds=9, owner=None)
    assert other.load("k") is None


def test_list_takes_no_session_of_a_store_for_one_that_has_ended(maker: Maker) -> None:
    """A list that has the table of the former store would log everyone out."""
    log_in(maker.store(table="both"), "k", "ann")
    revocations = maker.revocations(table="both")
    with pytest.raises(SessionUnavailable, match=r"a store in 'both'.* different tables"):
        revocations.check("k", "ann")
    with pytest.raises(SessionUnavailable):
        revocations.revoke("k", 9)


def test_file_has_a_write_ahead_log(maker: Maker, store: SQLStore) -> None:
    with store.engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 1


def test_engine_of_the_application_is_used_as_it_is(maker: Maker) -> None:
    engine = create_engine(maker.url)
    store = maker.store(url=engine)
    assert store.create("k", "[]", seconds=9, owner=None)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
        assert connection.in_transaction()
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "delete"
    assert not engine.hide_parameters
    assert store.engine is engine


def test_nothing_is_left_to_the_transaction_of_an_engine(maker: Maker) -> None:
    """Whatever its isolation level: each verb commits by itself."""
    engine = create_engine(maker.url, isolation_level="SERIALIZABLE")
    store, other = maker.store(url=engine), maker.store()
    store.create("k", "[]", seconds=9, owner=None)
    assert other.load("k") == store.load("k") is not None


# Time


def test_expired_rows_are_deleted_by_a_call(store: SQLStore, clock: Clock) -> None:
    for number in range(5):
        store.create(str(number), "[]", seconds=1 + number // 4, owner=None)
    clock.advance(1)
    assert rows_of(store) == 5
    assert [store.delete_expired(most=3), store.delete_expired(), store.delete_expired()] == [
        3,
        1,
        0,
    ]
    assert store.load("4") is not None
    assert store.delete_expired(most=0) == 0


def test_expired_rows_are_deleted_in_several_statements(
    store: SQLStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        store.create(str(number), "[]", seconds=1, owner=None)
    clock.advance(1)
    monkeypatch.setattr("sessionware.sql.MAX_ROWS_AT_ONCE", 2)
    assert [store.delete_expired(most=3), store.delete_expired(most=9)] == [3, 2]


def test_expired_rows_are_deleted_now_and_then_without_a_call(
    store: SQLStore, clock: Clock
) -> None:
    """By the first new row of a process, and by each hundredth from then on."""
    for number in range(SWEEP_EVERY):
        store.create(str(number), "[]", seconds=1, owner=None)
        clock.advance(1)
        assert rows_of(store) == number + 1
    store.create("more", "[]", seconds=1, owner=None)
    assert rows_of(store) == 1


def test_first_new_row_of_a_process_deletes_expired_ones(maker: Maker, clock: Clock) -> None:
    for made in (maker.store, maker.store):
        made().create("k", "[]", seconds=1, owner=None)
        made().create("other", "[]", seconds=1, owner=None)
        clock.advance(1)
    assert rows_of(maker.made[0]) == 2


def test_revocations_delete_expired_rows_too(revocations: SQLRevocations, clock: Clock) -> None:
    for number in range(SWEEP_EVERY):
        revocations.revoke(str(number), 1)
    revocations.revoke_owner("ann")
    clock.advance(1)
    assert rows_of(revocations) == SWEEP_EVERY + 1
    stamp = revocations.check("", "ann")
    assert revocations.delete_expired() == SWEEP_EVERY
    assert revocations.check("", "ann") == stamp != ""


def test_failed_deletion_of_expired_rows_does_no_harm(maker: Maker) -> None:
    class Failing(SQLStore):
        def delete_expired(self, most: int = 9) -> int:
            raise SessionUnavailable("it did not work")

    assert maker.store(Failing).create("k", "[]", seconds=1, owner=None)


def test_row_that_was_swept_meanwhile_is_no_key_in_use(maker: Maker, clock: Clock) -> None:
    """An expired row is in the way, and gone before this call can delete it."""
    store, other = maker.store(), maker.store()
    store.create("k", "[]", seconds=1, owner=None)
    clock.advance(1)

    @event.listens_for(store.engine, "before_cursor_execute")
    def meanwhile(*arguments: Any) -> None:
        if "DELETE" in arguments[2]:
            other.delete_expired()

    assert store.create("k", "[]", seconds=1, owner=None)


# Owners


def test_sessions_of_an_owner_are_listed_with_what_they_hold(store: SQLStore, clock: Clock) -> None:
    for number in range(3):
        log_in(store, str(number), "ann", data=f'{{"n":{number}}}', seconds=10 + number)
    log_in(store, "bob's", "bob")
    log_in(store, "brief", "ann", seconds=1)
    store.create("junk", "[]", seconds=9, owner="ann")
    clock.advance(1.5)
    assert store.sessions_of("ann") == [
        KeptSession(str(number), {"n": number}, 8 + number) for number in (2, 1, 0)
    ]
    assert [kept.key for kept in store.sessions_of("ann", most=1)] == ["2"]


def test_replaced_session_is_listed_under_its_present_owner(store: SQLStore) -> None:
    log_in(store, "k", "ann")
    kept = store.load("k")
    assert kept
    store.replace("k", session("bob"), version=kept.version, seconds=9, owner="bob")
    assert (store.sessions_of("ann"), len(store.sessions_of("bob"))) == ([], 1)


def test_one_session_is_ended_if_it_belongs_to_the_owner(store: SQLStore, clock: Clock) -> None:
    log_in(store, "k", "ann")
    log_in(store, "brief", "ann", seconds=1)
    store.create("nobody's", session(), seconds=9, owner=None)
    clock.advance(1)
    assert [store.end("bob", "k"), store.end("ann", "k"), store.end("ann", "k")] == [
        False,
        True,
        False,
    ]
    assert not store.end("ann", "brief")
    assert not store.end("None", "nobody's")


def test_log_out_everywhere_ends_all_of_the_owner_and_no_other(
    store: SQLStore, clock: Clock
) -> None:
    for key, owner in zip("abcd", ["ann", "ann", "bob", None], strict=True):
        store.create(key, session(owner), seconds=9, owner=owner)
    log_in(store, "brief", "ann", seconds=1)
    clock.advance(1)
    assert (store.revoke_owner("ann"), store.revoke_owner("ann")) == (2, 0)
    assert [store.load(key) is None for key in "abcd"] == [True, True, False, False]


def test_end_of_all_leaves_marks_and_stamps(
    store: SQLStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mark is a row whose text is a JSON string: the session of another cookie has ended."""
    monkeypatch.setattr("sessionware.sql.MAX_ROWS_AT_ONCE", 2)
    for number in range(5):
        owner = number or None
        store.create(str(number), session(owner), seconds=9, owner=owner)
    store.create("brief", session(), seconds=1, owner=None)
    store.create("mark", '"ended"', seconds=9, owner=None)
    clock.advance(1)
    assert (store.revoke_all(), store.revoke_all()) == (5, 0)
    assert store.load("0") is None
    kept = store.load("mark")
    assert kept
    assert kept.text == '"ended"'
    assert store.stamp("ann") != ""


def test_row_that_becomes_a_mark_outlives_the_end_of_all(store: SQLStore) -> None:
    store.create("k", session(), seconds=9, owner=None)
    kept = store.load("k")
    assert kept
    store.replace("k", '"ended"', version=kept.version, seconds=9, owner=None)
    assert store.revoke_all() == 0
    assert store.load("k") is not None


OWNERS: list[Owner] = [
    "ann",
    "",
    "None",
    "\ud800",
    "a:b",
    "\0",
    7,
    "7",
    -1,
    UUID(int=7),
    "x" * 9999,
]


@pytest.mark.parametrize("owner", OWNERS, ids=ascii)
def test_owner_is_a_str_an_int_or_a_uuid(
    store: SQLStore, revocations: SQLRevocations, owner: Owner
) -> None:
    for number, each in enumerate(OWNERS):
        log_in(store, str(number), each)
    assert [kept.key for kept in store.sessions_of(owner)] == [str(OWNERS.index(owner))]
    assert store.revoke_owner(owner) == 1
    revocations.revoke_owner(owner)
    for stamp in (store.stamp, lambda each: revocations.check("", each)):
        assert [each for each in OWNERS if stamp(each) != ""] == [owner]


@pytest.mark.parametrize("owner", [None, True, 1.5, b"ann", ["ann"], ()], ids=repr)
def test_what_cannot_be_an_owner_is_refused(
    store: SQLStore, revocations: SQLRevocations, owner: Any
) -> None:
    for ask in (
        store.sessions_of,
        store.revoke_owner,
        store.stamp,
        lambda owner: store.end(owner, "k"),
        revocations.revoke_owner,
    ):
        with pytest.raises(UnserializableValue, match=type(owner).__name__):
            ask(owner)


def test_stamp_is_another_with_each_end_of_all_sessions(store: SQLStore) -> None:
    stamps, end = [store.stamp("ann")], store.revoke_owner
    acts: list[Callable[[], object]] = [partial(end, "ann"), store.revoke_all, store.revoke_all]
    for act in acts + acts[:1] + acts[:2]:
        act()
        stamps.append(store.stamp("ann"))
    assert stamps[0] == ""
    assert len({*stamps}) == 7


def test_stamp_of_an_owner_changes_with_that_of_all_but_not_with_others(store: SQLStore) -> None:
    store.revoke_all()
    stamp = store.stamp("bob")
    store.revoke_owner("ann")
    assert store.stamp("bob") == stamp
    store.revoke_all()
    assert store.stamp("bob") != stamp


def test_end_of_an_owners_sessions_during_that_of_all_is_not_undone(
    store: SQLStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the order of their statements is."""
    store.revoke_all()
    stamps, run = [store.stamp("ann")], store._run

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(store, "_run", run)
        answer = run(*arguments, **options)
        stamps.append(store.stamp("ann"))
        store.revoke_owner("ann")
        return answer

    monkeypatch.setattr(store, "_run", meanwhile)
    store.revoke_all()
    assert store.stamp("ann") not in stamps


@pytest.mark.parametrize("kind", [SQLStore, SQLRevocations])
def test_engine_that_begins_by_itself_keeps_what_is_written(
    kind: type[SQLStore | SQLRevocations], tmp_path: Path
) -> None:
    """SQLAlchemy's recipe for SAVEPOINT and serializable transactions in SQLite."""
    engine = create_engine(f"sqlite:///{tmp_path / 'sessions.db'}")
    event.listen(engine, "connect", lambda it, _: setattr(it, "isolation_level", None))
    event.listen(engine, "begin", lambda it: it.exec_driver_sql("BEGIN"))
    its: Any = kind(engine)
    its.create_table()
    if kind is SQLStore:
        assert its.create("a" * 64, "text", seconds=9, owner=None)
        assert its.load("a" * 64).text == "text"
    else:
        assert its.revoke("a" * 64, 9)
        assert its.check("a" * 64, None) is None
    engine.dispose()


@pytest.mark.parametrize("key", ["", "\0", "\xe9", "\ud800", "stamp:", None])
def test_what_a_form_sends_in_place_of_a_key_ends_nothing(store: SQLStore, key: Any) -> None:
    assert store.end("ann", key) is False


@pytest.mark.parametrize("most", [0, -1])
def test_no_session_is_listed_if_none_is_asked_for(store: SQLStore, most: int) -> None:
    store.create("a" * 64, "[{},0]", seconds=9, owner="ann")
    assert store.sessions_of("ann", most) == []


@pytest.mark.parametrize("end", [lambda store: store.revoke_owner("ann"), SQLStore.revoke_all])
def test_stamp_changes_before_anything_is_deleted(
    maker: Maker, end: Callable[[SQLStore], int]
) -> None:
    """So a log-in that is under way, and read the stamp before, sees that it is another."""
    store, other = maker.store(), maker.store()
    log_in(store, "k", "ann")
    before = store.stamp("ann")
    seen = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def look(*arguments: Any) -> None:
        if "DELETE" in arguments[2] and other.load("k"):
            seen.append(other.stamp("ann"))

    assert end(store) == 1
    assert seen
    assert before not in seen[-1:]


def test_two_calls_may_renew_one_stamp(maker: Maker) -> None:
    """Where both find that there is none yet, the one that comes second changes nothing."""
    store, other = maker.store(), maker.store()
    acts = [lambda: other.revoke_owner("ann")]

    @event.listens_for(store.engine, "before_cursor_execute")
    def meanwhile(*arguments: Any) -> None:
        if acts and "INSERT" in arguments[2]:
            acts.pop()()

    store.revoke_owner("ann")
    assert (acts, rows_of(store)) == ([], 1)
    assert store.stamp("ann") == other.stamp("ann") != ""


def test_no_owner_stands_in_the_clear_beside_the_text(store: SQLStore) -> None:
    """Neither as a column nor in a key: a long or odd one is kept like any other."""
    store.create("k", "[]", seconds=9, owner=SECRET)
    store.revoke_owner(SECRET)
    store.create("k", "[]", seconds=9, owner=SECRET)
    with store.engine.connect() as connection:
        assert SECRET not in str(connection.execute(text("SELECT * FROM sessions")).all())


# Errors


def failing(made: Made, error: BaseException, times: int = 1000) -> list[str]:
    """Have the database fail so often. Return the statements that it was sent."""
    sent: list[str] = []

    @event.listens_for(made.engine, "do_execute")
    def fail(cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)
        if len(sent) <= times:
            raise error

    return sent


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda store, _: store.load(SECRET), "load a session in the table 'sessions'"),
        (
            lambda store, _: store.create(SECRET, SECRET, seconds=1, owner=SECRET),
            "save a session in the table 'sessions'",
        ),
        (
            lambda store, _: store.replace(SECRET, SECRET, version=SECRET, seconds=1, owner=SECRET),
            "save a session in the table 'sessions'",
        ),
        (
            lambda store, _: store.touch(SECRET, seconds=1, owner=SECRET),
            "save a session in the table 'sessions'",
        ),
        (lambda store, _: store.delete(SECRET), "end a session in the table 'sessions'"),
        (lambda store, _: store.end(SECRET, "k"), "end a session in the table 'sessions'"),
        (lambda store, _: store.sessions_of(SECRET), "list an owner's sessions in the table"),
        (lambda store, _: store.stamp(SECRET), "check an owner in the table 'sessions'"),
        (lambda store, _: store.revoke_owner(SECRET), "end an owner's sessions in the table"),
        (lambda store, _: store.revoke_all(), "end all sessions in the table 'sessions'"),
        (lambda store, _: store.delete_expired(), "delete what has expired in the table"),
        (
            lambda _, ended: ended.check(SECRET, SECRET),
            "check a session in the table 'revocations'",
        ),
        (lambda _, ended: ended.revoke(SECRET, 9), "end a session in the table 'revocations'"),
        (lambda _, ended: ended.revoke_owner(SECRET), "end an owner's sessions in the table"),
        (lambda _, ended: ended.revoke_all(), "end all sessions in the table 'revocations'"),
    ],
)
@pytest.mark.parametrize("own", [False, True])
def test_error_says_what_failed_and_what_the_database_says_and_shows_no_data(
    maker: Maker,
    ask: Callable[[SQLStore, SQLRevocations], object],
    what: str,
    own: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = create_engine(maker.url) if own else maker.url
    store, revocations = maker.store(url=url), maker.revocations(url=url)
    store.create_table()
    revocations.create_table()
    for made in (store, revocations):
        failing(made, sqlite3.OperationalError("attempt to write a readonly database\nand more"))
    with caplog.at_level(logging.DEBUG), pytest.raises(SessionUnavailable) as caught:
        ask(store, revocations)
    told = str(caught.value)
    assert what in told
    assert told.endswith("; the database says: attempt to write a readonly database.")
    assert isinstance(caught.value.__cause__, exc.OperationalError)
    assert SECRET not in f"{told} {caught.value.__cause__} {caplog.text}"


def test_log_of_statements_shows_no_data(maker: Maker, caplog: pytest.LogCaptureFixture) -> None:
    """Even where the application's engine logs parameters."""
    store = maker.store(url=create_engine(maker.url, echo=True))
    with caplog.at_level(logging.INFO):
        store.create(SECRET, SECRET, seconds=9, owner=None)
    assert "INSERT INTO sessions" in caplog.text
    assert SECRET not in caplog.text


def test_missing_folder_is_said(maker: Maker, tmp_path: Path) -> None:
    store = maker.store(url=f"sqlite:///{tmp_path}/missing/sessions.db")
    asked: list[Callable[[], object]] = [partial(store.load, "k"), store.create_table]
    for ask in asked:
        with pytest.raises(SessionUnavailable) as caught:
            ask()
        assert str(caught.value).endswith(
            "the database says: unable to open database file. Check that the file's directory "
            "exists, and that both may be written to."
        )


def test_missing_table_that_cannot_be_made_is_said(maker: Maker) -> None:
    class Helpless(SQLStore):
        def create_table(self) -> None:
            pass

    with pytest.raises(SessionUnavailable) as caught:
        maker.store(Helpless).load("k")
    assert str(caught.value) == (
        "Could not load a session in the table 'sessions'; the database says: no such table: "
        "sessions. The table does not exist: call create_table() of the Helpless once, when the "
        "application is deployed."
    )


def test_table_of_another_application_is_an_error_that_names_the_column(maker: Maker) -> None:
    store = maker.store()
    with store.engine.begin() as connection:
        connection.execute(text("CREATE TABLE sessions (id INTEGER)"))
    asked: list[Callable[[], object]] = [partial(store.load, "k"), store.create_table]
    for ask in asked:
        with pytest.raises(SessionUnavailable, match=r"no such column|no column named"):
            ask()


def test_broken_connection_is_unreachable(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    store = maker.store()
    store.create_table()
    monkeypatch.setattr(store.engine.dialect, "name", "postgresql")
    failing(store, sqlite3.ProgrammingError("Cannot operate on a closed database."))
    with pytest.raises(SessionUnavailable, match="Check that the database is up and reachable"):
        store.touch("k", seconds=9, owner=None)


@pytest.mark.parametrize("words", [(), ("",), ({"D": SECRET},)])
def test_error_without_a_word_is_named_by_its_type(
    maker: Maker, words: tuple[dict[str, str], ...]
) -> None:
    """Or one with a dict, of a driver that we do not know."""
    store = maker.store()
    store.create_table()
    failing(store, sqlite3.InterfaceError(*words))
    with pytest.raises(SessionUnavailable, match=r"the database says: InterfaceError\.$"):
        store.load("k")


def test_error_that_is_not_the_database_s_is_named_by_its_type(maker: Maker) -> None:
    store = maker.store()
    store.create_table()
    failing(store, OSError(SECRET))
    with pytest.raises(SessionUnavailable) as caught:
        store.load("k")
    assert str(caught.value) == (
        "Could not load a session in the table 'sessions'; SQLAlchemy raised OSError."
    )
    assert isinstance(caught.value.__cause__, OSError)


def test_pool_without_a_free_connection_is_said(maker: Maker) -> None:
    url = create_engine(maker.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    store = maker.store(url=url)
    with url.connect(), pytest.raises(SessionUnavailable, match=r"no connection was free .*size 1"):
        store.load("k")


# Once more


class Refused(sqlite3.OperationalError):
    """As PostgreSQL's driver says it."""

    sqlstate = "40P01"


@pytest.mark.parametrize(
    "error", [Refused("deadlock detected"), sqlite3.OperationalError(1213, "Deadlock found")]
)
def test_statement_that_was_refused_in_favour_of_another_is_sent_again(
    maker: Maker, error: Exception
) -> None:
    store = maker.store()
    store.create_table()
    sent = failing(store, error, times=MAX_TRIES - 1)
    assert not store.touch("k", seconds=9, owner=None)
    assert len(sent) == MAX_TRIES


def test_statement_is_not_sent_for_ever(maker: Maker) -> None:
    store = maker.store()
    store.create_table()
    sent = failing(store, sqlite3.OperationalError(1213, "Deadlock found"))
    with pytest.raises(SessionUnavailable, match="the database says: Deadlock found"):
        store.touch("k", seconds=9, owner=None)
    assert len([each for each in sent if "UPDATE" in each]) == MAX_TRIES


def test_reading_is_sent_again_over_a_new_connection(maker: Maker) -> None:
    """Because the server may have hung up long ago. Of a writing, nobody knows if it was done."""
    store = maker.store()
    store.create("k", "[]", seconds=9, owner=None)
    broken = sqlite3.ProgrammingError("Cannot operate on a closed database.")
    failing(store, broken, times=1)
    assert store.load("k") is not None
    failing(store, broken, times=1)
    with pytest.raises(SessionUnavailable):
        store.touch("k", seconds=9, owner=None)
    assert store.touch("k", seconds=9, owner=None)


def test_connection_that_rested_is_checked_before_it_is_used(
    maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a writing does not meet a server which has hung up meanwhile."""
    engine, now, pings, opened = create_engine(maker.url), [0], [0], [0]
    event.listen(engine, "checkin", _note_when_to_ping)
    event.listen(engine, "checkout", partial(_ping, engine))
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    store = maker.store(url=engine)
    store.create_table()

    def ping(connection: sqlite3.Connection) -> None:
        pings[0] += 1
        if now[0] > 3 * MAX_IDLE:
            raise sqlite3.ProgrammingError("Cannot operate on a closed database.")

    @event.listens_for(engine, "connect")
    def count(*_: object) -> None:
        opened[0] += 1

    monkeypatch.setattr(engine.dialect, "do_ping", ping)
    for seconds, expected in ((MAX_IDLE, (0, 0)), (MAX_IDLE + 1, (1, 0)), (3 * MAX_IDLE, (2, 1))):
        now[0] += seconds
        assert not store.touch("k", seconds=9, owner=None)
        assert (pings[0], opened[0]) == expected


def test_connection_that_broke_before_it_was_sent_anything_is_replaced(
    maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLAlchemy sets up each connection of an application's engine, and does not wrap errors."""
    engine = create_engine(maker.url)
    store = maker.store(url=engine)
    store.create("k", "[]", seconds=9, owner=None)
    set_up, failures = engine.dialect.set_isolation_level, [1]

    def fail(*arguments: Any) -> None:
        if failures:
            raise sqlite3.OperationalError(failures.pop(), "Lost connection")
        set_up(*arguments)

    monkeypatch.setattr(engine.dialect, "set_isolation_level", fail)
    assert store.touch("k", seconds=9, owner=None)
    failures = [*range(100)]
    with pytest.raises(SessionUnavailable, match="Lost connection") as caught:
        store.touch("k", seconds=9, owner=None)
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    told = str(caught.value)
    del caught
    gc.collect()  # The error held the connection.
    assert "Check that the file's directory exists" in told


def test_duplicate_key_of_mariadb_is_a_key_in_use(store: SQLStore) -> None:
    store.create_table()

    @event.listens_for(store.engine, "do_execute")
    def fail(cursor: object, statement: str, *_: object) -> None:
        if "INSERT" in statement:
            raise sqlite3.IntegrityError(1062, "Duplicate entry 'k' for key 'PRIMARY'")

    assert not store.create("k", "[]", seconds=9, owner=None)


# Forks


def test_connections_are_left_to_the_parent_and_not_closed(
    maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a child does first. A database in memory is copied, and stays."""
    store, in_memory = maker.store(), maker.store(url="sqlite://")
    for each in (store, in_memory):
        each.create("k", "[]", seconds=9, owner=None)
    pool = store.engine.pool
    kept: list[object] = []
    monkeypatch.setattr("sessionware.sql._POOLS_OF_THE_PARENT", kept)
    ours = [each for each in _ENGINES if each in (store.engine, in_memory.engine)]
    monkeypatch.setattr("sessionware.sql._ENGINES", ours)
    _leave_connections_to_the_parent()
    assert kept == [pool]
    assert store.engine.pool is not pool
    assert [each.load("k") is None for each in (store, in_memory)] == [False, False]
    with closing(pool.connect()) as connection:
        assert connection.cursor().execute("SELECT 1").fetchone() == (1,)
    pool.dispose()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("own", [False, True])
def test_child_opens_connections_of_its_own(maker: Maker, own: bool) -> None:
    store = maker.store(url=create_engine(maker.url) if own else maker.url)
    store.create("k", "[]", seconds=9, owner=None)
    pool = store.engine.pool
    child = os.fork()
    if child == 0:  # pragma: no cover  # not measured
        works = store.load("k") is not None and store.engine.pool is not pool
        os._exit(0 if works else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert store.engine.pool is pool
    assert store.load("k") is not None
