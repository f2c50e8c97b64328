"""A primary, a replica and a Sentinel of Redis', which promotes the replica."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from tests.processes import free_port, program, running, wait_for
from tests.stores.servers import RedisServer, answers

NAME = "main"

SECONDS_TO_PROMOTE = 60
"""A Sentinel that was held up for two seconds, as on a busy machine, does nothing for thirty."""


class Trio:
    """The three of them, while the block runs. ``options``: the primary's own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._stack = ExitStack()

    def __enter__(self) -> "Trio":
        with self._stack as stack:
            at_once = ("--shutdown-timeout", "0")
            primary = RedisServer(self._folder / "primary", *at_once, *self._options)
            self.primary = stack.enter_context(primary)
            follows = ("--replicaof", "127.0.0.1", str(self.primary.port))
            replica = RedisServer(self._folder / "replica", *at_once, *follows)
            self.replica = stack.enter_context(replica)
            self.port = stack.enter_context(free_port())
            self.catch_up()
            self._watch()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _watch(self) -> None:
        settings = (
            f"port {self.port}",
            "bind 127.0.0.1",
            f"sentinel monitor {NAME} 127.0.0.1 {self.primary.port} 1",
            f"sentinel down-after-milliseconds {NAME} 1000",
            f"sentinel failover-timeout {NAME} 2000",
        )
        folder = self._folder / "sentinel"
        folder.mkdir()
        file = folder / "sentinel.conf"
        file.write_text("\n".join(settings))
        self._sentinel = self._stack.enter_context(redis.Redis(port=self.port, socket_timeout=5))
        command = [program("redis-server"), str(file), "--sentinel"]
        self._stack.enter_context(running(command, folder, lambda: answers(self._sentinel)))
        wait_for(lambda: self._state()["num-slaves"] == 1, "the Sentinel knows the replica")

    def client(self) -> Any:
        """Return a client that asks the Sentinel for the primary."""
        return connect(self.port)

    def catch_up(self) -> None:
        """Wait until the replica has what the primary has."""
        with self.primary.client() as client, self.replica.client() as replica:
            written = client.info("replication")["master_repl_offset"]
            wait_for(lambda: has_read(replica, written), "the replica has caught up")
            wait_for(lambda: is_counted(client), "the primary counts on the replica")

    def fail_over(self) -> None:
        """Begin a planned fail-over, as soon as the Sentinel knows the replica well enough."""
        wait_for(self._begins, "the fail-over begins")

    def demote(self) -> None:
        """Have the former primary follow the replica, as the Sentinel does after ten seconds."""
        with self.primary.client() as client:
            client.replicaof("127.0.0.1", str(self.replica.port))

    def _begins(self) -> bool:
        try:
            return bool(self._sentinel.execute_command("SENTINEL FAILOVER", NAME))
        except redis.ResponseError:
            return False

    def is_promoted(self) -> bool:
        """Return whether the Sentinel tells of the replica as the primary."""
        return bool(self._state()["port"] == self.replica.port)

    def _state(self) -> Any:
        return self._sentinel.sentinel_master(NAME)


def has_read(replica: redis.Redis, offset: int) -> bool:
    """Return whether the replica has what the primary wrote until then. WAIT may say so too early.

    Valkey counts a replica that is still reading its first copy.
    """
    info: dict[str, Any] = replica.info("replication")
    return bool(info["master_link_status"] == "up" and info["slave_repl_offset"] >= offset)


def is_counted(primary: redis.Redis) -> bool:
    """Return whether the primary counts the replica, if it is to write with one only."""
    info: dict[str, Any] = primary.info("replication")
    return bool(info.get("min_slaves_good_slaves", 1) > 0)


def connect(port: int) -> Any:
    """Return a client that asks the Sentinel at this port, and tries nothing twice."""
    sentinels: Any = Sentinel  # which has no types
    once = Retry(NoBackoff(), 0)
    watchers = sentinels([("127.0.0.1", port)], socket_timeout=1)
    return watchers.master_for(NAME, socket_timeout=1, socket_connect_timeout=1, retry=once)
