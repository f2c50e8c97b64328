"""The Cookie header read, the Set-Cookie header written: name, prefix, attributes, size."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from werkzeug.http import http_date

from .errors import ConfigurationError, Problem

MAX_PAIR = 4096
"""Bytes of name and value that a browser keeps (RFC 6265bis, section 5.6)."""

MAX_ATTRIBUTE = 1024
"""Bytes of one attribute's value that a browser keeps (RFC 6265bis, section 5.6)."""

MAX_COOKIES = 8
"""The number of cookies of our name that are read in one request."""

SameSite = Literal["Lax", "Strict", "None"] | None
Secure = Literal["auto"] | bool

# RFC 9110, section 5.6.2: the characters of a token.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HOST = re.compile(r"\.?[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*")
_PATH = re.compile(r"/[!-:<-~]*")
# RFC 6265bis, section 4.1.3; the longest first, because the shorter are prefixes of it.
_PREFIXES = ("__Host-Http-", "__Host-", "__Secure-", "__Http-")


@dataclass(frozen=True, kw_only=True)
class SessionCookie:
    """The cookie's attributes, which are checked at construction.

    Raises ConfigurationError with every problem.
    """

    name: str = "session"
    domain: str | None = None
    path: str = "/"
    secure: Secure = "auto"
    httponly: bool = True
    samesite: SameSite = "Lax"
    partitioned: bool = False

    def __post_init__(self) -> None:
        """Refuse attributes that a browser would drop or misread."""
        problems = [*self._wrong_values()]
        if isinstance(self.name, str):
            problems += self._wrong_together()
        if problems:
            raise ConfigurationError(problems)

    def find(self, header: str) -> list[str]:
        """Return the values of the cookies of our name, in order, at most MAX_COOKIES.

        This takes linear time. A name has to match exactly, nothing is unquoted or decoded, and
        nothing is raised.
        """
        wanted = self._wanted
        values: list[str] = []
        start = header.find(wanted)
        while start >= 0 and len(values) < MAX_COOKIES:
            before, after = start - 1, start + len(wanted)
            while before >= 0 and header[before] in " \t":
                before -= 1
            if before < 0 or header[before] == ";":
                value = header[after:].partition(";")[0]
                values.append(value.rstrip(" \t"))
                after += len(value)
            start = header.find(wanted, after)
        return values

    def is_set(self, fields: list[tuple[str, str]]) -> bool:
        """Return whether the response already sets a cookie of our name."""
        wanted = self._wanted
        return any(
            value.startswith(wanted) and name.lower() == "set-cookie" for name, value in fields
        )

    @cached_property
    def always_secure(self) -> bool:
        """Whether the cookie is Secure on plain http too."""
        return self.secure is True or (self.secure == "auto" and _prefix(self.name) is not None)

    def write(self, value: str, secure: bool, expires: tuple[int, int] | None = None) -> str:
        """Return the Set-Cookie header.

        ``expires``: Max-Age in seconds, and the time when the cookie expires in seconds since the
        epoch; ``None`` for a cookie that ends with the browser.
        """
        lifetime = f"; Expires={http_date(expires[1])}; Max-Age={expires[0]}" if expires else ""
        attributes = self._secure_attributes if secure else self._attributes
        return f"{self.name}={value}{lifetime}{attributes}"

    def delete(self, secure: bool) -> str:
        """Return the Set-Cookie header that makes a browser delete the cookie."""
        return self.write("", secure, (0, 0))

    def size(self, value: str) -> int:
        """Return the bytes that name and value take together."""
        return len(self.name) + len(value)

    @cached_property
    def room(self) -> int:
        """The bytes of value that fit beside the name."""
        return MAX_PAIR - self.size("")

    @cached_property
    def _wanted(self) -> str:
        return f"{self.name}="

    @cached_property
    def _attributes(self) -> str:
        return "".join(
            (
                f"; Domain={self.domain}" if self.domain else "",
                f"; Path={self.path}",
                "; HttpOnly" if self.httponly else "",
                f"; SameSite={self.samesite}" if self.samesite else "",
                "; Partitioned" if self.partitioned else "",
            )
        )

    @cached_property
    def _secure_attributes(self) -> str:
        return f"; Secure{self._attributes}"

    def _wrong_values(self) -> Iterator[Problem]:
        yield from _text_problem(
            "cookie_name", self.name, _TOKEN, "letters, digits and !#$%&'*+-.^_`|~"
        )
        yield from _text_problem("cookie_path", self.path, _PATH, "ASCII that begins with '/'")
        if self.domain is not None:
            yield from _text_problem(
                "cookie_domain", self.domain, _HOST, "an ASCII host name without a port (or None)"
            )
        for name, value, choices in (
            ("cookie_secure", self.secure, (True, False, "auto")),
            ("cookie_httponly", self.httponly, (True, False)),
            ("cookie_samesite", self.samesite, ("Lax", "Strict", "None", None)),
            ("cookie_partitioned", self.partitioned, (True, False)),
        ):
            # By type as well, because 1 == True.
            if not any(type(value) is type(choice) and value == choice for choice in choices):
                yield Problem(name, f"found {value!r}, expected {_one_of(choices)}")

    def _wrong_together(self) -> Iterator[Problem]:
        prefix = _prefix(self.name)
        if (meant := _meant_prefix(self.name)) != prefix:
            yield Problem(
                "cookie_name",
                f"found {self.name!r}, which some browsers take for the prefix {meant!r}: expected "
                "exactly that, or another name",
            )
        if prefix and not self.always_secure:
            yield Problem(
                "cookie_secure", f"found {self.secure!r}, expected True or 'auto' for {prefix!r}"
            )
        if prefix in ("__Http-", "__Host-Http-") and not self.httponly:
            yield Problem(
                "cookie_httponly", f"found False, expected True for a name with {prefix!r}"
            )
        if prefix in ("__Host-", "__Host-Http-"):
            if self.path != "/":
                yield Problem(
                    "cookie_path", f"found {self.path!r}, expected '/' for a name with {prefix!r}"
                )
            if self.domain is not None:
                yield Problem(
                    "cookie_domain",
                    f"found {self.domain!r}, expected None for a name with {prefix!r}",
                )
        if self.samesite == "None" and not self.always_secure:
            yield Problem(
                "cookie_secure", f"found {self.secure!r}, expected True with cookie_samesite='None'"
            )
        if self.partitioned is True and not self.always_secure:
            yield Problem(
                "cookie_secure", f"found {self.secure!r}, expected True with cookie_partitioned"
            )


def others(own: SessionCookie, cookies: Iterable[SessionCookie]) -> list[SessionCookie]:
    """Return those that a browser keeps beside our own (RFC 6265bis, section 5.7), each once."""
    places = {_place(cookie): cookie for cookie in cookies}
    places.pop(_place(own), None)
    return [*places.values()]


def _place(cookie: SessionCookie) -> tuple[str, str, str]:
    return cookie.name, (cookie.domain or "").lower().removeprefix("."), cookie.path


def _prefix(name: str) -> str | None:
    return next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)


def _meant_prefix(name: str) -> str | None:
    lowered = name.lower()
    for prefix in _PREFIXES:
        if lowered.startswith((prefix.lower(), prefix.lower()[1:])):
            return prefix
    return None


def _one_of(choices: tuple[object, ...]) -> str:
    *most, last = map(repr, choices)
    return f"{', '.join(most)} or {last}"


def _text_problem(
    setting: str, value: object, allowed: re.Pattern[str], expected: str
) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield Problem(setting, f"found {type(value).__name__}, expected {expected}")
    elif not allowed.fullmatch(value):
        yield Problem(setting, f"found {value!r}, expected {expected}")
    elif len(value) > MAX_ATTRIBUTE:
        yield Problem(
            setting, f"found {len(value)} bytes, of which a browser keeps {MAX_ATTRIBUTE}"
        )
