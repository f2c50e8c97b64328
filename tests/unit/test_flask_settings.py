"""The settings of Sessions: Flask's configuration, keywords, and what cannot be honoured."""

import logging
from datetime import timedelta
from typing import Any

import pytest

pytest.importorskip("flask", reason="flask is not installed: pip install 'sessionware[dev]'")

import flask
from flask import session
from werkzeug.test import TestResponse

from sessionware import ConfigurationError
from sessionware.flask import EnvironSessionInterface, Sessions
from tests.conftest import Clock
from tests.gateway import KEY, OLDER_KEY
from tests.peers.flask_sites import clear, flasks, put, put_permanent, read, set_cookies
from tests.sites import MemoryStore

DAY = 24 * 60 * 60


def site(given: dict[str, Any] | None = None, **configuration: Any) -> flask.Flask:
    """Return an application with this configuration, and these settings given to Sessions."""
    app = flasks(put=put(a=1), permanent=put_permanent, clear=clear, read=read, nothing=str)
    app.config.update(configuration)
    Sessions(app, **(given or {}))
    return app


def attributes(response: TestResponse) -> list[str]:
    [cookie] = set_cookies(response)
    return cookie.split("; ")[1:]


def problems(given: dict[str, Any] | None = None, **configuration: Any) -> list[str]:
    """Return what is wrong with these settings."""
    with pytest.raises(ConfigurationError) as caught:
        site(given, **configuration)
    return [*map(str, caught.value.problems)]


def read_with(cookie: str, app: flask.Flask) -> str:
    """Return what the session of this Set-Cookie header holds."""
    headers = {"Cookie": cookie.partition(";")[0]}
    return app.test_client(use_cookies=False).get("/read", headers=headers).text


# What is read


def test_every_attribute_of_the_cookie_is_that_of_the_configuration() -> None:
    client = site(
        SESSION_COOKIE_NAME="sid",
        SESSION_COOKIE_DOMAIN="example.com",
        SESSION_COOKIE_PATH="/test",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=False,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_PARTITIONED=True,
    ).test_client()
    base = "https://www.example.com/test"
    written, deleted = client.get("/put", base), client.get("/clear", base)
    expected = ["Secure", "Domain=example.com", "Path=/test", "SameSite=Strict", "Partitioned"]
    assert attributes(written) == expected
    assert attributes(deleted)[2:] == expected
    assert {line.partition("=")[0] for line in set_cookies(written) + set_cookies(deleted)} == {
        "sid"
    }


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("http", ["Path=/", "HttpOnly", "SameSite=Lax"]),
        ("https", ["Secure", "Path=/", "HttpOnly", "SameSite=Lax"]),
    ],
)
def test_without_any_configuration_the_attributes_are_our_defaults(
    scheme: str, expected: list[str]
) -> None:
    assert attributes(site().test_client().get("/put", f"{scheme}://localhost/")) == expected


def test_without_a_path_it_is_that_of_the_application() -> None:
    client = site(APPLICATION_ROOT="/shop").test_client()
    assert "Path=/shop" in attributes(client.get("/put"))


def test_partitioned_cookie_is_secure_as_in_flask() -> None:
    client = site(SESSION_COOKIE_PARTITIONED=True).test_client()
    assert {"Secure", "Partitioned"} <= {*attributes(client.get("/put"))}


def test_older_keys_are_accepted() -> None:
    older, newer = site(SECRET_KEY=OLDER_KEY), site(SECRET_KEY_FALLBACKS=[OLDER_KEY])
    [cookie] = set_cookies(older.test_client().get("/put"))
    assert read_with(cookie, newer) == "1"


@pytest.mark.parametrize("lifetime", [timedelta(days=2), 2 * DAY], ids=["timedelta", "seconds"])
@pytest.mark.parametrize("page", ["/put", "/permanent"])
def test_lifetime_ends_a_session_whether_it_is_permanent_or_not(
    clock: Clock, lifetime: object, page: str
) -> None:
    app = site(PERMANENT_SESSION_LIFETIME=lifetime)
    [cookie] = set_cookies(app.test_client().get(page))
    clock.advance(2 * DAY)
    assert read_with(cookie, app) == "1"
    clock.advance(1)
    assert read_with(cookie, app) == "None"


def test_lifetime_is_the_max_age_of_a_permanent_cookie() -> None:
    client = site(PERMANENT_SESSION_LIFETIME=2 * DAY).test_client()
    assert f"Max-Age={2 * DAY}" in attributes(client.get("/permanent"))


# SESSION_REFRESH_EACH_REQUEST


def cookies_after(days: int, app: flask.Flask, clock: Clock) -> list[int]:
    """Return how many cookies are set by reading and by leaving alone a session of this age."""
    client = app.test_client()
    client.get("/permanent")
    clock.advance(days * DAY)
    return [len(set_cookies(client.get(page))) for page in ("/nothing", "/read")]


@pytest.mark.parametrize(("days", "expected"), [(3, [0, 0]), (4, [0, 1])])
def test_refreshed_cookie_is_one_that_is_used_and_older_than_a_tenth_of_its_lifetime(
    clock: Clock, days: int, expected: list[int]
) -> None:
    assert cookies_after(days, site(), clock) == expected


@pytest.mark.parametrize("days", [4, 30])
def test_without_refresh_only_a_change_issues_the_cookie_again(clock: Clock, days: int) -> None:
    app = site(SESSION_REFRESH_EACH_REQUEST=False)
    assert cookies_after(days, app, clock) == [0, 0]
    assert len(set_cookies(app.test_client().get("/put"))) == 1


def test_refresh_after_wins_over_the_configuration(clock: Clock) -> None:
    app = site({"refresh_after": 0}, SESSION_REFRESH_EACH_REQUEST=False)
    assert cookies_after(0, app, clock) == [0, 1]


# Keywords


def test_keyword_wins_over_the_configuration() -> None:
    client = site({"cookie_name": "mine"}, SESSION_COOKIE_NAME="sid").test_client()
    assert set_cookies(client.get("/put"))[0].startswith("mine=")


def test_keyword_is_any_setting_of_the_middleware() -> None:
    store = MemoryStore()
    client = site({"store": store}).test_client()
    client.get("/put")
    assert client.get("/read").text == "1"
    assert len(store.kept) == 1


def test_cookie_without_same_site_needs_the_keyword() -> None:
    client = site({"cookie_samesite": None}).test_client()
    assert attributes(client.get("/put")) == ["Path=/", "HttpOnly"]


def test_key_may_be_a_keyword() -> None:
    assert site({"secret_key": KEY}, SECRET_KEY=None).test_client().get("/put").status_code == 200


def test_configuration_is_read_by_init_app() -> None:
    sessions, client = Sessions(cookie_path="/shop"), []
    for name in ("one", "two"):
        app = flasks(put=put(a=1))
        app.config["SESSION_COOKIE_NAME"] = name
        sessions.init_app(app)
        app.config["SESSION_COOKIE_NAME"] = "too late"
        client.append(app.test_client())
    [[one], [two]] = [set_cookies(each.get("/put")) for each in client]
    assert (one.partition("=")[0], two.partition("=")[0]) == ("one", "two")
    assert "Path=/shop" in one


# Mistakes


@pytest.mark.parametrize("given", [{}, {"secret_key": None}])
def test_missing_key_is_an_error(given: dict[str, Any]) -> None:
    assert problems(given, SECRET_KEY=None) == [
        "SECRET_KEY: not set; set it before Sessions(app): python -m sessionware secret prints one"
    ]


def test_every_problem_has_the_name_that_it_has_in_the_configuration() -> None:
    found = problems(
        SECRET_KEY="short",
        SECRET_KEY_FALLBACKS=["short"],
        SESSION_COOKIE_NAME="a;b",
        SESSION_COOKIE_SAMESITE="invalid",
        PERMANENT_SESSION_LIFETIME="31 days",
    )
    assert [each.partition(": ")[0] for each in found] == [
        "SESSION_COOKIE_NAME",
        "SESSION_COOKIE_SAMESITE",
        "PERMANENT_SESSION_LIFETIME",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS[0]",
    ]


def test_problem_with_a_keyword_has_the_name_of_the_keyword() -> None:
    found = problems({"cookie_samesite": "invalid", "cookie_nmae": "sid"})
    assert found == [
        "cookie_nmae: unknown setting; did you mean cookie_name?",
        "cookie_samesite: found 'invalid', expected 'Lax', 'Strict', 'None' or None",
    ]


def test_older_keys_in_one_text_are_refused() -> None:
    [found] = problems(SECRET_KEY_FALLBACKS=OLDER_KEY)
    assert found == "SECRET_KEY_FALLBACKS: found str, expected a list or tuple of older keys"


def test_sessions_are_not_bound_to_devices_without_the_middleware() -> None:
    assert problems({"device_bound": True}) == [
        "device_bound: found True, but only SessionMiddleware has the endpoints; in place of "
        "Sessions, set app.wsgi_app = SessionMiddleware(app.wsgi_app, app.secret_key, ...) and "
        "app.session_interface = EnvironSessionInterface()"
    ]


ONCE = "call Sessions(app) or init_app(app) once, and remove other session extensions"


def test_second_call_is_an_error() -> None:
    app = site()
    with pytest.raises(ConfigurationError, match="found _SessionsInterface"):
        Sessions(app)


def test_session_interface_of_another_extension_is_an_error() -> None:
    app = flasks()
    app.session_interface = EnvironSessionInterface()
    with pytest.raises(ConfigurationError) as caught:
        Sessions(app, cookie_path="here")
    [first, second] = map(str, caught.value.problems)
    assert first == (
        "app.session_interface: found EnvironSessionInterface, expected Flask's own, which "
        f"Sessions replaces; {ONCE}"
    )
    assert second.startswith("cookie_path: ")


# Warnings


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("SESSION_COOKIE_SAMSITE", "did you mean SESSION_COOKIE_SAMESITE?"),
        ("SESSION_TYPE", "Sessions takes settings as keywords"),
    ],
)
def test_session_setting_without_effect_is_logged(
    caplog: pytest.LogCaptureFixture, name: str, advice: str
) -> None:
    app = flasks()
    app.config[name] = "SECRET"
    Sessions(app)
    [record] = caplog.records
    assert (record.name, record.levelno, vars(record)["reason"]) == (
        "sessionware",
        logging.WARNING,
        "unknown_setting",
    )
    assert record.getMessage() == (
        f"app.config[{name!r}] has no effect on the sessions of sessionware: {advice} "
        "(unknown_setting)."
    )


def test_settings_of_flask_and_flask_login_are_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site(SESSION_PROTECTION="strong", SESSION_COOKIE_NAME="sid")
    assert caplog.records == []


def test_session_of_the_site_is_flasks_proxy() -> None:
    with site().test_request_context():
        session["a"] = 1
        assert read() == 1
