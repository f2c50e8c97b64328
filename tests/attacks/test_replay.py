"""Replay and fixation: the server decides when a copied cookie ends (CWE-294, CWE-384, CWE-613).

A signed cookie cannot be revoked without a list on the server. The limits that this leaves are
tested here too; ``absolute_timeout`` bounds them.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.attacks.victim import Victim, sign
from tests.conftest import Clock

HOUR = 3600
IDLE, ABSOLUTE = HOUR, 12 * HOUR


@pytest.fixture
def victim(clock: Clock) -> Victim:
    return Victim(idle_timeout=IDLE, absolute_timeout=ABSOLUTE)


def remember(session: Any) -> None:
    session.update(user="ada")
    session.permanent = True


def put(number: int, session: Any) -> None:
    session["number"] = number


def test_a_copy_is_refused_after_the_idle_timeout(
    victim: Victim, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    copy = victim.log_in()
    clock.advance(IDLE)
    assert victim.sees(copy) == {"user": "ada"}
    clock.advance(1)
    assert victim.refuses(copy, caplog) == "expired_idle"


def test_activity_does_not_extend_a_session_beyond_the_absolute_timeout(
    victim: Victim, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither reading, which reissues the cookie, nor writing extends it."""
    cookie = victim.log_in()
    for number in range(24):
        clock.advance(HOUR / 2)
        act = (len, partial(put, number))[number % 2]
        cookie = victim.visit(cookie, act).cookie or cookie
        assert victim.found["user"] == "ada"
    clock.advance(1)
    assert victim.refuses(cookie, caplog) == "expired_absolute"


def test_a_cookie_from_the_future_is_refused(
    victim: Victim, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """One minute is allowed, because the clocks of servers differ."""
    clock.advance(61)
    cookie = victim.log_in()
    clock.advance(-61)
    assert victim.refuses(cookie, caplog) == "from_the_future"


@pytest.mark.parametrize(
    "more",
    [
        "",
        "; Max-Age=99999999",
        "; Expires=Fri, 31 Dec 9999 23:59:59 GMT",
        "; $Max-Age=99999999; $Version=1",
        "; session=; Max-Age=99999999",
    ],
)
def test_a_client_that_keeps_its_cookie_beyond_max_age_gains_nothing(
    victim: Victim, clock: Clock, more: str
) -> None:
    """A client can ignore Max-Age (CWE-602), so the signed time is the limit."""
    response = victim.visit("", remember)
    assert re.search(rf"; Max-Age={IDLE};", response.set_cookie or "")
    clock.advance(IDLE + 1)
    assert victim.sees(response.cookie + more) == {}


def test_an_older_cookie_cannot_get_a_newer_time(
    victim: Victim, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Splicing: the parts of two valid cookies are combined in every way."""
    older = victim.log_in().split(".")
    clock.advance(IDLE + 1)
    newer = victim.log_in("bob").split(".")
    for mask in range(1, 7):
        spliced = [(older, newer)[mask >> part & 1][part] for part in range(3)]
        assert victim.refuses(".".join(spliced), caplog) == "bad_signature"


def test_a_signed_negative_age_is_refused(victim: Victim, caplog: pytest.LogCaptureFixture) -> None:
    """A session created in the future would outlive the absolute timeout."""
    assert victim.refuses(sign('[-61,{"user":"ada"}]'), caplog) == "malformed"


# Documented limits

LIMITS: dict[str, Callable[[Victim, str], object]] = {
    "log-out": lambda victim, cookie: victim.visit(cookie, lambda session: session.invalidate()),
    "emptying": lambda victim, cookie: victim.visit(cookie, lambda session: session.clear()),
    "a newer cookie": lambda victim, cookie: victim.visit(
        cookie, lambda session: session.update(user="bob")
    ),
}


@pytest.mark.parametrize("event", LIMITS)
def test_a_copy_outlives_what_happens_in_the_browser(
    victim: Victim, clock: Clock, event: str
) -> None:
    """A documented limit of sessions in cookies: a copy ends only by time."""
    copy = victim.log_in()
    LIMITS[event](victim, copy)
    assert victim.sees(copy) == {"user": "ada"}
    clock.advance(IDLE + 1)
    assert victim.sees(copy) == {}


def test_the_absolute_timeout_ends_a_stolen_copy_in_use(victim: Victim, clock: Clock) -> None:
    copy = victim.log_in()
    victim.visit(copy, lambda session: session.invalidate())
    for _ in range(ABSOLUTE // IDLE):
        clock.advance(IDLE)
        assert victim.sees(copy) == {"user": "ada"}
        copy = victim.visit(copy).cookie or copy
    clock.advance(1)
    assert victim.sees(copy) == {}


# Fixation


def test_a_planted_session_is_not_logged_in_with_its_victim(victim: Victim) -> None:
    """The planted cookie keeps its old data, and the victim's session gets a new id."""
    planted = victim.visit("", lambda session: session.update(seen=session.id)).cookie
    known = victim.sees(planted)["seen"]

    def log_in(session: Any) -> None:
        session.regenerate()  # as the README has it
        session.update(user="ada", new_id=session.id)

    logged_in = victim.visit(planted, log_in).cookie
    assert victim.sees(planted) == {"seen": known}
    assert victim.sees(logged_in)["new_id"] != known


def test_a_new_csrf_token_replaces_the_one_that_was_planted(victim: Victim) -> None:
    planted = victim.visit("", lambda session: session.get_csrf_token()).cookie
    known = victim.asks(planted, lambda session: session.get_csrf_token())
    fresh = victim.visit(planted, lambda session: session.new_csrf_token()).cookie
    assert victim.asks(fresh, lambda session: session.get_csrf_token()) != known
