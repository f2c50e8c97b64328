"""Django's settings, and SESSIONWARE for what Django has no setting for, as settings of ours."""

from dataclasses import replace
from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

from .device import NEEDS_MIDDLEWARE
from .django_auth import owner_of
from .errors import ConfigurationError, Problem, kind_of
from .interface import InterfaceWithoutRefresh, SecureCookieSessionInterface
from .migration import DjangoCookie, ForeignCookie, FormerCookie, SessionwareCookie

_OF_DJANGO = {
    "secret_key": "SECRET_KEY",
    "secret_key_fallbacks": "SECRET_KEY_FALLBACKS",
    "cookie_name": "SESSION_COOKIE_NAME",
    "cookie_domain": "SESSION_COOKIE_DOMAIN",
    "cookie_path": "SESSION_COOKIE_PATH",
    "cookie_secure": "SESSION_COOKIE_SECURE",
    "cookie_httponly": "SESSION_COOKIE_HTTPONLY",
    "cookie_samesite": "SESSION_COOKIE_SAMESITE",
    "idle_timeout": "SESSION_COOKIE_AGE",
}


@cache
def interface() -> SecureCookieSessionInterface:
    """Return what opens and saves sessions by Django's settings. Raises ConfigurationError."""
    ours = {name: value for name, value in given().items() if name != "environ_key"}
    doubles = sorted(ours.keys() & _OF_DJANGO.keys())
    theirs = {own: getattr(settings, name) for own, name in _OF_DJANGO.items()}
    for name, default in (("cookie_secure", "auto"), ("cookie_samesite", None)):
        theirs[name] = default if theirs[name] is False else theirs[name]
    if settings.SESSION_SAVE_EVERY_REQUEST:
        ours.setdefault("refresh_after", 0)
    former = ours.get("migrate_from")
    if isinstance(former, list | tuple):
        ours["migrate_from"] = [*map(_with_owner, former)]
    make = SecureCookieSessionInterface if "refresh_after" in ours else InterfaceWithoutRefresh
    try:
        made: SecureCookieSessionInterface = make(**ours | theirs)
    except ConfigurationError as error:
        problems = [*map(_double, doubles), *map(_in_their_words, error.problems)]
        raise ConfigurationError(problems) from None
    if made.binding is not None:
        raise ConfigurationError([_in_their_words(NEEDS_MIDDLEWARE)])
    if doubles:
        raise ConfigurationError(map(_double, doubles))
    return made


def given() -> dict[str, Any]:
    """Return what SESSIONWARE holds. Raises ConfigurationError."""
    found = getattr(settings, "SESSIONWARE", {})
    if not isinstance(found, dict):
        problem = Problem("SESSIONWARE", f"found {kind_of(found)}, expected a dict of settings")
        raise ConfigurationError([problem])
    return found


def may_read_by_django() -> bool:
    """Return whether a reader of the site's own may have Django read its former sessions."""
    found = getattr(settings, "SESSIONWARE", None)
    readers = found.get("migrate_from") if isinstance(found, dict) else None
    ours = (ForeignCookie, SessionwareCookie)
    return isinstance(readers, list | tuple) and any(
        isinstance(each, FormerCookie) and not isinstance(each, ours) for each in readers
    )


def _double(name: str) -> Problem:
    advice = f"set {_OF_DJANGO[name]}"
    return Problem(f"SESSIONWARE[{name!r}]", "found, but Django has its own setting", advice)


def _in_their_words(problem: Problem) -> Problem:
    name, bracket, index = problem.setting.partition("[")
    theirs = _OF_DJANGO.get(name, f"SESSIONWARE[{name!r}]")
    return problem._replace(setting=f"{theirs}{bracket}{index}")


def _with_owner(former: object) -> object:
    """Return a cookie of Django's that tells whose a session is."""
    if isinstance(former, DjangoCookie) and former.owner is None:
        return replace(former, owner=owner_of)
    return former


def _forget(*, setting: str, **_: object) -> None:
    """Read the settings again in a test that overrides one of them."""
    if setting.startswith(("SESSION", "SECRET_KEY")):
        interface.cache_clear()


setting_changed.connect(_forget)
