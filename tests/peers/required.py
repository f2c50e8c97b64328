"""The frameworks of the comparison, all of which its tests need."""

from collections.abc import Iterable

import pytest

from tests.processes import require

FRAMEWORKS = {
    "Beaker": "beaker",
    "secure-cookie": "secure_cookie",
    "Flask": "flask",
    "Pyramid": "pyramid",
    "Django": "django",
    "Starlette": "starlette",
}
"""The module that each is imported as."""


def require_frameworks() -> None:
    """Skip the test, or the module, if one of the frameworks is not installed."""
    for module in FRAMEWORKS.values():
        require(module)


class BesideFrameworks(pytest.Module):
    """A test module that is skipped before it is imported if a framework is not installed."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        require_frameworks()
        return super().collect()
