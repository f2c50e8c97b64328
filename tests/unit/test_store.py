"""The two contracts, which any object meets that has their parts, and what they hand over."""

import pytest
from redis import Redis

from sessionware.redis import RedisRevocations, RedisStore
from sessionware.store import KeptSession, Revocations, Store
from tests.sites import MemoryRevocations, MemoryStore

PARTS: dict[type, list[str]] = {
    Store: ["limit", "load", "save", "delete"],
    Revocations: ["revoke", "check"],
}


def having(parts: list[str]) -> object:
    """Return an object with these parts and no other."""
    return type("Anything", (), {part: lambda *_: None for part in parts})()


@pytest.mark.parametrize("contract", PARTS)
def test_object_with_every_part_meets_the_contract(contract: type) -> None:
    assert isinstance(having(PARTS[contract]), contract)


@pytest.mark.parametrize(
    ("contract", "part"), [(contract, part) for contract, parts in PARTS.items() for part in parts]
)
def test_object_without_a_part_does_not(contract: type, part: str) -> None:
    assert not isinstance(having([each for each in PARTS[contract] if each != part]), contract)


def test_the_package_s_own_and_those_of_the_tests_meet_their_contract() -> None:
    with Redis() as client:
        assert isinstance(RedisStore(client), Store)
        assert isinstance(RedisRevocations(client), Revocations)
    assert isinstance(MemoryStore(), Store)
    assert isinstance(MemoryRevocations(), Revocations)


def test_kept_session_shows_no_values() -> None:
    assert repr(KeptSession("key", {"n": "a value"}, 9)) == "<KeptSession ['n']>"
