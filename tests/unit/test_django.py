"""Django's session on ours: its own API, its test client, and the wrap."""

import asyncio
import json
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("django", reason="django is not installed: pip install 'sessionware[dev]'")

from django.contrib import auth
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.session import SessionStorage
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.middleware import SessionMiddleware as DjangosMiddleware
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory
from django.test.utils import override_settings
from django.urls import path

from sessionware import LateWrite, Session, UnserializableValue, UsageError
from sessionware import SessionMiddleware as Wrap
from sessionware.backend import GRACE
from sessionware.django import SessionMiddleware, SessionStore
from sessionware.migration import DjangoCookie, SessionwareCookie
from tests.conftest import Clock
from tests.gateway import KEY, OLDER_KEY, make_environ, run
from tests.sites import MemoryRevocations, MemoryStore, Site
from tests.unit.applications import App
from tests.unit.django_site import (
    Act,
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
from tests.unit.foreign_cookies import KEY as FORMER_KEY
from tests.unit.foreign_cookies import SIGN


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    with its_settings():
        yield


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    return user_model(monkeypatch)


# The session in a request


def test_the_middleware_is_one_of_djangos() -> None:
    """The admin's check E410 asks for that."""
    assert issubclass(SessionMiddleware, DjangosMiddleware)
    assert isinstance(visit(lambda session: session).result, SessionBase)


def test_a_change_is_kept_for_the_next_request_at_any_depth() -> None:
    cookie = visit(put(cart=["tea"])).cookie
    cookie = visit(lambda session: session["cart"].append("milk"), cookie).cookie
    assert visit(data_of, cookie).result == {"cart": ["tea", "milk"]}


def test_a_request_that_leaves_its_session_alone_gets_a_response_that_is_untouched() -> None:
    cookie = visit(put(a=1)).cookie
    response = visit(lambda session: None, cookie).response
    assert not response.has_header("Vary")
    assert not response.cookies


def test_a_request_that_only_reads_varies_by_the_cookie() -> None:
    cookie = visit(put(a=1)).cookie
    response = visit(data_of, cookie).response
    assert response["Vary"] == "Cookie"
    assert not response.cookies


def test_a_response_that_sets_the_cookie_stays_out_of_shared_caches() -> None:
    public = HttpResponse(headers={"Cache-Control": "public", "CDN-Cache-Control": "max-age=60"})
    response = visit(put(a=1), response=public).response
    assert (response["Cache-Control"], response["Vary"]) == ("private", "Cookie")
    assert not response.has_header("CDN-Cache-Control")


def test_cookies_of_the_application_stay() -> None:
    response = HttpResponse()
    response.set_cookie("theme", "dark")
    assert [*visit(put(a=1), response=response).response.cookies] == ["theme", "sessionid"]


def test_the_session_has_the_methods_of_a_dict() -> None:
    session = SessionStore()
    session.update({"a": 1}, b=2)
    session.setdefault("c", 3)
    assert (session.pop("a"), session.pop("a", default=None), session.get("a", 5)) == (1, None, 5)
    with pytest.raises(KeyError):
        session.pop("a")
    del session["b"]
    assert [*session] == [*session.keys()] == ["c"]
    assert [*session.values()] == [3]
    assert (len(session), "c" in session, session.has_key("c")) == (1, True, True)
    assert (dict(session), dict(session.items()), session.load()) == ({"c": 3},) * 3
    session.clear()
    assert len(session) == 0


@pytest.mark.parametrize(
    "act",
    [
        lambda session: session.update({"cart": 1, "theme": "dark"}),
        lambda session: session.update([("cart", 1)], theme="dark"),
        lambda session: session.update(cart=1, theme="dark"),
    ],
    ids=["dict", "pairs", "keywords"],
)
def test_update_takes_what_a_dict_takes(act: Act) -> None:
    assert visit(data_of, visit(act).cookie).result == {"cart": 1, "theme": "dark"}


def test_what_keeps_the_cookie_is_none_of_the_application_s_data() -> None:
    cookie = visit(put(a=1)).cookie
    assert visit(lambda session: dict(session.items()), cookie).result == {"a": 1}


def test_a_session_is_true_even_if_it_is_empty() -> None:
    assert SessionStore()


def test_the_representation_is_no_use_of_the_session() -> None:
    page = visit(repr, visit(put(a=1)).cookie)
    assert page.result == "<DjangoSession of <Session unopened>>"
    assert not page.response.has_header("Vary")


def test_what_our_sessions_have_it_has_too() -> None:
    def act(session: Any) -> Any:
        session.flash("Saved.")
        return session.new, session.check_csrf_token(session.get_csrf_token())

    page = visit(act)
    assert page.result == (True, True)
    assert visit(lambda session: session.pop_flash(), page.cookie).result == ["Saved."]


@pytest.mark.parametrize("name", ["nonsense", "_nonsense"])
def test_to_ask_for_a_name_that_it_lacks_is_no_use_of_the_session(name: str) -> None:
    page = visit(lambda session: hasattr(session, name), visit(put(a=1)).cookie)
    assert page.result is False
    assert not page.response.has_header("Vary")


def test_accessed_and_modified_tell_what_has_become_of_it() -> None:
    def act(session: Any) -> Any:
        before = session.accessed, session.modified
        session["a"] = 1
        return before, (session.accessed, session.modified)

    assert visit(act).result == ((False, False), (True, True))


def test_a_view_can_say_that_it_has_not_used_the_session() -> None:
    def act(session: Any) -> None:
        data_of(session)
        session.accessed = False

    assert not visit(act, visit(put(a=1)).cookie).response.has_header("Vary")


def test_modified_saves_the_session_whatever_has_changed() -> None:
    def act(session: Any) -> None:
        session.modified = True

    assert visit(act, visit(put(a=1)).cookie).response.cookies


def test_a_change_once_the_response_has_left_the_middleware_is_an_error() -> None:
    page = visit(lambda session: session)
    with pytest.raises(LateWrite):
        page.result["a"] = 1


def test_a_change_after_a_save_that_failed_is_an_error() -> None:
    """As by the view for errors, whose response does not come with the session."""
    kept: list[Any] = []

    def act(session: Any) -> None:
        kept.append(session)
        session["a"] = object()

    with pytest.raises(UnserializableValue):
        visit(act)
    with pytest.raises(LateWrite):
        kept[0]["error"] = "seen"


def test_a_streamed_body_can_read_the_session() -> None:
    cookie = visit(put(a=1)).cookie
    read: list[Any] = []

    def act(session: Any) -> None:
        response.streaming_content = stream(session)

    def stream(session: Any) -> Iterator[bytes]:
        for _ in range(2):
            read.append(session["a"])
            yield b"."

    response = StreamingHttpResponse()
    assert b"".join(visit(act, cookie, response).response) == b".."
    assert read == [1, 1]


def test_the_response_has_a_session_although_its_status_is_500() -> None:
    cookie = visit(put(a=1), response=HttpResponse(status=500)).cookie
    assert visit(data_of, cookie).result == {"a": 1}


@pytest.mark.parametrize("session", [None, {"a": 1}])
def test_a_session_of_another_kind_is_left_to_whoever_has_put_it_there(session: Any) -> None:
    request, response = HttpRequest(), HttpResponse()
    if session is not None:
        request.session = session
    assert SessionMiddleware(HttpResponse).process_response(request, response) is response
    assert not response.cookies


# Its key


def test_a_session_has_a_key_once_it_is_saved() -> None:
    def act(session: Any) -> Any:
        session["a"] = 1
        return session.session_key

    page = visit(act)
    key = visit(lambda session: session.session_key, page.cookie).result
    assert page.result is None
    assert len(key) == 22


@pytest.mark.parametrize("method", ["create", "save", "cycle_key"])
def test_a_view_can_have_a_key_at_once(method: str) -> None:
    def act(session: Any) -> Any:
        getattr(session, method)()
        return session.session_key

    page = visit(act)
    assert page.result
    assert visit(lambda session: session.session_key, page.cookie).result == page.result


def test_cycle_key_keeps_the_data() -> None:
    def act(session: Any) -> Any:
        before = session.session_key
        session.cycle_key()
        return before, session.session_key

    page = visit(act, visit(put(a=1)).cookie)
    assert page.result[0] != page.result[1]
    assert visit(data_of, page.cookie).result == {"a": 1}


@pytest.mark.parametrize("method", ["flush", "delete", "clear"])
def test_flush_ends_the_session(method: str) -> None:
    def act(session: Any) -> Any:
        getattr(session, method)()
        return session.session_key, session.is_empty(), data_of(session)

    page = visit(act, visit(put(a=1)).cookie)
    assert page.result == (None, True, {})
    assert page.response.cookies["sessionid"]["max-age"] == "0"


def test_delete_takes_the_session_s_own_key() -> None:
    page = visit(lambda session: session.delete(session.session_key), visit(put(a=1)).cookie)
    assert page.cookie == ""


@pytest.mark.parametrize("kind", [{"store": MemoryStore}, {"revocations": MemoryRevocations}])
def test_another_session_is_ended_by_its_cookie(kind: dict[str, Any]) -> None:
    """Its value is the key of a SessionStore."""
    [[name, make]] = kind.items()
    with override_settings(SESSIONWARE={name: make()}):
        first, second, third = (visit(put(a=1)).cookie for _ in range(3))
        SessionStore().delete(first)
        assert visit(lambda session: session.delete(second), third).cookie == third
        assert [visit(data_of, each).result for each in (first, second, third)] == [
            {},
            {},
            {"a": 1},
        ]


def test_delete_takes_the_session_s_own_cookie() -> None:
    with override_settings(SESSIONWARE={"store": MemoryStore()}):
        cookie = visit(put(a=1)).cookie
        assert visit(lambda session: session.delete(cookie), cookie).cookie == ""


@pytest.mark.parametrize("kind", [{"store": MemoryStore}, {"revocations": MemoryRevocations}])
def test_another_session_is_ended_by_its_key(kind: dict[str, Any]) -> None:
    [[name, make]] = kind.items()
    with override_settings(SESSIONWARE={name: make()}):
        cookie = visit(put(a=1)).cookie
        key = visit(lambda session: session.session_key, cookie).result
        visit(lambda session: session.delete(key))
        assert visit(data_of, cookie).result == {}


@pytest.mark.parametrize("kind", [{"store": MemoryStore}, {"revocations": MemoryRevocations}])
@pytest.mark.parametrize("key", ["", "a.b", "a\0b", "é", "a" * 123])
def test_what_is_no_key_ends_nothing(kind: dict[str, Any], key: str) -> None:
    """Such as an empty field of a form. A list has the stamps of owners beside what has ended."""
    [[name, make]] = kind.items()
    keeper = make()
    keeper.revoke_owner(7)
    keeper.revoke_all()
    with override_settings(SESSIONWARE={name: keeper}):
        visit(lambda session: session.delete(key))
        assert not (keeper.kept if name == "store" else keeper.refused)
        cookies = [visit(act).cookie for act in (put(a=1), be(7))]
        assert visit(data_of, cookies[0]).result == {"a": 1}
        assert visit(owner, cookies[1]).result == 7


def test_another_session_is_ended_where_it_was_kept_before() -> None:
    then, now = MemoryStore(), MemoryStore()
    with override_settings(SESSIONWARE={"store": then}):
        cookie = visit(put(a=1)).cookie
        key = visit(lambda session: session.session_key, cookie).result
    former = SessionwareCookie(KEY, cookie_name="sessionid", store=then)
    with override_settings(SESSIONWARE={"store": now, "migrate_from": [former]}):
        SessionStore(key).delete()
    with override_settings(SESSIONWARE={"store": then}):
        assert visit(data_of, cookie).result == {}


@pytest.mark.parametrize("kind", [{"store": MemoryStore}, {"revocations": MemoryRevocations}])
@pytest.mark.parametrize("method", ["delete", "flush"])
def test_a_session_store_of_a_session_s_key_can_end_it(kind: dict[str, Any], method: str) -> None:
    [[name, make]] = kind.items()
    with override_settings(SESSIONWARE={name: make()}):
        page = visit(lambda session: session.create() or session.session_key)
        getattr(SessionStore(page.result), method)()
        assert visit(lambda session: session.new, page.cookie).result


def test_a_session_store_of_a_session_s_key_has_not_its_data() -> None:
    """The key may come from a client in place of a cookie, as with Channels."""
    with override_settings(SESSIONWARE={"store": MemoryStore()}):
        cookie = visit(put(a=1)).cookie
        key = visit(lambda session: session.session_key, cookie).result
        assert data_of(SessionStore(key)) == {}


@pytest.mark.parametrize(
    "act",
    [
        lambda session: session.delete("some other"),
        lambda session: SessionStore(session.session_key).delete(),
        lambda session: SessionStore(session.session_key).flush(),
    ],
    ids=["other", "delete", "flush"],
)
def test_another_session_cannot_be_ended_if_only_its_cookie_has_it(act: Act) -> None:
    cookie = visit(put(a=1)).cookie
    with pytest.raises(UsageError, match=r"only a store or a list of revocations can end it"):
        visit(act, cookie)


def test_a_session_store_of_a_cookie_that_is_over_can_be_ended() -> None:
    """As Django's test client does at log-out."""
    store = SessionStore(visit(put(a=1)).cookie[:-1])
    store.flush()
    assert store.session_key is None


def test_a_session_is_empty_until_something_is_put_into_it() -> None:
    def act(session: Any) -> Any:
        return session.is_empty(), session.update(a=1), session.is_empty()

    assert visit(act).result == (True, None, False)


@pytest.mark.parametrize("chosen", [{}, {"store": MemoryStore()}], ids=["cookie", "store"])
def test_a_session_exists_if_its_cookie_is_valid(chosen: dict[str, Any]) -> None:
    with override_settings(SESSIONWARE=chosen):
        cookie = visit(put(a=1)).cookie
        assert SessionStore().exists(cookie)
        assert not SessionStore().exists("some other")


def test_a_dict_is_encoded_and_decoded_as_by_django() -> None:
    session = SessionStore()
    assert session.decode(session.encode({"n": 1})) == {"n": 1}


def test_a_session_exists_if_the_store_has_its_key() -> None:
    with override_settings(SESSIONWARE={"store": MemoryStore()}):
        key = visit(lambda session: session.create() or session.session_key).result
        assert SessionStore().exists(key)


# The test cookie, and coroutines


def test_the_test_cookie_works() -> None:
    cookie = visit(lambda session: session.set_test_cookie()).cookie
    page = visit(lambda session: session.test_cookie_worked(), cookie)
    assert page.result is True
    page = visit(lambda session: session.delete_test_cookie(), cookie)
    assert visit(lambda session: session.test_cookie_worked(), page.cookie).result is False


async def _twins(session: Any) -> Any:
    await session.aset("a", 1)
    await session.aupdate({"b": 2})
    await session.asetdefault("c", 3)
    await session.aset_expiry(60)
    await session.aset_test_cookie()
    await session.adelete_test_cookie()
    popped = await session.apop("a"), await session.apop("a", None)
    await session.acycle_key()
    return popped, await session.aget("b"), await session.ahas_key("c")


def test_the_twins_for_coroutines_do_the_same() -> None:
    session = SessionStore()
    assert asyncio.run(_twins(session)) == ((1, None), 2, True)
    assert data_of(session) == {"b": 2, "c": 3}
    assert asyncio.run(session.aget_expiry_age()) == 60
    asyncio.run(session.aflush())
    assert data_of(session) == {}


def test_a_coroutine_is_a_view_too() -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        await request.session.aset("a", 1)
        return HttpResponse()

    answer: Any = SessionMiddleware(view)(RequestFactory().get("/"))
    response = asyncio.run(answer)
    assert SessionStore(response.cookies["sessionid"].value)["a"] == 1


# Messages


def message(text: str) -> str:
    storage: Any = None
    return str(SessionStorage.serialize_messages(storage, [Message(constants.INFO, text)]))


def test_messages_come_back_as_the_text_that_django_wrote() -> None:
    cookie = visit(put(_messages=message("Saved."))).cookie
    for act in (
        lambda session: session.load()["_messages"],
        lambda session: session["_messages"],
        lambda session: session.get("_messages"),
        lambda session: session.pop("_messages"),
    ):
        assert json.loads(visit(act, cookie).result) == json.loads(message("Saved."))


NO_LISTS = ["no JSON", '{"a":1}', 5, None, "[NaN]", "[1e999]", "[" * 101 + "]" * 101, "[" * 60_000]


@pytest.mark.parametrize("value", NO_LISTS, ids=lambda value: str(value)[:9])
def test_what_is_no_list_of_messages_is_kept_as_it_is(value: Any) -> None:
    cookie = visit(put(_messages=value)).cookie
    assert visit(lambda session: session["_messages"], cookie).result == value


def test_messages_of_two_requests_at_once_are_merged_in_a_store() -> None:
    with override_settings(SESSIONWARE={"store": MemoryStore()}):
        cookie = visit(put(a=1)).cookie

        def slow(session: Any) -> None:
            data_of(session)
            visit(put(_messages=message("One.")), cookie)
            session["_messages"] = message("Two.")

        visit(slow, cookie)
        kept = json.loads(visit(lambda session: session["_messages"], cookie).result)
    assert [each[-1] for each in kept] == ["One.", "Two."]


# Former cookies


def django_cookie(data: dict[str, Any]) -> str:
    """Return the value of Django's own cookie, signed at the time of the clock."""
    return SIGN["Django"](json.dumps(data).encode())


@pytest.mark.parametrize("mode", [{}, {"store": MemoryStore}, {"revocations": MemoryRevocations}])
def test_a_session_of_djangos_goes_on_and_can_be_logged_out(
    mode: dict[str, Any], model: SimpleNamespace, clock: Clock
) -> None:
    kept = {name: make() for name, make in mode.items()}
    former = django_cookie({auth.SESSION_KEY: "7", "cart": 1})
    settings = {**kept, "migrate_from": (DjangoCookie(FORMER_KEY),)}
    with override_settings(SESSIONWARE=settings):
        page = visit(owner, former)
        assert page.result == 7
        assert page.cookie != former
        assert visit(log_out, page.cookie).cookie == ""
        if kept:
            assert visit(owner, former).result is None


def test_the_owner_of_a_former_cookie_can_be_told(clock: Clock) -> None:
    former = django_cookie({"user": "ann"})
    cookie = DjangoCookie(FORMER_KEY, owner=lambda data: str(data["user"]))
    with override_settings(SESSIONWARE={"migrate_from": [cookie]}):
        assert visit(owner, former).result == "ann"


def test_former_cookies_are_deleted_wherever_they_were() -> None:
    cookies = [
        SessionwareCookie(OLDER_KEY, cookie_name="sessionid", cookie_path="/shop"),
        SessionwareCookie(OLDER_KEY, cookie_name="sessionid", cookie_domain="example.com"),
        SessionwareCookie(OLDER_KEY, cookie_name="old"),
    ]
    with override_settings(SESSIONWARE={"migrate_from": cookies}):
        page = visit(lambda session: session.flush(), visit(put(a=1)).cookie)
    deleted = [(each.key, each["domain"], each["path"]) for each in page.response.cookies.values()]
    assert all(each["max-age"] == "0" for each in page.response.cookies.values())
    assert sorted(deleted) == [
        ("old", "", "/"),
        ("sessionid", "", "/"),
        ("sessionid", "", "/shop"),
        ("sessionid", "example.com", "/"),
    ]


def test_former_cookies_are_deleted_before_ours_is_set() -> None:
    """A browser that knows no Partitioned cookies has both at one place."""
    former = SessionwareCookie(KEY, cookie_name="sessionid", cookie_partitioned=True)
    cookie = Site(cookie_name="sessionid").log_in("ann")
    with override_settings(SESSIONWARE={"migrate_from": [former]}, SECRET_KEY=OLDER_KEY):
        page = visit(put(a=1), cookie.partition("=")[2])
    assert [bool(each.value) for each in page.response.cookies.values()] == [False, True]


def test_cookies_of_the_application_stay_beside_those_that_are_deleted() -> None:
    places = [
        SessionwareCookie(OLDER_KEY, cookie_name="sessionid", cookie_path=f"/{number}")
        for number in range(2)
    ]
    response = HttpResponse()
    for name in ("0", "1"):
        response.set_cookie(name, "kept")
    with override_settings(SESSIONWARE={"migrate_from": places}):
        page = visit(lambda session: session.flush(), visit(put(a=1)).cookie, response)
        page.response.set_cookie("2", "set by a middleware outside of ours")
    lines = [each.OutputString() for each in page.response.cookies.values()]
    assert lines[:2] == ["0=kept; Path=/", "1=kept; Path=/"]
    assert [line.partition("=")[0] for line in lines[2:]] == [*3 * ["sessionid"], "2"]


# Django's test client


def count(request: HttpRequest) -> HttpResponse:
    request.session["n"] = request.session.get("n", 0) + 1
    return HttpResponse(str(request.session["n"]))


@pytest.fixture
def client() -> Iterator[Client]:
    with override_settings(
        MIDDLEWARE=["sessionware.django.SessionMiddleware"], ROOT_URLCONF=(path("", count),)
    ):
        yield Client()


def test_the_test_client_has_the_session_of_the_site(client: Client) -> None:
    assert [client.get("/").text for _ in "123"] == ["1", "2", "3"]
    assert client.session["n"] == 3


def test_the_test_client_can_begin_and_change_a_session(client: Client) -> None:
    for number in (41, 71):
        session = client.session
        session["n"] = number
        session.save()
        assert client.get("/").text == str(number + 1)


def test_the_test_client_can_change_a_session_of_a_subclass(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Store(SessionStore):
        def __init__(self, session_key: str | None = None) -> None:
            super().__init__(session_key)

    monkeypatch.setattr("sessionware.django.SessionStore", Store)
    session = client.session
    session["n"] = 41
    session.save()
    assert client.get("/").text == "42"


def test_the_test_client_can_end_a_session(client: Client) -> None:
    client.get("/")
    client.session.flush()
    assert client.get("/").text == "1"


def test_the_sessions_of_two_test_clients_are_two(client: Client) -> None:
    other = Client()
    for each in (client, other):
        each.get("/")
    session = client.session
    session["n"] = 41
    session.save()
    assert (client.get("/").text, other.get("/").text) == ("42", "2")


def test_an_asynchronous_client_can_change_a_session(client: Client) -> None:
    async def change() -> None:
        session = await client.asession()
        await session.aset("n", 41)
        await session.asave()

    asyncio.run(change())
    assert client.get("/").text == "42"


def test_a_session_store_keeps_a_session_without_a_client(client: Client) -> None:
    session = SessionStore()
    assert session.session_key is None
    session["n"] = 41
    session.create()
    client.cookies = SimpleCookie(f"sessionid={session.session_key}")
    assert client.get("/").text == "42"


def test_a_session_store_is_saved_more_than_once() -> None:
    session = SessionStore()
    for number in (1, 2):
        session["n"] = number
        session.save()
    assert SessionStore(session.session_key)["n"] == 2


def test_the_cookie_of_a_request_may_be_put_into_it_by_hand() -> None:
    request = RequestFactory().get("/")
    request.COOKIES["sessionid"] = visit(put(a=1)).cookie
    SessionMiddleware(HttpResponse).process_request(request)
    assert request.session["a"] == 1


@pytest.mark.parametrize("other", ["\xa0sessionid", "\x85sessionid", "\xe2\x80\x80sessionid"])
def test_the_cookie_of_another_name_is_not_the_session_s(other: str) -> None:
    """Django strips such spaces, which a neighbouring host may put before a prefix."""
    victims, attackers = visit(put(a=1)).cookie, visit(put(b=2)).cookie
    page = visit(data_of, HTTP_COOKIE=f"sessionid={victims}; {other}={attackers}")
    assert page.result == {"a": 1}
    assert visit(data_of, HTTP_COOKIE=f"{other}={attackers}").result == {}


def test_junk_beside_the_cookie_hides_nothing() -> None:
    cookie = visit(put(a=1)).cookie
    assert visit(data_of, HTTP_COOKIE=f"sessionid={cookie}; sessionid=\xe9").result == {"a": 1}


def test_cookies_are_not_parsed_unless_a_view_asks_for_them() -> None:
    """On some versions of Python, that takes quadratic time."""
    request = RequestFactory().get("/", HTTP_COOKIE="a=1")
    SessionMiddleware(lambda _: HttpResponse())(request)
    assert "COOKIES" not in vars(request)


def test_a_session_store_in_place_of_the_request_s_session_is_saved() -> None:
    request, response = RequestFactory().get("/"), HttpResponse()
    request.session = SessionStore()
    request.session["a"] = 1
    SessionMiddleware(HttpResponse).process_response(request, response)
    assert SessionStore(response.cookies["sessionid"].value)["a"] == 1


def test_a_session_store_warns_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(SESSION_COOKIE_SECURE=True, SESSION_COOKIE_DOMAIN="example.com"):
        SessionStore().save()
    assert caplog.records == []


# Inside the WSGI middleware


def test_the_session_that_the_wsgi_middleware_has_opened_is_the_request_s() -> None:
    page = wrapped(put(a=1))
    assert page.cookie.startswith("session=")
    assert wrapped(data_of, page.cookie).result == {"a": 1}


@pytest.mark.parametrize("kind", [{"store": MemoryStore}, {"revocations": MemoryRevocations}])
def test_another_session_that_the_wsgi_middleware_keeps_is_ended_by_its_key(
    kind: dict[str, Any],
) -> None:
    [[name, make]] = kind.items()
    given = {name: make()}
    page = wrapped(lambda session: (session.update(a=1), session.session_key), **given)
    key = wrapped(lambda session: session.session_key, page.cookie, **given).result
    wrapped(lambda session: session.delete(key), **given)
    assert wrapped(data_of, page.cookie, **given).result == {}


def test_a_session_that_the_wsgi_middleware_keeps_exists() -> None:
    store = MemoryStore()
    page = wrapped(lambda session: session.create() or session.session_key, store=store)
    value = page.cookie.removeprefix("session=")
    keys = [page.result, value, "some other"]
    found = wrapped(lambda session: [*map(session.exists, keys)], store=store).result
    assert found == [True, True, False]


def test_another_session_that_the_wsgi_middleware_keeps_is_ended_by_its_cookie() -> None:
    store = MemoryStore()
    cookie = wrapped(put(a=1), store=store).cookie
    wrapped(lambda session: session.delete(cookie.removeprefix("session=")), store=store)
    assert wrapped(data_of, cookie, store=store).result == {}


KEYS: dict[str, Callable[[list[str], str], str]] = {
    "the key of the log-in": lambda keys, _: keys[0],
    "the key that it has since it was bound": lambda keys, _: keys[1],
    "the cookie": lambda _, cookie: cookie,
}


@pytest.mark.parametrize("kind", [{"store": MemoryStore}, {"revocations": MemoryRevocations}])
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_another_session_that_is_bound_to_a_device_is_ended(
    kind: dict[str, Any], key: Callable[[list[str], str], str], clock: Clock
) -> None:
    pytest.importorskip("cryptography")
    from tests.dbsc_browser import Browser

    [[name, make]] = kind.items()
    site = Wrap(on_django, KEY, device_bound=True, **{name: make()})
    browser, other = Browser(site), Browser(site, binds=False)
    keys = [browser.visit(lambda session: be("ann")(session) or session.session_key)]
    keys.append(browser.visit(lambda session: session.session_key))
    cookie = browser.cookies["session", "/"].value
    clock.advance(GRACE + 1)
    assert browser.bound
    assert other.visit(lambda session: session.exists(cookie))
    other.visit(lambda session: session.delete(key(keys, cookie)))
    assert browser.visit(owner) is None


@pytest.mark.parametrize(
    ("act", "vary", "control"),
    [
        (lambda session: None, None, None),
        (data_of, "Cookie", None),
        (put(a=1), "Cookie", "private"),
    ],
    ids=["untouched", "read", "changed"],
)
def test_djangos_cache_inside_it_is_told_of_the_session(
    act: Act, vary: str | None, control: str | None
) -> None:
    """It looks before the WSGI middleware adds the header fields."""
    seen = []

    def view(request: HttpRequest) -> HttpResponse:
        act(request.session)
        return HttpResponse()

    def site(environ: Any, start_response: Any) -> Any:
        response: Any = SessionMiddleware(view)(WSGIRequest(environ))
        seen.append((response.get("Vary"), response.get("Cache-Control")))
        start_response("200 OK", [])
        return []

    run(Wrap(site, KEY), make_environ(""))
    assert seen == [(vary, control)]


def test_a_page_for_shared_caches_inside_it_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    def site(environ: Any, start_response: Any) -> Any:
        def view(request: HttpRequest) -> HttpResponse:
            request.session["a"] = 1
            return HttpResponse(headers={"Cache-Control": "public"})

        response: Any = SessionMiddleware(view)(WSGIRequest(environ))
        start_response("200 OK", [*response.items()])
        return []

    response = run(Wrap(site, KEY), make_environ(""))
    assert response.headers["Cache-Control"] == "private"
    assert [vars(record)["reason"] for record in caplog.records] == ["shared_cache"]


def test_its_environ_key_is_a_setting() -> None:
    with override_settings(SESSIONWARE={"environ_key": "mine"}):
        assert wrapped(put(a=1), environ_key="mine").cookie.startswith("session=")


def test_a_log_out_holds_inside_it(model: SimpleNamespace) -> None:
    cookie = wrapped(log_in(user_of(model, 7))).cookie
    assert wrapped(owner, cookie).result == 7
    assert wrapped(log_out, cookie).cookie == "session="


def test_save_every_request_is_left_to_it() -> None:
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        cookie = wrapped(put(a=1)).cookie
        assert "Vary" not in wrapped(lambda session: None, cookie).response.headers


def test_a_session_that_was_committed_is_not_taken_again() -> None:
    environ = make_environ()
    run(Wrap(App(), KEY), environ)
    assert isinstance(environ["session"], Session)

    def view(request: HttpRequest) -> HttpResponse:
        request.session["a"] = 1
        return HttpResponse()

    response: Any = SessionMiddleware(view)(WSGIRequest(environ))
    assert response.cookies


def test_without_a_secret_key_it_reads_as_empty() -> None:
    page = wrapped(data_of, secret_key=None)
    assert page.result == {}
    assert page.response.set_cookie is None


@pytest.mark.parametrize(("host", "told"), [("www.example.com", []), ("a b", ["out_of_reach"])])
def test_host_that_a_proxy_has_told_django_is_the_one(
    host: str, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Unless Django refuses it."""
    with override_settings(USE_X_FORWARDED_HOST=True, SESSION_COOKIE_DOMAIN="example.com"):
        visit(put(a=1), HTTP_HOST="app:8000", HTTP_X_FORWARDED_HOST=host)
    assert [vars(record)["reason"] for record in caplog.records] == told
