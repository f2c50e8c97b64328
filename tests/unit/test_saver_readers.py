"""Saver: a request that only reads never undoes what another has saved."""

from collections.abc import Callable
from typing import Any

import pytest

from sessionware import Session, SessionUnavailable
from sessionware.migration import SessionwareCookie
from tests.conftest import Clock
from tests.gateway import KEY, OLDER_KEY
from tests.sites import (
    LOG_OUTS,
    Act,
    MemoryRevocations,
    MemoryStore,
    Page,
    Site,
    count,
    data_of,
    disown,
    owner_of,
    untouched,
)

HOUR = 60 * 60
IDLE = 1000
DUE = 101
HALF = 501
"""Ages in seconds: when a cookie has to be issued again, and when it has to be at any speed."""

MODES: dict[str, Callable[[], dict[str, Any]]] = {
    "signed": dict,
    "list": lambda: {"revocations": MemoryRevocations()},
    "store": lambda: {"store": MemoryStore()},
}
every_mode = pytest.mark.parametrize("mode", MODES)


def slowly(site: Site, clock: Clock, cookie: str, seconds: float, act: Act = data_of) -> Page:
    """Send a request that looks at its session after so many seconds."""

    def slow(session: Session) -> Any:
        clock.advance(seconds)
        return act(session)

    return site.visit(slow, cookie)


def remember(session: Session) -> None:
    session["n"] = 1
    session.permanent = True


def forget(session: Session) -> None:
    session["n"] = 1
    session.permanent = False


# A second


@every_mode
@pytest.mark.parametrize(("seconds", "issued"), [(0, True), (1, True), (1.5, False), (30, False)])
def test_reader_issues_a_cookie_again_within_a_second(
    clock: Clock, mode: str, seconds: float, issued: bool
) -> None:
    """The second counts from the beginning of the request, not from the first look."""
    site = Site(**MODES[mode](), idle_timeout=IDLE)
    cookie = site.visit(count).cookie
    clock.advance(DUE)
    page = slowly(site, clock, cookie, seconds)
    assert page.result == {"n": 1}
    assert (page.response.set_cookie is not None) is issued


@every_mode
def test_reader_issues_no_cookie_if_the_clock_was_set_back_meanwhile(
    clock: Clock, mode: str
) -> None:
    """How long the request took is not known then."""
    site = Site(**MODES[mode](), idle_timeout=IDLE)
    cookie = site.visit(count).cookie
    clock.advance(DUE + 10)
    assert slowly(site, clock, cookie, -10).response.set_cookie is None


@every_mode
@pytest.mark.parametrize(("age", "issued"), [(HALF - 1 - 30, False), (HALF - 30, True)])
def test_slow_reader_issues_a_cookie_again_once_half_of_the_idle_timeout_is_over(
    clock: Clock, mode: str, age: int, issued: bool
) -> None:
    """Or else a site whose pages are all slow would log its users out."""
    site = Site(**MODES[mode](), idle_timeout=IDLE)
    cookie = site.visit(count).cookie
    clock.advance(age)
    assert (slowly(site, clock, cookie, 30).response.set_cookie is not None) is issued


@every_mode
@pytest.mark.parametrize(("age", "issued"), [(DUE, False), (HALF, False), (5 * IDLE, True)])
def test_half_of_the_timeout_of_a_permanent_session_counts(
    clock: Clock, mode: str, age: int, issued: bool
) -> None:
    site = Site(**MODES[mode](), idle_timeout=IDLE, permanent_timeout=9 * IDLE)
    cookie = site.visit(remember).cookie
    site.read(cookie)  # Until then, a store keeps it for an hour.
    clock.advance(age)
    assert (slowly(site, clock, cookie, 30).response.set_cookie is not None) is issued


@every_mode
def test_slow_request_that_changes_its_session_saves_it(clock: Clock, mode: str) -> None:
    site = Site(**MODES[mode](), idle_timeout=IDLE)
    cookie = site.visit(count).cookie
    clock.advance(DUE)
    assert site.read(slowly(site, clock, cookie, 30, count).cookie) == {"n": 2}


@every_mode
def test_cookie_of_an_older_key_is_left_by_a_slow_reader(clock: Clock, mode: str) -> None:
    settings = MODES[mode]()
    old = Site(**settings, secret_key=OLDER_KEY)
    cookie = old.visit(count).cookie
    site = Site(**settings, secret_key_fallbacks=[OLDER_KEY])
    slow = slowly(site, clock, cookie, 30)
    assert (slow.result, slow.response.set_cookie) == ({"n": 1}, None)
    assert site.visit(data_of, cookie).response.set_cookie is not None


@every_mode
def test_former_cookie_is_left_by_a_slow_reader(clock: Clock, mode: str) -> None:
    former = Site(salt="former").visit(count).cookie
    site = Site(**MODES[mode](), migrate_from=[SessionwareCookie(KEY, salt="former")])
    slow = slowly(site, clock, former, 30)
    assert (slow.result, slow.response.set_cookie) == ({"n": 1}, None)
    assert site.visit(data_of, former).response.set_cookie is not None


@every_mode
@pytest.mark.parametrize(("age", "issued"), [(HALF - 1 - 30, False), (HALF - 30, True)])
def test_slow_reader_issues_a_former_cookie_again_once_half_of_its_own_timeout_is_over(
    clock: Clock, mode: str, age: int, issued: bool
) -> None:
    """Or else a site whose pages are all slow would log out those who came before a longer one."""
    former = Site(salt="former").visit(count).cookie
    reader = SessionwareCookie(KEY, salt="former", idle_timeout=IDLE)
    site = Site(**MODES[mode](), migrate_from=[reader])
    clock.advance(age)
    assert (slowly(site, clock, former, 30).response.set_cookie is not None) is issued


def test_cookie_from_before_the_list_is_left_by_a_slow_reader(clock: Clock) -> None:
    former, site = Site().visit(count).cookie, Site(revocations=MemoryRevocations())
    slow = slowly(site, clock, former, 30)
    assert (slow.result, slow.response.set_cookie) == ({"n": 1}, None)
    assert site.visit(data_of, former).response.set_cookie is not None


@pytest.mark.parametrize("mode", ["list", "store"])
def test_slow_reader_of_an_ended_session_sets_no_cookie(clock: Clock, mode: str) -> None:
    site = Site(**MODES[mode](), idle_timeout=IDLE)
    cookie = site.visit(count).cookie
    clock.advance(HALF)

    def slow(session: Session) -> None:
        dict(session)
        site.visit(Session.invalidate, cookie)
        clock.advance(30)

    assert site.visit(slow, cookie).response.set_cookie is None


@pytest.mark.parametrize("mode", ["signed", "store"])
def test_reader_keeps_what_another_request_has_saved_meanwhile(clock: Clock, mode: str) -> None:
    site = Site(**MODES[mode](), idle_timeout=IDLE)
    first = site.visit(count).cookie
    clock.advance(DUE)
    pages: list[Page] = []

    def slow(session: Session) -> None:
        dict(session)
        clock.advance(5)
        pages.append(site.visit(count, first))

    cookie = site.visit(slow, first).response.cookie or pages[0].cookie
    assert site.read(cookie) == {"n": 2}


# At every use


@every_mode
def test_cookie_is_issued_at_every_use_with_refresh_after_0(clock: Clock, mode: str) -> None:
    site = Site(**MODES[mode](), refresh_after=0)
    cookie = site.visit(count).cookie
    assert site.visit(data_of, cookie).response.set_cookie is not None
    assert site.visit(untouched, cookie).response.set_cookie is None


def test_slow_reader_issues_no_cookie_with_refresh_after_0(clock: Clock) -> None:
    site = Site(refresh_after=0)
    assert slowly(site, clock, site.visit(count).cookie, 30).response.set_cookie is None


# permanent_timeout


@every_mode
@pytest.mark.parametrize(("permanent", "limit"), [(False, 100), (True, 1000)])
def test_permanent_session_has_an_idle_timeout_of_its_own(
    clock: Clock, mode: str, permanent: bool, limit: int
) -> None:
    site = Site(**MODES[mode](), idle_timeout=100, permanent_timeout=1000)
    cookie = site.visit(remember if permanent else forget).cookie
    clock.advance(limit)
    assert site.visit(untouched, cookie).response.set_cookie is None
    assert site.read(cookie) is not None
    clock.advance(1)
    assert site.read(cookie) is None


@every_mode
def test_permanent_timeout_may_be_the_shorter_one(clock: Clock, mode: str) -> None:
    site = Site(**MODES[mode](), idle_timeout=1000, permanent_timeout=100)
    page = site.visit(remember)
    assert "Max-Age=100;" in (page.response.set_cookie or "")
    clock.advance(101)
    assert site.read(page.cookie) is None


@every_mode
def test_permanent_session_is_issued_again_after_a_tenth_of_its_own_timeout(
    clock: Clock, mode: str
) -> None:
    site = Site(**MODES[mode](), idle_timeout=100, permanent_timeout=1000)
    cookie = site.visit(remember).cookie
    clock.advance(100)
    assert site.visit(data_of, cookie).response.set_cookie is None
    clock.advance(1)
    page = site.visit(data_of, cookie)
    assert "Max-Age=1000;" in (page.response.set_cookie or "")
    clock.advance(1000)
    assert site.read(page.cookie) == {"n": 1, "_permanent": True}


@every_mode
def test_session_that_is_no_longer_permanent_has_the_other_timeout(clock: Clock, mode: str) -> None:
    site = Site(**MODES[mode](), idle_timeout=100, permanent_timeout=1000)
    cookie = site.visit(remember).cookie
    cookie = site.visit(forget, cookie).cookie
    clock.advance(101)
    assert site.read(cookie) is None


@every_mode
def test_permanent_timeout_is_the_idle_timeout_by_default(clock: Clock, mode: str) -> None:
    site = Site(**MODES[mode](), idle_timeout=100)
    page = site.visit(remember)
    assert "Max-Age=100;" in (page.response.set_cookie or "")


# More than an hour, with a list, which may have forgotten by then that the session has ended


@pytest.fixture
def revocable(clock: Clock) -> Site:
    return Site(revocations=MemoryRevocations(), idle_timeout=IDLE)


CHANGES: dict[str, Act] = {
    "count": count,
    "regenerate": Session.regenerate,
    "flash": lambda session: session.flash("hello"),
    "get_csrf_token": Session.get_csrf_token,
}


@pytest.mark.parametrize(("seconds", "refused"), [(HOUR, False), (HOUR + 1, True)])
@pytest.mark.parametrize("change", CHANGES)
def test_change_after_more_than_an_hour_is_refused(
    revocable: Site, clock: Clock, change: str, seconds: int, refused: bool
) -> None:
    cookie = revocable.log_in()

    def slow(session: Session) -> None:
        dict(session)
        clock.advance(seconds)
        CHANGES[change](session)

    if not refused:
        assert revocable.visit(slow, cookie).response.set_cookie is not None
        return
    with pytest.raises(SessionUnavailable) as caught:
        revocable.visit(slow, cookie)
    assert str(caught.value) == (
        "The session was changed more than 3600 seconds after the request began, when it may be "
        "forgotten that the session ended, so nothing of it was saved. Change the session before "
        "the long part of the request."
    )


def test_reader_sets_nothing_after_more_than_an_hour(revocable: Site, clock: Clock) -> None:
    cookie = revocable.log_in()

    def slow(session: Session) -> None:
        dict(session)
        clock.advance(HOUR + 1)

    assert revocable.visit(slow, cookie).response.set_cookie is None


def test_new_session_is_saved_after_more_than_an_hour(revocable: Site, clock: Clock) -> None:
    def slow(session: Session) -> None:
        dict(session)
        clock.advance(HOUR + 1)
        count(session)

    assert revocable.read(revocable.visit(slow).cookie) == {"n": 1}


@pytest.mark.parametrize("log_out", [*LOG_OUTS.values(), disown])
def test_log_out_works_after_more_than_an_hour(revocable: Site, clock: Clock, log_out: Act) -> None:
    cookie = revocable.log_in()

    def slow(session: Session) -> None:
        dict(session)
        clock.advance(HOUR + 1)
        log_out(session)

    assert revocable.visit(slow, cookie).response.cookie == "session="
    clock.now -= HOUR + 1
    assert revocable.read(cookie) is None


@pytest.mark.parametrize("owner", ["ann", "eve"])
def test_log_in_works_after_more_than_an_hour(revocable: Site, clock: Clock, owner: str) -> None:
    cookie = revocable.log_in("ann")

    def slow(session: Session) -> None:
        dict(session)
        clock.advance(HOUR + 1)
        session.owner = owner

    assert revocable.read(revocable.visit(slow, cookie).cookie) == {}


@pytest.mark.parametrize("mode", ["signed", "store"])
def test_change_after_more_than_an_hour_is_saved_without_a_list(clock: Clock, mode: str) -> None:
    site = Site(**MODES[mode](), idle_timeout=5 * HOUR)
    cookie = site.log_in("ann", n=1)
    assert site.read(slowly(site, clock, cookie, HOUR + 1, count).cookie) == {"n": 2}


def be_ben(session: Session) -> None:
    session.owner = "ben"


@pytest.mark.parametrize("mode", ["list", "store"])
@pytest.mark.parametrize("end", [Session.invalidate, be_ben])
@pytest.mark.parametrize("beside", [False, True])
def test_slow_request_does_not_outlive_the_end_of_a_session_that_has_expired_meanwhile(
    clock: Clock, mode: str, end: Act, beside: bool
) -> None:
    """By a log-out or the log-in of another, with its cookie alone or beside a valid one."""
    site = Site(**MODES[mode](), idle_timeout=100)
    cookie = site.log_in("ann")

    def slow(session: Session) -> None:
        dict(session)
        clock.advance(101)
        other = site.log_in("ann") if beside else ""
        site.visit(end, f"{cookie}; {other}")
        session["late"] = True

    clock.advance(50)
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, cookie)


@pytest.mark.parametrize("mode", ["list", "store"])
def test_log_in_outlives_a_cookie_from_a_server_whose_clock_is_ahead(
    clock: Clock, mode: str
) -> None:
    """Such as one at another place, which counts once its time has come."""
    site = Site(**MODES[mode]())
    clock.advance(HOUR)
    ahead = site.log_in("ann")
    clock.advance(-HOUR)
    cookie = site.visit(be_ben, ahead).cookie
    clock.advance(HOUR + 1)
    assert site.visit(owner_of, f"{ahead}; {cookie}").result == "ben"
