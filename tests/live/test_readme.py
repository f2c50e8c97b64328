"""The README: every block of code in it is run, and every table compared."""

import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from paste.deploy import loadfilter
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

import sessionware
from sessionware import SecureCookieSessionInterface, SessionMiddleware
from tests.gateway import KEY, call
from tests.processes import ROOT, program, serving
from tests.stores.servers import servers_of

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def table(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README, re.DOTALL)
    assert found
    return found[1]


def counter(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    session = next(value for key, value in environ.items() if key.endswith("session"))
    session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [])
    yield str(session["visits"]).encode()


def namespace() -> dict[str, Any]:
    """What the recipes take for granted."""
    saved: dict[str, Any] = {}
    return {
        **{name: getattr(sessionware, name) for name in sessionware.__all__},
        "ProxyFix": ProxyFix,
        "timedelta": timedelta,
        "secret_key": KEY,
        "new_secret_key": KEY[::-1],
        "old_secret_key": KEY.upper(),
        "load": lambda environ: saved if environ.get("HTTP_COOKIE") == "mine=1" else {},
        "save": lambda session: saved.update(session) or "mine=1",
        "app": counter,
    }


@pytest.fixture
def redis_server(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the recipes for Redis take for granted as well."""
    backend = servers_of(request.config).backend("redis")
    return {"redis_url": f"redis://127.0.0.1:{backend.port}/0", "client": backend.client}


def test_the_first_block_is_the_quickstart() -> None:
    assert blocks("python")[0] == (ROOT / "examples" / "quickstart.py").read_text()


RECIPES = [block for block in blocks("python") if re.search("^app = ", block, re.MULTILINE)][1:]
WITH_REDIS = [recipe for recipe in RECIPES if "sessionware.redis" in recipe]


@pytest.mark.parametrize("recipe", WITH_REDIS)
def test_a_recipe_with_redis_gives_an_application_whose_session_is_kept(
    recipe: str, redis_server: dict[str, Any]
) -> None:
    keeps_its_session(recipe, namespace() | redis_server)


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe not in WITH_REDIS])
def test_a_recipe_gives_an_application_whose_session_is_kept(recipe: str) -> None:
    keeps_its_session(recipe, namespace())


def keeps_its_session(recipe: str, names: dict[str, Any]) -> None:
    exec(recipe, names)  # noqa: S102 - the code is the README's
    first = call(names["app"], wsgi__url_scheme="https")
    second = call(names["app"], first.cookie, wsgi__url_scheme="https")
    assert (first.data, second.data) == (b"1", b"2")


def test_the_handlers_log_in_fill_a_cart_and_log_out() -> None:
    names = namespace()
    exec(next(block for block in blocks("python") if "def log_in" in block), names)  # noqa: S102
    seen = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        {
            "/in": lambda: names["log_in"](environ, "Ada"),
            "/add": lambda: names["add_to_cart"](environ, "tea"),
            "/out": lambda: names["log_out"](environ),
        }[environ["PATH_INFO"]]()
        seen.append({k: v for k, v in environ["session"].items() if k != "_csrft_"})
        start_response("200 OK", [])
        return []

    wrapped = SessionMiddleware(app, KEY)
    cookie = ""
    for path in ("/in", "/add", "/out"):
        cookie = call(wrapped, cookie, PATH_INFO=path).cookie
    assert seen == [
        {"user": "Ada", "cart": [], "_permanent": True},
        {"user": "Ada", "cart": [{"item": "tea", "quantity": 1}], "_permanent": True},
        {"_f_": ["You are logged out."]},
    ]


def test_the_functions_for_redis_list_the_devices_and_end_them(
    redis_server: dict[str, Any],
) -> None:
    names = namespace() | redis_server
    [code] = [block for block in blocks("python") if "def log_in_as" in block]
    exec(WITH_REDIS[0] + code, names)  # noqa: S102
    seen: list[object] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        seen.append(environ["session"].owner)
        if environ["PATH_INFO"] == "/in":
            names["log_in_as"](environ, 42)
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


def test_the_lines_for_flask_put_its_session_on_ours() -> None:
    names = namespace() | {"__name__": __name__}
    exec(next(block for block in blocks("python") if "Flask(" in block), names)  # noqa: S102

    def index() -> str:
        session = names["session"]
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    names["site"].add_url_rule("/", view_func=index)
    first = call(names["site"])
    assert call(names["site"], first.cookie).data == b"2"


def test_the_session_of_a_test_client_can_be_changed() -> None:
    app = SessionMiddleware(counter, KEY)
    client = Client(app)
    names = {"client": client, "app": app}
    exec(next(block for block in blocks("python") if "(client, app," in block), names)  # noqa: S102
    assert client.get("/").text == "42"


def test_the_ini_file_gives_a_middleware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", KEY)
    [section] = blocks("ini")
    (tmp_path / "app.ini").write_text(section)
    make = loadfilter(f"config:{tmp_path}/app.ini", name="sessions")
    assert isinstance(make(counter), SessionMiddleware)


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


def test_the_commands_are_those_that_are_tried_in_a_fresh_clone() -> None:
    assert blocks("sh") == [
        'pip install ".[examples]" && '
        "SECRET_KEY=$(python -m sessionware secret) gunicorn examples.quickstart:app\n",
        'pip install -e ".[test]" && pytest\n',
        'pip install ".[examples,redis]" && '
        "SECRET_KEY=$(python -m sessionware secret) gunicorn examples.redis_sessions:app\n",
        'pip install ".[frameworks]" && '
        "SECRET_KEY=$(python -m sessionware secret) gunicorn examples.pyramid_app:app\n",
    ]


def test_the_transcripts_are_what_the_commands_print(tmp_path: Path) -> None:
    program("curl")
    transcript = "".join(blocks("console"))
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", transcript, re.MULTILINE)
    assert len(steps) == 4
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
    """Without what is another in each run: the date, and the cookie's time and signature."""
    text = re.sub(r", and is refused now .*", "", text)
    text = re.sub(r"Date: .*", "Date: ...", text.replace("\r\n", "\n"))
    return re.sub(r"(session=[\w-]+)\.[\w-]+\.[\w-]+", r"\1", text).strip()
