"""Signed cookie sessions for any WSGI application, in one line."""

from .errors import (
    ConfigurationError,
    LateWrite,
    SessionTooLarge,
    SessionUnavailable,
    SessionwareError,
    UnserializableValue,
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
]
