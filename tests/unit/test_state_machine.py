"""Random sequences of requests, valid and hostile: each response follows the rules of the model.

A longer run: ``SESSIONWARE_EXAMPLES=5000 pytest tests/unit/test_state_machine.py``.
"""

import os
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sessionware import SessionMiddleware
from tests.fuzz.browser import Browser
from tests.fuzz.model import SKEW, TOO_LARGE, UNSERIALIZABLE, Server, copied
from tests.gateway import call

EXAMPLES = int(os.environ.get("SESSIONWARE_EXAMPLES", "60"))
IDLE, ABSOLUTE = 1000, 3000
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


Sessions.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestSessions = Sessions.TestCase
