"""From the Cookie header to a session: the newest cookie of ours that is valid, or a former one."""

import time
from contextlib import suppress
from dataclasses import replace
from operator import attrgetter

from .adoption import Adoption
from .cookie import SessionCookie
from .device import Binding, Evidence
from .errors import CookieRejected
from .log import Refusals, log, log_refusal
from .reader import Reader, Verified
from .session import Loaded


class Loader:
    """Loads the session of a request."""

    def __init__(
        self, cookie: SessionCookie, reader: Reader, adoption: Adoption, binding: Binding | None
    ) -> None:
        self._cookie = cookie
        self._reader = reader
        self._adoption = adoption
        self._binding = binding

    def load(self, cookie: str, client: str = "", proves: bool = False) -> Loaded:
        """Return what the newest valid cookie of our name in the Cookie header holds.

        ``client``: a text that is not the same for two clients, as far as the server can tell.
        ``proves``: whether the request may be about to prove the key of a bound session.
        """
        now = int(time.time())
        tokens = self._cookie.find(cookie)
        refused: Refusals = []
        evidence = None if self._binding is None else self._binding.evidence(cookie, proves)
        loaded = self._load_own(tokens, now, refused, evidence)
        if loaded is None:
            loaded = Loaded({}, "{}", created=now, came=bool(tokens), new=True)
        if loaded.new and not loaded.unproved:
            former = self._adoption.adopt(cookie, client, now, refused, evidence, loaded.hides)
            loaded = loaded if former is None else _beside(former, loaded)
        if loaded.new and refused and not (loaded.unproved and proves):
            log_refusal(refused)
        if self._adoption.readers:
            self._adoption.note(loaded, cookie, now)
        if loaded.outlived:
            loaded.newest = max(loaded.newest, 1)
        return loaded

    def twins(self, cookie: str, loaded: Loaded) -> list[Loaded]:
        """Return the other valid sessions of our name that the request has brought."""
        if not loaded.newest:
            return []
        tokens, now, twins = self._cookie.find(cookie), int(time.time()), []
        if loaded.token:
            tokens.remove(loaded.token)
        for verified in self._verify(tokens, now, []):
            if not verified.ends:
                with suppress(CookieRejected):
                    twins.append(self._accept(verified, now))
        return twins

    def own_ids(self, cookie: str) -> dict[str, int]:
        """Return the ids that the sessions of our own cookies can have, and when these began."""
        ids: dict[str, int] = {}
        for token in self._cookie.find(cookie):
            with suppress(CookieRejected):
                session_id, created = self._reader.id_of(token)
                if session_id is not None or self._reader.backend.needs_id:
                    ids |= dict.fromkeys(self._adoption.ids_of(session_id, token), created)
        return ids

    def _load_own(
        self, tokens: list[str], now: int, refused: Refusals, evidence: Evidence | None
    ) -> Loaded | None:
        found = self._verify(tokens, now, refused)
        if len(found) > 1:
            log("twins", "A request had several session cookies of our name")
        for verified in found:
            if verified.ends:
                if verified.over:
                    refused.append((verified.over, ""))
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
        loaded = Loaded({}, "{}", now, new=True, outlived=True, hides=verified.issued)
        return self._note_twins(loaded, verified, found)

    def _note_twins(self, loaded: Loaded, counted: Verified, found: list[Verified]) -> Loaded:
        """Note which of the cookies are at other places, and which time is newer than all."""
        carried = counted.envelope
        is_at_our_place = carried.place == self._cookie.place
        if is_at_our_place and not carried.beside and len(found) == 1:
            return loaded
        self._adoption.note_places(loaded, self._cookie.name, [each.envelope for each in found])
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
            or self._reader.expiry.is_due(now, loaded.issued, loaded.permanent)
        )
        if loaded.id is None and self._reader.backend.needs_id:
            loaded = self._adoption.adopt_own(loaded)
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


def _beside(former: Loaded, own: Loaded) -> Loaded:
    """Return the session of a former cookie, with what was noted of the cookies of our name."""
    return replace(former, outlived=own.outlived, newest=own.newest, leftovers=own.leftovers)
