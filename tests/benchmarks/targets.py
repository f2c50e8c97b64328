"""What sessionware has promised, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sessionware.codec import MIN_COMPRESSED

from .growth import uncompressed
from .scenarios import (
    DIFFERENT,
    FIRST,
    LARGE_READ,
    LARGE_WRITE,
    LIST,
    NESTED,
    PERMANENT,
    READ,
    UNTOUCHED,
    WRITE,
)
from .timing import Cost

TIMES_THE_LIMIT = {
    UNTOUCHED.name: 1.1 / 0.3,
    READ.name: 1.20,
    WRITE.name: 0.95,
    NESTED.name: 0.95,
    LARGE_READ.name: 1.40,
    LARGE_WRITE.name: 1.35,
    DIFFERENT.name: 1.25,
}
LIST_TIMES_THE_LIMIT_OF_A_READ = 1.50
PERMANENT_TIMES_A_WRITE = 1.20
TIMES_THE_FASTEST_PEER = 0.9
BYTES_OVER_FLASK = 32


@dataclass(frozen=True, slots=True)
class Target:
    """One promise; `found` and `bound` in the unit that `name` says."""

    name: str
    found: float
    bound: float

    @property
    def held(self) -> bool:
        return self.found <= self.bound

    def __str__(self) -> str:
        verdict = "PASS" if self.held else "FAIL"
        return f"{verdict}  {self.name}: {self.found:.4g}, at most {self.bound:.4g}\n"


def of_speed(
    costs: Mapping[str, Cost], limit: str, ours: str, others: Sequence[str]
) -> Iterator[Target]:
    own = {name: cost[ours] for name, cost in costs.items()}
    for scenario, bound in TIMES_THE_LIMIT.items():
        name = f"{scenario}, times the {limit}"
        yield Target(name, own[scenario] / costs[scenario][limit], bound)
    yield Target(
        f"{LIST.name}, times a read's {limit}",
        own[LIST.name] / costs[READ.name][limit],
        LIST_TIMES_THE_LIMIT_OF_A_READ,
    )
    yield Target(
        f"{PERMANENT.name}, times a plain one",
        own[PERMANENT.name] / own[WRITE.name],
        PERMANENT_TIMES_A_WRITE,
    )
    for scenario in (READ.name, WRITE.name, NESTED.name, FIRST.name):
        cost = costs[scenario]
        peer = min(others, key=cost.__getitem__)
        yield Target(
            f"{scenario}, times {peer}", own[scenario] / cost[peer], TIMES_THE_FASTEST_PEER
        )


def of_size(sizes: Mapping[int, Mapping[str, str | None]], ours: str) -> Iterator[Target]:
    """From the cookies themselves, per bytes of JSON.

    Flask compresses shorter texts too, where this saves little and takes long.
    """
    for size, cookies in sizes.items():
        own, flasks = cookies[ours], cookies["Flask"]
        assert own is not None
        assert flasks is not None
        name = f"cookie of {size} B of JSON, bytes"
        if size >= MIN_COMPRESSED:
            yield Target(f"{name}, Flask's and 32", len(own), len(flasks) + BYTES_OVER_FLASK)
        yield Target(f"{name}, uncompressed", len(own), uncompressed(own))
