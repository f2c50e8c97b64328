"""What two requests have changed at once, put together.

- Dicts are merged key by key, at any depth.
- Lists are merged by their items: what one side removed stays removed, and what it appended stays.
  Both may have begun the list. A list that one side deleted counts as emptied.
- Of any other value that both sides changed, the later save wins, whole. So it does of a list in
  which one side put a new item before one that both have left.
- What one side deleted does not come back, except for what the other side has set in it.

Two values are the same if they would be the same JSON text: ``1``, ``1.0`` and ``True`` are three
values, and the order of a dict counts. All have to be of the types that the serializer returns: of
subclasses of ``dict`` and ``list``, the later save wins.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Set
from typing import Any

_Label = tuple[Hashable, int]
_Numbered = dict[_Label, Any]

_MISSING: Any = object()


def merge(base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Return the changes of both sides in one dict.

    - ``base``: what this request loaded.
    - ``ours``: what it wants to save.
    - ``theirs``: what others have saved since it loaded the base. Ours is the later save.

    The arguments are not changed, and share no mutable value with the result. If theirs changes
    once more before the result is saved, merge the same ``base`` and ``ours`` with it.
    """
    merged = {}
    for key in _order_keys(base, ours, theirs):
        value = _merge_values(*(side.get(key, _MISSING) for side in (base, ours, theirs)))
        if value is not _MISSING:
            merged[key] = value
    return merged


def _order_keys(base: Iterable[str], ours: Iterable[str], theirs: Iterable[str]) -> Iterable[str]:
    """Return the keys in their order and then our new ones; or in ours, if theirs is unchanged."""
    first, then = (ours, theirs) if list(theirs) == list(base) else (theirs, ours)
    return dict.fromkeys([*first, *then])


def _merge_values(base: Any, ours: Any, theirs: Any) -> Any:
    """Return the merged value of a key. It may be missing, and so may each argument."""
    kind = _mergeable_kind(base, ours, theirs)
    if kind is None:
        return _copy(theirs if _identity(ours) == _identity(base) else ours)
    if ours is _MISSING:  # what they set in it wins over our deletion
        ours, theirs = theirs, ours
    values = [value if type(value) is kind else kind() for value in (base, ours, theirs)]
    combine: Callable[..., Any] = merge if kind is dict else _merge_lists
    merged = combine(*values)
    return _MISSING if theirs is _MISSING and not merged else merged


def _mergeable_kind(base: Any, ours: Any, theirs: Any) -> type | None:
    """Return dict or list if both sides are of that type, or one is and the other deleted it.

    If both sides are, the base may be anything: they began the dict or list.
    """
    sides = [value for value in (ours, theirs) if value is not _MISSING]
    kinds = {type(value) for value in (sides if len(sides) == 2 else [base, *sides])}
    return next((kind for kind in (dict, list) if kinds == {kind}), None)


def _merge_lists(base: list[Any], ours: list[Any], theirs: list[Any]) -> list[Any]:
    """Return the items that both sides have left, then those that they added, then ours.

    What is left is in the order of theirs, or in ours if we reordered it.
    """
    old, mine, others = _number(base), _number(ours), _number(theirs)
    left = old.keys() & mine.keys() & others.keys()
    if list(mine) == list(old):
        merged = theirs
    elif any(_has_inserted(side, old, left) for side in (mine, others)):
        merged = ours
    else:
        leading = mine if _has_reordered(mine, old) else others
        merged = [item for label, item in leading.items() if label in left]
        merged += [item for label, item in others.items() if label not in old]
        merged += [item for label, item in mine.items() if label not in old]
    return _copy_items(merged)


def _number(items: list[Any]) -> _Numbered:
    """Return the items, each under its identity and how many of the same are before it.

    Of items that are the same, the last one counts as appended or removed.
    """
    seen: Counter[Hashable] = Counter()
    numbered = {}
    for item in items:
        identity = _identity(item)
        numbered[identity, seen[identity]] = item
        seen[identity] += 1
    return numbered


def _has_inserted(side: _Numbered, old: _Numbered, left: Set[_Label]) -> bool:
    """Return whether the side has a new item before one that both have left."""
    are_new = [label not in old for label in side if label in left or label not in old]
    return are_new != sorted(are_new)


def _has_reordered(side: _Numbered, old: _Numbered) -> bool:
    """Return whether the old items that the side has left are in another order."""
    return [label for label in side if label in old] != [label for label in old if label in side]


def _identity(value: Any) -> Hashable:
    """Return what is equal for the same values only, at any depth."""
    kind = type(value)
    if kind is dict:
        return dict, tuple(value), tuple(map(_identity, value.values()))
    if kind is list or kind is tuple:
        return kind, tuple(map(_identity, value))
    if kind is set:
        return set, frozenset(map(_identity, value))
    # Only the repr tells 0.0 from -0.0, Decimal("1") from Decimal("1.0"), and one timezone from
    # another.
    if kind is int:
        return kind, hex(value)  # Ints that differ may have one hash, and a client may choose them.
    return kind, value if kind is str else repr(value)


def _copy(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return dict(zip(value, _copy_items(value.values()), strict=True))
    if kind is list:
        return _copy_items(value)
    if kind is tuple:
        return tuple(map(_copy, value))
    return set(value) if kind is set else value


def _copy_items(items: Iterable[Any]) -> list[Any]:
    return list(map(_copy, items))
