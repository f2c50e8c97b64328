"""Random sequences of requests, valid and hostile: each response follows the rules of the model.

A longer run: ``SESSIONWARE_EXAMPLES=5000 pytest tests/unit/test_state_machine.py``.
"""

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sessionware import SessionMiddleware
from tests.conftest import Clock
from tests.fuzz.browser import Browser
from tests.fuzz.model import SKEW, TOO_LARGE, UNSERIALIZABLE, Server, copied
from tests.gateway import call
from tests.unit import visitors

EXAMPLES = int(os.environ.get("SESSIONWARE_EXAMPLES", "25"))
IDLE, ABSOLUTE = 1000, 3000
HOUR = 60 * 60
DAYS = 500 * 24 * 60 * 60


def put(session: Any, key: str, value: Any) -> None:
    session[key] = copied(value)


def grow(session: Any, key: str) -> None:
    """Change a nested value, so that no method of the session is called."""
    match session.get(key):
        case [[*_], *_] | {"x": [*_]} as found if type(found) is not tuple:
            found[0 if type(found) is list else "x"].append("more")
        case list() as found:
            found.append([])
        case dict() as found:
            found["x"] = []


def drop(session: Any, key: str) -> None:
    session.pop(key, None)


def drop_last(session: Any) -> None:
    if session:
        session.popitem()


def move_to_end(session: Any, key: str) -> None:
    if key in session:
        session[key] = session.pop(key)


KEYS = st.sampled_from(["a", "a", "a", "b", "!t", "\xe9"])
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        1,
        0,
        -0.0,
        "",
        "text",
        "\ud83d",
        (1, (2,)),
        [],
        [[1]],
        {},
        {"!t": [1]},
        {"x": []},
        b"\0",
        {3},
        datetime(2026, 11, 21, tzinfo=UTC),
        UNSERIALIZABLE,
        TOO_LARGE,
    ]
)
TIMES = st.sampled_from(
    [1, 30, 59, 60, 61, 99, 100, 101] * 4
    + [500, 501, IDLE - 1, IDLE, IDLE + 1, ABSOLUTE, ABSOLUTE + 1]
    + [400 * 24 * 60 * 60, DAYS, DAYS + 1]
)
JUMPS = TIMES | TIMES.map(lambda seconds: -seconds)
BOTH = st.just("on_both")
CHANGES = (
    st.tuples(BOTH, st.just(put), KEYS, VALUES)
    | st.tuples(BOTH, st.just(grow), KEYS)
    | st.tuples(BOTH, st.sampled_from([drop, move_to_end]), KEYS)
    | st.tuples(BOTH, st.just(drop_last))
    | st.tuples(st.sampled_from(["permanent", "force"]), st.booleans())
    | st.tuples(st.sampled_from(["clear", "regenerate", "invalidate", "name"]))
)
STEPS = st.lists(
    st.sampled_from([("look",)] * 5 + [("fail",)])
    | CHANGES
    | CHANGES
    | st.tuples(st.just("jump"), JUMPS),
    min_size=1,
    max_size=5,
)
STYLES = st.sampled_from(["list", "generator", "write"])
TEMPLATES = st.sampled_from(
    [
        *["session={}"] * 5,
        " \tsession={}\t ",
        'session="{}"',
        "Session={}",
        "session ={}",
        "\xa0session={}",
        "session={}\xa0",
        "{}",
        "{}=",
    ]
)
SPOILT = st.tuples(
    st.sampled_from(["as it is", "as it is", "cut", "flipped", "spliced", "mixed", "longer"]),
    *[st.integers(0, 200)] * 3,
)
TEXT = st.text(st.characters(max_codepoint=255))
JUNK = st.lists(st.tuples(TEMPLATES, SPOILT | TEXT), max_size=3)


def spoil(tokens: list[str], how: str, which: int, other: int, place: int) -> str:
    """Return a spoilt token, or an unchanged one."""
    one, two = tokens[which % len(tokens)], tokens[other % len(tokens)]
    place %= len(one) + 1
    match how:
        case "cut":
            return one[:place]
        case "flipped":
            return one[:place] + one[place:][:1].swapcase() + one[place + 1 :]
        case "spliced":
            return one[:place] + two[place:]
        case "mixed":
            parts = zip(one.split("."), two.split("."), strict=False)
            return ".".join(pair[place >> index & 1] for index, pair in enumerate(parts))
        case "longer":
            return one + "=" * place
    return one


class Sessions(RuleBasedStateMachine):
    """Two browsers and an attacker use one server, whose keys and clock change."""

    @initialize(
        idle=st.sampled_from([IDLE, DAYS]),
        absolute=st.sampled_from([None, ABSOLUTE, DAYS + 500]),
        refresh=st.sampled_from([None, 1, 500, DAYS]),
    )
    def begin(self, idle: int, absolute: int | None, refresh: int | None) -> None:
        self.server = Server(idle, absolute, refresh)
        self.browsers = Browser(), Browser()
        self.on_their_way: list[tuple[Browser, str | None]] = []
        self.foreign: list[str] = ["e30.aWg0gA.c2lnbmF0dXJl"]
        for browser, permanent in zip(self.browsers, (False, True), strict=True):
            steps = [("on_both", put, "a", [1]), ("permanent", permanent), ("name",)]
            browser.receive(self.server.visit("", steps))

    def junk(self, pieces: list[Any]) -> list[str]:
        tokens = [*self.foreign, *self.server.book]
        return [
            template.format(piece if isinstance(piece, str) else spoil(tokens, *piece))
            for template, piece in pieces
        ]

    @rule(who=st.integers(0, 1), steps=STEPS, style=STYLES)
    def visit(self, who: int, steps: list[Any], style: str) -> None:
        browser = self.browsers[who]
        browser.receive(self.server.visit(browser.header(), steps, style))

    @rule(who=st.integers(0, 1), looks=st.integers(0, 1))
    def visit_and_change_nothing(self, who: int, looks: int) -> None:
        browser = self.browsers[who]
        browser.receive(self.server.visit(browser.header(), [("look",)] * looks))

    @rule(who=st.integers(0, 1), steps=STEPS)
    def send_from_another_tab(self, who: int, steps: list[Any]) -> None:
        browser = self.browsers[who]
        self.on_their_way.append((browser, self.server.visit(browser.header(), steps)))

    @precondition(lambda self: self.on_their_way)
    @rule(which=st.integers(0, 9))
    def a_response_arrives(self, which: int) -> None:
        """Responses arrive in any order, and the browser keeps the last one."""
        browser, line = self.on_their_way.pop(which % len(self.on_their_way))
        browser.receive(line)

    @rule(
        who=st.integers(0, 1),
        flood=st.sampled_from([0, 0, 7, 8]),
        before=JUNK,
        after=JUNK,
        steps=STEPS,
    )
    def visit_with_junk_and_another_cookie_of_the_same_name(
        self, who: int, flood: int, before: list[Any], after: list[Any], steps: list[Any]
    ) -> None:
        browser, other = self.browsers[who], self.browsers[1 - who]
        cookies = [*self.junk(before), browser.header(), *self.junk(after), other.header()]
        header = "session=; " * flood + "; ".join(filter(None, cookies))
        browser.receive(self.server.visit(header, steps))

    @rule(pieces=JUNK, separator=st.sampled_from(["; ", "; ", ";", ",", ";;\t"]))
    def attack(self, pieces: list[Any], separator: str) -> None:
        steps = [("look",), ("on_both", put, "a", 1)]
        self.server.visit(separator.join(self.junk(pieces)), steps)

    @rule(settings=st.sampled_from([{"salt": "other"}, {"cookie_name": "other"}]), data=KEYS)
    def another_application_uses_the_same_key(self, settings: dict[str, str], data: str) -> None:
        def application(environ: Any, start_response: Any) -> list[bytes]:
            environ["session"][data] = "root"
            start_response("200 OK", [])
            return []

        with patch("time.time", lambda: self.server.now):
            interface = self.server.interface_with(**settings)
            response = call(SessionMiddleware(application, interface=interface))
        self.foreign.append(response.cookie.partition("=")[2])

    @rule(who=st.integers(0, 1))
    def restart(self, who: int) -> None:
        self.browsers[who].restart()

    @rule(seconds=TIMES)
    def time_passes(self, seconds: int) -> None:
        self.server.now += seconds
        for browser in self.browsers:
            browser.now += seconds

    @rule(seconds=JUMPS)
    def the_clock_of_the_server_jumps(self, seconds: int) -> None:
        self.server.now += seconds

    @rule(
        who=st.integers(0, 1),
        limit=st.sampled_from(["idle", "absolute", "refresh", "ahead"]),
        seconds=st.sampled_from([-1, 0, 1]),
    )
    def a_cookie_comes_to_a_limit(self, who: int, limit: str, seconds: int) -> None:
        browser, server = self.browsers[who], self.server
        if header := browser.header():
            cookie = server.book[header.removeprefix("session=")]
            moments = {
                "idle": cookie.issued + server.idle,
                "absolute": cookie.created + (server.absolute or 0),
                "refresh": cookie.issued + int(server.refresh),
                "ahead": cookie.issued - SKEW,
            }
            server.now = moments[limit] + seconds + 0.75
            browser.receive(server.visit(header, [("look",)]))

    @rule()
    def a_new_key_comes(self) -> None:
        self.server.use_keys(self.server.make_key(), *self.server.keys)

    @rule()
    def a_new_key_is_announced_as_a_fallback(self) -> None:
        self.server.use_keys(*self.server.keys, self.server.make_key())

    @precondition(lambda self: len(self.server.keys) > 1)
    @rule(last=st.sampled_from([True, True, True, False]))
    def a_key_goes(self, last: bool) -> None:
        keys = self.server.keys
        self.server.use_keys(*(keys[:-1] if last else [*keys[1:]]))

    @invariant()
    def a_browser_holds_an_issued_cookie_that_only_time_or_keys_can_end(self) -> None:
        for browser in self.browsers:
            if header := browser.header():
                token = header.removeprefix("session=")
                lost = self.server.refusal(token)
                assert lost != "junk" or self.server.book[token].key not in self.server.keys


SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=50,
    deadline=None,
    report_multiple_bugs=False,  # each would take half a minute to be made small
    suppress_health_check=list(HealthCheck),
)
Sessions.TestCase.settings = SETTINGS
TestSessions = Sessions.TestCase


# Log-outs


def look(session: Any, mark: int, user: str) -> None:
    dict(session)


def write(session: Any, mark: int, user: str) -> None:
    session["n"] = session.get("n", 0) + 1
    session.setdefault("mark", mark)


def stay(session: Any, mark: int, user: str) -> None:
    session.permanent = True
    session.setdefault("mark", mark)


def empty(session: Any, mark: int, user: str) -> None:
    """Remove what a visitor has, such as a last message, which is no log-out."""
    for key in [*session] if session.owner is None else []:
        del session[key]


def log_in(session: Any, mark: int, user: str) -> None:
    session.owner = user
    session["mark"] = mark


def renew(session: Any, mark: int, user: str) -> None:
    if "mark" in session:
        session.regenerate()
        session["mark"] = mark


def log_out(session: Any, mark: int, user: str) -> None:
    session.invalidate()


def log_out_and_go_on(session: Any, mark: int, user: str) -> None:
    session.invalidate()
    session["mark"] = mark


def clear(session: Any, mark: int, user: str) -> None:
    session.clear()


def disown(session: Any, mark: int, user: str) -> None:
    session.owner = None


LogAct = Callable[[Any, int, str], None]
LOG_OUTS: list[LogAct] = [log_out, log_out, log_out_and_go_on, clear, disown]
ACTS = st.sampled_from([look, look, write, stay, empty, *[log_in] * 4, renew, *LOG_OUTS])
BEGINNINGS = st.sampled_from([log_in, stay, stay, write])
MEANWHILE = st.sampled_from([*LOG_OUTS, log_in, renew])
AT_LAST = st.sampled_from([look, look, write, renew, log_in, log_out, log_out])
USERS = st.sampled_from(["ann", "ann", "ann", "ben"])
WAITS = st.sampled_from(
    [0.5, 1, 1.5, 2, 61, 101, 501, IDLE - 1, IDLE + 1, IDLE + 1, HOUR + 1, 5 * HOUR]
)
PAUSES = st.sampled_from([0, 0, 0, 0.5, 2, 2, 30, 101, 101, 400, 501])
PLACES = st.sampled_from(visitors.PLACES)


class Token(NamedTuple):
    """A cookie's value: the mark of its session, when it was issued, and for which place."""

    mark: int | None
    issued: int
    place: str


class LogOuts(RuleBasedStateMachine):
    """Two browsers log in and out, some of their requests are slow, and a thief keeps every cookie.

    Each log-in, each renewal and each new session writes a number of its own into its session: its
    mark. So a mark that is seen again tells exactly which session has come back.
    """

    mode: str

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.clock.now += 0.75
        self.real_time = time.time, time.monotonic
        time.time = time.monotonic = self.clock

    def teardown(self) -> None:
        time.time, time.monotonic = self.real_time

    @initialize(
        absolute=st.sampled_from([None, None, ABSOLUTE]),
        permanent=st.sampled_from([None, 4 * IDLE, 4 * IDLE]),
        refresh=st.sampled_from([None, 0, 1, 400]),
        obey=st.booleans(),
    )
    def begin(
        self, absolute: int | None, permanent: int | None, refresh: int | None, obey: bool
    ) -> None:
        self.server = visitors.Server(
            self.clock,
            self.mode,
            idle_timeout=IDLE,
            permanent_timeout=permanent,
            absolute_timeout=absolute,
            refresh_after=refresh,
        )
        self.browsers = visitors.Browser(self.clock, obey), visitors.Browser(self.clock, obey)
        self.waiting: list[tuple[visitors.Browser | None, visitors.Request]] = []
        self.book: dict[str, Token] = {}
        self.marks = count(1)
        self.steps = count(1)
        self.ended: dict[int, str] = {}
        self.renewed: dict[int, tuple[int, float]] = {}
        self.children: dict[int, set[int]] = {}
        for browser, act in zip(self.browsers, (log_in, stay), strict=True):
            self.answer(browser, self.send([], looks_first=True), act, "ann")

    # Rules

    @rule(who=st.integers(0, 1), act=ACTS, user=USERS, turn=st.integers(0, 2), wait=PAUSES)
    def visit(self, who: int, act: LogAct, user: str, turn: int, wait: float) -> None:
        """A browser sends its cookies, in any order, and has its answer at once."""
        self.time_passes(wait)
        browser = self.browsers[who]
        tokens = browser.tokens()
        turn %= len(tokens) or 1
        request = self.send([*tokens[turn:], *tokens[:turn]], looks_first=True)
        self.answer(browser, request, act, user)

    @rule(
        who=st.integers(0, 1),
        meanwhile=st.just([renew, log_out]) | st.lists(MEANWHILE, min_size=1, max_size=2),
        act=AT_LAST,
        user=USERS,
        looks_first=st.booleans(),
        waits=st.tuples(PAUSES, WAITS),
        place=PLACES,
    )
    def log_out_while_a_page_is_slow(
        self,
        who: int,
        meanwhile: list[LogAct],
        act: LogAct,
        user: str,
        looks_first: bool,
        waits: tuple[float, float],
        place: str,
    ) -> None:
        """Or do the like. The site may have moved its cookie between the two requests."""
        browser = self.browsers[who]
        if not self.server.opened_by(*browser.tokens()):
            self.visit(who, log_in, user, 0, 0)
        self.time_passes(waits[0])
        request = self.send(browser.tokens(), looks_first)
        self.the_site_moves_its_cookie(place)
        for other in meanwhile:
            self.visit(who, other, user, 0, 0)
        self.time_passes(waits[1])
        self.answer(browser, request, act, user)

    @rule(
        who=st.integers(0, 1),
        places=st.tuples(PLACES, PLACES),
        acts=st.tuples(BEGINNINGS, BEGINNINGS),
        log_out=st.sampled_from(LOG_OUTS),
        afterwards=st.sampled_from([(), (log_in,), (write, empty), (stay, clear)]),
        closes=st.booleans(),
        turn=st.integers(0, 2),
        waits=st.tuples(PAUSES, WAITS),
    )
    def log_out_with_cookies_at_two_places(
        self,
        who: int,
        places: tuple[str, str],
        acts: tuple[LogAct, LogAct],
        log_out: LogAct,
        afterwards: tuple[LogAct, ...],
        closes: bool,
        turn: int,
        waits: tuple[float, float],
    ) -> None:
        """The site has moved its cookie, and the browser may be closed after the log-out."""
        for place, act in zip(places, acts, strict=True):
            self.the_site_moves_its_cookie(place)
            self.visit(who, act, "ann", turn, waits[0])
        for act in (log_out, *afterwards):
            self.visit(who, act, "ann", turn, 0)
        if closes:
            self.restart(who)
        self.time_passes(waits[1])

    @rule(who=st.integers(0, 1), looks_first=st.booleans())
    def a_slow_request_begins(self, who: int, looks_first: bool) -> None:
        browser = self.browsers[who]
        self.waiting.append((browser, self.send(browser.tokens(), looks_first)))

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 9), act=ACTS, user=USERS)
    def a_slow_request_is_answered(self, which: int, act: LogAct, user: str) -> None:
        browser, request = self.waiting.pop(which % len(self.waiting))
        self.answer(browser, request, act, user)

    @precondition(lambda self: self.book)
    @rule(
        which=st.lists(st.integers(0, 99), min_size=1, max_size=4),
        slow=st.booleans(),
        looks_first=st.booleans(),
        act=ACTS,
        user=USERS,
    )
    def the_thief_sends_any_cookies(
        self, which: list[int], slow: bool, looks_first: bool, act: LogAct, user: str
    ) -> None:
        """The newest are the likeliest: 0 is the last one."""
        tokens = [*reversed(self.book)]
        request = self.send([tokens[index % len(tokens)] for index in which], looks_first)
        if slow:
            self.waiting.append((None, request))
        else:
            self.answer(None, request, act, user)

    @rule(who=st.integers(0, 1))
    def restart(self, who: int) -> None:
        """A browser is closed, and keeps its permanent cookies: those at old places, too.

        If it forgets a newer session then, no cookie is left that could hide the old ones.
        """
        browser = self.browsers[who]
        before = browser.tokens()
        browser.restart()
        kept = browser.tokens()
        if any(self.book[token].mark for token in before if token not in kept):
            for token in kept:
                browser.ended.pop(self.book[token].mark, None)

    @rule(place=PLACES)
    def the_site_moves_its_cookie(self, place: str) -> None:
        self.server.move(place)

    @rule(seconds=WAITS)
    def time_passes(self, seconds: float) -> None:
        """A session may expire before an older one that is permanent, and then hides it no more."""
        hiding = [browser for browser in self.browsers if browser.ended]
        before = [self.server.opened_by(*browser.tokens()) for browser in hiding]
        self.clock.advance(seconds)
        self.server.forget()
        for browser, mark in zip(hiding, before, strict=True):
            if mark not in (None, self.server.opened_by(*browser.tokens())):
                for token in browser.tokens():
                    browser.ended.pop(self.book[token].mark, None)

    # What has to come of it

    def send(self, tokens: list[str], looks_first: bool) -> visitors.Request:
        request = visitors.Request(
            self.server.app,
            tokens,
            self.clock.now,
            next(self.steps),
            self.server.place,
            looked=looks_first,
        )
        if looks_first:
            self.predict(request)
        request.begin()
        if looks_first:
            self.check_what_is_seen(request)
        return request

    def predict(self, request: visitors.Request) -> None:
        """Note which sessions the cookies of the request could open at this moment."""
        marks = {token: self.server.opened_by(token) for token in request.tokens}
        request.valid = {token: mark for token, mark in marks.items() if mark}
        request.may_see = self.newest(marks)

    def newest(self, marks: dict[str, int | None]) -> set[int | None]:
        """Return the marks of the newest valid cookie, and of those within a second of it."""
        # The empty cookie that a log-out may leave counts as no session, and may have expired. What
        # was written beside older cookies still hides them after it has expired.
        empty = {
            token
            for token, mark in marks.items()
            if self.book[token].mark is None or (mark is None and self.server.hides(token))
        }
        valid = {token for token, mark in marks.items() if mark is not None}
        last = max((self.book[token].issued for token in valid), default=0)
        return {marks[token] for token in valid | empty if self.book[token].issued >= last - 1} or {
            None
        }

    def check_what_is_seen(self, request: visitors.Request) -> None:
        assert request.seen in request.may_see, "not the newest of the valid cookies"

    def answer(
        self, browser: visitors.Browser | None, request: visitors.Request, act: LogAct, user: str
    ) -> None:
        if not request.looked:
            self.predict(request)
        mark = next(self.marks)
        saved = request.answer(lambda session: act(session, mark, user))
        self.check_what_is_seen(request)
        for line in request.lines:
            self.note(line)
            if browser is not None:
                self.receive(browser, request, line, act)
        if not saved or not request.seen:
            return
        if act in LOG_OUTS and not (act is disown and request.owner is None):
            self.end(browser, request)
        elif act is log_in and request.owner not in (None, user):
            self.ended[request.seen] = "another user's log-in"
        elif act is renew and request.seen in self.ended:
            self.ended[mark] = "its log-out, by a slow renewal"
        elif act in (log_in, renew):
            self.renewed.setdefault(request.seen, (mark, self.clock.now))
            self.children.setdefault(request.seen, set()).add(mark)

    def note(self, line: str) -> None:
        token, place, _ = visitors.read(line)
        if token:
            mark, issued = self.server.opened_by(token), self.server.issue_time_of(token)
            self.book[token] = Token(mark, issued, place)

    def receive(
        self, browser: visitors.Browser, request: visitors.Request, line: str, act: LogAct
    ) -> None:
        """Give a browser its cookie. It must not undo a log-out, unless the request was slow.

        Without a list or a store, a request that began before the log-out undoes it if it changes
        the session; or if it only reads, and answers within a second or after half of the idle
        timeout. Then the browser may see again what else it has at other places.
        """
        token, *_ = visitors.read(line)
        browser.receive(line, request.place)
        if any(request.step < step for step in browser.ended.values()):
            slow = self.clock.now - request.began
            issued = [self.book[it].issued for it in request.tokens]
            half = any(self.clock.now - moment >= IDLE / 2 for moment in issued)
            assert act is not look or slow <= 1 or half, "a reader has undone a log-out"
            for it in browser.tokens():
                browser.ended.pop(self.book[it].mark, None)
        if self.has_idled_out(request):
            for it in browser.tokens():
                browser.ended.pop(self.book[it].mark, None)
        assert not token or self.book[token].mark not in browser.ended, "a session came back"

    def has_idled_out(self, request: visitors.Request) -> bool:
        """Return whether a session that hid older ones has expired while the request was slow."""
        opened = {it: self.server.opened_by(it) for it in request.tokens}
        return any(self.book[it].mark and mark is None for it, mark in opened.items())

    def end(self, browser: visitors.Browser | None, request: visitors.Request) -> None:
        """Note that a log-out has ended all sessions that the request carried."""
        assert request.seen
        if self.server.lists:
            self.ended |= dict.fromkeys(request.valid.values(), "its log-out")
            self.ended |= dict.fromkeys(
                self.successors(request.seen), "a log-out after its renewal"
            )
        elif browser is not None:
            later = {self.book[it].mark for it in {*browser.tokens()} - {*request.tokens}}
            step = next(self.steps)
            browser.ended |= dict.fromkeys({*request.valid.values()} - later, step)

    def successors(self, mark: int) -> Iterator[int]:
        """Yield what this session was renewed to, and what that was, for an hour."""
        while mark in self.renewed and self.clock.now - self.renewed[mark][1] < HOUR:
            mark = self.renewed[mark][0]
            yield mark

    def descendants(self, mark: int) -> set[int]:
        """Return what this session was renewed to, by several log-ins at once, and so on."""
        found: set[int] = set()
        new = self.children.get(mark, set())
        while new:
            found |= new
            new = {each for other in new for each in self.children.get(other, ())} - found
        return found

    @invariant()
    def no_ended_session_comes_back_to_anyone(self) -> None:
        """With a list or a store, no cookie opens a session that has ended."""
        if not self.server.lists:
            return
        for token, (mark, *_) in self.book.items():
            if mark in self.ended:
                came_back = self.server.opened_by(token)
                assert came_back is None, f"a session came back after {self.ended[mark]}"
            elif mark in self.renewed:
                found = self.server.opened_by(token)
                grace = 61 if self.mode == "store" else -1
                # 0: another request has emptied the session before its renewal.
                assert found in (None, 0, mark), "an old cookie opens the new session"
                since = self.clock.now - self.renewed[mark][1]
                assert found is None or since <= grace, "an old cookie has outlived its grace"
                ended = self.ended.keys() & self.descendants(mark)
                assert found is None or not ended, "an old cookie works after a log-out"

    @invariant()
    def no_ended_session_comes_back_to_its_browser(self) -> None:
        """Without them, no browser sees a session again after it has logged out of it."""
        for browser in self.browsers:
            tokens = browser.tokens()
            for header in (tokens, tokens[::-1]) if browser.ended else ():
                assert self.server.opened_by(*header) not in browser.ended, "a session came back"


@pytest.mark.parametrize("mode", visitors.MODES)
def test_no_session_comes_back_after_its_log_out(mode: str) -> None:
    """With signed cookies alone, none but by a copy that was made before the log-out."""
    machine = type("LogOuts", (LogOuts,), {"mode": mode})
    # A step of this machine is often several requests.
    short = settings(SETTINGS, max_examples=2 * EXAMPLES, stateful_step_count=25)
    run_state_machine_as_test(machine, settings=short)
