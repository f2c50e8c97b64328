"""Values compared to the last detail."""

from typing import Any


def exact(value: Any) -> Any:
    """Return what tells a value from every other: types at every depth, the order of a dict."""
    if type(value) is dict:
        return dict, [(exact(key), exact(item)) for key, item in value.items()]
    if type(value) is set:
        return set, sorted(map(exact, value), key=repr)
    if type(value) in (list, tuple):
        return type(value), list(map(exact, value))
    return type(value), repr(value)
