"""One small site under examples/ for each framework: what its visitors see."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from webtest import TestApp

from sessionware import Session, SessionMiddleware
from tests.gateway import KEY, make_environ
from tests.processes import require, serving

FRAMEWORKS = ["bottle", "falcon", "pyramid", "werkzeug"]

pytestmark = [  # Pyramid still imports pkg_resources.
    pytest.mark.filterwarnings("ignore:pkg_resources is deprecated as an API"),
    pytest.mark.filterwarnings("ignore:Deprecated call to `pkg_resources:DeprecationWarning"),
]


@contextmanager
def imported(framework: str) -> Iterator[Any]:
    """The example's `app`, as a process of its own would import it."""
    require(framework)
    module = f"examples.{framework}_app"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_KEY", KEY)
        patch.delitem(sys.modules, module, raising=False)
        yield importlib.import_module(module).app


@pytest.fixture(scope="module", params=FRAMEWORKS)
def app(request: pytest.FixtureRequest) -> Iterator[Any]:
    with imported(request.param) as app:
        yield app


@pytest.fixture
def browser(app: Any) -> TestApp:
    return TestApp(app)


def middleware_of(app: Any) -> SessionMiddleware:
    """The middleware that is the app, or that a framework has around itself."""
    middleware = app.registry["sessionware"] if hasattr(app, "registry") else app
    assert isinstance(middleware, SessionMiddleware)
    return middleware


def session_of(app: Any, cookie: str = "") -> Session:
    session = middleware_of(app).interface.open_session(make_environ(cookie))
    assert isinstance(session, Session)
    return session


def data_of(browser: TestApp, app: Any) -> dict[str, Any]:
    """What the browser's cookie holds."""
    return session_of(app, f"session={browser.cookies['session']}").copy()


# What its visitors see


def test_visits_are_counted_over_requests(browser: TestApp) -> None:
    pages = [browser.get("/").text for _ in range(3)]
    assert [f"Visit {number} since" in page for number, page in enumerate(pages, 1)] == [True] * 3


def test_every_browser_is_counted_alone(app: Any) -> None:
    assert "Visit 1 since" in TestApp(app).get("/")
    assert "Visit 1 since" in TestApp(app).get("/")


def test_a_change_inside_a_value_is_kept_beside_what_was_there(browser: TestApp, app: Any) -> None:
    browser.get("/")
    first = data_of(browser, app)["visits"]
    browser.get("/")
    assert data_of(browser, app) == {"visits": first | {"count": 2}}


def test_a_visit_sets_exactly_one_cookie(browser: TestApp) -> None:
    cookies = browser.get("/").headers.getall("Set-Cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["session"]


def test_a_page_stays_out_of_shared_caches(browser: TestApp) -> None:
    headers = browser.get("/").headers
    assert (headers["Vary"], headers["Cache-Control"]) == ("Cookie", "private")


def test_the_button_forgets_every_visit(browser: TestApp, app: Any) -> None:
    browser.get("/")
    page = browser.get("/").form.submit()
    assert "visits" not in data_of(browser, app)
    assert "Visit 1 since" in page.follow()


def test_the_button_leads_back_by_a_redirect_that_carries_the_cookie(browser: TestApp) -> None:
    response = browser.get("/").form.submit()
    assert response.status_int in (302, 303)
    assert len(response.headers.getall("Set-Cookie")) == 1


def test_a_message_is_shown_exactly_once(browser: TestApp) -> None:
    assert "You are forgotten." in browser.get("/").form.submit().follow()
    assert "You are forgotten." not in browser.get("/")


def test_a_forged_cookie_counts_from_the_start(browser: TestApp) -> None:
    browser.set_cookie("session", "WzAseyJ2aXNpdHMiOjk5OX1d.awDZXg.forged")
    assert "Visit 1 since" in browser.get("/")


# Pyramid


def test_pyramids_session_is_what_its_interface_asks_for() -> None:
    with imported("pyramid") as app:
        session = session_of(app)
    from pyramid.interfaces import ISession
    from zope.interface.verify import verifyObject

    assert verifyObject(ISession, session)


# Under gunicorn


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_it_works_under_gunicorn(framework: str) -> None:
    require(framework)
    with (
        serving(f"examples.{framework}_app:app", env={"SECRET_KEY": KEY}) as url,
        requests.Session() as visitor,
    ):
        visitor.get(url, timeout=10)
        assert "Visit 2 since" in visitor.get(url, timeout=10).text
        assert "You are forgotten. Visit 1 since" in visitor.post(url, timeout=10).text
