"""The package without its optional dependencies."""

import sys

import pytest


def hide_cryptography(
    monkeypatch: pytest.MonkeyPatch, module: str = "sessionware.encryption"
) -> None:
    """Make imports of cryptography fail, as if the extra were not installed."""
    hide("cryptography", module, monkeypatch)


def hide(package: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make imports of a package fail, and have the module that needs it imported again."""
    monkeypatch.delitem(sys.modules, module, raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
