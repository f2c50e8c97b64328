"""The ways to keep a session. Each gives the settings of a new site, with a store of its own."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.sites import MemoryRevocations, MemoryStore

MODES: dict[str, Callable[[], dict[str, Any]]] = {
    "signed": dict,
    "encrypted": lambda: {"encrypt": True},
    "revocations": lambda: {"revocations": MemoryRevocations()},
    "store": lambda: {"store": MemoryStore()},
}
every_mode = pytest.mark.parametrize("mode", MODES)
cookie_alone = pytest.mark.parametrize("mode", ["signed", "encrypted"])
"""The modes in which a copy of the cookie stays valid after the log-out."""
held_on_the_server = pytest.mark.parametrize("mode", ["revocations", "store"])
"""The modes in which nothing brings a session back after its log-out."""
