"""Skip every test module here if one of the frameworks is not installed."""

from pathlib import Path

import pytest

from tests.peers.required import BesideFrameworks


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    return BesideFrameworks.from_parent(parent, path=module_path)
