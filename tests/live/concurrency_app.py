"""A desk that many visitors come to at once, and the visitors, who check what they are told.

And a board, whose clients share one session, which is kept in a store.

As a program, ``python -m gevent.monkey --module tests.live.concurrency_app``, the visitors are
greenlets.
"""

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from itsdangerous import URLSafeTimedSerializer
from redis import Redis
from redis.cluster import RedisCluster
from werkzeug.datastructures import Headers

from sessionware import SecureCookieSessionInterface, SessionMiddleware
from sessionware.redis import RedisStore
from sessionware.store import Store
from tests.gateway import KEY, call
from tests.stores.servers import PATIENCE

VISITORS = [f"visitor-{number}" for number in range(1, 9)]
LOADED_BY = os.getpid()
READER = URLSafeTimedSerializer(
    KEY,
    salt="sessionware.cookie\0session\0",
    signer_kwargs={"key_derivation": "hmac", "digest_method": sha256},
)
"""Reads the cookies without a line of ours."""


class Desk:
    """Count a visitor's steps, and let others in between the read and the write."""

    def __init__(self) -> None:
        self.inside: set[str] = set()
        self.most_inside = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = self.answer(environ, start_response)
        # Committed when the application has returned, or on the first chunk.
        return answer if environ["QUERY_STRING"] == "late" else list(answer)

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        session, visitor = environ["session"], environ["PATH_INFO"].strip("/")
        name = session.setdefault("name", visitor)
        step = session.get("step", 0) + 1
        self.inside.add(visitor)
        self.most_inside = max(self.most_inside, len(self.inside))
        time.sleep(0)  # here a thread or a greenlet is switched
        self.inside.discard(visitor)
        session["step"] = step
        told = f"{name} {step} {session.id} "
        start_response("200 OK", [("X-Name", name), ("X-Process", f"{os.getpid()} {LOADED_BY}")])
        yield told.encode()
        time.sleep(0)
        yield session["name"].encode()


class Answer(NamedTuple):
    """What a visitor is told."""

    body: str
    headers: Headers


Ask = Callable[[str, str, str], Answer]
"""How a visitor asks: with a name, a query and a Cookie header."""


def in_process(app: WSGIApplication) -> Ask:
    """Ask this very object."""

    def ask(visitor: str, query: str, cookie: str) -> Answer:
        response = call(app, cookie, PATH_INFO=f"/{visitor}", QUERY_STRING=query)
        return Answer(response.data.decode(), response.headers)

    return ask


def visit(ask: Ask, visitor: str, more: Callable[[int], bool]) -> Counter[str]:
    """Count up while there is ``more``; return how often each process answered.

    Raises AssertionError where an answer is not this visitor's own.
    """
    cookie, step, ids, processes = "", 0, set(), Counter[str]()
    while more(step):
        step += 1
        answer = ask(visitor, "late" if step % 2 else "", cookie)
        assert len(answer.headers.getlist("Set-Cookie")) == 1
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        name = answer.body.split()[2]
        assert answer.body == f"{visitor} {step} {name} {visitor}"
        assert answer.headers["X-Name"] == visitor
        data, _, *names = READER.loads(cookie.removeprefix("session="))
        held = [data, *names]
        assert held == [{"name": visitor, "step": step}, name]
        said = f"{answer} {held}"
        assert not [other for other in VISITORS if other != visitor and other in said]
        ids.add(name)
        assert len(ids) == 1
        processes[answer.headers["X-Process"]] += 1
    return processes


def crowd(ask: Ask, more: Callable[[int], bool]) -> Counter[str]:
    """Let all visitors come at once; the first wrong answer sends all of them home."""
    wrong = threading.Event()

    def stay(visitor: str) -> Counter[str]:
        try:
            return visit(ask, visitor, lambda step: more(step) and not wrong.is_set())
        except BaseException:
            wrong.set()
            raise

    with ThreadPoolExecutor(len(VISITORS)) as pool:
        visits = [pool.submit(stay, visitor) for visitor in VISITORS]
    return sum((visit.result() for visit in visits), Counter())


def for_seconds(seconds: float) -> Callable[[int], bool]:
    """Stay that long."""
    end = time.monotonic() + seconds
    return lambda _: time.monotonic() < end


class Mixing:
    """What a middleware must not be: it keeps the session of a request on itself."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app
        self.interface = SecureCookieSessionInterface(KEY)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["session"] = self.session = self.interface.open_session(environ)

        def start(status: str, headers: list[tuple[str, str]], /) -> object:
            changed = Headers(headers)
            self.interface.save_session(environ, self.session, changed)
            return start_response(status, changed.to_wsgi_list())

        return self.app(environ, start)  # type: ignore[arg-type]  # all that the desk asks for


MIDDLEWARES: dict[str, Callable[[WSGIApplication], WSGIApplication]] = {
    "ours": lambda desk: SessionMiddleware(desk, KEY),
    "mixing": Mixing,
}
app = SessionMiddleware(Desk(), KEY)


# One session in a store


def board(kind: str, url: str) -> SessionMiddleware:
    """Return the application ``pin``, with its sessions in the store of this kind at the URL."""
    return SessionMiddleware(pin, KEY, store=store_at(kind, url))


def store_at(kind: str, url: str) -> Store:
    match kind:
        case "redis":
            return RedisStore(Redis.from_url(url, **PATIENCE))
        case "cluster":
            return RedisStore(RedisCluster.from_url(url, **PATIENCE))
    from sessionware.sql import SQLStore

    store = SQLStore(url)
    store.create_table()
    return store


def pin(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer what was there, and add what the query names: a key and a flash message."""
    session, name = environ["session"], environ["QUERY_STRING"]
    found = {"keys": [*session], "messages": session.peek_flash()}
    time.sleep(0.001)  # here another request comes in between
    if name:
        session[name] = True
        session.flash(name)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(found).encode()]


# As a program


def main(kind: str, seconds: str) -> None:
    """Tell how often the desk answered greenlets, and how many were inside at once."""
    assert sys.modules["gevent.monkey"].is_module_patched("threading")
    desk = Desk()
    answers = crowd(in_process(MIDDLEWARES[kind](desk)), for_seconds(float(seconds)))
    sys.stdout.write(f"{answers.total()} {desk.most_inside}")


if __name__ == "__main__":
    main(*sys.argv[1:])
