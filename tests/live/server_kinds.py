"""The servers that the tests run on: how each is started, and what it does in its own way."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from tests.gateway import KEY
from tests.live import server_app
from tests.processes import SECONDS_TO_START, free_port, program, require, running

NEEDED = ["sessionware", "werkzeug", "itsdangerous", "markupsafe"]
"""What a server imports that brings a Python of its own: any Python can run them."""

ANOTHER_PYTHON = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": "", "PYTHONHOME": ""}
"""What would lead it to the Python of the tests is taken away from it."""

MODULES = "/usr/lib/apache2/modules"
APACHE = f"""\
ServerRoot $folder
DefaultRuntimeDir $folder
PidFile $folder/pid
ErrorLog /dev/stderr
ServerName localhost
KeepAliveTimeout 30
Listen 127.0.0.1:$port
LoadModule mpm_event_module {MODULES}/mod_mpm_event.so
LoadModule authz_core_module {MODULES}/mod_authz_core.so
LoadModule wsgi_module {MODULES}/mod_wsgi.so
User www-data
Group www-data
WSGISocketPrefix $folder/wsgi
WSGIDaemonProcess app processes=2 threads=4 home=$folder python-path=$folder
WSGIProcessGroup app
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / $folder/server_app.py
<Directory $folder>
    Require all granted
</Directory>
"""
UWSGI = """\
[uwsgi]
plugin = python3
http-socket = 127.0.0.1:$port
pythonpath = $folder
wsgi-file = $folder/server_app.py
master = true
processes = 2
threads = 4
; The default of 4096 has no room for a full cookie and the other headers.
buffer-size = 8192
; It ends every connection after one response, and does not say so by itself.
add-header = Connection: close
die-on-term = true
need-app = true
no-orphans = true
"""
WSGIREF = """\
from wsgiref.simple_server import WSGIServer, make_server
from tests.live.server_app import application
WSGIServer.request_queue_size = 64  # with its own 5, a client may wait for seconds
make_server("127.0.0.1", $port, application).serve_forever()
"""
WERKZEUG = """\
from werkzeug.serving import run_simple
from tests.live.server_app import application
run_simple("127.0.0.1", $port, application, threaded=True)
"""


@dataclass(frozen=True)
class Kind:
    """A server: its arguments and its configuration have ``$port`` and ``$folder`` to fill in.

    ``modules``: what it needs in the tests' own Python; without any it is a ``program`` that brings
    its own Python as ``plugin``. ``file_wrapper``: whether it has a ``wsgi.file_wrapper``.
    ``joins_cookies``: whether it passes on every Cookie line, not only the last.
    ``failures``: what a client gets of a path that fails, where other servers give something else.
    """

    name: str
    arguments: tuple[str, ...]
    modules: tuple[str, ...] = ()
    program: str = ""
    plugin: str = ""
    configuration: str = ""
    file_wrapper: bool = True
    joins_cookies: bool = True
    failures: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve tests/live/server_app.py while the block runs, at the base URL that is given."""
        with TemporaryDirectory() as folder, free_port() as port:
            traces = Path(folder, "traces")
            traces.mkdir()
            env = {"SECRET_KEY": KEY, "TRACES": str(traces)}
            if not self.modules:
                move_in(Path(folder))
                env |= ANOTHER_PYTHON

            def filled(text: str) -> str:
                return text.replace("$port", str(port)).replace("$folder", folder)

            Path(folder, "configuration").write_text(filled(self.configuration))
            command = [self.executable(), *map(filled, self.arguments)]
            url = f"http://127.0.0.1:{port}"
            with running(command, Path(folder), lambda: answers(url), env):
                yield url

    def executable(self) -> str:
        """Return the path of what is run, or skip the test where it is not installed."""
        for module in self.modules:
            require(module)
        return sys.executable if self.modules else program(self.program, self.plugin)


def move_in(folder: Path) -> None:
    """Copy the application and what it imports to where a server may read that is not root."""
    for name in NEEDED:
        package = Path(str(import_module(name).__file__)).parent
        shutil.copytree(package, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(server_app.__file__, folder)
    (folder / "traces").chmod(0o777)
    folder.chmod(0o755)


def answers(url: str) -> bool:
    """Return whether the application answers."""
    with suppress(requests.ConnectionError):
        return requests.get(f"{url}/still", timeout=SECONDS_TO_START).ok
    return False


def gunicorn(worker: str, *arguments: str) -> Kind:
    given = ("-m", "gunicorn", "--bind=127.0.0.1:$port", "--graceful-timeout=1", "--keep-alive=30")
    modules = ("gunicorn", "gevent") if worker == "gevent" else ("gunicorn",)
    command = (
        *given,
        "--workers=2",
        f"--worker-class={worker}",
        *arguments,
        "tests.live.server_app",
    )
    return Kind(f"gunicorn {worker}", command, modules)


KINDS = [
    gunicorn("sync"),
    gunicorn("gthread", "--threads=4"),
    gunicorn("gevent"),
    Kind(
        "waitress",
        ("-m", "waitress", "--listen=127.0.0.1:$port", "tests.live.server_app:application"),
        ("waitress",),
    ),
    Kind(
        "cheroot",
        ("-m", "cheroot", "--bind=127.0.0.1:$port", "tests.live.server_app"),
        ("cheroot",),
        file_wrapper=False,
        joins_cookies=False,
        failures={"/fail/in-generator": "nothing", "/fail/in-body": "broken"},
    ),
    Kind(
        "uWSGI",
        ("--ini", "$folder/configuration"),
        program="uwsgi",
        plugin="/usr/lib/uwsgi/plugins/python3_plugin.so",
        configuration=UWSGI,
        failures=dict.fromkeys(server_app.FAILURES, "nothing")
        | {"/fail/in-body": "broken", "/fail/later-unmeasured": "200"},
    ),
    Kind(
        "Apache mod_wsgi",
        ("-f", "$folder/configuration", "-DFOREGROUND"),
        program="apache2",
        plugin=f"{MODULES}/mod_wsgi.so",
        configuration=APACHE,
        failures={"/fail/later-unmeasured": "200"},
    ),
    Kind("werkzeug", ("-c", WERKZEUG), ("werkzeug",), file_wrapper=False),
    Kind("wsgiref", ("-c", WSGIREF), ("wsgiref",), failures={"/fail/later-unmeasured": "200"}),
]
