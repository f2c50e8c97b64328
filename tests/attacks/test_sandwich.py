"""The cookie sandwich: quotes that make our cookie a part of another cookie's value.

"Stealing HttpOnly cookies with the cookie sandwich technique" and "Bypassing WAFs with the phantom
$Version cookie" (PortSwigger, 2025 and 2024). In our parser, quotes hold nothing together. If an
application parses cookies with quotes and shows the value of one, it may still show ours in it.
"""

import pytest

from tests.attacks.victim import Victim

VICTIM = Victim()
ADA = VICTIM.log_in()
TOKEN = ADA.partition("=")[2]
SANDWICHES = {
    "as published": f'$Version=1; param1="start; {ADA}; param2=end"',
    "without $Version": f'param1="start; {ADA}; param2=end"',
    "never closed": f'param1="start; {ADA}',
    "closed without an opening": f'{ADA}; param2=end"',
    "single quotes": f"param1='start; {ADA}; param2=end'",
    "escaped quotes": f'param1="\\"start; {ADA}; param2=end\\""',
    "octal": f'param1="start\\073; {ADA}; param2=end"',
    "empty slices": f'="; {ADA}; ="',
    "quotes alone": f'"; {ADA}; "',
    "$Path and $Domain": f'$Version="1"; {ADA}; $Path="/"; $Domain="evil.example"',
    "brackets (CVE-2016-7401)": f"a=[1; {ADA}; b=]1",
}


@pytest.mark.parametrize("attack", SANDWICHES)
def test_our_cookie_is_read_inside_a_sandwich(attack: str) -> None:
    """CVE-2016-7401: Django's parser ended cookies at other characters than browsers do."""
    assert VICTIM.sees(SANDWICHES[attack]) == {"user": "ada"}


OPEN_SANDWICHES = {
    "a value in two pairs of quotes": f'session=""{TOKEN}""',
    "a value in single quotes": f"session='{TOKEN}'",
    "a quoted value with more behind it": f'session="{TOKEN}"x',
    "a quote before it": f'session="{TOKEN}',
    "a quote behind it": f'session={TOKEN}"',
    "octal escapes": 'session="' + "".join(f"\\{ord(letter):03o}" for letter in TOKEN) + '"',
    "inside another's value": f'a="x\\073 session={TOKEN}"',
    "behind a comma": f'$Version=1, session={TOKEN}, $Path="/"',
    "our own value swallows": f'session="x; session={TOKEN}x"',
}


@pytest.mark.parametrize("attack", OPEN_SANDWICHES)
def test_no_part_of_a_value_is_our_cookie(attack: str) -> None:
    """One pair of quotes is removed, but nothing between them is unescaped or looked at."""
    assert VICTIM.sees(OPEN_SANDWICHES[attack]) == {}


def test_the_sandwich_is_not_reflected() -> None:
    """The attacker's text is neither in the session nor in the response."""
    response = VICTIM.visit(SANDWICHES["as published"], lambda session: session.update(seen=1))
    assert VICTIM.found == {"user": "ada"}
    assert not any("param" in value for _, value in response.header_list)
    assert VICTIM.sees(response.cookie) == {"user": "ada", "seen": 1}
