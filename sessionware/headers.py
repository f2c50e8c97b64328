"""The response's header list, and what caches are told in it."""

import re
from collections.abc import Set

from werkzeug.datastructures import Headers

Fields = list[tuple[str, str]]

# RFC 9111, section 5.2: a comma in a quoted string does not end a directive.
_DIRECTIVE = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^,])+')

# Some caches obey these fields instead of Cache-Control.
_TARGETED = frozenset(
    [
        "cdn-cache-control",
        "cloudflare-cdn-cache-control",
        "netlify-cdn-cache-control",
        "surrogate-control",
        "vercel-cdn-cache-control",
        "x-accel-expires",
    ]
)
_FOR_CACHES = _TARGETED | {"cache-control"}


def headers_of(fields: Fields) -> Headers:
    """Return werkzeug's Headers around a header list that may be changed.

    The constructor of Headers checks each item again, which takes 4 of the 16 microseconds of a
    session's first save. So its private list is used, here and in ``fields_of`` only.
    """
    headers = Headers.__new__(Headers)
    headers._list = fields
    return headers


def fields_of(headers: Headers) -> Fields:
    """Return the list inside, which may be changed."""
    return headers._list


def names_of(fields: Fields) -> list[str]:
    """Return the names of the header fields, in lower case."""
    return [name.lower() for name, _ in fields]


def vary_by_cookie(fields: Fields, names: list[str]) -> None:
    """Add that the response depends on the request's cookies (RFC 9110, section 12.5.5)."""
    if "vary" not in names:
        fields.append(("Vary", "Cookie"))
        return
    lines = _values(fields, "vary")
    listed = {name.strip().lower() for line in lines for name in line.split(",")}
    if listed.isdisjoint(("cookie", "*")):
        lines.append("Cookie")
    elif len(lines) == 1:
        return
    # In one line, because nginx before 1.23 reads the last one only.
    _replace(fields, {"vary"}, "Vary", lines)


def keep_private(fields: Fields, names: list[str]) -> bool:
    """Keep the response out of shared caches, which would log one user in as another.

    Return whether it was marked for them, by ``public``, ``s-maxage`` or a field of their own
    (RFC 9111, section 5.2.2; RFC 9213).
    """
    if _FOR_CACHES.isdisjoint(names):
        fields.append(("Cache-Control", "private"))
        return False
    lines = _values(fields, "cache-control")
    stated = [item.strip() for line in lines for item in _DIRECTIVE.findall(line)]
    kept = [item for item in stated if item.partition("=")[0].lower() not in ("public", "s-maxage")]
    shared = len(kept) < len(stated) or not _TARGETED.isdisjoint(names)
    if {"private", "no-store"}.isdisjoint(map(str.lower, kept)):
        # First: a cache may read the first only, and the application may have private="field".
        kept.insert(0, "private")
    _replace(fields, _FOR_CACHES, "Cache-Control", kept)
    return shared


def _values(fields: Fields, wanted: str) -> list[str]:
    return [value for name, value in fields if name.lower() == wanted]


def _replace(fields: Fields, names: Set[str], name: str, parts: list[str]) -> None:
    fields[:] = [field for field in fields if field[0].lower() not in names]
    fields.append((name, ", ".join(filter(None, parts))))
