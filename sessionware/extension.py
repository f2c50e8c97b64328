"""The extension point: how a session is opened and saved, for those who bring their own."""

from typing import Any
from wsgiref.types import WSGIEnvironment

from werkzeug.datastructures import Headers

from .mixin import SessionMixin
from .session import NullSession

# As isinstance, but for what abc.ABCMeta.register adds to it, which triples the time.
_is_instance = type.__instancecheck__


class SessionInterface:
    """Flask's class of the same name, with ``environ`` and headers for request and response.

    Subclass it, and give an instance to ``SessionMiddleware(app, interface=...)``.
    """

    null_session_class = NullSession

    def open_session(self, environ: WSGIEnvironment) -> SessionMixin | None:
        """Give the session of this request; ``None`` where it could not be loaded.

        A null session stands in for ``None``. What a client sends must never raise here.
        """
        raise NotImplementedError

    def save_session(self, environ: WSGIEnvironment, session: Any, headers: Headers) -> None:
        """Save the session, and change the response's headers as that needs.

        Called once, when the response is about to begin; not for a null session, nor for
        one that was not accessed. What it raises is raised instead of the response.
        """
        raise NotImplementedError

    def make_null_session(self, environ: WSGIEnvironment) -> NullSession:  # noqa: ARG002 - for subclasses
        """Give what stands in for a session that could not be loaded."""
        return self.null_session_class()

    def is_null_session(self, obj: object) -> bool:
        """Whether this is such a stand-in, which is never saved."""
        return _is_instance(self.null_session_class, obj)
