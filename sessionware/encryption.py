"""A codec whose cookies the client cannot read.

AES-256-GCM-SIV (RFC 8452), and no other: its nonces may be random for all the cookies of a busy
site. AES-GCM allows 2**32 of those for a key (NIST SP 800-38D), and where a nonce comes twice,
cookies can be forged; here it shows whether two sessions are the same, and no more.

Nothing is compressed, or the length would tell of the data (CRIME, CVE-2012-4929); padded to
whole blocks, it tells little.
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
"""Bytes of each part of a cookie."""

BLOCK = 64
"""Bytes. A time, a text and its padding are a multiple of it."""


class EncryptedCodec:
    """Encrypts with the secret key, and accepts what was encrypted with the fallbacks too.

    The keys are bound to ``salt`` and ``cookie_name``, and to this format: what was made for
    others, or is only signed, is refused. Raises ConfigurationError, which never shows a key.
    """

    def __init__(
        self,
        secret_key: SecretKey,
        fallbacks: Sequence[SecretKey] = (),
        salt: str = "",
        cookie_name: str = "session",
    ) -> None:
        check_keys(secret_key, fallbacks, salt)
        # A cookie's name holds no NUL, so no two pairs of name and salt give the same text.
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
        """Give the cookie's value for a text of at most LONGEST_TEXT bytes."""
        # 1. Put the time before it, and pad (ISO/IEC 7816-4).
        plain = issued.to_bytes(TIME, "big") + text.encode() + b"\x80"
        plain += bytes(-len(plain) % BLOCK)
        # 2. Encrypt.
        nonce = secrets.token_bytes(NONCE)
        sealed = nonce + self._ciphers[0].encrypt(nonce, plain, self._purpose)
        # 3. Make it URL-safe.
        return _to_base64(sealed)

    def decode(self, token: str) -> Opened:
        """Give what the cookie's value holds, or raise CookieRejected."""
        # 3. Make it bytes.
        sealed = _from_base64(token)
        size = len(sealed) - NONCE - TAG
        # OpenSSL may take an empty text that was forged for genuine (CVE-2026-45446).
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
        # 1. Take the padding and the time off.
        try:
            text = plain[TIME:].rstrip(b"\0")[:-1].decode()
        except UnicodeDecodeError:
            raise CookieRejected("malformed") from None
        return Opened(text, int.from_bytes(plain[:TIME], "big"), cipher is not self._ciphers[0])

    def _cipher(self, key: SecretKey) -> AESGCMSIV:
        # RFC 5869; the key is good already, so there is nothing for a salt to do.
        secret = key.encode() if isinstance(key, str) else key
        return AESGCMSIV(HKDF(SHA256(), 32, salt=None, info=self._purpose).derive(secret))


def _to_base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_base64(token: str) -> bytes:
    try:
        data = urlsafe_b64decode(token + "==")
    except ValueError:
        raise CookieRejected("malformed") from None
    # Base64 spells the same bytes in several ways, and only one is ours.
    if _to_base64(data) != token:
        raise CookieRejected("malformed")
    return data
