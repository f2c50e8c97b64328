"""Exact comparison of values."""

from typing import Any


def exact(value: Any) -> Any:
    """Return a form that also differs by type, at any depth, and by the order of a dict."""
    if type(value) is dict:
        return dict, [(exact(key), exact(item)) for key, item in value.items()]
    if type(value) is set:
        return set, sorted(map(exact, value), key=repr)
    if type(value) in (list, tuple):
        return type(value), list(map(exact, value))
    return type(value), repr(value)
