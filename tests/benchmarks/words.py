"""Texts of ordinary entropy, the same in every run."""

from __future__ import annotations

from random import Random

WORDS = """
    account address article basket before billing button cannot change colour country currency
    customer delivery discount draft editor email filter finish forward garden german history
    image invoice keyboard language last later letter list market message mobile monthly never
    notice number offer order other page parcel payment people picture please price product
    question recent refund region return search second seller sender shipping since small sorted
    status street subject summer support theme ticket today total travel update until visit
    voucher window winter
"""


def words(size: int, seed: int) -> str:
    """Return words of this many characters together."""
    return " ".join(Random(seed).choices(WORDS.split(), k=size // 4 + 1))[:size]  # noqa: S311
