"""The reader of our own former settings."""

from typing import Any

from sessionware.migration import ForeignCookie
from tests.gateway import KEY


def former(key: str = KEY, **settings: Any) -> ForeignCookie:
    """Return the reader for a site that had these settings before."""
    from sessionware.migration import SessionwareCookie

    return SessionwareCookie(key, **settings)
