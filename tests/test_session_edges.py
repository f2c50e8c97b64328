"""What is seldom asked of a session: an owner that is not there, or cannot be; a null session."""

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
