"""End to end: requests a second of a counter, under gunicorn and wrk, on 127.0.0.1 only.

Every request reads the session and writes it. The cookie is a living one: wrk sends what it was
given last, so each request verifies and decodes what the one before it has signed. wrk keeps one
Lua state a thread and not a connection, hence one thread: its connections share the cookie, which
is no difference to a server that closes each connection after one response, as gunicorn's sync
workers do.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from . import contestants
from .contestants import KEYS, Peer
from .gateways import Request
from .scenarios import WrongResultError, handler

CONTESTANTS: dict[str, Callable[[], Peer]] = {
    "bare": contestants.bare,
    "sessionware": contestants.sessionware,
    "beaker": contestants.beaker,
    "flask": contestants.flask,
}
ROUNDS = 5
SECONDS = 3
CONNECTIONS = 8
ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("counter.lua")


class UnavailableError(Exception):
    """Something that the load test needs is not installed."""


def count(peer: Peer, request: Request) -> bytes:
    session = peer.session(request)
    session["count"] = session.get("count", 0) + 1
    peer.written(session)
    return b"%d" % session["count"]


def counter(name: str) -> Any:
    """What gunicorn serves: the counter with this peer's sessions."""
    peer = CONTESTANTS[name]()
    app = peer.gateway.bare((lambda _: b"0") if name == "bare" else handler(peer, count))
    return peer.wrap(app, KEYS[:1])


@contextmanager
def served(name: str) -> Iterator[int]:
    """The port at which two workers of gunicorn serve this counter."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--workers=2", "--log-level=error"]
    command += [f"--bind=127.0.0.1:{port}", f"tests.benchmarks.load:counter('{name}')"]
    with TemporaryDirectory() as folder:
        # Gunicorn keeps its control socket there: no two servers may share one.
        env = {**os.environ, "XDG_RUNTIME_DIR": folder}
        server = subprocess.Popen(command, cwd=ROOT, env=env)  # noqa: S603 - all of it ours
        try:
            await_port(port)
            if name != "bare":
                prove(port)
            yield port
        finally:
            server.terminate()
            server.wait(40)


def await_port(port: int) -> None:
    for _ in range(150):
        try:
            get(port)
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise UnavailableError("gunicorn did not answer within 15 seconds")


def get(port: int, cookie: str = "") -> tuple[bytes, str]:
    """The body, and the cookie that was set."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/", headers={"Cookie": cookie} if cookie else {})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return body, (response.getheader("Set-Cookie") or "").partition(";")[0]


def prove(port: int) -> None:
    """The counter counts, whichever worker answers."""
    cookie = ""
    for expected in (b"1", b"2", b"3", b"4", b"5"):
        body, cookie = get(port, cookie)
        if body != expected:
            raise WrongResultError(f"the counter says {body!r} instead of {expected!r}")


def requests_per_second(wrk: str, port: int, seconds: int) -> float:
    command = [wrk, "--threads=1", f"--connections={CONNECTIONS}", f"--duration={seconds}s"]
    command += [f"--script={SCRIPT}", f"http://127.0.0.1:{port}/"]
    text = subprocess.run(  # noqa: S603 - all of it ours
        command, check=True, capture_output=True, text=True, timeout=seconds + 30
    ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if rate is None or "Non-2xx" in text:
        raise WrongResultError(text)
    return float(rate[1])


def rates(rounds: int = ROUNDS, seconds: int = SECONDS) -> dict[str, float]:
    """The median over the rounds for each contestant; in each round all of them take a turn."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise UnavailableError("wrk is not installed: apt-get install wrk")
    if find_spec("gunicorn") is None:
        raise UnavailableError("gunicorn is not installed: pip install -e '.[benchmark]'")
    taken: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    with ExitStack() as servers:
        ports = {name: servers.enter_context(served(name)) for name in CONTESTANTS}
        order = list(CONTESTANTS)
        for _ in range(rounds):
            for name in order:
                taken[name].append(requests_per_second(wrk, ports[name], seconds))
            order.append(order.pop(0))
    return {name: median(values) for name, values in taken.items()}
