"""NullSession: the session of a request without a secret key."""

from typing import Any

import pytest

from sessionware import NullSession, SessionUnavailable
from tests.conftest import Clock
from tests.gateway import call
from tests.sites import Act
from tests.unit.applications import acting
from tests.unit.sessions import READS, WRITES, outcome, visit

UNAVAILABLE = (
    "The session is unavailable because no secret key was set. Set the secret_key of "
    "SessionMiddleware: python -m sessionware secret prints a new one."
)
NULL_WRITES = {name: WRITES[name] for name in WRITES if name != "pop_flash"}


def null() -> NullSession:
    """Return the session of a middleware without a secret key."""
    kept: list[NullSession] = []
    call(acting(kept.append, secret_key=None))
    return kept[0]


def test_session_without_a_secret_key_is_a_null_session(caplog: pytest.LogCaptureFixture) -> None:
    """But for one warning, nothing is added to the response or the log, even if a cookie came."""
    seen: list[Any] = []
    app = acting(lambda session: seen.append((type(session), dict(session))), secret_key=None)
    call(app)
    caplog.clear()
    assert call(app, visit(lambda session: session.update(user="ann")).cookie).header_list == []
    assert seen == [(NullSession, {})] * 2
    assert caplog.records == []


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_null_session_reads_as_empty(read: Act) -> None:
    assert outcome(read, null()) == outcome(read, {})


def test_null_session_is_new_and_has_no_data() -> None:
    session = null()
    assert (session.new, session.permanent, session.modified) == (True, False, False)
    assert (session.peek_flash(), session.pop_flash()) == ([], [])


def test_null_session_is_created_now(clock: Clock) -> None:
    assert null().created == clock.now


def test_null_session_knows_whether_it_was_accessed() -> None:
    session = NullSession()
    assert (session.accessed, session.sealed) == (False, False)
    assert len(session) == 0
    assert (session.accessed, session.sealed) == (True, False)


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_null_session_that_was_read_is_not_modified(read: Act) -> None:
    session = null()
    outcome(read, session)
    assert session.modified is False


def test_null_session_has_no_owner_and_no_csrf_token() -> None:
    session = null()
    assert (session.owner, session.check_csrf_token(""), session.modified) == (None, False, False)


def test_log_out_of_nobody_is_no_change_of_a_null_session() -> None:
    session = null()
    session.owner = None
    assert session.owner is None


@pytest.mark.parametrize("write", NULL_WRITES.values(), ids=NULL_WRITES)
def test_null_session_refuses_every_change_and_says_what_to_do(write: Act) -> None:
    session = null()
    with pytest.raises(SessionUnavailable) as caught:
        write(session)
    assert str(caught.value) == UNAVAILABLE
    assert session == {}


def test_repr_of_a_null_session_shows_its_class() -> None:
    assert repr(null()) == "<NullSession unopened>"
