"""Real shared caches for a test, nginx and Varnish: started in front of a server, and stopped."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.processes import SECONDS_TO_START, program, stop

NGINX = """
daemon off;
user root;  # Only root is asked to become somebody else, who could not write here.
pid nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    fastcgi_temp_path fastcgi;
    proxy_temp_path proxy;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    proxy_cache_path cache keys_zone=pages:1m;
    upstream backend {{
        server {backend};
        keepalive 16;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_cache pages;
            proxy_cache_valid 200 1m;
            {more}
            add_header X-Cache-Status $upstream_cache_status;
        }}
    }}
}}
"""
VARNISH = """
vcl 4.1;
backend default {{
    .host = "{host}";
    .port = "{port}";
}}
{more}
sub vcl_deliver {{
    if (obj.hits > 0) {{
        set resp.http.X-Cache-Status = "HIT";
    }}
}}
"""
# What RFC 9111 asks for and no more: neither Cookie nor Set-Cookie keeps a page out.
BY_THE_STANDARD = """
sub vcl_req_cookie { return; }
sub vcl_beresp_cookie { return; }
"""


@contextmanager
def nginx(backend: str, more: str = "") -> Iterator[str]:
    """Run nginx in front of `backend`, both as host:port; `more` are directives."""
    with TemporaryDirectory() as folder:
        address = free_address()
        port = address.partition(":")[2]
        configuration = Path(folder, "nginx.conf")
        configuration.write_text(NGINX.format(backend=backend, port=port, more=more))
        command = [program("nginx"), "-p", folder, "-e", "stderr", "-c", str(configuration)]
        with running(command, address, Path(folder, "log")):
            yield address


@contextmanager
def varnish(backend: str, more: str = "") -> Iterator[str]:
    """Run Varnish in front of `backend`, both as host:port; `more` is VCL."""
    with TemporaryDirectory() as folder:
        address = free_address()
        host, _, port = backend.partition(":")
        vcl = Path(folder, "default.vcl")
        vcl.write_text(VARNISH.format(host=host, port=port, more=more))
        command = [program("varnishd"), "-F", "-j", "none", "-n", f"{folder}/run", "-f", str(vcl)]
        command += ["-a", address, "-T", "none", "-s", "malloc,16m", "-p", "vsl_space=1M"]
        with running(command, address, Path(folder, "log")):
            yield address


def free_address() -> str:
    """Give an address at which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return "{}:{}".format(*listener.getsockname())


@contextmanager
def running(command: list[str], address: str, log: Path) -> Iterator[None]:
    """Run the program while the block runs, from when it listens; errors carry its log."""
    with log.open("w") as output:
        server = subprocess.Popen(  # noqa: S603 - nobody else has a say in these arguments
            command, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_for(server, address)
        yield
    except BaseException as error:
        error.add_note(log.read_text())
        raise
    finally:
        stop(server)
        with suppress(ProcessLookupError):  # a worker whose master had to be killed goes on
            os.killpg(server.pid, signal.SIGKILL)


def wait_for(server: subprocess.Popen[bytes], address: str) -> None:
    """Wait until the server listens."""
    host, _, port = address.partition(":")
    deadline = time.monotonic() + SECONDS_TO_START
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{server.args!r} did not start")
