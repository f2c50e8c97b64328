"""The site of examples/devices.py, under gunicorn, with its sessions in each kind of store."""

import importlib
import itertools
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests

from tests.gateway import KEY
from tests.live.places import Place, provide
from tests.processes import require, serving

NUMBERS = itertools.count(1)
PASSWORD = "correct horse"
SERVERS = ("redis", "postgresql", "mariadb")
PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Mobile Safari/537.36"
)
LAPTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
TABLET = (
    "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Mobile/15E148 Safari/604.1"
)


@pytest.fixture(scope="module", params=["sqlite", *SERVERS])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    require("sqlalchemy")  # by the example, whatever the store
    with provide(request.param, tmp_path_factory.mktemp("place")) as provided:
        yield provided


@pytest.fixture(scope="module")
def url(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site's. In SQLite, without a setting, it has its file where it was started."""
    setting = {} if place.kind == "sqlite" else {"STORE_URL": place.url}
    arguments = ("--workers=2", f"--chdir={tmp_path_factory.mktemp('site')}")
    with serving("examples.devices:app", *arguments, env={"SECRET_KEY": KEY, **setting}) as address:
        yield address


class Browser:
    """A visitor of this name, with a device of that one; each page that comes back is kept."""

    def __init__(self, url: str, name: str, device: str) -> None:
        self.client = requests.Session()
        self.client.headers["User-Agent"] = device
        self.url = url
        self.name = name

    def look(self) -> str:
        self.page = self.client.get(self.url, timeout=10)
        return self.page.text

    def send(self, action: str, **fields: str) -> str:
        token = re.findall('name="csrf_token" value="([^"]+)"', self.look())[0]
        form = {"csrf_token": token, **fields}
        self.page = self.client.post(self.url + action, form, timeout=10)
        return self.page.text

    def log_in(self, password: str = PASSWORD, **fields: str) -> str:
        return self.send("/login", name=self.name, password=password, **fields)

    def is_logged_in(self) -> bool:
        [heading] = re.findall("<h1>(.+)</h1>", self.look())
        return {"Log in": False, f"The devices of {self.name}": True}[heading]

    def devices(self) -> list[str]:
        """Return what the page lists, this device first."""
        return [name for name, _ in self.rows()]

    def rows(self) -> list[tuple[str, str]]:
        """Return the name and the last use of each device, each with its own button."""
        rows = re.findall("<li>(.+?)</li>", self.look(), re.DOTALL)
        assert [row.count("<button>Log out</button>") for row in rows] == [1] * len(rows)
        return re.findall("<span>(.+)<br><small>(.+)</small>", "\n".join(rows))

    def key_of(self, device: str) -> str:
        """Return what stands in the form that ends that device's session."""
        row = self.look().partition(f"<li><span>{device}<br>")[2].partition("</li>")[0]
        [key] = re.findall('name="key" value="([^"]+)"', row)
        return str(key)

    def cookie(self) -> str:
        return str(self.client.cookies["session"])

    def put_back(self, cookie: str) -> None:
        """Send this copy of a former cookie from now on."""
        self.client.cookies.clear()
        self.client.cookies.set("session", cookie)


@pytest.fixture
def name() -> str:
    """Of a user that no other test has logged in."""
    return f"Ada {next(NUMBERS)}"


@pytest.fixture
def phone(url: str, name: str) -> Iterator[Browser]:
    browser = Browser(url, name, PHONE)
    with browser.client:
        browser.log_in()
        yield browser


@pytest.fixture
def laptop(url: str, name: str, phone: Browser) -> Iterator[Browser]:
    browser = Browser(url, name, LAPTOP)
    with browser.client:
        browser.log_in()
        yield browser


@pytest.fixture
def stranger(url: str, name: str) -> Iterator[Browser]:
    """Another user, who is logged in too."""
    browser = Browser(url, f"Not {name}", TABLET)
    with browser.client:
        browser.log_in()
        yield browser


@pytest.fixture
def visitor(url: str, name: str) -> Iterator[Browser]:
    """A device on which the user is not logged in."""
    browser = Browser(url, name, "curl/8.16.0")
    with browser.client:
        yield browser


def test_devices_are_listed_and_none_of_another_user(
    phone: Browser, laptop: Browser, stranger: Browser
) -> None:
    assert phone.devices() == ["Chrome on Android", "Firefox on Linux"]
    assert stranger.devices() == ["Safari on iPad"]


def test_device_that_tells_no_name_is_listed_as_unknown(visitor: Browser) -> None:
    visitor.log_in()
    assert visitor.devices() == ["Unknown device"]


def test_each_row_says_which_device_this_is_and_when_the_others_were_used(
    phone: Browser, laptop: Browser
) -> None:
    assert phone.rows() == [
        ("Chrome on Android", "This device, in use now"),
        ("Firefox on Linux", "Last used just now"),
    ]
    assert laptop.rows()[0] == ("Firefox on Linux", "This device, in use now")


@pytest.mark.parametrize("fields", [{}, {"remember": "on"}])
def test_only_a_remembered_cookie_outlives_the_browser(
    visitor: Browser, fields: dict[str, str]
) -> None:
    visitor.log_in(**fields)
    jar: CookieJar = visitor.client.cookies
    assert [cookie.discard for cookie in jar] == [not fields]


def test_lost_device_is_logged_out_from_another(phone: Browser, laptop: Browser) -> None:
    assert "That device is logged out." in phone.send("/end", key=phone.key_of("Firefox on Linux"))
    assert not laptop.is_logged_in()
    assert phone.devices() == ["Chrome on Android"]


def test_key_of_another_user_s_session_ends_nothing(
    phone: Browser, laptop: Browser, stranger: Browser
) -> None:
    assert "already logged out" in stranger.send("/end", key=phone.key_of("Firefox on Linux"))
    assert laptop.is_logged_in()


def test_log_out_everywhere_ends_every_device(
    phone: Browser, laptop: Browser, stranger: Browser
) -> None:
    cookie = laptop.cookie()
    assert "You are logged out everywhere: 2 in all." in laptop.send("/everywhere")
    assert not phone.is_logged_in()
    laptop.put_back(cookie)
    assert not laptop.is_logged_in()
    assert stranger.is_logged_in()


def test_log_out_ends_this_device_and_no_other(phone: Browser, laptop: Browser) -> None:
    cookie = laptop.cookie()
    assert "You are logged out." in laptop.send("/logout")
    laptop.put_back(cookie)
    assert not laptop.is_logged_in()
    assert phone.devices() == ["Chrome on Android"]


def test_wrong_password_lets_no_visitor_in(visitor: Browser) -> None:
    assert "Name or password is wrong" in visitor.log_in("wrong")
    assert f'value="{visitor.name}"' in visitor.page.text
    assert not visitor.is_logged_in()


@pytest.mark.parametrize("action", ["/end", "/everywhere"])
def test_devices_are_closed_to_a_visitor_who_is_not_logged_in(
    visitor: Browser, action: str
) -> None:
    visitor.send(action)
    assert visitor.page.status_code == 403


def test_form_without_this_session_s_token_is_refused(phone: Browser) -> None:
    page = phone.client.post(phone.url + "/everywhere", {"csrf_token": "guessed"}, timeout=10)
    assert page.status_code == 400
    assert phone.is_logged_in()


def test_wrong_method_is_told_the_right_one(phone: Browser) -> None:
    page = phone.client.get(phone.url + "/everywhere", timeout=10)
    assert (page.status_code, page.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/", "/nowhere"])
def test_every_page_is_html_and_keeps_out_of_every_cache(phone: Browser, path: str) -> None:
    page = phone.client.get(phone.url + path, timeout=10)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Cache-Control"] == "no-store"
    assert "<script" not in page.text


@pytest.mark.parametrize("place", SERVERS, indirect=True)
def test_site_says_sorry_while_the_store_is_down_and_then_goes_on(
    place: Place, phone: Browser
) -> None:
    assert place.server
    place.server.kill()
    try:
        assert "Please try again in a minute." in phone.look()
        assert phone.page.status_code == 503
    finally:
        place.server.start()
    assert phone.is_logged_in()


# The words of the page


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, with a store of its own."""
    require("sqlalchemy")
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("STORE_URL", f"sqlite:///{tmp_path}/sessions.db")
    monkeypatch.delitem(sys.modules, "examples.devices", raising=False)
    module = importlib.import_module("examples.devices")
    yield module
    module.store.engine.dispose()


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (1, "just now"),
        (2, "2 minutes ago"),
        (119, "119 minutes ago"),
        (120, "2 hours ago"),
        (47 * 60 + 59, "47 hours ago"),
        (48 * 60, "2 days ago"),
        (13 * 24 * 60, "13 days ago"),
    ],
)
def test_last_use_is_told_in_words(example: ModuleType, minutes: int, words: str) -> None:
    assert example.ago(datetime.now(UTC) - timedelta(minutes=minutes)) == words


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (PHONE, "Chrome on Android"),
        (LAPTOP, "Firefox on Linux"),
        (TABLET, "Safari on iPad"),
        ("(Windows NT 10.0) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows"),
        ("(Macintosh; Intel Mac OS X 10_15_7) Version/18.6 Safari/605.1.15", "Safari on Mac"),
        ("(iPhone; CPU iPhone OS 18_6 like Mac OS X) CriOS/140.0 Safari/604.1", "Chrome on iPhone"),
        ("(X11; CrOS x86_64 14541.0.0) Chrome/140.0.0.0 Safari/537.36", "Chrome on ChromeOS"),
        ("(Windows NT 10.0) Chrome/140.0.0.0 Safari/537.36 OPR/124.0.0.0", "Opera on Windows"),
        ("(Linux; Android 10) SamsungBrowser/29.0 Chrome/136.0.0.0", "Samsung Internet on Android"),
        ("Lynx/2.9 (Linux)", "Linux"),
        ("<b>", "Unknown device"),
        ("", "Unknown device"),
    ],
)
def test_device_is_named_as_a_person_would(example: ModuleType, user_agent: str, name: str) -> None:
    assert example.name_of_device(user_agent) == name


def test_use_is_remembered_to_the_minute(example: ModuleType) -> None:
    session: dict[str, Any] = {}
    example.note_use(session)
    assert (session["used"].second, session["used"].microsecond) == (0, 0)
