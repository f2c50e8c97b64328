"""The sessions of former cookies, taken over; and what the browser may still have of them."""

import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from wsgiref.types import WSGIEnvironment

from .backend import CookieBackend
from .cookie import SessionCookie, former_cookie, others
from .device import Evidence
from .envelope import CSRF_TOKEN, Envelope
from .errors import CookieRejected, SessionUnavailable, UnserializableValue
from .expiry import CLOCK_SKEW, Expiry
from .keys import ID, DerivedIds, SecretKey, is_derived
from .log import Refusals, log
from .migration import FormerCookie
from .reader import Verified
from .session import Loaded, State, plain_owner


class Adoption:
    """Takes over the sessions of former cookies, and ends them with the present one.

    - ``readers``: the former cookies, those of the last settings first.
    - ``others``: once each, the cookies among them that ours does not replace.
    """

    def __init__(
        self,
        own: SessionCookie,
        readers: Sequence[FormerCookie],
        keys: Sequence[SecretKey],
        expiry: Expiry,
        backend: CookieBackend,
    ) -> None:
        self.readers = readers
        self.others: list[SessionCookie] = others(own, [former.cookie for former in readers])
        self._places = _places_of([own, *self.others])
        # Several readers may have one name, for which the header is searched once.
        self._named = {
            name: (
                [former for former in readers if former.cookie.name == name],
                [other for other in self.others if other.name == name],
            )
            for name in {former.cookie.name: None for former in readers}
        }
        self._ids = _derived_ids(keys, readers)
        self._expiry = expiry
        self._backend = backend

    def adopt(
        self,
        cookie: str,
        client: str,
        now: int,
        refused: Refusals,
        evidence: Evidence | None,
        since: int,
    ) -> Loaded | None:
        """Return the session of the first former cookie that is valid.

        ``since``: when a cookie of ours was issued that hides older ones, or 0.
        """
        for count, former in enumerate(self.readers):
            tokens = former.cookie.find(cookie)
            # What hides the others of this reader hides those of even older settings, too.
            since = max([since, *(each.issued for each in _hiding(former.verified(tokens, now)))])
            for token in former.newest_first(tokens, now):
                try:
                    loaded = former.load(token, now)
                    _check(loaded, f"{type(former).__name__}.load")
                    # The clocks of two servers differ by less than that.
                    if since and loaded.issued <= since + CLOCK_SKEW:
                        raise CookieRejected("revoked")
                    loaded = replace(loaded, token="", version="", stale=True, adopted=True)
                    self._expiry.check(now, loaded.issued, loaded.created, loaded.permanent)
                    if not State(loaded).alive:
                        continue  # nothing to go on with
                    ids = self.ids_of(loaded.id, token)
                    # Without an id, its own list or store was not asked: it may be from before.
                    for later in self.readers[: count + (loaded.id is None)]:
                        later.check_ended(loaded, ids)
                    if evidence is not None:
                        loaded.bound = evidence.check(loaded.id)
                    loaded = self._backend.adopt(loaded, ids, self._ids.of(f"{client}\0{token}"))
                except CookieRejected as error:
                    # If a former key has signed it, this says more than what our own reader found.
                    first = 0 if error.reason != "bad_signature" else len(refused)
                    refused.insert(first, (error.reason, error.fault))
                    if evidence is not None and evidence.unproved:
                        return evidence.new_session(now)
                else:
                    kind, name = type(former).__name__, former.cookie.name
                    log("migrated", f"A former session cookie was accepted by {kind}, {name!r}")
                    return loaded
        return None

    def adopt_own(self, loaded: Loaded) -> Loaded:
        """Return a session whose cookie is ours, but from before there was a list."""
        ids = self._ids.of(loaded.token)
        for former in self.readers:
            former.check_ended(loaded, ids)
        return self._backend.adopt(replace(loaded, stale=True), ids)

    def ids_of(self, session_id: str | None, token: str) -> list[str]:
        """Return the ids that a session can have: its own, or those made of its cookie's text."""
        return self._ids.of(token) if session_id is None else [session_id]

    def ids(self, cookie: str, client: str) -> dict[str, int]:
        """Return the ids that the sessions of former cookies can have, and when these began.

        Be they over or not: a slower request may have taken one over before.
        """
        ids: dict[str, int] = {}
        for former in self.readers:
            for token in former.cookie.find(cookie):
                with suppress(CookieRejected):
                    session_id, created = former.id_of(token)
                    found = self.ids_of(session_id, token)
                    if session_id is None or is_derived(session_id):  # that of this client alone
                        found = found + self._ids.of(f"{client}\0{token}")
                    ids |= dict.fromkeys(found, created)
        return ids

    def sessions(self, cookie: str) -> list[Loaded]:
        """Return the valid sessions of former cookies that the request has brought."""
        now, found = int(time.time()), []
        for former in self.readers:
            for token in former.cookie.find(cookie):
                with suppress(CookieRejected):
                    loaded = former.load(token, now)
                    found += [replace(loaded, id=each) for each in self.ids_of(loaded.id, token)]
        return found

    def end(self, session_id: str | None, created: int) -> None:
        """End a session in the stores and lists that were in use before.

        Raise SessionUnavailable if one of them does not answer, once the others know.
        """
        if session_id is None:
            return
        failures = []
        for former in self.readers:
            try:
                former.end(session_id, created)
            except SessionUnavailable as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def note(self, loaded: Loaded, cookie: str, now: int) -> None:
        """Note the former cookies that came beside the session."""
        for name, (readers, elsewhere) in self._named.items():
            tokens = readers[0].cookie.find(cookie)
            if not tokens:
                continue
            is_alone = tokens == [loaded.token]  # none has come beside the one that was accepted
            found = [] if is_alone else [former.verified(tokens, now) for former in readers]
            if elsewhere:
                kept = {each.envelope.place for verified in found for each in _hiding(verified)}
                # They are deleted. Otherwise, one would be accepted after a log-out.
                loaded.leftovers += tuple(each for each in elsewhere if each.place not in kept)
                # The one that was accepted may have this name: then a reader writes nothing.
                is_ours = {*tokens} == {loaded.token}
                loaded.stale = loaded.stale or not (is_ours or kept)
            if is_alone:
                continue
            for verified in found:
                self.note_places(loaded, name, [each.envelope for each in verified])
            loaded.outlived = loaded.outlived or len(tokens) > max(1, len(elsewhere))

    def note_places(self, loaded: Loaded, name: str, envelopes: Iterable[Envelope]) -> None:
        """Note the cookies that are at other places than those that are always deleted."""
        for envelope in envelopes:
            is_elsewhere = envelope.place not in self._places[name]
            if is_elsewhere or envelope.beside:
                loaded.outlived = True
            if is_elsewhere and not envelope.ends:
                other = former_cookie(name, envelope.place or "")
                loaded.leftovers += () if other is None else (other,)
                # The log-out may come to a path to which this one is not sent.
                loaded.stale = loaded.stale or other is not None


def _check(loaded: Loaded, name: str) -> None:
    """Raise CookieRejected if a reader of the application's returns what no cookie can carry."""
    session_id = loaded.id
    if session_id is not None and not (type(session_id) is str and ID.fullmatch(session_id)):
        fault = f"{name}: found an id, expected a str of the characters 0-9, A-Z, a-z, _ and -"
        raise CookieRejected("malformed", fault)
    if not type(loaded.created) is type(loaded.issued) is int:
        raise CookieRejected("malformed", f"{name}: found a time that is not an int")
    if loaded.owner is not None:
        try:
            loaded.owner = plain_owner(loaded.owner, name)
        except UnserializableValue as error:
            raise CookieRejected("malformed", str(error)) from error
    if loaded.csrf_token is not None and not CSRF_TOKEN.fullmatch(loaded.csrf_token):
        raise CookieRejected(
            "malformed", f"{name}: found a CSRF token that is not ours: leave it out"
        )


def _hiding(verified: list[Verified]) -> list[Verified]:
    """Return the newest of the cookies, if it only hides others, as after a former log-out."""
    return [each for each in verified[:1] if each.ends]


def _derived_ids(keys: Sequence[SecretKey], readers: Sequence[FormerCookie]) -> DerivedIds:
    """Return what makes ids of cookies' texts.

    The signing key comes first. While it becomes a fallback on one server after the other, or the
    next key does, each of them knows the ids that the others make.
    """
    former_keys = [key for former in readers for key in former.secret_keys]
    return DerivedIds([*keys, *former_keys] if keys else ())


def _places_of(cookies: Iterable[SessionCookie]) -> dict[str, set[str | None]]:
    """Return for each name the places of these cookies, and ``None``: a cookie may not tell."""
    places: dict[str, set[str | None]] = {}
    for cookie in cookies:
        places.setdefault(cookie.name, {None}).add(cookie.place)
    return places


def client_of(environ: WSGIEnvironment) -> str:
    """Return a text that is not the same for two clients, as far as the server can tell.

    It is not trusted: a client can make it differ, but not equal to that of another one, because
    a proxy adds the client's address.
    """
    told = "\0".join(str(environ.get(name, "")) for name in _TELLING)
    # Without ports, because each connection has another.
    return re.sub(r"(\.[0-9]+|\]):[0-9]+", r"\1", told)


_TELLING = (
    "REMOTE_ADDR",
    "HTTP_FORWARDED",
    "HTTP_USER_AGENT",
    "HTTP_X_FORWARDED_FOR",
    # Of nginx, Cloudflare, Akamai, Fly.io, Fastly, Rackspace, Azure and others.
    "HTTP_X_REAL_IP",
    "HTTP_CF_CONNECTING_IP",
    "HTTP_TRUE_CLIENT_IP",
    "HTTP_FLY_CLIENT_IP",
    "HTTP_FASTLY_CLIENT_IP",
    "HTTP_X_CLUSTER_CLIENT_IP",
    "HTTP_X_AZURE_CLIENTIP",
    "HTTP_X_CLIENT_IP",
)
