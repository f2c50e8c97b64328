"""Cookies that version 1.0 has written open as they did, with their owner and CSRF token."""

from collections.abc import Callable
from typing import Any

import pytest

from sessionware import Session
from tests.conftest import Clock
from tests.sites import MemoryRevocations, MemoryStore, Site, owner_of
from tests.unit.first_version import COOKIES, CREATED, ID, ISSUED, Cookie

MakeSite = Callable[[Cookie], Site]


def cookies(chosen: Callable[[Cookie], object] = lambda cookie: True) -> pytest.MarkDecorator:
    """Run a test with each of these cookies."""
    found = {name: cookie for name, cookie in COOKIES.items() if chosen(cookie)}
    return pytest.mark.parametrize("cookie", found.values(), ids=found.keys())


@pytest.fixture(autouse=True)
def _soon_after(clock: Clock) -> None:
    """Freeze the time a minute after the cookies were issued."""
    clock.now = ISSUED + 60


@pytest.fixture
def make_site(monkeypatch: pytest.MonkeyPatch) -> MakeSite:
    """Return a function that makes a site with the settings that a cookie was made with."""

    def make(cookie: Cookie) -> Site:
        if cookie.name == "revocations":
            return Site(encrypt=cookie.encrypt, revocations=MemoryRevocations())
        if cookie.name != "store":
            return Site(encrypt=cookie.encrypt)
        # The cookie has only the id. The store has a session with that id, of the same time.
        site = Site(encrypt=cookie.encrypt, store=MemoryStore())
        with monkeypatch.context() as patched:
            patched.setattr("secrets.token_urlsafe", lambda size: ID)
            patched.setattr("time.time", lambda: float(CREATED))
            site.log_in(cookie.held.owner, **cookie.held.data)
        return site

    return make


def data_of(session: Session) -> dict[str, Any]:
    return {key: session[key] for key in session if key not in ("_owner", "_csrft_")}


@cookies()
def test_a_session_is_not_new_and_keeps_its_age(make_site: MakeSite, cookie: Cookie) -> None:
    page = make_site(cookie).visit(lambda session: (session.new, session.created), cookie.header)
    assert page.result == (False, CREATED)


@cookies()
def test_data_come_back_with_their_types(make_site: MakeSite, cookie: Cookie) -> None:
    found = make_site(cookie).visit(data_of, cookie.header).result
    assert found == cookie.held.data
    # Two values that are equal may differ in type, as 1 and True do.
    assert repr(sorted(found.items())) == repr(sorted(cookie.held.data.items()))


@cookies()
def test_owner_and_csrf_token_are_not_in_the_mapping(make_site: MakeSite, cookie: Cookie) -> None:
    found = make_site(cookie).visit(lambda session: {*session}, cookie.header).result
    assert found == {*cookie.held.data}


@cookies()
def test_owner_comes_back_with_its_type(make_site: MakeSite, cookie: Cookie) -> None:
    found = make_site(cookie).visit(owner_of, cookie.header).result
    assert found == cookie.held.owner
    assert type(found) is type(cookie.held.owner)


@cookies()
def test_session_is_as_permanent_as_it_was(make_site: MakeSite, cookie: Cookie) -> None:
    page = make_site(cookie).visit(lambda session: session.permanent, cookie.header)
    assert page.result is cookie.held.permanent


@cookies(lambda cookie: cookie.held.id)
def test_id_comes_back(make_site: MakeSite, cookie: Cookie) -> None:
    page = make_site(cookie).visit(lambda session: session.id, cookie.header)
    assert page.result == cookie.held.id


@cookies(lambda cookie: cookie.held.csrf_token)
def test_csrf_token_comes_back(make_site: MakeSite, cookie: Cookie) -> None:
    """A form that was loaded before the update can be sent after it."""
    page = make_site(cookie).visit(lambda session: session.get_csrf_token(), cookie.header)
    assert page.result == cookie.held.csrf_token


@cookies()
def test_session_that_is_only_read_sets_no_cookie(make_site: MakeSite, cookie: Cookie) -> None:
    def read(session: Session) -> None:
        dict(session)
        _ = session.owner, session.permanent, session.created
        if cookie.held.id:
            _ = session.id
        if cookie.held.csrf_token:
            session.get_csrf_token()

    assert make_site(cookie).visit(read, cookie.header).response.set_cookie is None


@cookies(lambda cookie: cookie.name != "store")
def test_session_that_is_changed_keeps_the_rest(make_site: MakeSite, cookie: Cookie) -> None:
    def see(session: Session) -> tuple[Any, ...]:
        return (
            data_of(session),
            session.created,
            session.owner,
            session.permanent,
            session.id if cookie.held.id else None,
            session.get_csrf_token() if cookie.held.csrf_token else None,
        )

    site, held = make_site(cookie), cookie.held
    changed = site.visit(lambda session: session.update(more=1), cookie.header).cookie
    assert changed != cookie.header
    assert site.visit(see, changed).result == (
        {**held.data, "more": 1},
        CREATED,
        held.owner,
        held.permanent,
        held.id,
        held.csrf_token,
    )


@cookies(lambda cookie: cookie.name == "revocations")
def test_log_out_holds_with_revocations(make_site: MakeSite, cookie: Cookie) -> None:
    site = make_site(cookie)
    site.visit(lambda session: session.invalidate(), cookie.header)
    assert site.read(cookie.header) is None


@cookies(lambda cookie: cookie.name == "store")
def test_log_out_holds_with_a_store(make_site: MakeSite, cookie: Cookie) -> None:
    site = make_site(cookie)
    site.visit(lambda session: session.invalidate(), cookie.header)
    assert site.read(cookie.header) is None


@cookies(lambda cookie: cookie.name == "revocations")
def test_session_ends_with_all_others_of_its_owner(cookie: Cookie) -> None:
    revocations = MemoryRevocations()
    site = Site(encrypt=cookie.encrypt, revocations=revocations)
    assert cookie.held.owner is not None
    revocations.revoke_owner(cookie.held.owner)
    assert site.read(cookie.header) is None
