"""What is particular to Redis: prefixes, keys that never expire, the lists of owners, refusals."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from importlib import import_module
from typing import Any, NamedTuple

import pytest
import redis

from sessionware import ConfigurationError, Session, SessionUnavailable
from sessionware.envelope import Envelope, wrap
from sessionware.migration import SessionwareCookie
from sessionware.redis import RedisRevocations, RedisStore
from sessionware.session import Owner
from sessionware.store import key_of
from tests.conftest import Clock
from tests.gateway import KEY
from tests.processes import ROOT, require, wait_for
from tests.sites import Site, count, id_of
from tests.stores.databases import Databases, RedisDatabase
from tests.stores.servers import RedisServer, connect

README = ROOT / "README.md"
DAY = 24 * 60 * 60
ANN = f"session:owner:{sha256(b'str' + bytes(1) + b'ann').hexdigest()[:32]}"


@pytest.fixture
def store(redis_database: RedisDatabase) -> RedisStore:
    return redis_database.store()


@pytest.fixture
def site(store: RedisStore) -> Site:
    return Site(store=store)


def key_in(site: Site, cookie: str) -> str:
    return key_of(site.visit(id_of, cookie).result)


# Prefixes and values


def test_prefix_is_the_application_s_choice(redis_database: RedisDatabase) -> None:
    Site(store=redis_database.store(prefix="shop:")).visit(count)
    assert redis_database.only().startswith("shop:")


def test_prefix_of_the_list_is_the_application_s_choice(redis_database: RedisDatabase) -> None:
    site = Site(revocations=redis_database.revocations(prefix="ended:"))
    site.visit(Session.invalidate, site.visit(count).cookie)
    assert redis_database.only().startswith("ended:")


def test_list_takes_no_session_of_a_store_for_one_that_has_ended(
    redis_database: RedisDatabase,
) -> None:
    """A list that has the prefix of the former store would log everyone out."""
    store = redis_database.store(prefix="shop:")
    revocations = redis_database.revocations(prefix="shop:")
    former = SessionwareCookie(KEY, store=store)
    site = Site(salt="2", revocations=revocations, migrate_from=[former])
    cookie = Site(store=store).log_in("ann")
    with pytest.raises(SessionUnavailable, match="Found a session of a store under 'shop:'"):
        site.read(cookie)
    with pytest.raises(SessionUnavailable, match="different prefixes"):
        revocations.revoke(key_in(Site(store=store), cookie), 9)
    assert Site(store=store).read(cookie) == {}


def test_two_prefixes_share_nothing(redis_database: RedisDatabase) -> None:
    one, other = (Site(store=redis_database.store(prefix=prefix)) for prefix in ("a:", "b:"))
    assert other.read(one.visit(count).cookie) is None


def test_bytes_that_are_not_text_are_a_new_session_and_a_log_record(
    redis_database: RedisDatabase, caplog: Any
) -> None:
    site, value = Site(store=redis_database.store()), b'{"n":"\xff"}'
    cookie = site.visit(count).cookie
    name = redis_database.only()
    redis_database.put(name, value)
    with caplog.at_level("INFO"):
        page = site.visit(count, cookie)
    assert page.result == 1
    assert [record.reason for record in caplog.records] == ["malformed"]
    assert redis_database.content()[name] == value


def test_log_out_everywhere_is_remembered_for_ever(redis_database: RedisDatabase) -> None:
    """No time-out is too long for it; it takes one small key an owner."""
    revocations = redis_database.revocations()
    for _ in range(3):
        revocations.revoke_owner("ann")
    assert redis_database.seconds_of(redis_database.only()) == -1
    assert redis_database.only().startswith("revoked:stamp:")
    assert "ann" not in redis_database.only()


# The list of an owner's sessions


def test_list_says_in_no_key_whose_it_is(site: Site, redis_database: RedisDatabase) -> None:
    site.log_in("ann")
    assert sorted(redis_database.content())[1] == ANN


def test_list_lives_a_day_longer_than_the_session_that_lives_longest(
    redis_database: RedisDatabase, clock: Clock
) -> None:
    lives = []
    for days in (2, 3, 1):
        Site(store=redis_database.store(), idle_timeout=days * DAY).log_in("ann")
        lives.append(round(redis_database.client.ttl(ANN) / DAY, 2))
    assert lives == [3, 4, 4]


def test_what_is_long_over_is_taken_off_the_list(
    site: Site, redis_database: RedisDatabase, clock: Clock
) -> None:
    first = key_in(site, site.log_in("ann"))
    clock.advance(32 * DAY + 1)
    second = key_in(site, site.log_in("ann"))
    assert redis_database.content()[ANN] == second.encode()
    assert first != second


def test_session_that_passes_to_another_owner_leaves_the_list(
    store: RedisStore, redis_database: RedisDatabase
) -> None:
    """As does the one that is closed before another takes its place, which has no owner."""
    for number, owner in enumerate(["bob", None]):
        key = key_of(str(number))
        store.create(key, session("ann"), seconds=9, owner="ann")
        kept = store.load(key)
        assert kept
        assert store.replace(key, session(owner), version=kept.version, seconds=9, owner=owner)
        assert ANN not in redis_database.content()
    assert [kept.key for kept in store.sessions_of("bob")] == [key_of("0")]


@pytest.mark.parametrize("end", [RedisStore.revoke_owner, lambda store, _: store.revoke_all()])
def test_ended_sessions_leave_the_list(
    store: RedisStore,
    redis_database: RedisDatabase,
    end: Callable[[RedisStore, str], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In several round trips, if there are many."""
    monkeypatch.setattr("sessionware.redis.MAX_AT_ONCE", 2)
    for number in range(5):
        store.create(key_of(str(number)), session("ann"), seconds=9, owner="ann")
    assert end(store, "ann") == 5
    assert [name for name in redis_database.content() if "stamp" not in name] == []


def test_session_without_a_time_to_live_has_the_seconds_it_was_saved_for(
    store: RedisStore, redis_database: RedisDatabase
) -> None:
    store.create(key_of("k"), session("ann"), seconds=99, owner="ann")
    redis_database.client.persist(f"session:{key_of('k')}")
    [kept] = store.sessions_of("ann")
    assert 95 <= kept.seconds <= 99


def test_list_that_is_older_than_the_session_shows_no_negative_seconds(
    store: RedisStore, redis_database: RedisDatabase, clock: Clock
) -> None:
    store.create(key_of("k"), session("ann"), seconds=99, owner="ann")
    redis_database.client.persist(f"session:{key_of('k')}")
    clock.advance(100)
    assert [kept.seconds for kept in store.sessions_of("ann")] == [0]


def test_bytes_that_are_not_text_are_neither_listed_nor_an_error(
    store: RedisStore, redis_database: RedisDatabase
) -> None:
    """Nor are they in the way of a log-out, or of the end of all sessions."""
    key = key_of("k")
    store.create(key, session("ann"), seconds=9, owner="ann")
    redis_database.client.set(f"session:{key}", b"\xff" * 99)
    assert store.sessions_of("ann") == []
    assert not store.end("ann", key)
    assert (store.revoke_owner("ann"), store.revoke_all()) == (0, 0)
    assert (store.delete(key), store.delete(key)) == (True, False)


def test_version_of_another_length_is_none(store: RedisStore) -> None:
    key = key_of("k")
    store.create(key, session(), seconds=9, owner=None)
    for version in ("", "0"):
        assert not store.replace(key, session(), version=version, seconds=9, owner=None)


def test_end_of_all_sessions_is_one_for_this_prefix_alone(redis_database: RedisDatabase) -> None:
    """Whatever its characters would mean in a pattern."""
    prefixes = ["[a]*?\\:", "a*:", "ab:", "a"]
    stores = [redis_database.store(prefix=prefix) for prefix in prefixes]
    for ending in stores:
        for each in stores:
            each.create(key_of("k"), session("ann"), seconds=9, owner="ann")
        assert ending.revoke_all() == 1
        assert [each.load(key_of("k")) is None for each in stores] == [
            each is ending for each in stores
        ]


# An end of all that is under way


class Interrupted(RedisStore):
    """Lets another request act before the first session is ended."""

    acts: list[Callable[[], object]]

    def _end_many(self, sessions: Iterator[tuple[str, str]]) -> int:
        found = [*sessions]
        while self.acts:
            self.acts.pop()()
        return super()._end_many(iter(found))


ENDS: list[Callable[[RedisStore], int]] = [
    lambda store: store.revoke_owner("ann"),
    RedisStore.revoke_all,
]


@pytest.mark.parametrize("end", ENDS, ids=["of_owner", "of_all"])
def test_regenerate_does_not_escape_a_log_out_everywhere_that_is_under_way(
    redis_database: RedisDatabase, end: Callable[[RedisStore], int]
) -> None:
    store = Interrupted(redis_database.client)
    site = Site(store=redis_database.store())
    cookie = site.log_in("ann")

    def move() -> None:
        with pytest.raises(SessionUnavailable, match="ended by another request"):
            site.visit(Session.regenerate, cookie)

    store.acts = [move]
    assert end(store) == 1
    assert site.read(cookie) is None
    assert store.sessions_of("ann") == []


@pytest.mark.parametrize("end", ENDS, ids=["of_owner", "of_all"])
def test_log_in_that_begins_during_a_log_out_everywhere_holds(
    redis_database: RedisDatabase, end: Callable[[RedisStore], int]
) -> None:
    store = Interrupted(redis_database.client)
    site = Site(store=redis_database.store())
    old, new = site.log_in("ann"), []
    store.acts = [lambda: new.append(site.log_in("ann"))]
    assert end(store) == 1
    assert (site.read(old), site.read(new[0])) == (None, {})


@pytest.mark.parametrize("end", ENDS, ids=["of_owner", "of_all"])
def test_stamp_changes_before_the_first_session_is_ended(
    redis_database: RedisDatabase, end: Callable[[RedisStore], int]
) -> None:
    """A session that is created meanwhile is listed too late, and has the old stamp."""
    store = Interrupted(redis_database.client)
    stamps = []
    store.acts = [lambda: stamps.append(store.stamp("ann"))]
    before = store.stamp("ann")
    end(store)
    assert stamps == [store.stamp("ann")] != [before]


class Beset(RedisStore):
    """Has a session begin for each one that is found."""

    def _with_tags(self, keys: Iterator[str]) -> Iterator[tuple[str, str]]:
        for number, found in enumerate(super()._with_tags(keys)):
            self.create(key_of(f"new {number}"), session("bob"), seconds=9, owner="bob")
            yield found


def test_end_of_all_sessions_ends_though_sessions_begin_all_the_time(
    redis_database: RedisDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessionware.redis.MAX_AT_ONCE", 1)
    store, old = Beset(redis_database.client), [key_of(f"old {number}") for number in range(20)]
    for key in old:
        store.create(key, session("ann"), seconds=9, owner="ann")
    assert store.revoke_all() >= 20
    assert [store.load(key) for key in old] == [None] * 20


# Nothing is half written


class Keepers(NamedTuple):
    """What a user of the server's acts on, and the version of ann's session there."""

    store: RedisStore
    ended: RedisRevocations
    version: str


OF_ANN, OF_NOBODY, FOREIGN, NEW = map(key_of, ["ann's", "nobody's", "foreign", "new"])
READS: dict[str, Callable[[Keepers], object]] = {
    "load": lambda its: its.store.load(OF_ANN),
    "list": lambda its: its.store.sessions_of("ann"),
    "stamp": lambda its: its.store.stamp("ann"),
    "check": lambda its: its.ended.check(OF_ANN, "ann"),
}
WRITES: dict[str, Callable[[Keepers], object]] = {
    "create": lambda its: its.store.create(NEW, session("ann"), seconds=99, owner="ann"),
    "create for nobody": lambda its: its.store.create(NEW, session(), seconds=99, owner=None),
    "replace": lambda its: replace(its, "ann"),
    "replace for another": lambda its: replace(its, "bob"),
    "replace for nobody": lambda its: replace(its, None),
    "touch": lambda its: its.store.touch(OF_ANN, seconds=99, owner="ann"),
    "touch for nobody": lambda its: its.store.touch(OF_NOBODY, seconds=99, owner=None),
    "delete": lambda its: its.store.delete(OF_ANN),
    "delete for nobody": lambda its: its.store.delete(OF_NOBODY),
    "delete what is foreign": lambda its: its.store.delete(FOREIGN),
    "end": lambda its: its.store.end("ann", OF_ANN),
    "end all of ann": lambda its: its.store.revoke_owner("ann"),
    "end all": lambda its: its.store.revoke_all(),
    "revoke": lambda its: its.ended.revoke(OF_ANN, 99),
    "revoke all of ann": lambda its: its.ended.revoke_owner("ann"),
    "revoke all": lambda its: its.ended.revoke_all(),
}
RULES = re.findall(r"`([~+][^`]*)`", re.findall(r"An ACL has [^.]*\.", README.read_text())[0])
COMMANDS = [rule[1:] for rule in " ".join(RULES[:2]).split() if rule[0] == "+"]


def session(owner: Owner | None = None) -> str:
    return wrap(Envelope("{}", None, 0, None, None, owner, ""))


def replace(its: Keepers, owner: Owner | None) -> bool:
    return its.store.replace(OF_ANN, session(owner), version=its.version, seconds=99, owner=owner)


def prepare(database: RedisDatabase, client: Any) -> Keepers:
    """Begin with a session of ann's, one of nobody's, a mark, and what is another's."""
    for node in database.nodes:
        node.flushall()
    store = database.store()
    store.create(OF_ANN, session("ann"), seconds=9, owner="ann")
    store.create(OF_NOBODY, session(), seconds=9, owner=None)
    store.create(key_of("mark"), '"ended"', seconds=9, owner=None)
    database.client.set(f"session:{FOREIGN}", "foreign")
    kept = store.load(OF_ANN)
    assert kept
    return Keepers(RedisStore(client), RedisRevocations(client), kept.version)


ALL = "(?!.*:stamp:).*"
"""A stamp says nothing of the sessions that there are."""


def dump(database: RedisDatabase, names: str = ALL) -> dict[str, object]:
    """Return all that is there under such names, with its time to live."""
    return {
        key.decode(): (node.dump(key), node.pexpiretime(key))
        for node in database.nodes
        for key in node.keys("*")
        if re.fullmatch(names, key.decode())
    }


@contextmanager
def user_of(database: RedisDatabase, *rules: str) -> Iterator[Any]:
    """A client for whose user these rules hold, while the block runs."""
    for node in database.nodes:
        node.execute_command("ACL SETUSER", "web-shop", "reset", "on", ">password", *rules)
    try:
        its = {"username": "web-shop", "password": "password"}
        with closing(connect(database.kind, database.port, **its)) as client:
            yield client
    finally:
        for node in database.nodes:
            node.execute_command("ACL DELUSER", "web-shop")


def refusals(database: RedisDatabase, client: Any) -> dict[str, str]:
    """Do all there is to do, each from the beginning, and return what is said of each refusal.

    In a cluster, the list of an owner may have changed, but it never lacks a session. The end of
    all sessions is one for those of visitors, where these alone can be ended.
    """
    found = {}
    in_cluster = "session:[0-9a-f]{64}" if database.kind == "cluster" else ALL
    for name, act in (READS | WRITES).items():
        names = f"(?!session:{OF_NOBODY}){ALL}" if name == "end all" else in_cluster
        its = prepare(database, client)
        before = dump(database, names)
        try:
            assert act(its) not in (False, 0, [])
        except SessionUnavailable as error:
            found[name] = str(error)
            assert dump(database, names) == before, name
            assert [kept.key for kept in database.store().sessions_of("ann")] == [OF_ANN], name
    return found


@pytest.fixture(params=["redis", "cluster"])
def one_or_cluster(request: pytest.FixtureRequest, databases: Databases) -> RedisDatabase:
    return databases.redis(request.param)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_that_the_acl_denies_is_named_and_nothing_has_changed(
    one_or_cluster: RedisDatabase, command: str
) -> None:
    with user_of(one_or_cluster, "~*", "+@all", f"-{command}") as client:
        found = refusals(one_or_cluster, client)
    told = f"NOPERM for {command.upper()}. Allow the client's user +{command}."
    assert [each for each in found.values() if not each.endswith(f"the server says: {told}")] == []
    assert "web-shop" not in f"{found}"
    # In a cluster, MGET is not sent, and a session that has ended may stay on its list.
    assert found or (one_or_cluster.kind == "cluster" and command in ("mget", "zrem"))


def test_keys_that_the_acl_denies_are_named(redis_database: RedisDatabase) -> None:
    with user_of(redis_database, "~shop:*", "+@all") as client:
        for act in (READS | WRITES).values():
            with pytest.raises(
                SessionUnavailable, match=r"NOPERM\. Allow .* the keys ~[a-z]+:\*\.$"
            ):
                act(prepare(redis_database, client))


def test_commands_and_keys_of_the_readme_are_enough(redis_database: RedisDatabase) -> None:
    rules = " ".join(RULES if redis_database.kind == "cluster" else RULES[:2])
    with user_of(
        redis_database, *rules.replace("~shop:*", "~session:* ~revoked:*").split()
    ) as client:
        assert refusals(redis_database, client) == {}


def test_full_server_is_said_and_nothing_has_changed(one_or_cluster: RedisDatabase) -> None:
    def full(size: int) -> None:
        for node in one_or_cluster.nodes:
            node.config_set("maxmemory", size)

    found = {}
    for name, act in WRITES.items():
        its = prepare(one_or_cluster, one_or_cluster.client)
        before = dump(one_or_cluster)
        full(1)
        try:
            act(its)
        except SessionUnavailable as error:
            found[name] = str(error)
            assert dump(one_or_cluster) == before, name
        finally:
            full(0)
    # One session can be ended all the same.
    allowed = {*WRITES} - {*found}
    assert allowed - {"replace for nobody"} == {
        "touch for nobody",
        "delete",
        "delete for nobody",
        "delete what is foreign",
        "end",
    }
    said = "the server says: OOM command not allowed when used memory > 'maxmemory'. Make room, or"
    assert [each for each in found.values() if said not in each] == []


@pytest.fixture(scope="module")
def replica(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that copies the single one."""
    of = str(databases.redis().port)
    folder = tmp_path_factory.mktemp("replica")
    with RedisServer(folder, "--replicaof", "127.0.0.1", of) as server, server.client() as client:

        def follows() -> bool:
            found: Any = client.info("replication")
            return bool(found["master_link_status"] == "up")

        wait_for(follows, "the replica has a copy")
        yield server.port


@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_replica_is_said_to_be_one_and_nothing_has_changed(
    databases: Databases, replica: int, kind: str
) -> None:
    database = databases.redis(kind)
    said = r"says: READONLY You can't write against a read only replica\. It is a replica: use"
    with closing(connect(kind, replica)) as client:
        for act in WRITES.values():
            its = prepare(database, client)
            database.client.wait(1, 5000)
            before = dump(database)
            with pytest.raises(SessionUnavailable, match=said):
                act(its)
            assert dump(database) == before


@pytest.mark.parametrize("name", ["create", "replace", "touch", "delete", "end"])
def test_list_of_another_type_is_said_and_nothing_has_changed(
    databases: Databases, name: str
) -> None:
    database = databases.redis()
    its = prepare(database, database.client)
    database.client.set(ANN, "not a list")
    before = dump(database)
    with pytest.raises(SessionUnavailable, match=r"says: WRONGTYPE .* a prefix of its own"):
        WRITES[name](its)
    assert dump(database) == before


def test_session_in_a_cluster_ends_also_where_its_list_does_not_answer(
    databases: Databases,
) -> None:
    database = databases.redis("cluster")
    its = prepare(database, database.client)
    database.client.set(ANN, "not a list")
    assert its.store.delete(OF_ANN)
    assert its.store.load(OF_ANN) is None


def test_key_in_use_is_not_listed_for_another(databases: Databases) -> None:
    database = databases.redis()
    database.client.set("session:key", '{"a":1}')
    assert not database.store().create("key", "{}", seconds=9, owner="ann")
    assert database.only() == "session:key"


def test_one_node_of_a_cluster_says_what_client_it_takes(databases: Databases) -> None:
    database = databases.redis("cluster")
    with redis.Redis(port=database.port) as client:
        store = RedisStore(client)
        for ask in (store.load, lambda key: store.create(key, "", seconds=9, owner="ann")):
            with pytest.raises(SessionUnavailable, match="cluster: use a RedisCluster"):
                [ask(key_of(str(number))) for number in range(9)]  # Some are on the node.


# Clients


@pytest.mark.parametrize("library", ["redis", "valkey"])
def test_client_with_a_single_connection_is_refused(databases: Databases, library: str) -> None:
    require(library)
    make = getattr(import_module(library), library.capitalize())
    port = databases.redis().port
    with make(port=port, single_connection_client=True) as client:
        for kind in (RedisStore, RedisRevocations):
            with pytest.raises(
                ConfigurationError, match="make it without single_connection_client"
            ):
                kind(client)


def test_cluster_of_valkey_s_client_keeps_sessions(databases: Databases) -> None:
    require("valkey")
    from valkey.cluster import ValkeyCluster

    port = databases.redis("cluster").port
    with closing(ValkeyCluster("127.0.0.1", port, socket_timeout=5)) as client:
        store = RedisStore(client)
        cookie = Site(store=store).log_in("ann")
        assert Site(store=store).read(cookie) == {}
        assert store.revoke_owner("ann") == 1


@pytest.mark.parametrize("library", ["redis", "valkey"])
def test_store_and_list_from_a_url_keep_sessions(databases: Databases, library: str) -> None:
    require(library)
    url = f"{library}://127.0.0.1:{databases.redis().port}/1"
    store, ended = RedisStore.from_url(url, "a:"), RedisRevocations.from_url(url, "b:")
    for site in (Site(store=store), Site(revocations=ended)):
        cookie = site.log_in("ann", n=1)
        assert site.read(cookie) == {"n": 1}
        site.visit(Session.invalidate, cookie)
        assert site.read(cookie) is None
