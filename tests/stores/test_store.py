"""Sessions in Redis: what is kept there, for how long, and who gets at it."""

import pickle
from datetime import timedelta
from typing import Any

import pytest

from sessionware import Session, SessionTooLarge, SessionUnavailable
from sessionware.redis import RedisStore
from sessionware.store import key_of
from tests.conftest import Clock
from tests.gateway import KEY
from tests.redis_site import Site, count, data_of, id_of, untouched
from tests.stores.servers import KINDS, Backend, servers_of

DAYS_31 = 31 * 24 * 60 * 60


@pytest.fixture(params=KINDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    return servers_of(request.config).backend(request.param)


@pytest.fixture
def site(backend: Backend) -> Site:
    return Site(store=RedisStore(backend.client))


# What is kept


def test_session_goes_on_from_request_to_request(site: Site) -> None:
    first = site.visit(count)
    second = site.visit(count, first.cookie)
    assert (first.result, second.result, site.read(second.cookie)) == (1, 2, {"n": 2})


def test_values_of_every_type_come_back_as_what_they_were(site: Site) -> None:
    data = {"text": "é 𝄞 \x00", "when": timedelta.max.total_seconds(), "bytes": b"\xff", "t": (1,)}
    assert site.read(site.visit(lambda session: session.update(data)).cookie) == data


def test_redis_holds_the_json_text_under_the_hashed_id(site: Site, backend: Backend) -> None:
    page = site.visit(count)
    key = key_of(site.visit(id_of, page.cookie).result)
    assert backend.content() == {f"session:{key}": b'{"n":1}'}


def test_prefix_is_the_application_s_choice(backend: Backend) -> None:
    Site(store=RedisStore(backend.client, "shop:")).visit(count)
    assert backend.only().startswith("shop:")


def test_two_prefixes_share_nothing(backend: Backend) -> None:
    one, other = (Site(store=RedisStore(backend.client, prefix)) for prefix in ("a:", "b:"))
    assert other.read(one.visit(count).cookie) is None


def test_cookie_holds_no_data(site: Site) -> None:
    page = site.visit(lambda session: session.update(secret="s" * 3000))
    assert len(page.cookie) < 150


def test_no_id_stands_in_any_key_or_value(site: Site, backend: Backend) -> None:
    """Whoever reads the database cannot log in with what it holds."""
    cookie = site.log_in("ann", n=1)
    for _ in range(2):
        cookie = site.visit(Session.regenerate, cookie).cookie
    session_id = site.visit(id_of, cookie).result
    held = repr(backend.content())
    assert held.count("session:") == 2
    assert [part for part in (session_id[:8], session_id[-8:], cookie[8:]) if part in held] == []


def test_session_of_nine_hundred_kilobytes_is_kept(site: Site) -> None:
    cookie = site.visit(lambda session: session.update(text="x" * 900_000)).cookie
    assert site.read(cookie) == {"text": "x" * 900_000}


def test_session_over_the_limit_is_refused_and_the_last_one_stays(backend: Backend) -> None:
    site = Site(store=RedisStore(backend.client, limit=100))
    cookie = site.visit(count).cookie
    with pytest.raises(SessionTooLarge, match="101 bytes, the limit is 100"):
        site.visit(lambda session: session.update(text="x" * 84), cookie)
    assert site.read(cookie) == {"n": 1}


# For how long


def test_redis_forgets_the_session_when_it_would_be_refused(site: Site, backend: Backend) -> None:
    site.visit(count)
    assert DAYS_31 - 5 <= backend.client.ttl(backend.only()) <= DAYS_31


def test_absolute_timeout_is_the_time_to_live_where_it_is_nearer(
    backend: Backend, clock: Clock
) -> None:
    site = Site(store=RedisStore(backend.client), absolute_timeout=100, idle_timeout=90)
    cookie = site.visit(count).cookie
    clock.advance(80)
    site.visit(count, cookie)
    assert 15 <= backend.client.ttl(backend.only()) <= 20


@pytest.mark.parametrize("limit", ["idle_timeout", "absolute_timeout"])
def test_session_ends_on_time_though_redis_still_has_it(
    backend: Backend, clock: Clock, limit: str
) -> None:
    site = Site(store=RedisStore(backend.client), **{"refresh_after": 1000, limit: 100})
    cookie = site.visit(count).cookie
    backend.client.persist(backend.only())
    clock.advance(101)
    assert site.read(cookie) is None
    assert len(backend.content()) == 1


def test_use_of_an_older_session_prolongs_it_here_and_there(backend: Backend, clock: Clock) -> None:
    site = Site(store=RedisStore(backend.client), idle_timeout=100, refresh_after=50)
    cookie = site.visit(count).cookie
    key = backend.only()
    backend.client.expire(key, 49)
    clock.advance(51)
    page = site.visit(data_of, cookie)
    assert page.response.set_cookie
    assert 95 <= backend.client.ttl(key) <= 100
    clock.advance(51)
    assert site.read(page.cookie) == {"n": 1}


# Who gets at it


def test_id_that_redis_does_not_know_is_never_adopted(site: Site, backend: Backend) -> None:
    """An attacker who makes a victim use a known id gains nothing (fixation)."""
    known = site.visit(count).cookie
    backend.client.delete(backend.only())
    page = site.visit(count, known)
    assert page.result == 1
    assert site.visit(id_of, page.cookie).result not in known
    assert page.cookie != known
    assert site.read(known) is None


@pytest.mark.parametrize(
    "cookie",
    ["", "session=junk", "session=" + "A" * 4000, "session=WzAsbnVsbCwiYWFhYWFhYSJd.awDZXg.forged"],
)
def test_junk_and_strangers_ask_redis_nothing(site: Site, backend: Backend, cookie: str) -> None:
    backend.commands()
    for act in (data_of, untouched):
        assert site.visit(act, cookie).response.set_cookie is None
    assert backend.commands() == {}


def test_signed_id_that_is_unknown_writes_nothing(site: Site, backend: Backend) -> None:
    cookie = site.visit(count).cookie
    backend.client.delete(backend.only())
    backend.commands()
    assert site.read(cookie) is None
    assert backend.commands() == {"get": 1}


def test_cookie_that_carries_its_data_is_refused(site: Site, caplog: Any) -> None:
    """It was issued before the store was set: its session cannot be ended there."""
    with caplog.at_level("INFO"):
        assert site.read(Site().visit(lambda session: (session.id, count(session))).cookie) is None
    assert [record.reason for record in caplog.records] == ["malformed"]


@pytest.mark.parametrize(
    "value",
    [
        *(pickle.dumps({"n": 1}), b"", b"[1]", b"null", b'{"n":1', b'{"n":1}{}', b'{"n":"\xff"}'),
        *(b'{"n":NaN}', b'{"n":{"!d":"no date"}}', b"\x00", b"\xff\xfe{\x00", b"[" * 200_000),
    ],
    ids=lambda value: repr(value[:12]),
)
def test_value_that_is_not_ours_is_a_new_session_and_a_log_record(
    site: Site, backend: Backend, value: bytes, caplog: Any
) -> None:
    cookie = site.visit(count).cookie
    key = backend.only()
    backend.client.set(key, value)
    with caplog.at_level("INFO"):
        page = site.visit(count, cookie)
    assert page.result == 1
    assert [record.reason for record in caplog.records] == ["malformed"]
    assert backend.content()[key] == value


# How it ends


def test_log_out_deletes_the_session(site: Site, backend: Backend) -> None:
    page = site.visit(Session.invalidate, site.visit(count).cookie)
    assert (page.cookie, backend.content()) == ("", {})


def test_cookie_from_before_the_log_out_is_refused(site: Site, caplog: Any) -> None:
    cookie = site.visit(count).cookie
    site.visit(Session.clear, cookie)
    with caplog.at_level("INFO"):
        assert site.read(cookie) is None
    assert [record.reason for record in caplog.records] == ["revoked"]


def test_value_that_is_not_ours_is_deleted_all_the_same(backend: Backend) -> None:
    for value in (pickle.dumps(1), b"[]"):
        backend.client.set("session:k", value)
        assert RedisStore(backend.client).delete("k")
    assert backend.content() == {}


def test_regenerate_moves_the_data_and_deletes_the_old_record(site: Site, backend: Backend) -> None:
    before = site.visit(count).cookie
    key = backend.only()
    after = site.visit(Session.regenerate, before).cookie
    assert backend.only() != key
    assert (site.read(before), site.read(after)) == (None, {"n": 1})


def test_slow_change_never_undoes_a_log_out(site: Site, backend: Backend) -> None:
    cookie = site.visit(count).cookie

    def slow(session: Session) -> None:
        count(session)
        site.visit(Session.clear, cookie)

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, cookie)
    assert backend.content() == {}


def test_slow_regenerate_never_undoes_a_log_out(site: Site, backend: Backend) -> None:
    cookie = site.visit(count).cookie

    def slow(session: Session) -> None:
        session.regenerate()
        site.visit(Session.clear, cookie)

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, cookie)
    assert backend.content() == {}


def test_slow_reader_of_an_older_cookie_never_undoes_a_log_out(
    backend: Backend, clock: Clock
) -> None:
    site = Site(store=RedisStore(backend.client), refresh_after=10)
    cookie = site.visit(count).cookie
    clock.advance(11)
    page = site.visit(lambda session: (data_of(session), site.visit(Session.clear, cookie)), cookie)
    assert page.response.set_cookie is None
    assert backend.content() == {}


def test_of_two_regenerates_one_succeeds(site: Site, backend: Backend) -> None:
    cookie = site.visit(count).cookie
    won = []

    def slow(session: Session) -> None:
        session.regenerate()
        won.append(site.visit(Session.regenerate, cookie).cookie)

    with pytest.raises(SessionUnavailable):
        site.visit(slow, cookie)
    assert len(backend.content()) == 1
    assert site.read(won[0]) == {"n": 1}


def test_key_in_use_is_never_taken_for_a_new_session(backend: Backend) -> None:
    store = RedisStore(backend.client)
    assert store.save("k", '{"n":1}', new=True, seconds=9, owner=None)
    assert not store.save("k", '{"n":2}', new=True, seconds=9, owner=None)
    assert store.load("k") == '{"n":1}'


def test_store_and_encrypted_cookie_go_together(backend: Backend) -> None:
    pytest.importorskip("cryptography")
    site = Site(store=RedisStore(backend.client), encrypt=True)
    page = site.visit(count)
    assert site.visit(count, page.cookie).result == 2
    assert KEY not in page.cookie
