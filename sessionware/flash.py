"""Flash messages and CSRF tokens: what one page leaves in the session for the next."""

import secrets
from collections.abc import MutableMapping
from typing import Any


class FlashMixin(MutableMapping[str, Any]):
    """The methods of Pyramid's ``ISession`` and ``ICSRFStoragePolicy``, on top of a dict."""

    __slots__ = ()

    def flash(self, msg: Any, queue: str = "", allow_duplicate: bool = True) -> None:
        """Keep a message for the next page, at the end of the queue of this name."""
        messages = self.peek_flash(queue)
        if allow_duplicate or msg not in messages:
            self[f"_f_{queue}"] = [*messages, msg]

    def pop_flash(self, queue: str = "") -> list[Any]:
        """Return all messages of the queue, and remove them; an empty list if there are none."""
        key = f"_f_{queue}"
        messages: list[Any] = self.pop(key) if key in self else []
        return messages

    def peek_flash(self, queue: str = "") -> list[Any]:
        """Return all messages of the queue, and leave them there."""
        messages: list[Any] = self.get(f"_f_{queue}", [])
        return messages

    def new_csrf_token(self) -> str:
        """Return a new token of 256 bits against cross-site request forgery, and keep it."""
        token = self["_csrft_"] = secrets.token_urlsafe(32)
        return token

    def get_csrf_token(self) -> str:
        """Return the session's token, or a new one. Compare it with ``hmac.compare_digest``."""
        return self.get("_csrft_") or self.new_csrf_token()
