"""Werkzeug: count a browser's visits, and forget them."""

import os
from datetime import UTC, datetime

from werkzeug import Request, Response
from werkzeug.utils import redirect

from sessionware import SessionMiddleware

PAGE = """<!doctype html><title>Visits</title>{flash} Visit {count} since {since:%H:%M} UTC.
<form method="post"><button>Forget me</button></form>"""


@Request.application
def site(request: Request) -> Response:
    """Count a visit, or forget all visits and say so on the next page."""
    session = request.environ["session"]
    if request.method == "POST":
        session.invalidate()
        session.flash("You are forgotten.")
        return redirect("/", 303)
    visits = session.setdefault("visits", {"count": 0, "since": datetime.now(UTC)})
    visits["count"] += 1  # A nested change is saved too.
    page = PAGE.format(flash=" ".join(session.pop_flash()), **visits)
    return Response(page, mimetype="text/html")


app = SessionMiddleware(site, os.environ.get("SECRET_KEY", ""))
