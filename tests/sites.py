"""A site whose requests run a function of the test, and a store and a list in memory."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

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


def disown(session: Session) -> None:
    session.owner = None


LOG_OUTS: dict[str, Act] = {"invalidate": Session.invalidate, "clear": Session.clear}
every_log_out = pytest.mark.parametrize("log_out", LOG_OUTS.values(), ids=LOG_OUTS)


# In memory


class Stamps:
    """The stamps of owners: ``""`` at first, and another one each time it is renewed."""

    def __init__(self) -> None:
        self.stamps: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def stamp(self, owner: Owner | None, /) -> str:
        return self.stamps.get(self._name_of(owner), self.stamps.get("all", ""))

    def _renew(self, owner: Owner) -> None:
        self.stamps[self._name_of(owner)] = str(next(self._numbers))

    def _renew_all(self) -> None:
        self.stamps = {"all": str(next(self._numbers))}

    def _name_of(self, owner: Owner | None) -> str:
        return f"{type(owner).__name__} {owner}"


class MemoryStore(Stamps):
    """A store that keeps each session in a dict for its seconds, and records its calls."""

    def __init__(self, limit: int = 1024 * 1024) -> None:
        super().__init__()
        self.limit = limit
        self.kept: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        self.owners: dict[str, Owner | None] = {}
        self.seconds: dict[str, int] = {}
        self.asked: list[str] = []
        self._ends: dict[str, float] = {}
        self._lock = Lock()

    def load(self, key: str, /) -> Kept | None:
        with self._alone("load", key):
            return Kept(self.kept[key], self.versions[key]) if key in self.kept else None

    def create(self, key: str, text: str, /, *, seconds: int, owner: Owner | None) -> bool:
        with self._alone("create", key):
            if key in self.kept:
                return False
            self._put(key, text, seconds)
            self.owners[key] = owner
            return True

    def replace(
        self, key: str, text: str, /, *, version: str, seconds: int, owner: Owner | None
    ) -> bool:
        with self._alone("replace", key):
            if key not in self.kept or self.versions[key] != version:
                return False
            self._put(key, text, seconds)
            self.owners[key] = owner
            return True

    def touch(self, key: str, /, *, seconds: int, owner: Owner | None) -> bool:
        with self._alone("touch", key):
            if key not in self.kept:
                return False
            self._keep(key, seconds)
            return True

    def delete(self, key: str, /) -> bool:
        with self._alone("delete", key):
            return self.kept.pop(key, None) is not None

    @contextmanager
    def _alone(self, verb: str, key: str) -> Iterator[None]:
        self.asked.append(verb)
        with self._lock:
            if key in self._ends and time.time() > self._ends[key]:
                self.kept.pop(key, None)
            yield

    def _put(self, key: str, text: str, seconds: int) -> None:
        self.kept[key], self.versions[key] = text, str(next(self._numbers))
        self._keep(key, seconds)

    def _keep(self, key: str, seconds: int) -> None:
        self.seconds[key], self._ends[key] = seconds, time.time() + seconds

    def revoke_owner(self, owner: Owner) -> int:
        self._renew(owner)
        keys = [key for key in [*self.kept] if is_same(self.owners[key], owner)]
        return sum(map(self.delete, keys))

    def revoke_all(self) -> int:
        self._renew_all()
        with self._lock:
            ended = [key for key, text in self.kept.items() if text.startswith("[")]
            for key in ended:
                del self.kept[key]
        return len(ended)


class MemoryRevocations(Stamps):
    """A list of revocations that keeps ended sessions in a dict, each for its seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: dict[str, int] = {}
        self.asked: list[str] = []
        self._ends: dict[str, float] = {}
        self._lock = Lock()

    def revoke(self, key: str, seconds: int, /) -> bool:
        self.asked.append("revoke")
        with self._lock:
            if self._refuses(key):
                return False
            self.refused[key], self._ends[key] = seconds, time.time() + seconds
            return True

    def check(self, key: str, owner: Owner | None, /) -> str | None:
        self.asked.append("check")
        if self._refuses(key):
            return None
        return self.stamp(owner)

    def _refuses(self, key: str) -> bool:
        if key in self._ends and time.time() > self._ends[key]:
            self.refused.pop(key, None)
        return key in self.refused

    def revoke_owner(self, owner: Owner) -> None:
        self._renew(owner)

    def revoke_all(self) -> None:
        self._renew_all()


def is_same(one: Owner | None, other: Owner | None) -> bool:
    """Return whether this is the same owner: ``1`` and ``"1"`` are two."""
    return type(one) is type(other) and one == other
