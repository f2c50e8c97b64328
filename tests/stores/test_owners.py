"""The sessions of one owner: listed for a page, ended one by one or all at once."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from sessionware import Session, SessionUnavailable, UnserializableValue
from sessionware.session import Owner
from sessionware.store import key_of
from tests.conftest import Clock
from tests.sites import Site, count, id_of
from tests.stores.databases import Database

DAY = 24 * 60 * 60


@pytest.fixture
def store(listing_database: Database) -> Any:
    return listing_database.store()


@pytest.fixture
def site(store: Any) -> Site:
    return Site(store=store)


def key_in(site: Site, cookie: str) -> str:
    return key_of(site.visit(id_of, cookie).result)


# Listed


def test_living_sessions_are_listed_with_what_they_hold(site: Site, store: Any) -> None:
    cookie = site.log_in("ann", device="phone")
    site.log_in("bob")
    [kept] = store.sessions_of("ann")
    assert kept.key == key_in(site, cookie)
    assert kept.data == {"device": "phone"}
    assert 31 * DAY - 5 <= kept.seconds <= 31 * DAY


def test_session_that_was_used_last_comes_first(site: Site, store: Any, clock: Clock) -> None:
    cookies = [site.log_in("ann", device=device) for device in ("phone", "laptop")]
    clock.advance(10)
    site.visit(count, cookies[0])
    devices = [kept.data["device"] for kept in store.sessions_of("ann")]
    assert devices == ["phone", "laptop"]


@pytest.mark.parametrize(
    "owner", ["ann", "", "None", "\ud800", "a:b", 7, -1, UUID(int=7)], ids=repr
)
def test_owner_is_a_str_an_int_or_a_uuid(site: Site, store: Any, owner: Owner) -> None:
    site.visit(count)
    cookie = site.log_in(owner)
    assert [kept.key for kept in store.sessions_of(owner)] == [key_in(site, cookie)]
    assert store.revoke_owner(owner) == 1
    assert site.read(cookie) is None


@pytest.mark.parametrize("owner", [None, True, 1.5, b"ann", ["ann"], ()], ids=repr)
def test_what_cannot_be_an_owner_is_refused(listing_database: Database, owner: Owner) -> None:
    store, revocations = listing_database.store(), listing_database.revocations()
    for ask in (
        store.sessions_of,
        store.revoke_owner,
        store.stamp,
        lambda owner: store.end(owner, key_of("k")),
        revocations.revoke_owner,
    ):
        with pytest.raises(UnserializableValue, match=type(owner).__name__):
            ask(owner)
    assert listing_database.content() == {}


def test_session_that_is_over_is_not_listed(
    site: Site, store: Any, listing_database: Database
) -> None:
    listing_database.forget(f"session:{key_in(site, site.log_in('ann'))}")
    assert store.sessions_of("ann") == []


def test_log_out_takes_the_session_off_the_list(site: Site, listing_database: Database) -> None:
    site.visit(Session.invalidate, site.log_in("ann"))
    assert listing_database.content() == {}


def test_regenerated_session_is_listed_once(site: Site, store: Any) -> None:
    cookie = site.visit(Session.regenerate, site.log_in("ann")).cookie
    assert [kept.key for kept in store.sessions_of("ann")] == [key_in(site, cookie)]


def test_session_handed_on_to_another_user_is_theirs(site: Site, store: Any) -> None:
    site.visit(lambda session: setattr(session, "owner", "bob"), site.log_in("ann"))
    assert store.sessions_of("ann") == []
    assert len(store.sessions_of("bob")) == 1


def test_session_without_an_owner_is_not_listed(site: Site, store: Any) -> None:
    site.visit(count)
    site.visit(lambda session: setattr(session, "owner", None), site.log_in("None"))
    assert store.sessions_of("None") == []


@pytest.mark.parametrize("value", [b"[]", b"junk", b"\\xff"])
def test_value_that_is_not_ours_is_not_listed(
    site: Site, store: Any, listing_database: Database, value: bytes
) -> None:
    listing_database.put(f"session:{key_in(site, site.log_in('ann'))}", value)
    assert store.sessions_of("ann") == []


def test_session_that_is_kept_for_good_is_listed(
    site: Site, store: Any, listing_database: Database
) -> None:
    key = key_in(site, site.log_in("ann", n=1))
    listing_database.keep(f"session:{key}", None)
    [kept] = store.sessions_of("ann")
    assert (kept.key, kept.data) == (key, {"n": 1})
    assert kept.seconds > 30 * DAY


def test_text_that_is_no_session_is_not_listed(store: Any) -> None:
    store.create(key_of("k"), "no session", seconds=9, owner="ann")
    assert store.sessions_of("ann") == []


def test_list_is_limited_to_the_sessions_that_live_longest(store: Any) -> None:
    for number in range(3):
        text = f'[{{"n":{number}}},0,0,0,"ann"]'
        store.create(key_of(str(number)), text, seconds=10 + number, owner="ann")
    assert [kept.data["n"] for kept in store.sessions_of("ann", most=2)] == [2, 1]
    assert store.revoke_owner("ann") == 3


# Ended


def test_one_session_is_ended_by_its_key(site: Site, store: Any) -> None:
    phone, laptop = site.log_in("ann", device="phone"), site.log_in("ann", device="laptop")
    [key] = [kept.key for kept in store.sessions_of("ann") if kept.data["device"] == "phone"]
    assert (store.delete(key), store.delete(key)) == (True, False)
    assert (site.read(phone), site.read(laptop)) == (None, {"device": "laptop"})


def test_one_session_is_ended_if_it_belongs_to_the_owner(site: Site, store: Any) -> None:
    number, text, visitor = site.log_in(1), site.log_in("1"), site.visit(count).cookie
    key = key_in(site, number)
    assert not store.end("1", key)
    assert not store.end("None", key_in(site, visitor))
    assert (store.end(1, key), store.end(1, key)) == (True, False)
    assert [site.read(cookie) for cookie in (number, text, visitor)] == [None, {}, {"n": 1}]
    assert store.sessions_of(1) == []


def test_session_that_has_passed_to_another_owner_is_ended_for_that_one_alone(store: Any) -> None:
    key, text = key_of("k"), '[{},0,0,0,"ann"]'
    store.create(key, text, seconds=9, owner="ann")
    version = store.load(key).version
    assert store.replace(key, text.replace("ann", "bob"), version=version, seconds=9, owner="bob")
    assert (store.revoke_owner("ann"), store.end("ann", key), store.end("bob", key)) == (
        0,
        False,
        True,
    )


def test_however_many_sessions_there_are_each_can_be_ended(store: Any) -> None:
    keys = [key_of(str(number)) for number in range(130)]
    for number, key in enumerate(keys):
        store.create(key, '[{},0,0,0,"ann"]', seconds=99 + number, owner="ann")
    assert len(store.sessions_of("ann")) == 100
    assert store.end("ann", keys[0])
    assert store.revoke_owner("ann") == 129
    assert [store.load(key) for key in keys] == [None] * 130


def test_end_of_all_sessions_is_one_for_visitors_too(site: Site, store: Any) -> None:
    cookies = [site.log_in("ann"), site.log_in("ann"), site.log_in("bob"), site.visit(count).cookie]
    assert (store.revoke_all(), store.revoke_all()) == (4, 0)
    assert [site.read(cookie) for cookie in cookies] == [None] * 4
    assert store.sessions_of("ann") == []
    assert site.read(site.log_in("ann")) == {}


def test_end_of_all_sessions_leaves_the_marks_of_those_that_have_ended(store: Any) -> None:
    """A mark is a JSON string, such as that the session of another cookie has ended."""
    mark, became = key_of("mark"), key_of("became one")
    store.create(mark, '"ended"', seconds=9, owner=None)
    store.create(became, "[{},0]", seconds=9, owner=None)
    store.replace(became, '"ended"', version=store.load(became).version, seconds=9, owner=None)
    assert store.revoke_all() == 0
    assert [store.load(key).text for key in (mark, became)] == ['"ended"'] * 2


def test_log_out_everywhere_ends_all_of_the_owner_and_no_other(site: Site, store: Any) -> None:
    of_ann, of_bob = [site.log_in("ann") for _ in range(3)], site.log_in("bob")
    assert store.revoke_owner("ann") == 3
    assert [site.read(cookie) for cookie in of_ann] == [None] * 3
    assert site.read(of_bob) == {}
    assert (store.revoke_owner("ann"), store.revoke_owner("nobody")) == (0, 0)


def test_log_in_after_log_out_everywhere_holds(site: Site, store: Any) -> None:
    site.log_in("ann")
    store.revoke_owner("ann")
    assert site.read(site.log_in("ann")) == {}
    assert len(store.sessions_of("ann")) == 1


@pytest.mark.parametrize("begin", [Session.invalidate, Session.regenerate])
def test_request_that_logs_out_everywhere_may_stay(
    site: Site, store: Any, begin: Callable[[Session], None]
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


ENDS: list[Callable[[Any], int]] = [
    lambda store: store.revoke_owner("ann"),
    lambda store: store.revoke_all(),
]


@pytest.mark.parametrize("end", ENDS, ids=["of_owner", "of_all"])
@pytest.mark.parametrize("act", [count, Session.regenerate])
def test_slow_request_never_undoes_log_out_everywhere(
    site: Site, store: Any, act: Callable[[Session], object], end: Callable[[Any], int]
) -> None:
    cookie = site.log_in("ann")
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(lambda session: (act(session), end(store)), cookie)
    assert store.sessions_of("ann") == []


@pytest.mark.parametrize("end", ENDS, ids=["of_owner", "of_all"])
def test_log_in_does_not_escape_a_log_out_everywhere_that_comes_meanwhile(
    site: Site, store: Any, end: Callable[[Any], int]
) -> None:
    def slow(session: Session) -> None:
        session.owner = "ann"
        end(store)

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow)
    assert store.sessions_of("ann") == []


def test_int_and_a_str_of_the_same_digits_are_two_owners(site: Site, store: Any) -> None:
    number, text = site.log_in(1, n="int"), site.log_in("1", n="str")
    assert [kept.data for kept in store.sessions_of(1)] == [{"n": "int"}]
    assert store.revoke_owner("1") == 1
    assert (site.read(number), site.read(text)) == ({"n": "int"}, None)


def test_stamp_is_another_once_all_sessions_were_ended(store: Any) -> None:
    stamps = [store.stamp("ann")]
    for end in ENDS[:1] * 2 + ENDS[1:] * 2 + ENDS * 2:
        end(store)
        stamps.append(store.stamp("ann"))
    assert stamps[0] == ""
    assert len({*stamps}) == 9


def test_stamp_is_the_owner_s_own_until_all_sessions_were_ended(store: Any) -> None:
    store.revoke_owner(1)
    assert store.stamp("1") == ""
    store.revoke_all()
    assert store.stamp("1") != ""


def test_csrf_token_and_owner_are_not_in_the_listed_data(site: Site, store: Any) -> None:
    site.visit(Session.get_csrf_token, site.log_in("ann", n=1))
    assert [kept.data for kept in store.sessions_of("ann")] == [{"n": 1}]


def test_stamp_that_was_forgotten_ends_no_session(
    site: Site, store: Any, listing_database: Database
) -> None:
    store.revoke_owner("ann")
    stamp = listing_database.only()
    cookie = site.log_in("ann")
    listing_database.forget(stamp)
    assert site.read(site.visit(Session.regenerate, cookie).cookie) == {}
