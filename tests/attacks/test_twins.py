"""Twins: a valid cookie of our own name that a browser still has from another place (CWE-613).

The browser keeps the cookie of the former ``cookie_path``, ``cookie_domain`` or
``cookie_partitioned``, and sends it beside the present one, often before it. The former session is
Bob's, the present one Ada's. A site that takes the first cookie shows Ada Bob's session, and her
log-out does nothing.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.attacks.former import former
from tests.attacks.jar import Jar
from tests.attacks.modes import MODES, cookie_alone, every_mode, held_on_the_server
from tests.attacks.victim import Victim
from tests.conftest import Clock

HOUR = 60 * 60
DAY = 24 * HOUR
Settings = dict[str, Any]

MOVES: dict[str, tuple[Settings, Settings]] = {
    "/app, then /": ({"cookie_path": "/app"}, {}),
    "/, then /app": ({}, {"cookie_path": "/app"}),
    "host, then domain": ({}, {"cookie_domain": "example.com"}),
    "domain, then host": ({"cookie_domain": "example.com"}, {}),
    "then Partitioned": ({}, {"cookie_partitioned": True}),
    "Partitioned before": ({"cookie_partitioned": True}, {}),
}
every_move = pytest.mark.parametrize("move", MOVES)
LOG_OUTS: dict[str, Callable[[Any], object]] = {
    "invalidate": lambda session: session.invalidate(),
    "clear": lambda session: session.clear(),
    "owner = None": lambda session: setattr(session, "owner", None),
}
log_out = LOG_OUTS["invalidate"]


def sites(mode: str, move: str, **settings: Any) -> tuple[Victim, Victim]:
    """Return the site before and after its move; a store or list stays the same."""
    settings = {"cookie_secure": True} | MODES[mode]() | settings
    then, now = MOVES[move]
    return Victim(**settings | then), Victim(**settings | now)


def named_sites(mode: str, move: str) -> tuple[Victim, Victim]:
    """Return the same, where the present site knows the former place."""
    settings = MODES[mode]()
    named = former(**settings, **MOVES[move][0])
    before, _ = sites(mode, move, **settings)
    return before, sites(mode, move, **settings, migrate_from=[named])[1]


def log_in(user: str) -> Callable[[Any], object]:
    return lambda session: setattr(session, "owner", user)


def remember(user: str) -> Callable[[Any], object]:
    def act(session: Any) -> None:
        session.owner = user
        session.permanent = True

    return act


def beside_a_twin(clock: Clock, before: Victim, present: Victim) -> Jar:
    """Return a browser in which Ada has logged in an hour after Bob, at another place."""
    jar = Jar()
    jar.visit(before, log_in("bob"))
    clock.advance(HOUR)
    log_in_apart(jar, present, "ada")
    return jar


def log_in_apart(jar: Jar, present: Victim, user: str) -> None:
    """Log in where the browser's other cookies are not sent. There, nothing can delete them."""
    apart = Jar()
    apart.visit(present, log_in(user))
    jar.cookies |= apart.cookies


def who(session: Any) -> Any:
    return session.owner


def count(session: Any) -> int:
    session["n"] = session.get("n", 0) + 1
    return int(session["n"])


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [vars(record)["reason"] for record in caplog.records if record.name == "sessionware"]


# Log-in


@every_mode
@every_move
def test_after_the_log_in_every_page_shows_the_new_user(clock: Clock, mode: str, move: str) -> None:
    before, present = sites(mode, move)
    jar = beside_a_twin(clock, before, present)
    clock.advance(HOUR)
    assert [jar.visit(present, who) for _ in range(3)] == ["ada"] * 3


@every_mode
@every_move
def test_what_a_page_saves_is_what_the_next_one_reads(clock: Clock, mode: str, move: str) -> None:
    before, present = sites(mode, move)
    jar, seen = Jar(), []
    seen.append(jar.visit(before, count))
    for _ in range(4):
        clock.advance(2)
        seen.append(jar.visit(present, count))
    assert seen == [1, 2, 3, 4, 5]


@cookie_alone
@pytest.mark.parametrize("swapped", [False, True])
def test_the_newer_of_two_valid_cookies_counts(clock: Clock, mode: str, swapped: bool) -> None:
    """Wherever it stands in the header."""
    victim = Victim(**MODES[mode]())
    older = victim.log_in("bob")
    clock.advance(2)
    newer = victim.log_in("ada")
    pair = (newer, older) if swapped else (older, newer)
    assert victim.sees("; ".join(pair)) == {"user": "ada"}


@cookie_alone
def test_of_two_valid_cookies_of_one_second_the_first_counts(clock: Clock, mode: str) -> None:
    victim = Victim(**MODES[mode]())
    bobs, adas = victim.log_in("bob"), victim.log_in("ada")
    assert victim.sees(f"{bobs}; {adas}") == {"user": "bob"}
    assert victim.sees(f"{adas}; {bobs}") == {"user": "ada"}


@held_on_the_server
def test_a_newer_cookie_that_has_ended_does_not_hide_an_older_one(clock: Clock, mode: str) -> None:
    victim = Victim(**MODES[mode]())
    older = victim.log_in("bob")
    clock.advance(2)
    newer = victim.log_in("ada")
    victim.visit(newer, log_out)
    assert victim.sees(f"{newer}; {older}") == {"user": "bob"}


@every_mode
def test_a_newer_cookie_that_we_have_not_signed_does_not_hide_ours(clock: Clock, mode: str) -> None:
    victim, other = Victim(**MODES[mode]()), Victim("k" * 32, encrypt=mode == "encrypted")
    ours = victim.log_in()
    clock.advance(2)
    assert victim.sees(f"{other.log_in('mallory')}; {ours}") == {"user": "ada"}


# Log-out


@every_mode
@every_move
@pytest.mark.parametrize("how", LOG_OUTS)
def test_after_the_log_out_nobody_is_logged_in(
    clock: Clock, mode: str, move: str, how: str
) -> None:
    """Neither the user of the present cookie nor the one of its twin, then or weeks later."""
    before, present = sites(mode, move)
    jar = beside_a_twin(clock, before, present)
    clock.advance(HOUR)
    jar.visit(present, LOG_OUTS[how])
    seen = [jar.visit(present, who)]
    for _ in range(40):
        clock.advance(DAY)
        seen.append(jar.visit(present, who))
    assert seen == [None] * 41


@every_mode
@every_move
def test_the_log_out_ends_the_twin_of_the_same_session(clock: Clock, mode: str, move: str) -> None:
    """The session went on at the new place, and its cookie at the former one stayed."""
    before, present = sites(mode, move)
    jar = Jar()
    jar.visit(before, log_in("ada"))
    clock.advance(HOUR)
    jar.visit(present, count)
    clock.advance(HOUR)
    jar.visit(present, log_out)
    assert jar.visit(present, lambda session: (session.owner, dict(session))) == (None, {})


@held_on_the_server
@every_move
def test_the_log_out_ends_every_session_that_its_request_carried(
    clock: Clock, mode: str, move: str
) -> None:
    """No copy of either cookie is accepted afterwards, on the former site or the present one."""
    before, present = sites(mode, move)
    jar, another = Jar(), Jar()
    jar.visit(before, log_in("bob"))
    clock.advance(HOUR)
    another.visit(present, log_in("ada"))
    jar.cookies |= another.cookies
    copies = jar.values()
    clock.advance(HOUR)
    jar.visit(present, log_out)
    owners = [site.asks(copy, who) for copy in copies for site in (before, present)]
    assert owners == [None] * 2 * len(copies)


@cookie_alone
@every_move
def test_the_log_out_leaves_an_empty_session_that_outlives_the_twin(
    clock: Clock, mode: str, move: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Deleted, the cookie would leave its twin alone, at a place that the server cannot name."""
    before, present = sites(mode, move, idle_timeout=DAY)
    jar = beside_a_twin(clock, before, present)
    clock.advance(HOUR)
    caplog.set_level("INFO", "sessionware")
    caplog.clear()
    jar.visit(present, log_out)
    line = jar.response.headers.getlist("Set-Cookie")[-1]  # after those that are deleted
    assert line.partition(";")[0] != "session="
    assert int(re.findall("Max-Age=([0-9]+)", line)[0]) >= DAY - HOUR
    assert "twins" in reasons(caplog)


@every_mode
@every_move
@pytest.mark.parametrize("ahead", [0, 1, 50])
def test_the_log_out_is_newer_than_its_twins_even_if_their_clock_was_ahead(
    clock: Clock, mode: str, move: str, ahead: int
) -> None:
    """A minute between two servers is allowed. A twin of the same second stands first."""
    before, present = sites(mode, move)
    jar = Jar()
    jar.visit(present, log_in("ada"))
    clock.advance(ahead)
    jar.visit(before, log_in("bob"))
    clock.advance(-ahead)
    jar.visit(present, log_out)
    seen = [jar.visit(present, who)]
    clock.advance(2 * ahead + 2)
    seen.append(jar.visit(present, who))
    assert seen == [None, None]


@cookie_alone
@every_move
def test_the_log_out_outlives_a_twin_that_is_remembered(clock: Clock, mode: str, move: str) -> None:
    """A permanent twin has the longer of the two idle timeouts."""
    before, present = sites(mode, move, idle_timeout=HOUR, permanent_timeout=30 * DAY)

    jar = Jar()
    jar.visit(before, remember("bob"))
    clock.advance(60)
    jar.visit(present, log_in("ada"))
    clock.advance(60)
    jar.visit(present, log_out)
    seen = []
    for _ in range(32):
        clock.advance(DAY)
        seen.append(jar.visit(present, who))
    assert seen == [None] * 32


@cookie_alone
@every_move
@pytest.mark.parametrize("after", [log_in("cleo"), count])
def test_what_hides_a_remembered_twin_hides_it_after_its_own_end(
    clock: Clock, mode: str, move: str, after: Callable[[Any], object]
) -> None:
    """A permanent twin has the longer of the two idle timeouts."""
    before, present = sites(mode, move, idle_timeout=HOUR, permanent_timeout=30 * DAY)

    jar = Jar()
    jar.visit(before, remember("bob"))
    clock.advance(60)
    jar.visit(present, log_in("ada"))
    jar.visit(present, log_out)
    jar.visit(present, after)
    clock.advance(2 * HOUR)
    assert jar.visit(present, who) is None


def flash_shown(jar: Jar, present: Victim, path: str) -> None:
    jar.visit(present, lambda session: session.flash("Bye"))
    jar.visit(present, lambda session: session.pop_flash(), path)


def cart_emptied(jar: Jar, present: Victim, path: str) -> None:
    jar.visit(present, lambda session: session.update(cart=[1]), path)
    jar.visit(present, lambda session: session.pop("cart", None), path)


def another_logs_in_and_out(jar: Jar, present: Victim, path: str) -> None:
    jar.visit(present, log_in("cleo"))
    jar.visit(present, log_out, path)


AFTERWARDS = [flash_shown, cart_emptied, another_logs_in_and_out]


@every_mode
@every_move
@pytest.mark.parametrize("afterwards", AFTERWARDS)
def test_the_log_out_outlives_what_the_browser_does_after_it(
    clock: Clock, mode: str, move: str, afterwards: Callable[[Jar, Victim, str], None]
) -> None:
    """Even where the twin is not sent: the cookie remembers that there was one."""
    before, present = sites(mode, move)
    jar = beside_a_twin(clock, before, present)
    clock.advance(HOUR)
    jar.visit(present, log_out)
    clock.advance(HOUR)
    afterwards(jar, present, "/app/more" if move == "/, then /app" else "/elsewhere")
    assert jar.visit(present, who) is None


@cookie_alone
@every_move
def test_a_visitors_session_after_that_log_out_outlives_the_browser(
    clock: Clock, mode: str, move: str
) -> None:
    """However often it is changed."""
    before, present = sites(mode, move)
    jar = beside_a_twin(clock, before, present)
    jar.visit(present, log_out)
    for _ in range(3):
        jar.visit(present, count)
        assert "Max-Age=" in (jar.response.set_cookie or "")


@every_mode
@every_move
def test_a_log_in_after_that_log_out_works(clock: Clock, mode: str, move: str) -> None:
    before, present = sites(mode, move)
    jar = Jar()
    jar.visit(before, log_in("bob"))
    clock.advance(HOUR)
    jar.visit(present, log_out)
    clock.advance(HOUR)
    jar.visit(present, log_in("ada"))
    clock.advance(HOUR)
    assert jar.visit(present, who) == "ada"


@held_on_the_server
@every_move
def test_the_log_in_of_another_user_ends_every_twin(clock: Clock, mode: str, move: str) -> None:
    before, present = sites(mode, move)
    jar = Jar()
    jar.visit(before, log_in("bob"))
    clock.advance(HOUR)
    log_in_apart(jar, present, "bob")
    clock.advance(HOUR)
    twins = jar.values()
    jar.visit(present, log_in("ada"))
    assert [present.asks(twin, who) for twin in twins] == [None, None]


@every_mode
@every_move
def test_a_session_that_is_changed_all_the_time_does_not_run_ahead_of_the_clock(
    clock: Clock, mode: str, move: str
) -> None:
    """A server whose clock is a little behind would refuse it, and show the twin."""
    before, present = sites(mode, move)
    jar = Jar()
    jar.visit(before, log_in("bob"))
    clock.advance(1)
    jar.visit(present, log_in("ada"))
    for _ in range(200):
        clock.advance(0.1)
        jar.visit(present, count)
    clock.advance(-57)
    assert jar.visit(present, who) == "ada"


@every_mode
def test_the_log_out_holds_where_the_twin_is_not_sent(clock: Clock, mode: str) -> None:
    """Our cookie remembers that there is one, in every mode."""
    before, present = sites(mode, "/app, then /")
    jar = Jar()
    jar.visit(before, log_in("bob"))
    clock.advance(60)
    jar.visit(present, log_in("bob"), "/elsewhere")
    clock.advance(60)
    jar.visit(present, count)
    jar.visit(present, log_out, "/elsewhere")
    assert jar.visit(present, who) is None


@every_mode
@every_move
@pytest.mark.parametrize(
    "act", [log_out, log_in("ada"), count, who], ids=["out", "in", "change", "read"]
)
def test_a_twin_that_tells_its_place_is_deleted_there(
    clock: Clock, mode: str, move: str, act: Callable[[Any], object]
) -> None:
    """As at a former place that is named, so that it cannot count when ours is gone."""
    before, present = sites(mode, move)
    jar = beside_a_twin(clock, before, present)
    place = next(iter(jar.cookies))
    jar.visit(present, act)
    assert place not in jar.cookies


@every_mode
@every_move
@pytest.mark.parametrize("beside", [None, "session=e30.aWg0gA.c2lnbmF0dXJl"])
def test_the_log_out_ends_a_session_whose_only_cookie_is_at_another_place(
    clock: Clock, mode: str, move: str, beside: str | None
) -> None:
    """The cookie tells its place, so an empty one at ours hides it. Deleting would do nothing."""
    before, present = sites(mode, move)
    jar = Jar()
    jar.visit(before, log_in("bob"))
    if beside is not None:
        jar.plant(beside, "/app")
    clock.advance(HOUR)
    jar.visit(present, log_out)
    assert jar.visit(present, who) is None


@every_mode
@pytest.mark.parametrize("change", [{}, {"salt": "new"}, {"cookie_name": "new"}])
def test_the_log_out_ends_a_session_at_a_third_place_beside_two_that_are_named(
    clock: Clock, mode: str, change: Settings
) -> None:
    kept = MODES[mode]()
    settings = {"cookie_secure": True, **kept}
    named = [former(cookie_path=path, **kept) for path in ("/app/a", "/app/b")]
    before = Victim(**settings, cookie_path="/app")
    present = Victim(**settings | change, migrate_from=named)
    jar = Jar()
    jar.visit(before, log_in("bob"))
    clock.advance(HOUR)
    assert jar.visit(present, who) == "bob"
    jar.visit(present, log_out)
    assert jar.visit(present, who) is None


@cookie_alone
@pytest.mark.parametrize("change", [{"salt": "new"}, {"cookie_name": "new"}])
@pytest.mark.parametrize("after", [log_out, lambda session: session.flash("Bye")])
def test_what_hides_a_twin_hides_it_after_a_change_of_settings(
    clock: Clock, mode: str, change: Settings, after: Callable[[Any], object]
) -> None:
    """The former cookie is of the settings in between, and the twin of the first ones."""
    before, between = sites(mode, "/app, then /")
    jar = Jar()
    jar.visit(before, log_in("bob"))
    clock.advance(60)
    jar.visit(between, log_in("ada"))
    jar.visit(between, log_out)
    jar.visit(between, after)
    clock.advance(60)
    settings = {"cookie_secure": True, **MODES[mode]()}
    named = [former(**MODES[mode]()), former(cookie_path="/app", **MODES[mode]())]
    present = Victim(**settings | change, migrate_from=named)
    assert [jar.visit(present, who) for _ in range(2)] == [None, None]
    jar.visit(present, log_out, "/elsewhere")
    assert jar.visit(present, who) is None


@held_on_the_server
def test_the_log_in_of_a_visitor_ends_the_twin_of_another_user(clock: Clock, mode: str) -> None:
    before, present = sites(mode, "/app, then /")
    jar = Jar()
    jar.visit(before, log_in("bob"))
    bobs = jar.header("/app/page")
    clock.advance(60)
    jar.visit(present, count, "/elsewhere")
    jar.visit(present, log_in("ada"))
    assert present.asks(bobs, who) is None


@cookie_alone
def test_a_remembered_session_beside_a_twin_outlives_it_in_the_browser(
    clock: Clock, mode: str
) -> None:
    """Its own timeout is the shorter one."""
    before, present = sites(mode, "/app, then /", idle_timeout=30 * DAY, permanent_timeout=HOUR)

    jar = Jar()
    jar.visit(before, log_in("bob"))
    clock.advance(60)
    jar.visit(present, count)
    jar.visit(present, remember("ada"))
    clock.advance(DAY)
    assert jar.visit(present, who) is None


@every_mode
def test_beside_a_twin_that_is_not_valid_the_cookie_is_deleted(clock: Clock, mode: str) -> None:
    """A neighbour that sets cookies of our name does not make ours stay."""
    victim = Victim(**MODES[mode]())
    cookie = victim.log_in()
    response = victim.visit(f"session=e30.aWg0gA.c2lnbmF0dXJl; {cookie}", log_out)
    assert response.cookie == "session="
    assert "Max-Age=0" in (response.set_cookie or "")


# A place that is known


@every_mode
@every_move
@pytest.mark.parametrize("act", [log_in("ada"), log_out], ids=["log-in", "log-out"])
def test_a_former_place_that_is_named_is_deleted(
    clock: Clock, mode: str, move: str, act: Callable[[Any], object]
) -> None:
    before, present = named_sites(mode, move)
    jar = Jar()
    jar.visit(before, log_in("bob"))
    [place] = jar.cookies
    clock.advance(HOUR)
    jar.visit(present, act)
    assert place not in jar.cookies
    assert jar.visit(present, who) == (None if act is log_out else "ada")


@every_mode
@every_move
def test_nobody_is_logged_out_by_the_move_to_another_place(
    clock: Clock, mode: str, move: str
) -> None:
    before, present = named_sites(mode, move)
    jar = Jar()
    jar.visit(before, log_in("bob"))
    clock.advance(HOUR)
    assert [jar.visit(present, who) for _ in range(2)] == ["bob"] * 2
