"""Flask's ``session``, ``flash`` and test client with sessions of sessionware.

    from sessionware.flask import Sessions, session

    Sessions(app)

``session`` is Flask's own proxy, with the type of ours.
"""

import difflib
import logging
from collections.abc import Iterator
from contextlib import suppress
from types import FunctionType
from typing import Any, Unpack, cast

import flask
from flask.sessions import SecureCookieSessionInterface as FlasksOwnInterface
from flask.sessions import SessionInterface as FlasksInterface
from markupsafe import Markup
from werkzeug.local import LocalProxy

from .device import NEEDS_MIDDLEWARE
from .errors import ConfigurationError, Problem, collecting
from .headers import Fields, carry_over, fields_of
from .interface import (
    InterfaceWithoutRefresh,
    SecureCookieSessionInterface,
    SessionInterface,
    Settings,
)
from .keys import SecretKey
from .middleware import SessionMiddleware
from .session import NullSession, Session, SessionMixin

logger: logging.Logger = logging.getLogger("sessionware")

session: Session = cast("Session", flask.session)
"""``flask.session``, whose ``owner``, ``regenerate()`` and so on a type checker knows."""

CONFIGURATION = {
    "secret_key": "SECRET_KEY",
    "secret_key_fallbacks": "SECRET_KEY_FALLBACKS",
    "cookie_name": "SESSION_COOKIE_NAME",
    "cookie_domain": "SESSION_COOKIE_DOMAIN",
    "cookie_path": "SESSION_COOKIE_PATH",
    "cookie_secure": "SESSION_COOKIE_SECURE",
    "cookie_httponly": "SESSION_COOKIE_HTTPONLY",
    "cookie_samesite": "SESSION_COOKIE_SAMESITE",
    "cookie_partitioned": "SESSION_COOKIE_PARTITIONED",
    "idle_timeout": "PERMANENT_SESSION_LIFETIME",
    "permanent_timeout": "PERMANENT_SESSION_LIFETIME",
    "refresh_after": "SESSION_REFRESH_EACH_REQUEST",
}
"""Where each setting is in Flask's configuration."""

_OF_OTHERS = {"SESSION_PROTECTION"}  # Flask-Login's
_SAVED = "sessionware.flask.saved"
_PRESERVE = "werkzeug.debug.preserve_context"
_WRAPPED = ("app", "_app", "wsgi_app", "application")
_MAX_LAYERS = 100


class FlaskSettings(Settings, total=False):
    """The settings of Sessions."""

    secret_key: SecretKey


class Sessions:
    """The Flask extension: ``Sessions(app)``, or ``Sessions()`` and ``init_app(app)``.

    The settings are those of SessionMiddleware. What is not given comes from ``app.config`` at the
    time of ``init_app``: SECRET_KEY, SECRET_KEY_FALLBACKS, SESSION_COOKIE_..., and

    - ``SESSION_COOKIE_PATH``: without one, APPLICATION_ROOT.
    - ``SESSION_COOKIE_SECURE``: False, Flask's default, is ``"auto"``.
    - ``SESSION_COOKIE_SAMESITE``: None, Flask's default, is ``"Lax"``. For a cookie without the
      attribute, give ``cookie_samesite=None``.
    - ``PERMANENT_SESSION_LIFETIME``: both ``idle_timeout`` and ``permanent_timeout``.
    - ``SESSION_REFRESH_EACH_REQUEST``: True is the default of ``refresh_after``, and a request that
      does not use its session sets no cookie. False: only a change issues the cookie again.

    Raises ConfigurationError with every problem, and logs a warning for every other ``SESSION_...``
    in the configuration.

    A session that a SessionMiddleware has opened in ``request.environ["session"]`` is used as it
    is, with the middleware's settings.
    """

    def __init__(self, app: flask.Flask | None = None, **settings: Unpack[FlaskSettings]) -> None:
        self.settings = settings
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Read the configuration, and put the sessions on the application."""
        problems = [*_interface_problems(app)]
        with collecting(problems):
            own = _interface_of(app, dict(self.settings))
        if problems:
            raise ConfigurationError(problems)
        _warn_of_unknown(app)
        app.session_interface = _SessionsInterface(own)


def _interface_problems(app: flask.Flask) -> Iterator[Problem]:
    found = type(app.session_interface)
    if found is not FlasksOwnInterface:
        yield Problem(
            "app.session_interface",
            f"found {found.__qualname__}, expected Flask's own, which Sessions replaces",
            "call Sessions(app) or init_app(app) once, and remove other session extensions",
        )


def _interface_of(app: flask.Flask, given: dict[str, Any]) -> SecureCookieSessionInterface:
    configured = _settings_of(app)
    problems: list[Problem] = []
    if given.get("secret_key", configured["secret_key"]) is None:
        problems.append(
            Problem(
                "SECRET_KEY",
                "not set",
                "set it before Sessions(app): python -m sessionware secret prints one",
            )
        )
    refreshes = app.config["SESSION_REFRESH_EACH_REQUEST"] or "refresh_after" in given
    make = SecureCookieSessionInterface if refreshes else InterfaceWithoutRefresh
    with collecting(problems):
        interface: SecureCookieSessionInterface = make(**configured | given)
        problems += [_NEEDS_MIDDLEWARE] if interface.binding is not None else []
    if problems:
        raise ConfigurationError(dict.fromkeys(_named(each, given) for each in problems))
    return interface


_NEEDS_MIDDLEWARE = NEEDS_MIDDLEWARE._replace(
    advice="in place of Sessions, set app.wsgi_app = SessionMiddleware(app.wsgi_app, "
    "app.secret_key, ...) and app.session_interface = EnvironSessionInterface()"
)


def _settings_of(app: flask.Flask) -> dict[str, Any]:
    """Return the settings that are in Flask's configuration."""
    config = {name: app.config[key] for name, key in CONFIGURATION.items()}
    partitioned = config["cookie_partitioned"] is True  # Flask makes such a cookie Secure too
    return config | {
        "secret_key_fallbacks": config["secret_key_fallbacks"] or (),
        "cookie_path": config["cookie_path"] or app.config["APPLICATION_ROOT"],
        "cookie_secure": config["cookie_secure"] or partitioned or "auto",
        "cookie_samesite": config["cookie_samesite"] or "Lax",
        "refresh_after": None,
    }


def _named(problem: Problem, given: dict[str, Any]) -> Problem:
    """Return the problem under the name that its setting has in Flask's configuration."""
    name, bracket, index = problem.setting.partition("[")
    if name in given or name not in CONFIGURATION:
        return problem
    return problem._replace(setting=f"{CONFIGURATION[name]}{bracket}{index}")


def _warn_of_unknown(app: flask.Flask) -> None:
    known = {*CONFIGURATION.values(), *_OF_OTHERS}
    for name in sorted(key for key in app.config if key.startswith("SESSION_")):
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        advice = f"did you mean {near[0]}?" if near else "Sessions takes settings as keywords"
        logger.warning(
            "app.config[%r] has no effect on the sessions of sessionware: %s (%s).",
            name,
            advice,
            "unknown_setting",
            extra={"reason": "unknown_setting"},
        )


class EnvironSessionInterface(FlasksInterface):
    """Flask's session interface for the session that SessionMiddleware opens and saves.

        app.wsgi_app = SessionMiddleware(app.wsgi_app, app.secret_key)
        app.session_interface = EnvironSessionInterface()

    The cookie's settings are those of SessionMiddleware, and Flask's ``SESSION_*`` are ignored:
    ``Sessions`` reads them. ``environ_key`` is the middleware's. If a request does not come through
    the middleware (``app.test_request_context``, ``session_transaction`` of Flask's test client),
    its interface opens and saves the session. Raises ConfigurationError if ``app.wsgi_app`` has no
    middleware with this key.
    """

    null_session_class = NullSession  # type: ignore[assignment]  # Flask declares its own class, whose message would name Flask's settings

    def __init__(self, environ_key: str = "session") -> None:
        self.environ_key = environ_key

    def open_session(self, app: flask.Flask, request: flask.Request) -> Any:
        """Return the session of this request, or ``None`` if it could not be loaded."""
        environ = request.environ
        session: Any = environ.get(self.environ_key)
        # A sealed session belongs to an earlier request, whose environ is used again.
        if not isinstance(session, SessionMixin) or session.sealed:
            session = self._interface_of(app).open_session(environ)
        if type(session) is Session and _PRESERVE in environ:
            session.__class__ = _PreservedSession
        return session

    def save_session(self, app: flask.Flask, session: Any, response: flask.Response) -> None:
        """Save the session if it was opened here. The middleware saves its own."""
        if session is None:
            return  # It could not be opened, and this response is the error page.
        _make_plain(session)
        environ = flask.request.environ
        if session is environ.get(self.environ_key):
            return
        fields = fields_of(response.headers)
        saved: tuple[Any, Fields, Fields] | None = environ.get(_SAVED)
        if saved and saved[0] is session:
            # This is an error page, in place of the response that the session was saved with.
            carry_over(*saved[1:], fields, self._interface_of(app)._keep_private)
            return
        before = [*fields]
        try:
            if session.accessed:
                self._interface_of(app).save_session(environ, session, response.headers)
        finally:  # If it fails, its error page does not try again.
            environ[_SAVED] = session, before, [*fields]
            session.sealed = True

    def _interface_of(self, app: flask.Flask) -> SessionInterface:
        """Return what opens and saves a session where no middleware has opened one."""
        if middleware := self._middleware_of(app):
            return middleware.interface
        key = "" if self.environ_key == "session" else f", environ_key={self.environ_key!r}"
        problem = Problem(
            "app.wsgi_app",
            f"found no SessionMiddleware for environ[{self.environ_key!r}], add "
            f"app.wsgi_app = SessionMiddleware(app.wsgi_app, app.secret_key{key})",
        )
        raise ConfigurationError([problem])

    def _middleware_of(self, app: flask.Flask) -> SessionMiddleware | None:
        """Return the middleware that ``app.wsgi_app`` is wrapped in, at whatever depth."""
        if "wsgi_app" not in vars(app):
            return None  # It is Flask's method.
        found = [each for each in _layers_of(app.wsgi_app) if isinstance(each, SessionMiddleware)]
        # Another application, which is called beside this one, may have its own.
        with_key = [each for each in found if each.environ_key == self.environ_key]
        return next((each for each in with_key if _wraps(each, app)), None)


def _layers_of(outermost: Any) -> Iterator[Any]:
    """Yield what an application is wrapped in: objects, and functions with a closure."""
    layers = [outermost]
    for layer in layers:
        yield layer
        if isinstance(layer, flask.Flask):
            continue  # Its own wsgi_app may lead back to where we are.
        inner = [getattr(layer, name, None) for name in _WRAPPED]
        inner += _closed_over(layer)
        # A layer may make up any attribute, as a mock does.
        room = _MAX_LAYERS - len(layers)
        layers += [each for each in inner if _may_be_application(each)][:room]


def _may_be_application(found: Any) -> bool:
    # To look into a proxy, such as flask.session, may open what it stands for.
    return callable(found) and not issubclass(type(found), LocalProxy)


def _wraps(layer: Any, app: flask.Flask) -> bool:
    layers = [*_layers_of(layer)]
    methods_of = [getattr(each, "__self__", None) for each in layers]
    return any(each is app for each in [*layers, *methods_of])


def _closed_over(layer: Any) -> Iterator[Any]:
    """Yield the values of the variables that a function has from the one around it."""
    if isinstance(layer, FunctionType):
        for cell in layer.__closure__ or ():
            with suppress(ValueError):  # It was not set.
                yield cell.cell_contents


class _SessionsInterface(EnvironSessionInterface):
    """What Sessions puts on an application: it needs no middleware."""

    def __init__(self, own: SessionInterface) -> None:
        super().__init__()
        self._own = own

    def _interface_of(self, app: flask.Flask) -> SessionInterface:
        middleware = self._middleware_of(app)
        return self._own if middleware is None else middleware.interface


class _PreservedSession(Session):
    """The session of a context that Flask's test client may keep after the response.

    What is taken out of it there is not saved, and is no error: ``get_flashed_messages`` takes out
    the messages.
    """

    __slots__ = ()

    def __delitem__(self, key: str) -> None:
        self.pop(key)

    def pop(self, key: str, *args: Any, **kwargs: Any) -> Any:
        """Remove the key and return its value, or the default, as ``dict.pop`` does."""
        was_sealed, self.sealed = self.sealed, self.sealed and not _is_kept_by_test_client()
        try:
            return super().pop(key, *args, **kwargs)
        finally:
            self.sealed = was_sealed


def _is_kept_by_test_client() -> bool:
    # Flask's test client and the debugger both have the context appended to a list. Only the test
    # client empties it, when the context is the present one again.
    append = flask.has_request_context() and flask.request.environ.get(_PRESERVE)
    return getattr(append, "__self__", None) == []


def _make_plain(session: Any) -> None:
    """Replace flashed messages that are objects with a text, as Flask does when it saves them."""
    state = session._state if isinstance(session, Session) else None
    if state is None:
        return
    flashes = state.data.get("_flashes", ())
    for index, flashed in enumerate(flashes if isinstance(flashes, list) else ()):
        match flashed:
            case (category, message) if (text := _text_of(message)) is not message:
                flashes[index] = category, text


def _text_of(message: Any) -> Any:
    if isinstance(message, str):
        return message
    if hasattr(message, "casefold"):  # a lazily translated text, which has the methods of its str
        return str(message)  # not its __html__, which is not escaped
    if callable(getattr(message, "__html__", None)):
        return Markup(message.__html__())  # noqa: S704 - this is what __html__ is for
    return message
