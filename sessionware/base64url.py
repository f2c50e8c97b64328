"""URL-safe base64 without padding (RFC 4648, section 5).

The functions of the module ``base64`` take twice the time, and from Python 3.15 on they warn of
``+`` and ``/``, which any client may send.
"""

from binascii import a2b_base64, b2a_base64

_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def encode(data: bytes) -> bytes:
    """Return the text of the bytes."""
    return b2a_base64(data, newline=False).translate(_TO_URL_SAFE, b"=")


def decode(text: bytes) -> bytes:
    """Return the bytes of a text. Raises ValueError.

    Several texts have the same bytes, because the last character may have spare bits, and because
    what is not of the alphabet is passed over. Only one of them is what ``encode`` returns.
    """
    return a2b_base64(text.translate(_FROM_URL_SAFE) + b"==")
