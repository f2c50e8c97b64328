"""Every contestant, with its own session machinery around the same bare application.

Each peer gets the least that its machinery asks for: a whole request or response object of its
framework only where it needs one. Each runs with its defaults, except for what is said beside it.
All cookies have the same name. secure-cookie 0.2 is not here: it cannot be imported beside
Werkzeug 2.1 or newer.

A peer is imported when it is asked for, so that a server under load holds one of them only.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

from . import primitives
from .gateways import ASGI, WSGI, Gateway, Request, StartResponse, WSGIApp

KEYS = tuple(f"{n} is a secret key of the benchmark, {n}{n}{n}{n}" for n in range(9))
"""Newest first; the application of a peer is given the first ones of them."""

NAME = "session"

Headers = list[tuple[str, str]]


def nothing(session: Any) -> None:
    """What a peer wants to be told that finds out for itself."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Sessions of one library."""

    name: str
    version: str
    wrap: Callable[[Any, Sequence[str]], Any]
    """The application given the library's sessions, signed with these keys."""
    session: Callable[[Request], Any]
    """The session, as a handler gets at it."""
    written: Callable[[Any], None] = nothing
    """What the library's manual demands after an assignment."""
    changed_inside: Callable[[Any], None] = nothing
    """What it demands after a change inside a value."""
    rotates: bool = False
    """Whether it takes more than one key."""
    has_permanent: bool = False
    """Whether ``_permanent`` in a session makes its cookie outlive the browser."""
    gateway: Gateway = WSGI


def release(library: str) -> str:
    """The version of what is installed; sessionware may also be run from its source tree."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "(source tree)"


def bare() -> Peer:
    return Peer("bare app", "", lambda app, keys: app, lambda environ: environ)


def bare_asgi() -> Peer:
    """What the peer that is no WSGI middleware stands on, and what is taken off its time."""
    return Peer("bare ASGI app", "", bare().wrap, bare().session, gateway=ASGI)


def limit_of(name: str, make: Callable[[bytes], primitives.Limit]) -> Peer:
    def changed(session: primitives.Session) -> None:
        session.changed = True

    return Peer(
        name,
        "",
        lambda app, keys: primitives.wrap(app, make(keys[0].encode())),
        primitives.open_session,
        written=changed,
        changed_inside=changed,
    )


def standard_library() -> Peer:
    return limit_of("standard library", lambda key: primitives.Best(key, compressed=False))


def with_zlib() -> Peer:
    return limit_of("standard library, zlib", lambda key: primitives.Best(key, compressed=True))


def primitives_of_1_0() -> Peer:
    return limit_of("primitives of 1.0", primitives.AsIn1)


def ours(name: str, **settings: Any) -> Peer:
    from sessionware import SessionMiddleware

    return Peer(
        name,
        release("sessionware") if not settings else "",
        lambda app, keys: SessionMiddleware(
            app, keys[0], secret_key_fallbacks=keys[1:], **settings
        ),
        itemgetter("session"),
        rotates=True,
        has_permanent=True,
    )


def sessionware() -> Peer:
    return ours("sessionware")


def encrypted() -> Peer:
    """No other peer encrypts as it is measured here, so only the tables show it."""
    return ours("sessionware, encrypted", encrypt=True)


def migrating() -> Peer:
    """With readers for the cookies of five frameworks, none of which comes."""
    from sessionware import migration

    return ours(
        "sessionware, 5 readers",
        migrate_from=[
            migration.FlaskCookie(secret_key=KEYS[1]),
            migration.StarletteCookie(secret_key=KEYS[1]),
            migration.DjangoCookie(secret_key=KEYS[1]),
            migration.PyramidCookie(secret=KEYS[1]),
            migration.BeakerCookie(validate_key=KEYS[1]),
        ],
    )


def starlette() -> Peer:
    """An ASGI middleware: measured against the bare ASGI application."""
    from starlette.middleware.sessions import Session, SessionMiddleware

    return Peer(
        "Starlette",
        release("starlette"),
        lambda app, keys: SessionMiddleware(app, keys[0], session_cookie=NAME),
        itemgetter("session"),
        changed_inside=Session.mark_modified,
        gateway=ASGI,
    )


def pyramid() -> Peer:
    """By default it re-issues the cookie on every read; here after 120 s, as its manual advises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about pkg_resources
        from pyramid.request import Request as PyramidRequest
        from pyramid.response import Response
        from pyramid.session import JSONSerializer, SignedCookieSessionFactory

    def wrap(app: WSGIApp, keys: Sequence[str]) -> WSGIApp:
        factory = SignedCookieSessionFactory(
            keys[0], cookie_name=NAME, serializer=JSONSerializer(), timeout=1200, reissue_time=120
        )

        def middleware(environ: Request, start_response: StartResponse) -> Iterable[bytes]:
            environ["pyramid.factory"] = factory
            environ["pyramid.request"] = PyramidRequest(environ)

            def start(status: str, headers: Headers, exc_info: object = None) -> object:
                request = environ.pop("pyramid.request")
                if request.response_callbacks:
                    response = Response(status=status, headerlist=headers)
                    request._process_response_callbacks(response)
                    headers = response.headerlist
                return start_response(status, headers, exc_info)

            return app(environ, start)

        return middleware

    return Peer(
        "Pyramid",
        release("pyramid"),
        wrap,
        lambda environ: environ["pyramid.factory"](environ["pyramid.request"]),
        changed_inside=lambda session: session.changed(),
    )


def configure_django() -> None:
    """Configure Django, whose settings belong to the whole process and can be set only once."""
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            SECRET_KEY=KEYS[0],
            SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
            SESSION_COOKIE_NAME=NAME,
        )


def django() -> Peer:
    """The signed_cookies backend. Its keys stand in settings of the whole process: no rotation."""
    configure_django()
    from django.contrib.sessions.middleware import SessionMiddleware
    from django.http import HttpResponse, parse_cookie

    sessions = SessionMiddleware(HttpResponse)

    def wrap(app: WSGIApp, keys: Sequence[str]) -> WSGIApp:
        def middleware(environ: Request, start_response: StartResponse) -> Iterable[bytes]:
            request: Any = SimpleNamespace(COOKIES=parse_cookie(environ.get("HTTP_COOKIE", "")))
            sessions.process_request(request)
            environ["django.session"] = request.session

            def start(status: str, headers: Headers, exc_info: object = None) -> object:
                response = HttpResponse(headers=dict(headers))
                sessions.process_response(request, response)
                cookies = [("Set-Cookie", c.OutputString()) for c in response.cookies.values()]
                return start_response(status, [*response.items(), *cookies], exc_info)

            return app(environ, start)

        return middleware

    def modified(session: Any) -> None:
        session.modified = True

    return Peer(
        "Django",
        release("django"),
        wrap,
        itemgetter("django.session"),
        changed_inside=modified,
    )


def flask() -> Peer:
    """SecureCookieSessionInterface, called as Flask calls it, without Flask's own dispatch."""
    from flask import Flask
    from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
    from flask.wrappers import Request as FlaskRequest
    from flask.wrappers import Response

    interface = SecureCookieSessionInterface()

    def wrap(app: WSGIApp, keys: Sequence[str]) -> WSGIApp:
        site = Flask("benchmark")
        site.config.update(SECRET_KEY=keys[0], SECRET_KEY_FALLBACKS=list(keys[1:]))

        def middleware(environ: Request, start_response: StartResponse) -> Iterable[bytes]:
            session = interface.open_session(site, FlaskRequest(environ))
            assert session is not None
            environ["flask.session"] = session

            def start(status: str, headers: Headers, exc_info: object = None) -> object:
                response = Response(status=status, headers=headers)
                interface.save_session(site, session, response)
                return start_response(status, response.headers.to_wsgi_list(), exc_info)

            return app(environ, start)

        return middleware

    def modified(session: SecureCookieSession) -> None:
        session.modified = True

    return Peer(
        "Flask",
        release("flask"),
        wrap,
        itemgetter("flask.session"),
        changed_inside=modified,
        rotates=True,
        has_permanent=True,
    )


def beaker() -> Peer:
    """Its JSON cookie, signed and not encrypted. It re-issues the cookie on every read."""
    from beaker.middleware import SessionMiddleware

    def wrap(app: WSGIApp, keys: Sequence[str]) -> Any:
        settings = {"type": "cookie", "key": NAME, "data_serializer": "json"}
        settings["validate_key"] = keys[0]
        return SessionMiddleware(app, {f"session.{name}": settings[name] for name in settings})

    def save(session: Any) -> None:
        session.save()

    return Peer(
        "Beaker",
        release("beaker"),
        wrap,
        itemgetter("beaker.session"),
        written=save,
        changed_inside=save,
    )


LIMIT = primitives_of_1_0
"""The targets are multiples of what it takes."""
BEST = (standard_library, with_zlib)
OURS = sessionware
VARIANTS = (encrypted, migrating)
"""Ours, with settings that the others do not have."""
OTHERS = (starlette, pyramid, django, flask, beaker)
