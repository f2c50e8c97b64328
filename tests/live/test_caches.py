"""Real nginx and Varnish in front of gunicorn: they keep pages, and no visitor gets another's."""

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from http.client import HTTPConnection
from typing import NamedTuple

import pytest

from sessionware import SecureCookieSessionInterface, Session
from tests.gateway import KEY, make_environ
from tests.live.cache_app import MARKS
from tests.live.caches import BY_THE_STANDARD, nginx, varnish
from tests.processes import serving

CACHES: dict[str, Callable[[str], AbstractContextManager[str]]] = {
    "nginx": nginx,
    "nginx that ignores Set-Cookie": partial(nginx, more="proxy_ignore_headers Set-Cookie;"),
    "Varnish": varnish,
    "Varnish by the standard": partial(varnish, more=BY_THE_STANDARD),
}
FOR_COOKIES = [name for name in CACHES if name != "Varnish"]
"""Those that also keep pages for requests with a cookie; Varnish itself passes them all on."""
HEEDLESS = ["nginx that ignores Set-Cookie", "Varnish by the standard"]
"""Those that also keep pages that set a cookie, which the standard allows."""
USERS = 200
FEW = 10
INTERFACE = SecureCookieSessionInterface(KEY)
OLD = 10 * 24 * 60 * 60
TAGS = itertools.count()


class Answer(NamedTuple):
    body: str
    set_cookie: str | None
    hit: bool


class Wrong(NamedTuple):
    """What a user got and should not have."""

    user: str
    page: str
    part: str
    value: str | None

    def is_leak(self) -> bool:
        """Whether it is another user's, and not only an old page or a missing cookie."""
        return (self.value or "").split(" ")[0] not in ("", "nobody", "everybody", self.user)


class CachedSite:
    """The pages behind a cache, under an address that no other test uses."""

    def __init__(self, backend: str, cache: str, mount: str = "") -> None:
        self.backend = backend
        self.cache = cache
        self.mount = mount
        self.tag = next(TAGS)

    def path(self, page: str) -> str:
        return f"{self.mount}/{page}/{self.tag}"

    def get(self, page: str, cookie: str = "", user: str = "") -> Answer:
        """Ask the cache for the page, as a client that has not asked before."""
        with Connection(self.cache) as connection:
            return connection.get(self.path(page), cookie, user)

    def reached(self, page: str) -> int:
        """How many requests for the page the cache passed on."""
        with Connection(self.backend) as connection:
            return int(connection.get(f"/reached?path={self.path(page)}").body)


class Connection(HTTPConnection):
    def __init__(self, address: str) -> None:
        super().__init__(address, timeout=10)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, path: str, cookie: str = "", user: str = "") -> Answer:
        headers = {"X-User": user} | ({"Cookie": cookie} if cookie else {})
        self.request("GET", path, headers=headers)
        response = self.getresponse()
        assert response.status == 200
        hit = response.headers["X-Cache-Status"] == "HIT"
        return Answer(response.read().decode(), response.headers["Set-Cookie"], hit)


class Browser:
    """One user's: it keeps a cookie, and notes whatever is not the user's own."""

    def __init__(self, site: CachedSite, connection: Connection, user: str) -> None:
        self.site = site
        self.connection = connection
        self.user = user
        self.cookie = ""
        self.wrong: list[Wrong] = []

    def visit(self, page: str, body: str, owner: str | None = None) -> None:
        """Expect this body, and a cookie of this owner: ``""`` deletes it, ``None`` is none."""
        answer = self.connection.get(self.site.path(page), self.cookie, self.user)
        if answer.body != body:
            self.wrong.append(Wrong(self.user, page, "body", answer.body))
        if answer.set_cookie is not None:
            self.cookie = answer.set_cookie.partition(";")[0]
        found = None if answer.set_cookie is None else owner_of(self.cookie)
        if found != owner:
            self.wrong.append(Wrong(self.user, page, "cookie", found))


def owner_of(cookie: str) -> str:
    """Return whose session the cookie holds."""
    session = INTERFACE.open_session(make_environ(cookie))
    assert isinstance(session, Session)
    return str(session.get("user", ""))


def cookie_of(user: str, age: int = 0) -> str:
    """Return the cookie of a user who logged in so many seconds ago, and wrote 9 times."""
    text = f'[0,{{"user":"{user}","written":9}}]'
    return f"session={INTERFACE.codec.encode(text, int(time.time()) - age)}"


def whole_visit(site: CachedSite, user: str) -> list[Wrong]:
    """Log in, read, write, log out, come back with an old cookie; and what went wrong."""
    with Connection(site.cache) as connection:
        browser = Browser(site, connection, user)
        browser.visit("log-in/public", f"{user} 0", user)
        browser.visit("read/public", f"{user} 0")
        browser.visit("read/s-maxage", f"{user} 0")
        browser.visit("never/public", "everybody")
        browser.visit("write/s-maxage", f"{user} 1", user)
        browser.visit("read/public", f"{user} 1")
        browser.visit("log-out/public", f"{user} 1", "")
        browser.cookie = ""
        browser.visit("read/public", "nobody 0")
        browser.cookie = cookie_of(user, OLD)
        browser.visit("read/public", f"{user} 9", user)
        return browser.wrong


def all_visit(site: CachedSite, at_once: int, users: int = USERS) -> list[Wrong]:
    names = [f"user{number}" for number in range(users)]
    with ThreadPoolExecutor(at_once) as pool:
        return [*itertools.chain(*pool.map(partial(whole_visit, site), names))]


@pytest.fixture(scope="module")
def backend() -> Iterator[str]:
    """One process, so that it counts every request."""
    arguments = ["--worker-class=gthread", "--threads=8"]
    with serving("tests.live.cache_app:app", *arguments, env={}) as url:
        yield url.removeprefix("http://")


@pytest.fixture(scope="module", params=CACHES)
def cache(request: pytest.FixtureRequest, backend: str) -> Iterator[str]:
    with CACHES[request.param](backend) as address:
        yield address


for_cookies = pytest.mark.parametrize("cache", FOR_COOKIES, indirect=True)
heedless = pytest.mark.parametrize("cache", HEEDLESS, indirect=True)


@pytest.mark.parametrize("at_once", [1, 16])
def test_no_visitor_gets_the_page_or_the_cookie_of_another(
    backend: str, cache: str, at_once: int
) -> None:
    """Nor an old page of their own."""
    assert all_visit(CachedSite(backend, cache), at_once) == []


@for_cookies
def test_without_vary_the_same_visits_get_the_pages_of_others(backend: str, cache: str) -> None:
    wrong = all_visit(CachedSite(backend, cache, "/without-vary"), at_once=1, users=FEW)
    leaks = [found for found in wrong if found.is_leak()]
    assert {found.part for found in leaks} == {"body"}
    assert {found.user for found in leaks} == {f"user{number}" for number in range(1, FEW)}


@heedless
def test_without_private_the_same_visits_get_the_cookies_of_others(
    backend: str, cache: str
) -> None:
    """Vary does not help visitors without a cookie: all of them log in as the first one did."""
    wrong = all_visit(CachedSite(backend, cache, "/without-private"), at_once=1, users=FEW)
    leaks = [found for found in wrong if found.is_leak()]
    assert {found.part for found in leaks} == {"body", "cookie"}
    assert {found.user for found in leaks} == {f"user{number}" for number in range(1, FEW)}


@pytest.mark.parametrize("mark", MARKS)
def test_page_that_never_looks_at_its_session_is_fetched_once_for_all(
    backend: str, cache: str, mark: str
) -> None:
    site = CachedSite(backend, cache)
    answers = [site.get(f"never/{mark}") for _ in range(FEW)]
    assert answers == [Answer("everybody", None, hit=number > 0) for number in range(FEW)]
    assert site.reached(f"never/{mark}") == 1


@for_cookies
def test_that_page_is_one_for_all_who_are_logged_in_too(backend: str, cache: str) -> None:
    site = CachedSite(backend, cache)
    answers = [site.get("never/public", cookie_of(f"user{number}")) for number in range(FEW)]
    assert answers == [Answer("everybody", None, hit=number > 0) for number in range(FEW)]
    assert site.reached("never/public") == 1


@for_cookies
@pytest.mark.parametrize("mark", MARKS)
def test_page_that_is_only_read_is_fetched_once_for_each_user(
    backend: str, cache: str, mark: str
) -> None:
    site = CachedSite(backend, cache)
    cookies = {f"user{number}": cookie_of(f"user{number}") for number in range(FEW)}
    for hit in (False, True, True):
        answers = [site.get(f"read/{mark}", cookie) for cookie in cookies.values()]
        assert answers == [Answer(f"{user} 9", None, hit) for user in cookies]
    assert site.reached(f"read/{mark}") == FEW


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize(
    ("act", "age"),
    [("log-in", None), ("write", 0), ("write", OLD), ("read", OLD), ("log-out", 0)],
)
def test_page_that_sets_or_deletes_the_cookie_is_never_kept(
    backend: str, cache: str, act: str, age: int | None, mark: str
) -> None:
    """Not for the same user with the same cookie either."""
    site = CachedSite(backend, cache)
    cookie = "" if age is None else cookie_of("ann", age)
    answers = [site.get(f"{act}/{mark}", cookie, "ann") for _ in range(3)]
    assert all(answer.set_cookie and not answer.hit for answer in answers), answers
    assert site.reached(f"{act}/{mark}") == 3


@pytest.mark.parametrize("cache", ["nginx"], indirect=True)
def test_page_that_varies_in_two_lines_is_kept_per_user(backend: str, cache: str) -> None:
    """Before 1.23, nginx goes by the last line alone."""
    site = CachedSite(backend, cache)
    answers = [site.get("translated/public", cookie_of(user)) for user in ("ann", "bob", "ann")]
    assert [answer.body for answer in answers] == ["ann 9", "bob 9", "ann 9"]
