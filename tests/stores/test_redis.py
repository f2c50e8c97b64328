"""What is particular to Redis: prefixes, keys that never expire, and the lists of owners."""

from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from typing import Any

import pytest

from sessionware import ConfigurationError, Session, SessionUnavailable
from sessionware.redis import RedisRevocations, RedisStore
from sessionware.store import key_of
from tests.conftest import Clock
from tests.processes import require
from tests.sites import Site, count, id_of
from tests.stores.databases import Databases, RedisDatabase

DAY = 24 * 60 * 60
ANN = f"session:owner:{sha256(b'str' + bytes(1) + b'ann').hexdigest()}"


@pytest.fixture
def store(redis_database: RedisDatabase) -> RedisStore:
    return redis_database.store()


@pytest.fixture
def site(store: RedisStore) -> Site:
    return Site(store=store)


def key_in(site: Site, cookie: str) -> str:
    return key_of(site.visit(id_of, cookie).result)


# Prefixes and values


def test_prefix_is_the_application_s_choice(redis_database: RedisDatabase) -> None:
    Site(store=redis_database.store(prefix="shop:")).visit(count)
    assert redis_database.only().startswith("shop:")


def test_prefix_of_the_list_is_the_application_s_choice(redis_database: RedisDatabase) -> None:
    site = Site(revocations=redis_database.revocations(prefix="ended:"))
    site.visit(Session.invalidate, site.visit(count).cookie)
    assert redis_database.only().startswith("ended:")


def test_two_prefixes_share_nothing(redis_database: RedisDatabase) -> None:
    one, other = (Site(store=redis_database.store(prefix=prefix)) for prefix in ("a:", "b:"))
    assert other.read(one.visit(count).cookie) is None


def test_bytes_that_are_not_text_are_a_new_session_and_a_log_record(
    redis_database: RedisDatabase, caplog: Any
) -> None:
    site, value = Site(store=redis_database.store()), b'{"n":"\xff"}'
    cookie = site.visit(count).cookie
    name = redis_database.only()
    redis_database.put(name, value)
    with caplog.at_level("INFO"):
        page = site.visit(count, cookie)
    assert page.result == 1
    assert [record.reason for record in caplog.records] == ["malformed"]
    assert redis_database.content()[name] == value


def test_log_out_everywhere_is_remembered_for_ever(redis_database: RedisDatabase) -> None:
    """No time-out is too long for it; it takes one small key an owner."""
    revocations = redis_database.revocations()
    for _ in range(3):
        revocations.revoke_owner("ann")
    assert redis_database.seconds_of(redis_database.only()) == -1
    assert redis_database.only().startswith("revoked:stamp:")
    assert "ann" not in redis_database.only()


# The list of an owner's sessions


def test_list_says_in_no_key_whose_it_is(site: Site, redis_database: RedisDatabase) -> None:
    site.log_in("ann")
    assert sorted(redis_database.content())[1] == ANN


def test_list_lives_a_day_longer_than_the_session_that_lives_longest(
    redis_database: RedisDatabase, clock: Clock
) -> None:
    lives = []
    for days in (2, 3, 1):
        Site(store=redis_database.store(), idle_timeout=days * DAY).log_in("ann")
        lives.append(round(redis_database.client.ttl(ANN) / DAY, 2))
    assert lives == [3, 4, 4]


def test_what_is_long_over_is_taken_off_the_list(
    site: Site, redis_database: RedisDatabase, clock: Clock
) -> None:
    first = key_in(site, site.log_in("ann"))
    clock.advance(32 * DAY + 1)
    second = key_in(site, site.log_in("ann"))
    assert redis_database.content()[ANN] == second.encode()
    assert first != second


def test_key_in_use_is_not_listed_for_another(
    store: RedisStore, redis_database: RedisDatabase
) -> None:
    redis_database.client.set("session:key", '{"a":1}')
    assert not store.create("key", "{}", seconds=9, owner="ann")
    assert redis_database.only() == "session:key"


def test_session_ends_also_where_its_list_does_not_answer(
    store: RedisStore, redis_database: RedisDatabase
) -> None:
    store.create("key", '[{},0,0,0,"ann"]', seconds=9, owner="ann")
    [listed] = [key for key in redis_database.content() if "owner" in key]
    redis_database.client.set(listed, "not a list")
    assert store.delete("key")
    assert store.load("key") is None


# An end of all that is under way


class Interrupted(RedisStore):
    """Lets another request act between the look at an owner's list and what follows."""

    def _keys(self, listed: str, most: int = 0) -> list[str]:
        keys = super()._keys(listed, most)
        if self.acts:
            self.acts.pop()()
        return keys

    acts: list[Callable[[], object]]


def test_regenerate_does_not_escape_a_log_out_everywhere_that_is_under_way(
    redis_database: RedisDatabase,
) -> None:
    store = Interrupted(redis_database.client)
    site = Site(store=redis_database.store())
    cookie = site.log_in("ann")

    def move() -> None:
        with pytest.raises(SessionUnavailable, match="ended by another request"):
            site.visit(Session.regenerate, cookie)

    store.acts = [move]
    assert store.revoke_owner("ann") == 1
    assert site.read(cookie) is None
    assert store.sessions_of("ann") == []


def test_log_in_that_begins_during_a_log_out_everywhere_holds(
    redis_database: RedisDatabase,
) -> None:
    store = Interrupted(redis_database.client)
    site = Site(store=redis_database.store())
    old, new = site.log_in("ann"), []
    store.acts = [lambda: new.append(site.log_in("ann"))]
    assert store.revoke_owner("ann") == 1
    assert (site.read(old), site.read(new[0])) == (None, {})


def test_stamp_changes_before_the_first_session_is_ended(redis_database: RedisDatabase) -> None:
    """A session that is created meanwhile is listed too late, and has the old stamp."""
    store = Interrupted(redis_database.client)
    stamps = []
    store.acts = [lambda: stamps.append(store.stamp("ann"))]
    before = store.stamp("ann")
    store.revoke_owner("ann")
    assert stamps == [store.stamp("ann")] != [before]


# Clients


@pytest.mark.parametrize("library", ["redis", "valkey"])
def test_client_with_a_single_connection_is_refused(databases: Databases, library: str) -> None:
    require(library)
    make = getattr(import_module(library), library.capitalize())
    port = databases.redis().port
    with make(port=port, single_connection_client=True) as client:
        for kind in (RedisStore, RedisRevocations):
            with pytest.raises(
                ConfigurationError, match="make it without single_connection_client"
            ):
                kind(client)


@pytest.mark.parametrize("library", ["redis", "valkey"])
def test_store_and_list_from_a_url_keep_sessions(databases: Databases, library: str) -> None:
    require(library)
    url = f"{library}://127.0.0.1:{databases.redis().port}/1"
    store, ended = RedisStore.from_url(url, "a:"), RedisRevocations.from_url(url, "b:")
    for site in (Site(store=store), Site(revocations=ended)):
        cookie = site.log_in("ann", n=1)
        assert site.read(cookie) == {"n": 1}
        site.visit(Session.invalidate, cookie)
        assert site.read(cookie) is None
