"""The response headers for caches: Vary and Cache-Control."""

import logging

import pytest

from tests.gateway import Response, call
from tests.sites import Act
from tests.unit.applications import acting, log_in

SHARED = (
    "A response that sets the session cookie was marked for shared caches: 'public', 's-maxage' "
    "and the header fields that only such caches obey were removed (shared_cache)."
)
TARGETED = [
    ("CDN-Cache-Control", "max-age=60"),
    ("surrogate-control", "max-age=60"),
    ("X-Accel-Expires", "60"),
    *((f"{cdn}-CDN-Cache-Control", "max-age=60") for cdn in ("Cloudflare", "Netlify", "Vercel")),
    ("X-LiteSpeed-Cache-Control", "public,max-age=60"),
    ("Edge-Control", "cache-maxage=60s"),
    ("Akamai-Cache-Control", "max-age=60"),
]


def names(response: Response, header: str) -> list[str]:
    """Return the items of a comma-separated header, from all of its lines."""
    lines = response.headers.getlist(header)
    return [name.strip() for line in lines for name in line.split(",") if name.strip()]


# Vary


@pytest.mark.parametrize("act", [len, log_in], ids=["read", "written"])
@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], ["Cookie"]),
        (["Accept"], ["Accept", "Cookie"]),
        (["Accept, Origin"], ["Accept", "Origin", "Cookie"]),
        (["Accept", "Origin"], ["Accept", "Origin", "Cookie"]),
        (["Cookie"], ["Cookie"]),
        (["cookie"], ["cookie"]),
        (["COOKIE,Accept"], ["COOKIE", "Accept"]),
        (["Accept", "Origin ,  cOOkie"], ["Accept", "Origin", "cOOkie"]),
        (["*"], ["*"]),
        (["Accept", "*"], ["Accept", "*"]),
        ([""], ["Cookie"]),
        (["", "Accept", ""], ["Accept", "Cookie"]),
        ([" , "], ["Cookie"]),
        (["X-Cookie, Cookies"], ["X-Cookie", "Cookies", "Cookie"]),
    ],
)
def test_vary_lists_cookie_once_and_keeps_the_rest(
    act: Act, found: list[str], expected: list[str]
) -> None:
    """It is not added if a line has ``*``, or ``cookie`` in any case."""
    response = call(acting(act, *(("vary", line) for line in found)))
    assert names(response, "Vary") == expected


def test_vary_that_lists_cookie_is_unchanged() -> None:
    headers = [("Vary", "Accept ,cookie"), ("X-Other", "1")]
    assert call(acting(len, *headers)).header_list == headers


@pytest.mark.parametrize("second", ["Origin", "cookie", "*"])
def test_vary_in_several_lines_becomes_one(second: str) -> None:
    """nginx before version 1.23 reads only the last line."""
    headers = [("Vary", "Cookie"), ("X-Other", "1"), ("vary", second)]
    assert call(acting(len, *headers)).header_list == [
        ("X-Other", "1"),
        ("Vary", f"Cookie, {second}"),
    ]


# Cache-Control


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], "private"),
        ([""], "private"),
        (["max-age=60"], "private, max-age=60"),
        (["private"], "private"),
        (["Private, max-age=60"], "Private, max-age=60"),
        (["no-store"], "no-store"),
        (["max-age=0", "NO-STORE"], "max-age=0, NO-STORE"),
        (["no-cache"], "private, no-cache"),
        (['private="X-User"'], 'private, private="X-User"'),
        (['no-cache="Set-Cookie, public"'], 'private, no-cache="Set-Cookie, public"'),
        (['ext="private, no-store"'], 'private, ext="private, no-store"'),
        (['ext="a\\"b, c\\\\"'], 'private, ext="a\\"b, c\\\\"'),
        (["x-public, publicity, s-max=1"], "private, x-public, publicity, s-max=1"),
    ],
)
def test_cache_control_becomes_private_and_keeps_the_rest(
    caplog: pytest.LogCaptureFixture, found: list[str], expected: str
) -> None:
    """``private`` is not added if the whole response is ``private`` or ``no-store`` already."""
    response = call(acting(log_in, *(("cache-control", line) for line in found)))
    assert response.headers.getlist("Cache-Control") == [expected]
    assert caplog.records == []


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["public"], "private"),
        (["PUBLIC, max-age=60"], "private, max-age=60"),
        (["max-age=60,s-maxage=600"], "private, max-age=60"),
        (['S-MaxAge="600"'], "private"),
        (["private, public"], "private"),
        (["public", "no-store", "s-maxage=1, public"], "no-store"),
        (['public, no-cache="a, s-maxage=1", s-maxage=1'], 'private, no-cache="a, s-maxage=1"'),
    ],
)
def test_directives_for_shared_caches_are_removed_with_a_warning(
    caplog: pytest.LogCaptureFixture, found: list[str], expected: str
) -> None:
    response = call(acting(log_in, *(("Cache-Control", line) for line in found)))
    assert response.headers.getlist("Cache-Control") == [expected]
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, SHARED)
    assert vars(record)["reason"] == "shared_cache"


@pytest.mark.parametrize("field", TARGETED)
def test_field_that_overrides_cache_control_is_removed_with_a_warning(
    caplog: pytest.LogCaptureFixture, field: tuple[str, str]
) -> None:
    """These are the targeted fields of RFC 9213, and those of nginx, LiteSpeed and Akamai."""
    for more in ([], [("Cache-Control", "max-age=1")]):
        headers = call(acting(log_in, field, *more)).headers
        assert field[0] not in headers
        assert "private" in headers["Cache-Control"]
        assert caplog.records.pop().getMessage() == SHARED
        assert caplog.records == []


def test_field_that_overrides_cache_control_stays_if_no_cookie_is_set() -> None:
    assert call(acting(len, *TARGETED)).header_list == [*TARGETED, ("Vary", "Cookie")]


def test_response_that_deletes_the_cookie_is_private_too() -> None:
    cookie = call(acting(log_in)).cookie
    response = call(acting(lambda session: session.clear(), ("Cache-Control", "public")), cookie)
    assert response.headers.getlist("Cache-Control") == ["private"]


@pytest.mark.parametrize("cookie", ["", "session=junk"])
def test_cache_control_is_unchanged_if_no_cookie_is_set(cookie: str) -> None:
    headers = [("Cache-Control", "public,s-maxage=60"), ("cache-control", "x")]
    response = call(acting(len, *headers), cookie)
    assert response.header_list == [*headers, ("Vary", "Cookie")]
