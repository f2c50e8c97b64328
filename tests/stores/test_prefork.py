"""A store that is made before gunicorn forks: no process gets an answer to another."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.processes import serving, wait_for
from tests.stores.databases import Databases
from tests.stores.race import address_of

CLIENTS = 8
STEPS = 20
LAST = {"Connection": "close"}
"""Any process may answer the next request."""


@pytest.mark.parametrize("kind", ["redis", "cluster", "sqlite", "postgresql"])
def test_forked_processes_get_their_own_answers(databases: Databases, kind: str) -> None:
    """Each client counts in a session of its own, and sees no other's."""
    options = ("--preload", "--workers=4", "--threads=2")
    kept_in = {"KEPT_IN": f"{kind} {address_of(databases.empty(kind))}"}
    with (
        serving("tests.stores.preloaded:application", *options, env=kept_in) as url,
        ThreadPoolExecutor(CLIENTS) as threads,
    ):
        pids: set[str] = set()

        def visit(client: int, steps: int) -> list[str]:
            told = []
            with requests.Session() as session:
                for _ in range(steps):
                    page = session.get(f"{url}/?{client}", headers=LAST, timeout=30)
                    who, count, pid = page.text.split()
                    pids.add(pid)
                    told.append(f"{who} {count}")
            return told

        def are_up() -> bool:
            list(threads.map(visit, range(CLIENTS), [1] * CLIENTS))
            return len(pids) > 1

        wait_for(are_up, "several processes answer")
        told = [*threads.map(visit, range(CLIENTS), [STEPS] * CLIENTS)]
    assert told == [[f"{client} {step + 1}" for step in range(STEPS)] for client in range(CLIENTS)]
