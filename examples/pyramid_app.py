"""Pyramid: count a browser's visits, and forget them."""

import os
from datetime import UTC, datetime

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response

PAGE = """<!doctype html><title>Visits</title>{flash} Visit {count} since {since:%H:%M} UTC.
<form method="post"><button>Forget me</button></form>"""


def show(request: Request) -> Response:
    """Count a visit."""
    session = request.session
    visits = session.setdefault("visits", {"count": 0, "since": datetime.now(UTC)})
    visits["count"] += 1  # A nested change is saved too.
    return Response(PAGE.format(flash=" ".join(session.pop_flash()), **visits))


def forget(request: Request) -> Response:
    """Forget all visits, and say so on the next page."""
    request.session.invalidate()
    request.session.flash("You are forgotten.")
    return HTTPSeeOther("/")


settings = {"session.secret_key": os.environ.get("SECRET_KEY", "")}  # As in an ini file.
with Configurator(settings=settings) as config:
    config.include("sessionware.pyramid")
    config.add_route("visits", "/")
    config.add_view(show, route_name="visits", request_method="GET")
    config.add_view(forget, route_name="visits", request_method="POST")
app = config.make_wsgi_app()
