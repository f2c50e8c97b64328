"""From a request's cookie to a session, from a session to a Set-Cookie header."""

import difflib
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Never, TypedDict
from wsgiref.types import WSGIEnvironment

from werkzeug.datastructures import Headers

from .codec import LONGEST_TEXT, CookieStore, SecretKey, Store, codec_of
from .cookie import LONGEST_PAIR, SameSite, Secure, SessionCookie, others
from .envelope import unwrap, wrap
from .errors import ConfigurationError, CookieRejected, SessionTooLarge, collecting
from .expiry import Duration, Expiry
from .headers import fields_of, keep_private, vary_by_cookie
from .migration import ForeignCookie
from .serializer import dumps
from .session import Loaded, NullSession, Session, SessionMixin

logger = logging.getLogger("sessionware")


class SessionInterface:
    """The extension point, Flask's: how a session is opened and how it is saved.

    Subclass it, and give an instance to ``SessionMiddleware(app, interface=...)``.
    """

    null_session_class = NullSession

    def open_session(self, environ: WSGIEnvironment) -> SessionMixin | None:
        """Give the session of this request; ``None`` where it could not be loaded.

        A null session stands in for ``None``. What a client sends must never raise here.
        """
        raise NotImplementedError

    def save_session(self, environ: WSGIEnvironment, session: Any, headers: Headers) -> None:
        """Save the session, and change the response's headers as that needs.

        Called once, when the response is about to begin; not for a null session, nor for
        one that was not accessed. What it raises is raised instead of the response.
        """
        raise NotImplementedError

    def make_null_session(self, environ: WSGIEnvironment) -> NullSession:  # noqa: ARG002 - for subclasses
        """Give what stands in for a session that could not be loaded."""
        return self.null_session_class()

    def is_null_session(self, obj: object) -> bool:
        """Whether this is such a stand-in, which is never saved."""
        return isinstance(obj, self.null_session_class)


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


class SecureCookieSessionInterface(SessionInterface):
    """Sessions in a signed cookie. SessionMiddleware takes the same settings.

    - ``secret_key``: str or bytes, of 16 bytes or more; ``None``: every session is a null session.
      ``secret_key_fallbacks``: older keys, accepted and never signed with. ``salt``: tells apart
      applications that share a key.
    - ``cookie_...``: the attributes of RFC 6265bis; ``cookie_secure="auto"``: Secure where
      ``wsgi.url_scheme`` is https.
    - ``idle_timeout`` since the cookie was last issued, ``absolute_timeout`` since the session
      was created, ``refresh_after``, the age from which it is issued again (``None``: a tenth of
      the idle timeout): a timedelta, or seconds.
    - ``migrate_from``: other frameworks' cookies, as ``sessionware.migration`` has them.

    Raises ConfigurationError with every problem of every setting.
    """

    session_class = Session
    dumps = staticmethod(dumps)
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
        **unknown: Never,
    ) -> None:
        problems = [*map(_unknown_setting, unknown), *_migration_problems(migrate_from)]
        with collecting(problems):
            self.cookie = SessionCookie(
                cookie_name,
                cookie_domain,
                cookie_path,
                cookie_secure,
                cookie_httponly,
                cookie_samesite,
                cookie_partitioned,
            )
        with collecting(problems):
            self.expiry = Expiry.of(idle_timeout, absolute_timeout, refresh_after)
        with collecting(problems):
            self.codec = codec_of(secret_key, secret_key_fallbacks, salt, cookie_name)
        if problems:
            raise ConfigurationError(problems)
        self.migrate_from = migrate_from
        self._others = others(self.cookie, [foreign.cookie for foreign in migrate_from])
        self._has_key = secret_key is not None
        self.store: Store = CookieStore(self.codec)

    def open_session(self, environ: WSGIEnvironment) -> SessionMixin | None:
        """Give a session that reads its cookie on first use; ``None`` without a secret key."""
        if not self._has_key:
            return None
        return self.session_class(self, environ.get("HTTP_COOKIE", ""))

    def load(self, cookie: str) -> Loaded:
        """Give what the first valid cookie of our name in the Cookie header holds."""
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
            # Each reader finds the others' cookies badly signed: of more, the first is told.
            told = [word for word in refused if word not in ("bad_signature", "malformed")]
            _log(
                logging.INFO,
                (told or refused)[0],
                "A session cookie was rejected, a new session begins",
            )
        return Loaded({}, "{}", now, new=True, came=bool(tokens))

    def save_session(self, environ: WSGIEnvironment, session: Any, headers: Headers) -> None:
        """Decide what happens to the cookie: nothing, write or delete.

        Raises UnserializableValue or SessionTooLarge; the browser then keeps what it has.
        """
        if not session.accessed:
            return
        fields = fields_of(headers)
        vary_by_cookie(fields)
        cookie = self._verdict(session, environ)
        if cookie is None:
            return
        if self.cookie.is_set(fields):
            _log(
                logging.WARNING,
                "cookie_name_taken",
                f"The response sets a cookie named {self.cookie.name!r} already, the application's "
                "or another SessionMiddleware's, and a browser keeps one of them: give this "
                "SessionMiddleware another cookie_name",
            )
        # At a log-out also those that this path does not get; ours comes last, and so it stays.
        for other in session.loaded.leftovers if session.alive() else self._others:
            secure = other.is_secure(environ["wsgi.url_scheme"])
            fields.append(("Set-Cookie", other.delete(secure)))
        fields.append(("Set-Cookie", cookie))
        if keep_private(fields):
            _log(
                logging.WARNING,
                "shared_cache",
                "A response that sets the session cookie was marked for shared caches: 'public' "
                "and 's-maxage' were taken out of its Cache-Control",
            )

    def _verdict(self, session: Session, environ: WSGIEnvironment) -> str | None:
        """Give the Set-Cookie header that writes or deletes; ``None`` where nothing is due."""
        text = session.changes()
        if text is not None:
            if session.alive():
                return self._write(session, text, environ)
            if session.loaded.token is not None:
                self.store.delete(session.loaded.token)
            return self.cookie.delete(self._is_secure(environ)) if session.loaded.came else None
        if session.loaded.stale and session.alive():
            with suppress(SessionTooLarge):  # by a byte or two, as its age grows: keep the old one
                return self._write(session, session.loaded.text, environ)
        return None

    def _accept(self, token: str, now: int) -> Loaded:
        if self.cookie.size(token) > LONGEST_PAIR:
            raise CookieRejected("too_large")
        text, issued, old_key = self.store.load(token)
        age, data, inner, name = unwrap(text)
        created = issued - age
        self.expiry.check(now, issued, created)
        if old_key:
            _log(logging.INFO, "old_key", "A session cookie was verified by a fallback key")
        stale = old_key or self.expiry.is_due(now, issued)
        return Loaded(data, inner, created, name, token, stale=stale)

    def _with_leftovers(self, loaded: Loaded, header: str, ours: str | None = None) -> Loaded:
        """Have the other frameworks' cookies deleted, or a log-out would bring one back."""
        leftovers = tuple(other for other in self._others if {*other.find(header)} - {ours})
        return loaded._replace(leftovers=leftovers, stale=loaded.stale or bool(leftovers))

    def _write(self, session: Session, text: str, environ: WSGIEnvironment) -> str:
        now = int(time.time())
        created, name = session.identity()
        wrapped = wrap(now - created, text, name)
        if len(wrapped) > LONGEST_TEXT:
            raise SessionTooLarge(
                "The session's JSON", len(wrapped), LONGEST_TEXT, _largest_keys(session)
            )
        value = self.store.save(wrapped, now, session.loaded.token)
        size = self.cookie.size(value)
        if size > LONGEST_PAIR:
            raise SessionTooLarge("The session cookie", size, LONGEST_PAIR, _largest_keys(session))
        secure = self._is_secure(environ)
        if not session.permanent:
            return self.cookie.write(value, secure)
        max_age = self.expiry.max_age(now, created)
        return self.cookie.write(value, secure, (max_age, now + max_age))

    def _is_secure(self, environ: WSGIEnvironment) -> bool:
        scheme = environ["wsgi.url_scheme"]
        secure = self.cookie.is_secure(scheme)
        if secure and scheme != "https" and not self._warned_of_http:
            self._warned_of_http = True
            _log(
                logging.WARNING,
                "insecure_transport",
                "A Secure session cookie was set over http, and browsers drop it there: serve "
                "https, or set cookie_secure='auto' and a cookie_name without a prefix; behind "
                "a proxy that ends TLS, put werkzeug's ProxyFix around SessionMiddleware",
            )
        return secure


def _largest_keys(session: Session) -> list[tuple[str, int]]:
    sizes = ((key, len(dumps({key: value})) - len("{}")) for key, value in session.items())
    return sorted(sizes, key=lambda item: item[1], reverse=True)[:3]


def _migration_problems(migrate_from: object) -> Iterator[str]:
    if not isinstance(migrate_from, list | tuple):
        yield f"migrate_from: found {type(migrate_from).__name__}, expected a list or tuple"
        return
    for index, foreign in enumerate(migrate_from):
        if not isinstance(foreign, ForeignCookie):
            found = (
                f"the class {foreign.__name__}"
                if isinstance(foreign, type)
                else type(foreign).__name__
            )
            yield f"migrate_from[{index}]: found {found}, expected a ForeignCookie"


def _unknown_setting(name: str) -> str:
    known = {"secret_key", *Settings.__annotations__, "environ_key", "interface"} - {name}
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f"{name}: unknown setting" + (f"; did you mean {near[0]}?" if near else "")


def _log(level: int, reason: str, message: str) -> None:
    logger.log(level, "%s (%s).", message, reason, extra={"reason": reason})
