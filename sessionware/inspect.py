"""A readable report on what a session cookie holds."""

import json
import re
import secrets
import time
from base64 import b64decode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import product
from types import MappingProxyType
from typing import Any, NamedTuple

from itsdangerous import Signer

from . import base64url
from .codec import Codec, Opened, SignedCodec
from .cookie import MAX_PAIR, unwrapped
from .envelope import Envelope, unwrap
from .errors import ConfigurationError, CookieRejected, Problem, collecting
from .expiry import Expiry
from .interface import SecureCookieSessionInterface
from .serializer import dumps, is_too_deep
from .store import key_of

BAR_WIDTH = 40
"""Characters of the bar that shows 4096 bytes."""

ENCRYPTED = re.compile("[0-9A-Za-z_-]{123,}")
"""A cookie that looks encrypted: one block or more, and no dot. (A signed cookie has two.)"""

SIGNED = re.compile(r'"?[0-9A-Za-z_/+-]+={0,2}(\.[0-9A-Za-z_-]+){2}"?')
"""A signed value without its name. The base64 of frameworks may be padded."""

USUAL_NAMES = ("session", "__Host-session", "__Secure-session")
"""The names that are tried where a cookie does not verify under its own."""


class Report(NamedTuple):
    """What is known of a cookie: whether its signature verifies, and the lines to show."""

    verified: bool
    lines: list[str]


def inspect(
    header: str,
    name: str | None = None,
    salt: str = "",
    secret_key: str = "",
    fallbacks: Sequence[str] = (),
    timeouts: Mapping[str, Any] = MappingProxyType({}),
) -> Report | None:
    """Return what a cookie holds, or ``None`` if the text holds no cookie.

    ``header``: ``name=value``, the value alone, or a whole Cookie or Set-Cookie header.
    ``timeouts``: ``idle_timeout``, ``permanent_timeout`` and ``absolute_timeout`` in seconds, where
    they are not the defaults. Raises ConfigurationError with every problem of a key, the salt or a
    timeout.
    """
    named, (name, token) = name is not None, _find(header, name)
    if not token:
        return None
    problems: list[Problem] = []
    with collecting(problems):
        expiry = SecureCookieSessionInterface(**timeouts).expiry
    with collecting(problems):
        codecs = _codecs(token, salt, name, secret_key, fallbacks)
    if problems:
        raise ConfigurationError(problems)
    found = _open(token, codecs)
    hints: Iterable[str] = ()
    if codecs and found.is_ours and not found.verified:
        own = _name_before(token, header)
        names = [name, own or name, *USUAL_NAMES]
        verifies = partial(_verifies, token, secret_key, fallbacks)
        hints = _hints(names, salt, not (named or own), verifies)
    lines = [
        _line("cookie", _to_json(name)),
        _line("format", found.format),
        _line("signature", found.verdict),
        *(_line("try", hint) for hint in hints),
        _line("size", _size(len(name) + len(token))),
        *(_contents(found.opened, expiry, timeouts) if found.opened else ()),
    ]
    return Report(found.verified, lines)


def _name_before(token: str, header: str) -> str:
    """Return the name that the header has before this value, or ``""``."""
    before = header.partition(token)[0].removesuffix('"')
    return re.split("[ ;:]", before[:-1])[-1] if before.endswith("=") else ""


def _find(header: str, name: str | None) -> tuple[str, str]:
    """Return the name and the value of the cookie in the text of a header."""
    header = re.sub(r"^(set-)?cookie:", "", header, flags=re.IGNORECASE)
    if SIGNED.fullmatch(header.strip()):
        return name or "session", unwrapped(header.strip())
    pairs = [pair.strip().partition("=") for pair in header.split(";")]
    first, equals, value = pairs[0]
    if not equals:
        return name or "session", unwrapped(first)
    values = {key: value for key, _, value in reversed(pairs)}
    name = name or ("session" if "session" in values else first)
    return name, unwrapped(values.get(name, value))


def _codecs(
    token: str, salt: str, name: str, key: str, fallbacks: Sequence[str]
) -> dict[str, Codec]:
    """Return a codec for each key, under the name that the report uses for the key."""
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


class _Found(NamedTuple):
    """What opening a cookie has shown, with the verdict on its signature in words."""

    verified: bool
    verdict: str
    format: str
    opened: Opened | None = None
    is_ours: bool = True


def _open(token: str, codecs: dict[str, Codec]) -> _Found:
    reason = ""
    for key, codec in codecs.items():
        try:
            opened: Opened | None = codec.decode(token)
            return _Found(True, f"verifies with {key}", _format(token, opened), opened)
        except CookieRejected as error:
            reason = error.reason
    opened = _read_unverified(token)
    if framework := _framework_of(token):
        form = f"{framework}'s, {_move_from(framework, token)}"
        return _Found(False, "not checked, because it is not ours", form, opened, False)
    if opened is None and (reason == "malformed" or not ENCRYPTED.fullmatch(token)):
        verdict = "none: sessionware does not write such a cookie"
        return _Found(False, verdict, "unknown", is_ours=False)
    if codecs:
        verdict, meaning = f"does NOT verify ({reason})", "anyone may have written what follows"
    else:
        verdict, meaning = "not checked, SECRET_KEY is not set", "anyone can read what follows"
    if opened is None:
        meaning = "it looks encrypted, and only its key can decrypt it"
    return _Found(False, f"{verdict}: {meaning}", _format(token, opened), opened)


def _format(token: str, opened: Opened | None) -> str:
    """Return who writes such a cookie: this version, or 1.0, or another use of our codec."""
    kind = "encrypted" if ENCRYPTED.fullmatch(token) else "signed"
    if opened is None:
        return kind
    try:
        _envelope(opened[0])
    except CookieRejected:
        return f"{kind}, but no session"
    is_first = re.match(r"\[\s*-?[0-9]", opened[0])
    return f"{kind}, of version 1.0" if is_first else f"{kind}, of this version"


def _framework_of(token: str) -> str:
    """Return the framework that writes cookies of this form, or ``""``."""
    if re.fullmatch(r"\.?[\w-]+:\w{6}:[\w-]{43}", token, re.ASCII):
        return "Django"
    if re.fullmatch(r"[0-9a-f]{40}[\w+/]+=*", token, re.ASCII):
        return "Beaker"
    if found := re.fullmatch(r"(\.?[\w+/-]+=*)\.[\w-]{6}\.[\w-]{27}", token, re.ASCII):
        return "Starlette" if _is_of_starlette(found[1]) else "Flask"
    return "Pyramid" if _is_of_pyramid(token) else ""


def _move_from(framework: str, token: str) -> str:
    """Return whether users stay logged in by such a cookie."""
    if framework == "Beaker" and re.fullmatch("[0-9a-f]{72}", token):
        return "with the id of a session that Beaker has on the server, which cannot be taken over"
    if framework == "Beaker" and token[40:].startswith("gA"):  # base64 of where a pickle begins
        return "with a pickle, which is never read: set data_serializer to 'json' in Beaker first"
    return f"which {framework}Cookie in migrate_from takes over"


def _is_of_starlette(payload: str) -> bool:
    try:
        text = b64decode(payload, validate=True).decode()
        return json.dumps(json.loads(text)) == text  # Flask writes no spaces
    except (ValueError, RecursionError):
        return False


def _is_of_pyramid(token: str) -> bool:
    try:
        # The payload comes after a signature of SHA-512.
        match json.loads(base64url.decode(token.encode())[64:]):
            case [int() | float(), int() | float(), dict()]:
                return True
    except (ValueError, RecursionError):
        pass
    return False


def _verifies(token: str, key: str, fallbacks: Sequence[str], name: str, salt: str) -> bool:
    return _open(token, _codecs(token, salt, name, key, fallbacks)).verified


def _hints(
    names: Sequence[str], salt: str, assumed: bool, verifies: Callable[[str, str], bool]
) -> Iterator[str]:
    """Yield what to try for a cookie that does not verify: another name, salt or key.

    ``names``: the cookie's, and others that it may have; ``assumed``: it was given without one.
    """
    name = names[0]
    for other, other_salt in product(names, dict.fromkeys((salt, ""))):
        if verifies(other, other_salt):
            changes = [f"--name={_to_json(other)}"] if other != name else []
            changes += ["no --salt"] if other_salt != salt else []
            yield f"{' and '.join(changes)}, with which it verifies"
            return
    if assumed:
        yield f"--name: the cookie was given without its name, and {_to_json(name)} was assumed"
    yield f"--salt: {_to_json(salt)} was given" if salt else "--salt: none was given"
    yield "another SECRET_KEY, or an older one in SECRET_KEY_FALLBACKS"


def _read_unverified(token: str) -> Opened | None:
    # Signed with a throw-away key, it passes through the usual reader with its limits.
    key = secrets.token_bytes()
    codec = SignedCodec(key)
    signer = Signer(key, codec.salt, key_derivation="hmac", digest_method=sha256)
    try:
        opened = codec.decode(signer.sign(token.rpartition(".")[0].encode()).decode())
    except (CookieRejected, UnicodeError):
        return None
    return opened if opened[0] else None


def _contents(opened: Opened, expiry: Expiry, given: Collection[str]) -> Iterator[str]:
    """Yield what the payload holds: a session of this version or of 1.0, but no CSRF token."""
    text, issued, _ = opened
    yield _line("issued", _moment(issued))
    try:
        envelope = _envelope(text)
    except CookieRejected:
        yield _foreign(text)
        return
    yield from _times(issued, envelope, expiry, given)
    if envelope.owner is not None:
        yield _line("owner", dumps(envelope.owner))
    if envelope.ends:
        yield _line("data", "none: a log-out has left this in place of the session")
    elif envelope.data is None:
        yield _line("data", f"in the store, under {key_of(str(envelope.id))}")
    else:
        data = json.loads(envelope.text)  # as it is written, with tags
        sizes = {key: len(_to_json({key: value})) - len("{}") for key, value in data.items()}
        for key in sorted(sizes, key=sizes.__getitem__, reverse=True):
            yield _line("key", f"{sizes[key]} bytes, {_to_json(key)}")
        yield f"data\n{_to_json(data, indent=2)}"


def _envelope(text: str) -> Envelope:
    envelope = unwrap(text)
    if envelope.data is None and envelope.id is None:
        raise CookieRejected("malformed")  # a store has its data under an id
    if is_too_deep(envelope.data, envelope.text):
        raise CookieRejected("malformed")
    return envelope


def _foreign(text: str) -> str:
    try:
        data = _to_json(json.loads(text), indent=2)
    except (ValueError, RecursionError):
        return _line("data", "none: the payload is not readable JSON")
    return f"data, but no session that sessionware writes\n{data}"


def _times(
    issued: int, envelope: Envelope, expiry: Expiry, given: Collection[str]
) -> Iterator[str]:
    created, permanent = issued - envelope.age, envelope.permanent
    ends = _moment(expiry.end(issued, created, permanent))
    try:
        expiry.check(int(time.time()), issued, created, permanent)
    except CookieRejected as error:
        ends = f"{ends}, and is refused now ({error.reason})"
    yield _line("created", _moment(created))
    yield _line("ends", ends)
    yield _line("", _limit("idle_timeout", expiry.idle_timeout, given))
    if "permanent_timeout" in given:
        yield _line("", _limit("permanent_timeout", expiry.permanent_timeout, given))
    yield _line("", _limit("absolute_timeout", expiry.absolute_timeout, given))


def _limit(name: str, seconds: float | None, given: Collection[str]) -> str:
    limit = f"no {name}" if seconds is None else f"{name} of {seconds:.0f} seconds"
    return limit if name in given else f"{limit} (the default)"


def _moment(seconds: int) -> str:
    try:
        return (datetime(1970, 1, 1) + timedelta(seconds=seconds)).isoformat() + "Z"
    except OverflowError:
        return "outside the years 1 to 9999"


def _size(size: int) -> str:
    filled = min(BAR_WIDTH, -(-size * BAR_WIDTH // MAX_PAIR))
    return f"{size} of {MAX_PAIR} bytes [{'#' * filled:.<{BAR_WIDTH}}]"


def _line(label: str, text: str) -> str:
    return f"{label:<10} {text}"


def _to_json(value: Any, indent: int | None = None) -> str:
    """Return printable ASCII, which a terminal does not take for a command."""
    separators = (",", ": " if indent else ":")
    return json.dumps(value, indent=indent, separators=separators, ensure_ascii=True)
