"""The seam of a store: load, save and delete, with the token that the cookie carries."""

from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from sessionware import SecureCookieSessionInterface, SessionMiddleware
from sessionware.codec import Opened
from sessionware.errors import CookieRejected
from tests.gateway import KEY, Response, call


class Memory:
    """Keeps sessions by a number, and what it was asked."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, int]] = {}
        self.asked: list[str] = []

    def load(self, token: str) -> Opened:
        self.asked.append(f"load {token}")
        if token not in self.kept:
            raise CookieRejected("malformed")
        return Opened(*self.kept[token], old_key=False)

    def save(self, text: str, issued: int, token: str | None) -> str:
        self.asked.append(f"save {token}")
        token = token or str(len(self.kept) + 1)
        self.kept[token] = text, issued
        return token

    def delete(self, token: str) -> None:
        self.asked.append(f"delete {token}")
        del self.kept[token]


@pytest.fixture
def store() -> Memory:
    return Memory()


def visit(store: Memory, act: str, cookie: str = "") -> Response:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        session = environ["session"]
        if act == "count":
            session["n"] = session.get("n", 0) + 1
        elif act == "log out":
            session.clear()
        start_response("200 OK", [])
        return [] if act == "ignore" else [repr(dict(session)).encode()]

    interface = SecureCookieSessionInterface(KEY)
    interface.store = store
    return call(SessionMiddleware(app, interface=interface), cookie)


def test_session_is_loaded_and_saved_under_its_token(store: Memory) -> None:
    first = visit(store, "count")
    second = visit(store, "count", first.cookie)
    assert (first.cookie, second.cookie, second.data) == ("session=1", "session=1", b"{'n': 2}")
    assert store.asked == ["save None", "load 1", "save 1"]


def test_session_that_ends_is_deleted(store: Memory) -> None:
    response = visit(store, "log out", visit(store, "count").cookie)
    assert response.cookie == "session="
    assert store.asked == ["save None", "load 1", "delete 1"]
    assert store.kept == {}


def test_untouched_request_asks_nothing_and_a_read_only_loads(store: Memory) -> None:
    cookie = visit(store, "count").cookie
    store.asked.clear()
    visit(store, "ignore", cookie)
    assert store.asked == []
    visit(store, "read", cookie)
    assert store.asked == ["load 1"]


def test_token_that_the_store_does_not_know_is_never_adopted(store: Memory) -> None:
    response = visit(store, "count", "session=7")
    assert (response.cookie, response.data) == ("session=1", b"{'n': 1}")
    assert store.asked == ["load 7", "save None"]
