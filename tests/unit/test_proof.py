"""The proof that a browser holds a key: which JWTs are read, and which signatures are valid."""

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from sessionware.proof import MAX_JWT, Proof
from tests.dbsc_browser import PrivateKey, jwk_of, jwt, new_key, rsa_key, sign, to_base64

KEY = new_key()
KEYS: dict[str, PrivateKey] = {"ES256": KEY, "RS256": rsa_key()}
every_algorithm = pytest.mark.parametrize("algorithm", KEYS)


def written(header: object, claims: object, key: PrivateKey = KEY) -> str:
    """Return a JWT of these parts, signed with the key; text is taken as it is."""
    parts = [each if isinstance(each, str) else json.dumps(each) for each in (header, claims)]
    signed = ".".join(to_base64(part.encode()) for part in parts)
    return f"{signed}.{to_base64(sign(key, signed.encode()))}"


def read(text: str) -> Proof:
    proof = Proof.read(text)
    assert proof is not None
    return proof


@every_algorithm
def test_a_registration_brings_its_key_and_is_signed_by_it(algorithm: str) -> None:
    key = KEYS[algorithm]
    proof = read(jwt(key, "challenge", registers=True))
    assert (proof.challenge, proof.jwk, proof.algorithm) == ("challenge", jwk_of(key), algorithm)
    assert proof.is_signed_by(jwk_of(key))


@every_algorithm
def test_a_renewal_brings_no_key(algorithm: str) -> None:
    proof = read(jwt(KEYS[algorithm], "challenge"))
    assert proof.jwk is None
    assert proof.is_signed_by(jwk_of(KEYS[algorithm]))


def test_claims_beside_the_challenge_are_ignored() -> None:
    claims = {"aud": "https://example.com/.dbsc/register", "iat": 1, "authorization": None}
    assert read(jwt(KEY, "challenge", claims=claims)).challenge == "challenge"


@pytest.mark.parametrize("bits", [2048, 4096])
def test_rsa_keys_of_2048_to_4096_bits_are_read(bits: int) -> None:
    key = rsa_key(bits)
    text = jwt(key, "x" * 120, registers=True)
    assert len(text) < MAX_JWT
    assert read(text).is_signed_by(jwk_of(key))


# What is no proof

FIELDS = {"alg": "ES256", "typ": "dbsc+jwt"}
CLAIMS = {"jti": "challenge"}
JWK = jwk_of(KEY)
RSA = jwk_of(rsa_key())

HEADERS: dict[str, object] = {
    "not JSON": "{",
    "not an object": [FIELDS],
    "text": '"ES256"',
    "deep": "[" * 2000,
    "a long number": '{"alg":' + "9" * 2800 + "}",
    "a member twice": '{"alg":"ES256","alg":"ES256","typ":"dbsc+jwt"}',
    "no alg": {"typ": "dbsc+jwt"},
    "no typ": {"alg": "ES256"},
    "another typ": FIELDS | {"typ": "JWT"},
    "alg none": FIELDS | {"alg": "none"},
    "alg None": FIELDS | {"alg": "None"},
    "alg HS256": FIELDS | {"alg": "HS256"},
    "alg ES384": FIELDS | {"alg": "ES384"},
    "alg es256": FIELDS | {"alg": "es256"},
    "alg of another type": FIELDS | {"alg": ["ES256"]},
    "crit": FIELDS | {"crit": ["exp"]},
    "b64": FIELDS | {"b64": False},
    "kid": FIELDS | {"kid": "../../dev/null"},
    "jku": FIELDS | {"jku": "https://evil.example/keys"},
    "x5u": FIELDS | {"x5u": "https://evil.example/keys"},
    "x5c": FIELDS | {"x5c": []},
    "zip": FIELDS | {"zip": "DEF"},
    "jwk null": FIELDS | {"jwk": None},
    "jwk of another type": FIELDS | {"jwk": [JWK]},
    "jwk oct": FIELDS | {"jwk": {"kty": "oct", "k": "AA"}},
    "jwk P-384": FIELDS | {"jwk": JWK | {"crv": "P-384"}},
    "jwk without y": FIELDS | {"jwk": {name: JWK[name] for name in ("kty", "crv", "x")}},
    "jwk with a number": FIELDS | {"jwk": JWK | {"x": 1}},
    "jwk with d": FIELDS | {"jwk": JWK | {"d": "AA"}},
    "jwk with e 3": FIELDS | {"alg": "RS256", "jwk": RSA | {"e": "Aw"}},
    "jwk with e 1": FIELDS | {"alg": "RS256", "jwk": RSA | {"e": "AQ"}},
    "jwk with e padded": FIELDS | {"alg": "RS256", "jwk": RSA | {"e": "AAEAAQ"}},
    "jwk RSA with d": FIELDS | {"alg": "RS256", "jwk": RSA | {"d": "AA"}},
}


@pytest.mark.parametrize("header", HEADERS)
def test_another_header_is_no_proof(header: str) -> None:
    assert Proof.read(written(HEADERS[header], CLAIMS)) is None


@pytest.mark.parametrize(
    "claims", ["{", [], {}, {"jti": None}, {"jti": 1}, {"jti": ["challenge"]}, '{"jti":"\ud800"}']
)
def test_claims_without_a_challenge_are_no_proof(claims: object) -> None:
    text = claims.encode(errors="surrogatepass") if isinstance(claims, str) else None
    if text is None:
        assert Proof.read(written(FIELDS, claims)) is None
    else:
        header = to_base64(json.dumps(FIELDS).encode())
        assert Proof.read(f"{header}.{to_base64(text)}.AA") is None


GOOD, GOOD_RSA = jwt(KEY, "challenge"), jwt(rsa_key(), "challenge")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c",
        f"{GOOD}.",
        f"{GOOD}.AA",
        f" {GOOD}",
        f"{GOOD}\n",
        f"{GOOD}=",
        GOOD.replace(".", "..", 1),
        GOOD.rpartition(".")[0],
        GOOD.rpartition(".")[0] + ".",
        GOOD + "A" * MAX_JWT,
        "é" + GOOD[1:],
    ],
)
def test_another_text_is_no_proof(text: str) -> None:
    assert Proof.read(text) is None


def test_base64_has_one_spelling() -> None:
    """The last character of a signature of 64 bytes has four bits that mean nothing."""
    last = GOOD[-1]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = letters[letters.index(last) + 1]
    assert Proof.read(GOOD[:-1] + other) is None


# What is signed by another, or wrongly


@every_algorithm
def test_another_key_is_refused(algorithm: str) -> None:
    other: PrivateKey = new_key() if algorithm == "ES256" else rsa_key(4096)
    assert not read(jwt(KEYS[algorithm], "challenge")).is_signed_by(jwk_of(other))


@every_algorithm
def test_a_change_of_one_character_is_refused(algorithm: str) -> None:
    text = jwt(KEYS[algorithm], "challenge")
    for place in (5, text.index(".") + 5, text.rindex(".") + 5):
        changed = f"{text[:place]}{'A' if text[place] != 'A' else 'B'}{text[place + 1 :]}"
        proof = Proof.read(changed)
        assert proof is None or not proof.is_signed_by(jwk_of(KEYS[algorithm]))


@pytest.mark.parametrize(("name", "other"), [("ES256", "RS256"), ("RS256", "ES256")])
def test_a_swapped_algorithm_is_refused(name: str, other: str) -> None:
    """The algorithm has to be the one of the key."""
    proof = read(jwt(KEYS[name], "challenge", alg=other))
    assert not proof.is_signed_by(jwk_of(KEYS[name]))
    assert not proof.is_signed_by(jwk_of(KEYS[other]))


SIGNATURES = [b"\0", bytes(64), b"\xff" * 64, bytes(63), bytes(65), bytes(256), bytes(600)]


@every_algorithm
@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda data: f"{len(data)}-{data[:1].hex()}")
def test_a_signature_that_is_none_is_refused(algorithm: str, signature: bytes) -> None:
    signed = jwt(KEYS[algorithm], "challenge").rpartition(".")[0]
    assert not read(f"{signed}.{to_base64(signature)}").is_signed_by(jwk_of(KEYS[algorithm]))


def test_a_signature_in_der_is_refused() -> None:
    signed = GOOD.rpartition(".")[0]
    signature = KEY.sign(signed.encode(), ECDSA(SHA256()))
    assert not read(f"{signed}.{to_base64(signature)}").is_signed_by(JWK)


def number(value: int, size: int) -> str:
    return to_base64(value.to_bytes(size, "big"))


COORDINATES = {
    "off the curve": {"x": number(1, 32), "y": number(1, 32)},
    "at infinity": {"x": number(0, 32), "y": number(0, 32)},
    "beyond the field": {"x": number(2**256 - 1, 32), "y": number(2**256 - 1, 32)},
    "short": {"x": number(1, 31), "y": JWK["y"]},
    "long": {"x": "A" + JWK["x"], "y": JWK["y"]},
    "huge": {"x": "A" * 2000, "y": JWK["y"]},
    "empty": {"x": "", "y": ""},
    "no base64": {"x": "é", "y": "%"},
    "of another curve": {"x": number(2**383 - 31, 48), "y": number(2**383 - 187, 48)},
}


@pytest.mark.parametrize("where", COORDINATES)
def test_a_key_that_is_no_point_of_the_curve_is_refused(where: str) -> None:
    assert not read(GOOD).is_signed_by(JWK | COORDINATES[where])


MODULI = {
    "empty": "",
    "no base64": "%",
    "1024 bits": number(2**1023 + 1, 128),
    "2047 bits": number(2**2046 + 1, 256),
    "4097 bits": number(2**4096 + 1, 513),
    "16384 bits": number(2**16383 + 1, 2048),
    "even": number(2**2047, 256),
    "1": "AQ",
}


@pytest.mark.parametrize("modulus", MODULI)
def test_an_rsa_key_of_another_size_is_refused(modulus: str) -> None:
    proof = read(GOOD_RSA)
    assert not proof.is_signed_by(RSA | {"n": MODULI[modulus]})


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("latin-1")))
def test_no_text_raises(text: str) -> None:
    assert Proof.read(text) is None


JSON: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from([*JWK.values()]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["alg", "typ", "jwk", "jti", "kty", "x", "n"]), inner)
    ),
    max_leaves=8,
)


@given(JSON, JSON, st.binary(max_size=100))
def test_no_json_raises(header: object, claims: object, signature: bytes) -> None:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    text = ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    proof = Proof.read(text)
    assert proof is None or not proof.is_signed_by(JWK)


@given(st.text(max_size=50), st.text(max_size=600))
def test_no_key_raises(coordinate: str, modulus: str) -> None:
    assert not read(GOOD).is_signed_by(JWK | {"x": coordinate})
    assert not read(GOOD_RSA).is_signed_by(RSA | {"n": modulus})
