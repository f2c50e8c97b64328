"""What is particular to Redis: prefixes, bytes that are not text, and keys that never expire."""

from typing import Any

from sessionware import Session
from tests.sites import Site, count
from tests.stores.databases import RedisDatabase


def test_prefix_is_the_application_s_choice(redis_database: RedisDatabase) -> None:
    Site(store=redis_database.store(prefix="shop:")).visit(count)
    assert redis_database.only().startswith("shop:")


def test_prefix_of_the_list_is_the_application_s_choice(redis_database: RedisDatabase) -> None:
    site = Site(revocations=redis_database.revocations(prefix="ended:"))
    site.visit(Session.invalidate, site.visit(count).cookie)
    assert redis_database.only().startswith("ended:")


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
