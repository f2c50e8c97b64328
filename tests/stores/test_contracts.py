"""Every store and every list of ended sessions keeps its contract."""

import pytest

from sessionware.store import Revocations, Store
from sessionware.testing import RevocationsContract, StoreContract
from tests.stores.databases import Database


class _OfDatabase:
    """Has the time of the database pass without a wait."""

    database: Database

    @pytest.fixture(autouse=True)
    def _use(self, database: Database) -> None:
        self.database = database

    def wait(self, seconds: float) -> None:
        self.database.pass_time(seconds)


class TestStore(_OfDatabase, StoreContract):
    def make(self) -> Store:
        store: Store = self.database.store()
        return store


class TestRevocations(_OfDatabase, RevocationsContract):
    def make(self) -> Revocations:
        revocations: Revocations = self.database.revocations()
        return revocations
