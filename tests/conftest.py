"""Fixtures for all tests, and the hook that makes a skipped module a failure."""

import os
from collections.abc import Generator

import pytest


class Clock:
    """A clock in place of ``time.time``, which only moves when a test advances it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace ``time.time`` by a clock that stands still, for itsdangerous too."""
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    return clock


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a test module instead of skipping it if SESSIONWARE_REQUIRE_ALL is set."""
    report = yield
    if isinstance(report.longrepr, tuple) and os.environ.get("SESSIONWARE_REQUIRE_ALL") == "1":
        report.outcome, report.longrepr = "failed", report.longrepr[2]
    return report
