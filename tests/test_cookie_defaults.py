"""A cookie of which nothing but the name is told, as another framework's that is deleted."""

from sessionware import SecureCookieSessionInterface
from sessionware.cookie import SessionCookie
from tests.gateway import KEY


def test_a_cookie_is_by_itself_what_it_is_without_settings() -> None:
    """HttpOnly and SameSite=Lax, so that forgetting one never makes it weaker."""
    assert SessionCookie() == SecureCookieSessionInterface(KEY).cookie
