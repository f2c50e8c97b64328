"""Where a session is kept: what a backend does, and the two whose cookie carries the session."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from .envelope import Envelope
from .errors import CookieRejected, SessionEnded, SessionTooLarge, SessionUnavailable
from .expiry import Expiry
from .keys import BoundIds, is_derived
from .serializer import dumps
from .session import Loaded, Owner, State
from .store import Revocations, binding_of, key_of

MAX_REQUEST_TIME = 60 * 60
"""Seconds for which a request that began before a log-out may still write its cookie."""

GRACE = 60
"""Seconds for which the id that a session had before ``regenerate()`` or a log-in still works."""

MAX_ATTEMPTS = 100
"""How often a request tries to save a session that others are changing at the same time."""

MAX_REPEAT_TIME = 60
"""Seconds for which a log-out that had no effect is told so again, as each of a double click."""

ENDED = (
    "The session was ended by another request while this one was using it (a log-out, or "
    "regenerate()), or its timeout passed meanwhile, so nothing of it was saved. The other "
    "request's response has the valid cookie. If it was this request that called revoke_owner, let "
    "it call session.invalidate(), or set session.owner, after that."
)
TOO_LATE = (
    f"The session was changed more than {MAX_REQUEST_TIME} seconds after the request began, when "
    "it may be forgotten that the session ended, so nothing of it was saved. Change the session "
    "before the long part of the request."
)
BUSY = (
    f"The session could not be saved, because {MAX_ATTEMPTS} times in a row another request was "
    "faster: let fewer requests change one session at the same time."
)
_NOT_ENDED = (
    "The session could not be ended, because another request has given it a new id meanwhile (a "
    "log-in, or regenerate()). The other request's response has the valid cookie: log out again."
)
_RENEWED, _SETTLED = "renewed\0", "settled\0"
"""What the list has of each renewal, and of those that were refused or whose session has ended."""

_REPLACED = "replaced\0"
"""What the list has of a session for a minute after each renewal."""


@dataclass(slots=True, repr=False)
class Held:
    """A whole session, and what the store tells about it.

    - ``version``: the version of the store's entry.
    - ``parent``: see Loaded.
    - ``successor``: the key of the session that has taken its place, or ``""``.
    - ``renewed``: when that happened, in seconds since the epoch, or 0.
    """

    envelope: Envelope
    version: str = ""
    parent: str = ""
    successor: str = ""
    renewed: int = 0


class CookieBackend:
    """The cookie alone: it carries the data, and only the browser keeps it."""

    in_cookie = True
    needs_id = False

    def load(self, envelope: Envelope) -> Held | None:
        """Return the whole session, or ``None`` if its cookie carries it. Raise CookieRejected.

        What comes from a store has neither the age nor the id, which the cookie tells.
        """
        if envelope.data is None:
            raise CookieRejected("malformed")
        return None

    def keep(self, loaded: Loaded) -> None:
        """Keep a session whose first cookie has come back. Raise CookieRejected if it has ended."""

    def adopt(self, loaded: Loaded, ids: Sequence[str], of_client: Sequence[str] = ()) -> Loaded:  # noqa: ARG002 - a store uses it
        """Return a session that comes from another cookie than ours. Raise CookieRejected.

        ``ids``: the ids that it can have, of which the first is for a session that has none yet.
        ``of_client``: those that it can have if the same client has sent it.
        """
        return loaded if loaded.id is not None else replace(loaded, id=ids[0] if ids else None)

    def check_duration(self, state: State, seconds: float) -> None:
        """Raise SessionUnavailable if the request has taken too long to change the session."""

    def is_replaced(self, find_ids: Callable[[], Iterable[str]], seconds: float) -> bool:  # noqa: ARG002 - subclasses use both
        """Return whether one of the sessions with these ids has got a new one, and goes on.

        That counts from a minute before the request, which has taken so many ``seconds``.
        """
        return False

    def prepare(self, state: State) -> None:
        """Set what the session needs before it is saved, such as an id."""

    def save(self, state: State, text: str) -> bool:  # noqa: ARG002 - subclasses use it
        """Save the session, and return whether it is permanent now.

        Here, nothing has to be saved: the response carries the data.
        """
        return state.permanent

    def log_out(self, loaded: Loaded) -> None:
        """End the session that was loaded, and those that other requests have made of it.

        Raise SessionUnavailable if they cannot be ended.
        """

    def end_successors(self, session_id: str, spared: str = "") -> None:
        """End the sessions that have taken the place of one that is refused, as far as is known.

        ``spared``: the id of one that goes on.
        """

    def end_refused(self, session_id: str) -> None:
        """Do the same in a log-out that had no valid cookie.

        Raise SessionUnavailable if it is not known which sessions these are.
        """
        self.end_successors(session_id)

    def end(self, session_id: str, created: int) -> None:
        """End a former session, which may be the one that the present one was made of."""

    def stamp(self, owner: Owner) -> str:  # noqa: ARG002 - subclasses use it
        """Return what a session of this owner has to carry."""
        return ""


class RevocableBackend(CookieBackend):
    """The cookie, beside a list of the sessions that are refused."""

    needs_id = True

    def __init__(self, revocations: Revocations, expiry: Expiry, bound_ids: BoundIds) -> None:
        self._revocations = revocations
        self._expiry = expiry
        self._bound_ids = bound_ids

    def load(self, envelope: Envelope) -> None:
        """Raise CookieRejected if the session is on the list."""
        super().load(envelope)
        if envelope.id is not None:
            self._check(envelope.id, envelope.owner, envelope.stamp)

    def adopt(self, loaded: Loaded, ids: Sequence[str], of_client: Sequence[str] = ()) -> Loaded:  # noqa: ARG002 - a store uses it
        """Return the session, or raise CookieRejected if it is on the list."""
        if loaded.parent:  # From a store: its copies end together.
            loaded, ids = replace(loaded, id=loaded.parent, parent=""), [loaded.parent]
        stamps = [self._check(each, loaded.owner, loaded.stamp) for each in ids]
        return super().adopt(replace(loaded, stamp=stamps[0]), ids)

    def check_duration(self, state: State, seconds: float) -> None:
        """Raise SessionUnavailable once the list may have forgotten that the session ended."""
        if state.goes_on and seconds > MAX_REQUEST_TIME:
            raise SessionUnavailable(TOO_LATE)

    def is_replaced(self, find_ids: Callable[[], Iterable[str]], seconds: float) -> bool:
        """Return whether one of the sessions with these ids has got a new one, and may go on.

        If the request took over a minute, any renewal counts, because the list cannot tell when it
        was, unless the id was made of a cookie's text, which several visitors may share.
        """
        is_slow = seconds > GRACE
        replaced = (
            each
            for each in find_ids()
            if (is_slow and not is_derived(each)) or self._was_replaced(each)
        )
        return any(any(self._renewals(each)) for each in replaced)

    def _was_replaced(self, session_id: str) -> bool:
        ids = [session_id, *self._bound_ids.of(session_id)]
        return any(self._is_listed(f"{_REPLACED}{each}") for each in ids)

    def prepare(self, state: State) -> None:
        """Set the id of a new session, and the list's own stamp if it has no owner."""
        if state.id is None:
            state.make_id()
        if state.owner is None and not state.goes_on:
            state.stamp = self._revocations.check(key_of(""), None) or ""

    def save(self, state: State, text: str) -> bool:
        """Put the session's previous id on the list. Of two requests, one can replace it."""
        last = state.loaded.id
        if last in (None, state.id):
            if not state.is_first_visit:
                self._check_alive(state)
        elif state.has_ended:
            self.log_out(state.loaded)
        elif state.id in self._bound_ids.of(last):
            self._bind(state, last)
        else:
            self._renew(state, last)
        return super().save(state, text)

    def _bind(self, state: State, last: str) -> None:
        """Leave only the id that the session has got by being bound to a device."""
        # First, so that a request which still has the last id finds this one.
        self._revocations.revoke(binding_of(last), GRACE)
        if not self._revoke(last, state.loaded.created):
            raise SessionEnded(ENDED)
        self._check_alive(state)

    def _renew(self, state: State, last: str) -> None:
        created = state.loaded.created
        # First, so that a request which finds the id on the list knows why. Visitors may share an
        # id that was made of a cookie's text, and a renewal by one must not stop the others.
        if state.loaded.owner is not None or not is_derived(last):
            self._revocations.revoke(key_of(f"{_REPLACED}{last}"), GRACE)
        note = self._note_renewal(last, created)
        try:
            if self._revoke(last, created):
                self._end_bound(last, created)
            elif not state.begins_anew:
                raise SessionEnded(ENDED)
            # Last, so that no revoke_owner meanwhile is missed.
            self._check_alive(state)
        except SessionUnavailable:
            # No session has come of it, so a later log-out has none to miss.
            with suppress(SessionUnavailable):
                self._revoke(f"{_SETTLED}{note}", created)
            raise

    def _note_renewal(self, session_id: str, created: int) -> str:
        """Note that another session takes the place of this one. Return the name of the note.

        Each of several requests has a note of its own, because all but one may be refused.
        """
        for note in _notes_of(session_id):
            if self._revoke(f"{_RENEWED}{note}", created):
                return note
        raise SessionUnavailable(BUSY)

    def log_out(self, loaded: Loaded) -> None:
        """Put the id on the list. A session that has taken its place has another id."""
        if loaded.id is None or self._end(loaded.id, loaded.created):
            return
        if any(self._renewals(loaded.id)):
            raise SessionEnded(_NOT_ENDED)

    def end_successors(self, session_id: str, spared: str = "") -> None:
        """Note that a log-out with a valid cookie beside that of this session has ended them.

        The same log-out, sent again, has no valid one, and would take them for sessions that go on.
        """
        for note in () if spared else self._renewals(session_id):
            self._revoke(f"{_SETTLED}{note}", int(time.time()))

    def end_refused(self, session_id: str) -> None:
        """Raise SessionUnavailable if the session was renewed, but only for a minute.

        The answer with the next cookie is on its way. If the browser comes with the old one later,
        that answer was lost, and the log-out has nothing to end.
        """
        if any(self._renewals(session_id)) and self._is_to_be_told(session_id):
            raise SessionEnded(_NOT_ENDED)

    def _is_to_be_told(self, session_id: str) -> bool:
        told, repeat = f"told\0{session_id}", f"repeat\0{session_id}"
        if self._is_listed(told):
            return self._is_listed(repeat)
        # First, so that another request at the same time finds both.
        self._revocations.revoke(key_of(repeat), MAX_REPEAT_TIME)
        self._revoke(told, int(time.time()))
        return True

    def _renewals(self, session_id: str) -> Iterator[str]:
        """Yield the notes of those renewals whose session may go on."""
        for each in [session_id, *self._bound_ids.of(session_id)]:
            for note in _notes_of(each):
                if not self._is_listed(f"{_RENEWED}{note}"):
                    break
                if not self._is_listed(f"{_SETTLED}{note}"):
                    yield note

    def _is_listed(self, name: str) -> bool:
        return self._revocations.check(key_of(name), None) is None

    def end(self, session_id: str, created: int) -> None:
        """Put the id on the list."""
        self._end(session_id, created)

    def stamp(self, owner: Owner) -> str:
        """Return the owner's present stamp."""
        return self._revocations.check(key_of(""), owner) or ""

    def _check_alive(self, state: State) -> None:
        """Raise SessionUnavailable if another request has ended the session meanwhile."""
        try:
            self._check(str(state.id), state.owner, state.stamp)
        except CookieRejected:
            raise SessionEnded(ENDED) from None

    def _check(self, session_id: str, owner: Owner | None, stamp: str) -> str:
        present = self._revocations.check(key_of(session_id), owner)
        if present is None:
            present = self._check_bound(session_id, owner)
        if present is None or present not in ("", stamp):
            raise CookieRejected("revoked")
        return present

    def _check_bound(self, session_id: str, owner: Owner | None) -> str | None:
        """Check the id that the session has got a moment ago by being bound to a device.

        A request that was sent before that still has the former one.
        """
        for bound_id in self._bound_ids.of(session_id):
            if self._revocations.check(binding_of(session_id), None) is None:
                return self._revocations.check(key_of(bound_id), owner)
        return None

    def _end(self, session_id: str, created: int) -> bool:
        """Put the id on the list, and those that its session may have got by being bound.

        Return whether one of them was not there yet.
        """
        ended = self._revoke(session_id, created)
        return self._end_bound(session_id, created) or ended

    def _end_bound(self, session_id: str, created: int) -> bool:
        ended = [self._revoke(each, created) for each in self._bound_ids.of(session_id)]
        return any(ended)

    def _revoke(self, session_id: str, created: int) -> bool:
        seconds = self._expiry.left(int(time.time()), created) + MAX_REQUEST_TIME
        return self._revocations.revoke(key_of(session_id), seconds)


def _notes_of(session_id: str) -> Iterator[str]:
    """Yield the names of the notes that requests make of the renewal of this session."""
    return (f"{number} {session_id}" for number in range(MAX_ATTEMPTS))


def too_large(what: str, size: int, limit: int, data: dict[str, Any]) -> SessionTooLarge:
    """Return the error, with the three largest keys of the data."""
    sizes = ((key, len(dumps({key: value})) - len("{}")) for key, value in data.items())
    largest = sorted(sizes, key=lambda item: item[1], reverse=True)[:3]
    return SessionTooLarge(what, size, limit, largest)
