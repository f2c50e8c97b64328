"""What to do about an unknown setting."""

import pytest

from sessionware.advice import advice_on
from sessionware.interface import Settings

KNOWN = {"secret_key", *Settings.__annotations__}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("cookie_nmae", "cookie_name"),
        ("COOKIE_NAME", "cookie_name"),
        ("validate_key", "secret_key"),
        ("timeout", "idle_timeout"),
        ("reissue_time", "refresh_after"),
        ("cookie_age", "idle_timeout"),
        ("type", "store"),
    ],
)
def test_a_typo_or_a_name_of_another_library_leads_to_our_setting(name: str, meant: str) -> None:
    assert advice_on(name, KNOWN) == f"did you mean {meant}?"


def test_our_setting_is_named_as_it_is_written_there() -> None:
    assert advice_on("timeout", KNOWN, "session.") == "did you mean session.idle_timeout?"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        (
            "cookie_expires",
            "set session.permanent = True at the log-in to keep a cookie for longer",
        ),
        ("save_every_request", "set refresh_after to 0"),
        ("refresh_each_request", "set refresh_after to 0"),
        ("auto", "leave it out, because changes are saved by themselves"),
    ],
)
def test_a_setting_of_another_library_for_which_we_have_none_says_what_to_do(
    name: str, advice: str
) -> None:
    assert advice_on(name, KNOWN) == advice


@pytest.mark.parametrize("name", ["cookie_seconds", "colour", ""])
def test_a_name_that_resembles_none_gets_no_advice(name: str) -> None:
    assert advice_on(name, KNOWN) == ""
