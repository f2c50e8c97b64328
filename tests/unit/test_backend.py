"""The backends: what the cookie carries, and which calls the store and the list receive."""

import json
import logging
import os
import re
from contextlib import suppress
from typing import Any

import pytest

from sessionware import ConfigurationError, Session, SessionMiddleware, SessionUnavailable
from sessionware.backend import MAX_REQUEST_TIME
from sessionware.codec import SignedCodec
from sessionware.store import key_of
from tests.conftest import Clock
from tests.gateway import KEY
from tests.sites import MemoryRevocations, MemoryStore, Site, count

CODEC = SignedCodec(KEY)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def site(store: MemoryStore) -> Site:
    return Site(store=store)


@pytest.fixture
def revocations() -> MemoryRevocations:
    return MemoryRevocations()


@pytest.fixture
def revocable(revocations: MemoryRevocations) -> Site:
    return Site(revocations=revocations)


def envelope(cookie: str) -> list[Any]:
    """Return the list that the cookie carries."""
    opened: list[Any] = json.loads(CODEC.decode(cookie.partition("=")[2]).text)
    return opened


def down(*_: object, **__: object) -> None:
    raise SessionUnavailable("down")


# The key


def test_key_is_a_hash_that_does_not_reveal_the_id() -> None:
    keys = [key_of(session_id) for session_id in ("a", "b", "", "é", "\ud800")]
    assert len({*keys}) == len(keys)
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys)


# A session in a store


def test_cookie_carries_an_id_and_the_store_the_data(site: Site, store: MemoryStore) -> None:
    cookie = site.visit(count).cookie
    data, age, session_id = envelope(cookie)
    assert (age, data) == (0, None)
    assert re.fullmatch(r"[\w-]{22}", session_id)
    assert store.kept == {key_of(session_id): '[{"n":1},0]'}
    assert site.visit(count, cookie).result == 2
    assert store.kept == {key_of(session_id): '[{"n":2},0]'}


def test_store_is_not_called_until_the_session_is_used(site: Site, store: MemoryStore) -> None:
    cookie = site.visit(count).cookie
    assert store.asked == ["create"]
    for act, asked in ((lambda _: "", []), (dict, ["load"]), (count, ["load", "update"])):
        store.asked.clear()
        site.visit(act, cookie)
        assert store.asked == asked


def test_session_of_the_wrong_kind_is_refused(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """A cookie from before the store was set carries its data, and could not be revoked."""
    signed = Site().visit(lambda session: (session.id, count(session))).cookie
    kept = site.visit(count).cookie
    caplog.set_level(logging.INFO)
    assert site.read(signed) is None
    assert Site().read(kept) is None
    assert [record.__dict__["reason"] for record in caplog.records] == ["malformed"] * 2


def test_time_to_live_respects_both_timeouts(store: MemoryStore, clock: Clock) -> None:
    site = Site(store=store, idle_timeout=1000, absolute_timeout=1500)
    cookie = site.visit(count).cookie
    assert [*store.seconds.values()] == [1000]
    clock.advance(900)
    cookie = site.visit(count, cookie).cookie
    assert [*store.seconds.values()] == [600]
    clock.advance(601)
    assert site.visit(count, cookie).result == 1


def test_previous_id_is_deleted_after_the_new_one_is_saved(site: Site, store: MemoryStore) -> None:
    site.visit(Session.regenerate, site.visit(count).cookie)
    assert store.asked == ["create", "load", "create", "create", "delete"]


def test_refresh_of_an_unchanged_session_only_prolongs_it(store: MemoryStore, clock: Clock) -> None:
    site = Site(store=store, refresh_after=1)
    cookie = site.visit(count).cookie
    clock.advance(2)
    store.asked.clear()
    site.visit(len, cookie)
    assert store.asked == ["load", "prolong"]


@pytest.mark.parametrize("act", [dict, count])
def test_store_failure_is_an_error_and_not_an_empty_session(
    site: Site, store: MemoryStore, act: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = site.visit(count).cookie
    with monkeypatch.context() as patch:
        patch.setattr(store, "load", down)
        assert site.visit(lambda _: "untouched", cookie).result == "untouched"
        with pytest.raises(SessionUnavailable):
            site.visit(act, cookie)
    assert site.read(cookie) == {"n": 1}


def test_page_that_suppresses_a_store_failure_still_varies_by_cookie(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ``Vary``, a shared cache would serve this page to users whose session loads."""

    def act(session: Any) -> None:
        with suppress(SessionUnavailable):
            len(session)

    cookie = site.visit(count).cookie
    monkeypatch.setattr(store, "load", down)
    assert site.visit(act, cookie).response.header_list == [("Vary", "Cookie")]


# A session in the cookie, with a list of ended sessions


def test_ended_session_is_refused_until_it_would_have_expired(
    revocations: MemoryRevocations, clock: Clock
) -> None:
    """MAX_REQUEST_TIME is added, because a slow request issues its cookie only when it ends."""
    site = Site(revocations=revocations, idle_timeout=1000, absolute_timeout=1500)
    cookie = site.log_in("ada")
    clock.advance(900)
    site.visit(Session.invalidate, cookie)
    assert revocations.refused == {key_of(envelope(cookie)[2]): 600 + MAX_REQUEST_TIME}


def test_session_that_is_too_large_does_not_end_the_previous_one(revocable: Site) -> None:
    def too_much(session: Any) -> None:
        session.regenerate()
        session["noise"] = os.urandom(3000)

    cookie = revocable.log_in("ada")
    with pytest.raises(ValueError, match="4096"):
        revocable.visit(too_much, cookie)
    assert revocable.read(cookie) == {}


def test_list_failure_is_an_error_and_not_an_empty_session(
    revocable: Site, revocations: MemoryRevocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = revocable.log_in("ada")
    monkeypatch.setattr(revocations, "check", down)
    with pytest.raises(SessionUnavailable):
        revocable.read(cookie)
    assert revocable.visit(lambda _: "untouched", cookie).result == "untouched"


def test_owner_is_not_set_if_the_list_fails(
    revocable: Site, revocations: MemoryRevocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log-out in another request still ends this session after the failure."""

    def slow(session: Any) -> None:
        dict(session)
        revocable.visit(Session.invalidate, cookie)
        with monkeypatch.context() as patch:
            patch.setattr(revocations, "check", down)
            with pytest.raises(SessionUnavailable, match="down"):
                session.owner = "grace"
        assert session.owner == "ada"
        session.regenerate()

    cookie = revocable.log_in("ada")
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        revocable.visit(slow, cookie)


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
