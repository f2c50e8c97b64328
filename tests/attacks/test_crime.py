"""CRIME: the length of the cookie does not tell the CSRF token (CVE-2012-4929, CVE-2013-3587).

A page saves what a visitor chooses, such as a search, in the session that holds the CSRF token.
The attacker has the visitor's browser search for guesses, and sees how long the encrypted responses
are.
"""

import random
from collections.abc import Callable
from itertools import pairwise
from statistics import fmean
from typing import Any

import pytest

from tests.attacks.modes import MODES, every_mode
from tests.attacks.oracle import ALPHABET, FILLER, TOKEN_SIZE, recover
from tests.attacks.victim import Victim
from tests.conftest import Clock

in_the_cookie = pytest.mark.parametrize("mode", ["signed", "revocations"])
"""The modes that compress the data in the cookie."""


@pytest.fixture(autouse=True)
def _seeded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make tokens and ids the same on every run."""
    chance = random.Random(7)  # noqa: S311 - for that reason
    monkeypatch.setattr("secrets.token_bytes", lambda size=32: chance.randbytes(size))


class Visitor:
    """A browser that the attacker can send to the site's search."""

    def __init__(self, mode: str, begin: Callable[[Any], object]) -> None:
        self.victim = Victim(**MODES[mode]())
        self.cookie = self.victim.visit("", begin).cookie

    def length(self, text: str) -> int:
        """Search for the text, and return the length of the Set-Cookie header."""
        response = self.victim.visit(
            self.cookie, lambda session: session.update(search=text), alone=True
        )
        self.cookie = response.cookie
        return len(response.set_cookie or "")

    def reads(self, act: Callable[[Any], Any]) -> Any:
        return self.victim.asks(self.cookie, act)


def csrf_token(session: Any) -> str:
    return str(session.get_csrf_token())


def log_in(session: Any) -> None:
    session["name"] = "Ada"
    session.owner = "ada"
    session.get_csrf_token()


BEGINNINGS: dict[str, Callable[[Any], object]] = {"anonymous": csrf_token, "logged in": log_in}
every_beginning = pytest.mark.parametrize("begin", BEGINNINGS)


def guess_of(chance: random.Random) -> str:
    return "".join(chance.choices(ALPHABET, k=TOKEN_SIZE))


# The attack


@in_the_cookie
@every_beginning
@pytest.mark.parametrize("number", range(3))
def test_the_length_of_the_cookie_does_not_give_the_csrf_token(
    mode: str, begin: str, number: int
) -> None:
    """In up to 12,000 requests, of which about 2,800 used to be enough."""
    for _ in range(number):
        Visitor(mode, BEGINNINGS[begin])  # Each run has another token.
    visitor = Visitor(mode, BEGINNINGS[begin])
    found = recover(visitor.length)
    token = visitor.reads(csrf_token)
    assert found[:4] != token[:4]
    assert found[-4:] != token[-4:]


@in_the_cookie
def test_the_attack_gives_a_secret_that_the_application_keeps_beside_it(mode: str) -> None:
    """A documented limit; and otherwise, the test above would prove nothing."""
    secret = guess_of(random.Random(1))  # noqa: S311 - the same on every run
    visitor = Visitor(mode, lambda session: session.update(secret=secret))
    assert recover(visitor.length) == secret


# What the length depends on


@every_mode
@every_beginning
def test_the_length_of_a_short_session_depends_only_on_the_length_of_the_text(
    mode: str, begin: str
) -> None:
    """It is not compressed."""
    visitor = Visitor(mode, BEGINNINGS[begin])
    token = visitor.reads(csrf_token)
    chance = random.Random(2)  # noqa: S311 - the same on every run
    texts = [token, *(token[:size] + guess_of(chance)[size:] for size in range(TOKEN_SIZE))]
    assert len({visitor.length(text) for text in texts}) == 1


@pytest.mark.parametrize("mode", ["encrypted", "store"])
@every_beginning
def test_the_length_of_a_long_session_that_is_not_compressed_depends_on_nothing_else(
    mode: str, begin: str
) -> None:
    visitor = Visitor(mode, BEGINNINGS[begin])
    token = visitor.reads(csrf_token)
    chance = random.Random(3)  # noqa: S311 - the same on every run
    texts = [token, *(token[:size] + guess_of(chance)[size:] for size in range(TOKEN_SIZE))]
    assert len({visitor.length(text + FILLER) for text in texts}) == 1


@in_the_cookie
@every_beginning
def test_the_right_token_is_as_long_as_a_wrong_one(mode: str, begin: str) -> None:
    """Over many sessions: the text is once the session's own token, once that of another one."""
    visitors = [Visitor(mode, BEGINNINGS[begin]) for _ in range(200)]
    tokens = [visitor.reads(csrf_token) for visitor in visitors]
    right: list[int] = []
    wrong: list[int] = []
    for visitor, (token, other) in zip(visitors, pairwise([*tokens, tokens[0]]), strict=True):
        right.append(visitor.length(token + FILLER))
        wrong.append(visitor.length(other + FILLER))
    assert abs(fmean(right) - fmean(wrong)) < 0.5
    assert abs(min(right) - min(wrong)) <= 3
    assert abs(max(right) - max(wrong)) <= 3


@in_the_cookie
@every_beginning
def test_the_right_next_character_is_as_long_as_a_wrong_one(mode: str, begin: str) -> None:
    """Over many sessions and places in the token, after all that comes before is known."""
    right: list[int] = []
    wrong: list[int] = []
    for _ in range(10):
        visitor = Visitor(mode, BEGINNINGS[begin])
        token = visitor.reads(csrf_token)
        for place in range(0, TOKEN_SIZE, 3):
            known, last = token[max(0, place - 12) : place], token[place]
            for guess in ALPHABET:
                seen = right if guess == last else wrong
                seen.append(visitor.length(known + guess + FILLER))
    assert abs(fmean(right) - fmean(wrong)) < 0.1
