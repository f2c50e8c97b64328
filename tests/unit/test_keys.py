"""Checks of secret keys and salts."""

from typing import Any

import pytest

from sessionware import SecureCookieSessionInterface
from sessionware.codec import SignedCodec
from sessionware.errors import ConfigurationError
from tests.gateway import KEY

SHORT = '{"user":"ada"}'
ISSUED = 1_800_000_000
# What os.environ returns if SECRET_KEY is random bytes.
NO_TEXT = ("\udcff\udcfe and more than sixteen bytes", "a str that cannot be encoded as UTF-8")
A_KEY = "expected a str or bytes of at least 16 bytes; python -m sessionware secret prints one"


def problems(*arguments: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        SignedCodec(*arguments)
    return list(map(str, caught.value.problems))


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("", "0 bytes"),
        (b"", "0 bytes"),
        ("k" * 15, "15 bytes"),
        (b"k" * 15, "15 bytes"),
        ("\xe9" * 7, "14 bytes"),
        (None, "NoneType"),
        (16, "int"),
        (True, "bool"),
        ([KEY], "list"),
        (bytearray(32), "bytearray"),
        NO_TEXT,
    ],
)
def test_weak_key_is_refused(key: Any, found: str) -> None:
    assert problems(key) == [f"secret_key: found {found}, {A_KEY}"]
    assert problems(KEY, [KEY, key]) == [f"secret_key_fallbacks[1]: found {found}, {A_KEY}"]


@pytest.mark.parametrize("key", ["k" * 16, b"k" * 16, "\xe9" * 8])
def test_key_of_16_bytes_is_accepted(key: str | bytes) -> None:
    assert SignedCodec(key, [key]).decode(SignedCodec(key).encode(SHORT, ISSUED)).text == SHORT


@pytest.mark.parametrize("fallbacks", [KEY, KEY.encode(), None, {KEY}, {KEY: KEY}, iter([KEY])])
def test_fallbacks_that_are_not_a_list_are_refused(fallbacks: Any) -> None:
    """A str would be split into keys of one character, which are easy to guess."""
    found = type(fallbacks).__name__
    expected = f"secret_key_fallbacks: found {found}, expected a list or tuple of older keys"
    assert problems(KEY, fallbacks) == [expected]


def test_every_problem_is_reported_without_any_key() -> None:
    assert problems("hunter2", ["", None], b"") == [
        f"secret_key: found 7 bytes, {A_KEY}",
        f"secret_key_fallbacks[0]: found 0 bytes, {A_KEY}",
        f"secret_key_fallbacks[1]: found NoneType, {A_KEY}",
        "salt: found bytes, expected a str",
    ]


@pytest.mark.parametrize(("salt", "found"), [(b"", "bytes"), (None, "NoneType"), NO_TEXT])
def test_salt_that_is_not_text_is_refused(salt: Any, found: str) -> None:
    assert problems(KEY, (), salt) == [f"salt: found {found}, expected a str"]


def test_fallbacks_without_a_secret_key_are_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        SecureCookieSessionInterface(None, secret_key_fallbacks=[KEY])
    assert tuple(map(str, caught.value.problems)) == (
        "secret_key: found None with secret_key_fallbacks, expected a key",
    )
