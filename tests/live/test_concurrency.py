"""Many requests at once: nothing of one shows in another, and in a store none loses a change."""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests
from werkzeug.datastructures import Headers

from sessionware import Session, SessionMiddleware
from tests.gateway import KEY, call
from tests.live.concurrency_app import (
    MIDDLEWARES,
    READER,
    VISITORS,
    Answer,
    Ask,
    Desk,
    Mixing,
    crowd,
    for_seconds,
    in_process,
    visit,
)
from tests.live.places import NEEDED, Place, provide
from tests.processes import ROOT, require, serving

SECONDS = float(os.environ.get("SESSIONWARE_RACE_SECONDS", "2"))
STEPS = 15
CLIENTS = 16
PINS = 20
SERVERS = {
    "threads": ("--worker-class=gthread", "--threads=16"),
    "processes": ("--workers=4",),
}


@pytest.fixture(autouse=True)
def _switches_all_the_time() -> Iterator[None]:
    """Have Python switch threads as often as it can, so that a race does show."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def greenlets(kind: str, seconds: float) -> subprocess.CompletedProcess[str]:
    """Send the crowd as greenlets, in a process of their own: gevent patches all of it."""
    require("gevent")
    command = [sys.executable, "-m", "gevent.monkey", "--module", "tests.live.concurrency_app"]
    return subprocess.run(  # noqa: S603 - the arguments are the tests' own
        [*command, kind, str(seconds)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def over_http(url: str) -> Ask:
    """Ask a server, on a new connection each time: any of its processes may answer."""

    def ask(visitor: str, query: str, cookie: str) -> Answer:
        headers = {"Cookie": cookie} if cookie else {}
        response = requests.get(f"{url}/{visitor}?{query}", headers=headers, timeout=10)
        return Answer(response.text, Headers(response.raw.headers.items()))

    return ask


def state(thing: Any) -> object:
    """What is held by an object of ours and its class, at any depth."""
    kind = type(thing)  # isinstance would ask Django's settings, which may not be there, for theirs
    if issubclass(kind, list | tuple):
        return [state(item) for item in thing]
    if issubclass(kind, dict):
        return {key: state(value) for key, value in thing.items()}
    if not kind.__module__.startswith("sessionware") and kind is not Mixing:
        return thing if kind.__module__ == "builtins" else id(thing)
    slots = {name: getattr(thing, name, None) for name in getattr(thing, "__slots__", ())}
    return id(thing), state(slots | getattr(thing, "__dict__", {})), state({**vars(kind)})


def state_of_modules() -> object:
    return {
        name: state({**vars(module)})
        for name, module in sys.modules.items()
        if name.startswith("sessionware")
    }


def of_requests() -> list[object]:
    """Every session and environ that is alive."""
    gc.collect()
    return [
        thing
        for thing in gc.get_objects()
        if type(thing) is Session or (type(thing) is dict and "wsgi.input" in thing)
    ]


def test_eight_threads_meet_only_their_own_session() -> None:
    desk = Desk()
    answers = crowd(in_process(SessionMiddleware(desk, KEY)), for_seconds(SECONDS))
    assert answers.total() > len(VISITORS)
    assert desk.most_inside > 1


def test_eight_greenlets_meet_only_their_own_session() -> None:
    run = greenlets("ours", SECONDS / 2)  # a switch is certain here, and needs less time
    assert run.stderr == ""
    answers, most_inside = map(int, run.stdout.split())
    assert answers > len(VISITORS)
    assert most_inside == len(VISITORS)


def test_threads_tell_a_middleware_that_mixes_sessions() -> None:
    with pytest.raises((AssertionError, RuntimeError)):
        crowd(in_process(MIDDLEWARES["mixing"](Desk())), for_seconds(60))


def test_greenlets_tell_a_middleware_that_mixes_sessions() -> None:
    run = greenlets("mixing", 60)
    assert run.returncode == 1
    assert "AssertionError" in run.stderr or "LateWrite" in run.stderr


def test_processes_forked_from_one_middleware_meet_only_their_visitors_session() -> None:
    preloaded = ("--workers=3", "--preload")
    with serving("tests.live.concurrency_app:app", *preloaded, env={}) as url:
        answers = crowd(over_http(url), lambda step: step < STEPS)
    workers, loaders = zip(*map(str.split, answers), strict=True)
    assert answers.total() == STEPS * len(VISITORS)
    assert len(workers) > 1
    assert len({*loaders}) == 1
    assert {*loaders}.isdisjoint(workers)


@pytest.mark.parametrize(("kind", "leaves"), [("ours", False), ("mixing", True)])
def test_requests_leave_nothing_behind(kind: str, leaves: bool) -> None:
    """Not on the middleware, not in our modules, not in memory; one that mixes is told by this."""
    middleware, alive = MIDDLEWARES[kind](Desk()), len(of_requests())
    ask = in_process(middleware)
    visit(ask, "first", lambda step: step < 2)  # what every cookie has alike is made once, and kept
    before, modules = state(middleware), state_of_modules()
    if leaves:
        visit(ask, "second", lambda step: step < 2)
    else:
        crowd(ask, lambda step: step < STEPS)
    assert (state(middleware) != before) is leaves
    assert state_of_modules() == modules
    assert (len(of_requests()) > alive) is leaves


@pytest.mark.parametrize("tabs", [("left", "right"), ("right", "left")])
def test_of_two_tabs_that_write_at_once_the_last_response_wins(tabs: tuple[str, str]) -> None:
    """Nothing is merged, no key of the other tab's either: the cookie is the whole session."""
    meet = threading.Barrier(2, timeout=10)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        session, tab = environ["session"], environ["QUERY_STRING"]
        assert session == {"written by": "nobody"}
        meet.wait()
        session["written by"] = session[tab] = tab
        start_response("200 OK", [])
        return []

    middleware = SessionMiddleware(app, KEY)
    old = READER.dumps([0, {"written by": "nobody"}])
    with ThreadPoolExecutor(2) as pool:
        responses = [
            pool.submit(call, middleware, f"session={old!s}", QUERY_STRING=tab) for tab in tabs
        ]
    jar = {}
    for response in responses:
        name, _, jar[name] = response.result().cookie.partition("=")
    data, _ = READER.loads(jar["session"])
    assert data == {"written by": tabs[1], tabs[1]: tabs[1]}


# One session in a store


@pytest.fixture(scope="module", params=NEEDED)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    with provide(request.param, tmp_path_factory.mktemp("place")) as provided:
        yield provided


def pin(url: str, client: requests.Session, name: str = "") -> dict[str, list[str]]:
    """Add this to the session, and return what was there before."""
    response = client.get(url, params=name, timeout=10)
    response.raise_for_status()
    found: dict[str, list[str]] = response.json()
    return found


@pytest.mark.parametrize("server", SERVERS)
def test_clients_that_add_to_one_session_lose_nothing(place: Place, server: str) -> None:
    """Each adds twenty keys and twenty flash messages. Its own messages are in their order."""
    app = f"tests.live.concurrency_app:board({place.kind!r}, {place.url!r})"
    with serving(app, *SERVERS[server], env={}) as url, requests.Session() as first:
        pin(url, first, "begun")
        together = threading.Barrier(CLIENTS, timeout=10)

        def run(number: int) -> list[int]:
            with requests.Session() as client:
                client.cookies.update(first.cookies)
                together.wait()
                return [len(pin(url, client, f"{number}.{step}")["keys"]) for step in range(PINS)]

        with ThreadPoolExecutor(CLIENTS) as pool:
            sizes = [size for found in pool.map(run, range(CLIENTS)) for size in found]
        found = pin(url, first)
    expected = [f"{number}.{step}" for number in range(CLIENTS) for step in range(PINS)]
    begun, *messages = found["messages"]
    assert set(found["keys"]) == {"_f_", "begun", *expected}
    assert begun == "begun"
    assert sorted(messages, key=lambda message: int(message.split(".")[0])) == expected
    assert len(set(sizes)) < len(sizes)  # Two of them began with the same, so they were merged.
