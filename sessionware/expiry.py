"""When a session ends: idle and absolute timeouts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from .errors import ConfigurationError, CookieRejected, Problem

CLOCK_SKEW = 60
"""Seconds by which the clock of the server that issued a cookie may be ahead of ours."""

MAX_COOKIE_AGE = 400 * 24 * 60 * 60
"""Seconds. Browsers do not keep cookies for longer (RFC 6265bis, section 5.5)."""

Duration = timedelta | float
"""A length of time, or a number of seconds."""

_MAX_DURATION = timedelta.max.total_seconds()


@dataclass(frozen=True, slots=True)
class Expiry:
    """The timeouts of a session, in seconds. Made by ``of``, which checks them."""

    idle_timeout: float
    absolute_timeout: float | None
    refresh_after: float

    @classmethod
    def of(
        cls,
        idle_timeout: Duration,
        absolute_timeout: Duration | None,
        refresh_after: Duration | None,
    ) -> "Expiry":
        """Return the timeouts of these settings. Raises ConfigurationError with every problem."""
        settings = {"idle_timeout": idle_timeout}
        if absolute_timeout is not None:
            settings["absolute_timeout"] = absolute_timeout
        if refresh_after is not None:
            settings["refresh_after"] = refresh_after
        problems = [problem for item in settings.items() for problem in _problems(*item)]
        if problems:
            raise ConfigurationError(problems)
        seconds = {name: _seconds(value) for name, value in settings.items()}
        idle = seconds["idle_timeout"]
        return cls(idle, seconds.get("absolute_timeout"), seconds.get("refresh_after", idle / 10))

    def check(self, now: int, issued: int, created: int) -> None:
        """Raise CookieRejected if the cookie has expired, or was issued in the future.

        All times are in seconds since the epoch.
        """
        if issued > now + CLOCK_SKEW:
            raise CookieRejected("from_the_future")
        if now - issued > self.idle_timeout:
            raise CookieRejected("expired_idle")
        if self.absolute_timeout is not None and now - created > self.absolute_timeout:
            raise CookieRejected("expired_absolute")

    def is_due(self, now: int, issued: int) -> bool:
        """Return whether a cookie is so old that it has to be issued again."""
        return now - issued > self.refresh_after

    def max_age(self, now: int, created: int) -> int:
        """Return the Max-Age of a permanent session's cookie, in seconds."""
        return min(self.left(now, created), MAX_COOKIE_AGE)

    def left(self, now: int, created: int) -> int:
        """Return how many seconds the session has left if it is not used again."""
        if self.absolute_timeout is None:
            return int(self.idle_timeout)
        return max(0, int(min(self.idle_timeout, created + self.absolute_timeout - now)))


def _seconds(value: Duration) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _problems(name: str, value: object) -> Iterator[Problem]:
    expected = f"expected a timedelta or a number of seconds from 1 to {_MAX_DURATION:.0f}"
    if isinstance(value, bool) or not isinstance(value, timedelta | int | float):
        yield Problem(name, f"found {type(value).__name__}, {expected}")
    elif not 1 <= _seconds(value) <= _MAX_DURATION:
        yield Problem(name, f"found {value!r}, {expected}")
