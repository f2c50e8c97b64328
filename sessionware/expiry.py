"""When a session ends: idle and absolute timeouts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from .errors import ConfigurationError, CookieRejected, Problem

CLOCK_SKEW = 60
"""Seconds by which the clock of the server that issued a cookie may be ahead of ours."""

MAX_COOKIE_AGE = 400 * 24 * 60 * 60
"""Seconds. Browsers do not keep cookies for longer (RFC 6265bis, section 5.5)."""

Duration = timedelta | float
"""A length of time, or a number of seconds."""

_MAX_SECONDS = timedelta.max.total_seconds()


@dataclass(frozen=True, slots=True)
class Expiry:
    """The timeouts of a session, in seconds. Made by ``of``, which checks them.

    ``permanent_timeout`` is the idle timeout of permanent sessions. ``refresh_after``: the age from
    which a cookie is issued again; ``None``: a tenth of the idle timeout.
    """

    idle_timeout: float
    absolute_timeout: float | None
    refresh_after: float | None
    permanent_timeout: float

    @classmethod
    def of(
        cls,
        idle_timeout: Duration,
        absolute_timeout: Duration | None = None,
        refresh_after: Duration | None = None,
        permanent_timeout: Duration | None = None,
    ) -> Self:
        """Return the timeouts of these settings. Raises ConfigurationError with every problem."""
        settings: dict[str, Any] = {
            "idle_timeout": idle_timeout,
            "permanent_timeout": permanent_timeout,
            "absolute_timeout": absolute_timeout,
            "refresh_after": refresh_after,
        }
        problems = [
            problem
            for name, value in settings.items()
            if value is not None or name == "idle_timeout"
            for problem in duration_problems(name, value)
        ]
        if problems:
            raise ConfigurationError(problems)
        seconds = {name: seconds_of(value) for name, value in settings.items() if value is not None}
        idle = seconds["idle_timeout"]
        return cls(
            idle,
            seconds.get("absolute_timeout"),
            seconds.get("refresh_after"),
            seconds.get("permanent_timeout", idle),
        )

    @property
    def cuts_permanent_short(self) -> bool:
        """Whether no session can last for the permanent timeout.

        An idle timeout that is longer than the absolute one is common, as its default is long; and
        in Flask, the permanent timeout is the same setting.
        """
        permanent, absolute = self.permanent_timeout, self.absolute_timeout
        return absolute is not None and permanent > absolute and permanent != self.idle_timeout

    @property
    def max_idle_timeout(self) -> float:
        """The longer of the two idle timeouts, in seconds."""
        return max(self.idle_timeout, self.permanent_timeout)

    def check(self, now: int, issued: int, created: int, permanent: bool | None = None) -> None:
        """Raise CookieRejected if the cookie has expired, or was issued in the future.

        All times are in seconds since the epoch. ``permanent``: whether the session is; ``None``
        if this is not known yet, or if the longer timeout applies.
        """
        if issued > now + CLOCK_SKEW:
            raise CookieRejected("from_the_future")
        if now - issued > self._idle(permanent):
            raise CookieRejected("expired_idle")
        if self.absolute_timeout is not None and now - created > self.absolute_timeout:
            raise CookieRejected("expired_absolute")

    def is_due(self, now: int, issued: int, permanent: bool = False) -> bool:
        """Return whether a cookie is so old that it has to be issued again.

        It is once half of its idle timeout is over, however long ``refresh_after`` is.
        """
        age, idle = now - issued, self.permanent_timeout if permanent else self.idle_timeout
        if self.refresh_after is None:
            return age > idle / 10
        return self.refresh_after == 0 or age > min(self.refresh_after, idle / 2)

    def is_half_over(self, now: int, issued: int, permanent: bool) -> bool:
        """Return whether half of the idle timeout has passed since the cookie was issued."""
        return now - issued > self._idle(permanent) / 2

    def max_age(self, now: int, created: int) -> int:
        """Return the Max-Age of a permanent session's cookie, in seconds."""
        return min(self.left(now, created, permanent=True), MAX_COOKIE_AGE)

    def left(self, now: int, created: int, permanent: bool | None = None) -> int:
        """Return how many seconds the session has left if it is not used again."""
        return max(0, self.end(now, created, permanent) - now)

    def end(self, issued: int, created: int, permanent: bool | None = None) -> int:
        """Return when the session ends if it is not used again, in seconds since the epoch."""
        end = issued + int(self._idle(permanent))
        if self.absolute_timeout is None:
            return end
        return min(end, created + int(self.absolute_timeout))

    def _idle(self, permanent: bool | None) -> float:
        if permanent is None:
            return self.max_idle_timeout
        return self.permanent_timeout if permanent else self.idle_timeout


def bounds_of(name: str) -> str:
    """Return the shortest and the longest duration that this setting may have, in words."""
    least = _LEAST.get(name, 1)
    return f"from {least} {'second' if least == 1 else 'seconds'} to 1,000,000,000 days"


def is_within_bounds(name: str, seconds: float) -> bool:
    """Return whether the setting may have this duration."""
    return _LEAST.get(name, 1) <= seconds <= _MAX_SECONDS


_LEAST = {"refresh_after": 0, "device_bound_lifetime": 5 * 60}
"""Seconds. Browsers sign at most six proofs in nine minutes."""


class WithoutRefresh(Expiry):
    """The timeouts of sessions whose cookie is issued again only when they change.

    This is what Django's SESSION_SAVE_EVERY_REQUEST and Flask's SESSION_REFRESH_EACH_REQUEST mean
    if they are ``False``.
    """

    __slots__ = ()

    def is_due(self, now: int, issued: int, permanent: bool = False) -> bool:  # noqa: ARG002 - it is the same for all
        """Return ``False``."""
        return False


def seconds_of(value: Duration) -> float:
    """Return the length of time in seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def duration_problems(name: str, value: object) -> Iterator[Problem]:
    """Yield the problems of a setting that is a duration."""
    expected = f"expected a timedelta or a number of seconds, {bounds_of(name)}"
    if isinstance(value, str):
        yield Problem(name, f"found {value[:40]!r}, {expected}")
    elif isinstance(value, bool) or not isinstance(value, timedelta | int | float):
        yield Problem(name, f"found {type(value).__name__}, {expected}")
    elif not is_within_bounds(name, seconds_of(value)):
        yield Problem(name, f"found {value!r}, {expected}")
