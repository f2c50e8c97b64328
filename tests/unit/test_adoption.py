"""The sessions taken over from former cookies of our own, whichever settings have changed."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any, NoReturn
from uuid import UUID

import pytest

from sessionware import Session, SessionUnavailable
from sessionware.cookie import SessionCookie
from sessionware.migration import FormerCookie, SessionwareCookie
from sessionware.serializer import dumps
from sessionware.session import Loaded
from sessionware.store import key_of, mark_of
from tests.conftest import Clock
from tests.gateway import KEY, OLDER_KEY
from tests.processes import require
from tests.sites import (
    Act,
    MemoryRevocations,
    MemoryStore,
    Page,
    Site,
    count,
    data_of,
    every_log_out,
    id_of,
    owner_of,
    untouched,
)
from tests.unit.sessions import sign

Settings = dict[str, Any]
KEYED: Settings = {"secret_key": KEY}
SECURE: Settings = {"cookie_secure": True}


def encrypted() -> Settings:
    require("cryptography")
    return {"encrypt": True}


MODES: dict[str, Callable[[], Settings]] = {
    "signed": dict,
    "encrypted": encrypted,
    "list": lambda: {"revocations": MemoryRevocations()},
    "store": lambda: {"store": MemoryStore()},
}
CHANGES: dict[str, Settings] = {
    "nothing else": {},
    "key": {"secret_key": OLDER_KEY},
    "salt": {"salt": "former"},
    "name": {"cookie_name": "former"},
    "path": {"cookie_path": "/app"},
    "domain": {"cookie_domain": "example.com"},
    "partitioned": {"cookie_partitioned": True},
}
PLACES = [*CHANGES][3:]
every_mode = pytest.mark.parametrize("mode", MODES)
every_former = pytest.mark.parametrize("former", MODES)
held_on_the_server = pytest.mark.parametrize("mode", ["list", "store"])


def reader(settings: Settings) -> SessionwareCookie:
    return SessionwareCookie(**KEYED | settings)


class Change:
    """A site before and after a change of its settings, of which ``change`` is the former one."""

    def __init__(self, former: str, mode: str, change: str = "salt", **more: Any) -> None:
        then = MODES[former]() | CHANGES[change]
        self.then = Site(**then | SECURE)
        self.present = MODES[mode]()
        self.site = Site(**self.present | SECURE | more, migrate_from=[reader(then)])

    def revoke_owner(self, owner: Any) -> None:
        [keeper] = self.present.values()
        keeper.revoke_owner(owner)


def log_in(session: Session) -> None:
    session.owner = 7
    session["cart"] = ["pen"]
    session.get_csrf_token()
    assert session.id


def parts_of(session: Session) -> dict[str, Any]:
    """Return all that a session has, without making what it lacks."""
    token = session.get_csrf_token() if session.owner else None
    name = session.id if session.owner else None
    data = {"id": name, "owner": session.owner, "created": session.created, "token": token}
    return {"data": dict(session), **data}


# The session goes on


@every_former
@every_mode
@pytest.mark.parametrize("change", CHANGES)
def test_session_goes_on_with_all_that_it_has(
    clock: Clock, former: str, mode: str, change: str
) -> None:
    sites = Change(former, mode, change)
    cookie = sites.then.visit(log_in).cookie
    expected = sites.then.visit(parts_of, cookie).result
    assert expected["created"] == clock.now
    clock.advance(100)
    page = sites.site.visit(parts_of, cookie)
    assert page.result == expected
    clock.advance(100)
    assert sites.site.visit(parts_of, page.cookie).result == expected


@every_former
@every_mode
def test_session_goes_on_with_an_owner_alone(former: str, mode: str) -> None:
    sites = Change(former, mode)
    page = sites.site.visit(owner_of, sites.then.log_in("ann"))
    assert sites.site.visit(owner_of, page.cookie).result == "ann"


@every_mode
def test_session_goes_on_with_a_csrf_token_alone(mode: str) -> None:
    sites = Change("signed", mode)
    former = sites.then.visit(Session.get_csrf_token)
    assert sites.site.visit(Session.get_csrf_token, former.cookie).result == former.result


@every_former
@every_mode
def test_session_goes_there_and_back(clock: Clock, former: str, mode: str) -> None:
    there, back = MODES[former]() | {"salt": "former"}, MODES[mode]()
    first = Site(**there).visit(log_in).cookie
    expected = Site(**there).visit(parts_of, first).result
    second = Site(**back, migrate_from=[reader(there)]).visit(data_of, first).cookie
    page = Site(**there, migrate_from=[reader(back)]).visit(parts_of, second)
    assert page.result == expected


@every_mode
def test_session_from_an_older_key_of_the_former_settings_goes_on(mode: str) -> None:
    cookie = Site(secret_key=OLDER_KEY, salt="former").visit(log_in).cookie
    former = SessionwareCookie(KEY, secret_key_fallbacks=[OLDER_KEY], salt="former")
    site = Site(**MODES[mode](), migrate_from=[former])
    assert site.read(cookie) == {"cart": ["pen"]}


@every_mode
def test_adoption_is_written_at_once_and_logged_once(
    mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    sites = Change("signed", mode)
    cookie = sites.then.visit(count).cookie
    caplog.set_level(logging.INFO)
    page = sites.site.visit(data_of, cookie)
    assert sites.site.visit(data_of, page.cookie).response.set_cookie is None
    [record] = caplog.records
    assert (record.levelno, vars(record)["reason"]) == (logging.INFO, "migrated")
    assert record.getMessage() == (
        "A former session cookie was accepted by SessionwareCookie, 'session' (migrated)."
    )


@every_mode
def test_request_that_does_not_use_its_session_adopts_nothing(mode: str) -> None:
    sites = Change("store", mode)
    cookie = sites.then.visit(count).cookie
    assert sites.site.visit(untouched, cookie).response.header_list == []


@every_mode
def test_empty_cookie_of_a_former_log_out_is_a_new_session(
    clock: Clock, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    sites = Change("signed", mode)
    cookies = [sites.then.visit(count).cookie for _ in range(2)]
    ended = sites.then.visit(Session.invalidate, "; ".join(cookies)).cookie
    caplog.set_level(logging.INFO)
    for header in (ended, f"{cookies[0]}; {ended}"):
        page = sites.site.visit(data_of, header)
        assert (page.result, page.response.set_cookie) == (None, None)
    assert [vars(record)["reason"] for record in caplog.records] == ["revoked"] * 2


def test_reason_is_logged_if_none_of_several_former_cookies_is_valid(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    sites = Change("signed", "signed", "name")
    cookies = [sites.then.visit(count).cookie for _ in range(2)]
    clock.advance(32 * 24 * 60 * 60)
    caplog.set_level(logging.INFO)
    sites.site.read("; ".join(cookies))
    assert [vars(record)["reason"] for record in caplog.records] == ["expired_idle"]


@every_mode
def test_newest_of_several_former_cookies_counts(clock: Clock, mode: str) -> None:
    sites = Change("signed", mode)
    older = sites.then.log_in(n=1)
    clock.advance(1)
    newer = sites.then.log_in(n=2)
    header = f"{older}; former=junk; {newer}; session=junk"
    assert sites.site.read(header) == {"n": 2}


@every_mode
def test_present_cookie_counts_even_if_a_former_one_is_newer(clock: Clock, mode: str) -> None:
    sites = Change("signed", mode, "name")
    ours = sites.site.log_in(n=1)
    clock.advance(10)
    theirs = sites.then.log_in(n=2)
    page = sites.site.visit(data_of, f"{theirs}; {ours}")
    assert page.result == {"n": 1}
    assert [line.partition(";")[0] for line in page.deleted] == ["former="]


# Time


@every_former
@every_mode
def test_former_idle_timeout_applies(clock: Clock, former: str, mode: str) -> None:
    then = MODES[former]() | {"salt": "former", "idle_timeout": 100, "permanent_timeout": 200}
    cookies = [Site(**then).visit(act).cookie for act in (count, remember)]
    site = Site(**MODES[mode](), migrate_from=[reader(then)])
    clock.advance(101)
    assert site.read(cookies[0]) is None
    clock.advance(99)
    assert site.read(cookies[1]) == {"_permanent": True}
    clock.advance(1)
    assert site.read(cookies[1]) is None


def remember(session: Session) -> None:
    session.permanent = True


@every_former
@every_mode
def test_present_idle_timeout_applies(clock: Clock, former: str, mode: str) -> None:
    sites = Change(former, mode, idle_timeout=100, permanent_timeout=200)
    cookies = [sites.then.visit(act).cookie for act in (count, remember)]
    clock.advance(101)
    assert sites.site.read(cookies[0]) is None
    clock.advance(99)
    assert sites.site.read(cookies[1]) == {"_permanent": True}
    clock.advance(1)
    assert sites.site.read(cookies[1]) is None


@every_mode
@pytest.mark.parametrize("whose", ["former", "present"])
def test_absolute_timeouts_apply_from_the_beginning_of_the_session(
    clock: Clock, mode: str, whose: str
) -> None:
    limit = {"absolute_timeout": 100}
    then: Settings = {"salt": "former"} | (limit if whose == "former" else {})
    now = limit if whose == "present" else {}
    first = Site(**then).visit(count).cookie
    clock.advance(60)
    cookie = Site(**then).visit(count, first).cookie
    site = Site(**MODES[mode](), **now, migrate_from=[reader(then)])
    clock.advance(40)
    assert site.read(cookie) == {"n": 2}
    clock.advance(1)
    assert site.read(cookie) is None


# Places


@every_mode
@pytest.mark.parametrize("change", PLACES)
@pytest.mark.parametrize("act", [count, Session.invalidate])
def test_former_place_is_deleted_when_our_cookie_is_set_or_deleted(
    mode: str, change: str, act: Act
) -> None:
    sites = Change("signed", mode, change)
    [line] = sites.site.visit(act, sites.then.visit(count).cookie).deleted
    name, _, attributes = line.partition("=; ")
    assert name == ("former" if change == "name" else "session")
    assert attributes.startswith("Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; ")
    marks = {"path": "Path=/app", "domain": "Domain=example.com", "partitioned": "Partitioned"}
    assert marks.get(change, "Path=/") in attributes.split("; ")


@every_mode
@pytest.mark.parametrize("change", PLACES)
def test_former_place_is_deleted_at_every_log_out(mode: str, change: str) -> None:
    """The browser may have a cookie there that it does not send to this page."""
    sites = Change("signed", mode, change)
    page = sites.site.visit(Session.invalidate, sites.site.visit(count).cookie)
    assert len(page.deleted) == 1


@every_mode
@pytest.mark.parametrize("change", PLACES)
@pytest.mark.parametrize("log_out", [Session.invalidate, Session.clear])
def test_former_place_is_deleted_at_a_log_out_that_brings_no_cookie(
    mode: str, change: str, log_out: Act
) -> None:
    """The browser may have one that it does not send to this page."""
    page = Change("signed", mode, change).site.visit(log_out)
    assert len(page.deleted) == 1
    assert "session=; Expires=Thu, 01 Jan 1970" in (page.response.headers.getlist("Set-Cookie")[-1])


def test_log_out_that_brings_no_cookie_deletes_none_if_nothing_was_moved() -> None:
    assert Site().visit(Session.invalidate).response.set_cookie is None


@pytest.mark.parametrize("change", ["path", "domain", "partitioned"])
def test_cookie_at_a_former_place_that_is_only_read_is_left(clock: Clock, change: str) -> None:
    """It is valid, and may be the only one, so nothing has to be done yet."""
    sites = Change("signed", "signed", change)
    cookie = sites.then.visit(count).cookie
    assert sites.site.visit(data_of, cookie).response.set_cookie is None


def test_other_former_cookie_is_deleted_by_a_page_that_only_reads(clock: Clock) -> None:
    sites = Change("signed", "signed", "name")
    page = sites.site.visit(data_of, f"former=junk; {sites.site.visit(count).cookie}")
    assert [line.partition(";")[0] for line in page.deleted] == ["former="]


@pytest.mark.parametrize(
    ("change", "is_named"),
    # A cookie of another name is only known if it is named.
    [*((change, True) for change in PLACES), *((change, False) for change in PLACES[1:])],
)
def test_former_place_is_deleted_in_a_frame_where_ours_is_kept(change: str, is_named: bool) -> None:
    """There, browsers drop a deletion with SameSite=Lax, and the former user would come back."""
    framed = SECURE | {"cookie_samesite": "None"}
    former = CHANGES[change]
    then = Site(**former, **framed)
    site = Site(**framed, migrate_from=[reader(former)] if is_named else [])
    [line, *_] = site.visit(Session.invalidate, then.visit(count).cookie).deleted
    assert "; Secure" in line
    assert "SameSite=None" in line


def test_former_partitioned_cookie_is_deleted_as_a_secure_one() -> None:
    """Over http too, where cookie_secure="auto" would leave Secure out."""
    cookie = SessionwareCookie(KEY, cookie_partitioned=True).cookie
    assert (cookie.always_secure, cookie.samesite, cookie.partitioned) == (True, "None", True)


# Log-out


@every_former
@held_on_the_server
@pytest.mark.parametrize("copied", ["before", "after"])
def test_log_out_holds_against_copies_of_the_former_cookie(
    clock: Clock, former: str, mode: str, copied: str
) -> None:
    """Whether or not the session was taken over before."""
    sites = Change(former, mode)
    cookie = sites.then.visit(count).cookie
    ours = sites.site.visit(data_of, cookie).cookie if copied == "before" else cookie
    sites.site.visit(Session.invalidate, ours)
    assert (sites.site.read(cookie), sites.site.read(ours)) == (None, None)


@every_former
@held_on_the_server
@pytest.mark.parametrize("act", [Session.regenerate, lambda session: setattr(session, "owner", 7)])
def test_renewal_holds_against_copies_of_the_former_cookie(
    clock: Clock, former: str, mode: str, act: Act
) -> None:
    sites = Change(former, mode)
    cookie = sites.then.visit(count).cookie
    ours = sites.site.visit(act, cookie).cookie
    assert (sites.site.read(cookie), sites.site.read(ours)) == (None, {"n": 1})


@pytest.mark.parametrize("former", ["list", "store"])
@every_mode
@pytest.mark.parametrize("act", [Session.invalidate, Session.regenerate])
def test_end_of_a_session_holds_on_the_former_servers_too(
    clock: Clock, former: str, mode: str, act: Act
) -> None:
    """They may still run, and in a mode without a memory theirs is the only one."""
    sites = Change(former, mode)
    cookie = sites.then.visit(count).cookie
    sites.site.visit(act, sites.site.visit(data_of, cookie).cookie)
    assert (sites.then.read(cookie), sites.site.read(cookie)) == (None, None)


@pytest.mark.parametrize("former", ["list", "store"])
@every_mode
def test_session_that_ended_before_the_change_is_refused(
    clock: Clock, former: str, mode: str
) -> None:
    sites = Change(former, mode)
    cookie = sites.then.visit(count).cookie
    sites.then.visit(Session.invalidate, cookie)
    assert sites.site.read(cookie) is None


@held_on_the_server
def test_log_out_ends_former_sessions_beside_ours(clock: Clock, mode: str) -> None:
    sites = Change("signed", mode, "name")
    theirs = [sites.then.visit(count).cookie, sites.then.log_in("ann")]
    ours = sites.site.visit(count).cookie
    sites.site.visit(Session.invalidate, "; ".join([*theirs, ours]))
    assert [sites.site.read(cookie) for cookie in (*theirs, ours)] == [None] * 3


@every_former
@held_on_the_server
def test_owner_whose_sessions_were_ended_is_not_taken_over(
    clock: Clock, former: str, mode: str
) -> None:
    sites = Change(former, mode)
    of_ann, of_bob = sites.then.log_in("ann"), sites.then.log_in("bob")
    sites.revoke_owner("ann")
    assert (sites.site.read(of_ann), sites.site.read(of_bob)) == (None, {})


@every_former
@held_on_the_server
@pytest.mark.parametrize("owner", ["7", 7, UUID(int=7)], ids=repr)
def test_owner_of_another_type_is_another_owner(
    clock: Clock, former: str, mode: str, owner: Any
) -> None:
    sites = Change(former, mode)
    cookie = sites.then.visit(log_in).cookie
    sites.revoke_owner(owner)
    assert (sites.site.read(cookie) is None) is (type(owner) is int)


@every_former
@held_on_the_server
def test_owner_is_ended_with_the_sessions_that_were_taken_over(
    clock: Clock, former: str, mode: str
) -> None:
    sites = Change(former, mode)
    cookie = sites.then.visit(log_in).cookie
    ours = sites.site.visit(data_of, cookie).cookie
    sites.revoke_owner(7)
    assert (sites.site.read(cookie), sites.site.read(ours)) == (None, None)


# Ids


@held_on_the_server
def test_session_without_an_id_has_the_same_in_parallel_requests(clock: Clock, mode: str) -> None:
    sites = Change("signed", mode)
    cookie = sites.then.visit(count).cookie
    ids = {sites.site.visit(id_of, cookie).result for _ in range(3)}
    assert len(ids) == 1
    assert ids.isdisjoint([sites.site.visit(id_of, sites.then.visit(add).cookie).result])


def add(session: Session) -> None:
    session["n"] = 2


@held_on_the_server
def test_parallel_requests_share_the_session_that_they_take_over(clock: Clock, mode: str) -> None:
    sites = Change("signed", mode)
    cookie = sites.then.visit(count).cookie
    pages: list[Page] = []

    def slow(session: Session) -> None:
        dict(session)
        pages.append(sites.site.visit(count, cookie))
        count(session)

    second = sites.site.visit(slow, cookie).cookie
    assert sites.site.read(second) == {"n": 2}
    sites.site.visit(Session.invalidate, second)
    assert sites.site.read(pages[0].cookie) is None


@held_on_the_server
def test_id_made_with_an_older_key_is_found(clock: Clock, mode: str) -> None:
    """Or else a rotation of our key would bring sessions back."""
    settings = MODES[mode]()
    old = SessionwareCookie(KEY, salt="former")
    cookie = Site(salt="former").visit(count).cookie
    before = Site(**settings, secret_key=OLDER_KEY, migrate_from=[old])
    after = Site(**settings, secret_key_fallbacks=[OLDER_KEY], migrate_from=[old])
    name = before.visit(lambda session: (count(session), session.id)[1], cookie).result
    if mode == "store":
        assert after.visit(lambda session: (session.id, session["n"]), cookie).result == (name, 2)
    before.visit(Session.invalidate, cookie)
    assert after.read(cookie) is None


FORMER_KEY = "the secret key of the former settings"
ROTATION: list[dict[str, Any]] = [
    {"secret_key": OLDER_KEY},
    {"secret_key": OLDER_KEY, "secret_key_fallbacks": [KEY]},
    {"secret_key": KEY, "secret_key_fallbacks": [OLDER_KEY]},
    {"secret_key": KEY},
]


@held_on_the_server
@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("is_first_later", [False, True])
def test_log_out_holds_on_servers_before_and_after_a_step_of_a_rotation(
    clock: Clock, mode: str, step: int, is_first_later: bool
) -> None:
    """They are restarted one by one, while a former cookie is taken over."""
    settings = {**MODES[mode](), "migrate_from": [SessionwareCookie(FORMER_KEY)]}
    one, other = (Site(**settings, **keys) for keys in ROTATION[step : step + 2])
    if is_first_later:
        one, other = other, one
    cookie = Site(secret_key=FORMER_KEY).visit(count).cookie
    ours = one.visit(count, cookie).cookie
    assert other.read(cookie) == {"n": 2 if mode == "store" else 1}
    one.visit(Session.invalidate, ours)
    assert (other.read(cookie), other.read(ours)) == (None, None)


def test_log_out_holds_if_two_servers_have_taken_one_cookie_over_in_a_rotation(
    clock: Clock,
) -> None:
    """At the same moment, and each under an id of its own."""
    settings = {**MODES["store"](), "migrate_from": [SessionwareCookie(FORMER_KEY)]}
    one = Site(**settings, secret_key=OLDER_KEY, secret_key_fallbacks=[KEY])
    other = Site(**settings, secret_key=KEY, secret_key_fallbacks=[OLDER_KEY])
    cookie = Site(secret_key=FORMER_KEY).visit(count).cookie
    pages: list[Page] = []

    def slow(session: Session) -> None:
        dict(session)
        pages.append(other.visit(count, cookie))
        count(session)

    pages.append(one.visit(slow, cookie))
    for page in pages:
        assert other.visit(Session.invalidate, page.cookie).cookie == ""
        assert (one.read(cookie), other.read(cookie)) == (None, None)


# A store keeps a mark of what was taken over and has ended


@pytest.fixture
def marked(clock: Clock) -> tuple[Site, MemoryStore, str]:
    store = MemoryStore()
    then = {"salt": "former", "idle_timeout": 1000}
    site = Site(store=store, idle_timeout=900, migrate_from=[reader(then)])
    return site, store, Site(**then).visit(lambda session: (count(session), session.id)).cookie


def test_store_keeps_a_mark_while_a_former_cookie_could_be_accepted(
    marked: tuple[Site, MemoryStore, str],
) -> None:
    site, store, cookie = marked
    name = site.visit(id_of, cookie).result
    site.visit(Session.invalidate, cookie)
    assert {*store.kept} == {mark_of(name), key_of(name)}
    assert store.seconds[mark_of(name)] == 900 + 3600
    assert store.seconds[key_of(name)] == 3600  # as long as a request may take
    assert type(json.loads(store.kept[mark_of(name)])) is str


def test_store_keeps_no_mark_of_what_cannot_be_taken_over() -> None:
    store = MemoryStore()
    site = Site(store=store)
    site.visit(Session.invalidate, site.visit(count).cookie)
    assert store.kept == {}


def test_mark_is_no_session(marked: tuple[Site, MemoryStore, str]) -> None:
    """A cookie whose id is that of a mark would have to be signed by us."""
    site, _, cookie = marked
    name = site.visit(id_of, cookie).result
    site.visit(Session.invalidate, cookie)
    assert site.read(f"session={sign(dumps([None, 0, f'ended{chr(0)}{name}']))}") is None


def test_value_in_the_place_of_a_session_that_is_none_is_refused(
    marked: tuple[Site, MemoryStore, str],
) -> None:
    site, store, cookie = marked
    name = site.visit(id_of, cookie).result
    for value in ("junk", "[null,0]"):
        store.kept[key_of(name)] = value
        assert site.read(cookie) is None


# Two requests at once


@every_former
@held_on_the_server
def test_adoption_that_only_reads_does_not_survive_a_log_out(
    clock: Clock, former: str, mode: str
) -> None:
    sites = Change(former, mode)
    cookie = sites.then.visit(count).cookie
    page = sites.site.visit_during(Session.invalidate, data_of, cookie)
    assert sites.site.read(page.cookie) is None
    assert sites.site.read(cookie) is None


@every_former
@pytest.mark.parametrize("act", [count, Session.regenerate])
def test_adoption_that_changes_its_session_is_told_of_the_log_out(
    clock: Clock, former: str, act: Act
) -> None:
    sites = Change(former, "store")
    cookie = sites.then.visit(count).cookie
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        sites.site.visit_during(Session.invalidate, act, cookie)
    assert sites.site.read(cookie) is None


@every_former
def test_adoption_does_not_survive_a_log_out_everywhere(clock: Clock, former: str) -> None:
    sites = Change(former, "store")
    cookie = sites.then.log_in("ann")

    def slow(session: Session) -> None:
        count(session)
        sites.revoke_owner("ann")

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        sites.site.visit(slow, cookie)
    assert sites.site.read(cookie) is None


@every_former
@held_on_the_server
@pytest.mark.parametrize("beside", [False, True])
@every_log_out
def test_adoption_does_not_survive_a_log_out_with_a_cookie_that_has_expired_meanwhile(
    clock: Clock, former: str, mode: str, beside: bool, log_out: Act
) -> None:
    """Be it alone, or beside a cookie of ours, such as that of another tab's log-in."""
    then = MODES[former]() | {"cookie_name": "former", "idle_timeout": 100}
    site = Site(**MODES[mode](), migrate_from=[reader(then)])
    cookie = Site(**then).visit(count).cookie

    def slow(session: Session) -> None:
        count(session)
        clock.advance(51)
        ours = site.log_in("ann") if beside else ""
        site.visit(log_out, f"{cookie}; {ours}")

    clock.advance(50)
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, cookie)


def test_session_from_before_the_list_does_not_survive_such_a_log_out_either(
    clock: Clock,
) -> None:
    site = Site(revocations=MemoryRevocations(), idle_timeout=100)
    cookie = Site().visit(count).cookie

    def slow(session: Session) -> None:
        count(session)
        clock.advance(51)
        site.visit(Session.invalidate, cookie)

    clock.advance(50)
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, cookie)


@every_former
@held_on_the_server
def test_two_log_outs_during_an_adoption_are_both_fine(
    clock: Clock, former: str, mode: str
) -> None:
    sites = Change(former, mode)
    cookie = sites.then.visit(count).cookie
    page = sites.site.visit_during(Session.invalidate, Session.invalidate, cookie)
    assert page.response.cookie == "session="


@every_former
@held_on_the_server
def test_log_in_during_an_adoption_that_has_ended_is_one_of_its_own(
    clock: Clock, former: str, mode: str
) -> None:
    sites = Change(former, mode)
    cookie = sites.then.visit(count).cookie
    page = sites.site.visit_during(
        Session.invalidate, lambda it: setattr(it, "owner", "eve"), cookie
    )
    assert sites.site.visit(owner_of, page.cookie).result == "eve"


@every_former
@held_on_the_server
def test_one_of_two_renewals_of_an_adopted_session_succeeds(
    clock: Clock, former: str, mode: str
) -> None:
    sites = Change(former, mode)
    cookie = sites.then.visit(count).cookie
    with pytest.raises(SessionUnavailable, match="ended by another request"):
        sites.site.visit_during(Session.regenerate, Session.regenerate, cookie)


# From before there was a list, with the same settings


def test_cookie_from_before_the_list_is_taken_over(clock: Clock) -> None:
    before, site = Site(), Site(revocations=MemoryRevocations())
    cookie = before.visit(count).cookie
    page = site.visit(data_of, cookie)
    assert page.result == {"n": 1}
    assert site.visit(data_of, page.cookie).response.set_cookie is None


@pytest.mark.parametrize("act", [Session.invalidate, Session.regenerate, log_in])
def test_copy_of_a_cookie_from_before_the_list_is_refused(clock: Clock, act: Act) -> None:
    cookie, site = Site().visit(count).cookie, Site(revocations=MemoryRevocations())
    ours = site.visit(data_of, cookie).cookie
    site.visit(act, ours)
    assert (site.read(cookie), site.read(ours)) == (None, None)


def test_parallel_requests_from_before_the_list_share_an_id(clock: Clock) -> None:
    cookie, site = Site().visit(count).cookie, Site(revocations=MemoryRevocations())
    assert site.visit(id_of, cookie).result == site.visit(id_of, cookie).result


# What an attacker found


@pytest.mark.parametrize("act", [count, Session.regenerate, data_of])
def test_slow_request_does_not_outrun_the_mark_of_an_adopted_session(
    clock: Clock, act: Act
) -> None:
    """The store has nothing of the session that the slow request could miss, but for the mark."""
    sites = Change("signed", "store", idle_timeout=1800)
    cookie = sites.then.log_in("ann")

    def slow(session: Session) -> None:
        data_of(session)
        sites.site.visit(Session.invalidate, cookie)
        clock.advance(2 * 60 * 60)
        for key, seconds in [*sites.present["store"].seconds.items()]:
            if seconds < 2 * 60 * 60:
                sites.present["store"].delete(key)
        act(session)

    if act is data_of:
        assert sites.site.visit(slow, cookie).response.set_cookie is None
        return
    with pytest.raises(SessionUnavailable, match="more than 3600 seconds"):
        sites.site.visit(slow, cookie)


# A reader of the application's own


class Foreign(FormerCookie):
    """A cookie named "former", which holds what the test says."""

    cookie = SessionCookie(name="former")

    def __init__(self, **loaded: Any) -> None:
        self.loaded = loaded

    def load(self, value: str, now: int) -> Loaded:
        held: dict[str, Any] = {"data": {"n": 1}, "text": '{"n":1}', "created": now, "issued": now}
        return Loaded(**held | self.loaded)

    def id_of(self, value: str) -> tuple[str | None, int]:
        return self.loaded.get("id"), int(time.time())


@every_mode
@pytest.mark.parametrize("loaded", [{}, {"id": "a" * 64}, {"owner": "ann"}])
def test_session_of_a_reader_of_the_application_s_own_goes_on(
    mode: str, loaded: dict[str, Any]
) -> None:
    site = Site(**MODES[mode](), migrate_from=[Foreign(**loaded)])
    assert site.read(site.visit(count, "former=x").cookie) == {"n": 2}


@every_mode
@pytest.mark.parametrize(
    ("loaded", "told"),
    [
        ({"id": "a.node1"}, "Foreign.load: found an id, expected a str of the characters 0-9, "),
        ({"id": ""}, "Foreign.load: found an id, expected a str of the characters 0-9, A-Z, "),
        ({"id": 7}, "Foreign.load: found an id, expected a str of the characters 0-9, A-Z, "),
        ({"created": 1.5}, "Foreign.load: found a time that is not an int"),
        ({"issued": 1.5}, "Foreign.load: found a time that is not an int"),
        ({"owner": True}, "Foreign.load: found bool, expected str, int or UUID"),
        ({"csrf_token": "a" * 64}, "Foreign.load: found a CSRF token that is not ours"),
    ],
)
def test_reader_that_returns_what_no_cookie_can_carry_is_told_of(
    clock: Clock, mode: str, loaded: dict[str, Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(**MODES[mode](), migrate_from=[Foreign(**loaded)])
    assert site.visit(data_of, "former=x").result is None
    [record] = caplog.records
    assert (record.levelno, vars(record)["reason"]) == (logging.WARNING, "malformed")
    assert told in record.getMessage()


@held_on_the_server
def test_owner_that_a_reader_of_the_application_s_own_returns_is_a_plain_one(mode: str) -> None:
    """A database driver has a UUID of its own, and a store tells types apart."""

    class DriversUUID(UUID):
        pass

    settings, owner = MODES[mode](), UUID(int=7)
    site = Site(**settings, migrate_from=[Foreign(id="a", owner=DriversUUID(int=7))])
    cookie = site.visit(count, "former=x").cookie
    [keeper] = settings.values()
    keeper.revoke_owner(owner)
    assert site.read(cookie) is None


# While a former store or list does not answer


def test_log_in_fails_with_a_former_store_if_the_cookie_alone_carries_the_session() -> None:
    """Nothing else refuses the former session, which is another user's."""
    then = {"store": MemoryStore(), "salt": "former"}
    site = Site(migrate_from=[reader(then)])
    anns = Site(**then).log_in("ann")
    store: Any = then["store"]

    def log_in_as_bob(session: Session) -> None:
        session.owner = "bob"
        break_down(store)

    with pytest.raises(SessionUnavailable, match="down"):
        site.visit(log_in_as_bob, anns)


@held_on_the_server
def test_every_former_store_is_told_of_an_end_if_one_does_not_answer(mode: str) -> None:
    first, second = ({"store": MemoryStore(), "salt": salt} for salt in ("first", "second"))
    site = Site(**MODES[mode](), migrate_from=[reader(first), reader(second)])
    former = Site(**second).visit(count).cookie
    cookie = site.visit(count, former).cookie
    break_down(first["store"])
    with pytest.raises(SessionUnavailable, match="down"):
        site.visit(Session.invalidate, cookie)
    assert Site(**second).read(former) is None


@held_on_the_server
@pytest.mark.parametrize("former", ["list", "store"])
@pytest.mark.parametrize("act", [Session.regenerate, log_in])
def test_new_id_is_kept_if_a_former_store_or_list_does_not_answer(
    mode: str, former: str, act: Act, caplog: pytest.LogCaptureFixture
) -> None:
    """The present one refuses the former id already, so that an error would leave no session."""
    site, keeper = beside_a_former_keeper(mode, former)
    cookie = site.visit(count).cookie
    break_down(keeper)
    renewed = site.visit(act, cookie).cookie
    assert site.visit(data_of, renewed).result["n"] == 1
    assert [vars(record)["reason"] for record in caplog.records] == ["former_unavailable"]
    assert caplog.records[0].levelno == logging.WARNING


def say_goodbye(session: Session) -> None:
    session.invalidate()
    session.flash("Bye")


@held_on_the_server
@pytest.mark.parametrize("former", ["list", "store"])
@pytest.mark.parametrize("log_out", [Session.invalidate, say_goodbye])
def test_log_out_fails_if_a_former_store_or_list_does_not_answer(
    mode: str, former: str, log_out: Act
) -> None:
    site, keeper = beside_a_former_keeper(mode, former)
    cookie = site.visit(count).cookie
    break_down(keeper)
    with pytest.raises(SessionUnavailable, match="down"):
        site.visit(log_out, cookie)


def beside_a_former_keeper(mode: str, former: str) -> tuple[Site, Any]:
    settings = MODES[former]()
    [keeper] = settings.values()
    return Site(**MODES[mode](), migrate_from=[reader({"salt": "former"} | settings)]), keeper


def break_down(keeper: Any) -> None:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise SessionUnavailable("down")

    for name in ("revoke", "check", "load", "create", "replace", "touch", "delete"):
        setattr(keeper, name, fail)


@held_on_the_server
def test_log_out_holds_after_a_change_of_the_key_for_cookies_without_an_id(mode: str) -> None:
    """Their ids are derived from the key, so that of the former settings has to be known."""
    keeper = MODES[mode]()
    former = SessionwareCookie(KEY)
    old = Site().log_in("ann")
    before = Site(salt="present", migrate_from=[former], **keeper)
    before.visit(Session.invalidate, old)
    after = Site(secret_key=OLDER_KEY, migrate_from=[former, reader({"salt": "present"})], **keeper)
    assert after.read(old) is None


@held_on_the_server
def test_log_out_ends_a_former_cookie_under_the_ids_of_all_keys(mode: str) -> None:
    """Another request may have adopted it before the keys were rotated."""
    keeper, old = MODES[mode](), Site(salt="former").log_in("ann")
    former = [reader({"salt": "former"})]
    thief = Site(migrate_from=former, **keeper).visit(count, old).cookie
    keys = {"secret_key": OLDER_KEY, "secret_key_fallbacks": [KEY]}
    site = Site(migrate_from=former, **keys, **keeper)
    mine = site.log_in("ann")
    site.visit(Session.invalidate, f"{mine}; {old}")
    assert site.read(thief) is None


@pytest.mark.parametrize("mode", ["signed", "encrypted"])
def test_former_cookies_at_more_places_than_are_named_stay_hidden_after_a_log_out(
    clock: Clock, mode: str
) -> None:
    sites = Change("signed", mode, "name")
    cookies = [sites.then.log_in("ann"), sites.then.log_in("ben")]
    page = sites.site.visit(Session.invalidate, "; ".join(cookies))
    assert sites.site.read(f"{page.cookie}; {cookies[0]}") is None
    assert "Max-Age=0" not in (page.response.headers.getlist("Set-Cookie")[-1])


@pytest.mark.parametrize("mode", ["signed", "encrypted"])
def test_former_cookies_at_more_places_than_are_named_stay_hidden_after_a_later_log_out(
    clock: Clock, mode: str
) -> None:
    """Even if the log-out does not see them: the cookie remembers."""
    sites = Change("signed", mode, "name")
    cookies = [sites.then.log_in("ann"), sites.then.log_in("ben")]
    mine = sites.site.visit(data_of, "; ".join(cookies)).cookie
    page = sites.site.visit(Session.invalidate, sites.site.visit(count, mine).cookie)
    assert sites.site.read(f"{page.cookie}; {cookies[0]}") is None


@pytest.mark.parametrize("mode", ["signed", "encrypted"])
def test_empty_cookie_of_the_former_settings_is_not_deleted(clock: Clock, mode: str) -> None:
    """It hides those at places that are not known, until our own takes its place at a log-out."""
    sites = Change("signed", mode, "name")
    older = sites.then.log_in("ann")
    clock.advance(2)
    newer = sites.then.log_in("ann")
    empty = sites.then.visit(Session.invalidate, f"{older}; {newer}").cookie
    page = sites.site.visit(count, f"{older}; {empty}")
    assert page.deleted == []
    out = sites.site.visit(Session.invalidate, f"{page.cookie}; {older}; {empty}")
    assert sites.site.read(f"{out.cookie}; {older}") is None


def test_former_cookie_that_is_newer_than_the_empty_one_counts(clock: Clock) -> None:
    """And what is older than the empty one is hidden, even if the newer one is refused."""
    sites = Change("store", "signed", "name")
    cookies = [sites.then.log_in("ann")]
    for _ in range(2):
        clock.advance(2)
        cookies.append(sites.then.log_in("ben", n=1))
    empty = sites.then.visit(Session.invalidate, "; ".join(cookies[:2])).cookie
    clock.advance(2)
    cookies.append(sites.then.log_in("cleo", n=2))
    header = "; ".join([cookies[0], empty, cookies[3]])
    assert sites.site.read(header) == {"n": 2}
    sites.then.visit(Session.invalidate, cookies[3])
    assert sites.site.read(header) is None


# There and back, after a log-out that has left an empty cookie

SECOND: Settings = {"cookie_name": "second"}


class Return:
    """A log-out that leaves an empty cookie, and after it a log-in under other settings."""

    def __init__(
        self, mode: str, clock: Clock, seconds: int = 61, change: Settings = SECOND
    ) -> None:
        self.first, second = MODES[mode](), MODES[mode]() | change
        site = Site(**self.first)
        self.twins = [site.log_in("ann") for _ in range(2)]
        clock.advance(2)
        self.empty = site.visit(Session.invalidate, "; ".join(self.twins)).cookie
        clock.advance(seconds)
        between = Site(**second, migrate_from=[reader(self.first)])
        self.later = between.visit(log_in, self.empty).cookie
        self.former = [reader(second), reader(self.first)]

    @property
    def header(self) -> str:
        return f"{self.empty}; {self.later}"

    def back(self) -> Site:
        """Return the site under the first settings again."""
        return Site(**self.first, migrate_from=self.former[:1])


@every_mode
def test_log_in_after_the_log_out_goes_on_when_the_settings_come_back(
    clock: Clock, mode: str
) -> None:
    moved = Return(mode, clock)
    site = moved.back()
    page = site.visit(owner_of, moved.header)
    assert (page.result, site.read(page.cookie)) == (7, {"cart": ["pen"]})


@every_mode
def test_log_in_after_the_log_out_goes_on_under_a_third_name(clock: Clock, mode: str) -> None:
    moved = Return(mode, clock)
    site = Site(**MODES[mode](), cookie_name="third", migrate_from=moved.former[::-1])
    assert site.visit(owner_of, moved.header).result == 7


@every_mode
def test_log_out_after_the_return_hides_what_the_first_one_hid(clock: Clock, mode: str) -> None:
    moved = Return(mode, clock)
    site = moved.back()
    mine = site.visit(count, f"{moved.twins[0]}; {moved.header}").cookie
    for header in (mine, f"{mine}; {moved.later}"):
        ended = site.visit(Session.invalidate, header).cookie
        assert site.read(f"{ended}; {moved.twins[0]}") is None


@every_mode
def test_later_session_is_deleted_beside_the_empty_cookie_which_stays(
    clock: Clock, mode: str
) -> None:
    moved = Return(mode, clock, change={"cookie_path": "/app", "salt": "second"})
    site = Site(**MODES[mode](), cookie_name="third", migrate_from=moved.former)
    page = site.visit(owner_of, moved.header)
    later = SessionCookie(name="session", path="/app")
    assert (page.result, page.deleted) == (7, [later.delete(False)])


@every_mode
def test_former_session_of_the_minute_of_the_log_out_stays_hidden(clock: Clock, mode: str) -> None:
    """The clock of the server that has issued its cookie may be ahead."""
    moved = Return(mode, clock, seconds=60)
    assert moved.back().visit(owner_of, moved.header).result is None


# Two changes, one after the other


ERAS = ["list", "store"]


@pytest.mark.parametrize("second", ERAS)
@pytest.mark.parametrize("third", ERAS)
@pytest.mark.parametrize("end", ["log-out", "revoke_owner"])
def test_end_of_a_session_holds_across_a_second_change(
    clock: Clock, second: str, third: str, end: str
) -> None:
    """Only the store or list of the settings in between knows of the end."""
    first = Site(salt="first")
    copy = first.log_in("ann")
    then = MODES[second]() | {"salt": "second"}
    between = Site(**then, migrate_from=[reader({"salt": "first"})])
    ours = between.visit(data_of, copy).cookie
    if end == "log-out":
        between.visit(Session.invalidate, ours)
    else:
        [keeper, _] = then.values()
        keeper.revoke_owner("ann")
    site = Site(**MODES[third](), migrate_from=[reader(then), reader({"salt": "first"})])
    assert [site.read(cookie) for cookie in (copy, ours)] == [None, None]


@pytest.mark.parametrize("second", ERAS)
def test_end_of_a_session_holds_if_the_present_settings_are_the_first_ones(
    clock: Clock, second: str
) -> None:
    """Our own reader takes its cookie then, which has no id."""
    copy = Site().log_in("ann")
    then = MODES[second]() | {"salt": "second"}
    between = Site(**then, migrate_from=[reader({})])
    between.visit(Session.invalidate, copy)
    site = Site(revocations=MemoryRevocations(), migrate_from=[reader(then)])
    assert site.read(copy) is None


@pytest.mark.parametrize("second", ERAS)
def test_session_goes_on_across_two_changes(clock: Clock, second: str) -> None:
    copy = Site(salt="first").log_in("ann", n=1)
    then = MODES[second]() | {"salt": "second"}
    site = Site(store=MemoryStore(), migrate_from=[reader(then), reader({"salt": "first"})])
    assert site.read(copy) == {"n": 1}


@pytest.mark.parametrize("third", ERAS)
def test_cookie_from_before_the_first_list_is_refused_with_the_second(
    clock: Clock, third: str
) -> None:
    """The settings were the same before, so its reader is that of the first list."""
    copy, revocations = Site().log_in("ann"), MemoryRevocations()
    Site(revocations=revocations).visit(Session.invalidate, copy)
    former = [reader({"revocations": revocations})]
    assert Site(**MODES[third](), salt="present", migrate_from=former).read(copy) is None


@pytest.mark.parametrize("former", ["signed", "encrypted"])
@pytest.mark.parametrize("change", ["salt", "key"])
def test_twins_of_former_settings_at_our_own_place_stay_hidden_after_a_log_out(
    clock: Clock, former: str, change: str
) -> None:
    sites = Change(former, "signed", change)
    twins = [sites.then.log_in("ann"), sites.then.log_in("ann")]
    page = sites.site.visit(Session.invalidate, "; ".join(twins))
    assert sites.site.read(f"{page.cookie}; {twins[1]}") is None


@held_on_the_server
def test_log_in_of_another_user_ends_former_sessions_beside_ours(clock: Clock, mode: str) -> None:
    sites = Change("signed", mode)
    twins = [sites.then.log_in("ann"), sites.then.log_in("ann", n=1)]
    sites.site.visit(lambda session: setattr(session, "owner", "ben"), "; ".join(twins))
    assert [sites.site.read(twin) for twin in twins] == [None, None]


def test_log_out_with_a_former_cookie_ends_the_session_that_came_of_it(clock: Clock) -> None:
    """The answer to regenerate() was lost."""
    sites = Change("signed", "store")
    old = sites.then.log_in("ann")
    new = sites.site.visit(Session.regenerate, old).cookie
    sites.site.visit(Session.invalidate, old)
    assert sites.site.read(new) is None


# A session that the server has ended by itself


@pytest.mark.parametrize("end", ["delete", "revoke_all"])
@pytest.mark.parametrize("owner", [None, "ann"])
@every_former
def test_session_that_was_deleted_from_the_store_is_not_taken_over_again(
    clock: Clock, former: str, end: str, owner: str | None
) -> None:
    """Such as by a page that lists the user's devices."""
    sites = Change(former, "store")
    copy = sites.then.log_in(owner, n=1) if owner else sites.then.visit(count).cookie
    ours = sites.site.visit(data_of, copy).cookie
    store = sites.present["store"]
    if end == "delete":
        store.delete(key_of(sites.site.visit(id_of, ours).result))
    else:
        store.revoke_all()
    assert [sites.site.read(cookie) for cookie in (ours, copy)] == [None, None]
