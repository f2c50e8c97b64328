"""The least that a session in Redis or in a database can cost: the commands alone.

A read asks for the text and its version. A write does so too, and then writes only if the version
is still the same, or it would lose what another request has written in between. Nothing is encoded,
decoded or checked.

The verbs of our stores do the same, so what they take beyond it is the price of the store. All else
that a session costs, its signature and its JSON, is there with any store.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from sqlite3 import dbapi2
from time import time
from typing import Any

from sqlalchemy import bindparam, create_engine, make_url, select, update

from sessionware.serializer import dumps
from sessionware.sql import SQLStore

from .contestants import nothing
from .scenarios import WrongResultError
from .server_side import READ, WRITE, Act, Contestant, act_out, store_in, wait_for_no_disk

COMMANDS, CORE = "bare commands", "through SQLAlchemy Core"
VERBS = "our store's verbs alone"
KEY, OUR_KEY = "0" * 64, "1" * 64
SECONDS = 1000
VERSION_SIZE = 16
SET_IF = """
if redis.call("GETRANGE", KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[3])
return 1
"""
FIND = "SELECT text, version FROM sessions WHERE key = ? AND expires > ?"
REPLACE = "UPDATE sessions SET text = ?, version = ?, expires = ? WHERE key = ? AND version = ?"


def bare_commands(url: str) -> list[Contestant]:
    """Return applications that send the commands themselves, or have a store of ours do so."""
    if url.startswith("redis"):
        return [redis_commands(url), verbs(url)]
    connect = sqlite_connection if url.startswith("sqlite") else psycopg_connection
    return [driver_commands(url, connect), core_commands(url), verbs(url)]


def contestant(
    name: str, fill: Callable[[dict[str, Any]], Act], read: Act, write: Act
) -> Contestant:
    app = act_out(nothing)
    return Contestant(name, app, app, fill, {READ: read, WRITE: must_write(write)})


def must_write(write: Act) -> Act:
    def checked(session: object) -> None:
        if write(session) != 1:
            raise WrongResultError("a bare command wrote nothing")

    return checked


def verbs(url: str) -> Contestant:
    store, text = store_in(url), ""

    def fill(data: dict[str, Any]) -> Act:
        def put(_: object) -> None:
            nonlocal text
            text = dumps(data)
            store.delete(OUR_KEY)
            store.create(OUR_KEY, text, seconds=SECONDS, owner=None)

        return put

    def read(_: object) -> Any:
        return store.load(OUR_KEY)

    def write(_: object) -> object:
        version = read(None).version
        return store.replace(OUR_KEY, text, version=version, seconds=SECONDS, owner=None)

    return contestant(VERBS, fill, read, write)


def redis_commands(url: str) -> Contestant:
    from redis import Redis

    client: Any = Redis.from_url(url)
    key, text = f"session:{KEY}", ""

    def fill(data: dict[str, Any]) -> Act:
        def put(_: object) -> None:
            nonlocal text
            text = dumps(data)
            client.set(key, "0" * VERSION_SIZE + text)

        return put

    def read(_: object) -> None:
        client.get(key)

    def write(_: object) -> object:
        old = client.get(key)[:VERSION_SIZE]
        new = secrets.token_hex(VERSION_SIZE // 2)
        return client.execute_command("EVAL", SET_IF, 1, key, old, new + text, SECONDS)

    return contestant(COMMANDS, fill, read, write)


class Row:
    """The session that the commands read and write, in a row of its own."""

    def __init__(self, url: str) -> None:
        store = store_in(url)
        assert isinstance(store, SQLStore)
        self._store = store
        self.table = store.metadata.tables["sessions"]
        self.text = ""

    def fill(self, data: dict[str, Any]) -> Act:
        def put(_: object) -> None:
            self.text = dumps(data)
            self._store.delete(KEY)
            self._store.create(KEY, self.text, seconds=SECONDS, owner=None)

        return put


def driver_commands(url: str, connect: Callable[[str], tuple[Any, str]]) -> Contestant:
    """The driver alone, on one connection that commits each statement by itself."""
    row = Row(url)
    connection, mark = connect(url)
    find, replace = FIND.replace("?", mark), REPLACE.replace("?", mark)

    def read(_: object) -> Any:
        return connection.execute(find, (KEY, time())).fetchone()

    def write(_: object) -> object:
        _, version = read(None)
        values = (row.text, secrets.token_urlsafe(9), time() + SECONDS, KEY, version)
        return connection.execute(replace, values).rowcount

    return contestant(COMMANDS, row.fill, read, write)


def sqlite_connection(url: str) -> tuple[Any, str]:
    """Return a connection, and what stands for a value in its statements."""
    connection = dbapi2.connect(str(make_url(url).database), isolation_level=None)
    wait_for_no_disk(connection, None)
    return connection, "?"


def psycopg_connection(url: str) -> tuple[Any, str]:
    import psycopg

    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True), "%s"


def core_commands(url: str) -> Contestant:
    """The same statements as SQLAlchemy makes and sends them, with connections of its pool."""
    row = Row(url)
    engine, c = create_engine(url, isolation_level="AUTOCOMMIT"), row.table.c
    find = select(c.text, c.version).where(c.key == KEY, c.expires > bindparam("now"))
    replace = update(row.table).where(c.key == KEY, c.version == bindparam("former"))

    def read(_: object) -> Any:
        with engine.connect() as connection:
            return connection.execute(find, {"now": time()}).first()

    def write(_: object) -> object:
        _, version = read(None)
        new = {"version": secrets.token_urlsafe(9), "expires": time() + SECONDS}
        values = {"former": version, "text": row.text, **new}
        with engine.connect() as connection:
            return connection.execute(replace, values).rowcount

    return contestant(CORE, row.fill, read, write)
