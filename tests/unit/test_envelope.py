"""The envelope: the data and what belongs to it, as JSON text. Other JSON is refused."""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from sessionware.envelope import FIRST, IN_STORE, MAX_SESSION_AGE, Envelope, unwrap, wrap
from sessionware.errors import CookieRejected, UnserializableValue
from sessionware.serializer import dumps, loads
from tests.gateway import make_environ
from tests.unit.sessions import INTERFACE, opened, sign

TOKEN = "n0uEX3-4lXVYbVvJWJyGH8HKEO5VAfqGl4xJb0lDwrE"
MASKED = "h89ZYL3dM0FvgeizfNRBeQKPlCnJlMvcQ36gJWlICa516RdTGqo"
USER = UUID("12345678-1234-5678-1234-567812345678")

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.uuids() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
DATA = st.dictionaries(st.text(max_size=3), VALUES, max_size=3)
IDS = st.from_regex("[0-9A-Za-z_-]+", fullmatch=True)
OWNERS = st.text() | st.integers() | st.uuids()
# What json reads, and what looks like an envelope.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.dictionaries(st.sampled_from([f"!{tag}" for tag in "bdntsu!x"] + ["!dt"]), inner)
    ),
    max_leaves=10,
)
AGES = st.integers(-100, 100) | JSON
MAYBE_DATA = st.none() | st.dictionaries(st.text(max_size=3), JSON, max_size=3) | JSON
PLACES = ["", "/app", ";example.com", "/app;example.com", ";;P"]
PARTS = st.sampled_from([0, "id", TOKEN, MASKED, None, "", "ann", 1, {"!u": USER.hex}]) | JSON
ALMOST = st.builds(
    lambda pair, parts: [*pair, *parts],
    st.tuples(MAYBE_DATA, AGES) | st.tuples(AGES, MAYBE_DATA),
    st.lists(PARTS, max_size=5),
)


def refused(text: str) -> bool:
    try:
        unwrap(text)
    except CookieRejected as error:
        return error.reason == "malformed"
    return False


# What is written is read


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    """Return any envelope that a session may need."""
    data = draw(st.none() | DATA)
    text = draw(st.sampled_from([IN_STORE, FIRST])) if data is None else dumps(data)
    return Envelope(
        text=text,
        data=data,
        age=draw(st.integers(-60, MAX_SESSION_AGE)),
        id=draw(st.none() | IDS),
        csrf_token=draw(st.sampled_from([None, TOKEN, MASKED])),
        owner=draw(st.none() | OWNERS),
        stamp=draw(st.text(max_size=5)),
        place=draw(st.sampled_from(PLACES)),
        beside=draw(st.booleans()),
    )


def of_1_0(*parts: Any, **more: Any) -> Envelope:
    """Return an envelope of version 1.0, which does not tell its place."""
    return replace(Envelope(*parts, **more), place=None)


@given(envelopes())
def test_envelope_comes_back_as_it_was(envelope: Envelope) -> None:
    """With its types, and with the text of the data as it was written."""
    assert repr(unwrap(wrap(envelope))) == repr(envelope)


@given(envelopes())
def test_data_is_not_needed_to_write_its_text(envelope: Envelope) -> None:
    assert wrap(replace(envelope, data=None)) == wrap(envelope)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "null",
        "true",
        '{ "a" : 1.0 }',
        r'{"a":"\u0061"}',
        '{"],0,0,0":[]}',
        rf'{{"a":",0,0,\"{TOKEN}\"]"}}',
        '{"_owner":["ann",""]}',
    ],
)
@pytest.mark.parametrize("more", [(), ("id",), ("id", TOKEN, 1, "stamp")])
def test_text_of_the_data_comes_back_to_the_letter(text: str, more: tuple[Any, ...]) -> None:
    assert unwrap(wrap(Envelope(text, None, 0, *more))).text == text


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({}, "[{},60]"),
        ({"id": "abc"}, '[{},60,"abc"]'),
        ({"csrf_token": TOKEN}, f'[{{}},60,0,"{TOKEN}"]'),
        ({"id": "abc", "csrf_token": MASKED}, f'[{{}},60,"abc","{MASKED}"]'),
        ({"owner": "ann"}, '[{},60,0,0,"ann"]'),
        ({"owner": ""}, '[{},60,0,0,""]'),
        ({"owner": 0}, "[{},60,0,0,0]"),
        ({"owner": -1, "id": "abc"}, '[{},60,"abc",0,-1]'),
        ({"owner": USER}, f'[{{}},60,0,0,{{"!u":"{USER.hex}"}}]'),
        ({"owner": "\xe9", "stamp": '"'}, r'[{},60,0,0,"\u00e9","\""]'),
        ({"id": "abc", "stamp": "s"}, '[{},60,"abc",0,null,"s"]'),
        ({"place": "/p"}, '[{},60,0,0,null,"","/p"]'),
        ({"owner": 1, "stamp": "s", "place": ";a.b"}, '[{},60,0,0,1,"s",";a.b"]'),
        ({"beside": True}, '[{},60,0,0,null,"","*"]'),
        ({"place": "/p", "beside": True}, '[{},60,0,0,null,"","*/p"]'),
    ],
)
def test_parts_that_are_absent_at_the_end_are_left_out(parts: dict[str, Any], text: str) -> None:
    assert wrap(Envelope("{}", {}, 60, **parts)) == text
    assert unwrap(text) == Envelope("{}", {}, 60, **parts)


@pytest.mark.parametrize("age", [-60, -61, -(10**9)])
def test_age_is_written_so_that_it_can_be_read(age: int) -> None:
    """The clock of the server that created the session may be far ahead."""
    assert wrap(Envelope("{}", None, age)) == "[{},-60]"


def test_owner_that_cannot_be_written_is_named() -> None:
    with pytest.raises(UnserializableValue, match=r"^session\.owner contains a pair of surrogates"):
        wrap(Envelope("{}", None, 0, owner="\ud83d\ude00"))


# What it tells


@pytest.mark.parametrize("text", ["[{},0]", "[{},60]", "[60,{}]"])
def test_empty_envelope_is_that_of_a_log_out(text: str) -> None:
    assert unwrap(text).ends is True


@pytest.mark.parametrize(
    "text",
    [
        '[{"a":1},0]',
        "[null,0]",
        '[{},0,"id"]',
        f'[{{}},0,0,"{TOKEN}"]',
        "[{},0,0,0,0]",
        '[{},0,0,0,""]',
        '[0,{"_owner":[0,""]}]',
        f'[0,{{"_csrft_":"{TOKEN}"}}]',
    ],
)
def test_envelope_that_holds_anything_is_that_of_a_session(text: str) -> None:
    assert unwrap(text).ends is False


@pytest.mark.parametrize(
    ("text", "permanent"),
    [
        ('[{"_permanent":true},0]', True),
        ('[0,{"_permanent":1}]', True),
        ('[{"_permanent":false},0]', False),
        ('[{"a":1},0]', False),
        ('[{},0,"id"]', False),
        ('[{},0,0,0,"ann"]', False),
        ('[null,0,"id"]', None),
        ("[{},0]", None),
    ],
)
def test_envelope_tells_whether_a_session_is_permanent(text: str, permanent: bool | None) -> None:
    """Unless a store has the data, or it stands for sessions that have ended."""
    assert unwrap(text).permanent is permanent


# The form of version 1.0

FIRST_FORM = {
    '[60,{"a":1}]': of_1_0('{"a":1}', {"a": 1}, 60),
    '[-60,{},"id"]': of_1_0("{}", {}, -60, "id"),
    '[0,null,"id"]': of_1_0("null", None, 0, "id"),
    '[0,{"!!t":[1]}]': of_1_0('{"!!t":[1]}', {"!t": [1]}, 0),
    '[0,{"a":1,"_owner":["ann","stamp"]},"id"]': of_1_0(
        '{"a":1}', {"a": 1}, 0, "id", None, "ann", "stamp"
    ),
    '[0,{"_owner":["",""]}]': of_1_0("{}", {}, 0, owner=""),
    '[0,{"_owner":[1,""],"a":[1]}]': of_1_0('{"a":[1]}', {"a": [1]}, 0, owner=1),
    f'[0,{{"_owner":[{{"!u":"{USER.hex}"}},""]}}]': of_1_0("{}", {}, 0, owner=USER),
    f'[0,{{"_csrft_":"{TOKEN}"}}]': of_1_0("{}", {}, 0, csrf_token=TOKEN),
    f'[0,{{"_owner":[1,""],"b":2,"_csrft_":"{TOKEN}"}},"id"]': of_1_0(
        '{"b":2}', {"b": 2}, 0, "id", TOKEN, 1
    ),
}


@pytest.mark.parametrize(("text", "envelope"), FIRST_FORM.items(), ids=FIRST_FORM)
def test_form_of_version_1_0_is_read(text: str, envelope: Envelope) -> None:
    assert repr(unwrap(text)) == repr(envelope)


@given(DATA, st.none() | IDS)
def test_text_of_the_data_of_version_1_0_comes_back(data: dict[str, Any], name: str | None) -> None:
    text = dumps(data)
    wrapped = f"[60,{text}]" if name is None else f'[60,{text},"{name}"]'
    assert repr(unwrap(wrapped)) == repr(of_1_0(text, data, 60, name))


@pytest.mark.parametrize(
    "owner", ["1", "null", '"ann"', "[]", '["ann"]', '[true,""]', '[1.0,""]', '["ann",1]']
)
def test_owner_that_version_1_0_has_not_written_is_dropped(owner: str) -> None:
    """The application may have set the key by itself."""
    assert unwrap(f'[0,{{"_owner":{owner},"a":1}}]') == of_1_0('{"a":1}', {"a": 1}, 0)


@pytest.mark.parametrize(
    "token", ["1", "null", '""', '"token"', f'"{TOKEN[:-1]}B"', f'["{TOKEN}"]']
)
def test_csrf_token_that_version_1_0_has_not_written_is_dropped(token: str) -> None:
    """A new one is made on first use."""
    assert unwrap(f'[0,{{"_csrft_":{token},"a":1}}]') == of_1_0('{"a":1}', {"a": 1}, 0)


def test_owner_and_csrf_token_in_data_of_the_present_form_are_data() -> None:
    """Or ``session.update(form)`` could set them."""
    data = {"_owner": ["ann", ""], "_csrft_": TOKEN}
    assert unwrap(wrap(Envelope(dumps(data), data, 0))) == Envelope(dumps(data), data, 0)


def test_nested_owner_in_data_of_version_1_0_is_data() -> None:
    envelope = unwrap('[0,{"a":{"_owner":["ann",""]}}]')
    assert (envelope.owner, envelope.data) == (None, {"a": {"_owner": ["ann", ""]}})


def test_data_of_version_1_0_that_cannot_be_written_again_is_refused() -> None:
    """Such as lists that are nested too deeply, which it has not written either."""
    assert refused(f'[0,{{"_owner":["ann",""],"a":{"[" * 150}{"]" * 150}}}]')


# Anything else

REFUSED = [
    # Not one list.
    *["", "[", "0", "null", '"ab"', "{}", "\0", "[{},0", "[{},0]]", "[{},0,]", "[{},0]0"],
    *["[]", "[{}]", "[0]", "[{'a':1},0]", '[{"a":NaN},0]', '{"!t":[{},0]}', '{"!t":[0,{}]}'],
    # The data.
    *["[[],0]", "[1,0]", '["a",0]', '[{"!t":[]},0]', "[0,[]]", '[0,{"!t":[]}]', "[true,{}]"],
    # The age.
    *["[{},-61]", "[{},0.0]", "[{},true]", '[{},"0"]', "[{},null]", f"[{{}},{2**40 + 1}]"],
    *["[-61,{}]", "[0.0,{}]", '["0",{}]', "[null,{}]", f"[{2**40 + 1},{{}}]"],
    # The id.
    *['[{},0,""]', "[{},0,1]", "[{},0,null]", "[{},0,false]", "[{},0,0.0]", r'[{},0,"i\"d"]'],
    *['[0,{},""]', "[0,{},0]", "[0,{},1]", "[0,{},null]", r'[0,{},"i\"d"]', '[{},0,"\xe9"]'],
    # The CSRF token: of another length, with other characters, with spare bits that are set.
    *['[{},0,0,""]', "[{},0,0,1]", "[{},0,0,null]", f'[{{}},0,0,"{TOKEN[1:]}"]'],
    *[f'[{{}},0,0,"{TOKEN}A"]', f'[{{}},0,0,"!{TOKEN[1:]}"]', f'[{{}},0,0,"{TOKEN[:-1]}B"]'],
    # The owner.
    *["[{},0,0,0,null]", "[{},0,0,0,true]", "[{},0,0,0,1.0]", "[{},0,0,0,[]]", "[{},0,0,0,{}]"],
    *['[{},0,0,0,{"!t":[]}]', '[{},0,0,0,{"!d":"2027-01-15"}]', '[{},0,0,0,null,""]'],
    # The stamp.
    *["[{},0,0,0,1,1]", "[{},0,0,0,1,null]", "[{},0,0,0,1,[]]"],
    # The place.
    *[
        '[{},0,0,0,1,"",0]',
        '[{},0,0,0,1,"",null]',
        '[{},0,0,0,1,1,"/app"]',
        '[{},0,0,0,1,"","app"]',
    ],
    *['[{},0,0,0,1,"","/a b"]', '[{},0,0,0,1,"","/a;b;Q"]', r'[{},0,0,0,1,"","/a\n"]'],
    # Too many parts.
    *[
        '[{},0,0,0,1,"stamp","/app",0]',
        '[0,{},"id",0]',
        f'[0,{{}},"id","{TOKEN}"]',
        "[0,0]",
        "[{},{}]",
    ],
]
ANOTHER_SPELLING = [
    # Absent parts at the end.
    *["[{},0,0]", "[{},0,0,0]", '[{},0,"id",0]', '[{},0,0,0,1,""]', '[{},0,0,0,"",""]'],
    *['[{},0,0,0,1,"stamp",""]', '[{},0,0,0,1,"",""]', '[{},0,0,0,null,"",""]'],
    # White space.
    *["[{}, 0]", "[{},0 ]", '[{},0, "id"]', '[{},0,0,0,1, "stamp"]', " [{},0]", "[{},0]\n"],
    # Numbers and strings in other characters.
    *["[{},-0]", "[{},0,-0,0,1]", "[{},0,0,0,-0]", r'[{},0,"\u0069d"]', '[{},0,0,0,"\xe9"]'],
    *[r'[{},0,0,0,"\u0061nn"]', r'[{},0,0,0,1,"\u0061"]', f'[{{}},0,0,0,{{"!u":"{USER}"}}]'],
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_an_envelope_is_refused(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize("text", ANOTHER_SPELLING)
def test_parts_after_the_data_have_one_spelling(text: str) -> None:
    """So that what comes before them is the text of the data."""
    assert refused(text)


@given(JSON | ALMOST, st.sampled_from([(",", ":"), (", ", ": ")]))
@settings(max_examples=300)
def test_what_is_read_would_be_written_alike(value: Any, separators: tuple[str, str]) -> None:
    """Unless it has the form of version 1.0. Only CookieRejected is ever raised."""
    text = json.dumps(value, separators=separators)
    with suppress(CookieRejected):
        envelope = unwrap(text)
        assert loads(envelope.text.strip()) == envelope.data
        assert wrap(envelope) == text or type(value[0]) is int


# What a session makes of it


@given(JSON | ALMOST)
@settings(max_examples=300)
def test_signed_json_only_opens_if_it_is_an_envelope(value: Any) -> None:
    text = json.dumps(value, separators=(",", ":"))
    session = opened(f"session={sign(text)}")
    assert session.new or not refused(text)
    INTERFACE.save_session(make_environ(), session, Headers())


@pytest.mark.parametrize("text", REFUSED)
def test_signed_text_that_is_not_an_envelope_is_a_new_session(text: str) -> None:
    session = opened(f"session={sign(text)}")
    assert (session.new, dict(session), session.owner) == (True, {}, None)
