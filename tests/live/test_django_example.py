"""The site of examples/django_app.py: its own tests, and what visitors see over HTTP."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.gateway import KEY
from tests.processes import ROOT, free_port, listens, require, running, serving

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("django")
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    return {"SECRET_KEY": KEY, "DATABASE": str(folder / "site.db")}


@pytest.fixture(scope="module")
def gunicorns(environment: dict[str, str]) -> Iterator[str]:
    with serving("examples.django_app:app", env=environment) as url:
        yield url


@pytest.fixture
def runservers(gunicorns: str, environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """Django's development server, beside gunicorn, which has made the database."""
    with free_port() as port:
        arguments = ["runserver", "--noreload", f"127.0.0.1:{port}"]
        command = [sys.executable, "-m", "examples.django_app", *arguments]
        with running(command, tmp_path, lambda: listens(port), environment):
            yield f"http://127.0.0.1:{port}"


@pytest.fixture
def visitor() -> Iterator[requests.Session]:
    with closing(requests.Session()) as visitor:
        yield visitor


def send(visitor: requests.Session, url: str, **fields: str) -> str:
    """Send the form of the page at this URL, or at the start page if it is the log-out's."""
    page = visitor.get(url.replace("/logout/", "/"), timeout=10).text
    token = re.findall('name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]
    return visitor.post(url, {"csrfmiddlewaretoken": token, **fields}, timeout=10).text


def log_in(visitor: requests.Session, url: str, **fields: str) -> str:
    return send(visitor, f"{url}/login/", username="admin", password=PASSWORD, **fields)


def test_its_own_tests_pass(environment: dict[str, str]) -> None:
    arguments = ["test", "--verbosity=0", "tests.live.django_example"]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "examples.django_app", *arguments],
        cwd=ROOT,
        env={"PATH": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"Ran 1\d tests", done.stderr)


@pytest.mark.parametrize("server", ["gunicorns", "runservers"])
def test_a_visitor_logs_in_and_out(
    server: str, request: pytest.FixtureRequest, visitor: requests.Session
) -> None:
    url = request.getfixturevalue(server)
    assert "Visit 1." in visitor.get(url, timeout=10).text
    page = log_in(visitor, url)
    assert "You are logged in." in page
    assert "Visit 2 of admin." in page
    page = visitor.get(url, timeout=10).text
    assert "Visit 3 of admin." in page
    assert "You are logged in." not in page
    page = send(visitor, f"{url}/logout/")
    assert "You are logged out." in page
    assert "Visit 1." in page


def test_the_admin_opens(gunicorns: str, visitor: requests.Session) -> None:
    url = f"{gunicorns}/admin/"
    assert "Welcome" in send(
        visitor, f"{url}login/?next=/admin/", username="admin", password=PASSWORD
    )
    assert visitor.get(f"{gunicorns}/static/admin/css/base.css", timeout=10).ok


@pytest.mark.parametrize("fields", [{}, {"remember": "on"}])
def test_a_log_in_is_remembered_if_asked_for(
    gunicorns: str, visitor: requests.Session, fields: dict[str, str]
) -> None:
    log_in(visitor, gunicorns, **fields)
    [cookie] = [cookie for cookie in visitor.cookies if cookie.name == "sessionid"]
    assert (cookie.expires is not None) is bool(fields)


def test_without_a_secret_key_it_refuses_to_start(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import examples.django_app"],
        cwd=ROOT,
        env={"PATH": "", **environment, "SECRET_KEY": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "SECRET_KEY setting must not be empty" in done.stderr
