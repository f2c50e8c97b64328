"""The sessions of one owner in Redis: listed for a page, ended one by one or all at once."""

from collections.abc import Callable
from hashlib import sha256
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
ANN = f"session:owner:{sha256(b'str' + bytes(1) + b'ann').hexdigest()}"


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
    assert kept.data == {"device": "phone"}
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
        text = f'[{{"n":{number}}},0,0,0,"ann"]'
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


def test_log_in_does_not_escape_a_log_out_everywhere_that_comes_meanwhile(
    site: Site, store: RedisStore
) -> None:
    def slow(session: Session) -> None:
        session.owner = "ann"
        store.revoke_owner("ann")

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow)
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


def test_int_and_a_str_of_the_same_digits_are_two_owners(site: Site, store: RedisStore) -> None:
    number, text = site.log_in(1, n="int"), site.log_in("1", n="str")
    assert [kept.data for kept in store.sessions_of(1)] == [{"n": "int"}]
    assert store.revoke_owner("1") == 1
    assert (site.read(number), site.read(text)) == ({"n": "int"}, None)


def test_stamp_is_another_once_all_sessions_were_ended(store: RedisStore) -> None:
    stamps = [store.stamp("ann")]
    for _ in range(2):
        store.revoke_owner("ann")
        stamps.append(store.stamp("ann"))
    assert stamps[0] == "" == store.stamp("bob")
    assert len({*stamps}) == 3


def test_stamp_changes_before_the_first_session_is_ended(redis_database: RedisDatabase) -> None:
    """A session that is created meanwhile is listed too late, and has the old stamp."""
    store = Interrupted(redis_database.client)
    stamps = []
    store.acts = [lambda: stamps.append(store.stamp("ann"))]
    before = store.stamp("ann")
    store.revoke_owner("ann")
    assert stamps == [store.stamp("ann")] != [before]


def test_csrf_token_and_owner_are_not_in_the_listed_data(site: Site, store: RedisStore) -> None:
    site.visit(Session.get_csrf_token, site.log_in("ann", n=1))
    assert [kept.data for kept in store.sessions_of("ann")] == [{"n": 1}]


def test_stamp_that_was_forgotten_ends_no_session(
    site: Site, store: RedisStore, redis_database: RedisDatabase
) -> None:
    store.revoke_owner("ann")
    stamp = redis_database.only()
    cookie = site.log_in("ann")
    redis_database.forget(stamp)
    assert site.read(site.visit(Session.regenerate, cookie).cookie) == {}


def test_key_in_use_is_not_listed_for_another(
    store: RedisStore, redis_database: RedisDatabase
) -> None:
    redis_database.client.set("session:key", '{"a":1}')
    assert not store.save("key", "{}", new=True, seconds=9, owner="ann")
    assert redis_database.only() == "session:key"


def test_session_ends_also_where_its_list_does_not_answer(
    store: RedisStore, redis_database: RedisDatabase
) -> None:
    store.save("key", '[{},0,0,0,"ann"]', new=True, seconds=9, owner="ann")
    [listed] = [key for key in redis_database.content() if "owner" in key]
    redis_database.client.set(listed, "not a list")
    assert store.delete("key")
    assert store.load("key") is None
