"""Flash messages and CSRF tokens, as Pyramid uses them."""

import hmac
import json
import re
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest

from sessionware import Session
from sessionware.keys import TokenMask
from tests.gateway import KEY, OLDER_KEY, call
from tests.sites import Act
from tests.unit.applications import acting
from tests.unit.sessions import INTERFACE, assign, holding, opened, sign, visit

A_TOKEN = "n0uEX3-4lXVYbVvJWJyGH8HKEO5VAfqGl4xJb0lDwrE"


def flashed(*messages: Any, queue: str = "") -> Session:
    """Return the session of a request whose cookie holds these messages."""
    session = opened()
    for message in messages:
        session.flash(message, queue)
    return holding(**session)


# Flash messages


def test_messages_come_out_on_a_later_page_in_the_order_they_were_flashed() -> None:
    cookie = visit(lambda session: session.flash("first")).cookie
    cookie = visit(lambda session: session.flash("second"), cookie).cookie
    assert opened(cookie).pop_flash() == ["first", "second"]


def test_messages_come_out_in_the_same_request_too() -> None:
    session = opened()
    session.flash("hello")
    assert session.pop_flash() == ["hello"]


def test_messages_that_were_popped_are_gone() -> None:
    session = flashed("hello")
    session.pop_flash()
    assert session.pop_flash() == []


def test_messages_that_were_popped_are_gone_for_the_next_request() -> None:
    cookie = visit(lambda session: (session.flash("hello"), session.update(a=1))).cookie
    cookie = visit(Session.pop_flash, cookie).cookie
    assert opened(cookie) == {"a": 1}


def test_messages_that_were_peeked_at_stay() -> None:
    session = flashed("hello")
    assert session.peek_flash() == ["hello"]
    assert session.peek_flash() == ["hello"]
    assert session.modified is False


@pytest.mark.parametrize("take", [Session.pop_flash, Session.peek_flash])
def test_queue_without_messages_is_an_empty_list(take: Callable[[Session], list[Any]]) -> None:
    session = opened()
    assert take(session) == []
    assert session.modified is False


def test_queue_is_not_copied_for_each_message() -> None:
    """That would take quadratic time, and a form may lead to as many messages as it has fields."""
    session = flashed("one")
    queue = session.peek_flash()
    session.flash("two")
    assert session.peek_flash() is queue
    assert queue == ["one", "two"]


@pytest.mark.parametrize("value", [5, None, "one", ("one",), {"one": 1}])
def test_what_is_no_list_is_no_queue(value: Any) -> None:
    """A form, or the JSON of a client, may have put it there."""
    session = holding(_f_=value)
    assert session.peek_flash() == []
    session.flash("one", allow_duplicate=False)
    assert session.pop_flash() == ["one"]


@pytest.mark.parametrize("value", [5, "one"])
def test_what_is_no_queue_is_removed_like_one(value: Any) -> None:
    session = holding(_f_=value)
    assert (session.pop_flash(), dict(session)) == ([], {})


def test_queues_are_separate() -> None:
    session = opened()
    session.flash("plain")
    session.flash("bad", "error")
    session.flash("worse", queue="error")
    assert session.peek_flash() == ["plain"]
    assert session.peek_flash("error") == ["bad", "worse"]
    assert session.peek_flash("missing") == []


def test_popping_one_queue_leaves_the_others() -> None:
    session = opened()
    session.flash("plain")
    session.flash("bad", "error")
    assert session.pop_flash("error") == ["bad"]
    assert session.pop_flash(queue="") == ["plain"]


def test_message_is_kept_as_often_as_it_is_flashed() -> None:
    session = flashed("hello")
    session.flash("hello")
    assert session.pop_flash() == ["hello", "hello"]


def test_message_is_kept_once_if_duplicates_are_not_allowed() -> None:
    session = flashed("hello", queue="info")
    session.flash("hello", "info", False)
    session.flash("other", "info", allow_duplicate=False)
    assert session.pop_flash("info") == ["hello", "other"]


def test_duplicates_are_only_looked_for_in_the_same_queue() -> None:
    session = flashed("hello")
    session.flash("hello", "info", allow_duplicate=False)
    assert session.pop_flash("info") == ["hello"]


def test_duplicate_that_is_not_kept_is_not_a_change() -> None:
    session = flashed("hello")
    session.flash("hello", allow_duplicate=False)
    assert session.modified is False


@pytest.mark.parametrize("message", [{"text": "hello", "tags": ["a"]}, ["a"], ("a", 1), None, 7])
def test_message_may_be_any_value_that_can_be_stored(message: object) -> None:
    cookie = visit(lambda session: session.flash(message)).cookie
    assert opened(cookie).pop_flash() == [message]


def test_mutable_message_is_compared_by_value_for_duplicates() -> None:
    session = flashed({"text": "hello"})
    session.flash({"text": "hello"}, allow_duplicate=False)
    assert session.pop_flash() == [{"text": "hello"}]


def test_mutable_message_that_is_changed_after_it_was_flashed_is_saved_as_changed() -> None:
    def use(session: Session) -> None:
        message = {"count": 1}
        session.flash(message)
        message["count"] = 2

    assert opened(visit(use).cookie).pop_flash() == [{"count": 2}]


def test_message_is_saved_when_the_queue_is_changed_in_place() -> None:
    cookie = visit(lambda session: session.flash("first")).cookie
    cookie = visit(lambda session: session.peek_flash().append("second"), cookie).cookie
    assert opened(cookie).pop_flash() == ["first", "second"]


def test_second_message_is_a_change() -> None:
    session = flashed("first")
    session.flash("second")
    assert session.modified is True


# CSRF tokens


def test_token_has_256_bits() -> None:
    assert re.fullmatch("[0-9A-Za-z_-]{43}", opened().get_csrf_token())


def test_token_is_random() -> None:
    assert len({opened().get_csrf_token() for _ in range(100)}) == 100


def test_token_is_made_on_first_use_and_kept_from_request_to_request() -> None:
    tokens: list[str] = []
    cookie = visit(lambda session: tokens.append(session.get_csrf_token())).cookie
    session = opened(cookie)
    assert [session.get_csrf_token(), session.get_csrf_token()] == tokens * 2
    assert session.modified is False


def test_new_token_replaces_the_old_one() -> None:
    session = opened()
    before = session.get_csrf_token()
    token = session.new_csrf_token()
    assert token != before
    assert session.get_csrf_token() == token


def test_new_token_is_saved() -> None:
    tokens: list[str] = []
    cookie = visit(Session.get_csrf_token).cookie
    cookie = visit(lambda session: tokens.append(session.new_csrf_token()), cookie).cookie
    assert [opened(cookie).get_csrf_token()] == tokens


@pytest.mark.parametrize(
    "begin",
    [
        Session.invalidate,
        Session.clear,
        assign("owner", "ann"),
        lambda session: (assign("owner", "ann")(session), assign("owner", "bob")(session)),
    ],
    ids=["invalidate", "clear", "log-in", "log-in as somebody else"],
)
def test_token_is_replaced_when_a_session_begins(begin: Act) -> None:
    session = opened()
    before = session.get_csrf_token()
    begin(session)
    assert session.check_csrf_token(before) is False
    assert session.get_csrf_token() != before


@pytest.mark.parametrize(
    "go_on",
    [
        Session.regenerate,
        assign("owner", "ann"),
        assign("permanent", True),
        lambda session: session.pop("a"),
    ],
    ids=["regenerate", "log-in again", "permanent", "no data left"],
)
def test_token_is_kept_while_a_session_goes_on(go_on: Act) -> None:
    def begin(session: Session) -> None:
        session.owner = "ann"
        session["a"] = 1
        tokens.append(session.get_csrf_token())

    tokens: list[str] = []
    cookie = visit(go_on, visit(begin).cookie).cookie
    assert [opened(cookie).get_csrf_token()] == tokens


def test_token_alone_is_a_session() -> None:
    cookie = visit(Session.get_csrf_token).cookie
    assert (opened(cookie).new, dict(opened(cookie))) == (False, {})


# Where a CSRF token is


def test_token_is_no_key() -> None:
    session = opened()
    session.get_csrf_token()
    assert (dict(session), len(session), "_csrft_" in session) == ({}, 0, False)


def test_form_cannot_set_the_token() -> None:
    session = opened()
    token = session.get_csrf_token()
    session.update(_csrft_="x", csrf_token="x", _csrf_token="x")
    assert session.get_csrf_token() == token


def test_token_is_not_in_the_cookie_as_it_is() -> None:
    """The length of what is compressed would tell whether a guess is right (CRIME)."""
    tokens: list[str] = []
    cookie = visit(lambda session: tokens.append(session.get_csrf_token())).cookie
    text = INTERFACE.codec.decode(cookie.partition("=")[2])[0]
    assert tokens[0] not in text
    assert re.fullmatch(r"\[\{\},0,0,\"[0-9A-Za-z_-]{51}\"\]", text)


def test_token_outlasts_a_rotation_of_keys() -> None:
    tokens: list[str] = []

    def use(session: Session) -> None:
        tokens.append(session.get_csrf_token())

    cookie = call(acting(use, secret_key=OLDER_KEY)).cookie
    rotated = acting(use, secret_key_fallbacks=[KEY, OLDER_KEY], secret_key="k" * 32)
    cookie = call(rotated, cookie).cookie
    assert call(acting(use, secret_key="k" * 32), cookie).set_cookie is None
    assert len({*tokens}) == 1


def test_token_that_no_key_has_masked_is_refused_with_its_cookie() -> None:
    """A cookie of a fallback key whose token none of our keys has masked is not ours."""
    masked = TokenMask(["k" * 32], b"").hide(A_TOKEN)
    text = json.dumps([{}, 0, 0, masked], separators=(",", ":"))
    assert opened(f"session={sign(text, OLDER_KEY)}").new


@pytest.mark.parametrize("key", [KEY, OLDER_KEY], ids=["the secret key", "a fallback key"])
def test_token_of_a_cookie_of_version_1_0_is_kept(key: str) -> None:
    text = json.dumps([0, {"_csrft_": A_TOKEN, "a": 1}], separators=(",", ":"))
    session = opened(f"session={sign(text, key)}")
    assert (session.get_csrf_token(), dict(session)) == (A_TOKEN, {"a": 1})
    assert session.modified is False


# Checking a CSRF token


def test_right_token_is_right() -> None:
    session = opened()
    assert session.check_csrf_token(session.get_csrf_token()) is True


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        A_TOKEN,
        A_TOKEN.encode(),
        "\xe9" * 43,
        "\ud800" * 43,
        "\U0001f36a",
        None,
        0,
        True,
        [A_TOKEN],
        object(),
    ],
    ids=ascii,
)
def test_anything_else_is_wrong(wrong: object) -> None:
    session = opened()
    session.get_csrf_token()
    assert session.check_csrf_token(wrong) is False


def test_right_token_as_bytes_is_wrong() -> None:
    """A form has text."""
    session = opened()
    assert session.check_csrf_token(session.get_csrf_token().encode()) is False


@pytest.mark.parametrize("change", [str.swapcase, lambda token: token[:-1], lambda it: it + "A"])
def test_nearly_right_token_is_wrong(change: Callable[[str], str]) -> None:
    session = opened()
    assert session.check_csrf_token(change(session.get_csrf_token())) is False


def test_token_of_another_session_is_wrong() -> None:
    session = opened()
    session.get_csrf_token()
    assert session.check_csrf_token(opened().get_csrf_token()) is False


@pytest.mark.parametrize("token", ["", "None", None, A_TOKEN])
def test_without_a_token_every_token_is_wrong(token: object) -> None:
    session = opened()
    assert session.check_csrf_token(token) is False
    assert session.modified is False


def test_check_makes_no_token() -> None:
    assert visit(lambda session: session.check_csrf_token(A_TOKEN)).set_cookie is None


def test_check_is_an_access_and_no_change() -> None:
    session = opened(visit(Session.get_csrf_token).cookie)
    session.check_csrf_token(A_TOKEN)
    assert (session.accessed, session.modified) == (True, False)


def test_check_takes_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened()
    token = session.get_csrf_token()
    spy = Mock(side_effect=hmac.compare_digest)
    monkeypatch.setattr(hmac, "compare_digest", spy)
    session.check_csrf_token(A_TOKEN)
    spy.assert_called_once_with(A_TOKEN.encode(), token.encode())
