"""A well-behaved browser for the model: it keeps its cookie as RFC 6265bis says."""

import re

MAX_COOKIE_AGE = 400 * 24 * 60 * 60
"""The longest time that a browser keeps a cookie, in seconds (RFC 6265bis, section 5.5)."""


class Browser:
    """A browser with one cookie and its own clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.kept: tuple[str, float | None] | None = None

    def header(self) -> str:
        if self.kept and self.kept[1] is not None and self.kept[1] <= self.now:
            self.kept = None
        return f"session={self.kept[0]}" if self.kept else ""

    def receive(self, line: str | None) -> None:
        if line is None:
            return
        token, attributes = read(line)
        seconds = attributes.get("Max-Age")
        ends = None if seconds is None else self.now + min(int(seconds), MAX_COOKIE_AGE)
        self.kept = token, ends
        self.header()

    def restart(self) -> None:
        if self.kept and self.kept[1] is None:
            self.kept = None


def tokens_in(header: str, wanted: str = "session") -> list[str]:
    """Return the values of a Cookie header with this name, as the server has to read them."""
    pairs = [part.strip(" \t").partition("=") for part in header.split(";")]
    found = [value for name, equals, value in pairs if name == wanted and equals][:8]
    trimmed = [value.split(",")[0].strip(" \t") for value in found]
    return [re.sub(r'\A"(.*)"\Z', r"\1", value, flags=re.DOTALL) for value in trimmed]


def read(line: str) -> tuple[str, dict[str, str]]:
    """Return the value of a Set-Cookie header, and its attributes."""
    pair, *rest = line.split("; ")
    attributes = dict(part.partition("=")[::2] for part in rest)
    assert attributes.keys() - {"Max-Age", "Expires"} == {"Path", "HttpOnly", "SameSite"}
    assert pair.startswith("session=")
    return pair.removeprefix("session="), attributes
