"""A shared cache that stores every response that RFC 9111 allows, by URL and ``Vary``."""

from werkzeug.datastructures import ResponseCacheControl
from werkzeug.http import parse_cache_control_header, parse_set_header

from tests.attacks.victim import Act, Victim
from tests.gateway import Response


class SharedCache:
    """A cache in front of one page. ``without``: headers that are removed from its responses."""

    def __init__(self, victim: Victim, act: Act, without: tuple[str, ...] = ()) -> None:
        self._victim = victim
        self._act = act
        self._without = without
        self.kept: list[tuple[str, Response]] = []

    def get(self, cookie: str) -> Response:
        """Return the page that is kept for this request, or a new one."""
        for asked, page in self.kept:
            vary = parse_set_header(page.headers.get("Vary", ""))
            if "*" not in vary and ("cookie" not in vary or asked == cookie):
                return page
        page = self._victim.visit(cookie, self._act, alone=True)
        for name in self._without:
            page.headers.remove(name)
        if self._may_keep(page):
            self.kept.append((cookie, page))
        return page

    @staticmethod
    def _may_keep(page: Response) -> bool:
        said = parse_cache_control_header(
            page.headers.get("Cache-Control"), cls=ResponseCacheControl
        )
        return said.private is None and not said.no_store
