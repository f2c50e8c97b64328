"""The table of attacks in ``tests/README.md``: each cell is the result of an attack that was run.

``python -m tests.attacks`` prints the table.
"""

import pickle
import tracemalloc
import zlib
from typing import Any

import pytest
from werkzeug.datastructures import ResponseCacheControl
from werkzeug.http import parse_cache_control_header

from tests.attacks.exploit import RAN, Exploit
from tests.attacks.forgers import (
    SIGN,
    SIGN_COMPRESSED,
    configured,
    cookie_of,
    raises,
    reads,
    signed_elsewhere,
)
from tests.peers.frameworks import clock, put
from tests.peers.probes import Browser, Table, or_option

TABLE = Table("attacks")
row = TABLE.row


@row(
    "shortest secret key",
    "1 byte",
    sessionware="16 bytes",
    secure_cookie="empty",
    Pyramid="empty",
    Starlette="empty",
)
def shortest_key(peer: str) -> str:
    """The shortest key that is accepted (CWE-326; in CVE-2023-27524 the key was known)."""
    for size in range(33):
        if not Browser(peer, key="k" * size).fails(before=put("user", "ada")):
            return {0: "empty", 1: "1 byte"}.get(size, f"{size} bytes")
    return "longer"


@row(
    "signed elsewhere with the same key",
    "refused",
    Beaker="logs in (a bare HMAC)",
    Starlette="logs in (`TimestampSigner`)",
)
def same_key(peer: str) -> str:
    """Signed by a common signer, such as for a link in an email (NIST SP 800-57, 5.2)."""
    name, value = cookie_of(peer)
    for signer, forged in signed_elsewhere(peer, value):
        if reads(peer, f"{name}={forged}") == ["ada"]:
            return f"logs in ({signer})"
    return "refused"


@row("token of the site's other cookie", "logs in", sessionware="refused")
def other_name(peer: str) -> str:
    """Two cookies differ only in name: a customer's token is sent as an administrator's."""
    with configured(peer, name="customer"):
        _, value = cookie_of(peer)
    with configured(peer, name="admin"):
        name = "session" if peer == "secure-cookie" else "admin"  # its only name
        return "logs in" if reads(peer, f"{name}={value}") == ["ada"] else "refused"


@row("pickle, key leaked", "refused", Beaker="runs code (option: refused)")
@or_option
def pickled(peer: str, option: bool) -> str:
    """CVE-2013-7489, CVE-2016-3957, CVE-2021-33026."""
    RAN.clear()
    name, _ = cookie_of(peer, option=option)
    with clock(0):
        value = SIGN[peer](pickle.dumps({"user": Exploit()}, 2))
    raises(peer, f"{name}={value}", option=option)
    return "runs code" if RAN else "refused"


@row(
    "bomb of 4 KB, key leaked",
    "no compression",
    sessionware="stops at 64 KiB",
    Beaker="no compression (option: inflates 2.5 MB)",
    Flask="inflates 2.5 MB",
    Django="inflates 2.5 MB",
)
@or_option
def bomb(peer: str, option: bool) -> str:
    """A bomb in a cookie that fits into browsers (CWE-409, CVE-2024-28180, CVE-2026-39373)."""
    if peer not in SIGN_COMPRESSED or (peer == "Beaker" and not option):
        return "no compression"
    data = b'{"_accessed_time":1800000000,"user":"' + b"a" * 2_500_000 + b'"}'
    text = b"[0," + data + b"]" if peer == "sessionware" else data
    name, _ = cookie_of(peer, option=option)
    with clock(0):
        header = f"{name}={SIGN_COMPRESSED[peer](zlib.compress(text, 9))}"
    assert len(header) <= 4096
    tracemalloc.start()
    try:
        raises(peer, header, option=option)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most > 2_500_000 or most < 500_000
    return "inflates 2.5 MB" if most > 500_000 else "stops at 64 KiB"


JUNK = ("", "a", "..", "a.b.c", "a:b:c", "a?b=c", "?", "\xff", "A" * 4000, '"\\377"', "%ff", "=")


@row("junk for a cookie", "no error", secure_cookie="error 500", Pyramid="error 500")
def junk(peer: str) -> str:
    """Values that any client can send to a page that reads its session (CWE-248)."""
    name, _ = cookie_of(peer)
    failed = any(raises(peer, f"{name}={value}") for value in JUNK)
    return "error 500" if failed else "no error"


@row(
    "signed, but no session",
    "no error",
    Flask="error 500",
    Django="error 500",
    Starlette="error 500",
)
def no_session(peer: str) -> str:
    """Signed JSON that is not a session, such as from another version of the site (CWE-20)."""
    name, _ = cookie_of(peer)
    values = []
    for text in (b"[]", b"1", b"null", b"[1]", b'"ab"', b"{", b"\xff"):
        with clock(0):
            plain = zlib.compress(text) if peer == "Beaker" else text
            values.append(SIGN[peer](plain))
    failed = any(raises(peer, f"{name}={value}", option=peer == "Beaker") for value in values)
    return "error 500" if failed else "no error"


SPACES = {"U+2000": "\xe2\x80\x80", "U+00A0": "\xc2\xa0", "byte A0": "\xa0"}


@row(
    "space before a `__Host-` name (2025)",
    "another cookie",
    Pyramid="taken: U+2000, U+00A0, byte A0",
    Django="taken: U+2000, U+00A0",
    Starlette="taken: byte A0",
)
def unicode_space(peer: str) -> str:
    """Cookie Chaos (PortSwigger): browsers do not see the prefix behind this space."""
    name, value = cookie_of(peer)
    taken = [it for it in SPACES if reads(peer, f"{SPACES[it]}{name}={value}") == ["ada"]]
    return f"taken: {', '.join(taken)}" if taken else "another cookie"


@row(
    "cookie sandwich (2025)",
    "swallowed",
    sessionware="no hold",
    Django="no hold",
    Starlette="no hold",
)
def sandwich(peer: str) -> str:
    """PortSwigger: the session cookie becomes part of another value, and the user is logged out."""
    name, value = cookie_of(peer)
    stays = reads(peer, f'$Version=1; a="start; {name}={value}; b=end"') == ["ada"]
    return "no hold" if stays else "swallowed"


@row(
    "`; Domain=` in a setting",
    "refused",
    Beaker="injected: path, domain",
    secure_cookie="injected: name, domain",
    Flask="injected: name, domain",
    Pyramid="escaped",
    Django="injected: path, domain",
    Starlette="injected: name, path, domain",
)
def injection(peer: str) -> str:
    """CWE-113, CVE-2024-47764, CVE-2026-88038: the settings that can add an attribute."""
    found, passed = [], False
    for setting, good in (("name", "id"), ("path", "/"), ("domain", "a.example")):
        with configured(peer, **{setting: f"{good}; Domain=evil.example"}):
            browser, lines = Browser(peer), dict[str, str]()
            failed = browser.fails(before=put("user", "ada"))
            if not failed:
                lines = browser.visit(before=put("user", "bob"))
        passed |= not failed
        if "; domain=evil.example" in lines.get("Set-Cookie", "").lower():
            found.append(setting)
    return f"injected: {', '.join(found)}" if found else "escaped" if passed else "refused"


@row(
    "a page that only asks `in`, cached",
    "its user's own",
    Beaker="shown to others",
    secure_cookie="shown to others",
    Pyramid="shown to others",
)
def cached(peer: str) -> str:
    """CVE-2026-27205, CWE-524: a shared cache may store the page for a minute."""
    allowed = ("Cache-Control", "max-age=60")
    user = Browser(peer).login()
    headers = user.visit(2, before=lambda session: "user" in session, headers=[allowed])
    said: Any = parse_cache_control_header(headers["Cache-Control"], cls=ResponseCacheControl)
    kept = said.private is None and not said.no_store
    own = not kept or "Cookie" in headers.get("Vary", "")
    return "its user's own" if own else "shown to others"


@row("`repr(session)`", "values", sessionware="keys", Django="neither")
def shown(peer: str) -> str:
    """What a log, an error page or a crash report would show (CWE-532)."""
    seen: list[str] = []
    Browser(peer).login().visit(before=lambda session: seen.append(session["user"] + repr(session)))
    text = seen[0].removeprefix("ada")
    return "values" if "ada" in text else "keys" if "user" in text else "neither"


@row("a copy, after the log-out", "stays valid", sessionware="stays valid (option: refused)")
@or_option
def copied(peer: str, option: bool) -> str:
    """CWE-613: a signed cookie cannot be revoked without a list on the server."""
    user = Browser(peer, idle=60, option=option).login()
    copy = user.cookie
    user.visit(5, before=lambda session: session.clear())
    assert not user.is_logged_in(at=6)
    if not Browser(peer, idle=60, option=option).is_logged_in(at=6, cookie=copy):
        return "refused"
    ended = not Browser(peer, idle=60, option=option).is_logged_in(at=61, cookie=copy)
    return "stays valid" if ended else "valid for ever"


@pytest.mark.parametrize(("title", "peer"), TABLE.cells())
def test_a_cell_is_the_result_of_the_attack(title: str, peer: str) -> None:
    assert TABLE.probes[title](peer) == TABLE.expected[title][peer]


def test_the_readme_shows_this_table() -> None:
    assert TABLE.in_readme() == str(TABLE)
