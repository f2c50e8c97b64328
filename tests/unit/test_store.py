"""The protocols Store and Revocations, and KeptSession."""

import pytest
from redis import Redis

from sessionware.redis import RedisRevocations, RedisStore
from sessionware.store import KeptSession, Revocations, Store
from tests.sites import MemoryRevocations, MemoryStore

PARTS: dict[type, list[str]] = {
    Store: ["limit", "load", "create", "replace", "touch", "delete"],
    Revocations: ["revoke", "check"],
}


def having(parts: list[str]) -> object:
    """Return an object with only these attributes."""
    return type("Anything", (), {part: lambda *_: None for part in parts})()


@pytest.mark.parametrize("protocol", PARTS)
def test_object_with_every_attribute_is_an_instance(protocol: type) -> None:
    assert isinstance(having(PARTS[protocol]), protocol)


@pytest.mark.parametrize(
    ("protocol", "part"), [(protocol, part) for protocol, parts in PARTS.items() for part in parts]
)
def test_object_without_an_attribute_is_not(protocol: type, part: str) -> None:
    assert not isinstance(having([each for each in PARTS[protocol] if each != part]), protocol)


def test_our_stores_and_revocations_are_instances() -> None:
    with Redis() as client:
        assert isinstance(RedisStore(client), Store)
        assert isinstance(RedisRevocations(client), Revocations)
    assert isinstance(MemoryStore(), Store)
    assert isinstance(MemoryRevocations(), Revocations)


def test_kept_session_shows_no_values() -> None:
    assert repr(KeptSession("key", {"n": "a value"}, 9)) == "<KeptSession ['n']>"
