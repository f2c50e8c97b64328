"""StoreContract and RevocationsContract: what they accept, and what they find."""

import secrets
import subprocess
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from types import SimpleNamespace
from typing import Any

import pytest

from sessionware.store import Kept, Owner
from sessionware.testing import RevocationsContract, StoreContract
from tests.conftest import Clock
from tests.processes import ROOT


class Shelf:
    """A store in a dict, of which each method holds a lock from its beginning to its end."""

    limit = 1000

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Kept, float]] = {}
        self.owners: dict[str, Owner | None] = {}
        self.lock: AbstractContextManager[Any] = Lock()

    def load(self, key: str, /) -> Kept | None:
        with self.lock:
            return self.found(key)

    def create(self, key: str, text: str, /, *, seconds: int, owner: Owner | None) -> bool:
        with self.lock:
            if self.found(key):
                return False
            self.write(key, text, seconds)
            self.owners[key] = owner
            return True

    def replace(
        self, key: str, text: str, /, *, version: str, seconds: int, owner: Owner | None
    ) -> bool:
        with self.lock:
            kept = self.found(key)
            if kept is None or kept.version != version:
                return False
            self.write(key, text, seconds)
            self.owners[key] = owner
            return True

    def touch(self, key: str, /, *, seconds: int, owner: Owner | None) -> bool:
        with self.lock:
            kept = self.found(key)
            if kept is None:
                return False
            self.rows[key] = kept, time.time() + seconds
            return True

    def delete(self, key: str, /) -> bool:
        with self.lock:
            there = self.found(key) is not None
            self.rows.pop(key, None)
            return there

    def found(self, key: str) -> Kept | None:
        kept, expires = self.rows.get(key, (None, 0.0))
        return kept if expires > time.time() else None

    def write(self, key: str, text: str, seconds: int) -> None:
        self.rows[key] = Kept(text, secrets.token_hex(8)), time.time() + seconds


class Library(Shelf):
    """A store that knows whose each session is, and ends all of an owner's, or of everyone's."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Board()

    def stamp(self, owner: Owner, /) -> str:
        return self.board.check("", owner) or ""

    def revoke_owner(self, owner: Owner) -> None:
        with self.lock:
            self.board.revoke_owner(owner)
            self.end(owner)

    def revoke_all(self) -> None:
        with self.lock:
            self.board.revoke_all()
            self.rows.clear()

    def end(self, owner: Owner) -> None:
        for key in [*self.rows]:
            other = self.owners[key]
            if other is not None and self.board.name(other) == self.board.name(owner):
                del self.rows[key]


class Board:
    """A list of revocations in dicts, with a lock too."""

    def __init__(self) -> None:
        self.refused: dict[str, float] = {}
        self.stamps: dict[tuple[type, Owner], str] = {}
        self.of_all = ""
        self.lock: AbstractContextManager[Any] = Lock()

    def revoke(self, key: str, seconds: int, /) -> bool:
        with self.lock:
            if self.refused.get(key, 0) > time.time():
                return False
            self.refused[key] = time.time() + seconds
            return True

    def check(self, key: str, owner: Owner | None, /) -> str | None:
        with self.lock:
            if self.refused.get(key, 0) > time.time():
                return None
            return self.of_all if owner is None else self.stamps.get(self.name(owner), self.of_all)

    def revoke_owner(self, owner: Owner) -> None:
        self.stamps[self.name(owner)] = secrets.token_hex(8)

    def revoke_all(self) -> None:
        self.of_all = secrets.token_hex(8)
        self.stamps.clear()

    def name(self, owner: Owner) -> tuple[type, Owner]:
        return type(owner), owner


class Minimal:
    """A list with the two methods of the contract alone."""

    def __init__(self) -> None:
        self.board = Board()
        self.revoke, self.check = self.board.revoke, self.board.check


CONTRACTS: dict[type, type[StoreContract] | type[RevocationsContract]] = {
    Shelf: StoreContract,
    Library: StoreContract,
    Board: RevocationsContract,
    Minimal: RevocationsContract,
}


def names_of(contract: type) -> list[str]:
    return [name for name in dir(contract) if name.startswith("test_")]


TESTS = [
    pytest.param(kind, name, id=f"{kind.__name__}-{name}")
    for kind, contract in CONTRACTS.items()
    for name in names_of(contract)
]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call here takes long, but for those that wait for a lock."""
    monkeypatch.setattr("sessionware.testing._SECONDS_TO_ANSWER", 0.02)


class Proof:
    """Runs the tests of a contract over one store or list."""

    def __init__(self, tested: object, clock: Clock) -> None:
        kind = next(each for each in CONTRACTS if isinstance(tested, each))
        make = {"make": lambda _: tested, "wait": lambda _, seconds: clock.advance(seconds)}
        self.contract = type("Test", (CONTRACTS[kind],), make)()

    def run(self, name: str) -> str:
        """Return what the test says if it fails, and ``""`` if it does not."""
        try:
            getattr(self.contract, name)()
        except AssertionError as error:
            return str(error)
        return ""


@pytest.mark.parametrize(("kind", "name"), TESTS)
def test_good_one_passes(kind: type, name: str, clock: Clock) -> None:
    assert Proof(kind(), clock).run(name) == ""


# Gaps. In none of these does a thread have to be lucky.


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("of_two_creations_one_succeeds", "two calls of create at once returned (True, True)"),
        ("of_two_replacements_one_succeeds", "two calls of replace at once returned (True, True)"),
        ("of_two_deletions_one_succeeds", "two deletions at once returned (True, True)"),
        ("deletion_is_never_undone", "replace undid a delete that interrupted it"),
        ("touch_never_undoes_a_replacement", "touch undid a replace that interrupted it"),
    ],
)
def test_store_without_a_lock_fails(name: str, told: str, clock: Clock) -> None:
    store = Shelf()
    store.lock = nullcontext()
    assert told in Proof(store, clock).run(f"test_{name}")


def test_list_without_a_lock_fails(clock: Clock) -> None:
    board = Board()
    board.lock = nullcontext()
    told = Proof(board, clock).run("test_of_two_revocations_one_succeeds")
    assert told == "two calls of revoke at once returned (True, True), expected one True"


class OneLine(Shelf):
    """Checks and writes in one line of code, which is no one step."""

    def create(self, key: str, text: str, /, *, seconds: int, owner: Owner | None) -> bool:
        return not self.found(key) and self.written(key, text, seconds)

    def written(self, key: str, text: str, seconds: int) -> bool:
        self.write(key, text, seconds)
        return True


class Forgetful(Shelf):
    """Locks the look and the writing, each by itself."""

    def replace(
        self, key: str, text: str, /, *, version: str, seconds: int, owner: Owner | None
    ) -> bool:
        kept = self.load(key)
        if kept is None or kept.version != version:
            return False
        with self.lock:
            self.write(key, text, seconds)
        return True


class Reviving(Shelf):
    """Touches what may be deleted by now."""

    def touch(self, key: str, /, *, seconds: int, owner: Owner | None) -> bool:
        kept = self.load(key)
        if kept is None:
            return False
        with self.lock:
            if key not in self.rows:
                self.write(key, kept.text, seconds)
        return True


class Mixing(Shelf):
    """Returns a text with a version that it looks up afterwards."""

    def load(self, key: str, /) -> Kept | None:
        with self.lock:
            kept = self.found(key)
        if kept is None:
            return None
        with self.lock:
            return Kept(kept.text, self.rows[key][0].version)


class Choosy(Shelf):
    """Deletes the version that it has seen."""

    def delete(self, key: str, /) -> bool:
        seen = self.load(key)
        with self.lock:
            return self.found(key) == seen and self.rows.pop(key, None) is not None


class Postponing(Shelf):
    """Deletes what nobody has touched meanwhile."""

    def delete(self, key: str, /) -> bool:
        seen = self.rows.get(key)
        with self.lock:
            there = seen is not None and self.rows.get(key) is seen
            return there and self.rows.pop(key, None) is not None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Choosy, "deletion_takes_what_is_there"),
        (Postponing, "deletion_takes_what_is_there"),
        (OneLine, "of_two_creations_one_succeeds"),
        (Forgetful, "of_two_replacements_one_succeeds"),
        (Forgetful, "deletion_is_never_undone"),
        (Reviving, "deletion_is_never_undone"),
        (Mixing, "loaded_text_and_version_belong_together"),
    ],
)
def test_gap_between_two_steps_is_found(kind: type, name: str, clock: Clock) -> None:
    assert Proof(kind(), clock).run(f"test_{name}") != ""


# Other mistakes


class Blind(Shelf):
    """Replaces whatever the version is."""

    def replace(
        self, key: str, text: str, /, *, version: str, seconds: int, owner: Owner | None
    ) -> bool:
        kept = self.load(key)
        present = "" if kept is None else kept.version
        return super().replace(key, text, version=present, seconds=seconds, owner=owner)


class Counting(Shelf):
    """Its versions begin again with each creation."""

    def write(self, key: str, text: str, seconds: int) -> None:
        kept = self.found(key)
        version = int(kept.version) + 1 if kept else 1
        self.rows[key] = Kept(text, str(version)), time.time() + seconds


class Stubborn(Shelf):
    """Never replaces anything."""

    def replace(
        self, key: str, text: str, /, *, version: str, seconds: int, owner: Owner | None
    ) -> bool:
        return False


class Eternal(Shelf):
    """Forgets nothing by itself."""

    def write(self, key: str, text: str, seconds: int) -> None:
        super().write(key, text, 10**9)


class Hasty(Shelf):
    """Keeps everything for a second."""

    def write(self, key: str, text: str, seconds: int) -> None:
        super().write(key, text, 1)


class Memcached(Shelf):
    """Takes more than the seconds of 30 days for a date."""

    def write(self, key: str, text: str, seconds: int) -> None:
        super().write(key, text, in_memcached(seconds))


class Touchy(Shelf):
    """Does so in one of its verbs."""

    def touch(self, key: str, /, *, seconds: int, owner: Owner | None) -> bool:
        return super().touch(key, seconds=in_memcached(seconds), owner=owner)


def in_memcached(seconds: int) -> int:
    return seconds if seconds <= 30 * 86400 else 0


class Silent(Shelf):
    """Loads nothing."""

    def load(self, key: str, /) -> Kept | None:
        return None


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        (Blind, "replace_needs_the_present_version", "returned True for another version"),
        (Counting, "version_never_comes_again", "a version came again"),
        (Stubborn, "threads_lose_no_update", "replace returned False though nothing else"),
        (Eternal, "entry_whose_time_is_over_is_absent", "create refused a key whose time is over"),
        (Hasty, "entry_whose_time_is_over_is_absent", "forgotten before its time was over"),
        (Silent, "created_text_comes_back", "load returned None for a key in use"),
        (Memcached, "entry_is_kept_for_over_a_year", "load returned None for a key in use"),
        (Touchy, "entry_is_kept_for_over_a_year", "touch forgot an entry of 400 days"),
    ],
)
def test_mistake_is_named(kind: type, name: str, told: str, clock: Clock) -> None:
    assert told in Proof(kind(), clock).run(f"test_{name}")


class OneForAll(Board):
    """Takes 1 and "1" for one owner."""

    def name(self, owner: Owner) -> tuple[type, Owner]:
        return str, str(owner)


class Switch(Board):
    """Has two stamps, and takes turns."""

    def revoke_owner(self, owner: Owner) -> None:
        self.stamps[self.name(owner)] = "b" if self.check("", owner) == "a" else "a"


class Dated(Board):
    """Takes more than the seconds of 30 days for a date."""

    def revoke(self, key: str, seconds: int, /) -> bool:
        return super().revoke(key, in_memcached(seconds))


class Lifting(Board):
    """Revokes a key again."""

    def revoke(self, key: str, seconds: int, /) -> bool:
        with self.lock:
            there = self.refused.pop(key, 0) > time.time()
        with self.lock:
            self.refused[key] = time.time() + seconds
        return not there


class Partial(Board):
    """Ends all but the owners that it knows."""

    def revoke_all(self) -> None:
        self.of_all = secrets.token_hex(8)


class Stampless(Library):
    """Tells no log-in that is under way that its owner was revoked."""

    def __getattribute__(self, name: str) -> Any:
        if name == "stamp":
            raise AttributeError(name)
        return super().__getattribute__(name)


class Constant(Library):
    """Has one stamp for good."""

    def stamp(self, owner: Owner, /) -> str:
        return ""


class Late(Library):
    """Changes the stamp once the sessions are ended, and lets a log-in in between."""

    def revoke_owner(self, owner: Owner) -> None:
        with self.lock:
            self.end(owner)
        self.board.revoke_owner(owner)


class Later(Library):
    """Does so if it ends the sessions of everyone."""

    def revoke_all(self) -> None:
        with self.lock:
            self.rows.clear()
        self.board.revoke_all()


class Hurried(Library):
    """Forgets whose a session is when its first time is over."""

    def revoke_owner(self, owner: Owner) -> None:
        for key in [*self.rows]:
            if self.first[key] < time.time():
                self.owners[key] = None
        super().revoke_owner(owner)

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[str, float] = {}

    def create(self, key: str, text: str, /, *, seconds: int, owner: Owner | None) -> bool:
        self.first[key] = time.time() + 1
        return super().create(key, text, seconds=seconds, owner=owner)


class Grabbing(Library):
    """Takes the owner that touch is given."""

    def touch(self, key: str, /, *, seconds: int, owner: Owner | None) -> bool:
        self.owners[key] = owner
        return super().touch(key, seconds=seconds, owner=owner)


class Muddled(Library):
    """Takes 1 and "1" for one owner when it ends sessions."""

    def end(self, owner: Owner) -> None:
        for key in [*self.rows]:
            if str(self.owners[key]) == str(owner):
                del self.rows[key]


class Outdated(Library):
    """Knows whose a session was when it began."""

    def replace(
        self, key: str, text: str, /, *, version: str, seconds: int, owner: Owner | None
    ) -> bool:
        first = self.owners.get(key)
        return super().replace(key, text, version=version, seconds=seconds, owner=first)


class OwnersOnly(Library):
    """Leaves the sessions of visitors when it ends all."""

    def revoke_all(self) -> None:
        self.board.revoke_all()
        for key in [*self.rows]:
            if self.owners[key] is not None:
                del self.rows[key]


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        (Stampless, "stamp_changes_with_revoke_owner", "needs stamp"),
        (Stampless, "stamp_changes_with_revoke_all", "needs stamp"),
        (Constant, "stamp_changes_with_revoke_owner", "revoke_owner did not change the stamp"),
        (Constant, "stamp_changes_with_revoke_all", "a stamp came again"),
        (Late, "log_in_during_revoke_owner_can_be_ended", "missed a session"),
        (Later, "log_in_during_revoke_all_can_be_ended", "revoke_all missed a session"),
        (Hurried, "revoke_owner_ends_a_session_that_was_kept_for_longer", "after replace"),
        (Grabbing, "revoke_owner_ends_a_session_that_was_kept_for_longer", "after touch"),
        (Muddled, "revoke_owner_ends_the_sessions_of_this_owner", "a session of another owner"),
        (Outdated, "revoke_owner_ends_the_sessions_of_this_owner", "left a session of the owner"),
        (OwnersOnly, "revoke_all_ends_every_session", "left a session of the owner None"),
    ],
)
def test_mistake_with_owners_is_named(kind: type, name: str, told: str, clock: Clock) -> None:
    assert told in Proof(kind(), clock).run(f"test_{name}")


class Archive(Library):
    """Deletes nothing, so each call goes through more than the last one did."""

    def end(self, owner: Owner) -> None:
        for key, (kept, _) in [*self.rows.items()]:
            if self.owners[key] == owner:
                self.rows[key] = kept, 0.0

    def delete(self, key: str, /) -> bool:
        with self.lock:
            there = self.found(key)
            if there:
                self.rows[key] = there, 0.0
            return there is not None


def test_store_that_takes_longer_each_time_is_not_tested_for_ever(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr("sessionware.testing._MAX_PLACES", 100)
    assert Proof(Archive(), clock).run("test_log_in_during_revoke_owner_can_be_ended") == ""


class Leaving(Board):
    """Cannot end the sessions of one owner."""

    def __getattribute__(self, name: str) -> Any:
        if name == "revoke_owner":
            raise AttributeError(name)
        return super().__getattribute__(name)


def test_list_that_only_ends_all_sessions_passes(clock: Clock) -> None:
    proof = Proof(Leaving(), clock)
    assert [proof.run(name) for name in names_of(RevocationsContract)] == [""] * 11


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        (OneForAll, "stamp_changes_with_revoke_owner", "changed the stamp of another owner"),
        (Switch, "stamp_changes_with_revoke_owner", "revoke_owner did not change the stamp"),
        (Lifting, "revoked_key_stays_revoked", "a second revoke lifted the first"),
        (Dated, "revoked_key_is_kept_for_over_a_year", "revoked for 400 days was forgotten"),
        (Partial, "stamp_changes_with_revoke_all", "revoke_all did not change the stamp of ''"),
    ],
)
def test_mistake_of_a_list_is_named(kind: type, name: str, told: str, clock: Clock) -> None:
    assert told in Proof(kind(), clock).run(f"test_{name}")


def test_store_that_is_not_written_in_python_is_tested_by_threads_alone(clock: Clock) -> None:
    """There are no instructions of its own to be interrupted."""
    shelf = Shelf()
    verbs = ("limit", "load", "create", "replace", "touch", "delete")
    foreign = SimpleNamespace(**{verb: getattr(shelf, verb) for verb in verbs})
    contract: Any = type("Test", (StoreContract,), {"make": lambda _: foreign})()
    contract.test_of_two_creations_one_succeeds()
    contract.test_threads_lose_no_update()


# How they are used


@pytest.mark.parametrize("contract", [StoreContract, RevocationsContract])
def test_make_has_to_be_overridden(contract: type) -> None:
    with pytest.raises(NotImplementedError, match=r"override make\(\)"):
        contract().make()


def test_time_passes_by_itself() -> None:
    before = time.monotonic()
    StoreContract().wait(0.01)
    assert time.monotonic() - before >= 0.01


def test_pytest_is_not_imported() -> None:
    code = "import sys, sessionware.testing; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0  # noqa: S603
