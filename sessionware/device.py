"""Sessions that are bound to a device, so that stolen cookies are soon worth nothing.

These are Device Bound Session Credentials (W3C draft), as Chromium speaks them. After a log-in, the
browser makes a key that cannot leave the device, and registers it. From then on, the session counts
only beside a short cookie, which is renewed for the holder of the key alone.

A bound session has an id of its own kind, made from the one that it had before. So a cookie from
before the registration, which a slow response may put back, still leads to it.
"""

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote
from wsgiref.types import WSGIEnvironment

from .backend import MAX_REQUEST_TIME
from .codec import Codec, Opened
from .cookie import MAX_ATTRIBUTE, SessionCookie
from .errors import CookieRejected, Problem, SessionUnavailable, kind_of
from .expiry import (
    CLOCK_SKEW,
    MAX_COOKIE_AGE,
    Duration,
    Expiry,
    duration_problems,
    seconds_of,
)
from .headers import Fields
from .keys import BoundIds, SecretKey, is_bound, macs_of, purpose_of, tag_of
from .reader import Verified
from .serializer import dumps
from .session import Loaded, Session, State
from .store import Store, key_of

if TYPE_CHECKING:  # It needs cryptography, which is an extra.
    from .proof import Jwk

MARGIN = 60
"""Seconds for which a short cookie is still accepted after the browser has dropped it."""

KEY_AGE = 24 * 60 * 60
"""Seconds after which a proof sets the cookie with the key again."""

MAX_PATH = MAX_ATTRIBUTE // 2
"""Bytes of ``device_bound_path``, and of SCRIPT_NAME before it, in the path of a cookie."""

# Browsers take segments of one or two dots out of a path.
_NO_DOTS = r"(?!\.{1,2}(/|\Z))"
_PATH = re.compile(f"(/{_NO_DOTS}[0-9A-Za-z._~-]+)+")
_SCRIPT_NAME = re.compile(f"(/{_NO_DOTS}[^/]+)*")
_CHALLENGE = re.compile(r"([0-9A-Za-z_-]{16})\.([0-9]{1,12})\.([0-9A-Za-z_-]{43})")


# Settings


def device_problems(
    device_bound: object, lifetime: object, path: object, domain: object, partitioned: object
) -> Iterator[Problem]:
    """Yield the problems of these settings, and of the cookie's place if sessions are bound."""
    if device_bound is True:
        yield from _missing_problems()
        yield from _place_problems(domain, partitioned)
    elif device_bound is not False:
        found = type(device_bound).__name__
        yield Problem("device_bound", f"found {found}, expected True or False")
    yield from duration_problems("device_bound_lifetime", lifetime)
    expected = f"expected a path such as '/.dbsc', of up to {MAX_PATH} letters, digits and ._~-"
    if not isinstance(path, str):
        yield Problem("device_bound_path", f"found {kind_of(path)}, {expected}")
    elif not _PATH.fullmatch(path) or len(path) > MAX_PATH:
        yield Problem("device_bound_path", f"found {path!r}, {expected}")


def _missing_problems() -> Iterator[Problem]:
    try:
        from .proof import Proof  # noqa: F401 - whether it can be imported
    except ImportError:
        yield Problem(
            "device_bound",
            "found True, but the package cryptography is not installed",
            "pip install 'sessionware[device]'",
        )


def _place_problems(domain: object, partitioned: object) -> Iterator[Problem]:
    """Yield what is wrong with the place of a cookie whose session is bound to a device.

    Browsers renew the short cookie for one origin, and only for requests of its own pages.
    """
    if domain is not None:
        yield Problem("cookie_domain", f"found {domain!r}, expected None with device_bound=True")
    if partitioned is True:
        yield Problem("cookie_partitioned", "found True, expected False with device_bound=True")


NEEDS_MIDDLEWARE = Problem(
    "device_bound",
    "found True, but only SessionMiddleware has the endpoints",
    "put SessionMiddleware with this setting around the application",
)
"""The problem of an interface that is used without the middleware."""


# What a request proves


@dataclass(slots=True)
class Evidence:
    """The bound sessions that the other cookies of a request speak of, by their ids.

    - ``proved``: those of which a short cookie says that the key was proved a moment ago.
    - ``known``: these, and for the endpoints, those whose key a cookie holds.
    - ``unproved``: the one that was refused for want of a proof, or ``""``.
    """

    ids: BoundIds
    proved: frozenset[str]
    known: frozenset[str]
    unproved: str = ""

    def lead(self, verified: Verified) -> Verified:
        """Return what a cookie carries, with the id that its session has got by being bound.

        The cookie may be from before that: a slow response has put it back.
        """
        if not self.known:
            return verified
        found = (each for each in self.bound_of(verified) if each.envelope.id in self.known)
        return next(found, verified)

    def bound_of(self, verified: Verified) -> Iterator[Verified]:
        """Yield the same with each id that its session may have got by being bound."""
        envelope = verified.envelope
        for bound_id in () if envelope.id is None else self.ids.of(envelope.id):
            yield replace(verified, envelope=replace(envelope, id=bound_id))

    def check(self, session_id: str | None) -> str:
        """Return the id if it is that of a bound session, or else ``""``.

        Raises CookieRejected if the key was not proved.
        """
        if session_id is None or not is_bound(session_id):
            return ""
        if session_id not in self.proved:
            self.unproved = session_id
            raise CookieRejected("device_unproved")
        return session_id

    def new_session(self, now: int) -> Loaded:
        """Return what stands in for the session that was refused, so that no older cookie counts.

        An attacker may have planted that, for the time when the short cookie has ended.
        """
        return Loaded({}, "{}", created=now, new=True, bound=self.unproved)


# What the server keeps, and what it has the browser keep


class Challenges:
    """What the browser has to sign: texts that are dated, and good for one session.

    With a store, each of them can be used once.
    """

    def __init__(
        self, keys: Sequence[SecretKey], purpose: bytes, lifetime: int, store: Store | None
    ) -> None:
        self._macs = macs_of(keys, purpose)
        self._lifetime = lifetime
        self._store = store

    def new(self, session_id: str) -> str:
        """Return a challenge for the session with this id."""
        dated = f"{secrets.token_urlsafe(12)}.{int(time.time())}"
        return f"{dated}.{tag_of(self._macs[0], f'{dated}.{session_id}')}"

    def is_ours(self, challenge: str, session_id: str) -> bool:
        """Return whether the challenge was made for this session, at whatever time."""
        found = _CHALLENGE.fullmatch(challenge)
        if found is None:
            return False
        text = f"{found[1]}.{found[2]}.{session_id}"
        return any(compare_digest(tag_of(mac, text), found[3]) for mac in self._macs)

    def is_recent(self, challenge: str) -> bool:
        """Return whether one of our challenges is not too old."""
        return _is_recent(int(challenge.split(".")[1]), self._lifetime)

    def use_up(self, challenge: str) -> bool:
        """Return whether one of our challenges was not used before, as far as is known."""
        if self._store is None:
            return True
        # Random, because a store may take an equal text for its own, sent again.
        text, seconds = dumps(secrets.token_urlsafe(8)), self._lifetime + CLOCK_SKEW
        name = key_of(f"challenge\0{challenge}")
        return self._store.create(name, text, seconds=seconds, owner=None)


class Binding:
    """Binds the sessions of one interface to devices.

    - ``make``: the class of the codec of the session's cookie.
    - ``lifetime``: for how long a proof counts.
    - ``path``: where the endpoints are, below SCRIPT_NAME.
    """

    def __init__(
        self,
        make: Callable[..., Codec],
        keys: Sequence[SecretKey],
        salt: str,
        *,
        cookie: SessionCookie,
        expiry: Expiry,
        store: Store | None,
        ids: BoundIds,
        lifetime: Duration,
        path: str,
    ) -> None:
        from .proof import Proof

        self.read: Callable[[str], Proof | None] = Proof.read
        self.path: str = path
        self.register_path: str = f"{path}/register"
        self.refresh_path: str = f"{path}/refresh"
        self._ids = ids
        self._store = store
        self._lifetime = int(min(seconds_of(lifetime), MAX_COOKIE_AGE))
        purpose = purpose_of("challenge", cookie.name, salt)
        self.challenges: Challenges = Challenges(keys, purpose, self._lifetime, store)
        # The last proof counts until the lifetime is over, and the session may then be idle.
        self._kept_for = self._lifetime + int(expiry.max_idle_timeout) + MAX_REQUEST_TIME
        self._cookie = cookie
        self._short_cookie = replace(cookie, name=f"{cookie.name}-bound")
        # A __Host- cookie cannot have the path of the endpoints.
        secured = re.sub("^__(Host-Http|Host|Http)-", "__Secure-", cookie.name)
        self._key_cookie = replace(cookie, name=f"{secured}-key")
        self._secure = cookie.secure is not False
        # No cookie's name has a space, so no cookie of a session is signed for these purposes.
        self._short_codec, self._key_codec = (
            make(keys[0], keys[1:], salt, f"{cookie.name} {kind}") for kind in ("bound", "key")
        )

    # For the interface, which opens and saves sessions

    def is_proved_at(self, environ: WSGIEnvironment) -> bool:
        """Return whether this is a request for one of the endpoints."""
        return environ.get("PATH_INFO") in (self.register_path, self.refresh_path)

    def evidence(self, cookie: str, proves: bool) -> Evidence:
        """Return which bound sessions the Cookie header speaks of.

        ``proves``: whether it is that of a request for one of the endpoints.
        """
        proved = frozenset(self._proved_in(cookie))
        return Evidence(self._ids, proved, proved.union(self._keys_in(cookie) if proves else ()))

    def is_to_be_kept(self, state: State, environ: WSGIEnvironment) -> bool:
        """Return whether a change is not written over the cookie of a bound session.

        The proof is missing because the browser could not renew the short cookie, as it says, or
        did not for another site's page, and the next request may have it. Otherwise, the key is
        lost, and a visitor's session has to begin, which a form for the log-in may need.
        """
        if not state.loaded.unproved or state.begins_anew:
            return False
        return "HTTP_SECURE_SESSION_SKIPPED" in environ or is_from_elsewhere(environ)

    def prepare(self, state: State) -> None:
        """Set the id of a session that is about to be offered a registration."""
        if state.id is None and _is_to_be_offered(state):
            state.make_id()

    def fields_of(self, state: State, environ: WSGIEnvironment) -> Fields:
        """Return what is added to a response that sets or deletes the session's cookie."""
        bound_id, fields = state.loaded.bound, []
        if bound_id and state.has_ended:  # even without a proof
            cookies = self._short_cookie, self._key_cookie_at(environ)
            fields += [("Set-Cookie", each.delete(self._secure)) for each in cookies]
        is_replaced = state.begins_anew or bound_id == state.loaded.id != state.id
        if self._store is not None and bound_id and (state.has_ended or is_replaced):
            with suppress(SessionUnavailable):  # Then it stays until its time is over.
                self._store.delete(_name_of_key(bound_id))
        if _is_to_be_offered(state) and _is_https(environ) and self.is_within_reach(environ):
            url = self._url(environ, self.register_path)
            challenge = self.challenges.new(str(state.id))
            offer = f'(ES256 RS256);path="{url}";challenge="{challenge}"'
            fields.append(("Secure-Session-Registration", offer))
        return fields

    def is_within_reach(self, environ: WSGIEnvironment) -> bool:
        """Return whether browsers send the session's cookie to the endpoints."""
        return self._url(environ, self.path + "/").startswith(f"{self._cookie.path.rstrip('/')}/")

    # For the endpoints

    def may_be_unproved(self, cookie: str) -> bool:
        """Return whether a Cookie header has a session, and no proof of any."""
        return self._cookie.find(cookie) != [] and not any(self._proved_in(cookie))

    def bind(self, session: Session, jwk: "Jwk") -> str | None:
        """Bind a session that has an id, and return its new one, or ``None`` if it has a key."""
        bound_id, *_ = self._ids.of(session.id)
        if self._store is not None and not self._store.create(
            _name_of_key(bound_id), dumps(jwk), seconds=self._kept_for, owner=None
        ):
            return None
        session.regenerate(keep_created=True)
        state_of(session).id = bound_id
        return bound_id

    def jwk_of(self, session_id: str, cookie: str) -> "Jwk | None":
        """Return the key of a bound session, and keep it for longer; ``None`` if it is gone."""
        if self._store is None:
            return self._keys_in(cookie).get(session_id)
        name = _name_of_key(session_id)
        kept = self._store.load(name)
        if kept is None or not self._store.touch(name, seconds=self._kept_for, owner=None):
            return None
        jwk: Jwk = json.loads(kept.text)
        return jwk

    def challenge(self, session_id: str) -> tuple[str, str]:
        """Return the header field with the next challenge for this session."""
        text = f'"{self.challenges.new(session_id)}";id="{identifier_of(session_id)}"'
        return "Secure-Session-Challenge", text

    def cookies(self, session_id: str, jwk: "Jwk", environ: WSGIEnvironment) -> Fields:
        """Return the header fields that set what the browser gets for a proof."""
        now, life = int(time.time()), self._lifetime - MARGIN
        short = self._short_codec.encode(session_id, now)
        lines = [self._short_cookie.write(short, self._secure, (life, now + life))]
        if not self._has_recent_key(session_id, environ.get("HTTP_COOKIE", "")):
            carried = session_id if self._store is not None else f"{session_id} {dumps(jwk)}"
            key, life = self._key_codec.encode(carried, now), self._kept_for + KEY_AGE
            life = min(life, MAX_COOKIE_AGE)
            lines.append(self._key_cookie_at(environ).write(key, self._secure, (life, now + life)))
        return [("Set-Cookie", line) for line in lines]

    def instructions(self, session_id: str, environ: WSGIEnvironment) -> dict[str, Any]:
        """Return what the browser has to know of the session."""
        attributes = self._short_cookie.write("", self._secure).partition("; ")[2]
        credential = {"type": "cookie", "name": self._short_cookie.name, "attributes": attributes}
        return {
            "session_identifier": identifier_of(session_id),
            "refresh_url": self._url(environ, self.refresh_path),
            "scope": {"include_site": False},
            "credentials": [credential],
        }

    # Cookies

    def _proved_in(self, cookie: str) -> Iterator[str]:
        """Yield the ids in the short cookies."""
        for session_id, issued, _ in _opened(self._short_cookie, self._short_codec, cookie):
            if _is_recent(issued, self._lifetime):
                yield session_id

    def _keys_in(self, cookie: str) -> "dict[str, Jwk | None]":
        """Return the ids and the keys in the cookies that only the endpoints get."""
        found: dict[str, Jwk | None] = {}
        for text, _, _ in _opened(self._key_cookie, self._key_codec, cookie):
            session_id, _, jwk = text.partition(" ")
            found[session_id] = json.loads(jwk) if jwk else None
        return found

    def _has_recent_key(self, session_id: str, cookie: str) -> bool:
        """Return whether the cookie with this session's key need not be set again.

        The less often it is, the less often a late answer replaces the key of a later session.
        """
        return any(
            text.partition(" ")[0] == session_id and not old_key and _is_recent(issued, KEY_AGE)
            for text, issued, old_key in _opened(self._key_cookie, self._key_codec, cookie)
        )

    def _key_cookie_at(self, environ: WSGIEnvironment) -> SessionCookie:
        return replace(self._key_cookie, path=self._url(environ, self.path))

    def _url(self, environ: WSGIEnvironment, path: str) -> str:
        return _script_name(environ) + path


def identifier_of(session_id: str) -> str:
    """Return what the browser calls a bound session: it may show it to scripts and extensions."""
    return key_of(session_id)


def state_of(session: Session) -> State:
    """Return the state of a session, which is loaded if it was not."""
    _ = session.new
    return cast(State, session._state)


def is_from_elsewhere(environ: WSGIEnvironment) -> bool:
    """Return whether a page of another origin sent this, for which no short cookie is renewed."""
    return environ.get("HTTP_SEC_FETCH_SITE") in ("cross-site", "same-site")


def _opened(cookie: SessionCookie, codec: Codec, header: str) -> Iterator[Opened]:
    """Yield what is in the cookies of this name that we have signed."""
    for token in cookie.find(header):
        with suppress(CookieRejected):
            yield codec.decode(token)


def _is_recent(issued: int, lifetime: int) -> bool:
    return -CLOCK_SKEW <= time.time() - issued <= lifetime


def _is_to_be_offered(state: State) -> bool:
    """Return whether the session has an owner and a new id, so that no device can be bound to it.

    Without a log-in, that is one that ``regenerate()`` was called for.
    """
    is_new = state.begins_anew or state.loaded.id not in (None, state.id)
    return is_new and state.owner is not None and not (state.id and is_bound(state.id))


def _is_https(environ: WSGIEnvironment) -> bool:
    return bool(environ["wsgi.url_scheme"] == "https")


def _script_name(environ: WSGIEnvironment) -> str:
    """Return SCRIPT_NAME as a URL has it, or ``""`` if no URL and no cookie's path can have it.

    Some servers let the client set it. With two slashes, it would be the name of a host.
    """
    name = quote(environ.get("SCRIPT_NAME", "").encode("latin-1").rstrip(b"/"), _UNQUOTED)
    return name if len(name) <= MAX_PATH and _SCRIPT_NAME.fullmatch(name) else ""


_UNQUOTED = "/!$&'()*+,:=@"
"""What browsers do not quote in a path, without ``;``, which ends the path of a cookie."""


def _name_of_key(session_id: str) -> str:
    """Return the key of what a store has beside a bound session."""
    return key_of(f"device\0{session_id}")
