"""What a request does with its session, and the proof that it did."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .contestants import KEYS, Peer
from .gateways import Handler, Reply, Request
from .words import words

BODY = b"hello"

DATA: dict[str, Any] = {
    "user_id": 4815,
    "name": "Augusta Ada Lovelace",
    "visits": 3,
    "csrf": "9f2c41d07be85a3316fd0c72e94b58a1",
    "cart": [
        {"sku": "tea-04", "quantity": 2, "price": "4.20"},
        {"sku": "cup-112", "quantity": 1, "price": "12.50"},
    ],
}
"""Five keys, 200 bytes of JSON."""

LARGE: dict[str, Any] = {**DATA, "notes": words(789, seed=1)}
"""1,000 bytes of JSON."""

LASTING: dict[str, Any] = {**DATA, "_permanent": True}
"""The session of a cookie that outlives the browser, with Expires and Max-Age."""

OTHER_COOKIES = ("theme=dark", "_ga=GA1.1.1823091177.1763654400", "consent=necessary")

Act = Callable[[Peer, Request], bytes]


class WrongResultError(Exception):
    """A peer did not do what it was about to be timed for."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A request: what its handler does, which cookies it brings, what the next one then reads.

    ``data``: what the session holds. ``visitors``: how many of them, each with another cookie, come
    in turn.
    """

    name: str
    act: Act
    brings: Literal["session", "others", "nothing"]
    then: dict[str, Any]
    body: bytes = BODY
    data: dict[str, Any] = field(default_factory=lambda: DATA)
    visitors: int = 1

    def suits(self, peer: Peer) -> bool:
        """Return whether the peer's sessions can be of this kind."""
        return peer.has_permanent or "_permanent" not in self.data


def untouched(peer: Peer, request: Request) -> bytes:
    return BODY


def read(peer: Peer, request: Request) -> bytes:
    name: str = peer.session(request)["name"]
    return name.encode()


def read_list(peer: Peer, request: Request) -> bytes:
    sku: str = peer.session(request)["cart"][0]["sku"]
    return sku.encode()


def write(peer: Peer, request: Request) -> bytes:
    session = peer.session(request)
    session["visits"] += 1
    peer.written(session)
    return BODY


def change_inside(peer: Peer, request: Request) -> bytes:
    session = peer.session(request)
    session["cart"][0]["quantity"] += 1
    peer.changed_inside(session)
    return BODY


def fill(data: dict[str, Any]) -> Act:
    def first_visit(peer: Peer, request: Request) -> bytes:
        session = peer.session(request)
        session.update(data)
        peer.written(session)
        return BODY

    return first_visit


def show(names: Sequence[str]) -> Act:
    """The values of these keys, as JSON."""

    def read_back(peer: Peer, request: Request) -> bytes:
        session = peer.session(request)
        return json.dumps({name: session[name] for name in names if name in session}).encode()

    return read_back


def handler(peer: Peer, act: Act) -> Handler:
    return lambda request: act(peer, request)


def cart_with(quantity: int) -> list[dict[str, Any]]:
    return [{**DATA["cart"][0], "quantity": quantity}, DATA["cart"][1]]


UNTOUCHED = Scenario("untouched", untouched, "session", DATA)
NO_COOKIE = Scenario("no cookie", untouched, "nothing", {})
READ = Scenario("read", read, "session", DATA, body=DATA["name"].encode())
WRITE = Scenario("write", write, "session", {**DATA, "visits": 4})
NESTED = Scenario("nested change", change_inside, "session", {**DATA, "cart": cart_with(3)})
FIRST = Scenario("first visit", fill(DATA), "others", DATA)

LIST = Scenario("list read", read_list, "session", DATA, body=b"tea-04")

PERMANENT = Scenario("permanent write", write, "session", {**LASTING, "visits": 4}, data=LASTING)
LARGE_READ = Scenario("read of 1 KB", read, "session", LARGE, body=READ.body, data=LARGE)
LARGE_WRITE = Scenario("write of 1 KB", write, "session", {**LARGE, "visits": 4}, data=LARGE)
DIFFERENT = Scenario("read, different cookies", read, "session", DATA, READ.body, visitors=500)

SCENARIOS = (UNTOUCHED, NO_COOKIE, READ, WRITE, NESTED, FIRST)
FURTHER = (LIST, PERMANENT, LARGE_READ, LARGE_WRITE, DIFFERENT)


def send(peer: Peer, act: Act, cookie: str | None, keys: Sequence[str] = KEYS[:1]) -> Reply:
    """One request to a new application of this peer."""
    app = peer.wrap(peer.gateway.bare(handler(peer, act)), keys)
    return peer.gateway.serve(app, peer.gateway.request(cookie))


def first_cookie(peer: Peer, data: dict[str, Any], keys: Sequence[str] = KEYS[:1]) -> str | None:
    """The cookie of a session with this data; None where the peer or every browser refuses it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cookie = send(peer, fill(data), None, keys).set_cookie()
    except Exception:
        return None  # each peer has an error of its own for a cookie that is too large
    return cookie if cookie is not None and len(cookie) <= 4096 else None


def header(cookie: str | None, others: Sequence[str] = OTHER_COOKIES) -> str:
    """A Cookie header with the session's in the middle of the others."""
    middle = len(others) // 2
    return "; ".join([*others[:middle], *([cookie] if cookie else []), *others[middle:]])


def cookies(peer: Peer, scenario: Scenario) -> str | None:
    """The Cookie header that this scenario's request brings."""
    return cookies_of_all(peer, scenario, visitors=1)[0]


def cookies_of_all(peer: Peer, scenario: Scenario, visitors: int) -> list[str | None]:
    """The Cookie headers of this many visitors."""
    if scenario.brings != "session":
        return [header(None) if scenario.brings == "others" else None]
    first = scenario.data["user_id"]
    sessions = [{**scenario.data, "user_id": first + n} for n in range(visitors)]
    return [header(first_cookie(peer, session)) for session in sessions]


def check(peer: Peer, scenario: Scenario) -> None:
    """Read back, through the peer and in a following request, what the scenario is to leave."""
    before = cookies(peer, scenario)
    reply = send(peer, scenario.act, before)
    after = reply.set_cookie()
    names = show(list(scenario.data))
    seen = json.loads(send(peer, names, header(after) if after else before).body)
    if reply.body != scenario.body or seen != scenario.then:
        raise WrongResultError(f"{peer.name}, {scenario.name}: {reply.body!r}, then {seen!r}")
    if scenario.act is untouched and after is not None:
        raise WrongResultError(f"{peer.name}, {scenario.name}: sets {after!r}")
