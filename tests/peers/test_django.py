"""Django with our sessions: its own tests, and a site made of the README's lines."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.test.utils import override_settings
from django.urls import path

from tests.benchmarks.contestants import configure_django
from tests.gateway import KEY
from tests.peers.django_suite import failures
from tests.processes import ROOT

VERSIONS = ["5.2.19", *(["6.1.3"] if sys.version_info >= (3, 12) else [])]
"""The releases whose tests are run. The second needs Python 3.12."""


def listed(version: str) -> set[str]:
    """Return the tests of this release that tests/README.md names, with the reason, as failing."""
    page = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(test_\w+)` \| ([\d., ]+) \|", page, re.MULTILINE)
    return {name for name, versions in rows if version[:3] in versions.split(", ")}


@pytest.mark.parametrize("version", VERSIONS)
def test_djangos_own_tests_pass_but_for_those_that_are_listed(version: str, tmp_path: Path) -> None:
    count, failed = failures(version, tmp_path)
    assert count > 1000
    assert failed == listed(version)


def count(request: HttpRequest) -> HttpResponse:
    request.session["n"] = request.session.get("n", 0) + 1
    return HttpResponse(str(request.session["n"]))


def test_the_readme_s_lines_put_djangos_session_on_ours() -> None:
    configure_django()
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    [code] = re.findall("^(MIDDLEWARE = .*?)^```", page, re.MULTILINE | re.DOTALL)
    settings: dict[str, Any] = {}
    exec(code, {}, settings)  # noqa: S102 - the code is the README's
    settings["MIDDLEWARE"].remove(...)
    with override_settings(**settings, SECRET_KEY=KEY, ROOT_URLCONF=(path("", count),)):
        client = Client()
        assert [client.get("/").text for _ in "12"] == ["1", "2"]
        assert client.session["n"] == 2
