"""Flask's ``session`` proxy on top of ``environ["session"]``.

    app.wsgi_app = SessionMiddleware(app.wsgi_app, app.secret_key)
    app.session_interface = EnvironSessionInterface()

The cookie's settings are those of SessionMiddleware. Flask's ``SESSION_*`` are ignored.
"""

from typing import Any

import flask
from flask.sessions import SessionInterface

from .errors import ConfigurationError, Problem
from .middleware import SessionMiddleware
from .session import NullSession, SessionMixin


class EnvironSessionInterface(SessionInterface):
    """Flask's session interface for the session that SessionMiddleware opens and saves.

    ``environ_key`` is the middleware's. If a request does not come through the middleware
    (``app.test_request_context``, ``session_transaction`` of Flask's test client), its interface
    opens and saves the session. Raises ConfigurationError if ``app.wsgi_app`` has no middleware
    with this key.
    """

    null_session_class = NullSession  # type: ignore[assignment]  # Flask declares its own class, whose message would name Flask's settings

    def __init__(self, environ_key: str = "session") -> None:
        self.environ_key = environ_key

    def open_session(self, app: flask.Flask, request: flask.Request) -> Any:
        """Return the session of this request, or ``None`` if it could not be loaded."""
        session = request.environ.get(self.environ_key)
        if isinstance(session, SessionMixin):
            return session
        return self._middleware_of(app).interface.open_session(request.environ)

    def save_session(self, app: flask.Flask, session: Any, response: flask.Response) -> None:
        """Save the session if it was opened here. The middleware saves its own."""
        environ = flask.request.environ
        # None: the session could not be opened, and this response is the error page.
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
