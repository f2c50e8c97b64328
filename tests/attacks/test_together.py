"""Requests with a former cookie meet each other, at random, on a site with a store (CWE-362).

Each log-in writes a number of its own into its session, its mark. So a mark that is seen again
tells which session has come back (CWE-613), and one that is not seen at once, that a log-in had no
effect.
"""

from random import Random
from typing import Any

import pytest

from sessionware import SessionMiddleware
from tests.attacks.former import former
from tests.conftest import Clock
from tests.gateway import KEY
from tests.sites import MemoryStore
from tests.unit.visitors import Interrupted, Request, read, two_steps

ACTS = ["ann logs in", "ben logs in", "ann logs in anew", "log-out", "log-out", "write", "renew"]
PAUSES = [0.2, 1, 30, 61, 1800]


class Together:
    """A browser that keeps its former cookie, and a thief who keeps every cookie."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self.clock = clock
        self.random = Random(seed)  # noqa: S311 - it has to be the same each time
        then = SessionMiddleware(two_steps, KEY, salt="former")
        self.app = SessionMiddleware(
            two_steps, KEY, store=MemoryStore(), migrate_from=[former(salt="former")]
        )
        self.mark = 0
        self.tokens: list[str] = []
        self.ended: set[int] = set()
        self.waiting: list[Request] = []
        first = Request(then, [], clock.now, 0, "/")
        first.begin()
        self.answer(first, self.random.choice(["ann logs in", "write"]))

    def begin(self) -> None:
        """Send a request with the former cookie, the newest or any other one, or two of these."""
        choices = [self.tokens[0], self.tokens[-1], self.random.choice(self.tokens)]
        tokens = self.random.sample(choices, self.random.choice([1, 1, 2]))
        looked = self.random.random() < 0.6
        self.waiting.append(Request(self.app, tokens, self.clock.now, 0, "/", looked=looked))
        self.waiting[-1].begin()

    def answer(self, request: Request, what: str) -> None:
        self.mark += 1
        mark = self.mark
        if not request.answer(lambda session: act(session, what, mark)):
            return
        token = read(request.lines[-1])[0] if request.lines else ""
        self.tokens += [token] if token else []
        if "logs in" in what:
            assert self.opened_by(token) == mark, "a log-in has had no effect"
        anew = "anew" in what or request.owner not in (None, what[:3])
        if request.seen and (what == "log-out" or ("logs in" in what and anew)):
            self.ended.add(request.seen)

    def opened_by(self, token: str) -> int | None:
        request = Request(self.app, [token], 0, 0, "/")

        def look(session: Any) -> None:
            request.see(session)
            raise Interrupted

        request.begin()
        with pytest.raises(Interrupted):
            request.answer(look)
        return request.seen

    def step(self) -> None:
        chance = self.random.random()
        if chance < 0.25:
            self.clock.advance(self.random.choice(PAUSES))
        elif chance < 0.6 or not self.waiting:
            self.begin()
        else:
            which = self.random.randrange(len(self.waiting))
            self.answer(self.waiting.pop(which), self.random.choice(ACTS))
        for token in self.tokens:
            assert self.opened_by(token) not in self.ended, "a session has come back"


def act(session: Any, what: str, mark: int) -> None:
    if "logs in" in what:
        if "anew" in what:
            session.invalidate()
        session.owner = what[:3]
        session["mark"] = mark
    elif what == "log-out":
        session.invalidate()
    elif what == "renew" and not session.new:
        session.regenerate()
    elif what == "write":
        session["n"] = mark
        session.setdefault("mark", mark)


@pytest.mark.parametrize("seed", range(100))
def test_no_log_in_is_lost_and_no_session_comes_back(clock: Clock, seed: int) -> None:
    together = Together(clock, seed)
    for _ in range(16):
        together.step()
