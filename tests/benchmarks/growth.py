"""How bytes and microseconds grow: with the session, the other cookies and the old keys."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Sequence
from random import Random
from typing import Any
from zlib import decompress

from .contestants import KEYS, Peer
from .gateways import Request
from .scenarios import BODY, DATA, READ, UNTOUCHED, first_cookie, header
from .timing import Cost, Pace, added, turn

COOKIE_SIZES = (20, 250, 1024, 2048)
SESSION_SIZES = (100, 250, 500, 1000, 2000, 4000)
OTHERS = (1, 3, 10, 30, 100)
FALLBACKS = (0, 1, 2, 3, 4)

WORDS = """
    account address article basket before billing button cannot change colour country currency
    customer delivery discount draft editor email filter finish forward garden german history
    image invoice keyboard language last later letter list market message mobile monthly never
    notice number offer order other page parcel payment people picture please price product
    question recent refund region return search second seller sender shipping since small sorted
    status street subject summer support theme ticket today total travel update until visit
    voucher window winter
"""


def sized(size: int) -> dict[str, Any]:
    """A session of this many bytes of JSON: a counter, and words of ordinary entropy."""
    text = " ".join(Random(size).choices(WORDS.split(), k=size // 4))  # noqa: S311
    return {"n": 1, "text": text[: size - len('{"n":1,"text":""}')]}


def cookies_by_size(peers: Sequence[Peer]) -> dict[int, dict[str, str | None]]:
    """Name and value of each peer's cookie, per bytes of JSON; None where it is refused."""
    sessions = {200: DATA} | {size: sized(size) for size in COOKIE_SIZES}
    return {
        size: {peer.name: first_cookie(peer, sessions[size]) for peer in peers}
        for size in sorted(sessions)
    }


def uncompressed(cookie: str) -> int:
    """Bytes that a cookie in itsdangerous' format would have had without compression."""
    payload = cookie.partition("=")[2].rsplit(".", 2)[0]
    if not payload.startswith("."):
        return len(cookie)
    inflated = len(decompress(urlsafe_b64decode(payload[1:] + "==")))
    return len(cookie) - len(payload) + -(-inflated * 4 // 3)


def count(peer: Peer, request: Request) -> bytes:
    session = peer.session(request)
    session["n"] += 1
    peer.written(session)
    return BODY


def look(peer: Peer, request: Request) -> bytes:
    text: str = peer.session(request)["text"]
    return text.encode()


Growth = dict[int, tuple[Cost, ...]]
"""One or two costs for each step."""


def by_session_size(peers: Sequence[Peer], pace: Pace) -> Growth:
    """A read and a write, per bytes of JSON."""
    groups = {}
    for size in SESSION_SIZES:
        data = sized(size)
        text = data["text"].encode()
        brought = {peer: first_cookie(peer, data) for peer in peers}
        able = {peer: header(cookie) for peer, cookie in brought.items() if cookie is not None}
        groups[size, "read"] = {p: turn(p, look, c, text) for p, c in able.items()}
        groups[size, "write"] = {p: turn(p, count, c, BODY) for p, c in able.items()}
    costs = added(groups, pace)
    return {size: (costs[size, "read"], costs[size, "write"]) for size in SESSION_SIZES}


def by_other_cookies(peers: Sequence[Peer], pace: Pace) -> Growth:
    """A request that leaves its session alone and one that reads it, per number of cookies."""
    groups = {}
    own = {peer: first_cookie(peer, DATA) for peer in peers}
    for number in OTHERS:
        others = [f"name{n}=value-of-cookie-{n}" for n in range(number)]
        brought = {peer: header(cookie, others) for peer, cookie in own.items()}
        for scenario in (UNTOUCHED, READ):
            groups[number, scenario.name] = {
                peer: turn(peer, scenario.act, cookie, scenario.body)
                for peer, cookie in brought.items()
            }
    costs = added(groups, pace)
    return {number: (costs[number, UNTOUCHED.name], costs[number, READ.name]) for number in OTHERS}


def by_fallbacks(peers: Sequence[Peer], pace: Pace) -> Growth:
    """A read of a cookie signed with the oldest key, per number of fallback keys."""
    rotating = [peer for peer in peers if peer.rotates]
    groups = {}
    for number in FALLBACKS:
        keys = KEYS[: number + 1]
        brought = {peer: header(first_cookie(peer, DATA, keys[-1:])) for peer in rotating}
        groups[number] = {
            peer: turn(peer, READ.act, cookie, READ.body, keys) for peer, cookie in brought.items()
        }
    return {number: (cost,) for number, cost in added(groups, pace).items()}
