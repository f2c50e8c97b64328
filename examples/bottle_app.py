"""Bottle: count a browser's visits, and forget them."""

import os
from datetime import UTC, datetime

from bottle import Bottle, redirect, request

from sessionware import SessionMiddleware

PAGE = """<!doctype html><title>Visits</title>{flash} Visit {count} since {since:%H:%M} UTC.
<form method="post"><button>Forget me</button></form>"""
site = Bottle()


@site.get("/")
def show() -> str:
    """Count a visit."""
    session = request.environ["session"]
    visits = session.setdefault("visits", {"count": 0, "since": datetime.now(UTC)})
    visits["count"] += 1  # A nested change is saved too.
    return PAGE.format(flash=" ".join(session.pop_flash()), **visits)


@site.post("/")
def forget() -> None:
    """Forget all visits, and say so on the next page."""
    session = request.environ["session"]
    session.invalidate()
    session.flash("You are forgotten.")
    redirect("/", 303)


app = SessionMiddleware(site, os.environ.get("SECRET_KEY", ""))
