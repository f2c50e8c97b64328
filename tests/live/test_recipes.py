"""The recipes of examples/README.md and the pages beside it: each does what its text says."""

import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from datetime import timedelta
from http.cookiejar import CookieJar
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import requests
from webtest import TestApp

from sessionware import Session, SessionMiddleware, SessionUnavailable, UnserializableValue
from sessionware.redis import RedisStore
from sessionware.settings import from_settings
from tests.conftest import Clock
from tests.gateway import KEY, call, make_environ
from tests.live.caches import nginx, nginx_with
from tests.live.certificates import Certificate, make_certificate
from tests.live.pages import EXAMPLES, PYRAMID, README, block, blocks, cells, counter, executed
from tests.live.recipe_app import app as shop
from tests.processes import ROOT, require, serving, wait_for
from tests.sites import (
    MemoryRevocations,
    MemoryStore,
    Site,
    act_out,
    count,
    data_of,
    owner_of,
    untouched,
)
from tests.stores.sentinel import NAME, Trio
from tests.stores.servers import RedisServer
from tests.unit.foreign_cookies import KEY as THEIRS
from tests.unit.foreign_cookies import NOW, SIGN


def log_in(session: Session) -> None:
    session.owner = "ann"


def down() -> MemoryStore:
    """Return a store in which no session can be begun."""

    class Down(MemoryStore):
        def create(self, key: str, *_: object, **__: object) -> bool:
            raise SessionUnavailable("down")

    return Down()


# nginx

TLS = """
server {
    listen 127.0.0.1:{port} ssl;
    ssl_certificate CHAIN;
    ssl_certificate_key KEY;
    LOCATION
}
"""
LENGTH = 3920
"""Of a note whose cookie is over 3.9 KB."""
OTHERS_ONLY = "--forwarded-allow-ips=10.0.0.1"
"""What makes gunicorn believe nothing that a proxy on this machine says."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def through_nginx(
    certificate: Certificate, app: str, *arguments: str, location: str = ""
) -> list[requests.Response]:
    """Keep a long note in the application, and read it again, through nginx and over https."""
    [recipe] = blocks("nginx", EXAMPLES)
    with serving(f"tests.live.recipe_app:{app}", *arguments, env={}) as url:
        location = (location or recipe).replace("http://127.0.0.1:8000", url)
        site = TLS.replace("CHAIN", str(certificate.chain)).replace("KEY", str(certificate.key))
        with (
            nginx_with(site.replace("LOCATION", location)) as address,
            requests.Session() as visitor,
        ):
            paths, trusted = (f"?length={LENGTH}", ""), str(certificate.chain)
            return [
                visitor.get(f"https://{address}/{path}", timeout=10, verify=trusted)
                for path in paths
            ]


@pytest.mark.parametrize(
    ("app", "arguments", "secure"),
    [
        ("notes", [], True),
        ("notes", [OTHERS_ONLY], False),
        ("notes_of_https", [OTHERS_ONLY], True),
    ],
)
def test_the_cookie_behind_nginx_is_secure_if_the_server_or_proxyfix_believes_nginx(
    certificate: Certificate, app: str, arguments: list[str], secure: bool
) -> None:
    first, _ = through_nginx(certificate, app, *arguments)
    assert ("; Secure" in first.headers["Set-Cookie"]) is secure


def test_nginx_passes_on_a_cookie_over_3900_bytes_in_both_directions(
    certificate: Certificate,
) -> None:
    first, second = through_nginx(certificate, "notes")
    assert len(first.headers["Set-Cookie"].partition(";")[0]) > 3900
    assert second.text == str(LENGTH)


def test_nginx_answers_502_to_such_a_cookie_without_the_larger_buffer(
    certificate: Certificate,
) -> None:
    [recipe] = blocks("nginx", EXAMPLES)
    location = re.sub("proxy_buffer_size .*;", "", recipe)
    assert through_nginx(certificate, "notes", location=location)[0].status_code == 502


# A log-in that comes back by POST


def test_a_callback_by_post_is_sent_again_with_the_cookie_and_the_cart_is_kept() -> None:
    user = "<b>'Ann' & \"Co.\"</b>"
    browser = TestApp(shop)
    browser.get("/cart")
    sent_back = TestApp(shop).post("/callback", {"user": user})  # from another site: no cookie
    assert "Set-Cookie" not in sent_back.headers
    form = sent_back.form
    assert browser.post(form.action, form.submit_fields()).text == f"{user}: ['tea']"


# Two applications on one host


def visits_in_turn(*apps: SessionMiddleware) -> list[str]:
    """Visit the applications in turn, and again, as one browser on two ports of one host."""
    jar = CookieJar()
    browsers = [
        TestApp(app, cookiejar=jar, extra_environ={"HTTP_HOST": f"localhost:{port}"})
        for port, app in enumerate(apps, 8000)
    ]
    return [browser.get("/").text for browser in browsers * 2]


def test_two_applications_on_one_host_keep_their_sessions_under_two_names() -> None:
    app = executed(block('cookie_name="admin"'))["app"]
    assert visits_in_turn(SessionMiddleware(counter, KEY), app) == ["1", "1", "2", "2"]


def test_two_applications_on_one_host_overwrite_each_other_s_with_two_salts() -> None:
    app = SessionMiddleware(counter, KEY, salt="admin")
    assert visits_in_turn(SessionMiddleware(counter, KEY), app) == ["1", "1", "1", "1"]


# Several domains


def test_each_of_several_domains_has_sessions_of_its_own() -> None:
    app = executed(block("get_host"))["app"]
    cookie = call(app, HTTP_HOST="shop.test").cookie
    visits = [call(app, cookie, HTTP_HOST=f"{name}.test").data for name in ("shop", "blog")]
    assert visits == [b"2", b"1"]
    assert call(app, HTTP_HOST="unknown.test").status == "404 NOT FOUND"


# Polling that keeps no session alive


@pytest.fixture
def polled(clock: Clock) -> Any:
    return executed(block('"/poll"'), app=act_out)["app"]


def test_polling_issues_no_cookie_and_another_request_does(polled: Any, clock: Clock) -> None:
    cookie = call(polled, test__act=count).cookie
    clock.advance(1000)
    polling = call(polled, cookie, PATH_INFO="/poll", test__act=data_of)
    assert (polling.set_cookie, polling.headers["Cache-Control"]) == (None, "no-store")
    assert call(polled, cookie, test__act=data_of).set_cookie is not None


def test_polling_keeps_no_session_alive(polled: Any, clock: Clock) -> None:
    cookie = call(polled, test__act=count).cookie
    found = []
    for _ in range(3):
        clock.advance(700)
        environ = make_environ(cookie, PATH_INFO="/poll", test__act=data_of)
        [*polled(environ, lambda *_: None)]
        found.append(environ["test.result"])
    assert found == [{"n": 1}, {"n": 1}, None]


def test_a_change_while_polling_is_saved(polled: Any) -> None:
    assert call(polled, PATH_INFO="/poll", test__act=count).set_cookie is not None


# A cache that ignores Vary


@pytest.mark.parametrize(("app", "seen"), [("app", "ann"), ("never_cached", "bob")])
def test_a_cache_that_ignores_vary_keeps_no_page_of_the_recipe(app: str, seen: str) -> None:
    with (
        serving(f"tests.live.recipe_app:{app}", env={}) as url,
        nginx(url.removeprefix("http://"), "proxy_ignore_headers Vary;") as cache,
    ):
        for user in ("ann", "bob"):
            with requests.Session() as browser:
                browser.post(f"http://{cache}/", {"user": user}, timeout=10)
                page = browser.get(f"http://{cache}/", timeout=10).text
    assert page == f"{seen}: []"


# Websockets


def test_a_log_out_is_noticed_while_a_connection_is_open(clock: Clock) -> None:
    names = executed(block("def user_of"), app=act_out, store=MemoryStore())
    sessions = names["sessions"]
    handshake = make_environ(call(sessions, test__act=log_in).cookie)
    users = [names["user_of"](handshake)]
    call(sessions, handshake["HTTP_COOKIE"], test__act=Session.invalidate)
    users.append(names["user_of"](handshake))
    assert users == ["ann", None]


def test_an_open_connection_loses_its_user_at_the_idle_timeout_of_its_handshake(
    clock: Clock,
) -> None:
    names = executed(block("def user_of"), app=act_out, store=MemoryStore())
    handshake = make_environ(call(names["sessions"], test__act=log_in).cookie)
    clock.advance(32 * 86400)
    assert names["user_of"](handshake) is None


# Redis behind Sentinel


def test_a_session_behind_sentinel_outlives_a_fail_over(tmp_path: Path) -> None:
    recipe = block("Sentinel(watchers")
    assert f'master_for("{NAME}"' in recipe
    with Trio(tmp_path) as trio:
        app = executed(recipe, watchers=[("127.0.0.1", trio.port)])["app"]
        cookie = call(app).cookie
        trio.catch_up()
        trio.fail_over()
        wait_for(trio.is_promoted, "the replica is the primary")
        trio.demote()
        assert call(app, cookie).data == b"2"


# The secret key in a file


def test_the_file_s_first_key_signs_and_the_others_are_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, old, new = tmp_path / "key", "former-key" * 4, "latest-key" * 4
    file.write_text(f"{new}\n{old}\n")
    monkeypatch.setenv("SECRET_KEY_FILE", str(file))
    app = executed(block("SECRET_KEY_FILE"))["app"]
    former = call(SessionMiddleware(counter, old)).cookie
    second = call(app, former)
    assert second.data == b"2"
    assert call(SessionMiddleware(counter, new), second.cookie).data == b"3"


# A health check


def test_a_view_that_leaves_its_session_alone_asks_no_store_and_sets_no_cookie() -> None:
    store = MemoryStore()
    site = Site(store=store)
    cookie = site.log_in()
    store.asked.clear()
    assert site.visit(untouched, cookie).response.set_cookie is None
    assert store.asked == []


@pytest.mark.parametrize(
    ("store", "is_up"),
    [(MemoryStore(), True), (RedisStore.from_url("redis://127.0.0.1:1/0"), False)],
)
def test_the_health_check_tells_whether_the_store_answers(store: Any, is_up: bool) -> None:
    assert executed(block("def is_store_up"), store=store)["is_store_up"]() is is_up


# A check at the start

RULES = re.findall(r"`([~+][^`]*)`", re.findall(r"An ACL has [^.]*\.", README.read_text())[0])[:2]


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


def test_the_check_at_the_start_leaves_nothing_in_a_store_that_works() -> None:
    store = MemoryStore()
    store.sessions_of = lambda _: []  # type: ignore[attr-defined]
    executed(block("def check_store"), store=store)
    assert {"create", "load", "replace", "touch", "delete"} <= {*store.asked}
    assert store.kept == {}


def test_the_check_at_the_start_fails_if_the_store_does_not_answer() -> None:
    store = RedisStore.from_url("redis://127.0.0.1:1/0")
    with pytest.raises(SessionUnavailable, match="Check that the server is up"):
        executed(block("def check_store"), store=store)


@pytest.mark.parametrize("denied", re.findall(r"\+(\w+)", " ".join(RULES)))
def test_the_check_at_the_start_names_a_right_that_is_lacking(
    redis_server: RedisServer, denied: str
) -> None:
    """But for SCAN, which only revoke_all needs."""
    rules = [rule for rule in " ".join(RULES).split() if rule != f"+{denied}"]
    with redis_server.client() as admin:
        admin.execute_command("ACL SETUSER", "shop", "reset", "on", ">password", *rules)
    with redis_server.client(username="shop", password="password") as client:
        store = RedisStore(client, "shop:")
        if denied == "scan":
            executed(block("def check_store"), store=store)
            return
        with pytest.raises(SessionUnavailable, match=rf"NOPERM .*\+{denied}\."):
            executed(block("def check_store"), store=store)


def test_the_check_at_the_start_says_that_the_table_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("sqlalchemy")
    sql: Any = import_module("sessionware.sql")
    store = sql.SQLStore(f"sqlite:///{tmp_path / 'sessions.db'}")
    # As in a database that does not make it by itself.
    monkeypatch.setattr(sql.SQLStore, "_may_try_again", lambda *_: False)
    with pytest.raises(SessionUnavailable, match=r"call create_table\(\) of the SQLStore"):
        executed(block("def check_store"), store=store)
    store.engine.dispose()


# A log-out that clears the browser


def test_the_log_out_clears_what_the_browser_has_and_not_the_message() -> None:
    browser = TestApp(shop)
    browser.post("/", {"user": "ann"})
    out = browser.get("/logout")
    assert out.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert browser.get("/").request.environ["session"].owner is None
    assert out.request.environ["session"].peek_flash() == ["You are logged out."]


# The time-outs of NIST SP 800-63B-4

ROWS = [row for row in cells(EXAMPLES.read_text(encoding="utf-8")) if row[0].startswith("AAL")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]))
def test_the_time_outs_of_nist_end_an_idle_session_and_one_in_use(
    row: list[str], clock: Clock
) -> None:
    names = {"timedelta": timedelta}
    limits = {
        name: eval(text.strip("`"), names)  # noqa: S307 - the page's
        for name, text in zip(("absolute_timeout", "idle_timeout"), row[1:], strict=True)
        if text != "any"
    }
    site = Site(**limits, refresh_after=0)
    step = min(limits.values())
    in_use = idle_cookie = site.log_in()
    for _ in range(limits["absolute_timeout"] // step):
        clock.advance(step.total_seconds())
        page = site.visit(data_of, in_use)
        in_use = page.cookie
        assert page.result == {}
    clock.advance(1)
    assert [site.read(cookie) for cookie in (in_use, idle_cookie)] == [None, None]
    assert site.read(site.log_in()) == {}


# Beaker


class Price:
    """An object that has no place in a session of ours."""


class Move:
    """A site before and after it has left Beaker, and the browser of a user."""

    def __init__(self, folder: Path, kind: str = "file", **ours: Any) -> None:
        require("beaker")
        beaker = import_module("beaker.middleware").SessionMiddleware
        settings = {"type": kind, "data_dir": str(folder), "secret": KEY, "validate_key": KEY}
        reader = executed(block("class ReadByBeaker"), folder=str(folder))["ReadByBeaker"]
        self.app = SessionMiddleware(act_out, KEY, **ours, migrate_from=[reader(**settings)])
        self.former = beaker(act_out_on_beaker, {f"session.{k}": settings[k] for k in settings})
        self.jar = CookieJar()
        self.begin({"user_id": "ann", "cart": ["tea"]})
        self.cookie = "; ".join(f"{each.name}={each.value}" for each in self.jar)

    def begin(self, data: dict[str, Any]) -> None:
        TestApp(self.former, {"test.data": data}, cookiejar=self.jar).get("/")

    def visit(self, act: Any, cookie: str = "") -> Any:
        """Return what the act returned, in the browser or with a copy of a cookie."""
        jar = CookieJar() if cookie else self.jar
        headers = {"Cookie": cookie} if cookie else {}
        answer = TestApp(self.app, {"test.act": act}, cookiejar=jar).get("/", headers=headers)
        return answer.request.environ["test.result"]

    def owner_after_a_slow_page(self) -> Any:
        """Return who is logged in once a page is answered that a log-out in another tab outran."""

        def slow(session: Session) -> None:
            assert session.owner == "ann"
            other = TestApp(self.app, {"test.act": owner_of}, cookiejar=CookieJar())
            other.get("/", headers={"Cookie": self.cookie})
            other.get("/", extra_environ={"test.act": Session.invalidate})

        self.visit(slow)
        return self.visit(owner_of)


def act_out_on_beaker(environ: Any, start_response: Any) -> list[bytes]:
    environ["beaker.session"].update(environ["test.data"])
    environ["beaker.session"].save()
    start_response("200 OK", [])
    return []


LASTING: list[Callable[[], dict[str, Any]]] = [
    lambda: {"store": MemoryStore()},
    lambda: {"revocations": MemoryRevocations()},
]


@pytest.mark.parametrize("kind", ["file", "cookie"])
def test_a_session_that_only_beaker_can_read_is_taken_over(kind: str, tmp_path: Path) -> None:
    """Beaker keeps it in a file, or in a cookie as a pickle."""
    move = Move(tmp_path, kind)
    assert [move.visit(owner_of) for _ in range(2)] == ["ann", "ann"]
    assert move.visit(data_of) == {"user_id": "ann", "cart": ["tea"]}
    assert [cookie.name for cookie in move.jar] == ["session"]


@pytest.mark.parametrize("cookie", ["beaker.session.id=junk", "beaker.session.id="])
def test_a_cookie_of_which_beaker_knows_nothing_begins_a_new_session(
    cookie: str, tmp_path: Path
) -> None:
    assert Move(tmp_path).visit(data_of, cookie) is None


@pytest.mark.parametrize("ours", LASTING, ids=["store", "revocations"])
def test_a_session_that_beaker_had_does_not_come_back_after_the_log_out(
    ours: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    move = Move(tmp_path, **ours())
    move.visit(untouched)
    move.visit(Session.invalidate)
    assert move.visit(owner_of, move.cookie) is None


def test_beakers_cookie_in_another_spelling_does_not_come_back_after_the_log_out(
    tmp_path: Path,
) -> None:
    """Beaker takes away any number of quotes."""
    move = Move(tmp_path, store=MemoryStore())
    move.visit(Session.invalidate)
    name, _, value = move.cookie.partition("=")
    assert move.visit(owner_of, f'{name}=""{value}""') is None


@pytest.mark.parametrize("ours", LASTING, ids=["store", "revocations"])
def test_a_page_slower_than_the_log_out_does_not_bring_a_session_of_beakers_back(
    ours: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    assert Move(tmp_path, **ours()).owner_after_a_slow_page() is None


def test_with_signed_cookies_alone_a_slow_page_and_a_copy_log_in_again(tmp_path: Path) -> None:
    move = Move(tmp_path)
    assert move.owner_after_a_slow_page() == "ann"
    move.visit(Session.invalidate)
    assert move.visit(owner_of, move.cookie) == "ann"


def test_what_cannot_be_taken_over_stays_with_beaker(tmp_path: Path) -> None:
    move = Move(tmp_path, store=MemoryStore())
    move.begin({"price": Price()})
    for _ in range(2):
        with pytest.raises(UnserializableValue, match="price"):
            move.visit(owner_of)
    move.begin({"price": 3})
    assert move.visit(data_of) == {"user_id": "ann", "cart": ["tea"], "price": 3}


# Flask


@pytest.mark.parametrize(
    ("act", "page"), [(count, "Please try again in a minute."), (None, "Something went wrong.")]
)
def test_flasks_error_page_tells_a_store_that_is_down(act: Any, page: str) -> None:
    require("flask")
    flask, ours = import_module("flask"), import_module("sessionware.flask")
    site = flask.Flask(__name__)
    site.secret_key = KEY
    executed(block("@site.errorhandler(500)"), site=site)

    ours.Sessions(site, store=down())
    site.add_url_rule("/", view_func=lambda: str(act(flask.session)))
    assert site.test_client().get("/").text == page


@pytest.fixture
def flask_site() -> Any:
    require("flask")
    site = import_module("flask").Flask(__name__)
    site.secret_key = KEY
    import_module("sessionware.flask").Sessions(site, store=MemoryStore())
    return site


def test_the_page_for_flask_logs_in_is_remembered_and_logs_out(flask_site: Any) -> None:
    names = executed(block("def log_in(user_id, remember)"))
    views = {
        "/in": lambda: names["log_in"](7, remember=True),
        "/out": names["log_out"],
        "/": lambda: None,
    }
    for path, view in views.items():
        flask_site.add_url_rule(path, path, lambda view=view: f"{view()}{names['session'].owner}")
    with flask_site.test_client() as client:
        assert "Max-Age" in client.get("/in").headers["Set-Cookie"]
        owners = [client.get(path).text for path in ("/", "/out", "/")]
    assert owners == ["None7", "NoneNone", "NoneNone"]


def test_the_test_of_the_page_for_flask_passes(flask_site: Any) -> None:
    session = import_module("flask").session
    flask_site.add_url_rule("/cart", view_func=lambda: session["cart"])
    executed(block("site.test_client()"), site=flask_site)["test_the_cart_of_a_user"]()


def test_the_page_for_flask_goes_on_from_cookies_to_a_store() -> None:
    require("flask")
    flask, ours = import_module("flask"), import_module("sessionware.flask")

    def client_of(set_up: Callable[[Any], object]) -> Any:
        site = flask.Flask(__name__)
        site.secret_key = KEY
        set_up(site)
        site.add_url_rule("/in", "in", lambda: flask.session.update(owned=1) or "")
        site.add_url_rule("/", "owner", lambda: str(flask.session.get("owned")))
        return site.test_client()

    move = block("cookies = SessionwareCookie")
    before = client_of(ours.Sessions)
    after = client_of(lambda site: executed(move, site=site, secret_key=KEY, store=MemoryStore()))
    before.get("/in")
    after.set_cookie("session", before.get_cookie("session").value)
    assert after.get("/").text == "1"
    assert after.get_cookie("session").value != before.get_cookie("session").value


# Alarms


def test_the_handler_alarms_of_warnings_and_counts_the_rest() -> None:
    logger, alarms = logging.getLogger("sessionware"), list[str]()
    names = executed(block("class Alarms(logging.Handler)"), alarm=alarms.append)
    try:
        Site().read("session=junk")
        Site(secret_key="k" * 20)
    finally:
        logger.setLevel(logging.NOTSET)
        logger.handlers.clear()
    assert names["counts"] == {"malformed": 1, "short_key": 1}
    assert len(alarms) == 1


# Pyramid


def pyramid_site(**settings: Any) -> Any:
    """Return a site that shows its cart and its owner, with these settings."""
    config = import_module("pyramid.config").Configurator(settings=settings)
    config.include("sessionware.pyramid")
    views = {
        "cart": lambda request: request.session.get("cart"),
        "owner": lambda request: request.session.owner,
    }
    for name, view in views.items():
        config.add_route(name, f"/{name}")
        config.add_view(view, route_name=name, renderer="json")
    return config.make_wsgi_app()


def test_the_test_of_the_page_for_pyramid_passes() -> None:
    require("pyramid")
    code = block('app.registry["sessionware"]) as session')
    names = executed(code, main=lambda _, **settings: pyramid_site(**settings))
    names["test_the_cart_of_a_user"]()


def test_the_page_for_pyramid_takes_over_a_former_session(clock: Clock) -> None:
    require("pyramid")
    settings: dict[str, Any] = {"session.secret_key": KEY}
    executed(block('settings["session.migrate_from"]'), settings=settings, old_secret_key=THEIRS)
    data = f'[{NOW},{NOW},{{"user_id":"ann"}}]'
    headers = {"Cookie": f"session={SIGN['Pyramid'](data.encode())}"}
    assert TestApp(pyramid_site(**settings)).get("/owner", headers=headers).json == "ann"


def test_the_ini_file_of_the_page_for_pyramid_has_settings_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_KEY", KEY)
    [part] = blocks("ini", PYRAMID)
    parser = ConfigParser(interpolation=None)
    parser.read_string(part)
    made = from_settings(counter, parser["app:main"])
    assert made.interface.cookie.name == "__Host-session"  # type: ignore[attr-defined]


def test_pyramids_error_page_tells_a_store_that_is_down() -> None:
    require("pyramid")
    config = import_module("pyramid.config").Configurator(
        settings={"session.secret_key": KEY, "session.store": down()}
    )
    config.include("sessionware.pyramid")
    config.add_route("index", "/")
    config.add_view(lambda request: count(request.session), route_name="index", renderer="json")
    app = executed(block("class ErrorPage"))["ErrorPage"](config.make_wsgi_app())
    answer = TestApp(app).get("/", status=503)
    assert answer.text == "Please try again in a minute."
    assert isinstance(app.registry["sessionware"], SessionMiddleware)


# Django


def test_the_page_for_django_is_a_site_whose_tests_pass(tmp_path: Path) -> None:
    require("django")
    require("sqlalchemy")
    arguments = ["test", "tests.live.django_page", "--settings=tests.live.django_settings"]
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", "django", *arguments],
        cwd=tmp_path,  # The page's store is a file there.
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"Ran \d tests", done.stderr)


# The device


@pytest.mark.parametrize(
    ("bound", "ago", "may"), [(True, None, True), (False, 299, True), (False, 301, False)]
)
def test_a_page_asks_for_the_device_or_for_the_password_of_a_moment_ago(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, bound: bool, ago: int | None, may: bool
) -> None:
    monkeypatch.setattr(Session, "device_bound", property(lambda _: bound))

    def act(session: Session) -> Any:
        if ago is not None:
            session["password_given"] = clock.now - ago
        return executed(block("def may_pay"))["may_pay"](session)

    assert Site().visit(act).result is may
