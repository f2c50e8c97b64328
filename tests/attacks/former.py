"""The reader of our own former settings."""

from typing import Any

from sessionware.migration import SessionwareCookie
from tests.gateway import KEY


def former(key: str = KEY, **settings: Any) -> SessionwareCookie:
    """Return the reader for a site that had these settings before."""
    return SessionwareCookie(key, **settings)
