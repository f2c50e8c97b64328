"""Django: count a browser's visits, and forget them."""

import os
from collections.abc import Callable
from datetime import UTC, datetime

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path

from sessionware import SessionMiddleware

PAGE = """<!doctype html><title>Visits</title>{flash} Visit {count} since {since:%H:%M} UTC.
<form method="post"><button>Forget me</button></form>"""
View = Callable[[HttpRequest], HttpResponse]


def with_session(get_response: View) -> View:
    """Take the place of django.contrib.sessions.middleware.SessionMiddleware."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.session = request.environ["session"]
        return get_response(request)

    return middleware


def visits(request: HttpRequest) -> HttpResponse:
    """Count a visit, or forget all visits and say so on the next page."""
    session = request.session
    if request.method == "POST":
        session.invalidate()
        session.flash("You are forgotten.")
        return redirect("/")
    counter = session.setdefault("visits", {"count": 0, "since": datetime.now(UTC)})
    counter["count"] += 1  # A nested change is saved too.
    return HttpResponse(PAGE.format(flash=" ".join(session.pop_flash()), **counter))


urlpatterns = [path("", visits)]
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    MIDDLEWARE=[f"{__name__}.with_session"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("SECRET_KEY", ""),
)
app = SessionMiddleware(get_wsgi_application(), os.environ.get("SECRET_KEY", ""))
