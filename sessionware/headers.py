"""The response's header list: as werkzeug's Headers, and what caches are told in it."""

import re

from werkzeug.datastructures import Headers

Fields = list[tuple[str, str]]

# RFC 9111, section 5.2: a comma in a quoted string ends no directive.
_DIRECTIVE = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^,])+')


def headers_of(fields: Fields) -> Headers:
    """Wrap a header list, which is ours to change.

    Headers' constructor and ``add`` check each item again: 4 of the 16 microseconds of a
    session's first save. So its private list is used, here and in ``fields_of`` alone.
    """
    headers = Headers()
    headers._list = fields
    return headers


def fields_of(headers: Headers) -> Fields:
    """Give the list itself, to change."""
    return headers._list


def vary_by_cookie(fields: Fields) -> None:
    """Say that the response depends on the request's cookies (RFC 9110, section 12.5.5)."""
    lines = [value for name, value in fields if name.lower() == "vary"]
    if not lines:
        fields.append(("Vary", "Cookie"))
        return
    names = {name.strip().lower() for line in lines for name in line.split(",")}
    if names.isdisjoint(("cookie", "*")):
        _replace(fields, "Vary", ", ".join([*filter(None, lines), "Cookie"]))


def keep_private(fields: Fields) -> bool:
    """Keep the response out of shared caches, which would log one user in as another.

    Whether it was marked for them (``public``, ``s-maxage``) is the answer. RFC 9111,
    section 5.2.2.
    """
    lines = [value for name, value in fields if name.lower() == "cache-control"]
    if not lines:
        fields.append(("Cache-Control", "private"))
        return False
    stated = [item.strip() for line in lines for item in _DIRECTIVE.findall(line)]
    kept = [item for item in stated if item.partition("=")[0].lower() not in ("public", "s-maxage")]
    shared = len(kept) < len(stated)
    if {"private", "no-store"}.isdisjoint(map(str.lower, kept)):
        # First, because a cache may go by the first where the application has private="field".
        kept.insert(0, "private")
    _replace(fields, "Cache-Control", ", ".join(filter(None, kept)))
    return shared


def _replace(fields: Fields, name: str, value: str) -> None:
    fields[:] = [field for field in fields if field[0].lower() != name.lower()]
    fields.append((name, value))
