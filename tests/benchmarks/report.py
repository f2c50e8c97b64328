"""The figures as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .footprint import Footprint
from .timing import Cost

REFUSED = "-"

Cookies = Mapping[str, str | None]
"""By the name of the peer; None where it refuses the session."""


def table(corner: str, columns: Sequence[str], rows: Mapping[str, Iterable[str]]) -> str:
    """A Markdown table whose columns also line up as plain text."""
    lines = [[corner, *columns], *([name, *cells] for name, cells in rows.items())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return "".join(
        f"| {line[0]:<{widths[0]}} | "
        + " | ".join(f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True))
        + " |\n"
        for line in lines
    )


def microseconds(value: float | None) -> str:
    return REFUSED if value is None else f"{value:.1f}"


def length(cookie: str | None) -> str:
    return REFUSED if cookie is None else str(len(cookie))


def fastest(cost: Cost, among: Sequence[str]) -> str:
    return min((name for name in among if name in cost), key=cost.__getitem__)


def main_table(costs: Mapping[str, Cost], cookies: Cookies, names: Sequence[str]) -> str:
    rows = {
        name: [*(microseconds(cost[name]) for cost in costs.values()), length(cookies[name])]
        for name in names
    }
    return table("µs added to a request", [*costs, "cookie, bytes"], rows)


def further_table(costs: Mapping[str, Cost], names: Sequence[str]) -> str:
    rows = {name: [microseconds(cost.get(name)) for cost in costs.values()] for name in names}
    return table("µs added to a request", list(costs), rows)


def ratios(
    costs: Mapping[str, Cost], limits: Sequence[str], ours: str, others: Sequence[str]
) -> str:
    """Ours against each limit, and against the fastest of the others."""
    rows = {
        f"{ours} : {limit}": [
            f"{cost[ours] / cost[limit]:.2f}" if limit in cost else REFUSED
            for cost in costs.values()
        ]
        for limit in limits
    }
    best = {name: fastest(cost, others) for name, cost in costs.items()}
    rows[f"{ours} : fastest peer"] = [
        f"{cost[ours] / cost[best[name]]:.2f} ({best[name]})" for name, cost in costs.items()
    ]
    return table("ratio", list(costs), rows)


def bytes_table(sizes: Mapping[int, Cookies], names: Sequence[str]) -> str:
    rows = {name: [length(cookies[name]) for cookies in sizes.values()] for name in names}
    return table("cookie, bytes, for JSON of", [f"{size} B" for size in sizes], rows)


def footprints(taken: Mapping[str, Footprint]) -> str:
    rows = {
        name: [
            f"{each.milliseconds:.0f}",
            f"{each.imported / 1e6:.1f}",
            f"{each.middleware / 1e3:.1f}",
        ]
        for name, each in taken.items()
    }
    return table("what is there before a request", ["import, ms", "MB", "KB a middleware"], rows)


def growth_table(
    corner: str, unit: str, costs: Mapping[int, tuple[Cost, ...]], names: Sequence[str]
) -> str:
    """A row for each peer that was measured, a column for each step; a cell may hold two costs."""
    rows = {
        name: [" / ".join(microseconds(cost.get(name)) for cost in step) for step in costs.values()]
        for name in names
        if any(name in cost for step in costs.values() for cost in step)
    }
    return table(corner, [f"{number}{unit}" for number in costs], rows)
