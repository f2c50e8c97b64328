"""Skips every test module here where a framework is missing."""

from pathlib import Path

import pytest

from tests.peers.required import BesideFrameworks


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    return BesideFrameworks.from_parent(parent, path=module_path)
