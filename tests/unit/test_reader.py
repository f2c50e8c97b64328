"""The reader of one set of settings, and the backend that belongs to them."""

import time
from typing import Any

import pytest

from sessionware import (
    ConfigurationError,
    SessionMiddleware,
)
from sessionware.codec import SignedCodec
from tests.gateway import KEY
from tests.sites import MemoryRevocations, MemoryStore, Site

CODEC = SignedCodec(KEY)


def test_cookie_whose_data_could_not_be_written_again_is_refused() -> None:
    text = f'[{{"a":{"[" * 150}{"]" * 150}}},0]'
    assert Site().read(f"session={CODEC.encode(text, int(time.time()))}") is None


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"store": 5},
            "store: found int, expected an object with limit, load, create, replace, touch and "
            "delete, such as RedisStore",
        ),
        ({"store": MemoryStore}, "store: found the class MemoryStore"),
        ({"store": MemoryRevocations()}, "store: found MemoryRevocations"),
        ({"revocations": "x"}, "revocations: found str, expected an object with revoke and check"),
        (
            {"store": MemoryStore(), "revocations": MemoryRevocations()},
            "revocations: found together with store",
        ),
    ],
)
def test_wrong_store_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        SessionMiddleware(lambda *_: [], KEY, **settings)


URL = "redis://:password@server/0"


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"store": URL}, "SQLStore(url) or RedisStore.from_url(url)"),
        ({"revocations": URL}, "SQLRevocations(url) or RedisRevocations.from_url(url)"),
    ],
)
def test_url_in_place_of_a_store_is_answered_with_what_takes_one(
    settings: dict[str, Any], advice: str
) -> None:
    """The URL may hold a password, and is not shown."""
    with pytest.raises(ConfigurationError) as caught:
        SessionMiddleware(lambda *_: [], KEY, **settings)
    [problem] = caught.value.problems
    assert problem.advice == f"make it of a URL by {advice}"
    assert "password" not in str(problem)
