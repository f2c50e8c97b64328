"""Grace: what a request can do with the id that its session had a moment ago, in a store."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from sessionware import Session, SessionUnavailable
from sessionware.backend import GRACE, MAX_REQUEST_TIME
from sessionware.migration import SessionwareCookie
from sessionware.server_side import MAX_RENEWALS
from sessionware.store import key_of
from tests.conftest import Clock
from tests.gateway import KEY
from tests.sites import (
    LOG_OUTS,
    Act,
    MemoryRevocations,
    MemoryStore,
    Site,
    count,
    data_of,
    every_log_out,
    id_of,
    owner_of,
)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def site(store: MemoryStore) -> Site:
    return Site(store=store)


def log_in(session: Session) -> None:
    session.owner = "ann"


def log_in_as_bob(session: Session) -> None:
    session.owner = "bob"


def adding(**data: Any) -> Act:
    return lambda session: session.update(data)


def begin_anew(session: Session) -> None:
    session.clear()
    session["a"] = 1


def raises_on(act: Act, site: Site, cookie: str) -> None:
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(act, cookie)


every_renewal = pytest.mark.parametrize(
    "renew", [Session.regenerate, log_in, lambda session: session.regenerate(keep_created=True)]
)


# What it sees


@every_renewal
def test_old_id_sees_the_session_as_it_was_and_never_what_comes_after(
    site: Site, renew: Act
) -> None:
    """Whoever has planted the old id would else see the data of the user (CWE-384)."""
    old = site.visit(adding(cart=1)).cookie
    new = site.visit(lambda session: (renew(session), session.update(secret=1)), old).cookie
    site.visit(adding(more=1), new)
    assert site.read(old) == {"cart": 1}
    assert site.read(new) == {"cart": 1, "secret": 1, "more": 1}


def test_old_id_sees_neither_the_owner_nor_the_csrf_token_of_the_log_in(site: Site) -> None:
    def see(session: Session) -> Any:
        return session.owner, session.id, session.get_csrf_token()

    old = site.visit(Session.get_csrf_token).cookie
    before = site.visit(see, old).result
    new = site.visit(log_in, old).cookie
    assert site.visit(see, old).result == before
    assert all(a != b for a, b in zip(before, site.visit(see, new).result, strict=True))


def test_old_id_of_an_owner_is_still_the_owners(site: Site) -> None:
    old = site.log_in("ann", cart=1)
    site.visit(Session.regenerate, old)
    assert site.visit(owner_of, old).result == "ann"


def test_old_id_sees_what_another_request_saved_just_before_the_renewal(site: Site) -> None:
    old = site.visit(adding(a=1)).cookie
    site.visit_during(adding(b=2), Session.regenerate, old)
    assert site.read(old) == {"a": 1, "b": 2}


def test_request_that_only_reads_with_the_old_id_sets_no_cookie(clock: Clock) -> None:
    """Even if its cookie is due to be issued again: the browser would lose the new one."""
    site = Site(store=MemoryStore(), refresh_after=0, secret_key_fallbacks=[KEY * 2])
    for make in (site, Site(store=site.app.interface.backend._store, secret_key=KEY * 2)):  # type: ignore[attr-defined]
        old = make.log_in("ann", cart=1)
        site.visit(Session.regenerate, old)
        clock.advance(1)
        assert site.visit(data_of, old).response.header_list == [("Vary", "Cookie")]


def test_slow_reader_that_meets_a_renewal_sets_no_cookie(clock: Clock) -> None:
    """The browser would lose the log-in."""
    site = Site(store=MemoryStore(), idle_timeout=100)
    old = site.visit(adding(cart=1)).cookie
    clock.advance(30)
    assert site.visit_during(log_in, len, old).response.set_cookie is None


# What it cannot do


@pytest.mark.parametrize(
    "act",
    [
        adding(b=1),
        Session.regenerate,
        Session.changed,
        Session.new_csrf_token,
        lambda session: session.flash("a"),
        lambda session: setattr(session, "permanent", True),
    ],
)
@every_renewal
def test_change_with_the_old_id_is_an_error(
    site: Site, store: MemoryStore, renew: Act, act: Act
) -> None:
    old = site.visit(adding(a=1)).cookie
    new = site.visit(renew, old).cookie
    kept = store.kept.copy()
    raises_on(act, site, old)
    assert store.kept == kept
    assert (site.read(old), site.read(new)) == ({"a": 1}, {"a": 1})


# A log-in of its own


def test_log_in_that_is_sent_twice_gives_two_sessions(site: Site) -> None:
    """A double click: the browser keeps the cookie of the answer that comes last."""
    old = site.visit(adding(cart=1)).cookie
    pages = [site.visit(log_in, old) for _ in range(3)]
    assert [site.visit(owner_of, page.cookie).result for page in pages] == ["ann"] * 3
    assert [site.read(page.cookie) for page in pages] == [{"cart": 1}] * 3


def test_log_in_that_meets_another_keeps_what_a_third_request_has_saved(site: Site) -> None:
    """A double click, and an item that is put into the cart between the two."""
    old = site.visit(adding(cart=["apple"])).cookie

    def slow(session: Session) -> None:
        dict(session)
        site.visit(lambda other: other["cart"].append("pear"), old)
        site.visit(log_in, old)
        log_in(session)

    assert site.read(site.visit(slow, old).cookie) == {"cart": ["apple", "pear"]}


def test_log_in_whose_answer_was_lost_loses_no_cart(site: Site) -> None:
    old = site.visit(adding(cart=[1])).cookie
    site.visit(log_in, old)

    def log_in_again(session: Session) -> None:
        log_in(session)
        session["cart"].append(2)

    again = site.visit(log_in_again, old).cookie
    assert site.read(again) == {"cart": [1, 2]}


def test_log_in_with_the_old_id_as_somebody_else_gets_nothing_of_the_former_user(
    site: Site,
) -> None:
    old = site.log_in("ann", admin=True)
    site.visit(Session.regenerate, old)
    bobs = site.visit(log_in_as_bob, old).cookie
    assert (site.visit(owner_of, bobs).result, site.read(bobs)) == ("bob", {})


def test_log_in_with_the_old_id_lives_on_after_the_log_out_of_another(site: Site) -> None:
    old = site.visit(adding(cart=1)).cookie
    first, second = (site.visit(log_in, old).cookie for _ in range(2))
    site.visit(Session.invalidate, first)
    assert site.read(second) == {"cart": 1}


def test_log_in_with_the_old_id_as_somebody_else_ends_the_renewed_session(site: Site) -> None:
    old = site.log_in("ann")
    anns = site.visit(Session.regenerate, old).cookie
    bobs = site.visit(log_in_as_bob, old).cookie
    assert (site.read(anns), site.visit(owner_of, bobs).result) == (None, "bob")


def test_renewal_whose_answer_from_the_store_is_lost_leaves_the_session(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has closed it already, so that only the new one has its data."""
    old = site.visit(adding(cart=1)).cookie
    replace = store.replace

    def lose_the_answer(*arguments: Any, **options: Any) -> bool:
        replace(*arguments, **options)
        raise SessionUnavailable("lost")

    with monkeypatch.context() as patch:
        patch.setattr(store, "replace", lose_the_answer)
        with pytest.raises(SessionUnavailable, match="lost"):
            site.visit(log_in, old)
    assert site.read(old) == {"cart": 1}
    assert site.read(site.visit(log_in, old).cookie) == {"cart": 1}


# A log-out


@every_renewal
@pytest.mark.parametrize("log_out", [*LOG_OUTS.values(), begin_anew])
def test_log_out_with_the_old_id_ends_the_last_successor(
    site: Site, renew: Act, log_out: Act
) -> None:
    old = site.visit(adding(cart=1)).cookie
    first = site.visit(renew, old).cookie
    last = site.visit(Session.regenerate, first).cookie
    site.visit(log_out, old)
    assert [site.read(cookie) for cookie in (old, first, last)] == [None] * 3


@every_log_out
def test_log_out_with_a_former_cookie_beside_the_old_id_ends_the_last_successor(
    store: MemoryStore, clock: Clock, log_out: Act
) -> None:
    site = Site(store=store, migrate_from=[SessionwareCookie(KEY, cookie_name="former")])
    old = site.visit(adding(cart=1)).cookie
    last = site.visit(Session.regenerate, old).cookie
    clock.advance(GRACE + 1)
    page = site.visit(log_out, f"{old}; former=junk")
    assert [line.partition("=")[0] for line in page.deleted] == ["former"]
    assert site.read(last) is None


def test_log_out_holds_after_another_one_with_a_cookie_from_between(site: Site) -> None:
    """Such as that of a late tab, or of a request that is sent twice."""
    old = site.visit(adding(cart=1)).cookie
    between = site.visit(Session.regenerate, old).cookie
    last = site.visit(Session.regenerate, between).cookie
    for cookie in (last, between):
        site.visit(Session.invalidate, cookie)
        assert site.read(old) is None


def test_log_out_with_the_old_id_ends_every_log_in_that_it_was_used_for(site: Site) -> None:
    old = site.visit(adding(cart=1)).cookie
    cookies = [site.visit(log_in, old).cookie for _ in range(3)]
    site.visit(Session.invalidate, old)
    assert [site.read(cookie) for cookie in (old, *cookies)] == [None] * 4


def test_log_out_that_is_sent_again_does_not_look_for_all_successors_again(
    site: Site, store: MemoryStore
) -> None:
    """Or else it would take as long as an attacker wants, each time."""
    old = site.log_in("ann")
    for _ in range(20):
        site.visit(log_in, old)
    asked = []
    for _ in range(2):
        store.asked.clear()
        site.visit(Session.invalidate, old)
        asked.append(len(store.asked))
    assert asked[0] > 60 > 5 > asked[1]


def test_log_out_that_failed_can_be_sent_again(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = site.log_in("ann")
    new = site.visit(Session.regenerate, old).cookie
    delete, refused = store.delete, {key_of(site.visit(id_of, new).result)}

    def fail_once(key: str, /) -> bool:
        if key in refused:
            refused.clear()
            raise SessionUnavailable("down")
        return delete(key)

    monkeypatch.setattr(store, "delete", fail_once)
    with pytest.raises(SessionUnavailable, match="down"):
        site.visit(Session.invalidate, old)
    site.visit(Session.invalidate, old)
    assert site.read(new) is None


def test_slow_log_out_ends_the_successor_within_an_hour(site: Site, clock: Clock) -> None:
    old = site.log_in("ann")
    renewed: list[str] = []

    def slow(session: Session) -> None:
        dict(session)
        renewed.append(site.visit(Session.regenerate, old).cookie)
        clock.advance(MAX_REQUEST_TIME - 1)
        session.invalidate()

    site.visit(slow, old)
    assert site.read(renewed[0]) is None


def log_out_and_in(session: Session) -> None:
    session.invalidate()
    session.owner = "ben"


@pytest.mark.parametrize("log_out", [Session.invalidate, log_out_and_in])
@pytest.mark.parametrize("answer_after", [GRACE + 1, MAX_REQUEST_TIME - 1])
def test_log_out_with_a_cookie_whose_grace_is_over_ends_the_successor(
    site: Site, clock: Clock, answer_after: int, log_out: Act
) -> None:
    """The answer to the log-in was lost, so the browser has no other cookie."""
    old = site.visit(adding(cart=1)).cookie
    new = site.visit(log_in, old).cookie
    clock.advance(answer_after)
    site.visit(log_out, old)
    assert site.read(new) is None


# Its end


@every_renewal
def test_grace_ends_after_a_minute(
    site: Site, clock: Clock, renew: Act, caplog: pytest.LogCaptureFixture
) -> None:
    old = site.visit(adding(cart=1)).cookie
    new = site.visit(renew, old).cookie
    clock.advance(GRACE - 1)
    assert site.read(old) == {"cart": 1}
    clock.advance(2)
    caplog.set_level(logging.INFO)
    assert site.read(old) is None
    assert [vars(record)["reason"] for record in caplog.records] == ["revoked"]
    assert site.read(new) == {"cart": 1}


def test_grace_is_not_prolonged_by_the_first_return_of_a_visitors_cookie(
    site: Site, store: MemoryStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = site.visit(adding(cart=1)).cookie
    touch = store.touch

    def renew_meanwhile(*arguments: Any, **options: Any) -> bool:
        monkeypatch.setattr(store, "touch", touch)
        site.visit(log_in, old)
        return touch(*arguments, **options)

    monkeypatch.setattr(store, "touch", renew_meanwhile)
    site.read(old)
    clock.advance(GRACE + 1)
    assert site.read(old) is None


ENDS: dict[str, Callable[[Site, MemoryStore, str], object]] = {
    "log-out": lambda site, _, new: site.visit(Session.invalidate, new),
    "clear": lambda site, _, new: site.visit(begin_anew, new),
    "another owner": lambda site, _, new: site.visit(log_in_as_bob, new),
    "revoke_owner": lambda _, store, __: store.revoke_owner("ann"),
    "end": lambda site, store, new: store.delete(key_of(site.visit(id_of, new).result)),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("renewals", [1, 3])
def test_end_of_the_successor_ends_the_grace(
    site: Site, store: MemoryStore, end: Callable[[Site, MemoryStore, str], object], renewals: int
) -> None:
    cookies = [site.log_in("ann", cart=1)]
    for _ in range(renewals):
        cookies.append(site.visit(Session.regenerate, cookies[-1]).cookie)
    end(site, store, cookies[-1])
    assert [site.read(cookie) for cookie in cookies[:-1]] == [None] * renewals


@pytest.mark.parametrize("which", [0, 1])
def test_log_out_after_two_log_ins_with_the_same_id_ends_its_grace(site: Site, which: int) -> None:
    """The later log-in is the one that the browser has, unless its answer was lost."""
    old = site.visit(adding(cart=1)).cookie
    log_ins = [site.visit(log_in, old).cookie for _ in range(2)]
    site.visit(Session.invalidate, log_ins[which])
    assert site.read(old) is None


def test_grace_is_not_prolonged_by_log_ins_with_the_old_id(site: Site, clock: Clock) -> None:
    old = site.log_in("ann", address="12 Elm Street")
    site.visit(Session.regenerate, old)
    for _ in range(3):
        clock.advance(GRACE // 3)
        site.visit(log_in, old)
    clock.advance(1)
    assert site.read(old) is None


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_slow_log_in_does_not_begin_a_grace_again_that_has_ended(
    site: Site, store: MemoryStore, end: Callable[[Site, MemoryStore, str], object]
) -> None:
    old = site.log_in("ann", address="12 Elm Street")

    def renew_and_end(session: Session) -> None:
        end(site, store, site.visit(Session.regenerate, old).cookie)

    page = site.visit_during(renew_and_end, log_in, old)
    assert (site.read(old), site.visit(owner_of, page.cookie).result) == (None, "ann")


@pytest.mark.parametrize("owner", [None, "ann"])
def test_slow_log_in_with_a_former_cookie_brings_no_ended_session_back(
    owner: str | None, store: MemoryStore
) -> None:
    """Another request has taken the session over, so that there is a cookie of ours with its id."""
    former = Site(cookie_name="former").log_in("ann", a=1)
    site = Site(store=store, migrate_from=[SessionwareCookie(KEY, cookie_name="former")])
    copies: list[str] = []

    def take_over_and_end(session: Session) -> None:
        copies.append(site.visit(adding(page=1), former).cookie)
        if owner is None:
            site.visit(Session.invalidate, copies[0])
        else:
            store.revoke_owner(owner)

    site.visit_during(take_over_and_end, log_in, former)
    assert [site.read(cookie) for cookie in (*copies, former)] == [None, None]


def test_grace_does_not_lead_over_any_number_of_renewals(site: Site, store: MemoryStore) -> None:
    """A request would else take as long as an attacker wants."""
    cookies = [site.log_in("ann")]
    for _ in range(200):
        cookies.append(site.visit(Session.regenerate, cookies[-1]).cookie)
    store.asked.clear()
    assert site.read(cookies[0]) is None
    assert len(store.asked) < 4 * MAX_RENEWALS
    assert site.read(cookies[-2]) == {}


# Where there is none


def test_log_in_as_somebody_else_leaves_no_grace(site: Site) -> None:
    old = site.log_in("ann", admin=True)
    site.visit(log_in_as_bob, old)
    assert site.read(old) is None


@pytest.mark.parametrize("renew", [Session.regenerate, log_in])
@pytest.mark.parametrize("acts", [[], [count]])
def test_former_cookie_has_no_grace(renew: Act, acts: list[Act]) -> None:
    former = Site(cookie_name="former").visit(adding(n=1)).cookie
    site = Site(store=MemoryStore(), migrate_from=[SessionwareCookie(KEY, cookie_name="former")])
    ours = former
    for act in [*acts, renew]:
        ours = site.visit(act, ours).cookie
    assert site.read(former) is None
    assert site.read(ours) is not None


def test_change_after_the_log_in_of_somebody_else_is_an_error_for_a_minute(
    site: Site, clock: Clock
) -> None:
    """A visitor's cookie would take the place of that of the log-in."""
    old = site.log_in("ann", admin=True)
    site.visit(log_in_as_bob, old)
    raises_on(count, site, old)
    clock.advance(GRACE + 1)
    assert site.visit(count, old).result == 1


@pytest.mark.parametrize("renew", [Session.regenerate, log_in])
def test_change_with_a_former_cookie_that_was_renewed_is_an_error_for_a_minute(
    clock: Clock, renew: Act
) -> None:
    former = Site(cookie_name="former").visit(adding(n=1)).cookie
    site = Site(store=MemoryStore(), migrate_from=[SessionwareCookie(KEY, cookie_name="former")])
    site.visit(renew, former)
    raises_on(count, site, former)
    clock.advance(GRACE + 1)
    assert site.visit(count, former).result == 1


@pytest.mark.parametrize(("pause", "is_refused"), [(GRACE, True), (GRACE + 1, False)])
def test_minute_of_a_slow_change_is_that_before_it(
    site: Site, clock: Clock, pause: int, is_refused: bool
) -> None:
    def slow(session: Session) -> Any:
        clock.advance(2 * GRACE)
        return count(session)

    old = site.log_in("ann")
    site.visit(log_in_as_bob, old)
    clock.advance(pause)
    if is_refused:
        raises_on(slow, site, old)
    else:
        assert site.visit(slow, old).result == 1


def test_change_before_two_log_ins_is_an_error_for_a_minute(site: Site) -> None:
    """The second one is of somebody else, and leaves nothing of the first."""
    old = site.visit(count).cookie
    site.visit(log_in_as_bob, site.visit(log_in, old).cookie)
    raises_on(count, site, old)


@pytest.mark.parametrize("renewals", [0, 1, 2])
def test_change_after_the_log_out_of_the_next_session_begins_one(site: Site, renewals: int) -> None:
    old = site.log_in("ann")
    new = site.visit(log_in_as_bob, old).cookie
    for _ in range(renewals):
        new = site.visit(Session.regenerate, new).cookie
    site.visit(Session.invalidate, new)
    assert site.visit(count, old).result == 1


def test_change_after_a_renewal_that_has_failed_begins_a_session(
    site: Site, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No session has come of it, whose cookie the browser could have."""
    old = site.visit(count).cookie
    monkeypatch.setattr(store, "replace", lambda *_, **__: False)
    raises_on(Session.regenerate, site, old)
    monkeypatch.undo()
    site.visit(Session.invalidate, old)
    assert site.visit(count, old).result == 1


def test_session_of_former_settings_has_no_grace(store: MemoryStore) -> None:
    """Servers with the former settings may still run, and have renewed it."""
    then = Site(store=store, cookie_name="former")
    old = then.visit(adding(cart=1)).cookie
    then.visit(Session.regenerate, old)
    former = SessionwareCookie(KEY, cookie_name="former", store=store)
    site = Site(store=MemoryStore(), migrate_from=[former])
    assert (then.read(old), site.read(old)) == ({"cart": 1}, None)


def test_session_that_fills_the_store_to_its_limit_has_no_grace() -> None:
    """What is kept of it would not fit."""
    store = MemoryStore(limit=200)
    site = Site(store=store)
    for size, had in ((100, True), (180, False)):
        old = site.visit(adding(a="x" * size)).cookie
        new = site.visit(Session.regenerate, old).cookie
        assert site.read(new) == {"a": "x" * size}
        assert (site.read(old) is not None) == had
    assert max(map(len, store.kept.values())) <= store.limit


def test_list_of_revocations_gives_no_grace() -> None:
    """A log-in with the old cookie begins a new session."""
    site = Site(revocations=MemoryRevocations())
    old = site.visit(adding(cart=1)).cookie
    site.visit(log_in, old)
    assert site.read(old) is None
    assert site.read(site.visit(log_in, old).cookie) == {}


@pytest.mark.parametrize("text", ['"', '"a"', '"a",1', '"a",b,[{},0]', '"a",1,[', '"a",1,{}'])
def test_what_is_not_a_closed_session_is_refused(
    site: Site, store: MemoryStore, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    old = site.log_in("ann")
    store.kept[key_of(site.visit(id_of, old).result)] = text
    caplog.set_level(logging.INFO)
    assert site.read(old) is None
    assert [vars(record)["reason"] for record in caplog.records] == ["malformed"]
