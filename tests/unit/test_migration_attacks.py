"""Readers of other frameworks' cookies: what somebody else made is refused, and nothing raises."""

import hmac
import json
import pickle
import string
import zlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import itsdangerous
import pytest
from django.core.signing import TimestampSigner as DjangoSigner
from hypothesis import given
from hypothesis import strategies as st

from sessionware.errors import CookieRejected
from sessionware.migration import BeakerCookie, PyramidCookie
from tests.peers.frameworks import clock
from tests.unit.test_migration import (
    KEY,
    LITERALS,
    NOW,
    OTHER_KEY,
    bake,
    every_peer,
    reader,
    refusal,
)

DJANGO_SALT = "django.contrib.sessions.backends.signed_cookies"
COMPRESSING = ("Flask", "Django", "Beaker")


def _flask(payload: bytes) -> str:
    signer = itsdangerous.TimestampSigner(KEY, "cookie-session", key_derivation="hmac")
    return signer.sign(payload).decode()


def _django(payload: str) -> str:
    return str(DjangoSigner(key=KEY, salt=DJANGO_SALT).sign(payload))


def _pyramid(plain: bytes) -> str:
    signature = hmac.digest(b"pyramid.session." + KEY.encode(), plain, "sha512")
    return urlsafe_b64encode(signature + plain).rstrip(b"=").decode()


def _beaker(payload: bytes) -> str:
    return hmac.digest(KEY.encode(), payload, "sha1").hex() + payload.decode()


SIGN: dict[str, Callable[[bytes], str]] = {
    "Flask": lambda plain: _flask(urlsafe_b64encode(plain)),
    "Starlette": lambda plain: itsdangerous.TimestampSigner(KEY).sign(b64encode(plain)).decode(),
    "Django": lambda plain: _django(urlsafe_b64encode(plain).decode()),
    "Pyramid": _pyramid,
    "Beaker": lambda plain: _beaker(b64encode(plain)),
}
"""Any bytes, signed with the framework's own key where the framework puts its JSON."""


def sign(peer: str, plain: bytes) -> str:
    with clock(0):
        return SIGN[peer](plain)


def sign_text(peer: str, text: str) -> str:
    """Sign the text of a session, in the framework's envelope."""
    if peer == "Pyramid":
        text = f"[{NOW},{NOW},{text}]"
    if peer == "Beaker":
        text = text.replace("{", f'{{"_accessed_time":{NOW},', 1)
    plain = text.encode()
    return sign(peer, zlib.compress(plain) if peer == "Beaker" else plain)


@every_peer
def test_every_other_spelling_of_a_cookie_is_refused(peer: str) -> None:
    value = LITERALS[peer]
    cookie = reader(peer)
    letters = string.ascii_letters + string.digits + "+/-_=.:"
    for index, was in enumerate(value):
        for letter in letters.replace(was, ""):
            with pytest.raises(CookieRejected):
                cookie.load(value[:index] + letter + value[index + 1 :], NOW)[0]


@every_peer
@pytest.mark.parametrize(
    "change", ["{}=", "{}==", "={}", " {}", '"{}"', ".{}", "{}.", "é{}", "{}!"]
)
def test_nothing_may_stand_around_a_cookie(peer: str, change: str) -> None:
    assert refusal(reader(peer), change.format(LITERALS[peer])) in ("bad_signature", "malformed")


@every_peer
def test_another_key_is_refused(peer: str) -> None:
    assert refusal(reader(peer, OTHER_KEY), LITERALS[peer]) == "bad_signature"


@pytest.mark.parametrize("peer", ["Flask", "Pyramid"])
def test_another_salt_is_refused(peer: str) -> None:
    assert refusal(reader(peer, salt="another"), LITERALS[peer]) == "bad_signature"


@every_peer
def test_no_reader_falls_back_to_the_format_of_another(peer: str) -> None:
    for other, value in LITERALS.items():
        if other != peer:
            assert refusal(reader(peer), value) == "bad_signature"


@every_peer
@pytest.mark.parametrize("value", ["", "null", ".", "..", ":", "::", "a.b.c", "AAAA" * 40])
def test_junk_is_refused(peer: str, value: str) -> None:
    assert refusal(reader(peer), value) == "bad_signature"


@every_peer
def test_a_cookie_that_no_browser_keeps_is_refused(peer: str) -> None:
    assert refusal(reader(peer), "a" * 4096) == "too_large"


@pytest.mark.parametrize("peer", COMPRESSING)
def test_a_bomb_is_refused_before_it_fills_the_memory(peer: str) -> None:
    bomb = zlib.compress(b'{"_accessed_time":0,"user":"' + b"a" * 70_000 + b'"}')
    small = urlsafe_b64encode(bomb).decode().rstrip("=")
    values = {
        "Flask": lambda: _flask(f".{small}".encode()),
        "Django": lambda: _django(f".{small}"),
        "Beaker": lambda: _beaker(b64encode(bomb)),
    }
    with clock(0):
        assert refusal(reader(peer), values[peer]()) == "too_large"


@every_peer
def test_a_pickle_is_refused_by_that_name(peer: str) -> None:
    value = sign(peer, pickle.dumps({"user": "alice"}))
    assert refusal(reader(peer), value) == "pickled"


def test_the_pickle_that_beaker_writes_by_default_is_refused_by_that_name() -> None:
    _, value = bake("Beaker", option=False)
    assert refusal(BeakerCookie(KEY), value) == "pickled"


@every_peer
def test_a_pickle_with_a_wrong_signature_is_not_even_looked_at(peer: str) -> None:
    value = sign(peer, pickle.dumps({"user": "alice"}))
    assert refusal(reader(peer, OTHER_KEY), value) == "bad_signature"


@every_peer
@pytest.mark.parametrize(
    "text",
    [
        '{"user":NaN}',
        '{"user":1e999}',
        '{"user":' + "[" * 200 + "]" * 200 + "}",
        '{"user":' + "[" * 1200 + "]" * 1200 + "}",
        '{"user":',
        '["user"]',
        '"user"',
        "null",
        "5",
    ],
)
def test_signed_data_that_could_not_be_saved_again_is_refused(peer: str, text: str) -> None:
    assert refusal(reader(peer), sign_text(peer, text)) == "malformed"


@every_peer
def test_what_is_signed_here_is_what_the_framework_signs(peer: str) -> None:
    """Or else the refusals above would have another cause."""
    data = reader(peer).load(sign_text(peer, '{"user":"alice"}'), NOW)[0]
    assert data["user"] == "alice"


@pytest.mark.parametrize("moment", ["null", '"soon"', "NaN", "1e999", "[]", "{}"])
def test_a_moment_that_is_no_number_is_refused(moment: str) -> None:
    pyramid = sign("Pyramid", f'[{moment},0,{{"user":1}}]'.encode())
    beaker = sign("Beaker", zlib.compress(f'{{"_accessed_time":{moment}}}'.encode()))
    assert refusal(PyramidCookie(KEY), pyramid) == "malformed"
    assert refusal(BeakerCookie(KEY), beaker) == "malformed"


def test_a_beaker_session_without_its_moment_is_refused() -> None:
    assert refusal(BeakerCookie(KEY), sign("Beaker", zlib.compress(b'{"user":1}'))) == "malformed"


@pytest.mark.parametrize("tagged", [{" u": 5}, {" t": 5}, {" b": 5}, {" di": 5}, {" u": "x"}])
def test_a_tag_of_flasks_around_nonsense_is_refused(tagged: dict[str, Any]) -> None:
    assert (
        refusal(reader("Flask"), sign("Flask", json.dumps({"a": tagged}).encode())) == "malformed"
    )


@pytest.mark.parametrize("value", ["-1", "a b", "!"])
def test_a_moment_that_is_not_in_base_62_is_refused(value: str) -> None:
    signer = itsdangerous.Signer(KEY, DJANGO_SALT, ":", "django-concat", sha256)
    assert refusal(reader("Django"), signer.sign(f"e30:{value}").decode()) == "malformed"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["a", " d", " di", " u"]), inner)
    ),
)


@every_peer
@given(
    value=st.text(st.characters(codec="latin-1")) | st.from_regex(r"[\w.:=+/-]*", fullmatch=True)
)
def test_whatever_a_client_sends_raises_nothing_else(peer: str, value: str) -> None:
    with pytest.raises(CookieRejected):
        reader(peer).load(value, NOW)[0]


@every_peer
@given(plain=st.binary() | json_values.map(json.dumps).map(str.encode))
def test_whatever_the_key_signed_raises_nothing_else(peer: str, plain: bytes) -> None:
    try:
        data = reader(peer).load(sign(peer, plain), NOW)[0]
    except CookieRejected:
        return
    assert type(data) is dict
