"""Settings as text, from an ini file (PasteDeploy) or the process environment.

The settings themselves, and their defaults, are in ``interface.py``.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, get_type_hints
from wsgiref.types import WSGIApplication

from .advice import advice_on
from .cookie import SameSite, Secure
from .errors import ConfigurationError, Problem
from .expiry import Duration, bounds_of, is_within_bounds
from .interface import Settings
from .keys import SecretKey
from .middleware import SessionMiddleware


def from_settings(
    app: WSGIApplication, mapping: Mapping[str, Any], prefix: str = "session."
) -> SessionMiddleware:
    """Wrap the application with the settings whose names begin with the prefix, in any case.

    A ``secret_key`` is required. The settings are those of SessionMiddleware; ``interface``,
    ``migrate_from``, ``store`` and ``revocations`` have to be objects:

    - durations: seconds, or ``45s``, ``30m``, ``12h``, ``31d``;
    - booleans: ``true``, ``yes``, ``on``, ``1`` or ``false``, ``no``, ``off``, ``0``;
      ``cookie_secure`` also ``auto``;
    - an empty value: none, for ``cookie_domain``, ``absolute_timeout``, ``refresh_after`` and
      ``cookie_samesite``, where it means no attribute (``none`` is the attribute's value);
    - ``secret_key_fallbacks``: keys with white space between them;
    - ``$NAME`` or ``${NAME}``, in capitals and without quotes: the value of that environment
      variable. A value that itself begins with ``$`` has to come from there.

    A value that is not text is used as is. Raises ConfigurationError with every problem of
    every setting, and never a secret key.
    """
    keys = [key for key in mapping if key.lower().startswith(prefix.lower())]
    written = {key[len(prefix) :].lower(): key for key in keys}
    problems = [Problem(key, "given twice") for key in keys if key not in written.values()]
    problems += _missing_key(mapping, written, prefix)
    settings = {}
    for name, key in written.items():
        try:
            settings[name] = read(name, mapping[key], prefix)
        except ValueError as mistake:
            problems.append(Problem(key, str(mistake)))
    try:
        middleware = SessionMiddleware(app, **settings)
    except ConfigurationError as error:
        for problem in error.problems:
            name, bracket, index = problem.setting.partition("[")
            # A setting that could not be read is at its default, so a problem with it is not real.
            if name in settings or name not in (*written, "secret_key"):
                key = written.get(name, f"{prefix}{name}" if name in _KINDS else name)
                text = _as_written(problem.text, settings.get(name), mapping.get(key))
                problems.append(problem._replace(setting=f"{key}{bracket}{index}", text=text))
    if problems:
        raise ConfigurationError(problems)
    return middleware


def _as_written(text: str, value: object, written: object) -> str:
    """Return the text with the name of a variable in place of its value, which may be a secret."""
    is_expanded = isinstance(value, str) and isinstance(written, str) and value != written
    return text.replace(repr(value), repr(written)) if is_expanded else text


def _missing_key(
    mapping: Mapping[str, Any], written: Mapping[str, str], prefix: str
) -> list[Problem]:
    """Return the problem of having no secret key, which would make every session a null session."""
    if "interface" in written or mapping.get(written.get("secret_key", "")) is not None:
        return []
    is_there = written or not prefix
    found = "not set" if is_there else f"found no name that begins with {prefix!r}"
    advice = "python -m sessionware secret prints one"
    return [Problem(f"{prefix}secret_key", f"{found}, expected a secret key", advice)]


def filter_app_factory(
    app: WSGIApplication,
    global_conf: Mapping[str, str],  # noqa: ARG001 - PasteDeploy passes [DEFAULT], which is not ours
    /,
    **settings: str,
) -> SessionMiddleware:
    """Wrap the application for PasteDeploy: ``use = egg:sessionware``.

    The settings are those of ``from_settings``, without a prefix.
    """
    return from_settings(app, settings, prefix="")


class _Kind(NamedTuple):
    """How text becomes a value. ``read`` raises LookupError if the text is not ``expected``."""

    expected: str
    read: Callable[[str], Any]


_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_SAME_SITES = {"lax": "Lax", "strict": "Strict", "none": "None", "": None}
_UNITS = {"": 1, "s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}
_BOOLEAN = "true, yes, on or 1, or false, no, off or 0"
_DURATION = "a number of seconds, or a number with s, m, h or d, as in 45s, 30m, 12h or 31d"


def _seconds_of(text: str) -> float:
    """Return the seconds of a duration, such as ``1800``, ``30m``, ``12h`` or ``31d``.

    Raises LookupError if it is none.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)", text)
    if not found:
        raise LookupError
    return float(found[1]) * _UNITS[found[2]]


_KEYS = _Kind("keys", str.split)
_OF_TYPE: dict[Any, _Kind] = {
    str: _Kind("text", str),
    str | None: _Kind("text", lambda text: text or None),
    bool: _Kind(_BOOLEAN, lambda text: _BOOLEANS[text.lower()]),
    Duration: _Kind(_DURATION, _seconds_of),
    Duration | None: _Kind(
        f"{_DURATION}, or nothing", lambda text: _seconds_of(text) if text else None
    ),
    SameSite: _Kind(
        "Lax, Strict or None, or nothing for no attribute",
        lambda text: _SAME_SITES[text.lower()],
    ),
    Secure: _Kind(f"auto, {_BOOLEAN}", lambda text: (_BOOLEANS | {"auto": "auto"})[text.lower()]),
    SecretKey: _Kind("a key", str),
    Sequence[SecretKey]: _KEYS,
}
_TYPES = {
    "secret_key": SecretKey,
    **get_type_hints(Settings),
    "environ_key": str,
    "interface": object,
}
_KINDS = {name: _OF_TYPE[type_] for name, type_ in _TYPES.items() if type_ in _OF_TYPE}


def read(name: str, value: Any, prefix: str = "") -> Any:
    """Return the value of the setting that this text stands for.

    Raises ValueError with what is wrong.
    """
    if not isinstance(value, str) and name in _TYPES:
        return value
    if name not in _KINDS:
        raise ValueError(_unknown(name, prefix))
    kind = _KINDS[name]
    text = " ".join(map(_expand, value.split() if kind is _KEYS else [value]))
    if name in ("secret_key", "secret_key_fallbacks"):
        _check_keys(text.split() if kind is _KEYS else [text])
    try:
        found = kind.read(text)
    except LookupError:
        # The text as it was written: the environment may hold a secret.
        raise ValueError(f"found {value!r}, expected {kind.expected}") from None
    if isinstance(found, float) and not is_within_bounds(name, found):
        raise ValueError(f"found {value!r}, expected a duration {bounds_of(name)}")
    return found


def _unknown(name: str, prefix: str) -> str:
    if name in _TYPES:
        return "cannot be set as text: give the object in code"
    advice = advice_on(name, _TYPES, prefix)
    return f"unknown setting; {advice}" if advice else "unknown setting"


def _check_keys(keys: Sequence[str]) -> None:
    """Raise ValueError if one is the name of a variable, so that the name would be the secret."""
    if any(_NAME_IN_PLACE_OF_KEY.fullmatch(key) for key in keys):
        raise ValueError(
            "found the name of a variable in place of its value, expected a key, or $NAME without "
            "quotes for an environment variable"
        )


# $NAME and ${NAME}, also in quotes, and NAME of two words or more.
_NAME_IN_PLACE_OF_KEY = re.compile(
    r"""["']?\$\{?\w+\}?["']?|["']?[A-Z]+(?:_[A-Z]+)+["']?""", re.ASCII
)


def _expand(text: str) -> str:
    if not text.startswith("$"):
        return text
    found = re.fullmatch(r"\$(?:([A-Z_][A-Z0-9_]*)|\{([A-Z_][A-Z0-9_]*)\})", text)
    if not found:
        # The value is not shown: it may be a secret key that begins with $.
        raise ValueError(
            "found a value that begins with $, expected the name of an environment variable after "
            "it, in capitals, as in $SECRET_KEY"
        )
    name = found[1] or found[2]
    if name not in os.environ:
        # The name is shown in part: it may be a secret key that looks like a name.
        raise ValueError(f"the environment variable {name[:16]} is not set")
    return os.environ[name]
