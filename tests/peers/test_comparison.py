"""The comparison in ``tests/README.md``: each cell is the result of a probe of the peer.

``python -m tests.peers`` prints the table.
"""

import importlib.metadata
import os
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest

from tests.peers.frameworks import PEERS, Step, put
from tests.peers.probes import Browser, Table, or_option
from tests.peers.required import FRAMEWORKS

VALUES: dict[str, object] = {
    "`tuple`": (1, 2),
    "`set`": {1, 2},
    "`bytes`": b"\xff",
    "`datetime`": datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC),
    "`Decimal`": Decimal("1.10"),
    "`int` keys": {1: "one"},
}
TABLE = Table("comparison")
row = TABLE.row


@row("imports beside Werkzeug 3.1", "yes", secure_cookie="no")
def imports(peer: str) -> str:
    """The other rows use a repaired secure-cookie: see ``frameworks.import_secure_cookie``."""
    try:
        importlib.import_module({"secure-cookie": "secure_cookie.cookie"}.get(peer, peer.lower()))
    except ImportError:
        return "no"
    return "yes"


@row(
    '`session["cart"].append(...)`',
    "lost (option: saved)",
    sessionware="saved",
    Beaker="saved",
    Pyramid="lost in the first second",
    Starlette="lost",
)
@or_option
def nested_change(peer: str, option: bool) -> str:
    """Whether it is saved without ``modified = True``, at once and two seconds later."""
    saved = []
    for pause in (0, 2):
        browser = Browser(peer, option=option)
        browser.visit(before=put("cart", []))
        browser.visit(pause, before=lambda session: session["cart"].append("tea"))
        saved.append(browser.read("cart", pause) == ["tea"])
    return "saved" if all(saved) else "lost in the first second" if any(saved) else "lost"


def late_change(peer: str, **view: Step) -> str:
    browser = Browser(peer)
    return "raises" if browser.fails(**view) else "saved" if browser.read("late") else "lost"


@row("a change once status and headers are given", "saved", Beaker="lost")
def after_headers(peer: str) -> str:
    return late_change(peer, after=put("late", "yes"))


@row("a key set while the body streams", "lost", sessionware="raises")
def while_streaming(peer: str) -> str:
    return late_change(peer, streaming=put("late", "yes"))


@row(
    "values silently changed",
    "`tuple`, `int` keys",
    sessionware="none",
    Beaker="none",
    Flask="`datetime`, `Decimal`, `int` keys",
)
def changed(peer: str) -> str:
    """The values that come back different. A refused value is not counted."""
    names = []
    for name, value in VALUES.items():
        browser = Browser(peer)
        if not browser.fails(before=put("value", value)):
            back = browser.read("value")
            if (type(back), back) != (type(value), value):
                names.append(name)
    return ", ".join(names) or "none"


@row("over 4 KiB", "raises", secure_cookie="warns", Flask="warns", Django="lost", Starlette="lost")
def too_large(peer: str) -> str:
    browser = Browser(peer)
    if browser.fails(before=put("notes", os.urandom(5000).hex())):
        return "raises"
    assert not browser.cookie  # it was dropped
    return "warns" if browser.warned else "lost"


@row(
    "logged out by another cookie",
    "forged twin behind",
    sessionware="no",
    Beaker="forged twin behind, not UTF-8, quotes",
    secure_cookie="forged twin before, quotes",
    Flask="forged twin before, quotes",
    Pyramid="forged twin behind, quotes",
)
def neighbours(peer: str) -> str:
    """The other cookies that log a user out: forged, not UTF-8, or with quotes around ours."""
    cookie = Browser(peer).login().cookie
    name, _, value = cookie.partition("=")
    headers = {
        "forged twin before": f"{name}={value[::-1]}; {cookie}",
        "forged twin behind": f"{cookie}; {name}={value[::-1]}",
        "not UTF-8": f"a=\xff; {cookie}",
        "quotes": f'a="1; {cookie}; b=2"',
    }
    stays = Browser(peer).is_logged_in
    return ", ".join(by for by in headers if not stays(cookie=headers[by])) or "no"


@row(
    "old keys in one string", "one key", sessionware="refused", Flask="forgeable", Django="refused"
)
def old_keys(peer: str) -> str:
    """Whether every letter of the string is accepted as a key."""
    old = "a-key-that-has-signed-for-a-year"
    cookie = Browser(peer, key=old).login().cookie
    if not Browser(peer, old_keys=[old]).is_logged_in(cookie=cookie):
        return "one key"
    if (server := Browser(peer, old_keys=old)).fails():
        return "refused"
    forged = Browser(peer, key=old[0]).login().cookie
    return "forgeable" if server.is_logged_in(cookie=forged) else "ignored"


@row(
    "reading adds", "`Vary`", Beaker="`Set-Cookie`", secure_cookie="nothing", Pyramid="`Set-Cookie`"
)
def reading(peer: str) -> str:
    """The headers of a response that only read the session, two seconds after the log-in."""
    headers = Browser(peer).login().visit(2, before=lambda session: session.get("user"))
    added = [f"`{name}`" for name in ("Vary", "Set-Cookie") if name in headers]
    return " and ".join(added) or "nothing"


@row("`Cache-Control: public` and `Set-Cookie`", "still public", sessionware="made private")
def public_cache(peer: str) -> str:
    public = ("Cache-Control", "public, max-age=60")
    headers = Browser(peer).visit(before=put("user", "ada"), headers=[public])
    assert "Set-Cookie" in headers
    return "still public" if "public" in headers["Cache-Control"] else "made private"


@row("a header list used twice", "safe", Beaker="leaks the cookie", Pyramid="leaks the cookie")
def shared_headers(peer: str) -> str:
    """Whether the second response, to another user, has the first user's cookie."""
    shared = [("X-Tea", "green")]
    Browser(peer).visit(before=put("user", "ada"), headers=shared)
    return "leaks the cookie" if "Set-Cookie" in Browser(peer).visit(headers=shared) else "safe"


@row("serializer", "JSON", Beaker="pickle (option: JSON)")
@or_option
def serializer(peer: str, option: bool) -> str:
    """The format of the data. Only pickle can restore an object of any class."""
    browser, thing = Browser(peer, option=option), SimpleNamespace(x=1)
    taken = not browser.fails(before=put("thing", thing))
    return "pickle" if taken and browser.read("thing") == thing else "JSON"


@row(
    "timeouts that the server enforces",
    "since the last change (option: idle)",
    sessionware="idle, absolute",
    Beaker="idle",
    Pyramid="idle",
    Starlette="since the last change",
)
@or_option
def timeouts(peer: str, option: bool) -> str:
    """The timeouts that end a session even if the browser keeps its cookie."""
    settings = {"idle": 60, "absolute": 300, "option": option}
    ends = []
    if not Browser(peer, **settings).login().is_logged_in(at=61):
        user = Browser(peer, **settings).login()
        active = user.is_logged_in(at=40) and user.is_logged_in(at=80)
        ends.append("idle" if active else "since the last change")
    user = Browser(peer, **settings).login()
    for at in range(40, 401, 40):
        user.visit(at, before=put("seen", at))
    ends += [] if user.is_logged_in(at=401) else ["absolute"]
    return ", ".join(ends) or "none"


@row("a cookie from 30 seconds in the future", "accepted", Flask="refused", Starlette="refused")
def clock_skew(peer: str) -> str:
    """The cookie was issued by another server of the site, whose clock is ahead."""
    return "accepted" if Browser(peer).login(at=30).is_logged_in(at=0) else "refused"


@pytest.mark.parametrize(("title", "peer"), TABLE.cells())
def test_a_cell_is_the_result_of_its_probe(title: str, peer: str) -> None:
    assert TABLE.probes[title](peer) == TABLE.expected[title][peer]


def test_the_readme_shows_this_table() -> None:
    assert TABLE.in_readme() == str(TABLE)


def test_every_peer_has_to_be_installed_for_the_tests_here() -> None:
    assert PEERS.keys() == {"sessionware", *FRAMEWORKS}
