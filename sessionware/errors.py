"""The exceptions of sessionware, grouped by who has to act on them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple


class SessionwareError(Exception):
    """The base class of all exceptions that sessionware raises."""


class Problem(NamedTuple):
    """A problem with a setting.

    ``text`` says what was found and what was expected, ``advice`` what to do about it.
    """

    setting: str
    text: str
    advice: str = ""

    def __str__(self) -> str:
        sentence = f"{self.setting}: {self.text}"
        return f"{sentence}; {self.advice}" if self.advice else sentence


class ConfigurationError(SessionwareError, ValueError):
    """One or more settings are invalid. Fix them where the application is deployed.

    ``problems`` is a tuple with a Problem for everything that is wrong.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(
            "\n".join(["Invalid sessionware configuration:", *map(str, self.problems)])
        )


class UsageError(SessionwareError):
    """An error that the application's code has to avoid or handle."""


class LateWrite(UsageError, RuntimeError):
    """The session was changed after its response had begun."""


class SessionUnavailable(UsageError, RuntimeError):
    """The session cannot be loaded or saved.

    Either no secret key is set, or the store or the list of revocations does not answer (its error
    is the ``__cause__``), or another request has ended the session.
    """


class SessionEnded(SessionUnavailable):
    """Another request has ended the session meanwhile, or given it another id."""


class UnserializableValue(UsageError, TypeError):
    """The session holds a value that would not be loaded as what it was."""


class SessionTooLarge(UsageError, ValueError):
    """The session is larger than browsers, the cookie format or the store accept.

    ``size`` and ``limit`` are in bytes. ``largest`` lists the largest keys, each with the bytes of
    JSON that it takes, in descending order.
    """

    def __init__(
        self, what: str, size: int, limit: int, largest: Sequence[tuple[str, int]]
    ) -> None:
        self.size = size
        self.limit = limit
        self.largest: tuple[tuple[str, int], ...] = tuple(largest)
        sizes = [f"{key[:50]!r} ({taken} bytes)" for key, taken in self.largest]
        keys = f"The largest keys are {', '.join(sizes)}. " if sizes else ""
        super().__init__(
            f"{what} has {size} bytes, and the limit is {limit}. {keys}"
            "Store less in the session, or store the data elsewhere and only its id here. "
            "The cookie in the browser is unchanged."
        )


class CookieRejected(SessionwareError):
    """A cookie was refused, so the request gets a new session.

    It is logged, and does not reach the application. ``reason`` is the word in the log record.
    ``fault``: what the application did wrong, if that is the cause, or ``""``.
    """

    def __init__(self, reason: str, fault: str = "") -> None:
        self.reason = reason
        self.fault = fault
        super().__init__(f"the session cookie was rejected: {reason}")


def kind_of(value: object) -> str:
    """Return the value's type for a message, which must not show the value itself."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


@contextmanager
def collecting(problems: list[Problem]) -> Iterator[None]:
    """Catch a ConfigurationError, and add its problems to the list of all problems."""
    try:
        yield
    except ConfigurationError as error:
        problems.extend(error.problems)
