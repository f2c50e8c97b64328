"""A browser that keeps a cookie for each place, and sends all that belong to a page."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.attacks.victim import Victim
from tests.gateway import Response

HOST = "www.example.com"


class Place(NamedTuple):
    """Where a cookie belongs. One replaces another only at the same place (RFC 6265bis, CHIPS)."""

    name: str
    domain: str
    path: str
    partitioned: bool


class Jar:
    """The cookies of a browser. The server's clock is its own.

    ``response``: the last response. ``cookies``: values and times of expiry, the oldest first.
    """

    def __init__(self) -> None:
        self.cookies: dict[Place, tuple[str, float]] = {}
        self.response = Response()

    def plant(self, header: str, path: str = "/", seconds: float = float("inf")) -> "Jar":
        """Add the cookie of a Cookie header, and return the jar."""
        name, _, value = header.partition("=")
        self.cookies[Place(name, "", path, False)] = value, time.time() + seconds
        return self

    def visit(self, victim: Victim, act: Callable[[Any], object], path: str = "/app/page") -> Any:
        """Send a request over https that calls the act, and return what the act returned."""
        results: list[Any] = []
        self.response = victim.visit(
            self.header(path),
            lambda session: results.append(act(session)),
            alone=True,
            HTTP_HOST=HOST,
            PATH_INFO=path,
            wsgi__url_scheme="https",
        )
        self.receive(self.response)
        return results[0]

    def header(self, path: str) -> str:
        """Return the Cookie header: the longest path first, then the oldest (section 5.8.3)."""
        now = time.time()
        sent = [
            (place, value)
            for place, (value, ends) in self.cookies.items()
            if now < ends and path.startswith(place.path)
        ]
        sent.sort(key=lambda item: -len(item[0].path))
        return "; ".join(f"{place.name}={value}" for place, value in sent)

    def receive(self, response: Response) -> None:
        """Store and delete what the response says."""
        for line in response.headers.getlist("Set-Cookie"):
            pair, *rest = line.split("; ")
            name, _, value = pair.partition("=")
            attributes = dict(part.partition("=")[::2] for part in rest)
            place = Place(
                name,
                attributes.get("Domain", ""),
                attributes["Path"],
                "Partitioned" in attributes,
            )
            seconds = float(attributes.get("Max-Age", "inf"))
            if seconds > 0:
                self.cookies[place] = value, time.time() + seconds
            else:
                self.cookies.pop(place, None)

    def restart(self) -> None:
        """Close the browser, which forgets the cookies without Max-Age."""
        for place in [place for place, (_, ends) in self.cookies.items() if ends == float("inf")]:
            del self.cookies[place]

    def values(self) -> list[str]:
        """Return a copy of every cookie."""
        return [f"{place.name}={value}" for place, (value, _) in self.cookies.items()]
