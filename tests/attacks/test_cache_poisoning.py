"""Cache poisoning and deception: no shared cache gives one user's page or cookie to another.

Named here: CVE-2026-27205 (Flask: ``in`` and ``len`` were no look at the session) and
CVE-2023-30861 (Flask: a cookie was issued again without ``Vary``), both CWE-524. The cache is the
plainest that RFC 9111 allows.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.attacks.shared_cache import SharedCache
from tests.attacks.victim import Victim
from tests.conftest import Clock

DAY = 24 * 60 * 60


def untouched(_: Any) -> str:
    """The page of everybody, which never looks at the session."""
    return "the page of everybody"


def matches(session: Any) -> bool:
    match session:
        case {"user": _}:
            return True
    return False


LOOKS: dict[str, Callable[[Any], object]] = {
    "in": lambda session: "user" in session,
    "not in": lambda session: "nobody" not in session,
    "len": len,
    "bool": bool,
    "iteration": list,
    "reversed": lambda session: list(reversed(session)),
    "==": lambda session: session == {},
    "!=": lambda session: session != {},
    "keys": lambda session: session.keys(),
    "values": lambda session: list(session.values()),
    "items": lambda session: list(session.items()),
    "get": lambda session: session.get("nobody"),
    "dict": dict,
    "**": lambda session: dict(**session),
    "copy": lambda session: session.copy(),
    "|": lambda session: session | {},
    "repr": repr,
    "str": str,
    "match": matches,
    "new": lambda session: session.new,
    "created": lambda session: session.created,
    "permanent": lambda session: session.permanent,
    "peek_flash": lambda session: session.peek_flash(),
    "pop_flash": lambda session: session.pop_flash(),
    "pop": lambda session: session.pop("nobody", None),
}


@pytest.fixture
def victim(clock: Clock) -> Victim:
    victim = Victim()
    victim.headers = [("Cache-Control", "max-age=60")]
    return victim


@pytest.mark.parametrize("look", LOOKS)
def test_however_a_page_looks_at_the_session_it_is_its_users_own(victim: Victim, look: str) -> None:
    """CVE-2026-27205: also where it only asks whether a key is there."""
    cache = SharedCache(victim, LOOKS[look])
    adas, nobodys = cache.get(victim.log_in()), cache.get("")
    assert adas is not nobodys
    assert b"ada" not in nobodys.data


def test_a_page_that_looks_at_nothing_is_the_same_for_all_and_kept(victim: Victim) -> None:
    """And tells no cache otherwise: ``Vary`` on everything would be no cache at all."""
    cache = SharedCache(victim, untouched)
    first, second = cache.get(victim.log_in("ada")), cache.get(victim.log_in("bob"))
    assert first is second
    assert b"of everybody" in second.data
    assert first.header_list == [("Cache-Control", "max-age=60")]


def test_the_cache_above_does_poison_where_vary_is_missing(victim: Victim) -> None:
    """Or else it would prove nothing."""
    cache = SharedCache(victim, len, without=("Vary",))
    pages = [cache.get(victim.log_in(user)) for user in ("ada", "bob")]
    assert pages[0] is pages[1]


@pytest.mark.parametrize("look", [untouched, len], ids=["untouched", "read"])
def test_a_cookie_that_is_issued_again_goes_to_its_owner(
    victim: Victim, clock: Clock, look: Callable[[Any], object]
) -> None:
    """CVE-2023-30861: a permanent session, its cookie due, and a page that does not look at it."""

    def remember(session: Any) -> None:
        session["user"] = "ada"
        session.permanent = True

    ada = victim.visit("", remember).cookie
    clock.advance(4 * DAY)
    cache = SharedCache(victim, look)
    page = cache.get(ada)
    assert (page.set_cookie is None) is (look is untouched)
    assert [cache.get(cookie).set_cookie for cookie in ("", "session=other")] == [None, None]


@pytest.mark.parametrize(
    "allowed",
    [
        "public, max-age=60",
        "s-maxage=60",
        "max-age=60",
        "public",
        "PUBLIC, S-MaxAge=60",
        "max-age=60, stale-while-revalidate=600",
        'private="X-User", public, max-age=60',
        "must-revalidate, public, max-age=60",
    ],
)
@pytest.mark.parametrize(
    "act",
    [
        lambda session: session.update(user="root"),
        lambda session: session.clear(),
        lambda session: session.invalidate(),
        lambda session: session.flash("hello"),
    ],
    ids=["log-in", "clear", "log-out", "flash"],
)
def test_no_cache_keeps_a_page_that_sets_the_cookie(
    victim: Victim, act: Callable[[Any], object], allowed: str
) -> None:
    """Whatever the application allows: a kept Set-Cookie is a session for everybody."""
    victim.headers = [("Cache-Control", allowed)]
    cache = SharedCache(victim, act)
    ada = victim.log_in()
    page = cache.get(ada)
    assert page.set_cookie
    assert cache.get(ada) is not page
    assert cache.kept == []


def test_no_header_that_caches_leave_out_of_their_key_changes_a_page(victim: Victim) -> None:
    """Unkeyed input: what Host and a proxy's headers say is in no header of ours."""
    log_in = lambda session: session.update(user="ada")  # noqa: E731
    poison: dict[str, Any] = {
        "HTTP_X_FORWARDED_HOST": "evil.example",
        "HTTP_X_FORWARDED_PROTO": "https",
    }
    poison |= {"HTTP_X_FORWARDED_SCHEME": "https", "HTTP_HOST": "evil.example"}
    plain, poisoned = victim.visit("", log_in), victim.visit("", log_in, **poison)
    assert poisoned.header_list == plain.header_list
