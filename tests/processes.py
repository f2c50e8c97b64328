"""A real server for a test, mostly gunicorn: started, waited for, and stopped."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[1]
SECONDS_TO_START = 20
SECONDS_TO_STOP = 15


@contextmanager
def serving(app: str, *arguments: str, env: Mapping[str, str]) -> Iterator[str]:
    """Serve `app` while the block runs; its base URL, without a slash at the end, is given.

    `arguments` are gunicorn's own, and `env` is added to this process's environment.
    Whatever goes wrong within the block carries the server's log as a note.
    """
    require("gunicorn")
    command = [*gunicorn("--graceful-timeout=1", *arguments), app]
    with TemporaryDirectory() as folder, running(command, Path(folder), env=env) as server:
        yield started(server, Path(folder, "log"))


@contextmanager
def running(
    command: Sequence[str], folder: Path, *, env: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server while the block runs; its log is in `folder`, and a note on what goes wrong."""
    log = folder / "log"
    # Appended to, because Apache opens it once more.
    with log.open("a") as output:
        server = subprocess.Popen(  # noqa: S603 - nobody else has a say in these arguments
            command,
            cwd=ROOT,
            # Gunicorn keeps its control socket there: no two servers may share one.
            env={**os.environ, "XDG_RUNTIME_DIR": str(folder), **env},
            stdout=output,
            stderr=output,
        )
    try:
        yield server
    except BaseException as error:
        error.add_note(log.read_text())
        raise
    finally:
        stop(server)


def gunicorn(*arguments: str) -> list[str]:
    """Build the command that runs gunicorn on a port that the system picks."""
    return [sys.executable, "-m", "gunicorn", "--bind=127.0.0.1:0", *arguments]


def require(module: str) -> None:
    """Skip a test that cannot run without `module`; with SESSIONWARE_REQUIRE_ALL=1 fail it."""
    if find_spec(module) is None:
        missing(module)


def program(name: str) -> str:
    """Give the path of a program, as `require` does for a module."""
    # Debian keeps servers where an ordinary user's PATH does not look.
    return shutil.which(name) or shutil.which(name, path="/usr/sbin") or missing(name)


def missing(name: str) -> NoReturn:
    """Skip the test, or fail it where everything is required."""
    required = os.environ.get("SESSIONWARE_REQUIRE_ALL") == "1"
    (pytest.fail if required else pytest.skip)(f"{name} is not installed")


def started(server: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until a worker answers, and give the address from the server's log."""
    deadline = time.monotonic() + SECONDS_TO_START
    while server.poll() is None and time.monotonic() < deadline:
        listening = re.search(r"Listening at: (https?)://([\d.]+):(\d+)", log.read_text())
        if listening and answers(listening[1], (listening[2], int(listening[3]))):
            return "{}://{}:{}".format(*listening.groups())
        time.sleep(0.05)
    raise RuntimeError("gunicorn did not start")


def answers(scheme: str, address: tuple[str, int]) -> bool:
    """Send what gunicorn refuses by itself, so that the application never sees a request."""
    try:
        if scheme == "https":
            return ssl.get_server_certificate(address, timeout=SECONDS_TO_START) != ""
        with socket.create_connection(address, timeout=SECONDS_TO_START) as connection:
            connection.sendall(b"?\r\n\r\n")
            return connection.recv(1) != b""
    except OSError:
        return False


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server; the workers of one that has to be killed notice, and end as well."""
    server.terminate()
    try:
        server.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
