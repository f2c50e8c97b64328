"""Readers for former session cookies: of our own settings before a change, and of frameworks.

Each reader knows one format, and verifies the signature before it decodes anything. The formats of
Flask, Starlette, Django, Pyramid and Beaker are taken from their source, and nothing is imported
from them.
"""

import hashlib
import hmac
import json
import math
import string
import zlib
from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, reduce
from operator import attrgetter
from typing import Any, ClassVar
from uuid import UUID

from itsdangerous import Signer, want_bytes
from markupsafe import Markup
from werkzeug.http import parse_date

from . import base64url
from .codec import Codec, SignedCodec, inflate
from .cookie import SessionCookie, cookie_at
from .errors import (
    ConfigurationError,
    CookieRejected,
    Problem,
    UnserializableValue,
    collecting,
    kind_of,
)
from .expiry import Duration, Expiry
from .keys import (
    BoundIds,
    SecretKey,
    TokenMask,
    fallback_problems,
    key_problems,
    purpose_of,
    salt_problems,
)
from .reader import Reader, Verified, backend_of, backend_problems
from .serializer import dumps
from .session import Loaded, Owner, plain_owner
from .store import Revocations, Store

# What decoding raises if the key has signed something that the framework does not write.
_MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
# A pickle of protocol 2 or later begins so, and neither UTF-8 nor zlib does.
_PICKLE = b"\x80"


class FormerCookie(ABC):
    """A cookie that held the session before, for ``migrate_from``, and how it is read."""

    secret_keys: Sequence[SecretKey] = ()
    """Our own keys from before. Ids that were derived from one stay known."""

    @property
    @abstractmethod
    def cookie(self) -> SessionCookie:
        """The cookie, by which it is found and deleted."""

    @abstractmethod
    def load(self, value: str, now: int) -> Loaded:
        """Return the session that the cookie's value holds. Raises CookieRejected."""

    @abstractmethod
    def id_of(self, value: str) -> tuple[str | None, int]:
        """Return the id in the cookie's value, and when its session began, be it over or not.

        Raises CookieRejected if the value is not one of these cookies'.
        """

    def newest_first(self, values: list[str], now: int) -> list[str]:  # noqa: ARG002 - SessionwareCookie uses it
        """Return the cookie's values in the order in which they count."""
        return values

    def verified(self, values: list[str], now: int) -> list[Verified]:  # noqa: ARG002 - SessionwareCookie uses both
        """Return what the values carry that are valid, the newest first, if they are our own."""
        return []

    def check_ended(self, loaded: Loaded, ids: Sequence[str]) -> None:  # noqa: B027 - as below
        """Raise CookieRejected if the session of an even older cookie has ended here.

        ``ids``: the ids that it can have.
        """

    def end(self, session_id: str, created: int) -> None:  # noqa: B027 - most are kept nowhere
        """End the session with this id where it was kept before, if it was kept there.

        Raise SessionUnavailable, and nothing else, if that does not answer.
        """


class SessionwareCookie(FormerCookie):
    """Our own cookie under former settings, with the names and defaults of SessionMiddleware.

    The session goes on, with its data, ``created``, ``id``, CSRF token and owner. The former
    timeouts apply to the cookie, and so do the present ones. If ``revocations`` changes, change
    ``salt`` too: a cookie with the present key and salt is read as a present one, and the former
    list is not asked. Raises ConfigurationError with every problem, and never shows a key.
    """

    def __init__(
        self,
        secret_key: SecretKey,
        *,
        secret_key_fallbacks: Sequence[SecretKey] = (),
        salt: str = "",
        cookie_name: str = "session",
        cookie_domain: str | None = None,
        cookie_path: str = "/",
        cookie_partitioned: bool = False,
        idle_timeout: Duration = timedelta(days=31),
        permanent_timeout: Duration | None = None,
        absolute_timeout: Duration | None = None,
        encrypt: bool = False,
        store: Store | None = None,
        revocations: Revocations | None = None,
    ) -> None:
        problems: list[Problem] = []
        with collecting(problems):
            self._cookie = cookie_at(cookie_name, cookie_domain, cookie_path, cookie_partitioned)
        with collecting(problems):
            expiry = Expiry.of(idle_timeout, absolute_timeout, None, permanent_timeout)
        make: Callable[..., Codec] = SignedCodec  # checks the keys even if encrypt is wrong
        with collecting(problems):
            make = codec_class(encrypt)
        with collecting(problems):
            codec = make(secret_key, secret_key_fallbacks, salt, cookie_name)
        problems += backend_problems(store, revocations)
        if problems:
            raise ConfigurationError(
                problem._replace(setting=f"SessionwareCookie: {problem.setting}")
                for problem in problems
            )
        self.secret_keys: Sequence[SecretKey] = (secret_key, *secret_key_fallbacks)
        mask = TokenMask((secret_key, *secret_key_fallbacks), purpose_of("csrf", cookie_name, salt))
        backend = backend_of(store, revocations, expiry, adopts=False, bound_ids=BoundIds(()))
        self._reader = Reader(self._cookie.room, codec, mask, expiry, backend)

    @property
    def cookie(self) -> SessionCookie:
        """The cookie, by which it is found and deleted."""
        return self._cookie

    def load(self, value: str, now: int) -> Loaded:
        """Return the session that the cookie's value holds. Raises CookieRejected."""
        verified = self._reader.verify(value, now)
        if verified.ends:
            raise CookieRejected("revoked")
        loaded = self._reader.accept(verified, now)
        if loaded.renewed:
            raise CookieRejected("revoked")
        loaded.urgent = self._reader.expiry.is_half_over(now, loaded.issued, loaded.permanent)
        return loaded

    def id_of(self, value: str) -> tuple[str | None, int]:
        """Return the id in the cookie's value, and when its session began, be it over or not."""
        return self._reader.id_of(value)

    def newest_first(self, values: list[str], now: int) -> list[str]:
        """Return the values, the newest first, up to the empty one that a log-out has left."""
        if len(values) < 2:
            return values
        found = self.verified(values, now)
        for count, each in enumerate(found, 1):
            if each.ends:
                return [each.token for each in found[:count]]
        tokens = [each.token for each in found]
        return tokens + [value for value in values if value not in tokens]  # load says why not

    def verified(self, values: list[str], now: int) -> list[Verified]:
        """Return what the values carry that are valid, the newest first."""
        found = []
        for value in values:
            with suppress(CookieRejected):
                found.append(self._reader.verify(value, now))
        return sorted(found, key=attrgetter("issued"), reverse=True)

    def check_ended(self, loaded: Loaded, ids: Sequence[str]) -> None:
        """Raise CookieRejected if the former store or list says that the session has ended."""
        self._reader.backend.adopt(loaded, ids, ids)

    def end(self, session_id: str, created: int) -> None:
        """End the session with this id in the former store or list."""
        self._reader.backend.end(session_id, created)


@dataclass(frozen=True, eq=False, repr=False)
class ForeignCookie(FormerCookie):
    """A framework's cookie.

    The settings have the framework's names, and ``_names`` maps ours to them. ``owner`` is a
    function of a session's data that returns the owner or ``None``; without it, nobody owns the
    session. Raises ConfigurationError with every problem, and never shows a key.
    """

    owner: Callable[[dict[str, Any]], Owner | None] | None = field(default=None, kw_only=True)

    _names: ClassVar[dict[str, str]] = {}

    def __post_init__(self) -> None:
        """Raise ConfigurationError with every problem, under the framework's names."""
        problems = [*self._problems()]
        for check in ("cookie", "_expiry"):
            with collecting(problems):
                getattr(self, check)
        if problems:
            raise ConfigurationError(map(self._in_their_words, problems))

    def _in_their_words(self, problem: Problem) -> Problem:
        setting = self._names.get(problem.setting, problem.setting)
        # Without the advice: a new key would verify none of their cookies.
        return Problem(f"{type(self).__name__}: {setting}", problem.text)

    @cached_property
    def cookie(self) -> SessionCookie:
        """The framework's cookie, by which it is found and deleted."""
        name, domain, path = map(self._setting, ("cookie_name", "cookie_domain", "cookie_path"))
        return cookie_at(name, domain, path, self._setting("cookie_partitioned", False))

    def load(self, value: str, now: int) -> Loaded:
        """Return the session that the cookie's value holds, created when it was issued.

        The data has ``_permanent`` if the cookie outlives the browser. Raises CookieRejected, and
        nothing else.
        """
        data, issued, permanent = self._verified(value)
        self._expiry.check(now, issued, issued)
        if data and permanent:
            data["_permanent"] = True
        try:
            text = dumps(data)  # or else the first response would fail
        except _MALFORMED:
            raise CookieRejected("malformed") from None
        owner, urgent = self._owner_of(data), self._expiry.is_half_over(now, issued, permanent)
        return Loaded(data, text, issued, issued, owner=owner, urgent=urgent)

    def id_of(self, value: str) -> tuple[None, int]:
        """Return ``None``, and when the cookie was issued, be its session over or not."""
        _, issued, _ = self._verified(value)
        return None, issued

    def _verified(self, value: str) -> tuple[dict[str, Any], int, bool]:
        """Return what ``_read`` does. Raises CookieRejected, and nothing else."""
        if len(value) > self.cookie.room:
            raise CookieRejected("too_large")
        try:
            data, issued, permanent = self._read(value.encode("ascii"))
            return {**data}, issued, permanent
        except (*_MALFORMED, zlib.error):
            raise CookieRejected("malformed") from None

    def _owner_of(self, data: dict[str, Any]) -> Owner | None:
        """Return whom the session belongs to. Raises CookieRejected if the function fails.

        A session without its owner would be one that revoke_owner cannot end.
        """
        try:
            owner = None if self.owner is None else self.owner(deepcopy(data))
            return None if owner is None else plain_owner(owner, "owner")
        except Exception as error:
            is_ours = isinstance(error, UnserializableValue)
            told = str(error) if is_ours else f"owner: raised {type(error).__qualname__}"
            advice = "return None for the data of a visitor"
            raise CookieRejected("malformed", f"{type(self).__name__}: {told}; {advice}") from None

    @abstractmethod
    def _read(self, value: bytes) -> tuple[Any, int, bool]:
        """Verify and decode; return the data, the time of issue, and if it outlives the browser."""

    def _problems(self) -> Iterable[Problem]:
        yield from key_problems("secret_key", self._setting("secret_key"))
        yield from fallback_problems(self._setting("secret_key_fallbacks", ()))
        yield from salt_problems(self._setting("salt", ""))
        if self.owner is not None and not callable(self.owner):
            found = kind_of(self.owner)
            yield Problem("owner", f"found {found}, expected a function of a session's data")

    def _setting(self, name: str, default: Any = None) -> Any:
        return getattr(self, self._names.get(name, name), default)

    @cached_property
    def _expiry(self) -> Expiry:
        limit = self._setting("idle_timeout")
        return Expiry(math.inf, None, None, math.inf) if limit is None else Expiry.of(limit)


@dataclass(frozen=True, eq=False, repr=False)
class FlaskCookie(ForeignCookie):
    """Flask's ``SecureCookieSessionInterface``: the names of its settings in lower case."""

    secret_key: SecretKey
    secret_key_fallbacks: Sequence[SecretKey] = ()
    session_cookie_name: str = "session"
    session_cookie_domain: str | None = None
    session_cookie_path: str = "/"
    session_cookie_partitioned: bool = False
    permanent_session_lifetime: Duration = timedelta(days=31)
    salt: str = "cookie-session"

    _names: ClassVar = {
        "cookie_name": "session_cookie_name",
        "cookie_domain": "session_cookie_domain",
        "cookie_path": "session_cookie_path",
        "cookie_partitioned": "session_cookie_partitioned",
        "idle_timeout": "permanent_session_lifetime",
    }

    def _read(self, value: bytes) -> tuple[Any, int, bool]:
        keys = (self.secret_key, *self.secret_key_fallbacks)
        signers = [Signer(key, self.salt, b".", "hmac", hashlib.sha1) for key in keys]
        payload, moment = _unsign(signers, value)
        # The data has "_permanent" itself if the cookie outlives the browser.
        return _parse(_unpack(payload), _untag), _from_big_endian(moment), False


@dataclass(frozen=True, eq=False, repr=False)
class StarletteCookie(ForeignCookie):
    """Starlette's ``SessionMiddleware``, which FastAPI uses too: the names of its arguments."""

    secret_key: SecretKey
    session_cookie: str = "session"
    max_age: Duration | None = 14 * 24 * 60 * 60
    path: str = "/"
    domain: str | None = None
    partitioned: bool = False

    _names: ClassVar = {
        "cookie_name": "session_cookie",
        "cookie_domain": "domain",
        "cookie_path": "path",
        "cookie_partitioned": "partitioned",
        "idle_timeout": "max_age",
    }

    def _read(self, value: bytes) -> tuple[Any, int, bool]:
        # As in Starlette: if the key is bytes, their repr is used.
        signer = Signer(str(self.secret_key), digest_method=hashlib.sha1)
        payload, moment = _unsign([signer], value)
        data = _parse(b64decode(payload))
        # The key may have signed something else with itsdangerous' default salt.
        if type(data) is not dict or b64encode(json.dumps(data).encode()) != payload:
            raise CookieRejected("malformed")
        return data, _from_big_endian(moment), self.max_age is not None


@dataclass(frozen=True, eq=False, repr=False)
class DjangoCookie(ForeignCookie):
    """Django's ``signed_cookies`` backend with JSONSerializer: its settings in lower case.

    Keys such as ``_auth_user_id`` are kept, because without them users are logged out. Of
    ``_session_expiry`` only remains whether the session ends with the browser.
    """

    secret_key: SecretKey
    secret_key_fallbacks: Sequence[SecretKey] = ()
    session_cookie_name: str = "sessionid"
    session_cookie_age: Duration = 14 * 24 * 60 * 60
    session_cookie_domain: str | None = None
    session_cookie_path: str = "/"
    session_expire_at_browser_close: bool = False

    _names: ClassVar = {
        "cookie_name": "session_cookie_name",
        "cookie_domain": "session_cookie_domain",
        "cookie_path": "session_cookie_path",
        "idle_timeout": "session_cookie_age",
    }

    def _read(self, value: bytes) -> tuple[Any, int, bool]:
        salt = "django.contrib.sessions.backends.signed_cookies"
        keys = (self.secret_key, *self.secret_key_fallbacks)
        signers = [Signer(key, salt, b":", "django-concat", hashlib.sha256) for key in keys]
        payload, moment = _unsign(signers, value)
        data = _parse(_unpack(payload))
        expiry = data.pop("_session_expiry", None)
        until_closed = self.session_expire_at_browser_close if expiry is None else expiry == 0
        return data, _from_base62(moment), not until_closed


@dataclass(frozen=True, eq=False, repr=False)
class PyramidCookie(ForeignCookie):
    """Pyramid's ``SignedCookieSessionFactory`` with JSONSerializer: the names of its arguments."""

    secret: SecretKey
    cookie_name: str = "session"
    max_age: int | None = None
    path: str = "/"
    domain: str | None = None
    timeout: Duration | None = 1200
    hashalg: str = "sha512"
    salt: str = "pyramid.session."

    _names: ClassVar = {
        "secret_key": "secret",
        "cookie_domain": "domain",
        "cookie_path": "path",
        "idle_timeout": "timeout",
    }

    def _read(self, value: bytes) -> tuple[Any, int, bool]:
        # The bytes are signed, and base64 has several spellings of them, of which one is valid.
        raw = base64url.decode(value)
        size = hashlib.new(self.hashalg).digest_size
        signature, plain = raw[:size], raw[size:]
        key = _joined(self.salt, self.secret)
        if not hmac.compare_digest(hmac.digest(key, plain, self.hashalg), signature):
            raise CookieRejected("bad_signature")
        if base64url.encode(raw) != value:
            raise CookieRejected("malformed")
        accessed, _, data = _parse(plain)
        data.pop("_csrft_", None)  # of another form than ours, and made again on first use
        return data, int(accessed), self.max_age is not None

    def _problems(self) -> Iterable[Problem]:
        yield from super()._problems()
        try:
            hmac.digest(b"", b"", self.hashalg)
        except (AttributeError, TypeError, ValueError):
            yield Problem(
                "hashalg", f"found {self.hashalg!r}, expected the name of a hash for HMAC"
            )


@dataclass(frozen=True, eq=False, repr=False)
class BeakerCookie(ForeignCookie):
    """Beaker's cookie-only sessions, signed and in JSON, not encrypted: its settings."""

    validate_key: SecretKey
    key: str = "beaker.session.id"
    timeout: Duration | None = None
    cookie_expires: bool | int | timedelta | datetime = True
    cookie_domain: str | None = None
    cookie_path: str = "/"
    data_serializer: str = "json"

    _names: ClassVar = {
        "secret_key": "validate_key",
        "cookie_name": "key",
        "idle_timeout": "timeout",
    }
    _BOOKKEEPING = ("_accessed_time", "_creation_time", "_domain", "_id", "_path")

    def _read(self, value: bytes) -> tuple[Any, int, bool]:
        signature, payload = value[:40], value[40:]
        expected = hmac.digest(want_bytes(self.validate_key), payload, "sha1").hex()
        if not hmac.compare_digest(expected.encode(), signature):
            raise CookieRejected("bad_signature")
        small = b64decode(payload)
        data = _parse(small if small.startswith(_PICKLE) else inflate(small))
        issued = int(data["_accessed_time"])
        data = {name: data[name] for name in data if name not in self._BOOKKEEPING}
        return data, issued, self.cookie_expires is not True

    def _problems(self) -> Iterable[Problem]:
        yield from super()._problems()
        if self.data_serializer != "json":
            yield Problem("data_serializer", f"found {self.data_serializer!r}, expected 'json'")


def codec_class(encrypt: object) -> Callable[..., Codec]:
    """Return the class of the codec for this setting. Raises ConfigurationError."""
    if encrypt is False:
        return SignedCodec
    if encrypt is not True:
        found = type(encrypt).__name__
        raise ConfigurationError([Problem("encrypt", f"found {found}, expected True or False")])
    try:
        from .encryption import EncryptedCodec
    except ImportError:
        problem = Problem(
            "encrypt",
            "found True, but the package cryptography is not installed",
            "pip install 'sessionware[encryption]'",
        )
        raise ConfigurationError([problem]) from None
    return EncryptedCodec


def _unsign(signers: Sequence[Signer], value: bytes) -> tuple[bytes, bytes]:
    """Return the payload and the time that one of the keys has signed."""
    signed, _, signature = value.rpartition(signers[0].sep)
    # Compared as text: base64 has several spellings of the same bytes, and one is valid.
    if not any(hmac.compare_digest(each.get_signature(signed), signature) for each in signers):
        raise CookieRejected("bad_signature")
    payload, _, moment = signed.rpartition(signers[0].sep)
    return payload, moment


def _unpack(payload: bytes) -> bytes:
    """Decode base64, and decompress, as itsdangerous and Django do."""
    plain = base64url.decode(payload.removeprefix(b"."))
    return inflate(plain) if payload.startswith(b".") else plain


def _from_big_endian(moment: bytes) -> int:
    return int.from_bytes(base64url.decode(moment), "big")


def _from_base62(moment: bytes) -> int:
    digits = f"{string.digits}{string.ascii_uppercase}{string.ascii_lowercase}".encode()
    return reduce(lambda number, digit: number * 62 + digits.index(digit), moment, 0)


def _parse(plain: bytes, hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    if plain.startswith(_PICKLE):
        raise CookieRejected("pickled")
    return json.loads(plain.decode(), object_hook=hook)


def _untag(found: dict[str, Any]) -> Any:
    """Return the value that Flask's TaggedJSONSerializer writes as an object with one key."""
    [tag] = found if len(found) == 1 else [""]
    return _UNTAGGERS[tag](found[tag]) if tag in _UNTAGGERS else found


_UNTAGGERS: dict[str, Callable[[Any], Any]] = {
    " b": b64decode,
    " d": parse_date,
    " di": lambda inner: {key[:-2]: value for key, value in inner.items()},
    " m": Markup,
    " t": tuple,
    " u": UUID,
}


def _joined(salt: str, secret: SecretKey) -> bytes:
    """Return salt and secret joined as in WebOb: in Latin-1, or else both in UTF-8."""
    try:
        return want_bytes(salt, "latin-1") + want_bytes(secret, "latin-1")
    except UnicodeEncodeError:
        return want_bytes(salt) + want_bytes(secret)
