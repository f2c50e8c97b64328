"""Real clients over real sockets: requests and curl against gunicorn."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.gateway import KEY
from tests.processes import program, serving

CLIENTS = 16
STEPS = 25


@pytest.fixture(scope="module", params=["sync", "gthread"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The counter, on two workers of one request at a time, or on one with eight threads."""
    arguments = {"sync": ["--workers=2"], "gthread": ["--worker-class=gthread", "--threads=8"]}
    with serving(
        "examples.quickstart:app", *arguments[request.param], env={"SECRET_KEY": KEY}
    ) as address:
        yield address


def count_up(url: str, steps: int = STEPS) -> list[str]:
    with requests.Session() as client:
        return [client.get(url, timeout=10).text for _ in range(steps)]


def expected(steps: int = STEPS) -> list[str]:
    return [f"You have been here {step} times.\n" for step in range(1, steps + 1)]


def test_requests_counts_up(url: str) -> None:
    assert count_up(url) == expected()


def test_sixteen_clients_at_once_lose_no_step(url: str) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        assert list(pool.map(count_up, [url] * CLIENTS)) == [expected()] * CLIENTS


def test_curl_with_a_cookie_jar_counts_up(url: str, tmp_path: Path) -> None:
    curl = program("curl")
    jar = str(tmp_path / "jar")
    command = [curl, "--silent", "--cookie", jar, "--cookie-jar", jar, url]
    pages = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
        for _ in range(3)
    ]
    assert pages == expected(3)


def test_a_forged_twin_in_the_jar_stops_nobody_from_counting(url: str) -> None:
    with requests.Session() as client:
        client.cookies.set("session", "WzAseyJ2aXNpdHMiOjk5OX1d.awDZXg.forged")
        assert [client.get(url, timeout=10).text for _ in range(3)] == expected(3)
        assert len(client.cookies) == 2
