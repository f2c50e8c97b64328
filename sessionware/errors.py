"""Everything sessionware raises, grouped by who has to act."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple


class SessionwareError(Exception):
    """The root: catch this one to catch all."""


class Problem(NamedTuple):
    """What is wrong with a setting: what was found, what was expected, and what to do about it."""

    setting: str
    text: str
    advice: str = ""

    def __str__(self) -> str:
        sentence = f"{self.setting}: {self.text}"
        return f"{sentence}; {self.advice}" if self.advice else sentence


class ConfigurationError(SessionwareError, ValueError):
    """A setting is wrong; whoever deploys the application has to act.

    ``problems`` holds every problem of every setting.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(
            "\n".join(["sessionware is configured wrongly:", *map(str, self.problems)])
        )


class UsageError(SessionwareError):
    """Whoever writes the application has to act."""


class LateWrite(UsageError, RuntimeError):
    """The session was changed when its cookie had already been sent."""


class SessionUnavailable(UsageError, RuntimeError):
    """The session cannot be had or kept.

    There is no secret key to sign it with, its store does not answer (the cause is attached), or
    another request has ended it.
    """


class UnserializableValue(UsageError, TypeError):
    """A value is of a type that would not come back as what it was."""


class SessionTooLarge(UsageError, ValueError):
    """The session is larger than a browser, the format or the store accepts; nothing was sent.

    ``size`` and ``limit`` are in bytes; ``largest`` holds the largest keys with the
    bytes of JSON that each takes, largest first.
    """

    def __init__(
        self, what: str, size: int, limit: int, largest: Sequence[tuple[str, int]]
    ) -> None:
        self.size = size
        self.limit = limit
        self.largest: tuple[tuple[str, int], ...] = tuple(largest)
        keys = ", ".join(f"{key[:50]!r} ({taken} bytes)" for key, taken in self.largest)
        super().__init__(
            f"{what} takes {size} bytes, the limit is {limit}; the largest keys are {keys}: "
            "keep less in the session, or keep the data elsewhere and its id here. "
            "The browser keeps the cookie that it has."
        )


class CookieRejected(SessionwareError):
    """Nobody has to act: a cookie was refused, and a new session stands in for it.

    ``reason`` is the word that the log record carries.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the session cookie was rejected: {reason}")


def kind_of(value: object) -> str:
    """Say what was found, for a message: never the value itself."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


@contextmanager
def collecting(problems: list[Problem]) -> Iterator[None]:
    """Add the problems of a ConfigurationError to the list, so that one message can name all."""
    try:
        yield
    except ConfigurationError as error:
        problems.extend(error.problems)
