"""A site with the code of examples/DJANGO.md, and its tests, as a Django project has them.

``python -m django test tests.live.django_page --settings=tests.live.django_settings`` runs them.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import Client, TestCase
from django.test.utils import override_settings
from django.urls import path

from sessionware.sql import SQLRevocations, SQLStore
from tests.live.pages import block, executed

ReadByDjango = executed(block("class ReadByDjango"))["ReadByDjango"]
"""The reader of the page."""

log_in = executed(block("def log_in(request, user)"))["log_in"]
log_out_everywhere = executed(block("logout(request)"))["log_out_everywhere"]
CartTest = executed(block("class CartTest"))["CartTest"]
"""The test of the page."""


def cart(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.user}: {request.session.get('cart')}")


def enter(request: HttpRequest) -> HttpResponse:
    log_in(request, User.objects.get(username="ann"))
    return HttpResponse()


def leave_everywhere(request: HttpRequest) -> HttpResponse:
    log_out_everywhere(request)
    return HttpResponse()


def leave(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse()


urlpatterns = [
    path("cart/", cart),
    path("in/", enter),
    path("leave/", leave),
    path("out/", leave_everywhere),
]


@override_settings(SESSIONWARE={"store": SQLStore("sqlite://")})
class SiteTest(TestCase):
    """What a user sees. The cookie's name is one for https."""

    ann: User

    @classmethod
    def setUpTestData(cls) -> None:
        cls.ann = User.objects.create(username="ann")

    def browser(self) -> Client:
        """Return the browser of a user who is logged in."""
        browser = Client()
        browser.post("/in/", secure=True)
        return browser

    def page(self, browser: Client) -> str:
        return browser.get("/cart/", secure=True).content.decode()

    def test_manage_py_check_finds_nothing(self) -> None:
        call_command("check", fail_level="WARNING")

    def test_a_log_out_everywhere_ends_the_other_browser_too(self) -> None:
        browsers = [self.browser(), self.browser()]
        assert [*map(self.page, browsers)] == ["ann: None"] * 2
        browsers[0].post("/out/", secure=True)
        assert [*map(self.page, browsers)] == ["AnonymousUser: None"] * 2

    def test_a_user_is_remembered_who_has_ticked_the_box(self) -> None:
        with override_settings(SESSION_EXPIRE_AT_BROWSER_CLOSE=True):
            ages = []
            for form in ({}, {"remember": "on"}):
                self.client.post("/in/", form, secure=True)
                ages.append(str(self.client.cookies[settings.SESSION_COOKIE_NAME]["max-age"]))
        assert ages == ["", str(settings.SESSION_COOKIE_AGE)]


class MoveTest(TestCase):
    """A user who comes with a session of Django's own."""

    def visitor(self, engine: str, expiry: int | None = None) -> Any:
        """Return the browser of a user who has logged in before the move, and a cart."""
        with override_settings(
            SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}",
            SESSION_COOKIE_NAME="sessionid",
        ):
            browser = Client()
            browser.force_login(User.objects.get_or_create(username="ann")[0])
            session = browser.session
            session["cart"] = ["tea"]
            session.set_expiry(expiry)
            session.save()
            if engine == "signed_cookies":
                browser.cookies["sessionid"] = str(session.session_key)
        return browser

    def page(self, browser: Client) -> str:
        return browser.get("/cart/", secure=True).content.decode()

    def test_a_session_of_the_database_is_taken_over_until_its_log_out(self) -> None:
        """What is in the database stays until then: nothing is lost if a response fails."""
        for kept in (
            {"store": SQLStore("sqlite://")},
            {"revocations": SQLRevocations("sqlite://")},
            {"store": SQLStore("sqlite://"), "absolute_timeout": 60},
            {},
        ):
            with override_settings(SESSIONWARE=kept | {"migrate_from": [ReadByDjango()]}):
                browser, copy = self.visitor("db"), Client()
                copy.cookies["sessionid"] = browser.cookies["sessionid"].value
                assert self.page(browser) == "ann: ['tea']"
                assert (browser.cookies["sessionid"].value, Session.objects.count()) == ("", 1)
                assert self.page(browser) == "ann: ['tea']"
                browser.post("/leave/", secure=True)
                assert Session.objects.count() == 0
                assert [self.page(each) for each in (browser, copy)] == ["AnonymousUser: None"] * 2

    def test_a_session_in_a_file_is_taken_over_and_others_log_in_and_out(self) -> None:
        """Django's sessions in files refuse an id of ours."""
        text = block("class ReadByDjango").replace("backends.db import", "backends.file import")
        reader = executed(text)["ReadByDjango"]()
        kept = {"store": SQLStore("sqlite://"), "migrate_from": [reader]}
        with (
            TemporaryDirectory() as folder,
            override_settings(SESSION_FILE_PATH=folder, SESSIONWARE=kept),
        ):
            browsers = [self.visitor("file"), Client()]
            assert self.page(browsers[0]) == "ann: ['tea']"
            browsers[1].post("/in/", secure=True)
            assert self.page(browsers[1]) == "ann: None"
            for browser in browsers:
                browser.post("/leave/", secure=True)
            assert [*map(self.page, browsers)] == ["AnonymousUser: None"] * 2
            assert [*Path(folder).iterdir()] == []

    def test_a_session_of_the_database_ends_with_the_browser_if_it_did(self) -> None:
        settings = {"store": SQLStore("sqlite://"), "migrate_from": [ReadByDjango()]}
        for expiry, age in ((None, "1209600"), (0, "")):
            with override_settings(SESSIONWARE=settings):
                browser = self.visitor("db", expiry)
                self.page(browser)
                assert str(browser.cookies["__Host-session"]["max-age"]) == age

    def test_a_cookie_that_is_no_key_of_djangos_is_refused(self) -> None:
        settings = {"store": SQLStore("sqlite://"), "migrate_from": [ReadByDjango()]}
        with override_settings(SESSIONWARE=settings):
            for value in ("", "a\0b", "a" * 32, "A" * 32, "é" * 32):
                browser = Client()
                browser.cookies["sessionid"] = value
                assert self.page(browser) == "AnonymousUser: None"

    def test_a_signed_cookie_is_taken_over(self) -> None:
        names = executed(block("DjangoCookie(SECRET_KEY, "), SECRET_KEY=settings.SECRET_KEY)
        with override_settings(SESSIONWARE=names["SESSIONWARE"]):
            browser = self.visitor("signed_cookies")
            assert self.page(browser) == "ann: ['tea']"
            assert browser.cookies["sessionid"].value == ""
            assert self.page(browser) == "ann: ['tea']"
