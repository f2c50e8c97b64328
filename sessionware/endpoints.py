"""Where browsers register the key of a device, and prove it: two WSGI applications."""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .device import Binding, identifier_of, is_from_elsewhere, state_of
from .errors import SessionEnded, SessionUnavailable, UsageError
from .headers import Fields
from .log import log
from .session import Session

if TYPE_CHECKING:  # It needs cryptography, which is an extra.
    from .proof import Jwk, Proof

_IDENTIFIER = re.compile("[0-9a-f]{64}")
_JSON = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]


class Answer(NamedTuple):
    """What an endpoint answers: a status, header fields beside the common ones, and JSON."""

    status: str
    fields: Fields
    body: dict[str, Any]


class Endpoints:
    """What a SessionMiddleware answers in place of its application.

    Each endpoint is a WSGI application, which uses the session as any other does.
    """

    def __init__(self, binding: Binding, environ_key: str) -> None:
        self._binding = binding
        self._environ_key = environ_key
        self._apps: dict[str, WSGIApplication] = {
            binding.register_path: self._app(self._register),
            binding.refresh_path: self._app(self._refresh),
        }

    def app_for(self, environ: WSGIEnvironment) -> WSGIApplication | None:
        """Return what answers this request, or ``None`` if the application does."""
        app = self._apps.get(environ.get("PATH_INFO", ""))
        if app is None and _is_followed_from_elsewhere(environ) and self._is_unproved(environ):
            return _reload
        return app

    def _is_unproved(self, environ: WSGIEnvironment) -> bool:
        if not self._binding.may_be_unproved(environ.get("HTTP_COOKIE", "")):
            return False
        session: Session = environ[self._environ_key]
        with suppress(SessionUnavailable):  # The application has the say on that.
            return state_of(session).loaded.unproved
        return False

    def _app(self, answer: Callable[[Session, WSGIEnvironment], Answer]) -> WSGIApplication:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            session: Session = environ[self._environ_key]
            try:
                status, fields, body = answer(session, environ)
                # write() saves the session, so that what this raises can still be answered.
                start_response(status, [*_JSON, *fields])(json.dumps(body).encode())
            except SessionEnded:
                session.accessed = False  # or it would be saved again
                status, fields, body = _refusal("device_unexpected")
                start_response(status, [*_JSON, *fields], sys.exc_info())
                return [json.dumps(body).encode()]
            except UsageError as error:
                session.accessed = False  # as above
                message = "A session could not be bound to a device, or its key not be checked"
                log("device_unavailable", f"{message}: {error}", logging.WARNING)
                start_response("503 Service Unavailable", [*_JSON], sys.exc_info())
            return []

        return app

    def _register(self, session: Session, environ: WSGIEnvironment) -> Answer:
        """Bind the session to the key that the browser has made."""
        binding, proof = self._binding, self._proof_in(environ)
        if proof is None or proof.jwk is None:
            return _refusal("device_malformed")
        loaded = state_of(session).loaded
        session_id = loaded.id
        if session_id is None or loaded.bound:
            return _refusal("device_unexpected")
        is_ours = binding.challenges.is_ours(proof.challenge, session_id)
        if not (is_ours and binding.challenges.is_recent(proof.challenge)):
            return _refusal("device_bad_challenge")
        if not proof.is_signed_by(proof.jwk):
            return _refusal("device_bad_signature")
        bound_id = binding.bind(session, proof.jwk)
        if bound_id is None:
            return _refusal("device_unexpected")
        return self._accepted(bound_id, proof.jwk, environ)

    def _refresh(self, session: Session, environ: WSGIEnvironment) -> Answer:
        """Renew the short cookie for the holder of the key."""
        binding, identifier = self._binding, _unquoted(environ, "HTTP_SEC_SECURE_SESSION_ID")
        if environ["REQUEST_METHOD"] != "POST" or not _IDENTIFIER.fullmatch(identifier):
            return _refusal("device_malformed")
        session_id = state_of(session).loaded.bound
        jwk = binding.jwk_of(session_id, environ.get("HTTP_COOKIE", "")) if session_id else None
        if jwk is None or identifier != identifier_of(session_id):
            # It was logged out, or bound anew.
            return Answer("200 OK", [], {"session_identifier": identifier, "continue": False})
        again = [binding.challenge(session_id)]
        if "HTTP_SECURE_SESSION_RESPONSE" not in environ:
            return Answer(_FORBIDDEN, again, {})  # The browser has no challenge.
        proof = self._proof_in(environ)
        if proof is None or proof.jwk is not None:
            return _refusal("device_malformed")
        if not proof.is_signed_by(jwk):
            return _refusal("device_bad_signature", again)
        if not binding.challenges.is_ours(proof.challenge, session_id):
            return _refusal("device_bad_challenge", again)
        if not binding.challenges.is_recent(proof.challenge):
            return Answer(_FORBIDDEN, again, {})  # The browser was not used for a while.
        if not binding.challenges.use_up(proof.challenge):
            return _refusal("device_replayed", again)
        return self._accepted(session_id, jwk, environ)

    def _proof_in(self, environ: WSGIEnvironment) -> "Proof | None":
        if environ["REQUEST_METHOD"] != "POST":
            return None
        return self._binding.read(_unquoted(environ, "HTTP_SECURE_SESSION_RESPONSE"))

    def _accepted(self, session_id: str, jwk: "Jwk", environ: WSGIEnvironment) -> Answer:
        binding = self._binding
        fields = [*binding.cookies(session_id, jwk, environ), binding.challenge(session_id)]
        return Answer("200 OK", fields, binding.instructions(session_id, environ))


_FORBIDDEN = "403 Forbidden"


def _refusal(reason: str, challenge: Fields | None = None) -> Answer:
    """Return the answer to what proves nothing; with a challenge, the browser tries again."""
    log(reason, "A proof of a device's key was refused")
    return Answer(_FORBIDDEN if challenge else "400 Bad Request", challenge or [], {})


def _unquoted(environ: WSGIEnvironment, name: str) -> str:
    """Return a header whose value has quotes in the draft, and none in Chromium."""
    value: str = environ.get(name, "")
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return value[1:-1] if quoted else value


def _is_followed_from_elsewhere(environ: WSGIEnvironment) -> bool:
    """Return whether a link on another site was followed."""
    return (
        is_from_elsewhere(environ)
        and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ["REQUEST_METHOD"] == "GET"
    )


def _reload(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with a page that reloads itself: for its own requests, the cookie is renewed."""
    fields = [("Content-Type", "text/html"), ("Cache-Control", "no-store"), ("Refresh", "0")]
    start_response("200 OK", fields)
    return [b"<!doctype html><title>One moment</title>"]
