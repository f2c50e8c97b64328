"""Redis is down, or does not answer: one clear error, nobody is logged out, and then it is back."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import valkey
from redis.backoff import NoBackoff
from redis.retry import Retry

from sessionware import Session, SessionUnavailable
from sessionware.redis import RedisRevocations, RedisStore
from sessionware.session import NullSession
from tests.redis_site import Site, count, data_of, untouched
from tests.stores.servers import ON_DISK, Backend, Proxy, RedisServer, connect, servers_of

SECRET = "a secret of the application"
KEEPERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "store": lambda client: {"store": RedisStore(client)},
    "list": lambda client: {"revocations": RedisRevocations(client)},
}


def at_once(kind: str) -> dict[str, Any]:
    """How a client is told to fail where it would try again, ten times for redis."""
    return {"retry": Retry(NoBackoff(), 0)} if kind == "redis" else {}


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


def test_read_is_one_clear_error_and_no_anonymous_session(server: RedisServer, site: Site) -> None:
    cookie = site.visit(count).cookie
    server.kill()
    with pytest.raises(SessionUnavailable) as caught:
        site.visit(data_of, cookie)
    assert isinstance(caught.value.__cause__, redis.ConnectionError | valkey.ConnectionError)


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

    with pytest.raises(SessionUnavailable, match="end a session"):
        site.visit(last_moment, cookie)


def test_owner_s_sessions_cannot_be_listed_or_ended(server: RedisServer, client: Any) -> None:
    server.kill()
    store, revocations = RedisStore(client), RedisRevocations(client)
    for ask in (store.sessions_of, store.revoke_owner, revocations.revoke_owner):
        with pytest.raises(SessionUnavailable, match="an owner's sessions"):
            ask("ann")


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
        with pytest.raises(SessionUnavailable) as caught:
            site.visit(data_of, cookie)
    assert isinstance(caught.value.__cause__, redis.TimeoutError | valkey.TimeoutError)
    assert 0.1 < time.monotonic() - start < 3


# What the error says


class Broken:
    """A client whose every command fails, with what it was given in the message."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*arguments: object, **settings: object) -> Any:
            raise OSError(f"{arguments} {settings}")

        return fail


class BrokenClient(redis.Redis):
    get = getdel = set = zrange = pipeline = Broken().anything


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda store, _: store.load("key"), "load a session under 'shop:'"),
        (
            lambda store, _: store.save("key", SECRET, new=True, seconds=1, owner="ann"),
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
def test_error_says_what_was_tried_and_what_to_do_and_no_data(
    ask: Callable[[RedisStore, RedisRevocations], object], what: str
) -> None:
    with BrokenClient() as client, pytest.raises(SessionUnavailable) as caught:
        ask(RedisStore(client, "shop:"), RedisRevocations(client, "gone:"))
    assert isinstance(caught.value.__cause__, OSError)
    assert str(caught.value) == (
        f"Could not {what}: the client raised OSError, which is the cause of this error. Check "
        "that the server is up and reachable, and that the client's socket_timeout gives it the "
        "time to answer."
    )


@pytest.mark.parametrize("kind", ["redis", "valkey", "cluster"])
def test_refusal_of_redis_itself_quotes_no_data(request: pytest.FixtureRequest, kind: str) -> None:
    """The client's own error would quote the command: the key, and the beginning of the text."""
    backend: Backend = servers_of(request.config).backend(kind)
    site = Site(store=RedisStore(backend.client))
    cookie = site.visit(count).cookie
    for node in backend.nodes:
        node.config_set("maxmemory", 1)
    try:
        with pytest.raises(SessionUnavailable) as caught:
            site.visit(lambda session: session.update(a=SECRET), cookie)
    finally:
        for node in backend.nodes:
            node.config_set("maxmemory", 0)
    assert "maxmemory" in str(caught.value.__cause__)
    assert "session:" not in str(caught.value.__cause__)
    assert SECRET not in f"{caught.value} {caught.value.__cause__}"
    assert site.read(cookie) == {"n": 1}


def test_one_error_to_catch_for_all_that_makes_a_session_unavailable() -> None:
    with pytest.raises(SessionUnavailable):
        count(NullSession())
