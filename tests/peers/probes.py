"""Tables that compare libraries: each cell is the result of a probe that was run."""

import importlib.metadata
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.peers.frameworks import PEERS, Settings, View, clock, put

README = Path(__file__).parents[1] / "README.md"
Probe = Callable[[str], str]
"""Runs a peer, and returns the text of its cell."""


class Table:
    """A table of ``tests/README.md``, between two comments with its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.probes: dict[str, Probe] = {}
        self.expected: dict[str, dict[str, str]] = {}

    def row(self, title: str, others: str, **cells: str) -> Callable[[Probe], Probe]:
        """Add a row: its probe, the expected cells of some peers, and that of all ``others``."""

        def enter(probe: Probe) -> Probe:
            named = {name.replace("_", "-"): cell for name, cell in cells.items()}
            assert named.keys() <= PEERS.keys()
            self.expected[title] = dict.fromkeys(PEERS, others) | named
            self.probes[title] = probe
            return probe

        return enter

    def cells(self) -> list[tuple[str, str]]:
        """Return every title paired with every peer."""
        return [(title, peer) for title, row in self.expected.items() for peer in row]

    def __str__(self) -> str:
        ours, *theirs = PEERS
        heads = [ours, *(f"{peer} {importlib.metadata.version(peer)}" for peer in theirs)]
        lines = [["", *heads], ["---"] * (len(PEERS) + 1)]
        lines += [[title, *cells.values()] for title, cells in self.expected.items()]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def in_readme(self) -> str:
        """Return the table that the README shows."""
        after = README.read_text(encoding="utf-8").partition(f"<!-- {self.name} -->")[2]
        return after.partition(f"<!-- /{self.name} -->")[0].strip()


def or_option(probe: Callable[[str, bool], str]) -> Probe:
    """Run the probe with the peer's defaults, and again with its option for this row."""

    def both(peer: str) -> str:
        cell, option = probe(peer, False), probe(peer, True)
        return cell if option == cell else f"{cell} (option: {option})"

    return both


class Browser:
    """A browser that keeps one cookie, and drops cookies over 4096 bytes."""

    def __init__(self, peer: str, **settings: Any) -> None:
        self.run = PEERS[peer]
        self.settings = Settings(**settings)
        self.cookie = ""
        self.warned = False

    def visit(self, at: float = 0, **view: Any) -> dict[str, str]:
        """Send a request ``at`` seconds after the first, and return the response's headers."""
        with clock(at), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            headers = self.run(View(**view), self.settings, self.cookie)
        self.warned = any("too large" in str(warning.message) for warning in caught)
        found = {name.title(): value for name, value in headers}
        pair = found.get("Set-Cookie", "").partition(";")[0]
        if len(pair) <= 4096:
            self.cookie = pair or self.cookie
        return found

    def fails(self, **view: Any) -> bool:
        """Send a request, and return whether it raises an exception (each peer has its own)."""
        try:
            self.visit(**view)
        except Exception:
            return True
        return False

    def login(self, at: float = 0) -> "Browser":
        self.visit(at, before=put("user", "ada"))
        return self

    def read(self, key: str, at: float = 0) -> object:
        """Return the value that the server sees in this browser's session."""
        seen: list[object] = []
        self.visit(at, before=lambda session: seen.append(session.get(key)))
        return seen[0]

    def is_logged_in(self, at: float = 0, cookie: str = "") -> bool:
        self.cookie = cookie or self.cookie
        return self.read("user", at) == "ada"
