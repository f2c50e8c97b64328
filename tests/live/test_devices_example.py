"""The site of examples/devices.py, under gunicorn, with its sessions in each kind of store."""

import itertools
import re
from collections.abc import Iterator

import pytest
import requests

from tests.gateway import KEY
from tests.live.places import Place, provide
from tests.processes import require, serving

NUMBERS = itertools.count(1)
PASSWORD = "correct horse"
SERVERS = ("redis", "postgresql", "mariadb")


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
        return re.findall(r"<p>(.+)<br>", self.look())

    def keys(self) -> list[str]:
        """Return what stands in the forms that end another device's session."""
        return re.findall('name="key" value="([^"]+)"', self.look())

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
    browser = Browser(url, name, "Phone")
    with browser.client:
        browser.log_in()
        yield browser


@pytest.fixture
def laptop(url: str, name: str, phone: Browser) -> Iterator[Browser]:
    browser = Browser(url, name, "Laptop <b>")
    with browser.client:
        browser.log_in()
        yield browser


@pytest.fixture
def stranger(url: str, name: str) -> Iterator[Browser]:
    """Another user, who is logged in too."""
    browser = Browser(url, f"Not {name}", "Tablet")
    with browser.client:
        browser.log_in()
        yield browser


@pytest.fixture
def visitor(url: str, name: str) -> Iterator[Browser]:
    """A device on which the user is not logged in."""
    browser = Browser(url, name, "Kiosk")
    with browser.client:
        yield browser


def test_devices_are_listed_and_none_of_another_user(
    phone: Browser, laptop: Browser, stranger: Browser
) -> None:
    assert phone.devices() == ["Phone", "Laptop &lt;b&gt;"]
    assert stranger.devices() == ["Tablet"]


def test_other_device_is_listed_with_the_time_that_it_has_left(
    phone: Browser, visitor: Browser
) -> None:
    """An hour without use, or two weeks if it is remembered."""
    visitor.log_in()
    assert re.search(r"ends in (0:59:5\d|1:00:00) unless it is used", phone.look())
    visitor.send("/logout")
    visitor.log_in(remember="on")
    assert re.search(r"ends in 1(3 days, 23:59:5\d|4 days, 0:00:00) unless", phone.look())


def test_lost_device_is_logged_out_from_another(phone: Browser, laptop: Browser) -> None:
    assert "That device is logged out." in phone.send("/end", key=phone.keys()[0])
    assert not laptop.is_logged_in()
    assert phone.devices() == ["Phone"]


def test_key_of_another_user_s_session_ends_nothing(
    phone: Browser, laptop: Browser, stranger: Browser
) -> None:
    assert "already logged out" in stranger.send("/end", key=phone.keys()[0])
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
    assert phone.devices() == ["Phone"]


def test_wrong_password_lets_no_visitor_in(visitor: Browser) -> None:
    assert "Name or password is wrong" in visitor.log_in("wrong")
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
