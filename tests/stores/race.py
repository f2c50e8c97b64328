"""Visitors who log in, write, log out and race on sessions that all of them share."""

import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from hashlib import sha256
from typing import Any, NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sessionware import Session, SessionUnavailable
from sessionware.redis import RedisRevocations, RedisStore
from tests.sites import Site
from tests.stores import sentinel
from tests.stores.databases import SQL_KINDS
from tests.stores.model import Event
from tests.stores.servers import connect

USERS = 6
THREADS = 16
SLOWEST = 0.02
"""Seconds between a request's look at its session and its answer, at most."""


ACTS = {
    "read": 4,
    "write": 8,
    "take": 2,
    "regenerate": 3,
    "end": 1,
    "log in": 1,
    "end all": 0.3,
}
"""What a visitor may do, and how often."""
PATIENCE = 60
"""Seconds after which it is no use to race on until each thing has happened."""


# Stores and lists


def careless(store: Any) -> Any:
    """Have it write whether or not the session is still there, as a store must not."""
    replace = store.replace

    def write(key: str, text: str, *, version: str, **life: Any) -> Any:
        kept = store.load(key)
        if kept is None:
            return store.create(key, text, **life)
        return replace(key, text, version=kept.version, **life)

    store.replace = write
    return store


def deaf(revocations: Any) -> Any:
    """Have it never refuse a session that was ended, as a list must not."""
    check = revocations.check
    revocations.check = lambda key, owner: check("", owner)
    return revocations


def sound(keeper: Any) -> Any:
    """Leave it as it is."""
    return keeper


KEEPERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "store": ("store", sound),
    "careless": ("store", careless),
    "list": ("revocations", sound),
    "deaf": ("revocations", deaf),
}
"""The setting of each, and what is done to it."""


def address_of(database: Any) -> Any:
    """Return the port of Redis', or the URL of SQL."""
    return getattr(database, "port", None) or str(database.store().engine.url)


@contextmanager
def keeping(kind: str, address: Any, keeper: str) -> Iterator[dict[str, Any]]:
    """Make the setting as an application would. ``address``: a port of Redis', or a URL of SQL."""
    setting, change = KEEPERS[keeper]
    with ExitStack() as stack:
        if kind in SQL_KINDS:
            from sessionware.sql import SQLRevocations, SQLStore

            made: Any = (SQLStore if setting == "store" else SQLRevocations)(address)
            stack.callback(made.engine.dispose)
        else:
            client = stack.enter_context(closing(client_of(kind, address)))
            made = (RedisStore if setting == "store" else RedisRevocations)(client)
        yield {setting: change(made)}


def client_of(kind: str, port: int) -> Any:
    """Return a client of Redis' that tries nothing twice."""
    if kind == "sentinel":
        return sentinel.connect(port)
    settings = {} if kind == "cluster" else {"retry": Retry(NoBackoff(), 0)}
    return connect(kind, port, **settings)


def count_refusals(store: Any) -> Counter[str]:
    """Return a counter of the calls in which another request was faster, so that it is merged."""
    replace, counts = store.replace, Counter[str]()

    def counting(*arguments: Any, **settings: Any) -> Any:
        done = replace(*arguments, **settings)
        counts["merge"] += not done
        return done

    store.replace = counting
    return counts


# Visitors


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

    def linger(self) -> None:
        """Take time between the look at the session and the answer, in some requests."""
        if self.random.random() < 0.3:
            time.sleep(self.random.random() * SLOWEST)

    def end_all(self, who: str) -> None:
        start = time.monotonic()
        ok, note = attempt(lambda: self.keeper.revoke_owner(who))
        self.keep(Event("end all", start, time.monotonic(), ok, who, note=note))

    def keep(self, event: Event) -> None:
        """Add it to the history, and tell all visitors that this has happened."""
        self.history.append(event)
        self.jar.sadd("happened", event.outcome)

    def visit(self, act: str, asked: dict[str, str]) -> None:
        """Send one request; what came of it is part of the history."""
        self.steps += 1
        value = f"{self.name}.{self.steps}"
        event = Event(act, 0, 0, False, asked["who"], asked["login"], asked.get("id", ""), value)
        event = event._replace(marks=((self.name, self.steps),))
        page: list[Any] = []
        seen: list[Event] = []

        def request(session: Session) -> None:
            if act != "log in":
                found = found_in(session, asked)
                marks, messages = written_in(session)
                read = event._replace(act="read", end=time.monotonic(), ok=True, value=found)
                seen.append(read._replace(marks=marks, messages=messages))
                self.linger()
                if found is None or act == "read" or (act == "take" and not messages):
                    return
            seen.append(change(session, event))

        start = time.monotonic()
        ok, note = attempt(lambda: page.append(self.site.visit(request, asked.get("cookie", ""))))
        for done in seen:
            if done.act == "read":
                self.keep(done._replace(start=start))
                continue
            begun = start if act == "log in" else done.start
            cookie = page[0].cookie if ok else ""
            done = done._replace(start=begun, end=time.monotonic(), ok=ok, note=note, cookie=cookie)
            self.keep(done)
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


def written_in(session: Session) -> tuple[tuple[tuple[str, int], ...], tuple[str, ...]]:
    """Return the marks and the messages."""
    return tuple(session.get("marks", {}).items()), tuple(session.peek_flash())


def change(session: Session, event: Event) -> Event:
    """Do it, and return the event as of the moment in which the answer begins."""
    if event.act == "end":
        session.invalidate()
        return event._replace(start=time.monotonic(), value=None)
    if event.act == "take":
        messages = tuple(session.pop_flash())
        return event._replace(start=time.monotonic(), value=None, marks=(), messages=messages)
    session["value"] = event.value
    session.setdefault("marks", {}).update(event.marks)
    session.flash(event.value)
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


class Told(NamedTuple):
    """What the visitors of one process did, and how often a change had to be merged."""

    history: list[Event]
    merges: int


def crowd(
    name: str,
    kind: str,
    address: Any,
    jar_port: int,
    keeper: str,
    seconds: float,
    wanted: Collection[str] = (),
) -> Told:
    """Race in sixteen threads for so long, and until each outcome that is wanted has happened."""
    sys.setswitchinterval(1e-4)
    with keeping(kind, address, keeper) as setting, redis.Redis(port=jar_port) as jar:
        counts = count_refusals(setting["store"]) if keeper == "store" else Counter[str]()
        visitors = [Visitor(f"{name}.{number}", setting, jar) for number in range(THREADS)]
        over, end = threading.Event(), time.monotonic() + seconds

        def is_over() -> bool:
            if over.is_set() or time.monotonic() < end:
                return over.is_set()
            happened = not wanted or all(jar.smismember("happened", [*wanted]))
            return happened or time.monotonic() > end + PATIENCE

        def stay(visitor: Visitor) -> None:
            try:
                while not is_over():
                    visitor.step()
            finally:
                over.set()

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(stay, visitors))
    return Told([event for visitor in visitors for event in visitor.history], counts["merge"])
