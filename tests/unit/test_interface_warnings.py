"""SecureCookieSessionInterface: what it logs for whoever deploys, once per middleware."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from sessionware import Session, SessionMiddleware
from sessionware.migration import SessionwareCookie
from tests.gateway import KEY, Response, call
from tests.sites import Act, MemoryStore, count, data_of, untouched
from tests.unit.applications import App, acting, serve

OUT_OF_REACH = (
    "A session cookie was set for the cookie_domain 'example.com' by a host outside that "
    "domain, and browsers refuse it: set cookie_domain to a domain of the site, or to None; behind "
    "a proxy, make it pass on the Host header (out_of_reach)."
)
UNTRUSTED_PROXY = (
    "A session cookie was set on a request that a proxy received over https, but wsgi.url_scheme "
    "is http, so the cookie may lack Secure: put werkzeug's ProxyFix around SessionMiddleware "
    "(untrusted_proxy)."
)
SHARED_CACHE = (
    "A response that depends on the session is marked for shared caches, and some ignore Vary: "
    "Cookie: mark it 'private', or do not use the session for it (shared_cache)."
)
LATE_LOOK = (
    "A session was first used after its response had begun, or after the application had failed, "
    "and that response has no Vary: Cookie, so caches may send it to other users: use the session "
    "before the application returns, or, if it is a generator, before it yields its first chunk "
    "(late_look)."
)
MARKED = "SECRET"
"""A text from the client, which no message may contain."""


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING)
    return caplog


def reasons(log: pytest.LogCaptureFixture) -> list[str]:
    return [vars(record)["reason"] for record in log.records]


def told(log: pytest.LogCaptureFixture) -> str:
    """Return the only message, which is a warning."""
    [record] = log.records
    assert (record.name, record.levelno) == ("sessionware", logging.WARNING)
    return record.getMessage()


def sent(act: Act, host: str, scheme: str = "https", proto: str = "", **settings: Any) -> Response:
    """Send a request to this host, which calls the act with its session."""
    forwarded: dict[str, Any] = {"HTTP_X_FORWARDED_PROTO": proto} if proto else {}
    return call(acting(act, **settings), HTTP_HOST=host, wsgi__url_scheme=scheme, **forwarded)


# A domain that the host is not in


@pytest.mark.parametrize(
    "host", ["other.org", "notexample.com", "com", "example.com.evil.org", "", "SECRET.org:80"]
)
def test_domain_that_the_host_is_not_in_is_warned_about(
    host: str, log: pytest.LogCaptureFixture
) -> None:
    sent(count, host, cookie_domain="example.com")
    assert told(log) == OUT_OF_REACH


@pytest.mark.parametrize(
    "host", ["example.com", "www.example.com", "WWW.Example.Com:8443", "127.0.0.1", "[::1]:80"]
)
def test_domain_of_the_host_and_an_ip_address_log_no_warning(
    host: str, log: pytest.LogCaptureFixture
) -> None:
    sent(count, host, cookie_domain=".example.com")
    assert reasons(log) == []


def test_name_of_the_server_stands_in_for_a_missing_host(log: pytest.LogCaptureFixture) -> None:
    call(acting(count, cookie_domain="localhost"))
    assert reasons(log) == []


# A proxy that is not trusted


@pytest.mark.parametrize("proto", ["https", "HTTPS", "https, http", " https "])
def test_proxy_that_wsgi_does_not_know_of_is_warned_about(
    proto: str, log: pytest.LogCaptureFixture
) -> None:
    sent(count, "shop.example", "http", proto)
    assert told(log) == UNTRUSTED_PROXY


@pytest.mark.parametrize(
    ("scheme", "proto"),
    [("https", "https"), ("http", ""), ("http", "http"), ("http", "http, https")],
)
def test_proxy_that_wsgi_knows_of_logs_no_warning(
    scheme: str, proto: str, log: pytest.LogCaptureFixture
) -> None:
    sent(count, "shop.example", scheme, proto)
    assert reasons(log) == []


def test_secure_cookie_behind_such_a_proxy_is_one_warning(log: pytest.LogCaptureFixture) -> None:
    """The browser does keep it, because its own request came over https."""
    sent(count, "shop.example", "http", "https", cookie_secure=True)
    assert reasons(log) == ["untrusted_proxy"]


# A Secure cookie over http


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "app.localhost", "127.0.0.1:8000", "[::1]", "192.0.2.7"]
)
def test_secure_cookie_on_localhost_or_an_ip_address_logs_no_warning(
    host: str, log: pytest.LogCaptureFixture
) -> None:
    sent(count, host, "http", cookie_secure=True)
    assert reasons(log) == []


@pytest.mark.parametrize("host", ["shop.example", "localhost.example", "notlocalhost"])
def test_secure_cookie_over_http_is_warned_about(host: str, log: pytest.LogCaptureFixture) -> None:
    sent(count, host, "http", cookie_secure=True)
    assert reasons(log) == ["insecure_transport"]


# A page for shared caches


def marked(act: Act, value: str = "public, max-age=60", cookie: str = "") -> Response:
    return call(acting(act, ("Cache-Control", value)), cookie)


def test_page_that_only_read_its_session_and_is_public_is_warned_about(
    log: pytest.LogCaptureFixture,
) -> None:
    """Its headers stay as they are: the session may make no difference to it."""
    response = marked(data_of)
    assert told(log) == SHARED_CACHE
    assert response.headers["Cache-Control"] == "public, max-age=60"


@pytest.mark.parametrize(
    ("act", "value"), [(untouched, "public"), (data_of, "private"), (data_of, "max-age=60")]
)
def test_page_that_no_shared_cache_may_mix_up_logs_no_warning(
    act: Act, value: str, log: pytest.LogCaptureFixture
) -> None:
    marked(act, value)
    assert reasons(log) == []


# A look that is too late


@pytest.mark.parametrize("shape", ["list", "generator", "write"])
def test_first_look_after_the_response_has_begun_is_warned_about(
    shape: str, log: pytest.LogCaptureFixture
) -> None:
    serve(App(shape, later=App.look))
    assert told(log) == LATE_LOOK


@pytest.mark.parametrize("shape", ["list", "generator", "write"])
def test_second_look_after_the_response_has_begun_logs_no_warning(
    shape: str, log: pytest.LogCaptureFixture
) -> None:
    serve(App(shape, App.look, App.look))
    assert reasons(log) == []


# All of them


WRONG: dict[str, tuple[dict[str, Any], tuple[str, str], dict[str, Any], Act]] = {
    "out_of_reach": ({"cookie_domain": "example.com"}, ("X-A", "1"), {}, count),
    "untrusted_proxy": ({}, ("X-A", "1"), {"HTTP_X_FORWARDED_PROTO": "https, SECRET"}, count),
    "insecure_transport": ({"cookie_secure": True}, ("X-A", "1"), {}, count),
    "shared_cache": ({}, ("Cache-Control", "public"), {}, data_of),
    "cookie_name_taken": ({}, ("Set-Cookie", "session=x"), {}, count),
    "former_cookie_set": (
        {"migrate_from": [SessionwareCookie(KEY, cookie_name="former")]},
        ("Set-Cookie", "former=x"),
        {},
        Session.invalidate,
    ),
}


@pytest.mark.parametrize("reason", WRONG)
def test_warning_is_logged_once_per_middleware_and_shows_nothing_of_the_client(
    reason: str, log: pytest.LogCaptureFixture
) -> None:
    settings, field, variables, act = WRONG[reason]
    for _ in range(2):
        app = acting(act, field, **settings)
        for _ in range(3):
            call(app, "session=SECRET", **{"HTTP_HOST": "SECRET.example"} | variables)
    assert reasons(log) == [reason] * 2
    assert MARKED not in "".join(str(vars(record)) for record in log.records)


@pytest.mark.parametrize("reason", ["out_of_reach", "untrusted_proxy", "insecure_transport"])
@pytest.mark.parametrize("act", [untouched, data_of, Session.invalidate])
def test_warning_about_the_cookie_is_logged_only_where_one_is_set(
    reason: str, act: Act, log: pytest.LogCaptureFixture
) -> None:
    settings, field, variables, _ = WRONG[reason]
    response = call(acting(act, field, **settings), HTTP_HOST="a.example", **variables)
    assert response.set_cookie is None
    assert reasons(log) == []


def test_both_ways_to_be_in_a_shared_cache_are_warned_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A page that only read the session, and a page that set the cookie."""
    fields = [("Cache-Control", "public")]

    def app(environ: Any, start_response: Any) -> list[bytes]:
        act = count if environ["QUERY_STRING"] else len
        act(environ["session"])
        start_response("200 OK", fields)
        return []

    middleware = SessionMiddleware(app, KEY)
    for query in ("", "", "count", "count"):
        call(middleware, QUERY_STRING=query)
    reasons = [vars(record)["reason"] for record in caplog.records]
    assert reasons == ["shared_cache", "shared_cache"]
    assert len({record.getMessage() for record in caplog.records}) == 2


def test_look_by_an_error_handler_around_the_middleware_is_warned_about(
    log: pytest.LogCaptureFixture,
) -> None:
    """No response had begun. Its own error page depends on the session, and does not say so."""

    def fail(environ: Any, start_response: Any) -> list[bytes]:
        raise LookupError

    middleware = SessionMiddleware(fail, KEY)

    def handler(environ: Any, start_response: Any) -> list[bytes]:
        with suppress(LookupError):
            middleware(environ, start_response)
        len(environ["session"])
        start_response("500 Internal Server Error", [])
        return []

    call(handler)
    assert [record.getMessage() for record in log.records] == [LATE_LOOK]


@pytest.mark.parametrize("adopts", [False, True])
def test_late_look_is_warned_about_whatever_opens_the_session(
    adopts: bool, log: pytest.LogCaptureFixture
) -> None:
    former = [SessionwareCookie(KEY, cookie_name="former")] if adopts else []

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"page"
        len(environ["session"])

    call(SessionMiddleware(app, KEY, store=MemoryStore(), migrate_from=former))
    assert reasons(log) == ["late_look"]
