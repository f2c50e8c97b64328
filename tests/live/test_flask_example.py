"""The site of examples/flask_app.py: in Flask's own test client, and under gunicorn."""

import importlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.gateway import KEY
from tests.processes import require, serving

DAYS = 14


@pytest.fixture(scope="module")
def app() -> Any:
    require("flask_login")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_KEY", KEY)
        patch.delitem(sys.modules, "examples.flask_app", raising=False)
        app = importlib.import_module("examples.flask_app").app
    app.testing = True
    return app


@pytest.fixture
def client(app: Any) -> Any:
    return app.test_client()


def token_in(page: str) -> str:
    [token] = re.findall('name="csrf_token" value="([^"]+)"', page)
    return str(token)


def send(client: Any, path: str, **fields: str) -> Any:
    """Send a form of the start page, with its token."""
    return client.post(path, data={"csrf_token": token_in(client.get("/").text), **fields})


def log_in(client: Any, name: str = "Ada", **fields: str) -> Any:
    return send(client, "/login", **{"name": name, "password": "correct horse"} | fields)


# In Flask's test client


def test_log_in_shows_whose_visit_it_is(client: Any) -> None:
    log_in(client)
    assert [f"Visit {n} of Ada" in client.get("/").text for n in (1, 2)] == [True, True]


@pytest.mark.parametrize("wrong", [{"name": " "}, {"password": "battery staple"}])
def test_wrong_name_or_password_lets_no_visitor_in(client: Any, wrong: dict[str, str]) -> None:
    log_in(client, **wrong)
    page = client.get("/").text
    assert "Name or password is wrong." in page
    assert "<h1>Log in</h1>" in page


def test_typed_name_is_kept_after_a_wrong_password_and_forgotten_by_the_log_in(client: Any) -> None:
    log_in(client, '"Ada" <b>', password="battery staple")
    assert 'value="&#34;Ada&#34; &lt;b&gt;"' in client.get("/").text
    log_in(client)
    send(client, "/logout")
    assert 'name="name" value=""' in client.get("/").text


def test_log_in_gives_the_session_a_new_id_and_an_owner(client: Any) -> None:
    with client.session_transaction() as planted:
        before = planted.id
    log_in(client)
    with client.session_transaction() as kept:
        assert (kept.owner, kept["_user_id"]) == ("Ada", "Ada")
        assert kept.id != before


def test_next_user_has_nothing_of_the_one_before(client: Any) -> None:
    log_in(client, "Ada")
    client.get("/")
    log_in(client, "Bob")
    assert "Visit 1 of Bob" in client.get("/").text


@pytest.mark.parametrize("fields", [{"remember": "on"}, {}])
def test_remembered_cookie_outlives_the_browser(client: Any, fields: dict[str, str]) -> None:
    [cookie] = log_in(client, **fields).headers.getlist("Set-Cookie")
    assert (f"Max-Age={DAYS * 24 * 60 * 60}" in cookie) == bool(fields)


def test_message_is_shown_exactly_once(client: Any) -> None:
    log_in(client)
    assert ["Welcome, Ada!" in client.get("/").text for _ in range(2)] == [True, False]


def test_message_can_be_looked_at_after_the_response(app: Any) -> None:
    import flask

    with app.test_client() as client:
        log_in(client)
        assert flask.get_flashed_messages() == ["Welcome, Ada!"]


def test_log_out_ends_the_session(client: Any) -> None:
    log_in(client)
    send(client, "/logout")
    page = client.get("/").text
    assert "You are logged out." in page
    assert "<h1>Log in</h1>" in page
    with client.session_transaction() as kept:
        assert (kept.owner, "_user_id" in kept) == (None, False)


def test_log_out_needs_a_log_in(client: Any) -> None:
    assert send(client, "/logout").location.startswith("/?next=")


def test_test_client_of_flask_login_is_logged_in(app: Any) -> None:
    from flask_login import FlaskLoginClient

    client = FlaskLoginClient(app, app.response_class, user=sys.modules[app.name].load_user("Ada"))
    assert "Visit 1 of Ada" in client.get("/").text


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_form_without_its_token_is_refused(client: Any, path: str) -> None:
    fields = {"name": "Ada", "password": "correct horse"}
    assert client.post(path, data=fields).status_code == 403
    assert client.post(path, data=fields | {"csrf_token": "guess"}).status_code == 403


# Under gunicorn


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    require("flask_login")
    with serving("examples.flask_app:app", "--workers=2", env={"SECRET_KEY": KEY}) as url:
        yield url


def test_it_works_under_gunicorn_from_log_in_to_log_out(url: str) -> None:
    with requests.Session() as visitor:

        def post(path: str, **fields: str) -> str:
            form = {"csrf_token": token_in(visitor.get(url, timeout=10).text), **fields}
            return visitor.post(url + path, form, timeout=10).text

        page = post("/login", name="Ada", password="correct horse", remember="on")
        assert "Welcome, Ada!" in page
        assert "Visit 1 of Ada" in page
        assert "Visit 2 of Ada" in visitor.get(url, timeout=10).text
        assert "You are logged out." in post("/logout")
        assert "<h1>Log in</h1>" in visitor.get(url, timeout=10).text


def test_two_visitors_are_two_users(url: str) -> None:
    with requests.Session() as ada, requests.Session() as bob:
        for visitor, name in ((ada, "Ada"), (bob, "Bob")):
            token = token_in(visitor.get(url, timeout=10).text)
            form = {"csrf_token": token, "name": name, "password": "correct horse"}
            visitor.post(f"{url}/login", form, timeout=10)
        assert "Visit 2 of Ada" in ada.get(url, timeout=10).text
        assert "Visit 2 of Bob" in bob.get(url, timeout=10).text
