"""RedisStore and RedisRevocations without a server: their settings, and their errors."""

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import redis
from redis.cache import CacheConfig

from sessionware import ConfigurationError, SessionUnavailable
from sessionware.redis import RedisRevocations, RedisStore
from tests.processes import ROOT, require

SECRET = "a secret of the application"
EXPECTED = "expected a redis.Redis, redis.cluster.RedisCluster or valkey.Valkey"


# Settings


class FromReplicas(redis.Redis):
    read_from_replicas = True


class ByStrategy(redis.Redis):
    load_balancing_strategy = "round robin"


def problems(make: Callable[..., object], *arguments: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        make(*arguments)
    return tuple(map(str, caught.value.problems))


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
@pytest.mark.parametrize(
    ("client", "found"),
    [
        (None, "NoneType"),
        ("redis://127.0.0.1", "str"),
        ({}, "dict"),
    ],
)
def test_client_of_the_wrong_type_is_refused(
    make: type[RedisStore | RedisRevocations], client: Any, found: str
) -> None:
    assert problems(make, client) == (f"{make.__name__}: client: found {found}, {EXPECTED}",)


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
@pytest.mark.parametrize(("library", "name"), [("redis", "Redis"), ("valkey", "Valkey")])
def test_class_of_a_client_is_refused(
    make: type[RedisStore | RedisRevocations], library: str, name: str
) -> None:
    require(library)
    client = getattr(import_module(library), name)
    assert problems(make, client) == (
        f"{make.__name__}: client: found the class {name}, {EXPECTED}",
    )


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
@pytest.mark.parametrize("library", ["redis", "valkey"])
def test_asyncio_client_is_refused(make: type[RedisStore | RedisRevocations], library: str) -> None:
    require(library)
    client = import_module(f"{library}.asyncio").from_url("redis://127.0.0.1")
    [problem] = problems(make, client)
    assert "found an asyncio client, which WSGI cannot use" in problem


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
@pytest.mark.parametrize("kind", [FromReplicas, ByStrategy])
def test_client_that_reads_from_replicas_is_refused(
    make: type[RedisStore | RedisRevocations], kind: type[redis.Redis]
) -> None:
    with kind() as client:
        [problem] = problems(make, client)
    assert "reads from replicas, which may not know of a log-out yet" in problem


def test_pipeline_and_client_with_a_cache_are_refused() -> None:
    with redis.Redis() as client:
        with pytest.raises(ConfigurationError, match="found a pipeline, which does not send its"):
            RedisStore(client.pipeline())
        client.get_cache = lambda: CacheConfig()
        with pytest.raises(ConfigurationError, match="found a client with its own cache"):
            RedisStore(client)


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
@pytest.mark.parametrize("prefix", ["", None, b"session:", 1])
def test_bad_prefix_is_refused(make: type[RedisStore | RedisRevocations], prefix: Any) -> None:
    with redis.Redis() as client:
        assert problems(make, client, prefix) == (
            f"{make.__name__}: prefix: found {prefix!r}, expected a str that is not empty",
        )


@pytest.mark.parametrize("limit", [0, -1, 1.0, True, None, "1"])
def test_bad_limit_is_refused(limit: Any) -> None:
    with redis.Redis() as client:
        assert problems(RedisStore, client, "session:", limit) == (
            f"RedisStore: limit: found {limit!r}, expected a number of bytes, an int from 1",
        )


def test_all_problems_are_reported_at_once() -> None:
    told = problems(RedisStore, None, "", 0)
    assert [problem.split(":")[1] for problem in told] == [" client", " prefix", " limit"]


def test_neither_redis_nor_valkey_is_imported() -> None:
    code = "import sys, sessionware.redis; sys.exit(len({'redis', 'valkey'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0  # noqa: S603


# The error message


class Broken:
    """A client whose commands all fail, with an error message that quotes their arguments."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*arguments: object, **settings: object) -> Any:
            raise OSError(f"{arguments} {settings}")

        return fail


class BrokenClient(redis.Redis):
    get = getdel = set = expire = zrange = execute_command = pipeline = Broken().anything


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda store, _: store.load("key"), "load a session under 'shop:'"),
        (
            lambda store, _: store.create("key", SECRET, seconds=1, owner="ann"),
            "save a session under 'shop:'",
        ),
        (
            lambda store, _: store.replace("key", SECRET, version="1", seconds=1, owner="ann"),
            "save a session under 'shop:'",
        ),
        (
            lambda store, _: store.touch("key", seconds=1, owner=None),
            "save a session under 'shop:'",
        ),
        (lambda store, _: store.delete("key"), "end a session under 'shop:'"),
        (lambda store, _: store.sessions_of("ann"), "list an owner's sessions under 'shop:'"),
        (lambda store, _: store.revoke_owner("ann"), "end an owner's sessions under 'shop:'"),
        (lambda _, ended: ended.check("key", "ann"), "check a session under 'gone:'"),
        (lambda _, ended: ended.revoke("key", 9), "end a session under 'gone:'"),
        (lambda _, ended: ended.revoke_owner("ann"), "end an owner's sessions under 'gone:'"),
    ],
)
def test_error_says_what_failed_and_what_to_do_and_shows_no_data(
    ask: Callable[[RedisStore, RedisRevocations], object], what: str
) -> None:
    with BrokenClient() as client, pytest.raises(SessionUnavailable) as caught:
        ask(RedisStore(client, "shop:"), RedisRevocations(client, "gone:"))
    assert isinstance(caught.value.__cause__, OSError)
    assert str(caught.value) == (
        f"Could not {what}: the client raised OSError, which is the cause of this error. Check "
        "that the server is up and reachable, and that the client's socket_timeout leaves it "
        "enough time to answer."
    )
