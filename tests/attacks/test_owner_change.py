"""A session that changes hands: what the user before leaves to the next one (CWE-384, CWE-488).

A log-in is ``session.owner = user_id``, and nothing else is asked of the application. Named here:
CVE-2024-38513 (Fiber) and CWE-352: a token that an attacker knows from before the log-in.
"""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.attacks.modes import MODES
from tests.attacks.victim import Victim, sign
from tests.conftest import Clock


@pytest.fixture(params=MODES)
def victim(clock: Clock, request: pytest.FixtureRequest) -> Victim:
    """Return a site in each mode."""
    return Victim(**MODES[request.param]())


with_a_server = pytest.mark.parametrize("victim", ["revocations", "store"], indirect=True)


def log_in(user: Any, **data: Any) -> Callable[[Any], object]:
    def act(session: Any) -> None:
        session.owner = user
        session.update(data)

    return act


def browse(session: Any) -> str:
    """Visit a page with a form, which a logged-out user may do too."""
    session["cart"] = ["book"]
    return str(session.get_csrf_token())


def state(session: Any) -> tuple[Any, Any, str, str]:
    return session.owner, session.get("cart"), session.id, session.get_csrf_token()


ROOT = {"admin": True, "address": "1 Root Lane", "cart": ["book"], "nested": {"secret": [1]}}


# Another user's log-in, without a log-out before it


@pytest.mark.parametrize("new", ["ada", 1, UUID(int=1)], ids=repr)
def test_the_next_user_finds_nothing_of_the_one_before(victim: Victim, new: Any) -> None:
    cookie = victim.visit("", log_in("root", **ROOT)).cookie
    cookie = victim.visit(cookie, log_in(new)).cookie
    found = victim.asks(cookie, lambda session: [session.get(key) for key in ROOT])
    assert (victim.asks(cookie, lambda session: session.owner), found) == (new, [None] * 4)


def test_what_is_set_with_the_log_in_stays(victim: Victim) -> None:
    cookie = victim.visit("", log_in("root", **ROOT)).cookie
    cookie = victim.visit(cookie, log_in("ada", cart=["pen"])).cookie
    assert victim.asks(cookie, state)[:2] == ("ada", ["pen"])


def test_flash_messages_and_permanence_of_the_one_before_are_gone(victim: Victim) -> None:
    def first(session: Any) -> None:
        session.owner = "root"
        session.permanent = True
        session.flash("Your password is 1234")

    cookie = victim.visit("", first).cookie
    cookie = victim.visit(cookie, log_in("ada")).cookie
    left = victim.asks(cookie, lambda session: (session.peek_flash(), session.permanent))
    assert left == ([], False)


def test_the_next_user_has_another_csrf_token_and_another_id(victim: Victim) -> None:
    cookie = victim.visit("", log_in("root")).cookie
    page = victim.visit(cookie, lambda session: (session.id, session.get_csrf_token()))
    before = victim.asks(page.cookie, state)
    after = victim.asks(victim.visit(page.cookie, log_in("ada")).cookie, state)
    assert not {*before[2:]} & {*after[2:]}


@with_a_server
def test_the_session_of_the_one_before_has_ended(victim: Victim) -> None:
    copy = victim.visit("", log_in("root", **ROOT)).cookie
    victim.visit(copy, log_in("ada"))
    assert victim.sees(copy) == {}


@pytest.mark.parametrize(("first", "second"), [(1, "1"), ("1", 1), (UUID(int=1), str(UUID(int=1)))])
def test_a_number_and_its_text_are_two_owners(victim: Victim, first: Any, second: Any) -> None:
    """Two kinds of users may be numbered alike, such as customers and staff."""
    cookie = victim.visit("", log_in(first, **ROOT)).cookie
    cookie = victim.visit(cookie, log_in(second)).cookie
    found = victim.asks(cookie, lambda session: (session.owner, session.get("admin")))
    assert found == (second, None)
    assert type(found[0]) is type(second)


@with_a_server
@pytest.mark.parametrize(("ended", "other"), [(1, "1"), ("1", 1), (UUID(int=1), str(UUID(int=1)))])
def test_revoke_owner_ends_only_the_owner_of_that_type(
    victim: Victim, ended: Any, other: Any
) -> None:
    cookies = [victim.visit("", log_in(owner)).cookie for owner in (ended, other)]
    held = victim.settings.get("store") or victim.settings["revocations"]
    held.revoke_owner(ended)
    owners = [victim.asks(cookie, lambda session: session.owner) for cookie in cookies]
    assert owners == [None, other]


# The first log-in


def test_a_csrf_token_from_before_the_log_in_is_worth_nothing_after_it(victim: Victim) -> None:
    """The attacker has planted the cookie, and knows the token that is in it."""
    planted = victim.visit("", browse)
    known = victim.asks(planted.cookie, lambda session: session.get_csrf_token())
    cookie = victim.visit(planted.cookie, log_in("ada")).cookie
    assert victim.asks(cookie, lambda session: session.get_csrf_token()) != known
    assert not victim.asks(cookie, lambda session: session.check_csrf_token(known))


def test_the_cart_from_before_the_log_in_is_kept(victim: Victim) -> None:
    planted = victim.visit("", browse).cookie
    cookie = victim.visit(planted, log_in("ada")).cookie
    assert victim.asks(cookie, state)[:2] == ("ada", ["book"])


def test_the_planted_id_is_not_logged_in(victim: Victim) -> None:
    planted = victim.visit("", lambda session: (browse(session), session.id)).cookie
    known = victim.asks(planted, lambda session: session.id)
    cookie = victim.visit(planted, log_in("ada")).cookie
    assert victim.asks(planted, lambda session: session.owner) is None
    assert victim.asks(cookie, lambda session: session.id) != known


def test_a_log_in_of_the_same_user_keeps_the_data_and_changes_the_id(victim: Victim) -> None:
    cookie = victim.visit("", lambda session: (log_in("ada")(session), browse(session))).cookie
    cookie = victim.visit(cookie, lambda session: session.id).cookie or cookie
    before = victim.asks(cookie, state)
    after = victim.asks(victim.visit(cookie, log_in("ada")).cookie, state)
    assert after[:2] == before[:2] == ("ada", ["book"])
    assert after[2] != before[2]


# No owner any more


def test_an_owner_of_none_is_a_log_out(victim: Victim) -> None:
    cookie = victim.visit("", log_in("root", **ROOT)).cookie
    response = victim.visit(cookie, log_in(None))
    assert response.cookie == "session="


def test_what_is_set_after_an_owner_of_none_has_another_id_and_token(victim: Victim) -> None:
    """And nothing of the user who has gone."""
    cookie = victim.visit("", lambda session: (log_in("root", **ROOT)(session), session.id)).cookie
    cookie = victim.visit(cookie, lambda session: session.get_csrf_token()).cookie or cookie
    before = victim.asks(cookie, state)
    cookie = victim.visit(cookie, log_in(None, theme="dark")).cookie
    after = victim.asks(cookie, state)
    assert after[:2] == (None, None)
    assert not {*before[2:]} & {*after[2:]}


@with_a_server
def test_a_copy_is_refused_after_an_owner_of_none(victim: Victim) -> None:
    copy = victim.visit("", log_in("root", **ROOT)).cookie
    victim.visit(copy, log_in(None))
    assert victim.sees(copy) == {}


def test_an_owner_of_none_for_nobody_changes_nothing(victim: Victim) -> None:
    cookie = victim.visit("", browse).cookie
    assert victim.visit(cookie, log_in(None)).set_cookie is None


def test_what_is_set_after_clear_belongs_to_nobody(victim: Victim) -> None:
    cookie = victim.visit("", log_in("root", **ROOT)).cookie
    cookie = victim.visit(cookie, lambda session: (session.clear(), session.update(n=1))).cookie
    assert victim.asks(cookie, lambda session: session.owner) is None
    assert victim.sees(cookie) == {"n": 1}


# A form that is saved whole


FORM = {"_owner": ["root", ""], "_csrft_": "known", "name": "Mallory"}
WAYS: dict[str, Callable[[Any], object]] = {
    "update": lambda session: session.update(FORM),
    "update by keyword": lambda session: session.update(**FORM),
    "|=": lambda session: session.__ior__(FORM),
    "[]=": lambda session: [session.__setitem__(*item) for item in FORM.items()],
    "setdefault": lambda session: [session.setdefault(*item) for item in FORM.items()],
}
OWNERS: dict[str, Any] = {
    "a list": ["root", ""],
    "a tuple": ("root", ""),
    "a text": "root",
    "a list of a form": ["root"],
    "with a stamp": ["root", "1"],
    "a dict": {"owner": "root"},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("logged_in", [False, True])
def test_a_form_sets_neither_owner_nor_csrf_token(
    victim: Victim, way: str, logged_in: bool
) -> None:
    """Neither in its request nor in the next one."""
    user = "mallory" if logged_in else None
    cookie = victim.visit("", log_in(user)).cookie

    def save(session: Any) -> tuple[Any, str]:
        WAYS[way](session)
        return session.owner, session.get_csrf_token()

    response = victim.visit(cookie, lambda session: save(session))
    seen = [
        victim.asks(cookie, save),
        victim.asks(response.cookie, lambda session: (session.owner, session.get_csrf_token())),
    ]
    assert [owner for owner, _ in seen] == [user] * 2
    assert "known" not in [token for _, token in seen]


@pytest.mark.parametrize("form", OWNERS)
def test_no_value_of_a_form_is_read_back_as_an_owner(victim: Victim, form: str) -> None:
    cookie = victim.visit("", lambda session: session.update(_owner=OWNERS[form])).cookie
    assert victim.asks(cookie, lambda session: session.owner) is None


def test_a_form_takes_no_owner_away(victim: Victim) -> None:
    """Or ``revoke_owner`` would not find the session any more."""
    cookie = victim.visit("", log_in("mallory")).cookie
    for act in (
        lambda session: session.update(_owner=None, _csrft_=None),
        lambda session: session.pop("_owner", None),
    ):
        cookie = victim.visit(cookie, act).cookie or cookie
    assert victim.asks(cookie, lambda session: session.owner) == "mallory"


def test_owner_and_csrf_token_are_not_among_the_data(victim: Victim) -> None:
    """A page that shows or copies the whole session does not show them."""

    def act(session: Any) -> dict[str, Any]:
        session.owner = "ada"
        session["n"] = 1
        session.get_csrf_token()
        return dict(session)

    cookie = victim.visit("", act).cookie
    assert [victim.asks("", act), victim.sees(cookie)] == [{"n": 1}] * 2


def test_a_cookie_of_version_1_0_keeps_its_owner_and_its_csrf_token(clock: Clock) -> None:
    """It holds them in its data, which only our key can have signed."""
    token = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    data = {"_owner": ["ada", ""], "_csrft_": token, "n": 1}
    cookie = sign(f"[0,{json.dumps(data)}]")
    found = Victim().asks(cookie, lambda session: (session.owner, session.get_csrf_token()))
    assert found == ("ada", token)
