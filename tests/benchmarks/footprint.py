"""What a library takes before its first request: the time of its import, and memory."""

from __future__ import annotations

import gc
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from typing import NamedTuple

from .contestants import KEYS, Peer
from .scenarios import handler, untouched

MODULES = {
    "sessionware": "sessionware",
    "Starlette": "starlette.middleware.sessions",
    "Pyramid": "pyramid.session",
    "Django": "django.contrib.sessions.middleware",
    "Flask": "flask.sessions",
    "Beaker": "beaker.middleware",
}
"""What an application imports for its sessions, and with it what that needs itself."""

IMPORT = """
import importlib, os, sys, time, warnings
warnings.simplefilter("ignore")
def resident():
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before, start = resident(), time.process_time()
importlib.import_module(sys.argv[1])
print(time.process_time() - start, resident() - before)
"""
RUNS = 10
MIDDLEWARES = 50


class Footprint(NamedTuple):
    """Milliseconds and bytes of the import, and bytes of each further middleware."""

    milliseconds: float
    imported: float
    middleware: float


def of_each(peers: Sequence[Peer], runs: int = RUNS) -> dict[str, Footprint]:
    """Return that of each peer that is a library, in the fastest of so many runs."""
    return {
        peer.name: Footprint(*imported(MODULES[peer.name], runs), of_one_middleware(peer))
        for peer in peers
        if peer.name in MODULES
    }


def imported(module: str, runs: int) -> tuple[float, float]:
    """Return milliseconds and bytes, in an interpreter of its own."""
    command = [sys.executable, "-c", IMPORT, module]
    printed = [
        subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
        for _ in range(runs)
    ]
    seconds, size = min(tuple(map(float, line.split())) for line in printed)
    return seconds * 1e3, size


def of_one_middleware(peer: Peer) -> float:
    """Return the bytes that Python allocates for one more."""
    app = peer.gateway.bare(handler(peer, untouched))
    kept = [peer.wrap(app, KEYS[:1])]
    gc.collect()
    tracemalloc.start()
    kept += [peer.wrap(app, KEYS[:1]) for _ in range(MIDDLEWARES)]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / MIDDLEWARES
