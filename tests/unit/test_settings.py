"""Settings as text, from an ini file (PasteDeploy) or the process environment."""

from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from paste.deploy import loadapp

from sessionware import ConfigurationError, SecureCookieSessionInterface, SessionMiddleware
from sessionware.codec import SignedCodec
from sessionware.interface import Settings
from sessionware.migration import FlaskCookie
from sessionware.settings import filter_app_factory, from_settings
from tests.gateway import KEY, call
from tests.unit.interfaces import MySessionInterface


def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    session = environ["session"]
    session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [])
    return [str(session["visits"]).encode()]


def interface_of(**settings: Any) -> SecureCookieSessionInterface:
    """Return the interface made of these settings, without a prefix, and a secret key."""
    interface = from_settings(app, {"secret_key": KEY, **settings}, prefix="").interface
    assert isinstance(interface, SecureCookieSessionInterface)
    return interface


def problems_of(mapping: dict[str, Any], prefix: str = "session.") -> tuple[str, ...]:
    """Return the problems of these settings and a secret key."""
    return problems_of_all({f"{prefix}secret_key": KEY} | mapping, prefix)


def problems_of_all(mapping: dict[str, Any], prefix: str = "session.") -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        from_settings(app, mapping, prefix)
    return tuple(map(str, caught.value.problems))


def visits_with(secret_key: str) -> bytes:
    """Return the body of a second visit: ``b"2"`` if the setting is read as KEY."""
    return call(
        from_settings(app, {"session.secret_key": secret_key}), cookie_signed_with(KEY)
    ).data


def cookie_signed_with(key: str) -> str:
    return call(SessionMiddleware(app, key)).cookie


def test_the_application_is_wrapped() -> None:
    middleware = from_settings(app, {"session.secret_key": KEY})
    assert call(middleware, call(middleware).cookie).data == b"2"


def test_names_without_the_prefix_are_ignored() -> None:
    from_settings(app, {"session.secret_key": KEY, "debug": "x", "cookie_secure": "maybe"})


def test_the_prefix_can_be_set() -> None:
    mapping = {"shop_secret_key": KEY, "shop_environ_key": "cart"}
    assert from_settings(app, mapping, prefix="shop_").environ_key == "cart"


def test_a_name_may_be_in_capitals_as_in_the_process_environment() -> None:
    mapping = {"SHOP_SECRET_KEY": KEY, "SHOP_ENVIRON_KEY": "cart"}
    assert from_settings(app, mapping, prefix="SHOP_").environ_key == "cart"


def test_sessions_can_be_bound_to_devices_by_text() -> None:
    binding = interface_of(
        device_bound="yes", device_bound_lifetime="5m", device_bound_path="/bound"
    ).binding
    assert binding is not None
    assert binding.path == "/bound"
    assert problems_of({"session.device_bound_lifetime": "299"}) == (
        "session.device_bound_lifetime: found '299', expected a duration from 300 seconds to "
        "1,000,000,000 days",
    )


def test_a_name_that_is_given_twice_is_refused() -> None:
    mapping = {"session.SALT": "a", "session.salt": "b"}
    assert problems_of(mapping) == ("session.SALT: given twice",)


@pytest.mark.parametrize("name", Settings.__annotations__)
def test_every_setting_of_the_middleware_can_be_text_or_says_that_it_cannot(name: str) -> None:
    try:
        from_settings(app, {f"session.{name}": "?"})
    except ConfigurationError as error:
        assert "unknown" not in str(error)  # noqa: PT017 - some values are accepted


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1800", 1800),
        ("45s", 45),
        ("30m", 1800),
        ("12h", 43_200),
        ("31d", 2_678_400),
        ("1.5h", 5400),
    ],
)
def test_a_duration_is_in_seconds_or_has_a_unit(text: str, seconds: int) -> None:
    assert interface_of(idle_timeout=text).expiry.idle_timeout == seconds


@pytest.mark.parametrize(
    "text", ["", "h", "1w", "1 h", "-1", "1h30m", "1M", "\u0661", "nan", "1\n"]
)
def test_any_other_text_for_a_duration_is_refused(text: str) -> None:
    [problem] = problems_of({"session.idle_timeout": text})
    assert problem.startswith(f"session.idle_timeout: found {text!r}, expected a number of seconds")


@pytest.mark.parametrize("text", ["0", "0.5s", "1000000001d", "9" * 400])
def test_a_duration_out_of_bounds_is_refused_as_it_was_written(text: str) -> None:
    assert problems_of({"session.idle_timeout": text}) == (
        f"session.idle_timeout: found {text!r}, "
        "expected a duration from 1 second to 1,000,000,000 days",
    )


def test_refresh_after_may_be_zero() -> None:
    assert interface_of(refresh_after="0").expiry.refresh_after == 0


@pytest.mark.parametrize("name", ["absolute_timeout", "refresh_after"])
def test_an_optional_duration_may_be_given(name: str) -> None:
    assert getattr(interface_of(**{name: "2h"}).expiry, name) == 7200


def test_an_absolute_timeout_that_is_empty_is_none() -> None:
    assert interface_of(absolute_timeout="").expiry.absolute_timeout is None


@pytest.mark.parametrize("text", ["true", "YES", "On", "1"])
def test_a_boolean_is_true(text: str) -> None:
    assert interface_of(cookie_secure=text).cookie.secure is True


@pytest.mark.parametrize("text", ["false", "NO", "Off", "0"])
def test_a_boolean_is_false(text: str) -> None:
    assert interface_of(cookie_httponly=text).cookie.httponly is False


@pytest.mark.parametrize("text", ["", "2", "auto", "maybe"])
def test_any_other_text_for_a_boolean_is_refused(text: str) -> None:
    assert problems_of({"session.cookie_httponly": text}) == (
        f"session.cookie_httponly: found {text!r}, "
        "expected true, yes, on or 1, or false, no, off or 0",
    )


def test_secure_can_be_auto() -> None:
    assert interface_of(cookie_secure="AUTO").cookie.secure == "auto"


@pytest.mark.parametrize(
    ("text", "value"), [("lax", "Lax"), ("STRICT", "Strict"), ("none", "None"), ("", None)]
)
def test_samesite_is_in_any_case_and_empty_for_no_attribute(text: str, value: str | None) -> None:
    assert interface_of(cookie_samesite=text, cookie_secure="1").cookie.samesite == value


def test_a_domain_that_is_empty_is_none() -> None:
    assert interface_of(cookie_domain="").cookie.domain is None


def test_a_domain_is_text() -> None:
    assert interface_of(cookie_domain="example.com").cookie.domain == "example.com"


def test_fallback_keys_have_white_space_between_them() -> None:
    old = "an older key, then".replace(" ", "-")
    keys = f"\n  {KEY[::-1].replace(' ', '-')}\n  {old}"
    middleware = from_settings(
        app, {"session.secret_key": KEY, "session.secret_key_fallbacks": keys}
    )
    assert call(middleware, cookie_signed_with(old)).data == b"2"


def test_a_value_that_is_not_text_is_used_as_is() -> None:
    assert interface_of(idle_timeout=1800).expiry.idle_timeout == 1800


@pytest.mark.parametrize("reference", ["$APP_KEY", "${APP_KEY}"])
def test_a_value_can_come_from_the_process_environment(
    reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_KEY", KEY)
    assert visits_with(reference) == b"2"


def test_the_value_of_an_environment_variable_is_not_expanded_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SALT", "$SALT")
    codec = interface_of(salt="$SALT").codec
    assert isinstance(codec, SignedCodec)
    assert codec.salt.endswith(b"\0$SALT")


def test_fallback_keys_can_come_from_several_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = (f"{number} old key, long enough".replace(" ", "-") for number in "123")
    monkeypatch.setenv("OLD", f"{first} {second}")
    monkeypatch.setenv("OLDER", third)
    middleware = from_settings(
        app, {"session.secret_key": KEY, "session.secret_key_fallbacks": "$OLD $OLDER"}
    )
    seen = [call(middleware, cookie_signed_with(key)).data for key in (first, second, third)]
    assert seen == [b"2"] * 3


def test_a_variable_that_is_not_set_is_an_error_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APP_KEY", raising=False)
    assert problems_of({"session.secret_key": "$APP_KEY"}) == (
        "session.secret_key: the environment variable APP_KEY is not set",
    )


@pytest.mark.parametrize("value", ["$2b$12$secret", "$secret", "${SECRET", "$SECRET}", "$"])
def test_a_key_that_begins_with_a_dollar_is_refused_and_not_shown(value: str) -> None:
    [problem] = problems_of({"session.secret_key": value})
    assert problem == (
        "session.secret_key: found a value that begins with $, expected the name of an "
        "environment variable after it, in capitals, as in $SECRET_KEY"
    )


NAMES = [
    "'$SESSION_SECRET_KEY'",
    '"$SESSION_SECRET_KEY"',
    '"${SESSION_SECRET_KEY}"',
    '"$session_secret_key"',
    "SESSION_SECRET_KEY",
    '"SESSION_SECRET_KEY"',
]
NOT_A_KEY = (
    "found the name of a variable in place of its value, expected a key, or $NAME without quotes "
    "for an environment variable"
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("setting", ["secret_key", "secret_key_fallbacks"])
def test_a_key_that_is_still_the_name_of_its_variable_is_refused(setting: str, name: str) -> None:
    """In an ini file, quotes are a part of the value."""
    assert problems_of({f"session.{setting}": name}) == (f"session.{setting}: {NOT_A_KEY}",)


@pytest.mark.parametrize("name", [*NAMES, "$SESSION_SECRET_KEY", "${SESSION_SECRET_KEY}"])
def test_a_variable_that_holds_the_name_of_another_one_is_no_key(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing has expanded it, such as a shell that was given single quotes."""
    monkeypatch.setenv("APP_KEY", name)
    assert problems_of({"session.secret_key": "$APP_KEY"}) == (f"session.secret_key: {NOT_A_KEY}",)


@pytest.mark.parametrize(
    "key",
    [
        "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U",
        '"quoted, and all of it is the key"',
        "US$ 100 is the key that costs us nothing",
        "$OME keys look like this one, but not many",
    ],
)
def test_a_key_that_only_looks_like_a_name_is_accepted(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_KEY", key)
    from_settings(app, {"session.secret_key": "$APP_KEY"})


@pytest.mark.parametrize(
    "setting", ["idle_timeout", "cookie_samesite", "cookie_name", "cookie_path", "cookie_domain"]
)
def test_the_value_of_an_environment_variable_is_not_shown(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a secret key, if two lines are swapped."""
    monkeypatch.setenv("APP_KEY", KEY)
    [problem] = problems_of({f"session.{setting}": "$APP_KEY"})
    assert "$APP_KEY" in problem
    assert KEY not in problem


def test_an_unknown_name_is_reported_with_the_nearest_known_name() -> None:
    assert problems_of({"session.cookie_nmae": "x"}) == (
        "session.cookie_nmae: unknown setting; did you mean session.cookie_name?",
    )


def test_the_settings_of_flask_and_django_that_cannot_be_honoured_are_named() -> None:
    environment = {
        "SESSION_SECRET_KEY": KEY,
        "SESSION_COOKIE_NAME": "shop",
        "SESSION_COOKIE_SECURE": "on",
        "SESSION_REFRESH_EACH_REQUEST": "on",
        "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
        "SESSION_FILE_PATH": "/tmp",  # noqa: S108
    }
    assert [it.partition(": ")[0] for it in problems_of_all(environment, "SESSION_")] == [
        "SESSION_REFRESH_EACH_REQUEST",
        "SESSION_ENGINE",
        "SESSION_FILE_PATH",
    ]


def test_an_unknown_name_without_a_near_one_is_reported_too() -> None:
    assert problems_of({"session.zzz": "x"}) == ("session.zzz: unknown setting",)


@pytest.mark.parametrize("name", ["app", "self"])
def test_a_parameter_that_is_not_a_setting_is_unknown(name: str) -> None:
    assert problems_of({f"session.{name}": "x"})[0].startswith(f"session.{name}: unknown setting")


def test_an_interface_cannot_be_text() -> None:
    assert problems_of({"session.interface": "x"}) == (
        "session.interface: cannot be set as text: give the object in code",
    )


def test_all_problems_are_reported_at_once_with_those_of_the_middleware() -> None:
    mapping = {
        "session.secret_key": "short",
        "session.secret_key_fallbacks": "tiny",
        "session.cookie_path": "x",
        "session.environ_key": "",
        "session.idle_timeout": "soon",
        "session.zzz": "x",
    }
    assert [problem.partition(": ")[0] for problem in problems_of(mapping)] == [
        "session.idle_timeout",
        "session.zzz",
        "session.environ_key",
        "session.cookie_path",
        "session.secret_key",
        "session.secret_key_fallbacks[0]",
    ]


def test_a_setting_that_was_not_given_is_named_with_the_prefix() -> None:
    [problem] = problems_of({"session.cookie_samesite": "none"})
    assert problem.startswith("session.cookie_secure: found 'auto', expected True with")


def test_a_value_that_cannot_be_read_is_reported_once() -> None:
    # The default, cookie_secure="auto", would be refused with SameSite=None.
    [problem] = problems_of({"session.cookie_secure": "maybe", "session.cookie_samesite": "none"})
    assert problem.startswith("session.cookie_secure: found 'maybe', expected auto, true")


def test_a_wrong_application_is_reported_without_the_prefix() -> None:
    with pytest.raises(ConfigurationError, match=r"(?m)^app: found NoneType"):
        from_settings(None, {})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["secret_key", "secret_key_fallbacks", "secret_kye"])
def test_a_secret_is_never_shown(name: str) -> None:
    mapping = {f"session.{name}": "hunter2", "session.salt2": ""}
    assert "hunter2" not in str(problems_of_all(mapping))


INI = f"""
[filter-app:main]
use = egg:sessionware
next = app
secret_key = {KEY}
cookie_name = shop

[app:app]
paste.app_factory = tests.unit.test_settings:make_app
"""


def make_app(global_conf: dict[str, str]) -> Any:
    return app


def test_pastedeploy_finds_the_filter_by_the_name_of_the_distribution(tmp_path: Path) -> None:
    (tmp_path / "app.ini").write_text(INI)
    loaded = loadapp("config:app.ini", relative_to=str(tmp_path))
    first = call(loaded)
    assert first.cookie.startswith("shop=")
    assert call(loaded, first.cookie).data == b"2"


def test_a_mistake_in_the_ini_file_is_reported_without_a_prefix(tmp_path: Path) -> None:
    (tmp_path / "app.ini").write_text(INI.replace("cookie_name", "cookie_nmae"))
    with pytest.raises(ConfigurationError, match=r"cookie_nmae: unknown .* mean cookie_name"):
        loadapp("config:app.ini", relative_to=str(tmp_path))


@pytest.mark.parametrize("name", ["app", "global_conf"])
def test_the_filters_own_parameters_are_not_settings(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}: unknown setting"):
        filter_app_factory(app, {}, **{name: "x"})


# The mapping


@pytest.mark.parametrize("mapping", [{}, {"secret_key": KEY}, {"sessions.secret_key": KEY}])
def test_mapping_without_any_name_with_the_prefix_is_an_error(mapping: dict[str, str]) -> None:
    """The prefix was probably forgotten, and the application would have no secret key."""
    assert problems_of_all(mapping) == (
        "session.secret_key: found no name that begins with 'session.', expected a secret key; "
        "python -m sessionware secret prints one",
    )


@pytest.mark.parametrize(
    "mapping",
    [
        {"session.salt": "shop"},
        {"session.secret_key": None},
        {"session.secret_key_fallbacks": KEY.replace(" ", "-")},
    ],
)
def test_settings_without_a_secret_key_are_an_error(mapping: dict[str, Any]) -> None:
    assert problems_of_all(mapping) == (
        "session.secret_key: not set, expected a secret key; "
        "python -m sessionware secret prints one",
    )


def test_filter_without_settings_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"(?m)^secret_key: not set"):
        filter_app_factory(app, {})


def test_interface_needs_no_secret_key() -> None:
    interface = MySessionInterface()
    assert from_settings(app, {"session.interface": interface}).interface is interface


def test_object_is_used_as_is() -> None:
    foreign = FlaskCookie(KEY)
    settings = {"session.secret_key": KEY, "session.migrate_from": [foreign]}
    interface = from_settings(lambda *_: [], settings).interface
    assert isinstance(interface, SecureCookieSessionInterface)
    assert interface.migrate_from == [foreign]
