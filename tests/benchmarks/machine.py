"""What the figures were taken on: the day, the machine, the versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """Written under every table and chart."""

    date: str
    processor: str
    python: str
    versions: str

    def __str__(self) -> str:
        return f"{self.date} · {self.processor} · {self.python} · {self.versions}"


def here(versions: Mapping[str, str]) -> Machine:
    """Describe this machine, and the releases of the libraries."""
    return Machine(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        processor=f"{processor()}, {os.cpu_count()} cores",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions=", ".join(f"{name} {versions[name]}" for name in versions if versions[name]),
    )


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()
