"""The response headers for caches: Vary and Cache-Control."""

import logging
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessionware.headers import (
    Fields,
    carry_over,
    directives_of,
    is_shared,
    keep_private,
    names_of,
)
from tests.attacks.lines_run import lines_run
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
    ("Deno-CDN-Cache-Control", "public"),
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
        (["must-understand, no-store"], "private, must-understand, no-store"),
        (["must-understand", "private"], "must-understand, private"),
        (['ext="a', "private"], 'private, ext="a'),
        (['ext="a, no-store', "max-age=0"], 'no-store, max-age=0, ext="a'),
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
        (["s-maxage = 600"], "private"),
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


# Cache-Control: where a directive ends


def size_of_string(text: str) -> int:
    """Return the length of the quoted string that the text begins with, 0 if it is not closed."""
    position = 1
    while position < len(text):
        if text[position] == '"':
            return position + 1
        position += 2 if text[position] == "\\" else 1
    return 0


def split_naively(line: str) -> list[str]:
    """Split at commas outside quoted strings; from a quote that is never closed, at every comma."""
    items = [""]
    while line:
        size = size_of_string(line) if line[0] == '"' else 1
        if size == 0:
            first, *rest = line.split(",")
            return [*items[:-1], items[-1] + first, *rest]
        if line[0] == ",":
            items.append("")
        else:
            items[-1] += line[:size]
        line = line[size:]
    return items


PARTS = st.sampled_from([*'",\\ =a\n', "public", "private", 'a="b, c"', '\\"', "s-maxage=1"])


@given(st.lists(PARTS | st.text(max_size=2), max_size=30).map("".join))
@example('a="b, c')
@example('a="b\\", c"d, e')
@example('a="b, c\\')
def test_directives_are_those_of_the_naive_reader_and_joined_give_the_line(line: str) -> None:
    assert directives_of(line) == split_naively(line)
    assert ",".join(directives_of(line)) == line


ITEMS = st.lists(
    st.sampled_from(["max-age=1", 'a="b, private, \\", public"', 'b=""', "no-cache", "no-cache=c"])
)


@given(ITEMS, st.sampled_from(["public", "PUBLIC", "s-maxage=1"]), ITEMS)
def test_public_is_removed_wherever_it_is(before: list[str], word: str, behind: list[str]) -> None:
    fields: Fields = [("Cache-Control", ", ".join([*before, word, *behind]))]
    assert keep_private(fields, names_of(fields))
    assert fields == [("Cache-Control", ", ".join(["private", *before, *behind]))]


@given(ITEMS, st.sampled_from(["private", "PRIVATE", "no-store"]), ITEMS)
def test_private_is_found_wherever_it_is(before: list[str], word: str, behind: list[str]) -> None:
    line = ", ".join([*before, word, *behind])
    fields: Fields = [("Cache-Control", line)]
    assert not keep_private(fields, names_of(fields))
    assert fields == [("Cache-Control", line)]


SHAPES = [
    *('"', ",", "\\", "=", "a ", '",', '"",', '\\"', '\\",', '"\\"', '"\\",'),
    *('"\\",""', 'a="b, c", ', "public,"),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lead", ["", '"'])
def test_cache_control_is_read_in_linear_time(lead: str, shape: str) -> None:
    """Twice the length takes at most twice the steps, and 256 KB less than two seconds.

    The steps inside a regular expression are not counted. One that took quadratic time would take
    more than five minutes.
    """
    times = 32 * 1024 // len(shape)

    def read(line: str) -> bool:
        return keep_private([("Cache-Control", lead + line)], "cache-control")

    assert lines_run(shape * times * 2, read) <= 2 * lines_run(shape * times, read)
    start = time.perf_counter()
    read(shape * times * 8)
    assert time.perf_counter() - start < 2


def test_a_megabyte_behind_a_quote_that_is_never_closed_is_split_at_every_comma() -> None:
    parts = ['"a', *['\\"'] * (350 * 1024)]
    assert directives_of(",".join(parts)) == parts


# Whether a response is marked for shared caches


def shared(*fields: tuple[str, str]) -> bool:
    """Return what ``is_shared`` says, and check that it changes nothing."""
    given = [*fields]
    result = is_shared(given, names_of(given))
    assert given == [*fields]
    return result


@pytest.mark.parametrize(
    "lines",
    [
        ["public"],
        ["PUBLIC, max-age=60"],
        ["max-age=60", "s-maxage=600"],
        ['S-MaxAge="600"'],
        ['private="X-User", public'],
        ['ext="no-store, private", public'],
        ["public, no-cache"],
    ],
)
def test_public_and_s_maxage_are_for_shared_caches(lines: list[str]) -> None:
    assert shared(*(("cache-control", line) for line in lines))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [""],
        ["max-age=60"],
        ["private"],
        ["x-public, publicity"],
        ['ext="a, public"'],
        ["public, private"],
        ["public", "No-Store"],
        ["PRIVATE, s-maxage=60"],
    ],
)
def test_private_and_no_store_are_not_for_shared_caches(lines: list[str]) -> None:
    """Nor is a response that says nothing about them."""
    assert not shared(("X-Other", "public"), *(("Cache-Control", line) for line in lines))


@pytest.mark.parametrize("field", TARGETED)
def test_field_that_overrides_cache_control_is_for_shared_caches(field: tuple[str, str]) -> None:
    assert shared(field)
    assert shared(("Cache-Control", "private, no-store"), field)


@pytest.mark.parametrize(
    "field",
    [
        ("CDN-Cache-Control", "no-store"),
        ("CDN-Cache-Control", "max-age=60, Private"),
        ("CDN-Cache-Control", "max-age=0"),
        ("CDN-Cache-Control", ""),
        ("X-LiteSpeed-Cache-Control", "no-cache"),
        ("X-Accel-Expires", "0"),
        ("X-Accel-Expires", "off"),
        ("Edge-Control", "!no-store,bypass-cache"),
    ],
)
def test_field_that_overrides_cache_control_may_forbid_to_store(field: tuple[str, str]) -> None:
    """What Cache-Control says counts for the other caches."""
    assert not shared(field)
    assert not shared(field, ("Cache-Control", "private"))
    assert shared(field, ("Cache-Control", "public"))
    assert shared(field, ("Surrogate-Control", "max-age=60"))


@given(ITEMS, st.sampled_from(["public", "private", "no-store", "s-maxage=1", ""]), ITEMS)
def test_what_was_kept_private_is_not_for_shared_caches(
    before: list[str], word: str, behind: list[str]
) -> None:
    fields = [("Cache-Control", ", ".join([*before, word, *behind])), *TARGETED]
    assert keep_private(fields, names_of(fields))
    assert not shared(*fields)


# An error page in place of a response


def comparisons(count: int) -> int:
    """Return how often two values are compared if a response had so many other fields."""
    compared = 0

    class Value(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    before: Fields = [("X-A", Value(number)) for number in range(count)]
    page: Fields = []
    carry_over(
        before, [*before, ("Set-Cookie", "session=a"), ("Vary", "Cookie")], page, keep_private
    )
    assert page[-1] == ("Cache-Control", "private")
    return compared


def test_what_is_carried_over_is_found_in_linear_time() -> None:
    assert comparisons(2000) <= 3 * 2000
