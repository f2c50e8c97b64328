"""Where sessions are kept: the contract of a store, and what no race may undo."""

import json
import logging
import re
from contextlib import suppress
from typing import Any

import pytest

from sessionware import ConfigurationError, SessionMiddleware, SessionTooLarge, SessionUnavailable
from sessionware.codec import SignedCodec
from sessionware.store import key_of
from tests.conftest import Clock
from tests.gateway import KEY
from tests.sites import MemoryRevocations, MemoryStore, Site

CODEC = SignedCodec(KEY)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def site(store: MemoryStore) -> Site:
    return Site(store=store)


def count(session: Any) -> int:
    session["n"] = session.get("n", 0) + 1
    return int(session["n"])


def envelope(cookie: str) -> list[Any]:
    """What the cookie carries."""
    opened: list[Any] = json.loads(CODEC.decode(cookie.partition("=")[2]).text)
    return opened


# What is kept where


def test_cookie_carries_an_id_and_the_store_the_data(site: Site, store: MemoryStore) -> None:
    cookie = site.visit(count).cookie
    age, data, session_id = envelope(cookie)
    assert (age, data) == (0, None)
    assert re.fullmatch(r"[\w-]{22}", session_id)
    assert store.kept == {key_of(session_id): '{"n":1}'}
    assert site.visit(count, cookie).data == b"2"
    assert store.kept == {key_of(session_id): '{"n":2}'}


def test_what_is_kept_does_not_hold_what_logs_in(site: Site, store: MemoryStore) -> None:
    session_id = envelope(site.visit(count).cookie)[2]
    assert session_id not in json.dumps(store.kept)
    assert envelope(site.visit(lambda session: session.id).cookie)[2] not in json.dumps(store.kept)


def test_untouched_asks_nothing_a_read_loads_and_a_write_saves(
    site: Site, store: MemoryStore
) -> None:
    cookie = site.visit(count).cookie
    assert store.asked == ["create"]
    for act, asked in ((lambda _: "", []), (dict, ["load"]), (count, ["load", "update"])):
        store.asked.clear()
        site.visit(act, cookie)
        assert store.asked == asked


def test_reading_without_a_cookie_writes_nothing(site: Site, store: MemoryStore) -> None:
    assert site.visit(dict).set_cookie is None
    assert store.asked == []


def test_session_of_the_wrong_kind_is_refused(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    signed = Site().visit(lambda session: (session.id, count(session))).cookie
    kept = site.visit(count).cookie
    caplog.set_level(logging.INFO)
    assert site.data(signed) == {}
    assert Site().data(kept) == {}
    assert [record.__dict__["reason"] for record in caplog.records] == ["malformed"] * 2


@pytest.mark.parametrize(
    "text", ["", "[]", "nonsense", '{"a":1}x', '{"a":NaN}', "null", "\x80\x04"]
)
def test_text_that_is_not_ours_is_a_new_session(
    site: Site, store: MemoryStore, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    cookie = site.visit(count).cookie
    store.kept = dict.fromkeys(store.kept, text)
    caplog.set_level(logging.INFO)
    assert site.data(cookie) == {}
    assert [record.__dict__["reason"] for record in caplog.records] == ["malformed"]


def test_id_that_the_store_does_not_know_is_never_adopted(
    site: Site, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    """Session fixation (CWE-384): even with a good signature."""
    caplog.set_level(logging.INFO)
    planted = CODEC.encode('[0,null,"planted"]', int(clock()))
    response = site.visit(count, f"session={planted}")
    assert response.data == b"1"
    assert envelope(response.cookie)[2] != "planted"
    assert [record.__dict__["reason"] for record in caplog.records] == ["revoked"]


def test_seconds_are_what_is_left_of_both_limits(store: MemoryStore, clock: Clock) -> None:
    site = Site(store=store, idle_timeout=1000, absolute_timeout=1500)
    cookie = site.visit(count).cookie
    assert [*store.seconds.values()] == [1000]
    clock.advance(900)
    cookie = site.visit(count, cookie).cookie
    assert [*store.seconds.values()] == [600]
    clock.advance(601)
    assert site.visit(count, cookie).data == b"1"


def test_both_limits_hold_though_the_store_keeps_on(store: MemoryStore, clock: Clock) -> None:
    site = Site(store=store, idle_timeout=1000)
    cookie = site.visit(count).cookie
    clock.advance(1001)
    store.asked.clear()
    assert site.data(cookie) == {}
    assert store.asked == []


def test_session_over_the_limit_of_the_store_is_an_error(site: Site, store: MemoryStore) -> None:
    cookie = site.visit(lambda session: session.update(a="x" * 50_000)).cookie
    with pytest.raises(SessionTooLarge, match="limit is 100000; the largest keys are 'b'") as found:
        site.visit(lambda session: session.update(b="x" * 60_000), cookie)
    assert (found.value.size, found.value.limit) == (110_015, 100_000)
    assert site.data(cookie) == {"a": "x" * 50_000}


# Log-out and log-in


def test_log_out_deletes(site: Site, store: MemoryStore) -> None:
    cookie = site.visit(count).cookie
    response = site.visit(lambda session: session.invalidate(), cookie)
    assert response.cookie == "session="
    assert store.kept == {}
    assert site.data(cookie) == {}


def test_regenerate_deletes_what_was_under_the_last_id(site: Site, store: MemoryStore) -> None:
    first = site.visit(count).cookie
    second = site.visit(lambda session: session.regenerate(), first).cookie
    assert store.asked == ["create", "load", "create", "delete"]
    assert (site.data(first), site.data(second)) == ({}, {"n": 1})


def during(site: Site, cookie: str, other: Any, act: Any) -> Any:
    """A request that has read its session when another one comes and goes."""

    def slow(session: Any) -> None:
        dict(session)
        site.visit(other, cookie)
        act(session)

    return site.visit(slow, cookie)


@pytest.mark.parametrize("end", ["invalidate", "regenerate", "clear"])
@pytest.mark.parametrize("act", [count, lambda session: session.regenerate()])
def test_slower_request_never_undoes_a_log_out(
    site: Site, store: MemoryStore, end: str, act: Any
) -> None:
    """What it changed is not acknowledged either."""
    cookie = site.visit(count).cookie
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        during(site, cookie, lambda session: getattr(session, end)(), act)
    assert site.data(cookie) == {}
    assert len(store.kept) == (1 if end == "regenerate" else 0)


def test_slower_request_that_only_reads_does_not_bring_it_back(
    store: MemoryStore, clock: Clock
) -> None:
    site = Site(store=store, refresh_after=1)
    cookie = site.visit(count).cookie
    clock.advance(2)
    response = during(site, cookie, lambda session: session.invalidate(), len)
    assert response.set_cookie is None
    assert store.kept == {}


def test_slower_request_that_only_reads_keeps_what_another_has_written(
    store: MemoryStore, clock: Clock
) -> None:
    site = Site(store=store, refresh_after=1)
    cookie = site.visit(count).cookie
    clock.advance(2)
    response = during(site, cookie, count, len)
    assert response.cookie.startswith("session=")
    assert site.data(response.cookie) == {"n": 2}
    assert store.asked[-2] == "prolong"


def test_two_log_outs_at_once_are_both_fine(site: Site, store: MemoryStore) -> None:
    def log_out(session: Any) -> None:
        session.invalidate()
        session.flash("Good bye.")

    cookie = during(site, site.visit(count).cookie, log_out, log_out).cookie
    assert site.data(cookie) == {"_f_": ["Good bye."]}


def test_two_log_ins_at_once_are_both_fine(site: Site) -> None:
    """A double click: whoever has just shown a password does not need the last session."""

    def log_in(session: Any) -> None:
        session.regenerate()
        session.owner = "ada"

    cookie = during(site, site.visit(count).cookie, log_in, log_in).cookie
    assert site.visit(lambda session: session.owner, cookie).data == b"ada"


def test_id_that_is_in_use_is_not_taken(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: "A" * 22)
    cookie = site.visit(count).cookie
    with pytest.raises(SessionUnavailable):
        site.visit(count)
    assert site.data(cookie) == {"n": 1}


# A store that does not answer


@pytest.mark.parametrize("act", [dict, count])
def test_store_that_does_not_answer_is_no_anonymous_session(
    site: Site, store: MemoryStore, act: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SessionUnavailable("down")

    cookie = site.visit(count).cookie
    with monkeypatch.context() as patch:
        patch.setattr(store, "load", fail)
        assert site.visit(lambda _: "untouched", cookie).data == b"untouched"
        with pytest.raises(SessionUnavailable):
            site.visit(act, cookie)
    assert site.data(cookie) == {"n": 1}


def test_page_that_does_without_a_session_still_varies_by_cookie(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a shared cache would show the makeshift page to those whose session is there."""

    def fail(_: str) -> None:
        raise SessionUnavailable("down")

    def act(session: Any) -> None:
        with suppress(SessionUnavailable):
            len(session)

    cookie = site.visit(count).cookie
    monkeypatch.setattr(store, "load", fail)
    assert site.visit(act, cookie).header_list == [("Vary", "Cookie")]


# Settings


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"store": 5}, "store: found int, expected an object with limit, load, save and delete"),
        ({"store": MemoryStore}, "store: found the class MemoryStore"),
        ({"store": MemoryRevocations()}, "store: found MemoryRevocations"),
        ({"revocations": "x"}, "revocations: found str, expected an object with revoke and check"),
        (
            {"store": MemoryStore(), "revocations": MemoryRevocations()},
            "revocations: found together with store",
        ),
    ],
)
def test_wrong_store_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        SessionMiddleware(lambda *_: [], KEY, **settings)
