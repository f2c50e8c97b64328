"""Pyramid with the session of ``environ["session"]``: its ISession, and its use in views."""

from collections.abc import Callable
from typing import Any

import pytest
from webtest import TestApp

pytest.importorskip("pyramid", reason="pyramid is not installed: pip install 'sessionware[dev]'")

from pyramid.config import Configurator
from pyramid.csrf import get_csrf_token
from pyramid.interfaces import ISession
from zope.interface.verify import verifyObject

from sessionware import SessionMiddleware
from tests.conftest import Clock
from tests.gateway import KEY
from tests.unit.sessions import opened

# Pyramid 2.1 itself imports it.
pytestmark = pytest.mark.filterwarnings("ignore:pkg_resources is deprecated as an API")


@pytest.fixture
def browser() -> TestApp:
    """Return a client of a Pyramid application whose session comes from ``environ``."""
    config = Configurator()
    config.set_session_factory(lambda request: request.environ["session"])
    config.set_default_csrf_options(require_csrf=True)
    views: dict[str, Callable[[Any], object]] = {
        "flash": lambda request: request.session.flash(*request.GET.values()),
        "pop": lambda request: request.session.pop_flash(*request.GET.values()),
        "peek": lambda request: request.session.peek_flash(*request.GET.values()),
        "about": lambda request: [request.session.new, request.session.created],
        "cart": lambda request: request.session.setdefault("cart", []).append(1),
        "data": lambda request: dict(request.session),
        "logout": lambda request: request.session.invalidate(),
        "token": lambda request: get_csrf_token(request),
    }
    for name, view in views.items():
        config.add_route(name, f"/{name}")
        config.add_view(lambda request, view=view: view(request), route_name=name, renderer="json")
    return TestApp(SessionMiddleware(config.make_wsgi_app(), KEY))


def test_session_implements_pyramids_isession() -> None:
    assert verifyObject(ISession, opened(), tentative=True)


def test_pyramid_flashes_from_page_to_page(browser: TestApp) -> None:
    browser.get("/flash?msg=plain")
    browser.get("/flash?msg=bad&queue=error")
    assert browser.get("/peek").json == ["plain"]
    assert browser.get("/pop?queue=error").json == ["bad"]
    assert browser.get("/pop?queue=error").json == []
    assert browser.get("/pop").json == ["plain"]


def test_pyramid_finds_its_csrf_token_from_page_to_page(browser: TestApp) -> None:
    token = browser.get("/token").json
    assert browser.get("/token").json == token


def test_pyramid_accepts_a_post_with_the_csrf_token(browser: TestApp) -> None:
    token = browser.get("/token").json
    browser.post("/cart", {"csrf_token": token})
    assert browser.get("/data").json == {"cart": [1]}


def test_pyramid_refuses_a_post_without_the_csrf_token(browser: TestApp) -> None:
    browser.get("/token")
    browser.post("/cart", {"csrf_token": "another"}, status=400)
    assert "cart" not in browser.get("/data").json


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
