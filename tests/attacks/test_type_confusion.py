"""Type confusion: signed JSON that the middleware would not write (CWE-20, CWE-843).

The key may have leaked, or an older version may have signed it. No request may fail. Named here:
class pollution (CWE-1321, "Prototype Pollution in Python"), duplicate keys (RFC 8259, section 4)
and path traversal by the name of a time zone (CWE-22).
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from sessionware.serializer import loads
from tests.attacks.victim import Victim, sign

VICTIM = Victim()
WRONG = ["null", "true", "0", "1.5", '"x"', "[]", '["x"]', "[[]]", "{}", '{"a":1}', '{"!t":[]}']


def open_(data: str) -> dict[str, Any]:
    return VICTIM.sees(sign(f"[0,{data}]"))


@pytest.mark.parametrize("tag", ["!b", "!d", "!dt", "!m", "!n", "!s", "!t", "!u", "!", "!x", "!t "])
@pytest.mark.parametrize("value", WRONG)
def test_a_tag_around_a_wrong_type_is_handled(tag: str, value: str) -> None:
    """The session is new or holds a supported value, and can be saved again."""
    response = VICTIM.visit(sign(f'[0,{{"a":{{"{tag}":{value}}}}}]'), lambda s: s.update(seen=1))
    assert response.status == "200 OK"
    assert VICTIM.found == {} or VICTIM.found.keys() == {"a"}
    assert VICTIM.sees(response.cookie)["seen"] == 1


@pytest.mark.parametrize(
    "zone",
    [
        "../../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "\\u0000",
        "UTC\\u0000",
        "Europe/../UTC",
    ],
)
def test_the_name_of_a_time_zone_cannot_read_another_file(
    caplog: pytest.LogCaptureFixture, zone: str
) -> None:
    cookie = sign(f'[0,{{"a":{{"!dt":"2026-01-01T00:00:00[{zone}]"}}}}]')
    assert VICTIM.refuses(cookie, caplog) == "malformed"


@pytest.mark.parametrize(
    "name", ["__proto__", "constructor", "__class__", "__dict__", "__init__", "_data", "sealed"]
)
def test_a_special_name_is_an_ordinary_key(name: str) -> None:
    """Class pollution: no key of a cookie becomes an attribute of an object."""
    seen: list[Any] = []
    data = {name: {"polluted": True}}
    VICTIM.visit(
        sign(f"[0,{json.dumps(data)}]"),
        lambda session: seen.extend((type(session).__name__, session.copy(), session.sealed)),
    )
    assert seen == ["Session", data, False]


@pytest.mark.parametrize(
    "text",
    [
        '[0,{"a":1},"id","id"]',
        '[[0,{"a":1}]]',
        '{"0":0,"1":{"a":1}}',
        '"[0,{}]"',
        "[0,null]",
        '["0",{"a":1}]',
        '[0.5,{"a":1}]',
        '[1e3,{"a":1}]',
        '[-0.0,{"a":1}]',
        '[false,{"a":1}]',
        f'[{2**40 + 1},{{"a":1}}]',
        f'[{"9" * 4300},{{"a":1}}]',
        '[{"!n":"0"},{"a":1}]',
        '[0,{"!t":[["a",1]]}]',
        '[0,[["a",1]]]',
        '[0,{"a":1},["id"]]',
        '[0,{"a":1},{"!b":"aWQ="}]',
        '[0,{"a":1},"id\\r\\n"]',
        '[0,{"a":1},"i d"]',
        '[0,{"a":1}]x',
        '[0,{"a":1}] ',
        ' [0,{"a":1}]',
        '\ufeff[0,{"a":1}]',
        '[0,{"a":1}]\0',
    ],
)
def test_an_envelope_that_is_not_ours_is_a_new_session(
    caplog: pytest.LogCaptureFixture, text: str
) -> None:
    assert VICTIM.refuses(sign(text), caplog) == "malformed"


@pytest.mark.parametrize(
    "number",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "-NaN",
        "nan",
        "0x1",
        "01",
        "1.",
        "1e999",
        '{"!n":"NaN"}',
        '{"!n":"sNaN"}',
        '{"!n":"-Infinity"}',
    ],
)
def test_an_invalid_number_is_a_new_session(caplog: pytest.LogCaptureFixture, number: str) -> None:
    for data in (f'{{"a":{number}}}', f'{{"a":{{"!t":[{number}]}}}}'):
        assert VICTIM.refuses(sign(f"[0,{data}]"), caplog) == "malformed"


def test_the_last_of_duplicate_keys_counts() -> None:
    """Otherwise, two parsers of one cookie could find two different users."""
    text = '{"user":"ada","user":"root"}'
    assert open_(text) == {"user": "root"} == json.loads(text)
    response = VICTIM.visit(sign(f"[0,{text}]"), lambda session: session.update(seen=1))
    assert VICTIM.sees(response.cookie) == {"user": "root", "seen": 1}


@pytest.mark.parametrize("text", ['{"\\u0021t":[1]}', '{ "!t":[1]}', '{"a":1,"!t":[1]}'])
def test_an_unusually_written_tag_keeps_its_value(text: str) -> None:
    """The value that was read is the same after it is saved again."""
    cookie = sign(f'[0,{{"a":{text}}}]')
    found = VICTIM.sees(cookie)
    response = VICTIM.visit(cookie, lambda session: session.update(seen=1))
    assert VICTIM.sees(response.cookie) == found | {"seen": 1}


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\udc00\\ud800"', '{"\\udfff":1}', '"\\u0000"'])
def test_a_lone_surrogate_is_kept_or_refused(text: str) -> None:
    """A lone surrogate cannot be encoded in UTF-8 (CWE-176)."""
    cookie = sign(f'[0,{{"a":{text}}}]')
    response = VICTIM.visit(cookie, lambda session: session.update(seen=1))
    assert VICTIM.found in ({}, {"a": json.loads(text)})
    assert (response.set_cookie or "").isascii()
    assert VICTIM.sees(response.cookie)["seen"] == 1


def test_a_value_that_cannot_be_saved_begins_a_new_session() -> None:
    cookie = sign(f'[0,{{"a":{"[" * 150}{"]" * 150}}}]')
    response = VICTIM.visit(cookie, lambda session: session.update(seen=1))
    assert VICTIM.sees(response.cookie) == {"seen": 1}


@pytest.mark.parametrize("value", WRONG)
def test_permanent_of_any_type_counts_as_a_boolean(value: str) -> None:
    response = VICTIM.visit(
        sign(f'[0,{{"_permanent":{value}}}]'), lambda session: session.update(seen=1)
    )
    found = loads(f'{{"_permanent":{value}}}')["_permanent"]
    assert ("Max-Age=" in (response.set_cookie or "")) is bool(found)


ON_WRONG_TYPES: dict[str, tuple[str, Callable[[Any], object]]] = {
    "peek_flash": ("_f_", lambda session: session.peek_flash()),
    "pop_flash": ("_f_", lambda session: session.pop_flash()),
    "get_csrf_token": ("_csrft_", lambda session: session.get_csrf_token()),
    "new_csrf_token": ("_csrft_", lambda session: session.new_csrf_token()),
    "regenerate": ("_id", lambda session: session.regenerate()),
    "invalidate": ("_permanent", lambda session: session.invalidate()),
    "id": ("id", lambda session: session.id),
    "created": ("created", lambda session: session.created),
    "permanent": ("_permanent", lambda session: session.permanent),
}


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize("method", ON_WRONG_TYPES)
def test_methods_accept_stored_values_of_any_type(method: str, value: str) -> None:
    key, act = ON_WRONG_TYPES[method]
    assert VICTIM.visit(sign(f'[0,{{"{key}":{value}}}]'), act).status == "200 OK"
