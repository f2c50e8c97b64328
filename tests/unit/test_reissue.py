"""A cookie that is issued again because it is old, or signed with an old key."""

import hashlib
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from sessionware import SessionMiddleware, SessionTooLarge
from tests.conftest import Clock
from tests.gateway import KEY, Response, call

DAYS = 24 * 60 * 60


def noise(length: int) -> str:
    """Text that does not compress: hexadecimal digests."""
    return "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(100))[:length]


def visit(cookie: str = "", length: int | None = None) -> Response:
    """Write noise of this length into the session, or only read it."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        if length is not None:
            environ["session"]["noise"] = noise(length)
        body = environ["session"].get("noise", "").encode()
        start_response("200 OK", [])
        return [body]

    return call(SessionMiddleware(app, KEY), cookie)


@pytest.fixture
def largest(clock: Clock) -> str:
    """The largest cookie of such noise that fits."""
    cookie = ""
    for length in range(4000, 6400):
        try:
            cookie = visit(length=length).cookie
        except SessionTooLarge:
            break
    return cookie


def test_cookie_that_no_longer_fits_is_kept_as_it_is(largest: str, clock: Clock) -> None:
    """Its age takes a few bytes more; who only reads must not fail for that."""
    clock.advance(10 * DAYS)
    response = visit(largest)
    assert response.data
    assert response.set_cookie is None


def test_cookie_that_fits_is_issued_again(clock: Clock) -> None:
    cookie = visit(length=100).cookie
    clock.advance(10 * DAYS)
    assert visit(cookie).cookie not in ("", cookie)
