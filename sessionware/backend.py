"""Where a session is kept: in the cookie, in the cookie beside a list, in a store."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from .codec import Codec
from .envelope import IN_STORE, Envelope, unwrap, wrap
from .errors import (
    CookieRejected,
    Problem,
    SessionTooLarge,
    SessionUnavailable,
    kind_of,
)
from .expiry import CLOCK_SKEW, Expiry
from .keys import BoundIds, TokenMask, is_derived
from .merge import merge
from .serializer import dumps, is_too_deep, loads
from .session import Loaded, Owner, State
from .store import Kept, Revocations, Store, binding_of, key_of, mark_of, renewal_of

MAX_REQUEST_TIME = 60 * 60
"""Seconds for which a request that began before a log-out may still write its cookie."""

GRACE = 60
"""Seconds for which the id that a session had before ``regenerate()`` or a log-in still works."""

MAX_RENEWALS = 100
"""Over how many renewals such an id still works."""

MAX_REPEAT_TIME = 60
"""Seconds for which a log-out that had no effect is told so again, as each of a double click."""

MAX_VISITOR_TIME = 60 * 60
"""Seconds for which a store keeps a visitor's session until its cookie comes back."""

MAX_MERGES = 100
"""How often a request puts its changes together with those of others before it gives up."""

_ENDED = (
    "The session was ended by another request while this one was using it (a log-out, or "
    "regenerate()), so nothing of it was saved. The other request's response has the valid cookie. "
    "If it was this request that called revoke_owner, let it call session.invalidate(), or set "
    "session.owner, after that."
)
_BUSY = (
    f"The session could not be saved, because {MAX_MERGES} times in a row another request was "
    "faster: let fewer requests change one session at the same time."
)
_RENEWED = (
    "The session could not be ended, because another request has given it a new id meanwhile (a "
    "log-in, or regenerate()). The other request's response has the valid cookie: log out again."
)
_TOO_LATE = (
    f"The session was changed more than {MAX_REQUEST_TIME} seconds after the request began, when "
    "it may be forgotten that the session ended, so nothing of it was saved. Change the session "
    "before the long part of the request."
)


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


class Life(TypedDict):
    """How long a store keeps a session, and whose it is."""

    seconds: int
    owner: Owner | None


_NOTE_LIFE: Life = {"seconds": MAX_REQUEST_TIME, "owner": None}
_ENDING = '"ended"'
"""What a store has of a session that is about to be deleted."""


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
            raise SessionUnavailable(_TOO_LATE)

    def prepare(self, state: State) -> None:
        """Set the id of a new session, and the list's own stamp if it has no owner."""
        if state.id is None:
            state.make_id()
        if state.owner is None and not state.goes_on:
            state.stamp = self._revocations.check(key_of(""), None) or ""

    def save(self, state: State, text: str) -> bool:
        """Put the session's previous id on the list. Of two requests, one can replace it."""
        last = state.loaded.id
        if last is not None and last == state.id:
            self._check_alive(state)
        elif last is not None and state.has_ended:
            self.log_out(state.loaded)
        elif last is not None:
            self._renew(state, last)
        return super().save(state, text)

    def _renew(self, state: State, last: str) -> None:
        # First, so that a log-out which finds the id on the list knows why.
        self._revoke(f"renewed\0{last}", state.loaded.created)
        if state.id in self._bound_ids.of(last):
            self._revocations.revoke(binding_of(last), GRACE)
        ended_here = self._revoke(last, state.loaded.created)
        if not ended_here and not state.begins_anew:
            raise SessionUnavailable(_ENDED)

    def log_out(self, loaded: Loaded) -> None:
        """Put the id on the list. A session that has taken its place has another id."""
        if loaded.id is None or self._revoke(loaded.id, loaded.created):
            return
        if self._was_renewed(loaded.id):
            raise SessionUnavailable(_RENEWED)

    def end_refused(self, session_id: str) -> None:
        """Raise SessionUnavailable if the session was renewed, but only for a minute.

        The answer with the next cookie is on its way. If the browser comes with the old one later,
        that answer was lost, and the log-out has nothing to end.
        """
        if self._was_renewed(session_id) and self._is_to_be_told(session_id):
            raise SessionUnavailable(_RENEWED)

    def _is_to_be_told(self, session_id: str) -> bool:
        told, repeat = f"told\0{session_id}", key_of(f"repeat\0{session_id}")
        if self._revocations.check(key_of(told), None) is None:
            return self._revocations.check(repeat, None) is None
        # First, so that another request at the same time finds both.
        self._revocations.revoke(repeat, MAX_REPEAT_TIME)
        self._revoke(told, int(time.time()))
        return True

    def _was_renewed(self, session_id: str) -> bool:
        return self._revocations.check(renewal_of(session_id), None) is None

    def end(self, session_id: str, created: int) -> None:
        """Put the id on the list."""
        self._revoke(session_id, created)

    def stamp(self, owner: Owner) -> str:
        """Return the owner's present stamp."""
        return self._revocations.check(key_of(""), owner) or ""

    def _check_alive(self, state: State) -> None:
        """Raise SessionUnavailable if another request has ended the session meanwhile."""
        try:
            self._check(str(state.id), state.owner, state.stamp)
        except CookieRejected:
            raise SessionUnavailable(_ENDED) from None

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

    def _revoke(self, session_id: str, created: int) -> bool:
        seconds = self._expiry.left(int(time.time()), created) + MAX_REQUEST_TIME
        return self._revocations.revoke(key_of(session_id), seconds)


class ServerBackend(CookieBackend):
    """A store on the server: the cookie carries the id, and ``null`` in place of the data.

    ``adopts``: whether sessions may come from other cookies. Then an ended session leaves a mark,
    because such a cookie may come again.
    """

    in_cookie = False
    needs_id = True

    def __init__(self, store: Store, expiry: Expiry, adopts: bool, bound_ids: BoundIds) -> None:
        self._store = store
        self._expiry = expiry
        self._adopts = adopts
        self._bound_ids = bound_ids

    def load(self, envelope: Envelope) -> Held:
        """Return what the store has. An id that it does not know is refused (CWE-384)."""
        if envelope.data is not None or envelope.id is None:
            raise CookieRejected("malformed")
        held = self._held(key := key_of(envelope.id))
        if held is None or not self._works(key, held) or self._is_marked(held.parent):
            raise CookieRejected("revoked")
        return held

    def keep(self, loaded: Loaded) -> None:
        """Keep a visitor's session for its full life, unless the store cannot be written now."""
        left = self._expiry.left(int(time.time()), loaded.created, loaded.permanent)
        with suppress(SessionUnavailable):
            key = key_of(str(loaded.id))
            if not self._store.touch(key, seconds=max(1, left), owner=loaded.owner):
                raise CookieRejected("revoked")

    def adopt(self, loaded: Loaded, ids: Sequence[str], of_client: Sequence[str] = ()) -> Loaded:
        """Return the session, as the store has it if another request has adopted it already.

        Cookies of several visitors may have the same text. Their sessions end together, because
        they may be copies of one cookie, but clients do not share what the store has.
        """
        marks = {loaded.parent, *ids}
        if loaded.owner is None and (loaded.id is None or is_derived(loaded.id)):
            parent, ids = loaded.parent or ids[0], [*filter(None, [loaded.id]), *of_client]
            loaded = replace(loaded, id=of_client[0], parent=parent)
        for session_id in ids:
            held = self._held(key_of(session_id))
            if held is not None and (held.successor or self._is_marked(held.parent)):
                raise CookieRejected("revoked")
            if held is not None:
                text, data, _, _, csrf_token, owner, stamp, *_ = held.envelope
                return replace(
                    loaded,
                    data=data or {},
                    text=text,
                    id=session_id,
                    csrf_token=csrf_token,
                    owner=owner,
                    stamp=stamp,
                    version=held.version,
                    parent=held.parent,
                    adopted=False,
                )
        stamp = "" if loaded.owner is None else self.stamp(loaded.owner)
        if any(map(self._is_marked, {*marks, *ids})) or stamp not in ("", loaded.stamp):
            raise CookieRejected("revoked")
        return super().adopt(replace(loaded, stamp=stamp), ids)

    def check_duration(self, state: State, seconds: float) -> None:
        """Raise SessionUnavailable once the mark of an adopted session may be gone."""
        if state.loaded.adopted and state.goes_on and seconds > MAX_REQUEST_TIME:
            raise SessionUnavailable(_TOO_LATE)

    def prepare(self, state: State) -> None:
        """Set the id of a new session."""
        if state.id is None:
            state.make_id()

    def save(self, state: State, text: str) -> bool:
        """Save the session. The previous id is ended once the new one is saved."""
        loaded = state.loaded
        if loaded.renewed and not (state.begins_anew or self._may_be_bound(state)):
            raise SessionUnavailable(_ENDED)
        if loaded.id == state.id:
            return self._create(state, text) if loaded.adopted else self._replace(state, text)
        saved = self._create(state, text)
        if state.has_ended:
            self.log_out(loaded)
        elif loaded.id is not None:
            saved = self._renew(state, text, loaded.id)
        return saved

    def log_out(self, loaded: Loaded) -> None:
        """Delete the session, and those that have taken its place."""
        if loaded.id is None:
            return
        self._mark(loaded.parent, loaded.created)
        self._mark(loaded.id, loaded.created)
        key, version = key_of(loaded.id), "" if loaded.renewed else loaded.version
        # Only one of this and a renewal succeeds. One that is under way may be a log-in of its own.
        while version and not self._store.replace(key, _ENDING, version=version, **_NOTE_LIFE):
            held = self._present(loaded.id)
            version = "" if held is None or held.successor else held.version
        self._store.delete(key)
        if not version:
            self.end_successors(loaded.id)

    def end_successors(self, session_id: str, spared: str = "") -> None:
        """Delete the sessions that have taken its place within the last hour."""
        found = [*self._successors(key_of(session_id))]
        for _, key in found:
            if key != key_of(spared):
                self._store.delete(key)
                found.extend(self._successors(key))
        # Last, so that a log-out which failed can be sent again. One that spares a session is to be
        # followed by another, which has to find that one.
        for name, _ in () if spared else found:
            self._store.delete(name)

    def end(self, session_id: str, created: int) -> None:
        """Delete the session, unless it is closed already."""
        self._mark(session_id, created)
        held = self._present(session_id)
        if held is not None and not held.successor:
            self._store.delete(key_of(session_id))

    def stamp(self, owner: Owner) -> str:
        """Return the owner's present stamp, or ``""`` from a store that has none."""
        stamp: Callable[[Owner], str] = getattr(self._store, "stamp", lambda _: "")
        return stamp(owner)

    def _held(self, key: str) -> Held | None:
        kept = self._store.load(key)
        return None if kept is None else _held(kept)

    def _works(self, key: str, held: Held) -> bool:
        """Return whether the session goes on, or has done so a moment ago and its successors do.

        It does not if any of them has ended: that may have been a log-out.
        """
        if not held.successor:
            return True
        if held.envelope.data is None or time.time() > held.renewed + GRACE:
            return False
        found = [held.successor, *(other for _, other in self._successors(key))]
        for each in found:
            if len(found) > MAX_RENEWALS or self._held(each) is None:
                return False
            found += [other for _, other in self._successors(each) if other not in found]
        return True

    def _create(self, state: State, text: str) -> bool:
        session_id, adopted = str(state.id), state.id == state.loaded.id
        record, permanent, ended = self._record(state, text), state.permanent, False
        if self._store.create(key_of(session_id), record, **self._life(state, permanent)):
            ended = adopted and not self._mark(session_id, state.created)
        elif adopted:  # Another request of the same page has adopted the session meanwhile.
            permanent = self._replace(state, text)
        else:
            raise SessionUnavailable(_ENDED)
        # Read after the writing, so that no log-out and no revoke_owner meanwhile is missed.
        if ended or self._is_marked(state.parent) or self._is_revoked(state):
            self._store.delete(key_of(session_id))
            raise SessionUnavailable(_ENDED)
        return permanent

    def _is_revoked(self, state: State) -> bool:
        return state.owner is not None and self.stamp(state.owner) not in ("", state.stamp)

    def _replace(self, state: State, text: str) -> bool:
        """Save what this request has changed, together with what others have changed meanwhile."""
        session_id = str(state.id)
        version = "" if state.loaded.renewed else state.loaded.version
        record, permanent = self._record(state, text), state.permanent
        for _ in range(MAX_MERGES):
            life = self._life(state, permanent)
            if self._store.replace(key_of(session_id), record, version=version, **life):
                return permanent
            held = self._present(session_id)
            if held is not None and (bound_id := self._bound_id(session_id, held)):
                session_id, held = bound_id, self._present(bound_id)
            if held is None or held.successor:
                raise SessionUnavailable(_ENDED)
            record, permanent = self._merged(state, text, held.envelope)
            version = held.version
        raise SessionUnavailable(_BUSY)

    def _may_be_bound(self, state: State) -> bool:
        """Return whether the session may have got its successor's id by being bound to a device."""
        return state.id == state.loaded.id and self._bound_ids.of(str(state.id)) != []

    def _bound_id(self, session_id: str, held: Held) -> str:
        """Return the successor's id if the session has got that by being bound, or else ``""``."""
        ids = self._bound_ids.of(session_id)
        return next((each for each in ids if key_of(each) == held.successor), "")

    def _renew(self, state: State, text: str, last: str) -> bool:
        """End the session that had this id, now that another one has taken its place."""
        loaded, key, note = state.loaded, key_of(str(state.id)), ""
        if state.emptied:
            self.end_successors(last)
        try:
            # First, so that a log-out which finds the session deleted finds the new one.
            note = self._name_successor(last, str(state.id))
            self._mark(loaded.parent, loaded.created)
            was_marked = not self._mark(last, loaded.created)
            if was_marked and loaded.adopted and not state.begins_anew:
                raise SessionUnavailable(_ENDED)
            if not state.emptied:
                return self._hand_over(state, text, last)
            self._store.delete(key_of(last))
        except (SessionTooLarge, SessionUnavailable):
            with suppress(SessionUnavailable):
                # If only the answer was lost, this is all that is left of the session.
                held = self._present(last)
                if held is None or held.successor != key:
                    self._store.delete(key)
                    if held is not None:
                        self._change_note(note, held.successor or key_of(last))
            raise
        return state.permanent

    def _hand_over(self, state: State, text: str, last: str) -> bool:
        """Close the last session to changes, and merge those of others into the new one.

        One that is closed already stays as it is, or its last moment would begin again.
        """
        loaded, key, permanent = state.loaded, key_of(str(state.id)), state.permanent
        if loaded.renewed or (loaded.adopted and self._present(last) is None):
            return permanent
        before = Envelope(
            loaded.text, loaded.data, 0, None, loaded.csrf_token, loaded.owner, loaded.stamp
        )
        held = Held(before, loaded.version)
        for _ in range(MAX_MERGES):
            if held.successor or self._close(last, held, key):
                return permanent
            present = self._present(last)
            if (present is None or present.successor) and not state.begins_anew:
                raise SessionUnavailable(_ENDED)
            if present is None:
                return permanent
            held = present
            if held.envelope.data is not None:
                record, permanent = self._merged(state, text, held.envelope)
                kept, life = self._store.load(key), self._life(state, permanent)
                version = "" if kept is None else kept.version
                if not self._store.replace(key, record, version=version, **life):
                    raise SessionUnavailable(_ENDED)
        raise SessionUnavailable(_BUSY)

    def _close(self, session_id: str, held: Held, successor: str) -> bool:
        """Let the session be read for a moment, but no longer be changed, if it is as given."""
        key, envelope = key_of(session_id), held.envelope
        life: Life = {"seconds": GRACE, "owner": None}  # No list of an owner shows it any more.
        closed = _closed(envelope, successor)
        if len(closed) > self._store.limit:  # It cannot even be read then.
            closed = _closed(envelope._replace(text=IN_STORE), successor)
        return self._store.replace(key, closed, version=held.version, **life)

    def _present(self, session_id: str) -> Held | None:
        """Return what the store has of a session, or ``None`` if it has nothing of ours."""
        with suppress(CookieRejected):
            return self._held(key_of(session_id))
        return None

    def _merged(self, state: State, text: str, theirs: Envelope) -> tuple[str, bool]:
        """Return the record with the changes of all, and whether it is a permanent session's."""
        loaded = state.loaded
        merged = merge(loads(loaded.text), loads(text), theirs.data or {})
        # That of a visitor does not outlive a log-in.
        same = state.csrf_token == loaded.csrf_token and state.owner == loaded.owner
        token = theirs.csrf_token if same else state.csrf_token
        return self._record(state, dumps(merged), token), bool(merged.get("_permanent", False))

    def _record(self, state: State, text: str, csrf_token: str | None = None) -> str:
        token = csrf_token or state.csrf_token
        parent = state.parent or None
        record = wrap(Envelope(text, None, 0, parent, token, state.owner, state.stamp))
        if len(record) > self._store.limit:
            raise too_large("The session's JSON", len(record), self._store.limit, loads(text))
        return record

    def _life(self, state: State, permanent: bool) -> Life:
        left = self._expiry.left(int(time.time()), state.created, permanent)
        if state.is_first_visit:
            left = min(left, MAX_VISITOR_TIME)
        return {"seconds": max(1, left), "owner": state.owner}

    def _name_successor(self, session_id: str, successor: str) -> str:
        """Save that a session takes the place of this one, as each of several log-ins does.

        Return the key of the note.
        """
        for number in range(MAX_MERGES):
            name = renewal_of(f"{number} {key_of(session_id)}")
            if self._store.create(name, dumps(key_of(successor)), **_NOTE_LIFE):
                return name
        raise SessionUnavailable(_BUSY)

    def _change_note(self, name: str, key: str) -> None:
        """Have the note of a session that did not come about name one that has.

        Without that, it would say that a successor has ended, and deleted, hide those after it.
        """
        kept = self._store.load(name)
        if kept is not None:
            self._store.replace(name, dumps(key), version=kept.version, **_NOTE_LIFE)

    def _successors(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield the notes of the sessions that have taken the place of this one, and their keys."""
        number = 0
        while kept := self._store.load(name := renewal_of(f"{number} {key}")):
            yield name, str(loads(kept.text))
            number += 1

    def _is_marked(self, session_id: str) -> bool:
        return session_id != "" and self._store.load(mark_of(session_id)) is not None

    def _mark(self, session_id: str, created: int) -> bool:
        """Refuse former cookies of the session, and return whether they were not refused yet."""
        if not session_id or not (self._adopts or is_derived(session_id)):
            return True
        seconds = self._expiry.left(int(time.time()), created) + MAX_REQUEST_TIME
        # Random, because a store may take a mark that is equal for its own, sent again.
        mark = dumps(secrets.token_urlsafe(8))
        return self._store.create(mark_of(session_id), mark, seconds=seconds, owner=None)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the cookies that one set of settings has written, the present ones or former ones."""

    room: int
    codec: Codec
    mask: TokenMask
    expiry: Expiry
    backend: CookieBackend

    def verify(self, token: str, now: int) -> "Verified":
        """Return what a cookie carries. Raise CookieRejected."""
        if len(token) > self.room:
            raise CookieRejected("too_large")
        opened = self.codec.decode(token)
        envelope, issued = unwrap(opened.text), opened.issued
        if is_too_deep(envelope.data, envelope.text):
            raise CookieRejected("malformed")
        created, permanent = issued - envelope.age, envelope.permanent
        ends = permanent is None and envelope.ends
        try:
            self.expiry.check(now, issued, created, permanent)
        except CookieRejected:
            # What was written beside older cookies has to hide them for as long as they are valid.
            if not envelope.beside:
                raise
            self.expiry.check(now, issued, created)
            ends = True
        return Verified(envelope, issued, opened.old_key, token, ends)

    def accept(self, verified: "Verified", now: int) -> Loaded:
        """Return the session, which the list or the store does not refuse. Raise CookieRejected."""
        carried, issued, token = verified.envelope, verified.issued, verified.token
        held = self.backend.load(carried)
        envelope = carried if held is None else held.envelope
        text, data, _, _, csrf_token, owner, stamp, _, _ = envelope
        created = issued - carried.age
        if csrf_token is not None and held is None:
            csrf_token = self.mask.reveal(csrf_token, verified.old_key)
        loaded = Loaded(
            data or {}, text, created, issued, carried.id, csrf_token, owner, stamp, token
        )
        if held is not None:
            self.expiry.check(now, issued, created, loaded.permanent)
            loaded.version = held.version
            loaded.parent, loaded.renewed = held.parent, held.renewed > 0
            # Later, it is only there because an earlier request has done so.
            is_visit = carried.is_first and now - issued <= MAX_VISITOR_TIME + CLOCK_SKEW
            if is_visit and not loaded.renewed:
                self.backend.keep(loaded)
        return loaded


@dataclass(slots=True, repr=False)
class Verified:
    """What a cookie carries, as far as the cookie alone can tell.

    ``ends``: whether it only hides others that are older.
    """

    envelope: Envelope
    issued: int
    old_key: bool
    token: str
    ends: bool


def backend_problems(store: object, revocations: object) -> Iterator[Problem]:
    """Yield the problems of these settings."""
    yield from _problems(
        "store",
        store,
        Store,
        "limit, load, create, replace, touch and delete, such as RedisStore(client)",
    )
    yield from _problems(
        "revocations",
        revocations,
        Revocations,
        "revoke and check, such as RedisRevocations(client)",
    )
    if store is not None and revocations is not None:
        yield Problem(
            "revocations",
            "found together with store, which refuses ended sessions too",
            "leave it out",
        )


def backend_of(
    store: Store | None,
    revocations: Revocations | None,
    expiry: Expiry,
    adopts: bool,
    bound_ids: BoundIds,
) -> CookieBackend:
    """Return the backend of these settings, which have no problems."""
    if revocations is not None:
        return RevocableBackend(revocations, expiry, bound_ids)
    return CookieBackend() if store is None else ServerBackend(store, expiry, adopts, bound_ids)


def too_large(what: str, size: int, limit: int, data: dict[str, Any]) -> SessionTooLarge:
    """Return the error, with the three largest keys of the data."""
    sizes = ((key, len(dumps({key: value})) - len("{}")) for key, value in data.items())
    largest = sorted(sizes, key=lambda item: item[1], reverse=True)[:3]
    return SessionTooLarge(what, size, limit, largest)


def _closed(envelope: Envelope, successor: str) -> str:
    """Return what a store keeps of a session that was renewed now, for a moment."""
    return f"{dumps(successor)},{int(time.time())},{wrap(envelope)}"


def _held(kept: Kept) -> Held:
    """Return the session, which may be closed. Raise CookieRejected if the text is not ours."""
    if kept.text.startswith("["):
        envelope = unwrap(kept.text)
        if envelope.data is None:
            raise CookieRejected("malformed")
        return Held(envelope, kept.version, envelope.id or "")
    try:
        successor, renewed, record = kept.text.split(",", 2)
        return Held(unwrap(record), kept.version, "", str(loads(successor)), int(renewed))
    except ValueError:
        raise CookieRejected("malformed") from None


def _problems(name: str, value: object, contract: type, parts: str) -> Iterator[Problem]:
    if value is not None and (isinstance(value, type) or not isinstance(value, contract)):
        yield Problem(name, f"found {kind_of(value)}, expected an object with {parts}")
