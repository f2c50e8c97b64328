"""What the tests beside other frameworks need: all of these, or they are skipped."""

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
"""What each is imported as."""


def require_frameworks() -> None:
    """Skip the test, or the module that is collected, if one of the frameworks is missing."""
    for module in FRAMEWORKS.values():
        require(module)


class BesideFrameworks(pytest.Module):
    """A test module that imports the frameworks, and is skipped before it does."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        require_frameworks()
        return super().collect()
