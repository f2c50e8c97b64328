"""The session that an application uses: a dict that tracks its own changes."""

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
"""How the application identifies the user a session belongs to, such as by a primary key."""

# Values of other types can be changed in place, which a dict cannot see.
_IMMUTABLE = frozenset({str, int, float, bool, type(None), bytes, datetime, date, UUID, Decimal})


class SessionMixin:
    """The attributes that a session class needs: ``class MySession(dict, SessionMixin)``.

    The counterpart of Flask's class of the same name. ``accessed`` and ``modified`` are ``True``
    unless the class tracks them, so that no change is lost. A session with ``accessed = False`` is
    not saved.
    """

    __slots__ = ()

    new: bool = False
    modified: bool = True
    accessed: bool = True
    opened_by: object = None  # set by the middleware that opened it
    sealed: bool = False  # set by the middleware once the response has begun

    @property
    def permanent(self) -> bool:
        """Whether the cookie is kept when the browser closes. Stored as ``"_permanent"``."""
        return bool(self.get("_permanent", False))  # type: ignore[attr-defined]  # the dict has it

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if value:
            self["_permanent"] = True  # type: ignore[index]  # the dict has it
        else:
            self.pop("_permanent", None)  # type: ignore[attr-defined]  # the dict has it


@dataclass(slots=True, repr=False)
class Loaded:
    """What was loaded from the Cookie header of a request.

    - ``data``: the session's data; ``text``: the same as JSON text.
    - ``created``: when the session began, in seconds since the epoch.
    - ``came``: whether the request had a cookie of our name; ``new``: whether none was valid.
    - ``stale``: whether the cookie has to be issued again.
    - ``leftovers``: cookies of other frameworks that have to be deleted.
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
    """The methods that a session calls on the interface that opened it."""

    def load(self, cookie: str, /) -> Loaded:
        """Return the session of a Cookie header. No client input raises an exception."""

    def dumps(self, data: dict[str, Any], /) -> str:
        """Return the data as JSON text, or raise UnserializableValue."""

    def stamp(self, owner: str, /) -> str:
        """Return the owner's present stamp, which a new session of the owner stores."""


class Session(SessionMixin, FlashMixin):
    """A ``dict`` that is loaded on first use, and that tracks whether it was changed.

    Changes are found by comparison at any depth, so a nested list needs no ``modified = True``.
    After the response has begun, the session can still be read, but changes raise LateWrite.
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
        """Whether the session has been loaded."""
        return self._data is not None

    def _open(self) -> dict[str, Any]:
        self.accessed = True  # even if loading fails: the response depends on the cookie anyway
        return self._begin(self._source.load(self._cookie))

    def _begin(self, loaded: Loaded) -> dict[str, Any]:
        self.loaded: Loaded = loaded
        self._data = loaded.data
        self._created = loaded.created
        self._id = loaded.id
        self._may_differ = False  # set by a write, or by reading a mutable value
        self._save_forced = False  # set by modified = True, or by a new id or created
        self._was_cleared = False  # set by clear() and invalidate()
        self._was_claimed = False  # set by assigning an owner
        return loaded.data

    def _read(self) -> dict[str, Any]:
        data = self._data
        return self._open() if data is None else data

    def _change(self) -> dict[str, Any]:
        if self.sealed:
            raise LateWrite(
                "The session was changed after its response had begun, so the change cannot be "
                "saved. Change it before the application returns, or, if the application is a "
                "generator, before it yields its first chunk."
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
        """Return a view of the keys, as ``dict.keys`` does."""
        return self._read().keys()

    def values(self) -> ValuesView[Any]:
        """Return a view of the values, as ``dict.values`` does."""
        return self._watched(self._read()).values()

    def items(self) -> ItemsView[str, Any]:
        """Return a view of the items, as ``dict.items`` does."""
        return self._watched(self._read()).items()

    def copy(self) -> dict[str, Any]:
        """Return a plain ``dict`` with the same keys and values."""
        return self._watched(self._read()).copy()

    def __reduce_ex__(self, _: object) -> tuple[type, tuple[dict[str, Any]]]:
        return dict, (self.copy(),)  # copies and pickles must not hold the secret keys

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of the key, or the default, as ``dict.get`` does."""
        data = self._data
        value = (self._open() if data is None else data).get(key, default)
        if value is not default and type(value) not in _IMMUTABLE:
            self._may_differ = True
        return value

    def update(self, /, *args: Any, **kwargs: Any) -> None:
        """Set several keys, as ``dict.update`` does."""
        if new := dict(*args, **kwargs):
            self._change().update(new)

    def clear(self) -> None:
        """Remove all data, ``permanent`` included, and the ``id``. This ends the session."""
        self._change().clear()
        self._id = None
        self._was_cleared = True

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the last item, as ``dict.popitem`` does."""
        return self._change().popitem()

    @property
    def new(self) -> bool:  # type: ignore[override]  # known on first use
        """Whether the request came without a valid session cookie."""
        self._read()
        return self.loaded.new

    @property
    def modified(self) -> bool:
        """Whether the session differs, at any depth, from what was loaded.

        Set it to ``True`` to force a save. Setting it to ``False`` only undoes that: a session
        that differs is still saved.
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
        """When the session began, in seconds since the epoch (Pyramid's ``ISession``)."""
        self._read()
        return self._created

    @property
    def id(self) -> str:
        """The session's random id of 128 bits, made on first use. Hash it before logging it."""
        self._read()
        if self._id is None:
            self._change()
            self._save_forced = True
            self._id = secrets.token_urlsafe(16)
        return self._id

    @property
    def owner(self) -> Owner | None:
        """The user the session belongs to. Set it at log-in, and only then.

        Setting another owner also gives the session a new ``id``. With ``store`` or
        ``revocations``, all sessions of an owner can be ended at once. Raises UnserializableValue
        unless the value is a str, int, UUID or ``None``.
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
                self.regenerate()  # against session fixation (CWE-384)
            data["_owner"] = owned
            self._was_claimed = True
        else:
            found = type(value).__name__
            raise UnserializableValue(f"session.owner: found {found}, expected str, int or UUID")

    def changed(self) -> None:
        """Force a save, as ``modified = True`` does (Pyramid's ``ISession``)."""
        self.modified = True

    def invalidate(self) -> None:
        """Remove all data, and begin a new session. Call it at log-out."""
        self.regenerate()
        self.clear()

    def regenerate(self) -> None:
        """Keep the data, but replace ``id`` and ``created``. Call it at log-in."""
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
        """Return ``created``, and the ``id`` or ``None``. This does not make an ``id``."""
        return self._created, self._id

    def begins_anew(self) -> bool:
        """Return whether this is a new session, which does not continue the loaded one.

        It is if an owner was set, or if it was cleared and has no owner.
        """
        return self._was_claimed or (self._was_cleared and self.owner is None)

    def alive(self) -> bool:
        """Return whether the session has anything to keep: data or an ``id``."""
        return bool(self._data) or self._id is not None


class NullSession(Session):
    """An empty session for requests without a usable one. Changes raise SessionUnavailable."""

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
            "The session is unavailable because no secret key was set. Set the secret_key of "
            "SessionMiddleware: python -m sessionware secret prints a new one."
        )

    _change: Any = _refuse
    pop: Any = _refuse
    update: Any = _refuse


def owner_of(data: Mapping[str, Any]) -> tuple[Owner | None, str]:
    """Return the owner, and the stamp that was stored when the owner was set."""
    match data.get("_owner"):
        case [str() | int() | UUID() as owner, str() as stamp]:
            return owner, stamp
        case _:
            return None, ""
