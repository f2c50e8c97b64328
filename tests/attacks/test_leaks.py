"""Leaks: no log, error page or crash report shows a key, a token or a value.

Named here: CWE-209 (error messages), CWE-532 (logs), CWE-522 and CWE-359; CVE-2023-27524 shows what
a known key allows. A crash report that captures local variables does show secrets: the last tests
say which.
"""

import copy
import logging
import pickle
import traceback
from collections import UserString
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest
from werkzeug.debug.tbtools import DebugTraceback

from sessionware import ConfigurationError, SessionwareError
from sessionware.keys import derive
from sessionware.migration import BeakerCookie, FlaskCookie
from sessionware.settings import from_settings
from tests.attacks.victim import Victim, sign
from tests.conftest import Clock
from tests.sites import MemoryRevocations


def secret(name: str) -> str:
    """Return a text that is in no line of source, because tracebacks quote those."""
    return sha256(name.encode()).hexdigest()


KEY, OLD_KEY, VALUE, SHORT = secret("key"), secret("old"), secret("value"), secret("short")[:15]
VICTIM = Victim(KEY, secret_key_fallbacks=[OLD_KEY])
COOKIE = VICTIM.log_in(VALUE)
CODEC: Any = VICTIM.app.interface.codec  # type: ignore[attr-defined]  # the secure cookie's
DERIVED = [repr(derive(key, CODEC.salt))[2:-1] for key in (KEY, OLD_KEY)]
HIDDEN = {
    "secret key": KEY,
    "fallback key": OLD_KEY,
    "refused key": SHORT,
    "derived key": DERIVED[0],
    "derived fallback key": DERIVED[1],
    "token": COOKIE.partition("=")[2],
    "signature": COOKIE[-43:],
    "value": VALUE,
}
KEYS = [name for name in HIDDEN if name.endswith("key")]


def leaked(*texts: object) -> list[str]:
    """Return the names of the secrets that these texts show."""
    return [name for name, text in HIDDEN.items() if any(text in str(it) for it in texts)]


def session_of(cookie: str) -> Any:
    kept: list[Any] = []
    VICTIM.visit(cookie, kept.append)
    return kept[0]


def objects() -> Iterator[Any]:
    interface: Any = VICTIM.app.interface
    yield from (session_of(COOKIE), VICTIM.app, interface, interface.backend, CODEC)
    yield from (interface.cookie, interface.expiry, VICTIM.app._mark)
    yield from (FlaskCookie(KEY), BeakerCookie(KEY))


def test_no_object_shows_a_secret() -> None:
    """For example in an interpreter, a template, or a forgotten print."""
    for it in objects():
        assert leaked(repr(it), str(it), f"{it}", f"{it!r:>9}", [it], {"it": it}, dir(it)) == []


def test_a_session_has_no_dict() -> None:
    with pytest.raises(TypeError):
        vars(session_of(COOKIE))


def test_a_copied_or_pickled_session_holds_only_its_data() -> None:
    """It may go to a task queue, a cache or another process."""
    session = session_of(COOKIE)
    for left in (pickle.dumps(session), copy.copy(session), copy.deepcopy(session), dict(session)):
        assert leaked(left) == ["value"]


def test_only_derived_keys_are_kept() -> None:
    """A derived key can sign only for this cookie name and salt."""
    for it in (VICTIM.app, VICTIM.app.interface, CODEC):
        assert set(leaked(vars(it))) <= {"derived key", "derived fallback key"}


# Errors


def failing(act: Callable[[Any], object]) -> Callable[[], object]:
    return lambda: VICTIM.visit(COOKIE, act)


def too_late() -> None:
    session_of(COOKIE)["user"] = VALUE


def ended_meanwhile() -> None:
    revocations = MemoryRevocations()
    victim = Victim(KEY, revocations=revocations)

    def change(session: Any) -> None:
        session["mail"] = VALUE
        revocations.revoke_all()

    victim.visit(victim.log_in(VALUE), change)


ERRORS: dict[str, Callable[[], object]] = {
    "UnserializableValue": failing(lambda session: session.update(x={VALUE, object})),
    "UnserializableValue, a text": failing(lambda session: session.update(x=UserString(VALUE))),
    "UnserializableValue, nested": failing(lambda session: session.update(x=[VALUE, {1: VALUE}])),
    "UnserializableValue, a number": failing(lambda session: session.update(x=[VALUE, 1e999])),
    "SessionTooLarge": failing(lambda session: session.update(x=VALUE * 9999)),
    "SessionTooLarge, incompressible": failing(
        lambda session: session.update(x=[secret(str(number)) for number in range(200)], y=VALUE)
    ),
    "LateWrite": too_late,
    "SessionUnavailable": lambda: Victim(None).visit(  # type: ignore[arg-type]
        COOKIE, lambda session: session.update(user=VALUE)
    ),
    "SessionEnded": ended_meanwhile,
    "ConfigurationError": lambda: Victim(SHORT, secret_key_fallbacks=[KEY, SHORT]),
    "ConfigurationError, one text": lambda: Victim(KEY, secret_key_fallbacks=OLD_KEY),
    "ConfigurationError, another setting": lambda: Victim(KEY, cookie_path=""),
    "ConfigurationError, migration": lambda: FlaskCookie(KEY, [SHORT]),
    "ConfigurationError, settings": lambda: from_settings(
        len,  # type: ignore[arg-type]  # it is never called
        {"session.secret_key": SHORT, "session.secret_key_fallbacks": f"{KEY} {SHORT}"},
    ),
    "ConfigurationError, a variable": lambda: from_settings(
        len,  # type: ignore[arg-type]
        {"session.secret_key": f"${KEY}"},
    ),
}


def raised(case: str) -> SessionwareError:
    with pytest.raises(SessionwareError) as caught:
        ERRORS[case]()
    assert type(caught.value).__name__ == case.partition(",")[0]
    return caught.value


@pytest.mark.parametrize("case", ERRORS)
def test_no_error_shows_a_secret(case: str) -> None:
    """Neither its message, its attributes, its context nor its cause."""
    error = raised(case)
    assert leaked(str(error), repr(error), error.args, vars(error)) == []
    assert leaked(repr(error.__context__), repr(error.__cause__)) == []


@pytest.mark.parametrize("case", ERRORS)
def test_no_traceback_and_no_page_of_werkzeugs_debugger_shows_a_secret(case: str) -> None:
    """The page is tested as it is first shown, without an open console."""
    error = raised(case)
    page = DebugTraceback(error).render_debugger_html(False, "", False)
    assert leaked("".join(traceback.format_exception(error)), page) == []


def test_every_public_error_is_tested() -> None:
    tried = {case.partition(",")[0] for case in ERRORS}
    bases = {"ConfigurationError", "SessionUnavailable"}
    assert tried == {*bases, *errors_of(SessionwareError)} - {"CookieRejected"}


def errors_of(kind: type[SessionwareError]) -> Iterator[str]:
    for under in kind.__subclasses__():
        if under.__module__ == "sessionware.errors":
            yield from errors_of(under) if under.__subclasses__() else [under.__name__]


# The log


def test_no_log_record_shows_a_secret(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    """Records of every reason are tested, with every field that a formatter can print."""
    caplog.set_level(logging.DEBUG)
    victim = Victim(KEY, secret_key_fallbacks=[OLD_KEY], idle_timeout=60, absolute_timeout=90)
    data, fresh = f'{{"user":"{VALUE}"}}', victim.log_in(VALUE)
    victim.headers = [("Cache-Control", "public"), ("Set-Cookie", f"session={VALUE}")]
    for header in (
        sign(f"[0,{data}]", OLD_KEY),
        sign(f"[91,{data}]", KEY),
        sign(data, KEY),
        fresh[:-1],
        f"{fresh};" * 9,
        "session=" + VALUE * 99,
        f"session={VALUE}",
        f"session={VALUE}.a.b",
    ):
        victim.visit(header, lambda session: session.update(user=VALUE))
    for seconds in (61, -122):
        clock.advance(seconds)
        victim.sees(fresh)
    Victim(KEY[:16], cookie_secure=True).log_in(VALUE, HTTP_HOST="www.example.com")
    reasons = {vars(record)["reason"] for record in caplog.records}
    assert reasons >= {"expired_idle", "expired_absolute", "from_the_future", "old_key"}
    assert reasons >= {"bad_signature", "malformed", "too_large", "short_key"}
    assert reasons >= {"insecure_transport", "shared_cache", "cookie_name_taken"}
    for record in caplog.records:
        assert leaked(record.getMessage(), vars(record), logging.Formatter().format(record)) == []
        assert KEY[:16] not in str(vars(record))


# Crash reports that capture local variables


def captured(error: BaseException) -> list[str]:
    return leaked(*traceback.TracebackException.from_exception(error, capture_locals=True).format())


@pytest.mark.parametrize("case", [case for case in ERRORS if not case.startswith("Config")])
def test_the_local_variables_of_a_request_hold_no_key(case: str) -> None:
    assert not {*captured(raised(case))} & {*KEYS}


def test_the_local_variables_of_a_request_hold_its_cookie_and_its_data() -> None:
    """A documented limit: crash reports with local variables are as confidential as sessions."""
    assert {"token", "value"} <= {*captured(raised("SessionTooLarge"))}


def test_the_local_variables_of_a_construction_hold_the_key() -> None:
    """A documented limit: configure the application before you turn crash reports on."""
    with pytest.raises(ConfigurationError) as caught:
        Victim(KEY, cookie_path="")
    assert "secret key" in captured(caught.value)
