"""What the figures were taken on: the day, the machine, the versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .contestants import Peer


@dataclass(frozen=True, slots=True)
class Machine:
    """Written under every table and chart."""

    date: str
    processor: str
    python: str
    versions: str

    def __str__(self) -> str:
        return f"{self.date} · {self.processor} · {self.python} · {self.versions}"


def here(peers: Sequence[Peer]) -> Machine:
    return Machine(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        processor=f"{processor()}, {os.cpu_count()} cores",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions=", ".join(f"{peer.name} {peer.version}" for peer in peers if peer.version),
    )


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()
