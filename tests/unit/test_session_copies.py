"""What leaves the session: copies and pickles are plain data."""

import copy
import pickle
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from itsdangerous import Signer

from sessionware import SecureCookieSessionInterface, Session
from sessionware.codec import SignedCodec
from sessionware.source import Loaded
from tests.gateway import KEY, make_environ

COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda session: pickle.loads(pickle.dumps(session)),  # noqa: S301 - our own
    "method": Session.copy,
}


@pytest.fixture
def session() -> Session:
    opened = SecureCookieSessionInterface(KEY).open_session(make_environ())
    assert isinstance(opened, Session)
    opened["cart"] = [1]
    return opened


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_copy_is_a_plain_dict_of_its_own(session: Session, make: Callable[[Any], Any]) -> None:
    taken = make(session)
    taken["user"] = "ada"
    assert type(taken) is dict
    assert session == {"cart": [1]}


def test_pickle_holds_no_key(session: Session) -> None:
    """A session in a task queue must not hand out the means to forge cookies."""
    interface = session._source
    assert isinstance(interface, SecureCookieSessionInterface)
    assert isinstance(interface.codec, SignedCodec)
    pickled = pickle.dumps(session)
    derived = Signer(KEY, interface.codec.salt, key_derivation="hmac", digest_method=sha256)
    assert not any(key in pickled for key in (KEY.encode(), derived.derive_key()))


def test_what_was_loaded_shows_its_keys_and_never_its_values() -> None:
    assert repr(Loaded({"user": "ada"}, '{"user":"ada"}', 0)) == "<Loaded ['user']>"
