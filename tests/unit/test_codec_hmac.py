"""A signature is an HMAC-SHA256, however it is computed."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionware.codec import HmacKey
from tests.unit.test_codec import CHECKED, to_base64

# RFC 4231, section 4: keys of 20, 4, 20 and 25 bytes.
VECTORS = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ),
    (
        bytes(range(1, 26)),
        b"\xcd" * 50,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ),
]


@pytest.mark.parametrize(("key", "data", "expected"), VECTORS)
def test_signature_is_an_hmac_of_sha256(key: bytes, data: bytes, expected: str) -> None:
    assert HmacKey(key).sign(data) == to_base64(bytes.fromhex(expected))


@CHECKED
@given(st.binary(max_size=64), st.binary(max_size=300))
def test_signature_is_what_the_standard_library_gives(key: bytes, data: bytes) -> None:
    signer = HmacKey(key)
    expected = to_base64(hmac.digest(key, data, "sha256"))
    assert [signer.sign(data), signer.sign(data)] == [expected, expected]
