"""The command line: ``python -m sessionware secret``, ``... inspect``, ``... --version``."""

import argparse
import os
import secrets
import sys
from collections.abc import Sequence
from importlib.metadata import version

from .codec import MAX_TEXT
from .errors import ConfigurationError, Problem
from .inspect import ENCRYPTED, inspect
from .settings import read

INSPECT = """\
Show what a session cookie holds. The cookie is given as name=value, as the value alone, or as a
whole Cookie or Set-Cookie header. The key that verifies it is read from the environment variable
SECRET_KEY, and older keys, separated by white space, from SECRET_KEY_FALLBACKS. The exit status
is 0 if the signature verifies, expired or not, 1 if it does not, and 2 for a usage error."""

BROKEN_PIPE = 141
"""The exit status of a command whose output nobody has read to its end, as shells report it."""

TIMEOUTS = ("idle_timeout", "permanent_timeout", "absolute_timeout")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; argparse exits with 2 on a usage error."""
    if sys.stdout is None:
        return 1  # closed by the shell: a key that cannot be printed is not a success
    words = sys.argv[1:] if arguments is None else arguments
    parser, inspect_parser = _parsers()
    options = parser.parse_args([_escaped(word) for word in words])
    if options.command == "secret":
        status, lines = 0, [secrets.token_hex(32)]
    else:
        status, lines = _inspect(inspect_parser, options)
    try:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
    except BrokenPipeError:  # as of "| head -1"
        sys.stdout = None  # or Python would fail at its end once more
        return BROKEN_PIPE
    return status


def _parsers() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    parser = argparse.ArgumentParser(prog="python -m sessionware")
    parser.add_argument(
        "--version", action="version", version=f"sessionware {version('sessionware')}"
    )
    commands = parser.add_subparsers(required=True, metavar="command", dest="command")
    commands.add_parser("secret", help="print a new secret key: 256 bits, as hexadecimal")
    inspect = commands.add_parser("inspect", help="show a session cookie", description=INSPECT)
    inspect.add_argument("cookie", nargs="?", help="read from standard input if it is left out")
    inspect.add_argument("--name", help="the cookie_name, if the cookie is given without it")
    inspect.add_argument("--salt", default="", help="the salt of the SessionMiddleware")
    for name in TIMEOUTS:
        inspect.add_argument(
            f"--{name.replace('_', '-')}",
            metavar="DURATION",
            help="the application's setting, such as 1800, 30m, 12h or 31d",
        )
    return parser, inspect


def _escaped(word: str) -> str:
    """Return the word in a form that argparse does not mistake for an option.

    One encrypted cookie in 64 begins with a hyphen.
    """
    return f" {word}" if word[:1] == "-" and ENCRYPTED.fullmatch(word) else word


def _inspect(parser: argparse.ArgumentParser, options: argparse.Namespace) -> tuple[int, list[str]]:
    try:
        timeouts = _timeouts(options)
        report = inspect(
            _given(options.cookie),
            options.name,
            options.salt,
            os.environ.get("SECRET_KEY", ""),
            os.environ.get("SECRET_KEY_FALLBACKS", "").split(),
            timeouts,
        )
    except ConfigurationError as error:
        parser.error("; ".join(map(str, error.problems)))
    if report is None:
        parser.error("no cookie was given, neither as an argument nor on standard input")
    return (0 if report.verified else 1), report.lines


def _timeouts(options: argparse.Namespace) -> dict[str, float | None]:
    """Return the timeouts that were given. Raises ConfigurationError with every problem."""
    timeouts, problems = {}, []
    for name in TIMEOUTS:
        text = getattr(options, name)
        try:
            if text is not None:
                timeouts[name] = read(name, text)
        except ValueError as mistake:
            problems.append(Problem(name, str(mistake)))
    if problems:
        raise ConfigurationError(problems)
    return timeouts


def _given(cookie: str | None) -> str:
    if cookie is None and sys.stdin is not None:
        # No cookie is longer, and a pipe may have no end.
        cookie = sys.stdin.buffer.read(MAX_TEXT).decode(errors="replace")
    return (cookie or "").strip()


if __name__ == "__main__":
    sys.exit(main())
