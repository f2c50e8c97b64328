"""SessionMiddleware: open the session, dispatch to the application, commit the session."""

from collections.abc import Callable, Iterable, Iterator
from inspect import iscoroutinefunction
from types import TracebackType
from typing import Any, Unpack
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .endpoints import Endpoints
from .errors import ConfigurationError, Problem, UsageError, collecting, kind_of
from .headers import (
    Fields,
    carry_over,
    fields_of,
    headers_of,
    keep_private,
    names_of,
    vary_by_cookie,
)
from .interface import SecureCookieSessionInterface, SessionInterface, Settings
from .log import logger
from .session import Session, SessionMixin

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class SessionMiddleware:
    """Add a session to any WSGI application (PEP 3333), in ``environ[environ_key]``.

    The settings and their defaults are those of SecureCookieSessionInterface; a custom
    ``interface`` replaces all of them except ``environ_key``. Raises ConfigurationError with every
    problem of every setting.
    """

    def __init__(
        self,
        app: WSGIApplication,
        secret_key: str | bytes | None = None,
        *,
        environ_key: str = "session",
        interface: SessionInterface | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        problems = [*_problems(app, environ_key)]
        with collecting(problems):
            if interface is None:
                interface = SecureCookieSessionInterface(secret_key, **settings)
            else:
                _check_interface(interface, secret_key, **settings)
            problems += _stacking_problems(app, environ_key, interface)
        if problems or interface is None:
            raise ConfigurationError(problems)
        self.app = app
        self.environ_key = environ_key
        self.interface = interface
        self._endpoints = _endpoints_of(interface, environ_key)
        # Not self: a session that outlives its request would keep the application alive.
        self._mark = object()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Open the session, dispatch to the application, commit the session."""
        key = self.environ_key
        if key in environ and self._is_open(environ):
            return self.app(environ, start_response)  # a sub-request: the outer call commits
        session = self.interface.open_session(environ)
        if not isinstance(session, SessionMixin):
            session = self._null_session(environ, session)
        environ[key] = session
        # An interface may return one object again. mypy sees the empty slots of SessionMixin, while
        # a subclass has a slot or a __dict__ for both.
        session.opened_by = self._mark  # type: ignore[misc]  # see above
        session.sealed = False  # type: ignore[misc]  # see above
        response = _Response(self, environ, session, start_response)
        body: Iterable[bytes] | None = None
        try:
            app = self.app
            if self._endpoints is not None:
                app = self._endpoints.app_for(environ) or app
            body = app(environ, response.start)
            if response.recorded is None and not response.committed:
                return _Body(response, body)
            response.commit()
            return body
        except BaseException as error:
            try:
                _close(body)
            finally:
                # With StopIteration, a websocket has ended that gunicorn must not answer.
                response.seal(failed=not isinstance(error, StopIteration))
            raise

    def _is_open(self, environ: WSGIEnvironment) -> bool:
        """Return whether an outer call of this middleware has opened the session in the environ."""
        found = environ[self.environ_key]
        if not isinstance(found, SessionMixin):
            raise self._occupied(type(found).__qualname__)
        # A sealed session belongs to an earlier request, whose environ is used again.
        if found.sealed:
            return False
        if found.opened_by is not self._mark:
            raise self._occupied("another session")
        return True

    def _null_session(self, environ: WSGIEnvironment, opened: object) -> SessionMixin:
        if opened is not None:
            raise UsageError(
                f"{type(self.interface).__qualname__}.open_session returned a "
                f"{type(opened).__qualname__}, expected a SessionMixin or None"
            )
        return self.interface.make_null_session(environ)

    def _occupied(self, found: str) -> ConfigurationError:
        problem = Problem(
            "environ_key",
            f"found {found} in environ[{self.environ_key!r}], expected nothing there",
            "if the application is already wrapped in a SessionMiddleware, wrap it once, or give "
            "this one another environ_key and another cookie_name",
        )
        return ConfigurationError([problem])


class _Response:
    """A response that the application has started, and that is held back until the commit."""

    __slots__ = (
        "_decided",
        "_environ",
        "_middleware",
        "_server_start",
        "_server_write",
        "_session",
        "committed",
        "recorded",
    )

    def __init__(
        self,
        middleware: SessionMiddleware,
        environ: WSGIEnvironment,
        session: SessionMixin,
        start_response: StartResponse,
    ) -> None:
        self._middleware = middleware
        self._environ = environ
        self._session = session
        self._server_start = start_response
        self.recorded: tuple[str, Fields, ExcInfo | None] | None = None
        self._decided: tuple[Fields, Fields] | None = None
        self.committed = False

    def start(
        self, status: str, headers: Fields, exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        """Take the place of the server's ``start_response``, and record the arguments."""
        if exc_info is None:
            if self.committed or self.recorded is not None:
                raise UsageError(
                    "start_response was called a second time without exc_info (PEP 3333): "
                    "call it once, or give it sys.exc_info() to replace the response by an error"
                )
        elif self.committed:
            return self._server_start(status, self._carry_over([*headers]), exc_info)
        self.recorded = status, [*headers], exc_info
        # Callable as write. A bound method takes 2 % of a request that leaves its session alone.
        return self

    def __call__(self, data: bytes, /) -> None:
        """Take the place of the server's ``write``: commit, then pass the data on."""
        self.commit()
        self._server_write(data)

    def commit(self) -> None:
        """Save the session and start the server's response, once."""
        if self.committed:
            return
        if self.recorded is None:
            if _is_websocket(self._environ):
                return  # It has ended, and gevent's server needs no response.
            raise UsageError(
                "The application's body began before start_response was called (PEP 3333): "
                "call it before the first chunk"
            )
        status, headers, exc_info = self.recorded
        session, key = self._session, self._middleware.environ_key
        if self._environ.get(key, session) is not session:
            raise UsageError(
                f"environ[{key!r}] was replaced by a {type(self._environ[key]).__qualname__}, "
                "which is not saved: keep the session, and change it in place, as with update()"
            )
        if session.accessed:
            # If the server has refused the headers once, the session is saved already.
            headers = self._save(headers) if self._decided is None else self._carry_over(headers)
        # Before the server's start_response, which may be that of a middleware with a look at it.
        # Not seal(): the call is 2 % of a request that leaves its session alone.
        session.sealed = True
        if exc_info is None:
            self._server_write = self._server_start(status, headers)
        else:
            self._server_write = self._server_start(status, headers, exc_info)
        self.committed = True
        self.recorded = None

    def _save(self, headers: Fields) -> Fields:
        interface = self._middleware.interface
        if interface.is_null_session(self._session):
            return headers
        before = [*headers]
        changed = headers_of(headers)
        interface.save_session(self._environ, self._session, changed)
        after = fields_of(changed)
        # Copied, because the server may change the list.
        self._decided = before, [*after]
        return after

    def _carry_over(self, page: Fields) -> Fields:
        """Add to an error page after the commit what was decided about the session."""
        session, interface = self._session, self._middleware.interface
        if session.accessed and not interface.is_null_session(session):
            if self._decided is not None:
                carry_over(*self._decided, page, interface._keep_private)
            else:  # the first look came after the commit
                names = names_of(page)
                vary_by_cookie(page, names)
                keep_private(page, names)
        return page

    def seal(self, failed: bool = False) -> None:
        """Refuse further changes: the response is over, committed or not.

        ``failed``: it was ended by an error, which the server knows of.
        """
        session = self._session
        has_begun = self.committed or self.recorded is not None
        if not (failed or has_begun or session.sealed) and _is_websocket(self._environ):
            _warn_of_loss(session)
        # The recorded arguments may hold a traceback, whose frames hold the environ.
        self.recorded = None
        session.sealed = True  # type: ignore[misc]  # as in SessionMiddleware.__call__


class _Body:
    """The body of an application that starts its response while the server reads the body."""

    __slots__ = ("_body", "_chunks", "_response")

    def __init__(self, response: _Response, body: Iterable[bytes]) -> None:
        self._response = response
        self._chunks: Iterator[bytes] = iter(body)
        self._body: Any = body

    def __iter__(self) -> "_Body":
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            self._commit()
            raise
        except BaseException:
            self._response.seal(failed=True)
            raise
        self._commit()
        return chunk

    def _commit(self) -> None:
        try:
            self._response.commit()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the application's body, once."""
        body, self._body = self._body, None
        self._response.seal()
        _close(body)


def _is_websocket(environ: WSGIEnvironment) -> bool:
    return str(environ.get("HTTP_UPGRADE", "")).lower() == "websocket"


def _warn_of_loss(session: SessionMixin) -> None:
    """Log that a websocket's session was changed. Nothing else would tell that it is not saved."""
    if isinstance(session, Session) and session.modified:
        message = (
            "A session was changed over a websocket, which has no response to set a cookie, so "
            "the change is lost: change the session in an HTTP request (lost_change)."
        )
        logger.warning(message, extra={"reason": "lost_change"})


def _close(body: object) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()


def _endpoints_of(interface: SessionInterface, environ_key: str) -> Endpoints | None:
    """Return what binds sessions to devices, if the setting is on."""
    if not isinstance(interface, SecureCookieSessionInterface) or interface.binding is None:
        return None
    return Endpoints(interface.binding, environ_key)


def _problems(app: object, environ_key: object) -> Iterator[Problem]:
    if not callable(app):
        yield Problem(
            "app", f"found {type(app).__name__}, expected a WSGI application, which is callable"
        )
    elif iscoroutinefunction(app) or iscoroutinefunction(type(app).__call__):
        yield Problem(
            "app",
            f"found {kind_of(app)}, which is an ASGI application, expected a WSGI application",
            "use a session middleware for ASGI, such as Starlette's",
        )
    if not isinstance(environ_key, str) or not environ_key:
        found = "an empty str" if environ_key == "" else type(environ_key).__name__
        yield Problem("environ_key", f"found {found}, expected a str that is not empty")


def _stacking_problems(
    app: object, environ_key: str, interface: SessionInterface
) -> Iterator[Problem]:
    """Yield what this middleware has in common with those that the application is wrapped in."""
    while isinstance(app, SessionMiddleware):
        if app.environ_key == environ_key:
            yield Problem(
                "environ_key",
                f"found {environ_key!r}, which the SessionMiddleware around the application has",
                "wrap it once, or give this one another environ_key and another cookie_name",
            )
        both = [
            each
            for each in (app.interface, interface)
            if isinstance(each, SecureCookieSessionInterface)
        ]
        names = [each.cookie.name for each in both]
        if len(names) == 2 and names[0] == names[1]:
            yield Problem(
                "cookie_name",
                f"found {names[0]!r}, which the SessionMiddleware around the application has",
                "give this one another cookie_name",
            )
        paths = [each.binding.path for each in both if each.binding is not None]
        if len(paths) == 2 and paths[0] == paths[1]:
            yield Problem(
                "device_bound_path",
                f"found {paths[0]!r}, which the SessionMiddleware around the application has",
                "give this one another device_bound_path",
            )
        app = app.app


def _check_interface(interface: object, secret_key: object, **settings: object) -> None:
    problems = []
    if not isinstance(interface, SessionInterface):
        found = type(interface).__qualname__
        problems.append(Problem("interface", f"found {found}, expected a SessionInterface()"))
    if given := [*(["secret_key"] if secret_key is not None else []), *settings]:
        problems.append(
            Problem("interface", f"found together with {', '.join(given)}, which it replaces")
        )
    if problems:
        raise ConfigurationError(problems)
