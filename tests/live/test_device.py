"""Sessions that are bound to a device, in real Chromium, against gunicorn over https.

Each mode is a site of its own, below a path. A short cookie that is deleted stands for one whose
time is over: only the browser's clock could tell the two apart.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live.browser import press, read, text
from tests.live.device_app import MODES
from tests.live.device_browser import Certificate, chromium, events
from tests.processes import serving, wait_for

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

COOKIES = ("Default/Cookies", "Default/Network/Cookies")
FETCH = """
const [paths, body, done] = arguments;
const options = body ? {method: "POST", body} : {};
Promise.all(paths.map(path => fetch(path, options).then(answer => answer.text()))).then(done);
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def address(certificate: Certificate) -> Iterator[str]:
    with serving(
        "tests.live.device_app:app", "--threads=32", *certificate.files, env={}
    ) as address:
        yield address.replace("127.0.0.1", "shop.example.test")


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile"), certificate) as browser:
        yield browser


@pytest.fixture
def browser(chrome: Chrome, address: str) -> Chrome:
    """The one browser, without a cookie and a bound session."""
    everything = {"origin": address, "storageTypes": "all"}
    chrome.execute_cdp_cmd("Storage.clearDataForOrigin", everything)
    events(chrome)
    return chrome


@pytest.fixture(params=MODES)
def shop(request: pytest.FixtureRequest, address: str) -> str:
    """The URL of a site in one mode."""
    return f"{address}/{request.param}"


def log_in(browser: Chrome, shop: str) -> None:
    """Log in, and wait until the browser has registered its key."""
    assert read(browser, f"{shop}/login") == "ann, 0, not bound"
    wait_for(lambda: read(browser, shop) == "ann, 0, bound", "the session is bound")


def end_short_cookie(browser: Chrome, shop: str) -> None:
    mode = shop.rpartition("/")[2]
    browser.execute_cdp_cmd("Network.deleteCookies", {"name": f"{mode}-bound", "url": shop})


def results(browser: Chrome, kind: str) -> list[str]:
    """Return how the browser's registrations or refreshes have ended."""
    found = [
        event[f"{kind}EventDetails"] for event in events(browser) if f"{kind}EventDetails" in event
    ]
    return [details["fetchResult"] for details in found]


def test_a_log_in_binds_the_session(browser: Chrome, shop: str) -> None:
    log_in(browser, shop)
    assert results(browser, "creation") == ["Success"]


def test_the_next_log_in_binds_after_a_registration_whose_answer_is_lost(
    browser: Chrome, shop: str
) -> None:
    """The browser registers once for each offer, and the session goes on for a minute."""
    read(browser, f"{shop}/lossy")
    assert read(browser, f"{shop}/login") == "ann, 0, not bound"
    wait_for(lambda: results(browser, "creation") != [], "the registration has failed")
    assert read(browser, shop) == "ann, 0, not bound"
    log_in(browser, shop)


def test_it_is_offered_once(browser: Chrome, shop: str) -> None:
    """A page with pictures asks for nothing more."""
    log_in(browser, shop)
    assert read(browser, f"{shop}/pictures") == "ann"
    assert results(browser, "creation") == ["Success"]


def test_pages_may_write_while_the_browser_registers(browser: Chrome, shop: str) -> None:
    """The requests that follow a log-in meet the registration, and none of them fails."""
    assert read(browser, f"{shop}/login") == "ann, 0, not bound"
    answers = browser.execute_async_script(FETCH, [f"{shop}/count"] * 6, "")
    assert all("ann, " in answer for answer in answers)
    wait_for(lambda: read(browser, shop).endswith(", bound"), "the session is bound")
    assert read(browser, shop).startswith("ann, 6" if shop.endswith("store") else "ann, ")


def test_the_browser_renews_the_short_cookie(browser: Chrome, shop: str) -> None:
    log_in(browser, shop)
    for number in (1, 2, 3):
        end_short_cookie(browser, shop)
        assert read(browser, f"{shop}/count") == f"ann, {number}, bound"
    assert results(browser, "refresh") == ["Success"] * 3


def test_parallel_requests_wait_for_one_refresh(browser: Chrome, shop: str) -> None:
    log_in(browser, shop)
    before = int(read(browser, f"{shop}/refreshed"))
    end_short_cookie(browser, shop)
    paths = [f"{shop}/picture"] * 6
    assert browser.execute_async_script(FETCH, paths, "") == ["ann"] * 6
    assert int(read(browser, f"{shop}/refreshed")) == before + 1


def test_the_body_of_a_post_survives_the_refresh(browser: Chrome, shop: str) -> None:
    log_in(browser, shop)
    end_short_cookie(browser, shop)
    [answer] = browser.execute_async_script(FETCH, [f"{shop}/body"], "x" * 100_000)
    assert answer == "ann 100000"


def test_a_refresh_that_fails_ends_nothing(browser: Chrome, shop: str) -> None:
    """The page that waited for it saves something for a visitor, as it has no proof."""
    log_in(browser, shop)
    assert read(browser, f"{shop}/down") == "ann, 0, bound"
    end_short_cookie(browser, shop)
    assert read(browser, f"{shop}/count") == "None, 1, not bound"
    assert results(browser, "refresh") == ["TransientHttpError"]
    assert read(browser, f"{shop}/count") == "ann, 1, bound"


@pytest.mark.parametrize("host", ["other.test", "sibling.example.test"])
def test_a_link_from_elsewhere_leads_to_the_session(browser: Chrome, shop: str, host: str) -> None:
    log_in(browser, shop)
    end_short_cookie(browser, shop)
    elsewhere = shop.replace("shop.example.test", host)
    browser.get(f"{elsewhere}/link?to={shop}/count")
    press(browser, "a")
    wait_for(lambda: text(browser) != "", "the page is reloaded")
    assert text(browser) == "ann, 1, bound"
    browser.back()
    assert browser.current_url.startswith(elsewhere), "the page that reloads itself is no stop"


def test_a_log_out_ends_the_binding(browser: Chrome, shop: str) -> None:
    log_in(browser, shop)
    assert read(browser, f"{shop}/logout") == "None, 0, not bound"
    assert read(browser, shop) == "None, 0, not bound"
    assert any("terminationEventDetails" in event for event in events(browser))
    log_in(browser, shop)


def test_a_restart_keeps_the_session_and_a_copied_profile_does_not(
    shop: str, certificate: Certificate, tmp_path: Path
) -> None:
    """The thief copies every cookie from the profile, and has another device."""
    own, stolen = tmp_path / "own", tmp_path / "stolen"
    with chromium(own, certificate) as browser:
        log_in(browser, shop)
    [cookies] = [own / name for name in COOKIES if (own / name).exists()]
    copy = stolen / cookies.relative_to(own)
    copy.parent.mkdir(parents=True)
    shutil.copy(cookies, copy)
    with chromium(stolen, certificate) as thief:
        assert read(thief, shop) == "ann, 0, bound", "while the short cookie lasts"
        end_short_cookie(thief, shop)
        assert read(thief, shop) == "None, 0, not bound"
    with chromium(own, certificate) as browser:
        end_short_cookie(browser, shop)
        assert read(browser, f"{shop}/count") == "ann, 1, bound"
