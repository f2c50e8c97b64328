"""The way of a request: open, dispatch, commit."""

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Unpack
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .errors import ConfigurationError, UsageError, collecting
from .extension import SessionInterface
from .headers import Fields, fields_of, headers_of
from .interface import SecureCookieSessionInterface, Settings
from .mixin import SessionMixin

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class SessionMiddleware:
    """Give any WSGI application (PEP 3333) a session, in ``environ[environ_key]``.

    The settings and their defaults are those of SecureCookieSessionInterface; an ``interface``
    of your own replaces every one but ``environ_key``. Raises ConfigurationError with every
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
        if problems or interface is None:
            raise ConfigurationError(problems)
        self.app = app
        self.environ_key = environ_key
        self.interface = interface
        self._opener_key = f"sessionware.opener.{environ_key}"
        # Not self: an application that keeps its environ would be kept by it.
        self._opener = object()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Open the session, dispatch to the application, commit the session."""
        session = self._open(environ)
        if session is None:
            return self.app(environ, start_response)
        response = _Response(self, environ, session, start_response)
        try:
            return response.begin(self.app(environ, response.start))
        except BaseException:
            response.seal()
            raise

    def _open(self, environ: WSGIEnvironment) -> SessionMixin | None:
        """Open this request's session; ``None`` in a sub-request, whose outer call commits."""
        found = environ.get(self.environ_key)
        if found is not None:
            if not isinstance(found, SessionMixin):
                raise self._occupied(type(found).__qualname__)
            # A sealed one is of an earlier request: the environ is being used again.
            if not found.sealed:
                if environ.get(self._opener_key) is self._opener:
                    return None
                raise self._occupied("the session of another SessionMiddleware")
        interface = self.interface
        session = interface.open_session(environ)
        if session is None:
            session = interface.make_null_session(environ)
        elif not isinstance(session, SessionMixin):
            raise UsageError(
                f"{type(interface).__qualname__}.open_session gave a {type(session).__qualname__}, "
                "expected a SessionMixin or None"
            )
        environ[self.environ_key] = session
        environ[self._opener_key] = self._opener
        return session

    def _occupied(self, found: str) -> ConfigurationError:
        problem = (
            f"environ_key: found {found} in environ[{self.environ_key!r}] already, expected "
            "nothing there: wrap the application once, or give this SessionMiddleware another "
            "environ_key and another cookie_name"
        )
        return ConfigurationError([problem])


class _Response:
    """What the application said of its response, until the last moment to change it."""

    __slots__ = (
        "_environ",
        "_middleware",
        "_recorded",
        "_server_start",
        "_server_write",
        "_session",
        "committed",
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
        self._recorded: tuple[str, Fields, ExcInfo | None] | None = None
        self.committed = False
        # An interface may keep the object, and give it again for the next request.
        self._session.sealed = False  # type: ignore[misc]  # a slot or a __dict__ of the subclass

    def start(
        self, status: str, headers: Fields, exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        """Stand in for the server's ``start_response``: record what it is given."""
        if exc_info is None:
            if self.committed or self._recorded is not None:
                raise UsageError(
                    "start_response was called a second time without exc_info (PEP 3333): "
                    "call it once, or give it sys.exc_info() to replace the response by an error"
                )
        elif self.committed:
            return self._server_start(status, headers, exc_info)
        self._recorded = status, list(headers), exc_info
        return self.write

    def write(self, data: bytes) -> None:
        """Stand in for the server's ``write``: commit, then pass the data on."""
        self.commit()
        self._server_write(data)

    def begin(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Commit now and give the body itself, or a body that commits on its first chunk."""
        try:
            if self._recorded is None and not self.committed:
                return _Body(self, body)
            self.commit()
        except BaseException:
            _close(body)
            raise
        return body

    def commit(self) -> None:
        """Save the session and start the server's response, once."""
        if self.committed:
            return
        if self._recorded is None:
            raise UsageError(
                "The application's body began before start_response was called (PEP 3333): "
                "call it before the first chunk"
            )
        status, headers, exc_info = self._recorded
        key = self._middleware.environ_key
        if self._environ.get(key, self._session) is not self._session:
            raise UsageError(
                f"environ[{key!r}] was replaced by a {type(self._environ[key]).__qualname__}, "
                "which is not saved: change the session that is there, with clear() and update()"
            )
        if self._session.accessed:
            headers = self._save(headers)
        if exc_info is None:
            self._server_write = self._server_start(status, headers)
        else:
            self._server_write = self._server_start(status, headers, exc_info)
        self.committed = True
        self.seal()

    def _save(self, headers: Fields) -> Fields:
        interface = self._middleware.interface
        if interface.is_null_session(self._session):
            return headers
        changed = headers_of(headers)
        interface.save_session(self._environ, self._session, changed)
        return fields_of(changed)

    def seal(self) -> None:
        """Take no more changes: the response is over, committed or not."""
        # What was recorded may hold a traceback, whose frames hold the environ.
        self._recorded = None
        self._session.sealed = True  # type: ignore[misc]  # a slot or a __dict__ of the subclass


class _Body:
    """The body of an application that calls ``start_response`` while its body is read."""

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


def _close(body: object) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()


def _problems(app: object, environ_key: object) -> Iterator[str]:
    if not callable(app):
        yield f"app: found {type(app).__name__}, expected a WSGI application, which is callable"
    if not isinstance(environ_key, str) or not environ_key:
        found = "an empty str" if environ_key == "" else type(environ_key).__name__
        yield f"environ_key: found {found}, expected a str that is not empty"


def _check_interface(interface: object, secret_key: object, **settings: object) -> None:
    problems = []
    if not isinstance(interface, SessionInterface):
        found = type(interface).__qualname__
        problems.append(f"interface: found {found}, expected a SessionInterface()")
    if given := [*(["secret_key"] if secret_key is not None else []), *settings]:
        problems.append(f"interface: found together with {', '.join(given)}, which it replaces")
    if problems:
        raise ConfigurationError(problems)
