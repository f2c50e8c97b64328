"""The command line."""

import os
import subprocess
import sys
from importlib.metadata import entry_points

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


def test_it_runs_as_a_command_of_its_own() -> None:
    [command] = entry_points(group="console_scripts", name="sessionware")
    assert command.load() is main


def test_it_succeeds_with_status_0() -> None:
    assert main(["secret"]) == 0


def test_a_reader_that_leaves_early_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stdout:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr("sys.stdout", stdout)
        assert main(["secret"]) == 1


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        @property
        def buffer(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Interrupted())
    assert main(["inspect"]) == 130


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("secret >&-", 1),
        ("secret >/dev/full", 1),
        ("--help >/dev/full", 1),
        ("inspect x >&-", 1),
        ("inspect </dev/zero", 1),
    ],
)
def test_a_redirection_is_no_traceback(arguments: str, status: int) -> None:
    done = subprocess.run(  # noqa: S602 - the commands are the test's
        f"{sys.executable} -m sessionware {arguments}",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, "")


def test_closed_standard_output_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a script would take the empty text for a key."""
    monkeypatch.setattr("sys.stdout", None)
    assert main(["secret"]) == 1
