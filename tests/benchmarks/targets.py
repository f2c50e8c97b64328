"""What sessionware has promised, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sessionware.codec import MIN_COMPRESSED

from .growth import uncompressed
from .scenarios import NESTED, NO_COOKIE, READ, UNTOUCHED, WRITE
from .timing import Cost

TIMES_THE_LIMIT = 1.5
UNTOUCHED_MICROSECONDS = 1.5
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


def of_speed(costs: Mapping[str, Cost], limit: str, ours: str) -> Iterator[Target]:
    for scenario in (READ, WRITE, NESTED):
        cost = costs[scenario.name]
        name = f"{scenario.name}, times the primitives"
        yield Target(name, cost[ours] / cost[limit], TIMES_THE_LIMIT)
    for scenario in (UNTOUCHED, NO_COOKIE):
        name = f"{scenario.name}, µs"
        yield Target(name, costs[scenario.name][ours], UNTOUCHED_MICROSECONDS)
    for scenario_name, cost in costs.items():
        peer = min(cost.keys() - {limit, ours}, key=cost.__getitem__)
        yield Target(f"{scenario_name}, µs, ahead of {peer}", cost[ours], cost[peer])


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
