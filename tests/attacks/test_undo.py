"""A slow page undoes what was done meanwhile: the lost log-out (CWE-613, CWE-362, CWE-367).

The page only reads its session, but its cookie is due to be issued again, by age, by an older key
or by a move from another framework. It answers after the user has logged out, logged in or put
something into the cart in another tab, with the state that it has read.
"""

from collections.abc import Callable
from typing import Any

import pytest

from sessionware import SessionMiddleware, SessionUnavailable
from sessionware.migration import FlaskCookie
from tests.attacks.former import former
from tests.attacks.modes import MODES, cookie_alone, every_mode, held_on_the_server
from tests.conftest import Clock
from tests.gateway import KEY, OLDER_KEY, Response
from tests.sites import Site, act_out
from tests.unit.foreign_cookies import KEY as FLASK_KEY
from tests.unit.foreign_cookies import flask_cookie

MINUTE = 60
IDLE = 30 * MINUTE
DUE = 4 * MINUTE
"""An age at which a cookie is issued again: more than a tenth of the idle timeout."""
HALF = 16 * MINUTE
"""An age of more than half of the idle timeout."""


pytestmark = pytest.mark.usefixtures("clock")


def read(session: Any) -> object:
    return session.get("cart")


def log_out(session: Any) -> None:
    session.invalidate()


def log_in_again(session: Any) -> None:
    session.owner = "bob"


def add(session: Any) -> None:
    session["cart"] = [*session.get("cart", []), "book"]


def renew(session: Any) -> None:
    session.regenerate()


EVENTS: dict[str, Callable[[Any], object]] = {
    "log-out": log_out,
    "log-in": log_in_again,
    "a cart item": add,
    "regenerate": renew,
}
every_event = pytest.mark.parametrize("event", EVENTS)


def state(session: Any) -> tuple[object, object]:
    return session.owner, session.get("cart")


class Tabs:
    """Two tabs of one browser. A slow request is under way in the first one."""

    def __init__(self, site: Site, clock: Clock, cookie: str) -> None:
        self.site = site
        self.clock = clock
        self.cookie = cookie

    def slowly(
        self,
        seconds: float,
        meanwhile: Callable[[Any], object] | None = None,
        look: Callable[[Any], object] = read,
    ) -> Response:
        """Read a page that takes so many seconds; the second tab does something meanwhile."""
        sent = self.cookie

        def act(session: Any) -> None:
            look(session)
            self.clock.advance(seconds / 2)
            if meanwhile is not None:
                self.cookie = self.site.visit(meanwhile, sent).cookie
            self.clock.advance(seconds / 2)

        page = self.site.visit(act, sent)
        if page.response.set_cookie is not None:
            self.cookie = page.cookie
        return page.response

    def shows(self) -> Any:
        """Return what the browser's session is now."""
        return self.site.visit(state, self.cookie).result


def tabs(clock: Clock, **settings: Any) -> Tabs:
    site = Site(idle_timeout=IDLE, **settings)
    return Tabs(site, clock, site.log_in("ada", cart=["pen"]))


def after(event: str, clock: Clock, **settings: Any) -> Any:
    """Return what the session is if no slow page is under way."""
    plain = tabs(clock, **settings)
    plain.cookie = plain.site.visit(EVENTS[event], plain.cookie).cookie
    return plain.shows()


@every_mode
@every_event
@pytest.mark.parametrize("seconds", [1.5, 5, 600])
def test_a_slow_page_does_not_undo_what_was_done_meanwhile(
    clock: Clock, mode: str, event: str, seconds: float
) -> None:
    expected = after(event, clock, **MODES[mode]())
    two = tabs(clock, **MODES[mode]())
    clock.advance(DUE)
    two.slowly(seconds, meanwhile=EVENTS[event])
    assert two.shows() == expected


@every_mode
@pytest.mark.parametrize("seconds", [1.5, 5, 600])
def test_a_page_that_only_read_sets_no_cookie_after_a_second(
    clock: Clock, mode: str, seconds: float
) -> None:
    two = tabs(clock, **MODES[mode]())
    clock.advance(DUE)
    assert two.slowly(seconds).set_cookie is None


@every_mode
def test_the_second_counts_from_the_request_rather_than_the_first_look(
    clock: Clock, mode: str
) -> None:
    """The cookie is as old as the request, however late the page looks at it."""
    two = tabs(clock, **MODES[mode]())
    clock.advance(DUE)

    def look_late(session: Any) -> object:
        clock.advance(5)
        return session.get("cart")

    assert two.slowly(0, look=look_late).set_cookie is None


@every_mode
def test_a_page_within_a_second_issues_the_cookie_again(clock: Clock, mode: str) -> None:
    two = tabs(clock, **MODES[mode]())
    clock.advance(DUE)
    assert two.slowly(0.5).set_cookie is not None


@every_mode
def test_a_slow_page_that_changes_its_session_saves_it(clock: Clock, mode: str) -> None:
    two = tabs(clock, **MODES[mode]())
    clock.advance(DUE)
    two.slowly(5, look=add)
    assert two.shows() == ("ada", ["pen", "book"])


@every_mode
@every_event
def test_no_slow_page_undoes_anything_where_every_use_issues_the_cookie(
    clock: Clock, mode: str, event: str
) -> None:
    settings = MODES[mode]() | {"refresh_after": 0}
    expected = after(event, clock, **MODES[mode]())
    two = tabs(clock, **settings)
    two.slowly(5, meanwhile=EVENTS[event])
    assert two.shows() == expected


# The other reasons to issue a cookie again


@cookie_alone
@every_event
def test_a_slow_page_under_an_older_key_undoes_nothing(clock: Clock, mode: str, event: str) -> None:
    """The secret key was changed while the user was logged in."""
    expected = after(event, clock, **MODES[mode]())
    cookie = tabs(clock, **MODES[mode]()).cookie
    present = _with_a_new_key(**MODES[mode]())
    two = Tabs(present, clock, cookie)
    assert two.slowly(0.5).set_cookie is not None
    two = Tabs(present, clock, cookie)
    assert two.slowly(5).set_cookie is None
    two.slowly(5, meanwhile=EVENTS[event])
    assert two.shows() == expected


def _with_a_new_key(**settings: Any) -> Site:
    """Return the site whose key was KEY before."""
    site = Site(**settings)
    site.app = SessionMiddleware(
        act_out, OLDER_KEY, secret_key_fallbacks=[KEY], idle_timeout=IDLE, **settings
    )
    return site


@every_mode
@pytest.mark.parametrize("name", ["session", "flask"])
def test_a_slow_page_under_the_former_frameworks_cookie_undoes_nothing(
    clock: Clock, mode: str, name: str
) -> None:
    """Nothing is set or deleted, so that the next request moves the session."""
    reader = FlaskCookie(FLASK_KEY, session_cookie_name=name)
    site = Site(idle_timeout=IDLE, migrate_from=[reader], **MODES[mode]())
    flasks = flask_cookie(name, {"cart": ["pen"]})
    two = Tabs(site, clock, flasks)
    assert two.slowly(5).headers.getlist("Set-Cookie") == []


@every_mode
def test_a_slow_page_under_a_cookie_of_former_settings_undoes_nothing(
    clock: Clock, mode: str
) -> None:
    cookie = Site(salt="former", idle_timeout=IDLE).log_in("ada", cart=["pen"])
    site = Site(idle_timeout=IDLE, migrate_from=[former(salt="former")], **MODES[mode]())
    assert Tabs(site, clock, cookie).slowly(5).headers.getlist("Set-Cookie") == []


# Half of the idle timeout


@every_mode
def test_a_site_whose_pages_are_all_slow_does_not_log_out_its_users(
    clock: Clock, mode: str
) -> None:
    """Once half of the idle timeout has passed, any page issues the cookie again."""
    two = tabs(clock, **MODES[mode]())
    for _ in range(8):
        clock.advance(HALF)
        assert two.slowly(5).set_cookie is not None
    assert two.shows() == ("ada", ["pen"])


@held_on_the_server
@pytest.mark.parametrize("event", ["log-in", "regenerate"])
def test_a_page_that_writes_with_the_cookie_from_before_takes_the_place_of_nothing(
    clock: Clock, mode: str, event: str
) -> None:
    """It was sent together with the request that has replaced its cookie, and answered later."""
    expected = after(event, clock, **MODES[mode]())
    two = tabs(clock, **MODES[mode]())
    sent = two.cookie
    two.cookie = two.site.visit(EVENTS[event], sent).cookie
    with pytest.raises(SessionUnavailable, match="The other request's response has the valid"):
        two.site.visit(add, sent)
    assert two.shows() == expected


@every_mode
def test_a_longer_timeout_logs_out_none_of_those_who_came_before(clock: Clock, mode: str) -> None:
    """Half of the former timeout counts as well, which the former cookie still has."""
    cookie = Site(salt="former", idle_timeout=IDLE).log_in("ada", cart=["pen"])
    readers = [former(salt="former", idle_timeout=IDLE)]
    two = Tabs(Site(idle_timeout=9 * IDLE, migrate_from=readers, **MODES[mode]()), clock, cookie)
    for _ in range(8):
        clock.advance(DUE)
        two.slowly(5)
    assert two.shows() == ("ada", ["pen"])


@held_on_the_server
def test_after_half_of_the_idle_timeout_a_list_or_a_store_keeps_the_log_out(
    clock: Clock, mode: str
) -> None:
    two = tabs(clock, **MODES[mode]())
    clock.advance(HALF)
    two.slowly(5, meanwhile=log_out)
    assert two.shows() == (None, None)


@cookie_alone
def test_after_half_of_the_idle_timeout_a_slow_page_undoes_a_log_out(
    clock: Clock, mode: str
) -> None:
    """A documented limit of the cookie alone: no server knows that the session has ended."""
    two = tabs(clock, **MODES[mode]())
    clock.advance(HALF)
    two.slowly(5, meanwhile=log_out)
    assert two.shows() == ("ada", ["pen"])
