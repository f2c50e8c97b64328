"""When a session ends: idle and absolute timeouts."""

import math
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sessionware import SessionMiddleware
from sessionware.errors import ConfigurationError, CookieRejected
from sessionware.expiry import Expiry
from sessionware.migration import SessionwareCookie
from tests.conftest import Clock
from tests.gateway import KEY
from tests.sites import Site, act_out, owner_of

NOW = 1_800_000_000
HOUR, DAY = 3600, 86400
EXPECTED = "expected a timedelta or a number of seconds, from 1 second to 1,000,000,000 days"


def reason(
    expiry: Expiry, *, issued: int, created: int = NOW, permanent: bool | None = None
) -> str:
    """Return why the cookie is refused, or ``""`` if it is accepted."""
    try:
        expiry.check(NOW, issued, created, permanent)
    except CookieRejected as error:
        return error.reason
    return ""


def refusal(*settings: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Expiry.of(*settings)
    return str(caught.value)


# The idle timeout


@pytest.mark.parametrize(
    ("age", "verdict"), [(0, ""), (HOUR, ""), (HOUR + 1, "expired_idle"), (NOW, "expired_idle")]
)
def test_cookie_expires_an_idle_timeout_after_it_was_issued(age: int, verdict: str) -> None:
    assert reason(Expiry.of(HOUR, None, None), issued=NOW - age) == verdict


@pytest.mark.parametrize(
    "timeout", [timedelta(hours=1), HOUR, float(HOUR)], ids=["timedelta", "int", "float"]
)
def test_timeout_is_a_timedelta_or_seconds(timeout: timedelta | float) -> None:
    expiry = Expiry.of(timeout, timeout, timeout)
    assert reason(expiry, issued=NOW - HOUR, created=NOW - HOUR) == ""
    assert reason(expiry, issued=NOW - HOUR - 1) == "expired_idle"
    assert reason(expiry, issued=NOW, created=NOW - HOUR - 1) == "expired_absolute"
    assert expiry.max_age(NOW, NOW) == HOUR
    expiry = Expiry.of(DAY, None, timeout)
    assert (expiry.is_due(NOW, NOW - HOUR), expiry.is_due(NOW, NOW - HOUR - 1)) == (False, True)


def test_fraction_of_a_second_counts() -> None:
    expiry = Expiry.of(timedelta(seconds=1.5), None, None)
    assert [reason(expiry, issued=NOW - age) for age in (1, 2)] == ["", "expired_idle"]
    assert expiry.max_age(NOW, NOW) == 1


# The idle timeout of permanent sessions

LONGER = Expiry.of(HOUR, permanent_timeout=timedelta(days=1))
SHORTER = Expiry.of(DAY, permanent_timeout=HOUR)
KNOWN = [
    (LONGER, True, DAY),
    (LONGER, False, HOUR),
    (SHORTER, True, HOUR),
    (SHORTER, False, DAY),
]
"""Timeouts, whether a session is permanent, and its idle timeout."""

EACH = [*KNOWN, (LONGER, None, DAY), (SHORTER, None, DAY)]
"""The same, and the timeout while it is not known whether the session is permanent."""


@pytest.mark.parametrize(("expiry", "permanent", "timeout"), EACH)
def test_permanent_session_has_an_idle_timeout_of_its_own(
    expiry: Expiry, permanent: bool | None, timeout: int
) -> None:
    assert reason(expiry, issued=NOW - timeout, permanent=permanent) == ""
    assert reason(expiry, issued=NOW - timeout - 1, permanent=permanent) == "expired_idle"


@pytest.mark.parametrize("permanent", [False, True, None])
def test_permanent_timeout_is_the_idle_timeout_by_default(permanent: bool | None) -> None:
    expiry = Expiry.of(HOUR)
    assert expiry.permanent_timeout == HOUR
    assert reason(expiry, issued=NOW - HOUR, permanent=permanent) == ""
    assert reason(expiry, issued=NOW - HOUR - 1, permanent=permanent) == "expired_idle"


@pytest.mark.parametrize("permanent", [False, True, None])
def test_absolute_timeout_is_that_of_permanent_sessions_too(permanent: bool | None) -> None:
    expiry = Expiry.of(HOUR, DAY, permanent_timeout=9 * DAY)
    found = reason(expiry, issued=NOW, created=NOW - DAY - 1, permanent=permanent)
    assert found == "expired_absolute"


@pytest.mark.parametrize("expiry", [LONGER, SHORTER, Expiry.of(DAY), Expiry.of(DAY, HOUR)])
def test_longer_idle_timeout_is_known(expiry: Expiry) -> None:
    assert expiry.max_idle_timeout == DAY


# The absolute timeout


@pytest.mark.parametrize(("age", "verdict"), [(DAY, ""), (DAY + 1, "expired_absolute")])
def test_session_expires_an_absolute_timeout_after_it_began_even_if_active(
    age: int, verdict: str
) -> None:
    expiry = Expiry.of(HOUR, timedelta(days=1), None)
    assert reason(expiry, issued=NOW, created=NOW - age) == verdict


def test_session_without_absolute_timeout_lasts_as_long_as_it_is_used() -> None:
    assert reason(Expiry.of(HOUR, None, None), issued=NOW, created=0) == ""


def test_idle_timeout_applies_with_a_longer_absolute_timeout_too() -> None:
    expiry = Expiry.of(HOUR, DAY, None)
    assert reason(expiry, issued=NOW - HOUR - 1, created=NOW - HOUR - 1) == "expired_idle"


# Clocks


@pytest.mark.parametrize(("ahead", "verdict"), [(1, ""), (60, ""), (61, "from_the_future")])
def test_clock_of_the_issuer_may_be_60_seconds_ahead(ahead: int, verdict: str) -> None:
    expiry = Expiry.of(HOUR, DAY, None)
    assert reason(expiry, issued=NOW + ahead, created=NOW + ahead) == verdict


# Re-issuing


@pytest.mark.parametrize(
    ("age", "due"), [(-60, False), (0, False), (HOUR, False), (HOUR + 1, True)]
)
def test_cookie_is_due_once_older_than_refresh_after(age: int, due: bool) -> None:
    assert Expiry.of(DAY, None, timedelta(hours=1)).is_due(NOW, NOW - age) is due


@pytest.mark.parametrize(("age", "due"), [(HOUR, False), (HOUR + 1, True)])
def test_cookie_is_due_after_a_tenth_of_the_idle_timeout_by_default(age: int, due: bool) -> None:
    assert Expiry.of(10 * HOUR, 2 * DAY, None).is_due(NOW, NOW - age) is due


@pytest.mark.parametrize(
    ("permanent", "age", "due"),
    [
        (False, HOUR // 10, False),
        (False, HOUR // 10 + 1, True),
        (True, DAY // 10, False),
        (True, DAY // 10 + 1, True),
    ],
)
def test_cookie_is_due_after_a_tenth_of_the_idle_timeout_that_applies(
    permanent: bool, age: int, due: bool
) -> None:
    assert LONGER.is_due(NOW, NOW - age, permanent) is due


@pytest.mark.parametrize(("permanent", "half"), [(False, HOUR / 2), (True, DAY / 2)])
@pytest.mark.parametrize("refresh_after", [DAY / 2, DAY, 9 * DAY])
def test_cookie_is_due_after_half_of_the_idle_timeout_that_applies(
    permanent: bool, half: float, refresh_after: float
) -> None:
    """Otherwise, a long refresh_after would log out users who visit all the time."""
    expiry = Expiry.of(HOUR, None, refresh_after, DAY)
    due = [expiry.is_due(NOW, NOW - int(age), permanent) for age in (half, half + 1)]
    assert due == [False, True]


@pytest.mark.parametrize("zero", [0, 0.0, timedelta(0)])
@pytest.mark.parametrize("age", [-60, 0, 1, HOUR])
def test_cookie_is_due_on_every_use_if_refresh_after_is_0(zero: Any, age: int) -> None:
    assert Expiry.of(HOUR, None, zero).is_due(NOW, NOW - age) is True


def test_cookie_of_this_second_is_not_due_if_refresh_after_is_a_fraction_of_one() -> None:
    expiry = Expiry.of(HOUR, None, 0.5)
    assert [expiry.is_due(NOW, NOW - age) for age in (0, 1)] == [False, True]


@pytest.mark.parametrize(("expiry", "permanent", "timeout"), KNOWN)
def test_half_of_the_idle_timeout_that_applies_passes(
    expiry: Expiry, permanent: bool, timeout: int
) -> None:
    half = timeout // 2
    over = [expiry.is_half_over(NOW, NOW - age, permanent) for age in (0, half, half + 1)]
    assert over == [False, False, True]


def test_half_is_that_of_the_idle_timeout_whatever_refresh_after_is() -> None:
    expiry = Expiry.of(HOUR, HOUR // 10, 0)
    assert expiry.is_half_over(NOW, NOW - HOUR // 2, False) is False


# What is left


@pytest.mark.parametrize(("expiry", "permanent", "timeout"), EACH)
def test_session_ends_an_idle_timeout_after_its_last_use(
    expiry: Expiry, permanent: bool | None, timeout: int
) -> None:
    assert expiry.end(NOW, 0, permanent) == NOW + timeout
    assert expiry.left(NOW, 0, permanent) == timeout


@pytest.mark.parametrize(
    ("age", "left"), [(0, HOUR), (DAY - HOUR, HOUR), (DAY - 1, 1), (DAY, 0), (DAY + 1, -1)]
)
def test_session_ends_an_absolute_timeout_after_it_began(age: int, left: int) -> None:
    """Then nothing is left."""
    expiry = Expiry.of(HOUR, DAY)
    assert expiry.end(NOW, NOW - age) == NOW + left
    assert expiry.left(NOW, NOW - age) == max(0, left)


def test_what_is_left_has_no_fractions_of_seconds() -> None:
    expiry = Expiry.of(1.5, 1.5)
    assert [type(each) for each in (expiry.end(NOW, NOW), expiry.left(NOW, NOW))] == [int, int]
    assert expiry.left(NOW, NOW) == 1


# Max-Age


def test_max_age_is_that_of_a_permanent_session() -> None:
    assert LONGER.max_age(NOW, NOW) == DAY
    assert SHORTER.max_age(NOW, NOW) == HOUR


@pytest.mark.parametrize(
    ("idle", "absolute", "age", "max_age"),
    [
        (HOUR, None, DAY, HOUR),
        (HOUR, DAY, 0, HOUR),
        (HOUR, DAY, DAY - HOUR, HOUR),
        (HOUR, DAY, DAY - HOUR + 1, HOUR - 1),
        (DAY, HOUR, 0, HOUR),
        (DAY, HOUR, HOUR - 1, 1),
        (DAY, HOUR, HOUR, 0),
        (DAY, HOUR, HOUR + 1, 0),
        (DAY, HOUR, -60, HOUR + 60),
    ],
)
def test_max_age_is_the_time_until_the_first_timeout(
    idle: int, absolute: int | None, age: int, max_age: int
) -> None:
    assert Expiry.of(idle, absolute, None).max_age(NOW, NOW - age) == max_age


@pytest.mark.parametrize(
    ("timeout", "days"),
    [
        (timedelta(days=399), 399),
        (timedelta(days=400), 400),
        (timedelta(days=400, seconds=1), 400),
        (timedelta.max, 400),
    ],
)
def test_max_age_is_400_days_at_most(timeout: timedelta, days: int) -> None:
    for expiry in (Expiry.of(timeout, None, None), Expiry.of(timedelta.max, timeout, None)):
        max_age = expiry.max_age(NOW, NOW)
        assert (type(max_age), max_age) == (int, days * DAY)


def test_400_days_limit_only_max_age() -> None:
    expiry = Expiry.of(500 * DAY, None, None)
    assert reason(expiry, issued=NOW - 500 * DAY, created=NOW - 500 * DAY) == ""


# Settings

REFUSED = [
    (0, "0"),
    (-1, "-1"),
    (0.5, "0.5"),
    (-0.0, "-0.0"),
    (math.nan, "nan"),
    (math.inf, "inf"),
    (-math.inf, "-inf"),
    (1e300, "1e+300"),
    (10**400, "1" + 400 * "0"),
    (timedelta(0), "datetime.timedelta(0)"),
    (timedelta(seconds=0.999), "datetime.timedelta(microseconds=999000)"),
    (timedelta(-1), "datetime.timedelta(days=-1)"),
    (True, "bool"),
    (False, "bool"),
    ("3600", "'3600'"),
    (b"3600", "bytes"),
    (Decimal(3600), "Decimal"),
    ((), "tuple"),
]


# Accepted for refresh_after.
BELOW_A_SECOND = (0, 0.5, timedelta(0), timedelta(seconds=0.999))


@pytest.mark.parametrize(("value", "found"), [*REFUSED, (None, "NoneType")], ids=str)
def test_bad_idle_timeout_is_refused(value: Any, found: str) -> None:
    assert refusal(value, None, None) == (
        f"Invalid sessionware configuration:\nidle_timeout: found {found}, {EXPECTED}"
    )


@pytest.mark.parametrize(("value", "found"), REFUSED, ids=str)
def test_bad_absolute_timeout_is_refused(value: Any, found: str) -> None:
    assert refusal(HOUR, value, None) == (
        f"Invalid sessionware configuration:\nabsolute_timeout: found {found}, {EXPECTED}"
    )


@pytest.mark.parametrize(("value", "found"), REFUSED, ids=str)
def test_bad_permanent_timeout_is_refused(value: Any, found: str) -> None:
    assert refusal(HOUR, None, None, value) == (
        f"Invalid sessionware configuration:\npermanent_timeout: found {found}, {EXPECTED}"
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [case for case in REFUSED if case[0] is False or case[0] not in BELOW_A_SECOND],
    ids=str,
)
def test_bad_refresh_after_is_refused(value: Any, found: str) -> None:
    """It may be 0: the cookie is issued again on every use."""
    expected = EXPECTED.replace("1 second", "0 seconds")
    assert refusal(HOUR, None, value) == (
        f"Invalid sessionware configuration:\nrefresh_after: found {found}, {expected}"
    )


@pytest.mark.parametrize("value", [1, 1.0, timedelta(seconds=1), timedelta.max, 10**13])
def test_duration_of_a_second_or_more_is_accepted(value: timedelta | float) -> None:
    assert reason(Expiry.of(value, value, value, value), issued=NOW - 1, created=NOW - 1) == ""


def test_every_problem_is_reported_at_once() -> None:
    assert refusal(None, "1", True, 0) == (
        "Invalid sessionware configuration:\n"
        f"idle_timeout: found NoneType, {EXPECTED}\n"
        f"permanent_timeout: found 0, {EXPECTED}\n"
        f"absolute_timeout: found '1', {EXPECTED}\n"
        f"refresh_after: found bool, {EXPECTED.replace('1 second', '0 seconds')}"
    )


CONTRADICTING: dict[str, Any] = {"permanent_timeout": 90 * DAY, "absolute_timeout": 30 * DAY}


def test_permanent_timeout_that_the_absolute_one_cuts_short_is_warned_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No session would ever last as long as it says."""
    SessionMiddleware(act_out, KEY, **CONTRADICTING)
    [record] = caplog.records
    assert vars(record)["reason"] == "timeouts_contradict"
    assert record.getMessage().startswith("permanent_timeout is longer than absolute_timeout")


@pytest.mark.parametrize(
    "timeouts",
    [
        {"absolute_timeout": HOUR},
        {"permanent_timeout": DAY, "absolute_timeout": DAY},
        {"permanent_timeout": DAY},
        {"idle_timeout": DAY, "permanent_timeout": DAY, "absolute_timeout": HOUR},
    ],
    ids=["a default that is longer", "as long", "no absolute timeout", "as in Flask"],
)
def test_other_timeouts_go_together(
    timeouts: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    SessionMiddleware(act_out, KEY, **timeouts)
    assert caplog.records == []


def test_former_timeouts_may_contradict_each_other(caplog: pytest.LogCaptureFixture) -> None:
    """Their cookies are there."""
    SessionwareCookie(KEY, **CONTRADICTING)
    assert caplog.records == []


def test_log_in_without_data_lives_for_the_idle_timeout(clock: Clock) -> None:
    """It is not permanent, and no empty session that stands for permanent ones."""
    site = Site(idle_timeout=HOUR, permanent_timeout=24 * HOUR)
    cookie = site.log_in("ada")
    clock.advance(HOUR)
    assert site.visit(owner_of, cookie).result == "ada"
    clock.advance(1)
    assert site.visit(owner_of, cookie).result is None
