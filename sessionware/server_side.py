"""Sessions that are kept in a store on the server, and merged where two requests meet."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypedDict

from .backend import (
    BUSY,
    ENDED,
    GRACE,
    MAX_ATTEMPTS,
    MAX_REQUEST_TIME,
    TOO_LATE,
    CookieBackend,
    Held,
    too_large,
)
from .envelope import IN_STORE, Envelope, unwrap, wrap
from .errors import CookieRejected, SessionEnded, SessionTooLarge, SessionUnavailable
from .expiry import Expiry
from .keys import BoundIds, is_bound, is_derived
from .merge import merge
from .serializer import dumps, loads
from .session import Loaded, Owner, State
from .store import Kept, Store, key_of, mark_of, renewal_of

MAX_RENEWALS = 100
"""Over how many renewals an id that was replaced a moment ago still works."""

MAX_VISITOR_TIME = 60 * 60
"""Seconds for which a store keeps a visitor's session until its cookie comes back."""


class Life(TypedDict):
    """How long a store keeps a session, and whose it is."""

    seconds: int
    owner: Owner | None


_NOTE_LIFE: Life = {"seconds": MAX_REQUEST_TIME, "owner": None}

_ADOPTED, _ENDED = "adopted", "ended"
"""What a store notes of a session that came from a former cookie."""

_ENDING = dumps(_ENDED)
"""What a store has of a session that is about to be deleted, or that must not begin again."""


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
        if held is None or not self._works(key, held) or self._has_ended(held.parent):
            raise CookieRejected("revoked")
        return held

    def keep(self, loaded: Loaded) -> None:
        """Keep a visitor's session for its full life, unless the store cannot be written now."""
        # The longest, because another request may have made it permanent since it was loaded.
        left = self._expiry.left(int(time.time()), loaded.created)
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
        kept = self._adopted(loaded, ids)
        if kept is None and any(map(self._mark, {*marks, *ids})):
            # Another request of the page may have adopted the session between the two looks.
            kept = self._adopted(loaded, ids)
            if kept is None:
                raise CookieRejected("revoked")
        if kept is not None:
            # While keys are rotated, each of two servers may have taken it over under its own.
            if any(map(self._has_ended, {*marks, *ids} - {kept.id, kept.parent})):
                raise CookieRejected("revoked")
            return kept
        stamp = "" if loaded.owner is None else self.stamp(loaded.owner)
        if stamp not in ("", loaded.stamp):
            raise CookieRejected("revoked")
        return super().adopt(replace(loaded, stamp=stamp), ids)

    def _adopted(self, loaded: Loaded, ids: Sequence[str]) -> Loaded | None:
        """Return the session as another request has adopted it, unless it has ended."""
        for session_id in ids:
            held = self._held(key_of(session_id))
            if held is None:
                continue
            kept = held.envelope
            is_over = held.successor or self._is_revoked(kept.owner, kept.stamp)
            if is_over or self._has_ended(held.parent) or self._has_ended(session_id):
                raise CookieRejected("revoked")
            return replace(
                loaded,
                data=kept.data or {},
                text=kept.text,
                id=session_id,
                csrf_token=kept.csrf_token,
                owner=kept.owner,
                stamp=kept.stamp,
                version=held.version,
                shortened=kept.age,
                parent=held.parent,
                adopted=False,
            )
        return None

    def check_duration(self, state: State, seconds: float) -> None:
        """Raise SessionUnavailable once the mark of an adopted session may be gone."""
        if state.loaded.adopted and state.goes_on and seconds > MAX_REQUEST_TIME:
            raise SessionUnavailable(TOO_LATE)

    def is_replaced(self, find_ids: Callable[[], Iterable[str]], seconds: float) -> bool:
        """Return whether one of the sessions with these ids has got a new one, and goes on.

        That counts from a minute before the request, which has taken so many ``seconds``.
        """
        keys = [*map(key_of, find_ids())]
        for key in keys:
            for _, successor, since in self._successors(key):
                if time.time() - seconds > since + GRACE:
                    continue
                held = self._present_at(successor)
                if held is not None and not held.successor:
                    return True
                keys.append(successor)  # Another one may have taken its place.
        return False

    def prepare(self, state: State) -> None:
        """Set the id of a new session."""
        if state.id is None:
            state.make_id()

    def save(self, state: State, text: str) -> bool:
        """Save the session. The previous id is ended once the new one is saved."""
        loaded = state.loaded
        if loaded.renewed and not (state.begins_anew or self._may_be_bound(state)):
            raise SessionEnded(ENDED)
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
        self._note_end(loaded.parent, loaded.created)
        self._note_end(loaded.id, loaded.created)
        key, version = key_of(loaded.id), "" if loaded.renewed else loaded.version
        # Only one of this and a renewal succeeds. One that is under way may be a log-in of its own.
        while version and not self._store.replace(key, _ENDING, version=version, **_NOTE_LIFE):
            held = self._present(loaded.id)
            version = "" if held is None or held.successor else held.version
        if not self._may_begin_again(loaded.id):
            self._store.delete(key)
        elif not version:
            self._end_open(loaded.id)
        if not version:
            self.end_successors(loaded.id)

    def end_successors(
        self, session_id: str, spared: str = "", spared_owner: Owner | None = None
    ) -> None:
        """Delete the sessions that have taken its place within the last hour.

        ``spared_owner``: whose sessions go on, too.
        """
        own, names = key_of(session_id), list[str]()
        keys, seen = [own], {own, key_of(spared)}
        for key in keys:
            if key != own and (spared_owner is None or self._owner_of(key) != spared_owner):
                self._store.delete(key)
            for name, successor, _ in self._successors(key):
                names.append(name)
                if successor not in seen:
                    seen.add(successor)
                    keys.append(successor)
        # Last, so that a log-out which failed can be sent again. One that spares a session is to be
        # followed by another, which has to find that one.
        for name in () if spared else names:
            self._store.delete(name)

    def end(self, session_id: str, created: int) -> None:
        """Delete the session, be it bound to a device by now, unless it is closed already."""
        for each in [session_id, *self._bound_ids.of(session_id)]:
            self._note_end(each, created)
            self._end_open(each)

    def stamp(self, owner: Owner) -> str:
        """Return the owner's present stamp, or ``""`` from a store that has none."""
        stamp: Callable[[Owner], str] = getattr(self._store, "stamp", lambda _: "")
        return stamp(owner)

    def _held(self, key: str) -> Held | None:
        kept = self._store.load(key)
        return None if kept is None or kept.text == _ENDING else _held(kept)

    def _works(self, key: str, held: Held) -> bool:
        """Return whether the session goes on, or has done so a moment ago and its successors do.

        It does not if any of them has ended: that may have been a log-out.
        """
        if not held.successor:
            return True
        if held.envelope.data is None or time.time() > held.renewed + GRACE:
            return False
        found = [held.successor, *(other for _, other, _ in self._successors(key))]
        for each in found:
            present = self._held(each)
            if len(found) > MAX_RENEWALS or present is None:
                return False
            later = [present.successor, *(other for _, other, _ in self._successors(each))]
            found += [other for other in later if other and other not in found]
        return True

    def _create(self, state: State, text: str) -> bool:
        session_id, adopted = str(state.id), state.id == state.loaded.id
        permanent, ended = state.permanent, False
        record = self._record(state, text, permanent)
        key = key_of(session_id)
        # Looked at before, too, because the error says that nothing was saved.
        if adopted and self._has_ended(session_id):
            raise SessionEnded(ENDED)
        try:
            is_first = self._store.create(key, record, **self._life(state, permanent))
            if is_first:
                ended = adopted and not self._note_adoption(session_id, state.created)
            elif adopted:  # Another request of the same page has adopted the session meanwhile.
                permanent = self._replace(state, text)
                ended = self._has_ended(session_id)
            # Read after the writing, so that no log-out and no revoke_owner meanwhile is missed.
            ended = ended or self._has_ended(state.parent)
            ended = ended or self._is_revoked(state.owner, state.stamp)
        except SessionUnavailable:
            # Even if it was the answer to create that was lost. No browser has a cookie that leads
            # to it, unless another request has bound the same session to a device.
            if not (adopted or is_bound(session_id)):
                with suppress(SessionUnavailable):
                    self._store.delete(key)
            raise
        if not (is_first or adopted):
            raise SessionEnded(ENDED)
        if ended:
            self._withdraw(key)
            raise SessionEnded(ENDED)
        return permanent

    def _withdraw(self, key: str) -> None:
        """Delete a session that was saved too late, or close it for the one that renews it.

        That one may be under way, and would take a deleted session for one that was logged out.
        """
        held = self._present_at(key)
        if held is None or held.successor:
            return
        successors = (each for _, each, since in self._successors(key) if since)
        successor = next(filter(self._present_at, successors), "")
        if not (successor and self._close(key, held, successor)):
            self._delete_open(key)

    def _is_revoked(self, owner: Owner | None, stamp: str) -> bool:
        return owner is not None and self.stamp(owner) not in ("", stamp)

    def _delete_open(self, key: str) -> None:
        """Delete a session, unless another one has taken its place: then it ends in a moment."""
        held = self._present_at(key)
        if held is not None and not held.successor:
            self._store.delete(key)

    def _end_open(self, session_id: str) -> None:
        """Delete a session, unless it is closed; or leave an ending, if it may be saved again."""
        key = key_of(session_id)
        if not self._may_begin_again(session_id):
            self._delete_open(key)
            return
        while not self._store.create(key, _ENDING, **_NOTE_LIFE):
            kept = self._store.load(key)
            text, version = ("[", "") if kept is None else kept  # If it is gone, try again.
            if not text.startswith("["):  # It has ended, or another one has taken its place.
                return
            if self._store.replace(key, _ENDING, version=version, **_NOTE_LIFE):
                return

    def _replace(self, state: State, text: str) -> bool:
        """Save what this request has changed, together with what others have changed meanwhile."""
        session_id = str(state.id)
        version = "" if state.loaded.renewed else state.loaded.version
        permanent = state.permanent
        record = self._record(state, text, permanent)
        for _ in range(MAX_ATTEMPTS):
            life = self._life(state, permanent)
            if self._store.replace(key_of(session_id), record, version=version, **life):
                if self._has_ended(state.parent):  # by the log-out of another copy of its cookie
                    raise SessionEnded(ENDED)
                return permanent
            held = self._present(session_id)
            if held is not None and (bound_id := self._bound_id(session_id, held)):
                session_id, held = bound_id, self._present(bound_id)
            if held is None or held.successor:
                raise SessionEnded(ENDED)
            record, permanent = self._merged(state, text, held.envelope)
            version = held.version
        raise SessionUnavailable(BUSY)

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
        try:
            if state.emptied:
                self._end_others(state, last)
            # First, so that a log-out which finds the session deleted finds the new one.
            note = self._name_successor(last, str(state.id))
            permanent = state.permanent
            if state.emptied:
                self._note_end(last, loaded.created)
                self._store.delete(key_of(last))
                self._end_others(state, last)
            elif loaded.adopted:
                permanent = self._hand_over_adopted(state, text, last)
            else:
                self._note_end(last, loaded.created)
                permanent = self._hand_over(state, text, last)
            if self._end_copies(loaded, last) == _ENDED and not state.begins_anew:
                self._store.delete(key)
                raise SessionEnded(ENDED)
        except (SessionTooLarge, SessionUnavailable):
            with suppress(SessionUnavailable):
                self._take_back(key, last, note)
            raise
        return permanent

    def _end_others(self, state: State, last: str) -> None:
        """End what else has taken the place of the last session, but no log-in of the same user.

        That may be the other one of a double click. If the last session was the user's own, what
        has taken its place need not be a log-in.
        """
        owner = None if state.owner == state.loaded.owner else state.owner
        self.end_successors(last, str(state.id), owner)

    def _end_copies(self, loaded: Loaded, last: str) -> str:
        """Refuse the copies of a visitor's former cookie. Return what was noted of them before."""
        try:
            return self._note_end(loaded.parent, loaded.created)
        except SessionUnavailable:
            if loaded.adopted:  # Its former cookie is all that the browser has.
                self._store.delete(mark_of(last))
            raise

    def _take_back(self, key: str, last: str, note: str) -> None:
        """Delete the new session, unless only an answer was lost and it is all that is left."""
        held = self._present(last)
        if held is not None and held.successor == key:
            return
        try:
            if held is not None:
                self._change_note(note, held.successor or key_of(last))
        finally:
            self._store.delete(key)

    def _hand_over(self, state: State, text: str, last: str) -> bool:
        """Close the last session to changes, and merge those of others into the new one.

        One that is closed already stays as it is, or its last moment would begin again.
        """
        loaded, key, permanent = state.loaded, key_of(str(state.id)), state.permanent
        if loaded.renewed:
            return permanent
        before = Envelope(
            loaded.text,
            loaded.data,
            loaded.shortened,
            None,
            loaded.csrf_token,
            loaded.owner,
            loaded.stamp,
        )
        held = Held(before, loaded.version)
        for _ in range(MAX_ATTEMPTS):
            if held.successor or self._close(key_of(last), held, key):
                return permanent
            present = self._present(last)
            has_ended = present is None or present.successor not in ("", key)
            if has_ended and not state.begins_anew:
                raise SessionEnded(ENDED)
            if present is None:
                return permanent
            held = present
            if held.envelope.data is not None:
                record, permanent = self._merged(state, text, held.envelope)
                kept, life = self._store.load(key), self._life(state, permanent)
                version = "" if kept is None else kept.version
                if not self._store.replace(key, record, version=version, **life):
                    raise SessionEnded(ENDED)
        raise SessionUnavailable(BUSY)

    def _hand_over_adopted(self, state: State, text: str, last: str) -> bool:
        """Hand over a session that this request adopts, as another one may have done before."""
        created, before = state.loaded.created, None
        if self._present(last) is None:
            # Of several requests that renew it, one is the first.
            before = self._note_end(last, created)
        elif self._has_ended(last):
            before = _ENDED
        permanent = state.permanent
        if before in (None, _ADOPTED) or (before == "" and self._was_just_adopted(last)):
            permanent = self._hand_over(state, text, last)
        if before is None:
            # A log-out that has noted this meanwhile ends the new session, too.
            self._note_end(last, created)
        if before == _ENDED and not state.begins_anew:
            raise SessionEnded(ENDED)
        return permanent

    def _was_just_adopted(self, session_id: str) -> bool:
        """Return whether another request has saved the session before its end was noted."""
        try:
            return self._present(session_id) is not None
        except SessionUnavailable:  # Its former cookie is all that the browser has.
            self._store.delete(mark_of(session_id))
            raise

    def _close(self, key: str, held: Held, successor: str) -> bool:
        """Let the session be read for a moment, but no longer be changed, if it is as given."""
        envelope = held.envelope
        life: Life = {"seconds": GRACE, "owner": None}  # No list of an owner shows it any more.
        closed = _closed(envelope, successor)
        if len(closed) > self._store.limit:  # It cannot even be read then.
            closed = _closed(replace(envelope, text=IN_STORE), successor)
        return self._store.replace(key, closed, version=held.version, **life)

    def _owner_of(self, key: str) -> Owner | None:
        held = self._present_at(key)
        return None if held is None else held.envelope.owner

    def _present(self, session_id: str) -> Held | None:
        """Return what the store has of a session, or ``None`` if it has nothing of ours."""
        return self._present_at(key_of(session_id))

    def _present_at(self, key: str) -> Held | None:
        with suppress(CookieRejected):
            return self._held(key)
        return None

    def _merged(self, state: State, text: str, theirs: Envelope) -> tuple[str, bool]:
        """Return the record with the changes of all, and whether it is a permanent session's."""
        loaded = state.loaded
        merged = merge(loads(loaded.text), loads(text), theirs.data or {})
        # That of a visitor does not outlive a log-in.
        same = state.csrf_token == loaded.csrf_token and state.owner == loaded.owner
        token = theirs.csrf_token if same else state.csrf_token
        permanent = bool(merged.get("_permanent", False))
        loaded.shortened = max(loaded.shortened, theirs.age)  # for the record
        return self._record(state, dumps(merged), permanent, token), permanent

    def _record(
        self, state: State, text: str, permanent: bool, csrf_token: str | None = None
    ) -> str:
        token = csrf_token or state.csrf_token
        parent, shortened = state.parent or None, self._shortened(state, permanent)
        record = wrap(Envelope(text, None, shortened, parent, token, state.owner, state.stamp))
        if len(record) > self._store.limit:
            raise too_large("The session's JSON", len(record), self._store.limit, loads(text))
        return record

    def _shortened(self, state: State, permanent: bool) -> int:
        """Return when the session's idle timeout became shorter, which may be now, or 0.

        Requests that were sent before that have cookies which may be older.
        """
        now, expiry, loaded = int(time.time()), self._expiry, state.loaded
        if expiry.permanent_timeout == expiry.idle_timeout or not state.goes_on:
            return 0
        was_permanent = bool(loads(loaded.text).get("_permanent", False))
        is_shorter = expiry.left(now, now, permanent) < expiry.left(now, now, was_permanent)
        return now if is_shorter else loaded.shortened

    def _life(self, state: State, permanent: bool) -> Life:
        left = self._expiry.left(int(time.time()), state.created, permanent)
        if state.is_first_visit:
            left = min(left, MAX_VISITOR_TIME)
        return {"seconds": max(1, left), "owner": state.owner}

    def _name_successor(self, session_id: str, successor: str) -> str:
        """Save that a session takes the place of this one, as each of several log-ins does.

        Return the key of the note.
        """
        for number in range(MAX_ATTEMPTS):
            name = renewal_of(f"{number} {key_of(session_id)}")
            note = f"{dumps(key_of(successor))},{int(time.time())}"
            if self._store.create(name, note, **_NOTE_LIFE):
                return name
            self._store.touch(name, **_NOTE_LIFE)  # It leads to the next one.
        raise SessionUnavailable(BUSY)

    def _change_note(self, name: str, key: str) -> None:
        """Have the note of a session that did not come about name one that has.

        Without that, it would say that a successor has ended, and deleted, hide those after it.
        """
        kept = self._store.load(name)
        if kept is not None:
            self._store.replace(name, dumps(key), version=kept.version, **_NOTE_LIFE)

    def _successors(self, key: str) -> Iterator[tuple[str, str, int]]:
        """Yield the notes of the sessions that have taken the place of this one.

        With each comes the key of that session, and since when it has, or 0 if it has not.
        """
        number = 0
        while kept := self._store.load(name := renewal_of(f"{number} {key}")):
            successor, _, since = kept.text.partition(",")
            yield name, str(loads(successor)), int(since or 0)
            number += 1

    def _has_ended(self, session_id: str) -> bool:
        """Return whether former cookies of the session are refused."""
        return self._mark(session_id) == _ENDED

    def _mark(self, session_id: str) -> str:
        """Return whether the session was adopted, or has ended, or ``""``."""
        kept = self._store.load(mark_of(session_id)) if session_id else None
        return "" if kept is None else _meaning_of(kept)

    def _may_begin_again(self, session_id: str) -> bool:
        """Return whether a request that came with a former cookie may save the session again."""
        return session_id != "" and (self._adopts or is_derived(session_id))

    def _note_adoption(self, session_id: str, created: int) -> bool:
        """Note that a former cookie was accepted, and return whether that is the first time."""
        return self._store.create(mark_of(session_id), _new_mark(_ADOPTED), **self._left(created))

    def _note_end(self, session_id: str, created: int) -> str:
        """Refuse former cookies of the session. Return what was noted before, or ``""``."""
        if not self._may_begin_again(session_id):
            return ""
        name, mark, life = mark_of(session_id), _new_mark(_ENDED), self._left(created)
        while not self._store.create(name, mark, **life):
            kept = self._store.load(name)
            if kept is not None and _meaning_of(kept) == _ENDED:
                return _ENDED
            if kept is not None and self._store.replace(name, mark, version=kept.version, **life):
                return _ADOPTED
        return ""

    def _left(self, created: int) -> Life:
        """Return for how long a former cookie of the session may come."""
        left = self._expiry.left(int(time.time()), created)
        return {"seconds": left + MAX_REQUEST_TIME, "owner": None}


def _new_mark(meaning: str) -> str:
    """Return a mark, which is random: a store may take an equal one for its own, sent again."""
    return dumps(f"{meaning} {secrets.token_urlsafe(8)}")


def _meaning_of(mark: Kept) -> str:
    return _ADOPTED if mark.text.startswith(f'"{_ADOPTED}') else _ENDED


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
