"""What to do about an unknown setting: a typo, or a name of another library."""

import difflib
from collections.abc import Collection


def advice_on(name: str, known: Collection[str], prefix: str = "") -> str:
    """Return what to do about an unknown setting: a name of ours, or what is done in its place.

    ``prefix`` is put before the name.
    """
    advice = _THEIRS.get(name.lower(), "")
    if not advice:
        # Lower, and cookie_expires would be taken for cookie_secure.
        advice = next(iter(difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.8)), "")
    return f"did you mean {prefix}{advice}?" if advice in known else advice


_THEIRS = {
    # Beaker
    "auto": "leave it out, because changes are saved by themselves",
    "cookie_expires": "set session.permanent = True at the log-in to keep a cookie for longer",
    "encrypt_key": "encrypt",
    "httponly": "cookie_httponly",
    "key": "cookie_name",
    "samesite": "cookie_samesite",
    "secure": "cookie_secure",
    "timeout": "idle_timeout",
    "type": "store",
    "validate_key": "secret_key",
    # Pyramid and Starlette
    "domain": "cookie_domain",
    "max_age": "idle_timeout",
    "path": "cookie_path",
    "reissue_time": "refresh_after",
    "secret": "secret_key",
    "session_cookie": "cookie_name",
    # Flask, and Flask-Session
    "lifetime": "permanent_timeout",
    "permanent_session_lifetime": "permanent_timeout",
    "permanent": "set session.permanent = True in the application",
    "refresh_each_request": "set refresh_after to 0",
    # Django
    "cookie_age": "idle_timeout",
    "engine": "store",
    "expire_at_browser_close": "leave it out, or set session.permanent = True to have the contrary",
    "save_every_request": "set refresh_after to 0",
}
"""Settings of others, each with the name of ours, or with what to do."""
