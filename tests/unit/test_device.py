"""Sessions that are bound to a device, with a browser that does what Chromium does."""

import json
import logging
import re
from datetime import timedelta
from typing import Any

import pytest

from sessionware import (
    ConfigurationError,
    SessionInterface,
    SessionMiddleware,
)
from sessionware.migration import SessionwareCookie
from tests.attacks.modes import MODES, every_mode, held_on_the_server
from tests.conftest import Clock
from tests.dbsc_browser import Algorithm, Browser, jwt, new_key
from tests.gateway import KEY, OLDER_KEY
from tests.sites import MemoryStore, Site, every_log_out, id_of, owner_of, untouched
from tests.unit.devices import (
    DAY,
    LIFETIME,
    MARGIN,
    OF_A_SIBLING,
    OK,
    bound_browser,
    count,
    is_bound,
    log_in,
    log_out,
    reasons,
    refresh,
    site_in,
    unbound_browser,
)
from tests.unit.extras import hide_cryptography

pytestmark = pytest.mark.usefixtures("clock")


def whole(session: Any) -> Any:
    return session.owner, dict(session), session.created, session.get_csrf_token()


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sessionware")


# The settings


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"device_bound": 1}, "device_bound: found int, expected True or False"),
        (
            {"device_bound_lifetime": 299},
            "device_bound_lifetime: found 299, expected a timedelta or a number of seconds, "
            "from 300 seconds to 1,000,000,000 days",
        ),
        (
            {"device_bound_path": ".dbsc"},
            "device_bound_path: found '.dbsc', expected a path such as '/.dbsc', of up to 512 "
            "letters, digits and ._~-",
        ),
        (
            {"device_bound_path": b"/"},
            "device_bound_path: found bytes, expected a path such as '/.dbsc', of up to 512 "
            "letters, digits and ._~-",
        ),
        (
            {"device_bound": True, "cookie_domain": "example.com"},
            "cookie_domain: found 'example.com', expected None with device_bound=True",
        ),
        (
            {"device_bound": True, "cookie_partitioned": True, "cookie_secure": True},
            "cookie_partitioned: found True, expected False with device_bound=True",
        ),
    ],
)
def test_a_wrong_setting_is_a_problem(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Site(**settings)
    assert [*map(str, caught.value.problems)] == [problem]


@pytest.mark.parametrize(
    "path",
    ["", "/", "/a/", "a", "/a b", '/"', "/a?b", "/é", "//", "/..", "/./a", "/a" * 257, "/a\n"],
)
def test_a_path_that_no_header_or_url_can_have_is_a_problem(path: str) -> None:
    with pytest.raises(ConfigurationError, match="device_bound_path"):
        Site(device_bound_path=path)


def test_without_cryptography_the_setting_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hide_cryptography(monkeypatch, "sessionware.proof")
    with pytest.raises(ConfigurationError, match=r"pip install 'sessionware\[device\]'"):
        Site(device_bound=True)
    assert Site().read(Site().log_in(n=1)) == {"n": 1}


def test_without_a_secret_key_nothing_is_bound() -> None:
    browser = Browser(Site(device_bound=True, secret_key=None).app)
    assert browser.visit(is_bound) is False
    assert browser.visit(lambda _: "the application", "/.dbsc/register") == "the application"


# Off


def test_off_nothing_is_offered_and_nothing_answered() -> None:
    browser = Browser(Site().app)
    browser.visit(log_in)
    assert browser.offers == []
    assert browser.visit(lambda _: "the application", "/.dbsc/register") == "the application"
    assert browser.visit(is_bound) is False


def test_an_attribute_of_a_custom_interface_is_its_own() -> None:
    class Custom(SessionInterface):
        binding = "spiral"

        def open_session(self, environ: Any) -> None:
            """Return what makes the middleware put a null session there."""

    browser = Browser(Site(interface=Custom(), secret_key=None).app)
    assert browser.visit(lambda _: "the application", "/.dbsc/register") == "the application"


@every_mode
def test_the_setting_can_be_turned_off_again(mode: str) -> None:
    """The sessions go on, and a browser gives the binding up when the application answers 404."""
    settings = MODES[mode]()
    browser = bound_browser(Site(device_bound=True, **settings))
    browser.app = Site(**settings).app
    assert browser.visit(count) == 1
    assert browser.visit(is_bound) is False
    assert browser.visit(count) == 2


@every_mode
def test_the_setting_can_be_turned_on_for_sessions_that_there_are(mode: str) -> None:
    """They go on unbound until the next log-in."""
    settings = MODES[mode]()
    browser = Browser(Site(**settings).app)
    browser.visit(log_in)
    browser.app = Site(device_bound=True, **settings).app
    assert browser.visit(count) == 1
    assert browser.offers == []
    browser.visit(log_in)
    assert browser.visit(is_bound) is True


# The offer


@every_mode
def test_it_is_offered_once_at_the_log_in(mode: str) -> None:
    browser = Browser(site_in(mode).app, binds=False)
    browser.visit(lambda session: session.update(n=1))
    assert browser.offers == []
    browser.visit(log_in)
    for act in (untouched, count, id_of, whole, count):
        browser.visit(act)
    assert [url for url, _ in browser.offers] == ["/.dbsc/register"]


def test_it_is_not_offered_over_http() -> None:
    browser = Browser(site_in().app)
    browser.visit(log_in, wsgi__url_scheme="http")
    assert browser.offers == []
    assert browser.visit(count) == 1


def test_it_is_not_offered_where_the_cookie_is_not_sent_to_the_endpoints(
    caplog: pytest.LogCaptureFixture,
) -> None:
    browser = Browser(site_in(cookie_path="/shop").app)
    for _ in range(2):
        browser.visit(log_in, "/shop/")
    assert browser.offers == []
    assert reasons(caplog) == ["device_out_of_reach"]


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("/shöp", "/sh%C3%B6p"),
        ("/a/", "/a"),
        ("/.a/..b", "/.a/..b"),
        ("/a,b:c@d", "/a,b:c@d"),
        ('/a;b "c', "/a%3Bb%20%22c"),
        ("/" + "a" * 511, "/" + "a" * 511),
    ],
)
def test_the_endpoints_are_below_the_script_name(name: str, quoted: str) -> None:
    browser = Browser(site_in().app, binds=False)
    browser.send(log_in, SCRIPT_NAME=name.encode().decode("latin-1"))
    assert browser.offers[0][0] == f"{quoted}/.dbsc/register"


@pytest.mark.parametrize(
    "name", ["a", "//", "//evil.example", "/a//b", "/a/..", "/" + "a" * 512, "/ü" * 99]
)
def test_a_script_name_that_no_cookies_path_can_have_is_left_out(name: str) -> None:
    """A server may let the client set it."""
    browser = Browser(site_in().app, binds=False)
    more: Any = {"SCRIPT_NAME": name.encode().decode("latin-1"), "HTTP_HOST": "localhost"}
    browser.send(log_in, **more)
    [(url, challenge)], key = browser.offers, new_key()
    assert url == "/.dbsc/register"
    browser.prove(url, key, jwt(key, challenge, registers=True), **more)
    [identifier] = browser.bound
    assert browser.bound[identifier].url == "/.dbsc/refresh"
    proof = jwt(key, browser.challenges[identifier])
    assert refresh(browser, proof, **more) == OK
    browser.send(log_out, **more)
    assert browser.visit(owner_of) is None


@every_mode
def test_a_cookie_path_is_that_of_the_script_name(mode: str) -> None:
    browser = Browser(site_in(mode, cookie_path="/a,b").app, binds=False)
    browser.send(log_in, "/a,b/", SCRIPT_NAME="/a,b")
    assert len(browser.offers) == 1


@every_mode
@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_session_is_bound_and_goes_on(mode: str, algorithm: Algorithm) -> None:
    browser = Browser(site_in(mode).app, algorithm, binds=False)
    browser.visit(log_in)
    before = browser.visit(whole)
    assert browser.visit(is_bound) is False
    former_id, former_size = browser.visit(id_of), len(browser.header("/"))
    browser.register()
    assert browser.visit(is_bound) is True
    assert browser.visit(whole) == before
    assert browser.visit(id_of) != former_id
    grown = len(browser.header("/").partition(";")[0]) - former_size
    assert mode == "encrypted" or grown < 50


def test_the_answer_to_a_registration() -> None:
    browser = unbound_browser(site_in(cookie_name="__Host-session"))
    response = browser.register()
    assert response.status == "200 OK"
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    short, key, session = response.headers.getlist("Set-Cookie")
    place = "Secure; Path=/; HttpOnly; SameSite=Lax"
    assert re.fullmatch(rf"__Host-session-bound=[^;]+; Expires=[^;]+; Max-Age=540; {place}", short)
    assert re.fullmatch(
        r"__Secure-session-key=[^;]+; Expires=[^;]+; Max-Age=\d+; "
        "Secure; Path=/.dbsc; HttpOnly; SameSite=Lax",
        key,
    )
    assert session.startswith("__Host-session=")
    told = json.loads(response.data)
    identifier = told.pop("session_identifier")
    assert told == {
        "refresh_url": "/.dbsc/refresh",
        "scope": {"include_site": False},
        "credentials": [{"type": "cookie", "name": "__Host-session-bound", "attributes": place}],
    }
    assert response.headers["Secure-Session-Challenge"].endswith(f';id="{identifier}"')


@every_mode
def test_scripts_are_told_no_id(mode: str) -> None:
    """A response's body and header fields can be read by scripts, but not its cookies."""
    browser = bound_browser(site_in(mode))
    secret = browser.visit(id_of)
    for response in browser.responses:
        told = [value for name, value in response.header_list if name != "Set-Cookie"]
        assert secret not in f"{response.data!r} {told}"


def test_a_store_has_the_key_and_the_browser_does_not() -> None:
    sizes = {}
    for mode in ("signed", "store"):
        browser = bound_browser(site_in(mode))
        sizes[mode] = len(browser.cookies["session-key", "/.dbsc"].value)
    assert sizes["store"] < 110 < 250 < sizes["signed"]


def test_quotes_around_a_proof_are_accepted_as_the_draft_has_them() -> None:
    browser = unbound_browser(site_in())
    [(url, challenge)], key = browser.offers, new_key()
    proof = jwt(key, challenge, registers=True)
    assert browser.prove(url, key, f'"{proof}"').status == "200 OK"
    [identifier] = browser.bound
    proof = jwt(key, browser.challenges[identifier])
    assert refresh(browser, f'"{proof}"', HTTP_SEC_SECURE_SESSION_ID=f'"{identifier}"') == OK


# The short cookie


@every_mode
def test_the_browser_proves_its_key_whenever_the_short_cookie_has_ended(
    clock: Clock, mode: str
) -> None:
    browser = bound_browser(site_in(mode))
    for number in range(1, 10):
        clock.advance(LIFETIME - MARGIN + 1)
        assert browser.visit(count) == number
    assert browser.paths.count("/.dbsc/refresh") == 9
    assert browser.visit(is_bound) is True


@every_mode
def test_a_browser_that_was_closed_for_a_week_proves_it_with_a_new_challenge(
    clock: Clock, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    browser = bound_browser(site_in(mode))
    for restarts in (True, False):
        clock.advance(7 * DAY)
        if restarts:
            browser.restart()
        assert browser.visit(is_bound) is True
    assert browser.paths.count("/.dbsc/refresh") == 4
    assert caplog.records == []


def test_a_request_that_was_under_way_when_the_cookie_ended_is_answered(clock: Clock) -> None:
    browser = bound_browser(site_in())
    clock.advance(LIFETIME - MARGIN - 1)
    sent = browser.header("/")
    clock.advance(MARGIN)
    assert browser.send(count, cookie=sent) == 1


def test_the_lifetime_is_a_setting(clock: Clock) -> None:
    browser = bound_browser(site_in(device_bound_lifetime=timedelta(minutes=5)))
    sent = browser.header("/")
    clock.advance(4 * 60 + 1)
    assert "session-bound=" not in browser.header("/")
    assert browser.send(owner_of, cookie=sent) == "ann"
    clock.advance(60)
    assert browser.send(owner_of, cookie=sent) is None


@every_mode
def test_a_proof_sets_the_cookie_with_the_key_once_a_day(clock: Clock, mode: str) -> None:
    browser = bound_browser(site_in(mode))
    [identifier], times = browser.bound, 0
    for pause in (1, LIFETIME, DAY, 1, DAY - 1, 2):
        clock.advance(pause)
        browser.refresh(identifier)
        browser.renew()
        lines = browser.responses[-1].headers.getlist("Set-Cookie")
        times += any(line.startswith("session-key=") for line in lines)
    assert times == 2


@every_mode
def test_a_key_lasts_for_as_long_as_the_session_may_be_idle(clock: Clock, mode: str) -> None:
    browser = bound_browser(site_in(mode, idle_timeout=7 * DAY))
    for number, pause in enumerate([DAY - 60, 7 * DAY - 60] * 3, 1):
        clock.advance(pause)
        assert browser.visit(count) == number


@every_mode
def test_a_new_secret_key_ends_no_binding(clock: Clock, mode: str) -> None:
    settings = MODES[mode]()
    browser = bound_browser(Site(device_bound=True, secret_key=OLDER_KEY, **settings))
    rotated = {"secret_key": KEY, "secret_key_fallbacks": [OLDER_KEY]}
    browser.app = Site(device_bound=True, **rotated, **settings).app
    assert browser.visit(is_bound) is True
    clock.advance(LIFETIME)
    assert browser.visit(is_bound) is True
    browser.app = Site(device_bound=True, secret_key=KEY, **settings).app
    assert browser.visit(is_bound) is True


# The end of a binding


@every_mode
def test_a_log_out_ends_it(clock: Clock, mode: str) -> None:
    settings = MODES[mode]()
    browser = bound_browser(Site(device_bound=True, **settings))
    copy = browser.cookies
    browser.visit(log_out)
    assert not any(name == "session-bound" for name, _ in browser.cookies)
    assert browser.visit(owner_of) is None
    assert browser.bound == {}
    if mode == "store":
        clock.advance(2 * LIFETIME)
        browser.cookies = copy
        browser.visit(owner_of)
        assert [text for text in settings["store"].kept.values() if "EC" in text] == []


@every_mode
@every_log_out
def test_a_log_out_without_a_proof_ends_it(clock: Clock, mode: str, log_out: Any) -> None:
    """The short cookie is over, and the proof did not get through."""
    browser = bound_browser(site_in(mode))
    clock.advance(LIFETIME + 1)
    browser.send(log_out, REQUEST_METHOD="POST", HTTP_SEC_FETCH_SITE="same-origin")
    assert browser.visit(owner_of) is None


@held_on_the_server
@pytest.mark.parametrize(
    "leave",
    [log_out, lambda session: (session.invalidate(), session.flash("Bye"))],
    ids=["log out", "and flash"],
)
def test_a_log_out_without_a_proof_ends_it_on_the_server(
    clock: Clock, mode: str, leave: Any
) -> None:
    """The browser has dropped the short cookie, which still counts, and cannot renew it."""
    settings = MODES[mode]()
    browser = bound_browser(Site(device_bound=True, **settings))
    copy = browser.header("/")
    clock.advance(LIFETIME - MARGIN)
    browser.send(leave)
    assert {name for name, _ in browser.cookies} <= {"session"}
    assert browser.send(owner_of, cookie=copy) is None
    if mode == "store":
        assert [text for text in settings["store"].kept.values() if "EC" in text] == []


@every_mode
@pytest.mark.parametrize("owner", ["ann", "bob"])
def test_another_log_in_unbinds_and_offers_anew(mode: str, owner: str) -> None:
    browser = bound_browser(site_in(mode))
    browser.binds = False
    former = browser.visit(id_of)

    def log_in_again(session: Any) -> None:
        session.owner = owner

    browser.visit(log_in_again)
    assert len(browser.offers) == 2
    assert browser.visit(is_bound) is False
    browser.register()
    assert browser.visit(is_bound) is True
    assert browser.visit(id_of) != former


@every_mode
def test_regenerate_unbinds_and_offers_anew(clock: Clock, mode: str) -> None:
    browser = bound_browser(site_in(mode))
    browser.visit(lambda session: session.regenerate())
    assert len(browser.offers) == 2
    assert browser.visit(is_bound) is True
    assert browser.visit(count) == 1
    clock.advance(LIFETIME)
    assert browser.visit(count) == 2
    assert len(browser.bound) == 1, "the first was told to end"


@every_mode
def test_a_session_that_has_ended_elsewhere_ends_in_the_browser_too(
    clock: Clock, mode: str
) -> None:
    browser = bound_browser(site_in(mode))
    del browser.cookies["session", "/"]
    clock.advance(LIFETIME)
    assert browser.visit(owner_of) is None
    assert browser.bound == {}
    response = browser.responses[-2]
    assert json.loads(response.data)["continue"] is False


@held_on_the_server
def test_revoke_owner_ends_it_in_the_browser_too(clock: Clock, mode: str) -> None:
    settings = MODES[mode]()
    browser = bound_browser(Site(device_bound=True, **settings))
    [held] = settings.values()
    held.revoke_owner("ann")
    clock.advance(LIFETIME)
    assert browser.visit(owner_of) is None
    assert browser.bound == {}


@every_mode
def test_without_its_key_a_session_ends(clock: Clock, mode: str) -> None:
    settings = MODES[mode]()
    browser = bound_browser(Site(device_bound=True, **settings))
    clock.advance(LIFETIME)
    if mode == "store":
        store = settings["store"]
        for key in [key for key, text in store.kept.items() if "EC" in text]:
            store.delete(key)
    else:
        del browser.cookies["session-key", "/.dbsc"]
    assert browser.visit(owner_of) is None
    assert browser.bound == {}


def test_the_store_keeps_the_key_for_as_long_as_the_session_is_used(clock: Clock) -> None:
    browser = bound_browser(site_in("store"))
    for number in range(1, 8):
        clock.advance(20 * DAY)
        assert browser.visit(count) == number


# Without a proof

SKIPPED = {
    "HTTP_SEC_FETCH_SITE": "same-origin",
    "HTTP_SECURE_SESSION_SKIPPED": "server_error",
}
may_be_proved_later = pytest.mark.parametrize(
    "headers", [SKIPPED, OF_A_SIBLING], ids=["skipped", "sibling"]
)


def unproved_browser(mode: str, clock: Clock) -> Browser:
    """Return a browser with a bound session whose short cookie has ended."""
    browser = bound_browser(site_in(mode))
    clock.advance(LIFETIME + 1)
    return browser


@every_mode
@may_be_proved_later
@pytest.mark.parametrize(
    "act",
    [
        lambda session: session.update(n=9),
        lambda session: session.get_csrf_token(),
        lambda session: session.flash("Hello"),
        lambda session: setattr(session, "modified", True),
    ],
    ids=["data", "csrf", "flash", "modified"],
)
def test_a_visitors_change_does_not_replace_a_session_that_may_be_proved_later(
    clock: Clock, mode: str, headers: Any, act: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The server was down for the refresh, or another site's page has an image of this one."""
    browser = unproved_browser(mode, clock)
    browser.send(act, **headers)
    assert "Set-Cookie" not in browser.responses[-1].headers
    assert reasons(caplog) == ["device_unproved"] * 2
    assert "was not saved" in caplog.messages[1]
    assert browser.visit(is_bound) is True
    assert browser.visit(count) == 1


@every_mode
@may_be_proved_later
def test_a_log_in_replaces_a_session_that_may_be_proved_later(
    clock: Clock, mode: str, headers: Any
) -> None:
    browser = unproved_browser(mode, clock)
    browser.send(lambda session: setattr(session, "owner", "bob"), **headers)
    assert browser.visit(owner_of) == "bob"
    assert browser.visit(is_bound) is True


@held_on_the_server
def test_a_log_in_without_a_proof_ends_the_session_on_the_server(clock: Clock, mode: str) -> None:
    """It takes its place in the browser, where nothing leads to it any more."""
    settings = MODES[mode]()
    browser = bound_browser(Site(device_bound=True, **settings))
    copy = browser.header("/")
    clock.advance(LIFETIME - MARGIN)
    browser.send(lambda session: setattr(session, "owner", "bob"))
    assert browser.send(owner_of, cookie=copy) is None
    if mode == "store":
        assert sum("EC" in text for text in settings["store"].kept.values()) == 1


@every_mode
@may_be_proved_later
def test_a_log_out_deletes_a_session_that_may_be_proved_later(
    clock: Clock, mode: str, headers: Any
) -> None:
    browser = unproved_browser(mode, clock)
    browser.send(log_out, **headers)
    assert browser.visit(owner_of) is None


@every_mode
def test_a_browser_that_has_lost_its_key_begins_a_visitors_session(clock: Clock, mode: str) -> None:
    """It could not send a form for the log-in without its CSRF token."""
    browser = unproved_browser(mode, clock)
    browser.bound.clear()
    token = browser.visit(lambda session: session.get_csrf_token())
    assert browser.visit(lambda session: session.check_csrf_token(token)) is True


# Former cookies


@pytest.mark.parametrize(
    "change",
    [{"salt": "new"}, {"cookie_name": "new"}, {"encrypt": True}, {"store": MemoryStore()}],
    ids=lambda change: next(iter(change)),
)
def test_a_former_cookie_is_no_way_around_the_proof(clock: Clock, change: dict[str, Any]) -> None:
    """What has proved the key under former settings proves nothing, so users log in once more."""
    browser = bound_browser(site_in())
    thief = browser.robbed()
    moved = site_in(migrate_from=[SessionwareCookie(KEY)], **change)
    browser.app = thief.app = moved.app
    clock.advance(LIFETIME + 1)
    assert thief.visit(owner_of) is None
    assert browser.visit(owner_of) is None
    browser.visit(log_in)
    clock.advance(LIFETIME)
    assert browser.visit(is_bound) is True


# Beside others


def test_other_middlewares_may_bind_their_own_sessions() -> None:
    """Two of one application have two names, two keys in environ and two paths."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["test.act"](environ["session"])
        environ["other"].owner = "bob"
        environ["test.result"] = environ["other"].device_bound
        start_response("200 OK", [])
        return []

    inner = SessionMiddleware(
        app,
        KEY,
        environ_key="other",
        cookie_name="other",
        device_bound=True,
        device_bound_path="/b",
    )
    browser = Browser(SessionMiddleware(inner, KEY, device_bound=True), binds=False)
    browser.visit(log_in)
    assert sorted(url for url, _ in browser.offers) == ["/.dbsc/register", "/b/register"]
    with pytest.raises(ConfigurationError) as caught:
        SessionMiddleware(inner, KEY, device_bound=True, device_bound_path="/b")
    assert [*map(str, caught.value.problems)] == [
        "device_bound_path: found '/b', which the SessionMiddleware around the application has; "
        "give this one another device_bound_path"
    ]
