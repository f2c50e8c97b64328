"""SessionInterface, the extension point; and ours: from a cookie to a session and back."""

import difflib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Never, TypedDict
from wsgiref.types import WSGIEnvironment

from werkzeug.datastructures import Headers

from .backend import CookieBackend, backend_of, too_large
from .codec import MAX_TEXT, Codec, SignedCodec, codec_of
from .cookie import MAX_PAIR, SameSite, Secure, SessionCookie, others
from .envelope import unwrap, wrap
from .errors import (
    ConfigurationError,
    CookieRejected,
    Problem,
    SessionTooLarge,
    SessionUnavailable,
    collecting,
    kind_of,
)
from .expiry import Duration, Expiry
from .headers import fields_of, keep_private, names_of, vary_by_cookie
from .keys import SecretKey
from .migration import ForeignCookie
from .serializer import dumps
from .session import Loaded, NullSession, Session, SessionMixin
from .store import Revocations, Store

logger: logging.Logger = logging.getLogger("sessionware")

VAGUE_REASONS = {"bad_signature", "malformed"}
"""What every reader reports for a cookie that is meant for another one."""

# isinstance without the registry of abc.ABCMeta, whose look-up is 3 % of a read.
_is_instance = type.__instancecheck__


class SessionInterface:
    """How sessions are opened and saved: Flask's class, with ``environ`` and response headers.

    Subclass it, and give an instance to ``SessionMiddleware(app, interface=...)``.
    """

    null_session_class = NullSession

    def open_session(self, environ: WSGIEnvironment) -> SessionMixin | None:
        """Return the session of this request, or ``None`` if it could not be loaded.

        A null session stands in for ``None``. No client input may raise an exception here.
        """
        raise NotImplementedError

    def save_session(self, environ: WSGIEnvironment, session: Any, headers: Headers) -> None:
        """Save the session, and add what is needed to the response's headers.

        Called once, when the response is about to begin, unless the session is a null session or
        was not accessed. An exception takes the place of the response.
        """
        raise NotImplementedError

    def make_null_session(self, environ: WSGIEnvironment) -> NullSession:  # noqa: ARG002 - for subclasses
        """Return what stands in for a session that could not be loaded."""
        return self.null_session_class()

    def is_null_session(self, obj: object) -> bool:
        """Return whether this is a null session, which is never saved."""
        return _is_instance(self.null_session_class, obj)


class Settings(TypedDict, total=False):
    """The settings of SecureCookieSessionInterface besides the secret key."""

    secret_key_fallbacks: Sequence[SecretKey]
    salt: str
    cookie_name: str
    cookie_domain: str | None
    cookie_path: str
    cookie_secure: Secure
    cookie_httponly: bool
    cookie_samesite: SameSite
    cookie_partitioned: bool
    idle_timeout: Duration
    absolute_timeout: Duration | None
    refresh_after: Duration | None
    migrate_from: Sequence[ForeignCookie]
    encrypt: bool
    store: Store | None
    revocations: Revocations | None


class SecureCookieSessionInterface(SessionInterface):
    """Sessions in a signed cookie. SessionMiddleware takes the same settings.

    - ``secret_key``: str or bytes, 16 bytes or more; ``None``: every session is a null session.
      ``secret_key_fallbacks``: older keys, still accepted and never signed with. ``salt``: tells
      apart applications that share a key.
    - ``cookie_...``: the attributes of RFC 6265bis; ``cookie_secure="auto"``: Secure where
      ``wsgi.url_scheme`` is https.
    - ``idle_timeout``: since the cookie was last issued; ``absolute_timeout``: since the session
      was created; ``refresh_after``: the age from which a cookie is issued again (``None``: a
      tenth of the idle timeout). A timedelta, or seconds.
    - ``migrate_from``: cookies of other frameworks to take over (see ``sessionware.migration``).
    - ``encrypt``: the client cannot read its cookie. ``store``: sessions are kept there, and the
      cookie carries an id. ``revocations``: a list of ended sessions, so that a log-out holds.

    Raises ConfigurationError with every problem of every setting.
    """

    session_class = Session
    _warned_of_http = False

    def __init__(
        self,
        secret_key: SecretKey | None = None,
        *,
        secret_key_fallbacks: Sequence[SecretKey] = (),
        salt: str = "",
        cookie_name: str = "session",
        cookie_domain: str | None = None,
        cookie_path: str = "/",
        cookie_secure: Secure = "auto",
        cookie_httponly: bool = True,
        cookie_samesite: SameSite = "Lax",
        cookie_partitioned: bool = False,
        idle_timeout: Duration = timedelta(days=31),
        absolute_timeout: Duration | None = None,
        refresh_after: Duration | None = None,
        migrate_from: Sequence[ForeignCookie] = (),
        encrypt: bool = False,
        store: Store | None = None,
        revocations: Revocations | None = None,
        **unknown: Never,
    ) -> None:
        problems = [*map(_unknown_setting, unknown), *_migration_problems(migrate_from)]
        with collecting(problems):
            self.cookie: SessionCookie = SessionCookie(
                name=cookie_name,
                domain=cookie_domain,
                path=cookie_path,
                secure=cookie_secure,
                httponly=cookie_httponly,
                samesite=cookie_samesite,
                partitioned=cookie_partitioned,
            )
        with collecting(problems):
            self.expiry: Expiry = Expiry.of(idle_timeout, absolute_timeout, refresh_after)
        with collecting(problems):
            make = _codec_class(encrypt)
            self.codec: Codec = codec_of(make, secret_key, secret_key_fallbacks, salt, cookie_name)
        with collecting(problems):
            self.backend: CookieBackend = backend_of(store, revocations, self._left)
        if problems:
            raise ConfigurationError(problems)
        self.migrate_from = migrate_from
        self._others = others(self.cookie, [foreign.cookie for foreign in migrate_from])
        self._has_key = secret_key is not None

    def open_session(self, environ: WSGIEnvironment) -> SessionMixin | None:
        """Return a session that reads its cookie on first use; ``None`` without a secret key."""
        if not self._has_key:
            return None
        return self.session_class(self, environ.get("HTTP_COOKIE", ""))

    def load(self, cookie: str) -> Loaded:
        """Return what the first valid cookie of our name in the Cookie header holds."""
        now = int(time.time())
        tokens = self.cookie.find(cookie)
        refused: list[str] = []
        for token in tokens:
            try:
                loaded = self._accept(token, now)
                return self._with_leftovers(loaded, cookie, token) if self._others else loaded
            except CookieRejected as error:
                refused.append(error.reason)
        for foreign in self.migrate_from:
            for token in foreign.cookie.find(cookie):
                try:
                    data, created = foreign.load(token, now)
                    self.expiry.check(now, now, created)
                    adopted = Loaded(data, dumps(data), created, stale=True)
                    return self._with_leftovers(adopted, cookie)
                except CookieRejected as error:
                    refused.append(error.reason)
        if refused:
            reason = next((word for word in refused if word not in VAGUE_REASONS), refused[0])
            _log(logging.INFO, reason, "A session cookie was rejected, a new session begins")
        return Loaded({}, "{}", created=now, came=bool(tokens), new=True)

    def dumps(self, data: dict[str, Any]) -> str:
        """Return the data as JSON text, or raise UnserializableValue."""
        return dumps(data)

    def stamp(self, owner: str) -> str:
        """Return what a session of this owner has to carry from now on."""
        return self.backend.stamp(owner)

    def save_session(self, environ: WSGIEnvironment, session: Any, headers: Headers) -> None:
        """Decide what happens to the cookie: nothing, write or delete.

        Raises UnserializableValue or SessionTooLarge; the browser then keeps what it has.
        """
        if not session.accessed:
            return
        fields = fields_of(headers)
        names = names_of(fields)
        vary_by_cookie(fields, names)
        cookie = self._verdict(session, environ)
        if cookie is None:
            return
        if "set-cookie" in names and self.cookie.is_set(fields):
            _log(
                logging.WARNING,
                "cookie_name_taken",
                f"The response already sets a cookie named {self.cookie.name!r}, the application's "
                "or another SessionMiddleware's, and a browser keeps one of them: give this "
                "SessionMiddleware another cookie_name",
            )
        # A log-out also deletes those that the browser does not send to this path.
        outdated = session.loaded.leftovers if session.alive() else self._others
        for other in outdated:  # before our own, which may have the name of one
            fields.append(("Set-Cookie", other.delete(self._is_secure(other, environ))))
        fields.append(("Set-Cookie", cookie))
        if keep_private(fields, names):
            _log(
                logging.WARNING,
                "shared_cache",
                "A response that sets the session cookie was marked for shared caches: 'public', "
                "'s-maxage' and the header fields that only such caches obey were removed",
            )

    def _verdict(self, session: Session, environ: WSGIEnvironment) -> str | None:
        """Return the Set-Cookie header that writes or deletes; ``None`` if nothing is due."""
        text = session.changes()
        if text is not None:
            if session.alive():
                return self._write(session, text, environ)
            if session.loaded.id is not None:
                self.backend.delete(session.loaded.id, session.loaded.created)
            if session.loaded.came:
                return self.cookie.delete(self._is_secure(self.cookie, environ))
            return None
        # A session that was not opened: the store did not answer, and the application knows it.
        if session.opened and session.loaded.stale and session.alive():
            # Its age may make it a byte too large, or it was ended meanwhile: the old cookie stays.
            with suppress(SessionTooLarge, SessionUnavailable):
                return self._write(session, session.loaded.text, environ)
        return None

    def _accept(self, token: str, now: int) -> Loaded:
        if len(token) > self.cookie.room:
            raise CookieRejected("too_large")
        opened = self.codec.decode(token)
        age, carried, inner, name = unwrap(opened.text)
        created = opened.issued - age
        self.expiry.check(now, opened.issued, created)
        data, inner = self.backend.load(carried, inner, name)
        stale = self.expiry.is_due(now, opened.issued) or (name is None and self.backend.needs_id)
        if opened.old_key:
            _log(logging.INFO, "old_key", "A session cookie was verified by a fallback key")
        return Loaded(data, inner, created, id=name, stale=stale or opened.old_key)

    def _with_leftovers(self, loaded: Loaded, header: str, ours: str | None = None) -> Loaded:
        """Have other frameworks' cookies deleted, or one would be taken over after a log-out."""
        leftovers = tuple(other for other in self._others if {*other.find(header)} - {ours})
        return replace(loaded, leftovers=leftovers, stale=loaded.stale or bool(leftovers))

    def _write(self, session: Session, text: str, environ: WSGIEnvironment) -> str:
        now = int(time.time())
        created, name = session.identity()
        if self.backend.needs_id:
            name = session.id
        wrapped = wrap(now - created, text if self.backend.in_cookie else "null", name)
        if len(wrapped) > MAX_TEXT:
            raise too_large("The session's JSON", len(wrapped), MAX_TEXT, session)
        value = self.codec.encode(wrapped, now)
        if len(value) > self.cookie.room:
            raise too_large("The session cookie", self.cookie.size(value), MAX_PAIR, session)
        # Last: if anything before it fails, the session that the browser has must not have ended.
        self.backend.save(session, text)
        secure = self._is_secure(self.cookie, environ)
        if not session.permanent:
            return self.cookie.write(value, secure)
        max_age = self.expiry.max_age(now, created)
        return self.cookie.write(value, secure, (max_age, now + max_age))

    def _left(self, created: int) -> int:
        return self.expiry.left(int(time.time()), created)

    def _is_secure(self, cookie: SessionCookie, environ: WSGIEnvironment) -> bool:
        if environ["wsgi.url_scheme"] == "https":
            return cookie.secure is not False
        if cookie is self.cookie and cookie.always_secure and not self._warned_of_http:
            self._warned_of_http = True
            _log(
                logging.WARNING,
                "insecure_transport",
                "A Secure session cookie was set over http, and browsers drop it there: serve "
                "https, or set cookie_secure='auto' and a cookie_name without a prefix; behind "
                "a proxy that ends TLS, put werkzeug's ProxyFix around SessionMiddleware",
            )
        return cookie.always_secure


def _codec_class(encrypt: object) -> Callable[..., Codec]:
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


def _migration_problems(migrate_from: object) -> Iterator[Problem]:
    if not isinstance(migrate_from, list | tuple):
        yield Problem(
            "migrate_from", f"found {type(migrate_from).__name__}, expected a list or tuple"
        )
        return
    for index, foreign in enumerate(migrate_from):
        if not isinstance(foreign, ForeignCookie):
            yield Problem(
                f"migrate_from[{index}]", f"found {kind_of(foreign)}, expected a ForeignCookie"
            )


def _unknown_setting(name: str) -> Problem:
    known = {"secret_key", *Settings.__annotations__, "environ_key", "interface"} - {name}
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return Problem(name, "unknown setting", f"did you mean {near[0]}?" if near else "")


def _log(level: int, reason: str, message: str) -> None:
    logger.log(level, "%s (%s).", message, reason, extra={"reason": reason})
