"""Visitors who log in, write, log out and race on sessions that all of them share."""

import json
import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sessionware import Session, SessionUnavailable
from sessionware.redis import RedisRevocations, RedisStore
from tests.sites import Owner, Site
from tests.stores.model import Event
from tests.stores.servers import connect

USERS = 6
THREADS = 16
SLOWEST = 0.02
"""Seconds between a request's look at its session and its answer, at most."""


class Careless(RedisStore):
    """What a store must not be: it writes whether or not the session is still there."""

    def replace(
        self, key: str, text: str, /, *, version: str, seconds: int, owner: Owner | None
    ) -> bool:
        self._client.set(self._prefix + key, version + text, ex=seconds)
        return True


class Deaf(RedisRevocations):
    """What a list must not be: it never refuses a session that was ended."""

    def check(self, key: str, owner: Owner | None, /) -> str | None:
        return super().check("", owner)


KEEPERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "store": lambda client: {"store": RedisStore(client)},
    "careless": lambda client: {"store": Careless(client)},
    "list": lambda client: {"revocations": RedisRevocations(client)},
    "deaf": lambda client: {"revocations": Deaf(client)},
}
ACTS = {"read": 4, "write": 6, "regenerate": 2, "end": 2, "log in": 2, "end all": 1}


class Visitor:
    """One of many, in a thread of its own. The jar has the cookies that all of them share."""

    def __init__(self, name: str, keeper: dict[str, Any], jar: redis.Redis) -> None:
        [self.keeper] = keeper.values()
        self.name = name
        self.site = Site(**keeper)
        self.jar = jar
        self.random = random.Random(name)  # noqa: S311 - a race, no secret
        self.history: list[Event] = []
        self.steps = 0

    def step(self) -> None:
        """Take a user's cookie, mostly the newest, and do something with it."""
        self.steps += 1
        who = f"user {self.random.randrange(USERS)}"
        held: Any = self.jar.lrange(who, 0, 5)
        [act] = self.random.choices([*ACTS], [*ACTS.values()])
        if act == "end all":
            self.end_all(who)
        elif act == "log in" or not held:
            self.visit("log in", {"who": who, "login": f"{self.name}.{self.steps}"})
        else:
            chosen = held[0] if self.random.random() < 0.6 else self.random.choice(held)
            self.visit(act, json.loads(chosen))

    def end_all(self, who: str) -> None:
        start = time.monotonic()
        ok, note = attempt(lambda: self.keeper.revoke_owner(who))
        self.history.append(Event("end all", start, time.monotonic(), ok, who, note=note))

    def visit(self, act: str, asked: dict[str, str]) -> None:
        """Send one request; what came of it is part of the history."""
        value = f"{self.name}.{self.steps}"
        event = Event(act, 0, 0, False, asked["who"], asked["login"], asked.get("id", ""), value)
        event = event._replace(marks=((self.name, self.steps),))
        page: list[Any] = []
        seen: list[Event] = []

        def request(session: Session) -> None:
            if act != "log in":
                found = found_in(session, asked)
                read = event._replace(act="read", end=time.monotonic(), ok=True, value=found)
                seen.append(read._replace(marks=tuple(session.get("marks", {}).items())))
                if self.random.random() < 0.3:
                    time.sleep(self.random.random() * SLOWEST)
                if found is None or act == "read":
                    return
            seen.append(change(session, event))

        start = time.monotonic()
        ok, note = attempt(lambda: page.append(self.site.visit(request, asked.get("cookie", ""))))
        for done in seen:
            if done.act == "read":
                self.history.append(done._replace(start=start))
                continue
            begun = start if act == "log in" else done.start
            cookie = page[0].cookie if ok else ""
            done = done._replace(start=begun, end=time.monotonic(), ok=ok, note=note, cookie=cookie)
            self.history.append(done)
            if cookie:
                kept = {**asked, "cookie": cookie, "id": done.heir or done.session}
                self.jar.lpush(done.who, json.dumps(kept))
                self.jar.ltrim(done.who, 0, 5)


def found_in(session: Session, asked: dict[str, str]) -> str | None:
    """Return what was written last, or ``None``; check that it is not another's."""
    if session.new:
        return None
    assert (session["who"], session["login"]) == (asked["who"], asked["login"]), "mixed up"
    assert hashed(session.id) == asked["id"], "mixed up"
    return str(session["value"])


def change(session: Session, event: Event) -> Event:
    """Do it, and return the event as of the moment in which the answer begins."""
    if event.act == "end":
        session.invalidate()
        return event._replace(start=time.monotonic(), value=None)
    session["value"] = event.value
    session.setdefault("marks", {}).update(event.marks)
    if event.act == "log in":
        session.update(who=event.who, login=event.login)
        session.owner = event.who
        event = event._replace(session=hashed(session.id))
    elif event.act == "regenerate":
        session.regenerate()
        event = event._replace(heir=hashed(session.id))
    return event._replace(start=time.monotonic())


def attempt(ask: Callable[[], object]) -> tuple[bool, str]:
    """Whether it was acknowledged, and if not, why."""
    try:
        ask()
    except SessionUnavailable as error:
        if error.__cause__ is None:
            return False, "ended"
        time.sleep(0.01)  # The server is gone, and comes back.
        return False, "outage"
    return True, ""


def hashed(session_id: str) -> str:
    return sha256(session_id.encode()).hexdigest()


def crowd(
    name: str, kind: str, port: int, jar_port: int, keeper: str, seconds: float
) -> list[Event]:
    """Race in sixteen threads for so long, and return the history."""
    sys.setswitchinterval(1e-4)
    settings = {} if kind == "cluster" else {"retry": Retry(NoBackoff(), 0)}
    with closing(connect(kind, port, **settings)) as client, redis.Redis(port=jar_port) as jar:
        made = KEEPERS[keeper](client)
        visitors = [Visitor(f"{name}.{number}", made, jar) for number in range(THREADS)]
        over, end = threading.Event(), time.monotonic() + seconds

        def stay(visitor: Visitor) -> None:
            try:
                while time.monotonic() < end and not over.is_set():
                    visitor.step()
            finally:
                over.set()

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(stay, visitors))
    return [event for visitor in visitors for event in visitor.history]
