"""The main table drawn: an SVG that follows the reader's light or dark mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from .machine import Machine
from .timing import Cost

WIDTH = 880
MARGIN = 28
GUTTER = 36
TOP = 92
ROW = 24
BAR = 14
NAMES = 112
"""Pixels for the names of the peers."""
VALUES = 46
"""Pixels for the figure after the longest bar."""
PANEL = (WIDTH - 2 * MARGIN - GUTTER) // 2
HEADING = 34

STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
  .title { font-size: 19px; font-weight: 600 }
  .heading { font-size: 14px; font-weight: 600 }
  .small { font-size: 11.5px }
  .small, .limit, .figure { fill: #59636e }
  .ours { font-weight: 600; fill: #0a6b50 }
  .card { fill: #ffffff; stroke: #d1d9e0 }
  .axis { stroke: #d1d9e0 }
  rect.peer { fill: #aab4be }
  rect.ours { fill: #0f8a67 }
  rect.limit { fill: #eef1f4; stroke: #818b98 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small, .limit, .figure { fill: #9ba5b0 }
    .ours { fill: #4cc79f }
    .card { fill: #0d1117; stroke: #3d444d }
    .axis { stroke: #3d444d }
    rect.peer { fill: #56606b }
    rect.ours { fill: #2fa37e }
    rect.limit { fill: #1b222a; stroke: #848d97 }
  }
"""


def draw(costs: Mapping[str, Cost], machine: Machine, limit: str, ours: str) -> str:
    """Two panels a row, one for each scenario; all bars on one scale."""
    names = list(next(iter(costs.values())))
    longest = max(max(cost.values()) for cost in costs.values())
    scale = (PANEL - NAMES - VALUES) / longest
    panel_height = HEADING + ROW * len(names) + 26
    bottom = TOP + panel_height * -(-len(costs) // 2)
    height = bottom + 54
    lines = [
        *card("Microseconds that a session adds to a request", described(costs), height, STYLE),
        text(MARGIN, 62, "small", "Less is better. A session of five keys, 200 bytes of JSON."),
    ]
    for number, (scenario, cost) in enumerate(costs.items()):
        x = MARGIN + (PANEL + GUTTER) * (number % 2)
        y = TOP + panel_height * (number // 2)
        lines.extend(panel(x, y, scenario, cost, scale, {limit: "limit", ours: "ours"}))
    stamp = f"{machine.date} · {machine.processor} · {machine.python}"
    lines.append(text(MARGIN, bottom + 10, "small", stamp))
    lines.append(text(MARGIN, bottom + 28, "small", machine.versions))
    return "\n".join([*lines, "</svg>\n"])


def card(title: str, description: str, height: int, style: str) -> Iterator[str]:
    """The beginning of a chart: what it shows, and the card that it is drawn on."""
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}" role="img" aria-labelledby="title description">'
    )
    yield f'<title id="title">{escape(title)}</title>'
    yield f'<desc id="description">{escape(description)}</desc>'
    yield f"<style>{style}</style>"
    yield f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10"/>'
    yield text(MARGIN, 40, "title", title)


def panel(
    x: int, y: int, scenario: str, cost: Cost, scale: float, kinds: Mapping[str, str]
) -> Iterator[str]:
    """A heading, and below it for each contestant a name, a bar and a figure."""
    yield text(x, y + 18, "heading", scenario)
    start = x + NAMES
    for number, (name, value) in enumerate(cost.items()):
        kind = kinds.get(name, "peer")
        top = y + HEADING + ROW * number
        width = max(1.0, value * scale)
        base = top + BAR - 2
        yield text(start - 8, base, f"{kind} name", name, anchor="end")
        yield (
            f'<rect class="{kind}" x="{start + 0.5}" y="{top + 0.5}"'
            f' width="{width:.1f}" height="{BAR}" rx="2"/>'
        )
        yield text(start + width + 7, base, "ours" if kind == "ours" else "figure", f"{value:.1f}")
    foot = y + HEADING + ROW * len(cost) - 4
    yield f'<path class="axis" d="M{start} {y + HEADING - 6}V{foot}"/>'


def text(x: float, y: float, kind: str, words: str, anchor: str = "start") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def described(costs: Mapping[str, Cost]) -> str:
    """The whole chart in words, for readers who cannot see it."""
    return " ".join(
        f"{scenario}: " + ", ".join(f"{name} {value:.1f}" for name, value in cost.items()) + "."
        for scenario, cost in costs.items()
    )
