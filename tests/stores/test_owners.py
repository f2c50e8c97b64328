"""The sessions of one owner in Redis: listed for a page, ended one by one or all at once."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from sessionware import Session, SessionUnavailable, UnserializableValue
from sessionware.redis import RedisStore
from sessionware.session import Owner
from sessionware.store import key_of
from tests.conftest import Clock
from tests.sites import Site, count, id_of
from tests.stores.databases import RedisDatabase

DAY = 24 * 60 * 60
ANN = f"session:owner:{sha256(b'ann').hexdigest()}"


@pytest.fixture
def store(redis_database: RedisDatabase) -> RedisStore:
    return redis_database.store()


@pytest.fixture
def site(store: RedisStore) -> Site:
    return Site(store=store)


def key_in(site: Site, cookie: str) -> str:
    return key_of(site.visit(id_of, cookie).result)


# Listed


def test_living_sessions_are_listed_with_what_they_hold(site: Site, store: RedisStore) -> None:
    cookie = site.log_in("ann", device="phone")
    site.log_in("bob")
    [kept] = store.sessions_of("ann")
    assert kept.key == key_in(site, cookie)
    assert kept.data == {"_owner": ["ann", ""], "device": "phone"}
    assert 31 * DAY - 5 <= kept.seconds <= 31 * DAY


def test_session_that_was_used_last_comes_first(
    site: Site, store: RedisStore, clock: Clock
) -> None:
    cookies = [site.log_in("ann", device=device) for device in ("phone", "laptop")]
    clock.advance(10)
    site.visit(count, cookies[0])
    devices = [kept.data["device"] for kept in store.sessions_of("ann")]
    assert devices == ["phone", "laptop"]


@pytest.mark.parametrize(
    "owner", ["ann", "", "None", "\ud800", "a:b", 7, -1, UUID(int=7)], ids=repr
)
def test_owner_is_a_str_an_int_or_a_uuid(site: Site, store: RedisStore, owner: Owner) -> None:
    site.visit(count)
    cookie = site.log_in(owner)
    assert [kept.key for kept in store.sessions_of(owner)] == [key_in(site, cookie)]
    assert store.revoke_owner(owner) == 1
    assert site.read(cookie) is None


@pytest.mark.parametrize("owner", [None, True, 1.5, b"ann", ["ann"], ()], ids=repr)
def test_what_cannot_be_an_owner_is_refused(redis_database: RedisDatabase, owner: Owner) -> None:
    store, revocations = redis_database.store(), redis_database.revocations()
    for ask in (store.sessions_of, store.revoke_owner, revocations.revoke_owner):
        with pytest.raises(UnserializableValue, match=type(owner).__name__):
            ask(owner)
    assert redis_database.content() == {}


def test_list_says_in_no_key_whose_it_is(site: Site, redis_database: RedisDatabase) -> None:
    site.log_in("ann")
    assert sorted(redis_database.content())[1] == ANN


def test_session_that_is_over_is_not_listed(
    site: Site, store: RedisStore, redis_database: RedisDatabase
) -> None:
    redis_database.client.delete(f"session:{key_in(site, site.log_in('ann'))}")
    assert store.sessions_of("ann") == []


def test_log_out_takes_the_session_off_the_list(site: Site, redis_database: RedisDatabase) -> None:
    site.visit(Session.invalidate, site.log_in("ann"))
    assert redis_database.content() == {}


def test_regenerated_session_is_listed_once(site: Site, store: RedisStore) -> None:
    cookie = site.visit(Session.regenerate, site.log_in("ann")).cookie
    assert [kept.key for kept in store.sessions_of("ann")] == [key_in(site, cookie)]


def test_session_handed_on_to_another_user_is_theirs(site: Site, store: RedisStore) -> None:
    site.visit(lambda session: setattr(session, "owner", "bob"), site.log_in("ann"))
    assert store.sessions_of("ann") == []
    assert len(store.sessions_of("bob")) == 1


def test_session_without_an_owner_is_not_listed(site: Site, store: RedisStore) -> None:
    site.visit(count)
    site.visit(lambda session: setattr(session, "owner", None), site.log_in("None"))
    assert store.sessions_of("None") == []


@pytest.mark.parametrize("value", ["[]", "junk", "\\xff"])
def test_value_that_is_not_ours_is_not_listed(
    site: Site, store: RedisStore, redis_database: RedisDatabase, value: str
) -> None:
    redis_database.client.set(f"session:{key_in(site, site.log_in('ann'))}", value)
    assert store.sessions_of("ann") == []


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


def test_list_is_limited_to_the_sessions_that_live_longest(store: RedisStore) -> None:
    for number in range(3):
        text = f'{{"_owner":["ann",""],"n":{number}}}'
        store.save(str(number), text, new=True, seconds=10 + number, owner="ann")
    assert [kept.data["n"] for kept in store.sessions_of("ann", most=2)] == [2, 1]
    assert store.revoke_owner("ann") == 3


# Ended


def test_one_session_is_ended_by_its_key(site: Site, store: RedisStore) -> None:
    phone, laptop = site.log_in("ann", device="phone"), site.log_in("ann", device="laptop")
    [key] = [kept.key for kept in store.sessions_of("ann") if kept.data["device"] == "phone"]
    assert (store.delete(key), store.delete(key)) == (True, False)
    assert (site.read(phone), site.read(laptop)) == (None, {"device": "laptop"})


def test_log_out_everywhere_ends_all_of_the_owner_and_no_other(
    site: Site, store: RedisStore
) -> None:
    of_ann, of_bob = [site.log_in("ann") for _ in range(3)], site.log_in("bob")
    assert store.revoke_owner("ann") == 3
    assert [site.read(cookie) for cookie in of_ann] == [None] * 3
    assert site.read(of_bob) == {}
    assert (store.revoke_owner("ann"), store.revoke_owner("nobody")) == (0, 0)


def test_log_in_after_log_out_everywhere_holds(site: Site, store: RedisStore) -> None:
    site.log_in("ann")
    store.revoke_owner("ann")
    assert site.read(site.log_in("ann")) == {}
    assert len(store.sessions_of("ann")) == 1


@pytest.mark.parametrize("begin", [Session.invalidate, Session.regenerate])
def test_request_that_logs_out_everywhere_may_stay(
    site: Site, store: RedisStore, begin: Callable[[Session], None]
) -> None:
    """In the request that does it: begin anew, and log in once more."""

    def everywhere_else(session: Session) -> None:
        assert session.owner == "ann"
        store.revoke_owner("ann")
        begin(session)
        session.owner = "ann"

    here, there = site.log_in("ann"), site.log_in("ann")
    after = site.visit(everywhere_else, here).cookie
    assert [site.read(cookie) for cookie in (here, there, after)] == [None, None, {}]


@pytest.mark.parametrize("act", [count, Session.regenerate])
def test_slow_request_never_undoes_log_out_everywhere(
    site: Site, store: RedisStore, act: Callable[[Session], object]
) -> None:
    cookie = site.log_in("ann")
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(lambda session: (act(session), store.revoke_owner("ann")), cookie)
    assert store.sessions_of("ann") == []


class Interrupted(RedisStore):
    """Lets another request act between the look at an owner's list and what follows."""

    def _keys(self, listed: str, most: int = 0) -> list[str]:
        keys = super()._keys(listed, most)
        if self.acts:
            self.acts.pop()()
        return keys

    acts: list[Callable[[], object]]


def test_session_that_moves_during_log_out_everywhere_is_ended(
    redis_database: RedisDatabase,
) -> None:
    """However often: what a regenerate put in its place is found."""
    store = Interrupted(redis_database.client)
    site = Site(store=redis_database.store())
    cookies = [site.log_in("ann")]

    def move() -> None:
        cookies.append(site.visit(Session.regenerate, cookies[-1]).cookie)

    store.acts = [move, move, move]
    assert store.revoke_owner("ann") == 1
    assert [site.read(cookie) for cookie in cookies] == [None] * 4


class Watched(RedisStore):
    """Notes, whenever a session is being listed, whether it is there."""

    def _enlist(self, pipeline: Any, key: str, seconds: int, owner: str | None) -> None:
        self.notes.append(self.load(key) is not None)
        super()._enlist(pipeline, key, seconds, owner)

    notes: list[bool]


def test_what_is_listed_and_gone_is_gone_for_good(redis_database: RedisDatabase) -> None:
    """None is listed before it is there: ended too early, it would outlive its end."""
    store = Watched(redis_database.client)
    store.notes = []
    site = Site(store=store)
    site.visit(Session.regenerate, site.log_in("ann"))
    assert store.notes == [True, True]


def test_key_in_use_is_not_listed_for_another(
    store: RedisStore, redis_database: RedisDatabase
) -> None:
    redis_database.client.set("session:key", '{"a":1}')
    assert not store.save("key", "{}", new=True, seconds=9, owner="ann")
    assert redis_database.only() == "session:key"


def test_session_ends_also_where_its_list_does_not_answer(
    store: RedisStore, redis_database: RedisDatabase
) -> None:
    store.save("key", '{"_owner":["ann",""]}', new=True, seconds=9, owner="ann")
    [listed] = [key for key in redis_database.content() if "owner" in key]
    redis_database.client.set(listed, "not a list")
    assert store.delete("key")
    assert store.load("key") is None
