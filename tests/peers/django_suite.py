"""Django's own tests, from the source archive of a release, on our middleware and engine."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.peers.archives import Archive

SOURCES = {
    "5.2.19": Archive(
        "django", "5.2.19", "ad03d8abc51dbff95ebf34b27123cf0c26a3b62db7ba0cd520783686362533d1"
    ),
    "6.1.3": Archive(
        "django", "6.1.3", "b5d2d9e35295065d13b1927b3f19a59bd119f737aa6299def14ccca1ae3c8c0d"
    ),
}
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


def failures(version: str, folder: Path) -> tuple[int, set[str]]:
    """Run the tests of a release, and return how many there are and the names of those that fail.

    The Django that runs is that of the archive.
    """
    source = SOURCES[version].unpack(folder / "source")
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
