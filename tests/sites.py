"""A site whose requests run a function of the test, and a store and a list in memory."""

import itertools
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID
from wsgiref.types import StartResponse, WSGIEnvironment

from sessionware import Session, SessionMiddleware
from sessionware.store import Kept
from tests.gateway import KEY, Response, make_environ, run

Owner = str | int | UUID

Act = Callable[[Any], object]
"""A function that a request calls with its session. Its result is returned to the test."""


class Page(NamedTuple):
    """The outcome of a visit.

    ``result``: what the act returned; ``cookie``: the browser's cookie after it, ``""`` for none.
    """

    result: Any
    cookie: str
    response: Response

    @property
    def deleted(self) -> list[str]:
        """The Set-Cookie headers before that of our cookie, which delete former ones."""
        return self.response.headers.getlist("Set-Cookie")[:-1]


class Site:
    """An application in a SessionMiddleware. Each visit calls an act with its session."""

    def __init__(self, **settings: Any) -> None:
        self.app = SessionMiddleware(act_out, **{"secret_key": KEY} | settings)

    def visit(self, act: Act, cookie: str = "") -> Page:
        """Send one request with this cookie."""
        environ = make_environ(cookie, test__act=act)
        response = run(self.app, environ)
        lines = response.headers.getlist("Set-Cookie")
        held = lines[-1].partition(";")[0] if lines else cookie
        return Page(environ["test.result"], "" if held.endswith("=") else held, response)

    def visit_during(self, other: Act, act: Act, cookie: str) -> Page:
        """Send a request that reads its session, and then does this once another is answered.

        The other one has the same cookie.
        """

        def slow(session: Any) -> Any:
            dict(session)
            self.visit(other, cookie)
            return act(session)

        return self.visit(slow, cookie)

    def log_in(self, owner: Any = "ann", **data: Any) -> str:
        """Return the cookie of a new session of this owner."""

        def act(session: Session) -> None:
            session.owner = owner
            session.update(data)

        return self.visit(act).cookie

    def read(self, cookie: str) -> dict[str, Any] | None:
        """Return the data of the cookie's session; ``None`` for a new session."""
        result: dict[str, Any] | None = self.visit(data_of, cookie).result
        return result


def act_out(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    environ["test.result"] = environ["test.act"](environ["session"])
    start_response("200 OK", [])
    return []


# Acts


def data_of(session: Session) -> dict[str, Any] | None:
    return None if session.new else dict(session)


def id_of(session: Session) -> str:
    return session.id


def owner_of(session: Session) -> Any:
    return session.owner


def count(session: Session) -> int:
    session["n"] = session.get("n", 0) + 1
    return int(session["n"])


def untouched(session: Session) -> None:
    """Do not use the session."""


# In memory


class Stamps:
    """The stamps of owners: ``""`` at first, and another one each time it is renewed."""

    def __init__(self) -> None:
        self.stamps: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def stamp(self, owner: Owner, /) -> str:
        return self.stamps.get(self._name_of(owner), "")

    def _renew(self, owner: Owner) -> None:
        self.stamps[self._name_of(owner)] = str(next(self._numbers))

    def _name_of(self, owner: Owner) -> str:
        return f"{type(owner).__name__} {owner}"


class MemoryStore(Stamps):
    """A store that keeps sessions in a dict, and records its calls."""

    def __init__(self, limit: int = 1024 * 1024) -> None:
        super().__init__()
        self.limit = limit
        self.kept: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        self.owners: dict[str, Owner | None] = {}
        self.seconds: dict[str, int] = {}
        self.asked: list[str] = []
        self._lock = Lock()

    def load(self, key: str, /) -> Kept | None:
        self.asked.append("load")
        with self._lock:
            return Kept(self.kept[key], self.versions[key]) if key in self.kept else None

    def create(self, key: str, text: str, /, *, seconds: int, owner: Owner | None) -> bool:
        self.asked.append("create")
        with self._lock:
            if key in self.kept:
                return False
            self._put(key, text)
            self.owners[key], self.seconds[key] = owner, seconds
            return True

    def replace(
        self, key: str, text: str, /, *, version: str, seconds: int, owner: Owner | None
    ) -> bool:
        self.asked.append("replace")
        with self._lock:
            if key not in self.kept or self.versions[key] != version:
                return False
            self._put(key, text)
            self.owners[key], self.seconds[key] = owner, seconds
            return True

    def touch(self, key: str, /, *, seconds: int, owner: Owner | None) -> bool:
        self.asked.append("touch")
        with self._lock:
            if key not in self.kept:
                return False
            self.seconds[key] = seconds
            return True

    def _put(self, key: str, text: str) -> None:
        self.kept[key], self.versions[key] = text, str(next(self._numbers))

    def delete(self, key: str, /) -> bool:
        self.asked.append("delete")
        with self._lock:
            return self.kept.pop(key, None) is not None

    def revoke_owner(self, owner: Owner) -> int:
        self._renew(owner)
        keys = [key for key in self.kept if is_same(self.owners[key], owner)]
        return sum(map(self.delete, keys))


class MemoryRevocations(Stamps):
    """A revocation list that keeps ended sessions in a dict, with their seconds to live."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: dict[str, int] = {}
        self.asked: list[str] = []
        self._lock = Lock()

    def revoke(self, key: str, seconds: int, /) -> bool:
        self.asked.append("revoke")
        with self._lock:
            if key in self.refused:
                return False
            self.refused[key] = seconds
            return True

    def check(self, key: str, owner: Owner | None, /) -> str | None:
        self.asked.append("check")
        if key in self.refused:
            return None
        return "" if owner is None else self.stamp(owner)

    def revoke_owner(self, owner: Owner) -> None:
        self._renew(owner)


def is_same(one: Owner | None, other: Owner | None) -> bool:
    """Return whether this is the same owner: ``1`` and ``"1"`` are two."""
    return type(one) is type(other) and one == other
