"""A websocket: its session is that of the handshake, to read and not to write."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

pytest.importorskip("simple_websocket", reason="pip install 'sessionware[dev]'")
pytest.importorskip("gunicorn", reason="pip install 'sessionware[dev]'")

from simple_websocket import Client

from tests.processes import address_in, answers, gunicorn, running, wait_for

Talk = Callable[..., list[str]]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the log of a server whose visitors talk to it over websockets."""
    folder = tmp_path_factory.mktemp("gunicorn")
    log = folder / "log"
    command = [*gunicorn("--threads=4", "--graceful-timeout=1"), "tests.live.websocket_app:app"]
    with running(command, folder, lambda: answers(address_in(log))):
        yield log


@pytest.fixture
def talk(log: Path) -> Iterator[Talk]:
    """Return a function that sends messages over a new websocket, and returns the answers."""
    with requests.Session() as visitor:
        url = f"{address_in(log)}/"

        def talk(*messages: str) -> list[str]:
            cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
            headers = {"Cookie": cookies} if cookies else {}
            with closing(Client(url.replace("http", "ws", 1), headers=headers)) as websocket:
                return [answer_to(websocket, message) for message in messages]

        visitor.get(url, timeout=10)
        yield talk


def answer_to(websocket: Client, message: str) -> str:
    websocket.send(message)
    answer = websocket.receive(timeout=10)
    assert isinstance(answer, str)
    return answer


def warnings_in(log: Path) -> list[str]:
    return re.findall(r"\((\w+)\)\.$", log.read_text(encoding="utf-8"), re.MULTILINE)


def test_a_websocket_reads_the_session_of_its_handshake(talk: Talk) -> None:
    assert talk("hello", "again") == ["ann: hello", "ann: again"]


def test_a_websocket_without_a_cookie_has_a_new_session(log: Path) -> None:
    with closing(Client(f"ws{address_in(log).removeprefix('http')}/")) as websocket:
        assert answer_to(websocket, "hello") == "None: hello"


def test_a_change_over_a_websocket_is_logged_and_is_lost(log: Path, talk: Talk) -> None:
    before = len(warnings_in(log))
    assert talk("change", "hello") == ["bob: change", "bob: hello"]
    wait_for(lambda: len(warnings_in(log)) > before, "the change is logged")
    assert warnings_in(log)[before:] == ["lost_change"]
    assert talk("hello") == ["ann: hello"]
