"""The log records of sessionware: each has a reason, and none holds a secret."""

import logging
from wsgiref.types import WSGIEnvironment

from .cookie import SessionCookie, host_of, is_ip, is_localhost
from .expiry import Expiry

logger: logging.Logger = logging.getLogger("sessionware")

VAGUE_REASONS = {"bad_signature", "malformed"}
"""What every reader reports for a cookie that is meant for another one."""

Refusals = list[tuple[str, str]]
"""The ``reason`` and the ``fault`` of each cookie that was refused, without their tracebacks."""


def log(reason: str, message: str, level: int = logging.INFO) -> None:
    """Log the message with its reason, which is also the record's ``reason``."""
    logger.log(level, "%s (%s).", message, reason, extra={"reason": reason})


def log_refusal(refused: Refusals) -> None:
    """Log why a request has a new session, in one record that says most."""
    message = "A session cookie was rejected, and a new session begins"
    for reason, fault in refused:
        if fault:
            log(reason, f"{message}: {fault}", logging.WARNING)
            return
    reason = next((each for each, _ in refused if each not in VAGUE_REASONS), refused[0][0])
    log(reason, message)


class Warnings:
    """The warnings about settings, most of which show in requests. Each is logged once."""

    def __init__(self, cookie: SessionCookie) -> None:
        self._cookie = cookie
        self._logged: set[str] = set()

    def once(self, reason: str, message: str) -> None:
        """Log the warning, unless it was logged before."""
        if message not in self._logged:
            self._logged.add(message)
            log(reason, message, logging.WARNING)

    def of_timeouts(self, expiry: Expiry) -> None:
        """Log if no session can last for the permanent timeout."""
        if expiry.cuts_permanent_short:
            self.once(
                "timeouts_contradict",
                "permanent_timeout is longer than absolute_timeout, which ends every session, so "
                "no session lasts for permanent_timeout: raise absolute_timeout, or lower "
                "permanent_timeout",
            )

    def of_place(self, environ: WSGIEnvironment) -> None:
        """Log if browsers drop the cookie that is set here, or if it may lack Secure."""
        cookie = self._cookie
        if cookie.domain is not None and not cookie.reaches(host_of(environ)):
            self._once_unless_ip(
                environ,
                "out_of_reach",
                f"A session cookie was set for the cookie_domain {cookie.domain!r} by a host "
                "outside that domain, and browsers refuse it: set cookie_domain to a domain of "
                "the site, or to None; behind a proxy, make it pass on the Host header",
            )
        if environ["wsgi.url_scheme"] == "https":
            return
        if _is_forwarded_from_https(environ):
            self._once_unless_ip(
                environ,
                "untrusted_proxy",
                "A session cookie was set on a request that a proxy received over https, but "
                "wsgi.url_scheme is http, so the cookie may lack Secure: put werkzeug's ProxyFix "
                "around SessionMiddleware",
            )
        elif cookie.always_secure and not is_localhost(host_of(environ)):
            self._once_unless_ip(
                environ,
                "insecure_transport",
                "A Secure session cookie was set over http, and browsers drop it there: serve "
                "https, or set cookie_secure='auto' and a cookie_name without a prefix; behind "
                "a proxy that ends TLS, put werkzeug's ProxyFix around SessionMiddleware",
            )

    def _once_unless_ip(self, environ: WSGIEnvironment, reason: str, message: str) -> None:
        """Log it but for a health check or a developer, who use the address of the machine."""
        if message not in self._logged and not is_ip(host_of(environ)):
            self.once(reason, message)


def _is_forwarded_from_https(environ: WSGIEnvironment) -> bool:
    protocols = environ.get("HTTP_X_FORWARDED_PROTO")
    return protocols is not None and protocols.partition(",")[0].strip().lower() == "https"
