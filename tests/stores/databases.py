"""Where the stores and the lists of this suite keep what they hold, and a look at it."""

import re
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from sessionware.redis import VERSION_SIZE, RedisRevocations, RedisStore
from tests.processes import require
from tests.sites import MemoryRevocations, MemoryStore
from tests.stores.servers import RedisServer, cluster, connect

REDIS_KINDS = ("redis", "decoded", "valkey", "cluster")
"""The clients that a user may bring: redis.Redis, also with decode_responses, valkey, a cluster."""

SQL_KINDS = ("sqlite", "postgresql", "mariadb")

LISTING_KINDS = (*REDIS_KINDS, *SQL_KINDS)
"""Those whose store lists the sessions of an owner."""

KINDS = ("memory", *LISTING_KINDS)

RENEWAL = re.compile(f'[0-9a-f]{{0,{VERSION_SIZE}}}"[0-9a-f]{{64}}"(,[0-9]+(,.*)?)?', re.DOTALL)
"""What a store keeps of a renewal: the key of the new session, and of the old one, what it was."""

FOR_GOOD = 10**6 * 24 * 60 * 60


class Database(Protocol):
    """Has a store and a list of ended sessions, and tells what they keep.

    A session's name is ``session:`` and its hashed id; that of an ended one begins with
    ``revoked:``, and an owner's stamp with ``session:stamp:`` or ``revoked:stamp:``.
    """

    kind: str

    def store(self, *, limit: int = ...) -> Any:
        """Return the store: it keeps sessions of so many bytes of JSON text at most."""

    def revocations(self) -> Any:
        """Return the list of ended sessions."""

    def content(self) -> dict[str, bytes]:
        """Return every name, and what is kept there; for a sorted set, its members.

        Of a session, this is the text without its version. The records of a store that say which
        session has taken the place of another are left out.
        """

    def only(self) -> str:
        """Return the one name that there is."""

    def seconds_of(self, name: str) -> int:
        """Return how long it is kept from now on."""

    def put(self, name: str, value: bytes) -> bytes:
        """Keep this value instead, for good, and return it as ``content`` will."""

    def keep(self, name: str, seconds: int | None) -> None:
        """Keep it for so long from now on, or ``None``: for good."""

    def forget(self, name: str) -> None:
        """Do not keep it any more."""

    def commands(self) -> dict[str, int]:
        """Return how often each command was sent since the last time."""

    def pass_time(self, seconds: float) -> None:
        """Have everything end so many seconds earlier."""


class MemoryDatabase:
    """The dicts of MemoryStore and MemoryRevocations, which forget nothing by themselves."""

    kind = "memory"

    def __init__(self) -> None:
        self._store = MemoryStore()
        self._revocations = MemoryRevocations()

    def store(self, *, limit: int = 1024 * 1024) -> MemoryStore:
        self._store.limit = limit
        return self._store

    def revocations(self) -> MemoryRevocations:
        return self._revocations

    def content(self) -> dict[str, bytes]:
        kept = {
            f"session:{key}": text.encode("latin-1")
            for key, text in self._store.kept.items()
            if not RENEWAL.fullmatch(text)
        }
        refused = {f"revoked:{key}": b"" for key in self._revocations.refused}
        stamps = {
            f"{kind}:stamp:{owner}": stamp.encode()
            for kind, found in (("session", self._store), ("revoked", self._revocations))
            for owner, stamp in found.stamps.items()
        }
        return kept | refused | stamps

    def only(self) -> str:
        [name] = self.content()
        return name

    def seconds_of(self, name: str) -> int:
        kind, _, key = name.partition(":")
        return (self._store.seconds if kind == "session" else self._revocations.refused)[key]

    def put(self, name: str, value: bytes) -> bytes:
        self._store.kept[name.removeprefix("session:")] = value.decode("latin-1")
        return value

    def keep(self, name: str, seconds: int | None) -> None:
        self._store.seconds[name.removeprefix("session:")] = seconds or -1

    def forget(self, name: str) -> None:
        kind, _, key = name.rpartition(":")
        kinds = {
            "session": self._store.kept,
            "session:stamp": self._store.stamps,
            "revoked:stamp": self._revocations.stamps,
        }
        kinds[kind].pop(key)

    def commands(self) -> dict[str, int]:
        counts = Counter(self._store.asked + self._revocations.asked)
        self._store.asked.clear()
        self._revocations.asked.clear()
        return dict(counts)

    def pass_time(self, seconds: float) -> None:
        for kept, left in (
            (self._store.kept, self._store.seconds),
            (self._revocations.refused, self._revocations.refused),
        ):
            for key in [*kept]:
                left[key] -= int(seconds)
                if left[key] <= 0:
                    del kept[key]


LOOKS = ("info", "config", "keys", "type", "ping", "hello", "client", "cluster", "command")
"""What is asked by those who look on, and by a new connection."""


@dataclass
class RedisDatabase:
    """A client to be tested, and what the servers behind it hold."""

    kind: str
    port: int
    client: Any
    nodes: Sequence[Any]

    def store(self, *, prefix: str = "session:", limit: int = 1024 * 1024) -> RedisStore:
        return RedisStore(self.client, prefix, limit)

    def revocations(self, *, prefix: str = "revoked:") -> RedisRevocations:
        return RedisRevocations(self.client, prefix)

    def content(self) -> dict[str, bytes]:
        found = {}
        for node in self.nodes:
            for key in node.keys("*"):
                name = key.decode()
                if node.type(key) == b"zset":
                    found[name] = b" ".join(node.zrange(key, 0, -1))
                elif not RENEWAL.fullmatch((value := node.get(key)).decode("latin-1")):
                    of_session = re.fullmatch("[a-z]+:[0-9a-f]{64}", name)
                    found[name] = value[VERSION_SIZE:] if of_session else value
        return found

    def only(self) -> str:
        [name] = self.content()
        return name

    def seconds_of(self, name: str) -> int:
        return int(self.client.ttl(name))

    def put(self, name: str, value: bytes) -> bytes:
        self.client.set(name, b"0" * VERSION_SIZE + value)
        return value

    def keep(self, name: str, seconds: int | None) -> None:
        if seconds is None:
            self.client.persist(name)
        else:
            self.client.expire(name, seconds)

    def forget(self, name: str) -> None:
        self.client.delete(name)

    def commands(self) -> dict[str, int]:
        """Return how often each was sent since the last time, but for those that look on."""
        counts: Counter[str] = Counter()
        for node in self.nodes:
            for name, stats in node.info("commandstats").items():
                counts[name.removeprefix("cmdstat_")] += stats["calls"]
            node.config_resetstat()
        return {name: calls for name, calls in counts.items() if not name.startswith(LOOKS)}

    def pass_time(self, seconds: float) -> None:
        for node in self.nodes:
            for key in node.keys("*"):
                if (left := node.pttl(key)) >= 0:
                    node.pexpire(key, left - int(1000 * seconds))


class SQLDatabase:
    """A table of sessions and one of ended ones, in a database of any kind."""

    def __init__(self, kind: str, url: str) -> None:
        from sqlalchemy import create_engine, event

        from sessionware.sql import SQLRevocations, SQLStore

        self.kind = kind
        self._store, self._revocations = SQLStore(url), SQLRevocations(url)
        self._asked: list[str] = []
        self._tables: dict[str, Any] = {}
        for name, made in (("session", self._store), ("revoked", self._revocations)):
            made.create_table()
            event.listen(made.engine, "before_cursor_execute", self._note)
            [self._tables[name]] = made.metadata.tables.values()
        self._look = create_engine(url, isolation_level="AUTOCOMMIT")

    def _note(self, _: Any, __: Any, statement: str, *___: Any) -> None:
        self._asked.append(statement.split()[0].lower())

    def empty(self) -> None:
        for table in self._tables.values():
            self._run(table.delete())
        self._asked.clear()

    def close(self) -> None:
        for engine in (self._store.engine, self._revocations.engine, self._look):
            engine.dispose()

    def store(self, *, limit: int = 1024 * 1024) -> Any:
        self._store.limit = limit
        return self._store

    def revocations(self) -> Any:
        return self._revocations

    def content(self) -> dict[str, bytes]:
        return {
            f"{kind}:{row.key}": row.text.encode("latin-1")
            for kind, table in self._tables.items()
            for row in self._run(table.select())
            if not RENEWAL.fullmatch(row.text)
        }

    def only(self) -> str:
        [name] = self.content()
        return name

    def seconds_of(self, name: str) -> int:
        table, its = self._row(name)
        [row] = self._run(table.select().where(its))
        return int(row.expires - time.time())

    def put(self, name: str, value: bytes) -> bytes:
        # PostgreSQL has no NUL, and MariaDB's Latin-1 is Windows'.
        text = re.sub("[\0\x80-\x9f]", "\1", value.decode("latin-1"))
        self._set(name, text=text, expires=time.time() + FOR_GOOD)
        return text.encode("latin-1")

    def keep(self, name: str, seconds: int | None) -> None:
        self._set(name, expires=time.time() + (seconds or FOR_GOOD))

    def forget(self, name: str) -> None:
        table, its = self._row(name)
        self._run(table.delete().where(its))

    def commands(self) -> dict[str, int]:
        counts = dict(Counter(self._asked))
        self._asked.clear()
        return counts

    def pass_time(self, seconds: float) -> None:
        for table in self._tables.values():
            self._run(table.update().values(expires=table.c.expires - seconds))

    def _set(self, name: str, **values: object) -> None:
        table, its = self._row(name)
        self._run(table.update().where(its).values(**values))

    def _row(self, name: str) -> tuple[Any, Any]:
        kind, _, key = name.partition(":")
        table = self._tables[kind]
        return table, table.c.key == key

    def _run(self, statement: Any) -> Any:
        with self._look.connect() as connection:
            result = connection.execute(statement)
            return result.all() if result.returns_rows else ()


class Databases:
    """The databases that all tests share; a server is started when it is first asked for."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._started: dict[str, Any] = {}

    def empty(self, kind: str) -> Database:
        """Return the database of this kind, with nothing in it."""
        if kind == "memory":
            return MemoryDatabase()
        return self.sql(kind) if kind in SQL_KINDS else self.redis(kind)

    def redis(self, kind: str = "redis") -> RedisDatabase:
        """Return the empty database behind a client of this kind."""
        if kind not in self._started:
            servers = self._nodes() if kind == "cluster" else [self._single()]
            client = self._stack.enter_context(closing(connect(kind, servers[0].port)))
            nodes = [self._stack.enter_context(server.client()) for server in servers]
            self._started[kind] = RedisDatabase(kind, servers[0].port, client, nodes)
        database: RedisDatabase = self._started[kind]
        for node in database.nodes:
            node.flushall()
        return database

    def sql(self, kind: str = "sqlite") -> SQLDatabase:
        """Return the empty database of this kind."""
        require("sqlalchemy")
        if kind not in self._started:
            made = SQLDatabase(kind, self._url(kind))
            self._started[kind] = self._stack.enter_context(closing(made))
        database: SQLDatabase = self._started[kind]
        database.empty()
        return database

    def close(self) -> None:
        self._stack.close()

    def _url(self, kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{self._folder()}/sessions.db"
        require({"postgresql": "psycopg", "mariadb": "pymysql"}[kind])
        from tests.stores.sql_servers import MariaDB, PostgreSQL

        server = self._stack.enter_context(PostgreSQL() if kind == "postgresql" else MariaDB())
        return server.url

    def _single(self) -> RedisServer:
        if "single" not in self._started:
            self._started["single"] = self._stack.enter_context(RedisServer(self._folder()))
        server: RedisServer = self._started["single"]
        return server

    def _nodes(self) -> Sequence[RedisServer]:
        if "nodes" not in self._started:
            self._started["nodes"] = self._stack.enter_context(cluster(self._folder()))
        nodes: Sequence[RedisServer] = self._started["nodes"]
        return nodes

    def _folder(self) -> Path:
        return Path(self._stack.enter_context(TemporaryDirectory()))
