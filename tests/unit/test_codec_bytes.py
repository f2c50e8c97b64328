"""A token takes no byte more than one of stock itsdangerous."""

import pytest

from tests.conftest import Clock
from tests.unit.test_codec import CODEC, ISSUED, STOCK


@pytest.mark.parametrize("now", [1, 255, 256, 2**31, 2**32 - 1, 2**32, 2**40 - 1])
def test_time_is_written_in_as_few_bytes(clock: Clock, now: int) -> None:
    clock.now = now
    assert CODEC.encode('{"user":"ada"}', now) == STOCK.dumps({"user": "ada"})


def test_text_is_compressed_from_the_same_length_on() -> None:
    """It has to save two bytes, because the dot that tells of it takes one."""
    texts = ["a" * length for length in range(9, 15)]
    ours = [CODEC.encode(f'"{text}"', ISSUED)[0] == "." for text in texts]
    assert ours == [str(STOCK.dumps(text))[0] == "." for text in texts]
    assert ours == [False, False, False, True, True, True]
