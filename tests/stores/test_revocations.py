"""Signed cookies beside a list of ended sessions: a log-out that holds."""

import json
import logging
import os
from typing import Any
from uuid import UUID

import pytest

from sessionware import SessionUnavailable
from sessionware.codec import SignedCodec
from sessionware.store import LONGEST_REQUEST, key_of
from tests.conftest import Clock
from tests.gateway import KEY
from tests.sites import MemoryRevocations, Site

USER = UUID("12345678-1234-5678-1234-567812345678")


@pytest.fixture
def revocations() -> MemoryRevocations:
    return MemoryRevocations()


@pytest.fixture
def site(revocations: MemoryRevocations) -> Site:
    return Site(revocations=revocations)


def key_in(cookie: str) -> str:
    token = cookie.partition("=")[2]
    return key_of(json.loads(SignedCodec(KEY).decode(token).text)[2])


def log_out(session: Any) -> None:
    session.invalidate()


# One session


def test_copy_of_a_cookie_is_refused_after_log_out(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    cookie = site.log_in("ada")
    assert site.visit(log_out, cookie).cookie == "session="
    caplog.set_level(logging.INFO)
    assert site.data(cookie) == {}
    assert [record.__dict__["reason"] for record in caplog.records] == ["revoked"]


def test_copy_from_before_a_regenerate_is_refused(site: Site) -> None:
    first = site.log_in("ada")
    second = site.visit(lambda session: session.regenerate(), first).cookie
    assert (site.data(first), site.data(second)["user"]) == ({}, "ada")


def test_log_out_ends_one_session_of_several(site: Site) -> None:
    first, second = site.log_in("ada"), site.log_in("ada")
    site.visit(log_out, first)
    assert site.data(second)["user"] == "ada"


def test_only_an_accessed_session_with_a_valid_signature_is_looked_up(
    site: Site, revocations: MemoryRevocations
) -> None:
    cookie = site.log_in("ada")
    revocations.asked.clear()
    for header in ("", cookie[:-1], "session=junk"):
        site.data(header)
    site.visit(lambda _: "", cookie)
    assert revocations.asked == []
    site.visit(lambda session: session.update(n=1), cookie)
    assert revocations.asked == ["check"]


def test_expired_session_is_not_looked_up(revocations: MemoryRevocations, clock: Clock) -> None:
    site = Site(revocations=revocations, idle_timeout=100)
    cookie = site.log_in("ada")
    revocations.asked.clear()
    clock.advance(101)
    assert site.data(cookie) == {}
    assert revocations.asked == []


def test_refused_for_as_long_as_it_could_live(revocations: MemoryRevocations, clock: Clock) -> None:
    """And for a slow request's time more: its cookie counts from the end of the request."""
    site = Site(revocations=revocations, idle_timeout=1000, absolute_timeout=1500)
    cookie = site.log_in("ada")
    clock.advance(900)
    site.visit(log_out, cookie)
    assert revocations.refused == {key_in(cookie): 600 + LONGEST_REQUEST}


def test_cookie_from_before_the_list_is_accepted_and_gets_an_id(site: Site) -> None:
    old = Site().visit(lambda session: session.update(n=1)).cookie
    cookie = site.visit(dict, old).cookie
    assert site.data(cookie) == {"n": 1}
    site.visit(log_out, cookie)
    assert site.data(cookie) == {}


def test_cookie_from_before_the_list_ends_with_all_of_its_owners(
    site: Site, revocations: MemoryRevocations
) -> None:
    old = Site().visit(lambda session: setattr(session, "owner", "ada")).cookie
    assert site.data(old) != {}
    revocations.revoke_owner("ada")
    assert site.data(old) == {}


def test_cookie_that_is_too_large_ends_nothing(site: Site) -> None:
    def too_much(session: Any) -> None:
        session.regenerate()
        session["noise"] = os.urandom(3000)

    cookie = site.log_in("ada")
    with pytest.raises(ValueError, match="4096"):
        site.visit(too_much, cookie)
    assert site.data(cookie)["user"] == "ada"


def test_slower_request_does_not_take_an_ended_session_on(site: Site) -> None:
    cookie = site.log_in("ada")

    def slow(session: Any) -> None:
        dict(session)
        site.visit(log_out, cookie)
        session.regenerate()

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, cookie)


def test_slower_request_that_changes_an_ended_session_writes_a_refused_cookie(site: Site) -> None:
    cookie = site.log_in("ada")

    def slow(session: Any) -> None:
        dict(session)
        site.visit(log_out, cookie)
        session["n"] = 1

    assert site.data(site.visit(slow, cookie).cookie) == {}


def test_two_log_outs_at_once_are_both_fine(site: Site) -> None:
    cookie = site.log_in("ada")

    def slow(session: Any) -> None:
        dict(session)
        site.visit(log_out, cookie)
        session.invalidate()
        session["n"] = 1

    assert site.data(site.visit(slow, cookie).cookie) == {"n": 1}


def test_list_that_does_not_answer_is_no_anonymous_session(
    site: Site, revocations: MemoryRevocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise SessionUnavailable("down")

    cookie = site.log_in("ada")
    monkeypatch.setattr(revocations, "check", fail)
    with pytest.raises(SessionUnavailable):
        site.data(cookie)
    assert site.visit(lambda _: "untouched", cookie).data == b"untouched"


# All sessions of an owner


def test_every_session_of_the_owner_ends_and_nobody_elses(
    site: Site, revocations: MemoryRevocations
) -> None:
    mine, too, other = site.log_in("ada"), site.log_in("ada"), site.log_in("grace")
    revocations.revoke_owner("ada")
    assert [bool(site.data(cookie)) for cookie in (mine, too, other)] == [False, False, True]


def test_log_in_after_log_out_everywhere_holds_in_the_same_second(
    site: Site, revocations: MemoryRevocations, clock: Clock
) -> None:
    """No clock is asked, so servers whose clocks differ agree."""
    before = site.log_in("ada")
    revocations.revoke_owner("ada")
    after = site.log_in("ada")
    assert (bool(site.data(before)), bool(site.data(after))) == (False, True)
    revocations.revoke_owner("ada")
    assert not site.data(after)


def test_request_that_logs_out_everywhere_can_stay(
    site: Site, revocations: MemoryRevocations
) -> None:
    def everywhere_else(session: Any) -> None:
        revocations.revoke_owner(session.owner)
        session.regenerate()
        session.owner = session.owner

    other, mine = site.log_in("ada"), site.log_in("ada")
    mine = site.visit(everywhere_else, mine).cookie
    assert (bool(site.data(other)), bool(site.data(mine))) == (False, True)


def test_slower_request_does_not_carry_its_session_past_it(
    site: Site, revocations: MemoryRevocations
) -> None:
    def slow(session: Any) -> None:
        dict(session)
        revocations.revoke_owner("ada")
        session.regenerate()

    assert not site.data(site.visit(slow, site.log_in("ada")).cookie)


def test_stamps_that_were_forgotten_refuse_nobody(
    site: Site, revocations: MemoryRevocations
) -> None:
    revocations.revoke_owner("ada")
    cookie = site.log_in("ada")
    revocations.stamps.clear()
    assert site.data(cookie)["user"] == "ada"


def test_owner_that_could_not_be_looked_up_is_not_set(
    site: Site, revocations: MemoryRevocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does the session then stand on its own: another request's log-out still holds."""

    def fail(*_: object) -> None:
        raise SessionUnavailable("down")

    def slow(session: Any) -> None:
        dict(session)
        site.visit(log_out, cookie)
        with monkeypatch.context() as patch:
            patch.setattr(revocations, "check", fail)
            with pytest.raises(SessionUnavailable, match="down"):
                session.owner = "grace"
        assert session.owner == "ada"
        session.regenerate()

    cookie = site.log_in("ada")
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, cookie)
