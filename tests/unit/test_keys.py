"""Checks of secret keys and salts, and what is derived from the keys."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionware import SecureCookieSessionInterface
from sessionware.codec import SignedCodec
from sessionware.errors import ConfigurationError, CookieRejected
from sessionware.keys import (
    TOKEN_SIZE,
    BoundIds,
    DerivedIds,
    TokenMask,
    is_bound,
    is_derived,
    may_be_id,
    purpose_of,
)
from tests.gateway import KEY, OLDER_KEY

OLDEST_KEY = b"the secret key of the year before last"
SHORT = '{"user":"ada"}'
ISSUED = 1_800_000_000
# What os.environ returns if SECRET_KEY is random bytes.
NO_TEXT = ("\udcff\udcfe and more than sixteen bytes", "a str that cannot be encoded as UTF-8")
A_KEY = "expected a str or bytes of at least 16 bytes; python -m sessionware secret prints one"


def problems(*arguments: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        SignedCodec(*arguments)
    return list(map(str, caught.value.problems))


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("", "0 bytes"),
        (b"", "0 bytes"),
        ("k" * 15, "15 bytes"),
        (b"k" * 15, "15 bytes"),
        ("\xe9" * 7, "14 bytes"),
        (None, "NoneType"),
        (16, "int"),
        (True, "bool"),
        ([KEY], "list"),
        (bytearray(32), "bytearray"),
        NO_TEXT,
    ],
)
def test_weak_key_is_refused(key: Any, found: str) -> None:
    assert problems(key) == [f"secret_key: found {found}, {A_KEY}"]
    assert problems(KEY, [KEY, key]) == [f"secret_key_fallbacks[1]: found {found}, {A_KEY}"]


@pytest.mark.parametrize("key", ["k" * 16, b"k" * 16, "\xe9" * 8])
def test_key_of_16_bytes_is_accepted(key: str | bytes) -> None:
    assert SignedCodec(key, [key]).decode(SignedCodec(key).encode(SHORT, ISSUED))[0] == SHORT


@pytest.mark.parametrize("fallbacks", [KEY, KEY.encode(), None, {KEY}, {KEY: KEY}, iter([KEY])])
def test_fallbacks_that_are_not_a_list_are_refused(fallbacks: Any) -> None:
    """A str would be split into keys of one character, which are easy to guess."""
    found = type(fallbacks).__name__
    expected = f"secret_key_fallbacks: found {found}, expected a list or tuple of older keys"
    assert problems(KEY, fallbacks) == [expected]


def test_every_problem_is_reported_without_any_key() -> None:
    assert problems("hunter2", ["", None], b"") == [
        f"secret_key: found 7 bytes, {A_KEY}",
        f"secret_key_fallbacks[0]: found 0 bytes, {A_KEY}",
        f"secret_key_fallbacks[1]: found NoneType, {A_KEY}",
        "salt: found bytes, expected a str",
    ]


@pytest.mark.parametrize(("salt", "found"), [(b"", "bytes"), (None, "NoneType"), NO_TEXT])
def test_salt_that_is_not_text_is_refused(salt: Any, found: str) -> None:
    assert problems(KEY, (), salt) == [f"salt: found {found}, expected a str"]


def test_fallbacks_without_a_secret_key_are_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        SecureCookieSessionInterface(None, secret_key_fallbacks=[KEY])
    assert tuple(map(str, caught.value.problems)) == (
        "secret_key: found None with secret_key_fallbacks, expected a key",
    )


# Purposes

SALTS = st.text(st.characters(exclude_categories=[]), max_size=5)
PURPOSES = st.tuples(
    st.sampled_from(["cookie", "csrf", "encrypted"]),
    st.text("abc\xe9", max_size=5),
    SALTS | st.text("abc\0", max_size=5),
)


@given(PURPOSES, PURPOSES)
def test_purposes_are_equal_only_if_kind_name_and_salt_are(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (purpose_of(*one) == purpose_of(*other)) is (one == other)


def test_purpose_separates_name_and_salt() -> None:
    assert purpose_of("cookie", "session", "shop") == b"sessionware.cookie\0session\0shop"
    assert purpose_of("cookie", "a", "bc") != purpose_of("cookie", "ab", "c")


def test_purpose_of_a_name_that_will_be_refused_raises_nothing() -> None:
    """Every problem of every setting is reported at once."""
    assert purpose_of("cookie", "\ud800", "") != purpose_of("cookie", "\ud801", "")


# Masks of CSRF tokens


def to_text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def to_bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=")


def token_of(number: int) -> str:
    """Return one of many tokens, always the same for a number."""
    return to_text(sha256(str(number).encode()).digest())


A_TOKEN, ANOTHER_TOKEN = token_of(1), token_of(2)
TOKENS = st.binary(min_size=TOKEN_SIZE, max_size=TOKEN_SIZE).map(to_text)
PURPOSE = purpose_of("csrf", "session", "")


def mask(*keys: str | bytes, purpose: bytes = PURPOSE) -> TokenMask:
    return TokenMask(keys or [KEY], purpose)


@given(TOKENS)
def test_hidden_token_is_revealed(token: str) -> None:
    hidden = mask().hide(token)
    assert mask().reveal(hidden, old_key=False) == token


@given(TOKENS, st.permutations([KEY, OLDER_KEY, OLDEST_KEY]))
def test_token_that_an_older_key_has_hidden_is_revealed(
    token: str, keys: list[str | bytes]
) -> None:
    for key in keys:
        assert mask(*keys).reveal(mask(key).hide(token), old_key=True) == token


@given(TOKENS)
def test_mask_has_51_characters_and_nothing_of_the_token(token: str) -> None:
    hidden = mask().hide(token)
    assert re.fullmatch("[0-9A-Za-z_-]{51}", hidden)
    assert token not in hidden


@pytest.mark.parametrize("token", [bytes(32), bytes(31) + b"\1", b"\1" + bytes(31), b"\xff" * 32])
def test_token_of_zeros_is_hidden_and_revealed(token: bytes) -> None:
    hidden = mask().hide(to_text(token))
    assert to_bytes(mask().reveal(hidden, old_key=False)) == token


def test_mask_that_begins_with_zeros_has_its_full_length() -> None:
    """A token XORed with a number that begins like it begins with zeros."""
    hidden = (mask().hide(token_of(number)) for number in range(10_000))
    found = next(each for each in hidden if to_bytes(each)[6] == 0)
    assert len(found) == 51
    assert mask().hide(mask().reveal(found, old_key=False)) == found


def test_token_is_always_hidden_alike() -> None:
    """The text of an unchanged session stays the same."""
    assert mask().hide(A_TOKEN) == mask().hide(A_TOKEN)


def test_mask_is_known() -> None:
    """It must be the same in all versions, because it is in cookies."""
    assert mask().hide(A_TOKEN) == "h89ZYL3dM0FvgeizfNRBeQKPlCnJlMvcQ36gJWlICa516RdTGqo"


def test_two_tokens_are_hidden_differently() -> None:
    assert mask().hide(A_TOKEN) != mask().hide(ANOTHER_TOKEN)


def test_key_and_purpose_make_another_mask() -> None:
    other_name = mask(purpose=purpose_of("csrf", "shop", ""))
    masks = [mask(), mask(OLDER_KEY), other_name]
    assert len({each.hide(A_TOKEN) for each in masks}) == 3


def test_masks_of_two_keys_have_nothing_in_common() -> None:
    """Neither the tag nor what follows it, which would tell what the token is."""
    one, other = (to_bytes(mask(key).hide(A_TOKEN)) for key in (KEY, OLDER_KEY))
    assert one[:6] != other[:6]
    assert one[6:] != other[6:]


def test_first_key_hides() -> None:
    assert mask(KEY, OLDER_KEY).hide(A_TOKEN) == mask(KEY).hide(A_TOKEN)


@pytest.mark.parametrize("old_key", [False, True])
@given(token=TOKENS)
def test_token_of_version_1_0_is_returned_as_it_is(token: str, old_key: bool) -> None:
    assert mask(KEY, OLDER_KEY).reveal(token, old_key) == token


@given(TOKENS)
def test_mask_of_an_unknown_key_is_refused(token: str) -> None:
    with pytest.raises(CookieRejected) as caught:
        mask(KEY, OLDER_KEY).reveal(mask(OLDEST_KEY).hide(token), old_key=True)
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize("index", [0, 5, 6, 37])
def test_changed_mask_is_refused_if_the_key_is_looked_for(index: int) -> None:
    raw = bytearray(to_bytes(mask(OLDER_KEY).hide(A_TOKEN)))
    raw[index] ^= 1
    with pytest.raises(CookieRejected):
        mask(KEY, OLDER_KEY).reveal(to_text(bytes(raw)), old_key=True)


@given(st.binary(min_size=38, max_size=38).map(to_text))
def test_mask_that_a_verified_cookie_of_the_present_key_holds_never_raises(junk: str) -> None:
    """The signature of the cookie has told that the mask is ours."""
    assert len(mask().reveal(junk, old_key=False)) == 43


# Ids that are derived from a cookie


TEXTS = st.text(st.characters(exclude_categories=[]))


@given(TEXTS)
def test_text_always_has_the_same_id(text: str) -> None:
    assert DerivedIds([KEY]).of(text) == DerivedIds([KEY]).of(text)


@given(TEXTS, TEXTS)
def test_two_texts_have_two_ids(one: str, other: str) -> None:
    ids = DerivedIds([KEY])
    assert (ids.of(one) == ids.of(other)) is (one == other)


@given(TEXTS)
def test_each_key_makes_an_id_of_its_own(text: str) -> None:
    """The first is the present key's; the others find what an older key has made."""
    ids = DerivedIds([KEY, OLDER_KEY, OLDEST_KEY]).of(text)
    assert ids == [DerivedIds([key]).of(text)[0] for key in (KEY, OLDER_KEY, OLDEST_KEY)]
    assert len({*ids}) == 3


@given(TEXTS)
def test_id_has_256_bits_in_the_form_of_every_id(text: str) -> None:
    [found] = DerivedIds([KEY]).of(text)
    assert re.fullmatch("[0-9A-Za-z_-]{43}", found)
    assert is_derived(found)
    assert found != text


@pytest.mark.parametrize("other", ["", "a" * 22, "a" * 32, "a" * 44])
def test_id_of_another_length_was_not_made_from_a_cookie(other: str) -> None:
    assert not is_derived(other)


@pytest.mark.parametrize("encrypt", [False, True])
def test_id_is_shorter_than_any_cookie(encrypt: bool) -> None:
    made = SecureCookieSessionInterface(KEY, encrypt=encrypt)
    assert may_be_id(*DerivedIds([KEY]).of("text"))
    assert not may_be_id(made.codec.encode("[{},0]", 0))


@pytest.mark.parametrize("text", ["a", "A-_9", "a" * 64, "a" * 122])
def test_id_of_an_application_s_own_may_be_of_any_length_below(text: str) -> None:
    assert may_be_id(text)


@pytest.mark.parametrize("text", ["", "a.b", "a\0b", "é", "a\n", "a" * 123])
def test_what_no_cookie_can_carry_is_no_id(text: str) -> None:
    assert not may_be_id(text)


def test_without_a_key_there_is_no_id() -> None:
    assert DerivedIds([]).of("text") == []


def test_id_is_known() -> None:
    """It must be the same in all versions, or a log-out would be forgotten with an update."""
    assert DerivedIds([KEY]).of("token") == ["oyIkVuwGROPb2VELapNmzBD-iGl8Nm8UnmGo27m_9So"]


# The ids of sessions that are bound to a device


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_bound_id_is_made_from_the_former_one_and_the_key(one: str, other: str) -> None:
    ids = BoundIds([KEY, OLDER_KEY])
    [bound, by_older_key] = ids.of(one)
    assert ids.of(one) == [bound, by_older_key]
    assert BoundIds([OLDER_KEY]).of(one) == [by_older_key] != [bound]
    assert (ids.of(other) == ids.of(one)) is (other == one)


def test_a_bound_id_is_told_by_its_form() -> None:
    [bound] = BoundIds([KEY]).of("former")
    assert re.fullmatch("bound-[0-9A-Za-z_-]{22}", bound)
    assert is_bound(bound)
    assert [text for text in ("", bound[:-1], f"{bound}x", bound.upper()) if is_bound(text)] == []
    assert BoundIds(()).of("former") == []
    assert BoundIds([KEY]).of(bound) == []
