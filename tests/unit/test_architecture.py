"""The structure of the project: its files, and which module may import which."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import pytest

import sessionware
from sessionware import SecureCookieSessionInterface
from sessionware.interface import Settings

PACKAGE = Path(sessionware.__file__).parent
ROOT = Path(__file__).parents[2]
ROWS = {
    "advice": 0,
    "base64url": 0,
    "errors": 0,
    "store": 0,
    "merge": 0,
    "flash": 0,
    "headers": 0,
    "session": 1,
    "expiry": 1,
    "cookie": 1,
    "serializer": 1,
    "keys": 1,
    "codec": 2,
    "envelope": 2,
    "log": 2,
    "backend": 3,
    "encryption": 3,
    "proof": 3,
    "redis": 3,
    "sql": 3,
    "server_side": 4,
    "reader": 5,
    "migration": 6,
    "device": 6,
    "adoption": 7,
    "endpoints": 7,
    "loader": 8,
    "saver": 9,
    "interface": 10,
    "middleware": 11,
    "settings": 12,
    "inspect": 12,
    "django_auth": 12,
    "django_expiry": 12,
    "django_settings": 13,
    "flask": 13,
    "django": 14,
    "pyramid": 13,
    "testing": 13,
    "__init__": 13,
    "__main__": 13,
}
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
DEPENDENCIES = {"itsdangerous", "werkzeug"}
OF_WERKZEUG = {"markupsafe"}
"""What Werkzeug depends on and so is always there."""

EXTRAS = {
    "django": {"asgiref", "django"},
    "django_auth": {"django"},
    "django_expiry": {"django"},
    "django_settings": {"django"},
    "encryption": {"cryptography"},
    "flask": {"flask"},
    "proof": {"cryptography"},
    "pyramid": {"pyramid", "pyramid_retry", "zope"},
    "sql": {"sqlalchemy"},
}
"""Optional packages that a module may import, because the module is useful only with them."""


def imports_of(module: Path) -> Iterator[str]:
    """Yield the names of the sessionware modules that this module imports."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield from [node.module] if node.module else (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert not node.module.startswith("sessionware"), "our own are imported with a dot"


def foreign_imports_of(module: Path) -> Iterator[str]:
    """Yield the top-level names of all other modules that this module imports."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def imports_of_tests(source: Path) -> Iterator[str]:
    """Yield the test modules that this file imports, and the names it imports from them."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            origin = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            for name in (f"{origin}.{alias.name}" for alias in node.names):
                if any(part.startswith("test_") for part in name.split(".")):
                    yield name


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_only_from_rows_above_its_own(module: Path) -> None:
    below = [name for name in imports_of(module) if ROWS[name] >= ROWS[module.stem]]
    assert below == []


def test_every_module_has_a_row() -> None:
    assert {module.stem for module in MODULES} == set(ROWS)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_begins_with_a_one_sentence_docstring(module: Path) -> None:
    caption = ast.get_docstring(ast.parse(module.read_text()))
    assert caption
    assert caption.splitlines()[0].endswith(".")


def test_every_module_has_a_test_module() -> None:
    """Its name is that of the module, or begins with it, such as test_session_life."""
    names = {path.stem.removeprefix("test_") for path in TESTS if path.parent.name == "unit"}
    parts = {name.partition("_")[0] for name in names}
    modules = {module.stem.strip("_") for module in MODULES} - {"init"}
    assert modules - names - parts == set()


def test_nothing_is_imported_from_a_test_module() -> None:
    """Shared code has a module of its own. Only a ``__main__.py`` may import a test module."""
    sources = [path for path in TESTS if path.name != "__main__.py"]
    found = {str(path.relative_to(ROOT)): [*imports_of_tests(path)] for path in sources}
    assert {name: imports for name, imports in found.items() if imports} == {}


def test_the_typed_settings_are_the_parameters_of_the_interface() -> None:
    """In name and type, because type checkers check SessionMiddleware's keywords by Settings."""
    parameters = get_type_hints(SecureCookieSessionInterface.__init__)
    for name in ("secret_key", "unknown", "return"):
        del parameters[name]
    assert get_type_hints(Settings) == parameters


def test_the_runtime_dependencies_are_two() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {re.split("[<>=]", name)[0] for name in dependencies} == DEPENDENCIES


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_only_dependencies_and_the_standard_library(module: Path) -> None:
    allowed = DEPENDENCIES | OF_WERKZEUG | sys.stdlib_module_names | EXTRAS.get(module.stem, set())
    assert set(foreign_imports_of(module)) <= allowed


def test_no_module_imports_pickle() -> None:
    assert [module.name for module in MODULES if "import pickle" in module.read_text()] == []


def test_no_module_uses_the_url_safe_base64_of_the_standard_library() -> None:
    """From Python 3.15 on, it warns of characters that any client may send."""
    names = [path.name for path in MODULES if "import urlsafe_b64" in path.read_text()]
    assert names == []


def test_the_package_is_marked_as_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


def test_the_public_names_are_those_of_the_design() -> None:
    assert set(sessionware.__all__) == {
        "SessionMiddleware",
        "Session",
        "SessionMixin",
        "NullSession",
        "SessionInterface",
        "SecureCookieSessionInterface",
        "SessionwareError",
        "ConfigurationError",
        "LateWrite",
        "SessionTooLarge",
        "SessionUnavailable",
        "UnserializableValue",
        "UsageError",
        "__version__",
    }
    assert all(hasattr(sessionware, name) for name in sessionware.__all__)


def test_the_top_level_holds_only_what_the_design_allows() -> None:
    # Left behind by a build, an install, or an example.
    left = ("build", "dist", "sessions.db", "sessions.db-shm", "sessions.db-wal", "site.db")
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert names.difference(left) <= {
        "pyproject.toml",
        "README.md",
        "sessionware",
        "tests",
        "examples",
    }
