"""The databases that every test of a store and of a list of ended sessions runs over."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.stores.databases import (
    KINDS,
    LISTING_KINDS,
    REDIS_KINDS,
    Database,
    Databases,
    RedisDatabase,
)


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    with closing(Databases()) as databases:
        yield databases


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, databases: Databases) -> Database:
    """An empty database of each kind in turn."""
    return databases.empty(request.param)


@pytest.fixture(params=LISTING_KINDS)
def listing_database(request: pytest.FixtureRequest, databases: Databases) -> Database:
    """An empty database of each kind whose store lists an owner's sessions in turn."""
    return databases.empty(request.param)


@pytest.fixture(params=REDIS_KINDS)
def redis_database(request: pytest.FixtureRequest, databases: Databases) -> RedisDatabase:
    """An empty database of Redis' behind each kind of client in turn."""
    return databases.redis(request.param)
