"""The work that a read takes, in lines of Python rather than in seconds."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def lines_run(header: str, read: Callable[[str], object]) -> int:
    """Return how many lines of Python run to read this header."""
    count = 0

    def trace(_: FrameType, event: str, __: Any) -> Callable[..., Any]:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        read(header)
    finally:
        sys.settrace(before)
    return count
