"""What ``django.contrib.auth`` keeps in a session: whose it is, and the hash of a password.

Of a user who is logged in, it compares the hash with that of the present password in each request.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY as BACKEND
from django.contrib.auth import HASH_SESSION_KEY as PASSWORD_HASH
from django.contrib.auth import SESSION_KEY as USER_ID
from django.contrib.auth import get_user_model, load_backend
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils.crypto import constant_time_compare

from .serializer import dumps, loads
from .session import OWNER_TYPES, Owner, Session


def owner_of(data: dict[str, Any]) -> Owner | None:
    """Return the primary key of the user whom ``contrib.auth`` has logged in, or ``None``.

    It is the ``owner`` of a DjangoCookie in SESSIONWARE that has none.
    """
    if (written := data.get(USER_ID)) is None:
        return None
    try:
        key = get_user_model()._meta.pk.to_python(written)
    except (ImproperlyConfigured, ValidationError):  # It is not a user of contrib.auth.
        key = written
    return key if isinstance(key, OWNER_TYPES) else str(key)


def is_log_in(data: Mapping[str, Any]) -> bool:
    """Return whether ``contrib.auth`` would accept these data, which no form can have."""
    written = data.get(PASSWORD_HASH)
    if not (isinstance(written, str) and written.isascii() and written):
        return False
    user = _user_of(data)
    hashes = (_hashes_of(user, f"get_session_auth_{kind}") for kind in ("hash", "fallback_hash"))
    return any(constant_time_compare(written, each) for each in chain(*hashes))


class PasswordHash:
    """The hash of the user's password in a session, beside those of the present one."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def is_by_former_key(self) -> bool:
        """Whether it is one of the present password, made with a fallback key."""
        if not settings.SECRET_KEY_FALLBACKS:
            return False
        return any(map(self._has_hash, self._hashes("get_session_auth_fallback_hash")))

    @property
    def may_stay(self) -> bool:
        """Whether it is one by a former key, and this request need not replace it.

        While there are fallback keys, contrib.auth replaces the key in any request, and writes the
        new hash. That is an error in a body whose response has begun, and in all but one of those
        that a page sends one soon after the other.
        """
        state = self._session._state
        was_renewed = state is not None and not state.begins_anew and state.loaded.renewed
        return (was_renewed or self._session.sealed) and self.is_by_former_key

    @property
    def is_all_that_is_rotated(self) -> bool:
        """Whether contrib.auth has replaced it in this request, and nothing else was changed.

        Then nothing is lost if another request has done the same, or ended the session.
        """
        state = self._session._state
        if not settings.SECRET_KEY_FALLBACKS or state is None:
            return False
        if state.begins_anew or state.csrf_token != state.loaded.csrf_token:
            return False
        before = loads(state.loaded.text)
        former, present = before.get(PASSWORD_HASH, ""), state.data.get(PASSWORD_HASH, "")
        by_former_keys = self._hashes("get_session_auth_fallback_hash")
        is_rotated = former != present and former in by_former_keys
        # As texts, because 1 and True are equal.
        return is_rotated and dumps(before | {PASSWORD_HASH: present}) == dumps(state.data)

    def take_back(self) -> None:
        """Undo what contrib.auth has replaced."""
        state = self._session._change()
        state.id, state.parent, state.save_forced = state.loaded.id, state.loaded.parent, False
        state.data[PASSWORD_HASH] = loads(state.loaded.text)[PASSWORD_HASH]

    @property
    def is_outdated(self) -> bool:
        """Whether the password was changed since."""
        present = [*self._hashes("get_session_auth_hash")]
        present += self._hashes("get_session_auth_fallback_hash")
        return present != [] and not any(map(self._has_hash, present))

    def is_replaced_by(self, present: str) -> bool:
        """Return whether this is the hash of a new password of the user's."""
        state = self._session._state
        if state is None or state.owner is None or state.begins_anew:
            return False
        if state.data.get(PASSWORD_HASH) in (None, present) or self.is_by_former_key:
            return False
        return present in self._hashes("get_session_auth_hash")

    def _has_hash(self, present: str) -> bool:
        return constant_time_compare(self._session.get(PASSWORD_HASH, ""), present)

    def _hashes(self, method: str) -> Iterator[str]:
        """Yield what this method of the user returns, who has the password of now.

        Nothing if ``contrib.auth`` has written no hash: an owner of the application's is no user.
        """
        if self._session.get(PASSWORD_HASH):
            yield from _hashes_of(_user_of(self._session), method)


def _hashes_of(user: Any, method: str) -> Iterator[str]:
    if hasattr(user, method):
        found = getattr(user, method)()
        yield from [found] if isinstance(found, str) else found


def _user_of(data: Mapping[str, Any]) -> Any:
    """Return the user whom ``contrib.auth`` has logged in, or ``None``."""
    if data.get(BACKEND) not in settings.AUTHENTICATION_BACKENDS:
        return None
    try:
        key = get_user_model()._meta.pk.to_python(data.get(USER_ID))
    except (ImproperlyConfigured, OverflowError, ValidationError):
        return None
    return load_backend(data[BACKEND]).get_user(key)
