"""For the tests of an application, and of a store of its own.

``session_transaction`` reads and changes a test client's session between requests, like the one of
Flask's test client, for any client that keeps cookies. ``StoreContract`` and
``RevocationsContract`` are the tests that every store and every list of revocations has to pass.
"""

import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dis import opname
from email.message import Message
from functools import partial
from http.cookiejar import CookieJar
from operator import attrgetter
from threading import Barrier
from types import FrameType, FunctionType, SimpleNamespace
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit
from urllib.request import Request
from uuid import UUID
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.datastructures import Headers
from werkzeug.test import Client, create_environ

from .errors import UsageError
from .expiry import MAX_COOKIE_AGE
from .middleware import SessionMiddleware
from .store import Kept, Owner, Revocations, Store, key_of

# By name, because none is a dependency: package and class, and where its CookieJar is.
_COOKIEJARS = {
    ("webtest", "TestApp"): attrgetter("cookiejar"),
    ("requests", "Session"): attrgetter("cookies"),
    ("httpx", "Client"): attrgetter("cookies.jar"),
}


@contextmanager
def session_transaction(
    client: object, middleware: SessionMiddleware, url: str = "http://localhost/"
) -> Iterator[Any]:
    """Open the client's session as a request to ``url`` would, and save it after the block.

    ``client`` is a webtest.TestApp, werkzeug.test.Client, requests.Session or httpx.Client. The
    cookie goes through the client's own jar, so its attributes have to allow ``url``. If the block
    raises an exception, the jar stays as it was. Raises UsageError for a wrong argument, and all
    that saving raises (SessionTooLarge, UnserializableValue).
    """
    jar = _jar_of(client)
    _check(middleware, url)
    environ = _environ_of(url)
    if cookie := jar.cookie_header(url):
        environ["HTTP_COOKIE"] = cookie
    headers = Headers()
    # A whole request, to an application that waits until the block is over.
    visit: Any = SessionMiddleware(_wait, interface=middleware.interface)
    with closing(visit(environ, lambda _, fields, *__: headers.extend(fields))) as body:
        yield environ["session"]
        list(body)
    sent = headers.getlist("Set-Cookie")
    jar.take(url, sent)
    pairs = [line.partition(";")[0] for line in sent]
    kept = jar.cookie_header(url).split("; ")
    if lost := [pair.partition("=")[0] for pair in pairs if pair[-1:] != "=" and pair not in kept]:
        raise UsageError(
            f"url: the client does not send the cookie {lost[0]!r} to {url!r}: use a url that the "
            "cookie's domain, path and Secure allow"
        )


def _wait(_: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield b""


class _Jar(Protocol):
    """A client's cookies, as session_transaction uses them."""

    def cookie_header(self, url: str) -> str:
        """Return the Cookie header of a request to the url, or an empty str."""

    def take(self, url: str, set_cookies: list[str]) -> None:
        """Store these Set-Cookie headers like those of a response."""


class _StandardJar:
    """The standard library's CookieJar, which WebTest, requests and httpx use."""

    def __init__(self, jar: CookieJar) -> None:
        self._jar = jar

    def cookie_header(self, url: str) -> str:
        request = Request(url)  # noqa: S310  # it is never sent
        self._jar.add_cookie_header(request)
        return request.get_header("Cookie", "")

    def take(self, url: str, set_cookies: list[str]) -> None:
        headers = Message()
        for line in set_cookies:
            headers["Set-Cookie"] = line
        response: Any = SimpleNamespace(info=lambda: headers)
        self._jar.extract_cookies(response, Request(url))  # noqa: S310  # it is never sent


class _WerkzeugJar:
    """The cookies of werkzeug's client, by the two methods that Flask's test client uses."""

    def __init__(self, client: Client) -> None:
        try:
            client.get_cookie("")
        except TypeError as error:
            raise UsageError(f"client: {error}") from None
        self._client = client

    def cookie_header(self, url: str) -> str:
        environ = _environ_of(url)
        self._client._add_cookies_to_wsgi(environ)
        return str(environ.get("HTTP_COOKIE", ""))

    def take(self, url: str, set_cookies: list[str]) -> None:
        target = urlsplit(url)
        host = target.hostname or ""
        self._client._update_cookies_from_response(host, target.path, set_cookies)


def _jar_of(client: object) -> _Jar:
    if isinstance(client, Client):
        return _WerkzeugJar(client)
    for kind in type(client).__mro__:
        find = _COOKIEJARS.get((kind.__module__.partition(".")[0], kind.__name__))
        if find is not None:
            return _StandardJar(find(client))
    raise UsageError(
        f"client: found {type(client).__qualname__}, expected a webtest.TestApp, "
        "werkzeug.test.Client, requests.Session or httpx.Client"
    )


def _check(middleware: object, url: str) -> None:
    if not isinstance(middleware, SessionMiddleware):
        found = type(middleware).__qualname__
        raise UsageError(
            f"middleware: found {found}, expected the application's SessionMiddleware: pass that, "
            "not what is around it (in Pyramid: app.registry['sessionware'])"
        )
    target = urlsplit(url)
    if target.scheme not in ("http", "https") or not target.hostname:
        raise UsageError(f"url: found {url!r}, expected one like 'http://localhost/'")


def _environ_of(url: str) -> WSGIEnvironment:
    return create_environ(url, urljoin(url, "/"))


class _Contract:
    """What both contracts share: time that passes, failures that say what is wrong, and stamps."""

    def make(self) -> Any:
        """Return what is to be tested."""

    def wait(self, seconds: float) -> None:
        """Let this time pass, for the store too. Override it if your store has a clock to set."""
        time.sleep(seconds)

    @staticmethod
    def _expect(condition: object, message: str) -> None:
        if not condition:  # no assert, because python -O leaves it out
            raise AssertionError(message)

    def test_stamp_changes_with_revoke_owner(self) -> None:
        """``revoke_owner`` changes the stamp of this owner and of no other. None comes again."""
        tested = self.make()
        if not hasattr(tested, "revoke_owner"):
            return
        number = int(_new_key(), 16)
        owner, seen = str(number), set[str | None]()
        others = (number, f"{owner} ", *self._stamped)
        before = [self._stamp(tested, other) for other in others]
        for _ in range(3):
            seen.add(self._stamp(tested, owner))
            tested.revoke_owner(owner)
            stamp = self._stamp(tested, owner)
            self._expect(stamp and stamp not in seen, "revoke_owner did not change the stamp")
        after = [self._stamp(tested, other) for other in others]
        self._expect(after == before, "revoke_owner changed the stamp of another owner")

    def test_stamp_changes_with_revoke_all(self) -> None:
        """``revoke_all`` changes the stamp of every owner. None comes again."""
        tested = self.make()
        if not hasattr(tested, "revoke_all"):
            return
        seen = {owner: set[str | None]() for owner in (*self._stamped, _new_key())}
        for _ in range(2):
            for owner, stamps in seen.items():
                stamps.add(self._stamp(tested, owner))
                if owner is not None and hasattr(tested, "revoke_owner"):
                    tested.revoke_owner(owner)
                    stamp = self._stamp(tested, owner)
                    self._expect(stamp not in stamps, "a stamp came again")
                    stamps.add(stamp)
            tested.revoke_all()
            for owner, stamps in seen.items():
                stamp = self._stamp(tested, owner)
                changed = stamp and stamp not in stamps
                self._expect(changed, f"revoke_all did not change the stamp of {owner!r}")

    @property
    def _stamped(self) -> Sequence[Owner | None]:
        """The owners that have a stamp, among them ``None`` if what is tested has one for it."""
        return _OWNERS

    def _stamp(self, tested: Any, owner: Owner | None) -> str | None:
        """Return the owner's present stamp."""


class StoreContract(_Contract):
    """The tests of a store: subclass it with a ``make`` that returns yours.

        class TestMyStore(StoreContract):
            def make(self):
                return MyStore(...)

    pytest finds the ``test_...`` methods, and unittest does if the class is a TestCase too. Each
    test uses keys of its own, so all may share one database. ``revoke_owner`` and ``revoke_all``,
    which ends every session in it, are tested if the store has them.

    A store that checks in one step and writes in another fails: each verb is run again and again,
    and interrupted by another one before each bytecode instruction of the store's own source
    files. Then eight threads write at once.
    """

    def make(self) -> Store:
        """Return the store. Override it."""
        raise NotImplementedError("override make(): return the store that is to be tested")

    def test_limit_is_a_number_of_bytes(self) -> None:
        """``limit`` is an int, at least 1."""
        limit = self.make().limit
        self._expect(type(limit) is int and limit > 0, f"limit: found {limit!r}, expected an int")

    def test_absent_key(self) -> None:
        """A key that was never created is absent for every verb, and none of them creates it."""
        store, key = self.make(), _new_key()
        for _ in range(2):
            self._expect_absent(store, key, "that was never created")

    def test_created_text_comes_back(self) -> None:
        """``load`` returns the text that was created, and a version."""
        store, key = self.make(), _new_key()
        self._expect(_create(store, key, _TEXT), "create returned False for a key that was absent")
        kept = self._load(store, key)
        self._expect(isinstance(kept, Kept), f"load returned {type(kept).__name__}, expected Kept")
        self._expect(kept.text == _TEXT, "load did not return the text that was created")
        self._expect(type(kept.version) is str, "Kept.version is not a str")
        self._expect(self._load(store, key) == kept, "load returned something else the next time")

    def test_text_as_long_as_the_limit(self) -> None:
        """A text of as many bytes as the limit allows, up to a megabyte, is kept whole."""
        store, key = self.make(), _new_key()
        text = "x" * min(store.limit, 1024 * 1024)
        _create(store, key, "short")
        replaced = _replace(store, key, text, self._load(store, key).version)
        self._expect(replaced, "replace returned False for the present version")
        self._expect(self._load(store, key).text == text, "a text of limit bytes was changed")

    def test_key_in_use_is_not_created(self) -> None:
        """``create`` returns ``False`` for a key in use, and changes nothing."""
        store, key = self.make(), _new_key()
        _create(store, key, "first")
        kept = self._load(store, key)
        for text in ("second", "first"):
            self._expect(not _create(store, key, text), "create returned True for a key in use")
        self._expect(self._load(store, key) == kept, "create changed a key in use")

    def test_replace_needs_the_present_version(self) -> None:
        """``replace`` writes only if the version is that of the text that is there."""
        store, key = self.make(), _new_key()
        _create(store, key, "first")
        old = self._load(store, key).version
        self._expect(_replace(store, key, "second", old), "replace refused the present version")
        self._expect(self._load(store, key).text == "second", "replace did not write its text")
        for version in (old, old + "0", "", self._load(store, self._other(store)).version):
            replaced = _replace(store, key, "third", version)
            self._expect(not replaced, "replace returned True for another version")
        self._expect(self._load(store, key).text == "second", "a refused replace wrote its text")

    def test_version_never_comes_again(self) -> None:
        """Each ``replace`` and each ``create`` gives a new version, for an equal text too."""
        store, key, seen = self.make(), _new_key(), set[str]()
        for round_ in range(3):
            _create(store, key, "same")
            for _ in range(3):
                version = self._load(store, key).version
                self._expect(version not in seen, "a version came again")
                seen.add(version)
                self._expect(_replace(store, key, "same", version), "an equal text was refused")
            self._expect(store.delete(key), f"delete returned False in round {round_}")

    def test_touch_keeps_text_and_version(self) -> None:
        """``touch`` changes neither the text nor its version."""
        store, key = self.make(), _new_key()
        _create(store, key, "text")
        kept = self._load(store, key)
        for _ in range(2):
            self._expect(_touch(store, key), "touch returned False for a key in use")
        self._expect(self._load(store, key) == kept, "touch changed the text or the version")

    def test_deleted_key_is_absent(self) -> None:
        """``delete`` returns ``True`` once, whatever the version. Then the key is absent."""
        store, key = self.make(), _new_key()
        _create(store, key, "text")
        version = self._load(store, key).version
        self._expect(store.delete(key), "delete returned False for a key in use")
        self._expect_absent(store, key, "that was deleted", version)
        self._expect(_create(store, key, "anew"), "create refused a key that was deleted")
        replaced = _replace(store, key, "late", version)
        self._expect(not replaced, "replace accepted a version from before delete and create")

    def test_keys_are_independent(self) -> None:
        """What happens to one key changes nothing about another."""
        store, key = self.make(), _new_key()
        other = self._other(store)
        kept = self._load(store, other)
        _create(store, key, "text")
        _replace(store, key, "more text", self._load(store, key).version)
        _touch(store, key)
        store.delete(key)
        self._expect(self._load(store, other) == kept, "a verb changed another key than its own")

    def test_owners_of_every_type(self) -> None:
        """An owner is a str, an int or a UUID, or there is none; another may follow."""
        store = self.make()
        for owner in _OWNERS:
            key = _new_key()
            created = store.create(key, "text", seconds=_HOUR, owner=owner)
            version = self._load(store, key).version
            replaced = store.replace(key, "more", version=version, seconds=_HOUR, owner=owner)
            touched = store.touch(key, seconds=_HOUR, owner=owner)
            done = created and replaced and touched and self._load(store, key).text == "more"
            self._expect(done, f"an owner was refused: {owner!r}")

    def test_entry_whose_time_is_over_is_absent(self) -> None:
        """After its seconds, a key is absent for every verb, and may be created again."""
        store, keys = self.make(), [_new_key() for _ in range(5)]
        for key in keys:
            seconds = 1 if key in (keys[0], keys[4]) else _HOUR
            store.create(key, "text", seconds=seconds, owner=None)
        version = self._load(store, keys[1]).version
        store.replace(keys[1], "text", version=version, seconds=1, owner=None)
        store.touch(keys[2], seconds=1, owner=None)
        versions = [self._load(store, key).version for key in keys]
        self.wait(2)
        self._expect(_create(store, keys[4], "anew"), "create refused a key whose time is over")
        found = self._load(store, keys[4])
        self._expect(found.text == "anew", "create did not write its text")
        self._expect(found.version != versions[4], "the version of an entry came again")
        for key, version, verb in zip(keys, versions, ("create", "replace", "touch"), strict=False):
            self._expect_absent(store, key, f"whose seconds from {verb} are over", version)
        self._expect(store.load(keys[3]), "an entry was forgotten before its time was over")

    def test_replace_and_touch_prolong(self) -> None:
        """``replace`` and ``touch`` count the seconds from now on."""
        store, replaced, touched = self.make(), _new_key(), _new_key()
        for key in (replaced, touched):
            store.create(key, "text", seconds=60, owner=None)
        _replace(store, replaced, "text", self._load(store, replaced).version, seconds=1)
        _touch(store, touched, seconds=1)
        _replace(store, replaced, "text", self._load(store, replaced).version)
        _touch(store, touched)
        self.wait(2)
        self._expect(store.load(replaced), "replace did not prolong the entry")
        self._expect(store.load(touched), "touch did not prolong the entry")

    def test_entry_is_kept_for_over_a_year(self) -> None:
        """``create``, ``replace`` and ``touch`` take as many seconds as a browser keeps a cookie.

        memcached takes a number over 30 days for a date, which has passed.
        """
        store, key = self.make(), _new_key()
        store.create(key, "text", seconds=MAX_COOKIE_AGE, owner=None)
        version = self._load(store, key).version
        _replace(store, key, "text", version, seconds=MAX_COOKIE_AGE)
        self._expect(store.load(key), "replace forgot an entry of 400 days")
        _touch(store, key, seconds=MAX_COOKIE_AGE)
        self._expect(store.load(key), "touch forgot an entry of 400 days")

    def test_of_two_creations_one_succeeds(self) -> None:
        """However one ``create`` interrupts another of the same key, one returns ``True``."""
        store = self.make()
        for interrupted in _interruptions(store):
            key = _new_key()
            answers = interrupted(
                partial(_create, store, key, "first"),
                partial(_create, store, key, "second"),
            )
            self._expect_winner(store, key, answers, "create")

    def test_of_two_replacements_one_succeeds(self) -> None:
        """However one ``replace`` interrupts another of the same version, one returns ``True``."""
        store = self.make()
        for interrupted in _interruptions(store):
            key = _new_key()
            _create(store, key, "text")
            version = self._load(store, key).version
            answers = interrupted(
                partial(_replace, store, key, "first", version),
                partial(_replace, store, key, "second", version),
            )
            self._expect_winner(store, key, answers, "replace")

    def test_of_two_deletions_one_succeeds(self) -> None:
        """However one ``delete`` interrupts another of the same key, one returns ``True``."""
        store = self.make()
        for interrupted in _interruptions(store):
            key = _new_key()
            _create(store, key, "text")
            answers = interrupted(partial(store.delete, key), partial(store.delete, key))
            told = f"two deletions at once returned {answers}, expected one True"
            self._expect(sorted(answers) == [False, True], told)
            self._expect(store.load(key) is None, "a key was there after two deletions at once")

    def test_deletion_takes_what_is_there(self) -> None:
        """A key that is replaced or touched in the middle of ``delete`` is deleted all the same."""
        store = self.make()
        for interrupted in _interruptions(store):
            key = _new_key()
            _create(store, key, "text")
            late = partial(_replace, store, key, "late", self._load(store, key).version)
            interrupted(partial(store.delete, key), late)
            self._expect(
                store.load(key) is None, "delete left what a replace had written meanwhile"
            )
        for interrupted in _interruptions(store):
            key = _new_key()
            _create(store, key, "text")
            interrupted(partial(store.delete, key), partial(_touch, store, key))
            self._expect(store.load(key) is None, "delete left a key that was touched meanwhile")

    def test_deletion_is_never_undone(self) -> None:
        """A key that is deleted in the middle of ``replace`` or ``touch`` stays deleted."""
        store = self.make()
        for interrupted in _interruptions(store):
            key = _new_key()
            _create(store, key, "text")
            version = self._load(store, key).version
            _, deleted = interrupted(
                partial(_replace, store, key, "late", version),
                partial(store.delete, key),
            )
            self._expect(deleted, "delete returned False for a key in use")
            self._expect(store.load(key) is None, "replace undid a delete that interrupted it")
        for interrupted in _interruptions(store):
            key = _new_key()
            _create(store, key, "text")
            interrupted(partial(_touch, store, key), partial(store.delete, key))
            self._expect(store.load(key) is None, "touch undid a delete that interrupted it")

    def test_touch_never_undoes_a_replacement(self) -> None:
        """A text that is replaced in the middle of ``touch`` stays, with its version."""
        store = self.make()
        for interrupted in _interruptions(store):
            key = _new_key()
            _create(store, key, "old")
            version = self._load(store, key).version
            touched, replaced = interrupted(
                partial(_touch, store, key),
                partial(_replace, store, key, "new", version),
            )
            self._expect(touched and replaced, "touch and replace at once: one returned False")
            kept = self._load(store, key)
            self._expect(kept.text == "new", "touch undid a replace that interrupted it")
            self._expect(kept.version != version, "touch brought an old version back")

    def test_loaded_text_and_version_belong_together(self) -> None:
        """``load`` never returns an old text with the version of a newer one."""
        store = self.make()
        for interrupted in _interruptions(store):
            key = _new_key()
            _create(store, key, "old")
            version = self._load(store, key).version
            kept, _ = interrupted(
                partial(self._load, store, key),
                partial(_replace, store, key, "new", version),
            )
            was_present = _replace(store, key, "newest", kept.version)
            wrong = was_present and kept.text == "old"
            self._expect(not wrong, "load returned an old text with the version of a newer one")

    def test_threads_lose_no_update(self) -> None:
        """Eight threads that each add to one text five times: all of it is there."""
        store, key = self.make(), _new_key()
        _create(store, key, "")

        def add(number: int) -> None:
            for _ in range(5):
                # Each failure means that another thread succeeded.
                done = any(self._append(store, key, str(number)) for _ in range(100))
                self._expect(done, "replace returned False though nothing else was written")

        _all_at_once([partial(add, number) for number in range(_THREADS)])
        found = sorted(self._load(store, key).text)
        self._expect(found == sorted("01234567" * 5), "replace lost the update of another thread")

    def test_of_many_threads_one_creates_and_one_deletes(self) -> None:
        """Eight threads create one key, and then all delete it: each time, one succeeds."""
        store = self.make()
        for _ in range(5):
            key = _new_key()
            created = _all_at_once([partial(_create, store, key, text) for text in "01234567"])
            self._expect(created.count(True) == 1, "create returned True to several threads")
            won = self._load(store, key).text
            self._expect(won == str(created.index(True)), "create returned True, and lost its text")
            deleted = _all_at_once([partial(store.delete, key)] * _THREADS)
            self._expect(deleted.count(True) == 1, "delete returned True to several threads")

    def test_revoke_owner_ends_the_sessions_of_this_owner(self) -> None:
        """``revoke_owner`` ends those whose owner it is now, and no others."""
        store: Any = self.make()
        if not hasattr(store, "revoke_owner"):
            return
        number = int(_new_key(), 16)
        owner = str(number)
        own, begun_by_nobody = self._new_of(store, owner), self._new_of(store, None)
        others = [self._new_of(store, other) for other in (number, f"{owner} ", None)]
        version = self._load(store, begun_by_nobody).version
        store.replace(begun_by_nobody, "[]", version=version, seconds=_HOUR, owner=owner)
        store.revoke_owner(owner)
        for key in (own, begun_by_nobody):
            self._expect(store.load(key) is None, "revoke_owner left a session of the owner")
        for key in others:
            self._expect(store.load(key), "revoke_owner ended a session of another owner")

    def test_revoke_owner_ends_a_session_that_was_kept_for_longer(self) -> None:
        """A session that ``replace`` or ``touch`` prolonged is ended. ``touch`` sets no owner."""
        store: Any = self.make()
        if not hasattr(store, "revoke_owner"):
            return
        owner, keys = _new_key(), [_new_key() for _ in range(2)]
        for key in keys:
            store.create(key, "[]", seconds=60, owner=owner)
            version = self._load(store, key).version
            store.replace(key, "[]", version=version, seconds=1, owner=owner)
        version = self._load(store, keys[0]).version
        store.replace(keys[0], "[]", version=version, seconds=_HOUR, owner=owner)
        store.touch(keys[1], seconds=_HOUR, owner=None)
        self.wait(2)
        store.revoke_owner(owner)
        for key, verb in zip(keys, ("replace", "touch"), strict=True):
            self._expect(store.load(key) is None, f"after {verb}, revoke_owner missed a session")

    def test_log_in_during_revoke_owner_can_be_ended(self) -> None:
        """A session that begins in the middle of ``revoke_owner`` is ended, or the stamp tells."""
        store: Any = self.make()
        if hasattr(store, "revoke_owner"):
            self._interrupt_by_log_ins(store, "revoke_owner", store.revoke_owner)

    def test_log_in_during_revoke_all_can_be_ended(self) -> None:
        """A session that begins in the middle of ``revoke_all`` is ended, or the stamp tells."""
        store: Any = self.make()
        if hasattr(store, "revoke_all"):
            self._interrupt_by_log_ins(store, "revoke_all", lambda _: store.revoke_all())

    def test_revoke_all_ends_every_session(self) -> None:
        """``revoke_all`` ends sessions with and without an owner."""
        store: Any = self.make()
        if not hasattr(store, "revoke_all"):
            return
        keys = [self._new_of(store, owner) for owner in _OWNERS]
        store.revoke_all()
        for key, owner in zip(keys, _OWNERS, strict=True):
            told = f"revoke_all left a session of the owner {owner!r}"
            self._expect(store.load(key) is None, told)

    def _interrupt_by_log_ins(self, store: Any, verb: str, revoke: Callable[[str], Any]) -> None:
        for interrupted in _interruptions(store):
            owner = _new_key()
            self._new_of(store, owner)

            def log_in(owner: str = owner) -> tuple[str, str | None, str | None]:
                before = self._stamp(store, owner)
                return self._new_of(store, owner), before, self._stamp(store, owner)

            _, (key, before, after) = interrupted(partial(revoke, owner), log_in)
            goes_on = store.delete(key) and before == after
            missed = goes_on and before != self._stamp(store, owner)
            self._expect(not missed, f"{verb} missed a session: change the stamp first")

    @property
    def _stamped(self) -> Sequence[Owner | None]:
        return [owner for owner in _OWNERS if owner is not None]

    def _stamp(self, tested: Any, owner: Owner | None) -> str | None:
        told = "a store with revoke_owner or revoke_all needs stamp: a log-in under way survives"
        self._expect(hasattr(tested, "stamp"), told)
        stamp: str | None = tested.stamp(owner)
        return stamp

    def _new_of(self, store: Store, owner: Owner | None) -> str:
        key = _new_key()
        store.create(key, "[]", seconds=_HOUR, owner=owner)
        return key

    def _append(self, store: Store, key: str, text: str) -> bool:
        kept = self._load(store, key)
        return _replace(store, key, kept.text + text, kept.version)

    def _load(self, store: Store, key: str) -> Kept:
        kept = store.load(key)
        self._expect(kept is not None, "load returned None for a key in use")
        return kept or Kept("", "")

    def _other(self, store: Store) -> str:
        key = _new_key()
        _create(store, key, "other")
        return key

    def _expect_absent(self, store: Store, key: str, what: str, version: str = "0") -> None:
        self._expect(store.load(key) is None, f"load returned something for a key {what}")
        for each in (version, ""):
            replaced = _replace(store, key, "text", each)
            self._expect(not replaced, f"replace returned True for a key {what}")
        self._expect(not _touch(store, key), f"touch returned True for a key {what}")
        self._expect(not store.delete(key), f"delete returned True for a key {what}")
        self._expect(store.load(key) is None, f"a verb brought back a key {what}")

    def _expect_winner(self, store: Store, key: str, answers: tuple[bool, bool], verb: str) -> None:
        told = f"two calls of {verb} at once returned {answers}, expected one True"
        self._expect(sorted(answers) == [False, True], told)
        won = ("first", "second")[answers.index(True)]
        found = self._load(store, key).text
        self._expect(found == won, f"of two calls of {verb} at once, the refused one wrote")


class RevocationsContract(_Contract):
    """The tests of a list of revocations: subclass it with a ``make`` that returns yours.

    It works as StoreContract does. ``revoke_owner`` and ``revoke_all`` are tested if the list has
    them. After ``revoke_all``, no test expects the list to be as if it were new.
    """

    def make(self) -> Revocations:
        """Return the list. Override it."""
        raise NotImplementedError("override make(): return the list that is to be tested")

    def test_key_that_was_not_revoked(self) -> None:
        """``check`` returns a stamp, which is a str, for a key that was never revoked."""
        ended = self.make()
        for owner in _OWNERS:
            stamp = ended.check(_new_key(), owner)
            self._expect(type(stamp) is str, f"check returned {stamp!r}, expected a str")

    def test_revoked_key(self) -> None:
        """``check`` returns ``None`` for a revoked key, whoever the owner is, and for no other."""
        ended, key = self.make(), _new_key()
        self._expect(ended.revoke(key, _HOUR), "revoke returned False for a new key")
        for owner in _OWNERS:
            found = ended.check(key, owner)
            self._expect(found is None, f"check returned {found!r} for a revoked key")
        self._expect(ended.check(_new_key(), None) is not None, "another key was revoked too")

    def test_revoked_key_is_revoked_once(self) -> None:
        """``revoke`` returns ``False`` for a revoked key, and does not shorten its time."""
        ended, key = self.make(), _new_key()
        ended.revoke(key, _HOUR)
        for seconds in (_HOUR, 1):
            self._expect(not ended.revoke(key, seconds), "revoke returned True a second time")
        self.wait(2)
        self._expect(ended.check(key, None) is None, "a second revoke shortened the time")

    def test_revocation_whose_time_is_over(self) -> None:
        """After its seconds, a key is as if it had never been revoked."""
        ended, key = self.make(), _new_key()
        ended.revoke(key, 1)
        self.wait(2)
        self._expect(ended.check(key, None) is not None, "check refused a key after its time")
        self._expect(ended.revoke(key, _HOUR), "revoke returned False for a key after its time")
        self._expect(ended.check(key, None) is None, "a key was not revoked the second time")

    def test_revoked_key_is_kept_for_over_a_year(self) -> None:
        """``revoke`` takes as many seconds as a browser keeps a cookie.

        memcached takes a number over 30 days for a date, which has passed.
        """
        ended, key = self.make(), _new_key()
        ended.revoke(key, MAX_COOKIE_AGE)
        found = ended.check(key, None)
        self._expect(found is None, "a key that was revoked for 400 days was forgotten")

    def test_of_two_revocations_one_succeeds(self) -> None:
        """However one ``revoke`` interrupts another of the same key, one returns ``True``."""
        ended = self.make()
        for interrupted in _interruptions(ended):
            key = _new_key()
            answers = interrupted(
                partial(ended.revoke, key, _HOUR), partial(ended.revoke, key, _HOUR)
            )
            told = f"two calls of revoke at once returned {answers}, expected one True"
            self._expect(sorted(answers) == [False, True], told)
            self._expect(ended.check(key, None) is None, "a revoked key was not refused")

    def test_revoked_key_stays_revoked(self) -> None:
        """A key is refused also in the middle of a second ``revoke``."""
        ended = self.make()
        for interrupted in _interruptions(ended):
            key = _new_key()
            ended.revoke(key, _HOUR)
            _, found = interrupted(
                partial(ended.revoke, key, _HOUR), partial(ended.check, key, None)
            )
            self._expect(found is None, "a second revoke lifted the first for a moment")

    def test_of_many_threads_one_revokes(self) -> None:
        """Eight threads revoke one key: one succeeds, each time."""
        ended = self.make()
        for _ in range(5):
            key = _new_key()
            answers = _all_at_once([partial(ended.revoke, key, _HOUR)] * _THREADS)
            self._expect(answers.count(True) == 1, "revoke returned True to several threads")

    def test_revoke_all_keeps_revoked_keys(self) -> None:
        """``revoke_all`` changes nothing about a key that was revoked."""
        ended, key = self.make(), _new_key()
        ended.revoke(key, _HOUR)
        if hasattr(ended, "revoke_all"):
            ended.revoke_all()
        self._expect(ended.check(key, None) is None, "revoke_all forgot a revoked key")

    def _stamp(self, tested: Any, owner: Owner | None) -> str | None:
        stamp: str | None = tested.check(_new_key(), owner)
        return stamp


_HOUR = 60 * 60
_TEXT = "".join(map(chr, range(32, 127)))
"""Every character that may be in the text."""
_ODD = "\ud800\0é" + "x" * 999
_OWNERS: tuple[Owner | None, ...] = (None, "", "1", 1, -(2**70), UUID(int=1), _ODD)
_THREADS = 8
_MAX_PLACES = 2000
_UNSHARED = (
    *("CACHE", "COPY", "KW_NAMES", "JUMP_BACKWARD", "JUMP_FORWARD", "LOAD_CONST", "LOAD_FAST"),
    *("NOP", "POP_TOP", "PRECALL", "PUSH_NULL", "RESUME", "RETURN_VALUE", "STORE_FAST", "SWAP"),
)
"""How the names of those instructions begin that only use what belongs to their own call."""
_SECONDS_TO_ANSWER = 0.1
"""After this, a call is taken to wait for the one that it interrupts, such as for a lock."""


def _new_key() -> str:
    return key_of(secrets.token_urlsafe())


def _create(store: Store, key: str, text: str) -> bool:
    return store.create(key, text, seconds=_HOUR, owner=None)


def _replace(store: Store, key: str, text: str, version: str, seconds: int = _HOUR) -> bool:
    return store.replace(key, text, version=version, seconds=seconds, owner=None)


def _touch(store: Store, key: str, seconds: int = _HOUR) -> bool:
    return store.touch(key, seconds=seconds, owner=None)


def _all_at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Make each call in a thread of its own, all at once. Return the results in order."""
    barrier = Barrier(len(calls))

    def start(call: Callable[[], Any]) -> Any:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return [*threads.map(start, calls)]


def _interruptions(tested: object) -> Iterator["_Interruption"]:
    """Yield one for each instruction that the interrupted call executes in its own source files.

    Those that another call can neither see nor change are left out.

    This finds every unsafe gap between two steps, where threads left to themselves need luck. A
    store that goes through all that it has ever had executes more of them each time.
    """
    functions = [each for kind in type(tested).__mro__ for each in vars(kind).values()]
    sources = {each.__code__.co_filename for each in functions if isinstance(each, FunctionType)}
    place: int | None = 0
    while place is not None and place < _MAX_PLACES:
        interruption = _Interruption(sources, place)
        yield interruption
        place = interruption.next_place


class _Interruption:
    """Calls a function, and in the middle of it another one in another thread.

    ``place``: the number of the instruction before which this happens. ``next_place``: the next
    one that is worth trying, or ``None`` if there is none. If the call is over before the place
    is reached, the other one comes after it.
    """

    def __init__(self, sources: set[str], place: int) -> None:
        self._sources = sources
        self._place = place
        self.next_place: int | None = None

    def __call__(self, first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any]:
        """Return what both have returned."""
        with ThreadPoolExecutor(2) as threads:
            interrupting: list[Future[Any]] = []

            def interrupt() -> bool:
                interrupting.append(threads.submit(second))
                return not wait(interrupting, _SECONDS_TO_ANSWER).not_done

            answer = threads.submit(self._traced, first, interrupt).result()
            if not interrupting:
                interrupt()
            return answer, interrupting[0].result()

    def _traced(self, call: Callable[[], Any], interrupt: Callable[[], bool]) -> Any:
        count, waits = 0, False

        def trace(frame: FrameType, event: str, _: object) -> Any:  # pragma: no cover  # untraced
            nonlocal count, waits
            if frame.f_code.co_filename not in self._sources:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                instruction = opname[frame.f_code.co_code[frame.f_lasti]]
                if instruction.startswith(_UNSHARED):
                    return trace
                if count == self._place:
                    waits = not interrupt()
                    self.next_place = count + 1
                count += 1
            elif event == "line" and waits:
                # While the second call waits for a lock, once in each line is enough.
                waits, self.next_place = False, count
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            return call()
        finally:
            sys.settrace(before)
            self.next_place = None if waits else self.next_place
