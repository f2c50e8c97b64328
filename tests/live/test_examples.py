"""The programs under examples/: what a visitor of login.py sees, and how all of them start."""

import base64
import hashlib
import importlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import requests
from webtest import TestApp, TestResponse

from sessionware import ConfigurationError, SessionMiddleware
from tests.gateway import KEY
from tests.processes import ROOT, gunicorn, require, serving

NEEDED = {
    "quickstart": "sessionware",
    "login": "sessionware",
    "devices": "sqlalchemy",
    "bottle_app": "bottle",
    "falcon_app": "falcon",
    "flask_app": "flask_login",
    "pyramid_app": "pyramid",
    "werkzeug_app": "werkzeug",
}
"""The package that each example is about."""

VOID = {"br", "hr", "img", "input", "link", "meta"}


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> TestApp:
    monkeypatch.setenv("SECRET_KEY", KEY)
    return TestApp(importlib.import_module("examples.login").app)


def send(page: TestResponse, action: str, **fields: object) -> TestResponse:
    """Fill in the form of `page` that goes to `action`, and send it."""
    form = next(form for form in page.forms.values() if form.action == action)
    for name, value in fields.items():
        form[name] = value
    return form.submit()


def log_in(browser: TestApp, name: str = "Ada", **fields: object) -> TestResponse:
    return send(browser.get("/"), "/login", name=name, password="correct horse", **fields)


# The site of login.py


def test_right_password_lets_in_under_any_name(browser: TestApp) -> None:
    page = log_in(browser, "Ada").follow()
    assert "The cart of Ada" in page


def test_wrong_password_lets_no_visitor_in(browser: TestApp) -> None:
    page = send(browser.get("/"), "/login", name="Ada", password="battery staple").follow()
    assert "Name or password is wrong." in page
    assert "The cart of" not in page


def test_typed_name_is_kept_after_a_wrong_password(browser: TestApp) -> None:
    name = "\"Ada\" & 'Co.' <b>"
    page = send(browser.get("/"), "/login", name=name, password="battery staple").follow()
    assert page.html.find("input", {"name": "name"})["value"] == name
    assert "<b>" not in page


def test_typed_name_is_forgotten_once_it_has_logged_in(browser: TestApp) -> None:
    send(browser.get("/"), "/login", name="Ada", password="battery staple")
    page = send(log_in(browser, "Bea").follow(), "/logout").follow()
    assert page.html.find("input", {"name": "name"})["value"] == ""


def test_blank_name_lets_no_visitor_in(browser: TestApp) -> None:
    assert "The cart of" not in log_in(browser, " ").follow()


def test_every_form_ends_in_a_redirect_that_a_reload_does_not_send_again(browser: TestApp) -> None:
    response = log_in(browser)
    assert (response.status_int, response.location) == (303, "/")


def test_remembered_cookie_outlives_the_browser(browser: TestApp) -> None:
    assert "Max-Age=1209600" in log_in(browser, remember=True).headers["Set-Cookie"]


def test_plain_cookie_ends_with_the_browser(browser: TestApp) -> None:
    assert "Max-Age" not in log_in(browser).headers["Set-Cookie"]


def test_flash_message_is_shown_exactly_once(browser: TestApp) -> None:
    assert "Welcome, Ada!" in log_in(browser).follow()
    assert "Welcome, Ada!" not in browser.get("/")


def test_quantity_deep_inside_the_cart_is_kept(browser: TestApp) -> None:
    send(log_in(browser).follow(), "/cart", Tea="3")
    send(browser.get("/"), "/cart", Coffee="1")
    fields = next(form for form in browser.get("/").forms.values() if form.action == "/cart")
    assert [fields[item].value for item in ("Tea", "Coffee", "Biscuits")] == ["3", "1", "0"]


@pytest.mark.parametrize(("given", "kept"), [("-1", "0"), ("100", "99"), ("many", "2"), ("", "2")])
def test_quantity_out_of_reason_never_enters_the_cart(
    browser: TestApp, given: str, kept: str
) -> None:
    page = send(log_in(browser).follow(), "/cart", Tea="2").follow()
    page = send(page, "/cart", Tea=given).follow()
    assert page.html.find("input", {"name": "Tea"})["value"] == kept


def test_log_in_begins_a_new_session(browser: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    welcome, later = browser.get("/"), time.time() + 100
    monkeypatch.setattr(time, "time", lambda: later)
    before, after = (page.request.environ["session"] for page in (welcome, log_in(browser)))
    assert after.created > before.created


def test_log_out_shows_a_farewell_and_the_way_in(browser: TestApp) -> None:
    page = send(log_in(browser).follow(), "/logout").follow()
    assert "You are logged out." in page
    assert "The cart of" not in page


def test_log_out_empties_the_cart(browser: TestApp) -> None:
    send(send(log_in(browser).follow(), "/cart", Tea="3").follow(), "/logout")
    page = log_in(browser).follow()
    assert page.html.find("input", {"name": "Tea"})["value"] == "0"


def test_log_out_forgets_to_remember(browser: TestApp) -> None:
    response = send(log_in(browser, remember=True).follow(), "/logout")
    assert "Max-Age" not in response.headers["Set-Cookie"]


@pytest.mark.parametrize("path", ["/login", "/logout", "/cart"])
@pytest.mark.parametrize("token", [{}, {"csrf_token": "guessed"}, {"csrf_token": "é"}])
def test_form_without_this_session_s_token_is_refused(
    browser: TestApp, path: str, token: dict[str, str]
) -> None:
    log_in(browser)
    browser.post(path, {**token, "Tea": "3"}, status=400)
    assert browser.get("/").html.find("input", {"name": "Tea"})["value"] == "0"


def test_token_from_before_the_log_in_is_refused_after_it(browser: TestApp) -> None:
    before = browser.get("/")
    log_in(browser)
    token = before.html.find("input", {"name": "csrf_token"})["value"]
    browser.post("/logout", {"csrf_token": token}, status=400)


def test_cart_is_closed_to_a_visitor_who_is_logged_out(browser: TestApp) -> None:
    token = browser.get("/").html.find("input", {"name": "csrf_token"})["value"]
    browser.post("/cart", {"csrf_token": token, "Tea": "3"}, status=403)


def test_unknown_path_is_not_found(browser: TestApp) -> None:
    browser.get("/nowhere", status=404)


def test_wrong_method_is_told_the_right_one(browser: TestApp) -> None:
    assert browser.get("/logout", status=405).headers["Allow"] == "POST"


def test_name_with_markup_is_shown_as_text(browser: TestApp) -> None:
    page = log_in(browser, "<script>alert('Ada')</script>").follow()
    assert "<script" not in page.text
    assert page.html.h1.text == "The cart of <script>alert('Ada')</script>"


def test_longest_name_fits_into_the_cookie(browser: TestApp) -> None:
    assert "𝄞" * 40 in log_in(browser, "𝄞" * 5000).follow()


# Its pages


@pytest.fixture(params=["welcome", "flash", "cart", "400", "403", "404", "405"])
def page(request: pytest.FixtureRequest, browser: TestApp) -> TestResponse:
    """Each kind of page in turn."""
    match request.param:
        case "welcome":
            return browser.get("/")
        case "flash":
            return send(browser.get("/"), "/login", name="Ada", password="wrong").follow()
        case "cart":
            return log_in(browser, "<b>'Ada' & \"Co.\"</b>").follow()
        case "400":
            return browser.post("/login", status=400)
        case "403":
            token = browser.get("/").html.find("input", {"name": "csrf_token"})["value"]
            return browser.post("/cart", {"csrf_token": token}, status=403)
        case "404":
            return browser.get("/nowhere", status=404)
    return browser.get("/cart", status=405)


class Nesting(HTMLParser):
    """Follow the tags of a page, and insist that each is closed where it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> repeats an attribute: {names}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def test_every_tag_is_closed_where_it_was_opened(page: TestResponse) -> None:
    parser = Nesting()
    parser.feed(page.text)
    parser.close()
    assert parser.open == []


def test_every_page_tells_its_language_and_has_one_heading(page: TestResponse) -> None:
    assert page.html.html["lang"] == "en"
    assert [heading.text for heading in page.html.find_all("h1")] == [page.html.title.text]


def test_every_visible_field_has_a_label(page: TestResponse) -> None:
    fields = page.html.find_all("input", type=lambda kind: kind != "hidden")
    assert all(field.find_parent("label").text.strip() for field in fields)


def test_every_page_keeps_out_of_every_cache(page: TestResponse) -> None:
    assert page.headers["Cache-Control"] == "no-store"


def test_every_page_allows_its_own_style_and_no_script(page: TestResponse) -> None:
    digest = hashlib.sha256(page.html.style.string.encode()).digest()
    policy = page.headers["Content-Security-Policy"]
    assert f"style-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


# Under gunicorn


@pytest.fixture(scope="module")
def counter_url() -> Iterator[str]:
    env = {"SECRET_KEY": KEY}
    with serving("examples.quickstart:app", "--workers=2", env=env) as url:
        yield url


@pytest.fixture(scope="module")
def login_url() -> Iterator[str]:
    with serving("examples.login:app", "--workers=2", env={"SECRET_KEY": KEY}) as url:
        yield url


def test_counter_counts_under_gunicorn(counter_url: str) -> None:
    with requests.Session() as visitor:
        texts = [visitor.get(counter_url, timeout=10).text for _ in range(3)]
    assert texts == [f"You have been here {visit} times.\n" for visit in (1, 2, 3)]


def test_counter_counts_each_visitor_alone(counter_url: str) -> None:
    for _ in range(2):
        assert requests.get(counter_url, timeout=10).text == "You have been here 1 times.\n"


def test_counter_answers_in_plain_text(counter_url: str) -> None:
    response = requests.head(counter_url, timeout=10)
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_site_works_under_gunicorn_from_log_in_to_log_out(login_url: str) -> None:
    with requests.Session() as visitor:

        def post(path: str, **fields: str) -> str:
            page = visitor.get(login_url, timeout=10).text
            token = re.findall('name="csrf_token" value="([^"]+)"', page)[0]
            form = {"csrf_token": token, **fields}
            return visitor.post(login_url + path, form, timeout=10).text

        assert "Welcome, Ada!" in post("/login", name="Ada", password="correct horse")
        assert 'max="99" value="3"' in post("/cart", Tea="3")
        assert "You are logged out." in post("/logout")
        assert "The cart of" not in visitor.get(login_url, timeout=10).text


@pytest.mark.parametrize("name", [*NEEDED, "django_app"])
def test_the_command_of_each_example_serves_a_page(name: str, tmp_path: Path) -> None:
    require(NEEDED.get(name, "django"))
    env = {"SECRET_KEY": KEY, "DATABASE": str(tmp_path / "site.db")}
    with serving(f"examples.{name}:app", f"--chdir={tmp_path}", env=env) as url:
        assert requests.get(url, timeout=10).status_code == 200


# Without a secret key


@pytest.fixture
def refusal() -> str:
    """What our own error says of a secret key that is empty."""
    with pytest.raises(ConfigurationError, match="python -m sessionware secret") as caught:
        SessionMiddleware(lambda *_: [], "")
    return f"ConfigurationError: {caught.value}\n"


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("env", [{}, {"SECRET_KEY": ""}])
def test_no_secret_key_refuses_to_start_and_says_what_to_do(
    name: str, env: dict[str, str], refusal: str
) -> None:
    require(NEEDED[name])
    # What a framework's own imports warn of is not ours to word.
    quiet = ["-W", "ignore"] if name.endswith("_app") else []
    without = {key: value for key, value in os.environ.items() if key != "SECRET_KEY"}
    run = subprocess.run(  # noqa: S603
        [sys.executable, *quiet, "-c", f"import examples.{name}"],
        cwd=ROOT,
        env=without | env,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "")
    # Flask's name for the setting is in capitals, Pyramid's is that of an ini file.
    told = run.stderr.lower().replace("session.secret_key", "secret_key")
    assert told.endswith(refusal.lower())


@pytest.mark.parametrize("name", ["quickstart", "login"])
def test_no_secret_key_stops_gunicorn_which_says_what_to_do(name: str, refusal: str) -> None:
    """Gunicorn ends, rather than boot a new worker for ever."""
    require("gunicorn")
    run = subprocess.run(  # noqa: S603
        gunicorn(f"examples.{name}:app"),
        cwd=ROOT,
        env=os.environ | {"SECRET_KEY": ""},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert run.returncode == 3
    assert run.stderr.count("Booting worker") == 1
    assert refusal in run.stderr
