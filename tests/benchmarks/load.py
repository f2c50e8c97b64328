"""End to end: the processor time of a request, under gunicorn and wrk, on 127.0.0.1 only.

What is measured is the worker's time on the processor, divided by the requests that it has
answered. Requests per second would swing with whatever else runs on the machine, and with wrk.

The application is a counter, which is read, or read and written. The cookie is a living one: wrk
sends what it was given last, so each write verifies and decodes what the one before it has signed.
wrk keeps one Lua state a thread and not a connection, hence one thread: its connections share the
cookie, which is no difference to a server that closes each connection after one response, as
gunicorn's sync workers do.
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
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from . import contestants
from .contestants import KEYS, Peer
from .gateways import Request
from .scenarios import WrongResultError, handler
from .timing import lowest_tenth

PEERS: dict[str, Callable[[], Peer]] = {
    "bare": contestants.bare,
    "sessionware": contestants.sessionware,
    "beaker": contestants.beaker,
    "flask": contestants.flask,
}
READ, WRITE = "read", "write"
CONTESTANTS = [("bare", READ), *((name, act) for act in (READ, WRITE) for name in [*PEERS][1:])]
ROUNDS = 10
SECONDS = 1
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


def look(peer: Peer, request: Request) -> bytes:
    """Begin to count, once, and only read from then on."""
    session = peer.session(request)
    return b"%d" % session["count"] if "count" in session else count(peer, request)


def counter(name: str, act: str) -> Any:
    """What gunicorn serves: the counter with this peer's sessions."""
    peer = PEERS[name]()
    use = handler(peer, look if act == READ else count)
    return peer.wrap(peer.gateway.bare((lambda _: b"0") if name == "bare" else use), KEYS[:1])


class Server(NamedTuple):
    """A worker of gunicorn's."""

    port: int
    worker: int
    """Its process."""

    def seconds(self) -> float:
        """Return for how long it was on the processor so far."""
        nanoseconds = Path(f"/proc/{self.worker}/schedstat").read_text(encoding="ascii").split()[0]
        return int(nanoseconds) / 1e9


@contextmanager
def served(name: str, act: str) -> Iterator[Server]:
    """Have gunicorn serve this counter with one worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--workers=1", "--log-level=error"]
    command += [f"--bind=127.0.0.1:{port}", f"tests.benchmarks.load:counter('{name}', '{act}')"]
    with TemporaryDirectory() as folder:
        # Gunicorn keeps its control socket there: no two servers may share one.
        env = {**os.environ, "XDG_RUNTIME_DIR": folder}
        server = subprocess.Popen(command, cwd=ROOT, env=env)  # noqa: S603 - all of it ours
        try:
            await_port(port)
            if name != "bare":
                prove(port, act)
            children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
            yield Server(port, int(children.read_text(encoding="ascii")))
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


def prove(port: int, act: str) -> None:
    """The counter counts, or does not if it is only read."""
    cookie = ""
    for expected in (b"1", b"1", b"1") if act == READ else (b"1", b"2", b"3"):
        body, new = get(port, cookie)
        cookie = new or cookie
        if body != expected:
            raise WrongResultError(f"the counter says {body!r} instead of {expected!r}")


def microseconds(wrk: str, server: Server, seconds: int) -> float:
    """Return the processor time of a request, over so many seconds."""
    command = [wrk, "--threads=1", f"--connections={CONNECTIONS}", f"--duration={seconds}s"]
    command += [f"--script={SCRIPT}", f"http://127.0.0.1:{server.port}/"]
    before = server.seconds()
    text = subprocess.run(  # noqa: S603 - all of it ours
        command, check=True, capture_output=True, text=True, timeout=seconds + 30
    ).stdout
    taken = server.seconds() - before
    answered = re.search(r"(\d+) requests in", text)
    if answered is None or "Non-2xx" in text:
        raise WrongResultError(text)
    return taken / int(answered[1]) * 1e6


def costs(rounds: int = ROUNDS, seconds: int = SECONDS) -> dict[str, float]:
    """The lowest tenth for each contestant; in each round all of them take a turn."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise UnavailableError("wrk is not installed: apt-get install wrk")
    if find_spec("gunicorn") is None:
        raise UnavailableError("gunicorn is not installed: pip install -e '.[benchmark]'")
    if not Path("/proc/self/schedstat").exists():
        raise UnavailableError("found no /proc/self/schedstat: Linux has it")
    taken: dict[str, list[float]] = {}
    with ExitStack() as servers:
        running = {
            f"{name}, {act}" if name != "bare" else name: servers.enter_context(served(name, act))
            for name, act in CONTESTANTS
        }
        order = [*running]
        for _ in range(rounds):
            for name in order:
                taken.setdefault(name, []).append(microseconds(wrk, running[name], seconds))
            order.append(order.pop(0))
    return {name: lowest_tenth(taken[name]) for name in running}
