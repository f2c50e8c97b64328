"""An application for the tests on real servers: the path says how it answers and where it fails.

It stands alone, for servers that load it as a file. In the environment are SECRET_KEY and TRACES,
a folder that all processes of the server may write to.
"""

import os
import random
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import FileWrapper

from sessionware import SessionMiddleware

OK, BROKEN = "200 OK", "503 Service Unavailable"
TEXT = [("Content-Type", "text/plain"), ("Set-Cookie", "theme=dark")]
CHUNKS = [b"one ", b"two ", b"three"]
LENGTH = ("Content-Length", "13")
LONG = 2000
"""How many chunks the stream has, of 64 KiB each: more than any server keeps for its client."""

FULL = random.Random(1).randbytes(2592).hex()  # noqa: S311 - the same in every process
"""What makes a cookie of nearly 4096 bytes."""

TRACES = Path(os.environ.get("TRACES", ""))


def count(environ: WSGIEnvironment) -> str:
    """Count a step of this client, and say whose it is and which."""
    session = environ["session"]
    session.setdefault("client", environ["QUERY_STRING"])
    session["steps"] = session.get("steps", 0) + 1
    return "{client} {steps}".format(**session)


def say(start: StartResponse, text: str) -> Iterable[bytes]:
    start(OK, TEXT)
    return [text.encode()]


def tell(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Say whose session it is, and how many steps it counts, without a step more."""
    session = environ["session"]
    return say(start, f"{session.get('client')} {session.get('steps')}")


def as_list(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    start(OK, [*TEXT, LENGTH])
    count(environ)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else CHUNKS


def as_generator(environ: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
    start(OK, TEXT)
    count(environ)
    yield from CHUNKS


def as_write(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    write = start(OK, TEXT)
    count(environ)
    for chunk in CHUNKS:
        write(chunk)
    return []


def as_file(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Hand this file to the server's own wrapper, where it has one."""
    own = "wsgi.file_wrapper" in environ
    start(OK, [*TEXT, ("X-File-Wrapper", "server" if own else "none")])
    count(environ)
    file = Path(__file__).open("rb")  # noqa: SIM115 - the wrapper closes it
    wrapped: Iterable[bytes] = environ.get("wsgi.file_wrapper", FileWrapper)(file)
    return wrapped


def not_modified(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    start("304 Not Modified", [("ETag", '"1"')])
    count(environ)
    return []


def full(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Fill the session, or say whether it is full."""
    session = environ["session"]
    found = session.setdefault("full", FULL)
    return say(start, "empty" if session.modified else "full" if found == FULL else "spoilt")


class Stream:
    """A long body that leaves a trace when it is closed: how many of its chunks were taken.

    Begun by the path ``/stream`` when it is made, else like a generator when its body is read.
    """

    taken = 0

    def __init__(self, environ: WSGIEnvironment, start: StartResponse) -> None:
        self.trace = TRACES / environ["QUERY_STRING"]
        self.environ, self.start = environ, start
        if environ["PATH_INFO"] == "/stream":
            self.begin()

    def begin(self) -> None:
        self.start(OK, TEXT)
        count(self.environ)

    def __iter__(self) -> Iterator[bytes]:
        if self.environ["PATH_INFO"] != "/stream":
            self.begin()
        chunk = bytes(64 * 1024)
        for self.taken in range(1, LONG + 1):
            yield chunk

    def close(self) -> None:
        with self.trace.open("a") as trace:
            trace.write(f"{self.taken}\n")


def closed(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Return the traces of one client's streams, a line for each time that one was closed."""
    trace = TRACES / environ["QUERY_STRING"]
    return say(start, trace.read_text() if trace.exists() else "")


def fail_at_once(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    count(environ)
    raise RuntimeError("failed at once")


def fail_once_started(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    start(OK, [*TEXT, LENGTH])
    count(environ)
    raise RuntimeError("failed once started")


def fail_in_generator(environ: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
    start(OK, [*TEXT, LENGTH])
    count(environ)
    yield CHUNKS[len(CHUNKS)]


def overfill(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    start(OK, [*TEXT, LENGTH])
    count(environ)
    environ["session"]["full"] = FULL + FULL[::-1]
    return CHUNKS


def fail_in_body(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Fail at the first chunk, when the session is saved and the server has the headers."""
    start(OK, [*TEXT, LENGTH])
    count(environ)
    return (CHUNKS[index] for index in [len(CHUNKS)])


def error_page(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Answer with an error page when the session is saved and nothing is sent yet."""
    start(OK, TEXT)
    count(environ)
    return fail_over(start)


def fail_over(start: StartResponse) -> Iterator[bytes]:
    try:
        yield CHUNKS[len(CHUNKS)]
    except IndexError:
        start(BROKEN, [*TEXT, ("Cache-Control", "public, max-age=60")], sys.exc_info())
        yield from CHUNKS


def fail_later(
    headers: list[tuple[str, str]], environ: WSGIEnvironment, start: StartResponse
) -> Iterator[bytes]:
    start(OK, headers)
    count(environ)
    yield CHUNKS[0]
    raise RuntimeError("failed after the first chunk")


def write_late(environ: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
    start(OK, [*TEXT, LENGTH])
    count(environ)
    yield CHUNKS[0]
    count(environ)
    yield from CHUNKS[1:]


FAILURES = {
    "/fail/at-once": fail_at_once,
    "/fail/once-started": fail_once_started,
    "/fail/in-generator": fail_in_generator,
    "/fail/overfilled": overfill,
}
"""Those that fail before the session is saved."""

PATHS: dict[str, WSGIApplication] = {
    "/still": lambda environ, start: say(start, "nobody looked"),
    "/count": lambda environ, start: say(start, count(environ)),
    "/tell": tell,
    "/list": as_list,
    "/generator": as_generator,
    "/write": as_write,
    "/file": as_file,
    "/304": not_modified,
    "/full": full,
    "/stream": Stream,
    "/stream/generator": Stream,
    "/closed": closed,
    **FAILURES,
    "/fail/in-body": fail_in_body,
    "/error-page": error_page,
    "/fail/later": partial(fail_later, [*TEXT, LENGTH]),
    "/fail/later-unmeasured": partial(fail_later, TEXT),
    "/late": write_late,
}


def by_path(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    return PATHS[environ["PATH_INFO"]](environ, start)


application = SessionMiddleware(by_path, os.environ.get("SECRET_KEY"))
