"""Where a browser registers and proves its key: what is refused, and what fails."""

import json
import logging
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attacks.modes import every_mode, held_on_the_server
from tests.conftest import Clock
from tests.dbsc_browser import Browser, jwt, new_key
from tests.gateway import call
from tests.sites import MemoryStore, owner_of, untouched
from tests.unit.devices import (
    LIFETIME,
    MARGIN,
    OF_A_SIBLING,
    OK,
    bound_browser,
    count,
    is_bound,
    log_out,
    reasons,
    refresh,
    regenerate,
    site_in,
    unavailable,
    unbound_browser,
)

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sessionware")


# What is refused


@pytest.mark.parametrize(
    ("proof", "reason"),
    [
        (None, "device_malformed"),
        ("", "device_malformed"),
        ("a.b.c", "device_malformed"),
        ("x" * 100_000, "device_malformed"),
        (lambda key, challenge: jwt(key, challenge), "device_malformed"),
        (lambda key, challenge: jwt(key, challenge, registers=True, crit=[]), "device_malformed"),
        (lambda key, _: jwt(key, "", registers=True), "device_bad_challenge"),
        (lambda key, _: jwt(key, "é" * 99, registers=True), "device_bad_challenge"),
        (lambda key, challenge: jwt(key, challenge[1:], registers=True), "device_bad_challenge"),
        (
            lambda key, challenge: jwt(key, re.sub(r"\.\d", ".2", challenge), registers=True),
            "device_bad_challenge",
        ),
        (
            lambda key, challenge: jwt(key, challenge, registers=True)[:-9] + "AAAAAAAAA",
            "device_bad_signature",
        ),
    ],
)
def test_a_registration_that_is_not_right_is_refused(
    proof: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    browser = unbound_browser(site_in())
    [(url, challenge)] = browser.offers
    headers = {} if proof is None else {"HTTP_SECURE_SESSION_RESPONSE": proof}
    if callable(proof):
        headers["HTTP_SECURE_SESSION_RESPONSE"] = proof(new_key(), challenge)
    browser.send(path=url, REQUEST_METHOD="POST", **headers)
    assert browser.responses[-1].status == "400 Bad Request"
    assert browser.responses[-1].data == b"{}"
    assert reasons(caplog) == [reason]
    assert browser.visit(count) == 1


@held_on_the_server
def test_a_registration_that_is_repeated_with_the_cookie_from_before_it_is_refused(
    mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing has failed on the server, which a warning would say."""
    browser = unbound_browser(site_in(mode))
    [(url, challenge)] = browser.offers
    proof, cookie = jwt(new_key(), challenge, registers=True), browser.header("")
    for status in ("200 OK", "400 Bad Request"):
        browser.send(
            path=url, cookie=cookie, REQUEST_METHOD="POST", HTTP_SECURE_SESSION_RESPONSE=proof
        )
        assert browser.responses[-1].status == status
    assert browser.responses[-1].data == b"{}"
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert reasons(caplog) == ["device_unexpected"]


def test_a_registration_comes_in_time(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    browser = unbound_browser(site_in())
    clock.advance(LIFETIME + 1)
    assert browser.register().status == "400 Bad Request"
    assert reasons(caplog) == ["device_bad_challenge"]


def test_a_registration_without_a_session_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    browser = unbound_browser(site_in())
    browser.cookies.clear()
    assert browser.register().status == "400 Bad Request"
    assert reasons(caplog) == ["device_unexpected"]


OTHER_KEY = new_key()


@pytest.mark.parametrize(
    ("proof", "status", "reason"),
    [
        ("", 400, "device_malformed"),
        ("a.b.c", 400, "device_malformed"),
        (lambda key, challenge: jwt(key, challenge, registers=True), 400, "device_malformed"),
        (lambda key, challenge: jwt(key, challenge, alg="none"), 400, "device_malformed"),
        (lambda key, challenge: jwt(key, challenge, alg="RS256"), 403, "device_bad_signature"),
        (lambda _, challenge: jwt(OTHER_KEY, challenge), 403, "device_bad_signature"),
        (lambda key, _: jwt(key, "x"), 403, "device_bad_challenge"),
    ],
)
@every_mode
def test_a_proof_that_is_not_right_is_refused(
    mode: str, proof: Any, status: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    browser = bound_browser(site_in(mode))
    [(identifier, bound)] = browser.bound.items()
    text = proof(bound.key, browser.challenges[identifier]) if callable(proof) else proof
    headers = {"HTTP_SECURE_SESSION_RESPONSE": text}
    assert refresh(browser, None, **headers).startswith(str(status))
    assert reasons(caplog) == [reason]
    assert browser.visit(is_bound) is True
    # The next challenge came with it, if the browser may try again.
    assert status == 400 or refresh(browser, jwt(bound.key, browser.challenges[identifier])) == OK


@pytest.mark.parametrize("identifier", ["", "x", "é", "0" * 63, "0" * 65, '"', '""'])
def test_an_identifier_that_is_none_is_refused(identifier: str) -> None:
    browser = bound_browser(site_in())
    status = refresh(browser, None, HTTP_SEC_SECURE_SESSION_ID=identifier)
    assert status == "400 Bad Request"


def test_another_identifier_is_told_to_end() -> None:
    browser = bound_browser(site_in())
    assert refresh(browser, None, HTTP_SEC_SECURE_SESSION_ID="0" * 64) == OK
    told = {"session_identifier": "0" * 64, "continue": False}
    assert json.loads(browser.responses[-1].data) == told


@pytest.mark.parametrize("path", ["register", "refresh"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_the_endpoints_are_posted_to(path: str, method: str) -> None:
    browser = bound_browser(site_in())
    browser.send(path=f"/.dbsc/{path}", REQUEST_METHOD=method)
    assert browser.responses[-1].status == "400 Bad Request"


def test_other_paths_are_the_applications() -> None:
    browser = bound_browser(site_in())
    for path in ("/.dbsc", "/.dbsc/", "/.dbsc/register/", "/.dbsc/other", "/x/.dbsc/refresh"):
        assert browser.send(lambda _: "page", path) == "page"


@given(st.text(), st.text(), st.text(), st.sampled_from(["register", "refresh"]))
def test_no_header_raises(proof: str, identifier: str, cookie: str, path: str) -> None:
    site = site_in()
    cookie = f"session-key={cookie}; session-bound={cookie}; session={cookie}"
    headers: dict[str, Any] = {
        "HTTP_SECURE_SESSION_RESPONSE": proof,
        "HTTP_SEC_SECURE_SESSION_ID": identifier,
    }
    response = call(site.app, cookie, PATH_INFO=f"/.dbsc/{path}", REQUEST_METHOD="POST", **headers)
    assert response.status in (OK, "400 Bad Request", "403 Forbidden")


# A store that fails


@pytest.mark.parametrize("verb", ["load", "create", "touch"])
def test_a_store_that_fails_keeps_the_binding(
    clock: Clock, verb: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Chromium keeps a session whose endpoint answers 5xx, and asks again later."""
    store = MemoryStore()
    browser = bound_browser(site_in(store=store))
    clock.advance(LIFETIME - MARGIN)
    with monkeypatch.context() as failing:
        failing.setattr(store, verb, unavailable)
        browser.renew()
    assert browser.responses[-1].status == "503 Service Unavailable"
    assert reasons(caplog) == ["device_unavailable"]
    assert browser.visit(is_bound) is True


@pytest.mark.parametrize("verb", ["load", "create", "replace"])
def test_a_store_that_fails_at_a_registration_binds_nothing(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    browser = unbound_browser(site_in(store=store))
    with monkeypatch.context() as failing:
        failing.setattr(store, verb, unavailable)
        assert browser.register().status == "503 Service Unavailable"
    assert browser.visit(count) == 1


def test_a_registration_that_failed_half_way_is_not_taken_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The key is there, and may be another one."""
    store = MemoryStore()
    browser = unbound_browser(site_in(store=store))
    with monkeypatch.context() as failing:
        failing.setattr(store, "replace", unavailable)
        browser.register()
    assert browser.register().status == "400 Bad Request"
    assert browser.visit(count) == 1


def test_a_log_out_needs_no_answer_about_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    browser = bound_browser(site_in(store=store))
    delete = store.delete
    keys = [key for key, text in store.kept.items() if "EC" in text]
    monkeypatch.setattr(store, "delete", lambda key: unavailable() if key in keys else delete(key))
    browser.visit(log_out)
    assert browser.visit(owner_of) is None


# Links from elsewhere


@every_mode
@pytest.mark.parametrize("link", ["cross-site", "same-site", "none"])
def test_a_link_from_another_site_leads_to_the_session(clock: Clock, mode: str, link: str) -> None:
    """The browser proves nothing for other sites, so the page has itself reloaded."""
    browser = bound_browser(site_in(mode))
    clock.advance(LIFETIME)
    assert browser.visit(count, link=link) == 1
    reloaded = [response for response in browser.responses if "Refresh" in response.headers]
    assert len(reloaded) == (link != "none")
    for response in reloaded:
        assert response.status == "200 OK"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Vary"] == "Cookie"


@every_mode
def test_a_link_is_reloaded_when_a_slow_response_has_put_the_unbound_state_back(
    clock: Clock, mode: str
) -> None:
    """What the first page saves for a visitor does not end the session."""
    browser = unbound_browser(site_in(mode))
    sent = browser.header("/")
    browser.binds = True
    browser.register()
    clock.advance(2)
    assert browser.send(count, cookie=sent) == 1
    clock.advance(900)
    browser.send(lambda session: session.update(seen=True), **OF_A_SIBLING)
    assert browser.visit(owner_of, link="cross-site") == "ann"
    assert browser.visit(count) == 2


@held_on_the_server
@pytest.mark.parametrize("act", [log_out, regenerate])
def test_a_link_is_not_reloaded_when_the_session_has_ended_unbound(
    clock: Clock, mode: str, act: Any
) -> None:
    browser = unbound_browser(site_in(mode))
    sent = browser.header("/")
    browser.visit(act)
    clock.advance(LIFETIME)
    link: Any = {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_SEC_FETCH_MODE": "navigate"}
    assert browser.send(owner_of, cookie=sent, **link) is None
    assert "Refresh" not in browser.responses[-1].headers


def test_only_a_followed_link_is_reloaded(clock: Clock) -> None:
    browser = bound_browser(site_in())
    clock.advance(LIFETIME)
    for more in (
        {"HTTP_SEC_FETCH_MODE": "cors"},
        {"REQUEST_METHOD": "POST"},
        {"HTTP_COOKIE": "session=x"},
    ):
        assert browser.visit(owner_of, link="cross-site", **more) is None
    assert "Refresh" not in browser.responses[-1].headers


def test_a_link_is_followed_at_once_by_visitors_and_by_users_with_a_proof() -> None:
    site = site_in()
    for browser in (Browser(site.app), bound_browser(site), unbound_browser(site)):
        sent = len(browser.paths)
        browser.visit(untouched, link="cross-site")
        assert len(browser.paths) == sent + 1


def test_a_browser_that_has_lost_its_key_is_reloaded_once(clock: Clock) -> None:
    browser = bound_browser(site_in())
    browser.bound.clear()
    clock.advance(LIFETIME)
    assert browser.visit(owner_of, link="cross-site") is None
    assert browser.paths[-2:] == ["/", "/"]


def test_a_store_that_does_not_answer_leaves_the_link_to_the_application(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    browser = bound_browser(site_in(store=store))
    clock.advance(LIFETIME)
    monkeypatch.setattr(store, "load", unavailable)
    assert browser.visit(lambda _: "page", link="cross-site") == "page"
