"""A day of a user whose session is bound to a device, and of thieves who copy its cookies."""

import logging
import random

import pytest

from tests.attacks.modes import every_mode
from tests.conftest import Clock
from tests.sites import owner_of
from tests.unit.devices import (
    DAY,
    LIFETIME,
    MARGIN,
    bound_browser,
    count,
    is_bound,
    reasons,
    site_in,
)

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sessionware")


@every_mode
def test_a_user_notices_nothing_over_a_day(
    clock: Clock, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Clicks, links from elsewhere, tabs in parallel, restarts and pauses, with one log-in."""
    dice = random.Random(mode)  # noqa: S311 - the same each time
    browser = bound_browser(site_in(mode))
    clicks, links, end = 0, 0, clock.now + DAY
    while clock.now < end:
        clock.advance(dice.choice([0.1, 1, 5, 60, 300, LIFETIME - MARGIN, LIFETIME, 3000]))
        match dice.randrange(6):
            case 0:
                browser.restart()
            case 1:  # tabs
                browser.renew()
                sent = [browser.header("/")] * 3
                clock.advance(dice.choice([0, 1, MARGIN - 1]))
                assert [browser.send(owner_of, cookie=each) for each in sent] == ["ann"] * 3
            case 2:
                links += 1
                assert browser.visit(owner_of, link="cross-site") == "ann"
            case _:
                clicks += 1
                assert browser.visit(count) == clicks
    assert browser.visit(is_bound) is True
    assert len(browser.offers) == 1
    # It is logged when a link is followed, before the page is reloaded.
    assert {*reasons(caplog)} == {"device_unproved"}
    assert len(caplog.records) < links
    # Chromium signs no more often.
    for signed in browser.signed:
        assert sum(0 <= later - signed < 9 * 60 for later in browser.signed) <= 6
