"""Sessions in a store: what the cookie carries, and which calls the store receives."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from threading import Event
from types import SimpleNamespace
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from werkzeug.datastructures import Headers

from sessionware import (
    Session,
    SessionTooLarge,
    SessionUnavailable,
)
from sessionware.backend import GRACE, MAX_ATTEMPTS, MAX_REQUEST_TIME
from sessionware.codec import SignedCodec
from sessionware.migration import SessionwareCookie
from sessionware.store import key_of
from tests.conftest import Clock
from tests.gateway import KEY, make_environ
from tests.sites import Act, MemoryStore, Page, Site, count, data_of, id_of, owner_of

CODEC = SignedCodec(KEY)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def site(store: MemoryStore) -> Site:
    return Site(store=store)


def envelope(cookie: str) -> list[Any]:
    """Return the list that the cookie carries."""
    opened: list[Any] = json.loads(CODEC.decode(cookie.partition("=")[2])[0])
    return opened


def log_in(session: Session) -> None:
    session.owner = "ann"


def adding(**data: Any) -> Act:
    return lambda session: session.update(data)


def setting_in(name: str, key: str) -> Act:
    return lambda session: session[name].update({key: 1})


def appending(item: object) -> Act:
    return lambda session: session["items"].append(item)


def flashing(message: str) -> Act:
    return lambda session: session.flash(message)


def shown(session: Session) -> list[Any]:
    return session.pop_flash()


def staying(session: Session) -> None:
    session.permanent = True


def staying_as_it_is(session: Session) -> None:
    session.modified = True


def down(*_: object, **__: object) -> None:
    raise SessionUnavailable("down")


# A session in a store


def test_cookie_carries_an_id_and_the_store_the_data(site: Site, store: MemoryStore) -> None:
    cookie = site.visit(count).cookie
    data, age, session_id = envelope(cookie)
    assert (age, data) == (0, True)
    assert re.fullmatch(r"[\w-]{22}", session_id)
    assert store.kept == {key_of(session_id): '[{"n":1},0]'}
    again = site.visit(count, cookie)
    assert (again.result, envelope(again.cookie)) == (2, [None, 0, session_id])
    assert store.kept == {key_of(session_id): '[{"n":2},0]'}


def test_store_is_not_called_until_the_session_is_used(site: Site, store: MemoryStore) -> None:
    cookie = site.log_in("ann")
    assert store.asked == ["create"]
    for act, asked in ((lambda _: "", []), (dict, ["load"]), (count, ["load", "replace"])):
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


def test_previous_id_is_closed_after_the_new_one_is_saved(site: Site, store: MemoryStore) -> None:
    """In between, it is noted which session takes its place."""
    cookie = site.log_in("ann")
    store.asked.clear()
    site.visit(Session.regenerate, cookie)
    assert store.asked == ["load", "create", "create", "replace"]


def test_refresh_of_an_unchanged_session_saves_it_as_it_is(
    store: MemoryStore, clock: Clock
) -> None:
    """Only if no other request has changed or renewed it meanwhile: see test_server_side_grace."""
    site = Site(store=store, refresh_after=1)
    cookie = site.log_in("ann", cart=1)
    clock.advance(2)
    before = store.kept.copy()
    store.asked.clear()
    site.visit(len, cookie)
    assert (store.asked, store.kept) == (["load", "replace"], before)


def test_refresh_keeps_what_another_request_has_changed_meanwhile(
    store: MemoryStore, clock: Clock
) -> None:
    site = Site(store=store, idle_timeout=100, permanent_timeout=1000)
    cookie = site.log_in("ann")
    clock.advance(20)
    line = site.visit_during(staying, len, cookie).response.set_cookie
    assert "Max-Age=1000" in str(line)
    assert [*store.seconds.values()] == [1000]
    assert site.read(cookie) == {"_permanent": True}


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


def test_renewed_session_is_ended_by_a_log_out_that_still_has_the_old_id(site: Site) -> None:
    cookie = site.visit(count).cookie
    renewed: list[str] = []

    def slow(session: Session) -> None:
        dict(session)
        renewed.append(site.visit(Session.regenerate, cookie).cookie)
        renewed.append(site.visit(log_in, renewed[0]).cookie)
        session.invalidate()

    site.visit(slow, cookie)
    assert [site.read(each) for each in renewed] == [None, None]


def test_renewed_session_is_ended_by_a_log_out_that_begins_another(site: Site) -> None:
    cookie = site.visit(count).cookie
    renewed: list[str] = []

    def slow(session: Session) -> None:
        dict(session)
        renewed.append(site.visit(Session.regenerate, cookie).cookie)
        session.invalidate()
        session["message"] = "goodbye"

    assert site.read(site.visit(slow, cookie).cookie) == {"message": "goodbye"}
    assert site.read(renewed[0]) is None


def test_log_out_ends_the_one_of_two_renewals_that_succeeds(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the other one has said first that it would take the session's place."""
    cookie = site.visit(count).cookie
    session_id, renewed = envelope(cookie)[2], []
    replace = store.replace

    def renew_meanwhile(*arguments: Any, **options: Any) -> bool:
        monkeypatch.setattr(store, "replace", replace)
        renewed.append(site.visit(log_in, cookie).cookie)
        return replace(*arguments, **options)

    def slow(session: Session) -> None:
        dict(session)
        monkeypatch.setattr(store, "replace", renew_meanwhile)
        with pytest.raises(SessionUnavailable, match="ended by another request"):
            site.visit(Session.regenerate, cookie)
        session.invalidate()

    site.visit(slow, cookie)
    assert (len(renewed), site.read(renewed[0])) == (1, None)
    assert key_of(session_id) not in store.kept


def test_log_in_that_finds_its_session_ended_is_one_of_its_own(site: Site) -> None:
    cookie = site.visit(count).cookie

    def slow(session: Session) -> None:
        dict(session)
        site.visit(Session.invalidate, cookie)
        log_in(session)

    assert site.visit(owner_of, site.visit(slow, cookie).cookie).result == "ann"


def test_log_in_that_is_under_way_when_its_session_is_ended_is_one_of_its_own(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its new session is saved and named already, but the log-out does not end it."""
    cookie = site.visit(count).cookie
    replace = store.replace

    def log_out_meanwhile(*arguments: Any, **options: Any) -> bool:
        monkeypatch.setattr(store, "replace", replace)
        site.visit(Session.invalidate, cookie)
        return replace(*arguments, **options)

    monkeypatch.setattr(store, "replace", log_out_meanwhile)
    page = site.visit(log_in, cookie)
    assert site.visit(owner_of, page.cookie).result == "ann"


def test_log_out_ends_a_session_that_another_request_has_changed(
    site: Site, store: MemoryStore
) -> None:
    cookie = site.log_in("ann")
    site.visit_during(count, Session.invalidate, cookie)
    assert site.read(cookie) is None
    assert store.kept == {}


def test_session_that_is_about_to_be_deleted_is_refused(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = site.log_in("ann")
    monkeypatch.setattr(store, "delete", down)
    with pytest.raises(SessionUnavailable, match="down"):
        site.visit(Session.invalidate, cookie)
    assert site.read(cookie) is None


def test_session_is_not_saved_if_its_owner_was_ended_meanwhile(
    site: Site, store: MemoryStore
) -> None:
    """The stamp is read again after the session was saved, or it would outlive this end."""

    def slow(session: Session) -> None:
        log_in(session)
        store.revoke_owner("ann")

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow)
    assert store.kept == {}


def test_session_is_saved_if_another_owner_was_ended_meanwhile(
    site: Site, store: MemoryStore
) -> None:
    def slow(session: Session) -> None:
        session.owner = 1
        store.revoke_owner("1")

    assert site.read(site.visit(slow).cookie) == {}


def test_stamp_is_kept_beside_the_owner(site: Site, store: MemoryStore) -> None:
    store.revoke_owner("ann")
    site.visit(log_in)
    assert [*store.kept.values()] == ['[{},0,0,0,"ann","1"]']


def test_store_without_stamps_has_sessions_with_owners(store: MemoryStore) -> None:
    verbs = ("load", "create", "replace", "touch", "delete")
    plain = SimpleNamespace(limit=999, **{verb: getattr(store, verb) for verb in verbs})
    assert Site(store=plain).log_in("ann")
    assert [*store.kept.values()] == ['[{},0,0,0,"ann"]']


@pytest.mark.parametrize("owner", [1, "1", UUID(int=1)], ids=repr)
def test_store_is_given_the_owner_with_its_type(site: Site, store: MemoryStore, owner: Any) -> None:
    site.log_in(owner)
    [given] = store.owners.values()
    assert (type(given), given) == (type(owner), owner)


def test_time_to_live_is_the_idle_timeout_that_applies(store: MemoryStore) -> None:
    site = Site(store=store, idle_timeout=100, permanent_timeout=1000)
    cookie = site.visit(count).cookie
    assert [*store.seconds.values()] == [100]
    site.visit(lambda session: setattr(session, "permanent", True), cookie)
    assert [*store.seconds.values()] == [1000]


@pytest.mark.parametrize(
    ("timeouts", "act", "seconds"),
    [((100, 1000), log_in, 100), ((1000, 100), staying, 100), ((9000, 9000), count, 3600)],
    ids=["until the browser closes", "permanent", "a visitor who has not come back"],
)
def test_session_that_the_store_has_forgotten_at_its_end_is_logged_as_expired(
    store: MemoryStore,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    timeouts: tuple[int, int],
    act: Act,
    seconds: int,
) -> None:
    """It is not taken for one that was ended, which somebody may want to know of."""
    site = Site(store=store, idle_timeout=timeouts[0], permanent_timeout=timeouts[1])
    cookie = site.visit(act).cookie
    clock.advance(seconds + 1)
    caplog.set_level(logging.INFO)
    assert site.read(cookie) is None
    assert [vars(record)["reason"] for record in caplog.records] == ["expired_idle"]


@pytest.mark.parametrize("act", [log_in, staying, count])
def test_session_that_was_ended_before_its_end_is_logged_as_revoked(
    store: MemoryStore, clock: Clock, caplog: pytest.LogCaptureFixture, act: Act
) -> None:
    site = Site(store=store, idle_timeout=100, permanent_timeout=1000)
    cookie = site.visit(act).cookie
    site.visit(Session.invalidate, cookie)
    clock.advance(100)
    caplog.set_level(logging.INFO)
    assert site.read(cookie) is None
    assert [vars(record)["reason"] for record in caplog.records] == ["revoked"]


@pytest.mark.parametrize("value", ["junk", '[{"n":1}]', ""])
def test_value_that_is_no_session_is_refused(
    site: Site, store: MemoryStore, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    cookie = site.visit(count).cookie
    store.kept[key_of(envelope(cookie)[2])] = value
    caplog.set_level(logging.INFO)
    assert site.read(cookie) is None
    assert [vars(record)["reason"] for record in caplog.records] == ["malformed"]


# A session in a store that two requests change at once


@pytest.mark.parametrize(
    ("begin", "one", "other", "merged"),
    [
        (adding(), adding(a=1), adding(b=2), {"b": 2, "a": 1}),
        (adding(d={}), setting_in("d", "a"), setting_in("d", "b"), {"d": {"b": 1, "a": 1}}),
        (adding(items=[0]), appending(1), appending(2), {"items": [0, 2, 1]}),
        (flashing("0"), flashing("1"), flashing("2"), {"_f_": ["0", "2", "1"]}),
        (adding(a=1), lambda session: session.pop("a"), adding(b=2), {"b": 2}),
        (adding(a=1), adding(b=2), lambda session: session.pop("a"), {"b": 2}),
        (flashing("0"), shown, flashing("1"), {"_f_": ["1"]}),
        (flashing("0"), flashing("1"), shown, {"_f_": ["1"]}),
        (flashing("0"), shown, shown, {}),
    ],
)
def test_changes_of_two_requests_are_merged(
    site: Site, begin: Act, one: Act, other: Act, merged: dict[str, Any]
) -> None:
    """The other one is answered first. How changes are merged in detail: test_merge."""
    cookie = site.visit(lambda session: (session.id, begin(session))).cookie
    site.visit_during(other, one, cookie)
    assert site.read(cookie) == merged


def test_of_one_key_that_both_change_the_later_save_counts(site: Site) -> None:
    cookie = site.visit(adding(a=0)).cookie
    site.visit_during(adding(a=1), adding(a=2), cookie)
    assert site.read(cookie) == {"a": 2}


@pytest.mark.parametrize("of_other", [True, False])
def test_csrf_token_of_one_request_stays_beside_the_data_of_another(
    site: Site, of_other: bool
) -> None:
    cookie, tokens = site.visit(count).cookie, list[str]()

    def make_token(session: Session) -> None:
        tokens.append(session.get_csrf_token())

    other, act = (make_token, adding(a=1)) if of_other else (adding(a=1), make_token)
    site.visit_during(other, act, cookie)
    assert site.visit(Session.get_csrf_token, cookie).result == tokens[0]
    assert site.read(cookie) == {"n": 1, "a": 1}


@pytest.mark.parametrize("acts", [(staying, count), (count, staying)])
def test_merged_session_is_permanent_in_the_store_and_in_the_browser(
    store: MemoryStore, acts: tuple[Act, Act]
) -> None:
    site = Site(store=store, idle_timeout=100, permanent_timeout=1000)
    cookie = site.visit(count).cookie
    page = site.visit_during(*acts, cookie)
    assert "Max-Age=1000" in (page.response.set_cookie or "")
    assert [*store.seconds.values()] == [1000]


def leaving(session: Session) -> None:
    session.permanent = False


class Shortening(NamedTuple):
    """A site, a cookie, and an act that gives its session a shorter idle timeout than its age."""

    site: Site
    older: str
    shorten: Act


@pytest.fixture(
    params=[((100, 1000), staying, leaving), ((1000, 100), leaving, staying)],
    ids=["no longer permanent", "permanent"],
)
def shortening(request: pytest.FixtureRequest, store: MemoryStore, clock: Clock) -> Shortening:
    (idle, permanent), begin, shorten = request.param
    site = Site(store=store, idle_timeout=idle, permanent_timeout=permanent)
    older = site.visit(begin, site.log_in("ann", n=0)).cookie
    clock.advance(101)
    return Shortening(site, older, shorten)


@pytest.mark.parametrize("wait", [0, GRACE])
def test_older_cookie_works_for_a_minute_after_the_idle_timeout_became_shorter(
    shortening: Shortening, clock: Clock, wait: int
) -> None:
    """It may have been sent before that, and what its request changes is not lost."""
    site, older, shorten = shortening
    last = site.visit(shorten, older).cookie
    clock.advance(wait)
    assert site.visit(owner_of, site.visit(count, older).cookie).result == "ann"
    assert site.visit(lambda session: session["n"], last).result == 1


@pytest.mark.parametrize(
    "act",
    [data_of, count, Session.regenerate, lambda session: setattr(session, "owner", "ann")],
    ids=["read", "count", "regenerate", "log_in"],
)
def test_older_cookies_of_several_requests_work_for_that_minute(
    shortening: Shortening, act: Act
) -> None:
    """What the first of them does, such as to have the cookie issued again, changes nothing."""
    site, older, shorten = shortening
    site.visit(act, site.visit(shorten, older).cookie)
    assert site.visit(owner_of, older).result == "ann"


def test_older_cookie_works_though_another_request_saves_at_the_same_time(
    shortening: Shortening,
) -> None:
    site, older, shorten = shortening
    site.visit_during(shorten, count, older)
    assert site.visit(owner_of, older).result == "ann"


def test_older_cookie_is_refused_a_minute_after_the_idle_timeout_became_shorter(
    shortening: Shortening, clock: Clock
) -> None:
    site, older, shorten = shortening
    last = site.visit(shorten, older).cookie
    clock.advance(GRACE + 1)
    site.visit(count, last)
    assert site.read(older) is None


def test_older_cookie_works_though_another_request_brings_the_former_one_alone(
    store: MemoryStore, clock: Clock
) -> None:
    def log_in_to_stay(session: Session) -> None:
        session.owner, session.permanent = "ann", True

    former = Site(cookie_name="former", permanent_timeout=9000).visit(log_in_to_stay).cookie
    reader = SessionwareCookie(KEY, cookie_name="former", permanent_timeout=9000)
    site = Site(store=store, idle_timeout=100, permanent_timeout=9000, migrate_from=[reader])
    cookie = site.visit(dict, former).cookie
    clock.advance(101)
    site.visit(leaving, cookie)
    site.visit(count, former)
    assert site.visit(owner_of, cookie).result == "ann"


def test_change_that_leaves_the_idle_timeout_as_it_is_revives_no_older_cookie(
    store: MemoryStore, clock: Clock
) -> None:
    site = Site(store=store, idle_timeout=100, permanent_timeout=1000)
    copy = last = site.log_in("ann")
    for _ in range(3):
        clock.advance(40)
        last = site.visit(count, last).cookie
    assert site.read(copy) is None


def test_limit_holds_after_a_merge(store: MemoryStore) -> None:
    """Each of the two changes would be within it. The one that was acknowledged stays."""
    store.limit = 100
    site = Site(store=store)
    cookie = site.visit(count).cookie
    with pytest.raises(SessionTooLarge, match="135 bytes, and the limit is 100"):
        site.visit_during(adding(a="x" * 50), adding(b="x" * 60), cookie)
    assert site.read(cookie) == {"n": 1, "a": "x" * 50}


def test_request_that_is_always_too_late_gives_up(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie, refused = site.visit(count).cookie, list[object]()
    monkeypatch.setattr(store, "replace", lambda *_, **__: refused.append(_))
    with pytest.raises(SessionUnavailable, match="100 times in a row another request was faster"):
        site.visit(count, cookie)
    assert len(refused) == MAX_ATTEMPTS == 100


def test_change_of_a_session_that_became_junk_meanwhile_is_refused(
    site: Site, store: MemoryStore
) -> None:
    cookie = site.visit(count).cookie
    key = key_of(envelope(cookie)[2])

    def spoil(_: Session) -> None:
        store.kept[key], store.versions[key] = "junk", "another"

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit_during(spoil, count, cookie)
    assert store.kept[key] == "junk"


def log_in_as_ben(session: Session) -> None:
    session.owner = "ben"


def log_out_and_in(session: Session) -> None:
    session.invalidate()
    session.owner = "ann"


def moved(store: MemoryStore) -> Site:
    """Return a site that had no store before, and another name of the cookie."""
    return Site(store=store, migrate_from=[SessionwareCookie(KEY, cookie_name="former")])


@pytest.mark.parametrize(("act", "owner"), [(log_in_as_ben, "ben"), (log_out_and_in, "ann")])
def test_log_in_that_ends_the_session_of_a_former_cookie_lasts(
    store: MemoryStore, act: Act, owner: str
) -> None:
    site = moved(store)
    page = site.visit(act, Site(cookie_name="former").log_in("ann"))
    assert site.visit(owner_of, page.cookie).result == owner


def test_log_in_lasts_beside_a_former_cookie_that_stays_in_the_browser(store: MemoryStore) -> None:
    """All sessions come from that of the former cookie, over any number of log-ins."""
    site, former = moved(store), Site(cookie_name="former").log_in("ann")
    ours = ""
    for act, owner in [(log_in, "ann"), (log_in_as_ben, "ben"), (log_in, "ann"), (log_in, "ann")]:
        ours = site.visit(act, f"{former}; {ours}").cookie
        assert site.visit(owner_of, f"{former}; {ours}").result == owner


def test_log_out_with_a_cookie_from_before_two_log_ins_ends_the_last(store: MemoryStore) -> None:
    """The second one has ended the session of the first, and the browser has neither answer."""
    site, former = moved(store), Site(cookie_name="former").log_in("ann")
    anns = site.visit(Session.regenerate, former).cookie
    bens = site.visit(log_in_as_ben, f"{former}; {anns}").cookie
    site.visit(Session.invalidate, former)
    assert site.visit(owner_of, bens).result is None


def log_out_and_in_as_ben(session: Session) -> None:
    session.invalidate()
    session.owner = "ben"


def both(site: Site, first: Act, second: Act, cookie: str) -> tuple[str, str]:
    """Return the cookies of two requests, of which the second is under way during the first."""
    answers: list[str] = []

    def slow(session: Session) -> None:
        dict(session)
        answers.append(site.visit(first, cookie).cookie)
        second(session)

    answers.append(site.visit(slow, cookie).cookie)
    return answers[0], answers[1]


@pytest.mark.parametrize("act", [log_in_as_ben, log_out_and_in_as_ben])
def test_two_log_ins_over_the_session_of_another_both_last(site: Site, act: Act) -> None:
    """The browser keeps the cookie that comes last, be it that of the first."""
    for cookie in both(site, act, act, site.log_in("ann")):
        assert site.visit(owner_of, cookie).result == "ben"


def test_log_out_with_the_cookie_from_before_two_log_ins_ends_both(site: Site) -> None:
    anns = site.log_in("ann")
    cookies = both(site, log_in_as_ben, log_in_as_ben, anns)
    site.visit(Session.invalidate, anns)
    for cookie in cookies:
        assert site.visit(owner_of, cookie).result is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Session.regenerate, log_in_as_ben),
        (Session.regenerate, log_out_and_in),
        (log_in_as_ben, log_out_and_in),
        (log_out_and_in, log_in_as_ben),
    ],
)
def test_log_in_ends_what_else_has_taken_the_place_of_the_session(
    site: Site, first: Act, second: Act
) -> None:
    ended, cookie = both(site, first, second, site.log_in("ann"))
    assert site.visit(owner_of, ended).result is None
    assert site.visit(owner_of, cookie).result is not None


def test_two_requests_that_adopt_one_session_both_save(store: MemoryStore) -> None:
    former = Site(cookie_name="former").visit(count).cookie
    site = Site(store=store, migrate_from=[SessionwareCookie(KEY, cookie_name="former")])
    cookie = site.visit_during(adding(a=1), adding(b=2), former).cookie
    assert site.read(cookie) == {"n": 1, "a": 1, "b": 2}


# A session in a store that one request renews while another changes it


def log_in_again(session: Session) -> None:
    session.invalidate()
    session.owner = "ann"


@pytest.mark.parametrize("renew", [Session.regenerate, log_in])
def test_change_is_in_the_session_that_takes_the_place(site: Site, renew: Act) -> None:
    cookie = site.visit(count).cookie
    page = site.visit_during(adding(a=1), lambda session: (renew(session), count(session)), cookie)
    assert site.read(page.cookie) == {"n": 2, "a": 1}


def test_change_in_the_last_moment_is_too(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the new session was saved, and before the old one is ended."""
    cookie, replace = site.visit(count).cookie, store.replace

    def change_first(*arguments: Any, **options: Any) -> bool:
        monkeypatch.setattr(store, "replace", replace)
        site.visit(adding(a=1), cookie)
        return replace(*arguments, **options)

    monkeypatch.setattr(store, "replace", change_first)
    assert site.read(site.visit(Session.regenerate, cookie).cookie) == {"n": 1, "a": 1}


@pytest.mark.parametrize("owner", ["bob", None])
def test_change_is_not_in_a_session_that_begins_without_the_data(
    site: Site, owner: str | None
) -> None:
    cookie = site.log_in(owner, n=1) if owner else site.visit(count).cookie
    page = site.visit_during(adding(secret=1), log_in_again if owner is None else log_in, cookie)
    assert site.read(page.cookie) == {}


def test_csrf_token_of_a_visitor_does_not_outlive_the_log_in(site: Site) -> None:
    cookie, tokens = site.visit(count).cookie, list[str]()

    def make_token(session: Session) -> None:
        tokens.append(session.get_csrf_token())

    page = site.visit_during(make_token, log_in, cookie)
    assert site.visit(Session.get_csrf_token, page.cookie).result not in tokens


def test_renewed_session_is_permanent_if_another_request_has_said_so(store: MemoryStore) -> None:
    site = Site(store=store, idle_timeout=100, permanent_timeout=1000)
    page = site.visit_during(staying, Session.regenerate, site.visit(count).cookie)
    assert "Max-Age=1000" in (page.response.set_cookie or "")
    assert store.seconds[key_of(envelope(page.cookie)[2])] == 1000


def test_renewal_that_would_exceed_the_limit_changes_nothing(store: MemoryStore) -> None:
    store.limit = 100
    site = Site(store=store)
    cookie = site.visit(count).cookie

    def renew(session: Session) -> None:
        session.regenerate()
        session["b"] = "x" * 60

    with pytest.raises(SessionTooLarge, match="135 bytes, and the limit is 100"):
        site.visit_during(adding(a="x" * 50), renew, cookie)
    assert site.read(cookie) == {"n": 1, "a": "x" * 50}
    assert sum(text.startswith("[") for text in store.kept.values()) == 1


def test_renewal_that_is_always_too_late_changes_nothing(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = site.visit(count).cookie
    key, replace = key_of(envelope(cookie)[2]), store.replace

    def refuse(name: str, *arguments: Any, **options: Any) -> bool:
        return name != key and replace(name, *arguments, **options)

    monkeypatch.setattr(store, "replace", refuse)
    with pytest.raises(SessionUnavailable, match="100 times in a row another request was faster"):
        site.visit(Session.regenerate, cookie)
    assert site.read(cookie) == {"n": 1}
    assert sum(text.startswith("[") for text in store.kept.values()) == 1


def test_renewal_that_was_ended_meanwhile_is_refused(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as by revoke_owner, while it puts together what others have changed."""
    cookie, replace = site.log_in("ann"), store.replace

    def end_first(*arguments: Any, **options: Any) -> bool:
        monkeypatch.setattr(store, "replace", replace)
        site.visit(count, cookie)
        old = key_of(envelope(cookie)[2])
        for key in [key for key, text in store.kept.items() if text.startswith("[") and key != old]:
            store.delete(key)
        return replace(*arguments, **options)

    monkeypatch.setattr(store, "replace", end_first)
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(Session.regenerate, cookie)


@pytest.mark.parametrize("renew", [Session.regenerate, log_in])
def test_session_that_another_request_renews_is_left_to_it(
    site: Site, store: MemoryStore, renew: Act
) -> None:
    """If this one ended it, what the other one has merged would be lost with the other one."""
    cookie = site.visit(count).cookie
    key, closed = key_of(envelope(cookie)[2]), '"k",1,[null,0]'

    def close(_: Session) -> None:
        store.kept[key], store.versions[key] = closed, "another"

    with pytest.raises(SessionUnavailable) if renew is not log_in else nullcontext():
        site.visit_during(close, renew, cookie)
    assert store.kept[key].endswith(",[null,0]")


def test_session_whose_id_is_in_use_is_not_saved(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "create", lambda *_, **__: False)
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(count)


def test_renewal_gives_up_if_too_many_are_under_way(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie, create = site.visit(count).cookie, store.create

    def refuse_notes(key: str, text: str, **options: Any) -> bool:
        return text.startswith("[") and create(key, text, **options)

    monkeypatch.setattr(store, "create", refuse_notes)
    with pytest.raises(SessionUnavailable, match="100 times in a row"):
        site.visit(Session.regenerate, cookie)
    assert site.read(cookie) == {"n": 1}


@pytest.mark.parametrize("verb", ["create", "replace"])
def test_renewal_fails_if_the_store_does(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """The session is then as it was."""
    cookie = site.visit(count).cookie
    with monkeypatch.context() as patch:
        patch.setattr(store, verb, down)
        with pytest.raises(SessionUnavailable, match="down"):
            site.visit(Session.regenerate, cookie)
    assert site.read(cookie) == {"n": 1}
    assert [text for text in store.kept.values() if text.startswith("[")] == ['[{"n":1},0]']


def test_log_in_as_somebody_else_fails_if_the_store_does(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def log_in_as_bob(session: Session) -> None:
        session.owner = "bob"
        monkeypatch.setattr(store, "delete", down)

    with pytest.raises(SessionUnavailable, match="down"):
        site.visit(log_in_as_bob, site.log_in("ann"))


# A visitor's session in a store


def test_visitors_session_lives_an_hour_until_its_cookie_comes_back(
    site: Site, store: MemoryStore
) -> None:
    cookie = site.visit(count).cookie
    assert [*store.seconds.values()] == [3600]
    assert site.visit(data_of, cookie).response.set_cookie is None
    assert [*store.seconds.values()] == [31 * 24 * 3600]


def test_visitors_session_whose_cookie_never_comes_back_is_gone_after_an_hour(
    site: Site, clock: Clock
) -> None:
    cookie = site.visit(count).cookie
    clock.advance(3601)
    assert site.read(cookie) is None


@pytest.mark.parametrize("idle", [100, 10_000])
def test_visitors_session_has_its_full_life_after_an_hour_of_use(idle: int, clock: Clock) -> None:
    site = Site(store=MemoryStore(), idle_timeout=idle)
    cookie = site.visit(count).cookie
    clock.advance(idle * 0.09)
    assert site.read(cookie) == {"n": 1}
    clock.advance(idle * 0.9)
    assert site.read(cookie) == {"n": 1}


def test_visitors_session_is_kept_once_more_only_in_its_first_hour(
    site: Site, store: MemoryStore, clock: Clock
) -> None:
    """After that, it is there because an earlier request has kept it."""
    cookie = site.visit(count).cookie
    asked = []
    for seconds in (0, 1800, 1800, 61):
        clock.advance(seconds)
        store.asked.clear()
        assert site.read(cookie) == {"n": 1}
        asked.append([*store.asked])
    assert asked == [["load", "touch"]] * 3 + [["load"]]


def test_request_that_brings_a_visitors_cookie_may_be_slow(site: Site, clock: Clock) -> None:
    cookie = site.visit(count).cookie
    clock.advance(3599)

    def slow(session: Session) -> None:
        dict(session)
        clock.advance(3600)

    site.visit(slow, cookie)
    assert site.read(cookie) == {"n": 1}


def test_visitors_session_that_becomes_permanent_while_its_cookie_comes_back_lives_on(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other request with the cookie keeps the session for what it was when it was loaded."""
    store = MemoryStore()
    site = Site(store=store, idle_timeout=1000, permanent_timeout=9000)
    cookie = site.visit(count).cookie
    touch, later = store.touch, []

    def remember_meanwhile(*arguments: Any, **options: Any) -> bool:
        monkeypatch.setattr(store, "touch", touch)
        later.append(site.visit(lambda session: session.update(_permanent=True), cookie).cookie)
        return touch(*arguments, **options)

    monkeypatch.setattr(store, "touch", remember_meanwhile)
    site.read(cookie)
    clock.advance(2000)
    assert site.read(later[0]) == {"n": 1, "_permanent": True}


def test_visitors_session_that_ends_while_its_cookie_comes_back_is_refused(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = site.visit(count).cookie
    monkeypatch.setattr(store, "touch", lambda *_, **__: False)
    assert site.read(cookie) is None


def test_visitors_session_can_be_read_from_a_store_that_refuses_to_write(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = site.visit(count).cookie
    monkeypatch.setattr(store, "touch", down)
    assert site.read(cookie) == {"n": 1}


@pytest.mark.parametrize(
    "begin",
    [Session.invalidate, lambda session: setattr(session, "owner", None)],
    ids=["invalidate", "owner"],
)
def test_what_begins_after_a_log_out_is_a_visitors_session(
    site: Site, store: MemoryStore, begin: Act
) -> None:
    cookie = site.log_in("ann")
    cookie = site.visit(lambda session: (begin(session), session.flash("Bye")), cookie).cookie
    assert envelope(cookie)[0] is True
    assert [store.seconds[key] for key in store.kept] == [3600]


@pytest.mark.parametrize("act", [log_in, lambda session: setattr(session, "owner", 1)])
def test_session_that_begins_with_an_owner_has_its_full_life(
    site: Site, store: MemoryStore, act: Act
) -> None:
    assert envelope(site.visit(act).cookie)[0] is None
    assert [*store.seconds.values()] == [31 * 24 * 3600]


def test_session_of_a_former_cookie_has_its_full_life(store: MemoryStore) -> None:
    """The browser has shown that it keeps cookies."""
    former = Site(cookie_name="former").visit(count).cookie
    site = Site(store=store, migrate_from=[SessionwareCookie(KEY, cookie_name="former")])
    kept, _, session_id = envelope(site.visit(count, former).cookie)
    assert (kept, store.seconds[key_of(session_id)]) == (None, 31 * 24 * 3600)


# Another request is served between two calls of the store


class Interrupted(MemoryStore):
    """A store that serves another request after one of its calls, or refuses that call."""

    def __init__(self, limit: int = 1024 * 1024) -> None:
        super().__init__(limit)
        self.verb, self.calls, self.refuses = "", 0, False
        self.meanwhile: Callable[[], object] = bool

    def serve(self, verb: str, calls: int, meanwhile: Callable[[], object]) -> None:
        """Do this after so many calls of the verb from now on."""
        self.verb, self.calls, self.meanwhile, self.refuses = verb, calls, meanwhile, False

    def refuse(self, verb: str, calls: int) -> None:
        """Refuse this one of the calls of the verb from now on."""
        self.verb, self.calls, self.refuses = verb, calls, True

    @contextmanager
    def _alone(self, verb: str, key: str) -> Iterator[None]:
        assert len(self.asked) < 1000, "a request does not end"
        self.calls -= verb == self.verb
        is_meant = verb == self.verb and self.calls == 0
        if is_meant and self.refuses:
            down()
        with super()._alone(verb, key):
            yield
        if is_meant:
            self.meanwhile()

    def stamp(self, owner: Any, /) -> str:
        with self._alone("stamp", ""):
            return super().stamp(owner)


CALLS = [(verb, calls) for verb in ("load", "create", "replace", "delete") for calls in range(1, 9)]
STAMPS = [("stamp", calls) for calls in (1, 2, 3)]


@pytest.fixture
def interrupted() -> Interrupted:
    return Interrupted()


@pytest.mark.parametrize(("verb", "calls"), CALLS)
def test_requests_of_one_page_all_see_the_session_that_they_take_over(
    interrupted: Interrupted, verb: str, calls: int
) -> None:
    former, site = Site(cookie_name="former").log_in("ann", n=1), moved(interrupted)
    pages: list[Page] = []

    def look() -> None:
        pages.append(site.visit(owner_of, former))

    interrupted.serve(verb, calls, look)
    look()
    assert {page.result for page in pages} == {"ann"}
    assert len({site.visit(id_of, page.cookie).result for page in pages}) == 1


@pytest.mark.parametrize(("verb", "calls"), CALLS)
@pytest.mark.parametrize("renew", [Session.regenerate, log_in])
def test_session_is_renewed_though_another_request_takes_it_over(
    interrupted: Interrupted, verb: str, calls: int, renew: Act
) -> None:
    """The other one only reads, and nobody has ended the session."""
    former, site = Site(cookie_name="former").log_in("ann", n=1), moved(interrupted)
    interrupted.serve(verb, calls, lambda: site.visit(dict, former))
    renewed = site.visit(renew, former).cookie
    assert site.visit(owner_of, renewed).result == "ann"
    assert site.read(former) is None


@pytest.mark.parametrize(("verb", "calls"), CALLS)
def test_copy_of_a_former_cookie_that_is_used_in_a_slow_request_stays_ended(
    interrupted: Interrupted, verb: str, calls: int
) -> None:
    """The slow one cannot take the session over any more, at no moment."""
    former, site = Site(cookie_name="former").log_in("ann", n=1), moved(interrupted)
    copies: list[str] = []

    def use_a_copy() -> None:
        copies.append(site.visit(Session.regenerate, former).cookie)

    def slow(session: Session) -> None:
        session["slow"] = True
        site.visit(Session.invalidate, former)
        interrupted.serve(verb, calls, use_a_copy)

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, former)
    assert [site.visit(owner_of, copy).result for copy in copies] == [None] * len(copies)


def former_cookie(owner: str | None) -> str:
    """Return the former cookie of this user, or of a visitor."""
    site = Site(cookie_name="former")
    return site.visit(adding(n=1)).cookie if owner is None else site.log_in(owner, n=1)


def begun(site: Site, act: Act, cookie: str) -> Callable[[], str]:
    """Return what ends a request that has come, and has used its session, by now."""
    environ, headers, interface = make_environ(cookie), Headers(), site.app.interface
    session: Any = interface.open_session(environ)
    act(session)

    def end() -> str:
        interface.save_session(environ, session, headers)
        return ["", *headers.getlist("Set-Cookie")][-1].partition(";")[0]

    return end


@pytest.mark.parametrize("owner", [None, "ann"])
def test_change_that_meets_an_ended_session_which_a_slow_reader_has_saved_is_refused(
    interrupted: Interrupted, owner: str | None
) -> None:
    former, site = former_cookie(owner), moved(interrupted)
    write, read = begun(site, adding(a=1), former), begun(site, dict, former)
    site.visit(Session.invalidate, former)

    def meanwhile() -> None:
        with pytest.raises(SessionUnavailable, match="ended by another request"):
            write()

    interrupted.serve("create", 1, meanwhile)
    assert read() == ""
    assert not any(text.startswith("[") for text in interrupted.kept.values())


@pytest.mark.parametrize(("verb", "calls"), CALLS)
@pytest.mark.parametrize("renew", [Session.regenerate, log_in])
@pytest.mark.parametrize("owner", [None, "ann"])
def test_renewed_session_has_the_change_of_one_that_was_taken_over_meanwhile(
    interrupted: Interrupted, verb: str, calls: int, renew: Act, owner: str | None
) -> None:
    """Another request has saved it, and did not come to note that."""
    former, site = former_cookie(owner), moved(interrupted)
    requests = [begun(site, act, former) for act in (dict, adding(a=1), renew)]
    read, write, renewal = requests
    written: list[str] = []

    def meanwhile() -> None:
        interrupted.refuse("create", 2)
        read()
        with suppress(SessionUnavailable):
            written.append(write())

    interrupted.serve(verb, calls, meanwhile)
    renewed = site.read(renewal())
    assert renewed == ({"n": 1, "a": 1} if any(written) else {"n": 1})


@pytest.mark.parametrize(("verb", "calls"), CALLS)
@pytest.mark.parametrize("is_saved", [False, True])
@pytest.mark.parametrize("act", [adding(a=1), Session.regenerate])
@pytest.mark.parametrize("owner", [None, "ann"])
def test_log_out_with_a_former_cookie_holds_though_slow_pages_save_the_session(
    interrupted: Interrupted, verb: str, calls: int, is_saved: bool, act: Act, owner: str | None
) -> None:
    former, site = former_cookie(owner), moved(interrupted)
    read, log_out = begun(site, dict, former), begun(site, Session.invalidate, former)
    cookies = [former] + [read()] * is_saved
    slow = begun(site, act, cookies[-1])

    def meanwhile() -> None:
        with suppress(SessionUnavailable):
            cookies.append(slow())

    interrupted.serve(verb, calls, meanwhile)
    log_out()
    assert [site.read(cookie) for cookie in cookies] == [None] * len(cookies)


@pytest.mark.parametrize("owner", [None, "ann"])
def test_log_out_holds_though_a_slow_page_begins_the_session_again_and_another_one_renews_it(
    interrupted: Interrupted, owner: str | None
) -> None:
    former, site = former_cookie(owner), moved(interrupted)
    write, renewal = (begun(site, act, former) for act in (adding(a=1), Session.regenerate))
    copy = site.visit(dict, former).cookie

    def renew() -> None:
        with pytest.raises(SessionUnavailable, match="ended by another request"):
            renewal()

    def log_out() -> None:
        site.visit(Session.invalidate, copy)
        interrupted.serve("create", 1, renew)

    interrupted.serve("load", 1, log_out)
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        write()
    assert site.read(copy) is None


@pytest.mark.parametrize("renew", [Session.regenerate, log_in])
@pytest.mark.parametrize("owner", [None, "ann"])
def test_session_is_renewed_though_the_request_that_takes_it_over_is_too_late_to_note_that(
    interrupted: Interrupted, monkeypatch: pytest.MonkeyPatch, renew: Act, owner: str | None
) -> None:
    """That request is refused, and leaves the session to the one that is about to renew it."""
    former, site = former_cookie(owner), moved(interrupted)
    write, replace = begun(site, adding(a=1), former), interrupted.replace
    renewals: list[Future[str]] = []
    is_about_to, is_refused = Event(), Event()

    def replace_late(*arguments: Any, **life: Any) -> bool:
        monkeypatch.setattr(interrupted, "replace", replace)
        is_about_to.set()
        assert is_refused.wait(10)
        return replace(*arguments, **life)

    def meanwhile() -> None:
        monkeypatch.setattr(interrupted, "replace", replace_late)
        renewals.append(pool.submit(begun(site, renew, former)))
        assert is_about_to.wait(10)

    interrupted.serve("create", 1, meanwhile)
    with ThreadPoolExecutor() as pool:
        with pytest.raises(SessionUnavailable, match="ended by another request"):
            write()
        is_refused.set()
    renewed = site.read(renewals[0].result())
    assert renewed is not None
    assert renewed["n"] == 1


@pytest.mark.parametrize(("verb", "calls"), CALLS)
@pytest.mark.parametrize("owner", [None, "ann"])
def test_one_of_two_renewals_succeeds_though_a_reader_takes_the_session_over_between_them(
    interrupted: Interrupted, verb: str, calls: int, owner: str | None
) -> None:
    former, site = former_cookie(owner), moved(interrupted)
    first = begun(site, Session.regenerate, former)
    site.visit(dict, former)
    second = begun(site, Session.regenerate, former)
    renewed: list[str] = []

    def meanwhile() -> None:
        with suppress(SessionUnavailable):
            renewed.append(second())

    interrupted.serve(verb, calls, meanwhile)
    with suppress(SessionUnavailable):
        renewed.append(first())
    if interrupted.calls > 0:  # The call was never reached.
        meanwhile()
    assert [site.read(cookie) for cookie in renewed if cookie] == [{"n": 1}]


def test_session_that_was_renewed_can_be_read_for_a_moment_though_a_slow_reader_has_begun_it(
    interrupted: Interrupted,
) -> None:
    former, site = Site(cookie_name="former").log_in("ann", n=1), moved(interrupted)
    requests = [begun(site, act, former) for act in (dict, adding(a=1), Session.regenerate)]
    read, write, renewal = requests
    cookies: list[str] = []
    interrupted.serve("create", 1, lambda: cookies.extend([write(), renewal()]))
    assert read() == ""
    assert [site.read(cookie) for cookie in cookies] == [{"n": 1, "a": 1}] * 2


@pytest.mark.parametrize(("verb", "calls"), [*CALLS, *STAMPS])
def test_former_cookie_is_refused_after_revoke_owner_though_a_slow_reader_was_interrupted(
    interrupted: Interrupted, verb: str, calls: int
) -> None:
    former, site = Site(cookie_name="former").log_in("ann", n=1), moved(interrupted)

    def slow(session: Session) -> None:
        data_of(session)
        interrupted.revoke_owner("ann")
        interrupted.refuse(verb, calls)

    site.visit(slow, former)
    interrupted.refuse("", 0)
    assert site.visit(owner_of, former).result is None


@pytest.mark.parametrize(("verb", "calls"), CALLS)
@pytest.mark.parametrize("renew", [Session.regenerate, log_in])
def test_former_session_is_as_before_after_a_renewal_that_was_refused(
    interrupted: Interrupted, verb: str, calls: int, renew: Act
) -> None:
    former, site = Site(cookie_name="former").visit(adding(n=1)).cookie, moved(interrupted)
    interrupted.refuse(verb, calls)
    with suppress(SessionUnavailable):
        former = site.visit(renew, former).cookie
    interrupted.refuse("", 0)
    assert site.read(former) == {"n": 1}


@pytest.mark.parametrize(("verb", "calls"), [*CALLS, *STAMPS])
def test_former_session_goes_on_after_a_change_that_was_refused(
    interrupted: Interrupted, verb: str, calls: int
) -> None:
    former, site = Site(cookie_name="former").log_in("ann", n=1), moved(interrupted)
    interrupted.refuse(verb, calls)
    with suppress(SessionUnavailable):
        site.visit(adding(a=1), former)
    interrupted.refuse("", 0)
    assert (site.read(former) or {})["n"] == 1


@pytest.mark.parametrize(("verb", "calls"), CALLS)
@pytest.mark.parametrize("renew", [Session.regenerate, log_in])
def test_session_that_was_taken_over_can_be_read_after_a_renewal_that_was_refused(
    interrupted: Interrupted, verb: str, calls: int, renew: Act
) -> None:
    site = moved(interrupted)
    cookie = site.visit(count, Site(cookie_name="former").visit(adding(a=1)).cookie).cookie
    interrupted.refuse(verb, calls)
    with suppress(SessionUnavailable):
        cookie = site.visit(renew, cookie).cookie
    interrupted.refuse("", 0)
    assert site.read(cookie) == {"a": 1, "n": 1}


BEFORE: dict[str, Callable[[Site], str]] = {
    "nobody": lambda _: "",
    "visitor": lambda site: site.visit(adding(n=1)).cookie,
    "another user": lambda site: site.log_in("ann"),
    "another user twice": lambda site: f"{site.log_in('ann')}; {site.log_in('ann')}",
    "visitor of before": lambda _: Site(cookie_name="former").visit(adding(n=1)).cookie,
    "user of before": lambda _: Site(cookie_name="former").log_in("ann"),
}
"""What the browser has before a log-in."""


@pytest.mark.parametrize(("verb", "calls"), [*CALLS, *STAMPS])
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("answered", [True, False], ids=["refused", "answer lost"])
def test_log_in_that_has_failed_leaves_no_session_of_its_owner(
    interrupted: Interrupted, verb: str, calls: int, before: str, answered: bool
) -> None:
    """A list of the user's devices would show it. One is left if it alone has a visitor's data."""
    site = moved(interrupted)
    cookie = BEFORE[before](site)
    has_the_data = (before, verb, calls, answered) == ("visitor", "replace", 1, False)
    if answered:
        interrupted.refuse(verb, calls)
    else:
        interrupted.serve(verb, calls, down)
    try:
        kept = site.visit(log_in_as_ben, cookie).cookie != ""
    except SessionUnavailable:
        kept = False
    interrupted.refuse("", 0)
    assert (interrupted.revoke_owner("ben") > 0) == (kept or has_the_data)


@pytest.mark.parametrize(("verb", "calls"), CALLS)
def test_two_log_outs_at_once_of_a_session_that_was_taken_over_both_succeed(
    interrupted: Interrupted, verb: str, calls: int
) -> None:
    site = moved(interrupted)
    cookie = site.visit(count, Site(cookie_name="former").log_in("ann")).cookie
    interrupted.serve(verb, calls, lambda: site.visit(Session.invalidate, cookie))
    assert site.visit(Session.invalidate, cookie).cookie == ""
    assert site.read(cookie) is None


def test_old_id_is_read_while_a_second_renewal_is_taken_back(interrupted: Interrupted) -> None:
    site = Site(store=interrupted)
    old = site.log_in("ann")
    seen: list[Any] = []

    def renew_too_late(session: Session) -> None:
        session.regenerate()
        look = lambda: seen.append(site.visit(owner_of, old).result)  # noqa: E731 - two words
        interrupted.serve("delete", 1, look)

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit_during(Session.regenerate, renew_too_late, old)
    assert seen == ["ann"]


def test_log_out_ends_though_a_renewal_has_come_to_nothing(interrupted: Interrupted) -> None:
    """Its note names the session that there is, which is not to be ended again and again."""
    interrupted.limit = 1000
    site = Site(store=interrupted)
    cookie = site.log_in("ann")

    def renew(session: Session) -> None:
        session["a"] = 600 * "x"
        session.regenerate()

    with pytest.raises(SessionTooLarge):
        site.visit_during(adding(b=600 * "y"), renew, cookie)
    assert site.visit(Session.invalidate, cookie).cookie == ""
    assert site.visit(Session.invalidate, cookie).cookie == ""


def test_log_out_finds_a_renewal_after_one_that_failed_an_hour_ago(
    interrupted: Interrupted, clock: Clock
) -> None:
    site = Site(store=interrupted)
    old = site.log_in("ann")

    def fail(session: Session) -> None:
        session.regenerate()
        interrupted.refuse("replace", 1)

    with pytest.raises(SessionUnavailable, match="down"):
        site.visit(fail, old)
    clock.advance(MAX_REQUEST_TIME - 10)
    new = site.visit(Session.regenerate, old).cookie
    clock.advance(20)
    site.visit(Session.invalidate, old)
    assert site.read(new) is None


@pytest.mark.parametrize(("verb", "calls"), CALLS)
def test_log_in_as_another_user_ends_a_renewal_that_meets_it(
    interrupted: Interrupted, verb: str, calls: int
) -> None:
    site = Site(store=interrupted)
    anns = site.log_in("ann")
    renewed: list[str] = []

    def renew() -> None:
        with suppress(SessionUnavailable):
            renewed.append(site.visit(Session.regenerate, anns).cookie)

    interrupted.serve(verb, calls, renew)
    bens = site.visit(log_in_as_ben, anns).cookie
    interrupted.serve("", 0, bool)
    assert site.visit(owner_of, bens).result == "ben"
    assert [site.visit(owner_of, each).result for each in renewed] in ([], [None])


# A request that has nothing to save


@pytest.mark.parametrize("act", [staying_as_it_is, Session.regenerate])
def test_forced_save_of_a_refused_session_is_no_log_out(store: MemoryStore, act: Act) -> None:
    """A page that was sent before the log-in would end it."""
    former, site = Site(cookie_name="former").visit(adding(n=1)).cookie, moved(store)
    cookie = site.visit(log_in, former).cookie
    assert site.visit(act, former).response.set_cookie is None
    assert site.visit(owner_of, cookie).result == "ann"


def test_log_out_ends_any_number_of_renewals_in_linear_time(store: MemoryStore) -> None:
    site = Site(store=store)
    cookie = first = site.log_in("ann")
    for _ in range(1000):
        cookie = site.visit(Session.regenerate, cookie).cookie
    started = time.process_time()
    site.visit(Session.invalidate, first)
    assert time.process_time() - started < 1
    assert site.read(cookie) is None
