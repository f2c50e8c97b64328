"""The package as it is where an extra is not installed."""

import sys

import pytest


def hide_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra is not installed."""
    monkeypatch.delitem(sys.modules, "sessionware.encryption")
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
