"""What is seldom asked of SessionMiddleware: no session in the environ, or none to be had."""

from typing import Any

import pytest
from werkzeug.datastructures import Headers

from sessionware import ConfigurationError, NullSession, SessionInterface, SessionMiddleware
from tests.gateway import KEY, call, make_environ, run
from tests.test_middleware_protocol import App, saved


def test_session_that_was_taken_out_of_the_environ_is_saved_all_the_same() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ.pop("session")["user"] = "ada"
        start_response("200 OK", [])
        return []

    assert saved(call(SessionMiddleware(app, KEY))) == {"user": "ada"}


def test_null_session_of_one_s_own_is_made_for_its_request() -> None:
    class Down(SessionInterface):
        def open_session(self, environ: Any) -> None:
            return None

        def save_session(self, environ: Any, session: Any, headers: Headers) -> None:
            raise AssertionError

        def make_null_session(self, environ: Any) -> NullSession:
            asked.append(environ)
            return NullSession()

    asked: list[Any] = []
    environ = make_environ()
    run(SessionMiddleware(App("list", App.look), interface=Down()), environ)
    assert len(asked) == 1
    assert asked[0] is environ


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"app": 7}, "app: found int, expected a WSGI application, which is callable"),
        ({"environ_key": ""}, "environ_key: found an empty str, expected a str that is not empty"),
        ({"environ_key": 7}, "environ_key: found int, expected a str that is not empty"),
    ],
)
def test_argument_that_cannot_be_meant_is_refused(arguments: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SessionMiddleware(**{"app": App(), "secret_key": KEY} | arguments)
    assert caught.value.problems == (problem,)
