"""Deserialization: no cookie runs code, even if the key has leaked (CWE-502).

Named here: CVE-2013-7489 (Beaker), CVE-2016-3957 (web2py) and CVE-2021-33026 (Flask-Caching),
all of which unpickle; "Python web frameworks and pickles" (balda.ch, 2013).
"""

import json
import pickle
import zlib
from base64 import b64encode

import pytest

from sessionware.migration import BeakerCookie
from tests.attacks.exploit import RAN, Exploit
from tests.attacks.victim import Victim, sign, sign_payload, to_base64
from tests.unit.foreign_cookies import KEY, SIGN


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    RAN.clear()


PICKLES = [pickle.dumps({"user": Exploit()}, protocol) for protocol in range(6)]


def test_the_exploit_is_a_real_one() -> None:
    for pickled in PICKLES:
        pickle.loads(pickled)  # noqa: S301 - it is the attack
    assert ["exploited"] * len(PICKLES) == RAN


@pytest.mark.parametrize("pickled", PICKLES, ids=range(6))
def test_a_pickle_that_our_key_has_signed_is_malformed(
    caplog: pytest.LogCaptureFixture, pickled: bytes
) -> None:
    """Both as it is, and compressed as our payloads are."""
    payloads = [to_base64(pickled), "." + to_base64(zlib.compress(pickled))]
    for payload in payloads:
        assert Victim().refuses(sign_payload(payload), caplog) == "malformed"
    assert RAN == []


@pytest.mark.parametrize(
    "data",
    [
        {"!b": b64encode(PICKLES[2]).decode()},
        {"py/object": "tests.attacks.exploit.Exploit"},
        {"py/reduce": [{"py/function": "tests.attacks.exploit.run"}, {"py/tuple": ["exploited"]}]},
        {"__reduce__": ["tests.attacks.exploit.run", ["exploited"]]},
        "!!python/object/apply:tests.attacks.exploit.run [exploited]",
    ],
    ids=["bytes", "jsonpickle", "jsonpickle's reduce", "reduce", "YAML"],
)
def test_json_that_other_libraries_would_run_is_plain_data(data: object) -> None:
    found = Victim().sees(sign(f'[0,{{"user":{json.dumps(data)}}}]'))
    assert type(found["user"]) in (bytes, dict, str)
    assert RAN == []


def test_a_pickle_in_a_migrated_beaker_cookie_is_not_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """CVE-2013-7489: Beaker itself would run it."""
    victim = Victim(migrate_from=[BeakerCookie(KEY)])
    for pickled in PICKLES:
        value = SIGN["Beaker"](pickled)
        assert victim.refuses(f"beaker.session.id={value}", caplog) in ("pickled", "malformed")
    assert RAN == []
