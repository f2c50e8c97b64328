"""What may have happened: a model of sessions that end, against which a history is checked."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from math import inf
from typing import NamedTuple


class Event(NamedTuple):
    """What one request did to one session, between two moments of the machine's one clock.

    ``ok``: it was acknowledged; an event that was not may have happened, then or later.
    ``session``: its hashed id; ``value``: what was written last, or read, ``None`` for no session;
    ``heir``: the hashed id that takes its place; ``login``: the log-in that it goes back to;
    ``note``: why it was not acknowledged; ``cookie``: what the browser got; ``marks``: what was
    written beside the value, or read: each visitor's number of steps, under a key of its own;
    ``messages``: what was in the queue to which each value is appended, or taken out of it, and
    ``None`` if it was not looked at.
    """

    act: str  # "log in", "read", "write", "take", "regenerate", "end", "end all"
    start: float
    end: float
    ok: bool
    who: str
    login: str = ""
    session: str = ""
    value: str | None = None
    heir: str = ""
    note: str = ""
    cookie: str = ""
    marks: tuple[tuple[str, int], ...] = ()
    messages: tuple[str, ...] | None = None

    @property
    def outcome(self) -> str:
        """The act, and why it was not acknowledged."""
        return f"{self.act} {self.note}".strip()


class Model:
    """Finds what cannot be. ``in_cookie``: the data is there, and a stale copy is no wonder.

    Elsewhere, a session that was regenerated may be read for a while, as it was before that.
    """

    def __init__(self, history: Iterable[Event], *, in_cookie: bool = False) -> None:
        self.in_cookie = in_cookie
        self.of_session: dict[str, list[Event]] = defaultdict(list)
        self.end_alls: dict[str, list[Event]] = defaultdict(list)
        self.log_ins: dict[str, Event] = {}
        self.heirs: dict[str, list[str]] = defaultdict(list)
        self.predecessor: dict[str, str] = {}
        for event in history:
            if event.act == "end all":
                self.end_alls[event.who].append(event)
                continue
            self.of_session[event.session].append(event)
            if event.heir:
                heir = event._replace(act="write", session=event.heir, heir="", note="")
                self.of_session[event.heir].append(heir)
                self.heirs[event.session].append(event.heir)
                self.predecessor[event.heir] = event.session
            if event.act == "log in":
                self.log_ins[event.login] = event
        self.ended = {
            session: min((e.end for e in events if e.ok and e.act == "end"), default=inf)
            for session, events in self.of_session.items()
        }
        for session, events in [*self.of_session.items()]:
            ends = [e._replace(act="end before", note="") for e in events if e.act == "end"]
            for descendant in self._descendants(session) if ends else ():
                self.of_session[descendant] += ends

    def _descendants(self, session: str) -> Iterator[str]:
        """Yield the sessions that came of this one: they end with it."""
        for heir in self.heirs[session]:
            yield heir
            yield from self._descendants(heir)

    def _ancestors(self, session: str) -> Iterator[str]:
        """Yield the sessions of which this one came: they end with it."""
        while session in self.predecessor:
            session = self.predecessor[session]
            yield session

    def problems(self) -> Iterator[str]:
        """Say each thing that breaks a promise."""
        for session, events in self.of_session.items():
            yield from self._after_its_end(session, events)
            yield from self._without_reason(events)
            yield from self._taken_over_twice(events)
            if not self.in_cookie:
                earlier = [*events]
                for ancestor in self._ancestors(session):
                    earlier += self.of_session[ancestor]
                yield from self._lost(events)
                yield from self._lost_marks(events, earlier)
                yield from self._lost_messages(events, earlier)

    def _after_its_end(self, session: str, events: list[Event]) -> Iterator[str]:
        """No session is seen again, or changed, once its end was acknowledged."""
        family = [session, *self._ancestors(session), *self._descendants(session)]
        ended = min(self.ended[each] for each in family)
        moved = min((e.end for e in events if e.ok and e.act == "regenerate"), default=inf)
        closed = min(ended, moved)
        for event in events:
            ended_all = self._ended_all(event)
            if event.act == "read" and event.value is not None:
                if event.start > min(closed if self.in_cookie else ended, ended_all):
                    yield f"came back after its end: {event}"
            elif event.ok and event.act == "regenerate" and event.start > closed:
                yield f"was regenerated after its end: {event}"
            elif (
                event.ok
                and event.act in ("write", "take", "regenerate")
                and not self.in_cookie
                and event.start > min(closed, ended_all)
            ):
                yield f"was changed after its end: {event}"

    def _ended_all(self, event: Event) -> float:
        """When the first end of all was acknowledged that began after the session's log-in."""
        log_in = self.log_ins[event.login]
        all_ends = self.end_alls[event.who]
        return min((e.end for e in all_ends if e.ok and e.start > log_in.end), default=inf)

    def _without_reason(self, events: list[Event]) -> Iterator[str]:
        """No session is gone, and no change refused, but where it may have been ended."""
        first = min((event.start for event in events if may_be_end(event)), default=inf)
        for event in events:
            gone = event.act == "read" and event.value is None
            if not gone and event.note != "ended":
                continue
            others = (e.start for e in events if e is not event and may_be_end(e))
            begun = first if gone else min(others, default=inf)
            log_in = self.log_ins[event.login]
            if begun < event.end or any(
                e.start < event.end and e.end > log_in.start for e in self.end_alls[event.who]
            ):
                continue
            yield f"was gone without a reason: {event}"

    def _taken_over_twice(self, events: list[Event]) -> Iterator[str]:
        """Of several requests that regenerate one session, one succeeds."""
        won = [event for event in events if event.act == "regenerate" and event.ok]
        if len(won) > 1:
            yield f"was regenerated twice: {won}"

    def _lost(self, events: list[Event]) -> Iterator[str]:
        """What is read was written, and nothing that was acknowledged later stood in between."""
        written = {event.value: event for event in events if is_write(event)}
        acknowledged = sorted((e.end, e.start) for e in written.values() if e.ok)
        latest_start = list(accumulate((start for _, start in acknowledged), max))
        for event in events:
            if event.act != "read" or event.value is None:
                continue
            source = written.get(event.value)
            if source is None or source.start > event.end:
                yield f"holds what was never written: {event}"
                continue
            before = bisect_left(acknowledged, (event.start,))
            if source.ok and before and latest_start[before - 1] > source.end:
                yield f"lost a write that was acknowledged: {event}"

    def _lost_marks(self, events: list[Event], earlier: list[Event]) -> Iterator[str]:
        """What each visitor wrote under a key of its own is there, in what came of it too."""
        written = [e for e in earlier if e.ok and is_write(e)]
        for event in events:
            if event.act != "read" or event.value is None:
                continue
            there, expected = dict(event.marks), dict[str, int]()
            for who, step in (m for e in written if e.end < event.start for m in e.marks):
                expected[who] = max(step, expected.get(who, 0))
            lost = [who for who, step in expected.items() if there.get(who, 0) < step]
            if lost:
                yield f"lost what {lost} wrote under another key: {event}"

    def _lost_messages(self, events: list[Event], earlier: list[Event]) -> Iterator[str]:
        """What was appended is there until it is taken, and never again."""
        written = {str(e.value): e for e in earlier if is_write(e)}
        takes: dict[str, list[Event]] = defaultdict(list)
        for take in (e for e in earlier if e.act == "take"):
            for taken in take.messages or ():
                takes[taken].append(take)
        for event in events:
            if event.act != "read" or event.value is None or event.messages is None:
                continue
            for message in event.messages:
                if message not in written or written[message].start > event.end:
                    yield f"holds {message}, which was never appended: {event}"
                if any(take.ok and take.end < event.start for take in takes[message]):
                    yield f"holds {message}, which was taken out: {event}"
            for message, write in written.items():
                may_be_taken = any(take.start < event.end for take in takes[message])
                appended = write.ok and write.end < event.start
                if appended and not may_be_taken and message not in event.messages:
                    yield f"lost {message}, which was appended: {event}"


def is_write(event: Event) -> bool:
    """Whether it wrote a value to this session, and not to its heir."""
    return event.act in ("log in", "write")


def is_end(event: Event) -> bool:
    return event.act in ("end", "regenerate")


def may_be_end(event: Event) -> bool:
    return is_end(event) or event.act == "end before"
