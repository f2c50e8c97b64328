"""Real browsers with real cookies, against gunicorn over http and https."""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sessionware import SessionTooLarge
from tests.gateway import KEY, call
from tests.live.browser import fill, framed, plant, press, read, sent, set_cookie, text, until
from tests.live.browser_app import notes
from tests.live.certificates import make_certificate
from tests.live.pages import PROOFS, cells, table
from tests.processes import require, serving

if TYPE_CHECKING:
    from tests.live.drivers import Browser

    Kind = Callable[[Path], AbstractContextManager[Browser]]

KINDS = ["chromium", "firefox", "webkit"]
LONGEST = 4096
HEIGHT = 800
THREADS = "--threads=32"  # A browser may open a connection and say nothing: a thread waits on it.
over_http = pytest.mark.parametrize("shop", ["http"], indirect=True, scope="module")
not_in_webkit = pytest.mark.parametrize(
    "kind", ["chromium", "firefox"], indirect=True, scope="module"
)
"""What its driver cannot do: keep a profile, and resize the page."""


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
def recipes(https: list[str]) -> Iterator[str]:
    """The recipes of tests/live/recipe_app.py over https."""
    with serving("tests.live.recipe_app:app", THREADS, *https, env={}) as address:
        yield address.replace("127.0.0.1", "shop.test")


@pytest.fixture(scope="module")
def insecure_counters() -> Iterator[str]:
    """The counters over http."""
    with serving("tests.live.browser_app:app", THREADS, env={}) as address:
        yield address.replace("127.0.0.1", "localhost")


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """How a browser of this kind is opened, with a profile in this folder."""
    require("selenium")
    from tests.live import drivers

    opened: Kind = getattr(drivers, request.param)
    return opened


@pytest.fixture(scope="module")
def opened(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with kind(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(opened: Browser) -> Browser:
    """The one browser of this kind, without a cookie."""
    opened.forget_cookies()
    return opened


def log_in(browser: Browser, shop: str, remember: bool = False) -> None:
    browser.get(shop)
    browser.find_element("css selector", "[name=name]").send_keys("Ada")
    browser.find_element("css selector", "[name=password]").send_keys("correct horse")
    if remember:
        browser.find_element("css selector", "[name=remember]").click()
    press(browser, "button")


def put_into_cart(browser: Browser, item: str, quantity: int) -> None:
    field = browser.find_element("css selector", f"[name={item}]")
    field.clear()
    field.send_keys(str(quantity))
    press(browser, "[action='/cart'] button")


def cart(browser: Browser, shop: str) -> list[str | None]:
    browser.get(shop)
    fields = browser.find_elements("css selector", "[type=number]")
    return [field.get_attribute("value") for field in fields]


# The site


def test_flash_message_is_shown_exactly_once(browser: Browser, shop: str) -> None:
    log_in(browser, shop)
    assert "Welcome, Ada!" in text(browser)
    assert "Welcome, Ada!" not in read(browser, shop)


def test_quantities_two_levels_down_are_kept(browser: Browser, shop: str) -> None:
    log_in(browser, shop)
    put_into_cart(browser, "Tea", 3)
    put_into_cart(browser, "Coffee", 1)
    assert cart(browser, shop) == ["3", "1", "0"]


def test_scripts_cannot_see_the_cookie(browser: Browser, shop: str) -> None:
    log_in(browser, shop)
    assert [cookie["httpOnly"] for cookie in browser.get_cookies()] == [True]
    assert browser.execute_script("return document.cookie") == ""


def test_cookie_is_secure_where_the_site_is(browser: Browser, shop: str) -> None:
    log_in(browser, shop)
    (cookie,) = browser.get_cookies()
    assert cookie["secure"] is shop.startswith("https:")


# A new start of the browser


@pytest.fixture(scope="module")
def restarted(kind: Kind, tmp_path_factory: pytest.TempPathFactory, shop: str) -> Iterator[Browser]:
    """A browser that was closed after a plain log-in, and one to be remembered elsewhere."""
    profile = tmp_path_factory.mktemp("profile")
    with kind(profile) as browser:
        log_in(browser, shop)
        log_in(browser, shop.replace("shop", "remembering"), remember=True)
    with kind(profile) as browser:
        yield browser


@over_http
@not_in_webkit
def test_remembered_log_in_outlives_the_browser(restarted: Browser, shop: str) -> None:
    assert "The cart of Ada" in read(restarted, shop.replace("shop", "remembering"))


@over_http
@not_in_webkit
def test_plain_log_in_ends_with_the_browser(restarted: Browser, shop: str) -> None:
    assert "Log in" in read(restarted, shop)


# Cookies that others plant


@pytest.mark.parametrize("path", ["/", "/cart"])
def test_twin_from_a_sibling_domain_ends_no_session(
    browser: Browser, shop: str, counters: str, path: str
) -> None:
    """The older twin is sent first, and so is one with a longer path."""
    url = counters.format("shop.example.test") + path
    plant(browser, url, f"session=forged; Domain=example.test; Path={path}")
    assert sent(browser, url) == ["session=forged"]
    log_in(browser, shop)
    put_into_cart(browser, "Tea", 3)
    put_into_cart(browser, "Coffee", 1)
    assert cart(browser, shop) == ["3", "1", "0"]


def test_host_prefix_is_accepted_over_https(browser: Browser, counters: str) -> None:
    url = counters.format("shop.example.test") + "/host"
    assert [read(browser, url) for _ in range(3)] == ["1", "2", "3"]
    assert [cookie["name"] for cookie in browser.get_cookies()] == ["__Host-session"]


# Other sites


@pytest.mark.parametrize(("path", "visits"), [("/lax", 3), ("/strict", 1), ("/none", 3)])
def test_link_from_another_site_carries_all_but_a_strict_cookie(
    browser: Browser, counters: str, path: str, visits: int
) -> None:
    """A session that begins in such a request takes the place of the other."""
    url = counters.format("shop.test") + path
    assert [read(browser, url) for _ in range(2)] == ["1", "2"]
    fill(browser, counters.format("attacker.test"), f"<a href='{url}'>Here</a>")
    press(browser, "a")
    assert [text(browser), read(browser, url)] == [str(visits), str(visits + 1)]


@pytest.mark.parametrize(("path", "visits"), [("/lax", 1), ("/strict", 1), ("/none", 3)])
def test_form_from_another_site_carries_only_a_cookie_for_all_sites(
    browser: Browser, counters: str, path: str, visits: int
) -> None:
    """So does one that begins here."""
    url = counters.format("shop.test") + path
    assert [read(browser, url) for _ in range(2)] == ["1", "2"]
    form = f"<form method=post action='{url}'><button>Win</button></form>"
    fill(browser, counters.format("attacker.test"), form)
    press(browser, "button")
    assert [text(browser), read(browser, url)] == [str(visits), str(visits + 1)]


def test_form_of_another_site_ends_by_the_recipe_with_the_visitor_s_cart(
    browser: Browser, recipes: str
) -> None:
    """It has the browser send the fields again, from a page of the site's own."""
    assert read(browser, f"{recipes}/cart") == "None: ['tea']"
    field = "<input type=hidden name=user value=ann>"
    form = f"<form method=post action='{recipes}/callback'>{field}<button>Back</button></form>"
    fill(browser, recipes.replace("shop", "identity"), form)
    press(browser, "button")
    until(browser, lambda _: text(browser) == "ann: ['tea']")


# Size


def is_too_long(length: int) -> bool:
    with suppress(SessionTooLarge):
        return not call(notes, QUERY_STRING=f"length={length}").cookie
    return True


@pytest.fixture(scope="module")
def longest() -> int:
    """The length of the longest note for which a cookie is sent."""
    return bisect_left(range(2 * LONGEST), True, key=is_too_long) - 1


def test_cookie_of_4096_bytes_is_kept(browser: Browser, counters: str, longest: int) -> None:
    url = counters.format("shop.test") + "/notes"
    assert read(browser, f"{url}?length={longest}") == read(browser, url) == str(longest)
    (cookie,) = browser.get_cookies()
    assert len(cookie["name"] + cookie["value"]) == LONGEST


def test_longer_session_is_an_error_and_the_last_one_stays(
    browser: Browser, counters: str, longest: int
) -> None:
    url = counters.format("shop.test") + "/notes"
    browser.get(f"{url}?length={longest}")
    assert "Internal Server Error" in read(browser, f"{url}?length={longest + 1}")
    assert read(browser, url) == str(longest)


# What differs


@pytest.fixture
def said(kind: Kind) -> Callable[[str], str]:
    """Return a function that finds what tests/README.md says of this browser."""
    rows = {what: found for what, *found in cells(table("browsers", PROOFS))}
    return lambda what: rows[what][KINDS.index(kind.__name__)]


def test_back_button_after_the_log_out_does_as_the_table_says(
    browser: Browser, shop: str, said: Callable[[str], str]
) -> None:
    log_in(browser, shop)
    browser.get(f"{shop}/?again")  # An address that the log-out does not lead to.
    press(browser, "[action='/logout'] button")
    found = {pages_before(browser, f"{shop}/{query}") for query in ("?again", "")}
    over_http = said("back button after the log-out, over http, to a page with `no-store`")
    assert found == {"the log-in form" if shop.startswith("https:") else over_http}


def pages_before(browser: Browser, url: str) -> str:
    """Go back to this page, and return what is shown there."""
    browser.back()
    heading = "return location.href == arguments[0] && document.querySelector('h1')?.textContent"
    until(browser, lambda driver: driver.execute_script(heading, url))
    is_form = browser.execute_script(heading, url) == "Log in"
    return "the log-in form" if is_form else "the private page"


@pytest.mark.parametrize(
    ("what", "cookie"),
    [
        ("a `__Host-` cookie that a sibling host sets", "__Host-n=v; Domain=example.test; Secure"),
        ("a cookie of 4097 bytes", "n=".ljust(LONGEST + 2, "v") + "; Domain=example.test"),
        ("a cookie of 4096 bytes", "n=".ljust(LONGEST + 1, "v") + "; Domain=example.test"),
        ("any other cookie that a sibling host sets", "n=v; Domain=example.test; Secure"),
    ],
)
def test_cookie_of_a_sibling_is_kept_where_the_table_says(
    browser: Browser, counters: str, said: Callable[[str], str], what: str, cookie: str
) -> None:
    url = counters.format("shop.example.test")
    plant(browser, url, f"{cookie}; Path=/")
    assert ("kept" if sent(browser, url) else "refused") == said(what)


def test_host_prefix_without_secure_is_refused_where_the_table_says(
    browser: Browser, counters: str, said: Callable[[str], str]
) -> None:
    url = counters.format("shop.example.test")
    set_cookie(browser, url, "__Host-n=v; Path=/")
    found = "kept" if sent(browser, url) else "refused"
    assert found == said("a `__Host-` cookie without `Secure`")


def test_secure_cookie_over_http_on_localhost_is_kept_where_the_table_says(
    browser: Browser, insecure_counters: str, said: Callable[[str], str]
) -> None:
    visits = [read(browser, f"{insecure_counters}/none") for _ in range(2)]
    found = "kept" if visits == ["1", "2"] else "refused"
    assert found == said("a `Secure` cookie over http on localhost")


def test_cookie_over_http_beside_a_secure_one_is_kept_where_the_table_says(
    browser: Browser, counters: str, insecure_counters: str, said: Callable[[str], str]
) -> None:
    """It could be an attacker's on the network (RFC 6265bis, section 5.7)."""
    secure, plain = (
        counters.format("shop.test"),
        insecure_counters.replace("localhost", "shop.test"),
    )
    visits = [read(browser, f"{site}/lax") for site in (secure, plain, plain, secure)]
    found = "kept" if visits == ["1", "1", "2", "2"] else "refused"
    assert found == said("a cookie over http, where the browser has a `Secure` one of its name")
    assert visits[-1] == "2"


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/none", "a `SameSite=None` cookie in a frame of another site"),
        ("/partitioned", "the same, `Partitioned`"),
    ],
)
def test_cookie_in_a_frame_of_another_site_is_kept_where_the_table_says(
    browser: Browser, counters: str, said: Callable[[str], str], path: str, what: str
) -> None:
    url = counters.format("shop.test") + path
    tops = [counters.format(host) for host in ("news.test", "blog.test", "www.news.test")]
    visits = "".join(framed(browser, top, url) for top in tops)
    assert {"111": "refused", "112": "kept for each site"}[visits] == said(what)


def test_log_out_clears_what_scripts_stored_where_the_table_says(
    browser: Browser, recipes: str, said: Callable[[str], str]
) -> None:
    browser.get(recipes)
    browser.execute_script("localStorage.setItem('draft', 'Dear Ada')")
    browser.get(f"{recipes}/logout")
    left = browser.execute_script("return localStorage.getItem('draft')")
    assert ("ignored" if left else "obeyed") == said('`Clear-Site-Data: "storage"`')


# Its pages


@pytest.fixture(params=["log-in", "cart", "error"])
def page(request: pytest.FixtureRequest, browser: Browser, shop: str) -> Iterator[Browser]:
    """Each kind of page in turn."""
    if request.param == "cart":
        log_in(browser, shop)
    else:
        browser.get(shop if request.param == "log-in" else f"{shop}/nowhere")
    yield browser
    browser.resize(1280, HEIGHT, "light")


@over_http
@not_in_webkit
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize(("scheme", "brightness"), [("light", 255), ("dark", 0)])
def test_page_fits_a_small_screen_and_a_large_one_by_day_and_by_night(
    page: Browser, tmp_path: Path, width: int, scheme: str, brightness: int
) -> None:
    page.resize(width, HEIGHT, scheme)
    picture = tmp_path / "page.png"
    assert page.save_screenshot(str(picture))
    *size, corner = size_and_corner(picture.read_bytes())
    assert size == [width, HEIGHT]
    assert all(abs(color - brightness) < 40 for color in corner)
    assert page.execute_script("return document.documentElement.scrollWidth") == width


def size_and_corner(png: bytes) -> tuple[int, int, list[int]]:
    """Return width and height of a picture, and the red, green and blue of its first pixel."""
    width, height = struct.unpack(">II", png[16:24])
    _filter, *corner = zlib.decompressobj().decompress(png[png.index(b"IDAT") + 4 :], 4)
    return width, height, corner
