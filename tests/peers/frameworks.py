"""The session libraries of the comparison, each used as its documentation says.

A peer is a function that takes a view, settings and a Cookie header, and returns the headers of
the response to one request.
"""

import asyncio
import hmac
import importlib
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, cast
from unittest.mock import patch
from urllib.parse import quote_plus, unquote_plus
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import setup_testing_defaults

import flask
import starlette.requests
import starlette.responses
from django.conf import Settings as DjangoSettings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.test.utils import override_settings
from django.urls import path
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware as StarletteSessions
from starlette.routing import Route
from werkzeug.wrappers import Request, Response

from sessionware import SessionMiddleware
from tests.benchmarks.contestants import configure_django
from tests.sites import MemoryRevocations
from tests.unit.foreign_cookies import KEY

with warnings.catch_warnings():  # Both still import cgi or pkg_resources.
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
    import beaker.middleware
    import pyramid.response
    from pyramid.config import Configurator
    from pyramid.session import SignedCookieSessionFactory

Session = MutableMapping[str, Any]
Headers = list[tuple[str, str]]
Step = Callable[[Session], object]
REVOCATIONS = MemoryRevocations()


def nothing(_: Session) -> None:
    """Do not use the session."""


def put(key: str, value: object) -> Step:
    """Return a step that assigns the value to the key."""

    def step(session: Session) -> None:
        session[key] = value

    return step


@dataclass(frozen=True)
class View:
    """What an application does with its session, and when."""

    before: Step = nothing  # before it starts the response
    after: Step = nothing  # after it has started the response
    streaming: Step | None = None  # after the first chunk of a streamed body
    headers: Headers = field(default_factory=list)

    def body(self, session: Session) -> Iterable[bytes]:
        return self._chunks(session, self.streaming) if self.streaming else [b"all"]

    @staticmethod
    def _chunks(session: Session, step: Step) -> Iterator[bytes]:
        yield b"first"
        step(session)
        yield b"second"


@dataclass(frozen=True)
class Settings:
    """The settings of a peer. A peer that lacks one of these ignores it."""

    key: str = KEY
    old_keys: Sequence[str] = ()
    idle: int = 3600
    absolute: int | None = None
    option: bool = False  # the peer's option for this row, if it has one


Peer = Callable[[View, Settings, str], Headers]


def run_wsgi(app: WSGIApplication, cookie: str) -> Headers:
    """Send one request to the application, and return the headers of the response."""
    environ: WSGIEnvironment = {"HTTP_COOKIE": cookie} if cookie else {}
    setup_testing_defaults(environ)
    answer: Headers = []

    def start_response(status: str, headers: Headers, *_: object) -> Any:
        assert status.startswith("200"), status
        answer[:] = headers

    body = app(environ, cast(StartResponse, start_response))
    assert b"".join(body)
    getattr(body, "close", lambda: None)()
    return answer


def plain_wsgi(view: View, environ_key: str) -> WSGIApplication:
    """Return the application that a WSGI middleware wraps."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = environ[environ_key]
        view.before(session)
        start_response("200 OK", view.headers)
        view.after(session)
        return view.body(session)

    return app


def run_sessionware(view: View, settings: Settings, cookie: str) -> Headers:
    app = SessionMiddleware(
        plain_wsgi(view, "session"),
        settings.key,
        secret_key_fallbacks=settings.old_keys,
        idle_timeout=settings.idle,
        absolute_timeout=settings.absolute,
        revocations=REVOCATIONS if settings.option else None,
    )
    return run_wsgi(app, cookie)


def run_beaker(view: View, settings: Settings, cookie: str) -> Headers:
    options = {
        "session.type": "cookie",
        "session.validate_key": settings.key,
        "session.timeout": settings.idle,
        "session.auto": True,  # Without it, changes need a call of save().
        "session.data_serializer": "json" if settings.option else "pickle",
    }
    app = beaker.middleware.SessionMiddleware(plain_wsgi(view, "beaker.session"), options)
    return run_wsgi(app, cookie)


def import_secure_cookie() -> ModuleType:
    """Import secure_cookie with substitutes for functions that Werkzeug has removed."""
    with (
        patch("werkzeug.security.safe_str_cmp", hmac.compare_digest, create=True),
        patch("werkzeug.urls.url_quote_plus", quote_plus, create=True),
        patch("werkzeug.urls.url_unquote_plus", unquote_plus, create=True),
        patch("werkzeug.utils.detect_utf_encoding", json.detect_encoding, create=True),
    ):
        module = importlib.import_module("secure_cookie.cookie")
    del sys.modules[module.__name__]  # The next import fails, as for every user.
    return module


secure_cookie = import_secure_cookie()


def run_secure_cookie(view: View, settings: Settings, cookie: str) -> Headers:
    @Request.application
    def app(request: Request) -> Response:
        session = secure_cookie.SecureCookie.load_cookie(request, secret_key=settings.key)
        view.before(session)
        response = Response(view.body(session), headers=view.headers)
        view.after(session)
        expires = datetime.fromtimestamp(time.time() + settings.idle, UTC)
        if session.should_save or settings.option:  # save_cookie() fails, because it sets bytes.
            response.set_cookie("session", session.serialize(expires).decode(), httponly=True)
        return response

    return run_wsgi(app, cookie)


def run_flask(view: View, settings: Settings, cookie: str) -> Headers:
    app = flask.Flask(__name__)
    app.secret_key = settings.key
    app.config["SECRET_KEY_FALLBACKS"] = settings.old_keys
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.permanent_session_lifetime = timedelta(seconds=settings.idle)

    @app.get("/")
    def index() -> flask.Response:
        view.before(flask.session)
        if settings.option and "_permanent" not in flask.session:
            flask.session.permanent = True
        body = flask.stream_with_context(iter(view.body(flask.session)))
        response = flask.Response(body, headers=view.headers)
        view.after(flask.session)
        return response

    return run_wsgi(app, cookie)


def run_pyramid(view: View, settings: Settings, cookie: str) -> Headers:
    def index(request: Any) -> pyramid.response.Response:
        view.before(request.session)
        body = view.body(request.session)
        response = pyramid.response.Response(app_iter=body, headerlist=view.headers)
        view.after(request.session)
        return response

    factory = SignedCookieSessionFactory(settings.key, timeout=settings.idle)
    with Configurator(session_factory=factory) as config:
        config.add_route("index", "/")
        config.add_view(index, route_name="index")
    return run_wsgi(config.make_wsgi_app(), cookie)


configure_django()  # Each request overrides these settings.


def run_django(view: View, settings: Settings, cookie: str) -> Headers:
    def index(request: HttpRequest) -> HttpResponseBase:
        view.before(request.session)
        answer = StreamingHttpResponse if view.streaming else HttpResponse
        response = answer(view.body(request.session), headers=view.headers)
        view.after(request.session)
        return response

    chosen = {
        "SECRET_KEY": settings.key,
        "SECRET_KEY_FALLBACKS": settings.old_keys,
        "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies",
        "SESSION_COOKIE_AGE": settings.idle,
        "SESSION_SAVE_EVERY_REQUEST": settings.option,
        "MIDDLEWARE": ["django.contrib.sessions.middleware.SessionMiddleware"],
        "ROOT_URLCONF": (path("", index),),
        "DEBUG_PROPAGATE_EXCEPTIONS": True,
        "TIME_ZONE": None,  # Django must not set the time zone of the process.
    }
    module = ModuleType("settings_of_django")
    vars(module).update(chosen)
    with patch.dict(sys.modules, {module.__name__: module}):
        DjangoSettings(module.__name__)  # Raise Django's errors for wrong settings.
    with override_settings(**chosen):
        return run_wsgi(WSGIHandler(), cookie)


def run_starlette(view: View, settings: Settings, cookie: str) -> Headers:
    async def index(request: starlette.requests.Request) -> starlette.responses.Response:
        view.before(request.session)
        body, headers = view.body(request.session), dict(view.headers)
        response = starlette.responses.StreamingResponse(body, headers=headers)
        view.after(request.session)
        return response

    sessions = Middleware(StarletteSessions, secret_key=settings.key, max_age=settings.idle)
    app = Starlette(routes=[Route("/", index)], middleware=[sessions])
    return asyncio.run(run_asgi(app, cookie))


async def run_asgi(app: Starlette, cookie: str) -> Headers:
    """Send one request to the application, and return the headers of the response."""
    raw: list[tuple[bytes, bytes]] = []
    sent = [(b"cookie", cookie.encode("latin-1"))] if cookie else []
    scope = {"type": "http", "method": "GET", "path": "/", "headers": sent}

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()  # The client does not disconnect.
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        raw.extend(message.get("headers", ()))

    await app(scope, receive, send)
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]


PEERS: dict[str, Peer] = {
    "sessionware": run_sessionware,
    "Beaker": run_beaker,
    "secure-cookie": run_secure_cookie,
    "Flask": run_flask,
    "Pyramid": run_pyramid,
    "Django": run_django,
    "Starlette": run_starlette,
}


@contextmanager
def clock(seconds: float) -> Iterator[None]:
    """Set the time of every peer to so many seconds after the first request."""

    def now() -> float:
        return 1_800_000_000 + seconds

    with patch("time.time", now), patch.object(secure_cookie, "time", now):
        yield
