"""Sessions in a store: what is kept there, for how long, and who gets at it."""

import pickle
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sessionware import Session, SessionTooLarge, SessionUnavailable
from sessionware.codec import SignedCodec
from sessionware.store import Store, key_of
from tests.conftest import Clock
from tests.gateway import KEY
from tests.processes import require
from tests.sites import Act, Site, count, data_of, id_of, owner_of, untouched
from tests.stores.databases import Database

DAYS_31 = 31 * 24 * 60 * 60
KEY_OF_K = key_of("k")


@pytest.fixture
def store(database: Database) -> Store:
    store: Store = database.store()
    return store


@pytest.fixture
def site(store: Store) -> Site:
    return Site(store=store)


# What it is asked


def test_prolonged_session_is_kept_for_as_long_as_is_said(store: Store, database: Database) -> None:
    store.create(KEY_OF_K, '{"a":1}', seconds=9, owner=None)
    assert store.touch(KEY_OF_K, seconds=99, owner=None)
    assert 90 < database.seconds_of(f"session:{KEY_OF_K}") <= 99


def test_value_that_is_not_ours_is_deleted_all_the_same(store: Store, database: Database) -> None:
    for value in (pickle.dumps(1), b"[]"):
        store.create(KEY_OF_K, "text", seconds=9, owner=None)
        database.put(f"session:{KEY_OF_K}", value)
        assert store.delete(KEY_OF_K)
    assert database.content() == {}


# What is kept


def test_session_goes_on_from_request_to_request(site: Site) -> None:
    first = site.visit(count)
    second = site.visit(count, first.cookie)
    assert (first.result, second.result, site.read(second.cookie)) == (1, 2, {"n": 2})


def test_values_of_every_type_come_back_as_what_they_were(site: Site) -> None:
    data = {"text": "é 𝄞 \x00", "when": timedelta.max.total_seconds(), "bytes": b"\xff", "t": (1,)}
    assert site.read(site.visit(lambda session: session.update(data)).cookie) == data


def test_json_text_is_kept_under_the_hashed_id(site: Site, database: Database) -> None:
    page = site.visit(count)
    key = key_of(site.visit(id_of, page.cookie).result)
    assert database.content() == {f"session:{key}": b'[{"n":1},0]'}


def test_cookie_holds_no_data(site: Site) -> None:
    page = site.visit(lambda session: session.update(secret="s" * 3000))
    assert len(page.cookie) < 150


def test_no_id_stands_in_any_name_or_value(site: Site, database: Database) -> None:
    """Reading the database is not enough to log in."""
    cookie = site.log_in("ann", n=1)
    for _ in range(2):
        cookie = site.visit(Session.regenerate, cookie).cookie
    session_id = site.visit(id_of, cookie).result
    held = repr(database.content())
    assert held.count("session:") == held.count(key_of(session_id)) > 0
    assert [part for part in (session_id[:8], session_id[-8:], cookie[8:]) if part in held] == []


def test_session_of_nine_hundred_kilobytes_is_kept(site: Site) -> None:
    cookie = site.visit(lambda session: session.update(text="x" * 900_000)).cookie
    assert site.read(cookie) == {"text": "x" * 900_000}


def test_session_over_the_limit_is_refused_and_the_last_one_stays(database: Database) -> None:
    site = Site(store=database.store(limit=100))
    cookie = site.visit(count).cookie
    with pytest.raises(SessionTooLarge, match="101 bytes, and the limit is 100"):
        site.visit(lambda session: session.update(text="x" * 80), cookie)
    assert site.read(cookie) == {"n": 1}


def test_error_about_the_limit_names_the_largest_keys(database: Database) -> None:
    site = Site(store=database.store(limit=100_000))
    cookie = site.visit(lambda session: session.update(a="x" * 50_000)).cookie
    with pytest.raises(SessionTooLarge, match=r"100000\. The largest keys are 'b'") as found:
        site.visit(lambda session: session.update(b="x" * 60_000), cookie)
    assert (found.value.size, found.value.limit) == (110_019, 100_000)
    assert site.read(cookie) == {"a": "x" * 50_000}


# For how long


def test_session_is_forgotten_when_it_would_be_refused(site: Site, database: Database) -> None:
    site.visit(count, site.visit(count).cookie)
    assert DAYS_31 - 5 <= database.seconds_of(database.only()) <= DAYS_31


def test_absolute_timeout_is_the_time_to_live_where_it_is_nearer(
    database: Database, clock: Clock
) -> None:
    site = Site(store=database.store(), absolute_timeout=100, idle_timeout=90)
    cookie = site.visit(count).cookie
    clock.advance(80)
    site.visit(count, cookie)
    assert 15 <= database.seconds_of(database.only()) <= 20


@pytest.mark.parametrize("limit", ["idle_timeout", "absolute_timeout"])
def test_session_ends_on_time_though_the_store_still_has_it(
    database: Database, clock: Clock, limit: str
) -> None:
    site = Site(store=database.store(), **{"refresh_after": 1000, limit: 100})
    cookie = site.visit(count).cookie
    database.keep(database.only(), None)
    clock.advance(101)
    database.commands()
    assert site.read(cookie) is None
    assert database.commands() == {}
    assert len(database.content()) == 1


def test_use_of_an_older_session_prolongs_it_here_and_there(
    database: Database, clock: Clock
) -> None:
    site = Site(store=database.store(), idle_timeout=100, refresh_after=50)
    cookie = site.visit(count).cookie
    name = database.only()
    database.keep(name, 60)
    clock.advance(51)
    page = site.visit(data_of, cookie)
    assert page.response.set_cookie
    assert 95 <= database.seconds_of(name) <= 100
    clock.advance(51)
    assert site.read(page.cookie) == {"n": 1}


# Who gets at it


def test_id_that_the_store_does_not_know_is_never_adopted(site: Site, database: Database) -> None:
    """An attacker who makes a victim use a known id gains nothing (fixation)."""
    known = site.visit(count).cookie
    database.forget(database.only())
    page = site.visit(count, known)
    assert page.result == 1
    assert site.visit(id_of, page.cookie).result not in known
    assert page.cookie != known
    assert site.read(known) is None


def test_signed_id_that_was_never_known_is_not_adopted_either(
    site: Site, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    """Session fixation (CWE-384): even with a good signature."""
    planted = SignedCodec(KEY).encode('[0,null,"planted"]', int(clock()))
    with caplog.at_level("INFO"):
        page = site.visit(count, f"session={planted}")
    assert page.result == 1
    assert site.visit(id_of, page.cookie).result != "planted"
    assert [record.__dict__["reason"] for record in caplog.records] == ["revoked"]


@pytest.mark.parametrize(
    "cookie",
    ["", "session=junk", "session=" + "A" * 4000, "session=WzAsbnVsbCwiYWFhYWFhYSJd.awDZXg.forged"],
)
def test_junk_and_strangers_ask_the_store_nothing(
    site: Site, database: Database, cookie: str
) -> None:
    database.commands()
    for act in (data_of, untouched):
        assert site.visit(act, cookie).response.set_cookie is None
    assert database.commands() == {}


def test_signed_id_that_is_unknown_writes_nothing(site: Site, database: Database) -> None:
    cookie = site.visit(count).cookie
    database.forget(database.only())
    database.commands()
    assert site.read(cookie) is None
    assert database.commands() in ({"get": 1}, {"load": 1}, {"select": 1})


@pytest.mark.parametrize(
    "value",
    [
        pickle.dumps({"n": 1}),
        b"",
        b"[]",
        b"[1]",
        b"null",
        b"nonsense",
        b'{"n":1',
        b'{"n":1}x',
        b'{"n":1}{}',
        b'{"n":NaN}',
        b'{"n":{"!d":"no date"}}',
        b"\x00",
        b"\x80\x04",
        b"\xff\xfe{\x00",
        b"[" * 200_000,
    ],
    ids=lambda value: repr(value[:12]),
)
def test_value_that_is_not_ours_is_a_new_session_and_a_log_record(
    site: Site, database: Database, value: bytes, caplog: Any
) -> None:
    cookie = site.visit(count).cookie
    name = database.only()
    kept = database.put(name, value)
    with caplog.at_level("INFO"):
        page = site.visit(count, cookie)
    assert page.result == 1
    assert [record.reason for record in caplog.records] == ["malformed"]
    assert database.content()[name] == kept


def test_id_that_is_in_use_is_not_taken(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_urlsafe", lambda size: "A" * -(-size * 4 // 3))
    cookie = site.visit(count).cookie
    with pytest.raises(SessionUnavailable):
        site.visit(lambda session: session.update(n=2))
    assert site.read(cookie) == {"n": 1}


def test_store_and_encrypted_cookie_go_together(database: Database) -> None:
    require("cryptography")
    site = Site(store=database.store(), encrypt=True)
    page = site.visit(count)
    assert site.visit(count, page.cookie).result == 2
    assert KEY not in page.cookie


# How it ends


def test_log_out_deletes_the_session(site: Site, database: Database) -> None:
    cookie = site.visit(count).cookie
    page = site.visit(Session.invalidate, cookie)
    assert page.response.cookie == "session="
    assert (page.cookie, database.content()) == ("", {})
    assert site.read(cookie) is None


def test_cookie_from_before_the_log_out_is_refused(site: Site, caplog: Any) -> None:
    cookie = site.visit(count).cookie
    site.visit(Session.clear, cookie)
    with caplog.at_level("INFO"):
        assert site.read(cookie) is None
    assert [record.reason for record in caplog.records] == ["revoked"]


def test_regenerate_moves_the_data_and_leaves_the_old_record_for_a_minute(
    site: Site, database: Database, clock: Clock
) -> None:
    before = site.visit(count).cookie
    name = database.only()
    after = site.visit(Session.regenerate, before).cookie
    assert database.only() != name
    assert 55 <= database.seconds_of(name) <= 60
    assert (site.read(before), site.read(after)) == ({"n": 1}, {"n": 1})
    clock.advance(61)
    assert (site.read(before), site.read(after)) == (None, {"n": 1})


@pytest.mark.parametrize("end", [Session.invalidate, Session.clear])
@pytest.mark.parametrize("act", [count, Session.regenerate])
def test_slower_request_never_undoes_a_log_out(
    site: Site, database: Database, end: Act, act: Act
) -> None:
    """What it changed is not acknowledged either."""
    cookie = site.visit(count).cookie
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit_during(end, act, cookie)
    assert site.read(cookie) is None
    assert database.content() == {}


@pytest.mark.parametrize("act", [count, Session.regenerate])
def test_slower_request_never_undoes_a_renewal(site: Site, act: Act) -> None:
    cookie = site.visit(count).cookie
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit_during(Session.regenerate, act, cookie)
    assert site.read(cookie) == {"n": 1}


@pytest.mark.parametrize("act", [count, Session.regenerate])
def test_change_from_before_a_log_out_does_not_undo_it(
    site: Site, database: Database, act: Callable[[Session], object]
) -> None:
    cookie = site.visit(count).cookie

    def slow(session: Session) -> None:
        act(session)
        site.visit(Session.clear, cookie)

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, cookie)
    assert database.content() == {}


def test_slower_request_that_only_reads_does_not_bring_it_back(
    database: Database, clock: Clock
) -> None:
    site = Site(store=database.store(), refresh_after=1)
    cookie = site.visit(count).cookie
    clock.advance(2)
    page = site.visit_during(Session.invalidate, len, cookie)
    assert page.response.set_cookie is None
    assert database.content() == {}


def test_slower_request_that_only_reads_keeps_what_another_has_written(
    database: Database, clock: Clock
) -> None:
    site = Site(store=database.store(), refresh_after=1)
    cookie = site.visit(count).cookie
    clock.advance(2)
    page = site.visit_during(count, len, cookie)
    assert page.response.cookie.startswith("session=")
    assert site.read(page.cookie) == {"n": 2}


def test_of_two_regenerates_one_succeeds(site: Site, database: Database) -> None:
    cookie = site.visit(count).cookie
    won = []

    def slow(session: Session) -> None:
        session.regenerate()
        won.append(site.visit(Session.regenerate, cookie).cookie)

    with pytest.raises(SessionUnavailable):
        site.visit(slow, cookie)
    assert len(database.content()) == 1
    assert site.read(won[0]) == {"n": 1}


def test_two_log_outs_at_once_are_both_fine(site: Site) -> None:
    def log_out(session: Session) -> None:
        session.invalidate()
        session.flash("Good bye.")

    cookie = site.visit_during(log_out, log_out, site.visit(count).cookie).cookie
    assert site.read(cookie) == {"_f_": ["Good bye."]}


def test_two_log_ins_at_once_are_both_fine(site: Site) -> None:
    """A double click: after a password was accepted, the last session is not needed."""

    def log_in(session: Session) -> None:
        session.regenerate()
        session.owner = "ada"

    cookie = site.visit_during(log_in, log_in, site.visit(count).cookie).cookie
    assert site.visit(owner_of, cookie).result == "ada"
