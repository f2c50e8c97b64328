"""RedisStore and RedisRevocations without a server: their settings, and their errors."""

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import redis
from redis import exceptions
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
@pytest.mark.parametrize("library", ["redis", "valkey"])
def test_asyncio_client_of_a_cluster_is_refused(
    make: type[RedisStore | RedisRevocations], library: str
) -> None:
    require(library)
    kind = {"redis": "RedisCluster", "valkey": "ValkeyCluster"}[library]
    client = getattr(import_module(f"{library}.asyncio.cluster"), kind)
    # Without __init__, which wants a loop.
    [problem] = problems(make, client.__new__(client))
    assert "found an asyncio client, which WSGI cannot use" in problem


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
@pytest.mark.parametrize("library", ["redis", "valkey"])
def test_client_of_a_replica_is_refused(
    make: type[RedisStore | RedisRevocations], library: str
) -> None:
    require(library)
    sentinel: Any = import_module(f"{library}.sentinel").Sentinel([("127.0.0.1", 1)])
    with sentinel.slave_for("primary") as client:
        [problem] = problems(make, client)
    assert problem.endswith("and cannot write; use Sentinel.master_for")
    with sentinel.master_for("primary") as client:
        make(client)


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


# From a URL


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
@pytest.mark.parametrize(("library", "name"), [("redis", "Redis"), ("valkey", "Valkey")])
def test_client_from_a_url_waits_for_a_second_and_tries_once(
    make: type[RedisStore | RedisRevocations], library: str, name: str, caplog: Any
) -> None:
    require(library)
    its: Any = make.from_url(f"{library}://:{SECRET}@server:7000/3", "shop:")
    settings = its._client.connection_pool.connection_kwargs
    assert type(its._client).__name__ == name
    assert (settings["host"], settings["port"], settings["db"]) == ("server", 7000, 3)
    assert (settings["socket_timeout"], settings["socket_connect_timeout"]) == (1, 1)
    assert settings["retry"]._retries == 0
    assert caplog.records == []


def test_options_are_those_of_the_client() -> None:
    its: Any = RedisStore.from_url("redis://", "shop:", 100, socket_timeout=5, client_name="shop")
    settings = its._client.connection_pool.connection_kwargs
    assert (settings["socket_timeout"], settings["socket_connect_timeout"]) == (5, 1)
    assert (its.limit, settings["client_name"]) == (100, "shop")


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
@pytest.mark.parametrize("url", [None, "", "server", "http://server", "redis://server:secret/0"])
def test_what_is_no_url_is_refused_and_not_shown(
    make: type[RedisStore | RedisRevocations], url: Any
) -> None:
    found = "NoneType" if url is None else "a str that is no URL of a server"
    assert problems(make.from_url, url) == (
        f"{make.__name__}: url: found {found}, expected one such as 'redis://localhost:6379/0'",
    )


def test_unknown_option_of_the_client_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"client_options: .* argument 'socket_timout'"):
        RedisStore.from_url("redis://", socket_timout=1)


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
@pytest.mark.parametrize(
    ("library", "missing"), [("redis", "'sessionware[redis]'"), ("valkey", "valkey")]
)
def test_missing_package_is_named(
    make: type[RedisStore | RedisRevocations],
    library: str,
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    assert problems(make.from_url, f"{library}://server") == (
        f"{make.__name__}: url: found a URL for the package {library}, which is not installed; "
        f"pip install {missing}",
    )


def test_all_problems_of_a_url_and_the_rest_are_reported_at_once() -> None:
    told = problems(RedisStore.from_url, "server", "", 0)
    assert [problem.split(":")[1] for problem in told] == [" url", " prefix", " limit"]


# Time-outs


@pytest.mark.parametrize("make", [RedisStore, RedisRevocations])
@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({"socket_timeout": None, "socket_connect_timeout": 1}, "no socket_timeout"),
        (
            {"socket_timeout": None, "socket_connect_timeout": None},
            "no socket_timeout and no socket_connect_timeout",
        ),
    ],
)
def test_client_without_time_outs_is_warned_about_once(
    make: type[RedisStore | RedisRevocations], settings: Any, missing: str, caplog: Any
) -> None:
    with redis.Redis(**settings) as client:
        make(client)
    [record] = caplog.records
    assert (record.name, record.levelname, record.reason) == (
        "sessionware",
        "WARNING",
        "no_timeout",
    )
    assert record.getMessage() == (
        f"{make.__name__}: the client has {missing}, so requests may wait for ever: set it to a "
        f"few seconds, or use {make.__name__}.from_url (no_timeout)."
    )


def test_client_with_time_outs_is_not_warned_about(caplog: Any) -> None:
    """A connection that is to be made in no time of its own is made in that of an answer."""
    with redis.Redis(socket_timeout=1, socket_connect_timeout=None) as client:
        RedisStore(client)
    assert caplog.records == []


class OfAnotherKind:
    """A client that is made in another way than redis and valkey make theirs."""

    mget = set = delete = expire = zrevrange = scan_iter = execute_command = pipeline = print


def test_client_that_does_not_tell_its_time_outs_is_not_warned_about(caplog: Any) -> None:
    client: Any = OfAnotherKind()
    RedisStore(client)
    assert caplog.records == []


# The error message


class Raising(redis.Redis):
    """A client whose commands all raise an error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def execute_command(self, *args: Any, **options: Any) -> Any:
        raise self.error

    def pipeline(self, *args: Any, **options: Any) -> Any:
        raise self.error


@pytest.mark.parametrize("key", ["", "stamp:", "owner:x", "\0", "\ud800"])
def test_text_from_a_form_that_is_no_key_ends_nothing(key: str) -> None:
    with Raising(OSError()) as client:
        assert RedisStore(client).end("ann", key) is False


@pytest.mark.parametrize("most", [0, -1])
def test_no_session_is_listed_if_none_is_asked_for(most: int) -> None:
    with Raising(OSError()) as client:
        assert RedisStore(client).sessions_of("ann", most) == []


class Interrupted(BaseException):
    """Such as a time-out of gevent's."""


def test_interrupted_client_gives_up_its_connections() -> None:
    """How the next request would else get the answer to this one: stores/test_gevent.py."""
    with Raising(Interrupted()) as client:  # type: ignore[arg-type]  # raised all the same
        store, given_up = RedisStore(client), []
        client.connection_pool.disconnect = lambda **options: given_up.append(options)
        with pytest.raises(Interrupted):
            store.load("key")
        assert given_up == [{"inuse_connections": False}]


def test_client_without_a_pool_of_connections_may_be_interrupted() -> None:
    with Raising(Interrupted()) as client:  # type: ignore[arg-type]  # raised all the same
        store, pool = RedisStore(client), client.connection_pool
        del client.connection_pool
        with pytest.raises(Interrupted):
            store.load("key")
        client.connection_pool = pool


Asking = Callable[[RedisStore, RedisRevocations], object]


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda store, _: store.load("key"), "load a session under 'shop:'"),
        (
            lambda store, _: store.create("key", SECRET, seconds=1, owner="ann"),
            "save a session under 'shop:'",
        ),
        (
            lambda store, _: store.replace("key", SECRET, version="1" * 48, seconds=1, owner="ann"),
            "save a session under 'shop:'",
        ),
        (
            lambda store, _: store.touch("key", seconds=1, owner=None),
            "save a session under 'shop:'",
        ),
        (lambda store, _: store.delete("key"), "end a session under 'shop:'"),
        (lambda store, _: store.end("ann", "key"), "end a session under 'shop:'"),
        (lambda store, _: store.sessions_of("ann"), "list an owner's sessions under 'shop:'"),
        (lambda store, _: store.stamp("ann"), "check an owner under 'shop:'"),
        (lambda store, _: store.revoke_owner("ann"), "end an owner's sessions under 'shop:'"),
        (lambda store, _: store.revoke_all(), "end all sessions under 'shop:'"),
        (lambda _, ended: ended.check("key", "ann"), "check a session under 'gone:'"),
        (lambda _, ended: ended.revoke("key", 9), "end a session under 'gone:'"),
        (lambda _, ended: ended.revoke_owner("ann"), "end an owner's sessions under 'gone:'"),
        (lambda _, ended: ended.revoke_all(), "end all sessions under 'gone:'"),
    ],
)
def test_error_says_what_failed_and_what_to_do_and_shows_no_data(ask: Asking, what: str) -> None:
    with (
        Raising(OSError(SECRET)) as client,
        pytest.raises(SessionUnavailable) as caught,
    ):
        ask(RedisStore(client, "shop:"), RedisRevocations(client, "gone:"))
    assert isinstance(caught.value.__cause__, OSError)
    assert str(caught.value) == (
        f"Could not {what}; the client raised OSError. Check that the server is up and reachable, "
        "and that the client's socket_timeout leaves it enough time to answer."
    )


CHECK = (
    "Check that the server is up and reachable, and that the client's socket_timeout leaves it "
    "enough time to answer."
)
CLUSTER = "The server is part of a cluster: use a RedisCluster."


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (exceptions.ConnectionError(SECRET), f"the client raised ConnectionError. {CHECK}"),
        (exceptions.TimeoutError(SECRET), f"the client raised TimeoutError. {CHECK}"),
        (
            exceptions.RedisClusterException(SECRET),
            f"the client raised RedisClusterException. {CHECK}",
        ),
        (exceptions.MaxConnectionsError(SECRET), "the client raised MaxConnectionsError."),
        (exceptions.DataError(SECRET), "the client raised DataError."),
        (ValueError(SECRET), "the client raised ValueError."),
        (
            exceptions.NoPermissionError(
                f"User {SECRET} has no permissions to run the 'set' command"
            ),
            "the server says: NOPERM for SET. Allow the client's user +set.",
        ),
        (
            exceptions.NoPermissionError(
                f"User {SECRET} has no permissions to run the 'cluster|slots' command"
            ),
            "the server says: NOPERM for CLUSTER|SLOTS. Allow the client's user +cluster|slots.",
        ),
        (
            exceptions.NoPermissionError(f"No permissions to access a key, {SECRET}"),
            "the server says: NOPERM. Allow the client's user the keys ~shop:*.",
        ),
        (
            exceptions.OutOfMemoryError(
                f"command not allowed. script: {'0' * 40}, on @user_script:1."
            ),
            "the server says: OOM command not allowed. Make room, or raise maxmemory. Keep the "
            "policy noeviction: others drop sessions.",
        ),
        (
            exceptions.ReadOnlyError("You can't write."),
            "the server says: READONLY You can't write. It is a replica: use a client that is "
            "connected to the primary.",
        ),
        (
            exceptions.AuthenticationError("invalid username-password pair."),
            "the server says: NOAUTH invalid username-password pair. Check the client's user name "
            "and password.",
        ),
        (
            exceptions.BusyLoadingError("Redis is loading."),
            "the server says: LOADING Redis is loading.",
        ),
        (exceptions.ClusterCrossSlotError("."), f"the server says: CROSSSLOT. {CLUSTER}"),
        (exceptions.MovedError("1 server:1"), f"the server says: MOVED 1 server:1. {CLUSTER}"),
        (
            exceptions.ResponseError("WRONGTYPE Operation"),
            "the server says: WRONGTYPE Operation. Give the application a prefix of its own.",
        ),
        (
            exceptions.ResponseError(f"unknown command 'EVAL', with args beginning with: {SECRET}"),
            "the server says: unknown command 'EVAL'.",
        ),
        (
            exceptions.ResponseError(f"NOREPLICAS Not enough.\n{SECRET}"),
            "the server says: NOREPLICAS Not enough.",
        ),
    ],
    ids=lambda part: type(part).__name__ if isinstance(part, Exception) else "",
)
def test_error_names_what_the_server_says_and_not_what_it_was_sent(
    error: Exception, said: str
) -> None:
    with Raising(error) as client, pytest.raises(SessionUnavailable) as caught:
        RedisStore(client, "shop:").load("key")
    assert str(caught.value) == f"Could not load a session under 'shop:'; {said}"
