"""Where a session is kept: in the cookie, in the cookie beside a list, in a store."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypedDict

from .codec import Codec
from .envelope import Envelope, unwrap, wrap
from .errors import (
    CookieRejected,
    Problem,
    SessionTooLarge,
    SessionUnavailable,
    kind_of,
)
from .expiry import Expiry
from .keys import TokenMask
from .merge import merge
from .serializer import dumps, loads
from .session import Loaded, Owner, State
from .store import Revocations, Store, key_of, mark_of, renewal_of

MAX_REQUEST_TIME = 60 * 60
"""Seconds for which a request that began before a log-out may still write its cookie."""

MAX_MERGES = 100
"""How often a request puts its changes together with those of others before it gives up."""

_ENDED = (
    "The session was ended by another request while this one was using it (a log-out, or "
    "regenerate()), so nothing of it was saved. The other request's response has the valid cookie."
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


class Held(NamedTuple):
    """A whole session, and the version of what the store has of it."""

    envelope: Envelope
    version: str = ""


class Life(TypedDict):
    """How long a store keeps a session, and whose it is."""

    seconds: int
    owner: Owner | None


_CLOSED_LIFE: Life = {"seconds": MAX_REQUEST_TIME, "owner": None}


class CookieBackend:
    """The cookie alone: it carries the data, and only the browser keeps it."""

    in_cookie = True
    needs_id = False

    def load(self, envelope: Envelope) -> Held:
        """Return the whole session, given what its cookie carries. Raise CookieRejected."""
        if envelope.data is None:
            raise CookieRejected("malformed")
        return Held(envelope)

    def adopt(self, loaded: Loaded, ids: Sequence[str]) -> Loaded:
        """Return a session that comes from another cookie than ours. Raise CookieRejected.

        ``ids``: the ids that it can have, of which the first is for a session that has none yet.
        """
        return loaded if loaded.id is not None else replace(loaded, id=ids[0] if ids else None)

    def check_duration(self, state: State, seconds: float) -> None:
        """Raise SessionUnavailable if the request has taken too long to change the session."""

    def save(self, state: State, text: str) -> bool:  # noqa: ARG002 - subclasses use it
        """Save the session, and return whether it is permanent now.

        Here, nothing has to be saved: the response carries the data.
        """
        return state.permanent

    def log_out(self, state: State) -> None:
        """End the session that was loaded, and the one that another request made of it.

        Raise SessionUnavailable if the other one cannot be ended.
        """

    def end(self, session_id: str, created: int) -> None:
        """End another session that the request has brought, as far as this is possible."""

    def stamp(self, owner: Owner) -> str:  # noqa: ARG002 - subclasses use it
        """Return what a session of this owner has to carry."""
        return ""


class RevocableBackend(CookieBackend):
    """The cookie, beside a list of the sessions that are refused."""

    needs_id = True

    def __init__(self, revocations: Revocations, expiry: Expiry) -> None:
        self._revocations = revocations
        self._expiry = expiry

    def load(self, envelope: Envelope) -> Held:
        """Return the session, or raise CookieRejected if it is on the list."""
        held = super().load(envelope)
        if envelope.id is not None:
            self._check(envelope.id, envelope.owner, envelope.stamp)
        return held

    def adopt(self, loaded: Loaded, ids: Sequence[str]) -> Loaded:
        """Return the session, or raise CookieRejected if it is on the list."""
        stamps = [self._check(each, loaded.owner, loaded.stamp) for each in ids]
        return super().adopt(replace(loaded, stamp=stamps[0]), ids)

    def check_duration(self, state: State, seconds: float) -> None:
        """Raise SessionUnavailable once the list may have forgotten that the session ended."""
        if state.goes_on and seconds > MAX_REQUEST_TIME:
            raise SessionUnavailable(_TOO_LATE)

    def save(self, state: State, text: str) -> bool:
        """Put the session's previous id on the list. Of two requests, one can replace it."""
        last = state.loaded.id
        if last is not None and last == state.id:
            self._check_alive(state)
        elif last is not None and state.has_ended:
            self.log_out(state)
        elif last is not None:
            self._renew(state, last)
        return super().save(state, text)

    def _renew(self, state: State, last: str) -> None:
        # First, so that a log-out which finds the id on the list knows why.
        self._revoke(f"renewed\0{last}", state.loaded.created)
        ended_here = self._revoke(last, state.loaded.created)
        if not ended_here and not state.begins_anew:
            raise SessionUnavailable(_ENDED)

    def log_out(self, state: State) -> None:
        """Put the id on the list. A session that has taken its place has another id."""
        last = state.loaded.id
        if last is None or self._revoke(last, state.loaded.created):
            return
        if self._revocations.check(renewal_of(last), None) is None:
            raise SessionUnavailable(_RENEWED)

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
        if present is None or present not in ("", stamp):
            raise CookieRejected("revoked")
        return present

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

    def __init__(self, store: Store, expiry: Expiry, adopts: bool) -> None:
        self._store = store
        self._expiry = expiry
        self._adopts = adopts

    def load(self, envelope: Envelope) -> Held:
        """Return what the store has. An id that it does not know is refused (CWE-384)."""
        if envelope.data is not None or envelope.id is None:
            raise CookieRejected("malformed")
        held = self._held(envelope.id)
        if held is None:
            raise CookieRejected("revoked")
        whole = held.envelope._replace(age=envelope.age, id=envelope.id)
        return held._replace(envelope=whole)

    def adopt(self, loaded: Loaded, ids: Sequence[str]) -> Loaded:
        """Return the session, as the store has it if another request has adopted it already."""
        if any(self._store.load(mark_of(session_id)) is not None for session_id in ids):
            raise CookieRejected("revoked")
        for session_id in ids:
            held = self._held(session_id)
            if held is not None:
                text, data, _, _, csrf_token, owner, stamp = held.envelope
                return replace(
                    loaded,
                    data=data or {},
                    text=text,
                    id=session_id,
                    csrf_token=csrf_token,
                    owner=owner,
                    stamp=stamp,
                    version=held.version,
                    adopted=False,
                )
        stamp = "" if loaded.owner is None else self.stamp(loaded.owner)
        if stamp not in ("", loaded.stamp):
            raise CookieRejected("revoked")
        return super().adopt(replace(loaded, stamp=stamp), ids)

    def check_duration(self, state: State, seconds: float) -> None:
        """Raise SessionUnavailable once the mark of an adopted session may be gone."""
        if state.loaded.adopted and state.goes_on and seconds > MAX_REQUEST_TIME:
            raise SessionUnavailable(_TOO_LATE)

    def save(self, state: State, text: str) -> bool:
        """Save the session. The previous id is ended once the new one is saved."""
        loaded = state.loaded
        if loaded.id != state.id:
            saved = self._create(state, text)
            if loaded.id is not None and state.has_ended:
                self.log_out(state)
            elif loaded.id is not None:
                saved = self._renew(state, text, loaded.id)
        elif loaded.adopted:
            saved = self._create(state, text)
        elif text != loaded.text or state.differs():
            saved = self._replace(state, text)
        else:
            saved = state.permanent
            if not self._store.touch(key_of(str(state.id)), **self._life(state, saved)):
                raise SessionUnavailable(_ENDED)
        return saved

    def log_out(self, state: State) -> None:
        """Delete the session, or the one that has taken its place."""
        loaded = state.loaded
        if loaded.id is None or self._end(loaded.id, loaded.created, loaded.adopted):
            return
        key = self._successor(renewal_of(key_of(loaded.id)))
        while key is not None:
            self._store.delete(key)
            key = self._successor(renewal_of(key))

    def end(self, session_id: str, created: int) -> None:
        """Delete the session."""
        self._end(session_id, created, adopted=False)

    def stamp(self, owner: Owner) -> str:
        """Return the owner's present stamp, or ``""`` from a store that has none."""
        stamp: Callable[[Owner], str] = getattr(self._store, "stamp", lambda _: "")
        return stamp(owner)

    def _held(self, session_id: str) -> Held | None:
        kept = self._store.load(key_of(session_id))
        if kept is None:
            return None
        envelope = unwrap(kept.text)
        if envelope.data is None:  # It is closed: another session is about to take its place.
            raise CookieRejected("revoked")
        return Held(envelope, kept.version)

    def _create(self, state: State, text: str) -> bool:
        session_id, adopted = str(state.id), state.id == state.loaded.id
        record, permanent = self._record(state, text), state.permanent
        life = self._life(state, permanent)
        if not self._store.create(key_of(session_id), record, **life):
            # Another request of the same page may have adopted the session meanwhile.
            if not adopted:
                raise SessionUnavailable(_ENDED)
            permanent = self._replace(state, text)
        # Read after the writing, so that no log-out and no revoke_owner meanwhile is missed.
        ended = adopted and self._store.load(mark_of(session_id)) is not None
        if ended or (state.owner is not None and self.stamp(state.owner) not in ("", state.stamp)):
            self._store.delete(key_of(session_id))
            raise SessionUnavailable(_ENDED)
        return permanent

    def _replace(self, state: State, text: str) -> bool:
        """Save what this request has changed, together with what others have changed meanwhile."""
        session_id, version = str(state.id), state.loaded.version
        record, permanent = self._record(state, text), state.permanent
        for _ in range(MAX_MERGES):
            life = self._life(state, permanent)
            if self._store.replace(key_of(session_id), record, version=version, **life):
                return permanent
            held = self._held_still(session_id)
            if held is None:
                raise SessionUnavailable(_ENDED)
            record, permanent = self._merged(state, text, held.envelope)
            version = held.version
        raise SessionUnavailable(_BUSY)

    def _renew(self, state: State, text: str, last: str) -> bool:
        """End the session that had this id, now that another one has taken its place."""
        loaded, permanent = state.loaded, state.permanent
        try:
            # First, so that a log-out which finds the session deleted finds the new one.
            self._name_successor(last, str(state.id))
            try:
                if not state.emptied:
                    permanent = self._carry_over(state, text, last)
                ended_here = self._end(last, loaded.created, loaded.adopted)
            except CookieRejected:  # Another request has closed it, and is about to end it.
                ended_here = False
            if not ended_here and not state.begins_anew:
                raise SessionUnavailable(_ENDED)
        except (SessionTooLarge, SessionUnavailable):
            with suppress(SessionUnavailable):
                self._store.delete(key_of(str(state.id)))
            raise
        return permanent

    def _carry_over(self, state: State, text: str, last: str) -> bool:
        """Close the last session to changes, and merge those of others into the new one.

        Raise CookieRejected if another request has closed it.
        """
        # The text names the owner, whose list it has to leave. The store need not list it again.
        closed = wrap(Envelope("null", None, 0, owner=state.loaded.owner))
        key, version, permanent = key_of(str(state.id)), state.loaded.version, state.permanent
        for _ in range(MAX_MERGES):
            if self._store.replace(key_of(last), closed, version=version, **_CLOSED_LIFE):
                return permanent
            held = self._held(last)
            if held is None:
                return permanent
            version = held.version
            record, permanent = self._merged(state, text, held.envelope)
            kept, life = self._store.load(key), self._life(state, permanent)
            if kept is None or not self._store.replace(key, record, version=kept.version, **life):
                raise SessionUnavailable(_ENDED)
        raise SessionUnavailable(_BUSY)

    def _held_still(self, session_id: str) -> Held | None:
        """Return what the store has now, or ``None`` if the session has ended meanwhile."""
        try:
            return self._held(session_id)
        except CookieRejected:
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
        record = wrap(Envelope(text, None, 0, None, token, state.owner, state.stamp))
        if len(record) > self._store.limit:
            raise too_large("The session's JSON", len(record), self._store.limit, loads(text))
        return record

    def _life(self, state: State, permanent: bool) -> Life:
        left = self._expiry.left(int(time.time()), state.created, permanent)
        return {"seconds": max(1, left), "owner": state.owner}

    def _name_successor(self, session_id: str, successor: str) -> None:
        """Save which session takes the place of this one, or of the last that has taken it."""
        life: Life = {"seconds": MAX_REQUEST_TIME, "owner": None}
        name = renewal_of(key_of(session_id))
        while not self._store.create(name, dumps(key_of(successor)), **life):
            if (latest := self._successor(name)) is None:
                return
            name = renewal_of(latest)

    def _successor(self, name: str) -> str | None:
        kept = self._store.load(name)
        return None if kept is None else str(loads(kept.text))

    def _end(self, session_id: str, created: int, adopted: bool) -> bool:
        """End a session, and return whether no other request has ended it before."""
        ended_here = True
        if self._adopts:
            key, seconds = mark_of(session_id), self._expiry.left(int(time.time()), created)
            # Random, because a store may take a mark that is equal for its own, sent again.
            mark, seconds = dumps(secrets.token_urlsafe(8)), seconds + MAX_REQUEST_TIME
            ended_here = self._store.create(key, mark, seconds=seconds, owner=None)
        # An adopted session is not in the store before its first response.
        was_there = self._store.delete(key_of(session_id))
        return ended_here and (was_there or adopted)


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
        self.expiry.check(now, issued, issued - envelope.age, envelope.permanent)
        return Verified(envelope, issued, opened.old_key, token)

    def accept(self, verified: "Verified", now: int) -> Loaded:
        """Return the session, which the list or the store does not refuse. Raise CookieRejected."""
        carried, issued, old_key, token = verified
        (text, data, age, session_id, csrf_token, owner, stamp), version = self.backend.load(
            carried
        )
        created = issued - age
        if csrf_token is not None and self.backend.in_cookie:
            csrf_token = self.mask.reveal(csrf_token, old_key)
        loaded = Loaded(
            data or {}, text, created, issued, session_id, csrf_token, owner, stamp, token, version
        )
        if not self.backend.in_cookie:
            self.expiry.check(now, issued, created, loaded.permanent)
        return loaded


class Verified(NamedTuple):
    """What a cookie carries, as far as the cookie alone can tell."""

    envelope: Envelope
    issued: int
    old_key: bool
    token: str


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
    store: Store | None, revocations: Revocations | None, expiry: Expiry, adopts: bool
) -> CookieBackend:
    """Return the backend of these settings, which have no problems."""
    if revocations is not None:
        return RevocableBackend(revocations, expiry)
    return CookieBackend() if store is None else ServerBackend(store, expiry, adopts)


def too_large(what: str, size: int, limit: int, data: dict[str, Any]) -> SessionTooLarge:
    """Return the error, with the three largest keys of the data."""
    sizes = ((key, len(dumps({key: value})) - len("{}")) for key, value in data.items())
    largest = sorted(sizes, key=lambda item: item[1], reverse=True)[:3]
    return SessionTooLarge(what, size, limit, largest)


def _problems(name: str, value: object, contract: type, parts: str) -> Iterator[Problem]:
    if value is not None and (isinstance(value, type) or not isinstance(value, contract)):
        yield Problem(name, f"found {kind_of(value)}, expected an object with {parts}")
