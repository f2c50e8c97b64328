"""SessionwareCookie: its settings."""

from datetime import timedelta
from typing import Any

import pytest

from sessionware import ConfigurationError
from sessionware.migration import SessionwareCookie
from tests.gateway import KEY
from tests.sites import MemoryRevocations, MemoryStore


def problems(**settings: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        SessionwareCookie(**{"secret_key": KEY} | settings)
    return [*map(str, caught.value.problems)]


@pytest.mark.parametrize(
    ("setting", "value", "found"),
    [
        ("secret_key", "short", "found 5 bytes"),
        ("secret_key", None, "found NoneType"),
        ("secret_key_fallbacks", KEY, "found str"),
        ("salt", 5, "found int"),
        ("cookie_name", "a b", "found 'a b'"),
        ("cookie_domain", "a b", "found 'a b'"),
        ("cookie_path", "app", "found 'app'"),
        ("cookie_partitioned", 1, "found 1"),
        ("idle_timeout", timedelta(0), "found datetime.timedelta(0)"),
        ("permanent_timeout", "1", "found '1'"),
        ("absolute_timeout", 0, "found 0"),
        ("encrypt", 1, "found int"),
        ("store", 1, "found int"),
        ("revocations", MemoryStore(), "found MemoryStore"),
    ],
)
def test_problem_is_named_after_the_class_and_its_setting(
    setting: str, value: Any, found: str
) -> None:
    [problem] = problems(**{setting: value})
    assert problem.startswith(f"SessionwareCookie: {setting}: {found}")


def test_every_problem_is_reported_at_once() -> None:
    found = problems(
        secret_key="short",
        salt=5,
        cookie_name="a b",
        idle_timeout=0,
        encrypt="yes",
        store=MemoryStore(),
        revocations=MemoryRevocations(),
    )
    names = [problem.split(": ")[1] for problem in found]
    assert names == ["cookie_name", "idle_timeout", "encrypt", "secret_key", "salt", "revocations"]


def test_no_key_is_in_the_repr() -> None:
    assert KEY not in repr(SessionwareCookie(KEY))
