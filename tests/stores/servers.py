"""A redis-server of Debian's for a test, or a cluster of three: started, killed, and stopped."""

import select
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

from tests.processes import free_port, program, require, running, wait_for

PATIENCE: dict[str, Any] = {"socket_timeout": 5, "socket_connect_timeout": 5}
ON_DISK = ("--appendonly", "yes", "--appendfsync", "always")
"""What is acknowledged is on disk already."""


class RedisServer:
    """A redis-server on 127.0.0.1, in memory only; it may be killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._options = options
        self._running = ExitStack()

    def __enter__(self) -> "RedisServer":
        self._program = program("redis-server")
        self.port = self._running.enter_context(free_port())
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def start(self) -> None:
        """Start it, also after a kill: on the same port, with what is on disk."""
        command = [self._program, "--bind", "127.0.0.1", "--port", str(self.port)]
        command += ["--dir", str(self.folder), "--save", "", "--loglevel", "warning"]
        command += ["--repl-diskless-sync-delay", "0"]  # A replica gets its copy at once.
        with self.client(retry=Retry(NoBackoff(), 0)) as client:
            self.process = self._running.enter_context(
                running([*command, *self._options], self.folder, lambda: answers(client))
            )

    def kill(self) -> None:
        """Have it end at once, whatever it is doing."""
        self.process.kill()
        self.process.wait()

    def client(self, **settings: Any) -> redis.Redis:
        return redis.Redis(port=self.port, **{**PATIENCE, **settings})


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


@contextmanager
def cluster(folder: Path) -> Iterator[Sequence[RedisServer]]:
    """Run three nodes that share the slots among them, while the block runs."""
    with ExitStack() as stack:
        buses = [stack.enter_context(free_port()) for _ in range(3)]
        nodes = [
            stack.enter_context(
                RedisServer(
                    folder / str(bus), "--cluster-enabled", "yes", "--cluster-port", str(bus)
                )
            )
            for bus in buses
        ]
        clients = [stack.enter_context(node.client()) for node in nodes]
        for number, client in enumerate(clients):
            first, end = number * 16384 // 3, (number + 1) * 16384 // 3
            client.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for node, bus in zip(nodes[1:], buses[1:], strict=True):
            clients[0].execute_command("CLUSTER MEET", "127.0.0.1", node.port, bus)
        wait_for(lambda: all(map(is_whole, clients)), "the cluster is whole")
        yield nodes


def is_whole(client: redis.Redis) -> bool:
    info: dict[str, str] = client.cluster("INFO")
    return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "3"


def connect(kind: str, port: int, **settings: Any) -> Any:
    """Make the client as an application would, in whatever process this is."""
    settings = PATIENCE | settings
    match kind:
        case "cluster":
            return RedisCluster("127.0.0.1", port, **settings)
        case "valkey":
            require("valkey")
            from valkey import Valkey

            return Valkey(port=port, **settings)
    return redis.Redis(port=port, decode_responses=kind == "decoded", **settings)


class Proxy:
    """Stands between a client and a server, and counts the round trips.

    One begins with each byte that the client sends after the server spoke. ``mute``: what the
    client says is passed on, and no answer comes back.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.round_trips = 0
        self.mute = False

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=[client], daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        asked = False
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    if not (data := ready.recv(65536)):
                        return
                    if ready is client:
                        self.round_trips += not asked
                        server.sendall(data)
                    elif not self.mute:
                        client.sendall(data)
                    asked = ready is client
