"""Flask applications with Flask's own session and with ours, and pages for all of them."""

from collections.abc import Callable
from typing import Any

import flask
import pytest
from flask import session
from werkzeug.test import TestResponse

from sessionware import SessionMiddleware
from sessionware.flask import EnvironSessionInterface, Sessions
from tests.gateway import KEY

Page = Callable[[], object]
MakeApp = Callable[..., flask.Flask]


def ours(secret_key: str | None = KEY, **pages: Page) -> flask.Flask:
    """Return a Flask application with our extension. Each page has its name as its URL."""
    app = flasks(secret_key, **pages)
    Sessions(app)
    return app


def wrapped(secret_key: str | None = KEY, **pages: Page) -> flask.Flask:
    """Return a Flask application in our middleware, whose session it has."""
    app = flasks(secret_key, **pages)
    wrap(app)
    app.session_interface = EnvironSessionInterface()
    return app


def flasks(secret_key: str | None = KEY, **pages: Page) -> flask.Flask:
    """Return a Flask application with Flask's own session."""
    app = flask.Flask(__name__)
    app.testing = True
    app.secret_key = secret_key
    for name, page in pages.items():
        app.add_url_rule(f"/{name}", name, shown(page))
    return app


def wrap(app: flask.Flask, **settings: Any) -> None:
    """Wrap the application in the middleware, with these settings."""
    app.wsgi_app = SessionMiddleware(  # type: ignore[method-assign]  # Flask says so
        app.wsgi_app, app.secret_key, **settings
    )


def shown(page: Page) -> Callable[[], flask.Response]:
    def view() -> flask.Response:
        answer = page()
        return answer if isinstance(answer, flask.Response) else flask.Response(str(answer))

    return view


def put(**data: Any) -> Page:
    return lambda: session.update(data)


def put_permanent() -> None:
    session["a"] = 1
    session.permanent = True


def read() -> object:
    return session.get("a")


def clear() -> None:
    session.clear()


def vary(response: TestResponse) -> list[str]:
    return response.headers.getlist("Vary")


def set_cookies(response: TestResponse) -> list[str]:
    return response.headers.getlist("Set-Cookie")


each_way = pytest.mark.parametrize("make", [flasks, wrapped, ours])
"""With Flask's own session, with that of our middleware, and with our extension."""

each_way_of_ours = pytest.mark.parametrize("make", [wrapped, ours])
"""With that of our middleware, and with our extension."""

each_way_without_a_key = pytest.mark.parametrize("make", [flasks, wrapped])
"""Our extension refuses to start without a key."""
