"""Bombs: no cookie causes much work, even if it is signed with our key (CWE-400).

Named here: CVE-2024-28180 (go-jose) and CVE-2026-39373 (JWCrypto): decompression (CWE-409);
CVE-2026-26209 (cbor2): 100,000 levels of nesting (CWE-674); CVE-2020-10735 (CPython): long ints;
CVE-2024-7592 (CPython) and CVE-2024-52804 (Tornado): quadratic unquoting (CWE-1333).
The work is counted in bytes and in lines of Python, because times differ between machines.
"""

import logging
import tracemalloc
import zlib
from unittest.mock import Mock

import pytest

from sessionware import codec
from tests.attacks.lines_run import lines_run
from tests.attacks.victim import Victim, sign, sign_payload, to_base64
from tests.gateway import KEY

VICTIM = Victim()
MEGABYTE = 2**20


def peak(cookie: str) -> int:
    """Return the peak memory of a request with this Cookie header, in bytes."""
    VICTIM.sees(cookie)
    tracemalloc.start()
    try:
        VICTIM.sees(cookie)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def bomb(size: int, text: str = "a") -> str:
    """Return a payload of ``size`` letters, compressed as itsdangerous does."""
    plain = f'[0,{{"user":"{text * size}"}}]'.encode()
    return "." + to_base64(zlib.compress(plain, 9))


# Decompression


def test_an_unsigned_bomb_is_never_inflated(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(codec, "inflate", lambda _: pytest.fail("inflated"))
    unsigned = f"session={bomb(2 * MEGABYTE)}.aWg0gA.{'A' * 43}"
    assert VICTIM.refuses(unsigned, caplog) == "bad_signature"


def test_a_bomb_of_100_megabytes_is_refused_by_its_length(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is refused although it is signed, before its signature is computed."""
    cookie = sign_payload(bomb(100 * MEGABYTE))
    monkeypatch.setattr(codec, "_sign", lambda *_: pytest.fail("computed"))
    assert VICTIM.refuses(cookie, caplog) == "too_large"


def test_the_largest_bomb_that_fits_into_a_cookie_stops_at_64_kib(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The bomb is 2.5 MB in 4096 bytes, signed with our key."""
    cookie = sign_payload(bomb(5 * MEGABYTE // 2))
    assert 3000 < len(cookie) <= 4096
    assert VICTIM.refuses(cookie, caplog) == "too_large"
    assert peak(cookie) < MEGABYTE // 2


def test_a_bomb_within_a_bomb_is_inflated_once(caplog: pytest.LogCaptureFixture) -> None:
    inner = zlib.compress(bytes(10 * MEGABYTE), 9)
    cookie = sign_payload(".." + to_base64(zlib.compress(inner, 9)))
    assert VICTIM.refuses(cookie, caplog) == "malformed"
    assert peak(cookie) < MEGABYTE // 2


# JSON


NESTED = {
    "lists": ("[", "]"),
    "dicts": ('{"a":', "}"),
    "tuples": ('{"!t":[', "]}"),
    "escaped dicts": ('{"!!a":', "}"),
}


@pytest.mark.parametrize("kind", NESTED)
def test_100_000_levels_are_a_new_session(caplog: pytest.LogCaptureFixture, kind: str) -> None:
    opening, closing = NESTED[kind]
    text = f'[0,{{"user":{opening * 100_000}0{closing * 100_000}}}]'
    assert VICTIM.refuses(sign(text), caplog) == "too_large"


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize("form", ["[0,{}]", "[{},0]"])
def test_more_levels_than_can_be_written_are_a_new_session(
    caplog: pytest.LogCaptureFixture, kind: str, form: str
) -> None:
    """Or each request that looks at them would fail."""
    opening, closing = NESTED[kind]
    text = form.format(f'{{"user":{opening * 101}0{closing * 101}}}')
    assert VICTIM.refuses(sign(text), caplog) == "malformed"


@pytest.mark.parametrize("unfinished", [False, True])
@pytest.mark.parametrize("kind", NESTED)
def test_as_many_levels_as_fit_in_64_kib_do_not_overflow_the_stack(
    kind: str, unfinished: bool
) -> None:
    """How many levels the JSON parser accepts depends on the version of CPython."""
    opening, closing = NESTED[kind]
    levels = (codec.MAX_TEXT - 100) // len(opening + closing)
    text = f'[0,{{"user":{opening * levels}0{"" if unfinished else closing * levels}}}]'
    response = VICTIM.visit(sign(text), lambda session: session.new, alone=True)
    assert (response.status, response.data) == ("200 OK", b"True")


LONG = codec.MAX_TEXT - 100
NUMBERS = {
    "a value": f'[0,{{"user":{"9" * LONG}}}]',
    "a negative value": f'[0,{{"user":-{"9" * LONG}}}]',
    "the age": f'[{"9" * LONG},{{"user":1}}]',
    "in a tuple": f'[0,{{"user":{{"!t":[{"9" * LONG}]}}}}]',
    "an exponent that is no number": f'[0,{{"user":1e{"9" * LONG}x}}]',
}


@pytest.mark.parametrize("case", NUMBERS)
def test_an_int_of_60_000_digits_is_a_new_session(
    caplog: pytest.LogCaptureFixture, case: str
) -> None:
    """CVE-2020-10735: parsing it would take quadratic time."""
    assert VICTIM.refuses(sign(NUMBERS[case]), caplog) == "malformed"


def test_an_age_of_4000_digits_is_handled_exactly() -> None:
    """Without an absolute timeout, the session is valid; with one, it has expired."""
    cookie = sign(f'[{"9" * 4000},{{"_permanent":true,"user":"ada"}}]')
    assert VICTIM.visit(cookie, lambda session: session.update(seen=1)).cookie
    assert Victim(absolute_timeout=60).sees(cookie) == {}


# The header


FLOODS = {
    "10,000 of our name": "session=e30.aWg0gA.c2ln; ",
    "10,000 that are empty": "session=;",
    "names that end as ours": "xsession=a; ",
    "quotes and backslashes (CVE-2024-7592)": 'session="\\\\\\042\\"',
    "commas in one value": ",",
    "commas in 10,000 of our name": "session=a,session=b;",
    "quotes that are closed": 'session="";',
    "dots": "session=..........; ",
    "semicolons": ";",
    "spaces before ours": " \t",
    "dollars": "$Version=1; $Path=/; ",
    "one value": "a",
}


@pytest.mark.parametrize("attack", FLOODS)
def test_a_flood_costs_no_more_than_its_length(attack: str) -> None:
    """Work grows linearly from 64 KB to 128 KB, and memory is at most four times the header."""
    flood = FLOODS[attack] * (64 * 1024 // len(FLOODS[attack]))
    once, twice = f"{flood}; session=x", f"{flood * 2}; session=x"
    VICTIM.sees(once)  # the first request of all also imports and compiles
    assert lines_run(twice, VICTIM.sees) <= 2 * lines_run(once, VICTIM.sees)
    assert peak(once) <= 4 * len(once) + 16 * 1024
    assert VICTIM.found == {}


def test_ten_thousand_twins_cost_eight_signatures_and_one_record(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Eight for each key: neither the CPU (CWE-770) nor the log (CWE-779) is flooded."""
    victim = Victim(secret_key_fallbacks=[f"{KEY} of last year"])
    spy = Mock(return_value=b"another signature")
    monkeypatch.setattr(codec, "_sign", spy)
    caplog.set_level(logging.DEBUG)
    assert victim.sees("session=e30.aWg0gA.c2ln; " * 10_000) == {}
    assert (spy.call_count, len(caplog.records)) == (8 * 2, 1)
