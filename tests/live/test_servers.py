"""The same behaviour on every WSGI server that people run, over real sockets."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.live import server_app
from tests.live.server_kinds import KINDS, Kind

CLIENTS = 40
STEPS = 25
SECONDS_TO_CLOSE = 10
TIMEOUT = 30
BODY = b"".join(server_app.CHUNKS)
FILE = Path(server_app.__file__).read_bytes()


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def url(kind: Kind) -> Iterator[str]:
    with kind.serving() as address:
        yield address


@pytest.fixture
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def get(
    client: requests.Session, url: str, query: str = "ann", stream: bool = False
) -> requests.Response:
    return client.get(url, params=query, timeout=TIMEOUT, stream=stream)


def outcome(client: requests.Session, url: str) -> str:
    """Return the response's status, "broken" for a body that breaks, "nothing" for no response."""
    # In a connection of its own, because not every server tells that it closes one that failed.
    with requests.Session() as once:
        once.cookies = client.cookies
        # Else Apache keeps the client of a broken body waiting until its KeepAliveTimeout.
        once.headers["Connection"] = "close"
        try:
            response = get(once, url, stream=True)
        except requests.ConnectionError:
            return "nothing"
        try:
            assert response.content != BODY
        except requests.exceptions.ChunkedEncodingError:
            return "broken"
        return str(response.status_code)


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/list", 200, BODY),
        ("/generator", 200, BODY),
        ("/write", 200, BODY),
        ("/file", 200, FILE),
        ("/304", 304, b""),
    ],
)
def test_every_form_of_response_arrives_whole_and_saves_the_session(
    url: str, client: requests.Session, path: str, status: int, body: bytes
) -> None:
    for step in range(1, 4):
        response = get(client, url + path)
        assert (response.status_code, response.content) == (status, body)
        assert get(client, f"{url}/tell").text == f"ann {step}"


def test_a_response_to_head_has_the_cookie_and_no_body(url: str, client: requests.Session) -> None:
    response = client.head(f"{url}/list?ann", timeout=TIMEOUT)
    assert (response.headers["Content-Length"], response.content) == ("13", b"")
    assert get(client, f"{url}/tell").text == "ann 1"


def test_the_headers_of_the_middleware_join_those_of_the_application(
    url: str, client: requests.Session
) -> None:
    response = get(client, f"{url}/list")
    assert {"theme", "session"} == set(client.cookies.keys())
    assert (response.headers["Vary"], response.headers["Cache-Control"]) == ("Cookie", "private")


def test_a_session_that_is_not_looked_at_adds_no_header(url: str, client: requests.Session) -> None:
    response = get(client, f"{url}/still")
    assert {"Vary", "Cache-Control"}.isdisjoint(response.headers)
    assert client.cookies.keys() == ["theme"]


def test_a_file_goes_through_the_wrapper_of_the_server(
    kind: Kind, url: str, client: requests.Session
) -> None:
    """Cheroot's and werkzeug's servers have none."""
    wrapper = get(client, f"{url}/file").headers["X-File-Wrapper"]
    assert wrapper == ("server" if kind.file_wrapper else "none")


@pytest.mark.parametrize("path", ["/stream", "/stream/generator"])
def test_a_body_that_the_client_leaves_is_closed_once(
    url: str, client: requests.Session, path: str
) -> None:
    name = path.replace("/", "-")
    with get(client, url + path, name, stream=True) as response:
        next(response.iter_content(1))
    deadline = time.monotonic() + SECONDS_TO_CLOSE
    while not get(client, f"{url}/closed", name).text and time.monotonic() < deadline:
        time.sleep(0.05)
    (taken,) = get(client, f"{url}/closed", name).text.split()
    assert 0 < int(taken) < server_app.LONG
    assert get(client, f"{url}/tell").text == f"{name} 1"


@pytest.mark.parametrize("path", server_app.FAILURES)
def test_a_failure_before_the_first_chunk_saves_nothing(
    kind: Kind, url: str, client: requests.Session, path: str
) -> None:
    """A 500 is sent; uWSGI, and in a generator cheroot, close the connection without a word."""
    get(client, f"{url}/count")
    assert outcome(client, url + path) == kind.failures.get(path, "500")
    assert get(client, f"{url}/tell").text == "ann 1"


def test_a_failure_at_the_first_chunk_of_a_response_that_began(
    kind: Kind, url: str, client: requests.Session
) -> None:
    """Nothing was sent yet and a 500 is; but cheroot and uWSGI send the headers all the same."""
    expected = kind.failures.get("/fail/in-body", "500")
    assert outcome(client, f"{url}/fail/in-body") == expected
    assert get(client, f"{url}/tell").text == ("ann 1" if expected == "broken" else "None None")


def test_an_error_page_in_the_place_of_a_response_that_began_has_its_cookie(
    url: str, client: requests.Session
) -> None:
    """Gunicorn and cheroot send the headers of both responses, and uWSGI no body."""
    response = get(client, f"{url}/error-page")
    assert response.status_code == 503
    assert {*response.headers["Vary"].split(", ")} == {"Cookie"}
    assert {*response.headers["Cache-Control"].split(", ")} == {"private", "max-age=60"}
    assert get(client, f"{url}/tell").text == "ann 1"


@pytest.mark.parametrize("path", ["/fail/later", "/fail/later-unmeasured", "/late"])
def test_a_failure_after_the_first_chunk_breaks_the_body_and_not_the_server(
    kind: Kind, url: str, client: requests.Session, path: str
) -> None:
    """So does a change of the session then, which is too late; what was saved before stays.

    A body whose length was not told just ends too early with Apache, uWSGI and wsgiref.
    """
    assert outcome(client, url + path) == kind.failures.get(path, "broken")
    assert get(client, f"{url}/tell").text == "ann 1"


@pytest.mark.parametrize("junk", [b"\xff\xfe", b"\xc3\xa9", b"\x80", b'"\xe9'])
def test_bytes_beyond_ascii_in_another_cookie_end_no_session(
    url: str, client: requests.Session, junk: bytes
) -> None:
    get(client, f"{url}/count")
    ours = f"session={client.cookies['session']}".encode()
    for header in (b"x=%b; %b" % (junk, ours), b"%b; %b=x" % (ours, junk)):
        response = requests.get(f"{url}/tell", headers={"Cookie": header}, timeout=TIMEOUT)
        assert response.text == "ann 1"


@pytest.mark.parametrize("other", ["x=1", "session=forged", 'x="1, 2"'])
def test_a_second_cookie_line_ends_no_session(
    kind: Kind, url: str, client: requests.Session, other: str
) -> None:
    """The servers join the lines with a comma. Cheroot passes on only the last line."""
    get(client, f"{url}/count")
    ours = f"session={client.cookies['session']}"
    address = urlsplit(url)
    with closing(HTTPConnection(str(address.hostname), address.port, timeout=TIMEOUT)) as sender:
        sender.putrequest("GET", "/tell")
        sender.putheader("Cookie", ours)
        sender.putheader("Cookie", other)
        sender.endheaders()
        expected = b"ann 1" if kind.joins_cookies else b"None None"
        assert sender.getresponse().read() == expected


def test_a_full_cookie_goes_out_and_comes_back(url: str, client: requests.Session) -> None:
    assert get(client, f"{url}/full").text == "empty"
    cookie = f"session={client.cookies['session']}"
    assert 4000 < len(cookie) <= 4097
    cookie += "; x=" + "x" * (4096 - len(cookie))
    response = requests.get(f"{url}/full", headers={"Cookie": cookie}, timeout=TIMEOUT)
    assert response.text == "full"


def count_up(url: str, name: str) -> list[str]:
    with requests.Session() as client:
        return [get(client, f"{url}/count", name).text for _ in range(STEPS)]


def test_forty_clients_at_once_lose_no_step_and_see_no_other_session(url: str) -> None:
    names = [f"client-{number}" for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        seen = [*pool.map(partial(count_up, url), names)]
    assert seen == [[f"{name} {step}" for step in range(1, STEPS + 1)] for name in names]
