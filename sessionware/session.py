"""The session that an application uses: a dict that tracks its own changes."""

import marshal
import secrets
import time
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, NoReturn, Protocol
from uuid import UUID

from .errors import LateWrite, SessionUnavailable, UnserializableValue
from .flash import FlashMixin, random_token

Owner = str | int | UUID
"""How the application identifies the user a session belongs to, such as by a primary key."""

OWNER_TYPES = (str, int, UUID)

# Values of other types can be changed in place, which a dict cannot see.
_IMMUTABLE = frozenset({str, int, float, bool, type(None), bytes, datetime, date, UUID, Decimal})

_MISSING: Any = object()

# The version of marshal's format that depends only on what a value holds. It tells 1 from True and
# 1.0, as the JSON text does, and takes a fourth of its time. Most other types raise ValueError.
_EXACT = 2


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
    - ``created``: when the session began; ``issued``: when its cookie was issued, or 0. Both are in
      seconds since the epoch.
    - ``stamp``: what the list of revocations or the store had for the owner at log-in.
    - ``version``: the version of what the store has, or ``""``.
    - ``token``: the value of our cookie that was accepted, or ``""``.
    - ``came``: whether the request had a cookie of our name; ``new``: whether none was valid.
    - ``stale``: whether the cookie has to be issued again; ``urgent``: even if the request is slow.
    - ``shortened``: in a store, when the session's idle timeout became shorter, or 0.
    - ``parent``: in a store, the id that copies of a visitor's former cookie lead to, or ``""``.
    - ``renewed``: whether another session has taken its place a moment ago.
    - ``adopted``: whether it comes from a former cookie, and no store of ours has it yet.
    - ``outlived``: whether another cookie is at a place that we do not know, and would count
      without ours.
    - ``hides``: when a cookie of ours was issued that only hides older ones, or 0.
    - ``newest``: if other cookies may count without ours, the time after which it has to be issued,
      or else 0.
    - ``leftovers``: former cookies that have to be deleted.
    - ``bound``: the id of the session bound to a device that the cookie leads to, or ``""``. If its
      key was not proved, the session that was loaded is a new one.
    """

    data: dict[str, Any]
    text: str
    created: int
    issued: int = 0
    id: str | None = None
    csrf_token: str | None = None
    owner: Owner | None = None
    stamp: str = ""
    token: str = ""
    version: str = ""
    shortened: int = 0
    parent: str = ""
    came: bool = True
    new: bool = False
    stale: bool = False
    urgent: bool = False
    renewed: bool = False
    adopted: bool = False
    outlived: bool = False
    hides: int = 0
    newest: int = 0
    leftovers: tuple[Any, ...] = ()
    bound: str = ""

    @property
    def permanent(self) -> bool:
        """Whether the cookie is kept when the browser closes."""
        return bool(self.data.get("_permanent", False))

    @property
    def unproved(self) -> bool:
        """Whether the cookie leads to a session bound to a device, whose key was not proved."""
        return self.new and self.bound != ""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {list(self.data)}>"


class State:
    """What a session holds from its first use on, and what has changed since."""

    __slots__ = (
        "begins_anew",
        "created",
        "csrf_token",
        "data",
        "emptied",
        "handed_out",
        "id",
        "loaded",
        "made",
        "may_differ",
        "owner",
        "parent",
        "save_forced",
        "stamp",
    )

    def __init__(self, loaded: Loaded) -> None:
        self.loaded: Loaded = loaded
        self.data: dict[str, Any] = loaded.data
        self.created: int = loaded.created
        self.id: str | None = loaded.id
        self.csrf_token: str | None = loaded.csrf_token
        self.owner: Owner | None = loaded.owner
        self.stamp: str = loaded.stamp
        self.parent: str = loaded.parent
        self.may_differ: bool = False  # set by a write, or by handing out what can be changed
        self.handed_out: dict[str, bytes] = {}  # snapshots of the mutable values that were read
        self.made: dict[str, str] = {}  # if two threads make one at once, the first counts for both
        self.save_forced: bool = False  # set by modified = True, and with every new id
        self.begins_anew: bool = False  # set by a log-out and a log-in
        self.emptied: bool = False  # set by a log-out and a log-in of another user

    @property
    def alive(self) -> bool:
        """Whether there is anything to keep: data, an id, an owner or a CSRF token."""
        if self.data:
            return True
        return not (self.id is None and self.owner is None and self.csrf_token is None)

    @property
    def permanent(self) -> bool:
        """Whether the cookie is kept when the browser closes."""
        return bool(self.data.get("_permanent", False))

    @property
    def goes_on(self) -> bool:
        """Whether this is still the session that was loaded."""
        return not (self.loaded.new or self.begins_anew)

    @property
    def is_first_visit(self) -> bool:
        """Whether the session begins here without an owner, so that its cookie may never return."""
        return self.owner is None and not self.goes_on

    @property
    def has_ended(self) -> bool:
        """Whether the loaded session is over, and no log-in has taken its place."""
        return (self.begins_anew and self.owner is None) or not self.alive

    def differs(self) -> bool:
        """Return whether anything beside the data is not as it was loaded."""
        loaded = self.loaded
        if self.save_forced or self.id != loaded.id or self.csrf_token != loaded.csrf_token:
            return True
        if loaded.new:
            return self.owner is not None
        return self.begins_anew or self.created != loaded.created

    def hand_out(self, key: str, value: Any) -> None:
        """Note what a mutable value looks like, before the application can change it."""
        if self.may_differ or key in self.handed_out:
            return
        try:
            # Another thread may have been first, and may have changed the value already.
            self.handed_out.setdefault(key, marshal.dumps(value, _EXACT))
        except ValueError:
            self.may_differ = True

    def has_changed_inside(self) -> bool:
        """Return whether a value that was handed out is not as it was."""
        try:
            # Another thread may read or remove a value meanwhile.
            for key, snapshot in [*self.handed_out.items()]:
                if marshal.dumps(self.data.get(key, _MISSING), _EXACT) != snapshot:
                    return True
        except ValueError:
            return True
        return False

    def make_id(self) -> str:
        """Return the id of a session that has none yet."""
        self.id = self.made.setdefault("id", secrets.token_urlsafe(16))
        return self.id

    def make_csrf_token(self) -> str:
        """Return the CSRF token of a session that has none yet."""
        self.csrf_token = self.made.setdefault("csrf_token", random_token())
        return self.csrf_token

    def set_csrf_token(self, token: str) -> None:
        """Replace the CSRF token, also for a thread that is about to make one."""
        self.csrf_token = self.made["csrf_token"] = token

    def clear(self) -> None:
        """Begin a new session, which has nothing of this one."""
        self.data.clear()
        self.made = {}
        self.id = self.csrf_token = self.owner = None
        self.stamp = self.parent = ""
        self.created = int(time.time())
        self.begins_anew = self.emptied = True

    def forget(self) -> None:
        """Begin a new session, and leave the one that was loaded as it is."""
        last = self.loaded
        self.clear()
        self.loaded = Loaded(
            {},
            "{}",
            self.created,
            came=last.came,
            new=True,
            # The browser may still have the cookies that came beside it.
            outlived=last.newest > 0,
            newest=last.newest and max(last.newest, last.issued),
            leftovers=last.leftovers,
        )
        self.handed_out = {}
        self.begins_anew = self.emptied = self.may_differ = False


class Source(Protocol):
    """The methods that a session calls on the interface that opened it."""

    def load(self, cookie: str, /) -> Loaded:
        """Return the session of a Cookie header. No client input raises an exception."""

    def dumps(self, data: dict[str, Any], /) -> str:
        """Return the data as JSON text, or raise UnserializableValue."""

    def stamp(self, owner: Owner, /) -> str:
        """Return the owner's present stamp, which a new session of the owner stores."""

    def late_look(self) -> None:
        """Log that the session was first used when it was too late to tell caches of it."""


class Session(SessionMixin, FlashMixin):
    """A ``dict`` that is loaded on first use, and that tracks whether it was changed.

    Changes are found by comparison at any depth, so a nested list needs no ``modified = True``.
    After the response has begun, the session can still be read, but changes raise LateWrite.
    """

    # An attribute without "_" hides the key of the same name from Jinja's ``{{ session.name }}``.
    __slots__ = (
        "_cookie",
        "_loads",
        "_source",
        "_started",
        "_state",
        "_varies",
        "accessed",
        "opened_by",
        "sealed",
    )

    def __init__(self, source: Source, cookie: str) -> None:
        self._source = source
        self._cookie: str = cookie
        self._state: State | None = None  # what it holds, from its first use on
        self._loads: list[State] = []  # if two threads load it at once, the first counts for both
        self._started: float = time.time()
        self._varies: bool = False  # set by the interface: whether the response tells caches of it
        self.accessed: bool = False
        self.opened_by: object = None
        self.sealed: bool = False

    def _read(self) -> State:
        return self._state or self._open()

    def _open(self) -> State:
        if self.sealed and not self._varies:
            self._source.late_look()
        self.accessed = True  # even if loading fails: the response depends on the cookie anyway
        self._loads.append(State(self._source.load(self._cookie)))
        self._state = self._loads[0]
        return self._state

    def _change(self) -> State:
        if self.sealed:
            raise LateWrite(
                "The session was changed after its response had begun, so the change cannot be "
                "saved. Change it before the application returns, or, if the application is a "
                "generator, before it yields its first chunk."
            )
        state = self._read()
        state.may_differ = True
        return state

    def _exposed(self) -> dict[str, Any]:
        """Return the data itself, which others may change from now on."""
        state = self._read()
        state.may_differ = True
        return state.data

    def __getitem__(self, key: str) -> Any:
        state = self._read()
        value = state.data[key]
        if type(value) not in _IMMUTABLE:
            state.hand_out(key, value)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self._change().data[key] = value

    def __delitem__(self, key: str) -> None:
        del self._change().data[key]

    def __contains__(self, key: object) -> bool:
        return key in self._read().data

    def __iter__(self) -> Iterator[str]:
        return iter(self._read().data)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._read().data)

    def __len__(self) -> int:
        return len(self._read().data)

    def __eq__(self, other: object) -> bool:
        return self._exposed() == other  # the other object's __eq__ is given the dict

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self.copy() | dict(other) if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return dict(other) | self.copy() if isinstance(other, Mapping) else NotImplemented

    def __ior__(self, other: Any) -> "Session":  # type: ignore[misc]  # as dict: | is a new dict
        self.update(other)
        return self

    def __repr__(self) -> str:
        # Debuggers and wsgiref.validate print the environ, which is no use of the session.
        state = self._state
        return f"<{type(self).__name__} {'unopened' if state is None else list(state.data)}>"

    def keys(self) -> KeysView[str]:
        """Return a view of the keys, as ``dict.keys`` does."""
        return self._exposed().keys()  # its attribute "mapping" leads to the dict

    def values(self) -> ValuesView[Any]:
        """Return a view of the values, as ``dict.values`` does."""
        return self._exposed().values()

    def items(self) -> ItemsView[str, Any]:
        """Return a view of the items, as ``dict.items`` does."""
        return self._exposed().items()

    def copy(self) -> dict[str, Any]:
        """Return a plain ``dict`` with the same keys and values."""
        state = self._read()
        if not _IMMUTABLE.issuperset(map(type, state.data.values())):
            state.may_differ = True
        return state.data.copy()

    def __reduce_ex__(self, _: object) -> tuple[type, tuple[dict[str, Any]]]:
        return dict, (self.copy(),)  # copies and pickles must not hold the secret keys

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of the key, or the default, as ``dict.get`` does."""
        state = self._read()
        value = state.data.get(key, default)
        if value is not default and type(value) not in _IMMUTABLE:
            state.hand_out(key, value)
        return value

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of the key, which is set to the default if it is absent."""
        try:
            return self[key]
        except KeyError:  # In one step: another thread may be setting it, too.
            return self._change().data.setdefault(key, default)

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Remove the key and return its value, or the default, as ``dict.pop`` does."""
        given = () if default is _MISSING else (default,)
        # Nothing is changed if it is absent.
        data = self._change().data if key in self else {}
        return data.pop(key, *given)

    def update(self, /, *args: Any, **kwargs: Any) -> None:
        """Set several keys, as ``dict.update`` does."""
        if new := dict(*args, **kwargs):
            self._change().data.update(new)

    def clear(self) -> None:
        """End the session: remove the data, ``permanent`` included, the ``id`` and the owner.

        What is set afterwards begins a new session.
        """
        self._change().clear()

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the last item, as ``dict.popitem`` does."""
        return self._change().data.popitem()

    @property
    def new(self) -> bool:  # type: ignore[override]  # known on first use
        """Whether the request came without a valid session cookie."""
        return self._read().loaded.new

    @property
    def modified(self) -> bool:
        """Whether the session differs, at any depth, from what was loaded.

        Set it to ``True`` to force a save. Setting it to ``False`` only undoes that: a session
        that differs is still saved.
        """
        try:
            return self._changes() is not None
        except UnserializableValue:
            return True

    @modified.setter
    def modified(self, value: bool) -> None:
        self._change().save_forced = value

    @property
    def created(self) -> int:
        """When the session began, in seconds since the epoch (Pyramid's ``ISession``)."""
        return self._read().created

    @property
    def id(self) -> str:
        """The session's random id of 128 bits, made on first use. Hash it before logging it."""
        state = self._read()
        return state.id or self._change().make_id()

    @property
    def device_bound(self) -> bool:
        """Whether the browser has just proved that it is on the device of the log-in.

        That is at most ``device_bound_lifetime`` ago, if the setting ``device_bound`` is on.
        """
        state = self._read()
        return state.loaded.bound != "" and state.id == state.loaded.bound

    @property
    def _csrf_token(self) -> str | None:
        return self._read().csrf_token

    @_csrf_token.setter  # type: ignore[override]  # never set to None
    def _csrf_token(self, value: str) -> None:
        self._change().set_csrf_token(value)

    def _make_csrf_token(self) -> str:
        return self._change().make_csrf_token()

    @property
    def owner(self) -> Owner | None:
        """The user the session belongs to. Assigning one is the log-in, ``None`` the log-out.

        ``None`` does nothing if the session has no owner. ``invalidate()`` also ends what a cookie
        that was refused may lead to, such as a session that another request has just renewed.
        A log-in gives the session a new ``id`` and ``created``, against session fixation
        (CWE-384), and a new CSRF token unless the user is the same. It keeps the data of a visitor,
        and removes those of another user. With ``store`` or ``revocations``, all sessions of an
        owner can be ended at once. Raises UnserializableValue unless the value is a str, int, UUID
        or ``None``.
        """
        return self._read().owner

    @owner.setter
    def owner(self, value: Owner | None) -> None:
        if value is None:
            if self.owner is not None:
                self.invalidate()
            return
        value = plain_owner(value, "session.owner")
        state = self._change()
        stamp = self._source.stamp(value)
        if state.owner not in (None, value):  # 1 and "1" differ
            state.clear()
        if state.owner is None:
            state.csrf_token = None
        self.regenerate()
        state.owner, state.stamp = value, stamp
        state.begins_anew = True

    def changed(self) -> None:
        """Force a save, as ``modified = True`` does (Pyramid's ``ISession``)."""
        self.modified = True

    def invalidate(self) -> None:
        """End the session, and begin a new one without data or owner. Call it at log-out."""
        self.clear()
        self.modified = True  # a cookie that was refused is deleted too

    def regenerate(self, keep_created: bool = False) -> None:
        """Keep the data, but replace ``id`` and ``created``, such as when rights change.

        ``keep_created``: replace only the ``id``, so that ``absolute_timeout`` goes on.
        """
        state = self._change()
        state.save_forced = True
        state.id, state.parent, state.made = None, "", {}
        if not keep_created:
            state.created = int(time.time())

    def _changes(self) -> str | None:
        """Return the data as JSON text if the session has to be saved, or else ``None``.

        Raises UnserializableValue.
        """
        state = self._state
        if state is None:
            return None
        if not (state.may_differ or (state.handed_out and state.has_changed_inside())):
            return None
        text = self._source.dumps(state.data.copy())  # another thread may set a key meanwhile
        return text if text != state.loaded.text or state.differs() else None


class NullSession(Session):
    """An empty session for requests without a usable one. Changes raise SessionUnavailable."""

    __slots__ = ()

    def __init__(self) -> None:
        self._state: State | None = None
        self.accessed: bool = False
        self.opened_by: object = None
        self.sealed: bool = False

    def _open(self) -> State:
        self.accessed = True
        self._state = State(Loaded({}, "{}", int(time.time()), came=False, new=True))
        return self._state

    def _changes(self) -> None:
        """Return ``None``, because there is nothing to save."""

    def _refuse(self, /, *_: Any, **__: Any) -> NoReturn:
        raise SessionUnavailable(
            "The session is unavailable because no secret key was set. Set the secret_key of "
            "SessionMiddleware: python -m sessionware secret prints a new one."
        )

    _change: Any = _refuse
    pop: Any = _refuse
    update: Any = _refuse


def hash_of_owner(owner: Owner) -> str:
    """Return 64 hex digits, which are different for any two owners: ``1`` and ``"1"`` are two.

    A database may take other texts for the same, and nobody can read a name in it.
    """
    plain = plain_owner(owner, "owner")
    return sha256(f"{type(plain).__name__}\0{plain}".encode(errors="surrogatepass")).hexdigest()


def plain_owner(value: Any, name: str) -> Owner:
    """Return the owner as a plain str, int or UUID.

    A subclass, such as a database driver's UUID, is converted. Raises UnserializableValue for
    other types, and for an int that Python does not convert to text, with the name.
    """
    kind = type(value)  # not __class__, which a proxy copies from its target
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, int) and kind is not bool:
        return _with_few_digits(int.__int__(value), name)
    if issubclass(kind, UUID):
        return UUID(int=value.int)
    raise UnserializableValue(f"{name}: found {kind.__name__}, expected str, int or UUID")


def _with_few_digits(value: int, name: str) -> int:
    try:
        str(value)
    except ValueError:
        raise UnserializableValue(
            f"{name}: found an int with too many digits, expected a primary key"
        ) from None
    return value


# What the sessions of Beaker, Django, Flask-Session, Pyramid and secure-cookie have beside a dict.
_ELSEWHERE = {
    **dict.fromkeys(("save()", "persist()"), "not needed, changes are saved by themselves"),
    **dict.fromkeys(
        ("delete()", "flush()", "destroy()", "logout()", "log_out()"), "use session.invalidate()"
    ),
    **dict.fromkeys(("sid", "session_key", "session_id", "get_id()"), "use session.id"),
    **dict.fromkeys(
        ("accessed_time", "last_accessed"), "not kept; session.created tells when it began"
    ),
    **dict.fromkeys(
        (
            "expires",
            "get_expiry_age()",
            "get_expiry_date()",
            "max_age",
            "permanent_session_lifetime",
            "set_expiry()",
            "timeout",
        ),
        "the settings idle_timeout, permanent_timeout and absolute_timeout limit a session, and "
        "session.permanent = True keeps it when the browser is closed",
    ),
    **dict.fromkeys(
        ("set_test_cookie()", "test_cookie_worked()", "delete_test_cookie()"),
        "not needed, session.new tells whether a cookie came back",
    ),
    "cycle_key()": "use session.regenerate(keep_created=True)",
    "is_empty()": "use len(session) == 0",
    "is_new": "use session.new",
    "load()": "not needed, the session is loaded on its first use",
    "should_save": "use session.modified",
}


def _explain(session: Session, name: str) -> NoReturn:
    """Raise the AttributeError of a name that is no attribute, with what to write in its place."""
    if name.startswith("_"):
        raise AttributeError(f"{type(session).__name__!r} object has no attribute {name!r}")
    for written in (f"{name}()", name):
        if written in _ELSEWHERE:
            raise AttributeError(f"session.{written}: {_ELSEWHERE[written]}")
    also = ", or session.owner for the user who is logged in" if name in _USERS else ""
    raise AttributeError(f'session.{name}: use session["{name}"]{also}')


_USERS = ("user", "user_id", "username")


class _Key:
    """A name that is likely to be assigned as an attribute, which would not be saved."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, session: object, _: object) -> NoReturn:
        raise AttributeError(self._name)  # for an instance, _explain says more

    def __set__(self, session: Session, _: object) -> NoReturn:
        _explain(session, self._name)


# Not in the class, or type checkers would take any name for an attribute. A __setattr__ for all
# names would triple the time of a request that leaves its session alone.
Session.__getattr__ = _explain  # type: ignore[attr-defined]  # see above
for _name in _USERS:
    setattr(Session, _name, _Key(_name))
