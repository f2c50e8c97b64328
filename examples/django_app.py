"""Django: log in by contrib.auth and be remembered, see messages, log out, and the admin."""

import os
import sys
from typing import Any

import django
from django.conf import settings

PASSWORD = "correct horse"  # noqa: S105 - for show; a real site keeps a hash for each person
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<title>{% block title %}Visits{% endblock %}</title></head>
<body><main>{% for message in messages %}<p role="status">{{ message }}</p>{% endfor %}
{% block main %}<h1>Visits</h1>
<p>Visit {{ visits }}{% if user.is_authenticated %} of {{ user.username }}.</p>
<form method="post" action="{% url 'logout' %}">{% csrf_token %}<button>Log out</button></form>
<p><a href="{% url 'admin:index' %}">Admin</a></p>
{% else %}.</p><p><a href="{% url 'login' %}">Log in</a></p>{% endif %}{% endblock %}
</main></body></html>
"""
LOGIN = """{% extends "page.html" %}{% block title %}Log in{% endblock %}
{% block main %}<h1>Log in</h1><p>The name is admin, the password {{ password }}.</p>
<form method="post">{% csrf_token %}{{ form.as_p }}
<p><label><input type="checkbox" name="remember"> Remember me</label></p>
<button>Log in</button></form>{% endblock %}
"""

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("DATABASE", "site.db"),
        }
    },
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "sessionware.django",
    ],
    LOGIN_REDIRECT_URL="visits",
    LOGOUT_REDIRECT_URL="visits",
    MESSAGE_STORAGE="django.contrib.messages.storage.session.SessionStorage",
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "sessionware.django.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("SECRET_KEY", ""),
    SESSION_ENGINE="sessionware.django",
    STATIC_URL="static/",
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ],
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {"page.html": PAGE, "login.html": LOGIN},
                    ),
                    "django.template.loaders.app_directories.Loader",
                ],
            },
        }
    ],
    USE_TZ=True,
)
django.setup()

# Django's models need its settings.
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.management import call_command, execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path


def visits(request: HttpRequest) -> HttpResponse:
    """Count the visits of this session."""
    request.session["visits"] = request.session.get("visits", 0) + 1
    return render(request, "page.html", {"visits": request.session["visits"]})


class LogIn(LoginView):
    """Django's own, with a box for who wants to stay logged in when the browser is closed."""

    template_name = "login.html"

    def form_valid(self, form: Any) -> HttpResponse:
        """Log in, for as long as the browser is open or until SESSION_COOKIE_AGE is over."""
        response = super().form_valid(form)
        self.request.session.set_expiry(None if "remember" in self.request.POST else 0)
        messages.success(self.request, "You are logged in.")
        return response


class LogOut(LogoutView):
    """Django's own, with a message on the next page."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Log out."""
        response = super().post(request, *args, **kwargs)
        messages.success(request, "You are logged out.")
        return response


urlpatterns = [
    path("", visits, name="visits"),
    path("login/", LogIn.as_view(extra_context={"password": PASSWORD}), name="login"),
    path("logout/", LogOut.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
if __name__ == "__main__":  # python -m examples.django_app runserver, as with manage.py
    execute_from_command_line(sys.argv)
else:
    call_command("migrate", verbosity=0)
    if not User.objects.exists():
        User.objects.create_superuser("admin", password=PASSWORD)
    app = StaticFilesHandler(get_wsgi_application())
