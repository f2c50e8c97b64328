"""Session: changes that are refused, because they come too late or there is no secret key."""

import operator
from typing import Any

import pytest

from sessionware import LateWrite, NullSession, Session, SessionMiddleware, SessionUnavailable
from tests.conftest import Clock
from tests.gateway import call
from tests.unit.test_session import LOOKS, Use, outcome, visit

LATE = (
    "The session was changed after its response had begun, so the change cannot be saved: "
    "change it before the application returns, or, where the application is a generator, "
    "before its first chunk."
)
UNAVAILABLE = (
    "The session is unavailable because no secret key was set. Give SessionMiddleware a "
    "secret_key that is unique and secret: python -m sessionware secret prints one."
)


def fill(session: Session) -> None:
    session["a"] = 1
    session.flash("hello", "old")


def null() -> NullSession:
    """Give the session of a middleware without a secret key."""
    kept: list[NullSession] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        kept.append(environ["session"])
        start_response("200 OK", [])
        return []

    call(SessionMiddleware(app))
    return kept[0]


def sealed(use: Use) -> Session:
    """Give an earlier request's session, which nobody has looked at before its response began."""
    kept: list[Session] = []
    visit(kept.append, visit(use).cookie)
    return kept[0]


def assign(name: str, value: object) -> Use:
    return lambda session: setattr(session, name, value)


# What makes one where there is none, and so is a change.
MAKERS: dict[str, Use] = {
    "id": lambda session: session.id,
    "get_csrf_token": lambda session: session.get_csrf_token(),
}
# What changes a session that has the key "a" and a message in the queue "old".
WRITES: dict[str, Use] = MAKERS | {
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
    "changed": lambda session: session.changed(),
    "modified = True": assign("modified", True),
    "modified = False": assign("modified", False),
    "permanent = True": assign("permanent", True),
}
NULL_WRITES = {name: WRITES[name] for name in WRITES if name != "pop_flash"}
NO_WRITES: dict[str, Use] = {
    "pop missing": lambda session: session.pop("missing", None),
    "setdefault present": lambda session: session.setdefault("a", 2),
    "update nothing": lambda session: session.update(),
    "|= nothing": lambda session: session.__ior__({}),
    "pop_flash none": lambda session: session.pop_flash("missing"),
    "flash no duplicate": lambda session: session.flash("hello", "old", allow_duplicate=False),
}


# Sealed


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_change_after_the_response_has_begun_is_refused(write: Use) -> None:
    session = sealed(fill)
    with pytest.raises(LateWrite) as caught:
        write(session)
    assert str(caught.value) == LATE


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_change_that_is_refused_leaves_the_session_as_it_was(write: Use) -> None:
    session = sealed(fill)
    with pytest.raises(LateWrite):
        write(session)
    assert [*session.items()] == [("a", 1), ("_f_old", ["hello"])]
    assert session.modified is False


@pytest.mark.parametrize("write", [Session.regenerate, Session.invalidate])
def test_new_beginning_that_is_refused_keeps_id_and_created(write: Use, clock: Clock) -> None:
    session = sealed(lambda session: session.id)
    before = session.id, session.created
    clock.advance(1)
    with pytest.raises(LateWrite):
        write(session)
    assert (session.id, session.created) == before


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_reading_goes_on_after_the_response_has_begun(look: Use) -> None:
    session = sealed(lambda session: session.update(a=1))
    assert outcome(look, session) == outcome(look, {"a": 1})


@pytest.mark.parametrize("use", NO_WRITES.values(), ids=NO_WRITES)
def test_what_changes_nothing_is_no_late_write(use: Use) -> None:
    session = sealed(fill)
    use(session)
    assert session == {"a": 1, "_f_old": ["hello"]}


def test_id_that_was_made_in_time_is_there_after_the_response_has_begun() -> None:
    session = sealed(lambda session: session.id)
    assert session.id == session.id


# Without a secret key


def test_without_a_secret_key_the_session_is_a_null_session() -> None:
    assert type(null()) is NullSession


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_null_session_reads_as_empty(look: Use) -> None:
    assert outcome(look, null()) == outcome(look, {})


def test_null_session_is_new_and_has_nothing_to_tell() -> None:
    session = null()
    assert (session.new, session.permanent, session.modified) == (True, False, False)
    assert session.peek_flash() == []


def test_null_session_begins_now(clock: Clock) -> None:
    assert null().created == clock.now


@pytest.mark.parametrize("write", NULL_WRITES.values(), ids=NULL_WRITES)
def test_null_session_refuses_every_change_and_says_what_to_do(write: Use) -> None:
    session = null()
    with pytest.raises(SessionUnavailable) as caught:
        write(session)
    assert str(caught.value) == UNAVAILABLE
    assert session == {}


def test_session_unavailable_is_a_runtime_error() -> None:
    assert issubclass(SessionUnavailable, RuntimeError)


def test_null_session_shows_its_class() -> None:
    assert repr(null()) == "<NullSession []>"
