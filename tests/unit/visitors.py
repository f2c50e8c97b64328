"""Requests that take their time, browsers with a cookie at each of several places, and a server.

They serve the state machine. All time is that of a clock that only rules advance.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sessionware import (
    SecureCookieSessionInterface,
    SessionMiddleware,
    SessionUnavailable,
)
from sessionware.envelope import unwrap
from tests.conftest import Clock
from tests.gateway import KEY, make_environ
from tests.sites import MemoryRevocations, MemoryStore

MODES: dict[str, Callable[[], dict[str, Any]]] = {
    "signed": dict,
    "encrypted": lambda: {"encrypt": True},
    "store": lambda: {"store": MemoryStore()},
    "revocations": lambda: {"revocations": MemoryRevocations()},
}
"""The settings of each mode."""

PLACES = ["/", "/app", "/app/old"]
"""The paths at which a browser may hold a cookie. It sends all of them to every page."""


class Interrupted(Exception):
    """The application has failed, so that the request changes nothing."""


def two_steps(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Do one thing when the request comes in, and another before the response begins."""
    session = environ["session"]
    environ["test.first"](session)

    def rest() -> Iterator[bytes]:
        environ["test.then"](session)
        start_response("200 OK", [])
        yield b"page"

    return rest()


class Deadlines(dict[str, int]):
    """Seconds to live by key, and the moments at which they end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ends: dict[str, float] = {}

    def __setitem__(self, key: str, seconds: int) -> None:
        super().__setitem__(key, seconds)
        self.ends[key] = self._clock.now + seconds

    def over(self) -> list[str]:
        """Return the keys whose time is over, and forget them."""
        keys = [key for key, moment in self.ends.items() if moment <= self._clock.now]
        for key in keys:
            del self.ends[key]
            self.pop(key, None)
        return keys


@dataclass
class Request:
    """A request on its way. ``seen`` and ``owner`` are those of the session before the act.

    ``seen`` is the mark of its session: ``None`` if it is new, and 0 if it has no mark.
    ``valid`` are the cookies that could open a session when it looked, with the marks of these, and
    ``may_see`` are the marks of the newest.
    """

    app: WSGIApplication
    tokens: list[str]
    began: float
    step: int
    place: str
    seen: int | None = None
    owner: object = None
    valid: dict[str, int] = field(default_factory=dict)
    may_see: set[int | None] = field(default_factory=set)
    looked: bool = False
    body: Iterable[bytes] = ()
    lines: list[str] = field(default_factory=list)
    act: Callable[[Any], object] = id

    def begin(self) -> None:
        header = "; ".join(f"session={token}" for token in self.tokens)
        environ = make_environ(header, test__first=self._first, test__then=self._then)
        self.body = self.app(environ, self._start)

    def answer(self, act: Callable[[Any], object]) -> bool:
        """Do this with the session, and return whether it was saved."""
        self.act = act
        try:
            list(self.body)
        except SessionUnavailable:
            self.lines = []
            return False
        finally:
            self.body.close()  # type: ignore[attr-defined]  # it is not a list
        return True

    def _first(self, session: Any) -> None:
        if self.looked:
            self.see(session)

    def _then(self, session: Any) -> None:
        if not self.looked:
            self.see(session)
        self.act(session)

    def see(self, session: Any) -> None:
        unmarked = None if session.new else 0
        self.seen, self.owner = session.get("mark", unmarked), session.owner

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        self.lines = [value for name, value in headers if name == "Set-Cookie"]
        return None


class Browser:
    """A browser that has one cookie at each place, and forgets those that have ended.

    ``obeys``: it deletes what it is told to. If not, its cookies are as hard to reach as those of
    version 1.0, which do not tell their place, so that nothing deletes them there.
    """

    def __init__(self, clock: Clock, obeys: bool) -> None:
        self._clock = clock
        self._obeys = obeys
        self.kept: dict[str, tuple[str, float | None]] = {}
        self.ended: dict[int | None, int] = {}

    def tokens(self) -> list[str]:
        now = self._clock.now
        self.kept = {
            place: (token, ends)
            for place, (token, ends) in self.kept.items()
            if ends is None or ends > now
        }
        return [token for token, _ in self.kept.values()]

    def receive(self, line: str, present: str) -> None:
        """Take a Set-Cookie header of a site that has its own cookie at the present place."""
        token, place, seconds = read(line)
        if place != present and not self._obeys:
            return
        ends = None if seconds is None else self._clock.now + seconds
        self.kept[place] = token, ends
        self.tokens()  # forgets what was deleted

    def restart(self) -> None:
        """Forget the cookies that end with the browser."""
        self.kept = {place: kept for place, kept in self.kept.items() if kept[1] is not None}


def read(line: str) -> tuple[str, str, int | None]:
    """Return the value of a Set-Cookie header, its path and its Max-Age."""
    pair, *rest = line.split("; ")
    attributes = dict(part.partition("=")[::2] for part in rest)
    seconds = attributes.get("Max-Age")
    return (
        pair.removeprefix("session="),
        attributes["Path"],
        None if seconds is None else int(seconds),
    )


class Server:
    """A site whose cookie moves from place to place, with a store or a list that forgets."""

    def __init__(self, clock: Clock, mode: str, **timeouts: Any) -> None:
        settings = MODES[mode]()
        self.lists = bool(settings.keys() & {"store", "revocations"})
        self._deadlines = Deadlines(clock)
        self._clock = clock
        self._forget: Callable[[str], object] = id
        if store := settings.get("store"):
            store.seconds = self._deadlines
            self._forget = lambda key: store.kept.pop(key, None)
        elif revocations := settings.get("revocations"):
            revocations.refused = self._deadlines
        self._apps = {
            place: SessionMiddleware(two_steps, KEY, cookie_path=place, **settings, **timeouts)
            for place in PLACES
        }
        self.move(PLACES[0])

    def move(self, place: str) -> None:
        """Set the cookie at this place from now on."""
        self.place = place
        self.app: SessionMiddleware = self._apps[place]

    def issue_time_of(self, token: str) -> int:
        """Return when a cookie says that it was issued, which may be a few seconds ahead."""
        interface = self.app.interface
        assert isinstance(interface, SecureCookieSessionInterface)
        return interface.codec.decode(token)[1]

    def hides(self, token: str) -> bool:
        """Return whether a cookie hides older ones, even if its session has idled out."""
        interface = self.app.interface
        assert isinstance(interface, SecureCookieSessionInterface)
        text, issued, _ = interface.codec.decode(token)
        in_time = self._clock.now - issued <= interface.expiry.max_idle_timeout
        return in_time and unwrap(text).beside

    def forget(self) -> None:
        """Forget what the store or the list has kept for as long as it was told to."""
        for key in self._deadlines.over():
            self._forget(key)

    def opened_by(self, *tokens: str) -> int | None:
        """Return the user whose session these cookies open, without a trace in the server."""
        request = Request(self.app, [*tokens], 0, 0, self.place)

        def look(session: Any) -> None:
            request.see(session)
            raise Interrupted

        request.begin()
        try:
            request.answer(look)
        except Interrupted:
            return request.seen
        raise AssertionError("unreachable")
