"""What RedisStore and RedisRevocations are made of, checked when they are made."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio
import valkey
import valkey.asyncio

from sessionware import ConfigurationError
from sessionware.redis import RedisRevocations, RedisStore
from tests.processes import ROOT

EXPECTED = "expected a redis.Redis, redis.cluster.RedisCluster or valkey.Valkey"


class FromReplicas(redis.Redis):
    read_from_replicas = True


class ByStrategy(redis.Redis):
    load_balancing_strategy = "round robin"


def problems(make: Callable[..., object], *arguments: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        make(*arguments)
    return caught.value.problems


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
@pytest.mark.parametrize(
    ("client", "found"),
    [
        (None, "NoneType"),
        ("redis://127.0.0.1", "str"),
        ({}, "dict"),
        (redis.Redis, "the class Redis"),
        (valkey.Valkey, "the class Valkey"),
    ],
)
def test_client_is_one_that_can_be_asked(
    make: type[RedisStore | RedisRevocations], client: Any, found: str
) -> None:
    assert problems(make, client) == (f"{make.__name__}: client: found {found}, {EXPECTED}",)


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
@pytest.mark.parametrize("module", [redis.asyncio, valkey.asyncio])
def test_asyncio_client_is_refused(make: type[RedisStore | RedisRevocations], module: Any) -> None:
    client = module.from_url("redis://127.0.0.1")
    [problem] = problems(make, client)
    assert "found an asyncio client, which WSGI has no use for" in problem


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
@pytest.mark.parametrize("kind", [FromReplicas, ByStrategy])
def test_client_that_reads_from_replicas_is_refused(
    make: type[RedisStore | RedisRevocations], kind: type[redis.Redis]
) -> None:
    with kind() as client:
        [problem] = problems(make, client)
    assert "reads from replicas, which may not know of a log-out yet" in problem


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
@pytest.mark.parametrize("prefix", ["", None, b"session:", 1])
def test_prefix_is_text(make: type[RedisStore | RedisRevocations], prefix: Any) -> None:
    with redis.Redis() as client:
        assert problems(make, client, prefix) == (
            f"{make.__name__}: prefix: found {prefix!r}, expected a str that is not empty",
        )


@pytest.mark.parametrize("limit", [0, -1, 1.0, True, None, "1"])
def test_limit_is_a_number_of_bytes(limit: Any) -> None:
    with redis.Redis() as client:
        assert problems(RedisStore, client, "session:", limit) == (
            f"RedisStore: limit: found {limit!r}, expected a number of bytes, an int from 1",
        )


def test_all_problems_are_told_at_once() -> None:
    told = problems(RedisStore, None, "", 0)
    assert [problem.split(":")[1] for problem in told] == [" client", " prefix", " limit"]


def test_neither_redis_nor_valkey_is_imported() -> None:
    code = "import sys, sessionware.redis; sys.exit(len({'redis', 'valkey'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0  # noqa: S603
