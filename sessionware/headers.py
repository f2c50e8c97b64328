"""The response's headers, and what they tell caches: ``Vary`` and ``Cache-Control``."""

import re
from collections.abc import Set

from werkzeug.datastructures import Headers

Fields = list[tuple[str, str]]

# A quoted string, or everything behind a quote that is never closed. It matches at every quote and
# never goes back, so the time is linear.
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*+("?)', re.DOTALL)

# Some caches obey these fields instead of Cache-Control.
_TARGETED = frozenset(
    [
        "akamai-cache-control",
        "cdn-cache-control",
        "cloudflare-cdn-cache-control",
        "edge-control",
        "netlify-cdn-cache-control",
        "surrogate-control",
        "vercel-cdn-cache-control",
        "x-accel-expires",
        "x-litespeed-cache-control",
    ]
)
_FOR_CACHES = _TARGETED | {"cache-control"}


def headers_of(fields: Fields) -> Headers:
    """Return werkzeug's Headers whose changes go to this list.

    The constructor would copy the list and check each item again, which takes 4 of the 16
    microseconds of a session's first save. Only this function and ``fields_of`` use the private
    attribute.
    """
    headers = Headers.__new__(Headers)
    headers._list = fields
    return headers


def fields_of(headers: Headers) -> Fields:
    """Return the list inside the Headers, not a copy."""
    return headers._list


def names_of(fields: Fields) -> list[str]:
    """Return the names of the header fields in lower case."""
    return [name.lower() for name, _ in fields]


def vary_by_cookie(fields: Fields, names: list[str]) -> None:
    """Add ``Vary: Cookie``: the response depends on the cookie (RFC 9110, section 12.5.5)."""
    if "vary" not in names:
        fields.append(("Vary", "Cookie"))
        return
    lines = _values(fields, "vary")
    listed = {name.strip().lower() for line in lines for name in line.split(",")}
    if listed.isdisjoint(("cookie", "*")):
        lines.append("Cookie")
    elif len(lines) == 1:
        return
    # In one field, because nginx before 1.23 reads only the last one.
    _replace(fields, {"vary"}, "Vary", lines)


def keep_private(fields: Fields, names: list[str]) -> bool:
    """Keep the response out of shared caches, which would send its cookie to other users.

    Return whether it was marked for shared caches: by ``public``, by ``s-maxage``, or by a field
    that only they obey (RFC 9111, section 5.2.2; RFC 9213).
    """
    if _FOR_CACHES.isdisjoint(names):
        fields.append(("Cache-Control", "private"))
        return False
    lines = _values(fields, "cache-control")
    stated = [item.strip() for line in lines for item in directives_of(line)]
    kept = [item for item in stated if item.partition("=")[0].lower() not in ("public", "s-maxage")]
    shared = len(kept) < len(stated) or not _TARGETED.isdisjoint(names)
    if {"private", "no-store"}.isdisjoint(map(str.lower, kept)):
        # First, because a cache may read only the first, and another private="field" may follow.
        kept.insert(0, "private")
    _replace(fields, _FOR_CACHES, "Cache-Control", kept)
    return shared


def directives_of(line: str) -> list[str]:
    """Split a Cache-Control header at its commas, except those in a quoted string (RFC 9111).

    A quote that is never closed begins no string. The time is linear.
    """
    items, start = [], 0
    for masked in _QUOTED.sub(_mask, line).split(","):
        end = start + len(masked)
        items.append(line[start:end])
        start = end + 1
    return items


def _mask(quoted: re.Match[str]) -> str:
    """Return a text of the same length, and without commas if the string is closed."""
    return "-" * len(quoted[0]) if quoted[1] else quoted[0]


def _values(fields: Fields, wanted: str) -> list[str]:
    return [value for name, value in fields if name.lower() == wanted]


def _replace(fields: Fields, names: Set[str], name: str, parts: list[str]) -> None:
    fields[:] = [field for field in fields if field[0].lower() not in names]
    fields.append((name, ", ".join(filter(None, parts))))
