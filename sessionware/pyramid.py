"""Pyramid's ``request.session``: ``config.include("sessionware.pyramid")``.

The settings are those of ``from_settings`` whose names begin with ``session.``. Objects, such as a
``store``, go into the ``settings`` of the Configurator.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from pyramid.events import ApplicationCreated, NewRequest
from pyramid.interfaces import ICSRFStoragePolicy, ISession, ISessionFactory
from zope.interface import classImplements, implementer

from .errors import UnserializableValue
from .headers import fields_of, headers_of
from .middleware import SessionMiddleware
from .session import Session, SessionMixin
from .settings import from_settings

_DISPATCH = "sessionware.pyramid"
_BEFORE = "sessionware.pyramid.before"
_IS_OVER = "sessionware.pyramid.is_over"

classImplements(Session, ISession)


def includeme(config: Any) -> None:
    """Set the session factory and the storage policy of CSRF tokens.

    The application is wrapped in a SessionMiddleware, ``registry["sessionware"]``. If a request
    comes through another one that has the same ``environ_key``, the session is that one's. Raises
    ConfigurationError with every problem of every setting.
    """
    middleware = from_settings(_dispatch, config.registry.settings)
    config.registry["sessionware"] = middleware
    factory = SessionFactory(middleware)
    config.set_session_factory(factory)
    config.add_subscriber(lambda event: factory.await_end(event.request), NewRequest)
    config.set_csrf_storage_policy(CSRFStoragePolicy())
    try:
        from pyramid_retry import IBeforeRetry
    except ImportError:
        pass
    else:  # first, so that it is inside of what _wrap puts around the policy
        config.add_subscriber(lambda event: _remember(event.app, middleware), ApplicationCreated)
        config.add_subscriber(lambda event: _undo(event.environ, middleware), IBeforeRetry)
    config.add_subscriber(lambda event: _wrap(event.app, middleware), ApplicationCreated)


@implementer(ISessionFactory)
class SessionFactory:
    """Returns the session that the middleware has opened, or opens one.

    A request has none if it was not made by a server: a sub-request, or that of a script. Its
    session is saved with its own response.
    """

    def __init__(self, middleware: SessionMiddleware) -> None:
        self._middleware = middleware

    def __call__(self, request: Any) -> Any:
        """Return the session of this request, which Pyramid asks for once."""
        session = request.environ.get(self._middleware.environ_key)
        return session if isinstance(session, SessionMixin) else self._open(request)

    def await_end(self, request: Any) -> None:
        """Note when a request is over whose session is opened here: no response can save it."""
        if self._middleware.environ_key not in request.environ:
            request.add_finished_callback(lambda it: it.environ.update({_IS_OVER: True}))

    def _open(self, request: Any) -> Any:
        interface = self._middleware.interface
        session: Any = interface.open_session(request.environ)
        if session is None:
            session = interface.make_null_session(request.environ)
        session.sealed = _IS_OVER in request.environ

        def save(request: Any, response: Any) -> None:
            if session.accessed and not interface.is_null_session(session):
                headers = headers_of([*response.headerlist])
                interface.save_session(request.environ, session, headers)
                response.headerlist = fields_of(headers)
            seal(request)

        def seal(_: Any) -> None:
            session.sealed = True

        request.add_response_callback(save)
        request.add_finished_callback(seal)  # if there is no response
        return session


@implementer(ICSRFStoragePolicy)
class CSRFStoragePolicy:
    """The CSRF token is the session's. A check of a wrong one makes none."""

    def new_csrf_token(self, request: Any) -> str:
        """Return a new token, which replaces the session's present one."""
        token: str = request.session.new_csrf_token()
        return token

    def get_csrf_token(self, request: Any) -> str:
        """Return the session's token, made on first use."""
        token: str = request.session.get_csrf_token()
        return token

    def check_csrf_token(self, request: Any, token: object) -> bool:
        """Return whether this is the session's token. The comparison takes constant time."""
        return bool(request.session.check_csrf_token(token))


def _wrap(router: Any, middleware: SessionMiddleware) -> None:
    """Put the middleware around the router's execution policy and the response it returns."""
    policy = router.execution_policy

    def wrapped(environ: WSGIEnvironment, router: Any) -> Any:
        session = environ.get(middleware.environ_key)
        if isinstance(session, SessionMixin) and not session.sealed:
            return policy(environ, router)  # whoever has opened it saves it
        environ[_DISPATCH] = lambda: policy(environ, router)
        return middleware  # as the response, which is a WSGI application

    router.execution_policy = wrapped


def _dispatch(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Call Pyramid, inside of the middleware."""
    respond: Callable[[], Any] = environ.pop(_DISPATCH)
    body: Iterable[bytes] = respond()(environ, start_response)
    return body


def _remember(router: Any, middleware: SessionMiddleware) -> None:
    """Have the execution policy note what the session is like before the first attempt."""
    policy = router.execution_policy

    def remembering(environ: WSGIEnvironment, router: Any) -> Any:
        session, outer = environ.get(middleware.environ_key), environ.get(_BEFORE)
        try:
            # There is nothing to copy, unless a WSGI filter has used the session before Pyramid.
            environ[_BEFORE] = deepcopy(session._state) if isinstance(session, Session) else None
        except Exception as error:
            environ[_BEFORE] = error  # which matters only if there is another attempt
        try:
            return policy(environ, router)
        finally:
            environ[_BEFORE] = outer  # of an application whose view has called this one

    router.execution_policy = remembering


def _undo(environ: WSGIEnvironment, middleware: SessionMiddleware) -> None:
    """Undo the changes of an attempt before pyramid_retry makes the next one.

    Raises UnserializableValue if the session had a value that cannot be copied.
    """
    session, before = environ.get(middleware.environ_key), environ[_BEFORE]
    if isinstance(before, Exception):
        raise UnserializableValue(
            "The changes of an attempt cannot be undone for pyramid_retry, because a WSGI filter "
            "has put a value into the session that copy.deepcopy refuses: convert it."
        ) from before
    if isinstance(session, Session):
        state = deepcopy(before)  # the next attempt may fail too
        # Without one, the session is loaded again on its next use.
        session._loads, session._state = [] if state is None else [state], state
