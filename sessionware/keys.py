"""Secret keys: checks of keys and salts, and the derivation of signing keys."""

import re
from collections.abc import Iterator
from hashlib import sha256

from itsdangerous import Signer

from .errors import ConfigurationError, Problem

SecretKey = str | bytes

MIN_KEY_SIZE = 16
"""Bytes. A shorter secret key is refused."""

RECOMMENDED_KEY_SIZE = 32
"""Bytes, as many as HMAC-SHA256 returns (RFC 2104, section 3). A shorter key logs a warning."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def check_keys(secret_key: object, fallbacks: object, salt: object) -> None:
    """Raise ConfigurationError with every problem of these settings. It never shows a key."""
    problems = [
        *key_problems("secret_key", secret_key),
        *fallback_problems(fallbacks),
        *salt_problems(salt),
    ]
    if problems:
        raise ConfigurationError(problems)


def key_problems(name: str, key: object) -> Iterator[Problem]:
    """Yield the problems of a secret key, without showing it."""
    expected = f"expected a str or bytes of at least {MIN_KEY_SIZE} bytes"
    advice = "python -m sessionware secret prints one"
    if not isinstance(key, str | bytes):
        yield Problem(name, f"found {type(key).__name__}, {expected}", advice)
    elif not _is_text(key):
        yield Problem(name, f"found a str that cannot be encoded as UTF-8, {expected}", advice)
    elif (size := key_size(key)) < MIN_KEY_SIZE:
        yield Problem(name, f"found {size} bytes, {expected}", advice)


def fallback_problems(fallbacks: object) -> Iterator[Problem]:
    """Yield the problems of a list of older secret keys, without showing them."""
    if not isinstance(fallbacks, list | tuple):
        # A str would be split into keys of one character, which are easy to guess.
        found = type(fallbacks).__name__
        yield Problem(
            "secret_key_fallbacks", f"found {found}, expected a list or tuple of older keys"
        )
    else:
        for index, key in enumerate(fallbacks):
            yield from key_problems(f"secret_key_fallbacks[{index}]", key)


def salt_problems(salt: object) -> Iterator[Problem]:
    """Yield the problems of a salt."""
    if not isinstance(salt, str):
        yield Problem("salt", f"found {type(salt).__name__}, expected a str")
    elif not _is_text(salt):
        yield Problem("salt", "found a str that cannot be encoded as UTF-8, expected a str")


def _is_text(value: SecretKey) -> bool:
    # In os.environ, bytes that are not UTF-8 are surrogates, which UTF-8 cannot encode.
    return isinstance(value, bytes) or value.isascii() or not _SURROGATE.search(value)


def key_size(key: SecretKey) -> int:
    """Return the size of a secret key in bytes."""
    return len(key.encode() if isinstance(key, str) else key)


def derive(key: SecretKey, salt: bytes) -> bytes:
    """Return the signing key for this salt: itsdangerous' key derivation ``hmac``."""
    return Signer(key, salt, key_derivation="hmac", digest_method=sha256).derive_key()
