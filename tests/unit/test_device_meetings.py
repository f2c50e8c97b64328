"""Requests that meet a registration or a proof of a device, and answers that are lost."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from sessionware import SessionUnavailable
from tests.attacks.modes import MODES, every_mode, held_on_the_server
from tests.conftest import Clock
from tests.dbsc_browser import jwt, new_key
from tests.sites import Site, owner_of
from tests.unit.devices import (
    DAY,
    LIFETIME,
    MARGIN,
    bound_browser,
    count,
    is_bound,
    log_in,
    log_out,
    regenerate,
    site_in,
    unbound_browser,
)

pytestmark = pytest.mark.usefixtures("clock")


# Requests that meet


@every_mode
@pytest.mark.parametrize("act", [owner_of, count])
def test_a_request_that_was_sent_before_the_registration_is_answered(mode: str, act: Any) -> None:
    browser = unbound_browser(site_in(mode))
    sent = browser.header("/")
    browser.register()
    assert browser.send(act, cookie=sent) in ("ann", 1)
    assert browser.visit(owner_of) == "ann"
    assert browser.visit(is_bound) is True
    assert browser.visit(lambda session: session["n"]) == (1 if act is count else 0)


@every_mode
@pytest.mark.parametrize("idle", [0, LIFETIME, 7 * DAY])
def test_a_slow_response_that_puts_the_unbound_state_back_is_healed(
    clock: Clock, mode: str, idle: float
) -> None:
    browser = unbound_browser(site_in(mode))

    def slow(session: Any) -> int:
        dict(session)
        browser.register()
        return count(session)

    assert browser.visit(slow) == 1
    clock.advance(idle)
    assert browser.visit(is_bound) is True
    assert browser.visit(count) == 2
    thief = browser.robbed()
    clock.advance(LIFETIME)
    assert thief.visit(owner_of) is None


@held_on_the_server
def test_a_response_that_is_slower_than_a_minute_is_not_saved(clock: Clock, mode: str) -> None:
    browser = unbound_browser(site_in(mode))

    def slow(session: Any) -> None:
        dict(session)
        browser.register()
        clock.advance(61)
        count(session)

    with pytest.raises(SessionUnavailable):
        browser.visit(slow)
    assert browser.visit(count) == 1


@held_on_the_server
def test_what_came_before_the_registration_is_refused_after_a_minute(
    clock: Clock, mode: str
) -> None:
    browser = unbound_browser(site_in(mode))
    copy = browser.header("/")
    browser.register()
    assert browser.send(owner_of, cookie=copy) == "ann"
    clock.advance(61)
    assert browser.send(owner_of, cookie=copy) is None


@held_on_the_server
def test_a_log_out_ends_what_came_before_the_registration_too(mode: str) -> None:
    browser = unbound_browser(site_in(mode))
    copy = browser.header("/")
    browser.register()
    browser.visit(log_out)
    assert browser.send(owner_of, cookie=copy) is None


@held_on_the_server
def test_a_log_out_that_was_sent_before_the_registration_holds(mode: str) -> None:
    browser = unbound_browser(site_in(mode))
    sent = browser.header("/")
    browser.register()
    copy = browser.header("/")
    browser.send(log_out, cookie=sent)
    for cookie in (sent, copy):
        assert browser.send(owner_of, cookie=cookie) is None


in_the_middle = pytest.mark.parametrize(
    ("mode", "verb", "number"),
    [
        ("revocations", "revoke", 0),
        ("revocations", "revoke", 1),
        ("store", "create", 0),
        ("store", "create", 1),
        ("store", "create", 2),
    ],
)
"""Before each of the writes of a registration."""


def interrupt(
    patch: pytest.MonkeyPatch, held: Any, verb: str, number: int, act: Callable[[], object]
) -> None:
    """Do this just before a write."""
    write, writes = getattr(held, verb), iter(range(number + 1))

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        if next(writes) == number:
            patch.setattr(held, verb, write)
            act()
        return write(*args, **kwargs)

    patch.setattr(held, verb, interrupted)


@in_the_middle
def test_a_log_out_in_the_middle_of_a_registration_holds(
    mode: str, verb: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = MODES[mode]()
    browser = unbound_browser(Site(device_bound=True, **settings))
    sent, [held] = browser.header("/"), settings.values()
    log_out_with_it = partial(browser.send, log_out, cookie=sent)
    interrupt(monkeypatch, held, verb, number, log_out_with_it)
    assert browser.register().status == "503 Service Unavailable"
    assert browser.send(owner_of, cookie=sent) is None
    assert browser.visit(owner_of) is None


@in_the_middle
@pytest.mark.parametrize("renew", [regenerate, log_in])
def test_a_new_id_in_the_middle_of_a_registration_is_the_only_one(
    clock: Clock, mode: str, verb: str, number: int, renew: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = MODES[mode]()
    browser = unbound_browser(Site(device_bound=True, **settings))
    sent, [held] = browser.header("/"), settings.values()
    interrupt(monkeypatch, held, verb, number, partial(browser.send, renew, cookie=sent))
    assert browser.register().status == "503 Service Unavailable"
    assert browser.visit(owner_of) == "ann"
    clock.advance(61 if mode == "store" else 0)
    assert browser.send(owner_of, cookie=sent) is None


@every_mode
def test_a_registration_of_a_session_that_ends_meanwhile_is_no_error(mode: str) -> None:
    browser = unbound_browser(site_in(mode))
    sent, [(url, challenge)] = browser.header(""), browser.offers
    browser.visit(log_out)
    proof = jwt(new_key(), challenge, registers=True)
    browser.send(path=url, cookie=sent, REQUEST_METHOD="POST", HTTP_SECURE_SESSION_RESPONSE=proof)
    held = mode in ("revocations", "store")
    assert browser.responses[-1].status == ("400 Bad Request" if held else "200 OK")


@every_mode
def test_a_key_is_never_replaced(mode: str) -> None:
    browser = unbound_browser(site_in(mode))
    browser.register()
    for _ in range(2):
        assert browser.register(new_key()).status == "400 Bad Request"
    assert browser.visit(is_bound) is True


@every_mode
def test_parallel_refreshes_with_one_challenge_both_succeed_in_the_end(
    clock: Clock, mode: str
) -> None:
    """Two windows of a browser, where one does not wait for the other."""
    one = bound_browser(site_in(mode))
    other = replace(one, cookies=dict(one.cookies), challenges=dict(one.challenges))
    clock.advance(LIFETIME - MARGIN)
    for window in (one, other):
        assert window.visit(is_bound) is True


@every_mode
@pytest.mark.parametrize("lifetime", [timedelta(days=401), timedelta.max])
def test_a_lifetime_is_no_longer_than_browsers_keep_a_cookie(
    clock: Clock, mode: str, lifetime: timedelta
) -> None:
    settings = MODES[mode]() | {"idle_timeout": timedelta(days=1000)}
    browser = bound_browser(Site(device_bound=True, device_bound_lifetime=lifetime, **settings))
    thief = browser.robbed()
    assert browser.visit(is_bound) is True
    clock.advance(400 * DAY + 1)
    everything = "; ".join(f"{name}={it.value}" for (name, _), it in thief.cookies.items())
    assert thief.send(owner_of, cookie=everything) is None


@every_mode
def test_a_lifetime_may_be_longer_than_the_idle_timeout(clock: Clock, mode: str) -> None:
    """The key is asked for once in a lifetime, and kept until then."""
    minute = 60
    site = site_in(mode, idle_timeout=30 * minute, device_bound_lifetime=120 * minute)
    browser = bound_browser(site)
    for clicks in range(1, 31):
        clock.advance(15 * minute)
        assert browser.visit(count) == clicks
