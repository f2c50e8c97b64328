"""Secret keys: checks of keys and salts, and what is derived from them."""

import hmac
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256

from itsdangerous import Signer

from . import base64url
from .errors import ConfigurationError, CookieRejected, Problem

SecretKey = str | bytes

MIN_KEY_SIZE = 16
"""Bytes. A shorter secret key is refused."""

RECOMMENDED_KEY_SIZE = 32
"""Bytes, as many as HMAC-SHA256 returns (RFC 2104, section 3). A shorter key logs a warning."""

TOKEN_SIZE = 32
"""Bytes of a CSRF token."""

_TAG_SIZE = 6  # bytes; two tokens with one tag are to be expected among 2**24
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


def macs_of(keys: Sequence[SecretKey], salt: bytes) -> list[hmac.HMAC]:
    """Return HMAC-SHA256 under each of the keys derived for this salt, without a message."""
    return [hmac.new(derive(key, salt), digestmod=sha256) for key in keys]


def digest(mac: hmac.HMAC, message: bytes) -> bytes:
    """Return the HMAC of the message. A copy computes it, so that the key is hashed only once."""
    mac = mac.copy()
    mac.update(message)
    return mac.digest()


def purpose_of(kind: str, cookie_name: str, salt: str) -> bytes:
    """Return the salt of a derived key, which is different for any two settings.

    The name of a cookie contains no NUL, so it ends at the first one.
    """
    return f"sessionware.{kind}\0{cookie_name}\0{salt}".encode(errors="surrogatepass")


class TokenMask:
    """Masks CSRF tokens, deterministically.

    A cookie is compressed, so its length would reveal a token that stands beside text of the
    attacker (CRIME, CVE-2012-4929). The masked token never equals a guess. The construction is
    that of SIV (RFC 5297): a tag of the token, then the token XORed with a function of the tag.
    """

    def __init__(self, keys: Sequence[SecretKey], salt: bytes) -> None:
        self._macs = macs_of(keys, salt)

    def hide(self, token: str) -> str:
        """Return the masked token, which has 51 characters in place of 43."""
        plain = _from_base64(token)
        tag = digest(self._macs[0], plain)[:_TAG_SIZE]
        return _to_base64(tag + _xor(plain, digest(self._macs[0], tag)))

    def reveal(self, masked: str, old_key: bool) -> str:
        """Return the token of a verified cookie.

        ``old_key``: one of the fallback keys has masked it. Raises CookieRejected if none has.
        """
        raw = _from_base64(masked)
        if len(raw) == TOKEN_SIZE:
            return masked  # version 1.0 did not mask
        tag, hidden = raw[:_TAG_SIZE], raw[_TAG_SIZE:]
        if not old_key:  # the key that has verified the cookie has masked the token
            return _to_base64(_xor(hidden, digest(self._macs[0], tag)))
        for mac in self._macs:
            plain = _xor(hidden, digest(mac, tag))
            if hmac.compare_digest(digest(mac, plain)[:_TAG_SIZE], tag):
                return _to_base64(plain)
        raise CookieRejected("malformed")


class DerivedIds:
    """The ids of sessions whose cookies have none, made from the cookies' text.

    All requests with such a cookie get the same id, so that its session can be ended for all of
    them. The ids do not depend on ``salt`` or ``cookie_name``, so that they outlast a change. They
    are longer than random ones, because cookies of several visitors may have the same text.
    """

    def __init__(self, keys: Sequence[SecretKey]) -> None:
        self._macs = macs_of(keys, b"sessionware.adopted")

    def of(self, token: str) -> list[str]:
        """Return the id under each of the keys."""
        return [tag_of(mac, token) for mac in self._macs]


def is_derived(session_id: str) -> bool:
    """Return whether an id was made from the text of a cookie."""
    return len(session_id) == _DERIVED_SIZE


def may_be_id(text: str) -> bool:
    """Return whether the text may be an id, and not a cookie's value, which is longer."""
    return len(text) <= _MAX_ID and ID.fullmatch(text) is not None


ID = re.compile("[0-9A-Za-z_-]+")
"""Of what ids consist. The names of notes, which a store or a list has beside them, do not."""

_MAX_ID = 122
"""Characters. An encrypted cookie has more, and a signed one has dots."""

_DERIVED_SIZE = 43
"""Characters. A random id of ours has 22, those of Beaker and Django have 32."""


class BoundIds:
    """The ids of sessions that are bound to a device, each made from the id that it had before.

    So a cookie with the former id leads to the session too, and any other new id unbinds it.
    """

    def __init__(self, keys: Sequence[SecretKey]) -> None:
        self._macs = macs_of(keys, b"sessionware.bound")

    def of(self, session_id: str) -> list[str]:
        """Return the id under each of the keys, or none if this one is bound already."""
        if is_bound(session_id):
            return []
        return [f"{_BOUND}{tag_of(mac, session_id)[:_RANDOM_SIZE]}" for mac in self._macs]


def is_bound(session_id: str) -> bool:
    """Return whether this is the id of a session that is bound to a device."""
    return len(session_id) == len(_BOUND) + _RANDOM_SIZE and session_id.startswith(_BOUND)


_BOUND = "bound-"
_RANDOM_SIZE = 22
"""Characters of a random id of ours."""


def tag_of(mac: hmac.HMAC, text: str) -> str:
    """Return the HMAC of the text in URL-safe base64, 43 characters."""
    return _to_base64(digest(mac, text.encode(errors="surrogatepass")))


def _xor(left: bytes, right: bytes) -> bytes:
    both = int.from_bytes(left, "big") ^ int.from_bytes(right, "big")
    return both.to_bytes(TOKEN_SIZE, "big")


def _to_base64(data: bytes) -> str:
    return base64url.encode(data).decode()


def _from_base64(text: str) -> bytes:
    return base64url.decode(text.encode())
