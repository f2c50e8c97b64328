"""Sessions in the cookie, beside a list of those that were ended: a log-out that holds."""

from typing import Any
from uuid import UUID

import pytest

from sessionware import Session, SessionUnavailable
from sessionware.backend import MAX_REQUEST_TIME
from sessionware.session import Owner
from sessionware.store import key_of
from tests.conftest import Clock
from tests.processes import require
from tests.sites import Act, Site, count, data_of, id_of, untouched
from tests.stores.databases import Database


@pytest.fixture
def revocations(database: Database) -> Any:
    return database.revocations()


@pytest.fixture
def site(revocations: Any) -> Site:
    return Site(revocations=revocations)


# What it is asked


def test_first_to_end_a_session_is_told_so(revocations: Any, database: Database) -> None:
    assert [revocations.revoke("key", seconds) for seconds in (100, 10)] == [True, False]
    assert 95 <= database.seconds_of("revoked:key") <= 100


def test_stamp_is_another_each_time(revocations: Any) -> None:
    stamps = [revocations.check("", "ann")]
    for _ in range(3):
        revocations.revoke_owner("ann")
        stamps.append(revocations.check("", "ann"))
    assert stamps[0] == ""
    assert len({*stamps}) == 4


# One session


def test_session_stays_in_the_cookie(site: Site, database: Database) -> None:
    cookie = site.visit(count, site.visit(count).cookie).cookie
    assert site.read(cookie) == {"n": 2}
    assert database.content() == {}


@pytest.mark.parametrize("log_out", [Session.invalidate, Session.clear])
def test_cookie_from_before_the_log_out_is_refused(site: Site, log_out: Act, caplog: Any) -> None:
    cookie = site.visit(count).cookie
    assert site.visit(log_out, cookie).response.cookie == "session="
    with caplog.at_level("INFO"):
        assert site.read(cookie) is None
    assert [record.reason for record in caplog.records] == ["revoked"]


def test_every_earlier_cookie_of_the_session_is_refused(site: Site) -> None:
    cookies = [site.visit(count).cookie]
    cookies += [site.visit(count, cookies[0]).cookie for _ in range(3)]
    site.visit(Session.invalidate, cookies[1])
    assert [site.read(cookie) for cookie in cookies] == [None] * 4


def test_log_out_ends_one_session_of_several(site: Site) -> None:
    first, second = site.log_in("ada"), site.log_in("ada")
    site.visit(Session.invalidate, first)
    assert site.read(second) == {}


def test_list_holds_the_hashed_id_of_an_ended_session(site: Site, database: Database) -> None:
    cookie = site.visit(count).cookie
    session_id = site.visit(id_of, cookie).result
    site.visit(Session.invalidate, cookie)
    [(name, value)] = database.content().items()
    assert name == f"revoked:{key_of(session_id)}"
    assert session_id.encode() not in value


@pytest.mark.parametrize("act", [Session.invalidate, Session.regenerate])
def test_ended_session_is_remembered_while_a_copy_of_it_could_live(
    database: Database, clock: Clock, act: Act
) -> None:
    site = Site(revocations=database.revocations(), idle_timeout=100)
    cookie = site.visit(count).cookie
    key = key_of(site.visit(id_of, cookie).result)
    site.visit(act, cookie)
    assert 95 <= database.seconds_of(f"revoked:{key}") - MAX_REQUEST_TIME <= 100


def test_regenerate_refuses_the_cookie_from_before(site: Site) -> None:
    before = site.visit(count).cookie
    after = site.visit(Session.regenerate, before).cookie
    assert (site.read(before), site.read(after)) == (None, {"n": 1})


@pytest.mark.parametrize("late", [False, True])
def test_slow_change_of_a_session_that_was_logged_out_is_refused(site: Site, late: bool) -> None:
    """Whether it changed the session before the log-out or after it."""
    cookie = site.visit(count).cookie

    def slow(session: Session) -> None:
        (dict if late else count)(session)
        site.visit(Session.invalidate, cookie)
        (count if late else dict)(session)

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, cookie)


def test_slow_change_does_not_take_the_place_of_a_log_in(site: Site) -> None:
    """Its cookie would be refused, and the user would be logged out."""
    cookie = site.visit(count).cookie

    def slow(session: Session) -> None:
        count(session)
        site.visit(lambda session: setattr(session, "owner", "ann"), cookie)

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, cookie)


@pytest.mark.parametrize("late", [False, True])
def test_slow_regenerate_never_undoes_a_log_out(site: Site, late: bool) -> None:
    cookie = site.visit(count).cookie

    def slow(session: Session) -> None:
        (dict if late else Session.regenerate)(session)
        site.visit(Session.invalidate, cookie)
        (Session.regenerate if late else dict)(session)

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, cookie)


def test_two_log_outs_at_once_are_both_fine(site: Site) -> None:
    cookie = site.log_in("ada")

    def slow(session: Session) -> None:
        dict(session)
        site.visit(Session.invalidate, cookie)
        session.invalidate()
        session["n"] = 1

    assert site.read(site.visit(slow, cookie).cookie) == {"n": 1}


def test_cookie_from_before_the_list_is_accepted_and_gets_an_id(site: Site) -> None:
    old = Site().visit(count).cookie
    page = site.visit(data_of, old)
    assert page.result == {"n": 1}
    assert site.read(page.cookie) == {"n": 1}
    site.visit(Session.invalidate, page.cookie)
    assert site.read(page.cookie) is None


def test_junk_strangers_and_untouched_requests_ask_the_list_nothing(
    site: Site, database: Database
) -> None:
    cookie = site.visit(count).cookie
    database.commands()
    site.visit(untouched, cookie)
    for junk in ("", "session=junk", cookie[:-1], cookie[:-1] + "."):
        assert site.read(junk) is None
    assert database.commands() == {}
    site.visit(count, cookie)
    assert database.commands() in ({"mget": 2}, {"get": 4}, {"check": 2}, {"select": 2})


def test_expired_session_is_not_looked_up(database: Database, clock: Clock) -> None:
    site = Site(revocations=database.revocations(), idle_timeout=100)
    cookie = site.log_in("ada")
    database.commands()
    clock.advance(101)
    assert site.read(cookie) is None
    assert database.commands() == {}


def test_encrypted_sessions_are_ended_too(revocations: Any) -> None:
    require("cryptography")
    site = Site(revocations=revocations, encrypt=True)
    cookie = site.log_in("ann")
    assert site.read(cookie) == {}
    site.visit(Session.invalidate, cookie)
    assert site.read(cookie) is None


# All of an owner


@pytest.mark.parametrize("owner", ["ann", "", "\ud800", 7, UUID(int=7)], ids=repr)
def test_log_out_everywhere_refuses_all_of_the_owner_and_no_other(
    site: Site, revocations: Any, owner: Owner
) -> None:
    cookies = [site.log_in(owner) for _ in range(3)]
    others = [site.log_in("bob"), site.visit(count).cookie]
    assert None not in map(site.read, cookies)
    revocations.revoke_owner(owner)
    assert [site.read(cookie) for cookie in cookies] == [None] * 3
    assert [site.read(cookie) for cookie in others] == [{}, {"n": 1}]


def test_log_in_after_log_out_everywhere_holds_until_the_next(
    site: Site, revocations: Any, clock: Clock
) -> None:
    """In the same second. No clock is asked, so servers whose clocks differ agree."""
    for _ in range(3):
        cookie = site.log_in("ann")
        assert site.read(cookie) == {}
        revocations.revoke_owner("ann")
        assert site.read(cookie) is None


@pytest.mark.parametrize("begin", [Session.invalidate, Session.regenerate])
def test_request_that_logs_out_everywhere_may_stay(
    site: Site, revocations: Any, begin: Act
) -> None:
    """It begins anew, and logs in once more."""

    def everywhere_else(session: Session) -> None:
        assert session.owner == "ann"
        revocations.revoke_owner("ann")
        begin(session)
        session.owner = "ann"

    here, there = site.log_in("ann"), site.log_in("ann")
    after = site.visit(everywhere_else, here).cookie
    assert [site.read(cookie) for cookie in (here, there, after)] == [None, None, {}]


def test_slow_log_in_never_outlives_log_out_everywhere(site: Site, revocations: Any) -> None:
    def slow(session: Session) -> None:
        session.owner = "ann"
        revocations.revoke_owner("ann")

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow)


@pytest.mark.parametrize("act", [count, Session.regenerate])
@pytest.mark.parametrize("late", [False, True])
def test_slow_change_never_outlives_log_out_everywhere(
    site: Site, revocations: Any, act: Act, late: bool
) -> None:
    def slow(session: Session) -> None:
        (dict if late else act)(session)
        revocations.revoke_owner("ann")
        (act if late else dict)(session)

    cookie = site.log_in("ann")
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, cookie)


def test_cookie_from_before_the_list_ends_with_all_of_its_owners(
    site: Site, revocations: Any
) -> None:
    old = Site().visit(lambda session: setattr(session, "owner", "ada")).cookie
    assert site.read(old) == {}
    revocations.revoke_owner("ada")
    assert site.read(old) is None


def test_stamp_that_was_forgotten_refuses_no_session(
    site: Site, revocations: Any, database: Database
) -> None:
    revocations.revoke_owner("ada")
    cookie = site.log_in("ada")
    database.forget(database.only())
    assert site.read(cookie) == {}


# All of all owners


def test_end_of_all_refuses_every_session_that_began_before(listing_database: Database) -> None:
    revocations = listing_database.revocations()
    site = Site(revocations=revocations)
    cookies = [site.log_in("ann"), site.log_in(7), site.visit(count).cookie]
    cookies.append(Site().visit(count).cookie)  # From before the list.
    revocations.revoke_all()
    assert [site.read(cookie) for cookie in cookies] == [None] * 4
    assert site.read(site.log_in("ann")) == {}


def test_stamp_for_nobody_is_that_of_the_list_itself(listing_database: Database) -> None:
    revocations = listing_database.revocations()
    stamps = [revocations.check("key", None)]
    revocations.revoke_owner("ann")
    assert revocations.check("key", None) == ""
    for _ in range(2):
        revocations.revoke_all()
        stamps.append(revocations.check("key", None))
    assert stamps[0] == ""
    assert len({*stamps}) == 3


def test_end_of_all_changes_the_stamp_of_every_owner(listing_database: Database) -> None:
    revocations = listing_database.revocations()
    revocations.revoke_owner("ann")
    before = [revocations.check("key", owner) for owner in ("ann", "bob")]
    revocations.revoke_all()
    after = [revocations.check("key", owner) for owner in ("ann", "bob")]
    assert "" not in after
    assert not {*before} & {*after}


def test_ended_session_stays_refused_after_the_end_of_all(listing_database: Database) -> None:
    revocations = listing_database.revocations()
    revocations.revoke("key", 9)
    revocations.revoke_all()
    assert revocations.check("key", None) is None
