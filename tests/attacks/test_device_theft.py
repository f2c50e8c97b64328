"""A thief has every cookie of a session that is bound to a device (session hijacking, CWE-613).

The cookies may have been read from the browser's profile, from a log or from the wire. The key
stays on the device. Each attack is carried out when the stolen short cookie has ended.
"""

import hmac
import json
import logging
import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from sessionware.migration import SessionwareCookie
from tests.attacks.modes import MODES, cookie_alone, every_mode, held_on_the_server
from tests.conftest import Clock
from tests.dbsc_browser import (
    Algorithm,
    Bound,
    Browser,
    Cookie,
    PrivateKey,
    jwk_of,
    jwt,
    new_key,
    rsa_key,
    to_base64,
)
from tests.gateway import KEY
from tests.sites import Site, count, owner_of

LIFETIME = 10 * 60
LATER = LIFETIME + 1
every_algorithm = pytest.mark.parametrize("algorithm", ["ES256", "RS256"])

pytestmark = pytest.mark.usefixtures("clock")


def log_in(session: Any) -> None:
    session.owner = "ann"


def log_in_as_eve(session: Any) -> None:
    session.owner = "eve"


def log_out(session: Any) -> None:
    session.invalidate()


def old_cookie() -> SessionwareCookie:
    return SessionwareCookie(KEY, cookie_name="old")


def victim_in(mode: str, algorithm: Algorithm = "ES256") -> Browser:
    """Return the browser of a user who has just logged in, and whose session is bound."""
    browser = Browser(Site(device_bound=True, **MODES[mode]()).app, algorithm)
    browser.visit(log_in)
    assert browser.visit(is_bound)
    return browser


def account_of_the_thief(victim: Browser) -> Browser:
    """Return the browser in which the thief has logged in as themselves."""
    own = Browser(victim.app)
    own.visit(log_in_as_eve)
    return own


def is_bound(session: Any) -> bool:
    return bool(session.device_bound)


def session_of(browser: Browser) -> tuple[str, Bound]:
    [(identifier, bound)] = browser.bound.items()
    return identifier, bound


def prove(thief: Browser, victim: Browser, proof: str) -> str:
    """Send a proof for the victim's session with the thief's cookies; return the status."""
    identifier, bound = session_of(victim)
    thief.prove(bound.url, bound.key, proof, HTTP_SEC_SECURE_SESSION_ID=identifier)
    return thief.responses[-1].status


def challenge_for(thief: Browser, victim: Browser) -> str:
    """Return a fresh challenge, which whoever has the cookies is given."""
    assert prove(thief, victim, jwt(new_key(), "x")) == "403 Forbidden"
    return thief.challenges[session_of(victim)[0]]


def is_out(thief: Browser) -> bool:
    return thief.visit(owner_of) is None


# With the cookies


@every_mode
@every_algorithm
def test_stolen_cookies_are_worth_nothing_one_lifetime_later(
    clock: Clock, mode: str, algorithm: Algorithm
) -> None:
    victim = victim_in(mode, algorithm)
    thief = victim.robbed()
    everything = "; ".join(f"{name}={it.value}" for (name, _), it in thief.cookies.items())
    assert thief.visit(owner_of) == "ann"
    clock.advance(LATER)
    assert is_out(thief)
    assert thief.send(owner_of, cookie=everything) is None, "ended cookies, sent all the same"
    assert victim.visit(owner_of) == "ann"


@every_mode
def test_what_the_thief_sends_is_logged(
    clock: Clock, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The key's cookie, which a browser sends to the endpoints alone, makes no difference."""
    caplog.set_level(logging.INFO, "sessionware")
    victim = victim_in(mode)
    everything = "; ".join(f"{name}={it.value}" for (name, _), it in victim.cookies.items())
    clock.advance(LATER)
    assert victim.send(owner_of, cookie=everything) is None
    assert [vars(record)["reason"] for record in caplog.records] == ["device_unproved"]


@every_mode
def test_what_the_thief_does_within_the_lifetime_prolongs_nothing(clock: Clock, mode: str) -> None:
    victim = victim_in(mode)
    thief = victim.robbed()
    for _ in range(5):
        clock.advance(LIFETIME / 6)
        assert thief.visit(count) > 0
    clock.advance(LIFETIME / 6 + 1)
    assert is_out(thief)


@every_mode
def test_the_victims_next_short_cookie_is_not_the_thiefs(clock: Clock, mode: str) -> None:
    victim = victim_in(mode)
    thief = victim.robbed()
    clock.advance(LATER)
    assert victim.visit(owner_of) == "ann"
    assert is_out(thief)


@every_mode
def test_the_short_cookie_of_another_session_does_not_count(clock: Clock, mode: str) -> None:
    """The thief has an account, and a device, of their own."""
    victim = victim_in(mode)
    own = account_of_the_thief(victim)
    thief = victim.robbed()
    clock.advance(LATER)
    own.visit(owner_of)
    for place in (("session-bound", "/"), ("session-key", "/.dbsc")):
        thief.cookies[place] = own.cookies[place]
    assert is_out(thief)


@every_mode
def test_a_session_cookie_in_the_place_of_a_short_one_does_not_count(
    clock: Clock, mode: str
) -> None:
    """Each is signed for its own purpose."""
    victim = victim_in(mode)
    thief = victim.robbed()
    short = thief.cookies["session-bound", "/"]
    clock.advance(LATER)
    for value in [it.value for it in thief.cookies.values()]:
        thief.cookies["session-bound", "/"] = short._replace(value=value, ends=None)
        assert is_out(thief)


@every_mode
@pytest.mark.parametrize("seed", range(20))
def test_nothing_of_all_that_a_thief_does_within_the_lifetime_prolongs_it(
    clock: Clock, mode: str, seed: int
) -> None:
    """Pages and proofs in any order, with any of the cookies that come of it.

    Only a page that renews the id would, because that unbinds the session.
    """
    dice = random.Random(f"{mode} {seed}")  # noqa: S311 - the same each time
    victim = victim_in(mode)
    thief, stolen_at = victim.robbed(), clock.now
    thief.offers, thief.challenges = [*victim.offers], dict(victim.challenges)
    (identifier, bound), key = session_of(victim), new_key()
    deeds: list[Callable[[], object]] = [
        partial(thief.send, count),
        partial(thief.send, owner_of),
        partial(thief.register, key),
        lambda: prove(thief, victim, jwt(key, thief.challenges[identifier])),
    ]
    jars = [thief.cookies]
    while clock.now < stolen_at + LIFETIME:
        dice.choice(deeds)()
        jars.append(thief.cookies)
        thief.cookies = dict(dice.choice(jars))
        clock.advance(dice.choice([0, 1, 30, 61, 120]))
    clock.advance(1)
    for jar in jars:
        everything = "; ".join(f"{name}={it.value}" for (name, _), it in jar.items())
        assert victim.send(owner_of, cookie=everything, late=True) is None
        own = {identifier: replace(bound, key=key)}
        assert is_out(Browser(victim.app, cookies=dict(jar), bound=own))


@every_mode
def test_another_owner_has_no_use_of_the_binding(mode: str) -> None:
    """A thief who logs in as themselves begins a session that has nothing of the victim's."""
    thief = victim_in(mode).robbed()
    thief.visit(log_in_as_eve)
    assert not thief.visit(is_bound)
    assert len(thief.offers) == 1


# With proofs


@every_mode
@every_algorithm
def test_a_key_of_the_thiefs_own_proves_nothing(
    clock: Clock, mode: str, algorithm: Algorithm
) -> None:
    victim = victim_in(mode, algorithm)
    thief = victim.robbed()
    clock.advance(LATER)
    key: PrivateKey = new_key() if algorithm == "ES256" else rsa_key(4096)
    assert prove(thief, victim, jwt(key, challenge_for(thief, victim))) == "403 Forbidden"
    assert is_out(thief)


FORGED: dict[str, Callable[[PrivateKey, str], str]] = {
    "none": lambda key, challenge: unsigned(challenge, alg="none"),
    "None": lambda key, challenge: unsigned(challenge, alg="None"),
    "empty signature": lambda key, challenge: unsigned(challenge, alg="ES256"),
    "HS256": lambda key, challenge: jwt(new_key(), challenge, alg="HS256"),
    "RS256": lambda key, challenge: jwt(new_key(), challenge, alg="RS256"),
    "jwk": lambda key, challenge: embedded(challenge),
    "jku": lambda key, challenge: jwt(new_key(), challenge, jku="https://evil.example"),
    "kid": lambda key, challenge: jwt(new_key(), challenge, kid="key"),
}


def unsigned(challenge: str, alg: str) -> str:
    return jwt(new_key(), challenge, alg=alg).rpartition(".")[0] + "."


def embedded(challenge: str) -> str:
    """Return a proof that brings the key that it is signed by (CVE-2018-0114)."""
    return jwt(new_key(), challenge, registers=True)


@every_mode
@pytest.mark.parametrize("forgery", FORGED)
def test_a_swapped_algorithm_or_key_proves_nothing(clock: Clock, mode: str, forgery: str) -> None:
    victim = victim_in(mode)
    thief = victim.robbed()
    clock.advance(LATER)
    proof = FORGED[forgery](session_of(victim)[1].key, challenge_for(thief, victim))
    assert prove(thief, victim, proof) in ("400 Bad Request", "403 Forbidden")
    assert is_out(thief)


def test_the_public_key_is_no_shared_secret(clock: Clock) -> None:
    """HMAC under the public key, which the thief reads in the key's cookie (CVE-2016-10555)."""
    victim = victim_in("signed", "RS256")
    thief = victim.robbed()
    clock.advance(LATER)
    key = json.dumps(jwk_of(session_of(victim)[1].key)).encode()
    signed = jwt(rsa_key(), challenge_for(thief, victim), alg="HS256").rpartition(".")[0]
    proof = f"{signed}.{to_base64(hmac.digest(key, signed.encode(), 'sha256'))}"
    assert prove(thief, victim, proof) == "400 Bad Request"


@every_mode
def test_a_captured_proof_is_worth_nothing_one_lifetime_later(clock: Clock, mode: str) -> None:
    """The thief has seen one refresh, with its proof and every cookie."""
    victim = victim_in(mode)
    identifier, bound = session_of(victim)
    proof = jwt(bound.key, victim.challenges[identifier])
    thief = victim.robbed()
    assert victim.prove(bound.url, bound.key, proof, HTTP_SEC_SECURE_SESSION_ID=identifier)
    clock.advance(LATER)
    assert prove(thief, victim, proof) == "403 Forbidden"
    assert is_out(thief)


def test_with_a_store_a_proof_counts_once() -> None:
    victim = victim_in("store")
    identifier, bound = session_of(victim)
    proof = jwt(bound.key, victim.challenges[identifier])
    thief = victim.robbed()
    assert prove(victim, victim, proof) == "200 OK"
    assert prove(thief, victim, proof) == "403 Forbidden"


@every_mode
def test_a_challenge_of_another_session_proves_nothing(clock: Clock, mode: str) -> None:
    """Such as one that the victim's browser was made to sign for the thief's own session."""
    victim = victim_in(mode)
    own = account_of_the_thief(victim)
    thief = victim.robbed()
    clock.advance(LATER)
    own.visit(owner_of)
    foreign = own.challenges[session_of(own)[0]]
    assert prove(thief, victim, jwt(session_of(victim)[1].key, foreign)) == "403 Forbidden"
    assert is_out(thief)


@every_mode
def test_the_key_of_another_session_proves_nothing(clock: Clock, mode: str) -> None:
    """The thief puts the cookie with their own key beside the victim's session."""
    victim = victim_in(mode)
    own = account_of_the_thief(victim)
    thief = victim.robbed()
    challenge = challenge_for(thief, victim)
    clock.advance(LIFETIME - 1)
    thief.cookies["session-key", "/.dbsc"] = own.cookies["session-key", "/.dbsc"]
    prove(thief, victim, jwt(session_of(own)[1].key, challenge))
    clock.advance(2)
    assert is_out(thief)


# With a registration


@every_mode
def test_a_bound_session_takes_no_other_key(clock: Clock, mode: str) -> None:
    """The thief has the offer of the log-in too."""
    victim = victim_in(mode)
    thief = victim.robbed()
    thief.offers = victim.offers
    assert thief.register(new_key()).status == "400 Bad Request"
    clock.advance(LATER)
    assert thief.register(new_key()).status == "400 Bad Request"
    assert is_out(thief)


@every_mode
def test_without_an_offer_no_key_is_taken(mode: str) -> None:
    """Whoever has the cookies of a session that is not bound gets no challenge for them."""
    site = Site(device_bound=True, **MODES[mode]())
    firefox = Browser(site.app, binds=False)
    firefox.visit(log_in)
    thief, own = firefox.robbed(), Browser(site.app, binds=False)
    own.visit(log_in_as_eve)
    for challenge in ("", "x", own.offers[0][1]):
        thief.offers = [("/.dbsc/register", challenge)]
        response = thief.register(new_key())
        assert response.status == "400 Bad Request"
        assert "Secure-Session-Challenge" not in response.headers
    assert firefox.visit(owner_of) == "ann"


def with_the_answer_to_the_log_in(mode: str) -> tuple[Browser, Browser]:
    """Return a browser that has just logged in, and a thief's that has all it was sent."""
    victim = Browser(Site(device_bound=True, **MODES[mode]()).app, binds=False)
    victim.visit(log_in)
    thief = victim.robbed()
    thief.offers = victim.offers
    return victim, thief


@every_mode
def test_the_answer_to_the_log_in_is_enough_for_whoever_registers_first(
    clock: Clock, mode: str
) -> None:
    """The thief has all that the browser has. With the cookie alone, nobody can tell the two."""
    victim, thief = with_the_answer_to_the_log_in(mode)
    thief.register()
    held = mode in ("revocations", "store")
    assert (victim.register().status == "200 OK") is not held
    clock.advance(LATER)
    assert thief.visit(is_bound)
    assert victim.visit(owner_of) == (None if held else "ann")


@held_on_the_server
def test_the_answer_to_the_log_in_is_worth_nothing_once_the_browser_has_registered(
    clock: Clock, mode: str
) -> None:
    victim, thief = with_the_answer_to_the_log_in(mode)
    victim.register()
    assert thief.register(new_key()).status != "200 OK"
    assert victim.visit(is_bound)
    clock.advance(61)
    assert is_out(thief)


@every_mode
def test_a_session_that_was_planted_before_the_log_in_is_not_bound(clock: Clock, mode: str) -> None:
    """The log-in renews the id, and the offer is that of the new one."""
    site = Site(device_bound=True, **MODES[mode]())
    thief = Browser(site.app, binds=False)
    thief.visit(lambda session: session.update(planted=True))
    victim = Browser(site.app, cookies=dict(thief.cookies))
    victim.visit(log_in)
    thief.offers = victim.offers
    assert thief.register(new_key()).status == "400 Bad Request"
    assert is_out(thief)
    assert victim.visit(is_bound)


@held_on_the_server
def test_a_copy_from_before_the_registration_is_refused(clock: Clock, mode: str) -> None:
    site = Site(device_bound=True, **MODES[mode]())
    victim = Browser(site.app, binds=False)
    victim.visit(log_in)
    thief = victim.robbed()
    victim.register()
    clock.advance(61)
    assert is_out(thief)
    assert victim.visit(owner_of) == "ann"


@cookie_alone
def test_a_copy_from_before_the_registration_stays_good_with_the_cookie_alone(
    clock: Clock, mode: str
) -> None:
    """As the README says: nothing on the server tells the two apart."""
    site = Site(device_bound=True, **MODES[mode]())
    victim = Browser(site.app, binds=False)
    victim.visit(log_in)
    thief = victim.robbed()
    victim.register()
    clock.advance(LATER)
    assert thief.visit(owner_of) == "ann"


# With cookies of the attacker's in the victim's browser


@every_mode
@pytest.mark.parametrize("name", ["session", "old"], ids=["twin", "former"])
@pytest.mark.parametrize("planted", [count, log_in_as_eve], ids=["visitor", "eve"])
def test_an_older_cookie_does_not_count_when_the_short_one_has_ended(
    clock: Clock, mode: str, name: str, planted: Any
) -> None:
    """It was planted at another place, or under a name of migrate_from (cookie tossing)."""
    old = Site(cookie_name="old")
    settings = MODES[mode]() | ({"migrate_from": [old_cookie()]} if name == "old" else {})
    site = Site(device_bound=True, **settings)
    twin = (site if name == "session" else old).visit(planted).cookie
    clock.advance(5)
    victim = Browser(site.app)
    victim.visit(log_in)
    clock.advance(LATER)
    for _ in range(2):
        assert victim.send(owner_of, cookie=f"{twin}; {victim.header('/')}") is None
    victim.cookies[name, "/shop"] = Cookie(twin.partition("=")[2], frozenset(), None)
    with_twin = f"{victim.header('/.dbsc/refresh')}; {twin}"
    [identifier] = victim.bound
    victim.send(
        path="/.dbsc/refresh",
        cookie=with_twin,
        REQUEST_METHOD="POST",
        HTTP_SEC_SECURE_SESSION_ID=identifier,
    )
    assert victim.responses[-1].status == "403 Forbidden", "the endpoints speak of the bound one"
    assert victim.visit(owner_of, "/shop") == "ann"
    assert victim.visit(is_bound, "/shop")


# Against the victim


@every_mode
def test_the_thief_does_not_end_the_binding(clock: Clock, mode: str) -> None:
    victim = victim_in(mode)
    thief = victim.robbed()
    clock.advance(LATER)
    for proof in ("", "x", jwt(new_key(), "x")):
        for _ in range(5):
            prove(thief, victim, proof)
    assert victim.visit(owner_of) == "ann"
    assert victim.visit(is_bound)


@held_on_the_server
@pytest.mark.parametrize("beside", ["", "own"], ids=["alone", "beside the thief's own session"])
def test_the_thief_can_log_the_victim_out(clock: Clock, mode: str, beside: str) -> None:
    """A log-out needs no proof, so that it holds for a user whose browser cannot give one."""
    victim = victim_in(mode)
    stolen = f"session={victim.cookies['session', '/'].value}"
    clock.advance(LATER)
    own = account_of_the_thief(victim)
    cookie = f"{own.header('/')}; {stolen}" if beside else stolen
    own.send(log_out, cookie=cookie)
    assert victim.visit(owner_of) is None
    assert victim.bound == {}


@cookie_alone
def test_with_the_cookie_alone_the_thief_logs_nobody_out(clock: Clock, mode: str) -> None:
    victim = victim_in(mode)
    thief = victim.robbed()
    clock.advance(LATER)
    thief.visit(log_out)
    assert victim.visit(is_bound)


@held_on_the_server
def test_the_victims_log_out_ends_the_thiefs_session_at_once(mode: str) -> None:
    victim = victim_in(mode)
    thief = victim.robbed()
    victim.visit(log_out)
    assert is_out(thief)
