"""Every contestant that keeps its sessions in Redis or in a database, known by a URL.

Each library is set up as its documentation says, in an application of its own framework. It is
measured against the same application without sessions, so that none pays for its framework.
Flask-Session and Beaker keep the connections of SQLAlchemy's pool. Django keeps its one, as its
documentation recommends, where it would by default open another for each request.

Settings of Django's belong to the whole process, so this module serves one URL in a process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import URL, Engine, event, make_url

from sessionware import Session, SessionMiddleware
from sessionware.redis import RedisRevocations, RedisStore
from sessionware.sql import SQLRevocations, SQLStore

from .contestants import KEYS, NAME, nothing
from .gateways import Request, StartResponse, WSGIApp, wsgi_request, wsgi_serve
from .scenarios import WrongResultError

SESSION: dict[str, Any] = {
    "user": "ann",
    "cart": [{"item": f"item {number}", "price": 1.5, "count": 2} for number in range(20)],
}
UNTOUCHED, READ, WRITE, REGENERATE = ACTS = ("untouched", "read", "write", "regenerate")
STORE, REVOCATIONS = "sessionware, store", "sessionware, revocations"

Act = Callable[[Any], object]
"""What a request does with its session."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """An application that acts on its sessions, and the same ``without`` them."""

    name: str
    app: Any
    without: Any
    fill: Callable[[dict[str, Any]], Act]
    """Returns the act that puts this data into a session."""
    acts: Mapping[str, Act]


class Browser:
    """Sends one request after the other, each with the cookie of the last."""

    def __init__(self, app: WSGIApp) -> None:
        self._app = app
        self._environ = wsgi_request(None)
        self.cookie = ""

    def visit(self, act: Act) -> object:
        """Return what the act returned."""
        environ = {**self._environ, "benchmark.act": act}
        if self.cookie:
            environ["HTTP_COOKIE"] = self.cookie
        for name, value in wsgi_serve(self._app, environ).headers:
            if name.lower() == "set-cookie":
                self.cookie = value.partition(";")[0]
        return environ["benchmark.result"]


def begin(contestant: Contestant, data: dict[str, Any]) -> Browser:
    """Return a browser whose session has this data, and has been changed once since it began.

    Until then, a visitor's costs ours one more round trip.
    """
    browser = Browser(contestant.app)
    browser.visit(contestant.fill(data))
    browser.visit(contestant.acts[WRITE])
    return browser


def act_out(session_of: Callable[[Request], Any]) -> WSGIApp:
    """Return the application that is given its session in its environ, or none."""

    def app(environ: Request, start_response: StartResponse) -> Iterable[bytes]:
        environ["benchmark.result"] = environ["benchmark.act"](session_of(environ))
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"hello"]

    return app


def library(
    name: str,
    app: Any,
    without: Any,
    renew: Act,
    written: Act = nothing,
) -> Contestant:
    """Return a contestant whose sessions are like dicts. ``written`` is called after a change."""

    def fill(data: dict[str, Any]) -> Act:
        def update(session: Any) -> None:
            session.update(data)
            written(session)

        return update

    def count(session: Any) -> int:
        session["n"] = session.get("n", 0) + 1
        written(session)
        return int(session["n"])

    acts: dict[str, Act] = {READ: itemgetter("user"), WRITE: count}
    return Contestant(name, app, without, fill, {UNTOUCHED: nothing, **acts, REGENERATE: renew})


def prove(contestant: Contestant) -> None:
    """Have it do everything that it is timed for."""
    browser, acts = begin(contestant, SESSION), contestant.acts
    former = browser.cookie
    found = [browser.visit(acts[name]) for name in (UNTOUCHED, READ, WRITE)]
    browser.visit(acts[REGENERATE])
    found += [browser.cookie != former, *(browser.visit(acts[name]) for name in (READ, WRITE))]
    if found != [None, "ann", 2, True, "ann", 3]:
        raise WrongResultError(f"{contestant.name}: {found!r}")


# The libraries


def libraries(url: str, folder: str) -> list[Contestant]:
    """Return every library's sessions in this database, each proven.

    ``folder``: for files beside the database, of which Beaker makes some to lock its sessions.
    """
    if url.startswith("sqlite"):
        event.listen(Engine, "connect", wait_for_no_disk)
    contestants = [*sessionware(url), flask_session(url), django(url), beaker(url, folder)]
    for contestant in contestants:
        prove(contestant)
    return contestants


def wait_for_no_disk(connection: Any, _: object) -> None:
    """Set up SQLite's connections as ours are, so that the disk is not what is measured."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def sessionware(url: str) -> list[Contestant]:
    app, without = act_out(itemgetter("session")), act_out(nothing)
    store, ended = store_in(url), revocations_in(url)
    return [
        library(name, SessionMiddleware(app, KEYS[0], **kept), without, Session.regenerate)
        for name, kept in ((STORE, {"store": store}), (REVOCATIONS, {"revocations": ended}))
    ]


def store_in(url: str) -> RedisStore | SQLStore:
    if url.startswith("redis"):
        return RedisStore.from_url(url)
    store = SQLStore(url)
    store.create_table()
    return store


def revocations_in(url: str) -> RedisRevocations | SQLRevocations:
    if url.startswith("redis"):
        return RedisRevocations.from_url(url)
    ended = SQLRevocations(url)
    ended.create_table()
    return ended


def flask_session(url: str) -> Contestant:
    from flask import session
    from flask_session import Session as FlaskSession

    app = flask_app(lambda: session)
    if url.startswith("redis"):
        from redis import Redis

        app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(url))
    else:
        from flask_sqlalchemy import SQLAlchemy

        app.config["SQLALCHEMY_DATABASE_URI"] = url
        app.config.update(
            SESSION_TYPE="sqlalchemy",
            SESSION_SQLALCHEMY=SQLAlchemy(app),
            SESSION_SQLALCHEMY_TABLE="flask_sessions",
        )
    FlaskSession(app)

    def renew(session: Any) -> None:
        app.session_interface.regenerate(session)

    return library("Flask-Session", app, flask_app(lambda: None), renew)


def flask_app(session: Callable[[], Any]) -> Any:
    from flask import Flask, request

    app = Flask(__name__)

    @app.route("/")
    def view() -> str:
        environ = request.environ
        environ["benchmark.result"] = environ["benchmark.act"](session())
        return "hello"

    return app


def django(url: str) -> Contestant:
    """The ``cache`` backend in Redis, the ``db`` backend in a database."""
    configure_django(url)
    from django.core.handlers.wsgi import WSGIHandler
    from django.test.utils import override_settings

    with override_settings(MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"]):
        app = WSGIHandler()
    return library("Django", app, WSGIHandler(), lambda session: session.cycle_key())


@cache
def configure_django(url: str) -> None:
    import django as package
    from django.conf import settings
    from django.core.management import call_command
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    def view(request: HttpRequest) -> HttpResponse:
        environ = request.META
        environ["benchmark.result"] = environ["benchmark.act"](getattr(request, "session", None))
        return HttpResponse("hello")

    own: dict[str, Any]
    if url.startswith("redis"):
        kept = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
        own = {"SESSION_ENGINE": "django.contrib.sessions.backends.cache"}
        own["CACHES"] = {"default": kept}
    else:
        own = {"DATABASES": {"default": django_database(make_url(url)) | {"CONN_MAX_AGE": None}}}
    settings.configure(
        SECRET_KEY=KEYS[0],
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["django.contrib.sessions"],
        ROOT_URLCONF=(path("", view),),
        SESSION_COOKIE_NAME=NAME,
        **own,
    )
    package.setup()
    if "DATABASES" in own:
        call_command("migrate", verbosity=0)


def django_database(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": url.database,
            "OPTIONS": {"init_command": pragmas},
        }
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.database,
        "USER": url.username,
        "HOST": url.host,
        "PORT": url.port,
    }


def beaker(url: str, folder: str) -> Contestant:
    from beaker.middleware import SessionMiddleware as BeakerMiddleware

    kind = "redis" if url.startswith("redis") else "database"
    settings = {"type": f"ext:{kind}", "url": url, "key": NAME, "secret": KEYS[0]}
    settings["data_dir"] = folder

    def save(session: Any) -> None:
        session.save()

    def renew(session: Any) -> None:
        session.regenerate_id()
        session.save()

    app = act_out(itemgetter("beaker.session"))
    wrapped = BeakerMiddleware(app, {f"session.{name}": settings[name] for name in settings})
    return library("Beaker", wrapped, act_out(nothing), renew, save)
