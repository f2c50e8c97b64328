"""Payload to cookie text and back: sign, verify, compress, rotate keys.

The text is that of itsdangerous' ``URLSafeTimedSerializer`` with HMAC-SHA256, and stock
itsdangerous reads and writes it. Here each key is derived once, and decompression is limited.
"""

import hmac
import logging
import secrets
import zlib
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Protocol

from .errors import ConfigurationError, CookieRejected, Problem, collecting
from .keys import RECOMMENDED_KEY_SIZE, SecretKey, check_keys, derive, key_size

MAX_TEXT = 64 * 1024
"""Bytes of payload before compression. Decompression stops there (CWE-409)."""

logger: logging.Logger = logging.getLogger("sessionware")


@dataclass(slots=True, repr=False)
class Opened:
    """What a cookie's value holds. ``issued`` is in seconds since the epoch."""

    text: str
    issued: int
    old_key: bool


class Codec(Protocol):
    """Turns a text into a cookie's value, and such a value back into the text."""

    def encode(self, text: str, issued: int, /) -> str:
        """Return the cookie's value for a text of at most MAX_TEXT bytes."""

    def decode(self, token: str, /) -> Opened:
        """Return what the cookie's value holds, or raise CookieRejected."""


class SignedCodec:
    """Signs with the secret key, and also accepts what a fallback has signed.

    The keys are bound to ``salt`` and ``cookie_name``: what was signed for another purpose is
    refused. Raises ConfigurationError, which never shows a key.
    """

    def __init__(
        self,
        secret_key: SecretKey,
        fallbacks: Sequence[SecretKey] = (),
        salt: str = "",
        cookie_name: str = "session",
    ) -> None:
        check_keys(secret_key, fallbacks, salt)
        # A cookie's name contains no NUL, so no two pairs of name and salt give the same text.
        purpose = f"sessionware.cookie\0{cookie_name}\0{salt}"
        self.salt: bytes = purpose.encode(errors="surrogatepass")
        # Copied for each signature: what depends on the key alone is hashed once.
        self._macs = [
            hmac.new(derive(key, self.salt), digestmod=sha256) for key in (secret_key, *fallbacks)
        ]

    def encode(self, text: str, issued: int) -> str:
        """Return the cookie's value for a text of at most MAX_TEXT bytes."""
        # 1. Compress, if that is shorter.
        plain = text.encode()
        small = _deflate(plain)
        # 2. Make it URL-safe, and add the time.
        payload = b"." + _to_base64(small) if len(small) < len(plain) - 1 else _to_base64(plain)
        signed = payload + _moment(issued)
        # 3. Sign.
        return (signed + b"." + _sign(self._macs[0], signed)).decode()

    def decode(self, token: str) -> Opened:
        """Return what the cookie's value holds, or raise CookieRejected."""
        # 3. Verify, before anything is decoded.
        if not token.isascii():
            raise CookieRejected("malformed")
        signed, dot, signature = token.encode().rpartition(b".")
        if not dot:
            raise CookieRejected("malformed")
        for mac in self._macs:
            # Compared as text: base64 has several spellings of the same bytes, and one is ours.
            if hmac.compare_digest(_sign(mac, signed), signature):
                break
        else:
            raise CookieRejected("bad_signature")
        try:
            # 2. Split off the time, and decode base64.
            payload, _, moment = signed.rpartition(b".")
            issued = int.from_bytes(_from_base64(moment), "big")
            # 1. Decompress, up to the limit.
            plain = _from_base64(payload.lstrip(b"."))
            text = (inflate(plain) if payload[:1] == b"." else plain).decode()
        except (ValueError, zlib.error):
            raise CookieRejected("malformed") from None
        return Opened(text, issued, mac is not self._macs[0])


def codec_of(
    make: Callable[[SecretKey, Sequence[SecretKey], str, str], Codec],
    secret_key: SecretKey | None,
    fallbacks: Sequence[SecretKey],
    salt: str,
    cookie_name: str,
) -> Codec:
    """Return the codec of these settings, and warn of a short key. Raises ConfigurationError."""
    problems: list[Problem] = []
    if secret_key is None:
        # Without a key, no session is opened. Should one be, its signature is worth nothing.
        secret_key = secrets.token_bytes(RECOMMENDED_KEY_SIZE)
        if fallbacks:
            problems.append(
                Problem("secret_key", "found None beside secret_key_fallbacks, expected a key")
            )
    with collecting(problems):
        codec = make(secret_key, fallbacks, salt, cookie_name)
    if problems:
        raise ConfigurationError(problems)
    if (size := key_size(secret_key)) < RECOMMENDED_KEY_SIZE:
        message = f"secret_key has {size} bytes, use {RECOMMENDED_KEY_SIZE} or more (short_key)."
        logger.warning(message, extra={"reason": "short_key"})
    return codec


def _sign(mac: hmac.HMAC, signed: bytes) -> bytes:
    """Return the signature of these bytes, URL-safe."""
    mac = mac.copy()
    mac.update(signed)
    return _to_base64(mac.digest())


# RFC 4648, section 5, without padding. The functions of base64 take twice the time.
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")


@lru_cache(maxsize=1)  # all cookies of one second share it
def _moment(issued: int) -> bytes:
    return b"." + _to_base64(issued.to_bytes((issued.bit_length() + 7) // 8, "big"))


def _to_base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False).translate(_TO_URL_SAFE, b"=")


def _from_base64(text: bytes) -> bytes:
    return a2b_base64(text.translate(_FROM_URL_SAFE) + b"==")


def _deflate(plain: bytes) -> bytes:
    if len(plain) > 4096:
        return zlib.compress(plain)
    # So short a text cannot use more than a window of 4 KB, which takes a fifth of the time.
    compressor = zlib.compressobj(6, zlib.DEFLATED, 12, 4)
    return compressor.compress(plain) + compressor.flush()


def inflate(small: bytes) -> bytes:
    """Return at most MAX_TEXT decompressed bytes.

    Raises CookieRejected if there are more, and ValueError or zlib.error for anything else.
    """
    inflater = zlib.decompressobj()
    plain = inflater.decompress(small, MAX_TEXT + 1)
    if len(plain) > MAX_TEXT:
        raise CookieRejected("too_large")
    if not inflater.eof:
        raise ValueError("truncated")
    return plain
