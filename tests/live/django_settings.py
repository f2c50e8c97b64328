"""The settings of examples/DJANGO.md, completed to those of the site in ``django_page.py``."""

from typing import Any

from tests.gateway import KEY
from tests.live.pages import block, executed

_PAGE: dict[str, Any] = executed(block("INSTALLED_APPS"), DEBUG=False)


def _completed(name: str, rest: list[str]) -> list[str]:
    """Return the list of the page, with the rest in place of the three dots."""
    return [entry for each in _PAGE[name] for entry in (rest if each is ... else [each])]


INSTALLED_APPS = _completed(
    "INSTALLED_APPS", [f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions")]
)
MIDDLEWARE = _completed("MIDDLEWARE", ["django.contrib.auth.middleware.AuthenticationMiddleware"])
SESSION_ENGINE = _PAGE["SESSION_ENGINE"]
SESSION_COOKIE_NAME = _PAGE["SESSION_COOKIE_NAME"]
SESSIONWARE = _PAGE["SESSIONWARE"]

ALLOWED_HOSTS = ["testserver"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast
ROOT_URLCONF = "tests.live.django_page"
SECRET_KEY = KEY
USE_TZ = True
