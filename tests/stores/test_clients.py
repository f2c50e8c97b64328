"""Every client that an application may bring keeps the contracts, whatever its connection."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from sessionware.redis import RedisRevocations, RedisStore
from sessionware.testing import RevocationsContract, StoreContract
from tests.live.certificates import make_certificate
from tests.processes import free_port, require
from tests.stores.sentinel import NAME, Trio
from tests.stores.servers import PATIENCE

LIBRARIES = ("redis", "valkey")
HOST = "127.0.0.1"


class Addresses:
    """A server's port, its port for TLS with the certificate, its socket, and its Sentinel's port.

    All are those of one server.
    """

    def __init__(self, trio: Trio, tls: int, certificate: Path, socket: Path) -> None:
        self.port = trio.primary.port
        self.sentinel = trio.port
        self.tls, self.certificate, self.socket = tls, certificate, socket


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    folder = tmp_path_factory.mktemp("server")
    certificate = make_certificate(folder)
    with free_port() as tls:
        files = ["--tls-cert-file", certificate.chain, "--tls-key-file", certificate.key]
        options = ["--tls-port", tls, "--tls-auth-clients", "no", *files]
        options += ["--unixsocket", folder / "socket"]
        with Trio(folder, *map(str, options)) as trio:
            yield Addresses(trio, tls, certificate.chain, folder / "socket")


# Connections: each is made by a library, with these settings


def over_tls(library: Any, at: Addresses, **settings: Any) -> Any:
    return library.Redis(HOST, at.tls, ssl=True, ssl_ca_certs=str(at.certificate), **settings)


def by_socket(library: Any, at: Addresses, **settings: Any) -> Any:
    return library.Redis(unix_socket_path=str(at.socket), **settings)


def blocking(library: Any, at: Addresses, **settings: Any) -> Any:
    pool = library.BlockingConnectionPool(
        host=HOST, port=at.port, max_connections=2, timeout=5, **settings
    )
    return library.Redis.from_pool(pool)


def by_sentinel(library: Any, at: Addresses, **settings: Any) -> Any:
    sentinels = import_module(f"{library.__name__}.sentinel").Sentinel
    return sentinels([(HOST, at.sentinel)], **PATIENCE).master_for(NAME, **settings)


CONNECTIONS = {
    "TLS, RESP2": partial(over_tls, protocol=2),
    "unix socket, RESP3": partial(by_socket, protocol=3),
    "BlockingConnectionPool, RESP2, decoded": partial(blocking, protocol=2, decode_responses=True),
    "Sentinel, RESP3, decoded": partial(by_sentinel, protocol=3, decode_responses=True),
}
"""Every protocol with bytes and with text, and every kind of connection."""


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Any:
    require(request.param)
    return import_module(request.param)


@pytest.fixture(params=CONNECTIONS.values(), ids=[*CONNECTIONS])
def client(request: pytest.FixtureRequest, library: Any, addresses: Addresses) -> Iterator[Any]:
    with closing(request.param(library, addresses, **PATIENCE)) as client:
        client.flushall()
        yield client


class _OfClient:
    """Has the time of the client's server pass without a wait."""

    client: Any

    @pytest.fixture(autouse=True)
    def _use(self, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client = client
        # test_contracts.py interrupts every instruction of ours, which no connection changes.
        monkeypatch.setattr("sessionware.testing._MAX_PLACES", 3)

    def wait(self, seconds: float) -> None:
        for key in self.client.keys("*"):
            if (left := self.client.pttl(key)) >= 0:
                self.client.pexpire(key, left - int(1000 * seconds))


class TestStore(_OfClient, StoreContract):
    def make(self) -> RedisStore:
        return RedisStore(self.client)


class TestRevocations(_OfClient, RevocationsContract):
    def make(self) -> RedisRevocations:
        return RedisRevocations(self.client)
