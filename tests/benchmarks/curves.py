"""The growth drawn: an SVG of small line charts, in the style of the bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .chart import GUTTER, MARGIN, PANEL, STYLE, card, text
from .machine import Machine
from .timing import Cost

HEIGHT = 168
"""Pixels of a panel, of which the curves take those between the heading and the axis."""
HEADING, FOOT = 34, 26
LEFT = 44
TOP = 108
ABOVE = 2.5
"""How far the vertical axis reaches, in times of our longest: what is beyond is cut off."""

LINES = """
  polyline { stroke-width: 1.5; stroke-linejoin: round }
  polyline.peer { fill: none; stroke: #aab4be }
  polyline.limit { fill: none; stroke: #818b98; stroke-dasharray: 4 3 }
  polyline.ours { fill: none; stroke: #0f8a67; stroke-width: 2.5 }
  @media (prefers-color-scheme: dark) {
    polyline.peer { stroke: #56606b }
    polyline.limit { stroke: #848d97 }
    polyline.ours { stroke: #2fa37e }
  }
"""


@dataclass(frozen=True, slots=True)
class Panel:
    """One line chart: the costs at each step. ``unit`` follows the number of a step."""

    title: str
    unit: str
    costs: Mapping[int, Cost]


def draw(
    panels: Sequence[Panel], machine: Machine, limit: str, ours: str, others: Sequence[str]
) -> str:
    """Two panels a row: ours, the limit, and the fastest of the others at each step."""
    bottom = TOP + HEIGHT * -(-len(panels) // 2)
    height = bottom + 40
    kinds = {limit: "limit", "fastest peer": "peer", ours: "ours"}
    lines = [
        *card(
            "How the microseconds of a session grow",
            described(panels, ours),
            height,
            f"{STYLE}{LINES}",
        ),
        *legend(kinds),
    ]
    for number, panel in enumerate(panels):
        x = MARGIN + (PANEL + GUTTER) * (number % 2)
        y = TOP + HEIGHT * (number // 2)
        series = {name: curve(panel, name, others) for name in kinds}
        lines.extend(drawn(x, y, panel, {kinds[name]: series[name] for name in kinds}))
    stamp = f"{machine.date} · {machine.processor} · {machine.python}"
    return "\n".join([*lines, text(MARGIN, bottom + 20, "small", stamp), "</svg>\n"])


def legend(kinds: Mapping[str, str]) -> Iterator[str]:
    x = MARGIN
    for name, kind in kinds.items():
        yield f'<polyline class="{kind}" points="{x},68 {x + 28},68"/>'
        yield text(x + 36, 72, kind, name)
        x += 180


def curve(panel: Panel, name: str, others: Sequence[str]) -> dict[int, float]:
    """The cost at each step of which there is one."""
    found = {}
    for step, cost in panel.costs.items():
        among = [name] if name in cost else [each for each in others if each in cost]
        if name in cost or (name == "fastest peer" and among):
            found[step] = min(cost[each] for each in among)
    return found


def drawn(x: int, y: int, panel: Panel, series: Mapping[str, Mapping[int, float]]) -> Iterator[str]:
    """A heading, the axes with their ends, and a line for each series."""
    left, right, top, foot = x + LEFT, x + PANEL - 8, y + HEADING, y + HEIGHT - FOOT
    last, highest = max(panel.costs), max(series["ours"].values()) * ABOVE
    highest = min(highest, max(max(each.values()) for each in series.values() if each) * 1.1)
    yield text(x, y + 18, "heading", panel.title)
    yield f'<path class="axis" fill="none" d="M{left} {top}V{foot}H{right}"/>'
    yield text(left - 6, top + 8, "small", f"{highest:.0f} µs", anchor="end")
    yield text(left - 6, foot, "small", "0", anchor="end")
    yield text(right, foot + 15, "small", f"{last:,}{panel.unit}", anchor="end")
    yield (
        f'<clipPath id="clip{x}-{y}"><rect x="{left}" y="{top}" width="{right - left}"'
        f' height="{foot - top}"/></clipPath>'
    )
    for kind, costs in series.items():
        points = " ".join(
            f"{left + (right - left) * step / last:.1f},{foot - (foot - top) * cost / highest:.1f}"
            for step, cost in costs.items()
        )
        yield f'<polyline class="{kind}" points="{points}" clip-path="url(#clip{x}-{y})"/>'


def described(panels: Sequence[Panel], ours: str) -> str:
    """Ours in words, for readers who cannot see the chart."""
    return " ".join(
        f"{panel.title}: "
        + ", ".join(f"{step:,}{panel.unit} {cost[ours]:.1f}" for step, cost in panel.costs.items())
        + "."
        for panel in panels
    )
