"""SessionInterface, the extension point; and ours: from a cookie to a session and back."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from operator import attrgetter
from typing import Any, Never, TypedDict
from wsgiref.types import WSGIEnvironment

from werkzeug.datastructures import Headers

from .adoption import Adoption
from .advice import advice_on
from .backend import CookieBackend, too_large
from .codec import MAX_TEXT, Codec, SignedCodec, codec_of
from .cookie import MAX_PAIR, SameSite, Secure, SessionCookie
from .device import Binding, Evidence, device_problems
from .envelope import FIRST, IN_STORE, Envelope, wrap
from .errors import (
    ConfigurationError,
    CookieRejected,
    Problem,
    SessionTooLarge,
    SessionUnavailable,
    collecting,
    kind_of,
)
from .expiry import CLOCK_SKEW, MAX_COOKIE_AGE, Duration, Expiry
from .headers import Fields, fields_of, is_shared, keep_private, names_of, vary_by_cookie
from .keys import BoundIds, SecretKey, TokenMask, purpose_of
from .log import Refusals, Warnings, log, log_refusal
from .migration import FormerCookie, codec_class
from .reader import Reader, Verified, backend_of, backend_problems
from .serializer import dumps
from .session import Loaded, NullSession, Owner, Session, SessionMixin, State
from .store import Revocations, Store

MAX_READER_TIME = 1
"""Seconds. A slower request that only reads could undo what another has saved meanwhile."""

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
        self._mask = TokenMask(keys, purpose_of("csrf", cookie_name, salt))
        bound_ids = BoundIds(keys if device_bound else ())
        self.backend: CookieBackend = backend_of(
            store, revocations, self.expiry, bool(migrate_from), bound_ids
        )
        self._reader = Reader(self.cookie.room, self.codec, self._mask, self.expiry, self.backend)
        self._tells_clients_apart = store is not None and bool(migrate_from)
        self.migrate_from = migrate_from
        self.adoption: Adoption = Adoption(
            self.cookie, migrate_from, keys, self.expiry, self.backend
        )
        self._warnings = Warnings(self.cookie)
        self._warnings.of_timeouts(self.expiry)
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
            return self.session_class(_OfRequest(self, _client_of(environ), proves), cookie)
        return self.session_class(self, cookie)

    def load(self, cookie: str, client: str = "", proves: bool = False) -> Loaded:
        """Return what the newest valid cookie of our name in the Cookie header holds.

        ``client``: a text that is not the same for two clients, as far as the server can tell.
        ``proves``: whether the request may be about to prove the key of a bound session.
        """
        now = int(time.time())
        tokens = self.cookie.find(cookie)
        refused: Refusals = []
        evidence = None if self.binding is None else self.binding.evidence(cookie, proves)
        loaded = self._load_own(tokens, now, refused, evidence)
        if loaded is None:
            loaded = self.adoption.adopt(cookie, client, now, refused, evidence)
        if loaded is None:
            loaded = Loaded({}, "{}", created=now, came=bool(tokens), new=True)
            if refused:
                log_refusal(refused)
        elif evidence is not None and evidence.unproved and not proves:
            log_refusal(refused)
        if self.adoption.readers:
            self.adoption.note(loaded, cookie, now)
        if loaded.outlived:
            loaded.newest = max(loaded.newest, 1)
        return loaded

    def _load_own(
        self, tokens: list[str], now: int, refused: Refusals, evidence: Evidence | None
    ) -> Loaded | None:
        found = self._verify(tokens, now, refused)
        if len(found) > 1:
            log("twins", "A request had several session cookies of our name")
        for verified in found:
            if verified.ends:
                return self._hide_others(verified, found, now)
            try:
                loaded = self._accept(verified, now, evidence)
            except CookieRejected as error:
                refused.append((error.reason, error.fault))
                if evidence is not None and evidence.unproved:
                    return self._note_twins(evidence.new_session(now), verified, found)
                if verified.envelope.beside and error.reason.startswith("expired"):
                    return self._hide_others(verified, found, now)
            else:
                if verified.old_key:
                    log("old_key", "A session cookie was verified by a fallback key")
                return self._note_twins(loaded, verified, found)
        return None

    def _hide_others(self, verified: Verified, found: list[Verified], now: int) -> Loaded:
        """Return a new session in place of one that is over, because older cookies came with it.

        They are cookies that a log-out, or the log-in of another user, could not delete.
        """
        loaded = Loaded({}, "{}", now, new=True, outlived=True)
        return self._note_twins(loaded, verified, found)

    def _note_twins(self, loaded: Loaded, counted: Verified, found: list[Verified]) -> Loaded:
        """Note which of the cookies are at other places, and which time is newer than all."""
        carried = counted.envelope
        is_at_our_place = carried.place == self.cookie.place
        if is_at_our_place and not carried.beside and len(found) == 1:
            return loaded
        self.adoption.note_places(loaded, self.cookie.name, [each.envelope for each in found])
        if len(found) > 1 or loaded.outlived:
            # Another one of the same second may replace one that was written beside others at our
            # place. Else a session that is changed many times in a second would run ahead of time.
            own = counted.issued - (is_at_our_place and carried.beside)
            # The next one has to be newer, so that it counts in place of all of these.
            loaded.newest = max([own, *(each.issued for each in found if each is not counted)])
        return loaded

    def _verify(self, tokens: list[str], now: int, refused: Refusals) -> list[Verified]:
        """Return the cookies that are ours and in time, the newest first."""
        found = []
        for token in tokens:
            try:
                found.append(self._reader.verify(token, now))
            except CookieRejected as error:
                refused.append((error.reason, error.fault))
        if len(found) > 1:
            found.sort(key=attrgetter("issued"), reverse=True)
        return found

    def _accept(self, verified: Verified, now: int, evidence: Evidence | None = None) -> Loaded:
        led = verified if evidence is None else evidence.lead(verified)
        try:
            loaded = self._reader.accept(led, now)
        except CookieRejected:
            if evidence is not None:
                evidence.unproved = self._bound_since(verified, evidence, now)
            raise
        if evidence is not None:
            loaded.bound = evidence.check(led.envelope.id)
        loaded.stale = (
            verified.old_key
            or led is not verified
            or self.expiry.is_due(now, loaded.issued, loaded.permanent)
        )
        if loaded.id is None and self.backend.needs_id:
            loaded = self.adoption.adopt_own(loaded)
        return loaded

    def _bound_since(self, verified: Verified, evidence: Evidence, now: int) -> str:
        """Return the id that a refused session has got by being bound to a device, or ``""``.

        A slow response has put its cookie back, and the next proof leads to the bound session.
        """
        for bound in evidence.bound_of(verified):
            with suppress(CookieRejected):
                self._reader.accept(bound, now)
                return str(bound.envelope.id)
        return ""

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
        cookie = self._verdict(session, environ)
        if cookie is None:
            if is_shared(fields, names):
                self._warnings.once(
                    "shared_cache",
                    "A response that depends on the session is marked for shared caches, and some "
                    "ignore Vary: Cookie: mark it 'private', or do not use the session for it",
                )
            return
        self._warnings.of_place(environ)
        self._set_cookies(cookie, fields, names, session.state, environ)
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

    def _verdict(self, session: Session, environ: WSGIEnvironment) -> str | None:
        """Return the Set-Cookie header that writes or deletes; ``None`` if nothing is due."""
        state = session.state
        if state is None:
            return None  # the store did not answer, and the application knows it
        text = session.changes()
        if text is None and state.begins_anew and state.loaded.new:  # clear(), after nothing valid
            line = self._log_out(session.cookie, state, "{}", environ)
            return line if state.loaded.stale or self.adoption.others else None
        if text is None and not state.loaded.stale:
            return None
        seconds = time.time() - session.started
        if text is None:
            return self._refresh(state, seconds, environ)
        if self.binding is not None and self.binding.is_to_be_kept(state, environ):
            message = "A visitor's change was not saved, because the bound session may go on"
            log("device_unproved", message)
            return None
        if state.loaded.new and not (state.begins_anew or state.alive):
            return self._write_nothing(state, environ, state.loaded.outlived)  # This is no log-out.
        self.backend.check_duration(state, seconds)
        if state.has_ended:
            return self._log_out(session.cookie, state, text, environ)
        line = self._write(state, text, environ)
        if state.begins_anew:
            try:
                self._log_in(session.cookie, state, environ)
            except SessionUnavailable:
                with suppress(SessionUnavailable):  # No response will bring its cookie.
                    self.backend.end(str(state.id), state.created)
                raise
        return line

    def _refresh(self, state: State, seconds: float, environ: WSGIEnvironment) -> str | None:
        """Issue a cookie again that is due, unless this could undo another request's change."""
        loaded, now = state.loaded, int(time.time())
        if not state.alive:
            return None
        half_over = self.expiry.is_half_over(now, loaded.issued, loaded.permanent)
        is_quick = 0 <= seconds <= MAX_READER_TIME  # below 0, the clock was set back meanwhile
        if not (is_quick or half_over):
            return None
        # Its age may make it a byte too large, or it was ended meanwhile: the old cookie stays.
        with suppress(SessionTooLarge, SessionUnavailable):
            self.backend.check_duration(state, seconds)
            return self._write(state, loaded.text, environ)
        return None

    def _write(
        self, state: State, text: str, environ: WSGIEnvironment, lasting: bool = False
    ) -> str:
        """Return the header that writes the cookie, once the session is saved.

        ``lasting``: the browser keeps it when it closes, even if the session is not permanent. The
        same goes for a visitor's cookie that older ones came with, which would count again.
        """
        beside_twins = lasting or state.loaded.newest > 0
        self.backend.prepare(state)
        if self.binding is not None:
            self.binding.prepare(state)
        now = int(time.time())
        issued = self._next_issue(state, now)
        value = self.codec.encode(self._wrapped(state, text, issued, beside_twins), issued)
        if len(value) > self.cookie.room:
            size = self.cookie.size(value)
            raise too_large("The session cookie", size, MAX_PAIR, state.data)
        # Last: if anything before it fails, the session that the browser has must not have ended.
        is_permanent = self.backend.save(state, text)
        if state.id != state.loaded.id:
            self.adoption.end(state.loaded.id, state.loaded.created)
        secure = self.cookie.is_secure_in(environ)
        if not (is_permanent or lasting or (beside_twins and state.owner is None)):
            return self.cookie.write(value, secure)
        max_age = (
            self._max_age_beside_twins()
            if beside_twins
            else self.expiry.max_age(now, state.created)
        )
        return self.cookie.write(value, secure, (max_age, now + max_age))

    def _wrapped(self, state: State, text: str, issued: int, beside_twins: bool) -> str:
        age, place = issued - state.created, self.cookie.place
        if not self.backend.in_cookie:
            text = FIRST if state.is_first_visit else IN_STORE
            return wrap(Envelope(text, None, age, state.id, place=place, beside=beside_twins))
        token = state.csrf_token and self._mask.hide(state.csrf_token)
        owner, stamp = state.owner, state.stamp
        wrapped = wrap(
            Envelope(text, None, age, state.id, token, owner, stamp, place, beside_twins)
        )
        if len(wrapped) > MAX_TEXT:
            raise too_large("The session's JSON", len(wrapped), MAX_TEXT, state.data)
        return wrapped

    def _next_issue(self, state: State, now: int) -> int:
        """Return the time now, or one that makes the cookie newer than the others that came."""
        newest = state.loaded.newest
        if not newest:
            return now
        if state.has_ended:  # It may be at another place, too.
            newest = max(newest, state.loaded.issued)
        return min(max(now, newest + 1), now + CLOCK_SKEW)

    def _log_in(self, cookie: str, state: State, environ: WSGIEnvironment) -> None:
        """End the sessions of others that the browser still has, now that this one is saved."""
        loaded = state.loaded
        twins = [twin for twin in self._twins(cookie, loaded) if _yields(twin, state)]
        if not state.emptied:
            former = [each for each in self.adoption.sessions(cookie) if _yields(each, state)]
            ids = {str(each.id): each.created for each in former}
            # A slower page may still save the session of a cookie that is refused here.
            self._end_others(loaded, twins, ids | (self._own_ids(cookie) if loaded.new else {}))
            return
        ids = self._other_ids(cookie, loaded, environ)
        self._end_others(loaded, twins, ids)
        for session_id in ids:
            self.backend.end_successors(session_id, spared=str(state.id))

    def _log_out(
        self, cookie: str, state: State, text: str, environ: WSGIEnvironment
    ) -> str | None:
        """End the session, and those of all other cookies that would take its place."""
        loaded, twins = state.loaded, self._twins(cookie, state.loaded)
        # They may be at places that we do not know. Without ours, they would count again.
        outlived = bool(twins) or loaded.outlived
        if state.alive:
            line: str | None = self._write(state, text, environ, lasting=outlived)
        else:
            self.backend.log_out(loaded)
            self.adoption.end(loaded.id, loaded.created)
            line = self._write_nothing(state, environ, outlived)
        ids = self._other_ids(cookie, loaded, environ)
        self._end_others(loaded, twins, ids)
        # Others may have replaced them, and the answer with the next cookie was lost.
        end = self.backend.end_refused if loaded.new else self.backend.end_successors
        for session_id in ids:
            end(session_id)
        return line

    def _other_ids(self, cookie: str, loaded: Loaded, environ: WSGIEnvironment) -> dict[str, int]:
        """Return the ids that the other sessions of the request can have, and when these began.

        Be they over or refused: a slower request may still have a cookie that has expired since.
        """
        ids = self.adoption.ids(cookie, _client_of(environ)) | self._own_ids(cookie)
        return {each: created for each, created in ids.items() if each != loaded.id}

    def _own_ids(self, cookie: str) -> dict[str, int]:
        """Return the ids that the sessions of our own cookies can have, and when these began."""
        ids: dict[str, int] = {}
        for token in self.cookie.find(cookie):
            with suppress(CookieRejected):
                session_id, created = self._reader.id_of(token)
                if session_id is not None or self.backend.needs_id:
                    ids |= dict.fromkeys(self.adoption.ids_of(session_id, token), created)
        return ids

    def _end_others(self, loaded: Loaded, twins: list[Loaded], ids: dict[str, int]) -> None:
        """End the other sessions that the request has brought.

        One that is bound to a device is among them if its key was not proved: its end needs no
        proof.
        """
        if loaded.unproved:
            self.backend.end(loaded.bound, loaded.created)
        for twin in twins:
            self.backend.log_out(twin)
            self.adoption.end(twin.id, twin.created)
        for session_id, created in ids.items():
            self.backend.end(session_id, created)
            self.adoption.end(session_id, created)

    def _write_nothing(self, state: State, environ: WSGIEnvironment, outlived: bool) -> str | None:
        """Return the header that leaves no session in the browser, or ``None`` if none is due."""
        return self._write_ended(state, environ) if outlived else self._delete(state, environ)

    def _delete(self, state: State, environ: WSGIEnvironment) -> str | None:
        """Return the header that deletes the cookie, or ``None`` if there is none to delete.

        A log-out deletes it in any case if it also deletes former cookies, at whatever place.
        """
        if not state.loaded.came and not (state.begins_anew and self.adoption.others):
            return None
        return self.cookie.delete(self.cookie.is_secure_in(environ))

    def _write_ended(self, state: State, environ: WSGIEnvironment) -> str:
        """Return the header that leaves an empty cookie, which is newer than its twins."""
        now = int(time.time())
        empty = wrap(Envelope("{}", None, 0, place=self.cookie.place, beside=True))
        value = self.codec.encode(empty, self._next_issue(state, now))
        max_age = self._max_age_beside_twins()
        secure = self.cookie.is_secure_in(environ)
        return self.cookie.write(value, secure, (max_age, now + max_age))

    def _max_age_beside_twins(self) -> int:
        """Return the Max-Age of a cookie that outlives its twins, which may be from the future."""
        seconds = self.expiry.max_idle_timeout + CLOCK_SKEW + 1
        return int(min(seconds, MAX_COOKIE_AGE))

    def _twins(self, cookie: str, loaded: Loaded) -> list[Loaded]:
        """Return the other valid sessions of our name that the request has brought."""
        if not loaded.newest:
            return []
        tokens, now, twins = self.cookie.find(cookie), int(time.time()), []
        if loaded.token:
            tokens.remove(loaded.token)
        for verified in self._verify(tokens, now, []):
            if not verified.ends:
                with suppress(CookieRejected):
                    twins.append(self._accept(verified, now))
        return twins


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


def _yields(other: Loaded, state: State) -> bool:
    """Return whether the log-in ends this session of the browser's, such as another user's."""
    return state.emptied or other.owner not in (None, state.owner)


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


def _client_of(environ: WSGIEnvironment) -> str:
    """Return a text that is not the same for two clients, as far as the server can tell.

    It is not trusted: a client can make it differ, but not equal to that of another one, because
    a proxy adds the client's address.
    """
    told = "\0".join(str(environ.get(name, "")) for name in _TELLING)
    return re.sub(
        r"(\.[0-9]+|\]):[0-9]+", r"\1", told
    )  # without ports: each connection has another


_TELLING = ("REMOTE_ADDR", "HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_USER_AGENT")


def _unknown_setting(name: str) -> Problem:
    known = {"secret_key", *Settings.__annotations__, "environ_key", "interface"} - {name}
    return Problem(name, "unknown setting", advice_on(name, known))
