"""The cookies that one set of settings has written, present or former ones, and their sessions."""

from collections.abc import Iterator
from dataclasses import dataclass

from .backend import GRACE, CookieBackend, RevocableBackend
from .codec import Codec
from .envelope import Envelope, unwrap
from .errors import CookieRejected, Problem, kind_of
from .expiry import CLOCK_SKEW, Expiry
from .keys import BoundIds, TokenMask
from .serializer import is_too_deep
from .server_side import MAX_VISITOR_TIME, ServerBackend
from .session import Loaded
from .store import Revocations, Store


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the cookies that one set of settings has written, the present ones or former ones."""

    room: int
    codec: Codec
    mask: TokenMask
    expiry: Expiry
    backend: CookieBackend

    def verify(self, token: str, now: int) -> "Verified":
        """Return what a cookie carries. Raise CookieRejected."""
        if len(token) > self.room:
            raise CookieRejected("too_large")
        text, issued, old_key = self.codec.decode(token)
        envelope = unwrap(text)
        if is_too_deep(envelope.data, envelope.text):
            raise CookieRejected("malformed")
        created, permanent = issued - envelope.age, envelope.permanent
        ends, over = permanent is None and envelope.ends, ""
        try:
            self.expiry.check(now, issued, created, permanent)
        except CookieRejected as error:
            # What was written beside older cookies has to hide them for as long as they are valid,
            # and the session of one may have begun when this was issued.
            if not envelope.beside:
                raise
            self.expiry.check(now, issued, created=issued)
            ends, over = True, error.reason
        return Verified(envelope, issued, old_key, token, ends, over)

    def id_of(self, token: str) -> tuple[str | None, int]:
        """Return the id in a cookie, and when its session began, be it over or not.

        Raise CookieRejected if it is not one of ours, or the empty one that a log-out has left.
        """
        text, issued, _ = self.codec.decode(token)
        envelope = unwrap(text)
        if envelope.ends:
            raise CookieRejected("revoked")
        return envelope.id, issued - envelope.age

    def accept(self, verified: "Verified", now: int) -> Loaded:
        """Return the session, which the list or the store does not refuse. Raise CookieRejected."""
        carried, issued = verified.envelope, verified.issued
        try:
            held = self.backend.load(carried)
        except CookieRejected as error:
            if error.reason == "revoked" and carried.data is None:
                self._check_forgotten(verified, now)
            raise
        whole = carried if held is None else held.envelope
        created, csrf_token = issued - carried.age, whole.csrf_token
        if csrf_token is not None and held is None:
            csrf_token = self.mask.reveal(csrf_token, verified.old_key)
        loaded = Loaded(
            whole.data or {},
            whole.text,
            created,
            issued,
            carried.id,
            csrf_token,
            whole.owner,
            whole.stamp,
            verified.token,
        )
        if held is not None:
            # The idle timeout may have become shorter after this cookie was sent.
            permanent = None if now - whole.age <= GRACE else loaded.permanent
            self.expiry.check(now, issued, created, permanent)
            loaded.version, loaded.shortened = held.version, whole.age
            loaded.parent, loaded.renewed = held.parent, held.renewed > 0
            # Later, it is only there because an earlier request has done so.
            is_visit = carried.is_first and now - issued <= MAX_VISITOR_TIME + CLOCK_SKEW
            if is_visit and not loaded.renewed:
                self.backend.keep(loaded)
        return loaded

    def _check_forgotten(self, verified: "Verified", now: int) -> None:
        """Raise CookieRejected if the store may have forgotten the session when its time was over.

        Only the store knew whether the session was permanent, so the shorter idle timeout counts.
        A visitor's session that nobody has come back for lives for less than that.
        """
        carried, issued = verified.envelope, verified.issued
        for permanent in (False, True):
            self.expiry.check(now, issued, issued - carried.age, permanent)
        if carried.is_first and now - issued > MAX_VISITOR_TIME:
            raise CookieRejected("expired_idle")


@dataclass(slots=True, repr=False)
class Verified:
    """What a cookie carries, as far as the cookie alone can tell.

    - ``ends``: whether it only hides others that are older.
    - ``over``: the reason if it does so because its session is over, or else ``""``.
    """

    envelope: Envelope
    issued: int
    old_key: bool
    token: str
    ends: bool
    over: str


def backend_problems(store: object, revocations: object) -> Iterator[Problem]:
    """Yield the problems of these settings."""
    yield from _problems(
        "store",
        store,
        Store,
        "limit, load, create, replace, touch and delete, such as RedisStore(client)",
    )
    yield from _problems(
        "revocations",
        revocations,
        Revocations,
        "revoke and check, such as RedisRevocations(client)",
    )
    if store is not None and revocations is not None:
        yield Problem(
            "revocations",
            "found together with store, which refuses ended sessions too",
            "leave it out",
        )


def backend_of(
    store: Store | None,
    revocations: Revocations | None,
    expiry: Expiry,
    adopts: bool,
    bound_ids: BoundIds,
) -> CookieBackend:
    """Return the backend of these settings, which have no problems."""
    if revocations is not None:
        return RevocableBackend(revocations, expiry, bound_ids)
    return CookieBackend() if store is None else ServerBackend(store, expiry, adopts, bound_ids)


def _problems(name: str, value: object, contract: type, parts: str) -> Iterator[Problem]:
    if value is not None and (isinstance(value, type) or not isinstance(value, contract)):
        kind = name.capitalize()
        advice = f"make it of a URL by SQL{kind}(url) or Redis{kind}.from_url(url)"
        yield Problem(
            name,
            f"found {kind_of(value)}, expected an object with {parts}",
            advice if isinstance(value, str) else "",
        )
