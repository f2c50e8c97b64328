"""Session: the owner."""

from typing import Any
from uuid import UUID

import pytest

from sessionware import LateWrite, NullSession, Session, SessionUnavailable, UnserializableValue
from tests.sites import MemoryRevocations, MemoryStore, Site, id_of, owner_of
from tests.unit.sessions import opened

USER = UUID("12345678-1234-5678-1234-567812345678")


@pytest.fixture
def revocations() -> MemoryRevocations:
    return MemoryRevocations()


@pytest.fixture
def site(revocations: MemoryRevocations) -> Site:
    return Site(revocations=revocations)


def set_owner(owner: object) -> Any:
    return lambda session: setattr(session, "owner", owner)


@pytest.mark.parametrize("owner", ["ada", 42, USER, ""])
@pytest.mark.parametrize("revocable", [True, False])
def test_owner_comes_back_with_its_type(
    revocations: MemoryRevocations, owner: object, revocable: bool
) -> None:
    site = Site(revocations=revocations if revocable else None)
    cookie = site.visit(set_owner(owner)).cookie
    found = site.visit(owner_of, cookie).result
    assert found == owner
    assert type(found) is type(owner)


@pytest.mark.parametrize(
    ("owner", "found"),
    [(1.5, "float"), (True, "bool"), (["ada"], "list"), (b"ada", "bytes"), (object(), "object")],
)
def test_owner_of_another_type_is_refused_and_changes_nothing(owner: Any, found: str) -> None:
    session = opened()
    with pytest.raises(UnserializableValue) as caught:
        session.owner = owner
    assert str(caught.value) == f"session.owner: found {found}, expected str, int or UUID"
    assert not session.modified


def test_data_cannot_set_the_owner(site: Site) -> None:
    """A form that is passed to update() changes neither owner nor CSRF token."""
    cookie = site.visit(lambda session: session.update(_owner=["ada", ""], _csrft_="x")).cookie
    assert site.visit(owner_of, cookie).result is None
    assert site.visit(Session.get_csrf_token, cookie).result != "x"


def test_missing_owner_can_be_set_to_none() -> None:
    session = opened()
    session.owner = None
    assert (session.owner, dict(session), session.modified) == (None, {}, False)


def test_removing_the_owner_is_a_log_out(site: Site) -> None:
    cookie = site.log_in("ada", user="ada")
    page = site.visit(set_owner(None), cookie)
    assert page.cookie == ""
    assert site.read(cookie) is None


def test_owner_is_kept_by_regenerate_and_removed_by_invalidate(site: Site) -> None:
    def owner_after(session: Any) -> Any:
        session.invalidate()
        return session.owner

    cookie = site.visit(lambda session: session.regenerate(), site.log_in("ada")).cookie
    assert site.visit(owner_of, cookie).result == "ada"
    assert site.visit(owner_after, cookie).result is None


def test_owner_cannot_be_set_late_or_in_a_null_session(site: Site) -> None:
    kept: list[Any] = []
    site.visit(kept.append)
    with pytest.raises(LateWrite):
        kept[0].owner = "ada"
    null = NullSession()
    assert null.owner is None
    with pytest.raises(SessionUnavailable):
        null.owner = "ada"


def test_another_owner_begins_a_new_session() -> None:
    """This prevents session fixation (CWE-384), even if a log-in forgets regenerate()."""
    for site in (Site(store=MemoryStore()), Site(revocations=MemoryRevocations())):
        planted = site.visit(lambda session: session.update(cart=1)).cookie
        mine = site.visit(set_owner("ada"), planted).cookie
        assert site.read(mine) == {"cart": 1}
        assert "owner" not in site.visit(dict, planted).result
        assert site.visit(owner_of, planted).result is None


def test_same_owner_keeps_the_data_under_a_new_id(site: Site) -> None:
    cookie = site.log_in("ada", cart=1)
    first = site.visit(id_of, cookie).result
    again = site.visit(set_owner("ada"), cookie).cookie
    assert site.read(again) == {"cart": 1}
    assert site.visit(id_of, again).result != first
    assert site.read(cookie) is None


@pytest.mark.parametrize("kind", ["store", "revocations"])
def test_slow_request_that_rewrites_all_data_does_not_undo_a_log_out(kind: str) -> None:
    site = Site(**{kind: MemoryStore() if kind == "store" else MemoryRevocations()})

    def slow(session: Any) -> None:
        data = session.copy()
        session.clear()
        session.update(data)
        site.visit(Session.invalidate, cookie)

    cookie = site.log_in("ada", cart=1)
    assert site.visit(owner_of, site.visit(slow, cookie).cookie).result is None
