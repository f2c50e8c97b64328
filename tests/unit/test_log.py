"""The log records of ``sessionware``: each has a reason, and none holds a secret."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Clock
from tests.gateway import KEY, OLDER_KEY, call
from tests.unit.applications import acting, log_in
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
