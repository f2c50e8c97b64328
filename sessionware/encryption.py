"""A codec whose cookies the client cannot read.

It uses AES-256-GCM-SIV (RFC 8452) and no other cipher, because its nonces can be random for all
cookies of a busy site. AES-GCM allows 2**32 random nonces for a key (NIST SP 800-38D), and if one
is used twice, cookies can be forged. Here, it only shows whether two sessions are the same.

Nothing is compressed, because the length would tell what is in the data (CRIME, CVE-2012-4929).
The text is padded to whole blocks, so the length tells little.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .codec import Opened
from .errors import ConfigurationError, CookieRejected, Problem
from .keys import SecretKey, check_keys

NONCE = 12
TAG = 16
TIME = 8
"""The sizes of a cookie's parts, in bytes."""

BLOCK = 64
"""Bytes. The time, the text and the padding together are a multiple of it."""


class EncryptedCodec:
    """Encrypts with the secret key, and also accepts what was encrypted with a fallback.

    The keys are bound to ``salt``, ``cookie_name`` and this format: what was made for another
    purpose, or is only signed, is refused. Raises ConfigurationError, which never shows a key.
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
        purpose = f"sessionware.encrypted\0{cookie_name}\0{salt}"
        self._purpose = purpose.encode(errors="surrogatepass")
        try:
            self._ciphers = [self._cipher(key) for key in (secret_key, *fallbacks)]
        except UnsupportedAlgorithm:
            found = backend.openssl_version_text()
            raise ConfigurationError(
                [
                    Problem(
                        "encrypt",
                        f"found {found}, which has no AES-GCM-SIV, expected OpenSSL 3.2 or newer",
                        "pip install --force-reinstall --only-binary :all: cryptography brings its "
                        "own",
                    )
                ]
            ) from None

    def encode(self, text: str, issued: int) -> str:
        """Return the cookie's value for a text of at most MAX_TEXT bytes."""
        # 1. Put the time before it, and pad (ISO/IEC 7816-4).
        plain = issued.to_bytes(TIME, "big") + text.encode() + b"\x80"
        plain += bytes(-len(plain) % BLOCK)
        # 2. Encrypt.
        nonce = secrets.token_bytes(NONCE)
        sealed = nonce + self._ciphers[0].encrypt(nonce, plain, self._purpose)
        # 3. Encode as URL-safe base64.
        return _to_base64(sealed)

    def decode(self, token: str) -> Opened:
        """Return what the cookie's value holds, or raise CookieRejected."""
        # 3. Decode base64.
        sealed = _from_base64(token)
        size = len(sealed) - NONCE - TAG
        # OpenSSL may accept a forged empty text (CVE-2026-45446).
        if size <= 0 or size % BLOCK:
            raise CookieRejected("malformed")
        # 2. Decrypt, which verifies.
        for cipher in self._ciphers:
            try:
                plain = cipher.decrypt(sealed[:NONCE], sealed[NONCE:], self._purpose)
                break
            except InvalidTag:
                continue
        else:
            raise CookieRejected("bad_signature")
        # 1. Split off the padding and the time.
        try:
            text = plain[TIME:].rstrip(b"\0")[:-1].decode()
        except UnicodeDecodeError:
            raise CookieRejected("malformed") from None
        return Opened(text, int.from_bytes(plain[:TIME], "big"), cipher is not self._ciphers[0])

    def _cipher(self, key: SecretKey) -> AESGCMSIV:
        # RFC 5869. The key is uniformly random already, so it needs no salt.
        secret = key.encode() if isinstance(key, str) else key
        return AESGCMSIV(HKDF(SHA256(), 32, salt=None, info=self._purpose).derive(secret))


def _to_base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_base64(token: str) -> bytes:
    try:
        data = urlsafe_b64decode(token + "==")
    except ValueError:
        raise CookieRejected("malformed") from None
    # Base64 has several spellings of the same bytes, and only one is ours.
    if _to_base64(data) != token:
        raise CookieRejected("malformed")
    return data
