"""Fixtures that every test may ask for."""

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
