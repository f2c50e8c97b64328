"""Cookie tossing: a sibling domain or an insecure page sets a cookie of our name (CWE-565).

Named here: "Yummy cookies across domains" (GitHub, 2013), "Cookie Crumbles" (USENIX Security
2023), CVE-2023-23934 (Werkzeug: nameless cookies), CVE-2020-8184 (Rack) and CVE-2021-41819 (Ruby's
CGI): percent-encoded prefixes, and "Cookie Chaos" (PortSwigger, 2025): Unicode spaces, $Version.
The twin is Mallory's own session, and so it is valid: a site that reads it logs Ada in as Mallory.
"""

import sys
from typing import Any
from urllib.parse import quote

import pytest

from tests.attacks.victim import Victim

NAME = "__Host-session"
VICTIM = Victim(cookie_name=NAME)
HTTPS: dict[str, Any] = {"wsgi__url_scheme": "https"}
ADA = VICTIM.log_in("ada", **HTTPS)
MALLORY = VICTIM.log_in("mallory", **HTTPS)
TOKEN = MALLORY.partition("=")[2]
FORGED = f"{NAME}=e30.aWg0gA.c2lnbmF0dXJl"
# Space and tab are trimmed by browsers too, before they look at the prefix (RFC 6265bis).
SPACES = [*{*filter(str.isspace, map(chr, range(sys.maxunicode + 1)))} - {*" \t"}]


def on_the_wire(text: str) -> set[str]:
    """Return what WSGI makes of it: as UTF-8, and where it is one byte also as that."""
    utf8 = text.encode().decode("latin-1")
    return {utf8, text} if ord(max(text)) < 256 else {utf8}


def test_both_sessions_are_valid() -> None:
    """Or else what follows would be refused for another reason."""
    assert [VICTIM.sees(cookie)["user"] for cookie in (ADA, MALLORY)] == ["ada", "mallory"]


@pytest.mark.parametrize("before", range(8))
@pytest.mark.parametrize("behind", [0, 1, 100])
def test_a_forged_twin_logs_nobody_out(before: int, behind: int) -> None:
    """Seven before ours, as with a longer path or an earlier date, and any number behind it."""
    header = "; ".join([*[FORGED] * before, ADA, *[FORGED] * behind])
    assert VICTIM.sees(header) == {"user": "ada"}


def test_more_than_seven_before_it_hide_a_cookie(caplog: pytest.LogCaptureFixture) -> None:
    """The stated limit: to try them all would be a gift to a client that sends thousands."""
    assert VICTIM.refuses("; ".join([*[FORGED] * 8, ADA]), caplog) == "bad_signature"


def test_a_valid_session_of_somebody_else_before_ours_is_taken() -> None:
    """The stated limit of any cookie without a prefix: a browser keeps it from a prefixed name."""
    assert VICTIM.sees(f"{MALLORY}; {ADA}") == {"user": "mallory"}
    assert VICTIM.sees(f"{ADA}; {MALLORY}") == {"user": "ada"}


def test_eviction_is_a_new_session_and_nothing_else() -> None:
    """Jar overflow: the browser has dropped ours for a hundred others."""
    response = VICTIM.visit("; ".join(f"c{number}=1" for number in range(180)), **HTTPS)
    assert (VICTIM.found, response.set_cookie) == ({}, None)


def test_overwriting_with_nothing_is_a_new_session() -> None:
    assert VICTIM.sees(f"{NAME}=") == VICTIM.sees(NAME) == VICTIM.sees(f"{NAME}=;") == {}


@pytest.mark.parametrize("space", SPACES, ids=lambda space: f"U+{ord(space):04X}")
def test_no_unicode_space_hides_a_prefix_from_the_browser_alone(space: str) -> None:
    """Cookie Chaos: what ``str.strip()`` takes off, no browser takes for ``__Host-``."""
    for lead in on_the_wire(space):
        for twin in (f"{lead}{MALLORY}", f"{NAME}{lead}={TOKEN}", f" {lead} {MALLORY}"):
            assert VICTIM.sees(twin) == {}
            assert VICTIM.sees(f"{twin}; {ADA}") == {"user": "ada"}


NAMES = {
    "nameless (CVE-2023-23934)": f"={MALLORY}",
    "nameless twice": f"=={MALLORY}",
    "nameless, its value a name": f"=; {NAME}",
    "percent-encoded (CVE-2020-8184)": f"%5f%5fHost-session={TOKEN}",
    "percent-encoded throughout (CVE-2021-41819)": f"{quote(NAME).replace('_', '%5F')}={TOKEN}",
    "lower case": f"__host-session={TOKEN}",
    "upper case": f"__HOST-SESSION={TOKEN}",
    "another prefix": f"__Secure-session={TOKEN}",
    "no prefix": f"session={TOKEN}",
    "a name around it": f"x{MALLORY}",
    "full-width letters": f"\uff3f\uff3fHost-session={TOKEN}".encode().decode("latin-1"),
    "overlong UTF-8": f"\xc1\x9f\xc1\x9fHost-session={TOKEN}",
    "a byte order mark": f"\xef\xbb\xbf{MALLORY}",
    "a NUL": f"\0{MALLORY}",
    "quoted name": f'"{NAME}"={TOKEN}',
    "$Version with a comma (Cookie Chaos)": f"$Version=1,{MALLORY}",
    "$Version with a comma and a space": f"$Version=1, {MALLORY}",
    "a comma": f"a=1,{MALLORY}",
    "a space": f"a=1 {MALLORY}",
    "a dollar": f"${MALLORY}",
    "a line break": f"a=1\r\n{MALLORY}",
}


@pytest.mark.parametrize("attack", NAMES)
def test_a_name_that_is_not_exactly_ours_opens_nothing(attack: str) -> None:
    assert VICTIM.sees(NAMES[attack]) == {}
    assert VICTIM.sees(f"{NAMES[attack]}; {ADA}") == {"user": "ada"}
