"""Falcon: count a browser's visits, and forget them."""

import os
from datetime import UTC, datetime

import falcon

from sessionware import SessionMiddleware

PAGE = """<!doctype html><title>Visits</title>{flash} Visit {count} since {since:%H:%M} UTC.
<form method="post"><button>Forget me</button></form>"""


class Visits:
    """The visits that this browser's session has counted."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Count a visit."""
        session = req.env["session"]
        visits = session.setdefault("visits", {"count": 0, "since": datetime.now(UTC)})
        visits["count"] += 1  # A nested change is saved too.
        resp.content_type = falcon.MEDIA_HTML
        resp.text = PAGE.format(flash=" ".join(session.pop_flash()), **visits)

    def on_post(self, req: falcon.Request, _: falcon.Response) -> None:
        """Forget all visits, and say so on the next page."""
        session = req.env["session"]
        session.invalidate()
        session.flash("You are forgotten.")
        raise falcon.HTTPSeeOther("/")


site = falcon.App()
site.add_route("/", Visits())

app = SessionMiddleware(site, os.environ.get("SECRET_KEY", ""))
