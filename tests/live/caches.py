"""Real proxies for a test, nginx and Varnish: started in front of a server, and stopped."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.processes import free_port, listens, program, running

NGINX = """
daemon off;
user root;  # Only root is asked to become somebody else, who could not write here.
pid nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path body;
    fastcgi_temp_path fastcgi;
    proxy_temp_path proxy;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    {site}
}
"""
CACHE = """
proxy_cache_path cache keys_zone=pages:1m;
upstream backend {
    server {backend};
    keepalive 16;
}
server {
    listen 127.0.0.1:{port};
    location / {
        proxy_pass http://backend;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_cache pages;
        proxy_cache_valid 200 1m;
        {more}
        add_header X-Cache-Status $upstream_cache_status;
    }
}
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
    """Run nginx as a cache in front of `backend`, both as host:port; `more` are directives."""
    site = CACHE.replace("{backend}", backend).replace("{more}", more)
    with nginx_with(site) as address:
        yield address


@contextmanager
def nginx_with(site: str) -> Iterator[str]:
    """Run nginx with these directives of its `http` block, where `{port}` stands for its port."""
    with TemporaryDirectory() as folder, free_port() as port:
        configuration = Path(folder, "nginx.conf")
        configuration.write_text(NGINX.replace("{site}", site.replace("{port}", str(port))))
        command = [program("nginx"), "-p", folder, "-e", "stderr", "-c", str(configuration)]
        with running(command, Path(folder), lambda: listens(port)):
            yield f"127.0.0.1:{port}"


@contextmanager
def varnish(backend: str, more: str = "") -> Iterator[str]:
    """Run Varnish in front of `backend`, both as host:port; `more` is VCL."""
    with TemporaryDirectory() as folder, free_port() as port:
        host, _, behind = backend.partition(":")
        vcl = Path(folder, "default.vcl")
        vcl.write_text(VARNISH.format(host=host, port=behind, more=more))
        command = [program("varnishd"), "-F", "-j", "none", "-n", f"{folder}/run", "-f", str(vcl)]
        command += ["-a", f"127.0.0.1:{port}", "-T", "none", "-s", "malloc,16m"]
        with running([*command, "-p", "vsl_space=1M"], Path(folder), lambda: listens(port)):
            yield f"127.0.0.1:{port}"
