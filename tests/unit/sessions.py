"""Sessions to test with, and every way to read or change them."""

import operator
import time
from collections import UserDict
from typing import Any

from sessionware import SecureCookieSessionInterface, Session
from tests.gateway import KEY, OLDER_KEY, Response, call, make_environ
from tests.sites import Act
from tests.unit.applications import acting

INTERFACE = SecureCookieSessionInterface(KEY, secret_key_fallbacks=[OLDER_KEY])


def visit(use: Act, cookie: str = "") -> Response:
    """Send a request to an application that does this with its session."""
    return call(acting(use), cookie)


def opened(cookie: str = "") -> Session:
    """Return a session that has not been used yet."""
    session = INTERFACE.open_session(make_environ(cookie))
    assert isinstance(session, Session)
    return session


def holding(**data: Any) -> Session:
    """Return the session of a request whose cookie holds this data."""
    return opened(visit(lambda session: session.update(data)).cookie)


def sign(text: str, key: str = KEY, **settings: Any) -> str:
    """Return a cookie's value: the text, signed as the interface does it."""
    return SecureCookieSessionInterface(key, **settings).codec.encode(text, int(time.time()))


def outcome(use: Act, target: object) -> tuple[object, ...]:
    """Return the exception, or the ``repr`` of the result, which tells 1 from True."""
    try:
        return ("returns", repr(use(target)))
    except KeyError as error:
        return ("raises", KeyError, error.args)
    except Exception as error:
        return ("raises", type(error))


def match(target: object) -> object:
    match target:
        case {"a": value}:
            return value
    return None


# Every way to read a dict that has the key "a".
READS: dict[str, Act] = {
    "[]": lambda it: it["a"],
    "get": lambda it: it.get("a"),
    "get missing": lambda it: it.get("missing"),
    "get default": lambda it: it.get("missing", 1),
    "in": lambda it: "a" in it,
    "not in": lambda it: "missing" not in it,
    "len": len,
    "bool": bool,
    "iter": list,
    "for": lambda it: [key for key in it],  # noqa: C416
    "sorted": sorted,
    "reversed": lambda it: list(reversed(it)),
    "keys": lambda it: it.keys(),
    "values": lambda it: it.values(),
    "items": lambda it: it.items(),
    "keys &": lambda it: it.keys() & {"a", "missing"},
    "keys mapping": lambda it: it.keys().mapping["a"],
    "reversed items": lambda it: list(reversed(it.items())),
    "==": lambda it: it == {"a": 1},
    "!=": lambda it: it != {"a": 1},
    "== from a dict": lambda it: {"a": 1} == it,  # noqa: SIM300
    "== a session": lambda it: it == holding(a=1),
    "== a mapping": lambda it: it == UserDict(a=1),
    "== no mapping": lambda it: it == [("a", 1)],
    "|": lambda it: it | {"a": 2, "z": 3},
    "| session": lambda it: it | holding(z=3),
    "dict |": lambda it: {"z": 3, "a": 2} | it,
    "dict()": dict,
    "copy": lambda it: it.copy(),
    "{**}": lambda it: {"z": 3, **it},
    "f(**)": lambda it: (lambda **data: data)(**it),
    "match": match,
}
# What else can be read from a session.
SESSION_READS: dict[str, Act] = {
    "new": lambda session: session.new,
    "created": lambda session: session.created,
    "owner": lambda session: session.owner,
    "permanent": lambda session: session.permanent,
    "id": lambda session: session.id,
    "peek_flash": lambda session: session.peek_flash(),
    "pop_flash": lambda session: session.pop_flash(),
    "get_csrf_token": lambda session: session.get_csrf_token(),
    "check_csrf_token": lambda session: session.check_csrf_token("token"),
}


def assign(name: str, value: object) -> Act:
    return lambda session: setattr(session, name, value)


# Reads that are changes, because they make what they return.
MAKERS: dict[str, Act] = {
    "id": lambda session: session.id,
    "get_csrf_token": lambda session: session.get_csrf_token(),
}
# Every way to change a session that has the key "a" and a message in the queue "old".
WRITES: dict[str, Act] = MAKERS | {
    "[]=": lambda session: operator.setitem(session, "a", 2),
    "[]= new": lambda session: operator.setitem(session, "b", 2),
    "del": lambda session: operator.delitem(session, "a"),
    "pop": lambda session: session.pop("a"),
    "popitem": lambda session: session.popitem(),
    "clear": lambda session: session.clear(),
    "update": lambda session: session.update(a=2),
    "setdefault": lambda session: session.setdefault("b", 2),
    "|=": lambda session: session.__ior__({"a": 2}),
    "flash": lambda session: session.flash("new"),
    "flash again": lambda session: session.flash("new", "old"),
    "pop_flash": lambda session: session.pop_flash("old"),
    "new_csrf_token": lambda session: session.new_csrf_token(),
    "invalidate": lambda session: session.invalidate(),
    "regenerate": lambda session: session.regenerate(),
    "regenerate, created kept": lambda session: session.regenerate(keep_created=True),
    "owner": assign("owner", "ann"),
    "changed": lambda session: session.changed(),
    "modified = True": assign("modified", True),
    "modified = False": assign("modified", False),
    "permanent = True": assign("permanent", True),
}
