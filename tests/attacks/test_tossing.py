"""Cookie tossing: a sibling domain or an insecure page sets a cookie of our name (CWE-565).

Named here: "Yummy cookies across domains" (GitHub, 2013), "Cookie Crumbles" (USENIX Security
2023), CVE-2023-23934 (Werkzeug: nameless cookies), CVE-2020-8184 (Rack) and CVE-2021-41819 (Ruby's
CGI): percent-encoded prefixes, and "Cookie Chaos" (PortSwigger, 2025): Unicode spaces, $Version.
The other cookie is Mallory's own valid session: a site that reads it logs Ada in as Mallory.
"""

import sys
from typing import Any
from urllib.parse import quote

import pytest

from tests.attacks.victim import Victim
from tests.conftest import Clock

NAME = "__Host-session"
VICTIM = Victim(cookie_name=NAME)
HTTPS: dict[str, Any] = {"wsgi__url_scheme": "https"}
ADA = VICTIM.log_in("ada", **HTTPS)
MALLORY = VICTIM.log_in("mallory", **HTTPS)
TOKEN = MALLORY.partition("=")[2]
FORGED = f"{NAME}=e30.aWg0gA.c2lnbmF0dXJl"
# Browsers trim space and tab too, before they check the prefix (RFC 6265bis).
SPACES = [*{*filter(str.isspace, map(chr, range(sys.maxunicode + 1)))} - {*" \t"}]


def on_the_wire(text: str) -> set[str]:
    """Return the text as WSGI passes it on: encoded in UTF-8, and in Latin-1 if possible."""
    utf8 = text.encode().decode("latin-1")
    return {utf8, text} if ord(max(text)) < 256 else {utf8}


def test_both_sessions_are_valid() -> None:
    """Otherwise, the cookies below could be refused for another reason."""
    assert [VICTIM.sees(cookie)["user"] for cookie in (ADA, MALLORY)] == ["ada", "mallory"]


@pytest.mark.parametrize("before", range(8))
@pytest.mark.parametrize("behind", [0, 1, 100])
def test_a_forged_cookie_of_our_name_does_not_log_the_user_out(before: int, behind: int) -> None:
    """Up to seven may come before ours, as those with a longer path do, and any number after."""
    header = "; ".join([*[FORGED] * before, ADA, *[FORGED] * behind])
    assert VICTIM.sees(header) == {"user": "ada"}


def test_eight_forged_cookies_before_ours_hide_it(caplog: pytest.LogCaptureFixture) -> None:
    """A documented limit: a client that sends thousands must not cause work for each."""
    assert VICTIM.refuses("; ".join([*[FORGED] * 8, ADA]), caplog) == "bad_signature"


@pytest.mark.parametrize("first", ["mallory", "ada"])
def test_a_newer_valid_session_of_another_user_is_used(clock: Clock, first: str) -> None:
    """A documented limit of cookies without a prefix: with ``__Host-``, browsers prevent this."""
    ada = VICTIM.log_in("ada", **HTTPS)
    clock.advance(1)
    mallory = VICTIM.log_in("mallory", **HTTPS)
    pair = (mallory, ada) if first == "mallory" else (ada, mallory)
    assert VICTIM.sees("; ".join(pair)) == {"user": "mallory"}


@pytest.mark.parametrize("first", ["mallory", "ada"])
def test_an_older_valid_session_of_another_user_is_not_used(clock: Clock, first: str) -> None:
    """The attacker has to plant it again after each answer that sets ours."""
    mallory = VICTIM.log_in("mallory", **HTTPS)
    clock.advance(1)
    ada = VICTIM.log_in("ada", **HTTPS)
    pair = (mallory, ada) if first == "mallory" else (ada, mallory)
    assert VICTIM.sees("; ".join(pair)) == {"user": "ada"}


def test_an_evicted_cookie_is_a_new_session() -> None:
    """Jar overflow: the browser has dropped our cookie for many others."""
    response = VICTIM.visit("; ".join(f"c{number}=1" for number in range(180)), **HTTPS)
    assert (VICTIM.found, response.set_cookie) == ({}, None)


def test_an_empty_cookie_is_a_new_session() -> None:
    assert VICTIM.sees(f"{NAME}=") == VICTIM.sees(NAME) == VICTIM.sees(f"{NAME}=;") == {}


@pytest.mark.parametrize("space", SPACES, ids=lambda space: f"U+{ord(space):04X}")
def test_a_name_with_a_unicode_space_is_not_ours(space: str) -> None:
    """Cookie Chaos: ``str.strip()`` removes these spaces, but browsers keep them in the name."""
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
    "a comma and a space": f"a=1, {MALLORY}",
    "a comma and a tab": f"a=1,\t{MALLORY}",
    "a comma first": f",{MALLORY}",
    "a comma behind a name without a value": f"a,{MALLORY}",
    "a comma behind quotes": f'a="1",{MALLORY}',
    "a comma behind a nameless cookie": f"=1,{MALLORY}",
    "a comma behind a cookie of our name": f"{FORGED},{MALLORY}",
    "two commas": f"a=1,,{MALLORY}",
    "a space": f"a=1 {MALLORY}",
    "a dollar": f"${MALLORY}",
    "a line break": f"a=1\r\n{MALLORY}",
}


@pytest.mark.parametrize("attack", NAMES)
def test_a_name_that_is_not_exactly_ours_is_ignored(attack: str) -> None:
    assert VICTIM.sees(NAMES[attack]) == {}
    assert VICTIM.sees(f"{NAMES[attack]}; {ADA}") == {"user": "ada"}


@pytest.mark.parametrize("comma", [",", ", ", " ,\t"])
def test_two_lines_that_a_server_joins_with_a_comma_are_not_mixed_up(comma: str) -> None:
    """A name begins only after ``;``: what the second line begins with is nobody's cookie."""
    for other in ("a=1", MALLORY, FORGED, ""):
        assert VICTIM.sees(f"{ADA}{comma}{other}") == {"user": "ada"}
        assert VICTIM.sees(f"a=1; {ADA}{comma}{other}; b=2") == {"user": "ada"}
    assert VICTIM.sees(f"{FORGED}{comma}{MALLORY}") == {}
