"""A slow request outruns the list: it saves its session when the list has forgotten its end.

A list remembers an ended session until every copy of its cookie has expired, and an hour more. A
request that takes longer, such as a slow upload, would write a fresh cookie (CWE-613, CWE-367).
"""

from collections.abc import Callable
from typing import Any

import pytest

from sessionware import SessionUnavailable
from tests.attacks.modes import MODES
from tests.conftest import Clock
from tests.sites import MemoryRevocations, Page, Site

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
IDLE = 30 * MINUTE


pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def site(clock: Clock) -> Site:
    return Site(idle_timeout=IDLE, revocations=MemoryRevocations())


def log_out(session: Any) -> None:
    session.invalidate()


def read(session: Any) -> object:
    return session.get("user")


def slowly(
    site: Site,
    clock: Clock,
    cookie: str,
    act: Callable[[Any], object],
    seconds: float,
    meanwhile: Callable[[Any], object] | None = None,
) -> Page:
    """Look at the session, take so many seconds, then call the act."""

    def upload(session: Any) -> object:
        read(session)
        clock.advance(1)
        if meanwhile is not None:
            site.visit(meanwhile, cookie)
        clock.advance(seconds - 1)
        return act(session)

    return site.visit(upload, cookie)


CHANGES: dict[str, Callable[[Any], object]] = {
    "an item": lambda session: session.update(done=True),
    "regenerate": lambda session: session.regenerate(),
    "the last item removed and another set": lambda session: (
        session.pop("user"),
        session.update(done=True),
    ),
    "a flash message": lambda session: session.flash("Uploaded"),
    "a CSRF token": lambda session: session.new_csrf_token(),
}
every_change = pytest.mark.parametrize("change", CHANGES)


@every_change
@pytest.mark.parametrize("seconds", [HOUR + 1, IDLE + HOUR + 2, 2 * DAY])
def test_no_change_brings_a_session_back_after_its_log_out(
    site: Site, clock: Clock, change: str, seconds: int
) -> None:
    """The list forgets the session while the upload is under way."""
    cookie = site.log_in("ada", user="ada")
    with pytest.raises(SessionUnavailable):
        slowly(site, clock, cookie, CHANGES[change], seconds, meanwhile=log_out)


@every_change
def test_a_change_after_an_hour_is_an_error(site: Site, clock: Clock, change: str) -> None:
    """The server cannot tell any more whether the session has ended."""
    cookie = site.log_in("ada", user="ada")
    with pytest.raises(SessionUnavailable):
        slowly(site, clock, cookie, CHANGES[change], HOUR + 1)


@every_change
def test_a_change_within_an_hour_is_saved(site: Site, clock: Clock, change: str) -> None:
    cookie = site.log_in("ada", user="ada")
    page = slowly(site, clock, cookie, CHANGES[change], HOUR - 1)
    assert site.visit(lambda session: session.owner, page.cookie).result == "ada"


@pytest.mark.parametrize("meanwhile", [None, log_out], ids=["alone", "logged out meanwhile"])
@pytest.mark.parametrize("seconds", [HOUR + 1, IDLE + HOUR + 2, 2 * DAY])
def test_a_page_that_only_read_sets_nothing(
    site: Site, clock: Clock, seconds: int, meanwhile: Callable[[Any], object] | None
) -> None:
    """Although its cookie is due to be issued again."""
    cookie = site.log_in("ada", user="ada")
    clock.advance(IDLE - 1)
    page = slowly(site, clock, cookie, read, seconds, meanwhile)
    assert (page.result, page.response.set_cookie) == ("ada", None)


def test_a_session_that_the_request_began_is_saved(site: Site, clock: Clock) -> None:
    page = slowly(site, clock, "", lambda session: session.update(user="ada"), 2 * DAY)
    assert site.read(page.cookie) == {"user": "ada"}


def test_a_log_in_without_a_session_is_saved(site: Site, clock: Clock) -> None:
    page = slowly(site, clock, "", lambda session: setattr(session, "owner", "ada"), 2 * DAY)
    assert site.visit(lambda session: session.owner, page.cookie).result == "ada"


@pytest.mark.parametrize(
    "act",
    [log_out, lambda session: session.clear(), lambda session: setattr(session, "owner", None)],
    ids=["invalidate", "clear", "owner = None"],
)
@pytest.mark.parametrize("seconds", [HOUR + 1, 2 * DAY])
def test_a_log_out_always_works(
    site: Site, clock: Clock, act: Callable[[Any], object], seconds: int
) -> None:
    """The cookie is deleted, and a copy that was issued meanwhile is refused."""
    cookie = site.log_in("ada", user="ada")
    copies = [cookie]

    def act_late(session: Any) -> None:
        read(session)
        for _ in range(seconds // (20 * MINUTE)):
            clock.advance(20 * MINUTE)
            copies.append(site.visit(read, copies[-1]).cookie)
        act(session)

    page = site.visit(act_late, cookie)
    assert page.cookie == ""
    assert [site.visit(read, copy).result for copy in copies] == [None] * len(copies)


@pytest.mark.parametrize("mode", ["signed", "encrypted", "store"])
def test_without_a_list_a_slow_change_is_saved(clock: Clock, mode: str) -> None:
    """A store knows whether the session has ended, and a cookie alone knows it never."""
    site = Site(idle_timeout=DAY, **MODES[mode]())
    cookie = site.log_in("ada", user="ada")
    page = slowly(site, clock, cookie, CHANGES["an item"], 2 * HOUR)
    assert site.visit(lambda session: session.get("done"), page.cookie).result is True


# What the list has to remember


TIMEOUTS: dict[str, dict[str, Any]] = {
    "permanent longer": {"idle_timeout": HOUR, "permanent_timeout": 30 * DAY},
    "permanent shorter": {"idle_timeout": 30 * DAY, "permanent_timeout": HOUR},
}


@pytest.mark.parametrize("permanent", [False, True])
@pytest.mark.parametrize("timeouts", TIMEOUTS)
def test_the_list_remembers_an_end_for_the_longer_of_the_two_timeouts(
    clock: Clock, timeouts: str, permanent: bool
) -> None:
    """The session may have been a permanent one before, and a copy of it is."""
    site = Site(revocations=MemoryRevocations(), **TIMEOUTS[timeouts])

    def log_in(session: Any) -> None:
        session["user"] = "ada"
        session.permanent = permanent

    def change_over(session: Any) -> None:
        session.permanent = not permanent

    first = site.visit(log_in).cookie
    second = site.visit(change_over, first).cookie
    site.visit(log_out, second)
    seen = []
    for _ in range(32):
        seen += [site.visit(read, copy).result for copy in (first, second)]
        clock.advance(DAY)
    assert seen == [None] * 64
