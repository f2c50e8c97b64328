"""The readers of other frameworks' cookies, and the sessions that ``migrate_from`` takes over.

The cookies here are literals, or signed by hand. ``tests/peers/test_migration.py`` has cookies that
the frameworks make themselves.
"""

import json
import logging
import pickle
import re
import string
import zlib
from base64 import b64encode, urlsafe_b64encode
from datetime import timedelta
from hashlib import sha256
from typing import Any, cast
from wsgiref.types import StartResponse, WSGIEnvironment

import itsdangerous
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

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
from tests.conftest import Clock
from tests.gateway import KEY as OUR_KEY
from tests.gateway import Response, call
from tests.unit.exactness import exact
from tests.unit.foreign_cookies import (
    DJANGO_SALT,
    KEY,
    LITERALS,
    MAKERS,
    NOW,
    OTHER_KEY,
    SIGN,
    Make,
    every_peer,
    flask_cookie,
    reader,
    refusal,
    sign_as_beaker,
    sign_as_django,
    sign_as_flask,
    sign_as_pyramid,
    user_of,
)

COMPRESSING = ("Flask", "Django", "Beaker")
DATA = {"_permanent": True, "user": "ada"}


def problems(make: Make, *args: Any, **settings: Any) -> tuple[str, ...]:
    """Return the problems that the reader finds in its settings."""
    with pytest.raises(ConfigurationError) as caught:
        make(*args, **settings)
    return tuple(map(str, caught.value.problems))


@every_peer
def test_a_cookie_that_a_known_version_made_is_read(peer: str) -> None:
    assert user_of(reader(peer).load(LITERALS[peer], NOW).data) == {"user": "alice"}


@every_peer
def test_a_clock_that_is_a_minute_behind_is_forgiven_and_no_more(peer: str) -> None:
    value = LITERALS[peer]
    assert reader(peer).load(value, NOW - 60).data
    assert refusal(reader(peer), value, NOW - 61) == "from_the_future"


@every_peer
@pytest.mark.parametrize(("age", "urgent"), [(1800, False), (1801, True)])
def test_session_is_moved_by_a_slow_page_too_once_half_of_its_time_is_over(
    peer: str, age: int, urgent: bool
) -> None:
    assert reader(peer).load(LITERALS[peer], NOW + age).urgent is urgent


@pytest.mark.parametrize("peer", ["Starlette", "Pyramid", "Beaker"])
def test_without_a_limit_no_cookie_is_too_old(peer: str) -> None:
    assert reader(peer, limit=None).load(LITERALS[peer], 10 * NOW).data


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
def test_it_is_found_and_deleted_with_the_configured_name_path_and_domain(
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
def test_fallbacks_that_are_not_a_list_are_refused(make: Make, fallbacks: Any) -> None:
    [problem] = problems(make, KEY, secret_key_fallbacks=fallbacks)
    assert "secret_key_fallbacks: found " in problem
    assert KEY not in problem


def test_a_weak_fallback_is_reported_with_its_index() -> None:
    [problem] = problems(FlaskCookie, KEY, secret_key_fallbacks=[KEY, "short"])
    assert problem.startswith("FlaskCookie: secret_key_fallbacks[1]: found 5 bytes")


def test_every_problem_is_reported_at_once_under_the_frameworks_names() -> None:
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
        "secret_key",
        "salt",
        "session_cookie_name",
        "session_cookie_path",
        "session_cookie_partitioned",
        "permanent_session_lifetime",
    }


@every_peer
def test_a_bad_time_limit_is_refused_under_the_frameworks_name(peer: str) -> None:
    make, name = MAKERS[peer]
    [problem] = problems(make, KEY, **{name: "an hour"})
    assert problem.startswith(f"{peer}Cookie: {name}: found 'an hour', expected")


@pytest.mark.parametrize("hashalg", ["sha513", "shake_128", "", None, 5])
def test_a_hash_that_cannot_sign_is_refused(hashalg: Any) -> None:
    [problem] = problems(PyramidCookie, KEY, hashalg=hashalg)
    assert problem.startswith(f"PyramidCookie: hashalg: found {hashalg!r}")


def test_a_reader_for_pickles_cannot_be_made() -> None:
    [problem] = problems(BeakerCookie, KEY, data_serializer="pickle")
    assert problem == "BeakerCookie: data_serializer: found 'pickle', expected 'json'"


def test_the_key_may_also_be_that_of_this_middleware() -> None:
    """Neither reader accepts the other's cookie."""
    middleware = SessionMiddleware(lambda *_: [], KEY)
    ours = cast(Any, middleware.interface).codec
    assert refusal(FlaskCookie(KEY), ours.encode("[0,{}]", NOW)) == "bad_signature"
    with pytest.raises(CookieRejected, match="bad_signature"):
        ours.decode(LITERALS["Flask"])


# Cookies that the framework has not made are refused with CookieRejected


def sign_text(peer: str, text: str) -> str:
    """Sign the text of a session, in the framework's envelope."""
    if peer == "Starlette":
        text = text.replace(":", ": ")  # as json.dumps writes it
    if peer == "Pyramid":
        text = f"[{NOW},{NOW},{text}]"
    if peer == "Beaker":
        text = text.replace("{", f'{{"_accessed_time":{NOW},', 1)
    plain = text.encode()
    return SIGN[peer](zlib.compress(plain) if peer == "Beaker" else plain)


@every_peer
def test_every_other_spelling_of_a_cookie_is_refused(peer: str) -> None:
    value = LITERALS[peer]
    cookie = reader(peer)
    letters = string.ascii_letters + string.digits + "+/-_=.:"
    for index, was in enumerate(value):
        for letter in letters.replace(was, ""):
            with pytest.raises(CookieRejected):
                cookie.load(value[:index] + letter + value[index + 1 :], NOW)


@every_peer
@pytest.mark.parametrize(
    "change", ["{}=", "{}==", "={}", " {}", '"{}"', ".{}", "{}.", "é{}", "{}!"]
)
def test_extra_characters_around_a_cookie_are_refused(peer: str, change: str) -> None:
    assert refusal(reader(peer), change.format(LITERALS[peer])) in ("bad_signature", "malformed")


@every_peer
def test_another_key_is_refused(peer: str) -> None:
    assert refusal(reader(peer, OTHER_KEY), LITERALS[peer]) == "bad_signature"


@pytest.mark.parametrize("peer", ["Flask", "Pyramid"])
def test_another_salt_is_refused(peer: str) -> None:
    assert refusal(reader(peer, salt="another"), LITERALS[peer]) == "bad_signature"


@every_peer
def test_no_reader_falls_back_to_the_format_of_another(peer: str) -> None:
    for other, value in LITERALS.items():
        if other != peer:
            assert refusal(reader(peer), value) == "bad_signature"


@every_peer
@pytest.mark.parametrize("value", ["", "null", ".", "..", ":", "::", "a.b.c", "AAAA" * 40])
def test_junk_is_refused(peer: str, value: str) -> None:
    assert refusal(reader(peer), value) == "bad_signature"


@every_peer
def test_a_cookie_that_no_browser_keeps_is_refused(peer: str) -> None:
    assert refusal(reader(peer), "a" * 4096) == "too_large"


@pytest.mark.parametrize("peer", COMPRESSING)
def test_a_bomb_is_refused_before_it_fills_the_memory(peer: str) -> None:
    bomb = zlib.compress(b'{"_accessed_time":0,"user":"' + b"a" * 70_000 + b'"}')
    small = urlsafe_b64encode(bomb).decode().rstrip("=")
    values = {
        "Flask": lambda: sign_as_flask(f".{small}".encode()),
        "Django": lambda: sign_as_django(f".{small}".encode()),
        "Beaker": lambda: sign_as_beaker(b64encode(bomb)),
    }
    assert refusal(reader(peer), values[peer]()) == "too_large"


@every_peer
def test_a_pickle_is_refused_with_its_own_reason(peer: str) -> None:
    value = SIGN[peer](pickle.dumps({"user": "alice"}))
    assert refusal(reader(peer), value) == "pickled"


@every_peer
def test_a_pickle_with_a_wrong_signature_is_refused_as_any_forgery(peer: str) -> None:
    value = SIGN[peer](pickle.dumps({"user": "alice"}))
    assert refusal(reader(peer, OTHER_KEY), value) == "bad_signature"


@every_peer
@pytest.mark.parametrize(
    "text",
    [
        '{"user":NaN}',
        '{"user":1e999}',
        '{"user":' + "[" * 200 + "]" * 200 + "}",
        '{"user":' + "[" * 1200 + "]" * 1200 + "}",
        '{"user":',
        '["user"]',
        '"user"',
        "null",
        "5",
    ],
)
def test_signed_data_that_could_not_be_saved_again_is_refused(peer: str, text: str) -> None:
    assert refusal(reader(peer), sign_text(peer, text)) == "malformed"


@every_peer
def test_a_session_signed_by_hand_is_read(peer: str) -> None:
    """Otherwise, the refusals above could have another cause."""
    data = reader(peer).load(sign_text(peer, '{"user":"alice"}'), NOW).data
    assert data["user"] == "alice"


@pytest.mark.parametrize("moment", ["null", '"soon"', "NaN", "1e999", "[]", "{}"])
def test_a_time_that_is_not_a_number_is_refused(moment: str) -> None:
    pyramid = SIGN["Pyramid"](f'[{moment},0,{{"user":1}}]'.encode())
    beaker = SIGN["Beaker"](zlib.compress(f'{{"_accessed_time":{moment}}}'.encode()))
    assert refusal(PyramidCookie(KEY), pyramid) == "malformed"
    assert refusal(BeakerCookie(KEY), beaker) == "malformed"


def test_a_beaker_session_without_its_time_is_refused() -> None:
    assert refusal(BeakerCookie(KEY), SIGN["Beaker"](zlib.compress(b'{"user":1}'))) == "malformed"


@pytest.mark.parametrize("tagged", [{" u": 5}, {" t": 5}, {" b": 5}, {" di": 5}, {" u": "x"}])
def test_a_tag_of_flasks_around_nonsense_is_refused(tagged: dict[str, Any]) -> None:
    assert (
        refusal(reader("Flask"), SIGN["Flask"](json.dumps({"a": tagged}).encode())) == "malformed"
    )


@pytest.mark.parametrize("secret", ["€" * 32, "ä" * 32, KEY.encode()])
def test_pyramids_salt_and_secret_are_joined_in_latin_1_or_else_in_utf_8(secret: Any) -> None:
    plain = f'[{NOW},{NOW},{{"user":"alice"}}]'.encode()
    encoding = "utf-8" if "€" in str(secret) else "latin-1"
    key = secret if type(secret) is bytes else secret.encode(encoding)
    value = sign_as_pyramid(plain, b"pyramid.session." + key)
    assert PyramidCookie(secret).load(value, NOW).data == {"user": "alice"}


def test_flasks_markup_stays_markup() -> None:
    data = reader("Flask").load(SIGN["Flask"](b'{"a":[{" m":"<b>"}]}'), NOW).data
    assert exact(data) == exact({"a": [Markup("<b>")]})


@pytest.mark.parametrize("value", ["-1", "a b", "!"])
def test_a_time_that_is_not_in_base_62_is_refused(value: str) -> None:
    signer = itsdangerous.Signer(KEY, DJANGO_SALT, ":", "django-concat", sha256)
    assert refusal(reader("Django"), signer.sign(f"e30:{value}").decode()) == "malformed"


@every_peer
@given(
    value=st.text(st.characters(codec="latin-1")) | st.from_regex(r"[\w.:=+/-]*", fullmatch=True)
)
def test_any_client_input_raises_only_cookie_rejected(peer: str, value: str) -> None:
    with pytest.raises(CookieRejected):
        reader(peer).load(value, NOW)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["a", " d", " di", " m", " u"]), inner)
    ),
)


@every_peer
@given(plain=st.binary() | json_values.map(json.dumps).map(str.encode))
def test_any_signed_data_raises_only_cookie_rejected(peer: str, plain: bytes) -> None:
    try:
        data = reader(peer).load(SIGN[peer](plain), NOW).data
    except CookieRejected:
        return
    assert type(data) is dict


# A session of another framework is taken over


def visit(cookie: str, act: str = "read", name: str = "flask") -> Response:
    """Send a request; the response's body is the session's data."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        session = environ["session"]
        body = b"" if act == "ignore" else repr(dict(session)).encode()
        if act == "log out":
            session.invalidate()
        start_response("200 OK", [])
        return [body]

    foreign = FlaskCookie(KEY, session_cookie_name=name, session_cookie_path="/shop")
    return call(SessionMiddleware(app, OUR_KEY, migrate_from=[foreign]), cookie)


def set_cookies(response: Response) -> list[str]:
    return response.headers.getlist("Set-Cookie")


def test_session_is_taken_over_with_its_data_and_permanence() -> None:
    response = visit(flask_cookie("flask", DATA))
    ours = set_cookies(response)[-1]
    assert response.data.decode() == repr(DATA)
    assert ours.startswith("session=")
    assert "Max-Age=2678400" in ours
    assert visit(ours.partition(";")[0]).data.decode() == repr(DATA)


def test_old_cookie_is_deleted_with_its_own_path_and_domain() -> None:
    theirs, _ = set_cookies(visit(flask_cookie("flask", DATA)))
    assert theirs.startswith("flask=; ")
    assert "Max-Age=0" in theirs
    assert "Path=/shop" in theirs


def test_old_cookie_that_ours_overwrites_is_not_deleted() -> None:
    foreign = FlaskCookie(KEY)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [])
        return [repr(dict(environ["session"])).encode()]

    middleware = SessionMiddleware(app, OUR_KEY, migrate_from=[foreign])
    response = call(middleware, flask_cookie("session", DATA))
    assert len(set_cookies(response)) == 1
    assert call(middleware, response.cookie).data.decode() == repr(DATA)


@pytest.mark.parametrize(
    ("ours", "theirs", "deleted"),
    [
        ("example.com", ".EXAMPLE.com", []),  # a browser keeps one of the two
        (None, "example.com", ["session="]),
        ("example.com", None, ["session="]),
    ],
)
def test_cookie_of_the_same_name_is_deleted_once_and_before_ours(
    ours: str | None, theirs: str | None, deleted: list[str]
) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [])
        return [repr(dict(environ["session"])).encode()]

    foreign = FlaskCookie(KEY, session_cookie_domain=theirs)
    middleware = SessionMiddleware(
        app, OUR_KEY, cookie_domain=ours, migrate_from=[foreign, foreign]
    )
    first = [
        line.partition(";")[0]
        for line in set_cookies(call(middleware, flask_cookie("session", DATA)))
    ]
    assert first[:-1] == deleted
    again = call(middleware, first[-1])
    assert (again.data.decode(), set_cookies(again)) == (repr(DATA), [])


def test_absolute_timeout_counts_from_when_their_cookie_was_issued(clock: Clock) -> None:
    """Otherwise, a stolen cookie would begin a new session each time."""
    cookie = flask_cookie("session", DATA)
    clock.advance(3601)
    seen: list[bool] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        seen.append(environ["session"].new)
        start_response("200 OK", [])
        return []

    foreign = FlaskCookie(KEY)
    for absolute_timeout in (3600, 3602):
        middleware = SessionMiddleware(
            app, OUR_KEY, absolute_timeout=absolute_timeout, migrate_from=[foreign]
        )
        call(middleware, cookie)
    assert seen == [True, False]


def test_log_out_deletes_a_cookie_that_the_path_did_not_show() -> None:
    ours = set_cookies(visit(flask_cookie("flask", DATA)))[-1].partition(";")[0]
    cookies = set_cookies(visit(ours, "log out"))
    assert [cookie.partition(";")[0] for cookie in cookies] == ["flask=", "session="]


def test_reason_of_the_reader_that_recognized_the_cookie_is_logged(
    caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    caplog.set_level(logging.DEBUG)
    cookie = flask_cookie("session", DATA)
    clock.advance(100 * 24 * 60 * 60)
    visit(cookie, name="session")
    assert [vars(record)["reason"] for record in caplog.records] == ["expired_idle"]


def test_empty_session_of_another_framework_is_not_written() -> None:
    assert set_cookies(visit(flask_cookie("flask", {}))) == []


def test_request_that_does_not_use_the_session_leaves_the_cookie() -> None:
    assert visit(flask_cookie("flask", DATA), "ignore").header_list == []


def test_valid_cookie_of_ours_comes_first_and_theirs_is_deleted() -> None:
    """Otherwise, the other framework's session would be taken over after a log-out."""
    ours = set_cookies(visit(flask_cookie("flask", {"user": "bob"})))[-1].partition(";")[0]
    response = visit(f"{flask_cookie('flask', DATA)}; {ours}")
    assert response.data == b"{'user': 'bob'}"
    assert [cookie.partition("=")[0] for cookie in set_cookies(response)] == ["flask", "session"]


def test_log_out_in_the_first_request_deletes_both() -> None:
    cookies = set_cookies(visit(flask_cookie("flask", DATA), "log out"))
    assert [cookie.partition(";")[0] for cookie in cookies] == ["flask=", "session="]


@pytest.mark.parametrize("cookie", ["flask=junk", "flask=", flask_cookie("flask", DATA) + "x"])
def test_invalid_cookie_of_another_framework_is_a_new_session_and_one_record(
    caplog: pytest.LogCaptureFixture, cookie: str
) -> None:
    caplog.set_level(logging.DEBUG)
    response = visit(cookie)
    assert (response.data, set_cookies(response)) == (b"{}", [])
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("migrate_from", "problem"),
    [
        (FlaskCookie(KEY), "migrate_from: found FlaskCookie, expected a list or tuple"),
        ([FlaskCookie], "migrate_from[0]: found the class FlaskCookie, expected a cookie of"),
        ([KEY], "migrate_from[0]: found str, expected a cookie of sessionware.migration"),
    ],
)
def test_anything_but_a_list_of_foreign_cookies_is_refused(migrate_from: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(problem)):
        SessionMiddleware(lambda *_: [], OUR_KEY, migrate_from=migrate_from)
