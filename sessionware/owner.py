"""Whose session it is, kept in its data as ``"_owner"``."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

Owner = str | int | UUID
"""In the application's own terms, mostly the key of a user."""


def owner_of(data: Mapping[str, Any]) -> tuple[Owner | None, str]:
    """Give the owner, and the stamp that was theirs when it became their session."""
    match data.get("_owner"):
        case [str() | int() | UUID() as owner, str() as stamp]:
            return owner, stamp
        case _:
            return None, ""
