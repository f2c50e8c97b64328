"""Command line: ``python -m sessionware secret`` and ``... inspect``."""

import argparse
import json
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from itsdangerous import Signer

from .codec import LONGEST_TEXT, Codec, Opened, SignedCodec
from .cookie import LONGEST_PAIR
from .errors import CookieRejected, collecting
from .expiry import Expiry
from .interface import SecureCookieSessionInterface
from .store import key_of

BAR = 40
"""Characters of the bar that stands for the 4096 bytes."""

INSPECT = """\
Show what a session cookie holds: the cookie is name=value or the value alone, and may come as a
whole Cookie or Set-Cookie header. The key that verifies it is taken from the environment variable
SECRET_KEY, older ones, with white space between them, from SECRET_KEY_FALLBACKS. The exit status
is 0 where the signature verifies, expired or not; 1 where it does not; 2 for a wrong use."""

ENCRYPTED = re.compile("[0-9A-Za-z_-]{123,}")
"""What looks encrypted: a block or more, and no dot. (A signed cookie has two.)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status; argparse exits with 2 where used wrongly."""
    if sys.stdout is None:
        return 1  # closed by the shell: a key that nobody reads is not a success
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return 130  # as a shell has it: 128 and the number of the signal
    except OSError:
        # Nobody reads on, or the disk is full. Python would flush once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sessionware")
    commands = parser.add_subparsers(required=True, metavar="command", dest="command")
    commands.add_parser("secret", help="print a new secret key: 256 bits, as hexadecimal")
    inspect = commands.add_parser("inspect", help="show a session cookie", description=INSPECT)
    inspect.add_argument("cookie", nargs="?", help="without it, standard input is read")
    inspect.add_argument("--name", help="the cookie_name, where it is not in the cookie")
    inspect.add_argument("--salt", default="", help="the salt of the SessionMiddleware")
    for timeout in ("--idle-timeout", "--absolute-timeout"):
        inspect.add_argument(timeout, type=float, metavar="SECONDS", help="that of the application")
    words = sys.argv[1:] if arguments is None else arguments
    # argparse takes what begins with a hyphen for an option, and one encrypted cookie in 64 does.
    words = [
        f" {word}" if word[:1] == "-" and ENCRYPTED.fullmatch(word) else word for word in words
    ]
    try:
        options = parser.parse_args(words)
        if options.command == "secret":
            status, lines = 0, [secrets.token_hex(32)]
        else:
            status, lines = _inspect(inspect, options)
        print(*lines, sep="\n")  # noqa: T201  # to print it is the command
        return status
    finally:
        print(end="", flush=True)  # noqa: T201  # here, where its failure is caught


def _inspect(parser: argparse.ArgumentParser, options: argparse.Namespace) -> tuple[int, list[str]]:
    """Give the exit status, and the lines that show the cookie."""
    name, token = _find(_given(options.cookie), options.name)
    if not token:
        parser.error("no cookie was given, neither as an argument nor on standard input")
    timeouts = ("idle_timeout", "absolute_timeout")
    limits = {key: value for key in timeouts if (value := getattr(options, key)) is not None}
    problems: list[str] = []
    with collecting(problems):
        expiry = SecureCookieSessionInterface(**limits).expiry
    with collecting(problems):
        codecs = _codecs(token, options.salt, name)
    if problems:
        parser.error("; ".join(problems))
    verified, verdict, opened = _open(token, codecs)
    lines = [
        _line("cookie", _to_json(name)),
        _line("signature", verdict),
        _line("size", _size(len(name) + len(token))),
        *(_contents(opened, expiry, limits) if opened else ()),
    ]
    return (0 if verified else 1), lines


def _given(cookie: str | None) -> str:
    if cookie is None and sys.stdin is not None:
        # Nobody has a longer one, and a pipe may have no end.
        cookie = sys.stdin.buffer.read(LONGEST_TEXT).decode(errors="replace")
    return (cookie or "").strip()


def _find(header: str, name: str | None) -> tuple[str, str]:
    """Give the name and the value of the cookie in the text of a header."""
    header = re.sub(r"^(set-)?cookie:", "", header, flags=re.IGNORECASE)
    pairs = [pair.strip().partition("=") for pair in header.split(";")]
    first, equals, value = pairs[0]
    if not equals:
        return name or "session", first
    values = {key: value for key, _, value in reversed(pairs)}
    name = name or ("session" if "session" in values else first)
    return name, values.get(name, value)


def _codecs(token: str, salt: str, name: str) -> dict[str, Codec]:
    """Give a codec for each key of the environment, by what the key is to be called."""
    key = os.environ.get("SECRET_KEY", "")
    fallbacks = os.environ.get("SECRET_KEY_FALLBACKS", "").split()
    if not key and not fallbacks:
        return {}
    encrypt = ENCRYPTED.fullmatch(token) is not None
    make: Callable[..., Codec] = type(SecureCookieSessionInterface(encrypt=encrypt).codec)
    make(key, fallbacks, salt, name)  # raises with every problem of every key
    return {
        "the secret key": make(key, (), salt, name),
        **{
            f"fallback {number}": make(fallback, (), salt, name)
            for number, fallback in enumerate(fallbacks, 1)
        },
    }


def _open(token: str, codecs: dict[str, Codec]) -> tuple[bool, str, Opened | None]:
    """Give whether the signature verifies, that in words, and what can be read."""
    reason = ""
    for key, codec in codecs.items():
        try:
            return True, f"verifies with {key}", codec.decode(token)
        except CookieRejected as error:
            reason = error.reason
    opened = _read_unverified(token)
    if opened is None and (reason == "malformed" or not ENCRYPTED.fullmatch(token)):
        return False, "none: this is no cookie that sessionware writes", None
    if codecs:
        verdict, meaning = f"does NOT verify ({reason})", "anybody may have written what follows"
    else:
        verdict, meaning = "not checked, SECRET_KEY is not set", "what follows, anybody can read"
    if opened is None:
        meaning = "it looks encrypted, and only its own key reads it"
    return False, f"{verdict}: {meaning}", opened


def _read_unverified(token: str) -> Opened | None:
    # Signed with a key that is thrown away, it goes through the one reader, bounds and all.
    key = secrets.token_bytes()
    codec = SignedCodec(key)
    signer = Signer(key, codec.salt, key_derivation="hmac", digest_method=sha256)
    try:
        opened = codec.decode(signer.sign(token.rpartition(".")[0].encode()).decode())
    except (CookieRejected, UnicodeError):
        return None
    return opened if opened.text else None


def _contents(opened: Opened, expiry: Expiry, given: Collection[str]) -> Iterator[str]:
    """Say what the payload holds: an envelope, ``[age, data]`` or ``[age, data, id]``."""
    yield _line("issued", _moment(opened.issued))
    try:
        value = json.loads(opened.text)
        text = _to_json(value, indent=2)
    except (ValueError, RecursionError):
        yield _line("data", "none: the payload is not JSON that can be read")
        return
    match value:
        case [int(age), dict(data)] | [int(age), dict(data), _]:
            yield from _times(opened.issued, opened.issued - age, expiry, given)
            sizes = {key: len(_to_json({key: value})) - len("{}") for key, value in data.items()}
            for key in sorted(sizes, key=sizes.__getitem__, reverse=True):
                yield _line("key", f"{sizes[key]} bytes, {_to_json(key)}")
            yield f"data\n{_to_json(data, indent=2)}"
        case [int(age), None, str(session_id)]:
            yield from _times(opened.issued, opened.issued - age, expiry, given)
            yield _line("data", f"in the store, under {key_of(session_id)}")
        case _:
            yield f"data, but no session that sessionware writes\n{text}"


def _times(issued: int, created: int, expiry: Expiry, given: Collection[str]) -> Iterator[str]:
    yield _line("created", _moment(created))
    yield _line("ends", _end(issued, created, expiry))
    for name in ("idle_timeout", "absolute_timeout"):
        yield _line("", _limit(name, getattr(expiry, name), name in given))


def _end(issued: int, created: int, expiry: Expiry) -> str:
    ends = issued + int(expiry.idle_timeout)
    if expiry.absolute_timeout is not None:
        ends = min(ends, created + int(expiry.absolute_timeout))
    try:
        expiry.check(int(time.time()), issued, created)
    except CookieRejected as error:
        return f"{_moment(ends)}, and is refused now ({error.reason})"
    return _moment(ends)


def _limit(name: str, seconds: float | None, given: bool) -> str:
    limit = f"no {name}" if seconds is None else f"{name} of {seconds:.0f} seconds"
    return limit if given else f"{limit} (the default)"


def _moment(seconds: int) -> str:
    try:
        return (datetime(1970, 1, 1) + timedelta(seconds=seconds)).isoformat() + "Z"
    except OverflowError:
        return "beyond the calendar"


def _size(size: int) -> str:
    filled = min(BAR, -(-size * BAR // LONGEST_PAIR))
    return f"{size} of {LONGEST_PAIR} bytes [{'#' * filled:.<{BAR}}]"


def _line(label: str, text: str) -> str:
    return f"{label:<10} {text}"


def _to_json(value: Any, indent: int | None = None) -> str:
    """Give printable ASCII: a terminal takes no part of it for a command."""
    separators = (",", ": " if indent else ":")
    return json.dumps(value, indent=indent, separators=separators, ensure_ascii=True)


if __name__ == "__main__":
    sys.exit(main())
