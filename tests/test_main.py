"""The command line."""

import subprocess
import sys

import pytest

from sessionware.__main__ import main


def test_secret_prints_a_key_of_256_bits(capsys: pytest.CaptureFixture[str]) -> None:
    main(["secret"])
    assert len(bytes.fromhex(capsys.readouterr().out.strip())) == 32


def test_secret_never_prints_the_same_key_twice(capsys: pytest.CaptureFixture[str]) -> None:
    main(["secret"])
    main(["secret"])
    first, second = capsys.readouterr().out.splitlines()
    assert first != second


def test_a_wrong_command_exits_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["secrets"])
    assert exit_.value.code == 2
    assert "secret" in capsys.readouterr().err


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "sessionware", "secret"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert len(done.stdout.strip()) == 64
