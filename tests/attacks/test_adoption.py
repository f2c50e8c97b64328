"""Adoption: a copy of a former cookie logs in again after the log-out (CWE-613, CWE-384).

The cookie is of the framework that the site used before, or of our own former settings. Its session
was taken over, and has ended since, at its user's wish or by ``revoke_owner``. A server with a list
or a store refuses every copy, as long as one could be accepted.
"""

import json
import zlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from itsdangerous import Signer

from sessionware import Session, SessionUnavailable
from sessionware.backend import GRACE
from sessionware.migration import BeakerCookie, FlaskCookie, FormerCookie, StarletteCookie
from tests.attacks.former import former
from tests.attacks.jar import Jar
from tests.attacks.modes import MODES, every_mode, held_on_the_server
from tests.attacks.victim import Victim
from tests.conftest import Clock
from tests.gateway import KEY, OLDER_KEY
from tests.sites import MemoryRevocations, MemoryStore
from tests.unit.foreign_cookies import KEY as THEIR_KEY
from tests.unit.foreign_cookies import (
    LITERALS,
    MAKERS,
    SIGN,
    SignerAtNow,
    every_peer,
    reader,
    sign_as_flask,
)

HOUR = 60 * 60
DAY = 24 * HOUR
NEXT_KEY = "the key of next year, which has thirty-two bytes"

Source = Callable[..., tuple[str, FormerCookie]]
"""Returns the Cookie header of Alice's former session, and its reader, which may find its owner."""


def theirs(peer: str) -> Source:
    """Return a source of cookies that a framework has made when the clock stood at its start."""

    def source(**settings: Any) -> tuple[str, FormerCookie]:
        cookie = reader(peer, limit=40 * DAY, **settings)
        return f"{cookie.cookie.name}={LITERALS[peer]}", cookie

    return source


def ours(make: Callable[[], dict[str, Any]], key: str = KEY) -> Source:
    """Return a source of cookies of our own former settings."""

    def source(owner: object = None) -> tuple[str, FormerCookie]:
        def log_in(session: Any) -> None:
            session["user"] = "alice"
            if owner is not None:  # Our cookie names it itself.
                session.owner = "alice"

        then = make()
        return Victim(key, **then).visit("", log_in).cookie, former(key, **then)

    return source


FRAMEWORKS: dict[str, Source] = {peer: theirs(peer) for peer in MAKERS}
FORMER: dict[str, Source] = {
    "another salt": ours(lambda: {"salt": "former"}),
    "another key": ours(dict, OLDER_KEY),
    "another name": ours(lambda: {"cookie_name": "former"}),
    "another path": ours(lambda: {"cookie_path": "/app"}),
    "encrypted": ours(lambda: {"encrypt": True}),
    "signed": ours(dict),
    "a store": ours(lambda: {"store": MemoryStore()}),
    "a list": ours(lambda: {"revocations": MemoryRevocations()}),
}
SOURCES = FRAMEWORKS | {f"ours, {name}": source for name, source in FORMER.items()}
every_source = pytest.mark.parametrize("source", SOURCES)


def user(session: Any) -> Any:
    return session.get("user")


def owner(session: Any) -> Any:
    return session.owner


def id_of(session: Any) -> Any:
    return session.id


def log_out(session: Any) -> None:
    session.invalidate()


def name_of(data: dict[str, Any]) -> Any:
    """Return whose session it is, as ``owner`` of a reader."""
    return data.get("user")


def site(mode: str, cookie: FormerCookie, **settings: Any) -> Victim:
    return Victim(**MODES[mode](), migrate_from=[cookie], **settings)


Ending = Callable[[Jar, Victim], object]
"""Ends the session of a browser that has the former cookie."""


def after_a_look(act: Callable[[Any], object]) -> Ending:
    def end(jar: Jar, victim: Victim) -> None:
        jar.visit(victim, user)
        jar.visit(victim, act)

    return end


ENDINGS: dict[str, Ending] = {
    "log-out": after_a_look(log_out),
    "log-out in the first request": lambda jar, victim: jar.visit(victim, log_out),
    "emptied": after_a_look(lambda session: session.clear()),
    "regenerate": after_a_look(lambda session: session.regenerate()),
    "regenerate in the first request": lambda jar, victim: jar.visit(
        victim, lambda session: session.regenerate()
    ),
    "log-in": after_a_look(lambda session: setattr(session, "owner", "ada")),
    "log-in in the first request": lambda jar, victim: jar.visit(
        victim, lambda session: setattr(session, "owner", "ada")
    ),
}
every_ending = pytest.mark.parametrize("ending", ENDINGS)


@every_mode
@every_source
def test_a_former_session_goes_on(clock: Clock, mode: str, source: str) -> None:
    """Otherwise, the tests below would prove nothing."""
    header, cookie = SOURCES[source]()
    jar, victim = Jar().plant(header), site(mode, cookie)
    assert [jar.visit(victim, user) for _ in range(2)] == ["alice"] * 2


@held_on_the_server
@every_source
@every_ending
def test_no_copy_of_a_former_cookie_brings_its_session_back(
    clock: Clock, mode: str, source: str, ending: str
) -> None:
    header, cookie = SOURCES[source]()
    victim = site(mode, cookie)
    ENDINGS[ending](Jar().plant(header), victim)
    if source == "ours, a store":  # Its cookie is one of the present settings, too.
        clock.advance(GRACE + 1)
    assert victim.asks(header, user) is None


CLIENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "addresses": ({"REMOTE_ADDR": "192.0.2.1"}, {"REMOTE_ADDR": "192.0.2.2"}),
    "addresses behind a proxy": (
        {"HTTP_X_FORWARDED_FOR": "192.0.2.1"},
        {"HTTP_X_FORWARDED_FOR": "192.0.2.1, 192.0.2.2"},
    ),
    "addresses behind a newer proxy": (
        {"HTTP_FORWARDED": "for=192.0.2.1"},
        {"HTTP_FORWARDED": "for=192.0.2.2"},
    ),
    "browsers": ({"HTTP_USER_AGENT": "Firefox"}, {"HTTP_USER_AGENT": "curl"}),
    **{
        f"addresses in {field}": ({field: "192.0.2.1"}, {field: "192.0.2.2"})
        for field in (
            "HTTP_X_REAL_IP",
            "HTTP_CF_CONNECTING_IP",
            "HTTP_TRUE_CLIENT_IP",
            "HTTP_FLY_CLIENT_IP",
            "HTTP_FASTLY_CLIENT_IP",
            "HTTP_X_CLUSTER_CLIENT_IP",
            "HTTP_X_AZURE_CLIENTIP",
            "HTTP_X_CLIENT_IP",
        )
    },
}


WITHOUT_AN_ID = ["Flask", "Starlette", "Pyramid", "ours, signed", "ours, another key"]


@pytest.mark.parametrize("source", WITHOUT_AN_ID)
@pytest.mark.parametrize("clients", CLIENTS)
def test_a_robot_with_a_cookie_of_the_same_text_does_not_get_a_visitors_session(
    clock: Clock, source: str, clients: str
) -> None:
    """Cookies of the same second and the same data are equal, such as those of a front page."""
    header, cookie = SOURCES[source]()
    victim = site("store", cookie)
    ann, robot = CLIENTS[clients]

    def fill_in(session: Any) -> None:
        session["address"] = "Ann's street"

    anns = victim.visit(header, fill_in, **ann).cookie
    victim.visit(header, **robot)
    assert "address" not in victim.found
    assert victim.sees(anns)["address"] == "Ann's street"


@pytest.mark.parametrize("source", WITHOUT_AN_ID)
def test_sessions_of_copies_of_one_cookie_end_together(clock: Clock, source: str) -> None:
    """Or else that of a thief would outlive the log-out."""
    header, cookie = SOURCES[source]()
    victim = site("store", cookie)
    thiefs = victim.visit(header, len, REMOTE_ADDR="192.0.2.2").cookie
    assert victim.asks(thiefs, user) == "alice"
    anns = victim.visit(header, len, REMOTE_ADDR="192.0.2.1").cookie
    victim.visit(anns, log_out)
    assert victim.asks(thiefs, user) is None
    assert victim.visit(header, len, REMOTE_ADDR="192.0.2.2").data == b"0"  # the copy itself


@pytest.mark.parametrize("source", WITHOUT_AN_ID)
@pytest.mark.parametrize("act", [Session.regenerate, lambda session: session.update(a=1)])
def test_a_slow_request_with_a_copy_does_not_outlive_the_log_out(
    clock: Clock, source: str, act: Callable[[Any], object]
) -> None:
    header, cookie = SOURCES[source]()
    victim = site("store", cookie)
    anns = victim.visit(header, len, REMOTE_ADDR="192.0.2.1").cookie
    thiefs = victim.visit(header, len, REMOTE_ADDR="192.0.2.2").cookie

    def slow(session: Any) -> None:
        len(session)
        victim.visit(anns, log_out)
        act(session)

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        victim.visit(thiefs, slow)
    assert victim.asks(thiefs, user) is None


def with_an_id(owner: str | None) -> str:
    """Return the former cookie of a session that has an id."""

    def begin(session: Any) -> None:
        session.update(id=session.id, user="ann")
        session.owner = owner

    return Victim().visit("", begin).cookie


def down(_: str) -> bool:
    raise SessionUnavailable("the store does not answer")


@pytest.mark.parametrize("owner", ["ann", None])
@pytest.mark.parametrize("act", [len, lambda session: session.update(a=1)])
def test_a_slow_page_takes_nothing_over_after_the_log_out_even_if_the_store_cannot_delete(
    monkeypatch: pytest.MonkeyPatch, owner: str | None, act: Callable[[Any], object]
) -> None:
    first, store = with_an_id(owner), MemoryStore()
    victim = Victim(store=store, salt="new", migrate_from=[former()])
    copies: list[str] = []

    def slow(session: Any) -> None:
        len(session)
        copies.append(victim.visit(first).cookie)
        victim.visit(copies[0], log_out)
        monkeypatch.setattr(store, "delete", down)
        act(session)

    with suppress(SessionUnavailable):  # a page that has only read is answered
        victim.visit(first, slow)
    assert [victim.asks(each, user) for each in (*copies, first)] == [None, None]


@pytest.mark.parametrize("owner", ["ann", None])
@pytest.mark.parametrize("is_beside", [False, True])
def test_a_log_out_between_the_commands_of_a_take_over_holds_even_if_the_store_cannot_delete(
    monkeypatch: pytest.MonkeyPatch, owner: str | None, is_beside: bool
) -> None:
    """``is_beside``: the log-out ends a later session, which the former cookie came beside."""
    first, store = with_an_id(owner), MemoryStore()
    victim = Victim(store=store, salt="new", migrate_from=[former()])
    copies: list[str] = []
    create, later = store.create, victim.visit("", lambda session: session.update(a=1)).cookie

    def create_late(*args: Any, **life: Any) -> bool:
        monkeypatch.setattr(store, "create", create)
        victim.visit(f"{later}; {first}" if is_beside else copies[0], log_out)
        monkeypatch.setattr(store, "delete", down)
        return create(*args, **life)

    def slow(session: Any) -> None:
        len(session)
        copies.append(victim.visit(first).cookie)
        monkeypatch.setattr(store, "create", create_late)

    victim.visit(first, slow)
    assert [victim.asks(each, user) for each in (*copies, first)] == [None, None]


@pytest.mark.parametrize("between", ["signed", "encrypted", "revocations"])
@pytest.mark.parametrize("source", WITHOUT_AN_ID)
def test_a_robot_does_not_get_a_visitors_session_after_a_second_change(
    clock: Clock, source: str, between: str
) -> None:
    """The cookies of the settings in between have an id that both of them share."""
    header, cookie = SOURCES[source]()
    then = MODES[between]()
    before = Victim(**then, salt="between", migrate_from=[cookie])
    anns, robots = (before.visit(header, id_of).cookie for _ in range(2))
    victim = site("store", former(salt="between", **then))

    def fill_in(session: Any) -> None:
        session["address"] = "Ann's street"

    victim.visit(anns, fill_in, REMOTE_ADDR="192.0.2.1")
    victim.visit(robots, REMOTE_ADDR="192.0.2.2")
    assert "address" not in victim.found


@pytest.mark.parametrize("change", ["reader removed", "list", "another store", "another name"])
@pytest.mark.parametrize("source", ["Flask", "Starlette", "Pyramid"])
def test_sessions_of_copies_end_together_after_a_second_change(
    clock: Clock, source: str, change: str
) -> None:
    header, cookie = SOURCES[source]()
    store = MODES["store"]()
    before = Victim(**store, salt="between", migrate_from=[cookie])
    anns, thiefs = (
        before.visit(header, len, REMOTE_ADDR=address).cookie
        for address in ("192.0.2.1", "192.0.2.2")
    )
    readers = [former(salt="between", **store), cookie]
    victim = {
        "reader removed": lambda: Victim(**store, salt="between"),
        "list": lambda: Victim(**MODES["revocations"](), migrate_from=readers),
        "another store": lambda: Victim(**MODES["store"](), migrate_from=readers),
        "another name": lambda: Victim(**store, cookie_name="own", migrate_from=readers),
    }[change]()
    assert victim.asks(anns, user) == "alice"
    victim.visit(anns, log_out, REMOTE_ADDR="192.0.2.1")
    assert [victim.asks(copy, user) for copy in (thiefs, header)] == [None, None]


# The keys of two servers, of which the first one signs.
ROTATION = {
    "new fallback": ([OLDER_KEY], [OLDER_KEY, KEY]),
    "old key dropped": ([KEY, OLDER_KEY], [KEY]),
}


@pytest.mark.parametrize("mode", ["store", "revocations"])
@pytest.mark.parametrize("source", ["Flask", "Starlette", "Pyramid"])
@pytest.mark.parametrize("step", ROTATION)
@pytest.mark.parametrize("thief_first", [True, False])
def test_sessions_of_copies_end_together_across_a_step_of_a_rotation_of_keys(
    clock: Clock, mode: str, source: str, step: str, thief_first: bool
) -> None:
    """From one step to the next: the new key becomes a fallback, and the old one is dropped."""
    header, cookie = SOURCES[source]()
    settings = {**MODES[mode](), "migrate_from": [cookie]}
    old, new = (Victim(key, secret_key_fallbacks=more, **settings) for key, *more in ROTATION[step])
    first, second = (
        each.visit(header, len, REMOTE_ADDR=address).cookie
        for each, address in ((old, "192.0.2.1"), (new, "192.0.2.2"))
    )
    thiefs, anns = (first, second) if thief_first else (second, first)
    new.visit(anns, log_out)
    assert [each.asks(copy, user) for each in (old, new) for copy in (thiefs, header)] == [None] * 4


LIMITS: dict[str, dict[str, Any]] = {
    "ours shorter": {"idle_timeout": 2 * HOUR},
    "ours longer": {"idle_timeout": 60 * DAY},
    "ours longer if permanent": {"idle_timeout": 2 * HOUR, "permanent_timeout": 60 * DAY},
    "absolute": {"idle_timeout": 60 * DAY, "absolute_timeout": 50 * DAY},
}


@held_on_the_server
@every_source
@pytest.mark.parametrize("limits", LIMITS)
def test_no_copy_comes_back_while_one_could_be_accepted(
    clock: Clock, mode: str, source: str, limits: str
) -> None:
    """The list must not forget the session before its last copy has expired."""
    header, cookie = SOURCES[source]()
    victim = site(mode, cookie, **LIMITS[limits])
    ENDINGS["log-out"](Jar().plant(header), victim)
    seen = []
    for _ in range(65):
        seen.append(victim.asks(header, user))
        clock.advance(DAY)
    assert seen == [None] * 65


@held_on_the_server
def test_a_beaker_cookie_without_a_timeout_does_not_come_back_after_years(
    clock: Clock, mode: str
) -> None:
    header = f"beaker.session.id={LITERALS['Beaker']}"
    victim = site(mode, BeakerCookie(THEIR_KEY))
    ENDINGS["log-out"](Jar().plant(header), victim)
    seen = []
    for _ in range(10):
        seen.append(victim.asks(header, user))
        clock.advance(300 * DAY)
    assert seen == [None] * 10


@every_mode
def test_a_former_cookie_without_a_timeout_obeys_ours(clock: Clock, mode: str) -> None:
    """A stolen one would be valid for ever."""
    header = f"beaker.session.id={LITERALS['Beaker']}"
    victim = site(mode, BeakerCookie(THEIR_KEY), idle_timeout=HOUR)
    clock.advance(HOUR)
    assert victim.asks(header, user) == "alice"
    clock.advance(1)
    assert victim.asks(header, user) is None


@held_on_the_server
@every_source
def test_two_requests_of_one_page_take_over_the_same_session(
    clock: Clock, mode: str, source: str
) -> None:
    header, cookie = SOURCES[source]()
    victim = site(mode, cookie)
    ids = [victim.asks(header, lambda session: session.id) for _ in range(2)]
    assert ids[0] == ids[1]


@held_on_the_server
@every_source
def test_a_log_out_ends_what_a_second_request_has_taken_over(
    clock: Clock, mode: str, source: str
) -> None:
    """Two tabs, or a thief with a copy: both had their former cookie replaced by ours."""
    header, cookie = SOURCES[source]()
    victim = site(mode, cookie)
    first, second = Jar().plant(header), Jar().plant(header)
    for jar in (first, second):
        jar.visit(victim, user)
    clock.advance(HOUR)
    first.visit(victim, log_out)
    assert second.visit(victim, user) is None


@held_on_the_server
@every_source
def test_a_log_out_holds_when_our_key_is_rotated(clock: Clock, mode: str, source: str) -> None:
    header, cookie = SOURCES[source]()
    settings = MODES[mode]() | {"migrate_from": [cookie]}
    ENDINGS["log-out"](Jar().plant(header), Victim(**settings))
    rotated = Victim(NEXT_KEY, secret_key_fallbacks=[KEY], **settings)
    assert rotated.asks(header, user) is None


CHANGES: dict[str, dict[str, Any]] = {
    "salt": {"salt": "former"},
    "name": {"cookie_name": "former"},
    "path": {"cookie_path": "/app"},
    "encryption": {"encrypt": True},
}


@held_on_the_server
@pytest.mark.parametrize("change", CHANGES)
def test_a_log_out_holds_on_the_former_servers_too(clock: Clock, mode: str, change: str) -> None:
    """While the settings are rolled out, both share the list or the store."""
    settings = MODES[mode]()
    before = settings | CHANGES[change]
    then, victim = Victim(**before), Victim(**settings, migrate_from=[former(**before)])
    header = then.log_in("alice")
    ENDINGS["log-out"](Jar().plant(header), victim)
    assert [it.asks(header, user) for it in (then, victim)] == [None, None]


@every_mode
def test_of_our_cookie_and_a_former_one_ours_counts(clock: Clock, mode: str) -> None:
    header, cookie = SOURCES["ours, another salt"]()
    victim = site(mode, cookie)
    present = victim.log_in("ada")
    assert victim.asks(f"{header}; {present}", user) == "ada"


@every_mode
@every_source
def test_every_adoption_is_logged(
    clock: Clock, mode: str, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    header, cookie = SOURCES[source]()
    is_ours = Victim(**MODES[mode]()).asks(header, user) == "alice"
    victim = site(mode, cookie)
    caplog.set_level("INFO", "sessionware")
    caplog.clear()
    victim.asks(header, user)
    reasons = [vars(record)["reason"] for record in caplog.records]
    assert ("migrated" in reasons) is not is_ours


# From before the list was configured


@every_ending
@pytest.mark.parametrize("encrypt", [False, True])
def test_no_copy_from_before_the_list_brings_its_session_back(
    clock: Clock, encrypt: bool, ending: str
) -> None:
    """The cookie has no id, because nothing needed one."""
    copy = Victim(encrypt=encrypt).log_in("alice")
    victim = Victim(encrypt=encrypt, revocations=MemoryRevocations())
    ENDINGS[ending](Jar().plant(copy), victim)
    assert victim.asks(copy, user) is None


def test_two_requests_from_before_the_list_share_their_session(clock: Clock) -> None:
    copy = Victim().log_in("alice")
    victim = Victim(revocations=MemoryRevocations())
    first, second = Jar().plant(copy), Jar().plant(copy)
    for jar in (first, second):
        jar.visit(victim, lambda session: session.update(seen=True))
    first.visit(victim, log_out)
    assert second.visit(victim, user) is None


# Owners


@held_on_the_server
@every_source
def test_an_adopted_session_has_its_owner_at_once(clock: Clock, mode: str, source: str) -> None:
    header, cookie = SOURCES[source](owner=name_of)
    jar, victim = Jar().plant(header), site(mode, cookie)
    assert [jar.visit(victim, owner) for _ in range(2)] == ["alice"] * 2


def revoke(victim: Victim, whose: Any) -> None:
    """End all sessions of this owner."""
    held = victim.settings.get("store") or victim.settings["revocations"]
    held.revoke_owner(whose)


@held_on_the_server
@every_source
def test_after_revoke_owner_a_session_that_was_adopted_has_ended(
    clock: Clock, mode: str, source: str
) -> None:
    header, cookie = SOURCES[source](owner=name_of)
    jar, victim = Jar().plant(header), site(mode, cookie)
    assert jar.visit(victim, user) == "alice"
    revoke(victim, "alice")
    assert [jar.visit(victim, user), victim.asks(header, user)] == [None, None]


@held_on_the_server
@every_source
def test_after_revoke_owner_a_cookie_that_was_not_adopted_is_refused(
    clock: Clock, mode: str, source: str
) -> None:
    header, cookie = SOURCES[source](owner=name_of)
    victim = site(mode, cookie)
    revoke(victim, "alice")
    assert victim.asks(header, user) is None


@held_on_the_server
@every_source
def test_revoke_owner_leaves_the_cookies_of_others(clock: Clock, mode: str, source: str) -> None:
    header, cookie = SOURCES[source](owner=name_of)
    victim = site(mode, cookie)
    revoke(victim, "bob")
    assert victim.asks(header, user) == "alice"


@held_on_the_server
def test_after_revoke_owner_the_log_in_of_former_settings_is_refused(
    clock: Clock, mode: str
) -> None:
    """Our own former cookie names its owner itself."""

    def log_in(session: Any) -> None:
        session.owner = "alice"
        session["user"] = "alice"

    copy = Victim(salt="former").visit("", log_in).cookie
    victim = site(mode, former(salt="former"))
    assert victim.asks(copy, owner) == "alice"
    revoke(victim, "alice")
    assert victim.asks(copy, user) is None


@every_mode
@every_peer
def test_a_former_cookie_whose_owner_cannot_be_found_is_malformed(
    clock: Clock, mode: str, peer: str, caplog: pytest.LogCaptureFixture
) -> None:
    header, cookie = FRAMEWORKS[peer](owner=lambda data: data["user_id"])
    victim = site(mode, cookie, cookie_name="own")
    assert victim.refuses(header, caplog) == "malformed"


@every_mode
@every_peer
def test_a_former_cookie_may_have_no_owner(clock: Clock, mode: str, peer: str) -> None:
    header, cookie = FRAMEWORKS[peer](owner=lambda data: None)
    victim = site(mode, cookie)
    assert (victim.asks(header, owner), victim.asks(header, user)) == (None, "alice")


@every_mode
@every_peer
def test_the_data_of_a_former_cookie_sets_no_owner(clock: Clock, mode: str, peer: str) -> None:
    """The former site may have saved a whole form: only ``owner=`` names an owner."""
    data = {"_accessed_time": 1_800_000_000, "_owner": ["root", ""], "user": "mallory"}
    kept = [1_800_000_000, 1_800_000_000, data] if peer == "Pyramid" else data
    plain = json.dumps(kept).encode()
    plain = zlib.compress(plain) if peer == "Beaker" else plain
    cookie = reader(peer)
    header = f"{cookie.cookie.name}={SIGN[peer](plain)}"
    victim = site(mode, cookie)
    assert (victim.asks(header, user), victim.asks(header, owner)) == ("mallory", None)


# What else their key has signed


def starlette(payload: bytes) -> str:
    """Return a token that the key has signed with the default salt of itsdangerous."""
    return f"session={SignerAtNow(THEIR_KEY).sign(payload).decode()}"


MALLORY = json.dumps({"user": "mallory>>>???"}).encode()
IN_BASE64 = b64encode(MALLORY)
OTHER_TOKENS = {
    "JSON": MALLORY,
    "URL-safe base64": urlsafe_b64encode(MALLORY),
    "base64 without padding": IN_BASE64.rstrip(b"="),
    "base64 with a space": IN_BASE64[:8] + b" " + IN_BASE64[8:],
    "base64 behind a dollar": b"$" + IN_BASE64,
    "a list": b64encode(b"[1, 2]"),
    "pairs": b64encode(b'[["user", "mallory"]]'),
    "an address": b"mallory@example.com",
    "a number": b"1",
}


@pytest.mark.parametrize("token", OTHER_TOKENS)
def test_a_token_that_starlette_does_not_write_is_refused(
    clock: Clock, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The key has signed it for a link in an email, with a salt that is not Starlette's own."""
    victim = Victim(cookie_name="own", migrate_from=[StarletteCookie(THEIR_KEY)])
    assert victim.refuses(starlette(OTHER_TOKENS[token]), caplog) == "malformed"


FLASK_TOKENS = {
    "a list": urlsafe_b64encode(b'["user","mallory"]'),
    "pairs": urlsafe_b64encode(b'[["user","mallory"]]'),
    "a number": urlsafe_b64encode(b"1"),
    "JSON": b'{"user":"mallory"}',
    "an address": b"mallory@example.com",
}


@pytest.mark.parametrize("token", FLASK_TOKENS)
def test_a_token_that_flask_does_not_write_is_refused(
    clock: Clock, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The key has signed it with the salt of Flask's session, for another purpose."""
    victim = Victim(cookie_name="own", migrate_from=[FlaskCookie(THEIR_KEY)])
    value = sign_as_flask(FLASK_TOKENS[token])
    assert victim.refuses(f"session={value}", caplog) == "malformed"


@pytest.mark.parametrize("peer", ["Flask", "Starlette"])
def test_a_token_in_the_form_of_a_session_is_one_as_in_the_framework_itself(
    clock: Clock, peer: str
) -> None:
    """A documented limit: their signatures cover neither the cookie's name nor its purpose."""
    name, other = reader(peer).cookie.name, LITERALS[peer]
    assert (
        Victim(cookie_name="own", migrate_from=[reader(peer)]).sees(f"{name}={other}")["user"]
        == "alice"
    )


@pytest.mark.parametrize("peer", ["Flask", "Starlette"])
def test_a_site_can_refuse_such_a_token_by_what_it_lacks(
    clock: Clock, peer: str, caplog: pytest.LogCaptureFixture
) -> None:
    victim = Victim(
        cookie_name="own", migrate_from=[reader(peer, owner=lambda data: data["_user_id"])]
    )
    header = f"{reader(peer).cookie.name}={LITERALS[peer]}"
    assert victim.refuses(header, caplog) == "malformed"


def test_a_token_of_the_former_key_with_another_salt_is_refused(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    payload = IN_BASE64 + b".a0nSAA"
    value = Signer(THEIR_KEY, "itsdangerous").sign(payload).decode()
    victim = Victim(cookie_name="own", migrate_from=[StarletteCookie(THEIR_KEY)])
    assert victim.refuses(f"session={value}", caplog) == "bad_signature"
