"""Answers of Redis that are lost, late or missing in the middle of something."""

from typing import Any

import pytest
from redis import Redis
from redis.cache import CacheConfig

from sessionware import ConfigurationError
from sessionware.redis import KeptSession, RedisRevocations, RedisStore
from tests.stores.servers import Backend, servers_of


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Backend:
    return servers_of(request.config).backend("redis")


class Repeating(Redis):
    """Sends each command twice, as a client does that has lost the first answer."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        send: Any = super().execute_command
        send(*args, **options)
        return send(*args, **options)


def test_new_session_whose_first_answer_was_lost_is_saved(backend: Backend) -> None:
    store = RedisStore(backend.client)
    assert store.save("key", '{"a":1}', new=True, seconds=9, owner=None)
    assert store.save("key", '{"a":1}', new=True, seconds=9, owner=None)
    assert not store.save("key", '{"a":2}', new=True, seconds=9, owner=None)


def test_session_whose_end_was_sent_twice_has_ended_once(backend: Backend) -> None:
    revocations = RedisRevocations(Repeating(port=backend.port))
    assert revocations.revoke("key", 9)
    assert not revocations.revoke("key", 9)


def test_prolonged_session_keeps_what_is_there(backend: Backend) -> None:
    store = RedisStore(backend.client)
    store.save("key", '{"a":1}', new=True, seconds=9, owner=None)
    assert store.save("key", None, new=False, seconds=99, owner="ann")
    assert store.load("key") == '{"a":1}'
    assert 90 < backend.client.ttl("session:key") <= 99
    store.delete("key")
    assert not store.save("key", None, new=False, seconds=99, owner="ann")
    assert store.load("key") is None


def test_session_ends_also_where_its_list_does_not_answer(backend: Backend) -> None:
    store = RedisStore(backend.client)
    store.save("key", '{"_owner":["ann",""]}', new=True, seconds=9, owner="ann")
    [listed] = [key for key in backend.content() if "owner" in key]
    backend.client.set(listed, "not a list")
    assert store.delete("key")
    assert store.load("key") is None


def test_devices_are_limited_and_show_no_values(backend: Backend) -> None:
    store = RedisStore(backend.client)
    for number in range(3):
        text = f'{{"_owner":["ann",""],"n":{number}}}'
        store.save(str(number), text, new=True, seconds=10 + number, owner="ann")
    assert [kept.data["n"] for kept in store.sessions_of("ann", most=2)] == [2, 1]
    assert repr(KeptSession("key", {"n": "a value"}, 9)) == "<KeptSession ['n']>"
    assert store.revoke_owner("ann") == 3


def test_client_that_would_lose_or_remember_too_much_is_refused(backend: Backend) -> None:
    with pytest.raises(ConfigurationError, match="found a pipeline, which would keep the commands"):
        RedisStore(backend.client.pipeline())
    caching = Redis(port=backend.port)
    caching.get_cache = lambda: CacheConfig()  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(ConfigurationError, match="found one with a cache of its own"):
        RedisStore(caching)
