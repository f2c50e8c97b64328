"""Flask's ``session`` proxy on top of ``environ["session"]``.

    app.wsgi_app = SessionMiddleware(app.wsgi_app, app.secret_key)
    app.session_interface = EnvironSessionInterface()

The cookie's settings are those of SessionMiddleware; Flask's ``SESSION_*`` are not looked at.
"""

from typing import Any

import flask
from flask.sessions import SessionInterface

from .errors import ConfigurationError, Problem
from .middleware import SessionMiddleware
from .session import NullSession, SessionMixin


class EnvironSessionInterface(SessionInterface):
    """Give Flask the session that SessionMiddleware has opened, and will save.

    ``environ_key`` is the middleware's. Where no request comes through the middleware
    (``app.test_request_context``, ``session_transaction`` of Flask's test client), its interface
    opens and saves. Raises ConfigurationError where ``app.wsgi_app`` has no such middleware.
    """

    null_session_class = NullSession  # type: ignore[assignment]  # its own, with our advice

    def __init__(self, environ_key: str = "session") -> None:
        self.environ_key = environ_key

    def open_session(self, app: flask.Flask, request: flask.Request) -> Any:
        """Give the session of this request; ``None`` where it could not be loaded."""
        session = request.environ.get(self.environ_key)
        if isinstance(session, SessionMixin):
            return session
        return self._middleware_of(app).interface.open_session(request.environ)

    def save_session(self, app: flask.Flask, session: Any, response: flask.Response) -> None:
        """Save what was opened here; what the middleware has opened, it saves itself."""
        environ = flask.request.environ
        # None: it could not be opened, and this is the page that says so.
        opened_here = session is not None and session is not environ.get(self.environ_key)
        if opened_here and session.accessed:
            self._middleware_of(app).interface.save_session(environ, session, response.headers)

    def _middleware_of(self, app: flask.Flask) -> SessionMiddleware:
        found: object = app.wsgi_app
        while found is not None:
            if isinstance(found, SessionMiddleware) and found.environ_key == self.environ_key:
                return found
            found = getattr(found, "app", None)
        key = "" if self.environ_key == "session" else f", environ_key={self.environ_key!r}"
        problem = Problem(
            "app.wsgi_app",
            f"found no SessionMiddleware for environ[{self.environ_key!r}], add "
            f"app.wsgi_app = SessionMiddleware(app.wsgi_app, app.secret_key{key})",
        )
        raise ConfigurationError([problem])
