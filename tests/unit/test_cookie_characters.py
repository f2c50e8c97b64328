"""Which characters of a Cookie header belong to a name or a value: all but a few."""

from sessionware.cookie import SessionCookie

OTHERS = sorted({*map(chr, range(256))} - {*"; \t"})


def test_every_character_but_space_and_tab_makes_another_name() -> None:
    find = SessionCookie().find
    assert [it for it in OTHERS if find(f"{it}session=a; x{it}session=b")] == []


def test_every_character_but_space_and_tab_is_of_the_value() -> None:
    find = SessionCookie().find
    assert [find(f"session={it}a{it}; x=1") for it in OTHERS] == [[f"{it}a{it}"] for it in OTHERS]
