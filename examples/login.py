"""A small site for a browser: log in and be remembered, fill a cart, log out."""

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable
from datetime import timedelta
from wsgiref.types import StartResponse, WSGIEnvironment

from markupsafe import Markup
from werkzeug import Request, Response
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect

from sessionware import Session, SessionMiddleware

PASSWORD = "correct horse"  # noqa: S105 - for show; a real site keeps a hash for each person
REMEMBERED = timedelta(days=14)
SHOP = ("Tea", "Coffee", "Biscuits")

# Markup.format escapes its arguments, unless they are Markup.
PAGE = Markup("""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="data:,"><style>{style}</style></head>
<body><main>
<h1>{title}</h1>
{content}</main></body></html>
""")
STYLE = Markup("""
:root { color-scheme: light dark; font: 1.1rem/1.6 system-ui, sans-serif }
body { max-width: 32rem; margin: 2rem auto; padding: 0 1rem }
h1, p { overflow-wrap: anywhere }
h1 { line-height: 1.25 }
form + form { margin-top: 1.5rem }
label { display: grid; grid-template-columns: 6rem 1fr; align-items: center; margin: .6rem 0 }
label:has([type=checkbox]) { grid-template-columns: 1.5rem 1fr }
input, button { font: inherit; padding: .2rem .6rem; min-width: 0 }
[type=number] { width: 5rem }
[type=checkbox] { margin: 0; justify-self: start }
[role=status] { border-left: .3rem solid; padding-left: .7rem }
ul { list-style: none; padding: 0 }
li { display: flex; justify-content: space-between; align-items: center; gap: 1rem }
li { border-top: 1px solid; padding: .6rem 0 }
li button { white-space: nowrap }
""")
FLASH = Markup('<p role="status">{}</p>\n')
ERROR = Markup('<p>{}</p>\n<p><a href="/">Back to the start</a></p>\n')
FORM = Markup("""<form method="post" action="{action}">
<input type="hidden" name="csrf_token" value="{token}">
{fields}<button>{button}</button></form>
""")
LOGIN = Markup("""<p>Any name will do. The password is <kbd>{password}</kbd>.</p>
<label>Name
<input name="name" value="{name}" required maxlength="40" autocomplete="username"></label>
<label>Password
<input name="password" type="password" required autocomplete="current-password"></label>
<label><input name="remember" type="checkbox"> Remember me for {days} days</label>
""")
LINE = Markup("""<label>{item}
<input name="{item}" type="number" min="0" max="99" value="{quantity}"></label>
""")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": "no-store",  # Over https, back shows nothing private after the log-out.
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; "
    "img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def form_to(action: str, fields: Markup, button: str, session: Session) -> Markup:
    """Return a form with the CSRF token of this session."""
    token = session.get_csrf_token()
    return FORM.format(action=action, token=token, fields=fields, button=button)


def login_form(session: Session) -> Markup:
    """Return the log-in form, with the name that was typed before a wrong password."""
    name = session.get("name", "")
    fields = LOGIN.format(password=PASSWORD, days=REMEMBERED.days, name=name)
    return form_to("/login", fields, "Log in", session)


def name_of(form: MultiDict[str, str], session: Session) -> str | None:
    """Return the name if the password is right, or else keep it for the next try."""
    name = form.get("name", "").strip()[:40]
    # Compare in constant time.
    if name and hmac.compare_digest(form.get("password", "").encode(), PASSWORD.encode()):
        session.pop("name", None)
        return name
    session["name"] = name
    return None


def home(session: Session) -> Markup:
    """Return the log-in form, or the cart."""
    content = Markup().join(FLASH.format(message) for message in session.pop_flash())
    if session.owner is not None:
        title = f"The cart of {session.owner}"
        lines = Markup().join(LINE.format(**line) for line in session["cart"])
        content += form_to("/cart", lines, "Save the cart", session)
        content += form_to("/logout", Markup(), "Log out", session)
    else:
        title = "Log in"
        content += login_form(session)
    return PAGE.format(title=title, style=STYLE, content=content)


def log_in(session: Session, form: MultiDict[str, str]) -> str:
    """Log in with any name and the password."""
    name = name_of(form, session)
    if name is None:
        return "Name or password is wrong."
    session.owner = name  # A session planted before the log-in is worthless after it.
    session["cart"] = [{"item": item, "quantity": 0} for item in SHOP]
    session.permanent = "remember" in form
    return f"Welcome, {name}!"


def log_out(session: Session, _form: MultiDict[str, str]) -> str:
    """End the session."""
    session.invalidate()
    return "You are logged out."


def change_cart(session: Session, form: MultiDict[str, str]) -> str:
    """Save the quantities of the form."""
    if session.owner is None:
        raise Forbidden("Please log in first.")
    for line in session["cart"]:
        quantity = form.get(line["item"], line["quantity"], type=int)
        line["quantity"] = min(max(quantity, 0), 99)  # A nested change is saved too.
    return "The cart is saved."


URLS = Map([Rule("/", methods=["GET"], endpoint=home)])
for path, action in {"/login": log_in, "/logout": log_out, "/cart": change_cart}.items():
    URLS.add(Rule(path, methods=["POST"], endpoint=action))


def answer(request: Request, session: Session) -> Response:
    """Show the page, or handle a form and redirect to the page."""
    action, _ = URLS.bind_to_environ(request.environ).match()
    if request.method != "POST":
        return Response(home(session), mimetype="text/html")
    if not session.check_csrf_token(request.form.get("csrf_token")):
        raise BadRequest("This form is out of date. Please go back to the start.")
    session.flash(action(session, request.form))
    return redirect("/", 303)


def site(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request, or show an error page."""
    try:
        response = answer(Request(environ), environ["session"])
    except HTTPException as error:
        response = error.get_response(environ)
        content = ERROR.format(error.description)
        response.set_data(PAGE.format(title=error.name, style=STYLE, content=content))
    response.headers.update(HEADERS)
    return response(environ, start_response)


app = SessionMiddleware(
    site,
    os.environ.get("SECRET_KEY", ""),
    idle_timeout=timedelta(hours=1),
    permanent_timeout=REMEMBERED,
)
