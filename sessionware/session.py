"""The dict an application sees, and what it remembers about its own changes."""

import secrets
import time
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NoReturn, Protocol
from uuid import UUID

from .errors import LateWrite, SessionUnavailable, UnserializableValue
from .flash import FlashMixin

Owner = str | int | UUID
"""The user a session belongs to, in the application's own terms, such as a primary key."""

# A value of any other type can be changed without the session noticing.
_IMMUTABLE = frozenset({str, int, float, bool, type(None), bytes, datetime, date, UUID, Decimal})


class SessionMixin:
    """The least that a session class needs: ``class MySession(dict, SessionMixin): pass``.

    The counterpart of Flask's class of the same name. A class that does not track ``accessed`` and
    ``modified`` inherits ``True`` for both, so that no change is lost. A session with
    ``accessed = False`` is not saved.
    """

    __slots__ = ()

    new: bool = False
    modified: bool = True
    accessed: bool = True
    opened_by: object = None  # set by the middleware that opened it
    sealed: bool = False  # set by the middleware: the response has begun, a change would be lost

    @property
    def permanent(self) -> bool:
        """Whether the session survives the browser. Kept in the data as ``"_permanent"``."""
        return bool(self.get("_permanent", False))  # type: ignore[attr-defined]  # the dict has it

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if value:
            self["_permanent"] = True  # type: ignore[index]  # the dict has it
        else:
            self.pop("_permanent", None)  # type: ignore[attr-defined]  # the dict has it


@dataclass(slots=True, repr=False)
class Loaded:
    """A session as a request's cookie holds it. Times are in seconds since the epoch.

    - ``data``, and ``text``, the same as it was written.
    - ``came``: a cookie of our name came; ``new``: none that is valid.
    - ``stale``: the cookie is to be issued again.
    - ``leftovers``: cookies of other frameworks, which are to be deleted.
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
        """Return what the Cookie header holds. No client input raises an exception."""

    def dumps(self, data: dict[str, Any], /) -> str:
        """Return the data as JSON text, or raise UnserializableValue."""

    def stamp(self, owner: str, /) -> str:
        """Return what a session of this owner has to carry from now on."""


class Session(SessionMixin, FlashMixin):
    """A ``dict`` that is opened when it is first used, and knows whether it was changed.

    Changes are found by comparison, at any depth: a nested list needs no ``modified = True``.
    After the response has begun, the session can still be read, and a change raises LateWrite.
    """

    __slots__ = (
        "_cookie",
        "_created",
        "_data",
        "_id",
        "_may_differ",
        "_save_forced",
        "_source",
        "_was_claimed",
        "_was_cleared",
        "accessed",
        "loaded",
        "opened_by",
        "sealed",
    )

    def __init__(self, source: Source, cookie: str) -> None:
        self._source = source
        self._cookie = cookie
        self._data: dict[str, Any] | None = None
        self.accessed: bool = False
        self.opened_by: object = None
        self.sealed: bool = False

    @property
    def opened(self) -> bool:
        """Whether the session was used, and could be loaded."""
        return self._data is not None

    def _open(self) -> dict[str, Any]:
        self.accessed = True  # even if it fails: the response depends on the cookie all the same
        return self._begin(self._source.load(self._cookie))

    def _begin(self, loaded: Loaded) -> dict[str, Any]:
        self.loaded: Loaded = loaded
        self._data = loaded.data
        self._created = loaded.created
        self._id = loaded.id
        self._may_differ = False  # it was written to, or a value that can be changed was read
        self._save_forced = False  # by modified = True, or a new id or created
        self._was_cleared = False  # by clear() or invalidate()
        self._was_claimed = False  # by setting the owner
        return loaded.data

    def _read(self) -> dict[str, Any]:
        data = self._data
        return self._open() if data is None else data

    def _change(self) -> dict[str, Any]:
        if self.sealed:
            raise LateWrite(
                "The session was changed after its response had begun, so the change cannot be "
                "saved: change it before the application returns, or, if the application is a "
                "generator, before its first chunk."
            )
        data = self._data
        if data is None:
            data = self._open()
        self._may_differ = True
        return data

    def _watched(self, data: dict[str, Any]) -> dict[str, Any]:
        if not _IMMUTABLE.issuperset(map(type, data.values())):
            self._may_differ = True
        return data

    def __getitem__(self, key: str) -> Any:
        value = self._read()[key]
        if type(value) not in _IMMUTABLE:
            self._may_differ = True
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self._change()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._change()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __eq__(self, other: object) -> bool:
        return self._read() == other

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self.copy() | dict(other) if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return dict(other) | self.copy() if isinstance(other, Mapping) else NotImplemented

    def __ior__(self, other: Any) -> "Session":  # type: ignore[misc]  # as dict: | is a new dict
        self.update(other)
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {list(self)}>"

    def keys(self) -> KeysView[str]:
        """As of a dict."""
        return self._read().keys()

    def values(self) -> ValuesView[Any]:
        """As of a dict."""
        return self._watched(self._read()).values()

    def items(self) -> ItemsView[str, Any]:
        """As of a dict."""
        return self._watched(self._read()).items()

    def copy(self) -> dict[str, Any]:
        """Return a plain dict with the same values."""
        return self._watched(self._read()).copy()

    def __reduce_ex__(self, _: object) -> tuple[type, tuple[dict[str, Any]]]:
        return dict, (self.copy(),)  # copied or pickled: the session itself leads to the keys

    def get(self, key: str, default: Any = None) -> Any:
        """As of a dict."""
        data = self._data
        value = (self._open() if data is None else data).get(key, default)
        if value is not default and type(value) not in _IMMUTABLE:
            self._may_differ = True
        return value

    def update(self, /, *args: Any, **kwargs: Any) -> None:
        """As of a dict."""
        if new := dict(*args, **kwargs):
            self._change().update(new)

    def clear(self) -> None:
        """Remove all keys, and end the session: its ``id`` and ``permanent`` go too."""
        self._change().clear()
        self._id = None
        self._was_cleared = True

    def popitem(self) -> tuple[str, Any]:
        """As of a dict: remove and return the key that was added last."""
        return self._change().popitem()

    @property
    def new(self) -> bool:  # type: ignore[override]  # known on first use
        """Whether no valid cookie came with this request."""
        self._read()
        return self.loaded.new

    @property
    def modified(self) -> bool:
        """Whether the session differs from what was loaded, at any depth. ``True`` forces a save.

        ``False`` only takes that back: a session that differs is saved all the same.
        """
        try:
            return self.changes() is not None
        except UnserializableValue:
            return True

    @modified.setter
    def modified(self, value: bool) -> None:
        self._change()
        self._save_forced = value

    @property
    def created(self) -> int:
        """When this session began, in seconds since the epoch (Pyramid's ``ISession``)."""
        self._read()
        return self._created

    @property
    def id(self) -> str:
        """A random name of this session, 128 bits, made on first use. Log it only hashed."""
        self._read()
        if self._id is None:
            self._change()
            self._save_forced = True
            self._id = secrets.token_urlsafe(16)
        return self._id

    @property
    def owner(self) -> Owner | None:
        """The user this session belongs to. Set it at log-in, and only there.

        A session that gets another owner also gets another ``id``. With ``store`` or
        ``revocations``, all sessions of an owner can be ended at once. Raises UnserializableValue
        for anything but a str, int, UUID or ``None``.
        """
        return owner_of(self._read())[0]

    @owner.setter
    def owner(self, value: Owner | None) -> None:
        if value is None:
            self.pop("_owner", None)
        elif type(value) in (str, int, UUID):
            data = self._change()
            owned = [value, self._source.stamp(str(value))]
            if value != self.owner:
                self.regenerate()  # a session that was planted before must not be shared (CWE-384)
            data["_owner"] = owned
            self._was_claimed = True
        else:
            found = type(value).__name__
            raise UnserializableValue(f"session.owner: found {found}, expected str, int or UUID")

    def changed(self) -> None:
        """Force a save, as ``modified = True`` does (Pyramid's ``ISession``)."""
        self.modified = True

    def invalidate(self) -> None:
        """Remove all data, and begin a session with a new ``id`` and ``created``: at log-out."""
        self.regenerate()
        self.clear()

    def regenerate(self) -> None:
        """Keep the data, and give the session a new ``id`` and ``created``: at log-in."""
        self._change()
        self._save_forced = True
        self._id = None
        self._created = int(time.time())

    def changes(self) -> str | None:
        """Return the data as JSON text if it has to be saved, or else ``None``.

        Raises UnserializableValue.
        """
        data = self._data
        if data is None or not self._may_differ:
            return None
        text, loaded = self._source.dumps(data), self.loaded
        if text != loaded.text or self._save_forced:
            return text
        return text if self._created != loaded.created or self._id != loaded.id else None

    def identity(self) -> tuple[int, str | None]:
        """Return when this session began, and its ``id`` if it has one. No ``id`` is made."""
        return self._created, self._id

    def begins_anew(self) -> bool:
        """Return whether this does not continue the loaded session.

        It was given an owner, or cleared and given none.
        """
        return self._was_claimed or (self._was_cleared and self.owner is None)

    def alive(self) -> bool:
        """Return whether there is anything to keep: data, or an ``id``."""
        return bool(self._data) or self._id is not None


class NullSession(Session):
    """Stands in for a session that could not be loaded. It is empty, and refuses every change."""

    __slots__ = ()

    def __init__(self) -> None:
        self._data = None
        self.accessed: bool = False
        self.opened_by: object = None
        self.sealed: bool = False

    def _open(self) -> dict[str, Any]:
        self.accessed = True
        return self._begin(Loaded({}, "{}", int(time.time()), came=False, new=True))

    def _refuse(self, /, *_: Any, **__: Any) -> NoReturn:
        raise SessionUnavailable(
            "The session is unavailable because no secret key was set. Give SessionMiddleware "
            "a secret_key that is unique and secret: python -m sessionware secret prints one."
        )

    _change: Any = _refuse
    pop: Any = _refuse
    update: Any = _refuse


def owner_of(data: Mapping[str, Any]) -> tuple[Owner | None, str]:
    """Return the owner, and the stamp that the owner had when the session became theirs."""
    match data.get("_owner"):
        case [str() | int() | UUID() as owner, str() as stamp]:
            return owner, stamp
        case _:
            return None, ""
