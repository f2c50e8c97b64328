"""Flash messages and CSRF tokens, kept in the session from one request to the next."""

import hmac
import secrets
from collections.abc import Callable, MutableMapping
from typing import Any


class FlashMixin(MutableMapping[str, Any]):
    """The methods for flash messages and CSRF tokens that Pyramid calls on a session."""

    __slots__ = ()

    _csrf_token: str | None  # not in the data, which a form may be able to set
    _make_csrf_token: Callable[[], str]  # the same token for two threads

    def flash(self, msg: Any, queue: str = "", allow_duplicate: bool = True) -> None:
        """Add a message to the end of the queue, where it stays until ``pop_flash``."""
        messages = self.setdefault(f"_f_{queue}", [])
        messages = messages if type(messages) is list else []  # A form may have put it there.
        if allow_duplicate or msg not in messages:
            self[f"_f_{queue}"] = messages  # no copy, which would take quadratic time
            messages.append(msg)

    def pop_flash(self, queue: str = "") -> list[Any]:
        """Return all messages in the queue, and remove them from it."""
        key = f"_f_{queue}"
        messages = self.pop(key, None) if key in self else None  # A null session refuses to pop.
        return messages if type(messages) is list else []

    def peek_flash(self, queue: str = "") -> list[Any]:
        """Return all messages in the queue, and leave them in it."""
        messages = self.get(f"_f_{queue}")
        return messages if type(messages) is list else []

    def new_csrf_token(self) -> str:
        """Return a new CSRF token of 256 bits, which replaces the session's present one."""
        self._csrf_token = token = random_token()
        return token

    def get_csrf_token(self) -> str:
        """Return the session's CSRF token, made on first use."""
        return self._csrf_token or self._make_csrf_token()

    def check_csrf_token(self, token: object) -> bool:
        """Return whether this is the session's CSRF token. The comparison takes constant time.

        Any value may be passed, such as what a form lacks.
        """
        expected = self._csrf_token
        if expected is None or not isinstance(token, str):
            return False
        return hmac.compare_digest(token.encode(errors="surrogatepass"), expected.encode())


def random_token() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(32)
