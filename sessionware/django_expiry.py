"""When a session of Django's ends: as ``set_expiry`` says, or else as SESSION_COOKIE_AGE does."""

import math
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from .errors import UsageError, kind_of
from .expiry import CLOCK_SKEW, Expiry
from .serializer import dumps
from .session import Session

EXPIRY, SINCE = "_session_expiry", "_session_since"
"""Where a session keeps what ``set_expiry`` was given, and since when its seconds count."""


def plain(expiry: Any) -> Any:
    """Return what ``set_expiry`` is given, without subclasses of numbers, or raise UsageError."""
    found = kind_of(expiry)
    if isinstance(expiry, int | float):
        seconds = int(expiry) if isinstance(expiry, int) else float(expiry)
        if abs(seconds) <= timedelta.max.total_seconds():
            return seconds
        found = str(seconds) if type(seconds) is float else "an int with too many digits"
    elif expiry is None or isinstance(expiry, str | datetime | timedelta):
        return expiry
    expected = "expected a number of seconds, a timedelta, a datetime or None"
    raise UsageError(f"set_expiry: found {found}, {expected}")


def valid(expiry: Any) -> Any:
    """Return what ``set_expiry`` has written, or ``None`` if it is something else.

    ``session.update`` may have put there what a form had.
    """
    if isinstance(expiry, str | datetime):
        with suppress(ValueError, TypeError, OverflowError):
            _seconds_until(expiry)
            return expiry
    return expiry if type(expiry) in (int, float) else None


def _seconds_until(expiry: str | datetime) -> float:
    moment = datetime.fromisoformat(expiry) if isinstance(expiry, str) else expiry
    return (moment - timezone.now()).total_seconds()


class SessionExpiry:
    """The expiry of one session, beside the timeouts of all: ``idle_timeout`` if it has none.

    Seconds that ``set_expiry`` was given count from the last change, or from the last use where
    ``refresh_after`` is set. No other new cookie prolongs them, such as one by a new secret key.
    """

    def __init__(self, session: Session, timeouts: Expiry) -> None:
        self._session = session
        self._timeouts = timeouts

    @property
    def limit(self) -> int:
        """How many seconds ``set_expiry`` can be given."""
        timeouts = self._timeouts
        return int(min(timeouts.permanent_timeout, timeouts.absolute_timeout or math.inf))

    def check(self, seconds: float) -> None:
        """Raise UsageError if the settings end every session before that."""
        if seconds <= self.limit:
            return
        names = ("permanent_timeout", "absolute_timeout")
        found = {name: getattr(self._timeouts, name) for name in names}
        needed = {name: math.ceil(seconds) for name in names if (found[name] or seconds) < seconds}
        raise UsageError(
            f"set_expiry: found {seconds:.0f} seconds, expected at most {self.limit}: set {needed} "
            "in SESSIONWARE, or in the WSGI middleware that Django is wrapped in"
        )

    @property
    def is_short(self) -> bool:
        """Whether another session of the same site may last for longer."""
        return self._is_own or self._timeouts.idle_timeout < self._timeouts.permanent_timeout

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""
        if self._moment is not None:
            return _seconds_until(self._moment) <= 0
        return time.time() - self._since > self._idle.idle_timeout

    @property
    def is_due(self) -> bool:
        """Whether the cookie has to be issued again so that this use counts."""
        if self._moment is not None or not self._counts_uses:
            return False
        return self._idle.is_due(int(time.time()), self._since)

    @property
    def is_half_over(self) -> bool:
        """Whether half of the time is over in which a use or a change prolongs the session."""
        if self._moment is not None:
            return False
        return self._idle.is_half_over(int(time.time()), self._since, permanent=False)

    @property
    def left(self) -> int:
        """How many seconds a cookie lasts that is issued now."""
        if self._moment is not None:
            return max(0, int(_seconds_until(self._moment)))
        now = int(time.time())
        since = now if self._counts_uses else self._since
        return max(0, since + int(self._idle.idle_timeout) - now)

    def take_over(self) -> None:
        """Keep whether the session of a former cookie ends with the browser."""
        state = self._session._read()
        loaded, data = state.loaded, state.data
        if EXPIRY not in data and loaded.permanent is settings.SESSION_EXPIRE_AT_BROWSER_CLOSE:
            data[EXPIRY] = self.limit if loaded.permanent else 0
            loaded.text = dumps(data)  # No change of the application's.

    def restart(self) -> None:
        """Have the seconds count from now."""
        if self._is_own and self._moment is None:
            self._session[SINCE] = int(time.time())
        elif SINCE in self._session:
            del self._session[SINCE]

    @property
    def _is_own(self) -> bool:
        return bool(self._value)

    @property
    def _value(self) -> Any:
        return valid(self._session.get(EXPIRY))

    @property
    def _moment(self) -> str | datetime | None:
        value = self._value
        return value if isinstance(value, str | datetime) else None

    @property
    def _idle(self) -> Expiry:
        """The timeouts, of which the idle one is the session's own."""
        if not self._is_own:
            return self._timeouts
        return replace(
            self._timeouts, idle_timeout=min(self._value, self._timeouts.permanent_timeout)
        )

    @property
    def _counts_uses(self) -> bool:
        return not self._is_own or self._timeouts.refresh_after is not None

    @property
    def _since(self) -> int:
        """The time from which the seconds count."""
        now = int(time.time())
        issued = self._session._read().loaded.issued or now
        since = self._session.get(SINCE) if self._is_own else None
        if type(since) is not int or since > now + CLOCK_SKEW:
            return issued
        return max(since, issued) if self._counts_uses else since
