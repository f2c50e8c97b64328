"""Django's ``request.session`` on top of a session of ours.

    INSTALLED_APPS = ["sessionware.django", ...]  # for "manage.py check"
    MIDDLEWARE = ["sessionware.django.SessionMiddleware", ...]  # in the place of Django's own
    SESSION_ENGINE = "sessionware.django"
    SESSIONWARE = {"store": ...}  # what Django has no setting for

If the WSGI application is wrapped in ``sessionware.SessionMiddleware``, that one opens and saves
the session, with its own settings. Otherwise the middleware here does, whatever the status of the
response, and the settings are Django's own and SESSIONWARE.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from http.cookies import Morsel
from importlib import import_module
from types import FrameType
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY as PASSWORD_HASH
from django.contrib.auth import SESSION_KEY as USER_ID
from django.contrib.auth import user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware as DjangosMiddleware
from django.contrib.sessions.serializers import JSONSerializer
from django.core.checks import Error, register
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.utils.cache import patch_vary_headers
from django.utils.module_loading import import_string
from werkzeug.datastructures import Headers
from werkzeug.http import http_date

from .backend import CookieBackend
from .django_auth import PasswordHash, is_log_in
from .django_auth import owner_of as owner_of
from .django_expiry import EXPIRY, SINCE, SessionExpiry, plain, valid
from .django_settings import given, interface, may_read_by_django
from .envelope import IN_STORE, Envelope, wrap
from .errors import (
    ConfigurationError,
    CookieRejected,
    Problem,
    SessionEnded,
    SessionUnavailable,
    UnserializableValue,
    UsageError,
    collecting,
)
from .headers import headers_of, names_of
from .interface import SecureCookieSessionInterface
from .keys import may_be_id
from .saver import is_quick
from .serializer import dumps
from .session import NullSession, Owner, Session, State

logger: logging.Logger = logging.getLogger("sessionware")

MESSAGES = "_messages"
"""Where ``messages`` keeps what it is given."""

_HIDDEN = ("_permanent", SINCE)
_MISSING: Any = object()
_ONLY_IN_COOKIE = (
    "session_key: found that of another session, and only a store or a list of revocations can end "
    "it: set one of the two in SESSIONWARE"
)


class DjangoSession(SessionBase):
    """A session as Django's applications know it, and with ``owner`` and all that ours have.

    - ``session_key`` is the session's ``id``, and ``None`` until the session is saved.
    - Log-in by ``contrib.auth`` sets the ``owner`` to the user's primary key.
    - ``set_expiry`` ends the session by then at the latest, whatever the browser does.
    - ``modified = True`` is not needed after a nested change.
    """

    serializer = JSONSerializer  # of Django's encode and decode, which nothing here calls

    def __init__(self, opened: Session) -> None:
        self._opened = opened
        self._is_checked = False  # whether its own expiry is over
        self._is_verified = False  # by contrib.auth, which has looked at the hash
        self._is_renewed = False  # by the application, and not by contrib.auth
        self._is_assigned = False  # also if the value is an equal one
        self._only_rotates = False  # the hash of the password, and nothing else
        self._reveals_others = False  # which are older, now that this one is over

    @property
    def _session(self) -> Session:
        """The session, which is a new one if its own expiry is over."""
        opened = self._opened
        if not self._is_checked:
            expiry, state = self._expiry, opened._read()
            if state.loaded.adopted:
                expiry.take_over()
            if state.goes_on:
                self._apply(expiry, state)
            self._is_checked = True
        return opened

    @property
    def _expiry(self) -> SessionExpiry:
        return SessionExpiry(self._opened, self._interface.expiry)

    def _apply(self, expiry: SessionExpiry, state: State) -> None:
        loaded = state.loaded
        if expiry.is_over:
            logger.info(
                "A session has ended, as set_expiry or SESSION_COOKIE_AGE says (expired_idle).",
                extra={"reason": "expired_idle"},
            )
            # Another request may have prolonged it since, so its cookie stays.
            state.forget()
            self._reveals_others = loaded.newest > 0
        elif expiry.is_short and loaded.newest and not loaded.outlived:
            # The browser keeps it for less time than an older cookie, which would count again.
            loaded.stale = True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        # To ask whether there is another name is not to use the session.
        return getattr(self._session if hasattr(Session, name) else self._opened, name)

    # A dict

    def __getitem__(self, key: str) -> Any:
        return _shown(key, self._session[key])

    def __setitem__(self, key: str, value: Any) -> None:
        if key == PASSWORD_HASH:
            if self._hash.may_stay:
                return
            if self._hash.is_replaced_by(value):
                self._log_in_again()
        if key == USER_ID and value is not None:
            self.owner = owner_of({USER_ID: value})
        self._session[key] = _kept(key, value)
        self._is_assigned = self._is_assigned or key != PASSWORD_HASH

    def __delitem__(self, key: str) -> None:
        del self._session[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.load())

    def __len__(self) -> int:
        return len(self.load())

    def __bool__(self) -> bool:
        return True  # as Django's, be it empty or not

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._opened!r}>"

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of the key, or the default."""
        self._is_verified = self._is_verified or key == PASSWORD_HASH  # by contrib.auth
        return _shown(key, self._session.get(key, default))

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Remove the key and return its value, or the default."""
        given = () if default is _MISSING else (default,)
        return _shown(key, self._session.pop(key, *given))

    def keys(self) -> Any:
        """Return the keys."""
        return self.load().keys()

    def values(self) -> Any:
        """Return the values."""
        return self.load().values()

    def items(self) -> Any:
        """Return the keys with their values."""
        return self.load().items()

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several keys. Those of a log-in by ``contrib.auth`` set the owner, all together.

        A user's id alone does not: it may come from a form.
        """
        new = dict(*args, **kwargs)
        if is_log_in(new):  # First: another user's empties the session.
            self.owner = owner_of(new)
        if USER_ID in new:
            self._session[USER_ID] = new.pop(USER_ID)
        for key, value in new.items():
            self[key] = value

    def clear(self) -> None:
        """End the session: remove the data, the key and the owner."""
        self._session.clear()

    def is_empty(self) -> bool:
        """Return whether there is nothing to keep: neither data nor a key."""
        state = self._session._state
        return state is None or not state.alive

    # What has become of it

    @property
    def accessed(self) -> bool:
        """Whether the session was used."""
        return self._opened.accessed

    @accessed.setter
    def accessed(self, value: bool) -> None:
        self._opened.accessed = value

    @property
    def modified(self) -> bool:
        """Whether the session differs from what was loaded. ``True`` saves it in any case."""
        return self._opened.modified

    @modified.setter
    def modified(self, value: bool) -> None:
        self._session.modified = value

    # Whose it is, and its key

    @property
    def owner(self) -> Owner | None:
        """The user whose session it is. ``contrib.auth`` sets it."""
        return self._session.owner

    @owner.setter
    def owner(self, value: Owner | None) -> None:
        self._session.owner = value
        if value is not None:
            self._make_key()

    @property
    def session_key(self) -> str | None:
        """The session's id, or ``None`` if it was not saved yet."""
        return self._id

    @property
    def _id(self) -> str | None:
        state = self._session._state
        return None if state is None else state.id

    def _make_key(self) -> str:
        return self._session.id

    @property
    def _hash(self) -> PasswordHash:
        return PasswordHash(self._session)

    def _log_in_again(self) -> None:
        """Begin anew with the new password, unless ``revoke_owner`` has ended the session."""
        state = self._session._change()
        stamp = state.stamp
        self.owner = state.owner
        state.stamp = stamp

    def cycle_key(self) -> None:
        """Replace the session's key, and keep its data."""
        by_auth = self._is_verified and self._hash.is_by_former_key  # which it replaces next
        if not by_auth:
            self.regenerate(keep_created=True)
        elif not (self._hash.may_stay or self._session.device_bound):  # A new key would unbind it.
            self._session.regenerate(keep_created=True)
        self._make_key()

    def regenerate(self, keep_created: bool = False) -> None:
        """Replace the session's key, and unless ``keep_created`` its time of creation."""
        self._session.regenerate(keep_created)
        self._is_renewed = True

    def create(self) -> None:
        """Make a key for the session."""
        self.cycle_key()

    def save(self, must_create: bool = False) -> None:  # noqa: ARG002 - Django's signature
        """Have the session saved with the response, whatever has changed."""
        self._make_key()
        self.modified = True

    def flush(self) -> None:
        """End the session: the log-out.

        If the password was changed, contrib.auth calls this, once it has looked at the hash. That
        does not mean the session that goes on with the new password, or is about to: with a store
        or a list, this one alone is ended, and the browser keeps whatever cookie it has by then. It
        also keeps that if the response has begun.
        """
        state, backend = self._session._read(), self._backend
        keeps_cookie = backend.needs_id or self._opened.sealed
        if keeps_cookie and self._is_verified and self._hash.is_outdated:
            backend.end(str(state.loaded.id), state.loaded.created)
            state.forget()
            self._reveals_others = state.loaded.newest > 0
            return
        self._session.invalidate()
        # At once, because the request may be cut off. What has taken its place is ended with the
        # response: it may be a log-in that was sent twice, and this one need not be a log-out.
        if state.loaded.id is not None:
            with suppress(SessionUnavailable):  # as it will be told then
                backend.end(state.loaded.id, state.loaded.created)

    @property
    def _interface(self) -> SecureCookieSessionInterface:
        """What has opened the session, by our settings or by those of the WSGI middleware."""
        source: Any = getattr(self._opened, "_source", None) or interface()
        found: SecureCookieSessionInterface = getattr(source, "interface", source)
        return found

    @property
    def _backend(self) -> CookieBackend:
        return self._interface.backend

    def delete(self, session_key: str | None = None) -> None:
        """End this session, or, with a store or a list of revocations, the one of this key.

        It may be the value of a cookie, which is the ``session_key`` of a SessionStore.
        """
        if session_key in (None, self.session_key):
            self.flush()
        elif self._backend.needs_id:
            self._end(str(session_key))
        else:
            raise UsageError(_ONLY_IN_COOKIE)

    def _end(self, key: str) -> None:
        made = self._interface
        cookie = _cookie_of(made, key)
        opened = _open(made, cookie)
        is_unproved = opened._read().loaded.unproved  # It is bound to a device.
        if opened.new and not is_unproved:  # The key is no valid cookie, but may be an id.
            if may_be_id(key):
                made.backend.end(key, int(time.time()))
                made.adoption.end(key, int(time.time()))
        elif not is_unproved and opened.id == self._id:
            self.flush()
        else:
            opened.invalidate()
            made.save_session(_environ_of(made, cookie), opened, Headers())

    def load(self) -> dict[str, Any]:
        """Return the application's data as a ``dict``."""
        data = self._session.copy().items()
        return {key: _shown(key, value) for key, value in data if key not in _HIDDEN}

    def exists(self, session_key: str) -> bool:
        """Return whether a store has a session of this key, or a cookie of this value is valid."""
        made = self._interface
        found = DjangoSession(_open(made, _cookie_of(made, session_key)))
        return not found.new or found._opened._read().loaded.unproved

    @classmethod
    def clear_expired(cls) -> None:
        """Delete what has expired from a store or list that does not do so by itself."""
        for name in ("store", "revocations"):
            delete = getattr(given().get(name), "delete_expired", None)
            while delete is not None and delete():
                pass

    # How long it lives

    @property
    def permanent(self) -> bool:
        """Whether the cookie is kept when the browser closes."""
        return not self.get_expire_at_browser_close()

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if value != self.permanent:
            self.set_expiry(self._expiry.limit if value else 0)

    def get_session_cookie_age(self) -> int:
        """Return how many seconds the session lives on if it is not used, without an own expiry."""
        return min(self._left(permanent=False), self._left(self.permanent))

    def get_expiry_age(self, **kwargs: Any) -> int:
        """Return in how many seconds the session expires."""
        age: int = super().get_expiry_age(**kwargs)
        return min(age, self._left(self.permanent))

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        """Return when the session expires."""
        date: datetime = super().get_expiry_date(**kwargs)
        now = datetime.fromtimestamp(int(time.time()), date.tzinfo)
        left = min((date - now).total_seconds(), self._left(self.permanent))
        return now + timedelta(seconds=left)

    def _left(self, permanent: bool) -> int:
        created = self._session.created
        return self._interface.expiry.left(int(time.time()), created, permanent)

    def set_expiry(self, value: Any) -> None:
        """Have the session end after these seconds without a change, or at this time.

        With ``refresh_after``, or SESSION_SAVE_EVERY_REQUEST: after these seconds without a use.
        ``0``: when the browser closes. ``None``: as the settings say. Raises UsageError for more
        than the settings allow, and for another type.
        """
        value = plain(value)
        if isinstance(value, timedelta):
            self._expiry.check(value.total_seconds())
        elif value:
            self._expiry.check(super().get_expiry_age(expiry=value))
        super().set_expiry(value)
        self._expiry.restart()

    def _prepare(self) -> None:
        """Set the key and the cookie's life, as Django says, of a session that will be saved."""
        opened, state = self._opened, self._opened._state
        is_ready = self._is_checked and not (opened.sealed or isinstance(opened, NullSession))
        if state is None or not is_ready:
            return
        self._settle(state)
        if not (state.alive and opened.modified):
            return
        self._make_key()
        if not self._only_rotates:
            self._expiry.restart()
        if opened.permanent != self.permanent:
            opened.permanent = self.permanent

    def _settle(self, state: State) -> None:
        """Decide whether a session is saved that the application has not changed.

        A slow request does not save it, because it could undo what another one has saved meanwhile.
        """
        expiry, loaded = self._expiry, state.loaded
        self._only_rotates = not self._is_renewed and self._hash.is_all_that_is_rotated
        loaded.urgent = loaded.urgent or (state.goes_on and expiry.is_half_over)
        if not (loaded.urgent or is_quick(self._opened)):
            if self._only_rotates:
                self._hash.take_back()
        elif self._reveals_others:
            self._opened.modified = True
        elif self._is_assigned and state.goes_on and state.alive:
            expiry.restart()
            loaded.stale = loaded.urgent = True
        elif state.goes_on and expiry.is_due:
            loaded.stale = True

    # The same for coroutines, in a thread: a store may have to be asked.

    async def _aget_session(self, no_load: bool = False) -> "DjangoSession":  # noqa: ARG002 - Django's signature
        if not self._is_checked:
            await sync_to_async(self.is_empty)()
        return self

    async def aset(self, key: str, value: Any) -> None:
        """Set the key."""
        await sync_to_async(self.__setitem__)(key, value)

    async def apop(self, key: str, default: Any = _MISSING) -> Any:
        """Remove the key and return its value, or the default."""
        return await sync_to_async(self.pop)(key, default)

    async def aupdate(self, *args: Any, **kwargs: Any) -> None:
        """Set several keys."""
        await sync_to_async(self.update)(*args, **kwargs)

    async def acycle_key(self) -> None:
        """Replace the session's key, and keep its data."""
        await sync_to_async(self.cycle_key)()

    async def aflush(self) -> None:
        """End the session: the log-out."""
        await sync_to_async(self.flush)()

    async def aset_expiry(self, value: Any) -> None:
        """Have the session end after these seconds without a change, or at this time."""
        await sync_to_async(self.set_expiry)(value)

    async def aget_expiry_age(self, **kwargs: Any) -> int:
        """Return in how many seconds the session expires."""
        return await sync_to_async(self.get_expiry_age)(**kwargs)

    async def aget_expiry_date(self, **kwargs: Any) -> datetime:
        """Return when the session expires."""
        return await sync_to_async(self.get_expiry_date)(**kwargs)


class SessionStore(DjangoSession):
    """A session without a request, as Django's test client uses it: SESSION_ENGINE.

    ``session_key`` is the cookie's value, which may be another one after ``save``. Of the test
    client's own ``session``, the client then has the new one. With the id of a session, it can
    only end that one, in a store or by a list of revocations.
    """

    def __init__(self, session_key: str | None = None) -> None:
        caller = _caller_of(self)
        if _is_theirs(type(caller)):
            raise ImproperlyConfigured(str(ConfigurationError([_in_place_of(type(caller))])))
        self._client = _test_client(caller)
        # Not an id, with which a client could take over a session, be it found in a log.
        self._cookie = session_key or None
        super().__init__(_open(interface(), self._cookie))

    @property
    def session_key(self) -> str | None:
        """The value of the session's cookie, or ``None`` if it has none."""
        return self._cookie

    def cycle_key(self) -> None:
        """Save the session with a new key, and with its data."""
        super().cycle_key()
        self.save()

    def save(self, must_create: bool = False) -> None:
        """Save the session. Its ``session_key`` is then that of its new cookie."""
        super().save(must_create)
        self._prepare()
        self._commit()

    def flush(self) -> None:
        """End the session: the log-out."""
        if self._cookie and self._opened.new and may_be_id(self._cookie):
            if not self._backend.needs_id:
                raise UsageError(_ONLY_IN_COOKIE)
            self._end(self._cookie)
        super().flush()
        self._commit()

    def _commit(self) -> None:
        made, headers = interface(), Headers()
        made.save_session(_environ_of(made, self._cookie), self._opened, headers)
        lines = headers.getlist("Set-Cookie")
        self._cookie = (_morsel(lines[-1]).value or None) if lines else None
        self._opened, self._is_checked = _open(made, self._cookie), False
        if self._client is not None:
            self._client.cookies[settings.SESSION_COOKIE_NAME] = self._cookie or ""


class SessionMiddleware(DjangosMiddleware):
    """Takes the place of Django's own in MIDDLEWARE.

    Raises ImproperlyConfigured with every problem of every setting.
    """

    def __init__(self, get_response: Callable[..., Any]) -> None:
        super().__init__(get_response)
        if problems := _problems():
            raise ImproperlyConfigured(str(ConfigurationError(problems)))

    def process_request(self, request: Any) -> None:
        """Set ``request.session``: what the WSGI middleware has opened, or else one of our own."""
        found: Any = request.META.get(given().get("environ_key", "session"))
        if not isinstance(found, Session) or found.sealed:
            found = interface().open_session(_with_cookies(request))
        request.session = DjangoSession(found)

    def process_response(self, request: Any, response: Any) -> Any:
        """Save the session if it was opened here. The WSGI middleware saves its own."""
        session = getattr(request, "session", None)
        if not isinstance(session, DjangoSession):
            return response
        opened = session._opened
        if opened.opened_by is not None:
            session._prepare()
            _tell_caches(response, session)
            return response
        try:
            if settings.SESSION_SAVE_EVERY_REQUEST and request.META.get("HTTP_COOKIE"):
                session.is_empty()  # A use, after which the cookie is issued again.
            session._prepare()
            if opened.accessed:
                _save(request, response, session)
        finally:
            opened.sealed = True  # Also if it failed: a later change would be lost in silence.
        return response


_NOT_USED = {
    "SESSION_SERIALIZER": "django.contrib.sessions.serializers.JSONSerializer",
    "SESSION_CACHE_ALIAS": "default",
    "SESSION_FILE_PATH": None,
}


def check_settings(**_: object) -> list[Error]:
    """Return what is wrong with the settings, as the middleware raises it, for ``manage.py check``.

    It also finds that Django's middleware still stands where ours belongs, or neither.
    """
    problems = _problems()
    if not any(issubclass(each, DjangosMiddleware) for each in _middlewares()):
        problems.append(Problem("MIDDLEWARE", "found no session middleware", f"add {_OURS!r}"))
    return [Error(str(problem), id="sessionware.E001") for problem in problems]


def _problems() -> list[Problem]:
    """Return everything that is wrong with the settings."""
    problems = [*map(_in_place_of, filter(_is_theirs, _middlewares())), *_repeated(), *_unused()]
    with collecting(problems):
        interface()
    return problems


_OURS = "sessionware.django.SessionMiddleware"


def _in_place_of(theirs: type) -> Problem:
    name = f"{theirs.__module__}.{theirs.__qualname__}"
    return Problem("MIDDLEWARE", f"found {name!r}, expected {_OURS!r} in its place")


def _repeated() -> Iterator[Problem]:
    found = [each for each in _middlewares() if issubclass(each, SessionMiddleware)]
    if len(found) > 1:
        yield Problem("MIDDLEWARE", f"found {_OURS!r} {len(found)} times", "leave one")


def _middlewares() -> list[type]:
    """Return the classes in MIDDLEWARE, in which functions may stand too."""
    found = map(import_string, settings.MIDDLEWARE)
    return [each for each in found if isinstance(each, type)]


def _is_theirs(middleware: type) -> bool:
    return issubclass(middleware, DjangosMiddleware) and not issubclass(
        middleware, SessionMiddleware
    )


def _unused() -> Iterator[Problem]:
    """Yield what Django's settings say beside those of the interface, and cannot be honoured."""
    store = getattr(import_module(settings.SESSION_ENGINE), "SessionStore", None)
    if not (isinstance(store, type) and issubclass(store, SessionStore)):
        yield Problem(
            "SESSION_ENGINE", f"found {settings.SESSION_ENGINE!r}, expected 'sessionware.django'"
        )
    for name, default in _NOT_USED.items():
        if getattr(settings, name) != default and not may_read_by_django():
            yield Problem(name, "found, but no session here uses it", "remove it")


def _kept(key: str, value: Any) -> Any:
    """Return what is kept of a value: of messages a list, which a store can merge.

    ``session.update`` may have put there what a form had, such as a list that cannot be kept.
    """
    if key == MESSAGES and isinstance(value, str):
        with suppress(ValueError, RecursionError, UnserializableValue):
            messages = json.loads(value)
            if type(messages) is list:
                dumps(messages)
                return messages
    return value


def _shown(key: str, value: Any) -> Any:
    """Return what was given to ``_kept``."""
    if key == EXPIRY:
        return valid(value)
    return json.dumps(value) if key == MESSAGES and type(value) is list else value


def _open(made: SecureCookieSessionInterface, cookie: str | None) -> Session:
    """Return the session of a cookie with this value."""
    return cast(Session, made.open_session(_environ_of(made, cookie)))


def _cookie_of(made: SecureCookieSessionInterface, key: str) -> str:
    """Return the value of a cookie for the session of which a store has this id, or else the key.

    The cookie is for this process alone: no browser gets it.
    """
    try:
        made.backend.load(Envelope(IN_STORE, None, 0, key))
    except CookieRejected:
        return key
    envelope = Envelope(IN_STORE, None, 0, key, place=made.cookie.place)
    return made.codec.encode(wrap(envelope), int(time.time()))


def _with_cookies(request: Any) -> dict[str, Any]:
    """Return the environ, with a cookie that a test has put into the request's COOKIES.

    What a browser has sent is left to our own scanner, which takes no other name for ours.
    """
    environ: dict[str, Any] = request.META
    if environ.get("HTTP_COOKIE"):
        return environ
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return environ if cookie is None else environ | _environ_of(interface(), cookie)


def _environ_of(made: SecureCookieSessionInterface, cookie: str | None) -> dict[str, Any]:
    """Return the environ of a request with this cookie, from which the site is within reach."""
    return {
        "HTTP_COOKIE": "" if cookie is None else f"{made.cookie.name}={cookie}",
        "SERVER_NAME": made.cookie.bare_domain or "localhost",
        "wsgi.url_scheme": "https" if made.cookie.always_secure else "http",
    }


def _caller_of(made: object) -> object:
    """Return the object whose method makes this one, be it by the ``__init__`` of a subclass."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_locals.get("self") is made:
        frame = frame.f_back
    return None if frame is None else frame.f_locals.get("self")


def _test_client(caller: object) -> Any:
    """Return the caller if it is a client of ``django.test``, whose ``session`` is asked for."""
    module = sys.modules.get("django.test.client")
    return caller if module is not None and isinstance(caller, module.ClientMixin) else None


def _tell_caches(response: Any, session: DjangoSession) -> None:
    """Tell Django's own cache, which looks before the WSGI middleware has saved the session."""
    if session.accessed:
        patch_vary_headers(response, ["Cookie"])
        if session.modified:
            fields = [*response.items()]
            session._interface._keep_private(fields, names_of(fields))
            _change_headers(response, headers_of(fields))


def _save(request: Any, response: Any, session: DjangoSession) -> None:
    """Save the session, and set what is needed in Django's response."""
    cookies = [("Set-Cookie", each.OutputString()) for each in response.cookies.values()]
    headers = Headers([*response.items(), *cookies])
    before = len(headers.getlist("Set-Cookie"))
    environ = {**request.META, "wsgi.url_scheme": request.scheme}
    with suppress(SuspiciousOperation):  # Behind a proxy, Django may know another host.
        environ["HTTP_HOST"] = request.get_host()
    try:
        interface().save_session(environ, session._opened, headers)
    except SessionEnded as error:
        if not session._only_rotates:
            raise SessionInterrupted(str(error)) from error
    _change_headers(response, headers)
    _set_cookies(response, headers.getlist("Set-Cookie")[before:], session)


def _change_headers(response: Any, headers: Headers) -> None:
    """Remove the header fields that are not there any more, and change those for caches."""
    for name in [name for name, _ in response.items() if name not in headers]:
        del response[name]
    for name in ("Vary", "Cache-Control"):
        if name in headers:
            response[name] = headers[name]


def _set_cookies(response: Any, lines: list[str], session: DjangoSession) -> None:
    """Set these cookies, of which the last is ours, and the others delete former ones."""
    if not lines:
        return
    *others, own = map(_morsel, lines)
    state = session._opened._state
    hides_others = state is not None and state.loaded.newest > 0  # Then it has to outlive them.
    left = session._expiry.left
    if own["max-age"] and left < int(own["max-age"]) and not hides_others:
        own["max-age"], own["expires"] = left, http_date(int(time.time()) + left)
    response.cookies.pop(own.key, None)
    for number, other in enumerate(others):
        # Several may have one name, at several places. No cookie's name has a space.
        is_taken = other.key == own.key or other.key in response.cookies
        response.cookies[f"{other.key} {number}" if is_taken else other.key] = other
    response.cookies[own.key] = own  # Last: for some browsers, another is at the same place.


class _Morsel(Morsel[str]):
    """A cookie that may be Partitioned, which Python knows from 3.14 on."""

    _reserved = Morsel._reserved | {"partitioned": "Partitioned"}  # type: ignore[attr-defined]  # typeshed leaves out what is private
    _flags = Morsel._flags | {"partitioned"}  # type: ignore[attr-defined]  # typeshed leaves out what is private


def _morsel(line: str) -> _Morsel:
    """Return the cookie of a Set-Cookie header that we have written."""
    pair, *attributes = line.split("; ")
    name, _, value = pair.partition("=")
    morsel = _Morsel()
    morsel.set(name, value, value)
    for attribute in attributes:
        key, _, text = attribute.partition("=")
        morsel[key] = text or True
    return morsel


def _log_out(*, request: Any = None, **_: object) -> None:
    """Have the ``flush`` that follows end the session, even if its password was just changed."""
    if isinstance(session := getattr(request, "session", None), DjangoSession):
        session._is_verified = False


user_logged_out.connect(_log_out)
register(check_settings, "sessionware")
