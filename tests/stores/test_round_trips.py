"""What a request costs: the round trips to Redis, and the commands."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sessionware import Session
from sessionware.redis import RedisRevocations, RedisStore
from tests.conftest import Clock
from tests.processes import require
from tests.sites import Site, count, data_of, untouched
from tests.stores.databases import REDIS_KINDS, Databases, RedisDatabase
from tests.stores.servers import Proxy, connect


def log_in(session: Session) -> None:
    session.owner = "ann"


SINGLE_KINDS = [kind for kind in REDIS_KINDS if kind != "cluster"]


@pytest.fixture(params=SINGLE_KINDS)
def proxy(request: pytest.FixtureRequest, databases: Databases) -> Iterator[tuple[Proxy, Any]]:
    """Counts what a client with one open connection asks; a cluster would go past it."""
    port = databases.redis(request.param).port
    with Proxy(port) as counting, connect(request.param, counting.port) as client:
        client.ping()
        yield counting, client


COSTS = [
    # What is done, and how many round trips that takes: with the store, with the list.
    # The cookie of a visitor has come back, and a store keeps the session for its full life.
    (untouched, 0, 0),
    (data_of, 2, 1),
    (count, 3, 2),
    # The renewal is noted first, for other requests; a list has a second note, for log-outs. A
    # store closes the old session after it has the new one. A list is asked last whether all have
    # ended.
    (Session.regenerate, 5, 5),
    # A store closes the session first, and finds out whether another has taken its place.
    (Session.invalidate, 4, 2),
]


@pytest.mark.parametrize(("act", "trips", "_"), COSTS)
def test_round_trips_with_the_store(
    proxy: tuple[Proxy, Any], act: Callable[[Session], object], trips: int, _: int
) -> None:
    counting, client = proxy
    site = Site(store=RedisStore(client))
    cookie = site.visit(count).cookie
    before = counting.round_trips
    site.visit(act, cookie)
    assert counting.round_trips - before == trips


@pytest.mark.parametrize(("act", "_", "trips"), COSTS)
def test_round_trips_with_the_list(
    proxy: tuple[Proxy, Any], act: Callable[[Session], object], _: int, trips: int
) -> None:
    counting, client = proxy
    site = Site(revocations=RedisRevocations(client))
    cookie = site.visit(count).cookie
    before = counting.round_trips
    site.visit(act, cookie)
    assert counting.round_trips - before == trips


@pytest.mark.parametrize(
    ("act", "store", "revocations"),
    # The stamp is read before and after a session with an owner is written.
    [
        (log_in, 3, 2),
        (data_of, 1, 1),
        (count, 2, 2),
        (Session.regenerate, 5, 5),
        (Session.invalidate, 3, 2),
    ],
)
def test_round_trips_with_an_owner(
    proxy: tuple[Proxy, Any], act: Callable[[Session], object], store: int, revocations: int
) -> None:
    counting, client = proxy
    for site, trips in (
        (Site(store=RedisStore(client)), store),
        (Site(revocations=RedisRevocations(client)), revocations),
    ):
        cookie = "" if act is log_in else site.log_in("ann")
        before = counting.round_trips
        site.visit(act, cookie)
        assert counting.round_trips - before == trips


@pytest.fixture(params=SINGLE_KINDS)
def single(request: pytest.FixtureRequest, databases: Databases) -> RedisDatabase:
    """An empty database of one server, behind each kind of client in turn."""
    return databases.redis(request.param)


JOIN = {"zadd": 1, "zremrangebyscore": 1, "expire": 2}
REPLACE = {"eval": 1, "getrange": 1, "set": 1}
DELETE = {"eval": 1, "getrange": 1, "del": 1}
"""The server also counts what a script does."""


@pytest.mark.parametrize(
    ("act", "commands", "of_owner"),
    [
        (untouched, {}, {}),
        (data_of, {"get": 1}, {"get": 1}),
        (count, {"get": 1, **REPLACE}, {"get": 1, **JOIN, **REPLACE}),
        (
            Session.regenerate,
            {"get": 1, **REPLACE, "set": 3},
            {"get": 1, "mget": 1, **JOIN, **REPLACE, "zrem": 1, "eval": 2, "getrange": 2, "set": 3},
        ),
        (
            Session.invalidate,
            {"get": 1, "eval": 2, "getrange": 2, "set": 1, "del": 1},
            {"get": 1, "eval": 2, "getrange": 2, "set": 1, "del": 1, "zrem": 1},
        ),
    ],
)
def test_commands_with_the_store(
    single: RedisDatabase,
    act: Callable[[Session], object],
    commands: dict[str, int],
    of_owner: dict[str, int],
) -> None:
    site = Site(store=single.store())
    visitors = site.visit(count).cookie
    kept = {"expire": 1} if commands else {}  # The cookie has come back.
    for cookie, expected in ((visitors, commands | kept), (site.log_in(), of_owner)):
        single.commands()
        site.visit(act, cookie)
        assert single.commands() == expected


@pytest.mark.parametrize(
    ("act", "commands"),
    [
        (untouched, {}),
        (data_of, {"mget": 1}),
        (count, {"mget": 2}),
        (Session.regenerate, {"mget": 2, "set": 3}),
        (Session.invalidate, {"mget": 1, "set": 1}),
    ],
)
def test_commands_with_the_list(
    single: RedisDatabase, act: Callable[[Session], object], commands: dict[str, int]
) -> None:
    site = Site(revocations=single.revocations())
    for cookie in (site.visit(count).cookie, site.log_in()):
        single.commands()
        site.visit(act, cookie)
        assert single.commands() == commands


def test_session_without_an_owner_begins_with_one_set(redis_database: RedisDatabase) -> None:
    site = Site(store=redis_database.store())
    redis_database.commands()
    site.visit(count)
    assert redis_database.commands() == {"set": 1}


def test_list_of_an_owner_takes_one_more_script_in_a_cluster(databases: Databases) -> None:
    """It may be on another node than the session."""
    database = databases.redis("cluster")
    site = Site(store=database.store())
    cookie = site.log_in()
    database.commands()
    site.visit(count, cookie)
    assert database.commands() == {"get": 1, **REPLACE, **JOIN, "eval": 2}


def test_refresh_of_an_unchanged_session_is_one_script(
    redis_database: RedisDatabase, clock: Clock
) -> None:
    """Which does nothing if another request has changed the session meanwhile."""
    site = Site(store=redis_database.store(), refresh_after=1)
    cookie = site.visit(count, site.visit(count).cookie).cookie
    clock.advance(2)
    redis_database.commands()
    site.visit(data_of, cookie)
    assert redis_database.commands() == {"get": 1, **REPLACE}


def test_the_benchmark_counts_the_same(databases: Databases) -> None:
    require("sqlalchemy")
    from tests.benchmarks import round_trips, server_side

    url = f"redis://127.0.0.1:{databases.redis().port}/0"
    with round_trips.counted(url) as (through, so_far):
        found = round_trips.of_each(server_side.sessionware(through), so_far)
    store, revocations = found.values()
    for act, expected in (("untouched", 0), ("read", 1), ("write", 2)):
        assert (store[act], revocations[act]) == (expected, expected)
