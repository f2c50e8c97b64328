"""Requests that meet a registration or a proof of a device, and answers that are lost."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest

from sessionware import SessionUnavailable
from tests.attacks.modes import MODES, cookie_alone, every_mode, held_on_the_server
from tests.conftest import Clock
from tests.dbsc_browser import Browser, jwt, new_key
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
    set_the_owner_again,
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


@every_mode
def test_what_a_page_saves_while_the_browser_registers_is_kept_by_a_store_alone(mode: str) -> None:
    """The answer to the registration, which was sent before the page's, comes after it."""
    browser = unbound_browser(site_in(mode))
    sent = browser.header("/.dbsc/")
    assert browser.send(count) == 1
    browser.register(cookie=sent)
    assert browser.visit(count) == (2 if mode == "store" else 1)
    assert browser.visit(is_bound) is True


@every_mode
def test_what_a_page_saves_while_the_browser_proves_its_key_is_kept(mode: str) -> None:
    browser = bound_browser(site_in(mode))
    sent, [identifier] = browser.header("/.dbsc/"), browser.bound
    assert browser.send(count) == 1
    browser.refresh(identifier, cookie=sent)
    assert browser.visit(count) == 2
    assert browser.visit(is_bound) is True


def send_page(browser: Browser, sent: str, act: Any, meanwhile: Callable[[], object]) -> None:
    def page(session: Any) -> None:
        dict(session)
        meanwhile()
        act(session)

    # With its former id, a session cannot be renewed a second time.
    with suppress(SessionUnavailable):
        browser.send(page, cookie=sent, late=True)


def send_proof(browser: Browser, sent: str) -> None:
    if browser.bound:
        browser.refresh(*browser.bound, cookie=sent, late=True)
    else:
        browser.register(cookie=sent, late=True)


def arrive(browser: Browser, order: str) -> None:
    pages = [response for response, key in browser.on_their_way if key is None]
    proofs = [response for response, key in browser.on_their_way if key is not None]
    orders = {"page, proof": pages + proofs, "proof, page": proofs + pages, "page": pages}
    for response in orders[order]:
        browser.receive(response)


def let_meet(browser: Browser, act: Any, served: str, arrived: str) -> None:
    """Send a page and a proof with the same cookies.

    The proof is ``served`` before the page, meanwhile or after it.
    """
    sent = browser.header("/.dbsc")
    prove = partial(send_proof, browser, sent)
    if served == "before":
        prove()
    send_page(browser, sent, act, prove if served == "meanwhile" else lambda: None)
    if served == "after":
        prove()
    arrive(browser, arrived)


def is_logged_in_from_now_on(browser: Browser, clock: Clock) -> bool:
    found = []
    for _ in range(3):
        found.append(browser.visit(owner_of))
        clock.advance(LIFETIME)
    return found == ["ann"] * 3


whenever_it_is_served = pytest.mark.parametrize("served", ["before", "meanwhile", "after"])


@every_mode
@whenever_it_is_served
@pytest.mark.parametrize("act", [owner_of, count, regenerate, set_the_owner_again])
@pytest.mark.parametrize("arrived", ["page, proof", "proof, page"])
def test_a_page_that_meets_a_registration_logs_nobody_out(
    clock: Clock, mode: str, act: Any, served: str, arrived: str
) -> None:
    browser = unbound_browser(site_in(mode))
    let_meet(browser, act, served, arrived)
    browser.binds = True
    assert is_logged_in_from_now_on(browser, clock)


@every_mode
@whenever_it_is_served
@pytest.mark.parametrize(
    ("act", "arrived"),
    [
        *product([owner_of, count], ["page, proof", "proof, page", "page"]),
        *product([regenerate, set_the_owner_again], ["proof, page", "page"]),
    ],
)
def test_a_page_that_meets_a_proof_logs_nobody_out(
    clock: Clock, mode: str, act: Any, served: str, arrived: str
) -> None:
    browser = bound_browser(site_in(mode))
    let_meet(browser, act, served, arrived)
    assert is_logged_in_from_now_on(browser, clock)


@every_mode
@pytest.mark.parametrize("served", ["before", "meanwhile"])
def test_a_proof_of_a_former_id_that_arrives_last_hides_the_session_for_as_long_as_it_counts(
    clock: Clock, mode: str, served: str
) -> None:
    """The short cookie has one name, and the browser takes it for that of the present session."""
    browser = bound_browser(site_in(mode))
    let_meet(browser, regenerate, served, "page, proof")
    assert browser.visit(owner_of) is None
    clock.advance(LIFETIME - MARGIN)
    assert is_logged_in_from_now_on(browser, clock)


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
    assert browser.register().status == "400 Bad Request"
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
    assert browser.register().status == "400 Bad Request"
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


# Answers that are lost


@cookie_alone
@pytest.mark.parametrize("idle", [0, 61, LIFETIME, 7 * DAY])
def test_a_registration_whose_answer_is_lost_changes_nothing_with_the_cookie_alone(
    clock: Clock, mode: str, idle: float
) -> None:
    browser = unbound_browser(site_in(mode))
    browser.register(late=True)
    for number in (1, 2):
        clock.advance(idle)
        assert browser.visit(count) == number
    assert browser.visit(is_bound) is False


@held_on_the_server
def test_a_registration_whose_answer_is_lost_logs_out_a_minute_later(
    clock: Clock, mode: str
) -> None:
    browser = unbound_browser(site_in(mode))
    browser.register(late=True)
    clock.advance(59)
    assert browser.visit(owner_of) == "ann"
    clock.advance(2)
    assert browser.visit(owner_of) is None


@every_mode
@pytest.mark.parametrize("idle", [0, 61])
def test_the_next_log_in_binds_after_a_registration_whose_answer_is_lost(
    clock: Clock, mode: str, idle: float
) -> None:
    browser = unbound_browser(site_in(mode))
    browser.register(late=True)
    clock.advance(idle)
    browser.binds = True
    browser.visit(log_in)
    assert browser.visit(is_bound) is True
    assert browser.visit(count) == 1


@every_mode
@pytest.mark.parametrize("idle", [0, 61, LIFETIME, 7 * DAY])
@pytest.mark.parametrize("proofs", [1, 2])
def test_a_proof_whose_answer_is_lost_is_given_again(
    clock: Clock, mode: str, idle: float, proofs: int
) -> None:
    browser = bound_browser(site_in(mode))
    [identifier] = browser.bound
    for _ in range(proofs):
        browser.refresh(identifier, late=True)
        assert browser.send(owner_of) == "ann", "the browser sends its request all the same"
    clock.advance(idle)
    assert browser.visit(count) == 1
    assert browser.visit(is_bound) is True
