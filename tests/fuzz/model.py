"""A model of the server: the rules for each request, implemented a second time."""

import logging
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from unittest.mock import patch
from wsgiref.types import StartResponse, WSGIEnvironment

from sessionware import (
    SecureCookieSessionInterface,
    SessionMiddleware,
    SessionTooLarge,
    UnserializableValue,
)
from tests.fuzz.browser import MAX_COOKIE_AGE, read, tokens_in
from tests.gateway import KEY, Response, call

Step = tuple[Any, ...]
"""A step of the application: the name of a method of Visit, and its arguments."""

LOGGER = logging.getLogger("sessionware")
SKEW = 60
UNSERIALIZABLE = 1j
TOO_LARGE = random.Random(1).randbytes(4000).hex()  # noqa: S311  # the same in every run


class Planned(Exception):
    """An exception that the application raises on purpose."""


@dataclass(frozen=True)
class Issued:
    """The content of a cookie. Times are in whole seconds since the epoch.

    ``ends``: it is the empty one that a log-out leaves if it could not delete all cookies.
    ``beside``: it was written beside others, which would count without it.
    """

    data: dict[str, Any]
    issued: int
    created: int
    id: str | None
    key: str
    beside: bool = False

    @property
    def ends(self) -> bool:
        return not self.data and self.id is None


class Server:
    """The middleware, and a record of every cookie that it has issued."""

    def __init__(self, idle: int, absolute: int | None, refresh: int | None) -> None:
        self.idle, self.absolute = idle, absolute
        self.refresh = idle / 10 if refresh is None else refresh
        self.now = 1_800_000_000.75
        self.book: dict[str, Issued] = {}
        self.ids: set[str] = set()
        self._numbers = count()
        self.use_keys(self.make_key())

    def make_key(self) -> str:
        return f"{KEY}, number {next(self._numbers)}"

    def use_keys(self, newest: str, *fallbacks: str) -> None:
        self.keys = [newest, *fallbacks]
        self.interface = self.interface_with()

    def interface_with(self, **more: Any) -> SecureCookieSessionInterface:
        return SecureCookieSessionInterface(
            self.keys[0],
            secret_key_fallbacks=self.keys[1:],
            idle_timeout=self.idle,
            absolute_timeout=self.absolute,
            refresh_after=self.refresh,
            **more,
        )

    def valid(self, tokens: list[str]) -> list[Issued]:
        """Return the cookies that are accepted, the newest first."""
        found = [self.book[token] for token in tokens if self.refusal(token) is None]
        return sorted(found, key=lambda cookie: cookie.issued, reverse=True)

    def refusal(self, token: str) -> str | None:
        """Return why this cookie must be refused; ``junk``: the server has not issued it."""
        now, cookie = int(self.now), self.book.get(token)
        if len(f"session{token}") > 4096:
            return "too_large"
        if cookie is None or cookie.key not in self.keys:
            return "junk"
        if cookie.issued > now + SKEW:
            return "from_the_future"
        if now - cookie.issued > self.idle:
            return "expired_idle"
        if self.is_over(cookie.issued if cookie.beside else cookie.created):
            return "expired_absolute"
        return None

    def is_over(self, created: int) -> bool:
        """Return whether the absolute timeout has ended a session that began then."""
        return self.absolute is not None and int(self.now) - created > self.absolute

    def visit(self, header: str, steps: list[Step], style: str = "list") -> str | None:
        """Send a request, check the response and the log, and return the Set-Cookie header."""
        visit = Visit(self, header, steps, style)
        raised = None
        reasons: list[str] = []
        log: dict[str, Any] = {
            "isEnabledFor": lambda _: True,
            "handle": lambda it: reasons.append(it.reason),
        }
        with patch("time.time", lambda: self.now), patch.multiple(LOGGER, **log):
            try:
                response = call(SessionMiddleware(visit, interface=self.interface), header)
            except (Planned, UnserializableValue, SessionTooLarge) as error:
                raised = type(error)
        assert raised is visit.fault()
        assert visit.looked == visit.session.accessed
        assert visit.may_log(reasons), reasons
        return None if raised else visit.check(response)


@dataclass
class Visit:
    """One request: the application makes each change to the session and to a plain dict."""

    server: Server
    header: str
    steps: list[Step]
    style: str
    looked: bool = False
    failed: bool = False
    forced: bool = False
    anew: bool = False
    stale: bool = False
    opened: Issued | None = None
    twins: bool = False
    newest: int = 0
    hidden: bool = False  # a cookie came that hides others at other places
    refused: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    created: int = 0
    id: str | None = None
    session: Any = None

    def __post_init__(self) -> None:
        self.began = self.server.now

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.session = environ["session"]
        if self.style == "generator":
            return self._generate(start_response)
        self._take_steps()
        write = start_response("200 OK", [])
        if self.style == "write":
            write(b"page")
            return []
        return [b"page"]

    def _generate(self, start_response: StartResponse) -> Iterator[bytes]:
        self._take_steps()
        start_response("200 OK", [])
        yield b"page"

    def _take_steps(self) -> None:
        for name, *arguments in self.steps:
            getattr(self, name)(*arguments)

    # Steps of the application

    def fail(self) -> None:
        self.failed = True
        raise Planned

    def jump(self, seconds: int) -> None:
        self.server.now += seconds

    def look(self) -> None:
        self._look()
        assert repr(self.session.copy()) == repr(self.data)
        assert self.session.new is (self.opened is None)
        assert self.session.created == self.created

    def on_both(self, change: Callable[..., object], *arguments: Any) -> None:
        """Make the same change to the session and to the dict."""
        self._look()
        change(self.session, *arguments)
        change(self.data, *arguments)
        assert self.session == self.data

    def clear(self) -> None:
        self.on_both(lambda session: session.clear())
        self._begin_anew()

    def permanent(self, value: bool) -> None:
        self._look()
        self.session.permanent = value
        self.data.pop("_permanent", None) if not value else self.data.update(_permanent=True)
        assert self.session.permanent is value

    def force(self, value: bool) -> None:
        self._look()
        self.session.modified = self.forced = value

    def regenerate(self) -> None:
        self._look()
        self.session.regenerate()
        self.forced, self.id, self.created = True, None, int(self.server.now)

    def invalidate(self) -> None:
        self._look()
        self.session.invalidate()
        self.data.clear()
        self.forced = True
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.anew, self.id, self.created = True, None, int(self.server.now)

    def name(self) -> None:
        """Read the id, which is the previous one or a new one that was never used."""
        self._look()
        found = self.session.id
        if self.id is None:
            assert found not in self.server.ids
            self.server.ids.add(found)
            self.id = found
        assert found == self.id

    # Expected results

    def _look(self) -> None:
        """Open the newest valid cookie, as the session does when it is first used."""
        if self.looked:
            return
        self.looked = True
        self.created = int(self.server.now)
        tokens = tokens_in(self.header)
        self.refused = [why for why in map(self.server.refusal, tokens) if why is not None]
        valid = self.server.valid(tokens)
        self.twins = len(valid) > 1
        if not valid:
            return
        self.hidden = any(cookie.ends or cookie.beside for cookie in valid)
        found, *others = valid
        if others or found.ends or found.beside:
            own = found.issued - (found.ends or found.beside)
            self.newest = max([own, *(other.issued for other in others)])
        # One that was written beside others hides them after its session is over, too.
        if not found.ends and self.server.is_over(found.created):
            self.refused.append("expired_absolute")
        elif not found.ends:
            self.opened = found
            self.data, self.created, self.id = copied(found.data), found.created, found.id
            age = int(self.server.now) - found.issued
            due = age > min(self.server.refresh, self.server.idle / 2) or self.server.refresh == 0
            self.stale = due or found.key != self.server.keys[0]

    def changed(self) -> bool:
        before = self.opened or Issued({}, 0, self.created, None, "")
        same = repr(self.data) == repr(before.data) and self.id == before.id
        renewed = self.anew or self.created != before.created
        return self.forced or not same or renewed

    def verdict(self) -> str:
        if not self.looked:
            return "nothing"
        alive = bool(self.data) or self.id is not None
        if not self.changed():
            return "write" if self.opened and self.stale and self._may_refresh() else "nothing"
        if alive:
            return "write"
        if self._leaves_others():
            return "end"
        return "delete" if tokens_in(self.header) else "nothing"

    def _may_refresh(self) -> bool:
        """Return whether a request that only read is fast enough, or its cookie old enough."""
        assert self.opened is not None
        half_over = int(self.server.now) - self.opened.issued > self.server.idle / 2
        return 0 <= self.server.now - self.began <= 1 or half_over

    def _leaves_others(self) -> bool:
        """Return whether a log-out would leave a cookie at another place."""
        if not self.newest or self.hidden:
            return bool(self.newest)
        others = [cookie for cookie in self.server.valid(tokens_in(self.header)) if not cookie.ends]
        # At the end of the request, the opened one may have expired.
        return len(others) > (self.opened in others)

    def fault(self) -> type[Exception] | None:
        if self.failed:
            return Planned
        if self.changed() and UNSERIALIZABLE in self.data.values():
            return UnserializableValue
        wanted = self.verdict() == "write"
        return SessionTooLarge if wanted and TOO_LARGE in self.data.values() else None

    def may_log(self, reasons: list[str]) -> bool:
        """Return whether these are the expected reasons in the log."""
        expected = ["twins"] * self.twins
        if self.opened is not None:
            return reasons == expected + ["old_key"] * (self.opened.key != self.server.keys[0])
        if told := [reason for reason in self.refused if reason != "junk"]:
            return reasons == expected + told[:1]
        rejected = reasons[self.twins :]
        return (
            reasons == expected + rejected
            and len(rejected) == bool(self.refused)
            and {*rejected} <= {"bad_signature", "malformed"}
        )

    def check(self, response: Response) -> str | None:
        """Compare the response with the verdict, and record its cookie."""
        line, verdict = response.set_cookie, self.verdict()
        assert response.data == b"page"
        assert response.headers.get("Vary") == ("Cookie" if self.looked else None)
        assert response.headers.get("Cache-Control") == ("private" if line else None)
        assert len(response.header_list) == self.looked + 2 * bool(line)
        state = self.session._state
        assert not self.looked or (state.created, state.id) == (self.created, self.id)
        if verdict in ("write", "end"):
            assert line is not None
            self._note(line, verdict == "end")
        elif verdict == "delete":
            assert line is not None
            assert line.startswith("session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; ")
        else:
            assert line is None
        return line

    def _note(self, line: str, ends: bool) -> None:
        server, now = self.server, int(self.server.now)
        token, attributes = read(line)
        # Newer than the others that came, as far as the allowed skew; after a log-out, than all.
        newest = self.newest
        if newest and self.opened and (ends or self.anew):
            newest = max(newest, self.opened.issued)
        issued = min(max(now, newest + 1), now + SKEW)
        # A session created in the future counts as created at the end of the allowed skew.
        created = issued if ends else min(self.created, issued + SKEW)
        beside = self.newest > 0 and not ends
        cookie = Issued(copied(self.data), issued, created, self.id, server.keys[0], beside)
        assert cookie.ends is ends
        assert repr(server.book.setdefault(token, cookie)) == repr(cookie)
        # Nobody is logged in, so it has to outlive the others, which may be from the future.
        outlives = ends or self.newest > 0
        limits = [server.idle + (SKEW + 1 if outlives else 0), MAX_COOKIE_AGE]
        if server.absolute is not None and not outlives:
            limits.append(self.created + server.absolute - now)
        permanent = outlives or self.data.get("_permanent", False)
        expected = str(max(0, min(limits))) if permanent else None
        assert attributes.get("Max-Age") == expected
        assert ("Expires" in attributes) is permanent
        assert len(f"session{token}") <= 4096


def copied(value: Any) -> Any:
    """Return a copy of the value, with its lists and dicts copied at any depth."""
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    return [*map(copied, value)] if type(value) is list else value
