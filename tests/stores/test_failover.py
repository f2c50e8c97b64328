"""A replica takes the place of Redis: errors until then, and nothing acknowledged is lost."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import redis

from sessionware import Session, SessionUnavailable
from sessionware.redis import RedisRevocations, RedisStore
from tests.processes import wait_for
from tests.sites import Site, count
from tests.stores.sentinel import SECONDS_TO_PROMOTE, Trio

CLIENTS = 8
SAFE = ("--min-replicas-to-write", "1")
"""What has a primary acknowledge nothing that no replica will have."""


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Trio]:
    with Trio(tmp_path, *SAFE) as started:
        yield started


class Client:
    """Counts in a session of its own, and notes every failure."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.cookie = ""
        self.failures: list[SessionUnavailable] = []

    def visit(self) -> int:
        """Try again until there is an answer, and return the count."""
        deadline = time.monotonic() + SECONDS_TO_PROMOTE
        while time.monotonic() < deadline:
            try:
                self.cookie = self.cookie or self.site.log_in("ann")
                return int(self.site.visit(count, self.cookie).result)
            except SessionUnavailable as error:
                self.failures.append(error)
                time.sleep(0.02)
        raise self.failures[-1]


@pytest.mark.parametrize("is_planned", [False, True], ids=["killed", "planned"])
def test_sessions_go_on_at_the_replica(trio: Trio, is_planned: bool) -> None:
    """Until the client is told of it, each failure is an error with its cause."""
    with closing(trio.client()) as client, ThreadPoolExecutor(CLIENTS) as threads:
        site = Site(store=RedisStore(client))
        clients = [Client(site) for _ in range(CLIENTS)]
        assert [*threads.map(Client.visit, clients)] == [1] * CLIENTS
        ended = site.visit(count).cookie
        site.visit(Session.invalidate, ended)
        trio.catch_up()
        if is_planned:
            trio.fail_over()
            wait_for(trio.is_promoted, "the replica is promoted", SECONDS_TO_PROMOTE)
            with pytest.raises(SessionUnavailable) as caught:
                site.visit(count, clients[0].cookie)
            clients[0].failures.append(caught.value)
            trio.demote()
        else:
            trio.primary.kill()
        assert [*threads.map(Client.visit, clients)] == [2] * CLIENTS
        assert [*threads.map(Client.visit, clients)] == [3] * CLIENTS
        assert site.read(ended) is None
        assert len(RedisStore(client).sessions_of("ann")) == CLIENTS
    causes = {type(error.__cause__) for each in clients for error in each.failures}
    assert causes
    assert all(issubclass(cause, redis.RedisError) for cause in causes)


def test_list_of_ended_sessions_goes_on_at_the_replica(trio: Trio) -> None:
    with closing(trio.client()) as client:
        site = Site(revocations=RedisRevocations(client))
        cookie, ended = site.log_in(), site.log_in()
        site.visit(Session.invalidate, ended)
        trio.catch_up()
        trio.primary.kill()
        with pytest.raises(SessionUnavailable) as caught:
            site.read(ended)
        assert isinstance(caught.value.__cause__, redis.RedisError)
        wait_for(trio.is_promoted, "the replica is promoted", SECONDS_TO_PROMOTE)
        assert site.read(ended) is None
        site.visit(Session.invalidate, cookie)
        assert site.read(cookie) is None


@pytest.mark.parametrize("options", [SAFE, ()], ids=["safe", "default"])
def test_log_out_at_a_former_primary_is_refused_if_it_would_be_lost(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """By Redis' ``min-replicas-to-write``. Without it, the session is back at the replica."""
    with Trio(tmp_path, *options) as trio, trio.primary.client() as client:
        site, later = Site(store=RedisStore(client)), Site(store=RedisStore(trio.replica.client()))
        cookie = site.visit(count).cookie
        trio.catch_up()
        with trio.replica.client() as promoted:
            promoted.replicaof("NO", "ONE")
        wait_for(lambda: client.info("replication")["connected_slaves"] == 0, "it is alone")
        if options:
            with pytest.raises(SessionUnavailable) as caught:
                site.visit(Session.invalidate, cookie)
            assert "NOREPLICAS" in str(caught.value.__cause__)
            assert site.read(cookie) == {"n": 1}
        else:
            site.visit(Session.invalidate, cookie)
        assert later.read(cookie) == {"n": 1}
