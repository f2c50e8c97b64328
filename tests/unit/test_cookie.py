"""The Cookie header read, the Set-Cookie header written, and the settings of both."""

import logging
import re
from datetime import timedelta
from typing import Any

import pytest

from sessionware import ConfigurationError, SecureCookieSessionInterface, SessionMiddleware
from sessionware.cookie import SessionCookie
from sessionware.migration import FlaskCookie
from tests.gateway import KEY, call

TOKEN = "letters, digits and !#$%&'*+-.^_`|~"
HOST = "an ASCII host name without a port (or None)"
PATH = "ASCII that begins with '/'"
SAMESITE = "'Lax', 'Strict', 'None' or None"
SECONDS = "expected a timedelta or a number of seconds from 1 to 86400000000000"
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
    """What is wrong with these settings, by the sentence."""
    with pytest.raises(ConfigurationError) as caught:
        SessionMiddleware(writer, **{"secret_key": KEY} | settings)
    return caught.value.problems


def attributes(scheme: str = "http", /, **settings: Any) -> set[str]:
    """The attributes of the cookie that these settings make."""
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
def test_the_cookie_has_the_attributes_that_were_asked_for(settings: Any, expected: str) -> None:
    """None else: by default it is for this host, and gone with the browser."""
    assert attributes(**settings) == set(expected.split("; "))


@pytest.mark.parametrize(
    ("secure", "over_http", "over_https"),
    [("auto", False, True), (True, True, True), (False, False, False)],
)
def test_secure_is_always_or_never_or_where_the_request_was(
    secure: Any, over_http: bool, over_https: bool
) -> None:
    assert ("Secure" in attributes("http", cookie_secure=secure)) is over_http
    assert ("Secure" in attributes("https", cookie_secure=secure)) is over_https


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_auto_is_secure_always_with_a_prefixed_name(prefix: str, scheme: str) -> None:
    """A browser wants it for the name, on http too."""
    assert "Secure" in attributes(scheme, cookie_name=f"{prefix}id")


@pytest.mark.parametrize("settings", [{"cookie_secure": True}, {"cookie_name": "__Host-id"}])
def test_a_secure_cookie_over_http_is_sent_and_warned_about_once(
    caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    """A browser drops it, and the silence would be a riddle."""
    app = SessionMiddleware(writer, KEY, **settings)
    assert all("; Secure" in (call(app).set_cookie or "") for _ in range(3))
    [record] = caplog.records
    assert (record.name, record.levelno) == ("sessionware", logging.WARNING)
    assert (record.getMessage(), vars(record)["reason"]) == (OVER_HTTP, "insecure_transport")


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", "auto"), ("http", False)])
def test_a_cookie_that_a_browser_keeps_is_not_warned_about(
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
    """Control characters, ``;``, spaces and non-ASCII are refused, wherever they stand."""
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
def test_a_text_that_is_no_such_thing_is_refused(
    setting: str, expected: str, values: list[str]
) -> None:
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
def test_a_value_that_only_looks_like_what_is_meant_is_refused(
    setting: str, value: object, sentence: str
) -> None:
    assert problems(**{setting: value}) == (f"{setting}: {sentence}",)


@pytest.mark.parametrize(("setting", "first"), [("cookie_path", "/"), ("cookie_domain", "a")])
def test_an_attribute_of_more_than_1024_bytes_is_refused(setting: str, first: str) -> None:
    assert any(item.endswith("aaa") for item in attributes(**{setting: first + "a" * 1023}))
    assert problems(**{setting: first + "a" * 1024}) == (
        f"{setting}: found 1025 bytes, of which a browser keeps 1024",
    )


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_prefixed_name_is_secure(prefix: str) -> None:
    assert problems(cookie_name=f"{prefix}id", cookie_secure=False) == (
        f"cookie_secure: found False, expected True or 'auto' for {prefix!r}",
    )


@pytest.mark.parametrize("prefix", ["__Http-", "__Host-Http-"])
def test_an_http_prefix_is_httponly(prefix: str) -> None:
    assert problems(cookie_name=f"{prefix}id", cookie_httponly=False) == (
        f"cookie_httponly: found False, expected True for a name with {prefix!r}",
    )


@pytest.mark.parametrize("prefix", ["__Host-", "__Host-Http-"])
def test_a_host_prefix_is_for_the_whole_host_and_no_other(prefix: str) -> None:
    name = f"{prefix}id"
    assert problems(cookie_name=name, cookie_path="/shop", cookie_domain="example.com") == (
        f"cookie_path: found '/shop', expected '/' for a name with {prefix!r}",
        f"cookie_domain: found 'example.com', expected None for a name with {prefix!r}",
    )


def test_a_prefix_asks_for_no_more_than_a_browser_does() -> None:
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
def test_a_name_is_not_almost_a_prefix(name: str, prefix: str) -> None:
    """A browser compares prefixes in any case, and drops a cookie that breaks their rules."""
    assert problems(cookie_name=name) == (
        f"cookie_name: found {name!r}, which some browsers take for the prefix {prefix!r}: "
        "expected exactly that, or another name",
    )


@pytest.mark.parametrize("name", ["host-id", "my__Host-id", "__Hostid", "__Session-id"])
def test_a_name_may_hold_a_word_of_a_prefix(name: str) -> None:
    assert "Secure" not in attributes(cookie_name=name)


@pytest.mark.parametrize("secure", ["auto", False])
@pytest.mark.parametrize(
    ("setting", "value", "shown"),
    [
        ("cookie_samesite", "None", "cookie_samesite='None'"),
        ("cookie_partitioned", True, "cookie_partitioned"),
    ],
)
def test_a_cookie_for_other_sites_is_secure(
    setting: str, value: object, shown: str, secure: object
) -> None:
    """``"auto"`` is not enough: over http a browser would drop the cookie."""
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
            refresh_after=timedelta(0),
            cookie_nmae="sid",  # type: ignore[call-arg]
            colour="red",
        )
    assert str(caught.value).splitlines() == [
        "sessionware is configured wrongly:",
        "cookie_nmae: unknown setting; did you mean cookie_name?",
        "colour: unknown setting",
        f"cookie_name: found 'sess ion', expected {TOKEN}",
        f"cookie_path: found 'shop', expected {PATH}",
        f"cookie_samesite: found 'lax', expected {SAMESITE}",
        f"idle_timeout: found 0, {SECONDS}",
        f"absolute_timeout: found bool, {SECONDS}",
        f"refresh_after: found datetime.timedelta(0), {SECONDS}",
        f"secret_key: found 4 bytes, {KEY_SIZE}",
        f"secret_key_fallbacks[0]: found 0 bytes, {KEY_SIZE}",
        f"secret_key_fallbacks[2]: found int, {KEY_SIZE}",
        "salt: found NoneType, expected a str",
    ]


def test_a_wrong_value_hides_no_wrong_combination() -> None:
    assert problems(cookie_domain="exa mple", cookie_samesite="None") == (
        f"cookie_domain: found 'exa mple', expected {HOST}",
        "cookie_secure: found 'auto', expected True with cookie_samesite='None'",
    )


# The Cookie header: which characters belong to a name or a value


OTHERS = sorted({*map(chr, range(256))} - {*"; \t"})


def test_every_character_but_space_and_tab_makes_another_name() -> None:
    find = SessionCookie().find
    assert [it for it in OTHERS if find(f"{it}session=a; x{it}session=b")] == []


def test_every_character_but_space_and_tab_is_of_the_value() -> None:
    find = SessionCookie().find
    assert [find(f"session={it}a{it}; x=1") for it in OTHERS] == [[f"{it}a{it}"] for it in OTHERS]


# A cookie of which little is told, as another framework's that is deleted


def test_a_cookie_is_by_itself_what_it_is_without_settings() -> None:
    """HttpOnly and SameSite=Lax, so that forgetting one never makes it weaker."""
    assert SessionCookie() == SecureCookieSessionInterface(KEY).cookie


def test_deleting_another_framework_s_secure_cookie_over_http_is_not_warned_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing in the settings of ours would change it."""

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
