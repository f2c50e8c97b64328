"""A store and a list of revocations that forget when their time is over, as Redis does."""

import time
from typing import Any

from sessionware.store import Kept
from tests.sites import MemoryRevocations, MemoryStore, Owner


class ForgetfulStore(MemoryStore):
    """Keeps each session only for its seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: dict[str, float] = {}

    def load(self, key: str, /) -> Kept | None:
        self._forget(key)
        return super().load(key)

    def create(self, key: str, text: str, /, *, seconds: int, owner: Owner | None) -> bool:
        self._forget(key)
        created = super().create(key, text, seconds=seconds, owner=owner)
        return self._keep(key, seconds, created)

    def replace(
        self, key: str, text: str, /, *, version: str, seconds: int, owner: Owner | None
    ) -> bool:
        self._forget(key)
        replaced = super().replace(key, text, version=version, seconds=seconds, owner=owner)
        return self._keep(key, seconds, replaced)

    def touch(self, key: str, /, *, seconds: int, owner: Owner | None) -> bool:
        self._forget(key)
        return self._keep(key, seconds, super().touch(key, seconds=seconds, owner=owner))

    def delete(self, key: str, /) -> bool:
        self._forget(key)
        return super().delete(key)

    def _keep(self, key: str, seconds: int, done: bool) -> bool:
        if done:
            self.ends[key] = time.time() + seconds
        return done

    def _forget(self, key: str) -> None:
        if time.time() >= self.ends.get(key, float("inf")):
            self.kept.pop(key, None)


class ForgetfulRevocations(MemoryRevocations):
    """Refuses each key only for its seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: dict[str, float] = {}

    def revoke(self, key: str, seconds: int, /) -> bool:
        self._forget(key)
        revoked = super().revoke(key, seconds)
        if revoked:
            self.ends[key] = time.time() + seconds
        return revoked

    def check(self, key: str, owner: Any, /) -> str | None:
        self._forget(key)
        return super().check(key, owner)

    def _forget(self, key: str) -> None:
        if time.time() >= self.ends.get(key, float("inf")):
            self.refused.pop(key, None)
            del self.ends[key]
