"""What a log-out cannot reach (CWE-613), and what ends a log-in, as ``tests/README.md`` lists it.

Each test shows a limit: a session that goes on although its user has logged out, or one that ends
although its user has not, because the server cannot know of it, or because the settings tell it
something that is not so. If a limit is gone, so is its test.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from sessionware import SessionUnavailable
from sessionware.backend import GRACE, MAX_REPEAT_TIME
from sessionware.cookie import MAX_COOKIES
from tests.attacks.former import former
from tests.attacks.jar import Jar, Place
from tests.attacks.modes import MODES, cookie_alone, every_mode, held_on_the_server
from tests.attacks.victim import Victim
from tests.conftest import Clock
from tests.gateway import KEY, OLDER_KEY, call
from tests.sites import MemoryRevocations, MemoryStore
from tests.unit.foreign_cookies import LITERALS, reader

HOUR = 60 * 60
DAY = 24 * HOUR
FLASK = f"session={LITERALS['Flask']}"
"""The former cookie of Alice."""


pytestmark = pytest.mark.usefixtures("clock")


def log_out(session: Any) -> None:
    session.invalidate()


def log_in(owner: str) -> Callable[[Any], object]:
    return lambda session: setattr(session, "owner", owner)


def who(session: Any) -> Any:
    return session.owner


def user(session: Any) -> Any:
    return session.get("user")


def count(session: Any) -> None:
    session["n"] = session.get("n", 0) + 1


# Cookies at places that the server does not know


@cookie_alone
@pytest.mark.parametrize("named", ["/", "/app"])
def test_framework_cookie_at_a_place_that_is_not_named_outlives_the_log_out(
    mode: str, named: str
) -> None:
    flask = reader("Flask", limit=40 * DAY, session_cookie_path=named)
    victim, jar = Victim(**MODES[mode](), migrate_from=[flask]), Jar().plant(FLASK, "/app")
    jar.visit(victim, log_out)
    assert jar.visit(victim, user) == ("alice" if named == "/" else None)


@cookie_alone
@pytest.mark.parametrize("is_named", [False, True])
def test_cookie_that_was_not_sent_with_ours_outlives_the_log_out(
    clock: Clock, mode: str, is_named: bool
) -> None:
    kept = MODES[mode]()
    before = Victim(cookie_path="/app", **kept)
    present = Victim(migrate_from=[former(cookie_path="/app", **kept)] * is_named, **kept)
    jar = Jar()
    jar.visit(before, log_in("bob"))
    clock.advance(HOUR)
    jar.visit(present, log_in("ada"), "/elsewhere")
    jar.visit(present, log_out, "/elsewhere")
    assert jar.visit(present, who) == (None if is_named else "bob")


@cookie_alone
@pytest.mark.parametrize("named", ["/", "/app"])
def test_lasting_cookie_counts_again_when_the_browser_forgets_the_next_log_in(
    clock: Clock, mode: str, named: str
) -> None:
    """The log-in has taken the place of the lasting empty cookie, and must end with the browser."""
    flask = reader("Flask", limit=40 * DAY, session_cookie_path=named)
    victim = Victim(**MODES[mode](), migrate_from=[flask])
    jar = Jar().plant(FLASK, "/app", seconds=30 * DAY)
    mine = Jar()
    mine.visit(victim, log_in("ada"))
    jar.cookies |= mine.cookies  # logged in where the other cookie is not sent
    jar.visit(victim, log_out)
    jar.visit(victim, log_in("ben"))
    assert jar.visit(victim, who) == "ben"
    jar.restart()
    assert jar.visit(victim, user) == ("alice" if named == "/" else None)


# A renewal on its way


@pytest.mark.parametrize("helps", [False, True])
def test_hand_over_to_another_user_does_not_end_what_another_request_renews(helps: bool) -> None:
    """The list knows of it, but not its id, and a log-in never fails for that."""

    def hand_over(session: Any) -> None:
        session.invalidate()
        session.owner = "ben"

    keeper = MODES["revocations"]()
    victim = Victim(**keeper)
    cookie = victim.visit("", log_in("ann")).cookie
    renewed = victim.visit(cookie, lambda session: session.regenerate()).cookie
    victim.visit(cookie, hand_over)
    if helps:
        keeper["revocations"].revoke_owner("ann")
    assert victim.asks(renewed, who) == (None if helps else "ann")


@pytest.mark.parametrize("named", ["/", "/app"])
def test_log_out_after_the_idle_timeout_fails_for_a_minute_beside_a_cookie_that_was_renewed(
    clock: Clock, named: str
) -> None:
    """The list does not know that the present cookie is what the other one was renewed to."""
    flask = reader("Flask", limit=40 * DAY, session_cookie_path=named)
    victim = Victim(**MODES["revocations"](), migrate_from=[flask], idle_timeout=HOUR)
    jar = Jar().plant(FLASK, "/app")
    jar.visit(victim, lambda session: session.regenerate())
    clock.advance(HOUR + 1)
    if named == "/":
        with pytest.raises(SessionUnavailable, match="log out again"):
            jar.visit(victim, log_out)
        clock.advance(MAX_REPEAT_TIME + 1)
    jar.visit(victim, log_out)
    assert jar.visit(victim, user) is None


# Cookies without an id


@held_on_the_server
def test_earlier_cookie_without_an_id_outlives_the_log_out(clock: Clock, mode: str) -> None:
    """Each has another text, and nothing says that they belong to one session."""
    before = Victim(salt="former")
    earlier = before.visit("", log_in("ann")).cookie
    clock.advance(1)
    later = before.visit(earlier, count).cookie
    present = Victim(**MODES[mode](), migrate_from=[former(salt="former")])
    present.visit(later, log_out)
    assert [present.asks(copy, who) for copy in (earlier, later)] == ["ann", None]


@held_on_the_server
@pytest.mark.parametrize("keeps", [False, True])
def test_key_that_is_dropped_revives_former_cookies_without_an_id(mode: str, keeps: bool) -> None:
    """Their ids are made with it."""
    kept = MODES[mode]()
    flask = reader("Flask", limit=40 * DAY)
    settings: dict[str, Any] = {**kept, "cookie_name": "own", "migrate_from": [flask]}
    Victim(OLDER_KEY, **settings).visit(FLASK, log_out)
    present = Victim(KEY, secret_key_fallbacks=[OLDER_KEY] * keeps, **settings)
    assert present.asks(FLASK, user) == (None if keeps else "alice")


@held_on_the_server
@pytest.mark.parametrize("helps", [True, False])
def test_copies_taken_over_before_and_after_a_new_key_signs_end_apart(
    mode: str, helps: bool
) -> None:
    """An id is made with the key that signs, and each server knows those of all its keys."""
    keeper = MODES[mode]()
    settings: dict[str, Any] = {**keeper, "migrate_from": [reader("Flask", limit=40 * DAY)]}
    before = Victim(OLDER_KEY, secret_key_fallbacks=[KEY], **settings)
    after = Victim(KEY, secret_key_fallbacks=[OLDER_KEY], **settings)
    thiefs = before.visit(FLASK, count, REMOTE_ADDR="192.0.2.1").cookie
    after.visit(after.visit(FLASK, count, REMOTE_ADDR="192.0.2.2").cookie, log_out)
    if helps:
        keeper.popitem()[1].revoke_all()
    assert after.asks(thiefs, user) == (None if helps else "alice")


def test_visitors_with_equal_former_cookies_end_together() -> None:
    """They may be one visitor and a thief. Neither sees what the other does."""
    victim = Victim(**MODES["store"](), migrate_from=[reader("Flask", limit=40 * DAY)])
    one, other = (
        victim.visit(FLASK, count, REMOTE_ADDR=address).cookie
        for address in ("192.0.2.1", "192.0.2.2")
    )
    victim.visit(one, log_out)
    assert victim.asks(other, user) is None


def test_clients_that_nothing_tells_apart_share_the_session_of_equal_former_cookies() -> None:
    """Until one of them logs in."""
    victim = Victim(**MODES["store"](), migrate_from=[reader("Flask", limit=40 * DAY)])
    victim.visit(FLASK, count)
    assert victim.asks(FLASK, lambda session: session["n"]) == 1


def test_devices_of_one_user_share_the_session_of_equal_former_cookies() -> None:
    flask = reader("Flask", limit=40 * DAY, owner=user)
    victim = Victim(**MODES["store"](), migrate_from=[flask])
    for address in ("192.0.2.1", "192.0.2.2"):
        victim.visit(FLASK, count, REMOTE_ADDR=address)
    assert victim.found["n"] == 1


@pytest.mark.parametrize("helps", [False, True])
def test_requests_through_two_addresses_of_a_proxy_take_over_a_former_cookie_twice(
    helps: bool,
) -> None:
    """The address is what tells two clients apart. ProxyFix sets that of the client."""
    victim = Victim(**MODES["store"](), migrate_from=[reader("Flask", limit=40 * DAY)])
    app = ProxyFix(victim.app) if helps else victim.app
    cookies = [
        call(app, FLASK, REMOTE_ADDR=proxy, HTTP_X_FORWARDED_FOR="203.0.113.5").cookie
        for proxy in ("192.0.2.1", "192.0.2.2")
    ]
    victim.visit(cookies[0], count)
    assert victim.asks(cookies[1], lambda session: session.get("n")) == (1 if helps else None)


def test_end_of_all_sessions_in_a_store_leaves_the_former_cookies_of_visitors() -> None:
    store = MemoryStore()
    settings: dict[str, Any] = {"store": store, "cookie_name": "own"}
    victim = Victim(**settings, migrate_from=[reader("Flask", limit=40 * DAY)])
    victim.visit(FLASK, count, REMOTE_ADDR="192.0.2.1")
    store.revoke_all()
    assert victim.asks(FLASK, user) == "alice"
    assert Victim(**settings).asks(FLASK, user) is None


@pytest.mark.parametrize("times", [1, 2])
def test_end_of_all_sessions_misses_one_without_an_owner_that_is_renewed_meanwhile(
    times: int,
) -> None:
    """Our stores go through the keys one by one. A session of an owner is ended by its stamp."""

    class Stepwise(MemoryStore):
        def revoke_all(self) -> int:
            self._renew_all()
            keys = [*self.kept]
            if not renewed:
                renewed.append(victim.visit(cookie, lambda session: session.regenerate()).cookie)
            return sum(map(self.delete, keys))

    renewed: list[str] = []
    store = Stepwise()
    victim = Victim(store=store)
    cookie = victim.visit("", count).cookie
    for _ in range(times):
        store.revoke_all()
    assert victim.asks(renewed[0], dict) == ({"n": 1} if times == 1 else {})


# Settings


@pytest.mark.parametrize("helps", [False, True])
def test_store_that_comes_back_has_the_sessions_as_it_had_them(helps: bool) -> None:
    """Nothing tells them from those that another request of the page has just taken over."""
    store = MemoryStore()
    cookie = Victim(store=store).visit("", count).cookie
    between = Victim(migrate_from=[former(store=store)])
    cookie = between.visit(cookie, count).cookie
    back = Victim(store=MemoryStore() if helps else store, migrate_from=[former()])
    assert back.asks(cookie, lambda session: session["n"]) == (2 if helps else 1)


@pytest.mark.parametrize("older", [False, True])
def test_of_the_cookies_of_one_session_the_first_that_comes_to_a_store_counts(older: bool) -> None:
    """With signed cookies, a copy shows older data, too, but the browser's own has the newer."""
    signed = Victim()
    first = signed.visit("", lambda session: session.update(id=session.id, n=1)).cookie
    last = signed.visit(first, count).cookie
    present = Victim(store=MemoryStore(), salt="new", migrate_from=[former()])
    if older:
        present.asks(first, dict)
    assert present.asks(last, lambda session: session["n"]) == (1 if older else 2)


@pytest.mark.parametrize("salt", ["", "new"])
def test_list_in_place_of_a_store_needs_another_salt(salt: str) -> None:
    """A cookie with an id from before the store is read as one of the list's, which is empty."""
    store = MemoryStore()
    cookie = Victim().visit("", lambda session: session.update(id=session.id)).cookie
    Victim(store=store, migrate_from=[former()]).visit(cookie, log_out)
    named = [former(store=store), former()]
    present = Victim(revocations=MemoryRevocations(), salt=salt, migrate_from=named)
    assert present.asks(cookie, lambda session: session.new) is (salt == "new")


@pytest.mark.parametrize("salt", ["", "new"])
def test_signed_cookies_that_come_back_after_a_store_need_another_salt(salt: str) -> None:
    """Or else they are those from before, and they still are when the next store is turned on."""
    store = MemoryStore()
    cookie = Victim().visit("", lambda session: session.update(id=session.id)).cookie
    Victim(store=store, migrate_from=[former()]).visit(cookie, log_out)
    before = former(store=store), former()
    back = Victim(salt=salt, migrate_from=before)
    present = Victim(store=MemoryStore(), salt="last", migrate_from=[former(salt=salt), *before])
    are_new = [victim.asks(cookie, lambda session: session.new) for victim in (back, present)]
    assert are_new == [salt == "new"] * 2


@held_on_the_server
def test_longer_lifetime_of_a_framework_revives_its_ended_cookies(clock: Clock, mode: str) -> None:
    """The list, and the marks in the store, last as long as the timeouts said at the log-out."""
    settings: dict[str, Any] = {**MODES[mode](), "cookie_name": "own"}
    before = Victim(**settings, idle_timeout=HOUR, migrate_from=[reader("Flask", limit=HOUR)])
    before.visit(FLASK, log_out)
    clock.advance(DAY)
    raised = reader("Flask", limit=40 * DAY)
    present = Victim(**settings, migrate_from=[raised])
    assert present.asks(FLASK, user) == "alice"


@held_on_the_server
def test_log_out_on_a_server_with_the_former_settings_misses_the_present_ones(mode: str) -> None:
    """So switch all servers at once."""
    kept = MODES[mode]()
    before = Victim(**kept, salt="former")
    cookie = before.visit("", log_in("ann")).cookie
    present = Victim(**MODES[mode](), migrate_from=[former(salt="former", **kept)])
    taken_over = present.visit(cookie, count).cookie
    before.visit(cookie, log_out)
    assert present.asks(taken_over, who) == "ann"


# Clocks


@every_mode
def test_cookie_of_a_server_that_is_more_than_a_minute_ahead_outlives_the_log_out(
    clock: Clock, mode: str
) -> None:
    """It is refused at the log-out, as one from the future, and is none an hour later.

    A store or a list ends its session nevertheless.
    """
    victim = Victim(**MODES[mode]())
    clock.advance(HOUR)
    ahead = victim.visit("", log_in("ann")).cookie
    clock.advance(-HOUR)
    victim.visit(ahead, log_out)
    clock.advance(HOUR)
    held = mode in ("store", "revocations")
    assert victim.asks(ahead, who) == (None if held else "ann")


# What ends a log-in


@every_mode
def test_slow_page_of_a_visitor_who_had_no_cookie_ends_the_log_in(mode: str) -> None:
    """The same goes for a page that another site opens without the cookie."""
    victim, jar = Victim(**MODES[mode]()), Jar()
    page = victim.visit("", count)  # sent before the log-in, or without its cookie
    jar.visit(victim, log_in("ann"))
    jar.receive(page)
    assert jar.visit(victim, who) is None


@every_mode
def test_answer_that_the_one_to_the_log_in_overtakes_ends_the_log_in(mode: str) -> None:
    """No server knows in which order its answers arrive."""
    victim, jar = Victim(**MODES[mode]()), Jar()
    jar.visit(victim, count)
    page = victim.visit(jar.header("/"), count)
    jar.visit(victim, log_in("ann"))
    jar.receive(page)
    assert jar.visit(victim, who) is None


@held_on_the_server
@pytest.mark.parametrize("act", [who, count])
def test_answer_that_the_one_to_a_renewal_overtakes_ends_the_log_in_a_minute_later(
    clock: Clock, mode: str, act: Callable[[Any], object]
) -> None:
    """The page has taken a former cookie over, if it has only read."""
    first = Victim().visit("", lambda session: (session.id, log_in("ann")(session))).cookie
    victim, jar = Victim(**MODES[mode](), salt="new", migrate_from=[former()]), Jar()
    page = victim.visit(first, act)
    jar.receive(page)
    jar.visit(victim, lambda session: session.regenerate())
    jar.receive(page)
    clock.advance(GRACE + 1)
    assert jar.visit(victim, who) is None


@pytest.mark.parametrize("has_id", [False, True])
def test_slow_page_with_a_former_cookie_without_an_id_ends_a_log_in_with_a_list(
    has_id: bool,
) -> None:
    """Several visitors may have such a cookie, so that it does not tell whose log-in it was."""

    def begin(session: Any) -> None:
        session["id"] = has_id and session.id

    first = Victim().visit("", begin).cookie
    jar, ended = Jar(), MemoryRevocations()
    victim = Victim(revocations=ended, salt="new", migrate_from=[former()])
    jar.receive(victim.visit(first, log_in("ann")))
    with nullcontext() if not has_id else pytest.raises(SessionUnavailable):
        jar.receive(victim.visit(first, count))
    assert jar.visit(victim, who) == ("ann" if has_id else None)


@every_mode
def test_store_refuses_a_change_that_is_under_way_when_the_idle_timeout_passes(
    clock: Clock, mode: str
) -> None:
    victim, jar = Victim(**MODES[mode](), idle_timeout=1800), Jar()
    jar.visit(victim, log_in("ann"))
    clock.advance(1795)

    def slow(session: Any) -> None:
        dict(session)
        clock.advance(10)
        count(session)

    with pytest.raises(SessionUnavailable) if mode == "store" else nullcontext():
        jar.visit(victim, slow)
    assert jar.visit(victim, who) == (None if mode == "store" else "ann")


@every_mode
@pytest.mark.parametrize("number", [MAX_COOKIES - 1, MAX_COOKIES])
def test_eight_cookies_of_our_name_in_front_end_the_log_in(mode: str, number: int) -> None:
    victim, jar = Victim(**MODES[mode]()), Jar()
    jar.visit(victim, log_in("ann"))
    floods = [Place("session", "example.com", f"/app/{'p' * n}", False) for n in range(number)]
    jar.cookies |= dict.fromkeys(floods, ("forged", float("inf")))
    jar.visit(victim, count, f"/app/{'p' * number}")
    assert jar.visit(victim, who, "/") == ("ann" if number < MAX_COOKIES else None)


@held_on_the_server
@pytest.mark.parametrize("helps", [False, True])
def test_log_in_before_a_store_comes_back_counts_as_one_before_a_revoke_owner_there(
    mode: str, helps: bool
) -> None:
    """The cookie does not tell whether the log-in was before the call or after it."""
    before, other = MODES[mode](), MODES[mode]()
    [(_, known)] = before.items()
    known.revoke_owner("ann")
    cookie = Victim().visit("", log_in("ann")).cookie
    back = Victim(**(other if helps else before), salt="new", migrate_from=[former()])
    assert back.asks(cookie, who) == ("ann" if helps else None)
