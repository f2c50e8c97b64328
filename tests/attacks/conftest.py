"""Skip the table of attacks if one of the frameworks is not installed."""

from pathlib import Path

import pytest

from tests.peers.required import BesideFrameworks


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    if module_path.name == "test_table.py":
        return BesideFrameworks.from_parent(parent, path=module_path)
    return None
