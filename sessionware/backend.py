"""Where a session is kept: in the cookie, in the cookie beside a list, in a store."""

from collections.abc import Callable, Iterator
from typing import Any

from .errors import (
    ConfigurationError,
    CookieRejected,
    Problem,
    SessionTooLarge,
    SessionUnavailable,
    kind_of,
)
from .serializer import dumps, loads
from .session import Owner, Session, owner_of
from .store import Revocations, Store, key_of

MAX_REQUEST_TIME = 60 * 60
"""Seconds for which a request that began before a log-out may still write its cookie."""

Left = Callable[[int], int]
"""Returns how many seconds a session has left if it is not used again, given its creation time."""

Held = tuple[dict[str, Any], str]
"""A session's data, and the same as it was written."""

_ENDED = (
    "The session was ended by another request while this one was using it (a log-out, or "
    "regenerate()), so nothing of it was saved. The other request's response has the valid cookie."
)


class CookieBackend:
    """The cookie alone: it carries the data, and only the browser keeps it."""

    in_cookie = True
    needs_id = False

    def load(self, data: Any, text: str, session_id: str | None) -> Held:  # noqa: ARG002 - subclasses use it
        """Return the data of a session, given what its cookie carries. Raise CookieRejected."""
        if type(data) is not dict:
            raise CookieRejected("malformed")
        return data, text

    def save(self, session: Session, text: str) -> None:
        """Do nothing: the response carries the data."""

    def delete(self, session_id: str, created: int) -> None:
        """Do nothing: a copy of the cookie stays valid until it expires."""

    def stamp(self, owner: str) -> str:  # noqa: ARG002 - subclasses use it
        """Return what a session of this owner has to carry."""
        return ""


class RevocableBackend(CookieBackend):
    """The cookie, beside a list of the sessions that are refused."""

    needs_id = True

    def __init__(self, revocations: Revocations, left: Left) -> None:
        self._revocations = revocations
        self._left = left

    def load(self, data: Any, text: str, session_id: str | None) -> Held:
        """Return the data, or raise CookieRejected for a session on the list."""
        super().load(data, text, session_id)
        owner, stamp = owner_of(data)
        # A session without an id is older than the list, and gets one now that it is used.
        if session_id is not None or owner is not None:
            valid = self._revocations.check(key_of(session_id or ""), _text(owner))
            if valid is None or valid not in ("", stamp):
                raise CookieRejected("revoked")
        return data, text

    def save(self, session: Session, text: str) -> None:  # noqa: ARG002 - as declared
        """Put the session's previous id on the list. Of two requests, one can replace it."""
        last = session.loaded.id
        if last is None or last == session.id:
            return
        ended_here = self._revoke(last, session.created)
        if not ended_here and not session.begins_anew():
            raise SessionUnavailable(_ENDED)

    def delete(self, session_id: str, created: int) -> None:
        """Put the id on the list."""
        self._revoke(session_id, created)

    def stamp(self, owner: str) -> str:
        """Return the owner's present stamp."""
        return self._revocations.check(key_of(""), owner) or ""

    def _revoke(self, session_id: str, created: int) -> bool:
        return self._revocations.revoke(key_of(session_id), self._left(created) + MAX_REQUEST_TIME)


class ServerBackend(CookieBackend):
    """A store on the server: the cookie carries the id, and ``null`` in place of the data."""

    in_cookie = False
    needs_id = True

    def __init__(self, store: Store, left: Left) -> None:
        self._store = store
        self._left = left

    def load(self, data: Any, text: str, session_id: str | None) -> Held:  # noqa: ARG002 - as declared
        """Return what the store has. An id that it does not know is refused (CWE-384)."""
        if data is not None or session_id is None:
            raise CookieRejected("malformed")
        kept = self._store.load(key_of(session_id))
        if kept is None:
            raise CookieRejected("revoked")
        try:
            return super().load(loads(kept), kept, session_id)
        except ValueError:
            raise CookieRejected("malformed") from None

    def save(self, session: Session, text: str) -> None:
        """Save the text. The previous id is deleted once the new one is saved."""
        if len(text) > self._store.limit:
            raise too_large("The session's JSON", len(text), self._store.limit, session)
        last, key = session.loaded.id, key_of(session.id)
        new, owner = last != session.id, _text(session.owner)
        seconds = max(1, self._left(session.created))
        kept = text if new or text != session.loaded.text else None
        if not self._store.save(key, kept, new=new, seconds=seconds, owner=owner):
            raise SessionUnavailable(_ENDED)
        if new and last is not None:
            ended_here = self._store.delete(key_of(last))
            if not ended_here and not session.begins_anew():
                self._store.delete(key)
                raise SessionUnavailable(_ENDED)

    def delete(self, session_id: str, created: int) -> None:  # noqa: ARG002 - as declared
        """Delete the session."""
        self._store.delete(key_of(session_id))


def backend_of(store: Store | None, revocations: Revocations | None, left: Left) -> CookieBackend:
    """Return the backend of these settings. Raises ConfigurationError with every problem."""
    problems = [
        *_problems(
            "store", store, Store, "limit, load, save and delete, such as RedisStore(client)"
        ),
        *_problems(
            "revocations",
            revocations,
            Revocations,
            "revoke and check, such as RedisRevocations(client)",
        ),
    ]
    if store is not None and revocations is not None:
        problems.append(
            Problem(
                "revocations",
                "found together with store, which refuses ended sessions too",
                "leave it out",
            )
        )
    if problems:
        raise ConfigurationError(problems)
    if revocations is not None:
        return RevocableBackend(revocations, left)
    return CookieBackend() if store is None else ServerBackend(store, left)


def too_large(what: str, size: int, limit: int, session: Session) -> SessionTooLarge:
    """Return the error, with the three largest keys of the session."""
    sizes = ((key, len(dumps({key: value})) - len("{}")) for key, value in session.items())
    largest = sorted(sizes, key=lambda item: item[1], reverse=True)[:3]
    return SessionTooLarge(what, size, limit, largest)


def _text(owner: Owner | None) -> str | None:
    return None if owner is None else str(owner)


def _problems(name: str, value: object, contract: type, parts: str) -> Iterator[Problem]:
    if value is not None and (isinstance(value, type) or not isinstance(value, contract)):
        yield Problem(name, f"found {kind_of(value)}, expected an object with {parts}")
