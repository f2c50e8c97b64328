"""Forging: without the key no session can be made (CWE-347).

Named here: CVE-2015-9235 (JWT, ``alg`` none), CVE-2022-21449 (a blank signature), CVE-2020-17526
and CVE-2023-27524 (Airflow, Superset: a key that is known or shared between sites), the length
extension of Flickr's API (Duong and Rizzo, 2009), and CVE-2025-47278 (Flask: fallback keys).
"""

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from hashlib import sha256
from itertools import product

import pytest
from itsdangerous import Signer, TimestampSigner, URLSafeSerializer, URLSafeTimedSerializer

from tests.attacks.sha256_state import extend
from tests.attacks.victim import Victim, sign, to_base64
from tests.gateway import KEY
from tests.peers.required import FRAMEWORKS, require_frameworks

ROOT = '[0,{"user":"root"}]'
PAYLOAD = to_base64(ROOT.encode())
MOMENT = to_base64((1_800_000_000).to_bytes(4, "big"))
OTHER_KEY = "the secret key of the same software elsewhere"
VICTIM = Victim()

pytestmark = pytest.mark.usefixtures("clock")


def jwt(algorithm: str, key: str = "") -> str:
    """Return a JSON Web Token, without a signature if there is no key."""
    header = to_base64(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    signature = hmac.digest(key.encode(), f"{header}.{PAYLOAD}".encode(), "sha256") if key else b""
    return f"{header}.{PAYLOAD}.{to_base64(signature)}"


def bare_hmac(key: str) -> str:
    text = f"{PAYLOAD}.{MOMENT}"
    return f"{text}.{to_base64(hmac.digest(key.encode(), text.encode(), 'sha256'))}"


FORGERIES: dict[str, Callable[[], str]] = {
    "no signature": lambda: PAYLOAD,
    "no signature, a time": lambda: f"{PAYLOAD}.{MOMENT}",
    "an empty signature": lambda: f"{PAYLOAD}.{MOMENT}.",
    "a blank signature (CVE-2022-21449)": lambda: f"{PAYLOAD}.{MOMENT}.{to_base64(bytes(32))}",
    "the signature of another cookie": lambda: f"{PAYLOAD}.{MOMENT}.{VICTIM.log_in()[-43:]}",
    "nothing but dots": lambda: "...",
    "a JWT of alg none (CVE-2015-9235)": lambda: jwt("none"),
    "a JWT with our key": lambda: jwt("HS256", KEY),
    "another key (CVE-2023-27524)": lambda: sign(ROOT, OTHER_KEY)[8:],
    "a key of no bytes": lambda: bare_hmac(""),
    "another site's salt, the key shared (CVE-2020-17526)": lambda: sign(ROOT, salt="A")[8:],
    "another cookie's name": lambda: sign(ROOT, cookie_name="adminid")[8:],
    "our key, no derivation": lambda: bare_hmac(KEY),
    "itsdangerous by default": lambda: str(URLSafeTimedSerializer(KEY).dumps(json.loads(ROOT))),
    "itsdangerous without time": lambda: str(URLSafeSerializer(KEY).dumps(json.loads(ROOT))),
    "itsdangerous' TimestampSigner": lambda: TimestampSigner(KEY).sign(PAYLOAD).decode(),
    "itsdangerous' Signer": lambda: Signer(KEY).sign(f"{PAYLOAD}.{MOMENT}").decode(),
}


@pytest.mark.parametrize("attack", FORGERIES)
def test_a_forged_cookie_is_refused(caplog: pytest.LogCaptureFixture, attack: str) -> None:
    """Even if it is signed with the same key, but for another purpose, name or salt."""
    reason = VICTIM.refuses(f"session={FORGERIES[attack]()}", caplog)
    assert reason in ("bad_signature", "malformed")


def test_the_same_session_with_our_signature_is_opened() -> None:
    """Otherwise, the refusals above could have another cause."""
    assert VICTIM.sees(sign(ROOT)) == {"user": "root"}


@pytest.mark.parametrize("peer", FRAMEWORKS)
def test_the_cookie_of_a_framework_with_the_same_key_is_refused(
    caplog: pytest.LogCaptureFixture, peer: str
) -> None:
    require_frameworks()
    from tests.peers.probes import Browser

    value = Browser(peer, key=KEY).login().cookie.partition("=")[2]
    assert VICTIM.refuses(f"session={value}", caplog) in ("bad_signature", "malformed")


@pytest.mark.parametrize("user", ["ada", "ada" * 60], ids=["plain", "compressed"])
def test_a_cookie_with_a_flipped_bit_is_refused(user: str) -> None:
    name, _, token = VICTIM.log_in(user).partition("=")
    assert VICTIM.sees(f"{name}={token}") == {"user": user}
    for index, bit in product(range(len(token)), range(8)):
        flipped = chr(ord(token[index]) ^ 1 << bit)
        assert VICTIM.sees(f"{name}={token[:index]}{flipped}{token[index + 1 :]}") == {}


def test_a_shortened_or_lengthened_signature_is_refused() -> None:
    cookie = VICTIM.log_in()
    for size in range(1, len(cookie)):
        assert VICTIM.sees(cookie[:-size]) == {}
    for more in ("=", "==", "A", "AAAA", ".", "\0", "%00", "\n", "\xa0"):
        assert VICTIM.sees(cookie + more) == {}


@pytest.mark.parametrize("length", [16, 32, len(KEY), 64])
def test_a_length_extension_is_refused(length: int) -> None:
    """For several lengths of the key. The same attack breaks ``sha256(key + text)``."""
    token = VICTIM.log_in().removeprefix("session=")
    text, _, signature = token.rpartition(".")
    digest = urlsafe_b64decode(signature + "=")
    glue, forged = extend(digest, length + len(text), f".{PAYLOAD}.{MOMENT}".encode())
    longer = f"{text}{glue.decode('latin-1')}.{PAYLOAD}.{MOMENT}.{to_base64(forged)}"
    assert VICTIM.sees(f"session={longer}") == {}


def test_the_length_extension_breaks_a_plain_hash() -> None:
    secret, text, more = KEY.encode(), b"user=ada", b"&user=root"
    glue, forged = extend(sha256(secret + text).digest(), len(secret + text), more)
    assert forged == sha256(secret + text + glue + more).digest()


def test_an_old_key_never_signs() -> None:
    """CVE-2025-47278: Flask 3.1.0 signed with the oldest key."""
    cookie = Victim(secret_key_fallbacks=[OTHER_KEY]).log_in()
    assert Victim().sees(cookie) == {"user": "ada"}
    assert Victim(OTHER_KEY).sees(cookie) == {}
