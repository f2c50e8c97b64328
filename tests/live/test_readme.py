"""The README and the pages that it leads to: every block of code is run, every table compared."""

import inspect
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests
from paste.deploy import loadfilter
from webtest import TestApp
from werkzeug.test import Client

import sessionware
from sessionware import SecureCookieSessionInterface, Session, SessionMiddleware
from sessionware.migration import ForeignCookie
from sessionware.redis import RedisStore
from tests.conftest import Clock
from tests.gateway import KEY, call, make_environ
from tests.live.pages import (
    EXAMPLES,
    PAGES,
    PROOFS,
    README,
    block,
    blocks,
    cells,
    counter,
    executed,
    section,
    table,
)
from tests.live.server_kinds import KINDS
from tests.processes import (
    ROOT,
    address_in,
    answers,
    gunicorn,
    program,
    require,
    running,
    serving,
)
from tests.stores.servers import RedisServer
from tests.unit.foreign_cookies import KEY as FOREIGN_KEY
from tests.unit.foreign_cookies import LITERALS

PACKAGE = Path(sessionware.__file__).parent
MAX_LINES = 320
MAX_LINES_OF_THE_FIRST_BLOCK = 10


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


# The page


def test_the_readme_is_a_front_page() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not leads_somewhere(link, page)] == []


def leads_somewhere(link: str, page: Path) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    # CI has the package installed, and its source out of the way.
    if target.is_relative_to(ROOT / "sessionware"):
        target = PACKAGE / target.relative_to(ROOT / "sessionware")
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> list[str]:
    """Return what GitHub calls the headings of the page."""
    text = re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]


def test_the_contents_list_every_section_after_them() -> None:
    titles = re.findall(r"^## (.*)$", README.read_text(encoding="utf-8"), re.MULTILINE)
    listed = re.findall(r"\[([^]]+)\]\(#", section("Contents"))
    assert listed == titles[titles.index("Contents") + 1 :]


# The commands


def test_the_commands_are_those_that_are_tried_in_a_fresh_clone() -> None:
    assert blocks("sh") == [
        'pip install ".[examples]" && '
        "SECRET_KEY=$(python -m sessionware secret) gunicorn examples.quickstart:app\n",
        'pip install -e ".[test]" && pytest\n',
    ]


def test_every_example_is_listed_with_its_command() -> None:
    rows = cells(EXAMPLES.read_text(encoding="utf-8").partition("\n## ")[0])
    listed = {re.findall(r"\((\w+)\.py\)", row[0])[0]: row[2] for row in rows}
    modules = {path.stem for path in EXAMPLES.parent.glob("*.py")} - {"__init__"}
    assert listed == {name: f"`gunicorn examples.{name}:app`" for name in modules}


def test_the_command_before_them_installs_extras_that_there_are() -> None:
    [command] = blocks("sh", EXAMPLES)
    found = re.fullmatch(
        r'pip install "\.\[([a-z,]+)\]" && '
        r"export SECRET_KEY=\$\(python -m sessionware secret\)\n",
        command,
    )
    assert found
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert set(found[1].split(",")) <= set(extras)


def test_the_transcript_is_what_the_commands_print(tmp_path: Path) -> None:
    program("curl")
    transcript = "".join(blocks("console"))
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", transcript, re.MULTILINE)
    assert len(steps) == 3
    with serving("examples.quickstart:app", env={"SECRET_KEY": KEY}) as url:
        for command, expected in steps:
            done = subprocess.run(  # noqa: S603 - the commands are the README's
                ["/bin/sh", "-c", command.replace("http://127.0.0.1:8000", shlex.quote(url))],
                cwd=tmp_path,
                env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert timeless(done.stdout) == timeless(expected)


def timeless(text: str) -> str:
    """Without what is another in each run: the session's age, the cookie's time and signature.

    The age is the last but one character of the payload, and 1 if a second ends meanwhile.
    """
    found = text.replace("\r\n", "\n").strip()
    return re.sub(r"(session=[\w-]+)[\w-]{3}\.[\w-]+\.[\w-]+", r"\1", found)


# The code


def test_the_first_block_wraps_an_application() -> None:
    first = blocks("python")[0]
    assert len(first.splitlines()) <= MAX_LINES_OF_THE_FIRST_BLOCK
    keeps_its_session(first)


def recipes() -> Iterator[str]:
    """The blocks that give an app. Each comment in one begins a recipe that stands for itself."""
    for code in blocks("python", README, EXAMPLES)[1:]:
        preamble, *parts = re.split(r"^(?=# )", code, flags=re.MULTILINE)
        for part in parts or [""]:
            if re.search("^app = ", part or preamble, re.MULTILINE):
                yield preamble + part


WITH_REDIS = [recipe for recipe in recipes() if "from_url(url" in recipe]
[WITH_SQL] = [recipe for recipe in recipes() if "sessionware.sql" in recipe]
ELSEWHERE = [recipe for recipe in recipes() if re.search("watchers|SECRET_KEY_FILE", recipe)]
"""Tested in test_recipes.py."""
ALONE = [recipe for recipe in recipes() if recipe not in (*WITH_REDIS, WITH_SQL, *ELSEWHERE)]


def test_the_recipes_are_found() -> None:
    assert (len(ALONE), len(WITH_REDIS), len(ELSEWHERE)) == (14, 2, 2)


@pytest.mark.parametrize("recipe", WITH_REDIS)
def test_a_recipe_with_redis_gives_an_application_whose_session_is_kept(
    recipe: str, redis_server: RedisServer
) -> None:
    url = f"redis://127.0.0.1:{redis_server.port}/0"
    keeps_its_session(recipe, url=url)


def test_the_recipe_with_sql_gives_an_application_whose_session_is_kept(tmp_path: Path) -> None:
    require("sqlalchemy")
    names = keeps_its_session(WITH_SQL, sqlite_url=f"sqlite:///{tmp_path / 'sessions.db'}")
    names["store"].engine.dispose()


@pytest.mark.parametrize("recipe", ALONE)
def test_a_recipe_gives_an_application_whose_session_is_kept(recipe: str) -> None:
    keeps_its_session(recipe)


def keeps_its_session(recipe: str, **given: Any) -> dict[str, Any]:
    names = executed(recipe, **given)
    first = call(names["app"], wsgi__url_scheme="https")
    second = call(names["app"], first.cookie, wsgi__url_scheme="https")
    assert (first.data, second.data) == (b"1", b"2")
    return names


def test_the_handlers_log_in_fill_a_cart_and_log_out() -> None:
    names = executed(blocks("python")[0] + block("def log_in(environ"))
    seen = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        {
            "/in": lambda: names["log_in"](environ, "Ada"),
            "/add": lambda: names["add_to_cart"](environ, "tea"),
            "/out": lambda: names["log_out"](environ),
        }[environ["PATH_INFO"]]()
        seen.append((environ["session"].owner, environ["session"].copy()))
        start_response("200 OK", [])
        return []

    wrapped = SessionMiddleware(app, KEY)
    cookie = ""
    for path in ("/in", "/add", "/add", "/out"):
        cookie = call(wrapped, cookie, PATH_INFO=path).cookie
    assert seen == [
        ("Ada", {"_permanent": True}),
        ("Ada", {"cart": ["tea"], "_permanent": True}),
        ("Ada", {"cart": ["tea", "tea"], "_permanent": True}),
        (None, {"_f_": ["You are logged out."]}),
    ]


def test_the_functions_for_redis_list_the_devices_and_end_them(
    redis_server: RedisServer,
) -> None:
    names = executed(block("def devices("), store=RedisStore(redis_server.client()))
    seen: list[object] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        seen.append(environ["session"].owner)
        if environ["PATH_INFO"] == "/in":
            environ["session"].owner = 42
        start_response("200 OK", [])
        return []

    wrapped = SessionMiddleware(app, KEY, store=names["store"])
    cookies = [call(wrapped, PATH_INFO="/in").cookie for _ in range(3)]
    [first, *_] = devices = names["devices"](42)
    names["end_device"](42, first[0])
    assert (len(devices), len(names["devices"](42))) == (3, 2)
    assert names["log_out_everywhere"](42) == 2
    seen.clear()
    assert [call(wrapped, cookie).set_cookie for cookie in cookies] == [None] * 3
    assert seen == [None] * 3


@pytest.mark.parametrize(
    "line",
    [
        "Sessions(site)",
        "sessions.init_app(site)",
        "site.session_interface = EnvironSessionInterface()",
    ],
)
def test_the_lines_for_flask_put_its_session_on_ours(line: str) -> None:
    require("flask")
    import flask

    site = flask.Flask(__name__)
    site.secret_key = KEY
    executed(block(line), site=site)

    def index() -> str:
        session = flask.session
        session["visits"] = [*session.get("visits", []), 1]
        session["visits"].append(1)  # Flask's own session would lose it.
        return str(len(session["visits"]))

    site.add_url_rule("/", view_func=index)
    first = call(site)
    assert call(site, first.cookie).data == b"4"


@pytest.mark.parametrize(
    "checker",
    [["mypy", "--strict"], ["pyright", "--pythonpath", sys.executable]],
    ids=["mypy", "pyright"],
)
def test_flasks_session_has_our_types(tmp_path: Path, checker: list[str]) -> None:
    require("flask")
    require(checker[0])
    (tmp_path / "sessionware").symlink_to(PACKAGE)  # whichever the checker would find
    [line] = re.findall("^from sessionware.flask import .*$", block("Sessions(site)"), re.MULTILINE)
    (tmp_path / "view.py").write_text(
        f"{line}\nfrom uuid import UUID\ndef log_in() -> str | int | UUID | None:\n"
        "    session.owner = 7\n    session.regenerate()\n    return session.owner\n"
    )
    command = [sys.executable, "-m", *checker, "view.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout


def test_the_lines_for_pyramid_log_in_and_out(monkeypatch: pytest.MonkeyPatch) -> None:
    require("pyramid")
    from pyramid.config import Configurator
    from pyramid.csrf import get_csrf_token
    from pyramid.security import forget, remember

    views = {
        "token": get_csrf_token,
        "in": lambda request: remember(request, "ann", permanent="remember" in request.POST),
        "out": forget,
        "me": lambda request: [request.authenticated_userid, request.identity],
    }

    def scan(config: Any, _: str) -> None:
        for name, view in views.items():
            config.add_route(name, f"/{name}")
            config.add_view(
                lambda request, view=view: view(request), route_name=name, renderer="json"
            )

    monkeypatch.setattr(Configurator, "scan", scan)
    names = executed(block("class SecurityPolicy"))
    browser = TestApp(names["main"]({}, **{"session.secret_key": KEY}))
    form = {"csrf_token": browser.get("/token").json}
    assert "Max-Age" not in browser.post("/in", form).headers["Set-Cookie"]
    assert browser.get("/me").json == ["ann", "ann"]
    form = {"csrf_token": browser.get("/token").json, "remember": "on"}
    assert "Max-Age" in browser.post("/in", form).headers["Set-Cookie"]
    browser.post("/out", {"csrf_token": browser.get("/token").json})
    assert browser.get("/me").json == [None, None]


def test_the_session_of_a_test_client_can_be_changed() -> None:
    app = SessionMiddleware(counter, KEY)
    client = Client(app)
    executed(block("session_transaction(client, app,"), client=client, app=app)
    assert client.get("/").text == "42"


def test_the_ini_file_gives_a_middleware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", KEY)
    [part] = blocks("ini", EXAMPLES)
    (tmp_path / "app.ini").write_text(part)
    make = loadfilter(f"config:{tmp_path}/app.ini", name="sessions")
    assert isinstance(make(counter), SessionMiddleware)


@pytest.mark.parametrize("with_the_lines", [False, True])
def test_the_lines_for_the_log_show_under_gunicorn_why(
    tmp_path: Path, with_the_lines: bool
) -> None:
    require("gunicorn")
    lines = block("logging.basicConfig(")
    assert len(lines.splitlines()) == 2
    (tmp_path / "site_with_log.py").write_text(
        f"import logging\n{lines if with_the_lines else ''}from examples.quickstart import app\n"
    )
    command = [*gunicorn("--graceful-timeout=1"), "site_with_log:app"]
    env, log = {"PYTHONPATH": str(tmp_path), "SECRET_KEY": KEY}, tmp_path / "log"
    with running(command, tmp_path, lambda: answers(address_in(log)), env):
        requests.get(address_in(log), headers={"Cookie": "session=a.b.c"}, timeout=10)
    assert ("bad_signature" in log.read_text(encoding="utf-8")) is with_the_lines


def test_the_line_for_a_type_checker_is_accepted(tmp_path: Path) -> None:
    require("mypy")
    imported, line = re.findall(r"`(.*?)`", section("The session").partition("After")[2])
    (tmp_path / "view.py").write_text(
        f"from wsgiref.types import WSGIEnvironment\n{imported}\n"
        f"def token(environ: WSGIEnvironment) -> str:\n    {line}\n"
        "    return session.get_csrf_token()\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "view.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout


# The tables


def test_the_settings_table_has_every_setting_and_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \|", table("settings"), re.MULTILINE)
    parameters = {
        **inspect.signature(SecureCookieSessionInterface).parameters,
        **{
            name: parameter
            for name, parameter in inspect.signature(SessionMiddleware).parameters.items()
            if name in ("environ_key", "interface")
        },
    }
    parameters.pop("unknown")
    names = {"timedelta": timedelta}
    documented = {name: eval(default, names) for name, default in rows}  # noqa: S307 - the README's
    assert documented == {name: parameter.default for name, parameter in parameters.items()}


def test_the_table_of_the_session_has_names_that_there_are() -> None:
    names = re.findall(r"`([a-z_]+)", " ".join(row[0] for row in cells(section("The session"))))
    assert [name for name in names if not hasattr(Session, name)] == []


def test_the_table_of_errors_has_every_error() -> None:
    names = {name.strip("`") for name, _ in cells(section("Errors"))}
    errors = [getattr(sessionware, name) for name in sessionware.__all__]
    errors = [it for it in errors if isinstance(it, type) and issubclass(it, Exception)]
    assert names == {error.__name__ for error in errors} - {"SessionwareError"}


def test_the_table_of_reasons_has_every_reason_why_a_cookie_is_refused() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.glob("*.py"))
    rows = cells(section("Why was I logged out?"))
    listed = re.findall(r"`(\w+)`", " ".join(row[0] for row in rows))
    assert set(listed) == set(re.findall(r'CookieRejected\(\s*"(\w+)"', code))


def test_the_table_of_alarms_has_every_reason_with_its_level() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.glob("*.py"))
    calls = {
        "INFO": r'(?:CookieRejected|\blog|_refusal)\(\s*"(\w+)"(?!.*WARNING)',
        "WARNING": r'(?:[.]once\(|_once_unless_ip\(\s*environ,|\blog\((?=.*WARNING))\s*"(\w+)"',
        "": r'reason(?:": | = )"(\w+)"',
    }
    logged = {level: set(re.findall(call, code)) for level, call in calls.items()}
    listed: dict[str, set[str]] = {"INFO": set(), "WARNING": set()}
    for reasons, level, *_ in cells(table("alarms", EXAMPLES)):
        listed[level].update(re.findall(r"`(\w+)`", reasons))
    assert listed["INFO"] | listed["WARNING"] == set.union(*logged.values())
    assert logged["INFO"] <= listed["INFO"]
    assert logged["WARNING"] <= listed["WARNING"]


def test_the_table_of_readers_has_each_with_its_arguments() -> None:
    rows = {row[0].strip("`"): row[1] for row in cells(table("readers", EXAMPLES))}
    readers = {kind.__name__: kind for kind in ForeignCookie.__subclasses__()}
    arguments = {name: [*inspect.signature(kind).parameters] for name, kind in readers.items()}
    assert {name: re.findall(r"`(\w+)`", row) for name, row in rows.items()} == arguments


@pytest.mark.parametrize("framework", LITERALS)
def test_the_readers_take_over_a_session_of_their_framework(framework: str, clock: Clock) -> None:
    names = executed(block("former = ["), old_secret_key=FOREIGN_KEY)
    [reader] = [it for it in names["former"] if type(it).__name__ == f"{framework}Cookie"]
    cookie = f"{reader.cookie.name}={LITERALS[framework]}"
    session = names["app"].interface.open_session(make_environ(cookie))
    assert session["user"] == "alice"


def test_what_is_ours_in_the_table_of_theirs_is_there() -> None:
    title = "Coming from Beaker, Flask, Django, Pyramid, Flask-Session"
    ours = " ".join(row[1] for row in cells(section(title, EXAMPLES)))
    settings = re.findall(r"^\| `(\w+)`", table("settings"), re.MULTILINE)
    names = re.findall(r"`([a-z_]+)", ours)
    known = {*settings, "environ", *(name for name in names if hasattr(Session, name))}
    assert len(names) > 10
    assert set(names) <= known


def test_the_table_of_servers_has_those_that_are_tested() -> None:
    listed = {
        re.split(r"[:, ']", name)[0].lower() for name, *_ in cells(section("Servers", PROOFS))
    }
    assert listed == {kind.name.split()[0].lower() for kind in KINDS}


def test_the_table_of_asvs_has_every_requirement_and_names_tests_that_there_are() -> None:
    """A requirement that is met names its tests, and only one that is met does."""
    lengths = {"3.3": 5, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 3, "7.6": 2}
    rows = cells(table("asvs", PROOFS))
    assert [row[0] for row in rows] == [
        f"{section}.{number}" for section, last in lengths.items() for number in range(1, last + 1)
    ]
    verdicts = {"met", "met with a setting", "the application's", "cannot"}
    assert {verdict for row in rows for verdict in row[2:4]} <= verdicts
    for _, _, _, verdict, _, named in rows:
        tests = re.findall(r"`(\S+)::(\w+)`", named)
        assert verdict.startswith("met") is bool(tests)
        for path, name in tests:
            assert f"\ndef {name}(" in (PROOFS.parent / path).read_text(encoding="utf-8"), name


# The figures


def test_the_chart_shows_the_figures_of_the_table() -> None:
    head, _, *rows = table("figures", PROOFS).splitlines()
    columns = [cell.strip() for cell in head.split("|")[2:-2]]
    figures = {
        (scenario, peer.strip()): float(figure)
        for peer, *line in (row.split("|")[1:-1] for row in rows)
        for scenario, figure in zip(columns, line[:-1], strict=True)
    }
    chart = (PROOFS.parent / "benchmarks" / "chart.svg").read_text(encoding="utf-8")
    [described] = re.findall('<desc id="description">(.*)</desc>', chart)
    drawn = {
        (scenario, peer): float(figure)
        for scenario, line in re.findall(r"([a-z ]+): (.*?)\.(?: |$)", described)
        for peer, figure in re.findall(r"([\w ]+) (\d+\.\d)", line)
    }
    assert len(drawn) > 20
    assert {key: figures[key[0].strip(), key[1].strip()] for key in drawn} == drawn


def test_the_front_page_rounds_those_figures() -> None:
    [ours] = [row for row in cells(table("figures", PROOFS)) if row[0] == "sessionware"]
    rounded = [f"{round(float(ours[column]))} µs" for column in (1, 3, 4)]
    assert re.findall(r"\d+ µs", section("Proof")) == rounded
