"""Flask: log in with Flask-Login and be remembered, count visits, log out."""

import hmac
import os
from datetime import timedelta

from flask import Flask, abort, flash, redirect, render_template_string, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    login_required,
    login_user,
    logout_user,
)

from sessionware.flask import Sessions, session

PASSWORD = "correct horse"  # noqa: S105 - for show; a real site keeps a hash for each person
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Visits</title></head><body>
{% for message in get_flashed_messages() %}<p role="status">{{ message }}</p>{% endfor %}
{% macro token() %}<input type="hidden" name="csrf_token" value="{{ session.get_csrf_token() }}">
{%- endmacro %}
{% if current_user.is_authenticated %}
<h1>Visit {{ session.visits }} of {{ current_user.id }}</h1>
<form method="post" action="{{ url_for('log_out') }}">{{ token() }}<button>Log out</button></form>
{% else %}
<h1>Log in</h1>
<form method="post" action="{{ url_for('log_in') }}">{{ token() }}
<label>Name
<input name="name" value="{{ session.name }}" required autocomplete="username"></label>
<label>Password, which is "{{ password }}" <input name="password" type="password" required></label>
<label><input name="remember" type="checkbox"> Remember me</label>
<button>Log in</button></form>
{% endif %}
</body></html>
"""

app = Flask(__name__)
app.config.update(
    SECRET_KEY=os.environ.get("SECRET_KEY", ""),
    PERMANENT_SESSION_LIFETIME=timedelta(days=14),
)
Sessions(app)
logins = LoginManager(app)
logins.login_view = "home"


@logins.user_loader
def load_user(name: str) -> UserMixin:
    """Return the user of a session. A real site looks in its database."""
    user = UserMixin()
    user.id = name
    return user


@app.before_request
def check_token() -> None:
    """Refuse forms that other sites send."""
    if request.method == "POST" and not session.check_csrf_token(request.form.get("csrf_token")):
        abort(403)


@app.get("/")
def home() -> str:
    """Show the log-in form, or count a visit."""
    if current_user.is_authenticated:
        session["visits"] = session.get("visits", 0) + 1
    return render_template_string(PAGE, password=PASSWORD)


@app.post("/login")
def log_in() -> ResponseReturnValue:
    """Log in with any name and the password."""
    name = request.form.get("name", "").strip()[:40]
    given = request.form.get("password", "")
    if not name or not hmac.compare_digest(given.encode(), PASSWORD.encode()):
        flash("Name or password is wrong.")
        session["name"] = name  # for the next try
        return redirect(url_for("home"))
    session.owner = name  # First: it gives the session a new id, and removes another user's data.
    session.pop("name", None)
    login_user(load_user(name))
    session.permanent = "remember" in request.form  # It needs no second cookie of Flask-Login.
    flash(f"Welcome, {name}!")
    return redirect(url_for("home"))


@app.post("/logout")
@login_required
def log_out() -> ResponseReturnValue:
    """End the session."""
    session.invalidate()
    logout_user()
    flash("You are logged out.")
    return redirect(url_for("home"))
