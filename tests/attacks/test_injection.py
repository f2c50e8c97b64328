"""Header injection: no setting or value can add a header or a cookie attribute (CWE-113).

Named here: CVE-2024-47764 (cookie), CVE-2026-88038 (cookies): ``;`` in name, path and domain;
CVE-2026-3644 (CPython's Morsel): control characters; log injection (CWE-117). The values that
each setting accepts are in ``tests/unit/test_cookie.py``.
"""

import logging
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from sessionware import ConfigurationError
from sessionware.settings import from_settings
from tests.attacks.victim import Victim
from tests.gateway import KEY

EVIL = [
    "\r\nSet-Cookie: admin=1",
    "\nX-Evil: 1",
    "\r",
    "\0",
    "\x7f",
    "\x85",
    "\u2028",
    "; Domain=evil.example",
    ";Max-Age=99999999",
    "; HttpOnly=",
    ", b=1; Path=/",
    "=1; x",
    "<script>alert('XSS3')</script>; Max-Age=2592000; a",
    "\u560d\u560aX-Evil: 1",
    '"',
    "\\",
]
ATTRIBUTES = "Path=/; HttpOnly; SameSite=Lax"


# RFC 6265bis, section 4.1.1, allows these in an attribute, and browsers take them literally.
ACCEPTED = [("cookie_path", '"'), ("cookie_path", "\\")]
GOOD = {
    "cookie_name": "session",
    "cookie_path": "/shop",
    "cookie_domain": "a.example",
    "cookie_samesite": "Lax",
    "cookie_secure": "auto",
    "cookie_httponly": "yes",
}


@pytest.mark.parametrize(
    ("setting", "evil"), [pair for pair in product(GOOD, EVIL) if pair not in ACCEPTED]
)
def test_no_setting_can_end_its_attribute(setting: str, evil: str) -> None:
    """Neither in code nor in an ini file. ``\\u560d``, cut to one byte, is a line break."""
    good = GOOD[setting]
    with pytest.raises(ConfigurationError, match=setting):
        Victim(**{setting: good + evil})
    with pytest.raises(ConfigurationError, match=setting):
        from_settings(len, {"session.secret_key": KEY, f"session.{setting}": good + evil})  # type: ignore[arg-type]  # it is never called


def test_the_quotes_that_a_path_may_hold_do_not_end_it() -> None:
    for setting, evil in ACCEPTED:
        line = Victim(**{setting: "/" + evil}).visit("", lambda s: s.update(a=1)).set_cookie or ""
        assert line.partition("; ")[2] == f"Path=/{evil}; HttpOnly; SameSite=Lax"


ACTS: dict[str, Callable[[Any, str], object]] = {
    "a value": lambda session, evil: session.update(user=evil),
    "a key": lambda session, evil: session.update({evil: 1}),
    "a nested value": lambda session, evil: session.update(cart=[{evil: (evil, {evil})}]),
    "bytes": lambda session, evil: session.update(raw=evil.encode()),
    "a flash message": lambda session, evil: session.flash(evil),
    "a flash queue": lambda session, evil: session.flash("hello", evil),
    "beside a CSRF token": lambda session, evil: (session.get_csrf_token(), session.flash(evil)),
    "beside an id": lambda session, evil: (session.id, session.update(user=evil)),
    "compressed": lambda session, evil: session.update(user=evil * 200),
}


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("act", ACTS)
def test_no_data_of_a_session_reaches_a_header_unencoded(act: str, evil: str) -> None:
    """The cookie's value is base64 and dots, and can be read again."""
    victim = Victim()
    response = victim.visit("", lambda session: ACTS[act](session, evil))
    names = [name for name, _ in response.header_list]
    assert names == ["Vary", "Set-Cookie", "Cache-Control"]
    value, _, attributes = (response.set_cookie or "").partition("; ")
    assert re.fullmatch(r"session=\.?[\w-]+\.[\w-]+\.[\w-]{43}", value, re.ASCII)
    assert attributes == ATTRIBUTES
    assert victim.sees(response.cookie) != {}


def test_csrf_token_and_id_need_no_escaping() -> None:
    """Neither in a header, in HTML nor in a URL."""
    made: list[str] = []
    Victim().visit("", lambda session: made.extend((session.new_csrf_token(), session.id)))
    assert all(re.fullmatch(r"[\w-]{22,}", it, re.ASCII) for it in made)


@pytest.mark.parametrize("evil", EVIL)
def test_no_part_of_the_request_reaches_a_header_or_the_log(
    caplog: pytest.LogCaptureFixture, evil: str
) -> None:
    """Neither the Cookie header, the host, the path nor a proxy's headers."""
    caplog.set_level(logging.DEBUG)
    header = f"session=marker{evil}marker.a.b; {evil}=marker; marker{evil}=1".encode().decode(
        "latin-1"
    )
    request: dict[str, Any] = dict.fromkeys(
        ("HTTP_HOST", "SERVER_NAME", "PATH_INFO", "SCRIPT_NAME", "QUERY_STRING"), f"/marker{evil}"
    )
    request |= {"HTTP_X_FORWARDED_HOST": f"marker{evil}", "HTTP_X_FORWARDED_PROTO": "https; x"}
    response = Victim().visit(header, lambda session: session.update(a=1), **request)
    assert (response.set_cookie or "").endswith(f"; {ATTRIBUTES}")
    written = [*map(str, response.header_list), *(str(vars(record)) for record in caplog.records)]
    assert len(caplog.records) == 1
    assert not any("marker" in text for text in written)


def test_values_of_vary_and_cache_control_are_kept() -> None:
    """Our additions do not change the meaning of the application's values."""
    victim = Victim()
    victim.headers = [("Vary", "Accept"), ("Cache-Control", 'ext="a, public"'), ("X-Own", "1")]
    response = victim.visit("", lambda session: session.update(a=1))
    assert response.headers["Vary"] == "Accept, Cookie"
    assert response.headers["Cache-Control"] == 'private, ext="a, public"'
