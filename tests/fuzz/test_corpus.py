"""What the fuzzers found worth keeping, once more; and some inputs beyond."""

import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import CORPUS, fuzz
from tests.fuzz.targets import TARGETS
from tests.processes import require

RUNS = 3000


@pytest.mark.parametrize("target", TARGETS)
def test_every_kept_input_keeps_the_rules(target: str) -> None:
    """Also one that broke a rule once: a failing input stays in the corpus."""
    inputs = sorted((CORPUS / target).iterdir())
    assert len(inputs) > 10
    for path in inputs:
        try:
            TARGETS[target](path.read_bytes())
        except BaseException as error:
            error.add_note(str(path))
            raise


@pytest.mark.parametrize("target", TARGETS)
def test_inputs_made_of_the_kept_ones_keep_the_rules(target: str, tmp_path: Path) -> None:
    """The same ones in each run: it is ``python -m tests.fuzz`` that looks for others."""
    require("atheris")
    found = tmp_path / "found"
    found.mkdir()
    run = fuzz(target, found, f"-runs={RUNS}", "-seed=1", f"-artifact_prefix={tmp_path}/")
    assert run.returncode == 0, run.stdout
    assert f"Done {RUNS} runs" in run.stdout


def test_the_corpus_is_small() -> None:
    sizes = [path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()]
    assert len(sizes) <= 250
    assert sum(sizes) < 1_000_000


def test_replaying_needs_no_atheris() -> None:
    assert "atheris" not in sys.modules
