"""Signed cookie values: signing, verification, compression, key rotation.

The format is that of itsdangerous' ``URLSafeTimedSerializer`` with HMAC-SHA256, and itsdangerous
can read and write it. Here, each key is derived only once, and decompression is limited.
"""

import hmac
import logging
import secrets
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

from . import base64url
from .errors import ConfigurationError, CookieRejected, Problem, collecting
from .keys import RECOMMENDED_KEY_SIZE, SecretKey, check_keys, digest, key_size, macs_of, purpose_of

MAX_TEXT = 64 * 1024
"""Bytes of a payload before compression. Decompression stops at this size (CWE-409)."""

MIN_COMPRESSED = 300
"""Bytes of a payload from which it is compressed. Below, this saves little and takes long."""

logger: logging.Logger = logging.getLogger("sessionware")


Opened = tuple[str, int, bool]
"""The text of a cookie, when it was issued, and whether a fallback key was used.

The time is in seconds since the epoch.
"""


class Codec(Protocol):
    """Encodes a text as a cookie's value, and decodes it."""

    def encode(self, text: str, issued: int, /) -> str:
        """Return the cookie's value for a text of at most MAX_TEXT bytes."""

    def decode(self, token: str, /) -> Opened:
        """Return the decoded value, or raise CookieRejected."""


class SignedCodec:
    """Signs with the secret key, and verifies with the secret key and its fallbacks.

    The signing keys depend on ``salt`` and ``cookie_name``, so values that were signed for another
    purpose are refused. Raises ConfigurationError, which never shows a key.
    """

    def __init__(
        self,
        secret_key: SecretKey,
        fallbacks: Sequence[SecretKey] = (),
        salt: str = "",
        cookie_name: str = "session",
    ) -> None:
        check_keys(secret_key, fallbacks, salt)
        self.salt: bytes = purpose_of("cookie", cookie_name, salt)
        self._macs = macs_of((secret_key, *fallbacks), self.salt)

    def encode(self, text: str, issued: int) -> str:
        """Return the cookie's value for a text of at most MAX_TEXT bytes."""
        # 1. Compress a long text, if the result is shorter.
        plain = text.encode()
        small = _deflate(plain) if len(plain) >= MIN_COMPRESSED else plain
        # 2. Encode as URL-safe base64, and append the time.
        is_shorter = len(small) < len(plain) - 1
        payload = b"." + base64url.encode(small) if is_shorter else base64url.encode(plain)
        signed = payload + _moment(issued)
        # 3. Sign.
        return (signed + b"." + _sign(self._macs[0], signed)).decode()

    def decode(self, token: str) -> Opened:
        """Return the decoded value, or raise CookieRejected."""
        # 3. Verify, before decoding anything.
        if not token.isascii():
            raise CookieRejected("malformed")
        signed, dot, signature = token.encode().rpartition(b".")
        if not dot:
            raise CookieRejected("malformed")
        for mac in self._macs:
            # Compared as text, because several base64 texts decode to the same bytes.
            if hmac.compare_digest(_sign(mac, signed), signature):
                break
        else:
            raise CookieRejected("bad_signature")
        try:
            # 2. Split off the time, and decode base64.
            payload, _, moment = signed.rpartition(b".")
            issued = int.from_bytes(base64url.decode(moment), "big")
            # 1. Decompress, up to the limit.
            plain = base64url.decode(payload)  # which passes over the dot
            text = (inflate(plain) if payload[:1] == b"." else plain).decode()
        except (ValueError, zlib.error):
            raise CookieRejected("malformed") from None
        return text, issued, mac is not self._macs[0]


def _sign(mac: hmac.HMAC, signed: bytes) -> bytes:
    """Return the signature of these bytes in URL-safe base64."""
    return base64url.encode(digest(mac, signed))


def codec_of(
    make: Callable[[SecretKey, Sequence[SecretKey], str, str], Codec],
    secret_key: SecretKey | None,
    fallbacks: Sequence[SecretKey],
    salt: str,
    cookie_name: str,
) -> Codec:
    """Return the codec of these settings, and log what is doubtful about the secret key.

    Raises ConfigurationError.
    """
    problems: list[Problem] = []
    if secret_key is None:
        # Not used, because no session is opened without a key. Random, so that it is safe anyway.
        secret_key = secrets.token_bytes(RECOMMENDED_KEY_SIZE)
        if fallbacks:
            problems.append(
                Problem("secret_key", "found None with secret_key_fallbacks, expected a key")
            )
    with collecting(problems):
        codec = make(secret_key, fallbacks, salt, cookie_name)
    if problems:
        raise ConfigurationError(problems)
    if (size := key_size(secret_key)) < RECOMMENDED_KEY_SIZE:
        message = f"secret_key has {size} bytes, use {RECOMMENDED_KEY_SIZE} or more (short_key)."
        logger.warning(message, extra={"reason": "short_key"})
    if isinstance(secret_key, str) and secret_key != secret_key.strip():
        message = (
            "secret_key begins or ends with white space, which is part of the key: if it comes "
            "from a file, call strip() (padded_key)."
        )
        logger.warning(message, extra={"reason": "padded_key"})
    return codec


@lru_cache(maxsize=1)  # all cookies of one second share it
def _moment(issued: int) -> bytes:
    return b"." + base64url.encode(issued.to_bytes((issued.bit_length() + 7) // 8, "big"))


def _deflate(plain: bytes) -> bytes:
    if len(plain) > 4096:
        return zlib.compress(plain)
    # A window of 4 KB is enough for a text of 4 KB, and takes a fifth of the time.
    compressor = zlib.compressobj(6, zlib.DEFLATED, 12, 4)
    return compressor.compress(plain) + compressor.flush()


def inflate(small: bytes) -> bytes:
    """Return the decompressed bytes.

    Raises CookieRejected if they are more than MAX_TEXT, and ValueError or zlib.error if they
    cannot be decompressed.
    """
    inflater = zlib.decompressobj()
    plain = inflater.decompress(small, MAX_TEXT + 1)
    if len(plain) > MAX_TEXT:
        raise CookieRejected("too_large")
    if not inflater.eof:
        raise ValueError("truncated")
    return plain
