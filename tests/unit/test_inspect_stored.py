"""``python -m sessionware inspect``: what it tells of a session that is kept on the server."""

import pytest

from sessionware.codec import SignedCodec
from sessionware.store import key_of
from tests.conftest import Clock
from tests.gateway import KEY
from tests.unit.test_inspect import NOW, Inspect


@pytest.fixture
def inspect(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> Inspect:
    monkeypatch.setenv("SECRET_KEY", KEY)
    return Inspect(capsys)


@pytest.mark.parametrize("session_id", ["abc", "\ud800"])
def test_the_key_in_the_store_is_told(inspect: Inspect, session_id: str) -> None:
    payload = '[60,null,"abc"]' if session_id == "abc" else '[60,null,"\\ud800"]'
    status, text = inspect(SignedCodec(KEY).encode(payload, NOW))
    assert status == 0
    assert "created    2027-01-15T07:59:00Z\n" in text
    assert f"data       in the store, under {key_of(session_id)}\n" in text
