"""Flash messages and CSRF tokens, as Pyramid uses them."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from sessionware import Session
from tests.unit.sessions import holding, opened, visit


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


def test_token_is_replaced_when_the_session_is_invalidated() -> None:
    session = opened()
    before = session.get_csrf_token()
    session.invalidate()
    assert session.get_csrf_token() != before
