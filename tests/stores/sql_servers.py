"""PostgreSQL and MariaDB of Debian's for a test: in a folder, on a port, without root's rights.

And the stores and lists in their databases, or in a file of SQLite.
"""

import os
import pwd
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, MetaData, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from sessionware.sql import SQLRevocations, SQLStore
from tests.processes import family, free_port, frozen, program, running

USER = "nobody"


class SQLServer:
    """A server on 127.0.0.1 with an empty database; it may be killed and started again.

    ``url``: SQLAlchemy's, for a user who may do everything.
    """

    url: str
    end = signal.SIGKILL
    """What makes it end at once."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> "SQLServer":
        with self._stack as stack:
            self.port = stack.enter_context(free_port())
            self.folder = Path(stack.enter_context(TemporaryDirectory()))
            if os.geteuid() == 0:
                user = pwd.getpwnam(USER)
                os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.prepare()
            self.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            self.kill()

    def prepare(self) -> None:
        """Make the files of an empty database."""
        raise NotImplementedError

    def command(self) -> Sequence[str]:
        """Return the command that starts the server."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, also after a kill: on the same port, with what is on disk."""
        command = without_rights(self.command())
        started = running(command, self.folder, lambda: answers(self.url))
        self.process = self._stack.enter_context(started)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Freeze it while the block runs: connections are accepted, and nothing is answered."""
        with frozen(self.process.pid):
            yield

    def limit_files(self, size: int | str) -> None:
        """Let no file grow beyond so many bytes, as on a disk that is full, or ``"unlimited"``."""
        for pid in family(self.process.pid):
            call([program("prlimit"), f"--pid={pid}", f"--fsize={size}:"])

    def kill(self) -> None:
        """Have it end at once, without a word to those who are connected."""
        self.process.send_signal(self.end)
        self.process.wait()


class PostgreSQL(SQLServer):
    """Of the newest version that is installed."""

    end = signal.SIGQUIT  # After SIGKILL, its children live on for a while.

    def prepare(self) -> None:
        self.url = f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/postgres"
        options = ("--auth=trust", f"--username={USER}", "--no-sync")
        call([self._program("initdb"), f"--pgdata={self.folder}/data", *options])

    def command(self) -> Sequence[str]:
        listening = ("-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder))
        return [self._program("postgres"), "-D", f"{self.folder}/data", "-F", *listening]

    def _program(self, name: str) -> str:
        # Debian keeps them in a folder for each version, where no PATH looks.
        found = [*Path("/usr/lib/postgresql").glob(f"*/bin/{name}")]
        newest = max(found, key=lambda path: int(path.parts[-3]), default=None)
        return str(newest) if newest else program("postgres")


class MariaDB(SQLServer):
    """Its database is the one of the name ``test`` that every new server has."""

    def prepare(self) -> None:
        self.url = f"mysql+pymysql://root@127.0.0.1:{self.port}/test"
        program("mariadbd")
        options = ("--auth-root-authentication-method=normal", "--innodb-log-file-size=8M")
        install = program("mariadb-install-db")
        call([install, "--no-defaults", f"--datadir={self.folder}/data", *options])

    def command(self) -> Sequence[str]:
        options = {
            "datadir": f"{self.folder}/data",
            "socket": f"{self.folder}/socket",
            "pid-file": f"{self.folder}/pid",
            "bind-address": "127.0.0.1",
            "port": str(self.port),
            "innodb-flush-log-at-trx-commit": "2",  # it outlives a kill
            "innodb-buffer-pool-size": "32M",
        }
        settings = [f"--{name}={value}" for name, value in options.items()]
        return [program("mariadbd"), "--no-defaults", *settings]


def answers(url: str) -> bool:
    try:
        with create_engine(url, poolclass=NullPool).connect():
            return True
    except DBAPIError:
        return False


def without_rights(command: Sequence[str]) -> list[str]:
    """Return the command for an ordinary user, because root may not run these servers."""
    if os.geteuid() != 0:
        return [*command]
    return ["setpriv", f"--reuid={USER}", "--regid=nogroup", "--clear-groups", *command]


def call(command: Sequence[str]) -> None:
    """Run a program to its end; what it says is a note on the error if it fails."""
    done = subprocess.run(  # noqa: S603 - the arguments are the tests' own
        without_rights(command), cwd="/", capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with status {done.returncode}: {done.stderr}")


# What is kept there

SQL_KINDS = ("sqlite", "postgresql", "mariadb")


class SQLDatabase:
    """Makes stores and lists of one database, and closes their connections in the end."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self.url = url
        self._stack = ExitStack()

    def __enter__(self) -> "SQLDatabase":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def engine(self, **settings: Any) -> Engine:
        """Return an engine as an application makes it."""
        engine = create_engine(self.url, **settings)
        self._stack.callback(engine.dispose)
        return engine

    def store(self, *, engine: Engine | None = None, ready: bool = True) -> SQLStore:
        """Return a store, whose table is there if it is to be ``ready``."""
        store = SQLStore(engine or self.url)
        self._make(store, ready)
        return store

    def revocations(self, *, engine: Engine | None = None, ready: bool = True) -> SQLRevocations:
        """Return a list of ended sessions, the same way."""
        ended = SQLRevocations(engine or self.url)
        self._make(ended, ready)
        return ended

    def _make(self, made: SQLStore | SQLRevocations, ready: bool) -> None:
        self._stack.callback(made.engine.dispose)
        if ready:
            made.create_table()


class SQLServers:
    """The servers that all tests share; each is started when it is first asked for."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._started: dict[str, SQLServer] = {}

    def __enter__(self) -> "SQLServers":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def server(self, kind: str) -> SQLServer:
        """Return the server of this kind."""
        if kind not in self._started:
            server = {"postgresql": PostgreSQL, "mariadb": MariaDB}[kind]()
            self._started[kind] = self._stack.enter_context(server)
        return self._started[kind]

    def empty(self, kind: str, folder: Path) -> SQLDatabase:
        """Return a database of this kind without a table; of SQLite's, a file in the folder."""
        if kind == "sqlite":
            return SQLDatabase(kind, f"sqlite:///{folder}/sessions.db")
        database = SQLDatabase(kind, self.server(kind).url)
        engine, found = create_engine(database.url, poolclass=NullPool), MetaData()
        found.reflect(engine)
        found.drop_all(engine)
        return database
