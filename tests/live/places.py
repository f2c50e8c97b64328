"""Where the sessions of a site are kept: in a file of SQLite, or on a server of each kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from tests.processes import require
from tests.stores.servers import ON_DISK, RedisServer, cluster

NEEDED = {
    "sqlite": ("sqlalchemy",),
    "redis": ("redis",),
    "cluster": ("redis",),
    "postgresql": ("sqlalchemy", "psycopg"),
    "mariadb": ("sqlalchemy", "pymysql"),
}
"""The packages that a store of each kind needs."""


class Server(Protocol):
    """What it has acknowledged outlives a kill."""

    def start(self) -> None:
        """Start it again."""

    def kill(self) -> None:
        """Have it end at once."""


class Place(NamedTuple):
    """Where the sessions are, as the URL of a store, and the server that may be killed."""

    kind: str
    url: str
    server: Server | None = None


@contextmanager
def provide(kind: str, folder: Path) -> Iterator[Place]:
    """Run what it takes, with nothing in it, while the block runs."""
    for module in NEEDED[kind]:
        require(module)
    match kind:
        case "sqlite":
            yield Place(kind, f"sqlite:///{folder}/sessions.db")
        case "redis":
            with RedisServer(folder / kind, *ON_DISK) as redis:
                yield Place(kind, f"redis://127.0.0.1:{redis.port}/0", redis)
        case "cluster":
            with cluster(folder) as nodes:
                yield Place(kind, f"redis://127.0.0.1:{nodes[0].port}")
        case _:
            from tests.stores.sql_servers import MariaDB, PostgreSQL

            with PostgreSQL() if kind == "postgresql" else MariaDB() as server:
                yield Place(kind, server.url, server)
