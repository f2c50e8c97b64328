"""A store and a list of revocations that forget when their time is over, as Redis does."""

import time
from typing import Any

from tests.sites import MemoryRevocations, MemoryStore


class ForgetfulStore(MemoryStore):
    """Keeps each session only for its seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: dict[str, float] = {}

    def load(self, key: str, /) -> str | None:
        self._forget(key)
        return super().load(key)

    def save(self, key: str, text: str | None, /, *, seconds: int, **options: Any) -> bool:
        self._forget(key)
        saved = super().save(key, text, seconds=seconds, **options)
        if saved:
            self.ends[key] = time.time() + seconds
        return saved

    def delete(self, key: str, /) -> bool:
        self._forget(key)
        return super().delete(key)

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
