"""Sites whose sessions are bound to devices, and browsers that have logged in there."""

from typing import Any

import pytest

from sessionware import SessionUnavailable
from tests.attacks.modes import MODES
from tests.dbsc_browser import Algorithm, Browser
from tests.sites import Site

LIFETIME = 10 * 60
MARGIN = 60
DAY = 24 * 60 * 60
OK = "200 OK"
OF_A_SIBLING: Any = {"HTTP_SEC_FETCH_SITE": "same-site", "HTTP_SEC_FETCH_MODE": "no-cors"}
"""What the browser says of an image of this site in another origin's page."""


def site_in(mode: str = "signed", **settings: Any) -> Site:
    return Site(device_bound=True, **MODES[mode]() | settings)


def log_in(session: Any) -> None:
    session.owner, session["n"] = "ann", 0
    session.permanent = True


def log_out(session: Any) -> None:
    session.invalidate()


def count(session: Any) -> int:
    session["n"] += 1
    return int(session["n"])


def set_the_owner_again(session: Any) -> None:
    session.owner = session.owner


def regenerate(session: Any) -> None:
    session.regenerate()


def is_bound(session: Any) -> bool:
    return bool(session.device_bound)


def bound_browser(site: Site, algorithm: Algorithm = "ES256", **more: Any) -> Browser:
    """Return a browser whose session is bound after a log-in."""
    browser = Browser(site.app, algorithm)
    browser.visit(log_in, **more)
    assert browser.bound
    return browser


def unbound_browser(site: Site) -> Browser:
    """Return a browser that was offered to bind its session, and has not answered yet."""
    browser = Browser(site.app, binds=False)
    browser.visit(log_in)
    return browser


def refresh(browser: Browser, proof: str | None, **headers: Any) -> str:
    """Send this proof for the browser's session, and return the answer's status."""
    [(identifier, bound)] = browser.bound.items()
    headers = {"HTTP_SEC_SECURE_SESSION_ID": identifier} | headers
    return browser.prove(bound.url, bound.key, proof or "", **headers).status


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [vars(record)["reason"] for record in caplog.records]


def unavailable(*_: object, **__: object) -> Any:
    raise SessionUnavailable("the store does not answer")
