"""The site of examples/devices.py, under gunicorn and beside a redis-server."""

import re
from collections.abc import Iterator

import pytest
import requests

from tests.gateway import KEY
from tests.processes import serving
from tests.stores.servers import ON_DISK, RedisServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis"), *ON_DISK) as started:
        yield started


@pytest.fixture(scope="module")
def url(server: RedisServer) -> Iterator[str]:
    env = {"SECRET_KEY": KEY, "REDIS_URL": f"redis://127.0.0.1:{server.port}/0"}
    with serving("examples.devices:app", "--workers=2", env=env) as address:
        yield address


class Browser:
    """A visitor with a device of this name; each page that comes back is kept."""

    def __init__(self, url: str, device: str) -> None:
        self.client = requests.Session()
        self.client.headers["User-Agent"] = device
        self.url = url

    def look(self) -> str:
        self.page = self.client.get(self.url, timeout=10)
        return self.page.text

    def send(self, action: str, **fields: str) -> str:
        token = re.findall('name="csrf_token" value="([^"]+)"', self.look())[0]
        form = {"csrf_token": token, **fields}
        self.page = self.client.post(self.url + action, form, timeout=10)
        return self.page.text

    def log_in(self, name: str) -> str:
        return self.send("/login", name=name, password="correct horse")

    def keys(self) -> list[str]:
        """What stands in the forms that end another device's session."""
        return re.findall('name="key" value="([^"]+)"', self.look())


@pytest.fixture
def phone(url: str, server: RedisServer) -> Iterator[Browser]:
    with server.client() as client:
        client.flushall()
    browser = Browser(url, "Phone")
    with browser.client:
        browser.log_in("Ada")
        yield browser


@pytest.fixture
def laptop(url: str, phone: Browser) -> Iterator[Browser]:
    browser = Browser(url, "Laptop <b>")
    with browser.client:
        browser.log_in("Ada")
        yield browser


def test_devices_are_listed_and_none_of_another_user(phone: Browser, laptop: Browser) -> None:
    stranger = Browser(phone.url, "Tablet")
    with stranger.client:
        stranger.log_in("Bob")
        assert "The devices of Ada" in phone.look()
        assert re.findall(r"<p>(.+)<br>", phone.look()) == ["Phone", "Laptop &lt;b&gt;"]
        assert re.findall(r"<p>(.+)<br>", stranger.look()) == ["Tablet"]


def test_lost_device_is_logged_out_from_another(phone: Browser, laptop: Browser) -> None:
    assert "That device is logged out." in phone.send("/end", key=phone.keys()[0])
    assert "Log in" in laptop.look()
    assert phone.keys() == []
    assert "The devices of Ada" in phone.look()


def test_key_of_another_user_s_session_ends_nothing(phone: Browser, laptop: Browser) -> None:
    stranger = Browser(phone.url, "Tablet")
    with stranger.client:
        stranger.log_in("Bob")
        assert "already logged out" in stranger.send("/end", key=phone.keys()[0])
    assert "The devices of Ada" in laptop.look()


def test_log_out_everywhere_ends_every_device(phone: Browser, laptop: Browser) -> None:
    assert "You are logged out everywhere: 2 in all." in laptop.send("/everywhere")
    assert "The devices of" not in phone.look() + laptop.look()


def test_log_out_ends_this_device_and_no_other(phone: Browser, laptop: Browser) -> None:
    cookie = str(laptop.client.cookies["session"])
    assert "You are logged out." in laptop.send("/logout")
    laptop.client.cookies.clear()
    laptop.client.cookies.set("session", cookie)
    assert "Log in" in laptop.look()
    assert phone.keys() == []


def test_wrong_password_lets_no_visitor_in(url: str) -> None:
    browser = Browser(url, "Phone")
    with browser.client:
        assert "Name or password is wrong" in browser.send("/login", name="Ada", password="wrong")


@pytest.mark.parametrize("action", ["/end", "/everywhere"])
def test_devices_are_closed_to_a_visitor_who_is_not_logged_in(url: str, action: str) -> None:
    browser = Browser(url, "Phone")
    with browser.client:
        browser.send(action)
    assert browser.page.status_code == 403


def test_form_without_this_session_s_token_is_refused(phone: Browser) -> None:
    page = phone.client.post(phone.url + "/everywhere", {"csrf_token": "guessed"}, timeout=10)
    assert page.status_code == 400
    assert "The devices of Ada" in phone.look()


def test_wrong_method_is_told_the_right_one(phone: Browser) -> None:
    page = phone.client.get(phone.url + "/everywhere", timeout=10)
    assert (page.status_code, page.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/", "/nowhere"])
def test_every_page_is_html_and_keeps_out_of_every_cache(phone: Browser, path: str) -> None:
    page = phone.client.get(phone.url + path, timeout=10)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Cache-Control"] == "no-store"
    assert "<script" not in page.text


def test_site_says_sorry_while_redis_is_down_and_then_goes_on(
    phone: Browser, server: RedisServer
) -> None:
    server.kill()
    try:
        assert "Please try again in a minute." in phone.look()
        assert phone.page.status_code == 503
    finally:
        server.start()
    assert "The devices of Ada" in phone.look()
