"""SessionInterface, the extension point; and ours: from a cookie to a session and back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Never, TypedDict
from wsgiref.types import WSGIEnvironment

from werkzeug.datastructures import Headers

from .adoption import Adoption, client_of
from .advice import advice_on
from .backend import CookieBackend
from .codec import Codec, SignedCodec, codec_of
from .cookie import SameSite, Secure, SessionCookie
from .device import Binding, device_problems
from .errors import ConfigurationError, Problem, collecting, kind_of
from .expiry import Duration, Expiry, WithoutRefresh
from .headers import Fields, fields_of, is_shared, keep_private, names_of, vary_by_cookie
from .keys import BoundIds, SecretKey, TokenMask, purpose_of
from .loader import Loader
from .log import Warnings
from .migration import FormerCookie, codec_class
from .reader import Reader, backend_of, backend_problems
from .saver import Saver
from .serializer import dumps
from .session import Loaded, NullSession, Owner, Session, SessionMixin, State
from .store import Revocations, Store

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

    def _keep_private(self, fields: Fields, names: str) -> None:
        """Keep a response that sets the cookie out of shared caches."""
        keep_private(fields, names)


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
    permanent_timeout: Duration | None
    absolute_timeout: Duration | None
    refresh_after: Duration | None
    migrate_from: Sequence[FormerCookie]
    encrypt: bool
    store: Store | None
    revocations: Revocations | None
    device_bound: bool
    device_bound_lifetime: Duration
    device_bound_path: str


class SecureCookieSessionInterface(SessionInterface):
    """Sessions in a signed cookie. SessionMiddleware takes the same settings.

    - ``secret_key``: str or bytes, 16 bytes or more; ``None``: every session is a null session.
      ``secret_key_fallbacks``: older keys, still accepted and never signed with. ``salt``: tells
      apart applications that share a key.
    - ``cookie_...``: the attributes of RFC 6265bis; ``cookie_secure="auto"``: Secure where
      ``wsgi.url_scheme`` is https.
    - ``idle_timeout``: since the cookie was last issued; ``permanent_timeout``: the same for a
      permanent session (``None``: no other); ``absolute_timeout``: since the session was created;
      ``refresh_after``: the age from which a cookie is issued again (``None``: a tenth of the idle
      timeout; 0: always). A timedelta, or seconds. With ``revocations``, a longer timeout revives
      ended sessions that the list has forgotten: change ``salt`` with it, and put a
      SessionwareCookie with the former timeout into ``migrate_from``.
    - ``migrate_from``: former cookies whose sessions go on, those of the last settings first (see
      ``sessionware.migration``).
    - ``encrypt``: the client cannot read its cookie. ``store``: sessions are kept there, and the
      cookie carries an id. ``revocations``: a list of ended sessions, so that a log-out holds.
    - ``device_bound``: after a log-in over https, browsers that can bind the session to the device,
      so that it counts only if they have proved that within ``device_bound_lifetime``, a timedelta
      or seconds, at least 5 minutes. ``device_bound_path``: where they do so, below SCRIPT_NAME.
      SessionMiddleware answers there.

    Raises ConfigurationError with every problem of every setting.
    """

    session_class = Session
    expiry_class = Expiry

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
        permanent_timeout: Duration | None = None,
        absolute_timeout: Duration | None = None,
        refresh_after: Duration | None = None,
        migrate_from: Sequence[FormerCookie] = (),
        encrypt: bool = False,
        store: Store | None = None,
        revocations: Revocations | None = None,
        device_bound: bool = False,
        device_bound_lifetime: Duration = timedelta(minutes=10),
        device_bound_path: str = "/.dbsc",
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
        timeouts = idle_timeout, absolute_timeout, refresh_after, permanent_timeout
        with collecting(problems):
            self.expiry: Expiry = self.expiry_class.of(*timeouts)
        make: Callable[..., Codec] = SignedCodec  # checks the keys even if encrypt is wrong
        with collecting(problems):
            make = codec_class(encrypt)
        with collecting(problems):
            self.codec: Codec = codec_of(make, secret_key, secret_key_fallbacks, salt, cookie_name)
        problems += backend_problems(store, revocations)
        bound = device_bound, device_bound_lifetime, device_bound_path
        problems += device_problems(*bound, cookie_domain, cookie_partitioned)
        if problems:
            raise ConfigurationError(problems)
        keys = () if secret_key is None else (secret_key, *secret_key_fallbacks)
        self._has_key = bool(keys)
        self._tells_clients_apart = store is not None and bool(migrate_from)
        self.migrate_from = migrate_from
        self._warnings = Warnings(self.cookie)
        self._warnings.of_timeouts(self.expiry)
        bound_ids = BoundIds(keys if device_bound else ())
        self.backend: CookieBackend = backend_of(
            store, revocations, self.expiry, bool(migrate_from), bound_ids
        )
        self.adoption: Adoption = Adoption(
            self.cookie, migrate_from, keys, self.expiry, self.backend
        )
        self.binding: Binding | None = None
        if device_bound and keys:
            self.binding = Binding(
                make,
                keys,
                salt,
                cookie=self.cookie,
                expiry=self.expiry,
                store=store,
                ids=bound_ids,
                lifetime=device_bound_lifetime,
                path=device_bound_path,
            )
        mask = TokenMask(keys, purpose_of("csrf", cookie_name, salt))
        reader = Reader(self.cookie.room, self.codec, mask, self.expiry, self.backend)
        parts = self.cookie, reader, self.adoption, self.binding
        self._loader = Loader(*parts)
        self._saver = Saver(*parts, self._loader)

    def open_session(self, environ: WSGIEnvironment) -> SessionMixin | None:
        """Return a session that reads its cookie on first use; ``None`` without a secret key."""
        if not self._has_key:
            self._warnings.once(
                "no_key",
                "secret_key is None, so every session reads as empty and refuses changes: if this "
                "is not intended, set it to what 'python -m sessionware secret' prints",
            )
            return None
        cookie = environ.get("HTTP_COOKIE", "")
        proves = self.binding is not None and self.binding.is_proved_at(environ)
        if self._tells_clients_apart or proves:
            return self.session_class(_OfRequest(self, client_of(environ), proves), cookie)
        return self.session_class(self, cookie)

    def load(self, cookie: str, client: str = "", proves: bool = False) -> Loaded:
        """Return what the newest valid cookie of our name in the Cookie header holds.

        ``client``: a text that is not the same for two clients, as far as the server can tell.
        ``proves``: whether the request may be about to prove the key of a bound session.
        """
        return self._loader.load(cookie, client, proves)

    def dumps(self, data: dict[str, Any]) -> str:
        """Return the data as JSON text, or raise UnserializableValue."""
        return dumps(data)

    def stamp(self, owner: Owner) -> str:
        """Return what a session of this owner has to carry from now on."""
        return self.backend.stamp(owner)

    def late_look(self) -> None:
        """Log that a session was first used when it was too late to tell caches of it."""
        self._warnings.once(
            "late_look",
            "A session was first used after its response had begun, or after the application had "
            "failed, and that response has no Vary: Cookie, so caches may send it to other users: "
            "use the session before the application returns, or, if it is a generator, before it "
            "yields its first chunk",
        )

    def save_session(self, environ: WSGIEnvironment, session: Any, headers: Headers) -> None:
        """Decide what happens to the cookie: nothing, write or delete.

        Raises UnserializableValue, SessionTooLarge or SessionUnavailable; the browser then keeps
        what it has.
        """
        if not session.accessed:
            return
        fields = fields_of(headers)
        names = names_of(fields)
        vary_by_cookie(fields, names)
        session._varies = True
        cookie = self._saver.verdict(session, environ)
        if cookie is None:
            if is_shared(fields, names):
                self._warnings.once(
                    "shared_cache",
                    "A response that depends on the session is marked for shared caches, and some "
                    "ignore Vary: Cookie: mark it 'private', or do not use the session for it",
                )
            return
        self._warnings.of_place(environ)
        self._set_cookies(cookie, fields, names, session._state, environ)
        self._keep_private(fields, names)

    def _keep_private(self, fields: Fields, names: str) -> None:
        """Keep a response that sets the cookie out of shared caches. Log if it was for them."""
        if keep_private(fields, names):
            self._warnings.once(
                "shared_cache",
                "A response that sets the session cookie was marked for shared caches: 'public', "
                "'s-maxage' and the header fields that only such caches obey were removed",
            )

    def _set_cookies(
        self, cookie: str, fields: Fields, names: str, state: State, environ: WSGIEnvironment
    ) -> None:
        """Add the Set-Cookie headers: those that delete others, then our own."""
        if "set-cookie" in names and self.cookie.is_set(fields):
            self._warnings.once(
                "cookie_name_taken",
                "The application, or another SessionMiddleware, already sets a cookie named "
                f"{self.cookie.name!r}, and browsers keep only one: give this SessionMiddleware "
                "another cookie_name",
            )
        outdated = state.loaded.leftovers
        if self.adoption.others and state.has_ended:  # also those that are not sent to this path
            outdated = (*outdated, *self.adoption.others)
        if outdated:  # before our own, which may have the name of one
            self._delete_former([*dict.fromkeys(outdated)], fields, names, environ)
        fields.append(("Set-Cookie", cookie))
        if self.binding is not None:
            fields += self.binding.fields_of(state, environ)
            if not self.binding.is_within_reach(environ):
                self._warnings.once(
                    "device_out_of_reach",
                    "Sessions are not bound to devices, because browsers do not send a cookie with "
                    f"the cookie_path {self.cookie.path!r} to the device_bound_path: move one of "
                    "the two",
                )

    def _delete_former(
        self, outdated: list[SessionCookie], fields: Fields, names: str, environ: WSGIEnvironment
    ) -> None:
        """Add the headers that delete former cookies, wherever browsers keep ours."""
        if "set-cookie" in names and any(
            other.is_set(fields) for other in outdated if other.name != self.cookie.name
        ):
            self._warnings.once(
                "former_cookie_set",
                "The application, or a middleware inside of this one, sets a cookie that "
                "migrate_from deletes: remove the former session, or its reader from migrate_from",
            )
        for other in outdated:
            if self.cookie.samesite == "None":
                # In a frame on another site, browsers drop the rest (RFC 6265bis, section 5.7).
                other = replace(other, secure=True, samesite="None")
            fields.append(("Set-Cookie", other.delete(other.is_secure_in(environ))))


class InterfaceWithoutRefresh(SecureCookieSessionInterface):
    """Issues a cookie again only when its session changes: settings of Django and Flask say so."""

    expiry_class = WithoutRefresh


def _migration_problems(migrate_from: object) -> Iterator[Problem]:
    if not isinstance(migrate_from, list | tuple):
        yield Problem(
            "migrate_from", f"found {type(migrate_from).__name__}, expected a list or tuple"
        )
        return
    for index, former in enumerate(migrate_from):
        if not isinstance(former, FormerCookie):
            yield Problem(
                f"migrate_from[{index}]",
                f"found {kind_of(former)}, expected a cookie of sessionware.migration",
            )


@dataclass(frozen=True, slots=True)
class _OfRequest:
    """What opens the session of a request, where it depends on more than its cookies."""

    interface: SecureCookieSessionInterface
    client: str
    proves: bool

    def load(self, cookie: str, /) -> Loaded:
        return self.interface.load(cookie, self.client, self.proves)

    def dumps(self, data: dict[str, Any], /) -> str:
        return self.interface.dumps(data)

    def stamp(self, owner: Owner, /) -> str:
        return self.interface.stamp(owner)

    def late_look(self) -> None:
        self.interface.late_look()


def _unknown_setting(name: str) -> Problem:
    known = {"secret_key", *Settings.__annotations__, "environ_key", "interface"} - {name}
    return Problem(name, "unknown setting", advice_on(name, known))
