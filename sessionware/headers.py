"""The response's headers, and what they tell caches: ``Vary`` and ``Cache-Control``."""

import re
from collections import Counter
from collections.abc import Callable, Set

from werkzeug.datastructures import Headers

Fields = list[tuple[str, str]]

# A quoted string, or everything behind a quote that is never closed. It matches at every quote and
# never goes back, so the time is linear.
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*+("?)', re.DOTALL)

# Some caches obey these fields instead of Cache-Control, or those of one product (RFC 9213).
_TARGETED = frozenset(
    [
        "akamai-cache-control",
        "edge-control",
        "surrogate-control",
        "x-accel-expires",
        "x-litespeed-cache-control",
    ]
)
_TARGETED_SUFFIX = "cdn-cache-control"

_BY_COOKIE = frozenset(["cookie", "*"])
_FOR_SHARED = frozenset(["public", "s-maxage"])
_NOT_SHARED = frozenset(["no-store", "private"])
# In a targeted field; some of the words are those of LiteSpeed, Akamai and nginx.
_NOT_KEPT = _NOT_SHARED | {"max-age=0", "no-cache", "bypass-cache", "0", "off"}


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


def names_of(fields: Fields) -> str:
    """Return the names of the header fields in lower case, in one text.

    To find out that none of them matters, it takes one search, and not a look at each.
    """
    return "\n".join([name for name, _ in fields]).lower()


def vary_by_cookie(fields: Fields, names: str) -> None:
    """Add ``Vary: Cookie``: the response depends on the cookie (RFC 9110, section 12.5.5)."""
    if "vary" not in names:
        fields.append(("Vary", "Cookie"))
        return
    _vary_by(["Cookie"], fields)


def keep_private(fields: Fields, names: str) -> bool:
    """Keep the response out of shared caches, which would send its cookie to other users.

    Return whether it was marked for shared caches: by ``public``, by ``s-maxage``, or by a field
    that only they obey (RFC 9111, section 5.2.2; RFC 9213).
    """
    if not _control_caches(names):
        fields.append(("Cache-Control", "private"))
        return False
    targeted = _targeted(fields)
    stated = _items(fields, "cache-control")
    kept = [item for item in stated if not _is_for_shared(item)]
    shared = len(kept) < len(stated) or bool(targeted)
    if not _is_private(kept):
        # First, because a cache may read only the first, and another private="field" may follow.
        kept.insert(0, "private")
    # Last, because a cache may take all that follows for a part of the string.
    kept.sort(key=_has_open_quote)
    _replace(fields, {"cache-control", *targeted}, "Cache-Control", kept)
    return shared


def is_shared(fields: Fields, names: str) -> bool:
    """Return whether the response is marked for shared caches, and they may store it.

    The marks are those that ``keep_private`` removes. A targeted field overrides Cache-Control in
    the caches that obey it, so ``no-store`` and ``private`` count only in their own field.
    """
    if not _control_caches(names):
        return False
    stated = _items(fields, "cache-control")
    if any(map(_is_for_shared, stated)) and not _is_private(stated):
        return True
    orders = [_items(fields, name) for name in _targeted(fields)]
    return any(items and _NOT_KEPT.isdisjoint(map(str.lower, items)) for items in orders)


def carry_over(
    before: Fields, after: Fields, page: Fields, keep_private: Callable[[Fields, str], object]
) -> None:
    """Add to an error page what was decided about the response that it replaces.

    ``before`` and ``after`` are the fields of that response without and with the decision: which
    cookies are set, what the response varies by, and whether ``keep_private`` has changed it.
    """
    varied = _lowered(before, "vary")
    names = [name for name in _items(after, "vary") if name.lower() not in varied - _BY_COOKIE]
    added = [*(Counter(after) - Counter(before)).elements()]
    cookies = [field for field in added if field[0].lower() == "set-cookie"]
    private = _NOT_SHARED & _lowered(after, "cache-control") - _lowered(before, "cache-control")
    _vary_by(names, page)
    page += cookies
    if "no-store" in private:
        page.insert(0, ("Cache-Control", "no-store"))
    if cookies or private:
        keep_private(page, names_of(page))


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


def _is_private(directives: list[str]) -> bool:
    """Return whether shared caches may not store the response (RFC 9111, section 5.2.2.3)."""
    lowered = {directive.lower() for directive in directives}
    return "private" in lowered or ("no-store" in lowered and "must-understand" not in lowered)


def _has_open_quote(item: str) -> bool:
    return '"' in _QUOTED.sub(_mask, item)


def _vary_by(names: list[str], fields: Fields) -> None:
    lines = _values(fields, "vary")
    listed = {name.strip().lower() for line in lines for name in line.split(",")}
    missing = [name for name in names if listed.isdisjoint((name.lower(), "*"))]
    if missing or len(lines) > 1:
        # In one field, because nginx before 1.23 reads only the last one.
        _replace(fields, {"vary"}, "Vary", [*lines, *missing])


def _items(fields: Fields, wanted: str) -> list[str]:
    lines = _values(fields, wanted)
    return [item.strip() for line in lines for item in directives_of(line) if item.strip()]


def _lowered(fields: Fields, wanted: str) -> set[str]:
    return {item.lower() for item in _items(fields, wanted)}


def _control_caches(names: str) -> bool:
    """Return whether there may be Cache-Control, or a field that only some shared caches obey."""
    return "-control" in names or "x-accel-expires" in names


def _targeted(fields: Fields) -> set[str]:
    """Return the names of the fields that only some shared caches obey."""
    names = {name.lower() for name, _ in fields}
    return {name for name in names if name in _TARGETED or name.endswith(_TARGETED_SUFFIX)}


def _is_for_shared(directive: str) -> bool:
    return directive.partition("=")[0].strip().lower() in _FOR_SHARED


def _values(fields: Fields, wanted: str) -> list[str]:
    return [value for name, value in fields if name.lower() == wanted]


def _replace(fields: Fields, names: Set[str], name: str, parts: list[str]) -> None:
    fields[:] = [field for field in fields if field[0].lower() not in names]
    fields.append((name, ", ".join(filter(None, parts))))
