"""A codec whose cookies the client cannot read: the format, and what it hides."""

import base64
import secrets
import sys
import threading
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionware import ConfigurationError, SecureCookieSessionInterface
from sessionware.codec import Opened
from sessionware.cookie import SessionCookie
from sessionware.encryption import EncryptedCodec
from tests.gateway import KEY

ISSUED = 1_800_000_000
TEXT = '[60,{"user":"Ada"}]'
NONCE = bytes(range(12))
FROZEN = (
    "AAECAwQFBgcICQoLMHpiAhKE6v1hoq4ZWyui9dSP5taR3T7C-O0gKwsF3lfgoGpabFFod_Gpw8e-4HOK"
    "CQO_NHEnXf2NTyZhjY8VGTgQzkqfmxZ8aoX1vjCnlVY"
)
OLDER_KEY = "the secret key of last year, which is out of use"
CODEC = EncryptedCodec(KEY)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def to_bytes(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "==")


def hide_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra is not installed."""
    monkeypatch.delitem(sys.modules, "sessionware.encryption")
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)


def as_specified(text: str, *, key: str = KEY, salt: str = "", name: str = "session") -> str:
    """The cookie's value, derived from the specification with this nonce."""
    purpose = b"sessionware.encrypted\0" + name.encode() + b"\0" + salt.encode()
    cipher = AESGCMSIV(HKDF(SHA256(), 32, None, purpose).derive(key.encode()))
    plain = ISSUED.to_bytes(8, "big") + text.encode() + b"\x80"
    plain = plain.ljust(-(-len(plain) // 64) * 64, b"\0")
    sealed = NONCE + cipher.encrypt(NONCE, plain, purpose)
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


@pytest.fixture
def nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same nonce every time."""
    monkeypatch.setattr(secrets, "token_bytes", lambda size: NONCE[:size])


# The format


@pytest.mark.usefixtures("nonce")
def test_a_cookie_of_today_is_read_by_every_later_version() -> None:
    assert CODEC.encode(TEXT, ISSUED) == FROZEN
    assert CODEC.decode(FROZEN) == Opened(TEXT, ISSUED, old_key=False)


@pytest.mark.usefixtures("nonce")
@pytest.mark.parametrize("text", ["", TEXT, "x" * 54, "x" * 55, "x" * 56, "x" * 119, "é€😀"])
def test_a_cookie_is_what_the_specification_makes_of_it(text: str) -> None:
    assert CODEC.encode(text, ISSUED) == as_specified(text)


@pytest.mark.usefixtures("nonce")
def test_the_key_is_bound_to_the_salt_and_the_name() -> None:
    codec = EncryptedCodec(OLDER_KEY.encode(), (), "blog", "__Host-id")
    found = codec.encode(TEXT, ISSUED)
    assert found == as_specified(TEXT, key=OLDER_KEY, salt="blog", name="__Host-id")


def test_rfc_8452_is_what_the_library_does() -> None:
    """The first test vector with a text of appendix C.2."""
    key, nonce = b"\1" + bytes(31), b"\3" + bytes(11)
    sealed = AESGCMSIV(key).encrypt(nonce, b"\1" + bytes(7), None)
    assert sealed.hex() == "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28"


@settings(deadline=None)
@given(TEXTS, st.integers(0, 2**63))
def test_whatever_is_encrypted_comes_back(text: str, issued: int) -> None:
    assert CODEC.decode(CODEC.encode(text, issued)) == Opened(text, issued, old_key=False)


@pytest.mark.parametrize("text", ["\0", "\0" * 99, "\x80", "À", "À\0", "\x80\0\x80\0\0"])
def test_a_text_that_ends_like_the_padding_comes_back(text: str) -> None:
    assert CODEC.decode(CODEC.encode(text, ISSUED)).text == text


def test_a_value_needs_no_quoting_in_a_cookie() -> None:
    tokens = [CODEC.encode(TEXT, ISSUED) for _ in range(50)]
    assert {*"".join(tokens)} <= {
        *"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    }
    assert SessionCookie().find(f"session={tokens[0]}") == tokens[:1]


# What it hides


def test_nothing_of_the_session_is_in_the_cookie() -> None:
    sealed = to_bytes(CODEC.encode(TEXT, ISSUED))
    for part in (b"user", b"Ada", b"60", ISSUED.to_bytes(4, "big")):
        assert part not in sealed


def test_the_same_session_never_gives_the_same_cookie() -> None:
    assert CODEC.encode(TEXT, ISSUED) != CODEC.encode(TEXT, ISSUED)


def test_of_a_hundred_thousand_nonces_no_two_are_the_same() -> None:
    tokens = (CODEC.encode("", ISSUED) for _ in range(100_000))
    assert len({token[:16] for token in tokens}) == 100_000


def test_sessions_that_differ_by_a_few_bytes_have_the_same_length() -> None:
    """Of an administrator and a guest, say."""
    lengths = {len(CODEC.encode("x" * size, ISSUED)) for size in range(56, 119)}
    assert len(lengths) == 1


def test_a_length_grows_by_whole_blocks() -> None:
    sizes = {len(to_bytes(CODEC.encode("x" * size, ISSUED))) for size in range(300)}
    assert sorted(sizes) == [12 + 16 + 64 * blocks for blocks in range(1, 6)]


def test_a_length_does_not_tell_whether_the_data_repeats_itself() -> None:
    """Compressed, it would: by guessing a part of it, a secret in it is found (CRIME)."""
    repeated, random = "a" * 2000, secrets.token_hex(1000)
    assert len(CODEC.encode(repeated, ISSUED)) == len(CODEC.encode(random, ISSUED))


def test_threads_share_a_codec() -> None:
    wrong: list[str] = []

    def work(number: int) -> None:
        for _ in range(200):
            text = f"{number}" * 500
            if CODEC.decode(CODEC.encode(text, number)) != Opened(text, number, old_key=False):
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# Settings


@pytest.mark.parametrize("arguments", [(KEY, [OLDER_KEY], "blog"), (KEY.encode(),)])
def test_no_key_is_in_its_repr(arguments: tuple[Any, ...]) -> None:
    codec = EncryptedCodec(*arguments)
    assert "secret" not in f"{codec!r} {codec}"


def test_every_problem_is_found_and_no_key_is_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        EncryptedCodec("hunter2", ["hunter3"], salt=None)  # type: ignore[arg-type]
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "secret_key",
        "secret_key_fallbacks[0]",
        "salt",
    ]
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("encrypt", [1, 0, None, "yes", "false", KEY, [True]])
def test_encrypt_is_true_or_false_and_nothing_like_it(encrypt: Any) -> None:
    with pytest.raises(ConfigurationError, match="True or False") as caught:
        SecureCookieSessionInterface(KEY, encrypt=encrypt)
    assert caught.value.problems == (
        f"encrypt: found {type(encrypt).__name__}, expected True or False",
    )


def test_a_name_that_is_no_text_is_a_problem_of_the_name_alone() -> None:
    with pytest.raises(ConfigurationError) as caught:
        SecureCookieSessionInterface(KEY, encrypt=True, cookie_name="\ud800")
    [problem] = caught.value.problems
    assert problem.startswith("cookie_name: ")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_cryptography(monkeypatch)
    with pytest.raises(ConfigurationError, match=r"pip install 'sessionware\[encryption\]'"):
        SecureCookieSessionInterface(KEY, encrypt=True)


def test_signed_cookies_need_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_cryptography(monkeypatch)
    SecureCookieSessionInterface(KEY)


def test_an_openssl_without_the_cipher_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other is taken in its place: one server could not read what the next has written."""

    def unsupported(key: bytes) -> None:
        raise UnsupportedAlgorithm("AES-GCM-SIV is not supported by this version of OpenSSL")

    monkeypatch.setattr("sessionware.encryption.AESGCMSIV", unsupported)
    version = "sessionware.encryption.backend.openssl_version_text"
    monkeypatch.setattr(version, lambda: "OpenSSL 3.0.2 15 Mar 2022")
    with pytest.raises(ConfigurationError) as caught:
        SecureCookieSessionInterface(KEY, encrypt=True)
    [problem] = caught.value.problems
    assert problem.startswith("encrypt: found OpenSSL 3.0.2 15 Mar 2022, which has no AES-GCM-SIV")
    assert "--only-binary :all: cryptography" in problem


def test_without_a_secret_key_it_needs_the_extra_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hide_cryptography(monkeypatch)
    with pytest.raises(ConfigurationError, match="encrypt: found True"):
        SecureCookieSessionInterface(encrypt=True)
