"""Cookies: their names and attributes, and the Cookie and Set-Cookie headers."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal
from wsgiref.types import WSGIEnvironment

from werkzeug.http import http_date

from .errors import ConfigurationError, Problem

MAX_PAIR = 4096
"""Bytes. Browsers drop a cookie with a longer name and value (RFC 6265bis, section 5.6)."""

MAX_ATTRIBUTE = 1024
"""Bytes. Browsers ignore an attribute with a longer value (RFC 6265bis, section 5.6)."""

MAX_COOKIES = 8
"""How many cookies with the session's name are read in one request."""

SameSite = Literal["Lax", "Strict", "None"] | None
Secure = Literal["auto"] | bool

# RFC 9110, section 5.6.2: the characters of a token.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HOST = re.compile(r"\.?[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*")
_PATH = re.compile(r"/[!-:<-~]*")
PLACE = re.compile(r"(/[!-:<-~]+)?(;[0-9A-Za-z_.-]*(;P)?)?")
"""The place of a cookie, see ``SessionCookie.place``."""

# RFC 6265bis, section 4.1.3. The longest comes first, because __Host- is a prefix of it.
_PREFIXES = ("__Host-Http-", "__Host-", "__Secure-", "__Http-")


@dataclass(frozen=True, kw_only=True)
class SessionCookie:
    """The name and the attributes of a cookie. Raises ConfigurationError with every problem."""

    name: str = "session"
    domain: str | None = None
    path: str = "/"
    secure: Secure = "auto"
    httponly: bool = True
    samesite: SameSite = "Lax"
    partitioned: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigurationError if a browser would refuse the cookie or misread an attribute."""
        problems = [*self._wrong_values()]
        if isinstance(self.name, str):
            problems += self._wrong_together()
        if problems:
            raise ConfigurationError(problems)

    def find(self, header: str) -> list[str]:
        """Return the values of the cookies with this name, in order, at most MAX_COOKIES.

        Names have to match exactly, and begin after ``;`` or at the start. A value ends at the
        first ``;`` or ``,``, because servers join two Cookie lines with a comma. One pair of quotes
        around it is removed, because some clients add it; nothing is decoded. This takes linear
        time, and raises no exception.
        """
        wanted = self._wanted
        values: list[str] = []
        start = header.find(wanted)
        while start >= 0 and len(values) < MAX_COOKIES:
            before, after = start - 1, start + len(wanted)
            while before >= 0 and header[before] in " \t":
                before -= 1
            if before < 0 or header[before] == ";":
                end = header.find(";", after)
                end = end if end >= 0 else len(header)
                value, after = header[after:end], end
                special = "," in value or '"' in value
                values.append(unwrapped(value) if special else value.strip(" \t"))
            start = header.find(wanted, after)
        return values

    def reaches(self, host: str) -> bool:
        """Return whether a browser keeps the cookie of this host (RFC 6265bis, section 5.1.3).

        Browsers keep no cookie of a domain such as "com". Nor do they of "co.uk", but only a list
        of such domains could tell.
        """
        host, domain = host.lower(), self.bare_domain
        if domain in ("", host):
            return True
        return host.endswith(f".{domain}") and "." in domain and not is_ip(host)

    def is_set(self, fields: list[tuple[str, str]]) -> bool:
        """Return whether the response already sets a cookie with this name."""
        wanted = self._wanted
        return any(  # Django puts a space before the name.
            value.lstrip().startswith(wanted) and name.lower() == "set-cookie"
            for name, value in fields
        )

    @cached_property
    def always_secure(self) -> bool:
        """Whether the cookie is Secure even if the request came over http."""
        return self.secure is True or (self.secure == "auto" and _prefix(self.name) is not None)

    def is_secure_in(self, environ: WSGIEnvironment) -> bool:
        """Return whether the cookie is Secure in the answer to this request."""
        if environ["wsgi.url_scheme"] == "https":
            return self.secure is not False
        return self.always_secure

    def write(self, value: str, secure: bool, expires: tuple[int, int] | None = None) -> str:
        """Return the value of a Set-Cookie header.

        ``expires``: Max-Age in seconds, and Expires in seconds since the epoch. ``None``: the
        browser deletes the cookie when it closes.
        """
        lifetime = f"; Expires={_date(expires[1])}; Max-Age={expires[0]}" if expires else ""
        attributes = self._secure_attributes if secure else self._attributes
        return f"{self.name}={value}{lifetime}{attributes}"

    def delete(self, secure: bool) -> str:
        """Return the value of a Set-Cookie header that deletes the cookie."""
        return self.write("", secure, (0, 0))

    def size(self, value: str) -> int:
        """Return the size of name and value together, in bytes."""
        return len(self.name) + len(value)

    @cached_property
    def room(self) -> int:
        """How many bytes the value may have, so that name and value fit in MAX_PAIR."""
        return MAX_PAIR - self.size("")

    @cached_property
    def bare_domain(self) -> str:
        """The domain as browsers compare it; ``""`` for the host that set the cookie."""
        return (self.domain or "").lower().removeprefix(".")

    @cached_property
    def place(self) -> str:
        """Where browsers keep it, as ``path;domain;P``: ``P`` if it is Partitioned.

        Left out are the path ``/``, and what is absent at the end.
        """
        _, domain, path, partitioned = _place(self)
        return f"{path if path != '/' else ''};{domain};{'P' if partitioned else ''}".rstrip(";")

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
        yield from _text_problem("cookie_path", self.path, _PATH, "ASCII text that begins with '/'")
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
                f"found {self.name!r}, which some browsers treat like the prefix {meant!r}",
                "spell the prefix exactly like that, or use another name",
            )
        if prefix and not self.always_secure:
            yield Problem(
                "cookie_secure",
                f"found {self.secure!r}, expected True or 'auto' for a name with {prefix!r}",
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
                "cookie_secure",
                f"found {self.secure!r}, expected True with cookie_partitioned=True",
            )


@lru_cache(maxsize=1)  # all cookies of one second share it
def _date(seconds: int) -> str:
    return http_date(seconds)


def host_of(environ: WSGIEnvironment) -> str:
    """Return the name of the host that the client talks to: no port, no brackets, lower case."""
    host: str = environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "")
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:  # more in an IPv6 address
        host = host.partition(":")[0]
    return host.lower()


def is_ip(host: str) -> bool:
    """Return whether the host is an IP address, not a name."""
    return _address(host) is not None


def is_localhost(host: str) -> bool:
    """Return whether the host is the machine that the browser runs on."""
    address = _address(host)
    return f".{host.lower()}".endswith(".localhost") if address is None else address.is_loopback


def _address(host: str) -> IPv4Address | IPv6Address | None:
    with suppress(ValueError):
        return ip_address(host.removeprefix("[").removesuffix("]"))
    return None


def cookie_at(name: str, domain: str | None, path: str, partitioned: bool) -> SessionCookie:
    """Return the cookie of this name and place, with the attributes that deleting it needs.

    Raises ConfigurationError with every problem.
    """
    if partitioned is not True:
        return SessionCookie(name=name, domain=domain, path=path, partitioned=partitioned)
    # It is used in frames on other sites, where browsers drop a Lax cookie.
    return SessionCookie(
        name=name, domain=domain, path=path, secure=True, samesite="None", partitioned=True
    )


def former_cookie(name: str, place: str) -> SessionCookie | None:
    """Return the cookie of this name at a place (see ``SessionCookie.place``), to delete it.

    ``None``: a browser would refuse that.
    """
    path, domain, partitioned = f"{place};;".split(";")[:3]
    with suppress(ConfigurationError):
        return cookie_at(name, domain or None, path or "/", partitioned != "")
    return None


def others(own: SessionCookie, cookies: Iterable[SessionCookie]) -> list[SessionCookie]:
    """Return, once each, the cookies that do not replace our own.

    Those that do have the same name, domain and path (RFC 6265bis, section 5.7), and both or
    neither are Partitioned.
    """
    places = {_place(cookie): cookie for cookie in cookies}
    places.pop(_place(own), None)
    return [*places.values()]


def _place(cookie: SessionCookie) -> tuple[str, str, str, bool]:
    return cookie.name, cookie.bare_domain, cookie.path, cookie.partitioned


def unwrapped(value: str) -> str:
    """Return a cookie's value up to a comma, without the space around it and one pair of quotes."""
    value = value.partition(",")[0].strip(" \t")
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return value[1:-1] if quoted else value


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
            setting,
            f"found {len(value)} bytes, expected at most {MAX_ATTRIBUTE}: browsers ignore more",
        )
