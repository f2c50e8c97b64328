"""The setting ``owner`` of the readers of other frameworks' cookies."""

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from sessionware import ConfigurationError, Session, SessionUnavailable
from sessionware.migration import FlaskCookie
from tests.conftest import Clock
from tests.sites import (
    Act,
    MemoryRevocations,
    MemoryStore,
    Site,
    count,
    data_of,
    id_of,
    owner_of,
)
from tests.unit.foreign_cookies import (
    KEY,
    LITERALS,
    MAKERS,
    NOW,
    every_peer,
    flask_cookie,
    reader,
    refusal,
)

MODES: dict[str, Callable[[], dict[str, Any]]] = {
    "signed": dict,
    "list": lambda: {"revocations": MemoryRevocations()},
    "store": lambda: {"store": MemoryStore()},
}
every_mode = pytest.mark.parametrize("mode", MODES)
held_on_the_server = pytest.mark.parametrize("mode", ["list", "store"])


def user(data: dict[str, Any]) -> Any:
    return data.get("user")


class Adoption:
    """A site that takes over the sessions of a framework, and the cookie of Alice's."""

    def __init__(self, mode: str, peer: str = "Flask", owner: Any = user) -> None:
        cookie = reader(peer, limit=40 * 24 * 60 * 60, owner=owner)
        self.cookie = f"{cookie.cookie.name}={LITERALS[peer]}"
        self.settings = MODES[mode]()
        self.site = Site(**self.settings, migrate_from=[cookie])

    def revoke_owner(self, owner: Any) -> None:
        [keeper] = self.settings.values()
        keeper.revoke_owner(owner)


# Who it is


@every_peer
def test_owner_is_what_the_function_returns(peer: str) -> None:
    assert reader(peer, owner=user).load(LITERALS[peer], NOW).owner == "alice"


@every_peer
def test_nobody_owns_the_session_without_the_setting(peer: str) -> None:
    assert reader(peer).load(LITERALS[peer], NOW).owner is None


@every_peer
def test_function_may_return_none(peer: str) -> None:
    assert reader(peer, owner=lambda _: None).load(LITERALS[peer], NOW).owner is None


@every_peer
@pytest.mark.parametrize("owner", ["", "7", 7, -1, UUID(int=7)], ids=repr)
def test_owner_is_a_str_an_int_or_a_uuid(peer: str, owner: Any) -> None:
    found = reader(peer, owner=lambda _: owner).load(LITERALS[peer], NOW).owner
    assert (type(found), found) == (type(owner), owner)


@every_peer
@pytest.mark.parametrize("owner", [True, 1.5, b"alice", ["alice"], {}], ids=repr)
def test_owner_of_another_type_makes_the_cookie_malformed(peer: str, owner: Any) -> None:
    assert refusal(reader(peer, owner=lambda _: owner), LITERALS[peer]) == "malformed"


@every_peer
@pytest.mark.parametrize("error", [KeyError("user"), ValueError(), RuntimeError()], ids=repr)
def test_function_that_raises_makes_the_cookie_malformed(peer: str, error: Exception) -> None:
    """A session that revoke_owner cannot end would be worse than none."""

    def fail(_: dict[str, Any]) -> None:
        raise error

    assert refusal(reader(peer, owner=fail), LITERALS[peer]) == "malformed"


@pytest.mark.parametrize(
    ("owner", "told"),
    [
        (lambda data: data["SECRET"], "raised KeyError"),
        (list, "found list, expected str, int or UUID"),
    ],
)
def test_function_that_fails_is_named_in_the_log(
    clock: Clock, owner: Any, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The one record is a warning, and shows nothing of the session."""
    it = Adoption("signed", owner=owner)
    it.site.read(it.cookie)
    [record] = caplog.records
    assert (record.levelno, vars(record)["reason"]) == (logging.WARNING, "malformed")
    assert record.getMessage() == (
        "A session cookie was rejected, and a new session begins: FlaskCookie: owner: "
        f"{told}; return None for the data of a visitor (malformed)."
    )


@every_peer
def test_function_is_given_the_data_as_the_session_has_it(peer: str) -> None:
    seen: list[Any] = []
    loaded = reader(peer, owner=seen.append).load(LITERALS[peer], NOW)
    assert seen == [loaded.data]


@every_peer
def test_function_changes_nothing(peer: str) -> None:
    cookie = reader(peer, owner=lambda data: data.pop("user"))
    assert cookie.load(LITERALS[peer], NOW).data["user"] == "alice"


@every_peer
@pytest.mark.parametrize("owner", ["user", 5, ["user"]], ids=repr)
def test_anything_but_a_function_is_refused(peer: str, owner: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        MAKERS[peer][0](KEY, owner=owner)
    [problem] = caught.value.problems
    expected = f"found {type(owner).__name__}, expected a function of a session's data"
    assert str(problem) == f"{peer}Cookie: owner: {expected}"


# The session that is taken over


@every_mode
@every_peer
def test_adopted_session_has_its_owner_at_once(clock: Clock, mode: str, peer: str) -> None:
    it = Adoption(mode, peer)
    page = it.site.visit(owner_of, it.cookie)
    assert page.result == "alice"
    assert it.site.visit(owner_of, page.cookie).result == "alice"


@every_mode
@every_peer
def test_cookie_whose_owner_is_not_found_is_refused(
    clock: Clock, mode: str, peer: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    it = Adoption(mode, peer, owner=lambda data: data["account"])
    assert it.site.read(it.cookie) is None
    assert [vars(record)["reason"] for record in caplog.records] == ["malformed"]


@held_on_the_server
@every_peer
@pytest.mark.parametrize("adopted", [False, True])
def test_cookie_is_refused_once_the_sessions_of_its_owner_were_ended(
    clock: Clock, mode: str, peer: str, adopted: bool
) -> None:
    it = Adoption(mode, peer)
    ours = it.site.visit(data_of, it.cookie).cookie if adopted else it.cookie
    it.revoke_owner("alice")
    assert (it.site.read(it.cookie), it.site.read(ours)) == (None, None)


@held_on_the_server
def test_cookie_is_accepted_once_the_sessions_of_another_were_ended(
    clock: Clock, mode: str
) -> None:
    it = Adoption(mode)
    it.revoke_owner("bob")
    assert it.site.read(it.cookie) == {"user": "alice"}


@held_on_the_server
def test_cookie_without_an_owner_is_accepted_whoever_was_ended(clock: Clock, mode: str) -> None:
    it = Adoption(mode, owner=None)
    it.revoke_owner("alice")
    assert it.site.read(it.cookie) == {"user": "alice"}


# The session itself


@held_on_the_server
@every_peer
@pytest.mark.parametrize("act", [Session.invalidate, Session.regenerate])
@pytest.mark.parametrize("adopted", [False, True])
def test_copy_of_a_cookie_is_refused_after_the_session_has_ended(
    clock: Clock, mode: str, peer: str, act: Act, adopted: bool
) -> None:
    it = Adoption(mode, peer)
    ours = it.site.visit(data_of, it.cookie).cookie if adopted else it.cookie
    it.site.visit(act, ours)
    assert it.site.read(it.cookie) is None


@held_on_the_server
def test_parallel_requests_share_the_session_that_they_take_over(clock: Clock, mode: str) -> None:
    it = Adoption(mode)
    first, second = (it.site.visit(id_of, it.cookie) for _ in range(2))
    assert first.result == second.result
    it.site.visit(Session.invalidate, first.cookie)
    assert it.site.read(second.cookie) is None


@held_on_the_server
@every_peer
def test_slow_request_does_not_outlive_a_log_out_with_a_cookie_that_has_expired_meanwhile(
    clock: Clock, mode: str, peer: str
) -> None:
    cookie = reader(peer, limit=100, owner=user)
    site = Site(**MODES[mode](), migrate_from=[cookie])
    header = f"{cookie.cookie.name}={LITERALS[peer]}"

    def slow(session: Session) -> None:
        count(session)
        clock.advance(101)
        site.visit(Session.invalidate, header)

    with pytest.raises(SessionUnavailable, match="ended by another request"):
        site.visit(slow, header)


@every_mode
def test_empty_session_with_an_owner_is_taken_over(mode: str) -> None:
    flask = FlaskCookie(KEY, session_cookie_name="flask", owner=lambda _: "alice")
    site = Site(**MODES[mode](), migrate_from=[flask])
    assert site.visit(owner_of, flask_cookie("flask", {})).result == "alice"


@every_mode
def test_session_of_another_framework_is_taken_over_with_its_changes(
    clock: Clock, mode: str
) -> None:
    it = Adoption(mode)
    page = it.site.visit(count, it.cookie)
    assert it.site.read(page.cookie) == {"user": "alice", "n": 1}


@every_mode
@every_peer
def test_their_idle_timeout_applies(clock: Clock, mode: str, peer: str) -> None:
    cookie = reader(peer, limit=100)
    site = Site(**MODES[mode](), migrate_from=[cookie])
    clock.advance(101)
    assert site.read(f"{cookie.cookie.name}={LITERALS[peer]}") is None


@every_mode
@every_peer
def test_our_idle_timeout_applies(clock: Clock, mode: str, peer: str) -> None:
    """Beaker's cookie, for example, has no limit of its own by default."""
    cookie = reader(peer, limit=3600)
    site = Site(**MODES[mode](), idle_timeout=100, migrate_from=[cookie])
    header = f"{cookie.cookie.name}={LITERALS[peer]}"
    clock.advance(100)
    assert site.read(header) is not None
    clock.advance(1)
    assert site.read(header) is None
