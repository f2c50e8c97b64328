"""How often a request waits for Redis or PostgreSQL, or sends a statement to SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from sqlite3 import dbapi2
from typing import Any
from unittest.mock import patch

from sqlalchemy import make_url

from tests.stores.servers import Proxy

from .server_side import SESSION, Contestant, begin

WARM = 10
"""Requests before the one that counts: psycopg prepares a statement when it is sent often."""

Trips = dict[str, dict[str, int]]
"""By the name of the contestant, and of the act."""


@contextmanager
def counted(url: str) -> Iterator[tuple[str, Callable[[], int]]]:
    """Yield a URL of the same database, and a function that tells the round trips so far."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with counted_statements() as so_far:
            yield url, so_far
        return
    assert parsed.port is not None
    with Proxy(parsed.port) as proxy:
        through = parsed.set(host="127.0.0.1", port=proxy.port)
        yield through.render_as_string(hide_password=False), lambda: proxy.round_trips


@contextmanager
def counted_statements() -> Iterator[Callable[[], int]]:
    """Count what is sent on each connection to SQLite that is opened while the block runs."""
    plain, statements = dbapi2.connect, 0

    def note(_: str) -> None:
        nonlocal statements
        statements += 1

    def connect(*arguments: Any, **options: Any) -> dbapi2.Connection:
        connection: dbapi2.Connection = plain(*arguments, **options)
        connection.set_trace_callback(note)
        return connection

    with patch.object(dbapi2, "connect", connect):
        yield lambda: statements


def of_each(contestants: Sequence[Contestant], so_far: Callable[[], int]) -> Trips:
    """Return the round trips of each act."""
    found: Trips = {}
    for contestant in contestants:
        found[contestant.name] = {}
        for name, act in contestant.acts.items():
            browser = begin(contestant, SESSION)
            for _ in range(WARM):
                browser.visit(act)
            before = so_far()
            browser.visit(act)
            found[contestant.name][name] = so_far() - before
    return found
