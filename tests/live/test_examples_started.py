"""The programs under examples/: how they start, and under a real gunicorn."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from tests.gateway import KEY
from tests.processes import ROOT, gunicorn, require, serving

REFUSAL = "SECRET_KEY is not set: export SECRET_KEY=$(python -m sessionware secret)\n"


@pytest.fixture(scope="module")
def counter_url() -> Iterator[str]:
    env = {"SECRET_KEY": KEY}
    with serving("examples.quickstart:app", "--workers=2", env=env) as url:
        yield url


@pytest.fixture(scope="module")
def login_url() -> Iterator[str]:
    with serving("examples.login:app", "--workers=2", env={"SECRET_KEY": KEY}) as url:
        yield url


@pytest.mark.parametrize("name", ["quickstart", "login"])
@pytest.mark.parametrize("env", [{}, {"SECRET_KEY": ""}])
def test_no_secret_key_refuses_to_start_in_one_clear_line(name: str, env: dict[str, str]) -> None:
    without = {key: value for key, value in os.environ.items() if key != "SECRET_KEY"}
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", f"import examples.{name}"],
        cwd=ROOT,
        env=without | env,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (3, "", REFUSAL)


@pytest.mark.parametrize("name", ["quickstart", "login"])
def test_no_secret_key_stops_gunicorn_with_one_clear_line(name: str) -> None:
    """Gunicorn ends, rather than boot a new worker for ever, and shows no traceback."""
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
    assert run.stderr.count(REFUSAL) == 1
    assert "Traceback" not in run.stderr


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
