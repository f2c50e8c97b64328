"""The proof that a browser holds a key: a JWT of Device Bound Session Credentials.

Only what Chromium sends is read: ES256 and RS256, with the members that these need. Nothing in a
JWT chooses a function or a key: the algorithm has to be the one of the key that is expected.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from . import base64url

ALGORITHMS = ("ES256", "RS256")

MAX_JWT = 4096
"""Bytes. With an RSA key of 4096 bits, a registration has about 2,400."""

MIN_RSA_SIZE, MAX_RSA_SIZE = 2048, 4096
"""Bits. A smaller key is weak, and a larger one takes long."""

RSA_EXPONENT = "AQAB"
"""65537. Signatures are easy to forge with some exponents, and slow to verify with others."""

P256_SIZE = 32
"""Bytes of a coordinate, and of each of the two numbers of a signature."""

_JWT = re.compile(r"([0-9A-Za-z_-]+)\.([0-9A-Za-z_-]+)\.([0-9A-Za-z_-]+)")

Jwk = dict[str, str]
"""A public key as JSON (RFC 7517)."""


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """A JWT of the right form. Whether its signature is valid depends on the key.

    - ``challenge``: the claim ``jti``, which the server has given to the browser.
    - ``jwk``: the public key that comes with a registration, or ``None``.
    """

    challenge: str
    jwk: Jwk | None
    algorithm: str
    signed: bytes
    signature: bytes

    @classmethod
    def read(cls, header: str) -> Self | None:
        """Return the proof in a Secure-Session-Response header, or ``None`` if there is none.

        Claims beside the challenge are ignored (RFC 7519, section 4). The audience is one: behind a
        proxy, the server may not know its own URL, and the challenge is the server's alone anyway.
        """
        found = _JWT.fullmatch(header) if len(header) <= MAX_JWT else None
        if found is None:
            return None
        with suppress(ValueError, RecursionError):
            fields, claims = (_object(part) for part in found.group(1, 2))
            algorithm, jwk, challenge = fields.get("alg"), fields.get("jwk"), claims.get("jti")
            # "crit" would be a member too, as would those that name another key.
            is_exact = fields.keys() - {"jwk"} == {"alg", "typ"} and fields["typ"] == "dbsc+jwt"
            if not (is_exact and algorithm in ALGORITHMS and type(challenge) is str):
                return None
            if "jwk" in fields and not _is_jwk(jwk):
                return None
            signed = header.rpartition(".")[0].encode()
            return cls(challenge, jwk, algorithm, signed, _from_base64(found[3]))
        return None

    def is_signed_by(self, jwk: Jwk) -> bool:
        """Return whether the holder of this key has signed the proof."""
        verify = _verify_es256 if jwk["kty"] == "EC" else _verify_rs256
        if self.algorithm != _ALGORITHM_OF[jwk["kty"]]:
            return False
        try:
            verify(jwk, self.signature, self.signed)
        except (InvalidSignature, ValueError):  # such as a point that is not on the curve
            return False
        return True


_ALGORITHM_OF = {"EC": "ES256", "RSA": "RS256"}


def _is_jwk(value: object) -> bool:
    """Return whether this has the members of a key that can be verified with, and no other."""
    match value:
        case {"kty": "EC", "crv": "P-256", "x": str(), "y": str(), **others}:
            return not others
        case {"kty": "RSA", "e": str(e), "n": str(), **others}:
            return e == RSA_EXPONENT and not others
    return False


def _verify_es256(jwk: Jwk, signature: bytes, signed: bytes) -> None:
    """Raise InvalidSignature or ValueError (RFC 7518, section 3.4)."""
    x, y = (_number(_from_base64(jwk[name]), P256_SIZE) for name in "xy")
    r, s = _number(signature[:P256_SIZE], P256_SIZE), _number(signature[P256_SIZE:], P256_SIZE)
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))


def _verify_rs256(jwk: Jwk, signature: bytes, signed: bytes) -> None:
    """Raise InvalidSignature or ValueError (RFC 7518, section 3.3)."""
    modulus = int.from_bytes(_from_base64(jwk["n"]), "big")
    if not MIN_RSA_SIZE <= modulus.bit_length() <= MAX_RSA_SIZE or modulus % 2 == 0:
        raise ValueError("not a modulus")
    exponent = int.from_bytes(_from_base64(RSA_EXPONENT), "big")
    RSAPublicNumbers(exponent, modulus).public_key().verify(signature, signed, PKCS1v15(), SHA256())


def _number(data: bytes, size: int) -> int:
    if len(data) != size:
        raise ValueError("not a number of this size")
    return int.from_bytes(data, "big")


def _object(part: str) -> dict[str, Any]:
    """Return the JSON object in base64. Raises ValueError or RecursionError."""
    value = json.loads(_from_base64(part).decode(), object_pairs_hook=_unique)
    if type(value) is not dict:
        raise ValueError("not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of an object, each of which has to be there once (RFC 7515, section 4)."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is there twice")
    return members


def _from_base64(text: str) -> bytes:
    """Return the bytes. Raises ValueError unless this is their one spelling in URL-safe base64."""
    data = base64url.decode(text.encode())
    if base64url.encode(data).decode() != text:
        raise ValueError("not canonical")
    return data
