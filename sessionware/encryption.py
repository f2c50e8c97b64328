"""Encrypted cookie values, which the client cannot read.

The only cipher is AES-256-GCM-SIV (RFC 8452), because a busy site may use it with random nonces.
AES-GCM allows 2**32 random nonces for one key (NIST SP 800-38D), and if a nonce is used twice,
cookies can be forged. With AES-GCM-SIV, it only shows whether two sessions are equal.

The text is not compressed, because its length would reveal what it contains (CRIME,
CVE-2012-4929). It is padded to whole blocks, so that its length reveals little.
"""

import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from . import base64url
from .codec import Opened
from .errors import ConfigurationError, CookieRejected, Problem
from .keys import SecretKey, check_keys, purpose_of

NONCE_SIZE = 12
TAG_SIZE = 16
TIME_SIZE = 8
"""Bytes of each part of a cookie's value."""

BLOCK_SIZE = 64
"""Bytes. The time and the text together are padded to a multiple of it."""


class EncryptedCodec:
    """Encrypts with the secret key, and decrypts with the secret key and its fallbacks.

    The encryption keys depend on ``salt``, ``cookie_name`` and this format, so values that were
    made for another purpose, or only signed, are refused. Raises ConfigurationError, which never
    shows a key.
    """

    def __init__(
        self,
        secret_key: SecretKey,
        fallbacks: Sequence[SecretKey] = (),
        salt: str = "",
        cookie_name: str = "session",
    ) -> None:
        check_keys(secret_key, fallbacks, salt)
        self._purpose = purpose_of("encrypted", cookie_name, salt)
        try:
            self._ciphers = [self._cipher(key) for key in (secret_key, *fallbacks)]
        except UnsupportedAlgorithm:
            found = backend.openssl_version_text()
            raise ConfigurationError(
                [
                    Problem(
                        "encrypt",
                        f"found {found}, which has no AES-GCM-SIV, expected OpenSSL 3.2 or newer",
                        "install a wheel of cryptography, which includes OpenSSL: "
                        "pip install --force-reinstall --only-binary :all: cryptography",
                    )
                ]
            ) from None

    def encode(self, text: str, issued: int) -> str:
        """Return the cookie's value for a text of at most MAX_TEXT bytes."""
        # 1. Prepend the time, and pad (ISO/IEC 7816-4).
        plain = issued.to_bytes(TIME_SIZE, "big") + text.encode() + b"\x80"
        plain += bytes(-len(plain) % BLOCK_SIZE)
        # 2. Encrypt.
        nonce = secrets.token_bytes(NONCE_SIZE)
        sealed = nonce + self._ciphers[0].encrypt(nonce, plain, self._purpose)
        # 3. Encode as URL-safe base64.
        return base64url.encode(sealed).decode()

    def decode(self, token: str) -> Opened:
        """Return the decoded value, or raise CookieRejected."""
        # 3. Decode base64.
        sealed = _from_base64(token)
        size = len(sealed) - NONCE_SIZE - TAG_SIZE
        # OpenSSL may accept a forged empty plaintext (CVE-2026-45446).
        if size <= 0 or size % BLOCK_SIZE:
            raise CookieRejected("malformed")
        # 2. Decrypt, which also verifies.
        for cipher in self._ciphers:
            try:
                plain = cipher.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], self._purpose)
                break
            except InvalidTag:
                continue
        else:
            raise CookieRejected("bad_signature")
        # 1. Split off the padding and the time.
        try:
            text = plain[TIME_SIZE:].rstrip(b"\0")[:-1].decode()
        except UnicodeDecodeError:
            raise CookieRejected("malformed") from None
        return text, int.from_bytes(plain[:TIME_SIZE], "big"), cipher is not self._ciphers[0]

    def _cipher(self, key: SecretKey) -> AESGCMSIV:
        # RFC 5869. The secret key is random already, so HKDF needs no salt.
        secret = key.encode() if isinstance(key, str) else key
        return AESGCMSIV(HKDF(SHA256(), 32, salt=None, info=self._purpose).derive(secret))


def _from_base64(token: str) -> bytes:
    try:
        text = token.encode("ascii")
        data = base64url.decode(text)
    except ValueError:
        raise CookieRejected("malformed") from None
    # Several base64 texts decode to the same bytes: accept only the one that encode returns.
    if base64url.encode(data) != text:
        raise CookieRejected("malformed")
    return data
