"""``session_transaction`` with a url that the cookie does not belong to."""

from typing import Any

import pytest
import requests
from werkzeug.test import Client

from sessionware import SessionMiddleware
from sessionware.errors import UsageError
from sessionware.testing import session_transaction
from tests.gateway import KEY
from tests.unit.test_middleware import count


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (Client, {"cookie_path": "/app"}),
        (Client, {"cookie_domain": "example.com"}),
        (lambda _: requests.Session(), {"cookie_path": "/app"}),
        (lambda _: requests.Session(), {"cookie_domain": "example.com"}),
        (lambda _: requests.Session(), {"cookie_secure": True}),
    ],
)
def test_cookie_that_the_client_does_not_send_there_is_an_error(
    make: Any, settings: dict[str, Any]
) -> None:
    middleware = SessionMiddleware(count, KEY, **settings)
    with (
        pytest.raises(UsageError) as caught,
        session_transaction(make(middleware), middleware) as session,
    ):
        session["n"] = 1
    assert str(caught.value) == (
        "url: the client sends the cookie 'session' not to 'http://localhost/': give a url that "
        "the cookie's domain, path and Secure allow"
    )
