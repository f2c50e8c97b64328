"""The package without its optional dependencies."""

import sys

import pytest


def hide_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make imports of cryptography fail, as if the extra were not installed."""
    monkeypatch.delitem(sys.modules, "sessionware.encryption")
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
