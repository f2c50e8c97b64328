"""The README and the pages that it leads to, taken apart for tests: blocks, sections, tables."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.middleware.proxy_fix import ProxyFix

import sessionware
from tests.gateway import KEY
from tests.processes import ROOT

README, EXAMPLES, DJANGO, FLASK, PYRAMID, PROOFS, CONTRIBUTING, SECURITY = PAGES = [
    ROOT / "README.md",
    ROOT / "examples" / "README.md",
    ROOT / "examples" / "DJANGO.md",
    ROOT / "examples" / "FLASK.md",
    ROOT / "examples" / "PYRAMID.md",
    ROOT / "tests" / "README.md",
    ROOT / ".github" / "CONTRIBUTING.md",
    ROOT / ".github" / "SECURITY.md",
]

WITH_CODE = README, EXAMPLES, DJANGO, FLASK, PYRAMID
"""The pages whose code is run."""


def blocks(language: str, *pages: Path) -> list[str]:
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages or (README,))
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def block(part: str) -> str:
    """Return the one block of Python in which this stands."""
    [found] = [block for block in blocks("python", *WITH_CODE) if part in block]
    return found


def section(title: str, page: Path = README) -> str:
    return page.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def table(name: str, page: Path = README) -> str:
    found = re.search(
        rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", page.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    return found[1]


def cells(rows: str) -> list[list[str]]:
    """Return the cells of a table, without its head."""
    lines = [line for line in rows.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def counter(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Count the visits in the session, and tell how many there were."""
    session = next(value for key, value in environ.items() if key.endswith("session"))
    session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [])
    yield str(session["visits"]).encode()


def namespace(**names: Any) -> dict[str, Any]:
    """Return what the recipes take for granted, and these names."""
    saved: dict[str, Any] = {}
    return {
        **{name: getattr(sessionware, name) for name in sessionware.__all__},
        "ProxyFix": ProxyFix,
        "secret_key": KEY,
        "new_secret_key": KEY[::-1],
        "old_secret_key": KEY.upper(),
        "load": lambda environ: saved if environ.get("HTTP_COOKIE") == "mine=1" else {},
        "save": lambda session: saved.update(session) or "mine=1",
        "app": counter,
        **names,
    }


def executed(code: str, **names: Any) -> dict[str, Any]:
    """Run a block, and return every name that there is then."""
    found = namespace(**names)
    exec(code, found)  # noqa: S102 - the code is that of the pages
    return found
