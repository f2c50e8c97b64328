"""A user of ``contrib.auth`` and the session: log-in, log-out, and a new hash of the password."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

pytest.importorskip("django", reason="django is not installed: pip install 'sessionware[dev]'")

from django.contrib import auth
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import ValidationError
from django.http import StreamingHttpResponse
from django.test.utils import override_settings

from sessionware import SessionMiddleware as Wrap
from sessionware import SessionUnavailable, UnserializableValue
from sessionware.django import owner_of
from tests.conftest import Clock
from tests.gateway import KEY, OLDER_KEY
from tests.sites import MemoryRevocations, MemoryStore
from tests.unit.django_site import (
    Act,
    Page,
    PrimaryKey,
    be,
    data_of,
    its_settings,
    log_in,
    log_out,
    on_django,
    owner,
    put,
    user_model,
    user_of,
    visit,
    wrapped,
)


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    with its_settings():
        yield


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    return user_model(monkeypatch)


# Log-in and log-out


def test_log_in_sets_the_owner_and_keeps_the_visitor_s_data(model: SimpleNamespace) -> None:
    page = visit(log_in(user_of(model, 7)), visit(put(cart=1)).cookie)
    assert page.result == 7
    assert visit(owner, page.cookie).result == 7
    assert visit(data_of, page.cookie).result == {"cart": 1}


def test_log_in_gives_the_session_a_new_key_at_once(model: SimpleNamespace) -> None:
    cookie = visit(put(cart=1)).cookie
    before = visit(lambda session: session.session_key, cookie).result

    def act(session: Any) -> Any:
        log_in(user_of(model, 7))(session)
        return session.session_key

    page = visit(act, cookie)
    assert page.result not in (None, before)
    assert visit(lambda session: session.session_key, page.cookie).result == page.result


def test_log_in_of_another_user_removes_the_data_of_the_first(model: SimpleNamespace) -> None:
    cookie = visit(log_in(user_of(model, 7))).cookie
    cookie = visit(put(secret=1), cookie).cookie
    page = visit(log_in(user_of(model, 8)), cookie)
    assert page.result == 8
    assert visit(data_of, page.cookie).result == {}
    assert visit(lambda session: session[auth.SESSION_KEY], page.cookie).result == "8"


def test_log_out_ends_the_session(model: SimpleNamespace) -> None:
    cookie = visit(log_in(user_of(model, 7))).cookie
    page = visit(log_out, cookie)
    assert page.cookie == ""
    assert page.response.cookies["sessionid"]["max-age"] == "0"


@pytest.mark.parametrize("kind", [{"store": MemoryStore}, {"revocations": MemoryRevocations}])
def test_log_out_everywhere_takes_the_user_s_primary_key(
    kind: dict[str, Any], model: SimpleNamespace
) -> None:
    [[name, make]] = kind.items()
    kept = make()
    with override_settings(SESSIONWARE={name: kept}):
        cookies = [visit(log_in(user_of(model, pk))).cookie for pk in (7, 7, 8)]
        kept.revoke_owner(7)
        assert [visit(owner, cookie).result for cookie in cookies] == [None, None, 8]


@pytest.mark.parametrize("kind", [{"store": MemoryStore}, {"revocations": MemoryRevocations}])
def test_a_copy_of_the_cookie_is_refused_after_the_log_out(
    kind: dict[str, Any], model: SimpleNamespace
) -> None:
    [[name, make]] = kind.items()
    with override_settings(SESSIONWARE={name: make()}):
        cookie = visit(log_in(user_of(model, 7))).cookie
        visit(log_out, cookie)
        assert visit(owner, cookie).result is None


def test_a_view_can_log_in_without_contrib_auth() -> None:
    def act(session: Any) -> None:
        session.owner = "ann"

    cookie = visit(act).cookie
    assert visit(owner, cookie).result == "ann"

    def leave(session: Any) -> None:
        session.owner = None

    assert visit(leave, cookie).cookie == ""


def test_an_absent_user_id_logs_nobody_out() -> None:
    def act(session: Any) -> Any:
        session.owner = "ann"
        session[auth.SESSION_KEY] = None
        return session.owner

    assert visit(act).result == "ann"


A_UUID = UUID(int=5)


@pytest.mark.parametrize(
    ("to_python", "written", "expected"),
    [
        (int, "7", 7),
        (UUID, str(A_UUID), A_UUID),
        (str, "ann", "ann"),
        (float, "1.5", "1.5"),  # no owner of ours
    ],
)
def test_the_owner_has_the_type_of_the_user_s_primary_key(
    to_python: Callable[[str], Any], written: str, expected: Any, model: SimpleNamespace
) -> None:
    model._meta.pk = PrimaryKey(to_python)
    found = owner_of({auth.SESSION_KEY: written})
    assert (found, type(found)) == (expected, type(expected))


def fail(_: Any) -> None:
    raise ValidationError("no key")


def test_a_user_that_the_model_does_not_know_is_the_owner_as_it_is(model: SimpleNamespace) -> None:
    model._meta.pk = PrimaryKey(fail)
    assert owner_of({auth.SESSION_KEY: "ldap:ann"}) == "ldap:ann"


def test_nobody_is_the_owner_of_a_visitor_s_data() -> None:
    assert owner_of({"cart": 1}) is None


def test_a_change_in_a_session_that_another_request_has_ended_is_djangos_interruption() -> None:
    """Which it answers by 400."""
    with override_settings(SESSIONWARE={"store": MemoryStore()}):
        cookie = visit(put(a=1)).cookie

        def slow(session: Any) -> None:
            data_of(session)
            visit(lambda other: other.flush(), cookie)
            session["a"] = 2

        with pytest.raises(SessionInterrupted, match="ended by another request"):
            visit(slow, cookie)


@pytest.mark.parametrize("cause", [None, ConnectionError()])
def test_a_store_that_does_not_answer_is_no_interruption(
    cause: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store of one's own need not tell the cause."""

    def refuse(*_: Any, **__: Any) -> bool:
        raise SessionUnavailable("The store does not answer.") from cause

    monkeypatch.setattr(store := MemoryStore(), "create", refuse)
    with (
        override_settings(SESSIONWARE={"store": store}),
        pytest.raises(SessionUnavailable, match="does not answer"),
    ):
        visit(put(a=1))


# Several keys at once, which may be those of a form or of a former session


@pytest.mark.parametrize("before", [lambda session: None, be("ben")], ids=["visitor", "user"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {auth.BACKEND_SESSION_KEY: "a backend"},
        {auth.BACKEND_SESSION_KEY: "a backend", auth.HASH_SESSION_KEY: ""},
        {auth.BACKEND_SESSION_KEY: "a backend", auth.HASH_SESSION_KEY: "a guess"},
        {auth.BACKEND_SESSION_KEY: "none", auth.HASH_SESSION_KEY: "of the password"},
        {auth.BACKEND_SESSION_KEY: "a backend", auth.HASH_SESSION_KEY: "\ud800"},
        {auth.BACKEND_SESSION_KEY: "a backend", auth.HASH_SESSION_KEY: 1},
    ],
    ids=["id", "backend", "empty hash", "guess", "other backend", "no text", "number"],
)
@pytest.mark.usefixtures("ann")
def test_form_does_not_set_the_owner(before: Act, more: dict[str, str]) -> None:
    def act(session: Any) -> Any:
        before(session)
        session["cart"] = 1
        former = session.owner
        session.update({auth.SESSION_KEY: "7", "theme": "dark"} | more)
        return session.owner == former, data_of(session)

    assert visit(act).result == (True, {"cart": 1, "theme": "dark"})


@pytest.mark.usefixtures("ann")
def test_number_that_is_no_primary_key_is_no_user() -> None:
    """JSON may have it, as no form may."""
    keys = {auth.SESSION_KEY: float("inf"), auth.HASH_SESSION_KEY: "a guess"}
    with pytest.raises(UnserializableValue, match="not a finite number"):
        visit(put(**keys, **{auth.BACKEND_SESSION_KEY: "a backend"}))


def test_user_without_a_hash_is_not_told_from_one_of_a_form(ann: SimpleNamespace) -> None:
    ann.get_session_auth_hash = str
    keys = {auth.SESSION_KEY: "7", auth.BACKEND_SESSION_KEY: "a backend"}
    assert (
        visit(lambda s: (s.update(keys | {auth.HASH_SESSION_KEY: ""}), s.owner)).result[1] is None
    )


@pytest.mark.parametrize("fallback", [False, True])
def test_former_session_of_a_user_sets_the_owner(ann: SimpleNamespace, fallback: bool) -> None:
    """All of its keys together, such as those of a session that Django had."""
    former = visit(lambda s: (log_in(ann)(s), s.update(cart=1), dict(s.items()))).result[2]
    if fallback:
        ann.hash, ann.fallback_hashes = "by the new key", [ann.hash]
    cookie = visit(lambda session: session.update(former)).cookie
    assert visit(owner, cookie).result == 7
    assert visit(data_of, cookie).result == {"cart": 1}
    other = visit(put(secret=1), visit(be("ben")).cookie).cookie
    assert visit(data_of, visit(put(**former), other).cookie).result == {"cart": 1}


# A new hash of the password


@pytest.fixture
def ann(model: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A user in the database, with a ``hash`` of the password and those by fallback keys."""
    user: SimpleNamespace = user_of(model, 7)
    user.hash, user.fallback_hashes = "of the password", []
    user.get_session_auth_hash = lambda: user.hash
    user.get_session_auth_fallback_hash = lambda: user.fallback_hashes
    users = {user.backend: {7: user}, "a directory": {7: ben_of_a_directory(model)}}
    monkeypatch.setattr(
        "sessionware.django_auth.load_backend",
        lambda path: SimpleNamespace(get_user=users[path].get),
    )
    with override_settings(AUTHENTICATION_BACKENDS=[*users]):
        yield user


def ben_of_a_directory(model: SimpleNamespace) -> SimpleNamespace:
    """Return a user of another backend, who has the primary key of Ann."""
    user: SimpleNamespace = user_of(model, 7)
    user.backend, user.get_session_auth_hash = "a directory", lambda: "of Ben's password"
    return user


@pytest.fixture
def stored() -> Iterator[None]:
    """Sessions in a store, while there are fallback keys."""
    with override_settings(SESSIONWARE={"store": MemoryStore()}, SECRET_KEY_FALLBACKS=[OLDER_KEY]):
        yield


def take_hash_of(user: SimpleNamespace) -> Act:
    """Return what contrib.auth does with a session that is to have the user's present hash."""

    def act(session: Any) -> Any:
        session.get(auth.HASH_SESSION_KEY)
        session.cycle_key()
        session[auth.HASH_SESSION_KEY] = user.hash
        return session.owner

    return act


def flush(session: Any) -> None:
    session.flush()


def verify_and_flush(session: Any) -> None:
    """Do what contrib.auth does with a session that has not the hash of the user's password."""
    session.get(auth.HASH_SESSION_KEY)
    session.flush()


@pytest.mark.usefixtures("stored")
def test_requests_at_once_with_a_hash_by_a_former_key_all_show_their_page(
    ann: SimpleNamespace,
) -> None:
    """Only the first one replaces the session's key; the others read the session as it was."""
    former = visit(log_in(ann)).cookie
    ann.hash, ann.fallback_hashes = "by the new key", [ann.hash]
    first, second = visit(take_hash_of(ann), former), visit(take_hash_of(ann), former)
    assert (first.result, second.result) == (7, 7)
    assert (first.cookie != former, second.cookie) == (True, former)
    assert visit(lambda session: session[auth.HASH_SESSION_KEY], first.cookie).result == ann.hash


@pytest.mark.usefixtures("stored")
def test_new_password_is_a_log_in_of_its_own_if_the_key_was_replaced_a_moment_ago(
    ann: SimpleNamespace,
) -> None:
    former = visit(log_in(ann)).cookie
    visit(lambda session: session.cycle_key(), former)
    ann.hash = "of a new password"
    renewed = visit(take_hash_of(ann), former).cookie
    assert visit(lambda session: session[auth.HASH_SESSION_KEY], renewed).result == ann.hash


@pytest.mark.usefixtures("stored")
def test_streamed_body_that_looks_first_at_the_user_leaves_a_hash_by_a_former_key(
    ann: SimpleNamespace,
) -> None:
    """The response has begun, and the next request replaces it."""
    former = visit(log_in(ann)).cookie
    ann.hash, ann.fallback_hashes = "by the new key", [ann.hash]

    def act(session: Any) -> None:
        data_of(session)
        response.streaming_content = (str(take_hash_of(ann)(session)) for _ in "1")

    response = StreamingHttpResponse()
    assert b"".join(visit(act, former, response).response) == b"7"
    renewed = visit(take_hash_of(ann), former).cookie
    assert visit(lambda session: session[auth.HASH_SESSION_KEY], renewed).result == ann.hash


@pytest.mark.parametrize("keeper", [{}, {"store": MemoryStore()}], ids=["signed", "store"])
def test_streamed_body_that_looks_first_at_the_user_knows_none_with_a_former_password(
    ann: SimpleNamespace, keeper: dict[str, Any]
) -> None:
    """The response has begun, so that its cookie can no longer be deleted."""
    with override_settings(SESSIONWARE=keeper):
        former = visit(log_in(ann)).cookie
        ann.hash = "of a new password"

        def act(session: Any) -> None:
            data_of(session)
            response.streaming_content = stream(session)

        def stream(session: Any) -> Iterator[str]:
            verify_and_flush(session)
            yield str(session.owner)

        response = StreamingHttpResponse()
        assert b"".join(visit(act, former, response).response) == b"None"


@pytest.mark.parametrize("keeper", [MemoryStore, MemoryRevocations])
@pytest.mark.parametrize("is_first", [False, True])
def test_poll_that_contrib_auth_flushes_meets_the_new_password(
    ann: SimpleNamespace, keeper: type, is_first: bool
) -> None:
    """Both requests came with the former one, and the user stays logged in."""
    name = "store" if keeper is MemoryStore else "revocations"
    with override_settings(SESSIONWARE={name: keeper()}):
        former = visit(log_in(ann)).cookie
        take, poll = take_hash_of(ann), verify_and_flush
        renewed: list[str] = []

        def change(session: Any) -> None:
            data_of(session)
            ann.hash = "of a new password"
            if is_first:
                visit(poll, former)
            take(session)

        def slow(session: Any) -> None:
            data_of(session)
            renewed.append(visit(change, former).cookie)
            poll(session)

        if is_first:
            renewed.append(visit(change, former).cookie)
        else:
            assert visit(slow, former).cookie == former
        assert visit(owner, renewed[0]).result == 7
        assert visit(owner, former).result == (7 if name == "store" and not is_first else None)


def revoke_ann(keeper: Any) -> None:
    keeper.revoke_owner(7)


def revoke_all(keeper: Any) -> None:
    keeper.revoke_all()


@pytest.mark.parametrize("keeper", [MemoryStore, MemoryRevocations])
@pytest.mark.parametrize("revoke", [revoke_ann, revoke_all])
def test_new_password_does_not_undo_a_revocation(
    ann: SimpleNamespace, keeper: type, revoke: Act
) -> None:
    """Which came while the request that changes it was under way."""
    kept = keeper()

    def change(session: Any) -> None:
        data_of(session)
        revoke(kept)
        ann.hash = "of a new password"
        take_hash_of(ann)(session)

    name = "store" if keeper is MemoryStore else "revocations"
    with override_settings(SESSIONWARE={name: kept}):
        cookie = visit(log_in(ann)).cookie
        with suppress(SessionInterrupted):  # A list refuses the next request.
            cookie = visit(change, cookie).cookie
        assert visit(owner, cookie).result is None


@pytest.mark.parametrize("keeper", [MemoryStore, MemoryRevocations])
def test_user_who_logs_out_everywhere_and_changes_the_password_can_stay_logged_in(
    ann: SimpleNamespace, keeper: type
) -> None:
    kept = keeper()

    def change(session: Any) -> None:
        ann.hash = "of a new password"
        kept.revoke_owner(7)
        session.owner = 7
        take_hash_of(ann)(session)

    name = "store" if keeper is MemoryStore else "revocations"
    with override_settings(SESSIONWARE={name: kept}):
        cookie = visit(log_in(ann)).cookie
        assert visit(owner, visit(change, cookie).cookie).result == 7
        assert visit(owner, cookie).result is None


@pytest.mark.parametrize("keeper", [{"store": MemoryStore()}, {"revocations": MemoryRevocations()}])
def test_request_whose_key_another_replaces_at_the_same_time_shows_its_page(
    ann: SimpleNamespace, keeper: dict[str, Any]
) -> None:
    """It has nothing else to save than what the other one has saved."""
    with override_settings(SESSIONWARE=keeper, SECRET_KEY_FALLBACKS=[OLDER_KEY]):
        former = visit(log_in(ann)).cookie
        ann.hash, ann.fallback_hashes = "by the new key", [ann.hash]
        pages: list[Any] = []

        def slow(session: Any) -> Any:
            take_hash_of(ann)(session)
            pages.append(visit(take_hash_of(ann), former))
            return session.owner

        page = visit(slow, former)
        assert (page.result, page.response["Vary"]) == (7, "Cookie")
        assert not page.response.cookies
        assert visit(owner, pages[0].cookie).result == 7


@pytest.fixture(params=[False, True], ids=["alone", "inside"])
def browse(request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """A site without the WSGI middleware, and inside it, while there are fallback keys."""
    with override_settings(SECRET_KEY_FALLBACKS=[OLDER_KEY]):
        yield wrapped if request.param else visit


@pytest.mark.parametrize("other", [log_out, put(cart=1)], ids=["log-out", "change"])
def test_slow_request_with_a_hash_by_a_former_key_undoes_no_change(
    other: Act, browse: Callable[..., Page], ann: SimpleNamespace, clock: Clock
) -> None:
    def slow(session: Any) -> Any:
        take_hash_of(ann)(session)
        browse(other, former)
        clock.advance(2)
        return session.owner

    former = browse(log_in(ann)).cookie
    ann.hash, ann.fallback_hashes = "by the new key", [ann.hash]
    page = browse(slow, former)
    assert (page.result, page.cookie) == (7, former)


def test_slow_request_with_a_hash_by_a_former_key_saves_it_once_half_of_the_time_is_over(
    browse: Callable[..., Page], ann: SimpleNamespace, clock: Clock
) -> None:
    """Else the user of a slow site is logged out once that key is gone."""

    def slow(session: Any) -> None:
        take_hash_of(ann)(session)
        clock.advance(2)

    former = browse(log_in(ann)).cookie
    ann.hash, ann.fallback_hashes = "by the new key", [ann.hash]
    clock.advance(20 * 86400 if browse is wrapped else 8 * 86400)
    page = browse(slow, former)
    assert browse(lambda session: session[auth.HASH_SESSION_KEY], page.cookie).result == ann.hash


def test_slow_request_with_a_hash_by_a_former_key_saves_its_own_change(
    browse: Callable[..., Page], ann: SimpleNamespace, clock: Clock
) -> None:
    def slow(session: Any) -> None:
        take_hash_of(ann)(session)
        session["cart"] = 1
        clock.advance(2)

    former = browse(log_in(ann)).cookie
    ann.hash, ann.fallback_hashes = "by the new key", [ann.hash]
    page = browse(slow, former)
    assert browse(data_of, page.cookie).result == {"cart": 1}


RENEW = {
    "cycle_key": lambda session: session.cycle_key(),
    "regenerate": lambda session: session.regenerate(),
}


@pytest.mark.parametrize("renew", RENEW.values(), ids=RENEW)
def test_new_key_of_the_application_is_kept_beside_a_new_hash(
    renew: Act, browse: Callable[..., Page], ann: SimpleNamespace, clock: Clock
) -> None:
    """However slow the request is: rights may have changed."""

    def slow(session: Any) -> None:
        renew(session)
        take_hash_of(ann)(session)
        clock.advance(2)

    former = browse(log_in(ann)).cookie
    key = browse(lambda session: session.session_key, former).result
    ann.hash, ann.fallback_hashes = "by the new key", [ann.hash]
    page = browse(slow, former)
    assert browse(lambda session: session.session_key, page.cookie).result not in (None, key)


@pytest.mark.usefixtures("stored")
def test_new_key_of_the_application_is_not_taken_for_a_new_hash(ann: SimpleNamespace) -> None:
    former = visit(log_in(ann)).cookie
    ann.hash, ann.fallback_hashes = "by the new key", [ann.hash]
    visit(RENEW["cycle_key"], former)
    with pytest.raises(SessionInterrupted):
        visit(RENEW["cycle_key"], former)


@pytest.mark.parametrize(
    "kind",
    [{}, {"store": MemoryStore}, {"revocations": MemoryRevocations}],
    ids=["signed", "store", "list"],
)
def test_new_hash_by_a_new_key_leaves_the_session_bound_to_its_device(
    kind: dict[str, Any], ann: SimpleNamespace, clock: Clock
) -> None:
    """Whoever has copied the cookies could else go on without the device."""
    pytest.importorskip("cryptography")
    from tests.dbsc_browser import Browser

    site = Wrap(on_django, KEY, device_bound=True, **{name: make() for name, make in kind.items()})
    browser, thief = Browser(site), Browser(site, binds=False)
    browser.visit(log_in(ann))
    thief.cookies |= browser.cookies
    ann.hash, ann.fallback_hashes = "by the new key", [ann.hash]
    with override_settings(SECRET_KEY_FALLBACKS=[OLDER_KEY]):
        assert thief.visit(take_hash_of(ann)) == 7
    clock.advance(3600)
    assert (browser.visit(owner), thief.visit(owner)) == (7, None)


@pytest.mark.parametrize("keeper", [{"store": MemoryStore()}, {"revocations": MemoryRevocations()}])
def test_request_with_an_expiry_whose_key_another_replaces_at_the_same_time_shows_its_page(
    ann: SimpleNamespace, keeper: dict[str, Any], clock: Clock
) -> None:
    """The new hash alone is no change from which the expiry would count."""
    with override_settings(SESSIONWARE=keeper, SECRET_KEY_FALLBACKS=[OLDER_KEY]):
        former = visit(lambda s: (log_in(ann)(s), s.set_expiry(60))).cookie
        ann.hash, ann.fallback_hashes = "by the new key", [ann.hash]
        clock.advance(10)

        def race(session: Any) -> Any:
            take_hash_of(ann)(session)
            visit(take_hash_of(ann), former)
            return session.owner

        page = visit(race, former)
        assert (page.result, page.cookie) == (7, former)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    "more",
    [put(a=2), put(a=True), put(a=Decimal(1)), lambda session: session.get_csrf_token()],
    ids=["value", "bool", "Decimal", "token"],
)
def test_change_is_not_lost_in_silence_if_another_request_replaces_the_key(
    ann: SimpleNamespace, more: Act
) -> None:
    former = visit(put(a=1), visit(log_in(ann)).cookie).cookie
    ann.hash, ann.fallback_hashes = "by the new key", [ann.hash]

    def slow(session: Any) -> None:
        take_hash_of(ann)(session)
        more(session)
        visit(take_hash_of(ann), former)

    with pytest.raises(SessionInterrupted):
        visit(slow, former)


def look_and_log_out(session: Any) -> None:
    session.get(auth.HASH_SESSION_KEY)
    log_out(session)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("leave", [flush, look_and_log_out])
def test_log_out_with_the_former_password_ends_the_session_with_the_new_one(
    ann: SimpleNamespace, leave: Act
) -> None:
    """The view itself calls it, be it before or after contrib.auth has looked at the hash."""
    former = visit(log_in(ann)).cookie
    ann.hash = "of a new password"
    renewed = visit(take_hash_of(ann), former).cookie
    visit(leave, former)
    assert visit(owner, renewed).result is None


@pytest.mark.parametrize(
    "keeper", [{}, {"store": MemoryStore()}, {"revocations": MemoryRevocations()}]
)
def test_log_out_by_the_view_that_has_changed_the_password_deletes_the_cookie(
    keeper: dict[str, Any], ann: SimpleNamespace
) -> None:
    def leave(session: Any) -> None:
        session.get(auth.HASH_SESSION_KEY)
        ann.hash = "of a new password"
        log_out(session)

    with override_settings(SESSIONWARE=keeper):
        assert visit(leave, visit(log_in(ann)).cookie).cookie == ""


@pytest.mark.usefixtures("model")
def test_log_out_of_a_session_of_another_kind_is_left_to_it() -> None:
    session = SimpleNamespace(flush=lambda: None)
    log_out(session)
    assert [*vars(session)] == ["flush"]


def test_session_with_the_former_password_is_deleted_if_only_its_cookie_keeps_it(
    ann: SimpleNamespace,
) -> None:
    """Its data and its owner would stay, and no server can end it."""
    former = visit(log_in(ann)).cookie
    ann.hash = "of a new password"
    assert visit(verify_and_flush, former).cookie == ""


@pytest.mark.usefixtures("stored")
def test_late_request_with_the_former_password_leaves_the_session_with_the_new_one(
    ann: SimpleNamespace,
) -> None:
    """contrib.auth has it flush its session, as if the user had logged out."""

    def late(session: Any) -> Any:
        seen = session[auth.BACKEND_SESSION_KEY]
        verify_and_flush(session)
        return seen, session.owner, data_of(session)

    former = visit(log_in(ann)).cookie
    ann.hash = "of a new password"
    renewed = visit(take_hash_of(ann), former).cookie
    page = visit(late, former)
    assert page.result == ("a backend", None, {})
    assert page.cookie == former
    assert visit(owner, renewed).result == 7


@pytest.mark.usefixtures("stored")
def test_session_with_the_former_password_is_ended(ann: SimpleNamespace) -> None:
    cookie = visit(log_in(ann)).cookie
    ann.hash = "of a new password"
    visit(verify_and_flush, cookie)
    assert visit(owner, cookie).result is None


@pytest.mark.usefixtures("stored")
def test_late_log_out_ends_the_session_whose_key_was_replaced(ann: SimpleNamespace) -> None:
    former = visit(log_in(ann)).cookie
    renewed = visit(take_hash_of(ann), former).cookie
    visit(flush, former)
    assert visit(owner, renewed).result is None


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("end", [flush, verify_and_flush])
def test_late_log_out_of_a_visitor_ends_the_session_whose_key_was_replaced(end: Act) -> None:
    former = visit(put(a=1)).cookie
    renewed = visit(lambda session: session.cycle_key(), former).cookie
    visit(end, former)
    assert visit(data_of, renewed).result == {}


@pytest.mark.usefixtures("ann", "stored")
@pytest.mark.parametrize("customer", [7, "customer:7", A_UUID], ids=["as Ann's", "str", "UUID"])
def test_owner_whom_the_application_sets_is_no_user_of_contrib_auth(customer: Any) -> None:
    former = visit(be(customer)).cookie
    renewed = visit(lambda session: session.cycle_key(), former).cookie
    with pytest.raises(SessionInterrupted):
        visit(lambda session: session.cycle_key(), former)
    assert visit(owner, renewed).result == customer
    visit(verify_and_flush, former)
    assert visit(owner, renewed).result is None


@pytest.mark.usefixtures("stored")
def test_late_log_out_of_an_owner_needs_no_contrib_auth() -> None:
    former = visit(be(7)).cookie
    renewed = visit(lambda session: session.cycle_key(), former).cookie
    visit(verify_and_flush, former)
    assert visit(owner, renewed).result is None


@pytest.mark.usefixtures("ann", "stored")
@pytest.mark.parametrize("to_python", [int, fail], ids=["as Ann's", "no primary key"])
def test_late_log_out_of_a_user_of_another_backend_holds(
    to_python: Act, model: SimpleNamespace
) -> None:
    model._meta.pk = PrimaryKey(to_python)
    former = visit(log_in(ben_of_a_directory(model))).cookie
    renewed = visit(lambda session: session.cycle_key(), former).cookie
    visit(verify_and_flush, former)
    assert visit(owner, renewed).result is None


@pytest.mark.usefixtures("stored")
def test_late_log_out_of_a_user_whose_backend_was_removed_holds(ann: SimpleNamespace) -> None:
    former = visit(log_in(ann)).cookie
    renewed = visit(take_hash_of(ann), former).cookie
    with override_settings(AUTHENTICATION_BACKENDS=[]):
        visit(verify_and_flush, former)
    assert visit(owner, renewed).result is None


@pytest.mark.usefixtures("stored")
def test_new_hash_by_a_new_key_does_not_prolong_the_session(
    ann: SimpleNamespace, clock: Clock
) -> None:
    """Only the application's own change does."""
    cookie = visit(lambda session: (log_in(ann)(session), session.set_expiry(300))).cookie
    ann.hash, ann.fallback_hashes = "by the new key", [ann.hash]
    clock.advance(100)
    page = visit(take_hash_of(ann), cookie)
    assert page.response.cookies["sessionid"]["max-age"] == 200


# Two log-ins and log-outs


@pytest.mark.parametrize("keeper", [MemoryStore, MemoryRevocations])
def test_both_of_a_double_click_log_in_after_another_user(
    model: SimpleNamespace, keeper: type
) -> None:
    """The browser keeps the answer that comes last, of whichever request."""
    name = "store" if keeper is MemoryStore else "revocations"
    with override_settings(SESSIONWARE={name: keeper()}):
        bens = visit(log_in(user_of(model, 8))).cookie
        second: list[str] = []

        def first(session: Any) -> None:
            data_of(session)
            second.append(visit(log_in(user_of(model, 7)), bens).cookie)
            log_in(user_of(model, 7))(session)

        cookies = [visit(first, bens).cookie, *second]
        assert [visit(owner, each).result for each in (*cookies, bens)] == [7, 7, None]


# A log-out in a request that is cut off


@pytest.mark.parametrize("keeper", [MemoryStore, MemoryRevocations])
@pytest.mark.parametrize("later", [SystemExit, lambda: object()], ids=["cut off", "unserializable"])
def test_log_out_holds_whatever_becomes_of_the_response(
    model: SimpleNamespace, keeper: type, later: Callable[[], Any]
) -> None:
    """Such as if the user closes the tab: then Django cancels an asynchronous request."""

    def leave(session: Any) -> None:
        log_out(session)
        if isinstance(found := later(), BaseException):
            raise found
        session["a"] = found

    name = "store" if keeper is MemoryStore else "revocations"
    with override_settings(SESSIONWARE={name: keeper()}):
        cookie = visit(log_in(user_of(model, 7))).cookie
        with pytest.raises((SystemExit, UnserializableValue)):
            visit(leave, cookie)
        assert visit(owner, cookie).result is None


@pytest.mark.parametrize("keeper", [MemoryStore, MemoryRevocations])
def test_log_out_by_a_changed_password_reveals_no_older_cookie(
    model: SimpleNamespace, ann: SimpleNamespace, keeper: type, clock: Clock
) -> None:
    """It is that of another user, at a place that the page of her log-in was not sent to."""
    name = "store" if keeper is MemoryStore else "revocations"
    kept = {name: keeper()}
    with override_settings(SESSIONWARE=kept, SESSION_COOKIE_PATH="/app"):
        bens = visit(be("ben")).cookie
    clock.advance(1)
    with override_settings(SESSIONWARE=kept):
        anns = visit(log_in(ann)).cookie
        clock.advance(1)
        ann.hash = "of a new password"
        page = visit(verify_and_flush, f"{bens}; sessionid={anns}")
        assert visit(owner, f"{bens}; sessionid={page.cookie}").result is None
