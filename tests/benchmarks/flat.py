"""A million requests in one process: the memory stays flat, and no environ stays behind."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import ref

from .contestants import KEYS, Peer
from .gateways import Request
from .scenarios import FIRST, READ, SCENARIOS, WRITE, cookies, handler, header, show

JUNK = header(
    "session=.eJyrVkrLz1eyUkpKLFKqBQAdegQ0.aaaaaa.not-a-signature-of-anybody-at-all-00000000"
)
SETTLED = 50_000
"""Requests after which memory is looked at for the first time."""
TOLERANCE = 256 * 1024
"""Bytes that the allocator may still move; the smallest object leaked a request would be 15 MB."""


class Environ(dict[str, Any]):
    """A dict that can be referred to weakly."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes, early and at the end."""

    requests: int
    early: int
    late: int

    @property
    def flat(self) -> bool:
        return self.late - self.early <= TOLERANCE

    def __str__(self) -> str:
        verdict = "PASS" if self.flat else "FAIL"
        return (
            f"{verdict}  resident memory: {self.early / 1024:.0f} KiB settled, "
            f"{self.late / 1024:.0f} KiB after {self.requests:,} requests\n"
        )


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def mix(peer: Peer) -> list[tuple[Any, Request]]:
    """An application and a request for each: new, read, write, junk."""
    kinds = (
        (FIRST.act, cookies(peer, FIRST)),
        (READ.act, cookies(peer, READ)),
        (WRITE.act, cookies(peer, WRITE)),
        (show(["name"]), JUNK),
    )
    return [
        (
            peer.wrap(peer.gateway.bare(handler(peer, act)), KEYS[:1]),
            peer.gateway.request(cookie),
        )
        for act, cookie in kinds
    ]


def memory(peer: Peer, requests: int, settled: int = SETTLED) -> Memory:
    """Serve this many requests, a quarter of each kind."""
    kinds = mix(peer)
    serve = peer.gateway.serve

    def rounds(number: int) -> None:
        for _ in range(number // len(kinds)):
            for app, request in kinds:
                serve(app, request.copy())
        gc.collect()

    rounds(settled)
    early = resident()
    rounds(requests - settled)
    return Memory(requests, early, resident())


def left_behind(peer: Peer) -> list[str]:
    """The scenarios after which something still refers to environ, without the collector's help."""
    held = []
    gc.collect()
    gc.disable()
    try:
        for scenario in SCENARIOS:
            app = peer.wrap(peer.gateway.bare(handler(peer, scenario.act)), KEYS[:1])
            environ = Environ(peer.gateway.request(cookies(peer, scenario)))
            trace = ref(environ)
            peer.gateway.serve(app, environ)
            del environ
            if trace() is not None:
                held.append(scenario.name)
    finally:
        gc.enable()
    return held
