"""Real programs for a test, mostly servers: started, waited for, and stopped in one way."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
SECONDS_TO_START = 20
SECONDS_TO_STOP = 15

DEBIAN_PACKAGES = {
    "WebKitWebDriver": "webkit2gtk-driver xvfb bubblewrap",
    "Xvfb": "xvfb",
    "apache2": "apache2 libapache2-mod-wsgi-py3",
    "bwrap": "bubblewrap",
    "chromedriver": "chromium-driver",
    "mariadbd": "mariadb-server",
    "postgres": "postgresql",
    "uwsgi": "uwsgi uwsgi-plugin-python3",
    "varnishd": "varnish",
}
"""What to install for a program whose package has another name, or needs a second one."""


# What is installed


def require(module: str) -> None:
    """Skip a test that cannot run without `module`; with SESSIONWARE_REQUIRE_ALL=1 fail it."""
    if find_spec(module) is None:
        missing(module, "pip install 'sessionware[dev]'")


def program(name: str, *parts: str) -> str:
    """Return the path of a program, or skip the test as `require` does.

    `parts` are the paths of files, such as plugins, that the program has to find as well.
    """
    # Debian keeps servers where an ordinary user's PATH does not look.
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None or not all(Path(part).exists() for part in parts):
        missing(name, f"apt-get install {DEBIAN_PACKAGES.get(name, name)}")
    return found


def missing(name: str, install: str) -> NoReturn:
    """Skip the test with one line that says what to install, or fail it."""
    unavailable(f"{name} is not installed: {install}")


def unavailable(reason: str) -> NoReturn:
    """Skip the test for this reason; with SESSIONWARE_REQUIRE_ALL=1 fail it."""
    if os.environ.get("SESSIONWARE_REQUIRE_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


# Any program


@contextmanager
def running(
    command: Sequence[str],
    folder: Path,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program while the block runs, from the moment at which it is `ready`.

    One that ends before that is an error at once. The log is `folder`/log, and a note on every
    error: at the start, and in the block. `env` is added to this process's environment.
    """
    log, name = folder / "log", " ".join(command)
    # Appended to, because Apache opens it once more.
    with log.open("a") as output:
        process = subprocess.Popen(  # noqa: S603 - the arguments are the tests' own
            command,
            cwd=ROOT,
            # Gunicorn keeps its control socket there: no two servers may share one.
            env={**os.environ, "XDG_RUNTIME_DIR": str(folder), **(env or {})},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def has_started() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended with status {process.returncode} at its start")
        return ready()

    try:
        wait_for(has_started, f"{name} is ready")
        yield process
    except pytest.skip.Exception:
        raise  # Its reason is compared with those that CI allows.
    except BaseException as error:
        error.add_note(log.read_text(errors="replace"))
        raise
    finally:
        stop(process)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = SECONDS_TO_START) -> None:
    """Ask every few milliseconds until it is so; raise RuntimeError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds} seconds in vain until {what}")
        time.sleep(0.02)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it has started."""
    process.terminate()
    try:
        process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with suppress(ProcessLookupError):  # A worker whose master had to be killed goes on.
        os.killpg(process.pid, signal.SIGKILL)


def family(pid: int) -> Sequence[int]:
    """Return the process, and those that it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Freeze the processes, and those that they have started, while the block runs."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)  # first, so that it starts no more
    processes = [each for pid in pids for each in family(pid)]
    try:
        for each in processes:
            os.kill(each, signal.SIGSTOP)
        # The signal returns before those of its threads that are at work have stopped.
        wait_for(lambda: all(map(_is_stopped, processes)), "the processes are frozen")
        yield
    finally:
        resume(processes)


def resume(processes: Iterable[int]) -> None:
    """Let the frozen processes go on."""
    for each in processes:
        with suppress(ProcessLookupError):  # A zombie is gone as soon as its parent goes on.
            os.kill(each, signal.SIGCONT)


def _is_stopped(pid: int) -> bool:
    """Return whether no thread of the process runs: stopped, or a zombie (proc_pid_stat(5))."""
    states = ""
    with suppress(FileNotFoundError):  # A thread has just ended: ask again.
        for task in Path(f"/proc/{pid}/task").iterdir():
            states += (task / "stat").read_text().rpartition(")")[2].split()[0]
        return {*states} <= {*"TZ"}
    return False


@contextmanager
def free_port() -> Iterator[int]:
    """Keep a port of 127.0.0.1 while the block runs: the system hands it out to no one else.

    It is bound, and nothing listens at it, so a server that sets SO_REUSEADDR may: each of ours.
    """
    with closing(socket.socket()) as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        yield keeper.getsockname()[1]


def listens(port: int) -> bool:
    """Return whether a server listens at this port of 127.0.0.1."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


# Gunicorn


@contextmanager
def serving(app: str, *arguments: str, env: Mapping[str, str]) -> Iterator[str]:
    """Serve `app` while the block runs; its base URL has no slash at the end.

    `arguments` are gunicorn's own, and `env` is added to this process's environment.
    """
    require("gunicorn")
    command = [*gunicorn("--graceful-timeout=1", *arguments), app]
    with TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with running(command, Path(folder), lambda: answers(address_in(log)), env):
            yield address_in(log)


def gunicorn(*arguments: str) -> list[str]:
    """Return the command that runs gunicorn on a port that the system picks."""
    return [sys.executable, "-m", "gunicorn", "--bind=127.0.0.1:0", *arguments]


def address_in(log: Path) -> str:
    """Return the URL at which gunicorn says that it listens, or ``""`` where it does not yet."""
    listening = re.search(r"Listening at: (https?://[\d.]+:\d+)", log.read_text())
    return listening[1] if listening else ""


def answers(url: str) -> bool:
    """Send what gunicorn refuses by itself, so that the application never sees a request."""
    parts = urlsplit(url)
    if not parts.hostname or not parts.port:
        return False
    address = parts.hostname, parts.port
    try:
        if parts.scheme == "https":
            return ssl.get_server_certificate(address, timeout=SECONDS_TO_START) != ""
        with socket.create_connection(address, timeout=SECONDS_TO_START) as connection:
            connection.sendall(b"?\r\n\r\n")
            return connection.recv(1) != b""
    except OSError:
        return False
