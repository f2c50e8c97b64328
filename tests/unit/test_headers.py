"""What a response is told, and whoever runs the site: Vary, Cache-Control, size, the log."""

import logging
import time
from collections.abc import Callable
from hashlib import shake_256
from typing import Any

import pytest

from sessionware import (
    SecureCookieSessionInterface,
    SessionMiddleware,
    SessionTooLarge,
)
from tests.conftest import Clock
from tests.gateway import KEY, Response, call, make_environ

OLDER_KEY = "the secret key of last year, which is out of use"
SHARED = (
    "A response that sets the session cookie was marked for shared caches: 'public', 's-maxage' "
    "and the fields for such caches alone were taken out (shared_cache)."
)
REJECTED = "A session cookie was rejected, a new session begins"
ADVICE = (
    "keep less in the session, or keep the data elsewhere and its id here. "
    "The browser keeps the cookie that it has."
)
Act = Callable[[Any], object]


def login(session: Any) -> None:
    session["user"] = "ann"


def serve(
    act: Act, *headers: tuple[str, str], key: str | None = KEY, **settings: Any
) -> SessionMiddleware:
    """An application that does this with its session, and answers with these headers."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        act(environ["session"])
        start_response("200 OK", list(headers))
        return []

    return SessionMiddleware(app, key, **settings)


def names(response: Response, header: str) -> list[str]:
    """What a comma-separated header lists, all its lines together."""
    lines = response.headers.getlist(header)
    return [name.strip() for line in lines for name in line.split(",") if name.strip()]


@pytest.mark.parametrize("act", [len, login], ids=["read", "written"])
@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], ["Cookie"]),
        (["Accept"], ["Accept", "Cookie"]),
        (["Accept, Origin"], ["Accept", "Origin", "Cookie"]),
        (["Accept", "Origin"], ["Accept", "Origin", "Cookie"]),
        (["Cookie"], ["Cookie"]),
        (["cookie"], ["cookie"]),
        (["COOKIE,Accept"], ["COOKIE", "Accept"]),
        (["Accept", "Origin ,  cOOkie"], ["Accept", "Origin", "cOOkie"]),
        (["*"], ["*"]),
        (["Accept", "*"], ["Accept", "*"]),
        ([""], ["Cookie"]),
        (["", "Accept", ""], ["Accept", "Cookie"]),
        ([" , "], ["Cookie"]),
        (["X-Cookie, Cookies"], ["X-Cookie", "Cookies", "Cookie"]),
    ],
)
def test_vary_lists_cookie_once_and_keeps_the_rest(
    act: Act, found: list[str], expected: list[str]
) -> None:
    """``*`` says it already, and so does ``cookie`` in any case, in whichever line."""
    response = call(serve(act, *(("vary", line) for line in found)))
    assert names(response, "Vary") == expected


def test_vary_stays_as_it_is_where_it_says_enough() -> None:
    headers = [("Vary", "Accept ,cookie"), ("X-Other", "1")]
    assert call(serve(len, *headers)).header_list == headers


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], "private"),
        ([""], "private"),
        (["max-age=60"], "private, max-age=60"),
        (["private"], "private"),
        (["Private, max-age=60"], "Private, max-age=60"),
        (["no-store"], "no-store"),
        (["max-age=0", "NO-STORE"], "max-age=0, NO-STORE"),
        (["no-cache"], "private, no-cache"),
        (['private="X-User"'], 'private, private="X-User"'),
        (['no-cache="Set-Cookie, public"'], 'private, no-cache="Set-Cookie, public"'),
        (['ext="private, no-store"'], 'private, ext="private, no-store"'),
        (['ext="a\\"b, c\\\\"'], 'private, ext="a\\"b, c\\\\"'),
        (["x-public, publicity, s-max=1"], "private, x-public, publicity, s-max=1"),
    ],
)
def test_cache_control_becomes_private_and_keeps_the_rest(
    caplog: pytest.LogCaptureFixture, found: list[str], expected: str
) -> None:
    """Unless it is ``private``, for the whole response, or ``no-store`` already."""
    response = call(serve(login, *(("cache-control", line) for line in found)))
    assert response.headers.getlist("Cache-Control") == [expected]
    assert caplog.records == []


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["public"], "private"),
        (["PUBLIC, max-age=60"], "private, max-age=60"),
        (["max-age=60,s-maxage=600"], "private, max-age=60"),
        (['S-MaxAge="600"'], "private"),
        (["private, public"], "private"),
        (["public", "no-store", "s-maxage=1, public"], "no-store"),
        (['public, no-cache="a, s-maxage=1", s-maxage=1'], 'private, no-cache="a, s-maxage=1"'),
    ],
)
def test_what_is_for_shared_caches_is_taken_out_with_a_warning(
    caplog: pytest.LogCaptureFixture, found: list[str], expected: str
) -> None:
    response = call(serve(login, *(("Cache-Control", line) for line in found)))
    assert response.headers.getlist("Cache-Control") == [expected]
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, SHARED)
    assert vars(record)["reason"] == "shared_cache"


def test_a_deleted_cookie_is_kept_out_of_shared_caches_too() -> None:
    cookie = call(serve(login)).cookie
    response = call(serve(lambda session: session.clear(), ("Cache-Control", "public")), cookie)
    assert response.headers.getlist("Cache-Control") == ["private"]


def test_a_cookie_of_the_applications_own_stays() -> None:
    response = call(serve(login, ("Set-Cookie", "own=1"), ("set-cookie", "own=2")))
    assert response.headers.getlist("Set-Cookie")[:-1] == ["own=1", "own=2"]
    assert response.headers.getlist("Set-Cookie")[-1].startswith("session=")


@pytest.mark.parametrize("cookie", ["", "session=junk"])
def test_cache_control_stays_as_it_is_where_no_cookie_is_set(cookie: str) -> None:
    headers = [("Cache-Control", "public,s-maxage=60"), ("cache-control", "x")]
    response = call(serve(len, *headers), cookie)
    assert response.header_list == [*headers, ("Vary", "Cookie")]


def signed(text: str) -> str:
    """A cookie that our own key has signed, whatever is in it."""
    return f"session={SecureCookieSessionInterface(KEY).codec.encode(text, int(time.time()))}"


REJECTIONS: dict[str, tuple[str, int, Callable[[str], str]]] = {
    "100 idle seconds are over": ("expired_idle", 101, str),
    "250 seconds are over": ("expired_absolute", 0, lambda _: signed('[251,{"a":"SECRET"}]')),
    "61 seconds ahead": ("from_the_future", -61, str),
    "another signature": ("bad_signature", 0, lambda cookie: cookie[:-9] + "x" * 9),
    "another payload": ("bad_signature", 0, lambda cookie: cookie.replace("=", "=e")),
    "no dot": ("malformed", 0, lambda _: "session=SECRET"),
    "empty": ("malformed", 0, lambda _: "session="),
    "not ASCII": ("malformed", 0, lambda _: "session=SECR\xc9T.a.b"),
    "signed, but no envelope": ("malformed", 0, lambda _: signed('{"SECRET":1}')),
    "4096 bytes": ("malformed", 0, lambda _: f"session={'SECRET' * 681}abc"),
    "4097 bytes": ("too_large", 0, lambda _: f"session={'SECRET' * 681}abcd"),
    "64 KiB inflated": ("too_large", 0, lambda _: signed(f'[0,{{"a":"{"SECRET" * 11000}"}}]')),
}


@pytest.mark.parametrize("case", REJECTIONS)
def test_a_rejected_cookie_is_one_record_with_its_reason(
    caplog: pytest.LogCaptureFixture, clock: Clock, case: str
) -> None:
    """The record holds neither the token nor a value nor the secret key."""
    reason, seconds, spoil = REJECTIONS[case]
    cookie = spoil(call(serve(lambda session: session.update(user="SECRET"))).cookie)
    clock.advance(seconds)
    caplog.set_level(logging.DEBUG)
    seen: list[Any] = []

    def look(session: Any) -> None:
        seen.append((session.new, dict(session)))

    call(serve(look, idle_timeout=100, absolute_timeout=250), cookie)
    assert seen == [(True, {})]
    [record] = caplog.records
    assert (record.name, vars(record)["reason"]) == ("sessionware", reason)
    assert record.getMessage() == f"{REJECTED} ({reason})."
    for hidden in filter(None, (KEY, "SECRET", cookie.removeprefix("session="))):
        assert hidden not in str(vars(record))


def test_a_fallback_key_is_one_record_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    cookie = call(serve(login, key=OLDER_KEY)).cookie
    caplog.set_level(logging.DEBUG)
    call(serve(len, secret_key_fallbacks=[OLDER_KEY]), cookie)
    [record] = caplog.records
    assert (record.name, vars(record)["reason"]) == ("sessionware", "old_key")
    assert record.getMessage() == "A session cookie was verified by a fallback key (old_key)."
    assert not any(hidden in str(vars(record)) for hidden in (KEY, OLDER_KEY, cookie[8:], "ann"))


def test_a_request_is_one_record_however_many_cookies_are_rejected(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The reason is that of the first."""
    caplog.set_level(logging.DEBUG)
    call(serve(len), "session=a.b.c; session=; session=d")
    assert [vars(record)["reason"] for record in caplog.records] == ["bad_signature"]


@pytest.mark.parametrize("twins", ["session=a.b.c; {}", "{}; session=a.b.c", "{}", "x=1"])
def test_a_request_that_rejects_nobody_is_no_record(
    caplog: pytest.LogCaptureFixture, twins: str
) -> None:
    caplog.set_level(logging.DEBUG)
    call(serve(len), twins.format(call(serve(login)).cookie))
    assert caplog.records == []


def test_a_short_secret_key_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """In bytes, at construction, and without a word of the key."""
    serve(len, key="é" * 16)
    serve(len, key="é" * 15 + "a")
    [record] = caplog.records
    assert (record.name, record.levelno) == ("sessionware", logging.WARNING)
    assert record.getMessage() == "secret_key has 31 bytes, use 32 or more (short_key)."
    assert vars(record)["reason"] == "short_key"
    assert "éa" not in str(vars(record))


def write(**data: Any) -> Act:
    return lambda session: session.update(data)


def read(cookie: str, **settings: Any) -> dict[str, Any]:
    """What the application finds in the session of this cookie."""
    seen: list[dict[str, Any]] = []
    call(serve(lambda session: seen.append(dict(session)), **settings), cookie)
    return seen[0]


def refused(act: Act, cookie: str = "", **settings: Any) -> SessionTooLarge:
    """The error of such a session, of which nothing reaches the server."""

    def start_response(*_: Any) -> Any:
        pytest.fail("the response has begun")

    with pytest.raises(SessionTooLarge) as caught:
        serve(act, **settings)(make_environ(cookie), start_response)
    return caught.value


def test_a_cookie_of_4096_bytes_is_accepted_and_of_4097_refused() -> None:
    """Name and value together, as browsers count."""
    data = {"n": 1, "text": shake_256(b"").hexdigest(2400), "list": [1, 2, 3], "user": "ann"}
    value = call(serve(write(**data))).cookie.removeprefix("session=")
    name = "n" * (4096 - len(value))
    cookie = call(serve(write(**data), cookie_name=name)).cookie
    assert len(cookie) == 4096 + len("=")
    assert read(cookie, cookie_name=name) == data
    error = refused(write(**data), cookie_name=name + "n")
    assert (error.size, error.limit) == (4097, 4096)
    assert error.largest == (("text", 4809), ("list", 14), ("user", 12))
    assert str(error) == (
        "The session cookie takes 4097 bytes, the limit is 4096; the largest keys are "
        f"'text' (4809 bytes), 'list' (14 bytes), 'user' (12 bytes): {ADVICE}"
    )


@pytest.mark.usefixtures("clock")
def test_json_of_64_kib_is_accepted_and_a_byte_more_refused() -> None:
    """However small it is when compressed: nobody would inflate it again."""
    longest = "x" * (65536 - len('[0,{"a":""}]'))
    cookie = call(serve(write(a=longest))).cookie
    assert read(cookie) == {"a": longest}
    error = refused(write(a=longest + "x"), cookie)
    assert (error.size, error.limit, error.largest) == (65537, 65536, (("a", 65531),))
    assert str(error) == (
        "The session's JSON takes 65537 bytes, the limit is 65536; the largest keys are "
        f"'a' (65531 bytes): {ADVICE}"
    )
    assert read(cookie) == {"a": longest}
