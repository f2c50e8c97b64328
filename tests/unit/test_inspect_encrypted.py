"""``python -m sessionware inspect``: what it tells of an encrypted cookie."""

import pytest

from sessionware.encryption import EncryptedCodec
from tests.conftest import Clock
from tests.gateway import KEY
from tests.unit.test_encryption import hide_cryptography
from tests.unit.test_inspect import DATA, NOW, OLD, Inspect


def encrypted(text: str = DATA, **settings: str) -> str:
    return EncryptedCodec(**{"secret_key": KEY} | settings).encode(text, NOW)


@pytest.fixture
def inspect(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> Inspect:
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.delenv("SECRET_KEY_FALLBACKS", raising=False)
    return Inspect(capsys)


def test_an_encrypted_cookie_is_shown_with_its_key(inspect: Inspect) -> None:
    status, text = inspect(f"session={encrypted()}")
    assert status == 0
    assert "signature  verifies with the secret key\n" in text
    assert "created    2027-01-15T07:59:00Z\n" in text
    assert '"user": "Ada"' in text


def test_an_encrypted_cookie_that_begins_with_a_hyphen_is_no_option(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_bytes", lambda size: b"\xf8" * size)
    cookie = encrypted()
    assert cookie[0] == "-"
    assert inspect(cookie)[0] == 0


def test_the_salt_and_the_name_are_those_of_an_encrypted_cookie_too(inspect: Inspect) -> None:
    assert inspect("--salt=shop", f"a={encrypted(salt='shop', cookie_name='a')}")[0] == 0


def test_a_fallback_key_opens_an_encrypted_cookie(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", OLD)
    assert inspect.line("signature", encrypted(secret_key=OLD)) == "verifies with fallback 1"


def test_an_encrypted_cookie_of_another_key_shows_nothing(inspect: Inspect) -> None:
    status, text = inspect(encrypted(secret_key=OLD))
    assert status == 1
    assert "does NOT verify (bad_signature): it looks encrypted, and only its own key" in text
    assert "data" not in text


def test_an_encrypted_cookie_without_a_key_is_said_to_be_one(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECRET_KEY")
    status, text = inspect(encrypted())
    assert status == 1
    assert "not checked, SECRET_KEY is not set: it looks encrypted, and only its own key" in text


def test_an_encrypted_cookie_without_the_extra_says_what_to_install(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = encrypted()
    hide_cryptography(monkeypatch)
    status, text = inspect(cookie)
    assert status == 2
    assert "pip install 'sessionware[encryption]'" in text


def test_an_encrypted_cookie_cut_short_is_no_cookie_of_ours(inspect: Inspect) -> None:
    line = inspect.line("signature", encrypted("x" * 99)[:-1])
    assert line == "none: this is no cookie that sessionware writes"
