"""Names that users bring from the sessions of other libraries: the error says what to write."""

import copy
from typing import Any

import pytest

from sessionware import NullSession, Session
from tests.unit.sessions import opened

LIMITS = (
    "the settings idle_timeout, permanent_timeout and absolute_timeout limit a session, and "
    "session.permanent = True keeps it when the browser is closed"
)
ADVICE = {
    "save": "session.save(): not needed, changes are saved by themselves",
    "persist": "session.persist(): not needed, changes are saved by themselves",
    "delete": "session.delete(): use session.invalidate()",
    "flush": "session.flush(): use session.invalidate()",
    "destroy": "session.destroy(): use session.invalidate()",
    "logout": "session.logout(): use session.invalidate()",
    "cycle_key": "session.cycle_key(): use session.regenerate(keep_created=True)",
    "sid": "session.sid: use session.id",
    "session_key": "session.session_key: use session.id",
    "get_id": "session.get_id(): use session.id",
    "is_new": "session.is_new: use session.new",
    "is_empty": "session.is_empty(): use len(session) == 0",
    "last_accessed": "session.last_accessed: not kept; session.created tells when it began",
    "permanent_session_lifetime": f"session.permanent_session_lifetime: {LIMITS}",
    "set_expiry": f"session.set_expiry(): {LIMITS}",
    "timeout": f"session.timeout: {LIMITS}",
    "load": "session.load(): not needed, the session is loaded on its first use",
    "state": 'session.state: use session["state"]',
    "cart": 'session.cart: use session["cart"]',
    "user": 'session.user: use session["user"], or session.owner for the user who is logged in',
}
every_session = pytest.mark.parametrize("make", [opened, NullSession])


@every_session
@pytest.mark.parametrize(("name", "advice"), ADVICE.items(), ids=ADVICE)
def test_a_name_from_elsewhere_says_what_to_write_here(make: Any, name: str, advice: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(make(), name)
    assert str(caught.value) == advice


@every_session
@pytest.mark.parametrize("name", [*ADVICE, "user_id", "username", "__deepcopy__"])
def test_such_a_name_is_no_attribute(make: Any, name: str) -> None:
    session = make()
    assert not hasattr(session, name)
    assert getattr(session, name, None) is None
    assert not hasattr(Session, name)
    assert not session.accessed


@every_session
@pytest.mark.parametrize("name", ["user", "user_id", "username"])
def test_a_user_cannot_be_assigned_as_an_attribute(make: Any, name: str) -> None:
    with pytest.raises(AttributeError) as caught:
        setattr(make(), name, "ann")
    assert str(caught.value) == (
        f'session.{name}: use session["{name}"], or session.owner for the user who is logged in'
    )


@pytest.mark.parametrize("name", ["cart", "sid", "expires", "cookie", "state", "started"])
def test_no_other_name_can_be_assigned_either(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        setattr(opened(), name, "x")


def test_a_private_name_is_refused_as_by_any_other_object() -> None:
    with pytest.raises(AttributeError) as caught:
        opened()._dict  # type: ignore[attr-defined]  # noqa: B018
    assert str(caught.value) == "'Session' object has no attribute '_dict'"


def test_type_checkers_find_such_a_name_too() -> None:
    """The strict mode of mypy refuses the comment below if there is nothing to ignore."""
    with pytest.raises(AttributeError):
        opened().user = "ann"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        opened().save()  # type: ignore[attr-defined]


def test_a_session_can_still_be_copied() -> None:
    session = opened()
    session["cart"] = ["tea"]
    assert copy.deepcopy(session) == {"cart": ["tea"]}
