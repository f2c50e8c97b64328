"""Cache poisoning and deception: no shared cache gives one user's page or cookie to another.

Named here: CVE-2026-27205 (Flask: ``in`` and ``len`` did not count as access) and
CVE-2023-30861 (Flask: a cookie was issued again without ``Vary``), both CWE-524. The cache is the
simplest that RFC 9111 allows.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from tests.attacks.shared_cache import SharedCache
from tests.attacks.victim import Victim
from tests.conftest import Clock

DAY = 24 * 60 * 60


def untouched(_: Any) -> str:
    """Return a page that does not use the session."""
    return "the same for all"


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
def test_a_page_that_reads_the_session_is_not_shared(victim: Victim, look: str) -> None:
    """CVE-2026-27205: even if it only checks whether a key is present."""
    cache = SharedCache(victim, LOOKS[look])
    adas, anonymous = cache.get(victim.log_in()), cache.get("")
    assert adas is not anonymous
    assert b"ada" not in anonymous.data


def test_a_page_that_does_not_use_the_session_is_cached_for_all(victim: Victim) -> None:
    """It has no ``Vary: Cookie``, which would make caches useless for it."""
    cache = SharedCache(victim, untouched)
    first, second = cache.get(victim.log_in("ada")), cache.get(victim.log_in("bob"))
    assert first is second
    assert b"the same for all" in second.data
    assert first.header_list == [("Cache-Control", "max-age=60")]


@pytest.mark.parametrize("show", [repr, str, format], ids=lambda show: show.__name__)
def test_a_page_that_only_shows_an_unopened_session_is_the_same_for_all(
    victim: Victim, show: Callable[[Any], str]
) -> None:
    """A debugger or an error page shows the environ, and nothing of the session is in it."""
    cache = SharedCache(victim, show)
    first, second = cache.get(victim.log_in("ada")), cache.get(victim.log_in("bob"))
    assert first is second
    assert b"<Session unopened>" in first.data


def test_the_cache_mixes_up_users_if_vary_is_missing(victim: Victim) -> None:
    """Otherwise, the tests above would prove nothing."""
    cache = SharedCache(victim, len, without=("Vary",))
    pages = [cache.get(victim.log_in(user)) for user in ("ada", "bob")]
    assert pages[0] is pages[1]


@pytest.mark.parametrize("look", [untouched, len], ids=["untouched", "read"])
def test_a_cookie_that_is_issued_again_goes_to_its_owner(
    victim: Victim, clock: Clock, look: Callable[[Any], object]
) -> None:
    """CVE-2023-30861: a permanent session is due, and the page may not use the session."""

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
    """Whatever Cache-Control the application sets: a stored Set-Cookie would reach all users."""
    victim.headers = [("Cache-Control", allowed)]
    cache = SharedCache(victim, act)
    ada = victim.log_in()
    page = cache.get(ada)
    assert page.set_cookie
    assert cache.get(ada) is not page
    assert cache.kept == []


class Fragile(Victim):
    """A site whose page fails after the commit, before the first byte, and shows an error page.

    ``late``: what the error page does with the session.
    """

    late: Callable[[Any], object] = staticmethod(untouched)

    def _serve(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        session = environ["session"]
        start_response("200 OK", [])
        self.act(session)
        return self._fail(session, start_response)

    def _fail(self, session: Any, start_response: Any) -> Iterator[bytes]:
        try:
            raise ConnectionError("the database has gone away")
        except ConnectionError:
            page = repr(self.late(session)).encode()
            start_response("500 Internal Server Error", self.headers, sys.exc_info())
        yield page


@pytest.fixture
def fragile(clock: Clock) -> Fragile:
    fragile = Fragile()
    fragile.headers = [("Cache-Control", "public, max-age=60"), ("X-Own", "1")]
    return fragile


CHANGES: dict[str, Callable[[Any], object]] = {
    "log-in": lambda session: session.update(user="root"),
    "log-out": lambda session: session.invalidate(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_late_error_page_carries_the_cookie_that_was_decided(
    fragile: Fragile, victim: Victim, change: str
) -> None:
    """Otherwise, the user would stay logged in after the log-out, or out after the log-in."""
    ada = victim.log_in()
    page = fragile.visit(ada, CHANGES[change], alone=True)
    expected = victim.visit(ada, CHANGES[change], alone=True)
    assert (page.status[:3], page.headers["X-Own"]) == ("500", "1")
    assert page.set_cookie == expected.set_cookie
    assert page.headers["Vary"] == "Cookie"
    assert "public" not in page.headers["Cache-Control"]


@pytest.mark.parametrize("change", CHANGES)
def test_no_cache_keeps_a_late_error_page_that_sets_the_cookie(
    fragile: Fragile, victim: Victim, change: str
) -> None:
    cache = SharedCache(fragile, CHANGES[change])
    ada = victim.log_in()
    assert cache.get(ada) is not cache.get(ada)
    assert cache.kept == []


@pytest.mark.parametrize("look", LOOKS)
def test_a_late_error_page_about_what_was_read_is_not_shared(
    fragile: Fragile, victim: Victim, look: str
) -> None:
    fragile.late = dict
    cache = SharedCache(fragile, LOOKS[look])
    adas, anonymous = cache.get(victim.log_in()), cache.get("")
    assert b"ada" in adas.data
    assert adas is not anonymous


def test_a_late_error_page_that_looks_first_is_not_shared(fragile: Fragile, victim: Victim) -> None:
    """The session was not used before the commit."""
    fragile.late = dict
    cache = SharedCache(fragile, untouched)
    adas, anonymous = cache.get(victim.log_in()), cache.get("")
    assert b"ada" in adas.data
    assert adas is not anonymous
    assert "private" in adas.headers["Cache-Control"]
    assert adas.headers["Vary"] == "Cookie"


def test_a_late_error_page_that_does_not_use_the_session_is_shared(
    fragile: Fragile, victim: Victim
) -> None:
    cache = SharedCache(fragile, untouched)
    first, second = cache.get(victim.log_in("ada")), cache.get(victim.log_in("bob"))
    assert first is second
    assert first.header_list == fragile.headers


def test_headers_outside_the_cache_key_do_not_change_a_response(victim: Victim) -> None:
    """Unkeyed input: no header of ours depends on Host or on a proxy's headers."""
    log_in = lambda session: session.update(user="ada")  # noqa: E731
    poison: dict[str, Any] = {
        "HTTP_X_FORWARDED_HOST": "evil.example",
        "HTTP_X_FORWARDED_PROTO": "https",
    }
    poison |= {"HTTP_X_FORWARDED_SCHEME": "https", "HTTP_HOST": "evil.example"}
    plain, poisoned = victim.visit("", log_in), victim.visit("", log_in, **poison)
    assert poisoned.header_list == plain.header_list
