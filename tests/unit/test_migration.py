"""Readers of other frameworks' cookies: what holds for all five.

Every cookie here is made by the framework itself, unless the test says otherwise.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from sessionware import ConfigurationError, SessionMiddleware
from sessionware.errors import CookieRejected
from sessionware.migration import (
    BeakerCookie,
    DjangoCookie,
    FlaskCookie,
    ForeignCookie,
    PyramidCookie,
    StarletteCookie,
)
from tests.peers.frameworks import PEERS, Settings, Step, View, clock, nothing, put

KEY = Settings().key
OTHER_KEY = "another-key-that-somebody-signs-with"
NOW = 1_800_000_000
HOUR = 3600

Make = Callable[..., ForeignCookie]
MAKERS: dict[str, tuple[Make, str]] = {
    "Flask": (FlaskCookie, "permanent_session_lifetime"),
    "Starlette": (StarletteCookie, "max_age"),
    "Django": (DjangoCookie, "session_cookie_age"),
    "Pyramid": (PyramidCookie, "timeout"),
    "Beaker": (BeakerCookie, "timeout"),
}
every_peer = pytest.mark.parametrize("peer", MAKERS)

# Signed with KEY at NOW; the data is {"user": "alice"}.
LITERALS = {
    # flask 3.1.3, itsdangerous 2.2.0
    "Flask": "eyJ1c2VyIjoiYWxpY2UifQ.a0nSAA.XyVv3hVoU3gesPYzIMdH_Ml6dfs",
    # starlette 1.10.0, itsdangerous 2.2.0
    "Starlette": "eyJ1c2VyIjogImFsaWNlIn0=.a0nSAA.7pZZmSiUJkgHZ0xnKuJMDulG5WA",
    # django 5.2.19
    "Django": "eyJ1c2VyIjoiYWxpY2UifQ:1xocE4:BkUmI5OVardqCGhRCXUiLcaHjqAN7R0QanKnz7HvOIY",
    # pyramid 2.1, webob 1.8.11
    "Pyramid": "ZvnyCpjHa_iz1Ujk7zYYuoUICwWV8mhnbT6zMQ9T4kHA0nIWKYcBaaeuUSGEvm9Qh2KIFSzO9UPYz51M"
    "DYg8R1sxODAwMDAwMDAwLCAxODAwMDAwMDAwLCB7InVzZXIiOiAiYWxpY2UifV0",
    # beaker 1.14.1
    "Beaker": "a6b05f8057dcb806b77ee94c8f59635997adf74aeJxli0EKwzAMBL8SdC40Ianj9jNGlmQqcJwSO6fQ"
    "vzcqvXVPu8zsAYHXBbXAoyt7zpcOwgvb85xwBVvK1tM9DZTQM5Kb/ER4i+xGJxL9OM99NHWvspmLWUm+X9oEm64l"
    "NF3kRIPvfzGKRFKr8D99fwAVuyty",
}


def reader(peer: str, key: str = KEY, limit: Any = HOUR, **settings: Any) -> ForeignCookie:
    """Give the reader of this framework's cookies."""
    make, timeout = MAKERS[peer]
    return make(key, **{timeout: limit}, **settings)


ALICE = put("user", "alice")


def bake(peer: str, step: Step = ALICE, **settings: Any) -> tuple[str, str]:
    """Let the framework make a cookie at NOW; give its name and its value."""
    chosen = Settings(**({"option": peer == "Beaker"} | settings))
    with clock(0):
        fields = PEERS[peer](View(before=step), chosen, "")
    [line] = [value for name, value in fields if name.lower() == "set-cookie"]
    name, _, value = line.partition(";")[0].strip().partition("=")
    return name, value


def still_reads(peer: str, cookie: tuple[str, str], seconds: int) -> bool:
    """Whether the framework itself still takes the cookie, so many seconds after NOW."""
    seen: list[Any] = []
    view = View(before=lambda session: seen.append(session.get("user")))
    with clock(seconds):
        PEERS[peer](view, Settings(option=peer == "Beaker"), "=".join(cookie))
    return seen == ["alice"]


def refusal(cookie: ForeignCookie, value: str, now: int = NOW) -> str:
    """Give the reason for which the value is refused."""
    with pytest.raises(CookieRejected) as caught:
        cookie.load(value, now)[0]
    return caught.value.reason


def problems(make: Make, *args: Any, **settings: Any) -> tuple[str, ...]:
    """Give the problems that the reader finds in its settings."""
    with pytest.raises(ConfigurationError) as caught:
        make(*args, **settings)
    return caught.value.problems


def user_of(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != "_permanent"}


@every_peer
def test_what_the_framework_wrote_is_read_without_its_bookkeeping(peer: str) -> None:
    _, value = bake(peer, put("user", {"name": "älice", "tags": [1, 2.5, None, True]}))
    data = user_of(reader(peer).load(value, NOW)[0])
    assert data == {"user": {"name": "älice", "tags": [1, 2.5, None, True]}}


@every_peer
def test_a_cookie_that_a_known_version_made_is_read(peer: str) -> None:
    assert user_of(reader(peer).load(LITERALS[peer], NOW)[0]) == {"user": "alice"}


@every_peer
def test_a_compressed_or_long_session_is_read(peer: str) -> None:
    _, value = bake(peer, put("user", "a" * 1500))
    assert user_of(reader(peer).load(value, NOW)[0]) == {"user": "a" * 1500}


@every_peer
@pytest.mark.parametrize("age", [0, HOUR - 1, HOUR, HOUR + 1, 30 * HOUR])
def test_the_age_limit_is_the_frameworks_own(peer: str, age: int) -> None:
    cookie = bake(peer)
    if still_reads(peer, cookie, age):
        assert reader(peer).load(cookie[1], NOW + age)[0]
    else:
        assert refusal(reader(peer), cookie[1], NOW + age) == "expired_idle"


@every_peer
def test_a_clock_that_is_a_minute_behind_is_forgiven_and_no_more(peer: str) -> None:
    value = LITERALS[peer]
    assert reader(peer).load(value, NOW - 60)[0]
    assert refusal(reader(peer), value, NOW - 61) == "from_the_future"


@pytest.mark.parametrize("peer", ["Starlette", "Pyramid", "Beaker"])
def test_without_a_limit_no_cookie_is_too_old(peer: str) -> None:
    assert reader(peer, limit=None).load(LITERALS[peer], 10 * NOW)[0]


@pytest.mark.parametrize("peer", ["Flask", "Django"])
def test_an_older_key_of_the_framework_is_accepted(peer: str) -> None:
    _, value = bake(peer, key=OTHER_KEY)
    assert refusal(reader(peer), value) == "bad_signature"
    assert reader(peer, secret_key_fallbacks=[OTHER_KEY]).load(value, NOW)[0]


@every_peer
def test_a_session_that_was_emptied_is_read_as_empty(peer: str) -> None:
    def empty(session: Any) -> None:
        session["user"] = "alice"
        del session["user"]

    if peer in ("Pyramid", "Beaker"):  # the others write no cookie then
        _, value = bake(peer, empty)
        persistent = {"max_age": 9} if peer == "Pyramid" else {"cookie_expires": False}
        assert reader(peer, **persistent).load(value, NOW)[0] == {}


@every_peer
def test_the_cookie_has_the_frameworks_own_name_path_and_domain(peer: str) -> None:
    cookie = MAKERS[peer][0](KEY).cookie
    names = {"Django": "sessionid", "Beaker": "beaker.session.id"}
    assert (cookie.name, cookie.domain, cookie.path) == (names.get(peer, "session"), None, "/")


@pytest.mark.parametrize(
    "cookie",
    [
        FlaskCookie(
            KEY,
            session_cookie_name="sid",
            session_cookie_domain="example.com",
            session_cookie_path="/app",
        ),
        StarletteCookie(KEY, session_cookie="sid", domain="example.com", path="/app"),
        DjangoCookie(
            KEY,
            session_cookie_name="sid",
            session_cookie_domain="example.com",
            session_cookie_path="/app",
        ),
        PyramidCookie(KEY, cookie_name="sid", domain="example.com", path="/app"),
        BeakerCookie(KEY, key="sid", cookie_domain="example.com", cookie_path="/app"),
    ],
    ids=MAKERS,
)
def test_it_is_found_and_deleted_where_the_framework_was_told_to_set_it(
    cookie: ForeignCookie,
) -> None:
    assert cookie.cookie.find("sid=value") == ["value"]
    deleted = cookie.cookie.delete(secure=False)
    assert deleted.startswith("sid=; ")
    assert "; Domain=example.com; Path=/app" in deleted
    assert "; Max-Age=0" in deleted


@pytest.mark.parametrize(
    "cookie",
    [
        FlaskCookie(KEY, session_cookie_partitioned=True),
        StarletteCookie(KEY, partitioned=True),
    ],
)
def test_a_partitioned_cookie_is_deleted_from_its_partition(cookie: ForeignCookie) -> None:
    assert cookie.cookie.always_secure
    assert cookie.cookie.delete(secure=True).endswith("; Partitioned")


@every_peer
@pytest.mark.parametrize("key", ["", "short", b"", None, 5, "\ud800" * 40])
def test_a_weak_key_is_refused_and_never_shown(peer: str, key: Any) -> None:
    [problem] = problems(MAKERS[peer][0], key)
    name = {"Pyramid": "secret", "Beaker": "validate_key"}.get(peer, "secret_key")
    assert problem.startswith(f"{peer}Cookie: {name}: found ")
    assert "short" not in problem
    assert "sessionware secret" not in problem, "a new key would verify none of their cookies"


@every_peer
def test_no_key_is_in_the_repr(peer: str) -> None:
    assert KEY not in repr(reader(peer))


@pytest.mark.parametrize("make", [FlaskCookie, DjangoCookie])
@pytest.mark.parametrize("fallbacks", [KEY, KEY.encode(), None, {KEY}])
def test_fallbacks_that_are_no_list_are_refused(make: Make, fallbacks: Any) -> None:
    [problem] = problems(make, KEY, secret_key_fallbacks=fallbacks)
    assert "secret_key_fallbacks: found " in problem
    assert KEY not in problem


def test_a_weak_fallback_is_named_by_its_place() -> None:
    [problem] = problems(FlaskCookie, KEY, secret_key_fallbacks=[KEY, "short"])
    assert problem.startswith("FlaskCookie: secret_key_fallbacks[1]: found 5 bytes")


def test_every_problem_is_told_at_once_under_the_frameworks_names() -> None:
    found = problems(
        FlaskCookie,
        "",
        salt=5,
        session_cookie_name="a b",
        session_cookie_path="nowhere",
        session_cookie_partitioned="yes",
        permanent_session_lifetime=timedelta(0),
    )
    assert {problem.split(": ")[1] for problem in found} == {
        *("secret_key", "salt", "session_cookie_name", "session_cookie_path"),
        *("session_cookie_partitioned", "permanent_session_lifetime"),
    }


@every_peer
def test_a_limit_that_is_no_time_is_refused_under_the_frameworks_name(peer: str) -> None:
    make, name = MAKERS[peer]
    [problem] = problems(make, KEY, **{name: "an hour"})
    assert problem.startswith(f"{peer}Cookie: {name}: found str")


def test_the_key_may_also_be_that_of_this_middleware() -> None:
    """A cookie of ours is none of theirs, and the other way round."""
    middleware = SessionMiddleware(cast(Any, nothing), KEY)
    ours = cast(Any, middleware.interface).codec
    assert refusal(FlaskCookie(KEY), ours.encode("[0,{}]", NOW)) == "bad_signature"
    with pytest.raises(CookieRejected, match="bad_signature"):
        ours.decode(LITERALS["Flask"])
