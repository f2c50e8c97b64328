"""`python -m tests.benchmarks.stores`: round trips, and requests against the bare commands.

A redis-server of its own on 127.0.0.1 is asked by one thread, over one connection. The contestants
take turns, and of each the fastest round counts; the clock is the one on the wall, because to wait
for an answer is the better part of it.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from redis import Redis

from sessionware import Session
from sessionware.redis import RedisRevocations, RedisStore
from sessionware.serializer import dumps
from tests.gateway import make_environ, run
from tests.sites import Act, Site, count, untouched
from tests.stores.servers import Proxy, RedisServer

from .report import table

ROUNDS = 15
SECONDS = 0.1
"""Of each turn, about."""
SESSION = {
    "user": "ann",
    "cart": [{"item": f"item {number}", "price": 1.5, "count": 2} for number in range(20)],
}
ACTS: dict[str, Act] = {
    "untouched": untouched,
    "read": itemgetter("user"),
    "write": count,
    "regenerate": Session.regenerate,
}
Turn = Callable[[], object]
VERSION_SIZE = 16
SET_IF = """
if redis.call("GETRANGE", KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[3])
return 1
"""


def sites(client: Redis) -> dict[str, Site]:
    return {
        "store": Site(store=RedisStore(client)),
        "revocations": Site(revocations=RedisRevocations(client)),
    }


def visits(site: Site, act: Act) -> Turn:
    """The same request over and over, each time with the cookie of the last."""
    page = site.visit(lambda session: session.update(SESSION))

    def visit() -> None:
        nonlocal page
        page = site.visit(act, page.cookie)

    return visit


def bare(client: Any) -> dict[str, Turn]:
    """An application that sends the same text by itself, under a key of the same length.

    With SET, it would lose what another request has written since GET.
    """
    key, text = "session:" + "0" * 64, dumps(SESSION)
    version = "0" * VERSION_SIZE
    client.set(key, version + text)

    def get() -> None:
        client.get(key)

    def get_and_set() -> None:
        client.get(key)
        client.set(key, version + text, ex=1000, xx=True)

    def get_and_eval() -> None:
        old = client.get(key)[:VERSION_SIZE]
        new = secrets.token_hex(VERSION_SIZE // 2)
        client.execute_command("EVAL", SET_IF, 1, key, old, new + text, 1000)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["test.act"]()
        start_response("200 OK", [])
        return []

    return {
        "GET": lambda: run(app, make_environ(test__act=get)),
        "GET and SET": lambda: run(app, make_environ(test__act=get_and_set)),
        "GET and EVAL": lambda: run(app, make_environ(test__act=get_and_eval)),
    }


def round_trips(port: int) -> dict[str, dict[str, int]]:
    """How often a request waits for Redis, counted on the wire."""
    with Proxy(port) as proxy, Redis(port=proxy.port) as client:
        found: dict[str, dict[str, int]] = {}
        for name, site in sites(client).items():
            found[name] = {}
            for act in ACTS:
                visit = visits(site, ACTS[act])
                before = proxy.round_trips
                visit()
                found[name][act] = proxy.round_trips - before
    return found


def microseconds(turns: Mapping[str, Turn], rounds: int, seconds: float) -> dict[str, float]:
    """What each takes, the turns being taken in another order in every round."""
    calls = {name: max(5, round(seconds / taken(turn, 5))) for name, turn in turns.items()}
    found: dict[str, list[float]] = {name: [] for name in turns}
    order = list(turns)
    for _ in range(rounds):
        for name in order:
            found[name].append(taken(turns[name], calls[name]) * 1e6)
        order.append(order.pop(0))
    return {name: min(each) for name, each in found.items()}


def taken(turn: Turn, calls: int) -> float:
    start = perf_counter()
    for _ in range(calls):
        turn()
    return (perf_counter() - start) / calls


def figures(rounds: int, seconds: float) -> str:
    with (
        TemporaryDirectory() as folder,
        RedisServer(Path(folder)) as server,
        server.client() as client,
    ):
        trips = round_trips(server.port)
        turns = bare(client)
        for name, site in sites(client).items():
            turns |= {f"{name}, {act}": visits(site, ACTS[act]) for act in ACTS}
        costs = microseconds(turns, rounds, seconds)
        rows = {name: row(name, cost, costs, trips) for name, cost in costs.items()}
        server_is = f"Redis {client.info('server')['redis_version']}"
    shown = table("one thread", ["round trips", "µs", "per second", ": the bare commands"], rows)
    return f"{shown}\n{len(dumps(SESSION))} bytes of JSON, {server_is}\n"


def row(
    name: str, cost: float, costs: Mapping[str, float], trips: dict[str, dict[str, int]]
) -> list[str]:
    keeper, _, act = name.partition(", ")
    limit = {"read": "GET", "write": "GET and EVAL"}.get(act) if keeper == "store" else None
    waits: Any = trips[keeper][act] if act else 1 + name.count(" and ")
    ratio = f"{cost / costs[limit]:.2f}" if limit else "-"
    return [str(waits), f"{cost:.0f}", f"{1e6 / cost:.0f}", ratio]


def main(rounds: int = ROUNDS, seconds: float = SECONDS) -> int:
    sys.stdout.write(figures(rounds, seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
