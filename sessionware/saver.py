"""The end of a request: whether the cookie is left, written or deleted, and the session with it."""

import logging
import time
from contextlib import suppress
from wsgiref.types import WSGIEnvironment

from .adoption import Adoption, client_of
from .backend import ENDED, too_large
from .codec import MAX_TEXT
from .cookie import MAX_PAIR, SessionCookie
from .device import Binding
from .envelope import FIRST, IN_STORE, Envelope, wrap
from .errors import SessionEnded, SessionTooLarge, SessionUnavailable
from .expiry import CLOCK_SKEW, MAX_COOKIE_AGE
from .loader import Loader
from .log import log
from .reader import Reader
from .session import Loaded, Session, State

MAX_READER_TIME = 1
"""Seconds. A slower request that only reads could undo what another has saved meanwhile."""


def is_quick(session: Session) -> bool:
    """Return whether the request may still write although it has only read."""
    # Below 0, the clock was set back meanwhile.
    return 0 <= time.time() - session._started <= MAX_READER_TIME


class Saver:
    """Saves the session of a request, or ends it."""

    def __init__(
        self,
        cookie: SessionCookie,
        reader: Reader,
        adoption: Adoption,
        binding: Binding | None,
        loader: Loader,
    ) -> None:
        self._cookie = cookie
        self._codec = reader.codec
        self._mask = reader.mask
        self._expiry = reader.expiry
        self._backend = reader.backend
        self._adoption = adoption
        self._binding = binding
        self._loader = loader

    def verdict(self, session: Session, environ: WSGIEnvironment) -> str | None:
        """Return the Set-Cookie header that writes or deletes; ``None`` if nothing is due.

        From now on, a change by another thread raises LateWrite, because it would not be saved.
        """
        state = session._state
        if state is None:
            return None  # the store did not answer, and the application knows it
        was_sealed, session.sealed = session.sealed, True
        try:
            return self._decide(session, state, environ)
        except BaseException:
            session.sealed = was_sealed
            raise

    def _decide(self, session: Session, state: State, environ: WSGIEnvironment) -> str | None:
        """Return the verdict on a session that nobody can change any more."""
        text = session._changes()
        if text is not None:
            return self._save(session, state, text, environ)
        if state.begins_anew and state.loaded.new:  # clear(), after nothing valid
            return self._log_out(session._cookie, state, "{}", environ)
        return self._refresh(session, state, environ) if state.loaded.stale else None

    def _refresh(self, session: Session, state: State, environ: WSGIEnvironment) -> str | None:
        """Issue a cookie again that is due, unless this could undo another request's change."""
        loaded, now = state.loaded, time.time()
        if not state.alive:
            return None
        urgent = loaded.urgent or self._expiry.is_half_over(
            int(now), loaded.issued, loaded.permanent
        )
        if not (urgent or is_quick(session)):
            return None
        try:
            self._backend.check_duration(state, now - session._started)
            return self._write(state, loaded.text, environ)
        except SessionTooLarge as error:  # by its age, by encryption, or by a longer name
            message = (
                f"A session cookie that is due was not issued again: it would have {error.size} "
                f"bytes, and the limit is {error.limit}. It will expire, and its user be logged "
                "out: store less in the session"
            )
            log("not_issued_again", message, logging.WARNING)
        except SessionUnavailable:
            pass  # It was ended meanwhile, and the browser keeps what it has.
        return None

    def _save(
        self, session: Session, state: State, text: str, environ: WSGIEnvironment
    ) -> str | None:
        """Save a session that was changed, begun or ended."""
        if self._binding is not None and self._binding.is_to_be_kept(state, environ):
            message = "A visitor's change was not saved, because the bound session may go on"
            log("device_unproved", message)
            return None
        if state.loaded.new and not state.begins_anew:
            is_replaced = self._is_replaced(session, state.loaded, environ)
            if not state.alive:  # This is no log-out.
                outlived = state.loaded.outlived
                return None if is_replaced else self._write_nothing(state, environ, outlived)
            if is_replaced:
                raise SessionEnded(ENDED)
        self._backend.check_duration(state, time.time() - session._started)
        if state.has_ended:
            return self._log_out(session._cookie, state, text, environ)
        line = self._write(state, text, environ)
        if state.begins_anew:
            try:
                self._log_in(session._cookie, state, environ)
            except SessionUnavailable:
                with suppress(SessionUnavailable):  # No response will bring its cookie.
                    self._backend.end(str(state.id), state.created)
                raise
        return line

    def _write(
        self, state: State, text: str, environ: WSGIEnvironment, lasting: bool = False
    ) -> str:
        """Return the header that writes the cookie, once the session is saved.

        ``lasting``: the browser keeps it when it closes, even if the session is not permanent. The
        same goes for a visitor's cookie that older ones came with, which would count again.
        """
        beside_twins = lasting or state.loaded.newest > 0
        self._backend.prepare(state)
        if self._binding is not None:
            self._binding.prepare(state)
        now = int(time.time())
        issued = self._next_issue(state, now)
        value = self._codec.encode(self._wrapped(state, text, issued, beside_twins), issued)
        if len(value) > self._cookie.room:
            size = self._cookie.size(value)
            raise too_large("The session cookie", size, MAX_PAIR, state.data)
        # Last: if anything before it fails, the session that the browser has must not have ended.
        is_permanent = self._backend.save(state, text)
        if state.id != state.loaded.id:
            self._end_former(state)
        secure = self._cookie.is_secure_in(environ)
        if not (is_permanent or lasting or (beside_twins and state.owner is None)):
            return self._cookie.write(value, secure)
        max_age = (
            self._max_age_beside_twins()
            if beside_twins
            else self._expiry.max_age(now, state.created)
        )
        return self._cookie.write(value, secure, (max_age, now + max_age))

    def _end_former(self, state: State) -> None:
        """End the session that was loaded where it was kept before."""
        try:
            self._adoption.end(state.loaded.id, state.loaded.created)
        except SessionUnavailable:
            if state.has_ended or not self._backend.needs_id:
                raise
            # It has its new id by now, and the former one is refused here: no cookie would be left.
            message = "A former store or list did not answer, and does not know of a new id"
            log("former_unavailable", message, logging.WARNING)

    def _wrapped(self, state: State, text: str, issued: int, beside_twins: bool) -> str:
        age, place = issued - state.created, self._cookie.place
        if not self._backend.in_cookie:
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
        twins = [twin for twin in self._loader.twins(cookie, loaded) if _yields(twin, state)]
        if not state.emptied:
            former = [each for each in self._adoption.sessions(cookie) if _yields(each, state)]
            ids = {str(each.id): each.created for each in former}
            if loaded.new:  # A slower page may still save the session of a cookie refused here.
                ids |= self._loader.own_ids(cookie)
            self._end_others(loaded, twins, ids)
            return
        ids = self._other_ids(cookie, loaded, environ)
        self._end_others(loaded, twins, ids)
        for session_id in ids:
            self._backend.end_successors(session_id, spared=str(state.id))

    def _log_out(
        self, cookie: str, state: State, text: str, environ: WSGIEnvironment
    ) -> str | None:
        """End the session, and those of all other cookies that would take its place."""
        loaded, twins = state.loaded, self._loader.twins(cookie, state.loaded)
        # They may be at places that we do not know. Without ours, they would count again.
        outlived = bool(twins) or loaded.outlived
        if state.alive:
            line: str | None = self._write(state, text, environ, lasting=outlived)
        else:
            self._backend.log_out(loaded)
            self._adoption.end(loaded.id, loaded.created)
            line = self._write_nothing(state, environ, outlived)
        ids = self._other_ids(cookie, loaded, environ)
        self._end_others(loaded, twins, ids)
        # Others may have replaced them, and the answer with the next cookie was lost.
        end = self._backend.end_refused if loaded.new else self._backend.end_successors
        for session_id in ids:
            end(session_id)
        return line

    def _other_ids(self, cookie: str, loaded: Loaded, environ: WSGIEnvironment) -> dict[str, int]:
        """Return the ids that the other sessions of the request can have, and when these began.

        Be they over or refused: a slower request may still have a cookie that has expired since.
        """
        ids = self._adoption.ids(cookie, client_of(environ)) | self._loader.own_ids(cookie)
        return {each: created for each, created in ids.items() if each != loaded.id}

    def _is_replaced(self, session: Session, loaded: Loaded, environ: WSGIEnvironment) -> bool:
        """Return whether the browser may just be getting the cookie of a session that goes on.

        That of a visitor, who has come with the one from before, would take its place.
        """
        return self._backend.is_replaced(
            lambda: self._other_ids(session._cookie, loaded, environ),
            time.time() - session._started,
        )

    def _end_others(self, loaded: Loaded, twins: list[Loaded], ids: dict[str, int]) -> None:
        """End the other sessions that the request has brought.

        One that is bound to a device is among them if its key was not proved: its end needs no
        proof.
        """
        if loaded.unproved:
            self._backend.end(loaded.bound, loaded.created)
        for twin in twins:
            self._backend.log_out(twin)
            self._adoption.end(twin.id, twin.created)
        for session_id, created in ids.items():
            self._backend.end(session_id, created)
            self._adoption.end(session_id, created)

    def _write_nothing(self, state: State, environ: WSGIEnvironment, outlived: bool) -> str | None:
        """Return the header that leaves no session in the browser, or ``None`` if none is due."""
        return self._write_ended(state, environ) if outlived else self._delete(state, environ)

    def _delete(self, state: State, environ: WSGIEnvironment) -> str | None:
        """Return the header that deletes the cookie, or ``None`` if there is none to delete.

        A log-out deletes it in any case if it also deletes former cookies, at whatever place.
        """
        if not state.loaded.came and not (state.begins_anew and self._adoption.others):
            return None
        return self._cookie.delete(self._cookie.is_secure_in(environ))

    def _write_ended(self, state: State, environ: WSGIEnvironment) -> str:
        """Return the header that leaves an empty cookie, which is newer than its twins."""
        now = int(time.time())
        empty = wrap(Envelope("{}", None, 0, place=self._cookie.place, beside=True))
        value = self._codec.encode(empty, self._next_issue(state, now))
        max_age = self._max_age_beside_twins()
        secure = self._cookie.is_secure_in(environ)
        return self._cookie.write(value, secure, (max_age, now + max_age))

    def _max_age_beside_twins(self) -> int:
        """Return the Max-Age of a cookie that outlives its twins, which may be from the future."""
        seconds = self._expiry.max_idle_timeout + CLOCK_SKEW + 1
        return int(min(seconds, MAX_COOKIE_AGE))


def _yields(other: Loaded, state: State) -> bool:
    """Return whether the log-in ends this session of the browser's, such as another user's."""
    return state.emptied or other.owner not in (None, state.owner)
