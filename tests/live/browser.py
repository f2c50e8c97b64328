"""What a person does with a browser, and what they see."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # The tests can be collected without Selenium.
    from selenium.webdriver.remote.webdriver import WebDriver

    from tests.live.drivers import Browser

SECONDS_TO_LOAD = 20
ADD_FRAME = """
    const frame = document.createElement("iframe");
    frame.src = arguments[0];
    document.body.append(frame);
    return new Promise(resolve => { frame.onload = () => resolve(); });
"""


def press(browser: WebDriver, selector: str) -> None:
    """Press a button or a link, and wait until the page it leads to stands in for this one."""
    from selenium.webdriver.support.expected_conditions import staleness_of

    page = browser.find_element("css selector", "html")
    browser.find_element("css selector", selector).click()
    until(browser, staleness_of(page))
    # Between the two, there may be none.
    until(browser, lambda driver: driver.execute_script("return document.readyState") == "complete")


def until(browser: WebDriver, condition: Callable[[WebDriver], object]) -> None:
    """Wait until it is so, while one page takes the place of another."""
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.support.wait import WebDriverWait

    # In the middle of the change the browser may say anything: it is asked again.
    wait = WebDriverWait(browser, SECONDS_TO_LOAD, 0.02, ignored_exceptions=[WebDriverException])
    wait.until(condition)


def text(browser: WebDriver) -> str:
    """Return what a person reads on the page."""
    return browser.find_element("css selector", "body").text


def read(browser: WebDriver, url: str) -> str:
    """Go to `url`, and return its text."""
    browser.get(url)
    return text(browser)


def fill(browser: Browser, url: str, content: str) -> None:
    """Put something on a page that is not ours."""
    browser.get(url)
    browser.execute_script("document.body.innerHTML = arguments[0]", content)


def framed(browser: Browser, top: str, url: str) -> str:
    """Read the page at `url` in a frame of the page at `top`."""
    browser.get(top)
    browser.execute_script(ADD_FRAME, url)
    browser.switch_to.frame(0)
    try:
        return text(browser)
    finally:
        browser.switch_to.default_content()


def plant(browser: Browser, url: str, cookie: str) -> None:
    """Set a cookie on a page of the sibling's, with a script."""
    set_cookie(browser, url.replace("shop", "evil"), cookie)


def set_cookie(browser: Browser, url: str, cookie: str) -> None:
    """Set a cookie by a script of this page, and wait until it is kept, if it is."""
    browser.get(url)
    # WebKit tells the process that keeps cookies later, but before the page's next request.
    script = "document.cookie = arguments[0]; return fetch(location).then(() => null)"
    browser.execute_script(script, cookie)


def sent(browser: Browser, url: str) -> list[str]:
    """Return the cookies that this page is sent, which shows them."""
    return [cookie for cookie in read(browser, url).split("; ") if cookie]
