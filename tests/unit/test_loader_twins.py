"""Loader: several valid cookies of our name, of which the newest counts, and their log-out."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from sessionware import Session
from sessionware.cookie import former_cookie
from tests.conftest import Clock
from tests.gateway import OLDER_KEY, call
from tests.processes import require
from tests.sites import (
    MemoryRevocations,
    MemoryStore,
    Page,
    Site,
    data_of,
    disown,
    owner_of,
    untouched,
)
from tests.unit.applications import acting
from tests.unit.sessions import sign

DAY = 24 * 60 * 60


def encrypted() -> dict[str, Any]:
    require("cryptography")
    return {"encrypt": True}


MODES: dict[str, Callable[[], dict[str, Any]]] = {
    "signed": dict,
    "list": lambda: {"revocations": MemoryRevocations()},
    "store": lambda: {"store": MemoryStore()},
    "encrypted": encrypted,
}
every_mode = pytest.mark.parametrize("mode", MODES)
held_on_the_server = pytest.mark.parametrize("mode", ["list", "store"])
log_out = Session.invalidate


def force_save(session: Session) -> None:
    session.modified = True


def set_n(session: Any) -> None:
    session["n"] = session.get("n", 0) + 1


def both(*cookies: str) -> str:
    return "; ".join(cookies)


def attributes(page: Page) -> list[str]:
    return (page.response.set_cookie or "").split("; ")[1:]


class Twins:
    """A site, and two cookies of one browser: Ann's, and Ben's, which is newer."""

    def __init__(self, mode: str, clock: Clock, **settings: Any) -> None:
        self.site = Site(**MODES[mode](), **settings)
        self.older = self.site.log_in("ann", n=1)
        clock.advance(2)
        self.newer = self.site.log_in("ben", n=2)
        clock.advance(2)
        self.header = both(self.older, self.newer)


@pytest.fixture
def twins(mode: str, clock: Clock) -> Twins:
    return Twins(mode, clock)


# Which one counts


@every_mode
def test_newest_cookie_counts_at_any_place_in_the_header(twins: Twins, mode: str) -> None:
    assert twins.site.read(both(twins.older, twins.newer)) == {"n": 2}
    assert twins.site.read(both(twins.newer, twins.older)) == {"n": 2}


@every_mode
def test_first_cookie_counts_if_both_are_of_one_second(clock: Clock, mode: str) -> None:
    site = Site(**MODES[mode]())
    cookies = [site.log_in("ann", n=n) for n in (1, 2)]
    assert site.read(both(*cookies)) == {"n": 1}
    assert site.read(both(*reversed(cookies))) == {"n": 2}


@held_on_the_server
def test_newest_cookie_that_is_not_refused_counts(twins: Twins, mode: str) -> None:
    twins.site.visit(log_out, twins.newer)
    assert twins.site.read(twins.header) == {"n": 1}


@every_mode
def test_newest_cookie_that_has_not_expired_counts(clock: Clock, mode: str) -> None:
    """A permanent session may live longer than a newer one."""
    site = Site(**MODES[mode](), idle_timeout=100, permanent_timeout=1000)
    older = site.visit(lambda session: session.update(_permanent=True, n=1)).cookie
    clock.advance(10)
    newer = site.log_in("ben", n=2)
    clock.advance(101)
    assert site.read(both(newer, older)) == {"_permanent": True, "n": 1}


@every_mode
def test_several_valid_cookies_are_logged(
    twins: Twins, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    twins.site.read(twins.header)
    [record] = caplog.records
    assert (record.levelno, vars(record)["reason"]) == (logging.INFO, "twins")
    assert record.getMessage() == "A request had several session cookies of our name (twins)."


@pytest.mark.parametrize("other", ["session=junk", "session=", "theme=dark"])
def test_cookie_beside_others_that_are_not_valid_has_no_twin(
    clock: Clock, other: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site = Site()
    cookie = site.log_in(n=1)
    assert site.read(both(other, cookie)) == {"n": 1}
    assert site.visit(log_out, both(other, cookie)).response.cookie == "session="
    assert caplog.records == []


def test_fallback_key_is_logged_once_in_a_log_out(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    cookies = [call(acting(set_n, secret_key=OLDER_KEY)).cookie for _ in range(2)]
    caplog.set_level(logging.INFO)
    call(acting(log_out, secret_key_fallbacks=[OLDER_KEY]), both(*cookies))
    assert [vars(record)["reason"] for record in caplog.records] == ["twins", "old_key"]


@every_mode
def test_cookie_that_is_written_is_newer_than_those_that_came(
    twins: Twins, mode: str, clock: Clock
) -> None:
    """So the browser's next request has the same session, even if its clock has gone back."""
    clock.advance(-30)
    cookie = twins.site.visit(set_n, twins.header).cookie
    assert twins.site.read(both(twins.older, twins.newer, cookie)) == {"n": 3}


def test_cookie_is_issued_at_most_a_minute_ahead(clock: Clock) -> None:
    """Or else it would be refused as one from the future."""
    site = Site()
    cookies = [site.log_in(n=n) for n in (1, 2)]
    clock.advance(-60)
    assert site.read(site.visit(set_n, both(*cookies)).cookie) == {"n": 2}


# Log-out


@every_mode
@pytest.mark.parametrize("act", [log_out, Session.clear, disown])
def test_log_out_with_twins_sets_an_empty_cookie_that_the_browser_keeps(
    twins: Twins, mode: str, act: Callable[[Session], object]
) -> None:
    """A twin at a place that we do not know would count again if it were alone.

    The twin may have been issued by a clock that is a minute ahead.
    """
    page = twins.site.visit(act, twins.header)
    assert page.cookie not in ("", twins.older, twins.newer)
    assert f"Max-Age={31 * DAY + 61}" in attributes(page)


@every_mode
@pytest.mark.parametrize("act", [force_save, Session.regenerate])
def test_forced_save_leaves_an_empty_cookie_again(
    twins: Twins, mode: str, act: Callable[[Session], object]
) -> None:
    ended = twins.site.visit(log_out, twins.header).cookie
    page = twins.site.visit(act, both(twins.older, ended))
    assert f"Max-Age={31 * DAY + 61}" in attributes(page)
    assert twins.site.read(both(twins.older, page.cookie)) is None


@every_mode
def test_log_out_with_twins_reads_as_a_new_session(twins: Twins, mode: str) -> None:
    ended = twins.site.visit(log_out, twins.header).cookie
    for header in (ended, both(twins.older, ended), both(ended, twins.newer, twins.older)):
        page = twins.site.visit(data_of, header)
        assert (page.result, page.response.set_cookie) == (None, None)


@every_mode
def test_log_out_with_a_copy_of_the_same_cookie_is_one_with_twins(clock: Clock, mode: str) -> None:
    site = Site(**MODES[mode]())
    cookie = site.log_in()
    ended = site.visit(log_out, both(cookie, cookie)).cookie
    assert site.read(both(cookie, ended)) is None


@pytest.mark.parametrize("settings", [{}, {"cookie_path": "/app"}, {"cookie_domain": "a.example"}])
def test_log_out_deletes_a_cookie_of_version_1_0(clock: Clock, settings: dict[str, Any]) -> None:
    """It does not tell its place, which is taken for ours."""
    text = '[0,{"n":1}]'
    cookie = f"session={sign(text)}"
    page = Site(**settings).visit(log_out, cookie)
    assert [line.partition(";")[0] for line in page.response.headers.getlist("Set-Cookie")] == [
        "session="
    ]


@pytest.mark.parametrize("place", ["/app", ";a.example", ";;P"])
def test_cookie_at_another_place_is_deleted_there_once(clock: Clock, place: str) -> None:
    text = f'[{{"n":1}},0,0,0,null,"","{place}"]'
    cookie, there = f"session={sign(text)}", former_cookie("session", place)
    assert there is not None
    page = Site().visit(set_n, both(cookie, cookie))
    assert page.deleted == [there.delete(there.always_secure)]


def test_cookie_at_a_place_that_browsers_refuse_is_hidden(clock: Clock) -> None:
    """A ``__Host-`` cookie has no path, so it is a copy that somebody else has made."""
    name = "__Host-session"
    token = sign('[{"n":1},0,0,0,null,"","/app"]', cookie_name=name)
    page = Site(cookie_name=name).visit(log_out, f"{name}={token}")
    assert page.deleted == []
    assert page.cookie != ""


@every_mode
def test_empty_cookie_is_kept_by_a_second_log_out(twins: Twins, mode: str, clock: Clock) -> None:
    ended = twins.site.visit(log_out, twins.header).cookie
    clock.advance(10)
    again = twins.site.visit(log_out, both(twins.older, ended))
    assert again.cookie != ended
    assert f"Max-Age={31 * DAY + 61}" in attributes(again)
    assert twins.site.read(both(twins.older, twins.newer, again.cookie)) is None


@every_mode
def test_empty_cookie_lives_as_long_as_the_longest_session(clock: Clock, mode: str) -> None:
    twins = Twins(mode, clock, idle_timeout=100, permanent_timeout=1000)
    page = twins.site.visit(log_out, twins.header)
    assert "Max-Age=1061" in attributes(page)
    clock.advance(1001)
    assert twins.site.read(both(twins.header, page.cookie)) is None


@every_mode
@pytest.mark.parametrize(
    "timeouts", [{"absolute_timeout": 200}, {"idle_timeout": 100, "permanent_timeout": 1000}]
)
def test_session_that_is_over_hides_the_older_cookie_that_came_with_it(
    clock: Clock, mode: str, timeouts: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The other session lasts longer, as it began later, or as it is permanent.

    The log tells why the session is a new one.
    """
    settings = {**MODES[mode](), **timeouts}
    site, elsewhere = Site(**settings), Site(**settings, cookie_path="/app")
    newer = site.log_in("ann")
    clock.advance(50)
    older = elsewhere.log_in("ben", _permanent=True)
    clock.advance(10)
    newer = site.visit(set_n, newer).cookie
    newer = site.visit(set_n, both(older, newer)).cookie
    clock.advance(160)
    assert elsewhere.visit(owner_of, older).result == "ben"
    caplog.set_level(logging.INFO, "sessionware")
    assert site.visit(owner_of, both(older, newer)).result is None
    reasons = [vars(record)["reason"] for record in caplog.records]
    assert reasons == ["twins", f"expired_{next(iter(timeouts)).partition('_')[0]}"]


@every_mode
def test_log_in_after_a_log_out_with_twins_works(twins: Twins, mode: str) -> None:
    ended = twins.site.visit(log_out, twins.header).cookie
    cookie = twins.site.visit(
        lambda session: setattr(session, "owner", "eve"), both(twins.header, ended)
    ).cookie
    page = twins.site.visit(owner_of, both(twins.header, cookie))
    assert page.result == "eve"


@every_mode
def test_session_that_begins_in_the_log_out_is_kept_as_long_as_the_twins(
    twins: Twins, mode: str
) -> None:
    def say_goodbye(session: Session) -> None:
        session.invalidate()
        session["message"] = "goodbye"

    page = twins.site.visit(say_goodbye, twins.header)
    assert f"Max-Age={31 * DAY + 61}" in attributes(page)
    assert twins.site.read(both(twins.header, page.cookie)) == {"message": "goodbye"}


@every_mode
def test_visitor_after_a_log_out_with_twins_keeps_a_lasting_cookie(twins: Twins, mode: str) -> None:
    """For example, for the CSRF token of the log-in form. Without it, a twin would count again."""
    empty = twins.site.visit(log_out, twins.header).cookie
    page = twins.site.visit(Session.get_csrf_token, both(twins.older, empty))
    assert [part for part in attributes(page) if part.startswith("Max-Age=")]


@every_mode
def test_log_in_beside_a_twin_ends_with_the_browser(twins: Twins, mode: str) -> None:
    def log_in(session: Session) -> None:
        session.owner = "eve"

    page = twins.site.visit(log_in, twins.header)
    assert not [part for part in attributes(page) if part.startswith("Max-Age=")]


@held_on_the_server
def test_log_out_ends_the_sessions_of_all_twins(twins: Twins, mode: str) -> None:
    twins.site.visit(log_out, twins.header)
    assert [twins.site.read(cookie) for cookie in (twins.older, twins.newer)] == [None, None]


@held_on_the_server
def test_log_out_of_a_refused_twin_is_no_error(twins: Twins, mode: str) -> None:
    twins.site.visit(log_out, twins.older)
    assert twins.site.visit(log_out, twins.header).response.cookie == "session="
    assert twins.site.read(twins.newer) is None


def test_log_out_ends_twins_from_before_the_list(clock: Clock) -> None:
    before, site = Site(), Site(revocations=MemoryRevocations())
    cookies = [before.visit(set_n).cookie for _ in range(2)]
    site.visit(log_out, both(*cookies))
    assert [site.read(cookie) for cookie in cookies] == [None, None]


@every_mode
def test_request_that_does_not_use_the_session_leaves_its_twins(twins: Twins, mode: str) -> None:
    assert twins.site.visit(untouched, twins.header).response.header_list == []
