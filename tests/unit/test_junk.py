"""What a client may send: forged, foreign and endless cookies, of which none does any harm."""

import json
import random
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer
from werkzeug.datastructures import Headers

from sessionware import SecureCookieSessionInterface, Session
from sessionware.cookie import SessionCookie
from tests.attacks.steps import lines_run
from tests.conftest import Clock
from tests.gateway import KEY, make_environ

OLDER_KEY = "the secret key of last year, which is out of use"
INTERFACE = SecureCookieSessionInterface(KEY, secret_key_fallbacks=[OLDER_KEY])
HEADERS = 100_000


def open_session(header: str) -> Session:
    session = INTERFACE.open_session(make_environ(header))
    assert isinstance(session, Session)
    return session


def sign(text: str, key: str = KEY, **settings: Any) -> str:
    """A cookie's value as an interface with these settings signs it, whatever the text is."""
    return SecureCookieSessionInterface(key, **settings).codec.encode(text, int(time.time()))


def find_naively(header: str) -> list[str]:
    """Split at ``;``, trim space and tab, compare what stands before the first ``=``."""
    pairs = [part.strip(" \t").partition("=") for part in header.split(";")]
    return [value for name, equals, value in pairs if name == "session" and equals][:8]


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
        ("session= a b ", [" a b"]),
        ("session =a", []),
        ("session=a=b==", ["a=b=="]),
        ("session=a; session=b; session=a", ["a", "b", "a"]),
        ("session=a,session=b", ["a,session=b"]),
        ("session=a session=b", ["a session=b"]),
        ("Session=a; SESSION=b; sessioN=c", []),
        ("xsession=a; x session=b; -session=c; sessionx=d", []),
        ("=session=a; session=b", ["b"]),
        ("==session=a; session==b", ["=b"]),
        ('x="a; session=b; c"', ["b"]),
        ('session="a"', ['"a"']),
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
def test_a_header_is_read_exactly(header: str, values: list[str]) -> None:
    assert SessionCookie().find(header) == values


@pytest.mark.parametrize(
    "space",
    [*"\xa0\x85\x0b\x0c\x1c\0\u2003\u3000\ufeff", "\xe2\x80\x83"],
)
def test_only_space_and_tab_are_trimmed(space: str) -> None:
    """A page may set ``<U+2003>__Host-id``, which is not held to the rules of ``__Host-id``."""
    cookie = SessionCookie("__Host-id")
    for forged in (f"{space}__Host-id=bad", f" {space} __Host-id=bad", f"__Host-id{space}=bad"):
        assert cookie.find(f"{forged}; __Host-id=good;{forged}") == ["good"]
    assert cookie.find(f"__Host-id={space}a{space}") == [f"{space}a{space}"]


@pytest.mark.parametrize("name", ["$a.b|c", "a*", "^a", "a+"])
def test_a_name_is_no_pattern(name: str) -> None:
    assert SessionCookie(name).find(f"aab=0; {name}=1; axb=2; aa=3; a=4") == ["1"]


@given(
    st.lists(
        st.sampled_from(["session=", "session", *'=; \tsx"$,\xa0\u2003']) | st.text(max_size=3),
        max_size=60,
    ).map("".join)
)
@settings(max_examples=1000)
def test_a_header_is_read_as_three_rules_say(header: str) -> None:
    assert SessionCookie().find(header) == find_naively(header)


FLOODS = [
    *("session=", ";", " ", "\t", "=", "session=;", "session=a; ", "x session=", " session="),
    *("x \t session=", "session ;", "=session=", "xsession=;", "session", "\xa0session=;"),
]


def find(header: str) -> list[str]:
    return SessionCookie().find(header)


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_takes_time_in_proportion_to_its_length(flood: str) -> None:
    """Of twice the length no more than twice the steps; a megabyte is read at once."""
    times = 64 * 1024 // len(flood)
    assert lines_run(flood * times * 2, find) <= 2 * lines_run(flood * times, find)
    start = time.perf_counter()
    SessionCookie().find(flood * times * 16 + "; session=a")
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
    ],
)
def test_no_neighbour_logs_anyone_out(header: str) -> None:
    token = sign('[0,{"user":"ann"}]')
    assert open_session(header.format(f"session={token}")) == {"user": "ann"}


@pytest.mark.parametrize(
    "header",
    [
        *("Session={}", "xsession={}", "=session={}", "\xa0session={}", "session ={}", "{}"),
        *('session="{}"', "session={}x", "session=x{}", "session={}=", "session=,session={}"),
        *("session={}\xa0", "session=%20{}", "session={}\r\n", "session=;" * 8 + "session={}"),
    ],
)
def test_what_is_not_exactly_the_cookie_logs_nobody_in(header: str) -> None:
    session = open_session(header.format(sign('[0,{"user":"ann"}]')))
    assert session.new
    assert session == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.dictionaries(st.sampled_from([f"!{tag}" for tag in "bdntsu!x"] + ["!dt"]), inner)
    ),
)
ALMOST = st.tuples(
    st.integers(-100, 100) | JSON, st.dictionaries(st.text(max_size=3), JSON, max_size=3) | JSON
)


@given(JSON | ALMOST | st.tuples(ALMOST, JSON).map(lambda pair: [*pair[0], pair[1]]))
@settings(max_examples=1000)
def test_whatever_json_is_signed_only_our_envelope_opens(value: Any) -> None:
    """An envelope is a list: an age in seconds, a dict, and it may be an id."""
    session = open_session(f"session={sign(json.dumps(value))}")
    is_new, data = session.new, dict(session)
    match [*value] if value.__class__ in (list, tuple) else None:
        case [int(age), dict(), *rest] if age >= -60 and age.__class__ is int and len(rest) < 2:
            fits = all(isinstance(name, str) and re.fullmatch(r"[\w-]+", name) for name in rest)
        case _:
            fits = False
    assert fits or (is_new, data) == (True, {})
    INTERFACE.save_session(make_environ(), session, Headers())


@pytest.mark.parametrize(
    "text",
    [
        *("", "[", "[0,{}", "[0,{}]]", "\0", "[0,{},]", "[0,{'a':1}]", "0", "null", '"ab"', "[]"),
        *("{}", "[0]", "[{}]", "[{},0]", "[0,[]]", '["0",{"a":1}]', '[0,{"!t":[]}]'),
        *('[0.0,{"a":1}]', '[true,{"a":1}]', '[null,{"a":1}]', '[-61,{"a":1}]'),
        *('[0,{"a":1},""]', '[0,{"a":1},1]', '[0,{"a":1},"i\\"d"]', '[0,{"a":1},"id",0]'),
        *('[0,{"a":1},null]', '{"!t":[0,{"a":1}]}', '{"!t":[0,{"a":1},"id"]}', '[0,{"a":NaN}]'),
    ],
)
def test_signed_text_that_is_not_our_envelope_is_a_new_session(text: str) -> None:
    session = open_session(f"session={sign(text)}")
    assert session.new
    assert session == {}


def signed_cookies(clock: Clock) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Cookies that are valid, with what they hold, and signed ones that are not."""
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
    """The token with something wrong in it, most of the time."""
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
    """A Cookie header of some cookies: valid, spoilt, renamed, quoted, and whole floods."""
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


def test_a_hundred_thousand_headers_open_only_what_was_signed(clock: Clock) -> None:
    valid, bad = signed_cookies(clock)
    rng = random.Random(20260101)  # noqa: S311  # the same headers in every run
    opened = 0
    for _ in range(HEADERS):
        header = make_header(rng, [*valid, *bad])
        session = open_session(header)
        expected = next((valid[token] for token in find_naively(header) if token in valid), None)
        assert (session.new, dict(session)) == (expected is None, expected or {}), header
        opened += not session.new
    assert HEADERS * 0.1 < opened < HEADERS * 0.9
