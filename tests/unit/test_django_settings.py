"""Django's settings as ours, and what is named at the start that is wrong with them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("django", reason="django is not installed: pip install 'sessionware[dev]'")

from django.contrib.sessions.middleware import SessionMiddleware as DjangosMiddleware
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.utils import override_settings

from sessionware.cookie import SessionCookie
from sessionware.django import SessionMiddleware, SessionStore
from sessionware.errors import CookieRejected
from sessionware.migration import FormerCookie
from sessionware.session import Loaded
from tests.gateway import OLDER_KEY
from tests.unit.django_site import (
    cookie_of,
    data_of,
    its_settings,
    put,
    visit,
)


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    with its_settings():
        yield


def lines_of(error: pytest.ExceptionInfo[Exception]) -> list[str]:
    return str(error.value).splitlines()[1:]


def test_djangos_settings_make_the_cookie() -> None:
    with override_settings(
        SESSION_COOKIE_DOMAIN=".example.com",
        SESSION_COOKIE_HTTPONLY=False,
        SESSION_COOKIE_NAME="sid",
        SESSION_COOKIE_PATH="/shop",
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=True,
        SESSION_EXPIRE_AT_BROWSER_CLOSE=True,
    ):
        response = visit(put(a=1), HTTP_HOST="www.example.com").response
    line = response.cookies["sid"].OutputString()
    assert line.partition("; ")[2] == "Domain=.example.com; Path=/shop; SameSite=Strict; Secure"


def test_samesite_false_is_no_attribute() -> None:
    with override_settings(SESSION_COOKIE_SAMESITE=False):
        assert cookie_of(visit(put(a=1)))["samesite"] == ""


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_cookie_is_secure_where_the_request_is(scheme: str) -> None:
    """With SESSION_COOKIE_SECURE at its default, and behind a proxy that Django trusts."""
    with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        page = visit(put(a=1), HTTP_X_FORWARDED_PROTO=scheme)
    assert bool(cookie_of(page)["secure"]) is (scheme == "https")


def test_a_cookie_may_be_partitioned() -> None:
    with override_settings(SESSION_COOKIE_SECURE=True, SESSIONWARE={"cookie_partitioned": True}):
        line = cookie_of(visit(put(a=1))).OutputString()
    assert "Partitioned" in line.split("; ")


def test_fallback_keys_are_djangos() -> None:
    with override_settings(SECRET_KEY=OLDER_KEY):
        cookie = visit(put(a=1)).cookie
    with override_settings(SECRET_KEY_FALLBACKS=[OLDER_KEY]):
        page = visit(data_of, cookie)
    assert page.result == {"a": 1}
    assert page.cookie != cookie


def test_a_reader_of_the_site_s_own_may_use_what_no_session_of_ours_does() -> None:
    """Such as one that has Django read its former sessions from a cache."""

    class Reader(FormerCookie):
        cookie = SessionCookie(name="sessionid")

        def load(self, value: str, now: int) -> Loaded:
            raise CookieRejected("malformed")

        def id_of(self, value: str) -> tuple[str | None, int]:
            raise CookieRejected("malformed")

    with override_settings(
        SESSION_CACHE_ALIAS="sessions", SESSIONWARE={"migrate_from": [Reader()]}
    ):
        SessionMiddleware(HttpResponse)
        assert visit(data_of, HTTP_COOKIE="sessionid=junk").result == {}


def test_every_problem_is_named_in_djangos_words_at_the_start() -> None:
    with (
        override_settings(
            SECRET_KEY="short",
            SESSION_COOKIE_AGE="two weeks",
            SESSION_COOKIE_SAMESITE="lax",
            SESSION_SERIALIZER="mine.Serializer",
            SESSION_FILE_PATH="/var/sessions",
            SESSIONWARE={"migrate_from": [5], "cookie_secret": 1, "cookie_path": "/"},
        ),
        pytest.raises(ImproperlyConfigured) as caught,
    ):
        SessionMiddleware(HttpResponse)
    assert lines_of(caught) == [
        "SESSION_SERIALIZER: found, but no session here uses it; remove it",
        "SESSION_FILE_PATH: found, but no session here uses it; remove it",
        "SESSIONWARE['cookie_path']: found, but Django has its own setting; set "
        "SESSION_COOKIE_PATH",
        "SESSIONWARE['cookie_secret']: unknown setting; did you mean cookie_secure?",
        "SESSIONWARE['migrate_from'][0]: found int, expected a cookie of sessionware.migration",
        "SESSION_COOKIE_SAMESITE: found 'lax', expected 'Lax', 'Strict', 'None' or None",
        "SESSION_COOKIE_AGE: found 'two weeks', expected a timedelta or a number of seconds, from "
        "1 second to 1,000,000,000 days",
        "SECRET_KEY: found 5 bytes, expected a str or bytes of at least 16 bytes; "
        "python -m sessionware secret prints one",
    ]


def test_sessions_are_not_bound_to_devices_without_the_middleware() -> None:
    with (
        override_settings(SESSIONWARE={"device_bound": True}),
        pytest.raises(ImproperlyConfigured) as caught,
    ):
        SessionMiddleware(HttpResponse)
    assert lines_of(caught) == [
        "SESSIONWARE['device_bound']: found True, but only SessionMiddleware has the endpoints; "
        "put SessionMiddleware with this setting around the application"
    ]


@pytest.mark.parametrize(
    "engine",
    ["django.contrib.sessions.backends.signed_cookies", "django.contrib.sessions.backends"],
)
def test_another_engine_is_named_at_the_start(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Django's test client would put its sessions elsewhere."""
    import django.contrib.sessions.backends as package

    monkeypatch.setattr(package, "SessionStore", "no class", raising=False)
    with (
        override_settings(SESSION_ENGINE=engine),
        pytest.raises(ImproperlyConfigured) as caught,
    ):
        SessionMiddleware(HttpResponse)
    assert lines_of(caught) == [f"SESSION_ENGINE: found '{engine}', expected 'sessionware.django'"]


def test_a_setting_that_django_has_too_is_named_at_the_start() -> None:
    with (
        override_settings(SESSIONWARE={"idle_timeout": 60}),
        pytest.raises(ImproperlyConfigured) as caught,
    ):
        SessionMiddleware(HttpResponse)
    assert lines_of(caught) == [
        "SESSIONWARE['idle_timeout']: found, but Django has its own setting; set SESSION_COOKIE_AGE"
    ]


OURS = "sessionware.django.SessionMiddleware"
THEIRS = "django.contrib.sessions.middleware.SessionMiddleware"
HALF_MOVE = f"MIDDLEWARE: found {THEIRS!r}, expected {OURS!r} in its place"


def a_function(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """Return a middleware, as Django lets functions do."""
    return get_response


class Subclass(SessionMiddleware):
    """A middleware that asks for sessions without a request."""

    def process_request(self, request: Any) -> None:
        request.session = self.SessionStore()


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({"MIDDLEWARE": [f"{__name__}.a_function", OURS]}, []),
        ({"MIDDLEWARE": [THEIRS]}, [HALF_MOVE]),
        ({"MIDDLEWARE": [THEIRS, OURS]}, [HALF_MOVE]),
        ({"MIDDLEWARE": [OURS, OURS]}, [f"MIDDLEWARE: found {OURS!r} 2 times; leave one"]),
        ({"MIDDLEWARE": []}, [f"MIDDLEWARE: found no session middleware; add {OURS!r}"]),
        (
            {"MIDDLEWARE": [OURS], "SESSION_ENGINE": "django.contrib.sessions.backends.db"},
            [
                "SESSION_ENGINE: found 'django.contrib.sessions.backends.db', expected "
                "'sessionware.django'"
            ],
        ),
        (
            {"MIDDLEWARE": [OURS], "SESSIONWARE": {"idle_timeout": 60}},
            [
                "SESSIONWARE['idle_timeout']: found, but Django has its own setting; set "
                "SESSION_COOKIE_AGE"
            ],
        ),
    ],
)
def test_manage_py_check_finds_a_half_move_and_every_wrong_setting(
    given: dict[str, Any], problems: list[str]
) -> None:
    with override_settings(**given):
        assert [str(error.msg) for error in checks.run_checks(tags=["sessionware"])] == problems


def test_django_s_own_middleware_beside_ours_is_named_at_the_start() -> None:
    with (
        override_settings(MIDDLEWARE=[OURS, THEIRS]),
        pytest.raises(ImproperlyConfigured) as caught,
    ):
        SessionMiddleware(HttpResponse)
    assert lines_of(caught) == [HALF_MOVE]


def test_django_s_own_middleware_with_our_engine_is_named_at_the_first_request() -> None:
    """Its cookie would be without our attributes, and its pages without Cache-Control."""
    middleware = DjangosMiddleware(HttpResponse)
    with pytest.raises(ImproperlyConfigured) as caught:
        middleware(RequestFactory().get("/"))
    assert lines_of(caught) == [HALF_MOVE]


def test_a_middleware_of_ours_may_ask_for_a_session_without_a_request() -> None:
    response: Any = Subclass(lambda _: HttpResponse())(RequestFactory().get("/"))
    assert response.status_code == 200


def test_settings_of_ours_are_a_dict() -> None:
    with (
        override_settings(SESSIONWARE=["store"]),
        pytest.raises(ImproperlyConfigured) as caught,
    ):
        SessionMiddleware(HttpResponse)
    assert lines_of(caught) == ["SESSIONWARE: found list, expected a dict of settings"]


class Expiring:
    """A store or list that deletes what has expired in two parts."""

    def __init__(self) -> None:
        self.expired = [3, 1]

    def delete_expired(self) -> int:
        return self.expired.pop() if self.expired else 0


def test_clearsessions_deletes_what_has_expired() -> None:
    with override_settings(SESSIONWARE={"store": Expiring(), "revocations": object()}):
        SessionStore.clear_expired()
        from django.conf import settings

        assert settings.SESSIONWARE["store"].expired == []
