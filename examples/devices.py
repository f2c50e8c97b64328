"""A small site with its sessions in a store: your devices, end one of them, log out everywhere."""

import logging
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from wsgiref.types import StartResponse, WSGIEnvironment

from markupsafe import Markup
from werkzeug import Request, Response
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, ServiceUnavailable
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect

from sessionware import Session, SessionMiddleware, SessionUnavailable
from sessionware.redis import RedisStore
from sessionware.sql import SQLStore
from sessionware.store import KeptSession, key_of

from .login import (
    ERROR,
    FLASH,
    HEADERS,
    PAGE,
    REMEMBERED,
    STYLE,
    form_to,
    login_form,
    name_of,
)

logger = logging.getLogger(__name__)

DEVICE = Markup("<li><span>{device}<br><small>{use}</small></span>\n{form}</li>\n")
KEY = Markup('<input type="hidden" name="key" value="{key}">\n')

# The first that a User-Agent contains counts: Edge's also contains Chrome, and Chrome's Safari.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "Chrome/": "Chrome",
    "CriOS/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Macintosh": "Mac",
    "Linux": "Linux",
}


def store_at(url: str) -> RedisStore | SQLStore:
    """Return the store for this URL: Redis, or a database that SQLAlchemy knows."""
    if url.startswith(("redis://", "rediss://")):
        return RedisStore.from_url(url)
    return SQLStore(url)


store = store_at(os.environ.get("STORE_URL", "sqlite:///sessions.db"))


def home(session: Session) -> Markup:
    """Return the log-in form, or the devices."""
    content = Markup().join(FLASH.format(message) for message in session.pop_flash())
    if session.owner is None:
        title = "Log in"
        content += login_form(session)
    else:
        note_use(session)
        title = f"The devices of {session.owner}"
        rows = [this_device(session), *(device(kept, session) for kept in others(session))]
        content += Markup("<ul>\n{}</ul>\n").format(Markup().join(rows))
        content += form_to("/everywhere", Markup(), "Log out everywhere", session)
    return PAGE.format(title=title, style=STYLE, content=content)


def this_device(session: Session) -> Markup:
    """Return the row of the device that asks, and the button of the ordinary log-out."""
    form = form_to("/logout", Markup(), "Log out", session)
    return DEVICE.format(device=session["device"], use="This device, in use now", form=form)


def device(kept: KeptSession, session: Session) -> Markup:
    """Return the row of another device, and a button that ends its session."""
    form = form_to("/end", KEY.format(key=kept.key), "Log out", session)
    use = f"Last used {ago(kept.data['used'])}"
    return DEVICE.format(device=kept.data["device"], use=use, form=form)


def name_of_device(user_agent: str) -> str:
    """Return what a person would call it, such as "Firefox on Linux"."""
    found = [
        next((name for word, name in names.items() if word in user_agent), None)
        for names in (BROWSERS, SYSTEMS)
    ]
    return " on ".join(filter(None, found)) or "Unknown device"


def note_use(session: Session) -> None:
    """Remember the minute, which is saved once: to set the same value again is no change."""
    session["used"] = datetime.now(UTC).replace(second=0, microsecond=0)


def ago(moment: datetime) -> str:
    """Return how long ago that was, in words."""
    minutes = (datetime.now(UTC) - moment) // timedelta(minutes=1)
    if minutes < 2:
        return "just now"
    if minutes < 2 * 60:
        return f"{minutes} minutes ago"
    if minutes < 2 * 24 * 60:
        return f"{minutes // 60} hours ago"
    return f"{minutes // (24 * 60)} days ago"


def others(session: Session) -> list[KeptSession]:
    """Return the owner's other sessions, the last used first.

    Their keys are hashed, and cannot be used to log in.
    """
    if session.owner is None:
        raise Forbidden("Please log in first.")
    here = key_of(session.id)
    found = [kept for kept in store.sessions_of(session.owner) if kept.key != here]
    return sorted(found, key=lambda kept: kept.data["used"], reverse=True)


def log_in(session: Session, request: Request) -> str:
    """Log in with any name and the password."""
    name = name_of(request.form, session)
    if name is None:
        return "Name or password is wrong."
    session.owner = name  # A session planted before the log-in is worthless after it.
    session["device"] = name_of_device(request.user_agent.string)
    note_use(session)
    session.permanent = "remember" in request.form
    return f"Welcome, {name}!"


def log_out(session: Session, _request: Request) -> str:
    """End this session: a copy of its cookie is refused from now on."""
    session.invalidate()
    return "You are logged out."


def log_out_everywhere(session: Session, _request: Request) -> str:
    """End every session of this owner."""
    if session.owner is None:
        raise Forbidden("Please log in first.")
    ended = store.revoke_owner(session.owner)
    session.invalidate()
    return f"You are logged out everywhere: {ended} in all."


def end_one(session: Session, request: Request) -> str:
    """End one other session, which has to be the same owner's."""
    if session.owner is None:
        raise Forbidden("Please log in first.")
    if store.end(session.owner, request.form.get("key", "")):
        return "That device is logged out."
    return "That device was already logged out."


URLS = Map([Rule("/", methods=["GET"], endpoint=home)])
for path, action in {
    "/login": log_in,
    "/logout": log_out,
    "/everywhere": log_out_everywhere,
    "/end": end_one,
}.items():
    URLS.add(Rule(path, methods=["POST"], endpoint=action))


def answer(request: Request, session: Session) -> Response:
    """Show the page, or handle a form and redirect to the page."""
    action, _ = URLS.bind_to_environ(request.environ).match()
    if request.method != "POST":
        return Response(home(session), mimetype="text/html")
    if not session.check_csrf_token(request.form.get("csrf_token")):
        raise BadRequest("This form is out of date. Please go back to the start.")
    session.flash(action(session, request))
    return redirect("/", 303)


def site(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request, or show an error page."""
    try:
        response = answer(Request(environ), environ["session"])
    except HTTPException as error:
        response = sorry(error, environ)
    response.headers.update(HEADERS)
    return response(environ, start_response)


def sorry(error: HTTPException, environ: WSGIEnvironment) -> Response:
    """Return an error page in the site's own style."""
    content = ERROR.format(error.description)
    page = PAGE.format(title=error.name, style=STYLE, content=content)
    return Response(page, error.code, error.get_headers(environ))


secret_key = os.environ.get("SECRET_KEY", "")
sessions = SessionMiddleware(
    site,
    secret_key,
    store=store,
    idle_timeout=timedelta(hours=1),
    permanent_timeout=REMEMBERED,
)
if isinstance(store, SQLStore):
    store.create_table()  # Each worker may: the first one creates it.


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Show an error page if the store does not answer, even when the session is saved."""
    try:
        return sessions(environ, start_response)
    except SessionUnavailable as error:
        logger.error("%s", error)  # What to do about it is for whoever runs the site.
        response = sorry(ServiceUnavailable("Please try again in a minute."), environ)
        response.headers.update(HEADERS)
        return response(environ, start_response)
