"""How long a session of Django's lives: ``set_expiry``, SESSION_COOKIE_AGE, and the settings."""

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from functools import partial
from typing import Any

import pytest

pytest.importorskip("django", reason="django is not installed: pip install 'sessionware[dev]'")

from django.contrib.sessions.backends import signed_cookies
from django.test.utils import override_settings

from sessionware import UsageError
from sessionware.django import SessionStore
from sessionware.migration import DjangoCookie
from tests.conftest import Clock
from tests.gateway import KEY, OLDER_KEY
from tests.sites import MemoryRevocations, MemoryStore
from tests.unit.django_site import (
    Act,
    Page,
    be,
    cookie_of,
    data_of,
    its_settings,
    owner,
    put,
    visit,
    wrapped,
)
from tests.unit.sessions import sign

DAY = 24 * 60 * 60
WEEK = 7 * DAY
MODES = [{}, {"store": MemoryStore}, {"revocations": MemoryRevocations}]


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    with its_settings():
        yield


def test_the_cookie_lives_as_long_as_djangos_setting_says() -> None:
    assert cookie_of(visit(put(a=1)))["max-age"] == str(2 * WEEK)
    with override_settings(SESSION_COOKIE_AGE=60):
        assert cookie_of(visit(put(a=1)))["max-age"] == "60"


def test_the_server_enforces_djangos_setting(clock: Clock) -> None:
    cookie = visit(put(a=1)).cookie
    clock.advance(2 * WEEK)
    assert visit(data_of, cookie).result == {"a": 1}
    clock.advance(1)
    assert visit(data_of, cookie).result == {}


def test_a_session_ends_so_long_after_its_last_change(clock: Clock) -> None:
    """As in Django: a reading request does not issue the cookie again."""
    cookie = visit(put(a=1)).cookie
    clock.advance(2 * WEEK - 1)
    assert not visit(data_of, cookie).response.cookies


def test_save_every_request_counts_from_the_last_request(clock: Clock) -> None:
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        cookie = visit(put(a=1)).cookie
        clock.advance(1)
        page = visit(lambda session: None, cookie)
        assert cookie_of(page)["max-age"] == str(2 * WEEK)
        assert not visit(lambda session: None).response.has_header("Vary")


def test_refresh_after_counts_too(clock: Clock) -> None:
    with override_settings(SESSIONWARE={"refresh_after": 60}):
        cookie = visit(put(a=1)).cookie
        clock.advance(61)
        assert visit(data_of, cookie).response.cookies


def test_a_site_can_have_its_sessions_end_with_the_browser() -> None:
    with override_settings(SESSION_EXPIRE_AT_BROWSER_CLOSE=True):
        page = visit(put(a=1))
        assert cookie_of(page)["max-age"] == ""
        assert visit(lambda s: s.get_expire_at_browser_close(), page.cookie).result is True


def test_one_session_can_end_with_the_browser() -> None:
    def act(session: Any) -> Any:
        session.set_expiry(0)
        return session.get_expire_at_browser_close(), session.permanent

    page = visit(act)
    assert page.result == (True, False)
    assert cookie_of(page)["max-age"] == ""


def test_an_expiry_is_taken_back_by_none() -> None:
    def act(session: Any) -> Any:
        session.set_expiry(0)
        session.set_expiry(None)
        session["a"] = 1

    assert cookie_of(visit(act))["max-age"] == str(2 * WEEK)


@pytest.mark.parametrize(("by_default", "wanted"), [(True, True), (False, False), (True, False)])
def test_permanent_is_the_expiry_s_other_name(by_default: bool, wanted: bool) -> None:
    def act(session: Any) -> Any:
        session["a"] = 1
        session.permanent = wanted
        return session.permanent

    with override_settings(SESSION_EXPIRE_AT_BROWSER_CLOSE=by_default):
        page = visit(act)
        assert page.result is wanted
        assert str(cookie_of(page)["max-age"]) == (str(2 * WEEK) if wanted else "")


def last_a_minute(session: Any) -> None:
    session.set_expiry(60)


EXPIRIES = [60, timedelta(seconds=60), datetime.fromtimestamp(1_800_000_060, UTC)]


@pytest.fixture
def django_clock(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock, which Django's ``timezone.now`` shows too."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime.fromtimestamp(clock.now, UTC))
    return clock


@pytest.mark.parametrize("expiry", EXPIRIES, ids=["seconds", "timedelta", "datetime"])
def test_an_expiry_is_the_cookie_s_and_the_server_s(expiry: Any, django_clock: Clock) -> None:
    def act(session: Any) -> Any:
        session["a"] = 1
        session.set_expiry(expiry)
        return session.get_expiry_age()

    page = visit(act)
    assert page.result == 60
    assert cookie_of(page)["max-age"] == 60
    assert cookie_of(page)["expires"] == "Fri, 15 Jan 2027 08:01:00 GMT"
    django_clock.advance(59)
    assert visit(data_of, page.cookie).result == {"a": 1}
    django_clock.advance(2)
    assert visit(data_of, page.cookie).result == {}


@pytest.mark.parametrize("keeper", [{}, {"revocations": MemoryRevocations()}])
def test_a_late_request_does_not_end_a_session_that_another_has_prolonged(
    keeper: dict[str, Any], django_clock: Clock
) -> None:
    """Neither on the server nor by deleting its cookie, which the browser may have by then."""
    with override_settings(SESSIONWARE=keeper):
        old = visit(last_a_minute).cookie
        django_clock.advance(59)
        new = visit(put(a=1), old).cookie
        django_clock.advance(2)
        late = visit(data_of, old)
        assert (late.result, len(late.response.cookies)) == ({}, 0)
        assert visit(data_of, new).result == {"a": 1}


def test_a_late_request_reads_what_another_has_prolonged_in_a_store(clock: Clock) -> None:
    with override_settings(SESSIONWARE={"store": MemoryStore()}):
        old = visit(last_a_minute).cookie
        clock.advance(59)
        visit(put(a=1), old)
        clock.advance(2)
        assert visit(data_of, old).result == {"a": 1}


def test_an_older_cookie_counts_when_another_request_has_set_the_expiry_in_a_store(
    clock: Clock,
) -> None:
    """Such as that of another tab, or if the answer was lost."""
    with override_settings(SESSIONWARE={"store": MemoryStore()}):
        cookie = visit(put(a=1)).cookie
        clock.advance(1000)
        visit(last_a_minute, cookie)
        clock.advance(59)
        assert visit(data_of, cookie).result == {"a": 1}
        clock.advance(2)
        assert visit(data_of, cookie).result == {}


# What prolongs it


Visit = Callable[..., Page]


@pytest.fixture(
    params=[(kind, inside) for kind in MODES for inside in (False, True)],
    ids=lambda param: f"{[*param[0], 'signed'][0]}{' inside' * param[1]}",
)
def browse(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Visit]:
    """A site in each mode, without the WSGI middleware and inside it."""
    kind, inside = request.param
    given = {name: make() for name, make in kind.items()}
    with override_settings(SESSIONWARE={} if inside else given):
        yield partial(wrapped, **given) if inside else visit


def again(session: Any) -> Any:
    session.set_expiry(60)
    return session.get("a")


def reassign(session: Any) -> Any:
    session["a"] = 1
    return session.get("a")


def save(session: Any) -> Any:
    session.modified = True
    return session.get("a")


def read(session: Any) -> Any:
    return session.get("a")


@pytest.mark.parametrize("act", [again, reassign, save])
def test_each_assignment_prolongs_a_session_with_an_expiry(
    act: Act, browse: Visit, clock: Clock
) -> None:
    """As in Django, also if nothing differs."""
    cookie = browse(put(a=1), browse(last_a_minute).cookie).cookie
    for _ in range(3):
        clock.advance(50)
        page = browse(act, cookie)
        assert page.result == 1
        cookie = page.cookie


def test_a_use_does_not_prolong_a_session_with_an_expiry(browse: Visit, clock: Clock) -> None:
    cookie = browse(put(a=1), browse(last_a_minute).cookie).cookie
    clock.advance(50)
    page = browse(read, cookie)
    assert (page.result, page.cookie) == (1, cookie)
    clock.advance(11)
    assert browse(read, cookie).result is None


def test_an_assignment_prolongs_a_session_without_an_expiry(clock: Clock) -> None:
    cookie = visit(put(a=1)).cookie
    clock.advance(WEEK)
    assert cookie_of(visit(reassign, cookie))["max-age"] == str(2 * WEEK)


@pytest.mark.parametrize("begin", [put(a=1), lambda s: (s.update(a=1), s.set_expiry(WEEK))])
def test_a_slow_request_that_assigns_what_is_there_undoes_no_change(
    begin: Act, clock: Clock
) -> None:
    def slow(session: Any) -> None:
        reassign(session)
        clock.advance(2)

    cookie = visit(begin).cookie
    assert not visit(slow, cookie).response.cookies
    clock.advance(WEEK)
    assert visit(slow, cookie).cookie != cookie  # Half of the time is over.


@pytest.mark.parametrize("kind", MODES)
def test_a_slow_request_that_calls_set_expiry_prolongs_the_session(
    kind: dict[str, Any], clock: Clock
) -> None:
    """The call is a change of the application's, even with the value that is there."""

    def slow(session: Any) -> Any:
        session.set_expiry(300)
        clock.advance(2)
        return session.get("a")

    with override_settings(SESSIONWARE={name: make() for name, make in kind.items()}):
        page = visit(lambda session: (session.update(a=1), session.set_expiry(300)))
        for _ in range(4):
            clock.advance(100)
            page = visit(slow, page.cookie)
            assert page.result == 1
            assert cookie_of(page)["max-age"] == 300


def last_ten_days(session: Any) -> None:
    session["a"] = 1
    session.set_expiry(10 * DAY)


@pytest.mark.parametrize("inside", [False, True])
def test_a_new_key_does_not_prolong_a_session_with_an_expiry(clock: Clock, inside: bool) -> None:
    cookie = (wrapped if inside else visit)(last_ten_days).cookie
    clock.advance(6 * DAY)
    if inside:
        given: dict[str, Any] = {"secret_key": OLDER_KEY, "secret_key_fallbacks": [KEY]}
        page = wrapped(read, cookie, **given)
        clock.advance(5 * DAY)
        late = wrapped(read, page.cookie, **given)
    else:
        with override_settings(SECRET_KEY=OLDER_KEY, SECRET_KEY_FALLBACKS=[KEY]):
            page = visit(read, cookie)
            assert cookie_of(page)["max-age"] == 4 * DAY
            clock.advance(5 * DAY)
            late = visit(read, page.cookie)
    assert page.cookie != cookie
    assert (page.result, late.result) == (1, None)


def test_the_refresh_of_the_wsgi_middleware_does_not_prolong_a_session_with_an_expiry(
    clock: Clock,
) -> None:
    cookie = wrapped(last_ten_days).cookie
    clock.advance(6 * DAY)
    page = wrapped(read, cookie)
    assert (page.result, page.cookie != cookie) == (1, True)
    clock.advance(5 * DAY)
    assert wrapped(read, page.cookie).result is None


def begin_for_a_minute(session: Any) -> None:
    session["a"] = 1
    session.set_expiry(60)


@pytest.mark.parametrize("refresh_after", [0, 20, WEEK])
@pytest.mark.parametrize("seconds", [0, 2], ids=["quick", "slow"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_use_prolongs_it_where_the_settings_say_so(
    refresh_after: float, seconds: float, inside: bool, clock: Clock
) -> None:
    """At the latest once half of the time is over, however slow the site is."""

    def act(session: Any) -> Any:
        clock.advance(seconds)
        return session.get("a")

    given: dict[str, Any] = {"refresh_after": refresh_after}
    with override_settings(SESSIONWARE={} if inside else given):
        browse: Visit = partial(wrapped, **given) if inside else visit
        cookie = browse(begin_for_a_minute).cookie
        for _ in range(6):
            clock.advance(25)
            page = browse(act, cookie)
            assert page.result == 1
            cookie = page.cookie


def test_save_every_request_prolongs_a_session_with_an_expiry(clock: Clock) -> None:
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        cookie = visit(begin_for_a_minute).cookie
        clock.advance(50)
        page = visit(lambda session: None, cookie)
        assert cookie_of(page)["max-age"] == 60
        clock.advance(50)
        assert visit(read, page.cookie).result == 1


def test_a_time_is_not_prolonged(django_clock: Clock) -> None:
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        page = visit(lambda s: (s.update(a=1), s.set_expiry(timedelta(seconds=60))))
        for left in (35, 10):
            django_clock.advance(25)
            page = visit(reassign, page.cookie)
            assert cookie_of(page)["max-age"] == left
        django_clock.advance(10)
        assert visit(read, page.cookie).result is None


def test_since_when_it_counts_is_none_of_the_application_s_data(clock: Clock) -> None:
    cookie = visit(last_a_minute).cookie
    assert visit(lambda session: [*session], cookie).result == ["_session_expiry"]
    cookie = visit(lambda session: session.set_expiry(None), cookie).cookie
    assert visit(lambda session: dict(session._opened), cookie).result == {"_permanent": True}


# What a form may have


@pytest.mark.parametrize(
    "expiry", ["abc", "60", "2030-01-01T00:00:00", "", True, [60], {}, None], ids=repr
)
def test_what_set_expiry_does_not_write_is_no_expiry(expiry: Any, browse: Visit) -> None:
    cookie = browse(put(a=1, _session_expiry=expiry)).cookie
    cookie = browse(put(b=2), cookie).cookie
    page = browse(lambda session: (data_of(session), session.get_expiry_age()), cookie)
    assert page.result[0] == {"a": 1, "b": 2}
    assert page.result[1] >= 2 * WEEK
    browse(lambda session: session.flush(), cookie)


@pytest.mark.parametrize("expiry", [10**400, -5, 1e300])
def test_a_number_that_set_expiry_refuses_raises_no_error(expiry: Any, clock: Clock) -> None:
    cookie = visit(put(a=1, _session_expiry=expiry)).cookie
    clock.advance(2 * WEEK + 1)
    assert visit(data_of, cookie).result == {}


@pytest.mark.parametrize("since", [2**60, -1, "1", None, 1.5, True])
def test_a_time_that_the_site_has_not_written_does_not_prolong_a_session(
    since: Any, clock: Clock
) -> None:
    cookie = visit(last_a_minute).cookie
    cookie = visit(put(a=1, _session_since=since), cookie).cookie
    clock.advance(61)
    assert visit(data_of, cookie).result == {}


# Older cookies at other places


def be_ben_for_a_minute(session: Any) -> None:
    session.owner = "ben"
    session.set_expiry(60)


@pytest.fixture(params=MODES)
def twins(request: pytest.FixtureRequest, clock: Clock) -> Iterator[tuple[str, str]]:
    """The cookies of one browser: Ann's at another place, and Ben's, whose own expiry is over."""
    with override_settings(SESSIONWARE={name: make() for name, make in request.param.items()}):
        with override_settings(SESSION_COOKIE_PATH="/app"):
            older = visit(be("ann")).cookie
        clock.advance(2)
        newer = visit(be_ben_for_a_minute).cookie
        clock.advance(61)
        yield older, newer


@pytest.mark.parametrize("method", ["is_empty", "flush", "invalidate"])
def test_an_expiry_that_is_over_reveals_no_older_cookie(
    method: str, twins: tuple[str, str]
) -> None:
    older, newer = twins
    page = visit(lambda session: getattr(session, method)(), f"{older}; sessionid={newer}")
    deleted, own = page.response.cookies.values()
    assert (deleted["path"], deleted["max-age"]) == ("/app", "0")
    assert int(own["max-age"]) > 2 * WEEK
    assert visit(owner, f"{older}; sessionid={page.cookie}").result is None


def test_a_slow_request_whose_expiry_is_over_undoes_no_log_in(
    twins: tuple[str, str], clock: Clock
) -> None:
    older, newer = twins

    def slow(session: Any) -> Any:
        clock.advance(2)
        return session.owner

    page = visit(slow, f"{older}; sessionid={newer}")
    assert (page.result, len(page.response.cookies)) == (None, 0)


def test_an_expiry_does_not_shorten_the_life_of_a_cookie_that_hides_an_older_one(
    clock: Clock,
) -> None:
    """The older one, of version 1.0, may be at any place."""
    older = sign('[0,{"_owner":["ann",""]}]', cookie_name="sessionid")
    clock.advance(2)
    newer = visit(be_ben_for_a_minute).cookie
    page = visit(put(a=1), f"{older}; sessionid={newer}")
    assert int(cookie_of(page)["max-age"]) > 2 * WEEK
    clock.advance(62)
    late = visit(owner, f"{older}; sessionid={page.cookie}")
    assert late.result is None
    assert visit(owner, f"{older}; sessionid={late.cookie}").result is None


def test_a_cookie_with_an_expiry_is_issued_again_once_to_outlive_an_older_one(
    clock: Clock,
) -> None:
    older = sign('[0,{"_owner":["ann",""]}]', cookie_name="sessionid")
    clock.advance(2)
    page = visit(owner, f"{older}; sessionid={visit(be_ben_for_a_minute).cookie}")
    assert int(cookie_of(page)["max-age"]) > 2 * WEEK
    assert not visit(owner, f"{older}; sessionid={page.cookie}").response.cookies


def test_the_log_tells_that_an_expiry_is_over(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    cookie = visit(lambda session: session.set_expiry(60)).cookie
    clock.advance(61)
    with caplog.at_level("INFO", logger="sessionware"):
        visit(data_of, cookie)
    assert [vars(record)["reason"] for record in caplog.records] == ["expired_idle"]


def test_a_session_that_is_over_reads_as_empty_while_the_body_is_sent(clock: Clock) -> None:
    def act(session: Any) -> Any:
        session["a"] = 1
        session.set_expiry(60)

    cookie = visit(act).cookie
    clock.advance(61)
    session = visit(lambda session: session, cookie).result
    assert data_of(session) == {}


# The settings


def test_an_expiry_beyond_the_settings_is_an_error_that_says_which_to_raise() -> None:
    month = timedelta(days=30)
    for expiry in (30 * 86400, month, datetime.now(UTC) + month + timedelta(seconds=9)):
        with pytest.raises(UsageError, match=r"at most 1209600.*\{'permanent_timeout': 25920"):
            SessionStore().set_expiry(expiry)
    with override_settings(SESSIONWARE={"permanent_timeout": month}):
        session = SessionStore()
        session.set_expiry(30 * 86400)
        assert session.get_expiry_age() == 30 * 86400


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"permanent_timeout": 3600}, "at most 3600: set {'permanent_timeout': 7200} in SESSION"),
        ({"absolute_timeout": 3600}, "at most 3600: set {'absolute_timeout': 7200} in SESSION"),
        (
            {"permanent_timeout": 3600, "absolute_timeout": 1800},
            "at most 1800: set {'permanent_timeout': 7200, 'absolute_timeout': 7200} in SESSION",
        ),
    ],
)
def test_an_expiry_beyond_another_timeout_is_an_error(given: dict[str, Any], expected: str) -> None:
    with override_settings(SESSIONWARE=given):
        with pytest.raises(UsageError, match=re.escape(expected)):
            visit(lambda session: session.set_expiry(7200))
        visit(lambda session: (session.set_expiry(0), session.set_expiry(None)))
    with pytest.raises(UsageError, match=re.escape(expected)):
        wrapped(lambda session: session.set_expiry(7200), **given)


class Minute(IntEnum):
    LONG = 60


@pytest.mark.parametrize("expiry", [Minute.LONG, 60.0])
def test_an_expiry_may_be_a_number_of_another_kind(expiry: Any, clock: Clock) -> None:
    page = visit(lambda session: session.set_expiry(expiry))
    assert cookie_of(page)["max-age"] == 60


@pytest.mark.parametrize(
    ("expiry", "found"),
    [
        (Decimal(60), "Decimal"),
        ([60], "list"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (10**400, "an int with too many digits"),
    ],
    ids=["Decimal", "list", "inf", "nan", "int"],
)
def test_an_expiry_that_is_no_number_of_seconds_is_an_error(expiry: Any, found: str) -> None:
    with pytest.raises(UsageError, match=f"set_expiry: found {found}, expected a number"):
        visit(lambda session: session.set_expiry(expiry))


# A session of a former cookie


@pytest.mark.parametrize("kind", MODES)
def test_a_slow_request_moves_a_former_session_once_half_of_its_own_time_is_over(
    kind: dict[str, Any], clock: Clock
) -> None:
    """Else a slow site with a longer age would log out those who came before."""

    def slow(session: Any) -> Any:
        clock.advance(2)
        return session.get("a")

    former = signed_cookies.SessionStore()
    former["a"] = 1
    former.save()
    reader = DjangoCookie(KEY, session_cookie_name="former", session_cookie_age=DAY)
    given = {name: make() for name, make in kind.items()} | {"migrate_from": [reader]}
    with override_settings(SESSIONWARE=given):
        first = visit(slow, HTTP_COOKIE=f"former={former.session_key}")
        clock.advance(DAY / 2)
        second = visit(slow, HTTP_COOKIE=f"former={former.session_key}")
    assert (first.result, first.cookie, second.result) == (1, "", 1)
    assert second.cookie != ""


@pytest.mark.parametrize("kind", MODES)
@pytest.mark.parametrize(
    ("until_closed", "expiry", "ends"),
    [(False, 0, True), (False, None, False), (True, 5 * DAY, False), (True, None, True)],
    ids=["set_expiry(0)", "by default", "set_expiry(days)", "setting"],
)
def test_a_former_session_ends_with_the_browser_if_it_did(
    kind: dict[str, Any], until_closed: bool, expiry: Any, ends: bool
) -> None:
    """Also once it has changed: "remember me" is what the user has chosen, or not."""
    former = signed_cookies.SessionStore()
    former["a"] = 1
    if expiry is not None:
        former.set_expiry(expiry)
    with override_settings(SESSION_EXPIRE_AT_BROWSER_CLOSE=until_closed):
        former.save()
        reader = DjangoCookie(
            KEY, session_cookie_name="former", session_expire_at_browser_close=until_closed
        )
        given = {name: make() for name, make in kind.items()} | {"migrate_from": [reader]}
        with override_settings(SESSIONWARE=given):
            first = visit(data_of, HTTP_COOKIE=f"former={former.session_key}")
            second = visit(put(b=2), first.cookie)
            told = visit(lambda session: session.get_expire_at_browser_close(), second.cookie)
    assert (cookie_of(first)["max-age"] == "", cookie_of(second)["max-age"] == "") == (ends, ends)
    assert told.result is ends


LONG: dict[str, Any] = {"permanent_timeout": 90 * DAY}


@pytest.mark.parametrize("kind", MODES)
def test_the_longest_expiry_leaves_the_age_of_other_sessions(
    kind: dict[str, Any], clock: Clock
) -> None:
    given = {name: make() for name, make in kind.items()}
    with override_settings(SESSIONWARE=LONG | given):
        page = visit(lambda session: (be("ann")(session), session.get_expiry_age()))
        assert page.result[1] == int(cookie_of(page)["max-age"]) == 2 * WEEK
        long = visit(lambda session: (be("ben")(session), session.set_expiry(60 * DAY)))
        assert cookie_of(long)["max-age"] == 60 * DAY
        clock.advance(2 * WEEK + 1)
        assert [visit(owner, each.cookie).result for each in (page, long)] == [None, "ben"]


def test_the_longest_expiry_leaves_the_idle_timeout_of_other_sessions_inside_it(
    clock: Clock,
) -> None:
    """They go on for as long as they are used."""
    given = LONG | {"idle_timeout": WEEK}
    cookie = wrapped(put(a=1), **given).cookie
    for _ in range(3):
        clock.advance(5 * DAY)
        page = wrapped(read, cookie, **given)
        assert page.result == 1
        cookie = page.cookie
    clock.advance(WEEK + 1)
    assert wrapped(read, cookie, **given).result is None


def test_a_session_that_may_end_before_an_older_one_outlives_it(clock: Clock) -> None:
    older = sign('[0,{"_owner":["ann",""]}]', cookie_name="sessionid")
    clock.advance(2)
    with override_settings(SESSIONWARE=LONG):
        page = visit(owner, f"{older}; sessionid={visit(be('ben')).cookie}")
        assert int(cookie_of(page)["max-age"]) > 90 * DAY


def test_an_absolute_timeout_is_part_of_the_age(clock: Clock) -> None:
    with override_settings(SESSIONWARE={"absolute_timeout": 600}):
        cookie = visit(put(a=1)).cookie
        clock.advance(100)
        assert visit(lambda session: session.get_expiry_age(), cookie).result == 500


@pytest.mark.parametrize("expiry", [None, 550])
def test_an_absolute_timeout_is_part_of_the_date(django_clock: Clock, expiry: Any) -> None:
    def act(session: Any) -> tuple[datetime, datetime]:
        return session.get_expiry_date(), asyncio.run(session.aget_expiry_date())

    with override_settings(SESSIONWARE={"absolute_timeout": 600}):
        cookie = visit(lambda session: (session.update(a=1), session.set_expiry(expiry))).cookie
        django_clock.advance(100)
        end = datetime.fromtimestamp(django_clock.now + 500, UTC)
        assert visit(act, cookie).result == (end, end)


@pytest.mark.parametrize("zone", [UTC, None])
def test_the_date_of_an_expiry_has_the_zone_that_it_was_given(zone: Any, clock: Clock) -> None:
    date = datetime.fromtimestamp(clock.now + 300, zone)

    def act(session: Any) -> Any:
        return session.get_expiry_date(expiry=date), session.get_expiry_date(expiry=str(date))

    with override_settings(SESSIONWARE={"permanent_timeout": timedelta.max}):
        assert visit(act).result == (date, date)


# Inside the WSGI middleware


def test_djangos_rules_of_key_and_expiry_hold_inside_it(clock: Clock) -> None:
    def act(session: Any) -> Any:
        session["a"] = 1
        session.set_expiry(60)

    page = wrapped(act)
    assert f"Max-Age={31 * 86400}" in str(page.response.set_cookie)
    assert wrapped(lambda session: session.session_key, page.cookie).result
    clock.advance(61)
    late = wrapped(data_of, page.cookie)
    assert late.result == {}
    assert late.response.set_cookie is None


@pytest.fixture
def twins_inside(clock: Clock) -> str:
    """The cookies of one browser: Ann's of version 1.0, and Ben's, whose own expiry is over."""
    older = f"""session={sign('[0,{"_owner":["ann",""]}]')}"""
    clock.advance(2)
    newer = wrapped(be_ben_for_a_minute).cookie
    clock.advance(61)
    return f"{older}; {newer}"


def test_an_expiry_that_is_over_reveals_no_older_cookie_inside_it(twins_inside: str) -> None:
    older, _ = twins_inside.split("; ")
    late = wrapped(owner, twins_inside)
    assert late.result is None
    assert wrapped(owner, f"{older}; {late.cookie}").result is None


def test_a_slow_request_whose_expiry_is_over_undoes_no_log_in_inside_it(
    twins_inside: str, clock: Clock
) -> None:
    def slow(session: Any) -> Any:
        clock.advance(2)
        return session.owner

    page = wrapped(slow, twins_inside)
    assert (page.result, page.response.set_cookie) == (None, None)
