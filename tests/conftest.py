"""Fixtures that every test may ask for, and what a missing module means."""

import os
from collections.abc import Generator

import pytest


class Clock:
    """The time, as ``time.time`` tells it to the code under test; it moves only when told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Freeze ``time.time``, also for itsdangerous."""
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    return clock


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a test module that would be skipped, where everything is required."""
    report = yield
    if isinstance(report.longrepr, tuple) and os.environ.get("SESSIONWARE_REQUIRE_ALL") == "1":
        report.outcome, report.longrepr = "failed", report.longrepr[2]
    return report
