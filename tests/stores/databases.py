"""Where the stores and the lists of this suite keep what they hold, and a look at it."""

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from sessionware.redis import RedisRevocations, RedisStore
from tests.sites import MemoryRevocations, MemoryStore
from tests.stores.servers import RedisServer, cluster, connect

REDIS_KINDS = ("redis", "decoded", "valkey", "cluster")
"""The clients that a user may bring: redis.Redis, also with decode_responses, valkey, a cluster."""

KINDS = ("memory", *REDIS_KINDS)

RENEWAL = re.compile("[0-9a-f]{64}")
"""What a store keeps under the key of a renewal: the key of the session that came of it."""


class Database(Protocol):
    """Has a store and a list of ended sessions, and tells what they keep.

    A session's name is ``session:`` and its hashed id; that of an ended one begins with
    ``revoked:``, and an owner's stamp with ``session:stamp:`` or ``revoked:stamp:``.
    """

    def store(self, *, limit: int = ...) -> Any:
        """Return the store: it keeps sessions of so many bytes of JSON text at most."""

    def revocations(self) -> Any:
        """Return the list of ended sessions."""

    def content(self) -> dict[str, bytes]:
        """Return every name, and what is kept there; for a sorted set, its members.

        The records of a store that say which session has taken the place of another are left out.
        """

    def only(self) -> str:
        """Return the one name that there is."""

    def seconds_of(self, name: str) -> int:
        """Return how long it is kept from now on."""

    def put(self, name: str, value: bytes) -> None:
        """Keep this value instead, for good."""

    def keep(self, name: str, seconds: int | None) -> None:
        """Keep it for so long from now on, or ``None``: for good."""

    def forget(self, name: str) -> None:
        """Do not keep it any more."""

    def commands(self) -> dict[str, int]:
        """Return how often each command was sent since the last time."""


class MemoryDatabase:
    """The dicts of MemoryStore and MemoryRevocations, which forget nothing by themselves."""

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

    def put(self, name: str, value: bytes) -> None:
        self._store.kept[name.removeprefix("session:")] = value.decode("latin-1")

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
        found = {
            key.decode(): b" ".join(node.zrange(key, 0, -1))
            if node.type(key) == b"zset"
            else node.get(key)
            for node in self.nodes
            for key in node.keys("*")
        }
        return {
            name: value
            for name, value in found.items()
            if not name.startswith("session:") or not RENEWAL.fullmatch(value.decode("latin-1"))
        }

    def only(self) -> str:
        [name] = self.content()
        return name

    def seconds_of(self, name: str) -> int:
        return int(self.client.ttl(name))

    def put(self, name: str, value: bytes) -> None:
        self.client.set(name, value)

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


class Databases:
    """The databases that all tests share; a server is started when it is first asked for."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._started: dict[str, Any] = {}

    def empty(self, kind: str) -> Database:
        """Return the database of this kind, with nothing in it."""
        return MemoryDatabase() if kind == "memory" else self.redis(kind)

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

    def close(self) -> None:
        self._stack.close()

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
