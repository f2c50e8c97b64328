"""Saver: when the cookie is written or deleted, timeouts, sizes."""

import hashlib
import logging
from bisect import bisect
from datetime import timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from hashlib import shake_256
from http.cookiejar import CookieJar
from operator import attrgetter, methodcaller
from secrets import token_hex
from types import SimpleNamespace
from typing import Any
from urllib.request import Request

import pytest
from werkzeug.datastructures import Headers

from sessionware import (
    LateWrite,
    SecureCookieSessionInterface,
    SessionMiddleware,
    SessionTooLarge,
)
from sessionware.migration import SessionwareCookie
from tests.conftest import Clock
from tests.gateway import KEY, OLDER_KEY, Response, call, make_environ
from tests.sites import Act, every_log_out
from tests.unit.applications import acting

DAY = 24 * 60 * 60
JUNK = "session=eyJ1c2VyIjoiYW5uIn0.aWg0gA.c2lnbmF0dXJl"
UNTOUCHED = [("X-Own", "1")]
VARIES = [*UNTOUCHED, ("Vary", "Cookie")]
NAME = attrgetter("id")
BIRTH = attrgetter("created")
logout = methodcaller("invalidate")
ADVICE = (
    "Store less in the session, or store the data elsewhere and only its id here. "
    "The cookie in the browser is unchanged."
)


def serve(act: Act, status: str = "200 OK", **settings: Any) -> SessionMiddleware:
    """Wrap an application that calls ``act`` with its session."""
    return acting(act, *UNTOUCHED, status=status, **settings)


def login(session: Any) -> None:
    session["user"] = "ann"
    session["cart"] = []
    assert session.id


def write(**data: Any) -> Act:
    return lambda session: session.update(data)


def remember(session: Any) -> None:
    session.permanent = True


def ask(what: Act, cookie: str, **settings: Any) -> Any:
    """Return the result of ``what``, which is called with the session of this cookie."""
    seen: list[Any] = []
    call(serve(lambda session: seen.append(what(session)), **settings), cookie)
    return seen[0]


def attributes(response: Response) -> dict[str, str]:
    """Return the attributes of the response's only Set-Cookie header."""
    parts = (response.set_cookie or "").split("; ")[1:]
    return {name: value for name, _, value in (part.partition("=") for part in parts)}


# Which cookie the response sets


def test_a_session_that_is_not_used_leaves_the_response_alone(clock: Clock) -> None:
    """Byte for byte, even if the cookie is junk or due to be issued again."""
    cookie = call(serve(login)).cookie
    clock.advance(30 * DAY)
    for header in ("", cookie, JUNK):
        assert call(serve(lambda _: None), header).header_list == UNTOUCHED


@pytest.mark.parametrize("look", [len, dict, bool, lambda session: session.get("user")])
def test_a_session_that_is_only_read_makes_the_response_vary(look: Act) -> None:
    """It sets no cookie, and leaves a junk cookie in the browser."""
    for header in ("", JUNK, call(serve(login)).cookie):
        assert call(serve(look), header).header_list == VARIES


@pytest.mark.parametrize(
    ("settings", "seconds"), [({}, 3.1 * DAY), ({"refresh_after": timedelta(seconds=100)}, 100)]
)
def test_a_cookie_older_than_refresh_after_is_issued_again(
    clock: Clock, settings: Any, seconds: float
) -> None:
    """The default of refresh_after is a tenth of idle_timeout."""
    cookie = call(serve(login, **settings)).cookie
    clock.advance(seconds)
    assert call(serve(len, **settings), cookie).header_list == VARIES
    clock.advance(1)
    response = call(serve(len, **settings), cookie)
    assert response.headers["Vary"] == "Cookie"
    assert response.cookie != cookie
    assert ask(dict, response.cookie) == {"user": "ann", "cart": []}
    assert ask(NAME, response.cookie) == ask(NAME, cookie)
    assert call(serve(len, **settings), response.cookie).set_cookie is None


def test_a_cookie_of_a_fallback_key_is_issued_again_with_the_newest() -> None:
    cookie = call(serve(login, secret_key=OLDER_KEY)).cookie
    response = call(serve(len, secret_key_fallbacks=(KEY + "!", OLDER_KEY)), cookie)
    assert response.headers["Vary"] == "Cookie"
    assert ask(dict, response.cookie) == {"user": "ann", "cart": []}
    assert call(serve(len, secret_key_fallbacks=[OLDER_KEY]), response.cookie).set_cookie is None


@pytest.mark.parametrize("cookie", ["", JUNK, f"x=1; {JUNK}; y=2"])
def test_a_changed_session_is_written(cookie: str) -> None:
    response = call(serve(login), cookie)
    assert response.headers["Vary"] == "Cookie"
    assert ask(dict, response.cookie) == {"user": "ann", "cart": []}


@pytest.mark.parametrize("seconds", [0, 30 * DAY])
def test_a_nested_change_is_written(clock: Clock, seconds: int) -> None:
    """The response sets one cookie, even if it was due to be issued again."""
    cookie = call(serve(login)).cookie
    clock.advance(seconds)
    cookie = call(serve(lambda session: session["cart"].append("egg")), cookie).cookie
    assert ask(dict, cookie) == {"user": "ann", "cart": ["egg"]}


def test_calls_that_change_nothing_do_not_write_the_session() -> None:
    def act(session: Any) -> None:
        session.pop("missing", None)
        session.setdefault("user", "bob")
        session.update()
        session["cart"].extend([])
        login(session)

    assert call(serve(act), call(serve(login)).cookie).header_list == VARIES


@pytest.mark.parametrize("empty", [logout, methodcaller("clear")])
def test_a_session_that_is_emptied_is_deleted(empty: Act) -> None:
    response = call(serve(empty), call(serve(login)).cookie)
    assert response.cookie == "session="
    assert response.headers["Vary"] == "Cookie"


@pytest.mark.parametrize("cookie", [JUNK, "session=", f"session=x; {JUNK}"])
@every_log_out
def test_a_junk_cookie_is_deleted_by_a_log_out(log_out: Act, cookie: str) -> None:
    """It may be one that another request has renewed meanwhile."""
    response = call(serve(log_out), cookie)
    assert response.cookie == "session="
    assert response.headers["Vary"] == "Cookie"


@pytest.mark.parametrize("cookie", ["", "x=1; xsession=2"])
def test_a_new_session_that_is_emptied_sets_no_cookie(cookie: str) -> None:
    assert call(serve(logout), cookie).header_list == VARIES


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "304 Not Modified", "302 Found"])
def test_the_status_makes_no_difference(status: str) -> None:
    cookie = call(serve(login, status)).cookie
    assert ask(dict, cookie) == {"user": "ann", "cart": []}
    assert call(serve(len, status), cookie).header_list == VARIES
    assert call(serve(logout, status), cookie).cookie == "session="


SETTINGS: list[dict[str, Any]] = [
    {},
    {"cookie_name": "__Host-id", "cookie_samesite": "None", "cookie_partitioned": True},
    {"cookie_path": "/shop", "cookie_domain": "example.com", "cookie_samesite": None},
    {"cookie_httponly": False, "cookie_samesite": "Strict", "cookie_secure": False},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_cookie_is_deleted_with_the_attributes_it_was_set_with(settings: Any) -> None:
    written = call(serve(login, **settings), wsgi__url_scheme="https")
    deleted = call(serve(logout, **settings), written.cookie, wsgi__url_scheme="https")
    assert deleted.cookie == f"{settings.get('cookie_name', 'session')}="
    gone = {"Max-Age": "0", "Expires": "Thu, 01 Jan 1970 00:00:00 GMT"}
    assert attributes(deleted) == attributes(written) | gone


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_browser_keeps_the_session_until_it_is_deleted(settings: Any) -> None:
    jar = CookieJar()

    def visit(act: Act) -> None:
        request = Request("https://www.example.com/shop/")
        jar.add_cookie_header(request)
        cookie, message = request.get_header("Cookie") or "", Message()
        for name, value in call(serve(act, **settings), cookie, wsgi__url_scheme="https").headers:
            message[name] = value
        jar.extract_cookies(SimpleNamespace(info=lambda: message), request)  # type: ignore[arg-type]

    seen: list[Any] = []
    visit(login)
    visit(lambda session: session["cart"].append("egg"))
    visit(remember)
    visit(lambda session: seen.append(dict(session)))
    visit(logout)
    assert seen == [{"user": "ann", "cart": ["egg"], "_permanent": True}]
    assert len(jar) == 0


def test_a_session_that_was_not_used_is_not_saved() -> None:
    interface, headers = SecureCookieSessionInterface(KEY), Headers(UNTOUCHED)
    interface.save_session(make_environ(), interface.open_session(make_environ(JUNK)), headers)
    assert headers.to_wsgi_list() == UNTOUCHED


# A change while the session is saved


class Meanwhile(SecureCookieSessionInterface):
    """Has another thread change each session just as it is saved."""

    def open_session(self, environ: Any) -> Any:
        self.session: Any = super().open_session(environ)
        return self.session

    def dumps(self, data: dict[str, Any]) -> str:
        text = super().dumps(data)
        self.session["late"] = True
        return text


def test_a_change_while_the_session_is_saved_is_refused() -> None:
    interface = Meanwhile(KEY)
    session: Any = interface.open_session(make_environ())
    session["user"] = "ann"
    with pytest.raises(LateWrite):
        interface.save_session(make_environ(), session, Headers())


def test_a_session_that_was_too_large_can_be_changed_and_saved() -> None:
    interface, headers = SecureCookieSessionInterface(KEY), Headers()
    session: Any = interface.open_session(make_environ())
    session["user"] = token_hex(4096)
    with pytest.raises(SessionTooLarge):
        interface.save_session(make_environ(), session, headers)
    session["user"] = "ann"
    interface.save_session(make_environ(), session, headers)
    assert "Set-Cookie" in headers


# Timeouts


def test_a_session_ends_at_its_idle_timeout(clock: Clock) -> None:
    """It ends even if it has a Max-Age, and the time starts again when its cookie is reissued."""
    cookie = call(serve(remember)).cookie
    clock.advance(31 * DAY)
    renewed = call(serve(len), cookie).cookie
    clock.advance(1)
    assert ask(dict, cookie) == {}
    clock.advance(31 * DAY - 1)
    assert ask(len, renewed) == 1


@pytest.mark.parametrize("limit", [250, 250.0, timedelta(seconds=250)])
def test_a_session_in_use_ends_at_its_absolute_timeout(clock: Clock, limit: Any) -> None:
    """The time counts from the creation of the session."""
    settings: dict[str, Any] = {"idle_timeout": 100, "absolute_timeout": limit}
    began = int(clock.now)
    cookie = call(serve(login, **settings)).cookie
    for _ in range(3):
        clock.advance(80)
        cookie = call(serve(len, **settings), cookie).cookie
        assert ask(BIRTH, cookie, **settings) == began
    clock.advance(10)
    assert ask(dict, cookie, **settings) == {"user": "ann", "cart": []}
    clock.advance(1)
    assert ask(dict, cookie, **settings) == {}


@pytest.mark.parametrize("begin_anew", [logout, methodcaller("regenerate")])
def test_the_absolute_timeout_restarts_with_a_new_session(clock: Clock, begin_anew: Act) -> None:
    def act(session: Any) -> None:
        begin_anew(session)
        login(session)

    cookie = call(serve(login, absolute_timeout=100)).cookie
    clock.advance(100)
    cookie = call(serve(act, absolute_timeout=100), cookie).cookie
    clock.advance(100)
    assert ask(BIRTH, cookie, absolute_timeout=100) == clock.now - 100
    clock.advance(1)
    assert ask(dict, cookie, absolute_timeout=100) == {}


def test_a_clock_may_be_a_minute_behind(clock: Clock) -> None:
    """That is the clock of the server that reads the cookie, and one minute is the limit."""
    cookie = call(serve(login)).cookie
    clock.advance(-60)
    assert ask(len, cookie) == 2
    clock.advance(-1)
    assert ask(len, cookie) == 0


@pytest.mark.parametrize(
    ("settings", "max_age"),
    [
        ({}, 31 * DAY),
        ({"idle_timeout": timedelta(hours=1)}, 3600),
        ({"idle_timeout": 100, "absolute_timeout": 1000}, 100),
        ({"idle_timeout": 1000, "absolute_timeout": 100}, 60),
        ({"idle_timeout": 99.9}, 99),
        ({"idle_timeout": 500 * DAY}, 400 * DAY),
        ({"idle_timeout": 600 * DAY, "absolute_timeout": 500 * DAY}, 400 * DAY),
    ],
)
def test_a_permanent_session_outlives_a_browser(clock: Clock, settings: Any, max_age: int) -> None:
    """Max-Age is what is left until the first timeout, and 400 days at most."""
    cookie = call(serve(login, **settings)).cookie
    clock.advance(40)
    found = attributes(call(serve(remember, **settings), cookie))
    assert found["Max-Age"] == str(max_age)
    assert parsedate_to_datetime(found["Expires"]).timestamp() == clock.now + max_age


def test_a_permanent_session_is_issued_again_as_one(clock: Clock) -> None:
    cookie = call(serve(remember)).cookie
    clock.advance(30 * DAY)
    assert attributes(call(serve(len), cookie))["Max-Age"] == str(31 * DAY)


def test_a_session_that_is_not_permanent_ends_with_the_browser() -> None:
    def forget(session: Any) -> None:
        session.permanent = False
        session["user"] = "ann"

    for response in (call(serve(login)), call(serve(forget), call(serve(remember)).cookie)):
        assert {"Max-Age", "Expires"}.isdisjoint(attributes(response))


# Size limits


def refused(act: Act, cookie: str = "", **settings: Any) -> SessionTooLarge:
    """Return the error raised for this session, and check that nothing reaches the server."""

    def start_response(*_: Any) -> Any:
        pytest.fail("the response has begun")

    with pytest.raises(SessionTooLarge) as caught:
        serve(act, **settings)(make_environ(cookie), start_response)
    return caught.value


def test_a_cookie_of_4096_bytes_is_accepted_and_of_4097_refused() -> None:
    """The size is that of name and value together, as in browsers."""
    data = {"n": 1, "text": shake_256(b"").hexdigest(2400), "list": [1, 2, 3], "user": "ann"}
    value = call(serve(write(**data))).cookie.removeprefix("session=")
    name = "n" * (4096 - len(value))
    cookie = call(serve(write(**data), cookie_name=name)).cookie
    assert len(cookie) == 4096 + len("=")
    assert ask(dict, cookie, cookie_name=name) == data
    error = refused(write(**data), cookie_name=name + "n")
    assert (error.size, error.limit) == (4097, 4096)
    assert error.largest == (("text", 4809), ("list", 14), ("user", 12))
    assert str(error) == (
        "The session cookie has 4097 bytes, and the limit is 4096. The largest keys are "
        f"'text' (4809 bytes), 'list' (14 bytes), 'user' (12 bytes). {ADVICE}"
    )


@pytest.mark.usefixtures("clock")
def test_json_of_64_kib_is_accepted_and_a_byte_more_refused() -> None:
    """Its compressed size does not count, because it could not be decompressed again."""
    longest = "x" * (65536 - len('[0,{"a":""}]'))
    cookie = call(serve(write(a=longest))).cookie
    assert ask(dict, cookie) == {"a": longest}
    error = refused(write(a=longest + "x"), cookie)
    assert (error.size, error.limit, error.largest) == (65537, 65536, (("a", 65531),))
    assert str(error) == (
        "The session's JSON has 65537 bytes, and the limit is 65536. The largest keys are "
        f"'a' (65531 bytes). {ADVICE}"
    )
    assert ask(dict, cookie) == {"a": longest}


def noise(length: int) -> str:
    """Return text that hardly compresses: hexadecimal digests."""
    return "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(100))[:length]


def noisy(length: int) -> str:
    """Return the cookie of a session with noise of this length."""
    return call(serve(write(noise=noise(length)))).cookie


@pytest.fixture
def largest(clock: Clock) -> str:
    """Return the largest cookie with noise that fits the limit."""

    def is_too_long(length: int) -> bool:
        try:
            noisy(length)
        except SessionTooLarge:
            return True
        return False

    return noisy(bisect(range(6400), False, key=is_too_long) - 1)


def test_cookie_that_no_longer_fits_is_kept_as_it_is(
    largest: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Its age has more digits now, and a request that only reads must not fail for that."""
    clock.advance(10 * DAY)
    seen: list[str] = []
    response = call(serve(lambda session: seen.append(session["noise"])), largest)
    assert seen[0]
    assert response.set_cookie is None
    [record] = caplog.records
    assert (record.levelno, vars(record)["reason"]) == (logging.WARNING, "not_issued_again")
    assert record.getMessage() == (
        "A session cookie that is due was not issued again: it would have 4099 bytes, and the "
        "limit is 4096. It will expire, and its user be logged out: store less in the session "
        "(not_issued_again)."
    )


def test_former_cookie_that_fits_no_more_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    """It is not encrypted, which takes more room."""
    pytest.importorskip("cryptography")
    cookie = noisy(4500)
    settings = {"encrypt": True, "migrate_from": [SessionwareCookie(KEY)]}
    assert ask(len, cookie, **settings) == 1
    assert [vars(each)["reason"] for each in caplog.records] == ["not_issued_again"]


def test_cookie_that_fits_is_issued_again(clock: Clock) -> None:
    cookie = noisy(100)
    clock.advance(10 * DAY)
    assert call(serve(len), cookie).cookie not in ("", cookie)
