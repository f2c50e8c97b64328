"""Sessions and revocations kept in Redis or Valkey.

pip install 'sessionware[redis]'
"""

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any, Protocol, Self, runtime_checkable

from .envelope import Envelope, unwrap
from .errors import ConfigurationError, CookieRejected, Problem, SessionUnavailable, kind_of
from .session import Owner, plain_owner
from .store import Kept, KeptSession

VERSION_SIZE = 16
"""Characters of the version, which stands before the text."""

OWNER_LIST_MARGIN = 24 * 60 * 60
"""Seconds by which the list of an owner's sessions outlives them, as clocks of servers differ."""

MAX_WAIT = 1
"""Seconds that a client made from a URL waits for a connection, and for an answer."""

logger: logging.Logger = logging.getLogger("sessionware")

# Given the old version, the new one, the new value, and the seconds to keep it. A client may send
# the script again after a lost reply, and then finds its own value. An absent key has no version.
_REPLACE = """
local version = redis.call("GETRANGE", KEYS[1], 0, #ARGV[2] - 1)
if version == ARGV[2] then return 1 end
if version == "" or version ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[3], "EX", ARGV[4])
return 1
"""


@runtime_checkable
class Client(Protocol):
    """The methods of redis.Redis, redis.cluster.RedisCluster or valkey.Valkey that are used."""

    def get(self, name: str, /) -> Any:
        """Send GET."""

    def getdel(self, name: str, /) -> Any:
        """Send GETDEL."""

    def set(
        self, name: str, value: str, /, *, ex: int | None = ..., nx: bool = ..., get: bool = ...
    ) -> Any:
        """Send SET."""

    def execute_command(self, *words: Any) -> Any:
        """Send a command, such as EVAL, for which the pipeline of a cluster has no method."""

    def expire(self, name: str, time: int, /) -> Any:
        """Send EXPIRE."""

    def zrange(self, name: str, start: int, end: int, /, desc: bool) -> Any:
        """Send ZRANGE."""

    def zrem(self, name: str, /, *values: str) -> Any:
        """Send ZREM."""

    def pipeline(self, transaction: bool) -> Any:
        """Return a pipeline, which sends several commands at once."""


class _InRedis:
    """What both classes share: a client, a prefix, and one error for all that the client raises."""

    def __init__(self, client: Client, prefix: str, *more: Problem) -> None:
        kind = type(self).__name__
        problems = [*_client_problems(client)]
        if not isinstance(prefix, str) or not prefix:
            problems.append(
                Problem("prefix", f"found {prefix!r}, expected a str that is not empty")
            )
        problems.extend(more)
        if problems:
            raise ConfigurationError(
                problem._replace(setting=f"{kind}: {problem.setting}") for problem in problems
            )
        _warn_without_timeouts(kind, client)
        self._client = client
        self._prefix = prefix

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise SessionUnavailable(
                f"Could not {what} under {self._prefix!r}: the client raised "
                f"{type(error).__qualname__}, which is the cause of this error. Check that the "
                "server is up and reachable, and that the client's socket_timeout leaves it enough "
                "time to answer."
            ) from error

    def _of_owner(self, kind: str, owner: Owner) -> str:
        plain = plain_owner(owner, "owner")
        name = f"{type(plain).__name__}\0{plain}"  # 1 and "1" are two owners
        hashed = sha256(name.encode(errors="surrogatepass")).hexdigest()
        return f"{self._prefix}{kind}:{hashed}"

    def _renew(self, stamp: str) -> None:
        # Without a time to live, so that it holds whatever the timeouts are.
        self._client.set(stamp, secrets.token_urlsafe(8))


class RedisStore(_InRedis):
    """Sessions in Redis 7.0, Valkey 7.2 or newer, for ``store=``.

    ``client`` is a redis.Redis, redis.cluster.RedisCluster or valkey.Valkey with time-outs, or one
    that ``from_url`` makes. It may be made before a fork.

    Each session is JSON text of at most ``limit`` bytes, under the prefix and its hashed id, and
    expires by Redis' own time to live. A sorted set lists the sessions of an owner. Raises
    ConfigurationError with every problem, and SessionUnavailable if the client raises; the
    client's time-outs decide how soon.
    """

    def __init__(self, client: Client, prefix: str = "session:", limit: int = 1024 * 1024) -> None:
        problems = []
        if type(limit) is not int or limit < 1:
            problems.append(
                Problem("limit", f"found {limit!r}, expected a number of bytes, an int from 1")
            )
        super().__init__(client, prefix, *problems)
        self.limit = limit

    @classmethod
    def from_url(
        cls,
        url: str,
        prefix: str = "session:",
        limit: int = 1024 * 1024,
        **client_options: Any,
    ) -> Self:
        """Return a store whose client is made from a URL, such as ``"redis://localhost:6379/0"``.

        Its time-outs are one second, and it sends nothing again: a command whose reply was lost
        may have run. The options are those of the client, such as ``socket_timeout=5``.
        """
        return cls(_client_of(url, client_options), prefix, limit)

    def load(self, key: str, /) -> Kept | None:
        """Return the text that was saved last, and its version, or ``None`` if there is none."""
        with self._asking("load a session"):
            value = self._value(self._client.get, key)
        return None if value is None else Kept(value[VERSION_SIZE:], value[:VERSION_SIZE])

    def create(self, key: str, text: str, /, *, seconds: int, owner: Owner | None) -> bool:
        """Save a new session, and list it under its owner. Return ``False`` if the key is in use.

        With an owner, this takes a second round trip.
        """
        value = f"{_new_version()}{text}"
        with self._asking("save a session"):
            found = self._client.set(self._prefix + key, value, ex=seconds, nx=True, get=True)
            # A client may send SET again after a lost reply, and then finds its own value.
            created = _decoded(found) in (None, value)
            if created and owner is not None:
                with self._client.pipeline(transaction=False) as pipeline:
                    self._enlist(pipeline, key, seconds, owner)
                    _answers(pipeline)
            return created

    def replace(
        self, key: str, text: str, /, *, version: str, seconds: int, owner: Owner | None
    ) -> bool:
        """Save the session if it still has this version."""
        name, new = self._prefix + key, _new_version()
        words = "EVAL", _REPLACE, 1, name, version, new, f"{new}{text}", seconds
        return self._write(key, seconds, owner, lambda client: client.execute_command(*words))

    def touch(self, key: str, /, *, seconds: int, owner: Owner | None) -> bool:
        """Keep the session for ``seconds`` from now on. Return ``False`` if there is none."""
        name = self._prefix + key
        return self._write(key, seconds, owner, lambda client: client.expire(name, seconds))

    def delete(self, key: str, /) -> bool:
        """End one session, such as one of ``sessions_of``. Return whether there was one."""
        with self._asking("end a session"):
            value = self._value(self._client.getdel, key)
            kept = _kept(value)
            if kept is not None and kept.owner is not None:
                with suppress(Exception):  # The session has ended, and leaves the list in time.
                    self._client.zrem(self._of_owner("owner", kept.owner), key)
            return value is not None

    def sessions_of(self, owner: Owner, most: int = 100) -> list[KeptSession]:
        """Return up to ``most`` sessions of the owner, those with the most time left first."""
        listed, what = self._of_owner("owner", owner), "list an owner's sessions"
        with self._asking(what), self._client.pipeline(transaction=False) as pipeline:
            keys = self._keys(listed, most)
            for key in keys:
                pipeline.get(self._prefix + key)
                pipeline.ttl(self._prefix + key)
            answers = _answers(pipeline)
        found = zip(keys, map(_kept, map(_decoded, answers[::2])), answers[1::2], strict=True)
        # A session may belong to another owner now, or have ended meanwhile.
        return [
            KeptSession(key, kept.data, seconds)
            for key, kept, seconds in found
            if kept is not None and kept.data is not None and _is_of(kept, owner) and seconds >= 0
        ]

    def stamp(self, owner: Owner, /) -> str:
        """Return the owner's stamp: a text that changes with ``revoke_owner``."""
        stamp = self._of_owner("stamp", owner)
        with self._asking("check an owner"):
            return _decoded(self._client.get(stamp)) or ""

    def revoke_owner(self, owner: Owner) -> int:
        """End all sessions of the owner, and return how many there were."""
        listed, stamp = self._of_owner("owner", owner), self._of_owner("stamp", owner)
        what = "end an owner's sessions"
        with self._asking(what), self._client.pipeline(transaction=False) as pipeline:
            # First: a session that is created too late for the list finds that its stamp is old.
            self._renew(stamp)
            for key in self._keys(listed):
                pipeline.delete(self._prefix + key)
            return sum(_answers(pipeline))

    def _write(
        self, key: str, seconds: int, owner: Owner | None, send: Callable[[Any], Any]
    ) -> bool:
        """Send a command, in one round trip with those that list the session under its owner."""
        with self._asking("save a session"):
            if owner is None:
                return bool(send(self._client))
            with self._client.pipeline(transaction=False) as pipeline:
                self._enlist(pipeline, key, seconds, owner)
                send(pipeline)
                return bool(_answers(pipeline)[-1])

    def _enlist(self, pipeline: Any, key: str, seconds: int, owner: Owner) -> None:
        listed, life, now = self._of_owner("owner", owner), seconds + OWNER_LIST_MARGIN, time.time()
        pipeline.zadd(listed, {key: now + life})
        pipeline.zremrangebyscore(listed, "-inf", now)
        # The list lives as long as the last of its sessions.
        pipeline.expire(listed, life, nx=True)
        pipeline.expire(listed, life, gt=True)

    def _value(self, ask: Callable[[str], Any], key: str) -> str | None:
        try:
            return _decoded(ask(self._prefix + key))
        except UnicodeDecodeError:
            return ""  # From a client with decode_responses: not ours, and "" is not JSON.

    def _keys(self, listed: str, most: int = 0) -> list[str]:
        found = self._client.zrange(listed, 0, most - 1, desc=True)
        return [_decoded(key) or "" for key in found]


class RedisRevocations(_InRedis):
    """The list of ended sessions in Redis or Valkey, for ``revocations=``.

    An ended session is a key with a time to live. An owner whose sessions were all ended is a key
    without one, so that this holds whatever the timeouts are. Raises the same as RedisStore.
    """

    def __init__(self, client: Client, prefix: str = "revoked:") -> None:
        super().__init__(client, prefix)

    @classmethod
    def from_url(cls, url: str, prefix: str = "revoked:", **client_options: Any) -> Self:
        """Return a list whose client is made from a URL, as ``RedisStore.from_url`` does."""
        return cls(_client_of(url, client_options), prefix)

    def revoke(self, key: str, seconds: int, /) -> bool:
        """Refuse the key for ``seconds``. Return ``False`` if it is refused already."""
        with self._asking("end a session"):
            # A client may send SET again after a lost reply, and has to get the same answer.
            ours = secrets.token_urlsafe(8)
            found = self._client.set(self._prefix + key, ours, ex=seconds, nx=True, get=True)
            return _decoded(found) in (None, ours)

    def check(self, key: str, owner: Owner | None, /) -> str | None:
        """Return ``None`` if the key is refused, or else the owner's stamp."""
        with self._asking("check a session"), self._client.pipeline(transaction=False) as pipeline:
            pipeline.get(self._prefix + key)
            if owner is not None:
                pipeline.get(self._of_owner("stamp", owner))
            refused, *stamp = _answers(pipeline)
        if refused is not None:
            return None
        return _decoded(stamp[0]) or "" if stamp else ""

    def revoke_owner(self, owner: Owner) -> None:
        """End all present sessions of the owner: log out everywhere."""
        stamp = self._of_owner("stamp", owner)
        with self._asking("end an owner's sessions"):
            self._renew(stamp)


def _answers(pipeline: Any) -> list[Any]:
    """Send the commands of the pipeline in one round trip, and return the replies."""
    # By default, the client raises an error that quotes the command with its data.
    answers: list[Any] = pipeline.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _decoded(answer: str | bytes | None) -> str | None:
    """Return the reply as text, or ``""`` if it is not ASCII and so not ours."""
    if isinstance(answer, bytes):
        return answer.decode() if answer.isascii() else ""
    return answer


def _new_version() -> str:
    return secrets.token_hex(VERSION_SIZE // 2)


def _kept(value: str | None) -> Envelope | None:
    """Return the stored session, or ``None`` if the value is not ours."""
    try:
        return unwrap((value or "")[VERSION_SIZE:])
    except CookieRejected:
        return None


def _is_of(kept: Envelope, owner: Owner) -> bool:
    plain = plain_owner(owner, "owner")
    return type(kept.owner) is type(plain) and kept.owner == plain


def _client_of(url: object, options: dict[str, Any]) -> Any:
    """Return a client that fails within seconds if the server does not answer, or a Problem."""
    expected = "expected one such as 'redis://localhost:6379/0'"
    if not isinstance(url, str):
        return Problem("url", f"found {kind_of(url)}, {expected}")
    library, kind = ("valkey", "Valkey") if url.startswith("valkey") else ("redis", "Redis")
    try:
        made_by: Any = getattr(import_module(library), kind)
        never = import_module(f"{library}.backoff").NoBackoff()
        retry = import_module(f"{library}.retry").Retry(never, 0)
    except ImportError:
        told = f"found a URL for the package {library}, which is not installed"
        return Problem("url", told, f"pip install {library}")
    waits = {"socket_timeout": MAX_WAIT, "socket_connect_timeout": MAX_WAIT, "retry": retry}
    try:
        client = made_by.from_url(url, **waits | options)
        _connection_of(client)
    except ValueError:  # Its text may quote a part of the URL, and so of the password.
        return Problem("url", f"found a str that is no URL of a server, {expected}")
    except TypeError as error:
        return Problem("client_options", f"found one that {library} does not know ({error})")
    return client


def _connection_of(client: Any) -> Any:
    """Return a connection such as the client opens, or ``None`` if it does not tell."""
    if hasattr(client, "nodes_manager"):
        node = client.get_default_node()
        client = getattr(node, "redis_connection", None) or node.valkey_connection
    pool = getattr(client, "connection_pool", None)
    return None if pool is None else pool.connection_class(**pool.connection_kwargs)


def _warn_without_timeouts(kind: str, client: object) -> None:
    connection, names = _connection_of(client), ("socket_timeout", "socket_connect_timeout")
    missing = [name for name in names if getattr(connection, name, 0) is None]
    if missing:
        message = (
            f"{kind}: the client has no {' and no '.join(missing)}, so requests may wait for ever: "
            f"set it to a few seconds, or use {kind}.from_url (no_timeout)."
        )
        logger.warning(message, extra={"reason": "no_timeout"})


def _client_problems(client: object) -> Iterator[Problem]:
    expected = "expected a redis.Redis, redis.cluster.RedisCluster or valkey.Valkey"
    pool = getattr(client, "connection_pool", None)
    if isinstance(client, Problem):
        yield client
    elif isinstance(client, type):
        yield Problem("client", f"found {kind_of(client)}, {expected}")
    elif iscoroutinefunction(getattr(client, "execute_command", None)):
        yield Problem("client", f"found an asyncio client, which WSGI cannot use; {expected}")
    elif not isinstance(client, Client):
        yield Problem("client", f"found {kind_of(client)}, {expected}")
    elif hasattr(client, "command_stack") or hasattr(client, "cluster_client"):
        yield Problem(
            "client", f"found a pipeline, which does not send its commands by itself; {expected}"
        )
    elif getattr(client, "connection", None) is not None:
        yield Problem(
            "client",
            "found a client with a single connection, on which processes mix up their answers",
            "make it without single_connection_client",
        )
    elif getattr(client, "get_cache", lambda: None)() is not None:
        yield Problem(
            "client",
            "found a client with its own cache, which may not know of a log-out yet",
            "make it without cache_config",
        )
    elif getattr(pool, "is_master", True) is False:
        yield Problem(
            "client",
            "found a client of a replica, which may not know of a log-out yet, and cannot write",
            "use Sentinel.master_for",
        )
    elif any(getattr(client, name, None) for name in _REPLICAS):
        yield Problem(
            "client",
            "found a client that reads from replicas, which may not know of a log-out yet",
            f"make it without {' and '.join(_REPLICAS)}",
        )


_REPLICAS = ("read_from_replicas", "load_balancing_strategy")
