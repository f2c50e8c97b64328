"""URL-safe base64 without padding."""

import warnings
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionware import base64url


@given(st.binary())
def test_encode_writes_what_the_standard_library_writes_without_padding(data: bytes) -> None:
    assert base64url.encode(data) == urlsafe_b64encode(data).rstrip(b"=")


@given(st.binary())
def test_decode_is_the_inverse(data: bytes) -> None:
    assert base64url.decode(base64url.encode(data)) == data


@given(st.binary() | st.text("aA0+/-_=.").map(str.encode))
def test_junk_is_decoded_or_a_value_error_and_never_warned_of(text: bytes) -> None:
    """A warning would stand in the log of whoever is attacked, or be an exception."""
    with warnings.catch_warnings(action="error"):
        try:
            base64url.decode(text)
        except ValueError:
            return


@pytest.mark.parametrize("text", [b"-_-_", b"+/+/", b"-/+_", b"-_-_==", b"-_!-_"])
def test_other_spellings_have_the_same_bytes(text: bytes) -> None:
    """A reader that must accept one of them compares it with what ``encode`` returns."""
    assert base64url.decode(text) == b"\xfb\xff\xbf"
