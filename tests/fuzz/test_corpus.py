"""Replays of the corpus, and a short fuzzing run that starts from it."""

import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import CORPUS, fuzz
from tests.fuzz.targets import TARGETS
from tests.processes import require

RUNS = 3000


@pytest.mark.parametrize("target", TARGETS)
def test_every_kept_input_keeps_the_rules(target: str) -> None:
    """Inputs that once failed stay in the corpus."""
    inputs = sorted((CORPUS / target).iterdir())
    assert len(inputs) > 10
    for path in inputs:
        try:
            TARGETS[target](path.read_bytes())
        except BaseException as error:
            error.add_note(str(path))
            raise


@pytest.mark.parametrize("target", TARGETS)
def test_inputs_derived_from_the_corpus_keep_the_rules(target: str, tmp_path: Path) -> None:
    """The seed is fixed, so each run has the same inputs. ``python -m tests.fuzz`` finds others."""
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
