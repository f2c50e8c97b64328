"""``python -m sessionware inspect``: show what a session cookie holds."""

import io
import json
import time
import zlib
from base64 import urlsafe_b64encode
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessionware.__main__ import main
from sessionware.codec import SignedCodec
from sessionware.encryption import EncryptedCodec
from sessionware.serializer import MAX_DEPTH
from sessionware.store import key_of
from tests.conftest import Clock
from tests.gateway import KEY
from tests.unit.extras import hide_cryptography
from tests.unit.first_version import COOKIES
from tests.unit.foreign_cookies import LITERALS, flask_cookie, sign_as_pyramid

OLD = "an-older-key-of-more-than-thirty-two-bytes"
DATA = '[{"user":"Ada","cart":[1,2]},60]'
TOKEN = "n0uEX3-4lXVYbVvJWJyGH8HKEO5VAfqGl4xJb0lDwrE"
MASKED = "h89ZYL3dM0FvgeizfNRBeQKPlCnJlMvcQ36gJWlICa516RdTGqo"
USER = UUID("12345678-1234-5678-1234-567812345678")
NOW = 1_800_000_000  # 2027-01-15T08:00:00Z


def token(text: str = DATA, key: str = KEY, salt: str = "", name: str = "session") -> str:
    return SignedCodec(key, (), salt, name).encode(text, NOW)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Set a secret key, unset the fallback keys, and stop the clock."""
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.delenv("SECRET_KEY_FALLBACKS", raising=False)


@pytest.fixture
def inspect(capsys: pytest.CaptureFixture[str]) -> "Inspect":
    return Inspect(capsys)


class Inspect:
    """Runs the command, and returns its exit status and its output."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str]:
        try:
            status = main(["inspect", *arguments])
        except SystemExit as exit_:
            status = int(exit_.code or 0)
        out, err = self.capsys.readouterr()
        return status, out + err

    def line(self, label: str, *arguments: str) -> str:
        """Return the text after this label."""
        lines = self(*arguments)[1].splitlines()
        [found] = [line for line in lines if line.startswith(f"{label} ")]
        return found.removeprefix(label).strip()


def feed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


WHOLE = token(f'[{{"user":"Ada","cart":[1,2]}},60,"an-id","{MASKED}","ada","stamp"]')
OF_1_0 = token(
    f'[60,{{"user":"Ada","cart":[1,2],"_owner":["ada","stamp"],"_csrft_":"{TOKEN}"}},"an-id"]'
)


def test_it_shows_everything_at_once(inspect: Inspect) -> None:
    """But no CSRF token, no id and no stamp."""
    assert inspect(f"session={WHOLE}") == (
        0,
        """\
cookie     "session"
format     signed, of this version
signature  verifies with the secret key
size       202 of 4096 bytes [##......................................]
issued     2027-01-15T08:00:00Z
created    2027-01-15T07:59:00Z
ends       2027-02-15T08:00:00Z
           idle_timeout of 2678400 seconds (the default)
           no absolute_timeout (the default)
owner      "ada"
key        12 bytes, "user"
key        12 bytes, "cart"
data
{
  "user": "Ada",
  "cart": [
    1,
    2
  ]
}
""",
    )


def test_it_shows_the_same_of_a_cookie_of_version_1_0(inspect: Inspect) -> None:
    """Apart from its format and its size."""

    def lines(cookie: str) -> list[str]:
        shown = inspect(cookie)[1].splitlines()
        return [line for line in shown if not line.startswith(("format", "size"))]

    assert lines(OF_1_0) == lines(WHOLE)


@pytest.mark.parametrize(
    ("owner", "shown"),
    [
        ('"1"', '"1"'),
        ("1", "1"),
        ("0", "0"),
        ('""', '""'),
        (f'{{"!u":"{USER.hex}"}}', f'{{"!u":"{USER.hex}"}}'),
        (r'"\u001b[31m"', r'"\u001b[31m"'),
    ],
)
def test_the_owner_is_shown_as_it_is_written(inspect: Inspect, owner: str, shown: str) -> None:
    """So that 1 and "1" can be told apart."""
    assert inspect.line("owner", token(f"[{{}},0,0,0,{owner}]")) == shown
    assert inspect.line("owner", token(f'[0,{{"_owner":[{owner},""]}}]')) == shown


@pytest.mark.parametrize("text", [DATA, f'[{{}},0,0,"{MASKED}"]', '[{},0,"an-id"]', "[0,{}]"])
def test_a_session_that_nobody_owns_has_no_line_for_it(inspect: Inspect, text: str) -> None:
    assert "owner" not in inspect(token(text))[1]


@pytest.mark.parametrize(
    "text",
    [
        f'[{{}},0,0,"{MASKED}"]',
        f'[{{}},0,0,"{TOKEN}"]',
        f'[0,{{"_csrft_":"{TOKEN}"}}]',
        f'[0,{{"_csrft_":"{TOKEN}","_owner":["ada",""]}},"an-id"]',
    ],
)
def test_a_csrf_token_is_never_shown(inspect: Inspect, text: str) -> None:
    for cookie in (token(text), token(text, key=OLD)):
        shown = inspect(cookie)[1]
        assert shown.endswith("data\n{}\n")
        assert not any(part in shown for part in (TOKEN, MASKED, "_csrft_"))


@pytest.mark.parametrize("key", ["_owner", "_csrft_"])
def test_a_key_that_only_looks_like_that_of_version_1_0_is_data(inspect: Inspect, key: str) -> None:
    status, text = inspect(token(f'[{{"{key}":"x"}},0]'))
    assert status == 0
    assert f'"{key}": "x"' in text


def test_the_empty_cookie_of_a_log_out_is_explained(inspect: Inspect) -> None:
    status, text = inspect(token("[{},0]"))
    assert status == 0
    assert text.endswith("data       none: a log-out has left this in place of the session\n")


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "session={}",
        "  session={} \n",
        "Cookie: session={}",
        "set-cookie:session={}",
        "Set-Cookie: session={}; HttpOnly; Path=/",
        "Cookie: _ga=1; session={}; b=2",
        "Cookie: session={}; session=junk",
        'Cookie: session="{}"',  # as the server takes it
        '"{}"',
        "Cookie: session={}, a=1",
    ],
)
def test_a_cookie_is_taken_in_every_form_it_is_copied_in(inspect: Inspect, form: str) -> None:
    assert inspect(form.format(token()))[0] == 0


def test_a_long_header_is_read_in_linear_time(inspect: Inspect) -> None:
    """The name of a cookie that does not verify is looked for behind 64 KB of another."""
    start = time.perf_counter()
    assert inspect(f"a={'x' * 2**16}; session={token()[:-1]}")[0] == 1
    assert time.perf_counter() - start < 2


def test_standard_input_is_read_without_an_argument(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed(monkeypatch, f"session={token()}\n".encode())
    assert inspect()[0] == 0


def test_the_name_is_taken_from_the_cookie(inspect: Inspect) -> None:
    assert inspect(f"shop={token(name='shop')}")[0] == 0


@pytest.mark.parametrize("form", ["{}", "shop={}", "a=1; shop={}", "renamed={}"])
def test_the_name_can_be_given(inspect: Inspect, form: str) -> None:
    assert inspect("--name=shop", form.format(token(name="shop")))[0] == 0


def test_the_salt_can_be_given(inspect: Inspect) -> None:
    assert inspect("--salt=shop", token(salt="shop"))[0] == 0


def test_the_salt_and_the_name_are_those_of_the_fallback_keys_too(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", OLD)
    assert inspect("--salt=shop", f"a={token(key=OLD, salt='shop', name='a')}")[0] == 0


@pytest.mark.parametrize("wrong", [token(key=OLD), token(salt="x"), token(name="x")])
def test_a_cookie_with_another_signature_does_not_verify(inspect: Inspect, wrong: str) -> None:
    status, text = inspect(wrong)
    assert status == 1
    assert "does NOT verify (bad_signature): anyone may have written what follows" in text
    assert '"user": "Ada"' in text


# What to try for a cookie that does not verify


def hints(inspect: Inspect, *arguments: str) -> list[str]:
    lines = inspect(*arguments)[1].splitlines()
    return [line.removeprefix("try").strip() for line in lines if line.startswith("try ")]


NO_SALT = "--salt: none was given"
ANOTHER_KEY = "another SECRET_KEY, or an older one in SECRET_KEY_FALLBACKS"


@pytest.mark.parametrize("name", ["__Host-session", "__Secure-session"])
def test_the_usual_names_are_tried(inspect: Inspect, name: str) -> None:
    assert hints(inspect, token(name=name)) == [f'--name="{name}", with which it verifies']


@pytest.mark.parametrize("form", ["shop={}", "Cookie: shop={}", "Cookie: shop={}; b=2"])
def test_the_name_that_the_cookie_was_given_with_is_tried(inspect: Inspect, form: str) -> None:
    given = form.format(token(name="shop"))
    assert hints(inspect, "--name=shpo", given) == ['--name="shop", with which it verifies']


def test_no_salt_is_tried_where_one_was_given(inspect: Inspect) -> None:
    assert hints(inspect, "--salt=x", token()) == ["no --salt, with which it verifies"]
    assert hints(inspect, "--salt=x", "--name=x", token()) == [
        '--name="session" and no --salt, with which it verifies'
    ]


def test_a_value_alone_may_have_another_name_salt_or_key(inspect: Inspect) -> None:
    assert hints(inspect, token(name="x")) == [
        '--name: the cookie was given without its name, and "session" was assumed',
        NO_SALT,
        ANOTHER_KEY,
    ]


@pytest.mark.parametrize("wrong", [token(salt="x"), token(key=OLD)])
def test_a_cookie_with_its_name_may_have_another_salt_or_key(inspect: Inspect, wrong: str) -> None:
    assert hints(inspect, f"session={wrong}") == [NO_SALT, ANOTHER_KEY]
    assert hints(inspect, "--name=session", wrong) == [NO_SALT, ANOTHER_KEY]


def test_a_salt_that_was_given_may_be_the_wrong_one(inspect: Inspect) -> None:
    found = hints(inspect, "--salt=y", f"session={token(salt='x')}")
    assert found == ['--salt: "y" was given', ANOTHER_KEY]


def test_an_encrypted_cookie_has_the_same_hints(inspect: Inspect) -> None:
    assert hints(inspect, f"session={encrypted(salt='x')}") == [NO_SALT, ANOTHER_KEY]
    found = hints(inspect, encrypted(cookie_name="__Host-session"))
    assert found == ['--name="__Host-session", with which it verifies']


def test_nothing_is_to_be_tried_where_it_verifies_or_no_key_is_set(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hints(inspect, token()) == hints(inspect, "junk") == []
    monkeypatch.delenv("SECRET_KEY")
    assert hints(inspect, token()) == []


# The format


@pytest.mark.parametrize(
    ("cookie", "shown"),
    [
        (WHOLE, "signed, of this version"),
        (OF_1_0, "signed, of version 1.0"),
        (token('[true,60,"an-id"]'), "signed, of this version"),
        (token('["a text"]'), "signed, but no session"),
        ("junk", "unknown"),
    ],
)
def test_the_format_is_named(inspect: Inspect, cookie: str, shown: str) -> None:
    assert inspect.line("format", cookie) == shown


@pytest.mark.parametrize("name", COOKIES)
def test_the_format_of_version_1_0_is_named(inspect: Inspect, name: str) -> None:
    kind = "encrypted" if COOKIES[name].encrypt else "signed"
    assert inspect.line("format", COOKIES[name].header) == f"{kind}, of version 1.0"


def test_the_format_of_an_encrypted_cookie_is_known_in_part_without_its_key(
    inspect: Inspect,
) -> None:
    assert inspect.line("format", encrypted()) == "encrypted, of this version"
    assert inspect.line("format", encrypted(secret_key=OLD)) == "encrypted"


@pytest.mark.parametrize("key", [KEY, None])
@pytest.mark.parametrize("framework", LITERALS)
def test_a_frameworks_cookie_is_named(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch, framework: str, key: str | None
) -> None:
    if key is None:
        monkeypatch.delenv("SECRET_KEY")
    status, text = inspect(f"session={LITERALS[framework]}")
    assert status == 1
    assert (
        f"format     {framework}'s, which {framework}Cookie in migrate_from takes over\n"
        "signature  not checked, because it is not ours\nsize "
    ) in text


@pytest.mark.parametrize(
    ("payload", "form"),
    [
        (
            "gAR9lC4=",
            "a pickle, which is never read: set data_serializer to 'json' in Beaker first",
        ),
        ("0" * 32, "the id of a session that Beaker has on the server, which cannot be taken over"),
    ],
    ids=["pickle", "id"],
)
def test_a_cookie_of_beakers_that_cannot_be_taken_over_is_named(
    inspect: Inspect, payload: str, form: str
) -> None:
    text = inspect(f"session={'0' * 40}{payload}")[1]
    assert f"format     Beaker's, with {form}\n" in text


@pytest.mark.parametrize("framework", ["Flask", "Starlette"])
def test_what_can_be_read_of_a_frameworks_cookie_is_shown(inspect: Inspect, framework: str) -> None:
    text = inspect(f"session={LITERALS[framework]}")[1]
    assert 'data, but no session that sessionware writes\n{\n  "user": "alice"\n}\n' in text


@pytest.mark.parametrize("payload", [b"{}", b'["a"]', b"\xff", b"[1,2]", b"[" * 9999])
def test_a_cookie_of_another_form_is_not_taken_for_a_frameworks(
    inspect: Inspect, payload: bytes
) -> None:
    assert "Pyramid" not in inspect.line("format", sign_as_pyramid(payload))


def test_a_compressed_cookie_is_of_flask(inspect: Inspect) -> None:
    cookie = flask_cookie("session", {"cart": ["tea"] * 100})
    assert cookie.startswith("session=.")
    assert inspect.line("format", cookie).startswith("Flask's")


@pytest.mark.parametrize("number", [1, 2])
def test_a_fallback_key_is_reported_by_its_number(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    keys = [KEY.replace(" ", "-")] * 2
    keys[number - 1] = OLD
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", " ".join(keys))
    assert inspect.line("signature", token(key=OLD)) == f"verifies with fallback {number}"


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_it_shows_the_unverified_content(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.delenv("SECRET_KEY")
    if key is not None:
        monkeypatch.setenv("SECRET_KEY", key)
    status, text = inspect(token())
    assert status == 1
    assert "not checked, SECRET_KEY is not set: anyone can read what follows" in text
    assert '"user": "Ada"' in text


def test_no_key_is_ever_shown(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", "hunter2")
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    status, text = inspect(token())
    assert status == 2
    assert "secret_key: found 7 bytes" in text
    assert "secret_key_fallbacks[0]: found 7 bytes" in text
    assert "hunter2" not in text


def test_fallback_keys_alone_are_a_usage_error(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECRET_KEY")
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", OLD)
    assert inspect(token())[0] == 2


def test_an_idle_timeout_can_be_given(inspect: Inspect) -> None:
    status, text = inspect("--idle-timeout=60", token())
    assert status == 0
    assert "ends       2027-01-15T08:01:00Z\n" in text
    assert " idle_timeout of 60 seconds\n" in text


def test_the_session_ends_at_the_first_of_both_timeouts(inspect: Inspect) -> None:
    line = inspect.line("ends", "--absolute-timeout=90", token())
    assert line == "2027-01-15T08:00:30Z"


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ('[{"_permanent":true},60]', "2027-01-15T09:00:00Z"),
        ('[60,{"_permanent":true}]', "2027-01-15T09:00:00Z"),
        ('[{"_permanent":false},60]', "2027-01-15T08:01:00Z"),
        ("[{},60,0,0,1]", "2027-01-15T08:01:00Z"),
        ('[null,60,"an-id"]', "2027-01-15T09:00:00Z"),
        ("[{},0]", "2027-01-15T09:00:00Z"),
    ],
)
def test_a_permanent_session_ends_after_its_own_timeout(
    inspect: Inspect, text: str, ends: str
) -> None:
    """The longer timeout applies if the cookie does not tell whether the session is permanent."""
    found = inspect.line("ends", "--idle-timeout=60", "--permanent-timeout=3600", token(text))
    assert found == ends


def test_a_permanent_timeout_is_shown_if_it_is_given(inspect: Inspect) -> None:
    text = inspect("--permanent-timeout=3600", token())[1]
    assert "\n           permanent_timeout of 3600 seconds\n" in text
    assert "permanent_timeout" not in inspect(token())[1]


def test_a_permanent_session_that_has_ended_says_so(inspect: Inspect, clock: Clock) -> None:
    clock.advance(61)
    cookie = token('[{"_permanent":true},60]')
    assert inspect.line("ends", "--permanent-timeout=60", cookie).endswith("(expired_idle)")
    assert "refused" not in inspect.line(
        "ends", "--idle-timeout=60", "--permanent-timeout=61", cookie
    )


def test_a_session_that_has_ended_says_so_and_verifies(inspect: Inspect, clock: Clock) -> None:
    clock.advance(61)
    status, text = inspect("--idle-timeout=60", token())
    assert status == 0
    assert "2027-01-15T08:01:00Z, and is refused now (expired_idle)" in text


def test_bad_timeouts_are_a_usage_error(inspect: Inspect) -> None:
    bad = ("--idle-timeout=nan", "--permanent-timeout=-1", "--absolute-timeout=0")
    status, text = inspect(*bad, token())
    assert status == 2
    assert "idle_timeout: found 'nan', expected a number of seconds, or a number with" in text
    assert "permanent_timeout: found '-1', expected" in text
    assert "absolute_timeout: found '0', expected a duration from 1 second to" in text


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("12h", 43_200), ("31d", 2678400)]
)
def test_a_timeout_may_have_a_unit(inspect: Inspect, text: str, seconds: int) -> None:
    shown = inspect(f"--idle-timeout={text}", f"--absolute-timeout={text}", token())[1]
    assert f" idle_timeout of {seconds} seconds\n" in shown
    assert f" absolute_timeout of {seconds} seconds\n" in shown


def test_the_keys_are_listed_the_largest_first(inspect: Inspect) -> None:
    _, text = inspect(token('[{"a":1,"b":{"c":"ddd"},"e":"f"},0,"id"]'))
    keys = [line for line in text.splitlines() if line.startswith("key")]
    assert keys == [
        'key        15 bytes, "b"',
        'key        7 bytes, "e"',
        'key        5 bytes, "a"',
    ]


def test_tagged_values_are_shown_as_they_are_written(inspect: Inspect) -> None:
    assert '"!d": "2027-01-15"' in inspect(token('[{"day":{"!d":"2027-01-15"}},0]'))[1]


def test_the_bar_is_full_at_the_limit_and_beyond(inspect: Inspect) -> None:
    assert f"size       5007 of 4096 bytes [{'#' * 40}]" in inspect("x" * 5000)[1]


@pytest.mark.parametrize(
    "text", ["{}", "[1]", '["1",{}]', "[1,[]]", '[1,{},"id",2]', "[{},0,0]", "[null,0]", "[0,null]"]
)
def test_signed_data_that_is_not_a_session_is_shown_as_such(inspect: Inspect, text: str) -> None:
    status, shown = inspect(token(text))
    assert status == 0
    head, _, data = shown.partition("data, but no session that sessionware writes\n")
    assert json.loads(data) == json.loads(text)
    assert "created" not in head


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 900, 991, 1400])
def test_data_that_is_nested_too_deeply_is_not_taken_for_a_session(
    inspect: Inspect, depth: int
) -> None:
    status, shown = inspect(token(f'[{{"a":{"[" * depth}{"]" * depth}}},0]'))
    assert status == 0
    assert "signed, but no session" in shown


@pytest.mark.parametrize("text", ["nonsense", "[" * 60_000, "1" * 5000])
def test_a_payload_that_is_not_json_is_reported(inspect: Inspect, text: str) -> None:
    line = inspect.line("data", token(text))
    assert line == "none: the payload is not readable JSON"


def test_a_time_that_datetime_cannot_hold_is_reported(inspect: Inspect) -> None:
    text = SignedCodec(KEY).encode('[{"a":1},0]', 2**5000)
    for label in ("issued", "created"):
        assert inspect.line(label, text) == "outside the years 1 to 9999"
    ends = "outside the years 1 to 9999, and is refused now (from_the_future)"
    assert inspect.line("ends", text) == ends


@pytest.mark.parametrize("junk", ["x", ".", "..", "a.b.c", "=", "\ud800.b.c", "é.a.b"])
def test_junk_is_reported_as_not_ours(inspect: Inspect, junk: str) -> None:
    status, text = inspect(f"session={junk}")
    assert status == 1
    assert "none: sessionware does not write such a cookie" in text


@pytest.mark.parametrize("nothing", ["", " \n", "session=", "Cookie:"])
def test_no_cookie_is_a_usage_error(inspect: Inspect, nothing: str) -> None:
    status, text = inspect(nothing)
    assert status == 2
    assert "no cookie was given" in text


def test_a_closed_standard_input_is_a_usage_error(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert inspect()[0] == 2


def test_bytes_that_are_not_utf_8_do_not_verify(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed(monkeypatch, b"session=\xff\xfe.\x80.\x1b[31m")
    assert inspect()[0] == 1


def test_a_bomb_is_not_inflated(inspect: Inspect) -> None:
    bomb = urlsafe_b64encode(zlib.compress(b" " * 3_000_000)).decode().rstrip("=")
    assert inspect(f".{bomb}.aaaa.bbbb")[0] == 1


@pytest.mark.parametrize("text", ['[{"\x1b[31m\x7f\x9b":"\x1b]0;x\x07"},0]', '["\x7f\x9b"]'])
def test_no_control_character_reaches_the_terminal(inspect: Inspect, text: str) -> None:
    escaped = text.replace("\x1b", "\\u001b").replace("\x07", "\\u0007")
    _, shown = inspect(f"\x1b[31m\x7f\n={token(escaped)}")
    assert shown.replace("\n", "").isprintable()
    assert shown.isascii()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary() | st.text(alphabet="session=.;:Cokie -_\x00\x1b9").map(str.encode))
def test_junk_never_raises(inspect: Inspect, monkeypatch: pytest.MonkeyPatch, junk: bytes) -> None:
    feed(monkeypatch, junk)
    status, text = inspect()
    assert status in (1, 2)
    assert text.replace("\n", "").isprintable()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2**80))
def test_a_signed_payload_never_raises(inspect: Inspect, text: str, issued: int) -> None:
    assert inspect(SignedCodec(KEY).encode(text, issued))[0] == 0


# Encrypted cookies


def encrypted(text: str = DATA, **settings: str) -> str:
    return EncryptedCodec(**{"secret_key": KEY} | settings).encode(text, NOW)


def test_an_encrypted_cookie_is_shown_with_its_key(inspect: Inspect) -> None:
    status, text = inspect(f"session={encrypted()}")
    assert status == 0
    assert "signature  verifies with the secret key\n" in text
    assert "created    2027-01-15T07:59:00Z\n" in text
    assert '"user": "Ada"' in text


def test_an_encrypted_cookie_that_begins_with_a_hyphen_is_not_an_option(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_bytes", lambda size: b"\xf8" * size)
    cookie = encrypted()
    assert cookie[0] == "-"
    assert inspect(cookie)[0] == 0


def test_the_salt_and_the_name_are_those_of_an_encrypted_cookie_too(inspect: Inspect) -> None:
    assert inspect("--salt=shop", f"a={encrypted(salt='shop', cookie_name='a')}")[0] == 0


def test_a_fallback_key_opens_an_encrypted_cookie(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", OLD)
    assert inspect.line("signature", encrypted(secret_key=OLD)) == "verifies with fallback 1"


def test_an_encrypted_cookie_of_another_key_shows_nothing(inspect: Inspect) -> None:
    status, text = inspect(encrypted(secret_key=OLD))
    assert status == 1
    assert (
        "does NOT verify (bad_signature): it looks encrypted, and only its key can decrypt it"
        in text
    )
    assert "data" not in text


def test_an_encrypted_cookie_without_a_key_is_recognized(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECRET_KEY")
    status, text = inspect(encrypted())
    assert status == 1
    assert (
        "not checked, SECRET_KEY is not set: it looks encrypted, and only its key can decrypt it"
        in text
    )


def test_an_encrypted_cookie_without_the_extra_says_what_to_install(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = encrypted()
    hide_cryptography(monkeypatch)
    status, text = inspect(cookie)
    assert status == 2
    assert "pip install 'sessionware[encryption]'" in text


def test_a_truncated_encrypted_cookie_is_reported_as_not_ours(inspect: Inspect) -> None:
    line = inspect.line("signature", encrypted("x" * 99)[:-1])
    assert line == "none: sessionware does not write such a cookie"


# Sessions that are kept on the server


@pytest.mark.parametrize("text", ['[null,60,"abc"]', '[60,null,"abc"]'], ids=["now", "1.0"])
def test_the_key_in_the_store_is_shown(inspect: Inspect, text: str) -> None:
    status, shown = inspect(token(text))
    assert status == 0
    assert "created    2027-01-15T07:59:00Z\n" in shown
    assert f"data       in the store, under {key_of('abc')}\n" in shown


def test_an_id_that_sessionware_does_not_make_is_shown_as_such(inspect: Inspect) -> None:
    status, shown = inspect(token(r'[60,null,"\ud800"]'))
    assert status == 0
    assert "data, but no session that sessionware writes\n" in shown
