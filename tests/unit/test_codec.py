"""Signed cookie values: signing, verification, compression, key rotation."""

import base64
import binascii
import hashlib
import itertools
import json
import string
import tracemalloc
import zlib
from random import Random
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from itsdangerous import Signer, TimestampSigner, URLSafeTimedSerializer

from sessionware import SecureCookieSessionInterface, base64url, codec
from sessionware.codec import MAX_TEXT, SignedCodec
from sessionware.errors import ConfigurationError, CookieRejected
from tests.conftest import Clock
from tests.gateway import KEY

CHECKED = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
ISSUED = 1_800_000_000
OTHER_KEY = "another key of more than thirty-two bytes"
AS_DESIGNED: dict[str, Any] = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
SHORT = '{"user":"ada"}'
LONG = json.dumps({"cart": ["the same thing"] * 100})
CODEC = SignedCodec(KEY)
STOCK = URLSafeTimedSerializer(KEY, salt=CODEC.salt, signer_kwargs=AS_DESIGNED)
TOKENS = [CODEC.encode(text, ISSUED) for text in (SHORT, LONG)]


def signed(payload: bytes) -> str:
    """Return a payload of any form, signed with the right key."""
    return TimestampSigner(KEY, salt=CODEC.salt, **AS_DESIGNED).sign(payload).decode()


def deflated(plain: bytes) -> bytes:
    return b"." + to_base64(zlib.compress(plain, 9))


def to_base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def reason(token: str, opener: SignedCodec = CODEC) -> str:
    """Return why the token is refused, or ``""`` if it is accepted."""
    try:
        opener.decode(token)
    except CookieRejected as error:
        return error.reason
    return ""


# Compatible with itsdangerous

words = st.text(max_size=20)
scalars = st.none() | st.booleans() | st.integers() | words
objects = st.recursive(scalars, lambda inner: st.dictionaries(words, inner), max_leaves=10)
repeated = st.builds(lambda value, count: [value] * count, objects, st.integers(0, 10))


@CHECKED
@given(objects | repeated)
def test_stock_itsdangerous_reads_what_we_write(clock: Clock, value: Any) -> None:
    text = json.dumps(value, separators=(",", ":"))
    token = CODEC.encode(text, int(clock.now) - 100)
    found, issued = STOCK.loads(token, max_age=100, return_timestamp=True)
    assert (found, int(issued.timestamp())) == (value, int(clock.now) - 100)


@CHECKED
@given(objects | repeated)
def test_we_read_what_stock_itsdangerous_writes(clock: Clock, value: Any) -> None:
    text, issued, old_key = CODEC.decode(str(STOCK.dumps(value)))
    assert (json.loads(text), issued, old_key) == (value, int(clock.now), False)


long = st.builds(lambda text, times: text * times, words, st.integers(0, 3000))
noise = st.integers(0, MAX_TEXT // 2).map(hashlib.shake_256().hexdigest)
texts = (st.text() | long | noise).filter(lambda text: len(text.encode()) <= MAX_TEXT)


@CHECKED
@given(texts, st.integers(0, 2**40))
def test_text_and_time_come_back_as_they_were(text: str, issued: int) -> None:
    assert CODEC.decode(CODEC.encode(text, issued)) == (text, issued, False)


@CHECKED
@given(texts)
@example("a" * 11)
def test_token_is_never_longer_than_the_text_uncompressed(text: str) -> None:
    assert len(CODEC.encode(text, ISSUED)) <= len(signed(to_base64(text.encode())))


def test_text_is_compressed_if_that_is_shorter() -> None:
    assert [token[0] for token in TOKENS] == ["e", "."]


def test_fallback_key_verifies_and_is_reported_as_old() -> None:
    token = SignedCodec(OTHER_KEY).encode(SHORT, ISSUED)
    for fallbacks in ([OTHER_KEY], (b"x" * 32, OTHER_KEY.encode())):
        assert SignedCodec(KEY, fallbacks).decode(token) == (SHORT, ISSUED, True)


def test_secret_key_signs() -> None:
    both = SignedCodec(KEY, [OTHER_KEY])
    assert both.encode(SHORT, ISSUED) == CODEC.encode(SHORT, ISSUED)
    assert both.decode(TOKENS[0]) == CODEC.decode(TOKENS[0])


def test_removed_key_is_refused() -> None:
    token = SignedCodec(OTHER_KEY).encode(SHORT, ISSUED)
    assert reason(token, SignedCodec(KEY, [b"x" * 32])) == "bad_signature"


@pytest.mark.parametrize(
    "settings", [{"salt": "shop"}, {"cookie_name": "admin"}, {"cookie_name": "Session"}]
)
def test_token_of_another_salt_or_name_is_refused(settings: Any) -> None:
    signer = SecureCookieSessionInterface(KEY, **settings).codec
    assert reason(signer.encode(SHORT, ISSUED)) == "bad_signature"


@pytest.mark.parametrize(
    ("salt", "signer"),
    [
        (b"itsdangerous", {}),
        (b"itsdangerous", AS_DESIGNED),
        (b"cookie-session", AS_DESIGNED),
        (CODEC.salt, {}),
        (CODEC.salt, AS_DESIGNED | {"key_derivation": "django-concat"}),
        *(
            (CODEC.salt, AS_DESIGNED | {"digest_method": it})
            for it in (hashlib.sha1, hashlib.sha512)
        ),
    ],
)
def test_token_of_itsdangerous_with_other_settings_is_refused(salt: bytes, signer: Any) -> None:
    token = URLSafeTimedSerializer(KEY, salt=salt, signer_kwargs=signer).dumps({"user": "ada"})
    assert reason(str(token)) == "bad_signature"


@CHECKED
@given(st.text("a\0.|:;/- ", min_size=1, max_size=9), st.data())
def test_no_two_pairs_of_name_and_salt_accept_each_other(text: str, data: st.DataObject) -> None:
    """A text is split in two ways, with or without a separator between the halves."""
    cuts = st.integers(0, len(text))
    here, there, gap = data.draw(cuts), data.draw(cuts), data.draw(st.integers(0, 1))
    assume(here != there and "\0" not in text[: max(here, there)])
    pairs = ((text[:cut], text[cut + gap :]) for cut in (here, there))
    one, two = (SignedCodec(KEY, cookie_name=name, salt=salt) for name, salt in pairs)
    assert reason(one.encode(SHORT, ISSUED), two) == "bad_signature"


@pytest.mark.parametrize("name", ["session\0salt", "session\udcff"])
def test_name_that_could_be_confused_with_a_salt_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cookie_name: found "):
        SecureCookieSessionInterface(KEY, cookie_name=name)


@pytest.mark.parametrize("token", TOKENS, ids=["plain", "compressed"])
def test_every_changed_character_is_refused(token: str) -> None:
    for index, character in itertools.product(range(len(token)), map(chr, range(129))):
        changed = token[:index] + character + token[index + 1 :]
        assert changed == token or reason(changed), changed


@pytest.mark.parametrize("token", TOKENS, ids=["plain", "compressed"])
def test_every_truncation_and_extension_is_refused(token: str) -> None:
    for size in range(len(token)):
        assert reason(token[:size])
        assert reason(token[size + 1 :])
    for character in map(chr, range(256)):
        assert reason(token + character)
        assert reason(character + token)


def test_no_other_base64_text_of_the_signature_is_accepted() -> None:
    tokens = (CODEC.encode(SHORT, ISSUED + number) for number in range(999))
    text, signature = next(it.rsplit(".", 1) for it in tokens if {"-", "_"} <= {*it[-43:]})
    others = [signature[:-1] + last for last in string.ascii_letters + string.digits]
    others += [signature + "=", signature + "==", signature + "\n", "!" + signature]
    others += [signature.replace("-", "+").replace("_", "/")]
    meant = base64url.decode(signature.encode())
    same = {it for it in others if base64url.decode(it.encode()) == meant} - {signature}
    assert len(same) == 8
    assert {reason(f"{text}.{other}") for other in same} == {"bad_signature"}


@CHECKED
@given(st.text(st.characters()) | st.text("aA0.-_=+\0\xe9", max_size=60))
def test_junk_raises_nothing_but_cookie_rejected(token: str) -> None:
    assert reason(token) in ("malformed", "bad_signature")


@pytest.mark.parametrize("token", ["", "abc", "\xe9.\xe9", "\ud800.a", "eyJ9"])
def test_text_of_the_wrong_form_is_malformed(token: str) -> None:
    assert reason(token) == "malformed"


def test_nothing_is_decoded_before_it_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = signed(deflated(bytes(2**20)))
    decoders = (binascii.a2b_base64, base64.urlsafe_b64decode, zlib.decompressobj, zlib.decompress)
    for module in (codec, base64url, base64, binascii, zlib):
        for name in [name for name, value in vars(module).items() if value in decoders]:
            monkeypatch.setattr(module, name, Mock(side_effect=AssertionError))
    assert reason(bomb, SignedCodec(OTHER_KEY)) == "bad_signature"


def test_signed_bomb_stops_at_64_kib() -> None:
    bomb = signed(deflated(bytes(2**25)))
    tracemalloc.start()
    found, (_, peak) = reason(bomb), tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == "too_large"
    assert peak < 2**20


def test_64_kib_are_decompressed_and_not_a_byte_more() -> None:
    tokens = [signed(deflated(b"a" * size)) for size in (64 * 1024, 64 * 1024 + 1)]
    assert [reason(token) for token in tokens] == ["", "too_large"]


@pytest.mark.parametrize(
    "token",
    [
        *(signed(b"." + to_base64(zlib.compress(b"text")[:end])) for end in (0, 1, 8, -1)),
        *(signed(b"." + to_base64(it)) for it in (b"text", zlib.compress(b"text")[:-1] + b"?")),
        *(signed(it) for it in (deflated(b"\xff"), to_base64(b"\xff"), b"A", b".A")),
        Signer(KEY, salt=CODEC.salt, **AS_DESIGNED).sign(to_base64(b"text") + b".A").decode(),
    ],
)
def test_signed_text_that_cannot_be_read_is_malformed(token: str) -> None:
    assert reason(token) == "malformed"


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the result of ``hmac.compare_digest`` decides."""
    compare = Mock(return_value=False)
    monkeypatch.setattr("hmac.compare_digest", compare)
    assert reason(TOKENS[0]) == "bad_signature"
    compare.return_value = True
    assert reason(TOKENS[0][:-1] + "!") == ""


# As short as itsdangerous


@pytest.mark.parametrize("now", [1, 255, 256, 2**31, 2**32 - 1, 2**32, 2**40 - 1])
def test_time_is_written_in_as_few_bytes(clock: Clock, now: int) -> None:
    clock.now = now
    assert CODEC.encode('{"user":"ada"}', now) == STOCK.dumps({"user": "ada"})


def test_text_is_compressed_from_300_bytes() -> None:
    """Below, it saves little, takes a third of a write, and lets the length tell what is in it."""
    for size in (1, 299, 300, 301, 4096, 4097):
        text = json.dumps("a" * (size - 2))
        assert (CODEC.encode(text, ISSUED)[0] == ".") is (size >= 300)


def test_text_that_compression_does_not_shorten_is_not_compressed() -> None:
    text = "".join(map(chr, Random(1).choices(range(128), k=300)))  # noqa: S311 - the same in each run
    plain = CODEC.encode(text, ISSUED)
    assert plain[0] != "."
    assert CODEC.decode(plain) == (text, ISSUED, False)


def test_long_text_is_written_as_itsdangerous_writes_it() -> None:
    data = {"cart": [*range(200)]}
    assert CODEC.encode(json.dumps(data, separators=(",", ":")), ISSUED)[0] == "."
    assert STOCK.loads(CODEC.encode(json.dumps(data), ISSUED)) == data
