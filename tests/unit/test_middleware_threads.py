"""Threads that send requests to one middleware at once, with and without the GIL.

``SESSIONWARE_RACE_SECONDS=60 pytest tests/unit/test_middleware_threads.py`` goes on for longer.
"""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sessionware import Session
from tests.conftest import Clock
from tests.sites import Site, count

THREADS = 8
SECONDS = float(os.environ.get("SESSIONWARE_RACE_SECONDS", "0.5"))

MONTHS = 99 * 24 * 60 * 60


class Crowd:
    """What each thread does in turn. Each step is right or fails, whatever the others do."""

    def __init__(self, clock: Clock) -> None:
        self.site = Site()
        self.expired = self.site.visit(count).cookie
        clock.advance(MONTHS)
        self.cookie = self.site.visit(
            lambda session: session.update(n=1, cart={"pears": [1]})
        ).cookie
        self.others = ThreadPoolExecutor(THREADS)
        self.begin = threading.Barrier(THREADS, timeout=10)

    def run(self, _: int) -> int:
        """Do everything again and again, and return how often."""
        self.begin.wait()
        deadline, times = time.monotonic() + SECONDS, 0
        while time.monotonic() < deadline:
            for step in (self.write, self.read, self.refuse, self.end, self.nest, self.look):
                step()
            times += 1
        return times

    def write(self) -> None:
        first = self.site.visit(count)
        assert [first.result, self.site.visit(count, first.cookie).result] == [1, 2]

    def read(self) -> None:
        assert self.site.read(self.cookie) == {"n": 1, "cart": {"pears": [1]}}

    def refuse(self) -> None:
        assert self.site.read(f"{self.cookie[:-4]}AAAA") is None

    def end(self) -> None:
        assert self.site.read(self.expired) is None

    def nest(self) -> None:
        changed = self.site.visit(lambda session: session["cart"]["pears"].append(2), self.cookie)
        assert self.site.read(changed.cookie) == {"n": 1, "cart": {"pears": [1, 2]}}

    def look(self) -> None:
        """Have two threads take the first look at one session at once."""
        assert self.site.visit(self._both_read, self.cookie).result == [{"pears": [1]}] * 2

    def _both_read(self, session: Session) -> list[Any]:
        looks = [self.others.submit(session.get, "cart") for _ in "12"]
        carts = [look.result(timeout=10) for look in looks]
        assert carts[0] is carts[1]
        return carts


def test_requests_of_eight_threads_do_not_disturb_each_other(clock: Clock) -> None:
    crowd = Crowd(clock)
    with crowd.others, ThreadPoolExecutor(THREADS) as threads:
        times = [*threads.map(crowd.run, range(THREADS))]
    assert all(times)
