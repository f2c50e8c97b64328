"""How bytes and microseconds grow: with the session, the cookies and the old keys."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Sequence
from typing import Any
from zlib import decompress

from tests.sites import MemoryStore

from .contestants import KEYS, Peer, ours
from .gateways import Request
from .scenarios import BODY, DATA, READ, UNTOUCHED, first_cookie, header
from .timing import Cost, Pace, added, turn
from .words import words

COOKIE_SIZES = (20, 250, 1024, 2048)
SESSION_SIZES = (100, 250, 500, 1000, 2000, 4000)
STORED_SIZES = (1_000, 10_000, 100_000, 1_000_000)
OTHERS = (1, 10, 50, 100, 200)
HEADER_SIZES = (1, 4, 16, 64)
"""KB of other cookies."""
TWINS = (1, 2, 4, 8)
"""Of more, ours reads the first 8."""
FALLBACKS = (0, 1, 2, 4, 8)


def sized(size: int) -> dict[str, Any]:
    """A session of this many bytes of JSON: a counter, and words of ordinary entropy."""
    return {"n": 1, "text": words(size - len('{"n":1,"text":""}'), seed=size)}


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


def by_session_size(
    peers: Sequence[Peer], pace: Pace, sizes: Sequence[int] = SESSION_SIZES
) -> Growth:
    """A read and a write, per bytes of JSON."""
    groups = {}
    for size in sizes:
        data = sized(size)
        text = data["text"].encode()
        brought = {peer: first_cookie(peer, data) for peer in peers}
        able = {peer: header(cookie) for peer, cookie in brought.items() if cookie is not None}
        groups[size, "read"] = {p: turn(p, look, [c], text) for p, c in able.items()}
        groups[size, "write"] = {p: turn(p, count, [c], BODY) for p, c in able.items()}
    costs = added(groups, pace)
    return {size: (costs[size, "read"], costs[size, "write"]) for size in sizes}


def by_stored_size(pace: Pace) -> Growth:
    """The same of ours alone, in a store that takes no time."""
    return by_session_size([ours("sessionware", store=MemoryStore())], pace, STORED_SIZES)


def by_other_cookies(peers: Sequence[Peer], pace: Pace) -> Growth:
    """A request that leaves its session alone and one that reads it, per number of cookies."""
    return beside({number: others(number) for number in OTHERS}, peers, pace)


def by_header_size(peers: Sequence[Peer], pace: Pace) -> Growth:
    """The same, per KB of the Cookie header."""
    one = len("; ".join(others(1000))) / 1000
    return beside({size: others(round(size * 1000 / one)) for size in HEADER_SIZES}, peers, pace)


def others(number: int) -> list[str]:
    return [f"name{n}=value-of-cookie-{n}" for n in range(number)]


def beside(steps: dict[int, list[str]], peers: Sequence[Peer], pace: Pace) -> Growth:
    groups = {}
    own = {peer: first_cookie(peer, DATA) for peer in peers}
    for step, cookies in steps.items():
        brought = {peer: header(cookie, cookies) for peer, cookie in own.items()}
        for scenario in (UNTOUCHED, READ):
            groups[step, scenario.name] = {
                peer: turn(peer, scenario.act, [cookie], scenario.body)
                for peer, cookie in brought.items()
            }
    costs = added(groups, pace)
    return {step: (costs[step, UNTOUCHED.name], costs[step, READ.name]) for step in steps}


def by_twins(peers: Sequence[Peer], pace: Pace) -> Growth:
    """A read, per number of valid cookies of the session's name."""
    sessions = [{**DATA, "user_id": number} for number in range(max(TWINS))]
    groups = {}
    own = {peer: [first_cookie(peer, session) for session in sessions] for peer in peers}
    for number in TWINS:
        brought = {peer: "; ".join(filter(None, own[peer][:number])) for peer in peers}
        groups[number] = {
            peer: turn(peer, READ.act, [cookie], READ.body) for peer, cookie in brought.items()
        }
    return {number: (cost,) for number, cost in added(groups, pace).items()}


def by_fallbacks(peers: Sequence[Peer], pace: Pace) -> Growth:
    """A read of a cookie signed with the oldest key, per number of fallback keys."""
    rotating = [peer for peer in peers if peer.rotates]
    groups = {}
    for number in FALLBACKS:
        keys = KEYS[: number + 1]
        brought = {peer: header(first_cookie(peer, DATA, keys[-1:])) for peer in rotating}
        groups[number] = {
            peer: turn(peer, READ.act, [cookie], READ.body, keys)
            for peer, cookie in brought.items()
        }
    return {number: (cost,) for number, cost in added(groups, pace).items()}
