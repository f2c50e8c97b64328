"""A log-in by OAuth with Authlib's Flask client, with Flask's session and with ours.

Its tests are not in its source archive.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import flask
import pytest
from flask import session
from werkzeug.test import TestResponse

from tests.peers.flask_sites import MakeApp, each_way
from tests.processes import require

PROVIDER = "https://provider.test"
TOKEN = {"access_token": "a", "token_type": "bearer", "expires_in": 3600, "refresh_token": "r"}


@pytest.fixture
def provider() -> Iterator[Any]:
    """The provider of the account, which answers what its tokens are asked for."""
    require("authlib")
    require("responses")
    import responses

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.post(f"{PROVIDER}/token", json=TOKEN)
        mock.post(f"{PROVIDER}/request", body="oauth_token=t&oauth_token_secret=s")
        mock.post(f"{PROVIDER}/access", body="oauth_token=a&oauth_token_secret=b")
        yield mock


def site(make: MakeApp, **endpoints: str) -> flask.Flask:
    """Return an application that logs in by these endpoints, and keeps the token."""
    from authlib.integrations.flask_client import OAuth

    app = make()
    client = OAuth(app).register("provider", client_id="id", client_secret="secret", **endpoints)

    @app.get("/login")
    def log_in() -> Any:
        return client.authorize_redirect("http://localhost/back")

    @app.get("/back")
    def back() -> str:
        session["token"] = client.authorize_access_token()
        return "logged in"

    @app.get("/token")
    def token() -> dict[str, Any]:
        return dict(session["token"])

    return app


def asked(response: TestResponse) -> dict[str, str]:
    """Return what the browser is told to ask the provider."""
    return {name: value for name, [value] in parse_qs(urlsplit(response.location).query).items()}


@each_way
def test_oauth_2_keeps_its_state_and_its_token_in_the_session(make: MakeApp, provider: Any) -> None:
    app = site(make, access_token_url=f"{PROVIDER}/token", authorize_url=f"{PROVIDER}/authorize")
    client = app.test_client()
    state = asked(client.get("/login"))["state"]
    assert client.get("/back", query_string={"code": "c", "state": state}).text == "logged in"
    kept = client.get("/token").get_json()
    assert {name: kept[name] for name in TOKEN} == TOKEN


@each_way
def test_oauth_2_refuses_the_state_of_another_session(make: MakeApp, provider: Any) -> None:
    from authlib.integrations.base_client import MismatchingStateError

    app = site(make, access_token_url=f"{PROVIDER}/token", authorize_url=f"{PROVIDER}/authorize")
    state = asked(app.test_client().get("/login"))["state"]
    with pytest.raises(MismatchingStateError):
        app.test_client().get("/back", query_string={"code": "c", "state": state})


@each_way
def test_oauth_1_keeps_its_request_token_in_the_session(make: MakeApp, provider: Any) -> None:
    app = site(
        make,
        request_token_url=f"{PROVIDER}/request",
        access_token_url=f"{PROVIDER}/access",
        authorize_url=f"{PROVIDER}/authorize",
    )
    client = app.test_client()
    token = asked(client.get("/login"))["oauth_token"]
    assert client.get("/back", query_string={"oauth_token": token, "oauth_verifier": "v"})
    assert client.get("/token").get_json() == {"oauth_token": "a", "oauth_token_secret": "b"}
