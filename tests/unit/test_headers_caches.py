"""What some shared caches go by, and others do not."""

import pytest

from tests.gateway import call
from tests.unit.test_headers import SHARED, login, serve


@pytest.mark.parametrize("second", ["Origin", "cookie", "*"])
def test_vary_in_several_lines_becomes_one(second: str) -> None:
    """Before version 1.23, nginx goes by the last line alone."""
    headers = [("Vary", "Cookie"), ("X-Other", "1"), ("vary", second)]
    assert call(serve(len, *headers)).header_list == [
        ("X-Other", "1"),
        ("Vary", f"Cookie, {second}"),
    ]


TARGETED = [
    ("CDN-Cache-Control", "max-age=60"),
    ("surrogate-control", "max-age=60"),
    ("X-Accel-Expires", "60"),
    *((f"{cdn}-CDN-Cache-Control", "max-age=60") for cdn in ("Cloudflare", "Netlify", "Vercel")),
]


@pytest.mark.parametrize("field", TARGETED)
def test_field_that_overrides_cache_control_is_taken_out_with_a_warning(
    caplog: pytest.LogCaptureFixture, field: tuple[str, str]
) -> None:
    """Targeted fields (RFC 9213), and nginx's own."""
    for more in ([], [("Cache-Control", "max-age=1")]):
        headers = call(serve(login, field, *more)).headers
        assert field[0] not in headers
        assert "private" in headers["Cache-Control"]
        assert caplog.records.pop().getMessage() == SHARED
        assert caplog.records == []


def test_field_that_overrides_cache_control_stays_where_no_cookie_is_set() -> None:
    assert call(serve(len, *TARGETED)).header_list == [*TARGETED, ("Vary", "Cookie")]
