"""A real browser: Chromium with real cookies, against gunicorn over http and https."""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sessionware import SessionTooLarge
from tests.gateway import KEY, call
from tests.live.browser import chromium, fill, framed, plant, press, read, text
from tests.live.browser_app import notes
from tests.live.certificates import make_certificate
from tests.processes import serving

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

LONGEST = 4096
HEIGHT = 800
THREADS = "--threads=32"  # A browser may open a connection and say nothing: a thread waits on it.
over_http = pytest.mark.parametrize("shop", ["http"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What makes gunicorn speak https."""
    certificate = make_certificate(tmp_path_factory.mktemp("certificate"))
    return [f"--keyfile={certificate.key}", f"--certfile={certificate.chain}"]


@pytest.fixture(scope="module", params=["http", "https"])
def shop(request: pytest.FixtureRequest, https: list[str]) -> Iterator[str]:
    """The site of examples/login.py, under a name that has a sibling."""
    arguments = https if request.param == "https" else []
    with serving("examples.login:app", THREADS, *arguments, env={"SECRET_KEY": KEY}) as address:
        yield address.replace("127.0.0.1", "shop.example.test")


@pytest.fixture(scope="module")
def counters(https: list[str]) -> Iterator[str]:
    """The counters of tests/live/browser_app.py over https; {} stands for the host."""
    with serving("tests.live.browser_app:app", THREADS, *https, env={}) as address:
        yield address.replace("127.0.0.1", "{}")


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(chrome: Chrome) -> Chrome:
    """The one browser, without a cookie."""
    chrome.execute_cdp_cmd("Network.clearBrowserCookies", {})
    return chrome


def log_in(browser: Chrome, shop: str, remember: bool = False) -> None:
    browser.get(shop)
    browser.find_element("css selector", "[name=name]").send_keys("Ada")
    browser.find_element("css selector", "[name=password]").send_keys("correct horse")
    if remember:
        browser.find_element("css selector", "[name=remember]").click()
    press(browser, "button")


def put_into_cart(browser: Chrome, item: str, quantity: int) -> None:
    field = browser.find_element("css selector", f"[name={item}]")
    field.clear()
    field.send_keys(str(quantity))
    press(browser, "[action='/cart'] button")


def cart(browser: Chrome, shop: str) -> list[str | None]:
    browser.get(shop)
    fields = browser.find_elements("css selector", "[type=number]")
    return [field.get_attribute("value") for field in fields]


# The site


def test_flash_message_is_shown_exactly_once(browser: Chrome, shop: str) -> None:
    log_in(browser, shop)
    assert "Welcome, Ada!" in text(browser)
    assert "Welcome, Ada!" not in read(browser, shop)


def test_quantities_two_levels_down_are_kept(browser: Chrome, shop: str) -> None:
    log_in(browser, shop)
    put_into_cart(browser, "Tea", 3)
    put_into_cart(browser, "Coffee", 1)
    assert cart(browser, shop) == ["3", "1", "0"]


def test_back_button_after_the_log_out_shows_nothing_private(browser: Chrome, shop: str) -> None:
    log_in(browser, shop)
    browser.get(f"{shop}/?again")  # An address that the log-out does not lead to.
    press(browser, "[action='/logout'] button")
    pages = []
    for _ in range(2):
        browser.back()
        pages.append((browser.current_url, text(browser).splitlines()[0]))
    assert pages == [(f"{shop}/?again", "Log in"), (f"{shop}/", "Log in")]


def test_scripts_cannot_see_the_cookie(browser: Chrome, shop: str) -> None:
    log_in(browser, shop)
    assert [cookie["httpOnly"] for cookie in browser.get_cookies()] == [True]
    assert browser.execute_script("return document.cookie") == ""


def test_cookie_is_secure_where_the_site_is(browser: Chrome, shop: str) -> None:
    log_in(browser, shop)
    (cookie,) = browser.get_cookies()
    assert cookie["secure"] is shop.startswith("https:")


# A new start of the browser


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory, shop: str) -> Iterator[Chrome]:
    """A browser that was closed after a plain log-in, and one to be remembered elsewhere."""
    profile = tmp_path_factory.mktemp("profile")
    with chromium(profile) as browser:
        log_in(browser, shop)
        log_in(browser, shop.replace("shop", "remembering"), remember=True)
    with chromium(profile) as browser:
        yield browser


@over_http
def test_remembered_log_in_outlives_the_browser(restarted: Chrome, shop: str) -> None:
    assert "The cart of Ada" in read(restarted, shop.replace("shop", "remembering"))


@over_http
def test_plain_log_in_ends_with_the_browser(restarted: Chrome, shop: str) -> None:
    assert "Log in" in read(restarted, shop)


# Cookies that others plant


@pytest.mark.parametrize("path", ["/", "/cart"])
def test_twin_from_a_sibling_domain_ends_no_session(browser: Chrome, shop: str, path: str) -> None:
    """The older twin is sent first, and so is one with a longer path."""
    forged = f"session=forged; Domain=example.test; Path={path}"
    assert [cookie["value"] for cookie in plant(browser, shop + path, forged)] == ["forged"]
    log_in(browser, shop)
    put_into_cart(browser, "Tea", 3)
    put_into_cart(browser, "Coffee", 1)
    assert cart(browser, shop) == ["3", "1", "0"]


def test_host_prefix_is_accepted_over_https(browser: Chrome, counters: str) -> None:
    url = counters.format("shop.example.test") + "/host"
    assert [read(browser, url) for _ in range(3)] == ["1", "2", "3"]
    assert [cookie["name"] for cookie in browser.get_cookies()] == ["__Host-session"]


@pytest.mark.parametrize(("name", "planted"), [("session", 1), ("__Host-session", 0)])
def test_sibling_domain_can_plant_no_cookie_with_the_host_prefix(
    browser: Chrome, counters: str, name: str, planted: int
) -> None:
    cookie = f"{name}=forged; Domain=example.test; Path=/; Secure"
    assert len(plant(browser, counters.format("shop.example.test"), cookie)) == planted


# Other sites


@pytest.mark.parametrize(("path", "visits"), [("/lax", "2"), ("/strict", "1"), ("/none", "2")])
def test_link_from_another_site_carries_all_but_a_strict_cookie(
    browser: Chrome, counters: str, path: str, visits: str
) -> None:
    url = counters.format("shop.test") + path
    assert read(browser, url) == "1"
    fill(browser, counters.format("attacker.test"), f"<a href='{url}'>Here</a>")
    press(browser, "a")
    assert text(browser) == visits


@pytest.mark.parametrize(("path", "visits"), [("/lax", "1"), ("/strict", "1"), ("/none", "2")])
def test_form_from_another_site_carries_only_a_cookie_for_all_sites(
    browser: Chrome, counters: str, path: str, visits: str
) -> None:
    url = counters.format("shop.test") + path
    assert read(browser, url) == "1"
    form = f"<form method=post action='{url}'><button>Win</button></form>"
    fill(browser, counters.format("attacker.test"), form)
    press(browser, "button")
    assert text(browser) == visits


@pytest.mark.parametrize(("path", "visits"), [("/none", "111"), ("/partitioned", "123")])
def test_partitioned_cookie_is_kept_in_a_frame_where_others_are_blocked(
    browser: Chrome, counters: str, path: str, visits: str
) -> None:
    top, url = counters.format("news.test"), counters.format("shop.test") + path
    assert "".join(framed(browser, top, url) for _ in visits) == visits


def test_partitioned_session_is_another_under_each_site(browser: Chrome, counters: str) -> None:
    url = counters.format("shop.test") + "/partitioned"
    tops = [counters.format(host) for host in ("news.test", "blog.test", "www.news.test")]
    assert [framed(browser, top, url) for top in tops] == ["1", "1", "2"]


# Size


def is_too_long(length: int) -> bool:
    with suppress(SessionTooLarge):
        return not call(notes, QUERY_STRING=f"length={length}").cookie
    return True


@pytest.fixture(scope="module")
def longest() -> int:
    """The length of the longest note for which a cookie is sent."""
    return bisect_left(range(2 * LONGEST), True, key=is_too_long) - 1


def test_cookie_of_4096_bytes_is_kept(browser: Chrome, counters: str, longest: int) -> None:
    url = counters.format("shop.test") + "/notes"
    assert read(browser, f"{url}?length={longest}") == read(browser, url) == str(longest)
    (cookie,) = browser.get_cookies()
    assert len(cookie["name"] + cookie["value"]) == LONGEST


def test_longer_session_is_an_error_and_the_last_one_stays(
    browser: Chrome, counters: str, longest: int
) -> None:
    url = counters.format("shop.test") + "/notes"
    browser.get(f"{url}?length={longest}")
    assert "Internal Server Error" in read(browser, f"{url}?length={longest + 1}")
    assert read(browser, url) == str(longest)


@pytest.mark.parametrize(("size", "kept"), [(LONGEST, 1), (LONGEST + 1, 0)])
def test_browser_keeps_4096_bytes_of_name_and_value(
    browser: Chrome, counters: str, size: int, kept: int
) -> None:
    cookie = "n=".ljust(size + len("="), "v") + "; Domain=example.test"
    assert len(plant(browser, counters.format("shop.example.test"), cookie)) == kept


# Its pages


@pytest.fixture(params=["log-in", "cart", "error"])
def page(request: pytest.FixtureRequest, browser: Chrome, shop: str) -> Iterator[Chrome]:
    """Each kind of page in turn."""
    if request.param == "cart":
        log_in(browser, shop)
    else:
        browser.get(shop if request.param == "log-in" else f"{shop}/nowhere")
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@over_http
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize(("scheme", "brightness"), [("light", 255), ("dark", 18)])
def test_page_fits_a_small_screen_and_a_large_one_by_day_and_by_night(
    page: Chrome, tmp_path: Path, width: int, scheme: str, brightness: int
) -> None:
    screen = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": width < 800}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    picture = tmp_path / "page.png"
    assert page.save_screenshot(str(picture))
    assert size_and_corner(picture.read_bytes()) == (width, HEIGHT, [brightness] * 3)
    assert page.execute_script("return document.documentElement.scrollWidth") == width


def size_and_corner(png: bytes) -> tuple[int, int, list[int]]:
    """Return width and height of a picture, and the red, green and blue of its first pixel."""
    width, height = struct.unpack(">II", png[16:24])
    _filter, *corner = zlib.decompressobj().decompress(png[png.index(b"IDAT") + 4 :], 4)
    return width, height, corner
