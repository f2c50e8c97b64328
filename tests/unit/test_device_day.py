"""A day of a user whose session is bound to a device, and of thieves who copy its cookies."""

import logging
import random
from typing import Any

import pytest

from tests.attacks.modes import every_mode
from tests.conftest import Clock
from tests.dbsc_browser import Browser
from tests.gateway import call
from tests.sites import owner_of
from tests.unit.devices import (
    DAY,
    LIFETIME,
    MARGIN,
    OK,
    bound_browser,
    count,
    is_bound,
    reasons,
    regenerate,
    site_in,
)

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sessionware")


@every_mode
@pytest.mark.parametrize("seed", range(3))
def test_a_user_notices_nothing_over_a_day_and_thieves_have_nothing_of_it(
    clock: Clock, mode: str, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    day = Day(clock, bound_browser(site_in(mode)), random.Random(f"{mode} {seed}"))  # noqa: S311 - the same each time
    day.go_by()
    assert day.browser.visit(count) == day.clicks + 1
    assert day.browser.visit(is_bound) is True
    assert len(day.browser.offers) == 1 + day.renewals > 1
    assert day.caught > 5
    # Of links, before the page is reloaded; of thieves; and of proofs that were lost.
    assert {*reasons(caplog)} <= {"device_unproved", "revoked", "device_replayed"}
    # Chromium signs no more often.
    for signed in day.browser.signed:
        assert sum(0 <= later - signed < 9 * 60 for later in day.browser.signed) <= 6


class Day:
    """A day of a user, who has logged in once, and of thieves, who copy all cookies now and then.

    - ``clicks``: how often the user's session was counted; ``renewals``: how often it got a new id.
    - ``caught``: how many thieves were anonymous one lifetime after the theft.
    """

    def __init__(self, clock: Clock, browser: Browser, dice: random.Random) -> None:
        self.clock = clock
        self.browser = browser
        self.dice = dice
        self.clicks = self.renewals = self.caught = 0
        self._renewed_at = clock.now
        self._thieves: list[tuple[float, str]] = []

    def go_by(self) -> None:
        deeds = [getattr(self, name) for name in vars(Day) if name.startswith("_do_")]
        end = self.clock.now + DAY
        while self.clock.now < end:
            pauses = [0.1, 1, 5, 60, 300, LIFETIME - MARGIN, LIFETIME, 3000]
            self.clock.advance(self.dice.choice(pauses))
            self.dice.choice(deeds)()
            self._watch_thieves()

    def _do_click(self) -> None:
        self.clicks += 1
        assert self.browser.visit(count) == self.clicks

    def _do_follow_a_link_from_elsewhere(self) -> None:
        assert self.browser.visit(owner_of, link="cross-site") == "ann"

    def _do_restart(self) -> None:
        self.browser.restart()

    def _do_open_tabs(self) -> None:
        """They are asked for at once, and answered late, and one of them counts."""
        self.browser.renew()
        sent = [self.browser.header("/")] * 3
        self.clock.advance(self.dice.choice([0, 1, MARGIN - 1]))
        self.clicks += 1
        acts = [count, owner_of, owner_of]
        answers = [self.browser.send(act, cookie=it) for act, it in zip(acts, sent, strict=True)]
        assert answers == [self.clicks, "ann", "ann"]

    def _do_wait_for_a_slow_page(self) -> None:
        def slow(session: Any) -> int:
            dict(session)
            self.clock.advance(self.dice.choice([2, 90, LIFETIME]))
            return count(session)

        self.clicks += 1
        assert self.browser.visit(slow) == self.clicks

    def _do_reload_a_page_that_was_lost(self) -> None:
        for late in (True, False):
            assert self.browser.visit(owner_of, late=late) == "ann"

    def _do_lose_a_proof(self) -> None:
        """Chromium may give it in the background, before the short cookie has ended."""
        self.browser.renew()
        *_, identifier = self.browser.bound
        self.browser.refresh(identifier, late=True)

    def _do_have_rights_changed(self) -> None:
        """The session gets a new id, and is bound anew, which former thieves have nothing of."""
        if self.clock.now > self._renewed_at + 60 * 60:
            self.renewals, self._renewed_at = self.renewals + 1, self.clock.now
            self.browser.visit(regenerate)
            assert self.browser.visit(is_bound) is True

    def _do_get_robbed(self) -> None:
        """The thief has the cookie of the endpoints, too."""
        self.browser.renew()
        cookies = self.browser.robbed().cookies.items()
        stolen = "; ".join(f"{name}={cookie.value}" for (name, _), cookie in cookies)
        self._thieves.append((self.clock.now, stolen))
        assert call(self.browser.app, stolen, test__act=owner_of).status == OK

    def _watch_thieves(self) -> None:
        for at, stolen in [*self._thieves]:
            if self.clock.now - at > LIFETIME:
                assert Browser(self.browser.app).send(owner_of, cookie=stolen) is None
                self._thieves.remove((at, stolen))
                self.caught += 1
