"""Sessions and revocations kept in SQLite, PostgreSQL, MariaDB or MySQL.

    pip install 'sessionware[sql]'

Each verb is one statement, which checks and writes in one step and commits by itself. Where it
takes more of them, those before the last do no harm alone. So nothing is ever half done.
"""

import itertools
import math
import os
import re
import secrets
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any
from weakref import WeakSet

try:
    from sqlalchemy import (
        URL,
        Column,
        ColumnElement,
        Double,
        Engine,
        Executable,
        Index,
        MetaData,
        Pool,
        QueuePool,
        SingletonThreadPool,
        StaticPool,
        String,
        Table,
        Text,
        bindparam,
        create_engine,
        delete,
        event,
        exc,
        insert,
        make_url,
        or_,
        select,
        update,
    )
    from sqlalchemy.dialects import mysql, postgresql, sqlite
    from sqlalchemy.types import TypeEngine
except ImportError:
    raise ImportError("sessionware.sql needs SQLAlchemy: pip install 'sessionware[sql]'") from None

from .envelope import unwrap
from .errors import (
    ConfigurationError,
    CookieRejected,
    Problem,
    SessionUnavailable,
    collecting,
    kind_of,
)
from .session import Owner, hash_of_owner
from .store import Kept, KeptSession, is_key

SWEEP_EVERY = 100
"""Rows that a process adds between two deletions of expired ones. The first row begins with one."""

MAX_ROWS_AT_ONCE = 1000
"""Rows that one statement deletes where there may be many, so that no other waits long for it."""

MAX_TRIES = 5
"""How often a statement is sent if the database refuses it in favour of another (a deadlock)."""

MAX_WAIT = 5
"""Seconds that an engine made from a URL waits for a connection, and for the database to answer."""

MAX_IDLE = 10
"""Seconds after which such an engine checks a connection before it is used again."""

_SESSION, _MARK, _STAMP = "session", "mark", "stamp"
_STAMP_OF_ALL = "stamp:"

_REFUSED_FOR_ANOTHER = {"40001", "40P01", 1020, 1213}
"""A serialization failure or a deadlock, in PostgreSQL and in MariaDB."""

_MISSING_TABLE = {"42P01", 1146}
_DUPLICATE_KEY = 1062

_DRIVER_OPTIONS: Mapping[str, Mapping[str, int]] = {
    "psycopg": {"connect_timeout": MAX_WAIT, "tcp_user_timeout": 1000 * MAX_WAIT},
    "psycopg2": {"connect_timeout": MAX_WAIT, "tcp_user_timeout": 1000 * MAX_WAIT},
    "pymysql": dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), MAX_WAIT),
    "mysqldb": dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), MAX_WAIT),
}

_INSERTS: Mapping[str, Callable[[Table], Any]] = {
    "sqlite": lambda table: sqlite.insert(table).on_conflict_do_nothing(),
    "postgresql": lambda table: postgresql.insert(table).on_conflict_do_nothing(),
    # Not INSERT IGNORE, which would change a text that does not fit instead of refusing it.
    "mariadb": insert,
    "mysql": insert,
}
"""How a row is added only if its key is not in use, in each kind of database."""


class _InDatabase:
    """What both classes share: an engine, a table, stamps, and one error for all that goes wrong.

    A row that never expires is a stamp. Every other row is as good as gone once it has expired.
    """

    def __init__(
        self,
        engine_or_url: Engine | URL | str,
        table: str,
        columns: Sequence[Column[Any]],
        problems: Sequence[Problem],
    ) -> None:
        found: list[Problem] = []
        with collecting(found):
            self.engine: Engine = _engine_of(engine_or_url)
        if not isinstance(table, str) or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,49}", table):
            told = "expected at most 50 ASCII letters, digits and _, with no digit first"
            found.append(Problem("table", f"found {table!r}, {told}"))
        found.extend(problems)
        if found:
            kind = type(self).__name__
            raise ConfigurationError(
                problem._replace(setting=f"{kind}: {problem.setting}") for problem in found
            )
        # Its statements commit by themselves, and neither log nor error shows what they are given.
        self._quietly = self.engine
        if not isinstance(engine_or_url, str | URL):
            self._quietly = self.engine.execution_options(isolation_level="AUTOCOMMIT")
            self._quietly.hide_parameters = True
        self.metadata: MetaData = MetaData()
        self._table = Table(
            table,
            self.metadata,
            Column("key", _ascii(80), primary_key=True),
            Column("text", _long_text(), nullable=False),
            Column("expires", Double, index=True),
            *columns,
            mysql_engine="InnoDB",
            mariadb_engine="InnoDB",
        )
        self._added = itertools.count()
        # Made once, because SQLAlchemy takes longer to make a statement than to send it.
        c = self._c = self._table.c
        now = bindparam("now", callable_=lambda: time.time(), type_=Double)
        self._living, self._expired = c.expires > now, c.expires <= now
        add = _INSERTS[self.engine.dialect.name](self._table)
        self._add_row: Executable = add.execution_options(preserve_rowcount=True)
        either = c.key.in_([bindparam("first"), bindparam("second"), _STAMP_OF_ALL])
        valid = or_(self._living, c.expires.is_(None))
        self._find_texts = select(c.key, c.text).where(either, valid)

    def create_table(self) -> None:
        """Create the table and its indexes, each if it is missing.

        Call it once, when the application is deployed, or in each worker: several may call it at
        the same moment. SQLite needs no call. Alembic finds the same in ``metadata``.
        """
        indexes = sorted(self._table.indexes, key=lambda index: str(index.name))
        parts: list[Table | Index] = [self._table, *indexes]
        tries = 1
        while True:
            try:
                with self._quietly.connect() as connection:
                    for part in parts:
                        part.create(connection, checkfirst=True)
                    connection.commit()
                return
            except Exception as error:
                # Another worker may have created it between our look and our attempt.
                if tries == MAX_TRIES or not isinstance(error, exc.DBAPIError):
                    raise self._unavailable("create the table", error) from error
            tries += 1

    def delete_expired(self, most: int = MAX_ROWS_AT_ONCE) -> int:
        """Delete up to ``most`` rows that have expired, and return how many were deleted.

        They only take up space. Each process does this by itself with every hundredth new row, so
        a call is needed only where many sessions expire and few begin.
        """
        what, deleted = "delete what has expired", 0
        while deleted < most:
            room = min(most - deleted, MAX_ROWS_AT_ONCE)
            keys = self._keys(what, self._expired, order=self._c.expires, most=room)
            if not keys:
                break
            deleted += self._delete_rows(what, self._c.key.in_(keys), self._expired)
        return deleted

    def _add(self, what: str, **values: Any) -> bool:
        """Add a row, unless the key is in use."""
        if next(self._added) % SWEEP_EVERY == 0:
            with suppress(SessionUnavailable):  # The new row is more important than the space.
                self.delete_expired()
        if self._add_if_absent(what, values):
            return True
        # A row that has expired may be in the way. Nothing brings it back after it is deleted.
        self._delete_rows(what, self._c.key == values["key"], self._expired)
        return self._add_if_absent(what, values)

    def _add_if_absent(self, what: str, values: Mapping[str, Any]) -> bool:
        try:
            return self._count(what, self._add_row, **values) > 0
        except SessionUnavailable as error:
            if _DUPLICATE_KEY in self._codes(error.__cause__):
                return False
            raise

    def _delete_rows(self, what: str, *conditions: ColumnElement[bool]) -> int:
        return self._count(what, delete(self._table).where(*conditions))

    def _keys(
        self, what: str, *conditions: ColumnElement[bool], order: ColumnElement[Any], most: int
    ) -> list[str]:
        found = select(self._c.key).where(*conditions).order_by(order).limit(most)
        return [row.key for row in self._rows(what, found)]

    # Stamps: that of an owner, and that of all.

    def _texts(self, what: str, first: str, second: str) -> dict[str, str]:
        """Return what is under these two keys, and the stamp of all, as of one moment."""
        rows = self._rows(what, self._find_texts, first=first, second=second)
        return {row.key: row.text for row in rows}

    def _renew(self, what: str, key: str) -> None:
        renewed = update(self._table).where(self._c.key == key).values(text=_token())
        # If it cannot be added, another call has renewed it since.
        if not self._count(what, renewed):
            self._add(what, key=key, text=_token())

    # One statement

    def _rows(self, what: str, statement: Executable, **values: Any) -> Sequence[Any]:
        return self._run(what, statement, values)[0]

    def _count(self, what: str, statement: Executable, **values: Any) -> int:
        return self._run(what, statement, values)[1]

    def _run(
        self, what: str, statement: Executable, values: Mapping[str, Any]
    ) -> tuple[Sequence[Any], int]:
        """Return the rows, and how many rows were written."""
        tries, end = 1, time.monotonic() + MAX_WAIT
        while True:
            try:
                with self._quietly.connect() as connection:
                    result = connection.execute(statement, values)
                    answer = (result.all() if result.returns_rows else ()), result.rowcount
                    if self._is_sqlite:  # An engine may be set up to begin by itself.
                        connection.commit()
                    return answer
            except Exception as error:
                is_over = tries == MAX_TRIES or time.monotonic() > end
                if is_over or not self._may_try_again(error, statement):
                    raise self._unavailable(what, error) from error
            tries += 1

    @property
    def _is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    # Errors

    def _may_try_again(self, error: Exception, statement: Executable) -> bool:
        if self._is_sqlite and self._misses_table(error):
            self.create_table()
            return True
        if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
            # The server has hung up, perhaps long ago. If it was to write, it may have done so.
            return statement.is_select
        if not isinstance(error, exc.SQLAlchemyError) and self._original(error) is not None:
            return True  # It hung up as well, and was not sent the statement.
        return not _REFUSED_FOR_ANOTHER.isdisjoint(self._codes(error))

    def _unavailable(self, what: str, error: Exception) -> SessionUnavailable:
        parts = [f"Could not {what} in the table {self._table.name!r}; {self._said(error)}."]
        if self._misses_table(error):
            kind = type(self).__name__
            parts.append(
                f"The table does not exist: call create_table() of the {kind} once, when the "
                "application is deployed."
            )
        elif self._is_unreachable(error):
            parts.append(
                "Check that the file's directory exists, and that both may be written to."
                if self._is_sqlite
                else "Check that the database is up and reachable."
            )
        return SessionUnavailable(" ".join(parts))

    def _said(self, error: Exception) -> str:
        """Return what the database says, without what it was sent."""
        original = self._original(error)
        if original is not None:
            told = original.args[-1] if original.args else None
            lines = told.splitlines() if isinstance(told, str) else []
            return f"the database says: {[*lines, type(original).__qualname__][0]}"
        if isinstance(error, exc.TimeoutError):
            return f"no connection was free ({error.args[0]})"
        return f"SQLAlchemy raised {type(error).__qualname__}"

    def _is_unreachable(self, error: Exception) -> bool:
        """Return whether there was no connection, or whether it broke."""
        if isinstance(error, exc.DBAPIError):
            return error.statement is None or error.connection_invalidated
        return self._original(error) is not None

    def _misses_table(self, error: Exception) -> bool:
        codes = self._codes(error)
        return not _MISSING_TABLE.isdisjoint(codes) or "no such table" in str(codes[-1])

    def _codes(self, error: BaseException | None) -> list[object]:
        """Return PostgreSQL's SQLSTATE, MariaDB's number, and SQLite's text, as far as given."""
        original = self._original(error)
        names = ("sqlstate", "pgcode")
        first = original.args[0] if original is not None and original.args else None
        number_or_text = first if isinstance(first, int | str) else None
        return [*(getattr(original, name, None) for name in names), number_or_text]

    def _original(self, error: BaseException | None) -> BaseException | None:
        """Return the driver's error, which SQLAlchemy wraps but where it sets up a connection."""
        if isinstance(error, exc.DBAPIError):
            return error.orig
        return error if isinstance(error, self.engine.dialect.loaded_dbapi.Error) else None


class SQLStore(_InDatabase):
    """Sessions in a table of SQLite, PostgreSQL, MariaDB or MySQL, for ``store=``.

    ``engine_or_url`` is SQLAlchemy's. From a URL such as ``"sqlite:///sessions.db"``, an engine is
    made that waits a few seconds at most (but psycopg2 waits for a frozen server for ever); for
    SQLite, it uses a write-ahead log. An engine of the application's is used as it is, with its
    time-outs and its pool. ``engine.dispose()`` closes its connections. It may be made before a
    fork: the child opens connections of its own.

    Each session is JSON text of at most ``limit`` bytes, under its hashed id. The clocks of the
    servers that use one database should agree within a minute. Raises ConfigurationError with
    every problem, and SessionUnavailable if the database does not do as it is told.
    """

    def __init__(
        self,
        engine_or_url: Engine | URL | str,
        table: str = "sessions",
        limit: int = 1024 * 1024,
    ) -> None:
        problems = []
        if type(limit) is not int or limit < 1:
            problems.append(
                Problem("limit", f"found {limit!r}, expected a number of bytes, an int from 1")
            )
        columns = [
            # A mark is the text of an ended session, a JSON string. revoke_all leaves it alone.
            Column("kind", _ascii(7), nullable=False, default=_STAMP),
            Column("owner", _ascii(64), index=True),
            Column("version", _ascii(12)),
        ]
        super().__init__(engine_or_url, table, columns, problems)
        self.limit = limit
        c = self._c
        its = (c.key == bindparam("its_key"), self._living)
        self._load_row = select(c.text, c.version).where(*its)
        self._touch_row = update(self._table).where(*its)
        self._replace_row = self._touch_row.where(c.version == bindparam("its_version"))
        self._delete_row = delete(self._table).where(*its)

    def load(self, key: str, /) -> Kept | None:
        """Return the text and its version, or ``None`` if the key is absent."""
        rows = self._rows("load a session", self._load_row, its_key=key)
        return Kept(*rows[0]) if rows else None

    def create(self, key: str, text: str, /, *, seconds: int, owner: Owner | None) -> bool:
        """Write the text if the key is absent, and return whether it was."""
        return self._add("save a session", key=key, **_values(text, seconds, owner))

    def replace(
        self, key: str, text: str, /, *, version: str, seconds: int, owner: Owner | None
    ) -> bool:
        """Write the text if the present version is the one given, and return whether it was."""
        its = {"its_key": key, "its_version": version}
        values = _values(text, seconds, owner)
        return self._count("save a session", self._replace_row, **its, **values) > 0

    def touch(self, key: str, /, *, seconds: int, owner: Owner | None) -> bool:  # noqa: ARG002
        """Keep the session for ``seconds`` from now on. Return ``False`` if the key is absent."""
        expires = time.time() + seconds
        return self._count("save a session", self._touch_row, its_key=key, expires=expires) > 0

    def delete(self, key: str, /) -> bool:
        """End one session, such as one of ``sessions_of``. Return whether there was one."""
        return self._count("end a session", self._delete_row, its_key=key) > 0

    def sessions_of(self, owner: Owner, most: int = 100) -> list[KeptSession]:
        """Return up to ``most`` sessions of the owner, those with the most time left first."""
        c, now = self._c, time.time()
        found = (
            select(c.key, c.text, c.expires)
            .where(c.owner == hash_of_owner(owner), self._living)
            .order_by(c.expires.desc())
            .limit(max(0, most))
        )
        listed = []
        for key, text, expires in self._rows("list an owner's sessions", found):
            with suppress(CookieRejected):  # The text may be another application's.
                listed.append(KeptSession(key, unwrap(text).data or {}, int(expires - now)))
        return listed

    def end(self, owner: Owner, key: str) -> bool:
        """End one session if it belongs to the owner. Return whether there was one."""
        its = (self._c.key == key, self._c.owner == hash_of_owner(owner), self._living)
        return is_key(key) and self._delete_rows("end a session", *its) > 0

    def stamp(self, owner: Owner, /) -> str:
        """Return the owner's stamp: a text that changes with ``revoke_owner`` and ``revoke_all``.

        It is ``""`` at first.
        """
        own = _stamp_of(owner)
        return _joined(self._texts("check an owner", own, own), own)

    def revoke_owner(self, owner: Owner) -> int:
        """End all sessions of the owner, and return how many there were."""
        what = "end an owner's sessions"
        # First, so that a session which is created meanwhile finds that its stamp is old.
        self._renew(what, _stamp_of(owner))
        return self._delete_rows(what, self._c.owner == hash_of_owner(owner), self._living)

    def revoke_all(self) -> int:
        """End every session there is, and return how many there were.

        One that is bound to a device counts twice, with the key of the device. One without an owner
        that gets another key meanwhile may go on: call this twice. What tells that a session has
        ended stays, as do the stamps.
        """
        what, ended, last, session = "end all sessions", 0, "", self._c.kind == _SESSION
        self._renew(what, _STAMP_OF_ALL)
        # Through the keys in their order, so that it ends even if sessions begin all the time.
        while keys := self._keys(
            what, session, self._c.key > last, order=self._c.key, most=MAX_ROWS_AT_ONCE
        ):
            ended += self._delete_rows(what, session, self._c.key.in_(keys), self._living)
            last = keys[-1]
        return ended


class SQLRevocations(_InDatabase):
    """The list of ended sessions in a table of a database, for ``revocations=``.

    An ended session is a row that expires. An owner whose sessions were all ended is a row that
    does not, so that this holds whatever the timeouts are. All else is as it is for SQLStore.
    """

    def __init__(self, engine_or_url: Engine | URL | str, table: str = "revocations") -> None:
        super().__init__(engine_or_url, table, [], [])

    def revoke(self, key: str, seconds: int, /) -> bool:
        """Refuse the key for ``seconds``. Return ``False`` if it is refused already."""
        return self._add("end a session", key=key, text="", expires=time.time() + seconds)

    def check(self, key: str, owner: Owner | None, /) -> str | None:
        """Return ``None`` if the key is refused, or else the owner's stamp.

        For the owner ``None``, this is the stamp that ``revoke_all`` changes.
        """
        own = _STAMP_OF_ALL if owner is None else _stamp_of(owner)
        texts = self._texts("check a session", key, own)
        if texts.get(key):
            raise SessionUnavailable(
                f"Found a session of a store in {self._table.name!r}, expected those that have "
                "ended: give the store and the list of revocations different tables"
            )
        return None if key in texts else _joined(texts, own)

    def revoke_owner(self, owner: Owner) -> None:
        """End all present sessions of the owner: log out everywhere."""
        self._renew("end an owner's sessions", _stamp_of(owner))

    def revoke_all(self) -> None:
        """End every session that began before, with or without an owner."""
        self._renew("end all sessions", _STAMP_OF_ALL)


def _values(text: str, seconds: int, owner: Owner | None) -> dict[str, Any]:
    return {
        "text": text,
        "kind": _MARK if text.startswith('"') else _SESSION,
        "owner": None if owner is None else hash_of_owner(owner),
        "version": _token(),
        "expires": time.time() + seconds,
    }


def _token() -> str:
    return secrets.token_urlsafe(9)


def _stamp_of(owner: Owner) -> str:
    return _STAMP_OF_ALL + hash_of_owner(owner)


def _joined(texts: Mapping[str, str], own: str) -> str:
    """Return the owner's stamp, which is its own and that of all."""
    return ".".join(texts[key] for key in dict.fromkeys((own, _STAMP_OF_ALL)) if key in texts)


# The engine


def _engine_of(given: object) -> Engine:
    """Return the engine, or one that is made from the URL. Raises ConfigurationError."""
    expected = "expected an Engine, or a URL such as 'sqlite:///sessions.db'"
    if isinstance(given, str | URL):
        try:
            engine = _made_of(make_url(given))
        except ImportError as error:
            told = f"found a URL whose driver is missing ({error})"
            raise _wrong(told, f"install it, or {_OTHER_DRIVER}") from None
        except exc.NoSuchModuleError as error:
            raise _wrong(f"found a URL that SQLAlchemy has no driver for ({error})") from None
        except (exc.ArgumentError, ValueError):
            raise _wrong(f"found a {kind_of(given)} that is no URL, {expected}") from None
    elif isinstance(given, Engine):
        engine = given
    elif hasattr(given, "sync_engine"):
        raise _wrong(f"found an asyncio engine, which WSGI cannot use, {expected}")
    else:
        raise _wrong(f"found {kind_of(given)}, {expected}")
    _check(engine)
    if not _is_in_memory(engine.url):
        _ENGINES.add(engine)
    return engine


_OTHER_DRIVER = "name another driver, as in 'postgresql+psycopg://'"


def _check(engine: Engine) -> None:
    name = engine.dialect.name
    if name not in _INSERTS:
        raise _wrong(f"found {name}, expected one of {', '.join(_INSERTS)}")
    if engine.dialect.is_async:
        told = f"found the asyncio driver {engine.dialect.driver}, which WSGI cannot use"
        raise _wrong(told, _OTHER_DRIVER)
    if name == "sqlite" and isinstance(engine.pool, SingletonThreadPool | StaticPool):
        told = "found an engine for SQLite in memory, whose connections threads share or lack"
        raise _wrong(told, "pass the URL 'sqlite://', or that of a file")


def _wrong(text: str, advice: str = "") -> ConfigurationError:
    return ConfigurationError([Problem("engine_or_url", text, advice)])


def _made_of(url: URL) -> Engine:
    """Return an engine that fails within seconds if the database does not answer."""
    if _is_in_memory(url):
        # One connection for all threads, which take turns.
        taking_turns: dict[str, Any] = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0}
        threads: dict[str, Any] = {"connect_args": {"check_same_thread": False}}
        return create_engine(url, pool_timeout=MAX_WAIT, **threads, **taking_turns, **_QUIETLY)
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, pool_timeout=MAX_WAIT, **_QUIETLY)
        event.listen(engine, "connect", _set_up_file)
        event.listen(engine, "checkout", _check_file)
        return engine
    driver = url.get_dialect().driver
    options = _DRIVER_OPTIONS.get(driver, {})
    options = {name: options[name] for name in options if name not in url.query}
    engine = create_engine(url, pool_timeout=MAX_WAIT, connect_args=options, **_QUIETLY)
    if driver == "psycopg":
        event.listen(engine, "do_connect", _connect_impatiently)
    event.listen(engine, "checkin", _note_when_to_ping)
    event.listen(engine, "checkout", partial(_ping, engine))
    return engine


def _note_when_to_ping(_: object, record: Any) -> None:
    record.info["ping_after"] = time.monotonic() + MAX_IDLE


def _ping(engine: Engine, connection: Any, record: Any, _: object) -> None:
    """Find out whether the server has hung up on a connection that was not used for a while."""
    if time.monotonic() > record.info.get("ping_after", math.inf):
        try:
            engine.dialect.do_ping(connection)
        except Exception as error:
            raise exc.DisconnectionError from error  # The pool opens another one.


def _connect_impatiently(dialect: Any, _: object, arguments: Any, options: Any) -> Any:
    return _impatient(dialect.loaded_dbapi).connect(*arguments, **options)


@cache
def _impatient(psycopg: Any) -> Any:
    """Return psycopg's class of connections, but it hangs up on a server that is silent.

    libpq has no such time-out: of a server that is frozen, the system still acknowledges what is
    sent, so that tcp_user_timeout and keepalives see nothing wrong.
    """

    class Impatient(psycopg.Connection):  # type: ignore[misc]
        def wait(self, generator: Any, *arguments: Any, **options: Any) -> Any:
            return super().wait(self._within_seconds(generator), *arguments, **options)

        def _within_seconds(self, generator: Any) -> Generator[Any, Any, Any]:
            """Pass on what psycopg waits for, and what has come: nothing, ten times a second."""
            end, ready = time.monotonic() + MAX_WAIT, None
            while True:
                try:
                    ready = yield generator.send(ready)
                except StopIteration as done:
                    return done.value
                if not ready and time.monotonic() > end:
                    self._hang_up()
                    raise psycopg.OperationalError(f"nothing within {MAX_WAIT} seconds")

        def _hang_up(self) -> None:
            # A statement that waits for a lock would go on, and keep one of the few connections.
            # It takes psycopg 3.2 and libpq 17.
            with suppress(AttributeError, psycopg.Error):
                psycopg.capabilities.has_cancel_safe(check=True)
                self.cancel_safe(timeout=1)
            self.close()

    return Impatient


_QUIETLY: Mapping[str, Any] = {
    "isolation_level": "AUTOCOMMIT",
    "hide_parameters": True,
    # There is nothing to roll back. psycopg takes 20 microseconds to find that out.
    "pool_reset_on_return": None,
}


def _is_in_memory(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and (
        url.database in (None, "", ":memory:") or url.query.get("mode") == "memory"
    )


def _set_up_file(connection: Any, record: Any) -> None:
    # With a write-ahead log, readers and a writer do not wait for each other. The file remembers
    # it, so it does not matter if another process is in the way now, which does the same.
    with suppress(connection.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")
    # The disk is waited for now and then: a failure of power may undo the last moments.
    connection.execute("PRAGMA synchronous = NORMAL")
    [(_, _, name), *_] = connection.execute("PRAGMA database_list").fetchall()
    path = Path(name)
    record.info["file"] = path, _identity(path)


def _check_file(_: object, record: Any, __: object) -> None:
    """Open the file anew if it was deleted or replaced, or each connection might see another."""
    path, identity = record.info["file"]
    if _identity(path) != identity:
        raise exc.DisconnectionError


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells this file from another of its name, or ``None`` if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


_ENGINES: WeakSet[Engine] = WeakSet()
_POOLS_OF_THE_PARENT: list[Pool] = []


def _leave_connections_to_the_parent() -> None:
    """Open new connections in a process that was forked, because two would mix up the answers."""
    for engine in [*_ENGINES]:
        # Kept, because SQLite must not even close a file that was opened before the fork.
        _POOLS_OF_THE_PARENT.append(engine.pool)
        engine.dispose(close=False)


if hasattr(os, "register_at_fork"):  # pragma: no branch  # Windows does not fork
    os.register_at_fork(after_in_child=_leave_connections_to_the_parent)


# Columns


def _ascii(length: int) -> TypeEngine[str]:
    exactly = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return String(length).with_variant(exactly, "mysql", "mariadb")


def _long_text() -> TypeEngine[str]:
    exactly = mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    return Text().with_variant(exactly, "mysql", "mariadb")
