"""Sessions in the cookie beside a list: what the cookie carries, and what the list is asked."""

import json
import os
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from sessionware import Session, SessionUnavailable
from sessionware.backend import GRACE, MAX_REPEAT_TIME, MAX_REQUEST_TIME
from sessionware.codec import SignedCodec
from sessionware.migration import SessionwareCookie
from sessionware.store import key_of
from tests.conftest import Clock
from tests.gateway import KEY
from tests.sites import (
    Act,
    MemoryRevocations,
    MemoryStore,
    Site,
    count,
    every_log_out,
    owner_of,
)

CODEC = SignedCodec(KEY)


@pytest.fixture
def revocations() -> MemoryRevocations:
    return MemoryRevocations()


@pytest.fixture
def revocable(revocations: MemoryRevocations) -> Site:
    return Site(revocations=revocations)


def envelope(cookie: str) -> list[Any]:
    """Return the list that the cookie carries."""
    opened: list[Any] = json.loads(CODEC.decode(cookie.partition("=")[2])[0])
    return opened


def log_in(session: Session) -> None:
    session.owner = "ann"


def log_in_as_ben(session: Session) -> None:
    session.owner = "ben"


def log_out_and_in(session: Session) -> None:
    session.invalidate()
    session.owner = "ann"


def down(*_: object, **__: object) -> None:
    raise SessionUnavailable("down")


# The key


def test_key_is_a_hash_that_does_not_reveal_the_id() -> None:
    keys = [key_of(session_id) for session_id in ("a", "b", "", "é", "\ud800")]
    assert len({*keys}) == len(keys)
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys)


# A session in the cookie, with a list of ended sessions


@pytest.mark.parametrize(("idle", "permanent"), [(100, 1000), (1000, 100)])
def test_list_remembers_an_end_for_the_longer_idle_timeout_and_an_hour(
    revocations: MemoryRevocations, idle: int, permanent: int
) -> None:
    """A copy of the cookie may be that of a permanent session or not."""
    site = Site(revocations=revocations, idle_timeout=idle, permanent_timeout=permanent)
    site.visit(Session.invalidate, site.visit(count).cookie)
    assert [*revocations.refused.values()] == [1000 + MAX_REQUEST_TIME]


@pytest.mark.parametrize("owner", [1, "1", UUID(int=1)], ids=repr)
def test_list_is_asked_for_the_owner_with_its_type(
    revocable: Site, revocations: MemoryRevocations, owner: Any
) -> None:
    cookies = {each: revocable.log_in(each) for each in (1, "1", UUID(int=1))}
    revocations.revoke_owner(owner)
    assert [each for each in cookies if revocable.read(cookies[each]) is None] == [owner]


def test_log_out_with_a_cookie_that_was_renewed_is_an_error_for_a_minute(
    revocable: Site, clock: Clock
) -> None:
    """Each of a double click is told. Later, the answer with the next cookie is lost."""
    old = revocable.log_in("ann")
    new = revocable.visit(Session.regenerate, old).cookie
    clock.advance(MAX_REQUEST_TIME)
    for _ in range(2):
        with pytest.raises(SessionUnavailable, match=r"log out again\.$"):
            revocable.visit(Session.invalidate, old)
        clock.advance(MAX_REPEAT_TIME - 1)
    clock.advance(2)
    for _ in range(2):
        assert revocable.visit(Session.invalidate, old).cookie == ""
    assert revocable.visit(owner_of, new).result == "ann"


def test_log_out_with_a_cookie_that_was_renewed_succeeds_once_the_next_has_come(
    revocable: Site,
) -> None:
    old = revocable.log_in("ann")
    new = revocable.visit(Session.regenerate, old).cookie
    with pytest.raises(SessionUnavailable):
        revocable.visit(Session.invalidate, old)
    assert revocable.visit(Session.invalidate, new).cookie == ""
    assert revocable.read(new) is None


def test_log_out_with_a_cookie_that_has_ended_succeeds(revocable: Site) -> None:
    cookie = revocable.log_in("ann")
    revocable.visit(Session.invalidate, cookie)
    assert revocable.visit(Session.invalidate, cookie).cookie == ""


@pytest.mark.parametrize(("act", "owner"), [(log_in_as_ben, "ben"), (log_out_and_in, "ann")])
def test_log_in_with_a_cookie_that_was_renewed_is_one_of_its_own(
    revocable: Site, act: Act, owner: str
) -> None:
    """It takes the place of what the browser may still get, and need not end anything."""
    old = revocable.log_in("ann")
    revocable.visit(Session.regenerate, old)
    assert revocable.visit(owner_of, revocable.visit(act, old).cookie).result == owner


every_renewal = pytest.mark.parametrize(
    "renew", [Session.regenerate, log_in], ids=["new id", "log-in"]
)


@every_renewal
def test_change_with_a_cookie_that_was_renewed_is_an_error_for_a_minute(
    revocable: Site, clock: Clock, renew: Act
) -> None:
    """A visitor's cookie would take the place of the one with the new id."""
    former = revocable.visit(count).cookie
    revocable.visit(renew, former)
    assert revocable.visit(len, former).result == 0
    with pytest.raises(SessionUnavailable, match=r"regenerate\(\)"):
        revocable.visit(count, former)
    clock.advance(GRACE + 1)
    assert revocable.visit(count, former).result == 1


@every_renewal
def test_change_with_a_former_cookie_that_a_stranger_may_have_begins_a_session(
    clock: Clock, renew: Act
) -> None:
    """It has no id, and the one that is made of its text is that of all who have an equal one."""
    former = Site(salt="former").visit(count).cookie
    reader = SessionwareCookie(KEY, salt="former")
    site = Site(revocations=MemoryRevocations(), migrate_from=[reader])
    site.visit(renew, former)
    assert site.visit(count, former).result == 1


@every_renewal
@pytest.mark.parametrize("is_taken_over", [False, True])
@pytest.mark.parametrize("salt", ["", "former"])
def test_change_with_a_users_cookie_that_had_no_id_is_an_error_for_a_minute(
    clock: Clock, renew: Act, is_taken_over: bool, salt: str
) -> None:
    """A user's cookie is nobody else's. It is a former one, or one from before there was a list."""
    cookie = Site(salt=salt).log_in("ann", n=1)
    reader = SessionwareCookie(KEY, salt="former")
    site = Site(revocations=MemoryRevocations(), migrate_from=[reader])
    if is_taken_over:
        cookie = site.visit(count, cookie).cookie
    site.visit(renew, cookie)
    with pytest.raises(SessionUnavailable, match=r"regenerate\(\)"):
        site.visit(count, cookie)
    clock.advance(GRACE + 1)
    assert site.visit(count, cookie).result == 1


def test_change_with_the_cookie_from_before_a_binding_is_an_error() -> None:
    """The session that was bound has got another id since."""
    pytest.importorskip("cryptography")
    from tests.dbsc_browser import Browser

    browser = Browser(Site(revocations=MemoryRevocations(), device_bound=True).app, binds=False)
    browser.visit(log_in)
    former = browser.header("/")
    browser.register()
    browser.visit(Session.regenerate)
    with pytest.raises(SessionUnavailable):
        browser.send(count, cookie=former)


@every_renewal
@pytest.mark.parametrize("is_first", [True, False])
def test_slow_change_with_a_cookie_that_was_renewed_is_an_error(
    revocable: Site, clock: Clock, renew: Act, is_first: bool
) -> None:
    """Whether the renewal has come first, or in the middle of the request."""

    def slow(session: Session) -> None:
        if not is_first:
            revocable.visit(renew, former)
        clock.advance(2 * GRACE)
        count(session)

    former = revocable.visit(count).cookie
    if is_first:
        revocable.visit(renew, former)
    with pytest.raises(SessionUnavailable):
        revocable.visit(slow, former)


def test_change_after_a_renewal_that_was_refused_begins_a_session(
    revocable: Site, revocations: MemoryRevocations
) -> None:
    """No session has come of it, whose cookie the browser could have."""

    def end_all_and_renew(session: Session) -> None:
        dict(session)
        revocations.revoke_owner("ann")
        session.regenerate()

    cookie = revocable.log_in("ann")
    with pytest.raises(SessionUnavailable):
        revocable.visit(end_all_and_renew, cookie)
    assert revocable.visit(count, cookie).result == 1


def test_change_with_a_cookie_that_has_ended_begins_a_session(revocable: Site) -> None:
    former = revocable.visit(count).cookie
    revocable.visit(Session.invalidate, former)
    assert revocable.visit(count, former).result == 1


def test_log_out_that_brings_a_former_cookie_beside_a_valid_one_succeeds(clock: Clock) -> None:
    """The former one's session was renewed, by the one that is ended here for all we know."""
    former = Site(cookie_name="former")
    revocations = MemoryRevocations()
    named = SessionwareCookie(KEY, cookie_name="former")
    site = Site(revocations=revocations, migrate_from=[named])
    old = former.log_in("ann")
    new = site.visit(Session.regenerate, old).cookie
    assert site.visit(Session.invalidate, f"{old}; {new}").cookie == ""
    assert site.visit(owner_of, new).result is None


@pytest.mark.parametrize("renewals", [1, 2])
def test_log_out_that_brings_a_renewed_cookie_beside_a_valid_one_succeeds_twice(
    revocable: Site, clock: Clock, renewals: int
) -> None:
    """The cookie that was renewed may be at a place where it stays."""
    old = new = revocable.log_in("ann")
    for _ in range(renewals):
        clock.advance(1)
        new = revocable.visit(Session.regenerate, new).cookie
    for _ in range(2):
        assert log_out_with(revocable, f"{new}; {old}")
    assert log_out_with(revocable, old)


def test_log_in_that_is_under_way_in_such_a_log_out_is_not_taken_for_ended(
    revocable: Site, clock: Clock
) -> None:
    old = revocable.log_in("ann")

    def slow(session: Session) -> None:
        dict(session)
        clock.advance(1)
        new = revocable.visit(Session.regenerate, old).cookie
        assert log_out_with(revocable, f"{new}; {old}")
        session.owner = "ben"

    revocable.visit(slow, old)
    assert not log_out_with(revocable, old)


def test_log_out_that_the_list_refuses_does_not_take_a_renewal_for_ended(
    revocable: Site, revocations: MemoryRevocations, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    old = revocable.log_in("ann")
    clock.advance(1)
    new = revocable.visit(Session.regenerate, old).cookie
    with monkeypatch.context() as patch:
        patch.setattr(revocations, "revoke", down)
        assert not log_out_with(revocable, f"{new}; {old}")
    assert not log_out_with(revocable, old)


FORMER: dict[str, Callable[[], dict[str, Any]]] = {
    "signed": dict,
    "encrypted": lambda: {"encrypt": True},
    "a list": lambda: {"revocations": MemoryRevocations()},
    "a store": lambda: {"store": MemoryStore()},
}
"""What the settings can have been before."""


def log_out_with(site: Site, cookie: str) -> bool:
    """Return whether a log-out says that it has ended the session."""
    try:
        site.visit(Session.invalidate, cookie)
    except SessionUnavailable:
        return False
    return True


@pytest.mark.parametrize("make", FORMER.values(), ids=FORMER)
@pytest.mark.parametrize("now", ["a list", "a store"])
@pytest.mark.parametrize("begin", [log_in, count])
@pytest.mark.parametrize("renew", [Session.regenerate, log_in])
def test_log_out_with_a_former_cookie_that_was_renewed_has_an_effect(
    now: str, make: Callable[[], dict[str, Any]], begin: Act, renew: Act
) -> None:
    """It ends the successor, or raises, though the former store or list refuses the session now."""
    former = {"cookie_name": "former", "salt": "former", **make()}
    old = Site(**former).visit(begin).cookie
    site = Site(**FORMER[now](), migrate_from=[SessionwareCookie(KEY, **former)])
    new = site.visit(renew, old).cookie
    assert log_out_with(site, old) == (site.read(new) is None) == (now == "a store")


def test_log_out_with_a_cookie_from_before_the_list_that_was_renewed_is_an_error(
    revocable: Site,
) -> None:
    old = Site().log_in("ann")
    revocable.visit(Session.regenerate, old)
    assert not log_out_with(revocable, old)


@pytest.mark.parametrize("act", [log_in_as_ben, log_out_and_in])
def test_log_out_with_a_cookie_from_before_the_log_in_of_another_is_an_error(
    revocable: Site, act: Act
) -> None:
    """The answer with the cookie of the log-in may be on its way, and would come after it."""
    old = revocable.log_in("ann")
    revocable.visit(act, old)
    assert not log_out_with(revocable, old)


@pytest.mark.parametrize("other", [Session.regenerate, Session.invalidate, log_in_as_ben])
@pytest.mark.parametrize(("act", "owner"), [(log_in_as_ben, "ben"), (log_out_and_in, "ann")])
def test_log_in_that_ends_a_session_which_another_request_has_ended_is_one_of_its_own(
    revocable: Site, other: Act, act: Act, owner: str
) -> None:
    page = revocable.visit_during(other, act, revocable.log_in("ann"))
    assert revocable.visit(owner_of, page.cookie).result == owner


@pytest.mark.parametrize("more", [{}, {"message": "goodbye"}])
def test_log_out_of_a_session_that_was_renewed_meanwhile_is_an_error(
    revocable: Site, more: dict[str, str]
) -> None:
    """The list does not know the new id, so the log-out would have no effect."""
    cookie = revocable.visit(count).cookie
    renewed: list[str] = []

    def slow(session: Session) -> None:
        dict(session)
        renewed.append(revocable.visit(Session.regenerate, cookie).cookie)
        session.invalidate()
        session.update(more)

    with pytest.raises(SessionUnavailable) as caught:
        revocable.visit(slow, cookie)
    assert str(caught.value) == (
        "The session could not be ended, because another request has given it a new id meanwhile "
        "(a log-in, or regenerate()). The other request's response has the valid cookie: log out "
        "again."
    )
    assert revocable.read(renewed[0]) == {"n": 1}


@pytest.mark.parametrize("more", [{}, {"message": "goodbye"}])
def test_second_log_out_of_a_session_succeeds(revocable: Site, more: dict[str, str]) -> None:
    cookie = revocable.visit(count).cookie

    def slow(session: Session) -> None:
        dict(session)
        revocable.visit(Session.invalidate, cookie)
        session.invalidate()
        session.update(more)

    assert revocable.read(revocable.visit(slow, cookie).cookie) == (more or None)


def test_ended_session_is_refused_until_it_would_have_expired(
    revocations: MemoryRevocations, clock: Clock
) -> None:
    """MAX_REQUEST_TIME is added, because a slow request issues its cookie only when it ends."""
    site = Site(revocations=revocations, idle_timeout=1000, absolute_timeout=1500)
    cookie = site.log_in("ada")
    clock.advance(900)
    site.visit(Session.invalidate, cookie)
    assert revocations.refused == {key_of(envelope(cookie)[2]): 600 + MAX_REQUEST_TIME}


@pytest.mark.parametrize(
    "end", [lambda ended: ended.revoke_owner("ann"), MemoryRevocations.revoke_all]
)
@pytest.mark.parametrize(
    "act",
    [
        count,
        Session.regenerate,
        lambda session: session.regenerate(keep_created=True),
        log_in,
    ],
    ids=["count", "regenerate", "keep_created", "log_in"],
)
@pytest.mark.parametrize("begin", ["new", "ann's"])
def test_change_that_meets_the_end_of_all_sessions_of_the_owner_is_an_error(
    revocable: Site, revocations: MemoryRevocations, end: Act, act: Act, begin: str
) -> None:
    """Otherwise, the response would set a cookie that the next request refuses."""

    def slow(session: Session) -> None:
        if begin == "new":
            log_in(session)
        act(session)
        end(revocations)

    cookie = revocable.log_in("ann") if begin == "ann's" else ""
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        revocable.visit(slow, cookie)


def test_visitors_regenerate_that_meets_the_end_of_all_sessions_is_an_error(
    revocable: Site, revocations: MemoryRevocations
) -> None:
    def slow(session: Session) -> None:
        session.regenerate()
        revocations.revoke_all()

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        revocable.visit(slow, revocable.visit(count).cookie)


def test_log_out_succeeds_after_a_renewal_that_has_met_the_end_of_all_sessions(
    revocable: Site, revocations: MemoryRevocations
) -> None:
    def slow(session: Session) -> None:
        session.regenerate()
        revocations.revoke_owner("ann")

    cookie = revocable.log_in("ann")
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        revocable.visit(slow, cookie)
    assert revocable.visit(Session.invalidate, cookie).cookie == ""


def test_session_that_is_too_large_does_not_end_the_previous_one(revocable: Site) -> None:
    def too_much(session: Any) -> None:
        session.regenerate()
        session["noise"] = os.urandom(3000)

    cookie = revocable.log_in("ada")
    with pytest.raises(ValueError, match="4096"):
        revocable.visit(too_much, cookie)
    assert revocable.read(cookie) == {}


def test_list_failure_is_an_error_and_not_an_empty_session(
    revocable: Site, revocations: MemoryRevocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = revocable.log_in("ada")
    monkeypatch.setattr(revocations, "check", down)
    with pytest.raises(SessionUnavailable):
        revocable.read(cookie)
    assert revocable.visit(lambda _: "untouched", cookie).result == "untouched"


def test_owner_is_not_set_if_the_list_fails(
    revocable: Site, revocations: MemoryRevocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log-out in another request still ends this session after the failure."""

    def slow(session: Any) -> None:
        dict(session)
        revocable.visit(Session.invalidate, cookie)
        with monkeypatch.context() as patch:
            patch.setattr(revocations, "check", down)
            with pytest.raises(SessionUnavailable, match="down"):
                session.owner = "grace"
        assert session.owner == "ada"
        session.regenerate()

    cookie = revocable.log_in("ada")
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        revocable.visit(slow, cookie)


def test_second_log_out_succeeds_though_a_renewal_has_found_the_session_ended(
    revocable: Site,
) -> None:
    cookie = revocable.log_in("ann")
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        revocable.visit_during(Session.invalidate, Session.regenerate, cookie)
    assert revocable.visit(Session.invalidate, cookie).cookie == ""


@pytest.mark.parametrize("act", [Session.changed, Session.regenerate, dict])
def test_forced_save_of_a_refused_session_is_no_log_out(revocable: Site, act: Act) -> None:
    """As one, it would have to say that another request has renewed the session."""
    old = revocable.log_in("ann")
    renewed = revocable.visit(Session.regenerate, old).cookie
    assert revocable.visit(act, old).response.set_cookie is None
    assert revocable.visit(owner_of, renewed).result == "ann"


def test_renewal_that_a_log_out_overtakes_is_refused(
    revocable: Site, revocations: MemoryRevocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie, revoke = revocable.log_in("ann"), revocations.revoke

    def overtaken(key: str, seconds: int) -> bool:
        monkeypatch.undo()
        assert revocable.visit(Session.invalidate, cookie).cookie == ""
        return revoke(key, seconds)

    monkeypatch.setattr(revocations, "revoke", overtaken)
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        revocable.visit(Session.regenerate, cookie)


class Renewal:
    """A renewal that something happens to before the session is put on the list."""

    def __init__(
        self,
        site: Site,
        revocations: MemoryRevocations,
        patch: pytest.MonkeyPatch,
        meanwhile: Callable[[str], object],
    ) -> None:
        self.cookie, revoke = site.log_in("ann"), revocations.revoke

        def overtaken(key: str, seconds: int) -> bool:
            if key == key_of(envelope(self.cookie)[2]):
                patch.undo()
                meanwhile(self.cookie)
            return revoke(key, seconds)

        patch.setattr(revocations, "revoke", overtaken)
        with pytest.raises(SessionUnavailable):
            site.visit(Session.regenerate, self.cookie)


def test_second_log_out_succeeds_though_a_renewal_was_overtaken_by_the_first(
    revocable: Site, revocations: MemoryRevocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No session has come of the renewal."""

    def log_out(cookie: str) -> None:
        revocable.visit(Session.invalidate, cookie)

    cookie = Renewal(revocable, revocations, monkeypatch, log_out).cookie
    assert revocable.visit(Session.invalidate, cookie).cookie == ""


def test_log_out_succeeds_after_a_renewal_that_the_list_has_refused(
    revocable: Site, revocations: MemoryRevocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = Renewal(revocable, revocations, monkeypatch, down).cookie
    for _ in range(2):
        assert revocable.visit(Session.invalidate, cookie).cookie == ""


@pytest.mark.parametrize("act", [Session.regenerate, log_in_as_ben])
def test_log_out_is_an_error_if_one_of_two_renewals_was_refused(
    revocable: Site, revocations: MemoryRevocations, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    def renew(cookie: str) -> None:
        revocable.visit(act, cookie)

    cookie = Renewal(revocable, revocations, monkeypatch, renew).cookie
    assert not log_out_with(revocable, cookie)


def test_log_out_comes_to_an_end_though_the_list_refuses_every_key(
    revocable: Site, revocations: MemoryRevocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = revocable.log_in("ann")
    monkeypatch.setattr(revocations, "check", lambda *_: None)
    assert log_out_with(revocable, cookie)


def test_renewal_gives_up_if_too_many_others_are_under_way(
    revocable: Site, revocations: MemoryRevocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = revocable.log_in("ann")
    monkeypatch.setattr(revocations, "revoke", lambda *_: False)
    with pytest.raises(SessionUnavailable, match="another request was faster"):
        revocable.visit(Session.regenerate, cookie)


@every_log_out
def test_log_out_with_a_cookie_that_was_renewed_is_an_error(revocable: Site, log_out: Act) -> None:
    old = revocable.log_in("ann")
    revocable.visit(Session.regenerate, old)
    with pytest.raises(SessionUnavailable, match="another request has given it a new id"):
        revocable.visit(log_out, old)


@every_log_out
def test_log_out_with_junk_beside_a_cookie_that_was_renewed_is_an_error(log_out: Act) -> None:
    former = SessionwareCookie(KEY, cookie_name="former")
    site = Site(revocations=MemoryRevocations(), migrate_from=[former])
    old = site.log_in("ann")
    site.visit(Session.regenerate, old)
    with pytest.raises(SessionUnavailable, match="another request has given it a new id"):
        site.visit(log_out, f"{old}; former=junk")
