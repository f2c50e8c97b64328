"""The tests of examples/django_app.py, as a Django project has them: by its own test client.

``python -m examples.django_app test tests.live.django_example`` runs them.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import TestCase
from django.test.utils import override_settings

from sessionware.django import DjangoSession

PASSWORD = "correct horse"


@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])  # fast
class SiteTest(TestCase):
    """What a visitor and the admin see."""

    admin: User

    @classmethod
    def setUpTestData(cls) -> None:
        cls.admin = User.objects.create_superuser("admin", password=PASSWORD)

    def log_in(self, **fields: str) -> Any:
        form = {"username": "admin", "password": PASSWORD, **fields}
        return self.client.post("/login/", form, follow=True)

    def test_visits_are_counted(self) -> None:
        self.assertContains(self.client.get("/"), "Visit 1.")
        self.assertContains(self.client.get("/"), "Visit 2.")

    def test_the_admin_finds_no_fault_with_the_middleware(self) -> None:
        call_command("check", fail_level="WARNING")

    def test_a_log_in_keeps_the_visits_and_is_told_once(self) -> None:
        self.client.get("/")
        page = self.log_in()
        self.assertContains(page, "You are logged in.")
        self.assertContains(page, "Visit 2 of admin.")
        self.assertNotContains(self.client.get("/"), "You are logged in.")

    def test_a_log_in_sets_the_owner(self) -> None:
        session: DjangoSession = self.log_in().wsgi_request.session
        assert session.owner == self.admin.pk

    def test_a_wrong_password_does_not_log_in(self) -> None:
        self.assertContains(self.log_in(password="wrong"), "Log in")

    def test_a_plain_log_in_ends_with_the_browser(self) -> None:
        self.log_in()
        assert self.client.cookies["sessionid"]["max-age"] == ""

    def test_a_log_in_can_be_remembered(self) -> None:
        self.log_in(remember="on")
        age = self.client.cookies["sessionid"]["max-age"]
        assert age == str(settings.SESSION_COOKIE_AGE)

    def test_a_log_out_is_told_and_forgets_the_visits(self) -> None:
        self.log_in()
        page = self.client.post("/logout/", follow=True)
        self.assertContains(page, "You are logged out.")
        self.assertContains(page, "Visit 1.")

    def test_the_client_can_log_in_and_out_by_itself(self) -> None:
        self.client.force_login(self.admin)
        self.assertContains(self.client.get("/"), "Visit 1 of admin.")
        self.client.logout()
        self.assertContains(self.client.get("/"), "Visit 1.")

    async def test_the_asynchronous_client_can_log_in(self) -> None:
        await self.async_client.aforce_login(self.admin)
        self.assertContains(await self.async_client.get("/"), "Visit 1 of admin.")

    def test_the_client_s_session_can_be_changed(self) -> None:
        session = self.client.session
        session["visits"] = 41
        session.save()
        self.assertContains(self.client.get("/"), "Visit 42.")

    def test_the_admin_is_open_to_who_is_logged_in(self) -> None:
        self.assertRedirects(self.client.get("/admin/"), "/admin/login/?next=/admin/")
        form = {"username": "admin", "password": PASSWORD, "next": "/admin/"}
        self.assertContains(self.client.post("/admin/login/", form, follow=True), "Welcome")

    def test_a_changed_password_logs_out_the_other_sessions(self) -> None:
        self.log_in()
        other = self.client_class()
        other.force_login(self.admin)
        new = {
            "old_password": PASSWORD,
            "new_password1": "n3w horse!",
            "new_password2": "n3w horse!",
        }
        page = self.client.post("/admin/password_change/", new, follow=True)
        self.assertContains(page, "Your password was changed.")
        self.assertContains(self.client.get("/"), "of admin.")
        self.assertNotContains(other.get("/"), "of admin.")
