"""``migrate_from``: a session of another framework becomes one of ours."""

import logging
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import flask
import pytest
from flask.sessions import SecureCookieSessionInterface as FlaskInterface

from sessionware import ConfigurationError, SessionMiddleware
from sessionware.migration import FlaskCookie
from tests.conftest import Clock
from tests.gateway import KEY, Response, call

OLD_KEY = "the secret key that Flask signed with"
DATA = {"_permanent": True, "user": "ada"}


def flask_cookie(name: str, data: dict[str, Any]) -> str:
    """What a browser sends back of Flask's own session."""
    app = flask.Flask(__name__)
    app.secret_key = OLD_KEY
    serializer = FlaskInterface().get_signing_serializer(app)
    assert serializer is not None
    return f"{name}={serializer.dumps(data)}"


def visit(cookie: str, act: str = "read", name: str = "flask") -> Response:
    """One request; its body is what the session held."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        session = environ["session"]
        body = b"" if act == "ignore" else repr(dict(session)).encode()
        if act == "log out":
            session.invalidate()
        start_response("200 OK", [])
        return [body]

    foreign = FlaskCookie(OLD_KEY, session_cookie_name=name, session_cookie_path="/shop")
    return call(SessionMiddleware(app, KEY, migrate_from=[foreign]), cookie)


def set_cookies(response: Response) -> list[str]:
    return response.headers.getlist("Set-Cookie")


def test_session_is_taken_over_with_its_data_and_permanence() -> None:
    response = visit(flask_cookie("flask", DATA))
    ours = set_cookies(response)[-1]
    assert response.data.decode() == repr(DATA)
    assert ours.startswith("session=")
    assert "Max-Age=2678400" in ours
    assert visit(ours.partition(";")[0]).data.decode() == repr(DATA)


def test_old_cookie_is_deleted_where_it_stands() -> None:
    theirs, _ = set_cookies(visit(flask_cookie("flask", DATA)))
    assert theirs.startswith("flask=; ")
    assert "Max-Age=0" in theirs
    assert "Path=/shop" in theirs


def test_cookie_that_ours_takes_the_place_of_is_not_deleted() -> None:
    foreign = FlaskCookie(OLD_KEY)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [])
        return [repr(dict(environ["session"])).encode()]

    middleware = SessionMiddleware(app, KEY, migrate_from=[foreign])
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

    foreign = FlaskCookie(OLD_KEY, session_cookie_domain=theirs)
    middleware = SessionMiddleware(app, KEY, cookie_domain=ours, migrate_from=[foreign, foreign])
    first = [
        line.partition(";")[0]
        for line in set_cookies(call(middleware, flask_cookie("session", DATA)))
    ]
    assert first[:-1] == deleted
    again = call(middleware, first[-1])
    assert (again.data.decode(), set_cookies(again)) == (repr(DATA), [])


def test_absolute_timeout_counts_from_when_their_cookie_was_issued(clock: Clock) -> None:
    """Or else a stolen one would give a fresh session each time."""
    cookie = flask_cookie("session", DATA)
    clock.advance(3601)
    seen: list[bool] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        seen.append(environ["session"].new)
        start_response("200 OK", [])
        return []

    foreign = FlaskCookie(OLD_KEY)
    for absolute_timeout in (3600, 3602):
        middleware = SessionMiddleware(
            app, KEY, absolute_timeout=absolute_timeout, migrate_from=[foreign]
        )
        call(middleware, cookie)
    assert seen == [True, False]


def test_log_out_deletes_a_cookie_that_the_path_did_not_show() -> None:
    ours = set_cookies(visit(flask_cookie("flask", DATA)))[-1].partition(";")[0]
    cookies = set_cookies(visit(ours, "log out"))
    assert [cookie.partition(";")[0] for cookie in cookies] == ["flask=", "session="]


def test_reason_of_a_reader_that_knew_the_cookie_is_the_one_that_is_logged(
    caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    caplog.set_level(logging.DEBUG)
    cookie = flask_cookie("session", DATA)
    clock.advance(100 * 24 * 60 * 60)
    visit(cookie, name="session")
    assert [vars(record)["reason"] for record in caplog.records] == ["expired_idle"]


def test_empty_session_of_theirs_is_not_written() -> None:
    assert set_cookies(visit(flask_cookie("flask", {}))) == []


def test_request_that_never_looks_leaves_everything_as_it_is() -> None:
    assert visit(flask_cookie("flask", DATA), "ignore").header_list == []


def test_valid_cookie_of_ours_comes_first_and_theirs_is_deleted() -> None:
    """Or else the log-out from ours would bring theirs back."""
    ours = set_cookies(visit(flask_cookie("flask", {"user": "bob"})))[-1].partition(";")[0]
    response = visit(f"{flask_cookie('flask', DATA)}; {ours}")
    assert response.data == b"{'user': 'bob'}"
    assert [cookie.partition("=")[0] for cookie in set_cookies(response)] == ["flask", "session"]


def test_log_out_in_the_first_request_deletes_both() -> None:
    cookies = set_cookies(visit(flask_cookie("flask", DATA), "log out"))
    assert [cookie.partition(";")[0] for cookie in cookies] == ["flask=", "session="]


@pytest.mark.parametrize("cookie", ["flask=junk", "flask=", flask_cookie("flask", DATA) + "x"])
def test_invalid_cookie_of_theirs_is_a_new_session_and_one_record(
    caplog: pytest.LogCaptureFixture, cookie: str
) -> None:
    caplog.set_level(logging.DEBUG)
    response = visit(cookie)
    assert (response.data, set_cookies(response)) == (b"{}", [])
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("migrate_from", "problem"),
    [
        (FlaskCookie(OLD_KEY), "migrate_from: found FlaskCookie, expected a list or tuple"),
        ([FlaskCookie], "migrate_from[0]: found the class FlaskCookie, expected a ForeignCookie"),
        ([OLD_KEY], "migrate_from[0]: found str, expected a ForeignCookie"),
    ],
)
def test_what_is_no_list_of_foreign_cookies_is_refused(migrate_from: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SessionMiddleware(lambda *_: [], KEY, migrate_from=migrate_from)
    assert caught.value.problems == (problem,)
