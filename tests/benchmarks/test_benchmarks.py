"""The benchmark: every peer does what it is timed for, and what needs no stopwatch holds."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from tests.benchmarks import __main__ as benchmark
from tests.benchmarks import flat, growth, stores, targets
from tests.benchmarks.contestants import BEST, LIMIT, OTHERS, OURS, VARIANTS, Peer
from tests.benchmarks.scenarios import (
    FURTHER,
    SCENARIOS,
    Scenario,
    WrongResultError,
    check,
    untouched,
)
from tests.benchmarks.timing import QUICK
from tests.processes import require

# What the peers' own code is warned about is not for us to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PEERS: list[Callable[[], Peer]] = [LIMIT, *BEST, OURS, *VARIANTS, *OTHERS]


@pytest.mark.parametrize("scenario", [*SCENARIOS, *FURTHER], ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.__name__)
def test_every_peer_does_what_it_is_timed_for(peer: Callable[[], Peer], scenario: Scenario) -> None:
    if scenario.suits(peer()):
        check(peer(), scenario)


def test_a_peer_that_does_nothing_is_found_out() -> None:
    lazy = Scenario("write", untouched, "session", {"visits": 4})
    with pytest.raises(WrongResultError, match="sessionware, write"):
        check(OURS(), lazy)


def test_cookies_are_as_small_as_promised() -> None:
    sizes = growth.cookies_by_size([peer() for peer in PEERS])
    missed = [str(target) for target in targets.of_size(sizes, "sessionware") if not target.held]
    assert missed == []


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux: /proc/self/statm")
def test_memory_stays_flat() -> None:
    used = flat.memory(OURS(), requests=20_000, settled=5_000)
    assert used.flat, used


def test_nothing_refers_to_environ_after_the_request() -> None:
    assert flat.left_behind(OURS()) == []


def test_it_runs_and_draws_its_chart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chart.svg"
    benchmark.main(["--quick", f"--chart={path}"])  # so quick that its verdict means nothing
    printed = capsys.readouterr().out
    drawn = "".join(fromstring(path.read_text(encoding="utf-8")).itertext())  # noqa: S314 - ours
    for peer in PEERS:
        assert f"| {peer().name} " in printed
    for peer in (BEST[0], OURS, *OTHERS):
        assert peer().name in drawn
    assert "PASS" in printed


def test_it_draws_how_the_costs_grow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "growth.svg"
    benchmark.main(["--quick", f"--growth={path}"])
    printed = capsys.readouterr().out
    drawn = "".join(fromstring(path.read_text(encoding="utf-8")).itertext())  # noqa: S314 - ours
    for step in ("4000 B", "1000000 B", "200", "64 KB"):
        assert f" {step} |" in printed
    assert "1,000,000 B" in drawn


def test_it_measures_sessions_in_every_database(capsys: pytest.CaptureFixture[str]) -> None:
    for package in ("flask_session", "flask_sqlalchemy", "psycopg"):
        require(package)
    stores.main(QUICK, QUICK)
    printed = capsys.readouterr().out
    for contestant in ("bare commands", "sessionware, store", "Flask-Session", "Django", "Beaker"):
        assert f"| {contestant} " in printed
    verdicts = re.sub(" [0-9.]+,", ",", printed)
    for database in ("Redis", "PostgreSQL", "SQLite"):
        assert f"{database}, write, sessionware, store, times bare commands" in verdicts
