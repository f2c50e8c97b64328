"""Pyramid with ``config.include("sessionware.pyramid")``: in views, sub-requests and scripts."""

import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest
from webtest import TestApp

pytest.importorskip("pyramid", reason="pyramid is not installed: pip install 'sessionware[dev]'")

from pyramid.config import Configurator
from pyramid.csrf import LegacySessionCSRFStoragePolicy, SessionCSRFStoragePolicy, get_csrf_token
from pyramid.events import NewResponse
from pyramid.interfaces import ICSRFStoragePolicy, ISession, ISessionFactory
from pyramid.request import Request
from pyramid.response import Response
from pyramid.router import Router
from pyramid.scripting import prepare
from zope.interface.verify import verifyObject

from sessionware import (
    ConfigurationError,
    LateWrite,
    NullSession,
    SessionMiddleware,
    UnserializableValue,
)
from sessionware.pyramid import CSRFStoragePolicy
from sessionware.testing import session_transaction
from tests.conftest import Clock
from tests.gateway import KEY, OLDER_KEY
from tests.processes import require
from tests.unit.interfaces import MySessionInterface
from tests.unit.sessions import opened

# Pyramid 2.1 itself imports it.
pytestmark = pytest.mark.filterwarnings("ignore:pkg_resources is deprecated as an API")

INI = {"session.secret_key": KEY}
View = Callable[[Any], object]


def count(request: Any) -> int:
    request.session["n"] = request.session.get("n", 0) + 1
    return int(request.session["n"])


def streamed(request: Any) -> Response:
    """Change the session in the body, which Pyramid reads when the response is decided."""

    def body() -> Iterator[bytes]:
        request.session["n"] = 1
        yield b""

    return Response(app_iter=body())


VIEWS: dict[str, View] = {
    "about": lambda request: [request.session.new, request.session.created],
    "cart": lambda request: request.session.setdefault("cart", []).append(1),
    "count": count,
    "data": lambda request: dict(request.session),
    "flash": lambda request: request.session.flash(*request.GET.values()),
    "logout": lambda request: request.session.invalidate(),
    "none": lambda request: None,
    "peek": lambda request: request.session.peek_flash(*request.GET.values()),
    "pop": lambda request: request.session.pop_flash(*request.GET.values()),
    "token": get_csrf_token,
}


def configured(**views: View) -> Configurator:
    """Return the configuration of a site with these views, beside those that there always are."""
    config = Configurator(settings=INI)
    config.include("sessionware.pyramid")
    for name, view in (VIEWS | views).items():
        config.add_route(name, f"/{name}")
        config.add_view(lambda request, view=view: view(request), route_name=name, renderer="json")
    return config


def browser_of(config: Configurator) -> TestApp:
    return TestApp(config.make_wsgi_app())


@pytest.fixture
def browser() -> TestApp:
    return browser_of(configured())


# The interfaces


def test_a_session_provides_isession() -> None:
    assert verifyObject(ISession, opened())


def test_a_null_session_provides_isession() -> None:
    assert verifyObject(ISession, NullSession())


def test_the_factory_provides_isessionfactory() -> None:
    config = configured()
    config.commit()
    assert verifyObject(ISessionFactory, config.registry.getUtility(ISessionFactory))


def test_the_policy_provides_icsrfstoragepolicy() -> None:
    assert verifyObject(ICSRFStoragePolicy, CSRFStoragePolicy())


# The settings


@pytest.mark.parametrize("settings", [{}, {"sqlalchemy.url": "sqlite://"}])
def test_a_missing_key_is_an_error_when_it_is_included(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"(?m)^session\.secret_key: "):
        Configurator(settings=settings).include("sessionware.pyramid")


def test_the_settings_are_text_with_the_prefix_session() -> None:
    config = Configurator(settings=INI | {"session.cookie_name": "shop", "session.salt": "shop"})
    config.include("sessionware.pyramid")
    config.add_route("count", "/")
    config.add_view(count, route_name="count", renderer="json")
    browser = browser_of(config)
    browser.get("/")
    assert browser.get("/").json == 2
    assert [*browser.cookies] == ["shop"]


def test_the_include_may_stand_in_the_ini_file() -> None:
    config = Configurator(settings=INI | {"pyramid.includes": "sessionware.pyramid"})
    config.add_route("count", "/")
    config.add_view(count, route_name="count", renderer="json")
    browser = browser_of(config)
    browser.get("/")
    assert browser.get("/").json == 2


def test_an_application_that_sets_another_session_factory_has_that_one() -> None:
    config = configured()
    config.set_session_factory(lambda request: {"mine": True})
    assert browser_of(config).get("/data").json == {"mine": True}


# In a view


def test_a_session_goes_on_from_page_to_page(browser: TestApp) -> None:
    assert [browser.get("/count").json for _ in range(3)] == [1, 2, 3]


def test_a_page_that_does_not_use_its_session_stays_as_it_is(browser: TestApp) -> None:
    browser.get("/count")
    assert {"Vary", "Set-Cookie", "Cache-Control"}.isdisjoint(browser.get("/none").headers)


def test_pyramid_flashes_from_page_to_page(browser: TestApp) -> None:
    browser.get("/flash?msg=plain")
    browser.get("/flash?msg=bad&queue=error")
    assert browser.get("/peek").json == ["plain"]
    assert browser.get("/pop?queue=error").json == ["bad"]
    assert browser.get("/pop?queue=error").json == []
    assert browser.get("/pop").json == ["plain"]


def test_pyramid_can_read_new_and_created(browser: TestApp, clock: Clock) -> None:
    began = clock.now
    assert browser.get("/about").json == [True, began]
    browser.get("/cart")
    clock.advance(1000)
    assert browser.get("/about").json == [False, began]


def test_pyramid_saves_a_nested_change_without_a_call_of_changed(browser: TestApp) -> None:
    browser.get("/cart")
    browser.get("/cart")
    assert browser.get("/data").json == {"cart": [1, 1]}


def test_pyramid_can_invalidate_the_session(browser: TestApp) -> None:
    browser.get("/cart")
    browser.get("/logout")
    assert browser.get("/data").json == {}
    assert browser.cookies == {}


def test_the_session_is_that_of_the_environ_too() -> None:
    config = configured(same=lambda request: request.session is request.environ["session"])
    assert browser_of(config).get("/same").json is True


def test_what_an_exception_view_changes_is_saved() -> None:
    def fail(request: Any) -> None:
        raise KeyError

    def tell(error: KeyError, request: Any) -> int:
        request.session.flash("It failed.")
        return 0

    config = configured(fail=fail)
    config.add_exception_view(tell, context=KeyError, renderer="json")
    browser = browser_of(config)
    browser.get("/fail")
    assert browser.get("/pop").json == ["It failed."]


def test_what_a_response_callback_or_a_subscriber_changes_is_saved() -> None:
    def plan(request: Any) -> None:
        request.session["view"] = 1
        request.add_response_callback(lambda request, _: request.session.update(callback=1))

    config = configured(plan=plan)
    config.add_subscriber(lambda event: event.request.session.update(subscriber=1), NewResponse)
    browser = browser_of(config)
    browser.get("/plan")
    assert browser.get("/data").json == {"view": 1, "callback": 1, "subscriber": 1}


def test_a_change_in_a_streamed_body_is_refused() -> None:
    with pytest.raises(LateWrite):
        browser_of(configured(streamed=streamed)).get("/streamed")


def test_a_response_that_is_used_again_does_not_keep_a_session() -> None:
    """As a tween that caches responses does it."""
    kept = Response("kept")

    def cached(request: Any) -> Response:
        if request.GET:
            count(request)
        return kept

    config = configured(cached=cached)
    assert "Set-Cookie" in browser_of(config).get("/cached?change=1").headers
    assert "Set-Cookie" not in kept.headers
    assert "Set-Cookie" not in browser_of(config).get("/cached").headers


def test_two_applications_of_one_configuration_share_their_sessions() -> None:
    config = configured()
    first, second = browser_of(config), browser_of(config)
    first.get("/count")
    second.set_cookie("session", first.cookies["session"])
    assert second.get("/count").json == 2


# CSRF tokens


POLICIES = [None, LegacySessionCSRFStoragePolicy(), SessionCSRFStoragePolicy()]


@pytest.fixture(params=POLICIES, ids=["ours", "of the session", "in the data"])
def checking(request: pytest.FixtureRequest) -> TestApp:
    """Return a client of a site that checks tokens by one of the policies."""
    config = configured()
    config.set_default_csrf_options(require_csrf=True)
    if request.param is not None:
        config.set_csrf_storage_policy(request.param)
    return browser_of(config)


def test_the_csrf_token_stays_the_same_from_page_to_page(checking: TestApp) -> None:
    assert checking.get("/token").json == checking.get("/token").json


def test_a_post_with_the_csrf_token_is_accepted(checking: TestApp) -> None:
    checking.post("/count", {"csrf_token": checking.get("/token").json})
    assert checking.get("/data").json["n"] == 1


@pytest.mark.parametrize("form", [{}, {"csrf_token": ""}, {"csrf_token": "another"}])
def test_a_post_without_the_csrf_token_is_refused(checking: TestApp, form: dict[str, str]) -> None:
    checking.get("/token")
    checking.post("/count", form, status=400)
    assert "n" not in checking.get("/data").json


def test_a_post_without_a_session_is_refused_and_begins_none() -> None:
    config = configured()
    config.set_default_csrf_options(require_csrf=True)
    assert "Set-Cookie" not in browser_of(config).post("/count", status=400).headers


def test_a_new_csrf_token_takes_the_place_of_the_old_one() -> None:
    config = configured()
    config.commit()
    policy = config.registry.getUtility(ICSRFStoragePolicy)
    with prepare(registry=config.registry) as env:
        old, new = policy.get_csrf_token(env["request"]), policy.new_csrf_token(env["request"])
        assert [policy.check_csrf_token(env["request"], it) for it in (old, new)] == [False, True]


# Around it


def test_the_session_of_a_middleware_around_the_application_counts() -> None:
    browser = TestApp(SessionMiddleware(configured().make_wsgi_app(), OLDER_KEY, cookie_name="o"))
    browser.get("/count")
    assert browser.get("/count").json == 2
    assert [*browser.cookies] == ["o"]


def test_something_else_in_the_environ_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"found str in environ\['session'\]"):
        browser_of(configured()).get("/count", extra_environ={"session": "another"})


def test_a_request_sent_to_the_application_from_a_view_has_the_same_session() -> None:
    def again(request: Any) -> list[object]:
        inner = request.copy()
        inner.path_info = "/count"
        response = inner.get_response(app)
        return [response.json, "Set-Cookie" in response.headers, request.session["n"]]

    app = configured(again=again).make_wsgi_app()
    browser = TestApp(app)
    assert browser.get("/again").json == [1, False, 1]
    assert browser.get("/count").json == 2


# Sub-requests and scripts


def test_a_sub_request_with_a_copy_of_the_environ_has_the_same_session() -> None:
    def outer(request: Any) -> object:
        inner = request.copy()
        inner.path_info = "/count"
        return request.invoke_subrequest(inner).json

    browser = browser_of(configured(outer=outer))
    browser.get("/outer")
    assert browser.get("/count").json == 2


@pytest.mark.parametrize("use_tweens", [False, True])
def test_another_sub_request_has_the_session_of_its_own_cookie(use_tweens: bool) -> None:
    def outer(request: Any) -> list[object]:
        inner = Request.blank("/count", cookies=request.cookies)
        response = request.invoke_subrequest(inner, use_tweens=use_tweens)
        return [response.json, response.headers["Set-Cookie"].partition(";")[0]]

    browser = browser_of(configured(outer=outer))
    browser.get("/count")
    number, cookie = browser.get("/outer").json
    assert number == 2
    assert browser.get("/data").json == {"n": 1}
    assert TestApp(browser.app).get("/data", headers={"Cookie": cookie}).json == {"n": 2}


def test_a_sub_request_that_does_not_use_its_session_gets_no_header() -> None:
    def outer(request: Any) -> list[str]:
        return [*request.invoke_subrequest(Request.blank("/none")).headers]

    assert "Vary" not in browser_of(configured(outer=outer)).get("/outer").json


def test_a_sub_requests_session_cannot_be_changed_after_its_response() -> None:
    def outer(request: Any) -> None:
        inner = Request.blank("/count")
        request.invoke_subrequest(inner)
        inner.session["n"] = 2

    with pytest.raises(LateWrite):
        browser_of(configured(outer=outer)).get("/outer")


def test_the_body_of_a_sub_request_is_too_late_for_the_first_use_of_its_session() -> None:
    def outer(request: Any) -> object:
        return request.invoke_subrequest(Request.blank("/streamed"))

    with pytest.raises(LateWrite):
        browser_of(configured(streamed=streamed, outer=outer)).get("/outer")


def test_a_script_can_use_a_session_until_it_is_over() -> None:
    config = configured()
    config.commit()
    with prepare(registry=config.registry) as env:
        session = env["request"].session
        session["n"] = 1
        assert session == {"n": 1}
    with pytest.raises(LateWrite):
        session["n"] = 2


def test_a_script_has_a_null_session_if_an_interface_opens_none() -> None:
    config = Configurator(settings={"session.interface": MySessionInterface()})
    config.include("sessionware.pyramid")
    config.commit()
    with prepare(request=Request.blank("/?down"), registry=config.registry) as env:
        assert isinstance(env["request"].session, NullSession)


def test_a_null_session_of_a_sub_request_is_not_saved() -> None:
    config = Configurator(settings={"session.interface": MySessionInterface()})
    config.include("sessionware.pyramid")
    config.add_route("outer", "/outer")
    config.add_route("inner", "/inner")
    config.add_view(lambda request: len(request.session), route_name="inner", renderer="json")
    config.add_view(
        lambda request: [*request.invoke_subrequest(Request.blank("/inner?down")).headers],
        route_name="outer",
        renderer="json",
    )
    assert "Set-Cookie" not in browser_of(config).get("/outer").json


# Tests and add-ons


def test_a_tests_client_can_change_its_session(browser: TestApp) -> None:
    with session_transaction(browser, browser.app.registry["sessionware"]) as session:
        session["n"] = 41
    assert browser.get("/count").json == 42


def test_the_debug_toolbar_shows_the_session_and_uses_none_itself() -> None:
    require("pyramid_debugtoolbar")
    page = Response("<html><body>page</body></html>")
    config = configured(plain=lambda _: page, counting=lambda request: count(request) and page)
    config.include("pyramid_debugtoolbar")
    browser = TestApp(config.make_wsgi_app(), extra_environ={"REMOTE_ADDR": "127.0.0.1"})
    [link] = browser.get("/counting").html.select("#pDebug a")
    panels = browser.get(link["href"]).html
    assert [it.text for it in panels.select("#pDebugPanel-session-content code")][-1:] == ["1"]
    assert "Vary" not in browser.get("/plain").headers


def retrying(view: View) -> Router:
    """Return a site with pyramid_retry, whose view "flaky" succeeds in the third attempt."""
    require("pyramid_retry")
    from pyramid_retry import RetryableException

    def flaky(request: Any) -> object:
        result = view(request)
        if request.environ["retry.attempt"] < 2:
            raise RetryableException
        return result

    config = configured(flaky=flaky)
    config.include("pyramid_retry")
    return config.make_wsgi_app()


def test_an_attempt_begins_with_the_session_that_the_first_one_had() -> None:
    """pyramid_retry makes a request once more, and what the failed attempt did has to be undone."""
    browser = TestApp(retrying(count))
    browser.get("/count")
    assert browser.get("/flaky").json == 2
    assert browser.get("/data").json == {"n": 2}


def log_out_and_in(request: Any) -> str:
    request.session["cart"].append(2)
    seen = [request.session.owner, request.session["cart"], request.session.get_csrf_token()]
    request.session.invalidate()
    request.session.owner = "bob"
    return str(seen)


def test_an_attempt_begins_with_the_session_that_a_wsgi_filter_has_changed() -> None:
    """Of a log-in before Pyramid, every attempt sees all, and nothing of another attempt."""
    seen: list[str] = []
    pyramid = retrying(lambda request: seen.append(log_out_and_in(request)))

    def sso(environ: Any, start_response: Any) -> Any:
        environ["session"].update(cart=[1])
        environ["session"].owner = "ann"
        environ["session"].get_csrf_token()
        return pyramid(environ, start_response)

    TestApp(SessionMiddleware(sso, KEY)).get("/flaky")
    assert len(seen) == 3
    assert len({*seen}) == 1
    assert seen[0].startswith("['ann', [1, 2], ")


def test_the_log_in_of_a_wsgi_filter_is_saved_after_an_attempt_that_failed() -> None:
    pyramid = retrying(lambda request: request.session.owner)

    def sso(environ: Any, start_response: Any) -> Any:
        if environ["session"].owner is None:
            environ["session"].owner = environ["REMOTE_USER"]
        return pyramid(environ, start_response)

    browser = TestApp(SessionMiddleware(sso, KEY))
    answers = [
        browser.get("/flaky", extra_environ={"REMOTE_USER": name}) for name in ("ann", "bob")
    ]
    assert [answer.json for answer in answers] == ["ann", "ann"]


def test_a_value_that_cannot_be_copied_matters_only_to_another_attempt() -> None:
    """It serializes as its base type."""

    class Token(dict[str, str]):
        def __deepcopy__(self, _: object) -> NoReturn:
            raise TypeError("no copy")

    pyramid = retrying(lambda request: request.session["token"])

    def sso(environ: Any, start_response: Any) -> Any:
        environ["session"]["token"] = Token(access="x")
        return pyramid(environ, start_response)

    browser = TestApp(SessionMiddleware(sso, KEY))
    assert browser.get("/data").json == {"token": {"access": "x"}}
    with pytest.raises(UnserializableValue, match=r"cannot be undone.*convert it"):
        browser.get("/flaky")


def test_an_attempt_does_not_begin_with_the_session_of_an_answer_that_has_begun() -> None:
    """A request that is sent from the body of an answer has a session of its own."""
    pyramid = retrying(count)

    def page(environ: Any, start_response: Any) -> Iterator[bytes]:
        environ["session"]["n"] = 5
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"first "
        inner = Request({**environ, "PATH_INFO": "/flaky"})
        yield inner.get_response(pyramid).body

    assert TestApp(SessionMiddleware(page, KEY)).get("/").text == "first 1"


def test_an_attempt_whose_view_calls_another_application_begins_as_the_first() -> None:
    """As by pyramid.wsgi.wsgiapp, which has it in the same environ."""
    inner = configured(inside=lambda _: None).make_wsgi_app()

    def view(request: Any) -> object:
        result = count(request)
        request.get_response(inner)
        return result

    assert TestApp(retrying(view)).get("/flaky").json == 1


def test_a_session_of_another_kind_is_left_to_the_application_between_attempts() -> None:
    require("pyramid_retry")
    from pyramid_retry import RetryableException

    def flaky(request: Any) -> int:
        if request.environ["retry.attempt"] == 0:
            raise RetryableException
        return count(request)

    config = Configurator(settings={"session.interface": MySessionInterface()})
    config.include("sessionware.pyramid")
    config.include("pyramid_retry")
    config.add_route("flaky", "/")
    config.add_view(flaky, route_name="flaky", renderer="json")
    assert browser_of(config).get("/").json == 1


def test_pyramid_retry_need_not_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyramid_retry", None)
    assert browser_of(configured()).get("/count").json == 1
