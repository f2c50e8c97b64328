"""Session: loaded on first use, sealed when the response begins; copies, pickles, attributes."""

import copy
import hmac
import logging
import pickle
import secrets
import threading
from collections.abc import Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any
from unittest.mock import Mock

import pytest
from itsdangerous import Signer

from sessionware import (
    LateWrite,
    NullSession,
    SecureCookieSessionInterface,
    Session,
    SessionUnavailable,
)
from sessionware.codec import SignedCodec
from sessionware.session import Loaded, Owner
from tests.conftest import Clock
from tests.gateway import KEY
from tests.sites import Act
from tests.unit.interfaces import MySession
from tests.unit.sessions import READS, WRITES, holding, opened, outcome, visit


def spy_on_verification(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Return a spy that counts the signatures, and so the cookies, that are verified."""
    spy = Mock(side_effect=hmac.compare_digest)
    monkeypatch.setattr(hmac, "compare_digest", spy)
    return spy


# Loaded lazily


def test_cookie_is_not_verified_before_the_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = visit(lambda session: session.update(a=1)).cookie
    spy = spy_on_verification(monkeypatch)
    opened(cookie)
    assert spy.call_count == 0


def test_request_that_does_not_use_its_session_verifies_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cookie = visit(lambda session: session.update(a=1)).cookie
    spy = spy_on_verification(monkeypatch)
    visit(lambda _: None, cookie)
    assert spy.call_count == 0


def test_cookie_is_verified_once_in_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    session = holding(a=1)
    spy = spy_on_verification(monkeypatch)
    outcomes = [len(session), list(session), session["a"], session.new, dict(session)]
    assert outcomes == [1, ["a"], 1, False, {"a": 1}]
    assert spy.call_count == 1


def test_rejected_cookie_is_logged_once_on_the_first_use(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sessionware")
    session = opened("session=forged")
    assert caplog.records == []
    len(session)
    len(session)
    assert len(caplog.records) == 1


# Used by two threads at once


class Source:
    """What a session asks of its interface. Each load returns new data.

    ``before_load`` is called first, with the number of the load.
    """

    def __init__(self, before_load: Callable[[int], object]) -> None:
        self.before_load = before_load
        self.loads = 0
        self.late_looks = 0

    def load(self, cookie: str) -> Loaded:
        self.loads += 1
        self.before_load(self.loads)
        return Loaded({"cart": []}, '{"cart":[]}', 0)

    def dumps(self, data: dict[str, Any]) -> str:
        return repr(data)

    def stamp(self, owner: Owner) -> str:
        raise NotImplementedError

    def late_look(self) -> None:
        self.late_looks += 1


def test_two_first_uses_at_once_see_one_session() -> None:
    """Both load it, and the first that has finished counts."""
    both_load = threading.Barrier(2)
    session = Session(Source(lambda _: both_load.wait(timeout=10)), "")
    with ThreadPoolExecutor() as pool:
        carts = [pool.submit(session.__getitem__, "cart") for _ in range(2)]
    assert carts[0].result() is carts[1].result() is session["cart"]


def test_slow_first_use_does_not_undo_what_another_thread_did() -> None:
    loading, done = threading.Event(), threading.Event()

    def before_load(number: int) -> None:
        if number == 1:
            loading.set()
            assert done.wait(timeout=10)

    session = Session(Source(before_load), "")
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(dict, session)
        assert loading.wait(timeout=10)
        session.invalidate()
        done.set()
    assert (slow.result(), dict(session), session.modified) == ({}, {}, True)


def make(text: str) -> Callable[[int], str]:
    """Return what makes this text in place of a random one."""
    return lambda _: text


MAKERS = pytest.mark.parametrize(
    "ask",
    [lambda session: session.id, lambda session: session.get_csrf_token()],
    ids=["id", "csrf_token"],
)


@MAKERS
def test_two_threads_that_ask_at_once_get_one(ask: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second asks, and has its answer, while the first makes its own."""
    session = Session(Source(id), "")

    def interrupted(_: int) -> str:
        monkeypatch.setattr(secrets, "token_urlsafe", make("of the second"))
        assert ask(session) == "of the second"
        return "of the first"

    monkeypatch.setattr(secrets, "token_urlsafe", interrupted)
    assert (ask(session), ask(session)) == ("of the second", "of the second")


def test_new_csrf_token_counts_for_a_thread_that_is_about_to_make_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Session(Source(id), "")

    def interrupted(_: int) -> str:
        monkeypatch.setattr(secrets, "token_urlsafe", make("new"))
        session.new_csrf_token()
        return "first"

    monkeypatch.setattr(secrets, "token_urlsafe", interrupted)
    assert (session.get_csrf_token(), session.get_csrf_token()) == ("new", "new")


@MAKERS
@pytest.mark.parametrize(
    "renew", [Session.invalidate, lambda session: setattr(session, "owner", 1)], ids=["out", "in"]
)
def test_one_that_was_made_before_does_not_come_back(ask: Act, renew: Act) -> None:
    session = opened()
    before = ask(session)
    renew(session)
    assert ask(session) != before


class Meanwhile(dict[str, Any]):
    """Data of which another thread, after each look, sets what is absent or takes what is there."""

    def __contains__(self, key: object) -> bool:
        found = super().__contains__(key)
        self._act(key)
        return found

    def __getitem__(self, key: str) -> Any:
        try:
            return super().__getitem__(key)
        finally:
            self._act(key)

    def _act(self, key: Any) -> None:
        if self.pop(key, None) is None:
            self[key] = ["theirs"]


def shared(**data: Any) -> Session:
    """Return a session that another thread uses at the same time."""
    session = opened()
    session["a"] = 1
    assert session._state is not None
    session._state.data = Meanwhile(data)
    return session


def test_default_that_another_thread_has_set_counts_for_both() -> None:
    session = shared()
    session.setdefault("cart", []).append("ours")
    assert session.copy() == {"cart": ["theirs", "ours"]}


def test_first_messages_of_two_threads_are_both_kept() -> None:
    session = shared()
    session.flash("ours")
    assert session.copy() == {"_f_": ["theirs", "ours"]}


def test_what_another_thread_has_taken_is_absent() -> None:
    assert shared(cart=["pen"]).pop("cart", "nothing") == "nothing"
    assert shared(_f_=["Hello"]).pop_flash() == []
    with pytest.raises(KeyError):
        shared(cart=["pen"]).pop("cart")


def test_key_that_another_thread_sets_during_the_look_for_changes_is_no_error() -> None:
    session = opened()

    class Slow(str):
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            session["theirs"] = 1
            return str.__eq__(self, other)

    session["ours"] = Slow("a")
    assert session.modified is True
    assert session.copy() == {"ours": "a", "theirs": 1}


def test_key_that_another_thread_removes_during_the_look_for_changes_is_one() -> None:
    session = holding(cart=["pen"])
    assert session["cart"] == ["pen"]
    assert session._state is not None
    del session._state.data["cart"]  # after the look whether a key was set or removed
    assert session.modified is True


# Late


def test_first_use_after_the_response_has_begun_is_reported_once() -> None:
    source = Source(id)
    session = Session(source, "")
    session.sealed = True
    assert (len(session), len(session), source.late_looks) == (1, 1, 1)


def test_use_after_the_response_has_begun_is_not_reported_if_it_is_not_the_first() -> None:
    source = Source(id)
    session = Session(source, "")
    assert len(session) == 1
    session.sealed = True
    assert (len(session), source.late_looks) == (1, 0)


def test_late_use_that_fails_is_reported() -> None:
    def before_load(number: int) -> None:
        if number == 1:
            raise SessionUnavailable("the store does not answer")

    source = Source(before_load)
    session = Session(source, "")
    session.sealed = True
    with pytest.raises(SessionUnavailable):
        len(session)
    assert (session.accessed, session._state, source.late_looks) == (True, None, 1)


def test_use_is_not_late_if_the_response_varies() -> None:
    """Such as after one that has failed, before the response began."""
    source = Source(id)
    session = Session(source, "")
    session.sealed = session._varies = True
    assert (len(session), source.late_looks) == (1, 0)


def test_use_is_late_whoever_else_says_that_the_session_was_accessed() -> None:
    """Flask does so just before the first use, whether the response has begun or not."""
    source = Source(id)
    session = Session(source, "")
    session.sealed = session.accessed = True
    assert (len(session), source.late_looks) == (1, 1)


@pytest.mark.parametrize(
    "ask",
    [
        lambda session: session.accessed,
        lambda session: session.modified,
        lambda session: session.sealed,
        lambda session: session._state,
        repr,
    ],
    ids=["accessed", "modified", "sealed", "state", "repr"],
)
def test_what_loads_nothing_is_not_reported(ask: Act) -> None:
    source = Source(id)
    session = Session(source, "")
    session.sealed = True
    ask(session)
    assert (source.loads, source.late_looks) == (0, 0)


# Sealed


LATE = (
    "The session was changed after its response had begun, so the change cannot be saved. "
    "Change it before the application returns, or, if the application is a generator, "
    "before it yields its first chunk."
)
NO_WRITES: dict[str, Act] = {
    "pop missing": lambda session: session.pop("missing", None),
    "setdefault present": lambda session: session.setdefault("a", 2),
    "update nothing": lambda session: session.update(),
    "|= nothing": lambda session: session.__ior__({}),
    "pop_flash none": lambda session: session.pop_flash("missing"),
    "flash no duplicate": lambda session: session.flash("hello", "old", allow_duplicate=False),
}


def fill(session: Session) -> None:
    session["a"] = 1
    session.flash("hello", "old")


def sealed(use: Act) -> Session:
    """Return the session of a request whose response has begun, and that did not use it."""
    kept: list[Session] = []
    visit(kept.append, visit(use).cookie)
    return kept[0]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_change_after_the_response_has_begun_is_refused(write: Act) -> None:
    session = sealed(fill)
    with pytest.raises(LateWrite) as caught:
        write(session)
    assert str(caught.value) == LATE


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_change_that_is_refused_leaves_the_session_as_it_was(write: Act) -> None:
    session = sealed(fill)
    with pytest.raises(LateWrite):
        write(session)
    assert [*session.items()] == [("a", 1), ("_f_old", ["hello"])]
    assert session.modified is False


@pytest.mark.parametrize("write", [Session.regenerate, Session.invalidate])
def test_regenerate_that_is_refused_keeps_id_and_created(write: Act, clock: Clock) -> None:
    session = sealed(lambda session: session.id)
    before = session.id, session.created
    clock.advance(1)
    with pytest.raises(LateWrite):
        write(session)
    assert (session.id, session.created) == before


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_session_can_be_read_after_the_response_has_begun(read: Act) -> None:
    session = sealed(lambda session: session.update(a=1))
    assert outcome(read, session) == outcome(read, {"a": 1})


@pytest.mark.parametrize("use", NO_WRITES.values(), ids=NO_WRITES)
def test_write_that_changes_nothing_is_not_a_late_write(use: Act) -> None:
    session = sealed(fill)
    use(session)
    assert session == {"a": 1, "_f_old": ["hello"]}


def test_id_can_be_read_after_the_response_has_begun() -> None:
    session = sealed(lambda session: session.id)
    assert session.id == session.id


# Copies and pickles


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda session: pickle.loads(pickle.dumps(session)),  # noqa: S301 - our own
    "method": Session.copy,
}


@pytest.fixture
def session() -> Session:
    session = opened()
    session["cart"] = [1]
    return session


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_copy_is_an_independent_dict(session: Session, make: Callable[[Any], Any]) -> None:
    taken = make(session)
    taken["user"] = "ada"
    assert type(taken) is dict
    assert session == {"cart": [1]}


def test_pickle_holds_no_key(session: Session) -> None:
    """A pickled session in a task queue must not help anyone to forge cookies."""
    interface = session._source
    assert isinstance(interface, SecureCookieSessionInterface)
    assert isinstance(interface.codec, SignedCodec)
    pickled = pickle.dumps(session)
    derived = Signer(KEY, interface.codec.salt, key_derivation="hmac", digest_method=sha256)
    assert not any(key in pickled for key in (KEY.encode(), derived.derive_key()))


# The class


def test_session_is_a_mutable_mapping() -> None:
    assert isinstance(opened(), MutableMapping)


@pytest.mark.parametrize("show", [repr, str, "{}".format])
def test_repr_shows_keys_but_no_values(show: Callable[[object], str]) -> None:
    session = holding(user="Ada", cart=["tea"])
    assert len(session) == 2
    assert show(session) == "<Session ['user', 'cart']>"


@pytest.mark.parametrize("show", [repr, str, "{}".format])
def test_repr_is_no_use_of_the_session(show: Callable[[object], str]) -> None:
    """A debugger or ``wsgiref.validate`` may print the environ."""
    session = holding(user="Ada")
    assert show({"session": session}) == "{'session': <Session unopened>}"
    assert (session.accessed, session._state) == (False, None)


def test_repr_of_what_was_loaded_shows_keys_but_no_values() -> None:
    assert repr(Loaded({"user": "ada"}, '{"user":"ada"}', 0)) == "<Loaded ['user']>"


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


# SessionMixin


def test_mixin_is_modified_and_accessed_by_default() -> None:
    session = MySession()
    assert (session.new, session.modified, session.accessed) == (False, True, True)


def test_mixin_keeps_permanent_in_the_data() -> None:
    session = MySession()
    assert session.permanent is False
    session.permanent = True
    assert session.permanent is True
    assert session == {"_permanent": True}


def test_mixin_removes_permanent_from_the_data() -> None:
    session = MySession(_permanent=True)
    session.permanent = False
    session.permanent = False
    assert session == {}
