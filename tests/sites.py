"""The contracts of sessionware.store, kept in memory, and requests that meet in the middle."""

import itertools
from collections.abc import Callable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from sessionware import SessionMiddleware
from tests.gateway import KEY, Response, call

Act = Callable[[Any], object]
"""What a request does with its session; what it gives is the body."""


class MemoryStore:
    """Keeps sessions in a dict, and what it was asked."""

    limit = 100_000

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.owners: dict[str, str | None] = {}
        self.seconds: dict[str, int] = {}
        self.asked: list[str] = []

    def load(self, key: str, /) -> str | None:
        self.asked.append("load")
        return self.kept.get(key)

    def save(
        self, key: str, text: str | None, /, *, new: bool, seconds: int, owner: str | None
    ) -> bool:
        self.asked.append("create" if new else "prolong" if text is None else "update")
        if new == (key in self.kept):
            return False
        self.kept[key] = self.kept[key] if text is None else text
        self.owners[key], self.seconds[key] = owner, seconds
        return True

    def delete(self, key: str, /) -> bool:
        self.asked.append("delete")
        return self.kept.pop(key, None) is not None


class MemoryRevocations:
    """Remembers ended sessions in a dict, with the seconds that each is remembered."""

    def __init__(self) -> None:
        self.refused: dict[str, int] = {}
        self.stamps: dict[str, str] = {}
        self.asked: list[str] = []
        self._numbers = itertools.count(1)

    def revoke(self, key: str, seconds: int, /) -> bool:
        self.asked.append("revoke")
        if key in self.refused:
            return False
        self.refused[key] = seconds
        return True

    def check(self, key: str, owner: str | None, /) -> str | None:
        self.asked.append("check")
        return None if key in self.refused else self.stamps.get(owner or "", "")

    def revoke_owner(self, owner: str) -> None:
        self.stamps[owner] = str(next(self._numbers))


class Site:
    """A site whose requests do what a test tells them."""

    def __init__(self, **settings: Any) -> None:
        self.middleware = SessionMiddleware(self._app, KEY, **settings)

    def _app(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        act: Act = environ["test.act"]
        body = str(act(environ["session"])).encode()
        start_response("200 OK", [])
        return [body]

    def visit(self, act: Act, cookie: str = "") -> Response:
        return call(self.middleware, cookie, test__act=act)

    def data(self, cookie: str) -> dict[str, Any]:
        """What a request with this cookie finds in its session; empty for a new one."""
        found: dict[str, Any] = {}
        self.visit(lambda session: found.update(session), cookie)
        return found

    def log_in(self, user: str = "ada", **more: Any) -> str:
        """Give the cookie of a session that belongs to the user."""

        def act(session: Any) -> None:
            session.regenerate()
            session.owner = user
            session.update(user=user, **more)

        return self.visit(act).cookie
