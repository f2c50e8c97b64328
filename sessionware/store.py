"""The two contracts, Store and Revocations, and what they hand over."""

from hashlib import sha256
from typing import Any, NamedTuple, Protocol, runtime_checkable


@runtime_checkable
class Store(Protocol):
    """Keeps sessions for ``store=``. Implement this to write a store of your own.

    A ``key`` is the hash of a session's id, so a copy of the store lets no one log in. Several
    threads may call at once. If the server does not answer, raise SessionUnavailable: to return
    ``None`` would log users out.
    """

    limit: int
    """The most bytes of JSON text that a session may have. Beyond it, SessionTooLarge is raised."""

    def load(self, key: str, /) -> str | None:
        """Return the text that was saved last, or ``None`` if there is none."""

    def save(
        self, key: str, text: str | None, /, *, new: bool, seconds: int, owner: str | None
    ) -> bool:
        """Keep the text for ``seconds``. ``owner`` is the session's owner, if it has one.

        If ``text`` is ``None``, keep the present text, which may be newer than what the request
        has read.

        With ``new``, save only if the key is not in use; without, only if it still is, or a slow
        request would undo a log-out. Return whether it was saved. Check and save atomically.
        """

    def delete(self, key: str, /) -> bool:
        """Delete the text, and return whether there was one. Check and delete atomically."""


@runtime_checkable
class Revocations(Protocol):
    """Remembers ended sessions for ``revocations=``. Implement this to write a list of your own.

    A ``key`` is the hash of a session's id. Several threads may call at once. If the server does
    not answer, raise SessionUnavailable: to return a stamp would undo every log-out.
    """

    def revoke(self, key: str, seconds: int, /) -> bool:
        """Refuse the key for ``seconds``. Return ``False`` if it is refused already. Atomic."""

    def check(self, key: str, owner: str | None, /) -> str | None:
        """Return ``None`` if the key is refused, or else the owner's stamp.

        The stamp is a text that changes whenever all sessions of the owner are to end, and ``""``
        if that has never happened. A session that carries another stamp is refused.
        """


class KeptSession(NamedTuple):
    """One of an owner's sessions, for a page that lists them.

    - ``key``: the hash of its id, which may be shown in a form.
    - ``data``: a copy of its data.
    - ``seconds``: how long it has left if it is not used.
    """

    key: str
    data: dict[str, Any]
    seconds: int

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {list(self.data)}>"


def key_of(session_id: str) -> str:
    """Return the key under which the session of this id is kept: its SHA-256 hash."""
    return sha256(session_id.encode(errors="surrogatepass")).hexdigest()
