"""What is seldom asked of a session: an owner that is not there, or cannot be; a null session."""

from collections.abc import Iterator
from typing import Any

import pytest

from sessionware import NullSession, SecureCookieSessionInterface, Session, UnserializableValue
from tests.gateway import KEY, make_environ


def open_session() -> Session:
    session = SecureCookieSessionInterface(KEY).open_session(make_environ())
    assert isinstance(session, Session)
    return session


def test_owner_that_is_not_there_can_be_taken_back() -> None:
    session = open_session()
    session.owner = None
    assert (session.owner, dict(session), session.modified) == (None, {}, False)


@pytest.mark.parametrize(
    ("owner", "found"), [(1.5, "float"), (True, "bool"), (["ada"], "list"), (b"ada", "bytes")]
)
def test_owner_of_another_type_is_refused_and_nothing_changed(owner: Any, found: str) -> None:
    session = open_session()
    with pytest.raises(UnserializableValue) as caught:
        session.owner = owner
    assert str(caught.value) == f"session.owner: found {found}, expected str, int or UUID"
    assert not session.modified


def test_null_session_says_whether_it_was_looked_at() -> None:
    session = NullSession()
    assert (session.accessed, session.sealed) == (False, False)
    assert len(session) == 0
    assert (session.accessed, session.sealed) == (True, False)


def test_null_session_that_gave_a_default_is_not_modified() -> None:
    session = NullSession()
    assert (session.get("cart", []), session.peek_flash(), session.modified) == ([], [], False)


def test_default_that_was_handed_out_is_nothing_to_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that only looks for flash messages costs a read."""
    session = open_session()
    monkeypatch.setattr(SecureCookieSessionInterface, "dumps", lambda *_: pytest.fail("written"))
    assert (session.get("cart", []), session.peek_flash(), session.modified) == ([], [], False)


@pytest.mark.parametrize("update", [Session.update, Session.__ior__])
def test_update_with_nothing_is_no_look(update: Any) -> None:
    session = open_session()
    update(session, {})
    assert not session.accessed


def test_update_that_fails_half_way_changes_nothing() -> None:
    def pairs() -> Iterator[tuple[str, int]]:
        yield "a", 1
        raise KeyError

    session = open_session()
    with pytest.raises(KeyError):
        session.update(pairs())
    assert dict(session) == {}
