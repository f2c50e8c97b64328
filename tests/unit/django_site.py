"""A site of Django's whose requests run a function of the test, without a database."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from django.contrib import auth
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.test.utils import override_settings

from sessionware import SessionMiddleware as Wrap
from sessionware.django import SessionMiddleware
from tests.benchmarks.contestants import configure_django
from tests.gateway import KEY, make_environ, run

Act = Callable[[Any], Any]
SETTINGS = {
    "ALLOWED_HOSTS": ["*"],
    "SECRET_KEY": KEY,
    "SECRET_KEY_FALLBACKS": [],
    "SESSION_COOKIE_NAME": "sessionid",
    "SESSION_ENGINE": "sessionware.django",
    "SESSIONWARE": {},
    "USE_TZ": True,
}


@contextmanager
def its_settings() -> Iterator[None]:
    """Django's settings belong to the whole process."""
    configure_django()
    with override_settings(**SETTINGS):
        yield


class Page(NamedTuple):
    """What a view returned, the browser's cookie after it, and the response."""

    result: Any
    cookie: str
    response: Any


def visit(act: Act, cookie: str = "", response: Any = None, **environ: Any) -> Page:
    """Send one request through the middleware to a view that does this with its session."""
    results = []

    def view(request: HttpRequest) -> Any:
        results.append(act(request.session))
        return HttpResponse() if response is None else response

    if cookie:
        environ["HTTP_COOKIE"] = f"sessionid={cookie}"
    answer: Any = SessionMiddleware(view)(RequestFactory().get("/", **environ))
    held = answer.cookies["sessionid"].value if "sessionid" in answer.cookies else cookie
    return Page(results[0], held, answer)


def cookie_of(page: Page) -> Any:
    """Return the cookie that the response sets."""
    return page.response.cookies["sessionid"]


def wrapped(act: Act, cookie: str = "", **settings: Any) -> Page:
    """Send one request through the WSGI middleware to Django's, and to a view that does this."""
    environ = make_environ(cookie, test__act=act)
    response = run(Wrap(on_django, **{"secret_key": KEY} | settings), environ)
    return Page(environ["test.result"], response.cookie or cookie, response)


def on_django(environ: Any, start_response: Any) -> Any:
    """Do what the environ says with Django's session."""

    def view(request: HttpRequest) -> HttpResponse:
        environ["test.result"] = environ["test.act"](request.session)
        return HttpResponse()

    response: Any = SessionMiddleware(view)(WSGIRequest(environ))
    cookies = [("Set-Cookie", each.OutputString()) for each in response.cookies.values()]
    start_response("200 OK", [*response.items(), *cookies])
    return response


def put(**data: Any) -> Act:
    return lambda session: session.update(data)


def data_of(session: Any) -> dict[str, Any]:
    return {key: session[key] for key in session if not key.startswith("_")}


class PrimaryKey:
    """The primary key of a user model, as far as contrib.auth asks it."""

    def __init__(self, to_python: Callable[[Any], Any]) -> None:
        self.to_python = to_python

    @staticmethod
    def value_to_string(user: Any) -> str:
        return str(user.pk)


def user_model(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return a user model whose primary key is an int, without a database."""
    model = SimpleNamespace(_meta=SimpleNamespace(pk=PrimaryKey(int)))
    monkeypatch.setattr("sessionware.django_auth.get_user_model", lambda: model)
    monkeypatch.setattr("django.contrib.auth.get_user_model", lambda: model)
    # Django 6 imports its own from there, which needs a database.
    models = SimpleNamespace(AnonymousUser=object)
    monkeypatch.setitem(sys.modules, "django.contrib.auth.models", models)
    return model


def user_of(model: SimpleNamespace, pk: Any) -> Any:
    return SimpleNamespace(pk=pk, _meta=model._meta, backend="a backend", get_session_auth_hash=str)


def log_in(user: Any) -> Act:
    def act(session: Any) -> Any:
        request = HttpRequest()
        request.session = session
        auth.login(request, user)
        return session.owner

    return act


def log_out(session: Any) -> None:
    request = HttpRequest()
    request.session = session
    auth.logout(request)


def owner(session: Any) -> Any:
    return session.owner


def be(owner: Any) -> Act:
    """Return a log-in by the application itself."""

    def act(session: Any) -> None:
        session.owner = owner

    return act
