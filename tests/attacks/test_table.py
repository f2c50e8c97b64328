"""The table of attacks in ``tests/README.md``: each cell is the result of an attack that was run.

``python -m tests.attacks`` prints the table.
"""

import pickle
import tracemalloc
import zlib
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from werkzeug.datastructures import ResponseCacheControl
from werkzeug.http import parse_cache_control_header

from tests.attacks.exploit import RAN, Exploit
from tests.attacks.forgers import (
    SIGN,
    SIGN_COMPRESSED,
    answer_slowly,
    configured,
    cookie_of,
    raises,
    reads,
    signed_elsewhere,
)
from tests.attacks.oracle import FILLER
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


@row("a name behind a comma", "another cookie", Beaker="taken", Pyramid="taken")
def comma(peer: str) -> str:
    """A neighbour's value is `1,__Host-session=...`, which browsers let any page set."""
    name, value = cookie_of(peer)
    headers = (f"a=1,{name}={value}", f"a=1, {name}={value}")
    taken = any(reads(peer, header) == ["ada"] for header in headers)
    return "taken" if taken else "another cookie"


def user_of(peer: str, *cookies: str) -> object:
    """Return the user that the server sees, a minute later."""
    browser = Browser(peer)
    browser.cookie = "; ".join(filter(None, cookies))
    return browser.read("user", 60)


def twins_of(peer: str) -> tuple[str, str]:
    """Return an older cookie, of Bob, and a newer one, of Ada."""
    bob, ada = Browser(peer), Browser(peer)
    bob.visit(0, before=put("user", "bob"))
    ada.visit(10, before=put("user", "ada"))
    return bob.cookie.strip(), ada.cookie.strip()


@row(
    "which of two valid cookies counts",
    "the last",
    sessionware="the newer",
    secure_cookie="the first",
    Flask="the first",
)
def twins(peer: str) -> str:
    """A browser keeps the cookie of a former path or domain, and sends it before or behind."""
    older, newer = twins_of(peer)
    seen = (user_of(peer, older, newer), user_of(peer, newer, older))
    if seen == ("ada", "ada"):
        return "the newer"
    return "the first" if seen == ("bob", "ada") else "the last"


@row("log-out beside such a twin", "logged in again", sessionware="holds")
def log_out_beside_a_twin(peer: str) -> str:
    """CWE-613: the log-out deletes the cookie at its own path, and the twin stays."""
    older, newer = twins_of(peer)
    browser = Browser(peer)
    browser.cookie = f"{older}; {newer}"
    line = browser.visit(20, before=lambda session: session.clear()).get("Set-Cookie", newer)
    deleted = "1970" in line or "max-age=0" in line.lower()
    left = "" if deleted else line.partition(";")[0].strip()
    users = {user_of(peer, older, left), user_of(peer, left, older)}
    return "holds" if users == {None} else "logged in again"


@row(
    "log-out while a slow page reads",
    "holds (option: undone)",
    sessionware="holds",
    Beaker="undone",
    Pyramid="undone",
    Starlette="holds",
)
@or_option
def slow_page(peer: str, option: bool) -> str:
    """CWE-613, CWE-362: a page that only read answers after the log-out, with the old session."""
    user = Browser(peer, option=option).login()
    late = answer_slowly(peer, user.cookie, at=1000, seconds=5, option=option)
    user.visit(1002, before=lambda session: session.clear())
    return "undone" if user.is_logged_in(1010, cookie=late) else "holds"


@row(
    "the next user's log-in, without a log-out",
    "the first user's data (option: emptied)",
    sessionware="emptied",
)
@or_option
def next_user(peer: str, option: bool) -> str:
    """CWE-488: what the first user has left in the session, such as an address."""

    def log_in(user: str) -> Callable[[Any], object]:
        if peer == "sessionware":
            return lambda session: setattr(session, "owner", user)
        return lambda session: (session.clear() if option else None, put("user", user)(session))

    browser = Browser(peer)
    browser.visit(0, before=log_in("ada"))
    browser.visit(10, before=put("address", "1 Root Lane"))
    browser.visit(20, before=log_in("bob"))
    return "emptied" if browser.read("address", 30) is None else "the first user's data"


GUESSES = [sha256(bytes([number])).hexdigest()[:43] for number in range(8)]


@row(
    "the cookie's length, seen by an attacker",
    "tells nothing",
    Beaker="tells nothing (option: tells the CSRF token)",
    Flask="tells the CSRF token",
    Django="tells the CSRF token",
)
@or_option
def length(peer: str, option: bool) -> str:
    """CRIME: a page saves a visitor's text in the session that holds the CSRF token."""
    browser, tokens = Browser(peer, option=option), list[str]()

    def begin(session: Any) -> None:
        if hasattr(session, "get_csrf_token"):
            tokens.append(session.get_csrf_token())
        else:
            tokens.append(sha256(b"token").hexdigest()[:43])
            session["csrf_token"] = tokens[0]

    def size(guess: str) -> int:
        browser.visit(0, before=put("search", guess + FILLER))
        return len(browser.cookie)

    browser.visit(0, before=begin)
    wrong = min(size(guess) for guess in GUESSES)
    return "tells the CSRF token" if size(tokens[0]) < wrong - 10 else "tells nothing"


@pytest.mark.parametrize(("title", "peer"), TABLE.cells())
def test_a_cell_is_the_result_of_the_attack(title: str, peer: str) -> None:
    assert TABLE.probes[title](peer) == TABLE.expected[title][peer]


def test_the_readme_shows_this_table() -> None:
    assert TABLE.in_readme() == str(TABLE)
