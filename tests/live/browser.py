"""A real browser for a test: Chromium without a window, through Selenium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.processes import program, require

if TYPE_CHECKING:  # The tests can be collected without Selenium.
    from selenium.webdriver import Chrome

SECONDS_TO_LOAD = 20
SETTINGS = (
    "--headless=new",
    "--no-sandbox",  # Root cannot have one, and all pages are our own.
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-features=HttpsUpgrades",
    "--host-resolver-rules=MAP * 127.0.0.1",
    "--ignore-certificate-errors",
)
PREFERENCES = {
    "profile.cookie_controls_mode": 1,  # Third-party cookies are blocked.
    "net.network_prediction_options": 2,  # Servers wait on connections opened ahead of need.
}


@contextmanager
def chromium(profile: Path) -> Iterator[Chrome]:
    """Run Chromium while the block runs, every host name being this machine.

    Third-party cookies are blocked. What a browser keeps when it is closed is in `profile`.
    """
    require("selenium")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = program("chromium")
    options.add_experimental_option("prefs", PREFERENCES)
    for setting in (*SETTINGS, f"--user-data-dir={profile}"):
        options.add_argument(setting)
    # With both paths given Selenium has nothing to look for, nor to download.
    browser = Chrome(options=options, service=ChromeService(program("chromedriver")))
    try:
        browser.set_page_load_timeout(SECONDS_TO_LOAD)
        yield browser
    finally:
        browser.quit()


def press(browser: Chrome, selector: str) -> None:
    """Press a button or a link, and wait until the page it leads to stands in for this one."""
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.support.expected_conditions import staleness_of
    from selenium.webdriver.support.wait import WebDriverWait

    page = browser.find_element("css selector", "html")
    browser.find_element("css selector", selector).click()
    # In the middle of the change the browser may say anything: it is asked again.
    wait = WebDriverWait(browser, SECONDS_TO_LOAD, 0.02, ignored_exceptions=[WebDriverException])
    wait.until(staleness_of(page))


def text(browser: Chrome) -> str:
    """Return what a person reads on the page."""
    return browser.find_element("css selector", "body").text


def read(browser: Chrome, url: str) -> str:
    """Go to `url`, and return its text."""
    browser.get(url)
    return text(browser)


def fill(browser: Chrome, url: str, content: str) -> None:
    """Put something on a page that is not ours."""
    browser.get(url)
    browser.execute_script("document.body.innerHTML = arguments[0]", content)


def framed(browser: Chrome, top: str, url: str) -> str:
    """Read the page at `url` in a frame of the page at `top`."""
    fill(browser, top, f"<iframe src='{url}'></iframe>")
    browser.switch_to.frame(0)
    try:
        return text(browser)
    finally:
        browser.switch_to.default_content()


def plant(browser: Chrome, url: str, cookie: str) -> list[dict[str, Any]]:
    """Set a cookie on a page of the sibling's; return those that `url` is then sent."""
    browser.get(url.replace("shop", "evil"))
    browser.execute_script("document.cookie = arguments[0]", cookie)
    browser.get(url.replace("shop", "evil"))
    sent = browser.execute_cdp_cmd("Network.getCookies", {"urls": [url]})
    return list(sent["cookies"])
