"""The response's header list: as werkzeug's Headers, and what caches are told in it."""

import re
from collections.abc import Set

from werkzeug.datastructures import Headers

Fields = list[tuple[str, str]]

# RFC 9111, section 5.2: a comma in a quoted string ends no directive.
_DIRECTIVE = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^,])+')

# What some caches go by instead of Cache-Control.
_TARGETED = frozenset(
    [
        *("cdn-cache-control", "surrogate-control", "x-accel-expires"),
        *(f"{cdn}-cdn-cache-control" for cdn in ("cloudflare", "netlify", "vercel")),
    ]
)
_FOR_CACHES = _TARGETED | {"cache-control"}


def headers_of(fields: Fields) -> Headers:
    """Wrap a header list, which is ours to change.

    Headers' constructor and ``add`` check each item again: 4 of the 16 microseconds of a
    session's first save. So its private list is used, here and in ``fields_of`` alone.
    """
    headers = Headers.__new__(Headers)
    headers._list = fields
    return headers


def fields_of(headers: Headers) -> Fields:
    """Give the list itself, to change."""
    return headers._list


def names_of(fields: Fields) -> list[str]:
    """Give the names in lower case: of most responses, they tell all that has to be known."""
    return [name.lower() for name, _ in fields]


def vary_by_cookie(fields: Fields, names: list[str]) -> None:
    """Say that the response depends on the request's cookies (RFC 9110, section 12.5.5)."""
    if "vary" not in names:
        fields.append(("Vary", "Cookie"))
        return
    lines = _values(fields, "vary")
    listed = {name.strip().lower() for line in lines for name in line.split(",")}
    if listed.isdisjoint(("cookie", "*")):
        lines.append("Cookie")
    elif len(lines) == 1:
        return
    # In one line: nginx before 1.23 goes by the last one alone.
    _replace(fields, {"vary"}, "Vary", lines)


def keep_private(fields: Fields, names: list[str]) -> bool:
    """Keep the response out of shared caches, which would log one user in as another.

    Whether it was marked for them (``public``, ``s-maxage``, or a field of their own) is the
    answer. RFC 9111, section 5.2.2; RFC 9213.
    """
    if _FOR_CACHES.isdisjoint(names):
        fields.append(("Cache-Control", "private"))
        return False
    lines = _values(fields, "cache-control")
    stated = [item.strip() for line in lines for item in _DIRECTIVE.findall(line)]
    kept = [item for item in stated if item.partition("=")[0].lower() not in ("public", "s-maxage")]
    shared = len(kept) < len(stated) or not _TARGETED.isdisjoint(names)
    if {"private", "no-store"}.isdisjoint(map(str.lower, kept)):
        # First, because a cache may go by the first where the application has private="field".
        kept.insert(0, "private")
    _replace(fields, _FOR_CACHES, "Cache-Control", kept)
    return shared


def _values(fields: Fields, wanted: str) -> list[str]:
    return [value for name, value in fields if name.lower() == wanted]


def _replace(fields: Fields, names: Set[str], name: str, parts: list[str]) -> None:
    fields[:] = [field for field in fields if field[0].lower() not in names]
    fields.append((name, ", ".join(filter(None, parts))))
