"""The contracts for data on the server: Store and Revocations, and what they hand over."""

import re
from hashlib import sha256
from typing import Any, NamedTuple, Protocol, runtime_checkable
from uuid import UUID

Owner = str | int | UUID
"""Whose a session is. ``1`` and ``"1"`` are two owners."""


class Kept(NamedTuple):
    """What a store has under a key.

    - ``text``: what was given to the last ``create`` or ``replace``, unchanged.
    - ``version``: a str that no other text under this key has or had, such as a random one. It
      changes with every ``create`` and every ``replace``, even if the text stays the same.
    """

    text: str
    version: str


@runtime_checkable
class Store(Protocol):
    """Keeps sessions on the server. Implement it to pass your own ``store``.

    ``sessionware.testing.StoreContract`` tests an implementation. In all methods:

    - ``key``: 64 hex digits. It is the hash of a session's id, so a stolen copy of the store does
      not let anyone log in.
    - ``text``: ASCII text of at most ``limit`` bytes: the caller checks that. Do not interpret it.
    - ``seconds``: an int, at least 1: how long to keep the entry, counted from this call. An entry
      whose time is over is absent for every method, whether or not it takes up space. Do not forget
      an entry earlier.
    - ``owner``: whose session it is now, or ``None``. ``1`` and ``"1"`` are two owners. It is for
      stores that list the sessions of an owner, as RedisStore and SQLStore do; others ignore it.

    A store that ends all sessions of an owner at once (``revoke_owner(owner)``), or of everyone
    (``revoke_all()``), needs ``stamp(owner)`` as well, or a log-in that is under way meanwhile
    survives. It returns a str of a few ASCII characters: ``""`` at first, and another one, never
    used before, from each such call on. Change it before the sessions are ended.

    Several threads and processes call the methods at once. **Each call is atomic**: whatever
    happens at once has the outcome of the same calls made one after the other. So check and write
    in one step. Two steps, such as a ``load`` before the writing, lose updates and undo log-outs.

    - in SQL, one statement (``UPDATE ... WHERE key = ... AND version = ...``) whose row count is
      the answer;
    - elsewhere, the server's own conditional write, transaction or script;
    - in memory, a lock around the whole method.

    Raise ``sessionware.SessionUnavailable``, with a message, if the server does not answer or
    refuses to write, and leave the entry as it was. ``None`` and ``False`` are answers: they tell
    users that they are logged out.
    """

    limit: int
    """Bytes, such as 1 MiB. A longer session is refused with SessionTooLarge by the caller."""

    def load(self, key: str, /) -> Kept | None:
        """Return the text and its version, or ``None`` if the key is absent.

        The two belong together, also if another thread replaces them meanwhile.
        """

    def create(self, key: str, text: str, /, *, seconds: int, owner: Owner | None) -> bool:
        """Write the text, with a new version, if the key is absent.

        Return ``False``, and write nothing, if the key is in use. Of several calls at once for one
        key, exactly one returns ``True``.
        """

    def replace(
        self, key: str, text: str, /, *, version: str, seconds: int, owner: Owner | None
    ) -> bool:
        """Write the text, with a new version, if the present version is the one given.

        Return ``False``, and write nothing, if the key is absent or has another version. Of several
        calls at once with one version, exactly one returns ``True``. An entry that is deleted
        meanwhile stays deleted.
        """

    def touch(self, key: str, /, *, seconds: int, owner: Owner | None) -> bool:
        """Keep the entry for ``seconds`` from now on, be that longer or shorter than before.

        The text and its version stay what they are at that moment, which may be newer than what
        the caller knows. The owner is the one that the entry has already. Return ``False``, and
        write nothing, if the key is absent.
        """

    def delete(self, key: str, /) -> bool:
        """Make the key absent, whatever its version.

        Return whether it was there: of several calls at once, exactly one returns ``True``.
        """


@runtime_checkable
class Revocations(Protocol):
    """Remembers which sessions have ended. Implement it to pass your own ``revocations``.

    ``sessionware.testing.RevocationsContract`` tests an implementation. In both methods:

    - ``key``: 64 hex digits, the hash of a session's id.
    - ``owner``: a str, an int or a UUID, as the application has set it, or ``None``. ``1`` and
      ``"1"`` are two owners.

    Several threads and processes call the methods at once, and each call is atomic, as those of a
    store are. If the server does not answer, raise ``sessionware.SessionUnavailable``: returning a
    stamp would undo log-outs. How all sessions of an owner are ended is the list's own matter, as
    nothing here calls it: RedisRevocations has ``revoke_owner`` and ``revoke_all``.
    """

    def revoke(self, key: str, seconds: int, /) -> bool:
        """Refuse the key for ``seconds`` from now on, an int that is at least 1.

        Return ``False``, and change nothing, if it is refused already. Of several calls at once for
        one key, exactly one returns ``True``.
        """

    def check(self, key: str, owner: Owner | None, /) -> str | None:
        """Return ``None`` if the key is refused, or else the owner's stamp.

        The stamp is a str of a few ASCII characters, such as a random one. It is ``""`` at first,
        and changes whenever all sessions of the owner are ended, or all sessions of everyone. A
        session that was given an earlier stamp is refused, so keep stamps for good, and never use
        one again. For the owner ``None``, return a stamp that changes when all sessions of
        everyone are ended. A list that cannot end so many at once returns ``""``.
        """


class KeptSession(NamedTuple):
    """One of an owner's sessions, for a page that lists them.

    - ``key``: the hash of its id, which is safe to show in a form.
    - ``data``: a copy of its data.
    - ``seconds``: how long it has left if it is not used again.
    """

    key: str
    data: dict[str, Any]
    seconds: int

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {list(self.data)}>"


def key_of(session_id: str) -> str:
    """Return the key of the session with this id: the SHA-256 hash of the id, in hex."""
    return sha256(session_id.encode(errors="surrogatepass")).hexdigest()


def is_key(value: object) -> bool:
    """Return whether this can be a key. A form may have sent any text, or none."""
    return isinstance(value, str) and re.fullmatch("[0-9A-Za-z]+", value) is not None


def mark_of(session_id: str) -> str:
    """Return the key of the mark that the session with this id has ended."""
    return key_of(f"ended\0{session_id}")


def binding_of(session_id: str) -> str:
    """Return the key that says that the session with this id was bound to a device just now."""
    return key_of(f"bound\0{session_id}")


def renewal_of(name: str) -> str:
    """Return the key of a note that a session was renewed."""
    return key_of(f"renewed\0{name}")
