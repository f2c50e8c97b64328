"""Sessions and revocations kept in Redis or Valkey.

    pip install 'sessionware[redis]'

What belongs together is sent as one script, which does all of it or nothing. In a cluster, where a
session and the list of its owner may be on two nodes, the list is written first: it may name a
session that does not exist, but it never lacks one.
"""

import logging
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from inspect import iscoroutinefunction
from itertools import chain, compress, islice
from typing import Any, Protocol, Self, runtime_checkable

from .envelope import unwrap
from .errors import ConfigurationError, CookieRejected, Problem, SessionUnavailable, kind_of
from .session import Owner, hash_of_owner
from .store import Kept, KeptSession, is_key

TAG_SIZE = 32
"""Characters of an owner's tag, a hash."""

NOBODY = "0" * TAG_SIZE
"""The tag of a session without an owner."""

_TAG_START = 16
VERSION_SIZE = _TAG_START + TAG_SIZE
"""Characters of the version, which stands before the text: random ones, then the owner's tag."""

OWNER_LIST_MARGIN = 24 * 60 * 60
"""Seconds by which the list of an owner's sessions outlives them, as clocks of servers differ."""

MAX_WAIT = 1
"""Seconds that a client made from a URL waits for a connection, and for an answer."""

MAX_AT_ONCE = 500
"""Sessions that are ended in one round trip where there may be many."""

logger: logging.Logger = logging.getLogger("sessionware")

_TAG = re.compile(f"[0-9a-f]{{{TAG_SIZE}}}")

Command = Sequence[str | int | float]
"""The words of a command. The second one is its key."""

# A script that fails is not undone. The server refuses to begin one that may not write, and here
# none begins whose user may not send each of the commands.
_CHECK = """
local commands, i = {}, 2
while ARGV[i] do
  local command = {unpack(ARGV, i + 1, i + ARGV[i])}
  if not redis.acl_check_cmd(unpack(command)) then
    return redis.error_reply("NOPERM no permissions to run the '" .. command[1] .. "' command")
  end
  commands[#commands + 1], i = command, i + 1 + ARGV[i]
end
"""
_ASK = """
local found = redis.call(unpack(table.remove(commands, 1)))
if found ~= ARGV[1] then return found end
"""
_SEND = """
local answer
for _, command in ipairs(commands) do answer = redis.call(unpack(command)) end
return answer
"""
_SCRIPT, _SCRIPT_IF = _CHECK + _SEND, _CHECK + _ASK + _SEND

_NO_LIMIT, _GONE = -1, -2
"""The answers of TTL for a key without a time to live, and for none."""

_DONE = ("OK", 1)
"""The answers to SET, and to EXPIRE and DEL."""


@runtime_checkable
class Client(Protocol):
    """The methods of redis.Redis, redis.cluster.RedisCluster or valkey.Valkey that are used."""

    def mget(self, names: Sequence[str], /) -> Any:
        """Send MGET."""

    def set(
        self, name: str, value: str, /, *, ex: int | None = ..., nx: bool = ..., get: bool = ...
    ) -> Any:
        """Send SET."""

    def delete(self, name: str, /) -> Any:
        """Send DEL."""

    def expire(self, name: str, time: int, /) -> Any:
        """Send EXPIRE."""

    def zrevrange(self, name: str, start: int, end: int, /, withscores: bool = ...) -> Any:
        """Send ZREVRANGE."""

    def scan_iter(self, match: str, count: int) -> Any:
        """Send SCAN until all keys were looked at."""

    def execute_command(self, *words: Any, **options: Any) -> Any:
        """Send a command, such as EVAL, for which the pipeline of a cluster has no method."""

    def pipeline(self, transaction: bool) -> Any:
        """Return a pipeline, which sends several commands at once."""


class _InRedis:
    """What both classes share: a client, a prefix, stamps, and one error for all that goes wrong.

    An owner's stamp is put together from the owner's own and that of all. Both are kept without a
    time to live, so that they hold whatever the timeouts are.
    """

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
        self._is_cluster = hasattr(client, "nodes_manager")

    def _texts(self, *names: str) -> list[str | None]:
        """Return what is under each name, in one round trip."""
        if not self._is_cluster:
            found = self._client.mget(names)
        else:
            with self._client.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.execute_command("GET", name)
                found = _answers(pipeline)
        return [_decoded(each) for each in found]

    def _stamp_of(self, tag: str) -> str:
        """Return the name of an owner's stamp, or for no tag, of the stamp of all."""
        return f"{self._prefix}stamp:{tag}"

    def _renew(self, tag: str) -> None:
        self._client.set(self._stamp_of(tag), secrets.token_urlsafe(8))

    # Errors

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            told = f"Could not {what} under {self._prefix!r}"
            raise SessionUnavailable(f"{told}; {_reason(error, self._prefix)}") from error
        except BaseException:
            # Such as a time-out of gevent's. A Sentinel's client keeps the connection, on which the
            # next request would get the answer to this one (redis-py #4292).
            with suppress(AttributeError):  # A cluster's has no such pool, nor the fault.
                self._client.connection_pool.disconnect(inuse_connections=False)  # type: ignore[attr-defined]
            raise


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
        """Return the text and its version, or ``None`` if the key is absent."""
        with self._asking("load a session"):
            found = self._client.execute_command("GET", self._prefix + key, **_AS_BYTES)
            value = _decoded(found)
        return None if value is None else Kept(value[VERSION_SIZE:], value[:VERSION_SIZE])

    def create(self, key: str, text: str, /, *, seconds: int, owner: Owner | None) -> bool:
        """Write the text if the key is absent, and return whether it was."""
        name, version = self._prefix + key, _new_version(owner)
        value = version + text
        # A client may send it again after a lost reply, and then finds its own value.
        with self._asking("save a session"):
            if owner is None:
                found = self._client.set(name, value, ex=seconds, nx=True, get=True)
                return _decoded(found) in (None, value)
            command = ("SET", name, value, "EX", seconds, "NX")
            joins = self._joins(key, seconds, owner)
            return self._send(command, "", joins=joins) in (*_DONE, version)

    def replace(
        self, key: str, text: str, /, *, version: str, seconds: int, owner: Owner | None
    ) -> bool:
        """Write the text if the present version is the one given, and return whether it was."""
        if len(version) != VERSION_SIZE:  # An absent key has none.
            return False
        new, former = _new_version(owner), version[-TAG_SIZE:]
        command = ("SET", self._prefix + key, f"{new}{text}", "EX", seconds)
        joins = () if owner is None else self._joins(key, seconds, owner)
        leaves = () if new.endswith(former) else self._leaves(key, former)
        with self._asking("save a session"):
            return self._send(command, version, joins=joins, leaves=leaves) in (*_DONE, new)

    def touch(self, key: str, /, *, seconds: int, owner: Owner | None) -> bool:
        """Keep the session for ``seconds`` from now on. Return ``False`` if the key is absent."""
        name = self._prefix + key
        with self._asking("save a session"):
            if owner is None:
                return bool(self._client.expire(name, seconds))
            joins = self._joins(key, seconds, owner)
            return self._send(("EXPIRE", name, seconds), _tag_of(owner), joins=joins) in _DONE

    def delete(self, key: str, /) -> bool:
        """End one session, such as one of ``sessions_of``. Return whether there was one."""
        name = self._prefix + key
        with self._asking("end a session"):
            answer = self._end(key, NOBODY)
            while isinstance(answer, str):  # The tag of its owner, or what else is there.
                is_ours = _TAG.fullmatch(answer)
                answer = self._end(key, answer) if is_ours else self._client.delete(name)
            return answer in _DONE

    def sessions_of(self, owner: Owner, most: int = 100) -> list[KeptSession]:
        """Return up to ``most`` sessions of the owner, those with the most time left first.

        One that someone has given no time to live has the seconds that it was last saved for.
        """
        tag, now = _tag_of(owner), time.time()
        if most < 1:
            return []
        with self._asking("list an owner's sessions"):
            listed = self._client.zrevrange(self._list_of(tag), 0, most - 1, withscores=True)
            with self._client.pipeline(transaction=False) as pipeline:
                for key, _ in listed:
                    name = self._prefix + _decoded(key)
                    pipeline.execute_command("GET", name, **_AS_BYTES)
                    pipeline.ttl(name)
                answers = _answers(pipeline)
        found = []
        for (key, score), value, left in zip(listed, answers[::2], answers[1::2], strict=True):
            seconds = int(score - OWNER_LIST_MARGIN - now) if left == _NO_LIMIT else left
            # A session may belong to another owner now, or have ended meanwhile.
            data = _data_of(_decoded(value) or "", tag)
            if data is not None and left != _GONE:
                found.append(KeptSession(_decoded(key), data, max(0, seconds)))
        return found

    def end(self, owner: Owner, key: str) -> bool:
        """End one session if it belongs to the owner. Return whether there was one."""
        tag = _tag_of(owner)
        with self._asking("end a session"):
            return is_key(key) and self._end(key, tag) in _DONE

    def stamp(self, owner: Owner, /) -> str:
        """Return the owner's stamp: a text that changes with ``revoke_owner`` and ``revoke_all``.

        It is ``""`` at first.
        """
        names = self._stamp_of(_tag_of(owner)), self._stamp_of("")
        with self._asking("check an owner"):
            return _joined(self._texts(*names))

    def revoke_owner(self, owner: Owner) -> int:
        """End all sessions of the owner, and return how many there were."""
        tag = _tag_of(owner)
        with self._asking("end an owner's sessions"):
            # First, so that a session which is created meanwhile finds that its stamp is old.
            self._renew(tag)
            listed = self._client.zrevrange(self._list_of(tag), 0, -1)
            return self._end_many((_decoded(key), tag) for key in listed)

    def revoke_all(self) -> int:
        """End every session there is, and return how many there were.

        One that is bound to a device counts twice, with the key of the device. One without an owner
        that gets another key meanwhile may go on: call this twice. What tells that a session has
        ended stays, as do the stamps.
        """
        prefix = re.sub(r"([\\*?\[\]])", r"\\\1", self._prefix)
        with self._asking("end all sessions"):
            self._renew("")
            # It finds what is there now, and ends even if sessions begin all the time.
            names = self._client.scan_iter(match=prefix + "[0-9a-f]" * 64, count=MAX_AT_ONCE)
            return self._end_many(self._with_tags(_decoded(name[-64:]) for name in names))

    # A session, and the list of its owner

    def _list_of(self, tag: str) -> str:
        return f"{self._prefix}owner:{tag}"

    def _joins(self, key: str, seconds: int, owner: Owner) -> list[Command]:
        """Return the commands that list a session under its owner."""
        listed, life, now = self._list_of(_tag_of(owner)), seconds + OWNER_LIST_MARGIN, time.time()
        return [
            ("ZADD", listed, now + life, key),
            ("ZREMRANGEBYSCORE", listed, "-inf", now),
            # The list lives as long as the last of its sessions.
            ("EXPIRE", listed, life, "NX"),
            ("EXPIRE", listed, life, "GT"),
        ]

    def _leaves(self, key: str, tag: str) -> list[Command]:
        """Return the command that takes a session off the list of its owner, if it has one."""
        return [] if tag == NOBODY else [("ZREM", self._list_of(tag), key)]

    def _send(
        self,
        command: Command,
        expected: str,
        *,
        joins: Sequence[Command] = (),
        leaves: Sequence[Command] = (),
    ) -> str | int | None:
        """Send a command for a session if its version, or its tag, is the expected one.

        With it, the session joins and leaves lists. Return the answer, or else what was found.
        """
        if not self._is_cluster:
            return self._run(_when(command, expected, *joins, *leaves))
        if joins:
            self._run(_script(_SCRIPT, "", joins))
        answer = self._run(_when(command, expected))
        if answer in _DONE:
            self._leave(leaves)
        return answer

    def _leave(self, leaves: Iterable[Command]) -> None:
        """Take sessions off the lists on other nodes, as far as this succeeds.

        A list that names one in vain forgets it in time.
        """
        with suppress(Exception), self._client.pipeline(transaction=False) as pipeline:
            for command in leaves:
                pipeline.execute_command(*command)
            pipeline.execute()

    def _run(self, words: Sequence[Any]) -> str | int | None:
        answer: str | int | bytes | None = self._client.execute_command(*words, **_AS_BYTES)
        return answer if isinstance(answer, int) else _decoded(answer)

    def _end(self, key: str, tag: str) -> str | int | None:
        return self._send(("DEL", self._prefix + key), tag, leaves=self._leaves(key, tag))

    def _end_many(self, sessions: Iterator[tuple[str, str]]) -> int:
        """End the sessions with these keys, if their tags, or more, are the expected ones.

        Return how many there were.
        """
        ended = 0
        while batch := [*islice(sessions, MAX_AT_ONCE)]:
            leaves = [self._leaves(key, expected[:TAG_SIZE]) for key, expected in batch]
            with self._client.pipeline(transaction=False) as pipeline:
                for (key, expected), leave in zip(batch, leaves, strict=True):
                    command = ("DEL", self._prefix + key)
                    more = [] if self._is_cluster else leave
                    pipeline.execute_command(*_when(command, expected, *more), **_AS_BYTES)
                answers = _answers(pipeline)
            ended += answers.count(1)
            if self._is_cluster:
                done = (answer == 1 for answer in answers)
                self._leave(chain.from_iterable(compress(leaves, done)))
        return ended

    def _with_tags(self, keys: Iterator[str]) -> Iterator[tuple[str, str]]:
        """Yield the keys of sessions, each with its tag and the first character of its text."""
        while batch := [*islice(keys, MAX_AT_ONCE)]:
            with self._client.pipeline(transaction=False) as pipeline:
                for key in batch:
                    pipeline.execute_command(
                        "GETRANGE", self._prefix + key, _TAG_START, VERSION_SIZE, **_AS_BYTES
                    )
                answers = _answers(pipeline)
            for key, answer in zip(batch, answers, strict=True):
                found = _decoded(answer)
                # A mark is the text of an ended session, a JSON string.
                if _TAG.match(found) and not found.endswith('"'):
                    yield key, found


class RedisRevocations(_InRedis):
    """The list of ended sessions in Redis or Valkey, for ``revocations=``.

    An ended session is a key with a time to live. An owner whose sessions were all ended is a key
    without one, so that this holds whatever the timeouts are. All else is as it is for RedisStore.
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
        return not self._is_refused(found) or _decoded(found) == ours

    def check(self, key: str, owner: Owner | None, /) -> str | None:
        """Return ``None`` if the key is refused, or else the owner's stamp.

        For the owner ``None``, this is the stamp that ``revoke_all`` changes.
        """
        tags = [""] if owner is None else [_tag_of(owner), ""]
        with self._asking("check a session"):
            refused, *found = self._texts(self._prefix + key, *map(self._stamp_of, tags))
        return None if self._is_refused(refused) else _joined(found)

    def revoke_owner(self, owner: Owner) -> None:
        """End all present sessions of the owner: log out everywhere."""
        tag = _tag_of(owner)
        with self._asking("end an owner's sessions"):
            self._renew(tag)

    def revoke_all(self) -> None:
        """End every session that began before, with or without an owner."""
        with self._asking("end all sessions"):
            self._renew("")

    def _is_refused(self, found: str | bytes | None) -> bool:
        """Return whether this is there because a session has ended.

        Raise SessionUnavailable if it is a session, which a store has there.
        """
        if found is not None and len(found) >= VERSION_SIZE:
            raise SessionUnavailable(
                f"Found a session of a store under {self._prefix!r}, expected those that have "
                "ended: give the store and the list of revocations different prefixes"
            )
        return found is not None


# Names and values


def _tag_of(owner: Owner) -> str:
    """Return a text of one length, which tells apart any two owners, and says no name."""
    return hash_of_owner(owner)[:TAG_SIZE]


def _new_version(owner: Owner | None) -> str:
    return secrets.token_hex(_TAG_START // 2) + (NOBODY if owner is None else _tag_of(owner))


def _joined(stamps: Sequence[str | None]) -> str:
    return ".".join(filter(None, stamps))


def _data_of(value: str, tag: str) -> dict[str, Any] | None:
    """Return the data of a stored session, or ``None`` if it is not ours or has another tag."""
    if value[_TAG_START:VERSION_SIZE] != tag:
        return None
    with suppress(CookieRejected):
        return unwrap(value[VERSION_SIZE:]).data
    return None


# What is sent, and what comes back

_AS_BYTES: Mapping[str, Any] = {"NEVER_DECODE": True}
"""An option of a command, for values that a client with ``decode_responses`` may fail to decode."""


def _when(command: Command, expected: str, *more: Command) -> list[Any]:
    """Return the words that send these commands if a session's version is the expected one.

    Instead of a version, it may be ``""`` for no session, or a tag, or that and what follows.
    """
    start = 0 if len(expected) in (0, VERSION_SIZE) else _TAG_START
    end = start + (len(expected) or VERSION_SIZE) - 1
    asked = ("GETRANGE", command[1], start, end)
    return _script(_SCRIPT_IF, expected, [asked, *more, command])


def _script(script: str, expected: str, commands: Sequence[Command]) -> list[Any]:
    """Return the words of EVAL for one of the scripts above."""
    names = dict.fromkeys(command[1] for command in commands)
    counted = chain.from_iterable((len(command), *command) for command in commands)
    return ["EVAL", script, len(names), *names, expected, *counted]


def _answers(pipeline: Any) -> list[Any]:
    """Send the commands of the pipeline in one round trip, and return the replies."""
    # By default, the client raises an error that quotes the command with its data.
    answers: list[Any] = pipeline.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _decoded(answer: Any) -> Any:
    """Return the reply as text, or ``""`` if it is not ASCII and so not ours."""
    if isinstance(answer, bytes):
        return answer.decode() if answer.isascii() else ""
    return answer


# Errors

_CODES = {
    "AuthenticationError": "NOAUTH",
    "BusyLoadingError": "LOADING",
    "ClusterCrossSlotError": "CROSSSLOT",
    "MovedError": "MOVED",
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
}
"""What the client cuts off from the answer of the server, by the class of the error."""

_IN_CLUSTER = "The server is part of a cluster: use a RedisCluster."
_ADVICE = {
    "CROSSSLOT": _IN_CLUSTER,
    "MOVED": _IN_CLUSTER,
    "NOAUTH": "Check the client's user name and password.",
    "OOM": "Make room, or raise maxmemory. Keep the policy noeviction: others drop sessions.",
    "READONLY": "It is a replica: use a client that is connected to the primary.",
    "WRONGTYPE": "Give the application a prefix of its own.",
}
_UNREACHABLE = ("ConnectionError", "TimeoutError", "OSError", "RedisClusterException")


def _reason(error: Exception, prefix: str) -> str:
    """Return what the server says, and what to do about it, without what it was sent."""
    names = [kind.__name__ for kind in type(error).__mro__]
    if "NoPermissionError" in names:
        return _permission(str(error), prefix)
    code = _CODES.get(names[0], "")
    if code or "ResponseError" in names:
        # It may quote what it was sent, after these words.
        line = re.split(", with args| script:|\n", f"{code} {error}".strip())[0].rstrip(". ")
        advice = _ADVICE.get(line.partition(" ")[0])
        return f"the server says: {line}." + (f" {advice}" if advice else "")
    told = f"the client raised {type(error).__qualname__}."
    if "MaxConnectionsError" in names or not {*names} & {*_UNREACHABLE}:
        return told
    return (
        f"{told} Check that the server is up and reachable, and that the client's socket_timeout "
        "leaves it enough time to answer."
    )


def _permission(text: str, prefix: str) -> str:
    """Return what the user may not do. The text may say the user's name, and so is not quoted."""
    command = re.search(r"'([\w|-]+)' command", text)
    if command is None:
        return f"the server says: NOPERM. Allow the client's user the keys ~{prefix}*."
    name = command[1].lower()
    return f"the server says: NOPERM for {name.upper()}. Allow the client's user +{name}."


# The client


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
        missing = "'sessionware[redis]'" if library == "redis" else library
        return Problem("url", told, f"pip install {missing}")
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
