"""The readers of other frameworks' cookies, with cookies that the frameworks make."""

import re
from base64 import b64decode, urlsafe_b64decode
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import flask
import pytest
from flask.sessions import SecureCookieSessionInterface
from markupsafe import Markup
from pyramid.session import SignedCookieSessionFactory
from pyramid.testing import DummyRequest

from sessionware.migration import (
    BeakerCookie,
    DjangoCookie,
    FlaskCookie,
    ForeignCookie,
    PyramidCookie,
    StarletteCookie,
)
from sessionware.serializer import dumps, loads
from tests.peers.frameworks import PEERS, Settings, Step, View, clock, put
from tests.unit.foreign_cookies import (
    HOUR,
    KEY,
    NOW,
    OTHER_KEY,
    SIGN,
    every_peer,
    flask_cookie,
    reader,
    refusal,
    user_of,
)

ALICE = {"user": "alice"}
FOREVER = {"user": "alice", "_permanent": True}
LOG_IN = put("user", "alice")


def bake(peer: str, step: Step = LOG_IN, **settings: Any) -> tuple[str, str]:
    """Return the name and the value of a cookie that the framework makes at NOW."""
    chosen = Settings(**({"option": peer == "Beaker"} | settings))
    with clock(0):
        fields = PEERS[peer](View(before=step), chosen, "")
    [line] = [value for name, value in fields if name.lower() == "set-cookie"]
    name, _, value = line.partition(";")[0].strip().partition("=")
    return name, value


def still_reads(peer: str, cookie: tuple[str, str], seconds: int) -> bool:
    """Return whether the framework itself accepts the cookie so many seconds after NOW."""
    seen: list[Any] = []
    view = View(before=lambda session: seen.append(session.get("user")))
    with clock(seconds):
        PEERS[peer](view, Settings(option=peer == "Beaker"), "=".join(cookie))
    return seen == ["alice"]


@every_peer
def test_a_session_is_read_without_the_frameworks_own_keys(peer: str) -> None:
    _, value = bake(peer, put("user", {"name": "älice", "tags": [1, 2.5, None, True]}))
    data = user_of(reader(peer).load(value, NOW).data)
    assert data == {"user": {"name": "älice", "tags": [1, 2.5, None, True]}}


@every_peer
def test_a_compressed_or_long_session_is_read(peer: str) -> None:
    _, value = bake(peer, put("user", "a" * 1500))
    assert user_of(reader(peer).load(value, NOW).data) == {"user": "a" * 1500}


@every_peer
@pytest.mark.parametrize("age", [0, HOUR - 1, HOUR, HOUR + 1, 30 * HOUR])
def test_the_age_limit_is_the_frameworks_own(peer: str, age: int) -> None:
    cookie = bake(peer)
    if still_reads(peer, cookie, age):
        assert reader(peer).load(cookie[1], NOW + age).data
    else:
        assert refusal(reader(peer), cookie[1], NOW + age) == "expired_idle"


@pytest.mark.parametrize("peer", ["Flask", "Django"])
def test_an_older_key_of_the_framework_is_accepted(peer: str) -> None:
    _, value = bake(peer, key=OTHER_KEY)
    assert refusal(reader(peer), value) == "bad_signature"
    assert reader(peer, secret_key_fallbacks=[OTHER_KEY]).load(value, NOW).data


@every_peer
def test_a_session_that_was_emptied_is_read_as_empty(peer: str) -> None:
    def empty(session: Any) -> None:
        session["user"] = "alice"
        del session["user"]

    if peer in ("Pyramid", "Beaker"):  # The others set no cookie in this case.
        _, value = bake(peer, empty)
        persistent = {"max_age": 9} if peer == "Pyramid" else {"cookie_expires": False}
        assert reader(peer, **persistent).load(value, NOW).data == {}


def payload_of(peer: str, value: str) -> bytes:
    """Return the bytes that the framework has signed."""
    if peer == "Pyramid":
        return urlsafe_b64decode(value + "==")[64:]
    if peer == "Beaker":
        return b64decode(value[40:])
    return urlsafe_b64decode(re.split("[.:]", value)[0] + "==")


@every_peer
def test_cookies_signed_by_hand_are_those_of_the_framework(peer: str) -> None:
    """Otherwise, ``tests/unit/test_migration.py`` would test cookies that no framework makes."""
    _, value = bake(peer)
    assert SIGN[peer](payload_of(peer, value)) == value


@pytest.mark.parametrize("data", [{"_permanent": True, "user": "ada"}, {"user": "bob"}, {}])
def test_flasks_cookie_made_by_hand_is_the_one_that_flask_makes(
    data: dict[str, Any],
) -> None:
    app = flask.Flask(__name__)
    app.secret_key = KEY
    signer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    with clock(0):
        assert flask_cookie("flask", data) == f"flask={signer.dumps(data)}"


# Details of each framework


def loaded(cookie: ForeignCookie, peer: str, *args: Any, **settings: Any) -> dict[str, Any]:
    """Return the data that the reader finds in a cookie that the framework makes at NOW."""
    return cookie.load(bake(peer, *args, **settings)[1], NOW).data


# Flask

TAGGED = {
    "tuple": (1, ("two", [3])),
    "bytes": b"\x00\xff",
    "uuid": UUID(int=7),
    "datetime": datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC),
    "markup": Markup("<b>"),
    "like a tag": {" t": [1]},
    "like two": {" di": {" t": (1,)}},
    "like none": {" x": 1},
    "empty": {},
}


def test_the_types_that_flask_tags_come_back_unchanged() -> None:
    data = loaded(FlaskCookie(KEY), "Flask", lambda session: session.update(TAGGED))
    assert data == TAGGED
    assert {key: type(data[key]) for key in data} == {key: type(TAGGED[key]) for key in TAGGED}


def test_data_from_flask_can_be_saved_and_loaded_again() -> None:
    data = loaded(FlaskCookie(KEY), "Flask", lambda session: session.update(TAGGED))
    assert loads(dumps(data)) == TAGGED


def test_flasks_permanent_sessions_stay_permanent_and_only_those() -> None:
    assert loaded(FlaskCookie(KEY), "Flask", put("user", "alice"), option=True) == FOREVER
    assert loaded(FlaskCookie(KEY), "Flask") == ALICE


def test_flasks_flashed_messages_are_data() -> None:
    data = loaded(FlaskCookie(KEY), "Flask", lambda _: flask.flash("hello", "info"))
    assert data == {"_flashes": [("info", "hello")]}


def test_flasks_salt_can_be_set() -> None:
    app = flask.Flask(__name__)
    app.secret_key = KEY
    app.session_interface = interface = SecureCookieSessionInterface()  # Flask's is shared by all
    interface.salt = "of my own"
    signer = interface.get_signing_serializer(app)
    assert signer is not None
    with clock(0):
        value = signer.dumps(ALICE)
    assert FlaskCookie(KEY, salt="of my own").load(value, NOW).data == ALICE


# Starlette


def test_starlettes_cookie_outlives_the_browser_unless_it_has_no_max_age() -> None:
    assert loaded(StarletteCookie(KEY), "Starlette") == FOREVER
    assert loaded(StarletteCookie(KEY, max_age=None), "Starlette") == ALICE


def test_a_key_in_bytes_is_used_as_starlette_does() -> None:
    assert loaded(StarletteCookie(KEY.encode()), "Starlette", key=str(KEY.encode())) == FOREVER


# Django


def test_a_user_who_is_logged_in_to_django_stays_logged_in() -> None:
    login = {"_auth_user_id": "1", "_auth_user_backend": "a.Backend", "_auth_user_hash": "f00"}
    data = loaded(DjangoCookie(KEY), "Django", lambda session: session.update(login))
    assert data == login | {"_permanent": True}


@pytest.mark.parametrize(
    ("expiry", "at_browser_close", "expected"),
    [
        (None, False, FOREVER),
        (None, True, ALICE),
        (0, False, ALICE),
        (300, True, FOREVER),
        (datetime(2027, 2, 1, tzinfo=UTC), True, FOREVER),
    ],
)
def test_a_django_session_ends_with_the_browser_if_its_cookie_did(
    expiry: Any, at_browser_close: bool, expected: dict[str, Any]
) -> None:
    def step(session: Any) -> None:
        session["user"] = "alice"
        session.set_expiry(expiry)

    cookie = DjangoCookie(KEY, session_expire_at_browser_close=at_browser_close)
    assert loaded(cookie, "Django", step) == expected


# Pyramid


def bake_pyramid(secret: Any, **settings: Any) -> str:
    """Return the name and the value of a cookie that Pyramid makes at NOW with these settings."""
    with clock(0):
        request = DummyRequest()
        session = SignedCookieSessionFactory(secret, **settings)(request)
        session["user"] = "alice"
        request._process_response_callbacks(request.response)
    line: str = request.response.headers["Set-Cookie"]
    return line.partition(";")[0].partition("=")[2]


def test_pyramids_flashed_messages_stay_and_its_csrf_token_does_not() -> None:
    """It has another form than ours, which is made on first use."""

    def step(session: Any) -> None:
        session.flash("hello")
        session.get_csrf_token()

    assert loaded(PyramidCookie(KEY), "Pyramid", step) == {"_f_": ["hello"]}


def test_pyramids_cookie_ends_with_the_browser_unless_it_has_a_max_age() -> None:
    assert PyramidCookie(KEY).load(bake_pyramid(KEY), NOW).data == ALICE
    assert PyramidCookie(KEY, max_age=60).load(bake_pyramid(KEY, max_age=60), NOW).data == FOREVER


@pytest.mark.parametrize("hashalg", ["sha512", "sha256", "sha1", "md5"])
def test_pyramids_hash_can_be_set(hashalg: str) -> None:
    cookie = PyramidCookie(KEY, hashalg=hashalg)
    assert cookie.load(bake_pyramid(KEY, hashalg=hashalg), NOW).data == ALICE


@pytest.mark.parametrize("secret", [KEY.encode(), "ä" * 32, "€" * 32, b"\xff" * 32])
@pytest.mark.parametrize("salt", ["of my own", "ß", ""])
def test_pyramids_secret_and_salt_are_joined_as_webob_joins_them(secret: Any, salt: str) -> None:
    value = bake_pyramid(secret, salt=salt)
    assert PyramidCookie(secret, salt=salt).load(value, NOW).data == ALICE


# Beaker


def test_the_pickle_that_beaker_writes_by_default_is_refused_with_its_own_reason() -> None:
    _, value = bake("Beaker", option=False)
    assert refusal(BeakerCookie(KEY), value) == "pickled"


@pytest.mark.parametrize("expires", [False, 3600])
def test_beakers_cookie_ends_with_the_browser_unless_cookie_expires_is_set(expires: Any) -> None:
    assert loaded(BeakerCookie(KEY), "Beaker") == ALICE
    assert loaded(BeakerCookie(KEY, cookie_expires=expires), "Beaker") == FOREVER


def test_beakers_key_may_be_bytes_and_any_text() -> None:
    assert loaded(BeakerCookie(KEY.encode()), "Beaker") == ALICE
    assert loaded(BeakerCookie("€" * 32), "Beaker", key="€" * 32) == ALICE
