"""`python -m tests.benchmarks`, from the repository's root."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from . import chart, flat, growth, load, machine, report, targets
from .contestants import ENCRYPTED, LIMIT, OTHERS, OURS
from .scenarios import NESTED, READ, UNTOUCHED, WRITE
from .timing import FULL, GROWTH, QUICK, by_scenario


def main(arguments: list[str]) -> int:
    """Print what was asked for; 1 if a target was missed."""
    options = parse(arguments)
    if options.wrk:
        return end_to_end()
    if options.flat:
        return stays_flat(options.requests)
    return figures(options)


def parse(arguments: list[str]) -> Namespace:
    parser = ArgumentParser("python -m tests.benchmarks", description=__doc__)
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--wrk", action="store_true", help="requests per second under gunicorn")
    part.add_argument("--flat", action="store_true", help="memory over a million requests")
    parser.add_argument("--requests", type=int, default=1_000_000, help="of --flat")
    parser.add_argument("--quick", action="store_true", help="few short rounds: a smoke test")
    parser.add_argument("--chart", type=Path, metavar="PATH", help="draw the table as an SVG")
    return parser.parse_args(arguments)


def say(*parts: str) -> None:
    sys.stdout.write("".join(parts) + "\n")
    sys.stdout.flush()


def figures(options: Namespace) -> int:
    made = LIMIT, OURS, ENCRYPTED, *OTHERS
    limit, ours, encrypted, *others = peers = [peer() for peer in made]
    names = [peer.name for peer in peers]
    pace, slow = (QUICK, QUICK) if options.quick else (FULL, GROWTH)
    where = machine.here({peer.name: peer.version for peer in peers})
    say(str(where), "\n")

    costs = by_scenario(peers, pace)
    sizes = growth.cookies_by_size(peers)
    say(report.main_table(costs, sizes[200], names))
    say(report.ratios(costs, limit.name, ours.name, [peer.name for peer in others]))
    say(report.bytes_table(sizes, names))
    for corner, unit, steps in (
        ("read / write, µs, JSON of", " B", growth.by_session_size(peers, slow)),
        ("untouched / read, µs, other cookies", "", growth.by_other_cookies(peers, slow)),
        ("read with the oldest key, µs, fallbacks", "", growth.by_fallbacks(peers, slow)),
    ):
        say(report.growth_table(corner, unit, steps, names))

    for cost in costs.values():
        del cost[encrypted.name]  # the chart and the targets are about what the peers do too
    if options.chart is not None:
        drawn = {s.name: costs[s.name] for s in (UNTOUCHED, READ, WRITE, NESTED)}
        svg = chart.draw(drawn, where, limit.name, ours.name)
        options.chart.write_text(svg, encoding="utf-8")
    return verdict(
        [*targets.of_speed(costs, limit.name, ours.name), *targets.of_size(sizes, ours.name)]
    )


def verdict(promised: Iterable[targets.Target]) -> int:
    say(*map(str, promised))
    return int(not all(target.held for target in promised))


def end_to_end() -> int:
    try:
        rates = load.rates()
    except load.UnavailableError as error:
        say(str(error))
        return 1
    rows = {
        name: [f"{rate:.0f}", f"{rate / rates['bare']:.2f}", f"{rates['sessionware'] / rate:.2f}"]
        for name, rate in rates.items()
    }
    say(report.table("counter", ["requests/s", ": bare", "sessionware :"], rows))
    return 0


def stays_flat(requests: int) -> int:
    peer = OURS()
    used = flat.memory(peer, requests)
    held = flat.left_behind(peer)
    say(str(used), f"{'FAIL' if held else 'PASS'}  references left to environ: {held or 'none'}")
    return int(not used.flat or bool(held))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
