"""Reading the Cookie header, writing Set-Cookie, and the settings of the cookie."""

import json
import logging
import random
import re
import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer
from webtest import TestApp

from sessionware import ConfigurationError, SecureCookieSessionInterface, SessionMiddleware
from sessionware.cookie import SessionCookie, former_cookie, host_of, is_ip, is_localhost, others
from sessionware.migration import FlaskCookie
from tests.attacks.lines_run import lines_run
from tests.conftest import Clock
from tests.gateway import KEY, OLDER_KEY, call, make_environ, run
from tests.unit.applications import acting
from tests.unit.sessions import opened, sign

TOKEN = "letters, digits and !#$%&'*+-.^_`|~"
HOST = "an ASCII host name without a port (or None)"
PATH = "ASCII text that begins with '/'"
SAMESITE = "'Lax', 'Strict', 'None' or None"
SECONDS = "expected a timedelta or a number of seconds, from 1 second to 1,000,000,000 days"
FROM_ZERO = SECONDS.replace("1 second", "0 seconds")
KEY_SIZE = "expected a str or bytes of at least 16 bytes; python -m sessionware secret prints one"
OVER_HTTP = (
    "A Secure session cookie was set over http, and browsers drop it there: serve https, or set "
    "cookie_secure='auto' and a cookie_name without a prefix; behind a proxy that ends TLS, put "
    "werkzeug's ProxyFix around SessionMiddleware (insecure_transport)."
)
PREFIXES = ("__Host-", "__Secure-", "__Http-", "__Host-Http-")


def writer(environ: Any, start_response: Any) -> list[bytes]:
    environ["session"]["user"] = "ann"
    start_response("200 OK", [])
    return []


def problems(**settings: Any) -> tuple[str, ...]:
    """Return the problems of these settings as text."""
    with pytest.raises(ConfigurationError) as caught:
        SessionMiddleware(writer, **{"secret_key": KEY} | settings)
    return tuple(map(str, caught.value.problems))


def attributes(scheme: str = "http", /, **settings: Any) -> set[str]:
    """Return the attributes of the cookie that is set with these settings."""
    response = call(SessionMiddleware(writer, KEY, **settings), wsgi__url_scheme=scheme)
    pair, *rest = (response.set_cookie or "").split("; ")
    assert re.fullmatch(r"[^=]+=[\w.-]+", pair)
    return set(rest)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "Path=/; HttpOnly; SameSite=Lax"),
        ({"cookie_domain": "a.example"}, "Domain=a.example; Path=/; HttpOnly; SameSite=Lax"),
        ({"cookie_domain": ".xn--a-b.de"}, "Domain=.xn--a-b.de; Path=/; HttpOnly; SameSite=Lax"),
        ({"cookie_path": "/a,b=1~"}, "Path=/a,b=1~; HttpOnly; SameSite=Lax"),
        ({"cookie_httponly": False}, "Path=/; SameSite=Lax"),
        ({"cookie_samesite": None}, "Path=/; HttpOnly"),
        ({"cookie_samesite": "Strict"}, "Path=/; HttpOnly; SameSite=Strict"),
        ({"cookie_secure": True}, "Secure; Path=/; HttpOnly; SameSite=Lax"),
        (
            {"cookie_secure": True, "cookie_samesite": "None"},
            "Secure; Path=/; HttpOnly; SameSite=None",
        ),
        (
            {"cookie_name": "__Host-id", "cookie_samesite": "None", "cookie_partitioned": True},
            "Secure; Path=/; HttpOnly; SameSite=None; Partitioned",
        ),
    ],
)
def test_cookie_has_the_attributes_of_the_settings(settings: Any, expected: str) -> None:
    """It has no others, so by default it has no Domain and ends with the browser."""
    assert attributes(**settings) == set(expected.split("; "))


@pytest.mark.parametrize(
    ("secure", "over_http", "over_https"),
    [("auto", False, True), (True, True, True), (False, False, False)],
)
def test_secure_is_always_never_or_by_the_scheme(
    secure: Any, over_http: bool, over_https: bool
) -> None:
    assert ("Secure" in attributes("http", cookie_secure=secure)) is over_http
    assert ("Secure" in attributes("https", cookie_secure=secure)) is over_https


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_auto_is_always_secure_with_a_prefixed_name(prefix: str, scheme: str) -> None:
    """Browsers require Secure for a prefixed name, over http too."""
    assert "Secure" in attributes(scheme, cookie_name=f"{prefix}id")


@pytest.mark.parametrize("settings", [{"cookie_secure": True}, {"cookie_name": "__Host-id"}])
def test_secure_cookie_over_http_logs_one_warning(
    caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    """Browsers drop the cookie without a message."""
    app = SessionMiddleware(writer, KEY, **settings)
    environ = {"HTTP_HOST": "shop.example"}
    assert all("; Secure" in (run(app, make_environ() | environ).set_cookie or "") for _ in "123")
    [record] = caplog.records
    assert (record.name, record.levelno) == ("sessionware", logging.WARNING)
    assert (record.getMessage(), vars(record)["reason"]) == (OVER_HTTP, "insecure_transport")


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", "auto"), ("http", False)])
def test_cookie_that_browsers_keep_logs_no_warning(
    caplog: pytest.LogCaptureFixture, scheme: str, secure: Any
) -> None:
    assert attributes(scheme, cookie_secure=secure)
    assert caplog.records == []


@pytest.mark.parametrize(
    "junk",
    ["\r", "\n", "\r\nX-Evil: 1", ";", "; Secure", "\0", "\x7f", " ", "\t", "é", "\u2028", "🍪"],
)
@pytest.mark.parametrize(
    ("setting", "good", "expected"),
    [
        ("cookie_name", "session", TOKEN),
        ("cookie_path", "/a", PATH),
        ("cookie_domain", "example.com", HOST),
        ("cookie_samesite", "Lax", SAMESITE),
        ("cookie_secure", "auto", "True, False or 'auto'"),
        ("cookie_httponly", "", "True or False"),
        ("cookie_partitioned", "", "True or False"),
    ],
)
def test_no_setting_injects_a_header(setting: str, good: str, expected: str, junk: str) -> None:
    """Control characters, ``;``, spaces and non-ASCII are refused in any position."""
    for bad in (junk + good, good + junk, f"{good}{junk}{good}", good[:1] + junk + good[1:]):
        assert problems(**{setting: bad}) == (f"{setting}: found {bad!r}, expected {expected}",)


@pytest.mark.parametrize(
    ("setting", "expected", "values"),
    [
        ("cookie_name", TOKEN, ["", "a=b", "a,b", 'a"b', "(a)", "a@b", "a/b", "{a}", "a:b", "a?"]),
        ("cookie_path", PATH, ["", "shop", ".", "\\"]),
        ("cookie_domain", HOST, ["", ".", "a..b", "a.", "example.com:80", "http://a", "a/b"]),
    ],
)
def test_text_of_the_wrong_form_is_refused(setting: str, expected: str, values: list[str]) -> None:
    for value in values:
        assert problems(**{setting: value}) == (f"{setting}: found {value!r}, expected {expected}",)


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("cookie_name", None, f"found NoneType, expected {TOKEN}"),
        ("cookie_name", b"session", f"found bytes, expected {TOKEN}"),
        ("cookie_path", None, f"found NoneType, expected {PATH}"),
        ("cookie_domain", False, f"found bool, expected {HOST}"),
        ("cookie_secure", 1, "found 1, expected True, False or 'auto'"),
        ("cookie_secure", 0, "found 0, expected True, False or 'auto'"),
        ("cookie_secure", None, "found None, expected True, False or 'auto'"),
        ("cookie_secure", "true", "found 'true', expected True, False or 'auto'"),
        ("cookie_httponly", 1, "found 1, expected True or False"),
        ("cookie_httponly", 0, "found 0, expected True or False"),
        ("cookie_httponly", "yes", "found 'yes', expected True or False"),
        ("cookie_partitioned", 1.0, "found 1.0, expected True or False"),
        ("cookie_partitioned", None, "found None, expected True or False"),
        ("cookie_samesite", "lax", f"found 'lax', expected {SAMESITE}"),
        ("cookie_samesite", "", f"found '', expected {SAMESITE}"),
        ("cookie_samesite", False, f"found False, expected {SAMESITE}"),
        ("cookie_samesite", [], f"found [], expected {SAMESITE}"),
    ],
)
def test_value_of_the_wrong_type_or_case_is_refused(
    setting: str, value: object, sentence: str
) -> None:
    assert problems(**{setting: value}) == (f"{setting}: {sentence}",)


@pytest.mark.parametrize(("setting", "first"), [("cookie_path", "/"), ("cookie_domain", "a")])
def test_an_attribute_of_more_than_1024_bytes_is_refused(setting: str, first: str) -> None:
    assert any(item.endswith("aaa") for item in attributes(**{setting: first + "a" * 1023}))
    assert problems(**{setting: first + "a" * 1024}) == (
        f"{setting}: found 1025 bytes, expected at most 1024: browsers ignore more",
    )


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefixed_name_requires_secure(prefix: str) -> None:
    assert problems(cookie_name=f"{prefix}id", cookie_secure=False) == (
        f"cookie_secure: found False, expected True or 'auto' for a name with {prefix!r}",
    )


@pytest.mark.parametrize("prefix", ["__Http-", "__Host-Http-"])
def test_http_prefix_requires_httponly(prefix: str) -> None:
    assert problems(cookie_name=f"{prefix}id", cookie_httponly=False) == (
        f"cookie_httponly: found False, expected True for a name with {prefix!r}",
    )


@pytest.mark.parametrize("prefix", ["__Host-", "__Host-Http-"])
def test_host_prefix_requires_path_and_forbids_domain(prefix: str) -> None:
    name = f"{prefix}id"
    assert problems(cookie_name=name, cookie_path="/shop", cookie_domain="example.com") == (
        f"cookie_path: found '/shop', expected '/' for a name with {prefix!r}",
        f"cookie_domain: found 'example.com', expected None for a name with {prefix!r}",
    )


def test_prefixes_require_no_more_than_browsers_do() -> None:
    anywhere = {"cookie_path": "/shop", "cookie_domain": "a.example"}
    for name in ("__Secure-id", "__Http-id"):
        assert {"Path=/shop", "Domain=a.example"} < attributes(cookie_name=name, **anywhere)
    for name in ("__Secure-id", "__Host-id"):
        assert "HttpOnly" not in attributes(cookie_name=name, cookie_httponly=False)


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("__host-id", "__Host-"),
        ("__HOST-id", "__Host-"),
        ("_Host-id", "__Host-"),
        ("_host-id", "__Host-"),
        ("__secure-id", "__Secure-"),
        ("_Secure-id", "__Secure-"),
        ("__HTTP-id", "__Http-"),
        ("_Http-id", "__Http-"),
        ("__host-http-id", "__Host-Http-"),
        ("__Host-http-id", "__Host-Http-"),
        ("_Host-Http-id", "__Host-Http-"),
    ],
)
def test_misspelt_prefix_is_refused(name: str, prefix: str) -> None:
    """Browsers ignore the case of prefixes, and drop cookies that break their rules."""
    assert problems(cookie_name=name) == (
        f"cookie_name: found {name!r}, which some browsers treat like the prefix {prefix!r}; "
        "spell the prefix exactly like that, or use another name",
    )


@pytest.mark.parametrize("name", ["host-id", "my__Host-id", "__Hostid", "__Session-id"])
def test_name_may_contain_part_of_a_prefix(name: str) -> None:
    assert "Secure" not in attributes(cookie_name=name)


@pytest.mark.parametrize("secure", ["auto", False])
@pytest.mark.parametrize(
    ("setting", "value", "shown"),
    [
        ("cookie_samesite", "None", "cookie_samesite='None'"),
        ("cookie_partitioned", True, "cookie_partitioned=True"),
    ],
)
def test_cookie_for_other_sites_requires_secure(
    setting: str, value: object, shown: str, secure: object
) -> None:
    """``"auto"`` is not enough, because over http browsers would drop the cookie."""
    assert problems(**{setting: value}, cookie_secure=secure) == (
        f"cookie_secure: found {secure!r}, expected True with {shown}",
    )


def test_every_problem_of_every_setting_is_in_one_message() -> None:
    with pytest.raises(ConfigurationError) as caught:
        SessionMiddleware(
            writer,
            b"hush",
            secret_key_fallbacks=["", "0123456789abcdef", 7],  # type: ignore[list-item]
            salt=None,  # type: ignore[arg-type]
            cookie_name="sess ion",
            cookie_path="shop",
            cookie_samesite="lax",  # type: ignore[arg-type]
            idle_timeout=0,
            absolute_timeout=True,
            refresh_after=timedelta(-1),
            cookie_nmae="sid",  # type: ignore[call-arg]
            colour="red",
        )
    assert str(caught.value).splitlines() == [
        "Invalid sessionware configuration:",
        "cookie_nmae: unknown setting; did you mean cookie_name?",
        "colour: unknown setting",
        f"cookie_name: found 'sess ion', expected {TOKEN}",
        f"cookie_path: found 'shop', expected {PATH}",
        f"cookie_samesite: found 'lax', expected {SAMESITE}",
        f"idle_timeout: found 0, {SECONDS}",
        f"absolute_timeout: found bool, {SECONDS}",
        f"refresh_after: found datetime.timedelta(days=-1), {FROM_ZERO}",
        f"secret_key: found 4 bytes, {KEY_SIZE}",
        f"secret_key_fallbacks[0]: found 0 bytes, {KEY_SIZE}",
        f"secret_key_fallbacks[2]: found int, {KEY_SIZE}",
        "salt: found NoneType, expected a str",
    ]


def test_wrong_value_does_not_hide_a_wrong_combination() -> None:
    assert problems(cookie_domain="exa mple", cookie_samesite="None") == (
        f"cookie_domain: found 'exa mple', expected {HOST}",
        "cookie_secure: found 'auto', expected True with cookie_samesite='None'",
    )


# The Cookie header: which characters belong to a name or a value


OTHERS = sorted({*map(chr, range(256))} - {*"; \t"})
IN_VALUES = [it for it in OTHERS if it not in ',"']


def test_every_character_but_space_and_tab_makes_another_name() -> None:
    find = SessionCookie().find
    assert [it for it in OTHERS if find(f"{it}session=a; x{it}session=b")] == []


def test_every_character_but_space_tab_comma_and_quotes_belongs_to_the_value() -> None:
    find = SessionCookie().find
    assert [find(f"session={it}a{it}; x=1") for it in IN_VALUES] == [
        [f"{it}a{it}"] for it in IN_VALUES
    ]


def find_naively(header: str) -> list[str]:
    """Split at ``;``, trim spaces and tabs, and compare the names before the first ``=``."""
    pairs = [part.strip(" \t").partition("=") for part in header.split(";")]
    return [
        without_quotes(value.split(",")[0].strip(" \t"))
        for name, equals, value in pairs
        if name == "session" and equals
    ][:8]


def without_quotes(value: str) -> str:
    """Return what is between the quotes if the value begins with one and ends with another."""
    pair = len(value) >= 2 and value[0] == '"' and value[-1] == '"'
    return value[1:-1] if pair else value


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("", []),
        ("session=a", ["a"]),
        ("session=", [""]),
        ("session", []),
        ("session;=;;; ;", []),
        ("x=1; session=a; y=2", ["a"]),
        ("x=1;session=a;y=2", ["a"]),
        ("; ;\t;session=a;;", ["a"]),
        (" \t session=a \t ", ["a"]),
        ("session= a b ", ["a b"]),
        ("session=\t a\t ;", ["a"]),
        ("session =a", []),
        ("session=a=b==", ["a=b=="]),
        ("session=a; session=b; session=a", ["a", "b", "a"]),
        ("session=a,session=b", ["a"]),
        ("session=a, session=b; session=c", ["a", "c"]),
        ("session=a ,x=1", ["a"]),
        ("session=,a", [""]),
        ("session=,;session=a,;", ["", "a"]),
        ("x=1,session=a", []),
        ("x=1, session=a; session=b", ["b"]),
        (",session=a", []),
        (",;session=a", ["a"]),
        ("session=a session=b", ["a session=b"]),
        ("Session=a; SESSION=b; sessioN=c", []),
        ("xsession=a; x session=b; -session=c; sessionx=d", []),
        ("=session=a; session=b", ["b"]),
        ("==session=a; session==b", ["=b"]),
        ('x="a; session=b; c"', ["b"]),
        ('session="a"', ["a"]),
        ('session="a" ; session=\t"b"', ["a", "b"]),
        ('session="a",x="b"', ["a"]),
        ('session="a, b"', ['"a']),
        ('session=" a "', [" a "]),
        ('session=""', [""]),
        ('session="', ['"']),
        ('session="a', ['"a']),
        ('session=a"', ['a"']),
        ('session=""a""', ['"a"']),
        ("session='a'", ["'a'"]),
        ('"session=a"; x="session=b; y="z;"session=c', []),
        ('session="a;b"; session="c\\073', ['"a', '"c\\073']),
        ('$Version=1; session="a; other=secret; x=b"', ['"a']),
        ("$Version=1; session=a; $Path=/; $session=b", ["a"]),
        ("session=%61", ["%61"]),
        ("x=\xff\xfe; session=a; \x80", ["a"]),
        ("session=\xe2\x80", ["\xe2\x80"]),
        ("\r\nsession=a; session=b\n", ["b\n"]),
        ("; ".join(f"session={number}" for number in range(20)), list("01234567")),
    ],
)
def test_header_is_read_exactly(header: str, values: list[str]) -> None:
    assert SessionCookie().find(header) == values


@pytest.mark.parametrize(
    "space",
    [*"\xa0\x85\x0b\x0c\x1c\0\u2003\u3000\ufeff", "\xe2\x80\x83"],
)
def test_only_space_and_tab_are_trimmed(space: str) -> None:
    """Any page may set ``<U+2003>__Host-id``, because it does not begin with ``__Host-``."""
    cookie = SessionCookie(name="__Host-id")
    for forged in (f"{space}__Host-id=bad", f" {space} __Host-id=bad", f"__Host-id{space}=bad"):
        assert cookie.find(f"{forged}; __Host-id=good;{forged}") == ["good"]
    assert cookie.find(f"__Host-id={space}a{space}") == [f"{space}a{space}"]


@pytest.mark.parametrize("name", ["$a.b|c", "a*", "^a", "a+"])
def test_name_is_not_a_pattern(name: str) -> None:
    assert SessionCookie(name=name).find(f"aab=0; {name}=1; axb=2; aa=3; a=4") == ["1"]


@given(
    st.lists(
        st.sampled_from(["session=", "session", *'=; \tsx"$,\xa0\u2003']) | st.text(max_size=3),
        max_size=60,
    ).map("".join)
)
@settings(max_examples=500)
def test_header_is_read_like_the_naive_reader(header: str) -> None:
    assert SessionCookie().find(header) == find_naively(header)


FLOODS = [
    "session=",
    ";",
    " ",
    "\t",
    "=",
    "session=;",
    "session=a; ",
    "x session=",
    " session=",
    "x \t session=",
    "session ;",
    "=session=",
    "xsession=;",
    "session",
    "\xa0session=;",
    "session=,",
    "session=a,session=b;",
    ",",
    '"',
    'session="";',
    'session="',
]


@pytest.mark.parametrize("flood", FLOODS)
def test_reading_takes_linear_time(flood: str) -> None:
    """Twice the length takes at most twice the steps, and a megabyte less than two seconds."""
    times = 64 * 1024 // len(flood)

    def find(header: str) -> list[str]:
        return SessionCookie().find(header)

    assert lines_run(flood * times * 2, find) <= 2 * lines_run(flood * times, find)
    start = time.perf_counter()
    find(flood * times * 16 + "; session=a")
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    "header",
    [
        "session=forged; {}",
        "{}; session=forged",
        "session=e30.aWg0gA.c2lnbmF0dXJl; {}; session=e30.aWg0gA.c2lnbmF0dXJl",
        "session=;" * 7 + "{};" + "session=;" * 7,
        "session=\xff; {}; \xfe\xff=\x80",
        'x="; {}; y="',
        '$Version=1; {}; $Path="/"',
        "=session=forged; =; {}; session",
        "Session=forged; \xa0session=forged; xsession=forged; {}",
        f"session={'x' * 65536}; {{}}",
        ";\t {} \t;",
        "{},x=1",
        "x=1; {}, session=forged",
    ],
)
def test_other_cookies_do_not_hide_the_session(header: str) -> None:
    token = sign('[0,{"user":"ann"}]')
    assert opened(header.format(f"session={token}")) == {"user": "ann"}


@pytest.mark.parametrize(
    "header",
    [
        "Session={}",
        "xsession={}",
        "=session={}",
        "\xa0session={}",
        "session ={}",
        "{}",
        'session=""{}""',
        'session="{}',
        "session=x,session={}",
        "x=1,session={}",
        "session={}x",
        "session=x{}",
        "session={}=",
        "session=,session={}",
        "session={}\xa0",
        "session=%20{}",
        "session={}\r\n",
        "session=;" * 8 + "session={}",
    ],
)
def test_other_names_and_values_do_not_open_a_session(header: str) -> None:
    session = opened(header.format(sign('[0,{"user":"ann"}]')))
    assert session.new
    assert session == {}


@pytest.mark.parametrize(
    "header", ['session="{}"', 'x=1; session= "{}"\t; y=2', 'session="{}",x=1']
)
def test_a_client_may_quote_the_session(header: str) -> None:
    """WebTest's ``set_cookie`` and old clients of RFC 2109 do."""
    assert opened(header.format(sign('[0,{"user":"ann"}]'))) == {"user": "ann"}


def test_session_that_webtest_sets_is_opened() -> None:
    """Its ``set_cookie`` puts the value into quotes."""
    client = TestApp(acting(lambda session: seen.update(session)))
    seen: dict[str, Any] = {}
    client.set_cookie("session", sign('[0,{"user":"ann"}]'))
    client.get("/")
    assert seen == {"user": "ann"}


HEADERS = 10_000


def signed_cookies(clock: Clock) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return valid cookies with their data, and signed cookies that are invalid."""
    good: list[dict[str, Any]] = [
        {"user": "ann"},
        {"user": "bob", "cart": [1, [2]]},
        {"a": "b" * 99},
    ]
    bad = [sign('[0,{"root":1}]', KEY[::-1]), sign('[0,{"root":1}]', salt="admin")]
    bad += [sign('[0,{"root":1}]', cookie_name="other"), sign('{"root":1}'), sign("[0,[1]]")]
    bad.append(str(URLSafeTimedSerializer(KEY).dumps([0, {"root": 1}])))
    for seconds in (32 * 24 * 60 * 60, -61):
        clock.advance(-seconds)
        bad.append(sign('[0,{"root":1}]'))
        clock.advance(seconds)
    valid = {sign(f"[0,{json.dumps(data)}]"): data for data in good}
    valid |= {sign(f'[9,{json.dumps(data)},"id"]', OLDER_KEY): data for data in good}
    return valid, bad


def spoil(rng: random.Random, token: str, other: str) -> str:
    """Return the token with a random defect, most of the time."""
    here, there = sorted((rng.randrange(len(token)), rng.randrange(len(token))))
    return rng.choice(
        (
            token[:here] + rng.choice("aZ0-_.=\"'; \xa0\u2003%\0") + token[here + 1 :],
            token[:here] + token[there:],
            token[:here] + token[here:there].swapcase() + token[there:],
            token[:here] + other[here:],
            ".".join(
                rng.choice(pair) for pair in zip(token.split("."), other.split("."), strict=False)
            ),
            rng.randbytes(rng.randrange(40)).decode("latin-1"),
        )
    )


def make_header(rng: random.Random, tokens: list[str]) -> str:
    """Return a Cookie header of valid, spoilt, renamed, quoted and repeated cookies."""
    parts = []
    for _ in range(rng.randrange(1, 10)):
        token = rng.choice(tokens)
        if rng.random() < 0.8:
            token = spoil(rng, token, rng.choice(tokens))
        name = rng.choice(
            ("session", "session", "session", "Session", "xsession", "=session", "\xa0")
        )
        parts.append(
            rng.choice(("{}={}", "{}={}", " {}={}\t", '{}="{}"', "{}{}")).format(name, token)
        )
    if rng.random() < 0.01:
        parts.insert(rng.randrange(3), rng.choice(FLOODS) * rng.randrange(2000))
    return rng.choice(("; ", "; ", ";", ",", ";;\t")).join(parts)


def test_ten_thousand_headers_open_only_valid_cookies(clock: Clock) -> None:
    valid, bad = signed_cookies(clock)
    rng = random.Random(20260101)  # noqa: S311  # the same headers in every run
    accepted = 0
    for _ in range(HEADERS):
        header = make_header(rng, [*valid, *bad])
        session = opened(header)
        expected = next((valid[token] for token in find_naively(header) if token in valid), None)
        assert (session.new, dict(session)) == (expected is None, expected or {}), header
        accepted += not session.new
    assert HEADERS * 0.1 < accepted < HEADERS * 0.9


# Cookies that are not made by the settings


def test_defaults_are_those_of_the_settings() -> None:
    """They include HttpOnly and SameSite=Lax, so an omitted argument is safe."""
    assert SessionCookie() == SecureCookieSessionInterface(KEY).cookie


def test_deleting_a_secure_cookie_of_another_framework_over_http_logs_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Our settings could not change that cookie."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        session = environ["session"]
        session.invalidate() if session else session.update(user="ada")
        start_response("200 OK", [])
        return []

    foreign = FlaskCookie(KEY, session_cookie_name="__Host-old")
    middleware = SessionMiddleware(app, KEY, migrate_from=[foreign])
    reply = call(middleware, call(middleware).cookie)
    assert "__Host-old=; " in str(reply.headers)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# Which host keeps the cookie (RFC 6265bis, section 5.1.3)


IPS = ["127.0.0.1", "10.1.2.3", "::1", "2001:db8::1", "[::1]", "[2001:DB8::1]", "fe80::1%eth0"]
NAMES = [
    "localhost",
    "shop.example",
    "1.2.3.4.example",
    "1.2.3",
    "a:b",
    "[",
    "[]",
    "",
    "\xff",
    "::g",
]


@pytest.mark.parametrize("host", [*NAMES, *IPS])
def test_cookie_without_a_domain_reaches_every_host(host: str) -> None:
    assert SessionCookie().reaches(host)


@pytest.mark.parametrize(
    "domain", ["shop.example", ".shop.example", "SHOP.example", ".Shop.Example"]
)
def test_cookie_reaches_its_domain_and_all_hosts_below(domain: str) -> None:
    """The case and a leading dot make no difference."""
    reaches = SessionCookie(domain=domain).reaches
    for host in ("shop.example", "www.shop.example", "a.b.shop.example", "WWW.shop.EXAMPLE"):
        assert reaches(host)
    for host in ("example", "my-shop.example", "shop.example.org", "localhost", "", "shop", *IPS):
        assert not reaches(host)


def test_cookie_of_a_top_level_domain_reaches_nothing_below() -> None:
    """Browsers refuse it for every host but one that has this very name."""
    assert SessionCookie(domain="intranet").reaches("intranet")
    assert not SessionCookie(domain="com").reaches("shop.com")


def test_cookie_reaches_an_ip_address_only_if_it_is_identical() -> None:
    assert SessionCookie(domain="127.0.0.1").reaches("127.0.0.1")
    assert not SessionCookie(domain="0.0.1").reaches("127.0.0.1")
    assert not SessionCookie(domain="127.0.0.1").reaches("[::ffff:127.0.0.1]")
    assert SessionCookie(domain="3.4").reaches("1.2.3.4.3.4")  # which is no address


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("shop.example", "shop.example"),
        ("Shop.EXAMPLE:8000", "shop.example"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[2001:DB8::1]:8000", "2001:db8::1"),
        ("::1", "::1"),
        ("shop.example:", "shop.example"),
        (":80", ""),
        ("[::1", "::1"),
        ("[]", ""),
        ("a:b:c", "a:b:c"),
        ("]:[", "]"),
        ("\xff\0;", "\xff\0;"),
    ],
)
def test_host_of_a_request_is_its_name_without_the_port(given: str, host: str) -> None:
    assert host_of(make_environ(HTTP_HOST=given)) == host
    assert host_of(make_environ(SERVER_NAME=given)) == host


def test_host_of_a_request_is_what_the_client_says() -> None:
    """If it says nothing, it is the name of the server."""
    assert host_of(make_environ(HTTP_HOST="a.example", SERVER_NAME="b.example")) == "a.example"
    assert host_of(make_environ(HTTP_HOST="", SERVER_NAME="b.example")) == "b.example"
    assert host_of({}) == ""


@given(
    st.lists(st.sampled_from([*"[]:.%a1 \xff\0", "::", "127"]) | st.text(max_size=2)).map("".join)
)
def test_no_host_raises_an_exception(junk: str) -> None:
    host = host_of(make_environ(HTTP_HOST=junk))
    assert SessionCookie(domain="a").reaches(host) in (True, False)
    assert is_localhost(host) <= (is_ip(host) or host.endswith("localhost"))


@pytest.mark.parametrize("part", [*"[]:.1af%", "1.", "a:", "[:", ".localhost"])
def test_a_host_of_a_megabyte_takes_linear_time(part: str) -> None:
    host = host_of(make_environ(HTTP_HOST=part * (1024 * 1024 // len(part))))
    start = time.perf_counter()
    SessionCookie(domain="a.example").reaches(host)
    is_localhost(host)
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("host", IPS)
def test_an_ip_address_is_recognised(host: str) -> None:
    assert is_ip(host)


@pytest.mark.parametrize("host", NAMES)
def test_a_name_is_not_an_ip_address(host: str) -> None:
    assert not is_ip(host)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "shop.localhost", "127.0.0.1", "127.255.0.9", "::1", "[::1]"]
)
def test_localhost_is_a_name_or_a_loopback_address(host: str) -> None:
    assert is_localhost(host)


@pytest.mark.parametrize(
    "host", ["", "shop.example", "localhost.example", "mylocalhost", "10.0.0.1", "::2", "128.0.0.1"]
)
def test_other_hosts_are_not_localhost(host: str) -> None:
    assert not is_localhost(host)


# The place of a cookie


@pytest.mark.parametrize("settings", [{}, {"name": "id"}, {"secure": True, "samesite": "None"}])
def test_default_place_needs_no_text(settings: Any) -> None:
    """So that a cookie there is no longer for it."""
    assert SessionCookie(**settings).place == ""


PLACES: dict[str, dict[str, Any]] = {
    "/shop": {"path": "/shop"},
    ";a.example": {"domain": "a.example"},
    "/shop;a.example": {"domain": "a.example", "path": "/shop"},
    ";;P": {"partitioned": True, "secure": True, "samesite": "None"},
}


@pytest.mark.parametrize("place", PLACES)
def test_cookie_at_another_place_is_found_by_a_text(place: str) -> None:
    cookie = SessionCookie(**PLACES[place])
    assert cookie.place == place
    assert former_cookie("session", place) == cookie


@pytest.mark.parametrize("place", [f"/{'a' * 2000}", ";.", "/app", ";a.example"])
def test_cookie_that_browsers_refuse_at_a_place_is_not_deleted_there(place: str) -> None:
    assert former_cookie("__Host-session", place) is None


def test_place_of_a_domain_is_the_same_however_it_is_written() -> None:
    domains = "a.example", ".a.example", "A.Example"
    assert len({SessionCookie(domain=domain).place for domain in domains}) == 1


# Which cookies replace each other (RFC 6265bis, section 5.7)


def test_cookies_of_the_same_name_domain_and_path_replace_each_other() -> None:
    own = SessionCookie(domain="a.example")
    same = [SessionCookie(domain=domain) for domain in ("a.example", ".a.example", "A.Example")]
    assert others(own, [own, *same, SessionCookie(domain="a.example", secure=True)]) == []


@pytest.mark.parametrize(
    "settings", [{"name": "id"}, {"domain": "a.example"}, {"path": "/shop"}, {"domain": "example"}]
)
def test_cookies_of_another_name_domain_or_path_are_kept_apart(settings: Any) -> None:
    other = SessionCookie(**settings)
    assert others(SessionCookie(), [other, SessionCookie(), other]) == [other]
    assert others(other, [SessionCookie()]) == [SessionCookie()]


def test_partitioned_cookie_is_another_than_one_that_is_not() -> None:
    """Browsers keep it in a jar of its own (CHIPS)."""
    whole = SessionCookie(secure=True, samesite="None")
    partitioned = SessionCookie(secure=True, samesite="None", partitioned=True)
    assert others(whole, [whole, partitioned]) == [partitioned]
    assert others(partitioned, [whole, partitioned, whole]) == [whole]
