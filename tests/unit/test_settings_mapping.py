"""The mapping that settings come from: whose names they are, and what is no text."""

import pytest

from sessionware import ConfigurationError, SecureCookieSessionInterface
from sessionware.migration import FlaskCookie
from sessionware.settings import from_settings
from tests.gateway import KEY


def test_mapping_without_one_name_of_ours_is_an_error() -> None:
    """As where the prefix was forgotten: or else the application would be without a key."""
    with pytest.raises(ConfigurationError) as caught:
        from_settings(lambda *_: [], {"secret_key": KEY})
    assert caught.value.problems == (
        "session.secret_key: found no name that begins with 'session.'",
    )


def test_object_is_taken_as_it_is() -> None:
    foreign = FlaskCookie(KEY)
    settings = {"session.secret_key": KEY, "session.migrate_from": [foreign]}
    interface = from_settings(lambda *_: [], settings).interface
    assert isinstance(interface, SecureCookieSessionInterface)
    assert interface.migrate_from == [foreign]
