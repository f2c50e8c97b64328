"""What is seldom asked of SessionMiddleware: no session in the environ, or none to be had."""

from collections.abc import Callable
from secrets import token_hex
from typing import Any

import pytest
from werkzeug.datastructures import Headers

from sessionware import (
    ConfigurationError,
    NullSession,
    SessionInterface,
    SessionMiddleware,
    SessionMixin,
    SessionTooLarge,
)
from tests.gateway import KEY, call, make_environ, run
from tests.unit.test_middleware_protocol import App, saved


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


class Closing(list[bytes]):
    """A body that does something when it is closed."""

    def __init__(self, close: Callable[[], object]) -> None:
        self.close = close


@pytest.mark.parametrize("last", ["change", "write"])
def test_session_error_is_not_hidden_by_what_the_body_does_when_it_is_closed(last: str) -> None:
    def app(environ: Any, start_response: Any) -> Closing:
        session = environ["session"]
        session["large"] = token_hex(4096)
        write = start_response("200 OK", [])
        return Closing({"change": lambda: session.update(a=1), "write": lambda: write(b"")}[last])

    with pytest.raises(SessionTooLarge):
        call(SessionMiddleware(app, KEY))


def test_sub_request_with_a_session_of_the_application_s_own_is_refused() -> None:
    class Own(dict[str, Any], SessionMixin):
        pass

    def app(environ: Any, start_response: Any) -> Any:
        environ["session"] = Own()
        return middleware(environ, start_response)

    middleware = SessionMiddleware(app, KEY)
    with pytest.raises(ConfigurationError, match="a session that this SessionMiddleware has not"):
        call(middleware)


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
