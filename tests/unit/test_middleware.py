"""The session that a request finds, and who saves it."""

import gc
import threading
import weakref
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from sessionware import Session, SessionInterface, SessionMiddleware
from sessionware.errors import ConfigurationError, LateWrite, SessionTooLarge, UsageError
from tests.gateway import KEY, Response, call, make_environ, run
from tests.unit.test_middleware_protocol import OK, TEXT, App, Step, every_shape, saved, serve


def count(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Count the requests of a session."""
    start(OK, TEXT)
    environ["session"]["n"] = environ["session"].get("n", 0) + 1
    yield b"body"


# The session


@every_shape
def test_change_after_start_response_is_saved(shape: str) -> None:
    response = serve(App(shape, App.log_in))
    assert (response.status, response.data) == (OK, b"body")
    assert saved(response) == {"user": "ada"}


@every_shape
@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_change_is_saved_where_there_is_no_body(shape: str, status: str, method: str) -> None:
    app = App(shape, App.log_in, chunks=())
    response = serve(lambda env, go: app(env, lambda *_: go(status, [])), REQUEST_METHOD=method)
    assert (response.status, response.chunks) == (status, [])
    assert saved(response) == {"user": "ada"}


@every_shape
def test_change_after_the_commit_raises_late_write(shape: str) -> None:
    with pytest.raises(LateWrite):
        serve(App(shape, later=App.log_in))


@every_shape
@pytest.mark.parametrize("first", [id, App.look], ids=["first look", "second look"])
def test_reading_goes_on_after_the_commit(shape: str, first: Step) -> None:
    app = App(shape, first, later=App.look)
    serve(app, serve(App("list", App.log_in)).cookie)
    assert app.seen == {"user": "ada"}


@every_shape
def test_header_list_of_the_application_is_never_changed(shape: str) -> None:
    """``TEXT`` is the module's: what is added to it for Alice would reach Bob."""
    alice, bob = serve(App(shape, App.log_in)), serve(App(shape))
    assert saved(alice) == {"user": "ada"}
    assert bob.header_list == TEXT == [("Content-Type", "text/plain")]


# The environ


def test_session_is_in_the_environ_under_the_key_of_its_setting() -> None:
    run(SessionMiddleware(App(), KEY, environ_key="mine"), environ := make_environ())
    assert (type(environ["mine"]), "session" in environ) == (Session, False)


@pytest.mark.parametrize(("first", "records"), [(id, 0), (App.look, 1)])
def test_cookie_is_verified_on_first_use_only(first: Step, records: int, caplog: Any) -> None:
    caplog.set_level("INFO", "sessionware")
    serve(App("list", first), "session=forged")
    assert len(caplog.records) == records


@every_shape
@pytest.mark.parametrize("first", [App.log_in, App.fail, App.overfill])
@pytest.mark.parametrize("leave_after", [None, 0])
def test_environ_may_be_used_again(shape: str, first: Step, leave_after: Any) -> None:
    """It counts as another request as soon as the one before is over, however that ended."""
    environ, middleware = make_environ(), SessionMiddleware(App(shape, first), KEY)
    with suppress(KeyError, SessionTooLarge):
        run(middleware, environ, leave_after=leave_after)
    middleware.app, environ["HTTP_COOKIE"] = count, serve(count).cookie
    assert saved(run(middleware, environ)) == {"n": 2}


@pytest.mark.parametrize("found", [{}, "", 0, []])
def test_something_else_under_the_environ_key_is_a_clear_error(found: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        serve(count, session=found)
    assert caught.value.problems == (
        f"environ_key: found {type(found).__name__} in environ['session'] already, expected "
        "nothing there: wrap the application once, or give this SessionMiddleware another "
        "environ_key and another cookie_name",
    )


def test_two_middlewares_with_one_environ_key_are_a_clear_error() -> None:
    with pytest.raises(ConfigurationError) as caught:
        serve(SessionMiddleware(count, KEY, cookie_name="inner"))
    assert str(caught.value) == (
        "sessionware is configured wrongly:\n"
        "environ_key: found a session that this SessionMiddleware has not opened in "
        "environ['session'] already, expected nothing there: wrap the application once, or give "
        "this SessionMiddleware another environ_key and another cookie_name"
    )


@every_shape
def test_two_middlewares_with_keys_and_cookies_of_their_own_work_together(shape: str) -> None:
    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        environ["outer"]["n"] = environ["outer"].get("n", 0) + 1
        return App(shape, App.log_in)(environ, start)

    inner = SessionMiddleware(app, KEY)
    outer = SessionMiddleware(inner, KEY, environ_key="outer", cookie_name="outer")
    cookies = call(outer).headers.getlist("Set-Cookie")
    run(outer, environ := make_environ("; ".join(cookies)))
    assert (environ["session"], environ["outer"]) == ({"user": "ada"}, {"n": 2})


every_environ = pytest.mark.parametrize("derive", [dict, lambda environ: environ])


def with_sub_request(derive: Any, when: str) -> tuple[Response, ...]:
    """Give a response, and that to a sub-request which counts, sent ``first`` or ``later``."""

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return (outer if environ.pop("test.outer", False) else count)(environ, start)

    def ask(outer: App) -> None:
        inner.append(run(middleware, derive(outer.environ)))

    outer, middleware = App(**{when: ask}), SessionMiddleware(app, KEY)  # type: ignore[arg-type]
    inner: list[Response] = []
    return call(middleware, test__outer=True), *inner


@every_environ
def test_sub_request_shares_the_session_and_the_outer_call_commits(derive: Any) -> None:
    outer, inner = with_sub_request(derive, "first")
    assert (saved(outer), inner.header_list) == ({"n": 1}, TEXT)


@every_environ
def test_sub_request_after_the_outer_commit_has_a_session_of_its_own(derive: Any) -> None:
    outer, inner = with_sub_request(derive, "later")
    assert (outer.header_list, saved(inner)) == (TEXT, {"n": 1})


class Environ(dict[str, Any]):
    """An environ that a weak reference may point to."""


@every_shape
@pytest.mark.parametrize("step", [App.log_in, App.overfill, App.replace, App.replace_and_fail])
def test_environ_is_freed_with_its_request(shape: str, step: Step) -> None:
    """No reference cycle leads through it, so it need not wait for the garbage collector."""

    def answer(environ: Any) -> Any:
        with suppress(KeyError, SessionTooLarge), closing(app(environ, lambda *_: bool)) as body:
            list(body)
        return weakref.ref(environ)

    app: Any = SessionMiddleware(lambda *given: App(shape, step)(*given), KEY)
    gc.disable()
    try:
        there = answer(Environ(make_environ()))
        assert there() is None
    finally:
        gc.enable()


# Many requests


def greet(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Log in whom the query names, and let another request come before the body begins."""
    start(OK, TEXT)
    environ["session"]["user"] = environ["QUERY_STRING"]
    environ["test.other"]()
    yield b"body"


def test_requests_in_two_threads_do_not_mix() -> None:
    middleware, meet = SessionMiddleware(greet, KEY), threading.Barrier(2, timeout=10).wait
    with ThreadPoolExecutor(2) as pool:
        ada = pool.submit(call, middleware, QUERY_STRING="ada", test__other=meet)
        bob = pool.submit(call, middleware, QUERY_STRING="bob", test__other=meet)
    assert (saved(ada.result()), saved(bob.result())) == ({"user": "ada"}, {"user": "bob"})


@every_shape
def test_middleware_keeps_nothing_of_a_request(shape: str) -> None:
    middleware = SessionMiddleware(App(shape, App.log_in), KEY)
    before = vars(middleware).copy(), vars(middleware.interface).copy()
    call(middleware)
    assert (vars(middleware), vars(middleware.interface)) == before


@every_shape
def test_session_that_was_replaced_is_an_error_that_says_so(shape: str) -> None:
    def replace(app: App) -> None:
        app.environ["session"] = {"user": "ada"}

    with pytest.raises(UsageError) as caught:
        serve(App(shape, replace))
    assert str(caught.value) == (
        "environ['session'] was replaced by a dict, which is not saved: change the session "
        "that is there, with clear() and update()"
    )


# The settings


def problems(*secret_key: Any, app: object = count, **settings: Any) -> tuple[str, ...]:
    """Give the problems that the middleware finds in its settings."""
    construct: Any = SessionMiddleware
    with pytest.raises(ConfigurationError) as caught:
        construct(app, *secret_key, **settings)
    return caught.value.problems


def test_app_environ_key_and_interface_are_public() -> None:
    middleware = SessionMiddleware(
        count, environ_key="mine", interface=(mine := SessionInterface())
    )
    assert (middleware.app, middleware.environ_key, middleware.interface) == (count, "mine", mine)


def test_interface_is_refused_together_with_settings_and_beside_every_other_problem() -> None:
    assert problems(KEY, app=None, environ_key=b"a", interface=SessionInterface(), salt="") == (
        "app: found NoneType, expected a WSGI application, which is callable",
        "environ_key: found bytes, expected a str that is not empty",
        "interface: found together with secret_key, salt, which it replaces",
    )


@pytest.mark.parametrize(("interface", "found"), [(SessionInterface, "type"), ("cookie", "str")])
def test_interface_that_is_no_session_interface_is_refused(interface: Any, found: str) -> None:
    problem = f"interface: found {found}, expected a SessionInterface()"
    assert problems(interface=interface) == (problem,)


@pytest.mark.parametrize("name", ["secret_key", "environ_key", "interface", "cookie_name"])
def test_unknown_setting_is_refused_with_the_nearest_known_name(name: str) -> None:
    typo = name[:-2] + name[-1]
    assert problems(**{typo: 1}) == (f"{typo}: unknown setting; did you mean {name}?",)


def test_every_problem_is_in_one_message() -> None:
    settings = {"environ_key": "", "cookie_name": "a b", "idle_timeout": -1, "cookie_pth": "/"}
    found = problems("short", app=None, **settings)
    assert {problem.partition(":")[0] for problem in found} == {"app", "secret_key", *settings}
