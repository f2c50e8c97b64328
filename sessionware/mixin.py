"""The least that a session has to be, for those who bring their own."""

SEALED = object()


class SessionMixin:
    """What a session of one's own has to have: ``class MySession(dict, SessionMixin): pass``.

    Flask's class of the same name. ``accessed`` and ``modified`` are ``True`` for a class that
    does not track them, so that nothing is lost; with ``accessed = False`` nothing is saved.
    """

    __slots__ = ()

    new: bool = False
    modified: bool = True
    accessed: bool = True
    opener: object = None  # set by the middleware: its own mark, and SEALED in the end

    @property
    def sealed(self) -> bool:
        """Whether the response has begun: a change could not be saved any more."""
        return self.opener is SEALED

    @property
    def permanent(self) -> bool:
        """Whether the session survives the browser. Kept in the data as ``"_permanent"``."""
        return bool(self.get("_permanent", False))  # type: ignore[attr-defined]  # the dict has it

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if value:
            self["_permanent"] = True  # type: ignore[index]  # the dict has it
        else:
            self.pop("_permanent", None)  # type: ignore[attr-defined]  # the dict has it
