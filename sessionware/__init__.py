"""Signed cookie sessions for any WSGI application, in one line."""

from .errors import (
    ConfigurationError,
    LateWrite,
    SessionTooLarge,
    SessionUnavailable,
    SessionwareError,
    UnserializableValue,
    UsageError,
)
from .interface import SecureCookieSessionInterface, SessionInterface
from .middleware import SessionMiddleware
from .session import NullSession, Session, SessionMixin

__all__ = [
    "ConfigurationError",
    "LateWrite",
    "NullSession",
    "SecureCookieSessionInterface",
    "Session",
    "SessionInterface",
    "SessionMiddleware",
    "SessionMixin",
    "SessionTooLarge",
    "SessionUnavailable",
    "SessionwareError",
    "UnserializableValue",
    "UsageError",
    "__version__",
]

__version__: str


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version  # here, because the import takes milliseconds

        return version("sessionware")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
