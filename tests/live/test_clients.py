"""Real clients over real sockets, requests and curl, against gunicorn."""

import pickle
import subprocess
import time
from collections.abc import Iterator
from http.cookiejar import Cookie, CookieJar
from pathlib import Path

import pytest
import requests

from tests.gateway import KEY
from tests.processes import program, serving

SECONDS = 10
MONTH = 31 * 24 * 3600
COUNTED = [f"You have been here {step} times.\n" for step in (1, 2, 3)]


@pytest.fixture(scope="module")
def counter() -> Iterator[str]:
    with serving("examples.quickstart:app", "--workers=2", env={"SECRET_KEY": KEY}) as address:
        yield address


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving("tests.live.door_app:app", "--workers=2", env={}) as address:
        yield address


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 for a day; its key lies beside it."""
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    command = [program("openssl"), "req", "-x509", "-days", "1", "-noenc", "-newkey", "rsa:2048"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    command += ["-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)  # noqa: S603
    return path


@pytest.fixture(scope="module")
def https_url(certificate: Path) -> Iterator[str]:
    tls = [f"--certfile={certificate}", f"--keyfile={certificate.with_suffix('.key')}"]
    with serving("tests.live.door_app:app", *tls, env={}) as address:
        yield address


def make_client() -> requests.Session:
    client = requests.Session()
    client.trust_env = False  # No proxy, no .netrc, and no certificates but the test's own.
    return client


@pytest.fixture
def client() -> Iterator[requests.Session]:
    with make_client() as client:
        yield client


def log_in(client: requests.Session, url: str, name: str = "Ada", **form: str) -> str:
    """Log in, and follow the redirect."""
    return client.post(f"{url}/log-in", {"name": name, **form}, timeout=SECONDS).text


def log_out(client: requests.Session, url: str) -> str:
    """Log out, and follow the redirect."""
    return client.post(f"{url}/log-out", timeout=SECONDS).text


def who(client: requests.Session, url: str) -> str:
    """Whom the site takes this client for."""
    return client.get(url, timeout=SECONDS).text


def cookie_of(client: requests.Session) -> Cookie:
    """The only cookie that the client has."""
    cookies: CookieJar = client.cookies
    [cookie] = cookies
    return cookie


# Kept


def test_a_log_in_is_kept_through_its_redirect(client: requests.Session, url: str) -> None:
    assert log_in(client, url, "Ada") == "Ada"


def test_a_log_in_is_kept_over_requests(client: requests.Session, url: str) -> None:
    log_in(client, url, "Ada")
    assert [who(client, url) for _ in range(3)] == ["Ada"] * 3


def test_every_redirect_of_a_chain_adds_to_the_session(client: requests.Session, url: str) -> None:
    assert client.get(f"{url}/stairs/4", timeout=SECONDS).text == "4 3 2 1"


def test_two_sessions_side_by_side_do_not_meet(client: requests.Session, url: str) -> None:
    with make_client() as other:
        log_in(client, url, "Ada")
        log_in(other, url, "Grace")
        assert (who(client, url), who(other, url)) == ("Ada", "Grace")


def test_a_pickled_session_is_taken_up_again(client: requests.Session, url: str) -> None:
    log_in(client, url, "Ada")
    with pickle.loads(pickle.dumps(client)) as again:  # noqa: S301 - the test's own
        assert who(again, url) == "Ada"


# Logged out


def test_a_log_out_is_kept_over_requests(client: requests.Session, url: str) -> None:
    log_in(client, url)
    log_out(client, url)
    assert who(client, url) == "nobody"


@pytest.mark.parametrize("form", [{}, {"remember": "on"}])
def test_a_log_out_leaves_no_cookie(
    client: requests.Session, url: str, form: dict[str, str]
) -> None:
    log_in(client, url, **form)
    log_out(client, url)
    assert list(client.cookies) == []


def test_a_log_out_leaves_the_other_session_alone(client: requests.Session, url: str) -> None:
    with make_client() as other:
        log_in(client, url, "Ada")
        log_in(other, url, "Grace")
        log_out(client, url)
        assert who(other, url) == "Grace"


def test_a_client_that_never_logged_in_has_no_cookie(client: requests.Session, url: str) -> None:
    assert who(client, url) == "nobody"
    assert list(client.cookies) == []


# For how long


def test_a_session_ends_with_the_browser(client: requests.Session, url: str) -> None:
    log_in(client, url)
    cookie = cookie_of(client)
    assert (cookie.expires, cookie.discard) == (None, True)
    client.cookies.clear_session_cookies()  # As a browser that is closed does.
    assert who(client, url) == "nobody"


def test_a_permanent_session_outlives_the_browser(client: requests.Session, url: str) -> None:
    log_in(client, url, "Ada", remember="on")
    assert not cookie_of(client).discard
    client.cookies.clear_session_cookies()
    assert who(client, url) == "Ada"


def test_a_permanent_session_lasts_for_the_idle_timeout(client: requests.Session, url: str) -> None:
    log_in(client, url, remember="on")
    assert cookie_of(client).expires == pytest.approx(time.time() + MONTH, abs=SECONDS)


def test_a_log_in_without_remember_takes_permanence_back(
    client: requests.Session, url: str
) -> None:
    log_in(client, url, remember="on")
    log_in(client, url)
    assert cookie_of(client).discard


# Where to


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(
    client: requests.Session, url: str
) -> None:
    log_in(client, url)
    cookie = cookie_of(client)
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"


def test_the_cookie_is_for_every_path_of_this_host_alone(
    client: requests.Session, url: str
) -> None:
    log_in(client, url)
    cookie = cookie_of(client)
    assert (cookie.path, cookie.domain, cookie.domain_specified) == ("/", "127.0.0.1", False)


def test_over_http_the_cookie_is_not_secure(client: requests.Session, url: str) -> None:
    log_in(client, url)
    assert not cookie_of(client).secure


def test_over_https_the_cookie_is_secure_and_the_session_kept(
    client: requests.Session, https_url: str, certificate: Path
) -> None:
    client.verify = str(certificate)
    log_in(client, https_url, "Ada")
    assert cookie_of(client).secure
    assert who(client, https_url) == "Ada"


def test_a_secure_cookie_is_not_sent_over_http_and_still_there_for_https(
    client: requests.Session, https_url: str, url: str, certificate: Path
) -> None:
    client.verify = str(certificate)
    log_in(client, https_url, "Ada")
    assert who(client, url) == "nobody"
    assert who(client, https_url) == "Ada"


def test_a_log_out_over_https_leaves_no_cookie(
    client: requests.Session, https_url: str, certificate: Path
) -> None:
    client.verify = str(certificate)
    log_in(client, https_url)
    log_out(client, https_url)
    assert list(client.cookies) == []


# Counted


def test_curl_with_a_cookie_jar_counts_up(counter: str, tmp_path: Path) -> None:
    curl = program("curl")
    jar = str(tmp_path / "jar")
    command = [curl, "--silent", "--cookie", jar, "--cookie-jar", jar, counter]
    pages = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
        for _ in range(3)
    ]
    assert pages == COUNTED


def test_a_forged_twin_in_the_jar_stops_no_client_from_counting(
    client: requests.Session, counter: str
) -> None:
    client.cookies.set("session", "WzAseyJ2aXNpdHMiOjk5OX1d.awDZXg.forged")
    assert [client.get(counter, timeout=SECONDS).text for _ in range(3)] == COUNTED
    assert len(client.cookies) == 2
