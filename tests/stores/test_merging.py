"""Sixteen clients that change one session at once: nothing is lost, and no change is refused."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from sessionware import Session
from tests.sites import Site
from tests.stores.databases import Databases

CLIENTS = 16
STEPS = 20


@pytest.mark.parametrize("kind", ["memory", "redis", "sqlite", "postgresql"])
def test_clients_that_add_to_one_session_lose_nothing(databases: Databases, kind: str) -> None:
    """Each adds twenty keys and twenty flash messages. Its own messages are in their order."""
    site = Site(store=databases.empty(kind).store())
    cookie = site.visit(lambda session: session.id).cookie
    together = Barrier(CLIENTS)

    def run(client: int) -> None:
        together.wait()
        for step in range(STEPS):
            site.visit(lambda session: add(session, client, step), cookie)  # noqa: B023

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(run, range(CLIENTS)))
    page = site.visit(lambda session: (set(session), session.peek_flash()), cookie)
    keys, messages = page.result
    expected = [f"{client}.{step}" for client in range(CLIENTS) for step in range(STEPS)]
    assert keys == {"_f_", *expected}
    assert sorted(messages, key=lambda message: int(message.split(".")[0])) == expected


def add(session: Session, client: int, step: int) -> None:
    session[f"{client}.{step}"] = step
    session.flash(f"{client}.{step}")
