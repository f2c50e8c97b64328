"""Redis is down, or does not answer: one clear error, no log-out, and then it is back."""

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sessionware import Session, SessionUnavailable
from sessionware.redis import RedisRevocations, RedisStore
from tests.sites import Site, count, data_of, untouched
from tests.stores.databases import Databases
from tests.stores.servers import ON_DISK, Proxy, RedisServer, connect

SECRET = "a secret of the application"
KEEPERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "store": lambda client: {"store": RedisStore(client)},
    "list": lambda client: {"revocations": RedisRevocations(client)},
}


def at_once(kind: str) -> dict[str, Any]:
    """How a client is told to fail where it would try again, ten times for redis."""
    return {"retry": Retry(NoBackoff(), 0)} if kind == "redis" else {}


def library_of(client: object) -> Any:
    """Return the module redis or valkey, of which the client is."""
    return import_module(type(client).__module__.partition(".")[0])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", *ON_DISK) as started:
        yield started


@pytest.fixture(params=["redis", "valkey"])
def client(request: pytest.FixtureRequest, server: RedisServer) -> Iterator[Any]:
    with connect(request.param, server.port, **at_once(request.param)) as made:
        yield made


@pytest.fixture(params=KEEPERS)
def site(request: pytest.FixtureRequest, client: Any) -> Site:
    return Site(**KEEPERS[request.param](client))


# Down


def test_read_is_one_clear_error_and_no_anonymous_session(
    server: RedisServer, client: Any, site: Site
) -> None:
    cookie = site.visit(count).cookie
    server.kill()
    with pytest.raises(SessionUnavailable, match="Check that the server is up") as caught:
        site.visit(data_of, cookie)
    assert isinstance(caught.value.__cause__, library_of(client).ConnectionError)


@pytest.mark.parametrize("act", [count, Session.regenerate, Session.invalidate])
def test_nothing_is_acknowledged_that_was_not_done(
    server: RedisServer, client: Any, act: Callable[[Session], object]
) -> None:
    site = Site(store=RedisStore(client))
    cookie = site.visit(count).cookie

    def last_moment(session: Session) -> None:
        act(session)
        server.kill()

    with pytest.raises(SessionUnavailable, match=r"Could not (end|save) a session"):
        site.visit(last_moment, cookie)


def test_log_out_is_not_acknowledged_where_it_would_not_hold(
    server: RedisServer, site: Site
) -> None:
    cookie = site.visit(count).cookie

    def last_moment(session: Session) -> None:
        session.invalidate()
        server.kill()

    with pytest.raises(SessionUnavailable, match=r"(end|save) a session"):
        site.visit(last_moment, cookie)


def test_owner_s_sessions_cannot_be_listed_or_ended(server: RedisServer, client: Any) -> None:
    server.kill()
    store, revocations = RedisStore(client), RedisRevocations(client)
    for ask in (store.sessions_of, store.revoke_owner, revocations.revoke_owner):
        with pytest.raises(SessionUnavailable, match="an owner's sessions"):
            ask("ann")
    for end_all in (store.revoke_all, revocations.revoke_all):
        with pytest.raises(SessionUnavailable, match="end all sessions"):
            end_all()


def test_untouched_requests_and_strangers_go_on(server: RedisServer, site: Site) -> None:
    cookie = site.visit(count).cookie
    server.kill()
    site.visit(untouched, cookie)
    assert site.visit(data_of, "session=junk").result is None


def test_when_it_is_back_so_are_the_sessions(server: RedisServer, site: Site) -> None:
    cookie, ended = (site.visit(count).cookie for _ in range(2))
    site.visit(Session.invalidate, ended)
    server.kill()
    with pytest.raises(SessionUnavailable):
        site.visit(data_of, cookie)
    server.start()
    assert (site.read(cookie), site.read(ended)) == ({"n": 1}, None)


# Not answering


@pytest.mark.parametrize("kind", ["redis", "valkey"])
@pytest.mark.parametrize("keeper", KEEPERS)
def test_server_that_does_not_answer_is_waited_for_as_the_client_says(
    server: RedisServer, kind: str, keeper: str
) -> None:
    settings = {**at_once(kind), "socket_timeout": 0.2}
    with Proxy(server.port) as proxy, connect(kind, proxy.port, **settings) as client:
        site = Site(**KEEPERS[keeper](client))
        cookie = site.visit(count).cookie
        assert site.read(cookie) == {"n": 1}
        proxy.mute = True
        start = time.monotonic()
        with pytest.raises(SessionUnavailable, match="that the client's socket_timeout") as caught:
            site.visit(data_of, cookie)
    assert isinstance(caught.value.__cause__, library_of(client).TimeoutError)
    assert 0.1 < time.monotonic() - start < 3


# Answers that are lost


class Repeating(Redis):
    """Sends each command twice, as a client does that has lost the first answer."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        send: Any = super().execute_command
        send(*args, **options)
        return send(*args, **options)


@pytest.mark.parametrize("owner", ["ann", None])
def test_session_whose_first_answer_was_lost_is_saved_once(
    databases: Databases, owner: str | None
) -> None:
    store = RedisStore(Repeating(port=databases.redis().port))
    assert store.create("key", "one", seconds=9, owner=owner)
    assert not store.create("key", "one", seconds=9, owner=owner)
    kept = store.load("key")
    assert kept
    assert store.replace("key", "two", version=kept.version, seconds=9, owner=owner)
    assert not store.replace("key", "three", version=kept.version, seconds=9, owner=owner)
    assert store.touch("key", seconds=9, owner=owner)


def test_session_whose_end_was_sent_twice_has_ended_once(databases: Databases) -> None:
    revocations = RedisRevocations(Repeating(port=databases.redis().port))
    assert revocations.revoke("key", 9)
    assert not revocations.revoke("key", 9)


# Refusals


@pytest.mark.parametrize("kind", ["redis", "valkey", "cluster"])
@pytest.mark.parametrize("owner", ["ann", None])
def test_refusal_of_redis_itself_quotes_no_data(
    databases: Databases, kind: str, owner: str | None
) -> None:
    """The client's own error would quote the command: the key, and the beginning of the text."""
    database = databases.redis(kind)
    site = Site(store=database.store())
    cookie = site.log_in(owner, n=1) if owner else site.visit(count).cookie
    for node in database.nodes:
        node.config_set("maxmemory", 1)
    try:
        with pytest.raises(SessionUnavailable) as caught:
            site.visit(lambda session: session.update(a=SECRET), cookie)
    finally:
        for node in database.nodes:
            node.config_set("maxmemory", 0)
    assert "the server says: OOM command not allowed when used memory" in str(caught.value)
    assert "session:" not in str(caught.value.__cause__)
    assert SECRET not in f"{caught.value} {caught.value.__cause__}"
    assert site.read(cookie) == {"n": 1}
