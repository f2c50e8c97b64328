"""A browser with Device Bound Session Credentials, which does what Chromium does, and a thief."""

import json
import re
import time
from base64 import urlsafe_b64encode
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NamedTuple
from wsgiref.types import WSGIApplication

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from tests.gateway import Response, make_environ, run
from tests.sites import Act

Algorithm = Literal["ES256", "RS256"]
PrivateKey = EllipticCurvePrivateKey | RSAPrivateKey

MAX_REFUSALS = 4
"""How often in a row an endpoint may answer 403 before Chromium gives a bound session up."""


def to_base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def new_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


@cache
def rsa_key(bits: int = 2048, exponent: int = 65537) -> RSAPrivateKey:
    """Return a key that all tests share, because one takes long to make."""
    return generate_rsa_key(exponent, bits)


def jwk_of(key: PrivateKey) -> dict[str, str]:
    """Return the public key as JSON (RFC 7517)."""
    numbers: Any = key.public_key().public_numbers()
    if isinstance(key, RSAPrivateKey):
        parts = {"n": numbers.n, "e": numbers.e}
        size = {name: (value.bit_length() + 7) // 8 for name, value in parts.items()}
        fixed = {"kty": "RSA"}
    else:
        parts, fixed = {"x": numbers.x, "y": numbers.y}, {"kty": "EC", "crv": "P-256"}
        size = dict.fromkeys(parts, 32)
    return fixed | {
        name: to_base64(value.to_bytes(size[name], "big")) for name, value in parts.items()
    }


def sign(key: PrivateKey, signed: bytes) -> bytes:
    """Return the signature as it stands in a JWT (RFC 7518)."""
    if isinstance(key, RSAPrivateKey):
        return key.sign(signed, PKCS1v15(), SHA256())
    numbers = decode_dss_signature(key.sign(signed, ECDSA(SHA256())))
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def jwt(
    key: PrivateKey,
    challenge: object,
    *,
    registers: bool = False,
    claims: Any = None,
    **header: Any,
) -> str:
    """Return a proof as Chromium sends it; ``claims`` and ``header`` replace or add members."""
    algorithm = "RS256" if isinstance(key, RSAPrivateKey) else "ES256"
    members: dict[str, Any] = {"alg": algorithm, "typ": "dbsc+jwt"}
    if registers:
        members["jwk"] = jwk_of(key)
    parts = (members | header, {"jti": challenge} | (claims or {}))
    signed = ".".join(to_base64(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{to_base64(sign(key, signed.encode()))}"


class Cookie(NamedTuple):
    """What a browser keeps of a cookie. ``ends`` is ``None`` if it ends with the browser."""

    value: str
    attributes: frozenset[str]
    ends: float | None


@dataclass
class Bound:
    """What a browser knows of a session that is bound to its device."""

    key: PrivateKey
    url: str
    credential: str
    attributes: frozenset[str]


@dataclass
class Browser:
    """Sends requests of one site's pages over https, with its cookies and proofs.

    - ``binds``: whether it registers a key when that is offered.
    - ``bound``, ``challenges``: what it knows of each bound session.
    - ``offers``: the paths and challenges that came with an offer.
    - ``paths``: those of the requests that were sent; ``responses``: what was answered;
      ``on_their_way``: what has not arrived, each with the key that was proved or registered.
    - ``signed``: when proofs were signed, of which Chromium makes at most six in nine minutes.
    """

    app: WSGIApplication
    algorithm: Algorithm = "ES256"
    binds: bool = True
    cookies: dict[tuple[str, str], Cookie] = field(default_factory=dict)
    bound: dict[str, Bound] = field(default_factory=dict)
    challenges: dict[str, str] = field(default_factory=dict)
    offers: list[tuple[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    on_their_way: list[tuple[Response, PrivateKey | None]] = field(default_factory=list)
    signed: list[float] = field(default_factory=list)

    # Requests

    def visit(self, act: Act, path: str = "/", *, link: str = "same-origin", **more: Any) -> Any:
        """Do this with the session of a page, and return the result.

        ``link``: where the page is that linked to this one. The short cookies are renewed before,
        unless that is elsewhere, and a page that reloads itself is reloaded.
        """
        if link in ("same-origin", "none"):
            self.renew()
        fetch = {"HTTP_SEC_FETCH_SITE": link, "HTTP_SEC_FETCH_MODE": "navigate"}
        results = self.send(act, path, **fetch | more)
        if self.responses[-1].headers.get("Refresh") == "0":
            return self.visit(act, path, **more)
        return results

    def send(
        self,
        act: Act = id,
        path: str = "/",
        cookie: str | None = None,
        *,
        key: PrivateKey | None = None,
        late: bool = False,
        **more: Any,
    ) -> Any:
        """Send one request, and do with the response what a browser does.

        ``cookie``: the Cookie header, if it was sent at another time. ``key``: the one that the
        request proves or registers. ``late``: the response does not arrive by itself.
        """
        header = self.header(path) if cookie is None else cookie
        more = {"PATH_INFO": path, "wsgi__url_scheme": "https", "test__act": act} | more
        environ = make_environ(header, **more)
        self.paths.append(path)
        response = run(self.app, environ)
        self.responses.append(response)
        self.on_their_way.append((response, key))
        if not late:
            self.receive(response)
        return environ.get("test.result")

    def receive(self, response: Response) -> None:
        """Have a response arrive."""
        [key] = [key for each, key in self.on_their_way if each is response]
        self.on_their_way.remove((response, key))
        for line in response.headers.getlist("Set-Cookie"):
            self._keep(line)
        for line in response.headers.getlist("Secure-Session-Challenge"):
            challenge, identifier = _parts(r'"([^"]+)";id="([^"]+)"', line)
            self.challenges[identifier] = challenge
        for line in response.headers.getlist("Secure-Session-Registration"):
            offer = r'\(ES256 RS256\);path="([^"]+)";challenge="([^"]+)"'
            self.offers.append(_parts(offer, line))
            if self.binds:
                self.register()
        if key is not None and response.status == "200 OK":
            self._follow(json.loads(response.data), key)

    # Device Bound Session Credentials

    def register(self, key: PrivateKey | None = None, **more: Any) -> Response:
        """Make a key, and have the session bound to it, as the last offer says."""
        url, challenge = self.offers[-1]
        key = key or (rsa_key() if self.algorithm == "RS256" else new_key())
        return self.prove(url, key, jwt(key, challenge, registers=True), **more)

    def renew(self) -> None:
        """Renew the short cookies that have ended."""
        for identifier, bound in [*self.bound.items()]:
            for attempt in range(MAX_REFUSALS + 1):
                if identifier not in self.bound or self._has(bound):
                    break
                status = self.refresh(identifier).status
                if status.startswith("5"):
                    break
                if attempt == MAX_REFUSALS or status not in ("200 OK", "403 Forbidden"):
                    del self.bound[identifier]

    def refresh(self, identifier: str, **more: Any) -> Response:
        """Prove the key of one session, with the last challenge that came for it."""
        bound = self.bound[identifier]
        challenge = self.challenges.get(identifier)
        proof = jwt(bound.key, challenge) if challenge else ""
        headers = {"HTTP_SEC_SECURE_SESSION_ID": identifier} | more
        return self.prove(bound.url, bound.key, proof, **headers)

    def prove(self, url: str, key: PrivateKey, proof: str, **more: Any) -> Response:
        """Send a proof to an endpoint, and do what the answer says."""
        if proof:
            self.signed.append(time.time())
            more["HTTP_SECURE_SESSION_RESPONSE"] = proof
        self.send(path=url, key=key, REQUEST_METHOD="POST", **more)
        return self.responses[-1]

    def _follow(self, instructions: dict[str, Any], key: PrivateKey) -> None:
        identifier = instructions["session_identifier"]
        if not instructions.get("continue", True):
            self.bound.pop(identifier, None)
            return
        assert instructions["scope"] == {"include_site": False}
        [credential] = instructions["credentials"]
        attributes = frozenset(credential["attributes"].split("; "))
        url = instructions["refresh_url"]
        self.bound[identifier] = Bound(key, url, credential["name"], attributes)
        assert self._has(self.bound[identifier]), "its attributes are not those of the cookie"

    def _has(self, bound: Bound) -> bool:
        self._forget_old()
        return any(
            name == bound.credential and cookie.attributes == bound.attributes
            for (name, _), cookie in self.cookies.items()
        )

    # Cookies

    def header(self, path: str) -> str:
        """Return the Cookie header of a request for this path."""
        self._forget_old()
        return "; ".join(
            f"{name}={cookie.value}"
            for (name, place), cookie in self.cookies.items()
            if f"{path}/".startswith(f"{place.rstrip('/')}/")
        )

    def restart(self) -> None:
        """Forget the cookies that end with the browser, and the challenges."""
        self.cookies = {at: it for at, it in self.cookies.items() if it.ends is not None}
        self.challenges.clear()

    def robbed(self) -> "Browser":
        """Return the browser of a thief who has every cookie of this one, but not its keys."""
        return Browser(self.app, cookies=deepcopy(self.cookies), binds=False)

    def _keep(self, line: str) -> None:
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        known = dict(each.partition("=")[::2] for each in attributes)
        lasting = {each for each in attributes if each.startswith(("Expires=", "Max-Age="))}
        seconds = known.get("Max-Age")
        ends = None if seconds is None else time.time() + int(seconds)
        kept = Cookie(value, frozenset(attributes) - lasting, ends)
        self.cookies[name, known["Path"]] = kept
        self._forget_old()

    def _forget_old(self) -> None:
        now = time.time()
        self.cookies = {
            at: it for at, it in self.cookies.items() if it.ends is None or it.ends > now
        }


def _parts(pattern: str, line: str) -> tuple[str, str]:
    found = re.fullmatch(pattern, line)
    assert found is not None, line
    return found[1], found[2]
