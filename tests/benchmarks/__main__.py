"""`python -m tests.benchmarks`, from the repository's root."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from . import chart, curves, flat, footprint, growth, load, machine, report, targets
from .contestants import BEST, LIMIT, OTHERS, OURS, VARIANTS
from .scenarios import FURTHER, NESTED, READ, SCENARIOS, UNTOUCHED, WRITE
from .timing import FULL, GROWTH, QUICK, by_scenario


def main(arguments: list[str]) -> int:
    """Print what was asked for; 1 if a target was missed."""
    options = parse(arguments)
    if options.wrk:
        return end_to_end()
    if options.flat:
        return stays_flat(options.requests)
    if options.growth is not None:
        return grows(options)
    return figures(options)


def parse(arguments: list[str]) -> Namespace:
    parser = ArgumentParser("python -m tests.benchmarks", description=__doc__)
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--wrk", action="store_true", help="processor time under gunicorn")
    part.add_argument("--flat", action="store_true", help="memory over a million requests")
    part.add_argument("--growth", type=Path, metavar="PATH", help="growth, drawn as an SVG")
    part.add_argument("--chart", type=Path, metavar="PATH", help="draw the table as an SVG")
    parser.add_argument("--requests", type=int, default=1_000_000, help="of --flat")
    parser.add_argument("--quick", action="store_true", help="few short rounds: a smoke test")
    return parser.parse_args(arguments)


def say(*parts: str) -> None:
    sys.stdout.write("".join(parts) + "\n")
    sys.stdout.flush()


def figures(options: Namespace) -> int:
    limit, best, _ = limits = [make() for make in (LIMIT, *BEST)]
    ours, variants, others = OURS(), [make() for make in VARIANTS], [make() for make in OTHERS]
    peers = [*limits, ours, *variants, *others]
    names, libraries = [peer.name for peer in peers], [peer.name for peer in others]
    where = machine.here({peer.name: peer.version for peer in peers})
    say(str(where), "\n")

    costs = by_scenario(peers, (*SCENARIOS, *FURTHER), QUICK if options.quick else FULL)
    sizes = growth.cookies_by_size(peers)
    say(report.main_table({it.name: costs[it.name] for it in SCENARIOS}, sizes[200], names))
    say(report.further_table({it.name: costs[it.name] for it in FURTHER}, names))
    say(report.ratios(costs, [peer.name for peer in limits], ours.name, libraries))
    say(report.bytes_table(sizes, names))
    runs = 1 if options.quick else footprint.RUNS
    say(report.footprints(footprint.of_each([ours, *others], runs)))

    if options.chart is not None:
        shown = [peer.name for peer in (best, ours, *others)]
        drawn = {
            it.name: {name: costs[it.name][name] for name in shown}
            for it in (UNTOUCHED, READ, WRITE, NESTED)
        }
        svg = chart.draw(drawn, where, best.name, ours.name)
        options.chart.write_text(svg, encoding="utf-8")
    promised = targets.of_speed(costs, limit.name, ours.name, libraries)
    return verdict([*promised, *targets.of_size(sizes, ours.name)])


def grows(options: Namespace) -> int:
    limit, ours, others = BEST[0](), OURS(), [make() for make in OTHERS]
    peers = [limit, ours, *others]
    names = [peer.name for peer in peers]
    where = machine.here({peer.name: peer.version for peer in peers})
    say(str(where), "\n")

    pace = QUICK if options.quick else GROWTH
    sizes, stored = growth.by_session_size(peers, pace), growth.by_stored_size(pace)
    cookies, headers = growth.by_other_cookies(peers, pace), growth.by_header_size(peers, pace)
    twins, fallbacks = growth.by_twins(peers, pace), growth.by_fallbacks(peers, pace)
    for corner, unit, steps in (
        ("read / write, µs, JSON of", " B", sizes),
        ("read / write in a store, µs, JSON of", " B", stored),
        ("untouched / read, µs, other cookies", "", cookies),
        ("untouched / read, µs, Cookie header of", " KB", headers),
        ("read, µs, valid cookies of our name", "", twins),
        ("read with the oldest key, µs, fallbacks", "", fallbacks),
    ):
        say(report.growth_table(corner, unit, steps, names))

    panels = [
        curves.Panel(title, unit, {step: costs[which] for step, costs in steps.items()})
        for title, unit, steps, which in (
            ("read, by the session's JSON", " B", sizes, 0),
            ("write, by the session's JSON", " B", sizes, 1),
            ("read from a store, by the session's JSON", " B", stored, 0),
            ("write to a store, by the session's JSON", " B", stored, 1),
            ("read, by the number of other cookies", "", cookies, 1),
            ("read, by the size of the Cookie header", " KB", headers, 1),
            ("read, by the cookies of our name", "", twins, 0),
            ("read with the oldest key, by the fallbacks", "", fallbacks, 0),
        )
    ]
    svg = curves.draw(panels, where, limit.name, ours.name, [peer.name for peer in others])
    options.growth.write_text(svg, encoding="utf-8")
    return 0


def verdict(promised: Iterable[targets.Target]) -> int:
    say(*map(str, promised))
    return int(not all(target.held for target in promised))


def end_to_end() -> int:
    try:
        costs = load.costs()
    except load.UnavailableError as error:
        say(str(error))
        return 1
    rows = {name: [f"{cost:.0f}", f"{cost - costs['bare']:.0f}"] for name, cost in costs.items()}
    say(report.table("counter", ["µs a request", "of these, the session's"], rows))
    return 0


def stays_flat(requests: int) -> int:
    peer = OURS()
    used = flat.memory(peer, requests)
    held = flat.left_behind(peer)
    say(str(used), f"{'FAIL' if held else 'PASS'}  references left to environ: {held or 'none'}")
    return int(not used.flat or bool(held))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
