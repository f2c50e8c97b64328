"""JSON text that was signed with our key, but that sessionware never writes."""

from unittest.mock import Mock

import pytest

from sessionware.serializer import loads


@pytest.mark.parametrize(
    "text",
    [
        *('{"!":1}', '{"!x":1}', '{"!T":[1]}', '{"!tt":[1]}', '{"a":{"!x":1}}'),
        *('{"!t":1}', '{"!s":[[1]]}', '{"!s":null}', '{"!b":"?"}', '{"!b":1}', '{"!u":1}'),
        *('{"!d":1}', '{"!d":"x"}', '{"!dt":1}', '{"!dt":"x"}', '{"!n":"x"}', '{"!n":null}'),
        *('{"!n":"NaN"}', '{"!n":"-Infinity"}', "1e999", "[-1e999]", '{"!t":[1e999]}'),
        *('{"!n":"1e99999999999999999999"}', '{"!dt":"2030-01-02T00:00:00[../../etc/passwd]"}'),
        *('{"!dt":"2030-01-02T00:00:00[No/Such]"}', '{"!dt":"2030-01-02T00:00:00[]]"}'),
        *(bomb * 100_000 for bomb in ("[", '{"a":', '{"!t":', '{"!!t":', '[{"!s":[')),
        *("NaN", "[Infinity]", '{"a":-Infinity}', '{"!t":[NaN]}', "1" * 4301, "", "[1", "{}x"),
    ],
    ids=lambda text: text[:40],
)
def test_text_that_is_never_written_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)


def test_zone_that_is_a_folder_is_a_value_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the package ``tzdata``, ``ZoneInfo("Europe")`` raises IsADirectoryError."""
    monkeypatch.setattr("sessionware.serializer.ZoneInfo", Mock(side_effect=IsADirectoryError))
    with pytest.raises(ValueError, match=r"."):
        loads('{"!dt":"2030-01-02T00:00:00[Europe]"}')
