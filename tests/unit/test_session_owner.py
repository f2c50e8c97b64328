"""Session: the owner. Assigning one is the log-in, and ``None`` the log-out."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionware import LateWrite, NullSession, Session, SessionUnavailable, UnserializableValue
from sessionware.session import Loaded, Owner, plain_owner
from tests.conftest import Clock
from tests.sites import Act, MemoryRevocations, MemoryStore, Site, id_of, owner_of

USER = UUID("12345678-1234-5678-1234-567812345678")
SETTINGS: dict[str, Callable[[], dict[str, Any]]] = {
    "signed": dict,
    "encrypted": lambda: {"encrypt": True},
    "revocations": lambda: {"revocations": MemoryRevocations()},
    "store": lambda: {"store": MemoryStore()},
}


@pytest.fixture(params=SETTINGS.values(), ids=[*SETTINGS])
def site(request: pytest.FixtureRequest) -> Site:
    """Return a site for each way to keep sessions."""
    return Site(**request.param())


def set_owner(owner: object) -> Act:
    return lambda session: setattr(session, "owner", owner)


class Seen(NamedTuple):
    """What an assignment of the owner keeps or replaces."""

    data: dict[str, Any]
    id: str
    created: int
    csrf_token: str


def see(session: Session) -> Seen:
    return Seen(dict(session), session.id, session.created, session.get_csrf_token())


def then_see(act: Act) -> Act:
    def use(session: Session) -> Seen:
        act(session)
        return see(session)

    return use


def begun(site: Site, owner: Owner | None) -> tuple[str, Seen]:
    """Return the cookie of a session of this owner that has everything, and what it has."""

    def begin(session: Session) -> Seen:
        session.owner = owner
        session.update(cart=[1], _permanent=True)
        return see(session)

    page = site.visit(begin)
    return page.cookie, page.result


def kept(before: Seen, after: Seen) -> set[str]:
    """Return the names of what is the same."""
    return {name for name in Seen._fields if getattr(before, name) == getattr(after, name)}


# From one owner to another

STEPS: dict[str, tuple[Owner | None, Owner | None, set[str]]] = {
    "nobody, somebody": (None, "ann", {"data"}),
    "somebody, the same": ("ann", "ann", {"data", "csrf_token"}),
    "somebody, somebody else": ("ann", "bob", set()),
    "somebody, None": ("ann", None, set()),
    "nobody, None": (None, None, set(Seen._fields)),
}


@pytest.mark.parametrize(("before", "after", "expected"), STEPS.values(), ids=STEPS)
def test_assignment_keeps_and_replaces_at_once(
    site: Site, clock: Clock, before: Owner | None, after: Owner | None, expected: set[str]
) -> None:
    cookie, had = begun(site, before)
    clock.advance(1000)
    has = site.visit(then_see(set_owner(after)), cookie).result
    assert kept(had, has) == expected
    assert has.data in (had.data, {})
    assert has.created in (had.created, clock.now)


@pytest.mark.parametrize(("before", "after", "expected"), STEPS.values(), ids=STEPS)
def test_assignment_keeps_and_replaces_for_the_next_request(
    site: Site, clock: Clock, before: Owner | None, after: Owner | None, expected: set[str]
) -> None:
    cookie, had = begun(site, before)
    clock.advance(1000)
    cookie = site.visit(set_owner(after), cookie).cookie
    assert site.visit(owner_of, cookie).result == after
    assert kept(had, site.visit(see, cookie).result) == expected


@pytest.mark.parametrize("owner", [None, "ann"])
def test_log_in_is_made_in_the_same_second_too(site: Site, clock: Clock, owner: str | None) -> None:
    cookie, had = begun(site, owner)
    assert site.visit(then_see(set_owner("ann")), cookie).result.id != had.id


def test_log_out_of_nobody_sets_no_cookie(site: Site) -> None:
    cookie = site.visit(lambda session: session.update(a=1)).cookie
    assert site.visit(set_owner(None), cookie).response.set_cookie is None
    assert site.visit(set_owner(None)).response.set_cookie is None


@pytest.mark.parametrize("cookie", ["session=junk", ""])
def test_log_out_of_nobody_ends_nothing_if_the_cookie_was_refused(site: Site, cookie: str) -> None:
    """Such as in a log-in that fails, and sets the owner to what it has found: to None."""

    def fail_to_log_in(session: Session) -> None:
        session["cart"] = [1]
        session.owner = None

    assert site.visit(set_owner(None), cookie).response.set_cookie is None
    assert site.read(site.visit(fail_to_log_in, cookie).cookie) == {"cart": [1]}


def test_log_out_of_nobody_ends_no_log_in_of_a_moment_ago() -> None:
    """Such as in a poll that was sent with the visitor's cookie."""
    site = Site(store=MemoryStore())
    old = site.visit(lambda session: session.update(a=1)).cookie
    anns = site.visit(set_owner("ann"), old).cookie
    site.visit(set_owner(None), old)
    assert site.visit(owner_of, anns).result == "ann"


def test_log_out_deletes_the_cookie(site: Site) -> None:
    cookie = site.log_in("ann", cart=[1])
    assert "; Max-Age=0; " in str(site.visit(set_owner(None), cookie).response.set_cookie)


def test_log_in_with_a_log_out_before_it_keeps_nothing(site: Site, clock: Clock) -> None:
    """Not even the CSRF token of the same user."""

    def use(session: Session) -> Seen:
        session.owner = None
        session.owner = "ann"
        return see(session)

    cookie, had = begun(site, "ann")
    clock.advance(1000)
    assert kept(had, site.visit(use, cookie).result) == set()


def test_what_is_set_after_a_log_in_as_somebody_else_is_kept(site: Site) -> None:
    cookie = site.log_in("ann", cart=[1], admin=True)
    cookie = site.visit(lambda it: (set_owner("bob")(it), it.update(cart=[2])), cookie).cookie
    assert site.read(cookie) == {"cart": [2]}
    assert site.visit(owner_of, cookie).result == "bob"


def test_what_is_set_after_a_log_out_is_a_session_of_nobody(site: Site) -> None:
    cookie = site.log_in("ann", cart=[1])
    cookie = site.visit(lambda it: (set_owner(None)(it), it.flash("Bye")), cookie).cookie
    assert site.visit(owner_of, cookie).result is None
    assert site.read(cookie) == {"_f_": ["Bye"]}


@pytest.mark.parametrize("kind", ["store", "revocations"])
def test_cookie_from_before_a_log_in_is_refused_after_it(kind: str, clock: Clock) -> None:
    """This prevents session fixation (CWE-384). For a minute, a store has grace."""
    site = Site(**SETTINGS[kind]())
    for planted in (site.visit(lambda it: it.update(cart=1)).cookie, site.log_in("ann", cart=1)):
        mine = site.visit(set_owner("ann"), planted).cookie
        assert site.read(mine) == {"cart": 1}
        clock.advance(61)
        assert site.read(planted) is None


@pytest.mark.parametrize("kind", ["store", "revocations"])
def test_slow_request_that_rewrites_all_data_does_not_undo_a_log_out(kind: str) -> None:
    site = Site(**SETTINGS[kind]())

    def slow(session: Session) -> None:
        data = session.copy()
        session.clear()
        session.update(data)
        site.visit(Session.invalidate, cookie)

    cookie = site.log_in("ann", cart=1)
    assert site.visit(owner_of, site.visit(slow, cookie).cookie).result is None


# What an owner may be


class Level(IntEnum):
    ONE = 1


class Name(StrEnum):
    ANN = "ann"


class Shouting(str):
    __slots__ = ()

    def __str__(self) -> str:
        return self.upper()


class DriversUUID(UUID):
    """A UUID like asyncpg's, which computes the attribute in which UUID keeps its value."""

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "text", text)

    @property  # type: ignore[misc]  # it is final
    def int(self) -> int:
        return int(self.__dict__["text"], 16)


class Proxy:
    """An object that claims to be a str, as a lazy one of Django's or werkzeug's does."""

    __class__ = str  # type: ignore[assignment]


SUBCLASSES = [
    (Level.ONE, 1),
    (Name.ANN, "ann"),
    (Shouting("ann"), "ann"),
    (DriversUUID(USER.hex), USER),
]
# Values of other types, by the name of their type.
OTHERS: dict[str, object] = {
    "bool": True,
    "float": 1.0,
    "bytes": b"ann",
    "list": ["ann"],
    "Decimal": Decimal(1),
    "date": date(2027, 1, 15),
    "type": str,
    "Proxy": Proxy(),
}


@given(st.text() | st.integers() | st.uuids())
def test_owner_comes_back_with_its_type(owner: Owner) -> None:
    site = Site()
    found = site.visit(owner_of, site.visit(set_owner(owner)).cookie).result
    assert (type(found), found) == (type(owner), owner)


@pytest.mark.parametrize("owner", ["ann", 42, USER, 0, ""])
def test_owner_alone_is_a_session(site: Site, owner: Owner) -> None:
    found = site.visit(owner_of, site.visit(set_owner(owner)).cookie).result
    assert (type(found), found) == (type(owner), owner)


@pytest.mark.parametrize(
    ("before", "after"), [(1, "1"), ("1", 1), (USER, str(USER)), (USER.int, USER), (0, "")]
)
def test_owners_of_two_types_are_two_owners(site: Site, before: Owner, after: Owner) -> None:
    cookie = site.visit(set_owner(after), site.log_in(before, admin=True)).cookie
    assert site.read(cookie) == {}
    assert site.visit(owner_of, cookie).result == after


@pytest.mark.parametrize(("owner", "plain"), SUBCLASSES)
def test_owner_of_a_subclass_becomes_one_of_the_base_type(owner: Any, plain: Owner) -> None:
    def use(session: Session) -> Owner | None:
        session.owner = owner
        return session.owner

    found = Site().visit(use).result
    assert (type(found), found) == (type(plain), plain)


@pytest.mark.parametrize(("owner", "plain"), SUBCLASSES)
def test_owner_of_a_subclass_is_the_same_owner(site: Site, owner: Any, plain: Owner) -> None:
    cookie = site.visit(set_owner(owner), site.log_in(plain, cart=[1])).cookie
    assert site.read(cookie) == {"cart": [1]}


@pytest.mark.parametrize("found", OTHERS)
def test_owner_of_another_type_is_refused_and_changes_nothing(found: str) -> None:
    session = held("ann")
    with pytest.raises(UnserializableValue) as caught:
        set_owner(OTHERS[found])(session)
    assert str(caught.value) == f"session.owner: found {found}, expected str, int or UUID"
    assert (session.owner, session.id, dict(session)) == ("ann", "an-id", {"cart": [1]})
    assert session.modified is False


@pytest.mark.parametrize("owner", [10**4300, -(10**4300)], ids=["positive", "negative"])
def test_owner_with_too_many_digits_is_refused_and_changes_nothing(owner: int) -> None:
    session = held("ann")
    with pytest.raises(
        UnserializableValue, match=r"^session\.owner: found an int with too many dig"
    ):
        set_owner(owner)(session)
    assert (session.owner, session.modified) == ("ann", False)


def test_refused_owner_is_named_as_the_caller_says() -> None:
    with pytest.raises(
        UnserializableValue, match=r"^owner: found float, expected str, int or UUID"
    ):
        plain_owner(1.0, "owner")


# When it cannot be set


class Store:
    """What a session asks of its interface, with stamps that cannot be had."""

    def load(self, cookie: str) -> Loaded:
        return Loaded({"cart": [1]}, '{"cart":[1]}', 0, 0, "an-id", None, cookie)

    def dumps(self, data: dict[str, Any]) -> str:
        return '{"cart":[1]}'

    def stamp(self, owner: Owner) -> str:
        raise SessionUnavailable("the store does not answer")

    def late_look(self) -> None:
        raise NotImplementedError


def held(owner: str) -> Session:
    return Session(Store(), owner)


@pytest.mark.parametrize("owner", ["ann", "bob"])
def test_log_in_without_an_answer_for_the_stamp_changes_nothing(owner: str) -> None:
    session = held("ann")
    with pytest.raises(SessionUnavailable):
        session.owner = owner
    assert (session.owner, session.id, dict(session)) == ("ann", "an-id", {"cart": [1]})
    assert session.modified is False


@pytest.mark.parametrize("owner", ["ann", "bob", None])
def test_owner_cannot_be_set_after_the_response_has_begun(site: Site, owner: str | None) -> None:
    sessions: list[Session] = []
    site.visit(sessions.append, site.log_in("ann", cart=[1]))
    with pytest.raises(LateWrite):
        sessions[0].owner = owner
    assert (sessions[0].owner, dict(sessions[0])) == ("ann", {"cart": [1]})


def test_owner_cannot_be_set_in_a_null_session() -> None:
    session = NullSession()
    with pytest.raises(SessionUnavailable):
        session.owner = "ann"
    assert session.owner is None


# Outside the mapping


def test_data_cannot_set_owner_or_csrf_token(site: Site) -> None:
    """A form that is passed to ``update`` is data."""
    form = {"_owner": ["ann", ""], "_csrft_": "x", "owner": "ann", "csrf_token": "x"}
    cookie = site.visit(lambda session: session.update(form)).cookie
    assert site.visit(owner_of, cookie).result is None
    assert site.visit(lambda session: session.check_csrf_token("x"), cookie).result is False
    assert site.read(cookie) == form


def test_data_cannot_replace_owner_or_csrf_token(site: Site) -> None:
    cookie, had = begun(site, "ann")
    form = {"_owner": ["bob", ""], "_csrft_": "x"}
    cookie = site.visit(lambda session: session.update(form), cookie).cookie
    assert site.visit(owner_of, cookie).result == "ann"
    assert kept(had, site.visit(see, cookie).result) == {"id", "created", "csrf_token"}


def test_owner_is_no_key(site: Site) -> None:
    assert site.read(site.log_in("ann")) == {}


# Other ends and beginnings


@pytest.mark.parametrize("end", [Session.clear, Session.invalidate])
def test_end_of_the_session_removes_the_owner(site: Site, end: Act) -> None:
    def use(session: Session) -> Owner | None:
        end(session)
        return session.owner

    page = site.visit(use, site.log_in("ann"))
    assert (page.result, page.cookie) == (None, "")


def test_regenerate_keeps_the_owner(site: Site) -> None:
    cookie = site.log_in("ann")
    before = site.visit(id_of, cookie)
    cookie = site.visit(Session.regenerate, before.cookie).cookie
    assert site.visit(owner_of, cookie).result == "ann"
    assert site.visit(id_of, cookie).result != before.result
