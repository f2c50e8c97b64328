"""Session: new, permanent, created, id, regenerate and invalidate."""

import re

import pytest

from sessionware import Session
from tests.conftest import Clock
from tests.sites import Act
from tests.unit.sessions import READS, SESSION_READS, assign, holding, opened, visit

# Reads and changes that do not use the id.
OTHERS: dict[str, Act] = {
    **READS,
    **{name: read for name, read in SESSION_READS.items() if name != "id"},
    "update": lambda session: session.update(a=2),
    "flash": lambda session: session.flash("hello"),
    "new_csrf_token": lambda session: session.new_csrf_token(),
    "changed": lambda session: session.changed(),
    "regenerate": lambda session: session.regenerate(),
    "regenerate, created kept": lambda session: session.regenerate(keep_created=True),
    "owner": assign("owner", "ann"),
}
FILL_AND_EMPTY: dict[str, tuple[Act, Act]] = {
    "set, del": (lambda session: session.update(a=1), lambda session: session.pop("a")),
    "flash, pop_flash": (lambda session: session.flash("hello"), Session.pop_flash),
    "permanent, not": (
        lambda session: setattr(session, "permanent", True),
        lambda session: setattr(session, "permanent", False),
    ),
}
ENDS: dict[str, Act] = {"clear": Session.clear, "invalidate": Session.invalidate}
# What begins a new session, or a new part of one.
ANEW: dict[str, Act] = {
    "regenerate": Session.regenerate,
    "log-in": assign("owner", "ann"),
    **ENDS,
}


# New, permanent


def test_session_is_new_without_a_cookie() -> None:
    assert opened().new is True


def test_session_is_new_without_a_valid_cookie() -> None:
    assert opened("session=forged").new is True


def test_session_is_not_new_with_a_valid_cookie() -> None:
    assert holding(a=1).new is False


def test_invalidated_session_is_not_new() -> None:
    """``new`` is about the cookie of the request, which does not change."""
    session = holding(a=1)
    session.invalidate()
    assert session.new is False


def test_session_is_not_permanent_by_default() -> None:
    response = visit(lambda session: session.update(a=1))
    assert opened(response.cookie).permanent is False
    assert "Max-Age" not in str(response.set_cookie)


def test_permanent_is_kept_in_the_data_from_request_to_request() -> None:
    response = visit(lambda session: setattr(session, "permanent", True))
    session = opened(response.cookie)
    assert session.permanent is True
    assert session == {"_permanent": True}


def test_permanent_session_is_kept_by_the_browser() -> None:
    response = visit(lambda session: setattr(session, "permanent", True))
    assert "; Max-Age=2678400; " in str(response.set_cookie)
    assert "; Expires=" in str(response.set_cookie)


def test_permanent_can_be_reset() -> None:
    cookie = visit(lambda session: session.update(a=1, _permanent=True)).cookie
    response = visit(lambda session: setattr(session, "permanent", False), cookie)
    assert opened(response.cookie) == {"a": 1}
    assert "Max-Age" not in str(response.set_cookie)


# Created


def test_created_is_an_integer_of_seconds_since_the_epoch(clock: Clock) -> None:
    clock.now += 0.9
    created = opened().created
    assert (type(created), created) == (int, int(clock.now))


def test_created_is_kept_from_request_to_request(clock: Clock) -> None:
    began = clock.now
    cookie = visit(lambda session: session.update(a=1)).cookie
    for _ in range(3):
        clock.advance(1000)
        cookie = visit(lambda session: session.update(a=session["a"] + 1), cookie).cookie
    assert opened(cookie).created == began


def test_session_that_is_only_read_is_not_created(clock: Clock) -> None:
    """No cookie is set, so the session of the next request is created then."""
    cookie = visit(lambda session: session.created).cookie
    clock.advance(1000)
    assert (cookie, opened(cookie).created) == ("", clock.now)


# Id


def test_id_has_128_bits_or_more() -> None:
    assert re.fullmatch("[0-9A-Za-z_-]{22,}", opened().id)


def test_id_is_random() -> None:
    assert len({opened().id for _ in range(100)}) == 100


def test_id_stays_the_same_within_a_request() -> None:
    session = opened()
    assert session.id == session.id


@pytest.mark.parametrize("data", [{}, {"a": 1}])
def test_id_is_kept_from_request_to_request(data: dict[str, object]) -> None:
    kept: list[str] = []
    cookie = visit(lambda session: session.update(data)).cookie
    cookie = visit(lambda session: kept.append(session.id), cookie).cookie
    assert [opened(cookie).id, opened(cookie).id] == kept * 2


def test_reading_an_id_again_is_not_a_change() -> None:
    session = opened(visit(lambda session: session.id).cookie)
    assert session.id
    assert session.modified is False


def test_making_an_id_is_a_change() -> None:
    session = holding(a=1)
    assert session.id
    assert session.modified is True


@pytest.mark.parametrize(("fill", "empty"), FILL_AND_EMPTY.values(), ids=FILL_AND_EMPTY)
def test_id_is_kept_when_all_data_is_removed(fill: Act, empty: Act) -> None:
    cookie = visit(lambda session: session.id).cookie
    name = opened(cookie).id
    cookie = visit(fill, cookie).cookie
    cookie = visit(empty, cookie).cookie
    assert opened(cookie).id == name


@pytest.mark.parametrize(("fill", "empty"), FILL_AND_EMPTY.values(), ids=FILL_AND_EMPTY)
def test_id_is_kept_if_data_is_added_and_removed_in_one_request(fill: Act, empty: Act) -> None:
    def use(session: Session) -> None:
        fill(session)
        empty(session)

    assert visit(use, visit(lambda session: session.id).cookie).set_cookie is None


def test_forced_save_keeps_the_id_of_a_session_without_data() -> None:
    cookie = visit(lambda session: session.id).cookie
    response = visit(Session.changed, cookie)
    assert opened(response.cookie).id == opened(cookie).id


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_id_is_not_made_until_it_is_read(other: Act) -> None:
    """With a cookie that holds no id, each request makes another one."""
    before = visit(lambda session: session.update(a=1)).cookie
    cookie = visit(other, before).cookie or before
    assert opened(cookie).id != opened(cookie).id


# Regenerate, log-in, clear, invalidate


@pytest.mark.parametrize("begin", ANEW.values(), ids=ANEW)
def test_id_is_replaced(begin: Act) -> None:
    session = opened(visit(lambda session: session.id).cookie)
    before = session.id
    begin(session)
    assert session.id != before


@pytest.mark.parametrize("begin", ANEW.values(), ids=ANEW)
def test_new_id_is_kept(begin: Act) -> None:
    kept: list[str] = []

    def use(session: Session) -> None:
        begin(session)
        kept.append(session.id)

    cookie = visit(use, visit(lambda session: session.id).cookie).cookie
    assert [opened(cookie).id] == kept


def test_old_id_is_removed_by_regenerate_even_if_the_new_one_is_not_read() -> None:
    cookie = visit(lambda session: session.update(a=session.id)).cookie
    session = opened(visit(Session.regenerate, cookie).cookie)
    assert session.id != session["a"]


@pytest.mark.parametrize("begin", ANEW.values(), ids=ANEW)
def test_created_is_now(begin: Act, clock: Clock) -> None:
    session = holding(a=1)
    clock.advance(1000.5)
    begin(session)
    assert (type(session.created), session.created) == (int, int(clock.now))


@pytest.mark.parametrize("begin", ANEW.values(), ids=ANEW)
def test_new_created_is_kept(begin: Act, clock: Clock) -> None:
    cookie = visit(lambda session: session.update(a=1)).cookie
    clock.advance(1000)
    again = clock.now
    cookie = visit(lambda session: (begin(session), session.update(b=2)), cookie).cookie
    clock.advance(1000)
    assert opened(cookie).created == again


def test_regenerate_keeps_the_data() -> None:
    cookie = visit(lambda session: session.update(a=1, cart=[1], _permanent=True)).cookie
    response = visit(Session.regenerate, cookie)
    assert opened(response.cookie) == {"a": 1, "cart": [1], "_permanent": True}


@pytest.mark.parametrize(
    "begin", [*ANEW.values(), lambda it: it.regenerate(keep_created=True)], ids=[*ANEW, "new id"]
)
def test_beginning_anew_is_a_change(begin: Act, clock: Clock) -> None:
    """Even in the second in which the session began."""
    session = holding(a=1)
    begin(session)
    assert session.modified is True


def test_regenerate_can_keep_created(clock: Clock) -> None:
    """So that absolute_timeout goes on."""
    cookie = visit(lambda session: session.update(a=session.id)).cookie
    began = clock.now
    clock.advance(1000)
    session = opened(visit(lambda session: session.regenerate(keep_created=True), cookie).cookie)
    assert session.created == began
    assert session.id != session["a"]


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_end_empties_the_session(end: Act) -> None:
    session = holding(a=1, _permanent=True)
    end(session)
    assert (dict(session), session.permanent, session.modified) == ({}, False, True)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_end_deletes_the_cookie(end: Act) -> None:
    cookie = visit(lambda session: session.update(a=session.id)).cookie
    response = visit(end, cookie)
    assert response.cookie == "session="
    assert "; Max-Age=0; " in str(response.set_cookie)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize(
    "have",
    [
        lambda session: session.id,
        lambda session: session.get_csrf_token(),
        assign("owner", "ann"),
    ],
    ids=["id", "CSRF token", "owner"],
)
def test_end_deletes_the_cookie_of_a_session_without_data(have: Act, end: Act) -> None:
    response = visit(end, visit(have).cookie)
    assert "; Max-Age=0; " in str(response.set_cookie)


def test_end_of_a_session_that_has_not_begun_sets_no_cookie() -> None:
    assert visit(Session.clear).set_cookie is None


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_what_is_set_after_an_end_begins_a_new_session(end: Act, clock: Clock) -> None:
    ids: list[str] = []

    def first(session: Session) -> None:
        session.owner = "ann"
        session.update(a=1)
        ids.append(session.id)

    def second(session: Session) -> None:
        end(session)
        session.update(b=2)
        ids.append(session.id)

    cookie = visit(first).cookie
    clock.advance(1000)
    session = opened(visit(second, cookie).cookie)
    assert (session.owner, dict(session), session.created) == (None, {"b": 2}, clock.now)
    assert session.id == ids[1] != ids[0]


@pytest.mark.parametrize(
    ("act", "ended"),
    [
        (len, False),
        (Session.clear, True),
        (Session.invalidate, True),
        (lambda session: (session.clear(), session.update(b=2)), True),
        (lambda session: (session.clear(), assign("owner", "bob")(session)), False),
        (assign("owner", "ann"), False),
        (assign("owner", "bob"), False),
        (assign("owner", None), True),
        (Session.regenerate, False),
        (Session.popitem, False),
    ],
)
def test_session_has_ended_after_a_log_out_unless_a_log_in_follows(act: Act, ended: bool) -> None:
    session = opened(visit(lambda it: (assign("owner", "ann")(it), it.update(a=1))).cookie)
    act(session)
    assert session._state is not None
    assert session._state.has_ended is ended


def test_session_that_has_nothing_left_has_ended() -> None:
    session = holding(a=1)
    del session["a"]
    assert session._state is not None
    assert session._state.has_ended is True
