"""Encrypted cookies that were tampered with, made for others, or are only signed."""

import base64
import secrets
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from sessionware import SecureCookieSessionInterface, Session
from sessionware.codec import Opened, SignedCodec
from sessionware.encryption import EncryptedCodec
from sessionware.errors import CookieRejected
from tests.conftest import Clock
from tests.gateway import KEY, make_environ

ISSUED = 1_800_000_000
TEXT = '[60,{"user":"Ada"}]'
OLDER_KEY = "the secret key of last year, which is out of use"
CODEC = EncryptedCodec(KEY)
TOKEN = CODEC.encode(TEXT, ISSUED)
LONG = CODEC.encode(TEXT * 8, ISSUED)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
INTERFACE = SecureCookieSessionInterface(KEY, secret_key_fallbacks=[OLDER_KEY], encrypt=True)


def reason(token: str, codec: EncryptedCodec | SignedCodec = CODEC) -> str:
    """Give the reason for which a token is refused, or ``""`` where it is not."""
    try:
        codec.decode(token)
    except CookieRejected as error:
        return error.reason
    return ""


def to_bytes(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "==")


def to_token(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def sealed_by_us(plain: bytes) -> str:
    """Encrypt with the right key what our codec would not write."""
    nonce = secrets.token_bytes(12)
    return to_token(nonce + CODEC._ciphers[0].encrypt(nonce, plain, CODEC._purpose))


def open_session(header: str) -> Session:
    session = INTERFACE.open_session(make_environ(header))
    assert isinstance(session, Session)
    return session


# Tampering


def test_every_flipped_bit_is_refused() -> None:
    sealed = to_bytes(TOKEN)
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        assert reason(to_token(bytes(changed))) == "bad_signature", bit


def test_every_other_character_in_every_place_is_refused() -> None:
    for place, character in enumerate(TOKEN):
        for other in set(ALPHABET) - {character}:
            assert reason(TOKEN[:place] + other + TOKEN[place + 1 :]), (place, other)


@pytest.mark.parametrize("token", [TOKEN, LONG])
def test_every_truncation_is_refused(token: str) -> None:
    assert "" not in {reason(token[:length]) for length in range(len(token))}
    assert "" not in {reason(token[length:]) for length in range(1, len(token))}


@pytest.mark.parametrize("addition", [bytes(1), bytes(16), bytes(64), to_bytes(TOKEN)])
def test_every_extension_is_refused(addition: bytes) -> None:
    sealed = to_bytes(TOKEN)
    for place in range(len(sealed) + 1):
        assert reason(to_token(sealed[:place] + addition + sealed[place:])), place


@pytest.mark.parametrize("size", [12, 16, 28, 64])
def test_blocks_that_change_places_are_refused(size: int) -> None:
    sealed = to_bytes(LONG)
    moved = sealed[:12] + sealed[12 + size :] + sealed[12 : 12 + size]
    assert reason(to_token(moved)) == "bad_signature"


def test_the_parts_of_two_cookies_make_no_third() -> None:
    one, two = to_bytes(TOKEN), to_bytes(CODEC.encode(TEXT, ISSUED))
    for place in (12, len(one) - 16):
        assert reason(to_token(one[:place] + two[place:])) == "bad_signature"


@pytest.mark.parametrize("tag", [bytes(16), b"\xff" * 16, b"\x80" + bytes(15)])
def test_an_empty_text_is_refused_before_it_is_decrypted(tag: bytes) -> None:
    """With a tag of zeros, OpenSSL 3.2 takes one for genuine (CVE-2026-45446)."""
    assert reason(to_token(bytes(12) + tag)) == "malformed"


@pytest.mark.parametrize(
    "spelling",
    ["{}=", "{}==", "{}=AAAA", "{}.", " {}", "{}\n", "{}\xa0", '"{}"', "%{}", "{}\0"],
)
def test_no_other_text_is_read_as_the_same_bytes(spelling: str) -> None:
    assert reason(spelling.format(TOKEN)) == "malformed"


def test_no_other_last_character_is_read_as_the_same_bytes() -> None:
    """It has bits to spare."""
    spellings = {TOKEN[:-1] + last for last in ALPHABET} - {TOKEN}
    same = [each for each in spellings if to_bytes(each) == to_bytes(TOKEN)]
    assert [reason(each) for each in same] == ["malformed"] * 3


@pytest.mark.parametrize(("url_safe", "standard"), ["-+", "_/"])
def test_the_other_alphabet_of_base64_is_refused(url_safe: str, standard: str) -> None:
    token = next(
        token for token in (CODEC.encode(TEXT, ISSUED) for _ in range(1000)) if url_safe in token
    )
    assert reason(token.replace(url_safe, standard)) == "malformed"


@pytest.mark.parametrize("junk", ["", ".", "a.b.c", "=", "A" * 38, "\ud800", "é", "\0", "a" * 4096])
def test_junk_is_malformed(junk: str) -> None:
    assert reason(junk) == "malformed"


@settings(deadline=None)
@given(st.text() | st.text(ALPHABET) | st.binary().map(to_token))
def test_no_junk_raises_anything_but_a_rejection(junk: str) -> None:
    assert reason(junk) in ("malformed", "bad_signature")


@settings(deadline=None)
@given(st.integers(1, 4).flatmap(lambda n: st.binary(min_size=28 + 64 * n, max_size=28 + 64 * n)))
def test_no_bytes_of_the_right_length_open(sealed: bytes) -> None:
    assert reason(to_token(sealed)) == "bad_signature"


@settings(deadline=None)
@given(st.text() | st.binary().map(to_token))
def test_no_header_raises(junk: str) -> None:
    session = open_session(f"session={junk}")
    assert session.new
    INTERFACE.save_session(make_environ(), session, Headers())


@pytest.mark.parametrize(
    "plain",
    [bytes(64), b"\xff" * 63 + b"\x80", bytes(8) + b"\xc3\x80".ljust(56, b"\0")],
    ids=["zeros", "ones", "half a letter"],
)
def test_what_only_the_key_could_have_made_is_no_error_either(plain: bytes) -> None:
    """No padding at all, and bytes that are no text."""
    assert open_session(f"session={sealed_by_us(plain)}").new


def test_encrypted_bytes_that_are_no_text_are_malformed() -> None:
    assert reason(sealed_by_us(b"\xff" * 63 + b"\x80")) == "malformed"


# Made for others


@pytest.mark.parametrize(
    "other",
    [
        EncryptedCodec(OLDER_KEY),
        EncryptedCodec(KEY, salt="shop"),
        EncryptedCodec(KEY, cookie_name="Session"),
        EncryptedCodec(KEY, cookie_name="__Host-session"),
        EncryptedCodec(KEY + " "),
    ],
)
def test_what_was_encrypted_for_others_is_refused(other: EncryptedCodec) -> None:
    assert reason(other.encode(TEXT, ISSUED)) == "bad_signature"
    assert reason(TOKEN, other) == "bad_signature"


def test_a_name_and_a_salt_cannot_be_taken_for_each_other() -> None:
    token = EncryptedCodec(KEY, (), "b", "a").encode(TEXT, ISSUED)
    for name, salt in (("ab", ""), ("", "ab"), ("b", "a"), ("a\0b", "")):
        assert reason(token, EncryptedCodec(KEY, (), salt, name)) == "bad_signature"


def test_a_cookie_that_is_only_signed_is_never_taken_for_an_encrypted_one() -> None:
    assert reason(SignedCodec(KEY).encode(TEXT, ISSUED)) == "malformed"


def test_an_encrypted_cookie_is_never_taken_for_a_signed_one() -> None:
    assert reason(TOKEN, SignedCodec(KEY)) == "malformed"


def test_the_parts_of_a_signed_cookie_are_no_encrypted_one() -> None:
    token = SignedCodec(KEY).encode(secrets.token_hex(200), ISSUED)
    for part in (*token.split("."), token.replace(".", "")):
        assert reason(part) != ""


# Several keys


def test_a_fallback_key_opens_a_cookie_and_says_so() -> None:
    old = EncryptedCodec(OLDER_KEY).encode(TEXT, ISSUED)
    rotated = EncryptedCodec(KEY, [KEY[::-1], OLDER_KEY])
    assert rotated.decode(old) == Opened(TEXT, ISSUED, old_key=True)
    assert rotated.decode(TOKEN) == Opened(TEXT, ISSUED, old_key=False)


def test_only_the_newest_key_encrypts() -> None:
    rotated = EncryptedCodec(KEY, [OLDER_KEY]).encode(TEXT, ISSUED)
    assert CODEC.decode(rotated).text == TEXT
    assert reason(rotated, EncryptedCodec(OLDER_KEY)) == "bad_signature"


def test_a_key_as_text_and_as_bytes_is_the_same_key() -> None:
    assert EncryptedCodec(KEY.encode()).decode(TOKEN).text == TEXT


# Time


@pytest.mark.parametrize(
    ("seconds", "limits", "told"),
    [
        (60, {"idle_timeout": 59}, "expired_idle"),
        (30, {"absolute_timeout": 89}, "expired_absolute"),
        (-61, {}, "from_the_future"),
    ],
)
def test_the_limits_are_inside_the_encryption(
    clock: Clock, caplog: pytest.LogCaptureFixture, seconds: int, limits: Any, told: str
) -> None:
    caplog.set_level("INFO", "sessionware")
    header = f"session={CODEC.encode(TEXT, ISSUED)}"
    interface = SecureCookieSessionInterface(KEY, encrypt=True, **limits)
    for moment, new in ((0, False), (seconds, True)):
        clock.now = ISSUED + moment
        session = interface.open_session(make_environ(header))
        assert isinstance(session, Session)
        assert session.new is new
    assert [record.reason for record in caplog.records] == [told]  # type: ignore[attr-defined]
