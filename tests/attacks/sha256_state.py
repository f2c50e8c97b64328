"""A length extension of SHA-256, which continues from a digest, its state (FIPS 180-4)."""

from math import isqrt
from struct import pack, unpack

MASK = 0xFFFFFFFF
PRIMES = [number for number in range(2, 312) if all(number % i for i in range(2, number))]


def cube_root_fraction(prime: int) -> int:
    """Return 32 bits of the fraction of the prime's cube root: a constant of SHA-256."""
    low, high = 0, isqrt(prime << 96)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= prime << 96 else (low, middle - 1)
    return low & MASK


ROUNDS = [cube_root_fraction(prime) for prime in PRIMES]


def padding(length: int) -> bytes:
    """Return the padding that SHA-256 adds to a text of ``length`` bytes."""
    return b"\x80" + bytes(-(length + 9) % 64) + pack(">Q", length * 8)


def extend(digest: bytes, length: int, more: bytes) -> tuple[bytes, bytes]:
    """Return the padding, and the digest of the unknown text, the padding and ``more``.

    ``digest`` and ``length`` are those of the unknown text.
    """
    glue = padding(length)
    tail = more + padding(length + len(glue) + len(more))
    state = unpack(">8I", digest)
    for start in range(0, len(tail), 64):
        state = compress(state, tail[start : start + 64])
    return glue, pack(">8I", *state)


def turn(word: int, *steps: int) -> int:
    """Rotate the word to the right by each of the steps, and XOR the results."""
    result = 0
    for step in steps:
        result ^= word >> step | word << 32 - step
    return result & MASK


def compress(state: tuple[int, ...], block: bytes) -> tuple[int, ...]:
    words = [*unpack(">16I", block)]
    for t in range(16, 64):
        first = turn(words[t - 15], 7, 18) ^ words[t - 15] >> 3
        second = turn(words[t - 2], 17, 19) ^ words[t - 2] >> 10
        words.append(words[t - 16] + first + words[t - 7] + second & MASK)
    a, b, c, d, e, f, g, h = state
    for constant, word in zip(ROUNDS, words, strict=True):
        one = h + turn(e, 6, 11, 25) + (e & f ^ ~e & g) + constant + word
        two = turn(a, 2, 13, 22) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = one + two & MASK, a, b, c, d + one & MASK, e, f, g
    return tuple(old + new & MASK for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True))
