"""Session: opened on the first look, sealed when the response begins; and what it is to Python."""

import hmac
import logging
from collections import UserDict
from collections.abc import Callable, MutableMapping
from typing import Any
from unittest.mock import Mock

import pytest

from sessionware import (
    NullSession,
    SecureCookieSessionInterface,
    Session,
    SessionMiddleware,
    SessionMixin,
)
from tests.gateway import KEY, Response, call, make_environ

INTERFACE = SecureCookieSessionInterface(KEY)

Use = Callable[[Any], object]
"""What an application does with its session; ``Any``, because most can be done to a dict too."""


def visit(use: Use, cookie: str = "") -> Response:
    """Send a request to an application that uses its session."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        use(environ["session"])
        start_response("200 OK", [])
        return []

    return call(SessionMiddleware(app, KEY), cookie)


def opened(cookie: str = "") -> Session:
    """Open a session that nobody has looked at."""
    session = INTERFACE.open_session(make_environ(cookie))
    assert isinstance(session, Session)
    return session


def holding(**data: Any) -> Session:
    """Open the session that an earlier request left with this data."""
    return opened(visit(lambda session: session.update(data)).cookie)


def outcome(use: Use, target: object) -> tuple[object, ...]:
    """Tell what came of it. As ``repr``, which tells 1 from True and shows the order."""
    try:
        return ("gives", repr(use(target)))
    except KeyError as error:
        return ("raises", KeyError, error.args)
    except Exception as error:
        return ("raises", type(error))


def match(target: object) -> object:
    match target:
        case {"a": value}:
            return value
    return None


# What can be asked of any dict that has the key "a".
LOOKS: dict[str, Use] = {
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
# What a session tells beyond that.
SESSION_LOOKS: dict[str, Use] = {
    "repr": repr,
    "str": str,
    "format": lambda session: f"{session}",
    "new": lambda session: session.new,
    "created": lambda session: session.created,
    "permanent": lambda session: session.permanent,
    "id": lambda session: session.id,
    "peek_flash": lambda session: session.peek_flash(),
    "pop_flash": lambda session: session.pop_flash(),
    "get_csrf_token": lambda session: session.get_csrf_token(),
}


def spy_on_verification(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Count the signatures that are compared, and so the cookies that are verified."""
    spy = Mock(side_effect=hmac.compare_digest)
    monkeypatch.setattr(hmac, "compare_digest", spy)
    return spy


# Opened lazily


def test_cookie_is_not_verified_before_the_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = visit(lambda session: session.update(a=1)).cookie
    spy = spy_on_verification(monkeypatch)
    opened(cookie)
    assert spy.call_count == 0


def test_request_that_never_looks_verifies_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = visit(lambda session: session.update(a=1)).cookie
    spy = spy_on_verification(monkeypatch)
    visit(lambda _: None, cookie)
    assert spy.call_count == 0


def test_cookie_is_verified_once_however_often_one_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    session = holding(a=1)
    spy = spy_on_verification(monkeypatch)
    outcomes = [len(session), list(session), session["a"], session.new, dict(session)]
    assert outcomes == [1, ["a"], 1, False, {"a": 1}]
    assert spy.call_count == 1


def test_cookie_is_rejected_in_the_log_on_the_first_look(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sessionware")
    session = opened("session=forged")
    assert caplog.records == []
    len(session)
    len(session)
    assert len(caplog.records) == 1


# Accessed


@pytest.mark.parametrize("look", (LOOKS | SESSION_LOOKS).values(), ids=LOOKS | SESSION_LOOKS)
def test_every_kind_of_look_is_an_access(look: Use) -> None:
    session = holding(a=1)
    look(session)
    assert session.accessed is True


def test_look_that_finds_nothing_is_an_access() -> None:
    session = opened()
    assert session.get("missing") is None
    assert session.accessed is True


def test_look_that_raises_is_an_access() -> None:
    session = opened()
    with pytest.raises(KeyError):
        session["missing"]
    assert session.accessed is True


def test_being_compared_with_is_an_access() -> None:
    session = holding(a=1)
    assert holding(a=1) == session
    assert session.accessed is True


def test_change_is_an_access() -> None:
    session = opened()
    session["a"] = 1
    assert session.accessed is True


def test_session_that_nobody_looked_at_is_not_accessed() -> None:
    assert holding(a=1).accessed is False


def test_asking_whether_it_was_accessed_or_modified_is_no_access() -> None:
    session = holding(a=1)
    assert (session.accessed, session.modified, session.accessed) == (False, False, False)


# The class


class MySession(dict[str, Any], SessionMixin):
    """The least that a session of one's own has to be."""


def test_mixin_takes_a_session_for_changed_and_looked_at() -> None:
    session = MySession()
    assert (session.new, session.modified, session.accessed) == (False, True, True)


def test_mixin_keeps_permanent_in_the_data() -> None:
    session = MySession()
    assert session.permanent is False
    session.permanent = True
    assert session.permanent is True
    assert session == {"_permanent": True}


def test_mixin_takes_permanent_out_of_the_data() -> None:
    session = MySession(_permanent=True)
    session.permanent = False
    session.permanent = False
    assert session == {}


def test_session_is_a_mutable_mapping() -> None:
    assert isinstance(opened(), MutableMapping)


@pytest.mark.parametrize("show", [repr, str, "{}".format])
def test_repr_shows_keys_and_never_values(show: Callable[[object], str]) -> None:
    session = holding(user="Ada", cart=["tea"])
    assert show(session) == "<Session ['user', 'cart']>"


@pytest.mark.parametrize("name", ["permanant", "Modified", "expires"])
def test_misspelt_attribute_is_an_error(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(opened(), name, True)


@pytest.mark.parametrize("session", [opened(), NullSession()])
def test_session_has_no_dict_of_attributes(session: Session) -> None:
    assert not hasattr(session, "__dict__")


@pytest.mark.parametrize("session", [opened(), NullSession()])
def test_session_cannot_be_hashed(session: Any) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(session)
