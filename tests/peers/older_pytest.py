"""A pytest plugin: a name that pytest had when other projects published their tests."""

from typing import Any

from _pytest import monkeypatch

module: Any = monkeypatch
if not hasattr(module, "notset"):
    module.notset = module.NOTSET
