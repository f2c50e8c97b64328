"""The envelope: a list of the age, the data and an optional id. Other JSON is refused."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from tests.gateway import make_environ
from tests.unit.sessions import INTERFACE, opened, sign

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.dictionaries(st.sampled_from([f"!{tag}" for tag in "bdntsu!x"] + ["!dt"]), inner)
    ),
    max_leaves=10,
)
ALMOST = st.tuples(
    st.integers(-100, 100) | JSON, st.dictionaries(st.text(max_size=3), JSON, max_size=3) | JSON
)


@given(JSON | ALMOST | st.tuples(ALMOST, JSON).map(lambda pair: [*pair[0], pair[1]]))
@settings(max_examples=300)
def test_signed_json_only_opens_if_it_is_an_envelope(value: Any) -> None:
    """An envelope is a list of an age in seconds, a dict, and perhaps an id."""
    session = opened(f"session={sign(json.dumps(value))}")
    is_new, data = session.new, dict(session)
    match [*value] if value.__class__ in (list, tuple) else None:
        case [int(age), dict(), *rest] if age >= -60 and age.__class__ is int and len(rest) < 2:
            fits = all(isinstance(name, str) and re.fullmatch(r"[\w-]+", name) for name in rest)
        case _:
            fits = False
    assert fits or (is_new, data) == (True, {})
    INTERFACE.save_session(make_environ(), session, Headers())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "[0,{}",
        "[0,{}]]",
        "\0",
        "[0,{},]",
        "[0,{'a':1}]",
        "0",
        "null",
        '"ab"',
        "[]",
        "{}",
        "[0]",
        "[{}]",
        "[{},0]",
        "[0,[]]",
        '["0",{"a":1}]',
        '[0,{"!t":[]}]',
        '[0.0,{"a":1}]',
        '[true,{"a":1}]',
        '[null,{"a":1}]',
        '[-61,{"a":1}]',
        '[0,{"a":1},""]',
        '[0,{"a":1},1]',
        '[0,{"a":1},"i\\"d"]',
        '[0,{"a":1},"id",0]',
        '[0,{"a":1},null]',
        '{"!t":[0,{"a":1}]}',
        '{"!t":[0,{"a":1},"id"]}',
        '[0,{"a":NaN}]',
    ],
)
def test_signed_text_that_is_not_an_envelope_is_a_new_session(text: str) -> None:
    session = opened(f"session={sign(text)}")
    assert session.new
    assert session == {}
