"""Skips the table of what the frameworks do where one of them is missing."""

from pathlib import Path

import pytest

from tests.peers.required import BesideFrameworks


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    if module_path.name == "test_table.py":
        return BesideFrameworks.from_parent(parent, path=module_path)
    return None
