"""The log records of ``sessionware``: each has a reason, and none holds a secret."""

import logging
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest

from sessionware import SessionMiddleware, SessionTooLarge
from tests.conftest import Clock
from tests.gateway import KEY, OLDER_KEY, call, make_environ
from tests.sites import Act
from tests.unit.applications import acting, log_in
from tests.unit.interfaces import MySessionInterface
from tests.unit.sessions import sign

REJECTED = "A session cookie was rejected, and a new session begins"


def signed(text: str) -> str:
    """Return a cookie with this text, signed with our key."""
    return f"session={sign(text)}"


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
    cookie = spoil(call(acting(lambda session: session.update(user="SECRET"))).cookie)
    clock.advance(seconds)
    caplog.set_level(logging.DEBUG)
    seen: list[Any] = []

    def look(session: Any) -> None:
        seen.append((session.new, dict(session)))

    call(acting(look, idle_timeout=100, absolute_timeout=250), cookie)
    assert seen == [(True, {})]
    [record] = caplog.records
    assert (record.name, vars(record)["reason"]) == ("sessionware", reason)
    assert record.getMessage() == f"{REJECTED} ({reason})."
    for hidden in filter(None, (KEY, "SECRET", cookie.removeprefix("session="))):
        assert hidden not in str(vars(record))


def test_a_fallback_key_is_one_record_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    cookie = call(acting(log_in, secret_key=OLDER_KEY)).cookie
    caplog.set_level(logging.DEBUG)
    call(acting(len, secret_key_fallbacks=[OLDER_KEY]), cookie)
    [record] = caplog.records
    assert (record.name, vars(record)["reason"]) == ("sessionware", "old_key")
    assert record.getMessage() == "A session cookie was verified by a fallback key (old_key)."
    assert not any(hidden in str(vars(record)) for hidden in (KEY, OLDER_KEY, cookie[8:], "ann"))


def test_a_request_with_several_rejected_cookies_is_one_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its reason is that of the first cookie."""
    caplog.set_level(logging.DEBUG)
    call(acting(len), "session=a.b.c; session=; session=d")
    assert [vars(record)["reason"] for record in caplog.records] == ["bad_signature"]


@pytest.mark.parametrize("twins", ["session=a.b.c; {}", "{}; session=a.b.c", "{}", "x=1"])
def test_a_request_without_a_rejection_is_not_logged(
    caplog: pytest.LogCaptureFixture, twins: str
) -> None:
    caplog.set_level(logging.DEBUG)
    call(acting(len), twins.format(call(acting(log_in)).cookie))
    assert caplog.records == []


def test_a_short_secret_key_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """The warning comes at construction, gives the size in bytes, and does not show the key."""
    acting(len, secret_key="é" * 16)
    acting(len, secret_key="é" * 15 + "a")
    [record] = caplog.records
    assert (record.name, record.levelno) == ("sessionware", logging.WARNING)
    assert record.getMessage() == "secret_key has 31 bytes, use 32 or more (short_key)."
    assert vars(record)["reason"] == "short_key"
    assert "éa" not in str(vars(record))


def test_no_key_is_warned_about_once_at_the_first_request(caplog: pytest.LogCaptureFixture) -> None:
    """Otherwise, a forgotten environment variable shows only when a session is changed."""
    app = acting(len, secret_key=None)
    assert caplog.records == []
    call(app)
    call(app)
    [record] = caplog.records
    assert (record.levelno, vars(record)["reason"]) == (logging.WARNING, "no_key")
    assert record.getMessage() == (
        "secret_key is None, so every session reads as empty and refuses changes: if this is not "
        "intended, set it to what 'python -m sessionware secret' prints (no_key)."
    )


@pytest.mark.parametrize("key", ["k" * 32 + "\n", " " + "k" * 32])
def test_white_space_around_the_key_is_warned_about(
    key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A file ends with a newline, and without it the key is another one."""
    acting(len, secret_key=key)
    [record] = caplog.records
    assert (record.levelno, vars(record)["reason"]) == (logging.WARNING, "padded_key")
    assert record.getMessage() == (
        "secret_key begins or ends with white space, which is part of the key: if it comes from a "
        "file, call strip() (padded_key)."
    )


# Websockets, whose connection ends without a response

LOST = (
    "A session was changed over a websocket, which has no response to set a cookie, so the change "
    "is lost: change the session in an HTTP request (lost_change)."
)


def end_of(act: Act, caplog: pytest.LogCaptureFixture, **variables: Any) -> list[str]:
    """Return what is logged if a connection ends, after this use of its session, by an error."""

    def app(environ: WSGIEnvironment, _: StartResponse) -> list[bytes]:
        act(environ["session"])
        raise StopIteration

    caplog.clear()
    settings = variables.pop("settings", {"secret_key": KEY})
    with pytest.raises(StopIteration):
        call(SessionMiddleware(app, **settings), **variables)
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket"])
def test_a_change_over_a_websocket_is_one_record(
    caplog: pytest.LogCaptureFixture, upgrade: str
) -> None:
    assert end_of(log_in, caplog, HTTP_UPGRADE=upgrade) == [LOST]
    assert vars(caplog.records[0])["reason"] == "lost_change"


@pytest.mark.parametrize("act", [len, id], ids=["read", "unused"])
def test_a_websocket_that_changes_nothing_logs_nothing(
    caplog: pytest.LogCaptureFixture, act: Act
) -> None:
    assert end_of(act, caplog, HTTP_UPGRADE="websocket") == []


@pytest.mark.parametrize("variables", [{}, {"HTTP_UPGRADE": "h2c"}])
def test_a_request_that_ends_like_a_websocket_logs_nothing(
    caplog: pytest.LogCaptureFixture, variables: dict[str, str]
) -> None:
    assert end_of(log_in, caplog, **variables) == []


def failing(environ: WSGIEnvironment, _: StartResponse) -> list[bytes]:
    log_in(environ["session"])
    raise ZeroDivisionError


def failing_later(environ: WSGIEnvironment, _: StartResponse) -> Iterator[bytes]:
    log_in(environ["session"])
    yield bytes(1 // 0)


def too_large(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    environ["session"]["text"] = "a" * 100_000
    start_response("200 OK", [])
    return []


@pytest.mark.parametrize("app", [failing, failing_later, too_large])
def test_a_request_that_fails_is_no_websocket_because_a_client_says_so(
    app: WSGIApplication, caplog: pytest.LogCaptureFixture
) -> None:
    """Its error is known to the server."""
    with pytest.raises((ZeroDivisionError, SessionTooLarge)):
        call(SessionMiddleware(app, KEY), HTTP_UPGRADE="websocket")
    assert caplog.records == []


def test_a_custom_session_may_not_know_whether_it_was_changed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = {"interface": MySessionInterface()}
    variables = {"HTTP_UPGRADE": "websocket", "QUERY_STRING": ""}
    assert end_of(log_in, caplog, settings=settings, **variables) == []


def test_a_response_to_a_refused_websocket_saves_the_session(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = call(acting(log_in, status="400 Bad Request"), HTTP_UPGRADE="websocket")
    assert response.cookie
    assert caplog.records == []


@pytest.mark.parametrize("reads", [False, True], ids=["gevent-websocket", "gevent"])
def test_a_websocket_of_a_server_that_wants_no_response_is_one_record(
    caplog: pytest.LogCaptureFixture, reads: bool
) -> None:
    """The application calls no start_response. One of the two servers reads the empty body."""

    def app(environ: WSGIEnvironment, _: StartResponse) -> list[bytes]:
        log_in(environ["session"])
        return []

    body: Any = SessionMiddleware(app, KEY)(make_environ(HTTP_UPGRADE="websocket"), print)  # type: ignore[arg-type]
    if reads:
        assert [*body] == []
    body.close()
    body.close()
    assert [record.getMessage() for record in caplog.records] == [LOST]
