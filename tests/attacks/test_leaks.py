"""Leaks: no key, token or value is told in a log, an error page or a crash report.

Named here: CWE-209 (error messages), CWE-532 (logs), CWE-522 and CWE-359; CVE-2023-27524 shows what
a known key is worth. What a crash report takes when it captures local variables is no part of that:
the last tests say how far it goes.
"""

import copy
import logging
import pickle
import traceback
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


def secret(name: str) -> str:
    """Return a text that stands in no line of source, which tracebacks show."""
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


def told(*texts: object) -> list[str]:
    """Return the names of what is in these texts and should not be."""
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


def test_no_object_says_what_it_keeps() -> None:
    """In an interpreter, a template, a print that was forgotten."""
    for it in objects():
        assert told(repr(it), str(it), f"{it}", f"{it!r:>9}", [it], {"it": it}, dir(it)) == []


def test_a_session_has_no_dict_to_look_into() -> None:
    with pytest.raises(TypeError):
        vars(session_of(COOKIE))


def test_what_leaves_with_a_session_is_its_data_alone() -> None:
    """To a task queue, a cache, another process."""
    session = session_of(COOKIE)
    for left in (pickle.dumps(session), copy.copy(session), copy.deepcopy(session), dict(session)):
        assert told(left) == ["value"]


def test_a_key_is_not_kept_as_it_was_given() -> None:
    """Only what was derived from it, which signs for this cookie, name and salt and no other."""
    for it in (VICTIM.app, VICTIM.app.interface, CODEC):
        assert set(told(vars(it))) <= {"derived key", "derived fallback key"}


# Errors


class Text(str):
    """What a template library makes of a value."""

    __slots__ = ()


def failing(act: Callable[[Any], object]) -> Callable[[], object]:
    return lambda: VICTIM.visit(COOKIE, act)


def too_late() -> None:
    session_of(COOKIE)["user"] = VALUE


ERRORS: dict[str, Callable[[], object]] = {
    "UnserializableValue": failing(lambda session: session.update(x={VALUE, object})),
    "UnserializableValue, a text": failing(lambda session: session.update(x=Text(VALUE))),
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
def test_no_error_tells_it(case: str) -> None:
    """Neither its text, its attributes nor what it was raised from."""
    error = raised(case)
    assert told(str(error), repr(error), error.args, vars(error)) == []
    assert told(repr(error.__context__), repr(error.__cause__)) == []


@pytest.mark.parametrize("case", ERRORS)
def test_no_traceback_and_no_page_of_werkzeugs_debugger_tells_it(case: str) -> None:
    """The page as it is shown, before a console is opened in it."""
    error = raised(case)
    page = DebugTraceback(error).render_debugger_html(False, "", False)
    assert told("".join(traceback.format_exception(error)), page) == []


def test_every_error_that_an_application_may_catch_is_tried() -> None:
    tried = {case.partition(",")[0] for case in ERRORS}
    assert tried == {"ConfigurationError", *errors_of(SessionwareError)} - {"CookieRejected"}


def errors_of(kind: type[SessionwareError]) -> Iterator[str]:
    for under in kind.__subclasses__():
        if under.__module__ == "sessionware.errors":
            yield from errors_of(under) if under.__subclasses__() else [under.__name__]


# The log


def test_no_record_of_any_logger_tells_it(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    """Of every reason that there is, with all that a formatter may print of a record."""
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
    Victim(KEY[:16], cookie_secure=True).log_in(VALUE)
    reasons = {vars(record)["reason"] for record in caplog.records}
    assert reasons >= {"expired_idle", "expired_absolute", "from_the_future", "old_key"}
    assert reasons >= {"bad_signature", "malformed", "too_large", "short_key"}
    assert reasons >= {"insecure_transport", "shared_cache", "cookie_name_taken"}
    for record in caplog.records:
        assert told(record.getMessage(), vars(record), logging.Formatter().format(record)) == []
        assert KEY[:16] not in str(vars(record))


# What a crash report captures of local variables


def captured(error: BaseException) -> list[str]:
    return told(*traceback.TracebackException.from_exception(error, capture_locals=True).format())


@pytest.mark.parametrize("case", [case for case in ERRORS if not case.startswith("Config")])
def test_the_local_variables_of_a_request_hold_no_key(case: str) -> None:
    assert not {*captured(raised(case))} & {*KEYS}


def test_the_local_variables_of_a_request_hold_its_cookie_and_its_data() -> None:
    """The stated limit: a crash report that captures them is as confidential as a session."""
    assert {"token", "value"} <= {*captured(raised("SessionTooLarge"))}


def test_the_local_variables_of_a_construction_hold_the_key() -> None:
    """The stated limit: configure the application before its crash reports are sent anywhere."""
    with pytest.raises(ConfigurationError) as caught:
        Victim(KEY, cookie_path="")
    assert "secret key" in captured(caught.value)
