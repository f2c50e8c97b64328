"""Sessions in the cookie, and a list in Redis of those that were ended: a log-out that holds."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from sessionware import Session, SessionUnavailable
from sessionware.owner import Owner
from sessionware.redis import RedisRevocations
from sessionware.store import LONGEST_REQUEST, key_of
from tests.conftest import Clock
from tests.redis_site import Site, count, data_of, id_of, untouched
from tests.stores.servers import KINDS, Backend, servers_of


@pytest.fixture(params=KINDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    return servers_of(request.config).backend(request.param)


@pytest.fixture
def revocations(backend: Backend) -> RedisRevocations:
    return RedisRevocations(backend.client)


@pytest.fixture
def site(revocations: RedisRevocations) -> Site:
    return Site(revocations=revocations)


# One session


def test_session_stays_in_the_cookie(site: Site, backend: Backend) -> None:
    cookie = site.visit(count, site.visit(count).cookie).cookie
    assert site.read(cookie) == {"n": 2}
    assert backend.content() == {}


@pytest.mark.parametrize("log_out", [Session.invalidate, Session.clear])
def test_cookie_from_before_the_log_out_is_refused(site: Site, log_out: Any, caplog: Any) -> None:
    cookie = site.visit(count).cookie
    site.visit(log_out, cookie)
    with caplog.at_level("INFO"):
        assert site.read(cookie) is None
    assert [record.reason for record in caplog.records] == ["revoked"]


def test_every_earlier_cookie_of_the_session_is_refused(site: Site) -> None:
    cookies = [site.visit(count).cookie]
    cookies += [site.visit(count, cookies[0]).cookie for _ in range(3)]
    site.visit(Session.invalidate, cookies[1])
    assert [site.read(cookie) for cookie in cookies] == [None] * 4


def test_redis_holds_the_hashed_id_of_an_ended_session(site: Site, backend: Backend) -> None:
    cookie = site.visit(count).cookie
    session_id = site.visit(id_of, cookie).result
    site.visit(Session.invalidate, cookie)
    [(key, value)] = backend.content().items()
    assert key == f"revoked:{key_of(session_id)}"
    assert session_id.encode() not in value


@pytest.mark.parametrize("act", [Session.invalidate, Session.regenerate])
def test_ended_session_is_remembered_while_a_copy_of_it_could_live(
    backend: Backend, clock: Clock, act: Any
) -> None:
    site = Site(revocations=RedisRevocations(backend.client, "ended:"), idle_timeout=100)
    site.visit(act, site.visit(count).cookie)
    assert backend.only().startswith("ended:")
    assert 95 <= backend.client.ttl(backend.only()) - LONGEST_REQUEST <= 100


def test_regenerate_refuses_the_cookie_from_before(site: Site) -> None:
    before = site.visit(count).cookie
    after = site.visit(Session.regenerate, before).cookie
    assert (site.read(before), site.read(after)) == (None, {"n": 1})


def test_cookie_of_a_slow_request_is_refused_after_the_log_out(site: Site) -> None:
    cookie = site.visit(count).cookie
    late = site.visit(
        lambda session: (count(session), site.visit(Session.invalidate, cookie)), cookie
    )
    assert site.read(late.cookie) is None


def test_slow_regenerate_never_undoes_a_log_out(site: Site) -> None:
    cookie = site.visit(count).cookie

    def slow(session: Session) -> None:
        session.regenerate()
        site.visit(Session.invalidate, cookie)

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, cookie)


def test_cookie_from_before_the_list_is_accepted_and_gets_an_id(site: Site) -> None:
    old = Site().visit(count).cookie
    page = site.visit(data_of, old)
    assert page.result == {"n": 1}
    site.visit(Session.invalidate, page.cookie)
    assert site.read(page.cookie) is None


def test_junk_strangers_and_untouched_requests_ask_redis_nothing(
    site: Site, backend: Backend
) -> None:
    cookie = site.visit(count).cookie
    backend.commands()
    site.visit(untouched, cookie)
    for junk in ("", "session=junk", cookie[:-1] + "."):
        assert site.read(junk) is None
    assert backend.commands() == {}


def test_first_to_end_a_session_is_told_so(revocations: RedisRevocations, backend: Backend) -> None:
    assert [revocations.revoke("key", seconds) for seconds in (100, 10)] == [True, False]
    assert 95 <= backend.client.ttl("revoked:key") <= 100


# All of an owner


@pytest.mark.parametrize("owner", ["ann", "", "\ud800", 7, UUID(int=7)], ids=repr)
def test_log_out_everywhere_refuses_all_of_the_owner_and_no_other(
    site: Site, revocations: RedisRevocations, owner: Owner
) -> None:
    cookies = [site.log_in(owner) for _ in range(3)]
    others = [site.log_in("bob"), site.visit(count).cookie]
    assert None not in map(site.read, cookies)
    revocations.revoke_owner(owner)
    assert [site.read(cookie) for cookie in cookies] == [None] * 3
    assert [site.read(cookie) for cookie in others] == [{}, {"n": 1}]


def test_log_in_after_log_out_everywhere_holds_until_the_next(
    site: Site, revocations: RedisRevocations
) -> None:
    for _ in range(3):
        cookie = site.log_in("ann")
        assert site.read(cookie) == {}
        revocations.revoke_owner("ann")
        assert site.read(cookie) is None


@pytest.mark.parametrize("begin", [Session.invalidate, Session.regenerate])
def test_who_logs_out_everywhere_may_stay(
    site: Site, revocations: RedisRevocations, begin: Callable[[Session], None]
) -> None:
    """In the request that does it: begin anew, and log in once more."""

    def everywhere_else(session: Session) -> None:
        assert session.owner == "ann"
        revocations.revoke_owner("ann")
        begin(session)
        session.owner = "ann"

    here, there = site.log_in("ann"), site.log_in("ann")
    after = site.visit(everywhere_else, here).cookie
    assert [site.read(cookie) for cookie in (here, there, after)] == [None, None, {}]


def test_slow_log_in_never_outlives_log_out_everywhere(
    site: Site, revocations: RedisRevocations
) -> None:
    def slow(session: Session) -> None:
        session.owner = "ann"
        revocations.revoke_owner("ann")

    assert site.read(site.visit(slow).cookie) is None


def test_slow_change_never_outlives_log_out_everywhere(
    site: Site, revocations: RedisRevocations
) -> None:
    def slow(session: Session) -> None:
        count(session)
        revocations.revoke_owner("ann")

    assert site.read(site.visit(slow, site.log_in("ann")).cookie) is None


def test_log_out_everywhere_is_remembered_for_ever(
    revocations: RedisRevocations, backend: Backend
) -> None:
    """No time-out is too long for it; it takes one small key an owner."""
    for _ in range(3):
        revocations.revoke_owner("ann")
    assert backend.client.ttl(backend.only()) == -1
    assert backend.only().startswith("revoked:stamp:")
    assert "ann" not in backend.only()


def test_stamp_is_another_each_time(revocations: RedisRevocations) -> None:
    stamps = [revocations.check("", "ann")]
    for _ in range(3):
        revocations.revoke_owner("ann")
        stamps.append(revocations.check("", "ann"))
    assert stamps[0] == ""
    assert len({*stamps}) == 4


def test_encrypted_sessions_are_ended_too(revocations: RedisRevocations) -> None:
    pytest.importorskip("cryptography")
    site = Site(revocations=revocations, encrypt=True)
    cookie = site.log_in("ann")
    assert site.read(cookie) == {}
    site.visit(Session.invalidate, cookie)
    assert site.read(cookie) is None
