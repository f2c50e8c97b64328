"""Django's own tests, from the source archive of a release, on our middleware and engine."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.processes import missing

LABELS = ("auth_tests", "messages_tests", "csrf_tests")
"""The folders of its tests that have to do with sessions."""

SETTINGS = """\
from test_sqlite import *
import django.contrib.sessions.middleware
import sessionware.django
django.contrib.sessions.middleware.SessionMiddleware = sessionware.django.SessionMiddleware
SESSION_ENGINE = "sessionware.django"
"""
"""Those of Django's tests, with our middleware wherever they name Django's."""


def source_of(version: str) -> Path:
    """Return the folder of a release's source, which is downloaded once, or skip the test."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "sessionware-tests")
    source = cache / f"django-{version}"
    if not source.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            _download(version, Path(folder))
            unpacked = Path(folder, source.name)
            if not source.is_dir():  # several may do so at once
                shutil.move(unpacked, source)
    return source


def _download(version: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary=:all:", f"--dest={folder}", f"django=={version}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        missing(f"the source of Django {version}", " ".join(command[1:]))
    with tarfile.open(folder / f"django-{version}.tar.gz") as archive:
        archive.extractall(folder, filter="data")


def failures(version: str, folder: Path) -> tuple[int, set[str]]:
    """Run the tests of a release, and return how many there are and the names of those that fail.

    The Django that runs is that of the archive.
    """
    source = source_of(version)
    (folder / "on_sessionware.py").write_text(SETTINGS, encoding="utf-8")
    paths = [source, folder, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    command = [sys.executable, "runtests.py", "--settings=on_sessionware", "--parallel=1", *LABELS]
    done = subprocess.run(  # noqa: S603 - ours
        command,
        cwd=source / "tests",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    [count] = re.findall(r"^Ran (\d+) tests", done.stderr, re.MULTILINE) or ["0"]
    assert int(count) > 0, done.stderr
    return int(count), set(re.findall(r"^(?:FAIL|ERROR): (\w+)", done.stderr, re.MULTILINE))
