"""The exceptions of sessionware: their families, their builtins and their messages."""

import pytest

import sessionware
from sessionware import errors
from sessionware.errors import (
    ConfigurationError,
    CookieRejected,
    LateWrite,
    Problem,
    SessionTooLarge,
    SessionUnavailable,
    SessionwareError,
    UnserializableValue,
    UsageError,
    collecting,
)

CLASSES = [it for it in vars(errors).values() if isinstance(it, type) and issubclass(it, Exception)]
FAMILIES = (ConfigurationError, UsageError, CookieRejected)


def too_large(*largest: tuple[str, int]) -> SessionTooLarge:
    return SessionTooLarge("The session cookie", 5000, 4096, largest)


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_a_sessionware_error(error: type) -> None:
    assert issubclass(error, SessionwareError)


@pytest.mark.parametrize("error", CLASSES[1:])
def test_every_error_belongs_to_one_family(error: type) -> None:
    assert [issubclass(error, family) for family in FAMILIES].count(True) == 1


@pytest.mark.parametrize(
    "error", [LateWrite, SessionTooLarge, SessionUnavailable, UnserializableValue]
)
def test_errors_of_the_application_are_usage_errors(error: type) -> None:
    assert issubclass(error, UsageError)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (ConfigurationError, ValueError),
        (LateWrite, RuntimeError),
        (SessionTooLarge, ValueError),
        (SessionUnavailable, RuntimeError),
        (UnserializableValue, TypeError),
    ],
)
def test_error_is_also_a_builtin_exception(error: type, builtin: type) -> None:
    assert issubclass(error, builtin)


@pytest.mark.parametrize("error", [SessionwareError, UsageError, CookieRejected])
def test_other_errors_are_not_builtin_exceptions(error: type) -> None:
    assert not issubclass(error, (ValueError, TypeError, RuntimeError, LookupError, OSError))


def test_package_exports_what_an_application_may_catch() -> None:
    """SessionEnded is a SessionUnavailable, and the adapters alone tell it from others."""
    names = {name for name in dir(sessionware) if getattr(sessionware, name) in CLASSES}
    assert names == {error.__name__ for error in CLASSES} - {"CookieRejected", "SessionEnded"}


def test_configuration_error_lists_every_problem() -> None:
    problems = [Problem("secret_key", "found 0 bytes", "make one"), Problem("salt", "found int")]
    error = ConfigurationError(iter(problems))
    assert error.problems == tuple(problems)
    assert str(error) == (
        "Invalid sessionware configuration:\nsecret_key: found 0 bytes; make one\nsalt: found int"
    )


def test_session_too_large_names_the_size_the_limit_and_the_largest_keys() -> None:
    assert str(too_large(("cart", 4000), ("it's", 20))) == (
        "The session cookie has 5000 bytes, and the limit is 4096. The largest keys are "
        "'cart' (4000 bytes), \"it's\" (20 bytes). Store less in the session, or store the data "
        "elsewhere and only its id here. The cookie in the browser is unchanged."
    )


def test_session_too_large_has_its_numbers_as_attributes() -> None:
    error = too_large(("cart", 4000), ("user", 20))
    assert (error.size, error.limit) == (5000, 4096)
    assert error.largest == (("cart", 4000), ("user", 20))


def test_cookie_rejected_has_a_reason() -> None:
    error = CookieRejected("bad_signature")
    assert error.reason == "bad_signature"
    assert str(error) == "the session cookie was rejected: bad_signature"


def test_collecting_joins_the_problems_of_several_configuration_errors() -> None:
    first, second, third, fourth = (Problem(name, "found int") for name in "abcd")
    problems = [first]
    with collecting(problems):
        raise ConfigurationError([second, third])
    with collecting(problems):
        raise ConfigurationError([fourth])
    assert problems == [first, second, third, fourth]


def test_collecting_adds_nothing_if_there_is_no_problem() -> None:
    problems: list[Problem] = []
    with collecting(problems):
        pass
    assert problems == []


def test_collecting_does_not_catch_other_errors() -> None:
    problems: list[Problem] = []
    with pytest.raises(CookieRejected), collecting(problems):
        raise CookieRejected("malformed")
    assert problems == []
