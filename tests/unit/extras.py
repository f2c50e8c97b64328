"""The package without its optional dependencies."""

import sys

import pytest


def hide_cryptography(
    monkeypatch: pytest.MonkeyPatch, module: str = "sessionware.encryption"
) -> None:
    """Make imports of cryptography fail, as if the extra were not installed."""
    monkeypatch.delitem(sys.modules, module, raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
