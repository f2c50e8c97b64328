"""The two contracts, Store and Revocations, and what they hand over."""

from hashlib import sha256
from typing import Any, NamedTuple, Protocol, runtime_checkable


@runtime_checkable
class Store(Protocol):
    """Keeps sessions for ``store=``: the contract for one of your own.

    A ``key`` is a session's id, hashed: what is kept logs nobody in. Several threads ask at once.
    Where there is no answer, raise SessionUnavailable: "unknown" would log everybody out.
    """

    limit: int
    """Bytes of JSON text that a session may have; SessionTooLarge beyond."""

    def load(self, key: str, /) -> str | None:
        """Give the text that was saved last; ``None`` where there is none."""

    def save(
        self, key: str, text: str | None, /, *, new: bool, seconds: int, owner: str | None
    ) -> bool:
        """Keep the text for so many seconds; ``owner`` is whose it is, where that is known.

        ``None``: keep what is there now, which may be newer than what the request has read.

        Atomic: with ``new`` only where the key is not in use, without only where it still is, or
        a slow request would undo a log-out. ``False``: it was not so, and nothing was saved.
        """

    def delete(self, key: str, /) -> bool:
        """Forget the text. Atomic: ``False`` where there was none (any more)."""


@runtime_checkable
class Revocations(Protocol):
    """Remembers ended sessions for ``revocations=``: the contract for a list of your own.

    A ``key`` is a session's id, hashed. Several threads ask at once. Where there is no answer,
    raise SessionUnavailable: "not refused" would undo every log-out.
    """

    def revoke(self, key: str, seconds: int, /) -> bool:
        """Refuse it from now on, for so many seconds. Atomic: ``False`` if it was already."""

    def check(self, key: str, owner: str | None, /) -> str | None:
        """Give ``None`` where it is refused, and the owner's stamp where it is not.

        The stamp is a text that changes whenever all sessions of the owner are to end, and ``""``
        where they never were: a session that carries another one is refused.
        """


class KeptSession(NamedTuple):
    """One of an owner's sessions, for a page that lists them.

    ``key``: its id, hashed, which may stand in a form; ``data``: a copy; ``seconds``: how long
    it lives on if it is not used.
    """

    key: str
    data: dict[str, Any]
    seconds: int

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {list(self.data)}>"


def key_of(session_id: str) -> str:
    """Give the key under which the session of this id is kept: hashed, it logs nobody in."""
    return sha256(session_id.encode(errors="surrogatepass")).hexdigest()
