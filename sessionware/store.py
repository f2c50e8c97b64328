"""The protocols for data on the server: Store and Revocations."""

from hashlib import sha256
from typing import Any, NamedTuple, Protocol, runtime_checkable
from uuid import UUID


@runtime_checkable
class Store(Protocol):
    """Keeps sessions on the server. Implement it to pass your own ``store``.

    Each ``key`` is the hash of a session's id, so a stolen copy of the store does not let anyone
    log in. Methods may be called by several threads at once. If the server does not answer, raise
    SessionUnavailable: returning ``None`` would log users out.
    """

    limit: int
    """Bytes. A session whose JSON text is longer raises SessionTooLarge."""

    def load(self, key: str, /) -> str | None:
        """Return the text that was last saved under the key, or ``None`` if there is none."""

    def save(
        self,
        key: str,
        text: str | None,
        /,
        *,
        new: bool,
        seconds: int,
        owner: str | int | UUID | None,
    ) -> bool:
        """Save the text for ``seconds``, and return whether it was saved.

        - ``text``: if it is ``None``, keep the stored text, which may be newer than the one that
          the request has loaded.
        - ``new``: if it is true, save only if the key does not exist. Otherwise, save only if the
          key still exists, because a slow request must not undo a log-out.
        - ``owner``: the session's owner, or ``None``.

        Check and save atomically.
        """

    def delete(self, key: str, /) -> bool:
        """Delete the key, and return whether it existed. Check and delete atomically."""


@runtime_checkable
class Revocations(Protocol):
    """Remembers which sessions have ended. Implement it to pass your own ``revocations``.

    Each ``key`` is the hash of a session's id. Methods may be called by several threads at once.
    If the server does not answer, raise SessionUnavailable: returning a stamp would undo log-outs.
    """

    def revoke(self, key: str, seconds: int, /) -> bool:
        """Revoke the key for ``seconds``. Return ``False`` if it was revoked already.

        Check and revoke atomically.
        """

    def check(self, key: str, owner: str | int | UUID | None, /) -> str | None:
        """Return ``None`` if the key is revoked, or else the owner's stamp.

        The owner is as the application has set it: ``1`` and ``"1"`` are two owners.

        The stamp is a str that changes whenever all sessions of the owner are ended, and ``""``
        before the first time. A session that was given an earlier stamp is refused.
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


def mark_of(session_id: str) -> str:
    """Return the key of the mark that the session with this id has ended."""
    return key_of(f"ended\0{session_id}")


def renewal_of(name: str) -> str:
    """Return the key that says that a session was renewed, given its id or the key of it."""
    return key_of(f"renewed\0{name}")
