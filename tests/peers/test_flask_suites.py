"""The tests that Flask and its extensions have published, with Flask's session and with ours.

Ours is put on every application that has a key: see ``flask_with_ours.py``.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.peers.archives import Archive
from tests.processes import ROOT, require

PLUGINS = Path(__file__).parent
MIN_TESTS = 80


class Suite(NamedTuple):
    """Tests of an archive, and the modules that they need."""

    archive: Archive
    tests: tuple[str, ...] = ("tests",)
    needs: tuple[str, ...] = ()


SUITES = {
    "Flask": Suite(
        Archive(
            "flask", "3.1.3", "0ef0e52b8a9cd932855379197dd8f94047b359ca0a78695144304cb45f87c9eb"
        ),
        tests=(
            "tests/test_basic.py",
            "tests/test_testing.py",
            "tests/test_session_interface.py",
            "tests/test_reqctx.py",
            "tests/test_templating.py",
        ),
    ),
    "Flask-Login": Suite(
        Archive(
            "flask-login",
            "0.6.3",
            "5e23d14a607ef12806c699590b89d0f0e0d67baeec599d75947bf9c147330333",
        ),
        needs=("asgiref", "flask_login", "semantic_version"),
    ),
    "Flask-WTF": Suite(
        Archive(
            "flask-wtf", "1.3.0", "61d5dabc50c3df885c297dcbd80810443a5d632106c8a69cab8ce740f0cdd7cc"
        ),
        needs=("email_validator", "flask_babel", "flask_uploads", "flask_wtf"),
    ),
    "Flask-Dance": Suite(
        Archive(
            "flask-dance",
            "7.1.0",
            "6d0510e284f3d6ff05af918849791b17ef93a008628ec33f3a80578a44b51674",
        ),
        needs=(
            "betamax",
            "flask_caching",
            "flask_login",
            "flask_sqlalchemy",
            "freezegun",
            "jwt",
            "pytest_mock",
            "requests_oauthlib",
            "responses",
            "urlobject",
        ),
    ),
}


class Outcome(NamedTuple):
    """How many tests passed, which failed, and how many applications had our sessions."""

    passed: int
    failed: set[str]
    applications: int


def start(suite: Suite, folder: Path, *plugins: str) -> "subprocess.Popen[str]":
    """Run the suite, unpacked into this folder, with these plugins."""
    folder.mkdir()
    options = ["-q", "-rfE", "--tb=no", "-pno:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, *(f"-p{name}" for name in plugins)]
    path = os.pathsep.join([str(PLUGINS), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(  # noqa: S603 - the arguments are the tests' own
        [*command, *suite.tests],
        cwd=suite.archive.unpack(folder),
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def outcome_of(run: "subprocess.Popen[str]") -> Outcome:
    text = run.communicate()[0]
    [passed] = re.findall(r"(\d+) passed", text) or ["0"]
    [applications] = re.findall(r"^(\d+) applications", text, re.MULTILINE) or ["0"]
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", text, re.MULTILINE)
    return Outcome(int(passed), {*failed}, int(applications))


@pytest.fixture(scope="module", params=SUITES)
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Outcome, Outcome]]:
    """The suite, and what it gives with Flask's session and with ours, side by side."""
    suite, folder = SUITES[request.param], tmp_path_factory.mktemp("suite")
    for module in suite.needs:
        require(module)
    with ExitStack() as stack:
        theirs, ours = (
            stack.enter_context(start(suite, folder / plugins[-1], *plugins))
            for plugins in (["older_pytest"], ["older_pytest", "flask_with_ours"])
        )
        yield request.param, outcome_of(theirs), outcome_of(ours)


def named_in_the_readme() -> set[str]:
    """Return the tests that the table names, each with its reason."""
    readme = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    table = readme.partition("<!-- flask -->")[2].partition("<!-- /flask -->")[0]
    return {*re.findall(r"^\| `(\w+)` \| \w", table, re.MULTILINE)}


def test_with_ours_fails_only_what_the_readme_names(
    outcomes: tuple[str, Outcome, Outcome],
) -> None:
    name, theirs, ours = outcomes
    failed = {test.rpartition("::")[2] for test in ours.failed - theirs.failed}
    assert failed == (named_in_the_readme() if name == "Flask" else set())


def test_it_is_ours_with_which_nearly_all_tests_pass(
    outcomes: tuple[str, Outcome, Outcome],
) -> None:
    _, theirs, ours = outcomes
    assert (theirs.applications, ours.applications > MIN_TESTS / 4) == (0, True)
    assert ours.passed > MIN_TESTS


def test_at_most_five_tests_are_named() -> None:
    assert len(named_in_the_readme()) <= 5
