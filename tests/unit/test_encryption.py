"""Encrypted cookie values: the format, what it hides, and what is refused."""

import base64
import json
import secrets
import threading
import time
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st
from webtest import TestApp
from werkzeug.datastructures import Headers

from sessionware import ConfigurationError, SecureCookieSessionInterface, Session, SessionTooLarge
from sessionware.codec import SignedCodec
from sessionware.cookie import SessionCookie
from sessionware.encryption import EncryptedCodec
from sessionware.errors import CookieRejected
from sessionware.testing import session_transaction
from tests.conftest import Clock
from tests.gateway import KEY, make_environ
from tests.sites import MemoryRevocations, MemoryStore, Site
from tests.unit.extras import hide_cryptography

ISSUED = 1_800_000_000
TEXT = '[60,{"user":"Ada"}]'
NONCE = bytes(range(12))
FROZEN = (
    "AAECAwQFBgcICQoLMHpiAhKE6v1hoq4ZWyui9dSP5taR3T7C-O0gKwsF3lfgoGpabFFod_Gpw8e-4HOK"
    "CQO_NHEnXf2NTyZhjY8VGTgQzkqfmxZ8aoX1vjCnlVY"
)
OLDER_KEY = "the secret key of last year, which is out of use"
CODEC = EncryptedCodec(KEY)
TOKEN = CODEC.encode(TEXT, ISSUED)
LONG = CODEC.encode(TEXT * 8, ISSUED)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
INTERFACE = SecureCookieSessionInterface(KEY, secret_key_fallbacks=[OLDER_KEY], encrypt=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def to_bytes(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "==")


def reason(token: str, codec: EncryptedCodec | SignedCodec = CODEC) -> str:
    """Return why the token is refused, or ``""`` if it is accepted."""
    try:
        codec.decode(token)
    except CookieRejected as error:
        return error.reason
    return ""


def to_token(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def sealed_by_us(plain: bytes) -> str:
    """Return plaintext of any form, encrypted with the right key."""
    nonce = secrets.token_bytes(12)
    return to_token(nonce + CODEC._ciphers[0].encrypt(nonce, plain, CODEC._purpose))


def open_session(header: str) -> Session:
    session = INTERFACE.open_session(make_environ(header))
    assert isinstance(session, Session)
    return session


def as_specified(text: str, *, key: str = KEY, salt: str = "", name: str = "session") -> str:
    """Return the cookie's value that the specification requires for this nonce."""
    purpose = b"sessionware.encrypted\0" + name.encode() + b"\0" + salt.encode()
    cipher = AESGCMSIV(HKDF(SHA256(), 32, None, purpose).derive(key.encode()))
    plain = ISSUED.to_bytes(8, "big") + text.encode() + b"\x80"
    plain = plain.ljust(-(-len(plain) // 64) * 64, b"\0")
    sealed = NONCE + cipher.encrypt(NONCE, plain, purpose)
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


@pytest.fixture
def nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the same nonce every time."""
    monkeypatch.setattr(secrets, "token_bytes", lambda size: NONCE[:size])


# The format


@pytest.mark.usefixtures("nonce")
def test_format_is_frozen() -> None:
    assert CODEC.encode(TEXT, ISSUED) == FROZEN
    assert CODEC.decode(FROZEN) == (TEXT, ISSUED, False)


@pytest.mark.usefixtures("nonce")
@pytest.mark.parametrize("text", ["", TEXT, "x" * 54, "x" * 55, "x" * 56, "x" * 119, "é€😀"])
def test_cookie_follows_the_specification(text: str) -> None:
    assert CODEC.encode(text, ISSUED) == as_specified(text)


@pytest.mark.usefixtures("nonce")
def test_the_key_is_bound_to_the_salt_and_the_name() -> None:
    codec = EncryptedCodec(OLDER_KEY.encode(), (), "blog", "__Host-id")
    found = codec.encode(TEXT, ISSUED)
    assert found == as_specified(TEXT, key=OLDER_KEY, salt="blog", name="__Host-id")


def test_library_implements_rfc_8452() -> None:
    """This is the first test vector of appendix C.2 with a plaintext."""
    key, nonce = b"\1" + bytes(31), b"\3" + bytes(11)
    sealed = AESGCMSIV(key).encrypt(nonce, b"\1" + bytes(7), None)
    assert sealed.hex() == "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28"


@settings(deadline=None)
@given(TEXTS, st.integers(0, 2**63))
def test_text_and_time_come_back(text: str, issued: int) -> None:
    assert CODEC.decode(CODEC.encode(text, issued)) == (text, issued, False)


@pytest.mark.parametrize("text", ["\0", "\0" * 99, "\x80", "À", "À\0", "\x80\0\x80\0\0"])
def test_a_text_that_ends_like_the_padding_comes_back(text: str) -> None:
    assert CODEC.decode(CODEC.encode(text, ISSUED))[0] == text


def test_a_value_needs_no_quoting_in_a_cookie() -> None:
    tokens = [CODEC.encode(TEXT, ISSUED) for _ in range(50)]
    assert {*"".join(tokens)} <= {
        *"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    }
    assert SessionCookie().find(f"session={tokens[0]}") == tokens[:1]


# What it hides


def test_nothing_of_the_session_is_in_the_cookie() -> None:
    """Each part has four bytes or more: a shorter one is found by chance once in a while."""
    sealed = to_bytes(CODEC.encode(TEXT, ISSUED))
    for part in (b"user", b'"Ada"', b"[60,", ISSUED.to_bytes(4, "big")):
        assert part not in sealed


def test_the_same_session_never_gives_the_same_cookie() -> None:
    assert CODEC.encode(TEXT, ISSUED) != CODEC.encode(TEXT, ISSUED)


def test_nonces_do_not_repeat_in_a_hundred_thousand_cookies() -> None:
    tokens = (CODEC.encode("", ISSUED) for _ in range(100_000))
    assert len({token[:16] for token in tokens}) == 100_000


def test_sessions_that_differ_by_a_few_bytes_have_the_same_length() -> None:
    """The length does not tell an administrator from a guest."""
    lengths = {len(CODEC.encode("x" * size, ISSUED)) for size in range(56, 119)}
    assert len(lengths) == 1


def test_length_grows_by_whole_blocks() -> None:
    sizes = {len(to_bytes(CODEC.encode("x" * size, ISSUED))) for size in range(300)}
    assert sorted(sizes) == [12 + 16 + 64 * blocks for blocks in range(1, 6)]


def test_length_does_not_tell_whether_the_data_repeats_itself() -> None:
    """With compression it would, and a secret could be found by guessing (CRIME)."""
    repeated, random = "a" * 2000, secrets.token_hex(1000)
    assert len(CODEC.encode(repeated, ISSUED)) == len(CODEC.encode(random, ISSUED))


def test_threads_share_a_codec() -> None:
    wrong: list[str] = []

    def work(number: int) -> None:
        for _ in range(200):
            text = f"{number}" * 500
            if CODEC.decode(CODEC.encode(text, number)) != (text, number, False):
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


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
def test_reordered_blocks_are_refused(size: int) -> None:
    sealed = to_bytes(LONG)
    moved = sealed[:12] + sealed[12 + size :] + sealed[12 : 12 + size]
    assert reason(to_token(moved)) == "bad_signature"


def test_mixed_parts_of_two_cookies_are_refused() -> None:
    one, two = to_bytes(TOKEN), to_bytes(CODEC.encode(TEXT, ISSUED))
    for place in (12, len(one) - 16):
        assert reason(to_token(one[:place] + two[place:])) == "bad_signature"


@pytest.mark.parametrize("tag", [bytes(16), b"\xff" * 16, b"\x80" + bytes(15)])
def test_an_empty_text_is_refused_before_it_is_decrypted(tag: bytes) -> None:
    """OpenSSL 3.2 accepts it with a tag of zeros (CVE-2026-45446)."""
    assert reason(to_token(bytes(12) + tag)) == "malformed"


@pytest.mark.parametrize(
    "spelling",
    ["{}=", "{}==", "{}=AAAA", "{}.", " {}", "{}\n", "{}\xa0", '"{}"', "%{}", "{}\0"],
)
def test_no_other_text_is_read_as_the_same_bytes(spelling: str) -> None:
    assert reason(spelling.format(TOKEN)) == "malformed"


def test_no_other_last_character_is_read_as_the_same_bytes() -> None:
    """The last character has bits that base64 does not use."""
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
def test_junk_raises_only_cookie_rejected(junk: str) -> None:
    assert reason(junk) in ("malformed", "bad_signature")


@settings(deadline=None)
@given(st.integers(1, 4).flatmap(lambda n: st.binary(min_size=28 + 64 * n, max_size=28 + 64 * n)))
def test_random_bytes_of_the_right_length_are_refused(sealed: bytes) -> None:
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
def test_malformed_plaintext_is_a_new_session(plain: bytes) -> None:
    """The key is right, but the padding is missing or the bytes are not UTF-8."""
    assert open_session(f"session={sealed_by_us(plain)}").new


def test_plaintext_that_is_not_utf_8_is_malformed() -> None:
    assert reason(sealed_by_us(b"\xff" * 63 + b"\x80")) == "malformed"


# Values for other purposes


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
def test_value_for_another_purpose_is_refused(other: EncryptedCodec) -> None:
    assert reason(other.encode(TEXT, ISSUED)) == "bad_signature"
    assert reason(TOKEN, other) == "bad_signature"


def test_name_and_salt_cannot_be_confused() -> None:
    token = EncryptedCodec(KEY, (), "b", "a").encode(TEXT, ISSUED)
    for name, salt in (("ab", ""), ("", "ab"), ("b", "a"), ("a\0b", "")):
        assert reason(token, EncryptedCodec(KEY, (), salt, name)) == "bad_signature"


def test_signed_cookie_is_not_accepted_as_encrypted() -> None:
    assert reason(SignedCodec(KEY).encode(TEXT, ISSUED)) == "malformed"


def test_encrypted_cookie_is_not_accepted_as_signed() -> None:
    assert reason(TOKEN, SignedCodec(KEY)) == "malformed"


def test_parts_of_a_signed_cookie_are_not_accepted_as_encrypted() -> None:
    token = SignedCodec(KEY).encode(secrets.token_hex(200), ISSUED)
    for part in (*token.split("."), token.replace(".", "")):
        assert reason(part) != ""


# Several keys


def test_fallback_key_decrypts_and_is_reported_as_old() -> None:
    old = EncryptedCodec(OLDER_KEY).encode(TEXT, ISSUED)
    rotated = EncryptedCodec(KEY, [KEY[::-1], OLDER_KEY])
    assert rotated.decode(old) == (TEXT, ISSUED, True)
    assert rotated.decode(TOKEN) == (TEXT, ISSUED, False)


def test_only_the_secret_key_encrypts() -> None:
    rotated = EncryptedCodec(KEY, [OLDER_KEY]).encode(TEXT, ISSUED)
    assert CODEC.decode(rotated)[0] == TEXT
    assert reason(rotated, EncryptedCodec(OLDER_KEY)) == "bad_signature"


def test_a_key_as_text_and_as_bytes_is_the_same_key() -> None:
    assert EncryptedCodec(KEY.encode()).decode(TOKEN)[0] == TEXT


# Time


@pytest.mark.parametrize(
    ("seconds", "limits", "told"),
    [
        (60, {"idle_timeout": 59}, "expired_idle"),
        (30, {"absolute_timeout": 89}, "expired_absolute"),
        (-61, {}, "from_the_future"),
    ],
)
def test_timeouts_apply_to_encrypted_cookies(
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


# Whole requests


DAY = 24 * 60 * 60
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.binary(max_size=9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def opened(cookie: str) -> Any:
    """Return the envelope in a cookie."""
    return json.loads(EncryptedCodec(KEY).decode(cookie.removeprefix("session="))[0])


def put(**values: Any) -> Any:
    return lambda session: session.update(values)


@pytest.fixture
def site() -> Site:
    return Site(encrypt=True)


def test_session_is_kept_from_request_to_request(site: Site) -> None:
    cookie = site.visit(put(cart=[1])).cookie
    cookie = site.visit(lambda session: session["cart"].append(2), cookie).cookie
    assert site.read(cookie) == {"cart": [1, 2]}


@given(data=st.dictionaries(st.text(max_size=5), VALUES, min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_every_session_comes_back(data: dict[str, Any]) -> None:
    site = Site(encrypt=True)
    assert site.read(site.visit(lambda session: session.update(data)).cookie) == data


def test_only_the_value_differs_from_a_signed_cookie() -> None:
    encrypted, signed = (
        Site(encrypt=encrypt).visit(put(a=1)).response for encrypt in (True, False)
    )
    assert encrypted.cookie != signed.cookie
    assert str(encrypted.headers).replace(encrypted.cookie, signed.cookie) == str(signed.headers)


def test_session_that_is_only_read_sets_no_cookie(site: Site) -> None:
    cookie = site.visit(put(a=1)).cookie
    assert site.visit(len, cookie).response.set_cookie is None


def test_old_cookie_is_issued_again(site: Site, clock: Clock) -> None:
    cookie = site.visit(put(a=1)).cookie
    clock.advance(4 * DAY)
    again = site.visit(len, cookie).cookie
    assert opened(again) == [{"a": 1}, 4 * DAY]


def test_cookie_of_a_fallback_key_is_logged_and_issued_with_the_new_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "sessionware")
    token = EncryptedCodec(OLDER_KEY).encode('[0,{"a":1}]', int(time.time()))
    cookie = f"session={token}"
    again = Site(encrypt=True, secret_key_fallbacks=[OLDER_KEY]).visit(len, cookie).cookie
    assert opened(again)[0] == {"a": 1}
    assert [record.__dict__["reason"] for record in caplog.records] == ["old_key"]


@pytest.mark.parametrize("encrypt", [True, False])
def test_changing_encrypt_begins_new_sessions(
    encrypt: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A site that encrypts does not accept signed cookies, and the other way round."""
    caplog.set_level("INFO", "sessionware")
    cookie = Site(encrypt=not encrypt).visit(put(user="ada")).cookie
    assert Site(encrypt=encrypt).read(cookie) is None
    assert [record.__dict__["reason"] for record in caplog.records] == ["malformed"]


def test_session_that_does_not_fit_is_refused(site: Site) -> None:
    with pytest.raises(SessionTooLarge) as caught:
        site.visit(put(a="a" * 3000, b=1))
    assert caught.value.limit == 4096
    assert caught.value.largest[0][0] == "a"
    assert "aaaaa" not in str(caught.value)


def test_nearly_three_thousand_bytes_of_json_fit(site: Site) -> None:
    data = {"a": "a" * 2960}
    cookie = site.visit(put(**data)).cookie
    assert len(cookie) <= 4096
    assert site.read(cookie) == data


def test_tampered_cookie_is_a_new_session_and_its_value_is_not_logged(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    cookie = site.visit(put(user="ada")).cookie
    changed = cookie[:50] + ("B" if cookie[50] == "A" else "A") + cookie[51:]
    assert site.read(changed) is None
    [record] = caplog.records
    assert record.__dict__["reason"] == "bad_signature"
    assert changed[8:40] not in f"{record.__dict__}"


def test_value_is_bound_to_the_name_of_the_cookie(site: Site) -> None:
    cookie = site.visit(put(user="ada")).cookie
    assert Site(encrypt=True, cookie_name="other").read(f"other{cookie[7:]}") is None


# With the other settings


def test_log_out_holds_with_a_list_of_ended_sessions() -> None:
    revocations = MemoryRevocations()
    site = Site(encrypt=True, revocations=revocations)
    cookie = site.log_in("ada")
    assert site.read(cookie) == {}
    site.visit(lambda session: session.invalidate(), cookie)
    assert len(revocations.refused) == 1
    assert site.read(cookie) is None


def test_all_sessions_of_an_owner_end_at_once() -> None:
    revocations = MemoryRevocations()
    site = Site(encrypt=True, revocations=revocations)
    cookie = site.log_in("ada")
    revocations.revoke_owner("ada")
    assert site.read(cookie) is None


def test_id_of_a_session_on_the_server_is_encrypted() -> None:
    store = MemoryStore()
    site = Site(encrypt=True, store=store)
    cookie = site.log_in("ada")
    data, _, session_id = opened(cookie)
    assert data is None
    assert session_id not in cookie
    assert len(store.kept) == 1
    assert site.read(cookie) == {}
    site.visit(lambda session: session.invalidate(), cookie)
    assert store.kept == {}
    assert site.read(cookie) is None


def test_session_transaction_works_with_encrypted_sessions() -> None:
    site = Site(encrypt=True)
    seen: list[object] = []
    act = {"test.act": lambda session: seen.append(session["n"])}
    client = TestApp(site.app, extra_environ=act)
    with session_transaction(client, site.app) as session:
        session["n"] = 1
    client.get("/")
    assert seen == [1]
    with session_transaction(client, site.app) as session:
        assert session == {"n": 1}


# Settings


@pytest.mark.parametrize("arguments", [(KEY, [OLDER_KEY], "blog"), (KEY.encode(),)])
def test_repr_shows_no_key(arguments: tuple[Any, ...]) -> None:
    codec = EncryptedCodec(*arguments)
    assert "secret" not in f"{codec!r} {codec}"


def test_every_problem_is_found_and_no_key_is_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        EncryptedCodec("hunter2", ["hunter3"], salt=None)  # type: ignore[arg-type]
    assert [problem.setting for problem in caught.value.problems] == [
        "secret_key",
        "secret_key_fallbacks[0]",
        "salt",
    ]
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("encrypt", [1, 0, None, "yes", "false", KEY, [True]])
def test_encrypt_is_true_or_false(encrypt: Any) -> None:
    with pytest.raises(ConfigurationError, match="True or False") as caught:
        SecureCookieSessionInterface(KEY, encrypt=encrypt)
    assert tuple(map(str, caught.value.problems)) == (
        f"encrypt: found {type(encrypt).__name__}, expected True or False",
    )


def test_name_that_is_not_text_is_reported_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        SecureCookieSessionInterface(KEY, encrypt=True, cookie_name="\ud800")
    [problem] = caught.value.problems
    assert problem.setting == "cookie_name"


def test_message_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_cryptography(monkeypatch)
    with pytest.raises(ConfigurationError, match=r"pip install 'sessionware\[encryption\]'"):
        SecureCookieSessionInterface(KEY, encrypt=True)


def test_signed_cookies_need_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_cryptography(monkeypatch)
    SecureCookieSessionInterface(KEY)


def test_openssl_without_the_cipher_is_named_in_the_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No other cipher replaces it, because servers have to read each other's cookies."""

    def unsupported(key: bytes) -> None:
        raise UnsupportedAlgorithm("AES-GCM-SIV is not supported by this version of OpenSSL")

    monkeypatch.setattr("sessionware.encryption.AESGCMSIV", unsupported)
    version = "sessionware.encryption.backend.openssl_version_text"
    monkeypatch.setattr(version, lambda: "OpenSSL 3.0.2 15 Mar 2022")
    with pytest.raises(ConfigurationError) as caught:
        SecureCookieSessionInterface(KEY, encrypt=True)
    [problem] = caught.value.problems
    assert str(problem).startswith(
        "encrypt: found OpenSSL 3.0.2 15 Mar 2022, which has no AES-GCM-SIV"
    )
    assert "--only-binary :all: cryptography" in str(problem)


def test_encrypt_needs_the_extra_even_without_a_secret_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hide_cryptography(monkeypatch)
    with pytest.raises(ConfigurationError, match="encrypt: found True"):
        SecureCookieSessionInterface(encrypt=True)
