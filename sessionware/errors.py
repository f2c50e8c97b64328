"""Everything sessionware raises, grouped by who has to act."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple


class SessionwareError(Exception):
    """The base class of all errors of this package."""


class Problem(NamedTuple):
    """What is wrong with a setting: what was found, what was expected, and what to do about it."""

    setting: str
    text: str
    advice: str = ""

    def __str__(self) -> str:
        sentence = f"{self.setting}: {self.text}"
        return f"{sentence}; {self.advice}" if self.advice else sentence


class ConfigurationError(SessionwareError, ValueError):
    """A setting is wrong, and has to be changed where the application is deployed.

    ``problems`` is a tuple of every Problem of every setting.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(
            "\n".join(["Invalid sessionware configuration:", *map(str, self.problems)])
        )


class UsageError(SessionwareError):
    """The application uses its session in a way that has to be changed in its code."""


class LateWrite(UsageError, RuntimeError):
    """The session was changed after its response had begun."""


class SessionUnavailable(UsageError, RuntimeError):
    """The session cannot be loaded or saved.

    There is no secret key to sign it with, its store does not answer (the cause is attached), or
    another request has ended it.
    """


class UnserializableValue(UsageError, TypeError):
    """A value cannot be stored so that it comes back with the same type and value."""


class SessionTooLarge(UsageError, ValueError):
    """The session is larger than a browser, the format or the store accepts.

    ``size`` and ``limit`` are in bytes; ``largest`` holds the largest keys, the largest first, with
    the bytes of JSON that each takes.
    """

    def __init__(
        self, what: str, size: int, limit: int, largest: Sequence[tuple[str, int]]
    ) -> None:
        self.size = size
        self.limit = limit
        self.largest: tuple[tuple[str, int], ...] = tuple(largest)
        keys = ", ".join(f"{key[:50]!r} ({taken} bytes)" for key, taken in self.largest)
        super().__init__(
            f"{what} takes {size} bytes, and the limit is {limit}. The largest keys are {keys}: "
            "store less in the session, or store the data elsewhere and its id here. "
            "The browser keeps the cookie that it has."
        )


class CookieRejected(SessionwareError):
    """A cookie was refused, and a new session takes its place. It is logged, and never raised.

    ``reason`` is the word that the log record carries.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the session cookie was rejected: {reason}")


def kind_of(value: object) -> str:
    """Return the type of what was found, for a message. The value itself is never shown."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


@contextmanager
def collecting(problems: list[Problem]) -> Iterator[None]:
    """Add the problems of a ConfigurationError to the list, so that one error can name them all."""
    try:
        yield
    except ConfigurationError as error:
        problems.extend(error.problems)
