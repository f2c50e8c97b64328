"""Where a session comes from: what is asked for it, and what is given."""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(slots=True, repr=False)
class Loaded:
    """What a request's cookie gave. Times in seconds since the epoch.

    ``text``: the data as written; ``came``: a cookie of our name; ``new``: no valid one; ``stale``:
    to be issued again; ``leftovers``: other frameworks' cookies, to be deleted.
    """

    data: dict[str, Any]
    text: str
    created: int
    came: bool = True
    new: bool = False
    id: str | None = None
    stale: bool = False
    leftovers: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {list(self.data)}>"


class Source(Protocol):
    """What a session asks of the interface that opened it."""

    def load(self, cookie: str, /) -> Loaded:
        """Give what the Cookie header holds; nothing that a client sends raises."""

    def dumps(self, data: dict[str, Any], /) -> str:
        """Give the data as JSON text, or raise UnserializableValue."""

    def stamp(self, owner: str, /) -> str:
        """Give what a session carries that belongs to this owner from now on."""
