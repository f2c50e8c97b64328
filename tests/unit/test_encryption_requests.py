"""Whole requests with encrypt=True: as with a signed cookie, but that nobody reads it."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from webtest import TestApp

from sessionware import SessionTooLarge
from sessionware.encryption import EncryptedCodec
from sessionware.testing import session_transaction
from tests.conftest import Clock
from tests.gateway import KEY
from tests.sites import MemoryRevocations, MemoryStore, Site

OLDER_KEY = "the secret key of last year, which is out of use"
DAY = 24 * 60 * 60
TEXT = '[0,{"a":1}]'
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.binary(max_size=9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def opened(cookie: str) -> Any:
    """Give the envelope that a cookie carries."""
    return json.loads(EncryptedCodec(KEY).decode(cookie.removeprefix("session=")).text)


def put(**values: Any) -> Any:
    return lambda session: session.update(values)


@pytest.fixture
def site() -> Site:
    return Site(encrypt=True)


def test_session_is_kept_from_request_to_request(site: Site) -> None:
    cookie = site.visit(put(cart=[1])).cookie
    cookie = site.visit(lambda session: session["cart"].append(2), cookie).cookie
    assert site.data(cookie) == {"cart": [1, 2]}


@given(data=st.dictionaries(st.text(max_size=5), VALUES, min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_every_session_comes_back(data: dict[str, Any]) -> None:
    site = Site(encrypt=True)
    assert site.data(site.visit(lambda session: session.update(data)).cookie) == data


def test_only_the_value_of_the_cookie_is_another_than_a_signed_one() -> None:
    encrypted, signed = (Site(encrypt=encrypt).visit(put(a=1)) for encrypt in (True, False))
    assert encrypted.cookie != signed.cookie
    assert str(encrypted.headers).replace(encrypted.cookie, signed.cookie) == str(signed.headers)


def test_session_that_is_only_read_sets_no_cookie(site: Site) -> None:
    cookie = site.visit(put(a=1)).cookie
    assert site.visit(len, cookie).set_cookie is None


def test_old_cookie_is_issued_again(site: Site, clock: Clock) -> None:
    cookie = site.visit(put(a=1)).cookie
    clock.advance(4 * DAY)
    again = site.visit(len, cookie).cookie
    assert opened(again) == [4 * DAY, {"a": 1}]


def test_cookie_of_a_fallback_key_is_logged_and_issued_with_the_new_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "sessionware")
    cookie = f"session={EncryptedCodec(OLDER_KEY).encode(TEXT, int(time.time()))}"
    again = Site(encrypt=True, secret_key_fallbacks=[OLDER_KEY]).visit(len, cookie).cookie
    assert opened(again)[1] == {"a": 1}
    assert [record.__dict__["reason"] for record in caplog.records] == ["old_key"]


@pytest.mark.parametrize("encrypt", [True, False])
def test_setting_that_is_changed_begins_new_sessions(
    encrypt: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever may still write signed cookies, must not be able to write encrypted ones."""
    caplog.set_level("INFO", "sessionware")
    cookie = Site(encrypt=not encrypt).visit(put(user="ada")).cookie
    assert Site(encrypt=encrypt).data(cookie) == {}
    assert [record.__dict__["reason"] for record in caplog.records] == ["malformed"]


def test_session_that_no_longer_fits_is_refused(site: Site) -> None:
    with pytest.raises(SessionTooLarge) as caught:
        site.visit(put(a="a" * 3000, b=1))
    assert caught.value.limit == 4096
    assert caught.value.largest[0][0] == "a"
    assert "aaaaa" not in str(caught.value)


def test_nearly_three_thousand_bytes_of_json_fit(site: Site) -> None:
    data = {"a": "a" * 2960}
    cookie = site.visit(put(**data)).cookie
    assert len(cookie) <= 4096
    assert site.data(cookie) == data


def test_tampered_cookie_is_a_new_session_and_nothing_of_it_is_logged(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    cookie = site.visit(put(user="ada")).cookie
    changed = cookie[:50] + ("B" if cookie[50] == "A" else "A") + cookie[51:]
    assert site.data(changed) == {}
    [record] = caplog.records
    assert record.__dict__["reason"] == "bad_signature"
    assert changed[8:40] not in f"{record.__dict__}"


def test_name_of_the_cookie_is_bound(site: Site) -> None:
    cookie = site.visit(put(user="ada")).cookie
    assert Site(encrypt=True, cookie_name="other").data(f"other{cookie[7:]}") == {}


# With the other settings


def test_log_out_holds_with_a_list_of_ended_sessions() -> None:
    revocations = MemoryRevocations()
    site = Site(encrypt=True, revocations=revocations)
    cookie = site.log_in("ada")
    assert site.data(cookie)["user"] == "ada"
    site.visit(lambda session: session.invalidate(), cookie)
    assert len(revocations.refused) == 1
    assert site.data(cookie) == {}


def test_all_sessions_of_an_owner_end_at_once() -> None:
    revocations = MemoryRevocations()
    site = Site(encrypt=True, revocations=revocations)
    cookie = site.log_in("ada")
    revocations.revoke_owner("ada")
    assert site.data(cookie) == {}


def test_id_of_a_session_on_the_server_is_encrypted() -> None:
    store = MemoryStore()
    site = Site(encrypt=True, store=store)
    cookie = site.log_in("ada")
    _, data, session_id = opened(cookie)
    assert data is None
    assert session_id not in cookie
    assert len(store.kept) == 1
    assert site.data(cookie)["user"] == "ada"
    site.visit(lambda session: session.invalidate(), cookie)
    assert store.kept == {}
    assert site.data(cookie) == {}


def test_tests_read_and_change_an_encrypted_session() -> None:
    site = Site(encrypt=True)
    client = TestApp(site.middleware, extra_environ={"test.act": lambda session: session["n"]})
    with session_transaction(client, site.middleware) as session:
        session["n"] = 1
    assert client.get("/").text == "1"
    with session_transaction(client, site.middleware) as session:
        assert session == {"n": 1}
