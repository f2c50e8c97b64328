"""The command line: ``python -m sessionware``."""

import io
import os
import subprocess
import sys
from importlib.metadata import entry_points, version

import pytest

import sessionware
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


def test_it_runs_as_an_installed_command() -> None:
    [command] = entry_points(group="console_scripts", name="sessionware")
    assert command.load() is main


def test_it_succeeds_with_status_0() -> None:
    assert main(["secret"]) == 0


@pytest.mark.parametrize(
    "arguments", ["secret >&-", "secret >/dev/full", "inspect x >&-", "inspect </dev/zero"]
)
def test_input_or_output_that_fails_is_not_a_success(arguments: str) -> None:
    command = f"{sys.executable} -m sessionware {arguments}"
    done = subprocess.run(command, shell=True, capture_output=True, check=False)  # noqa: S602 - ours
    assert done.returncode != 0


@pytest.mark.parametrize("arguments", [["secret"], ["inspect", "session=x"]])
def test_output_that_nobody_reads_to_its_end_is_no_error(arguments: list[str]) -> None:
    """Nor is it a success, or the exit status of a cookie that does not verify."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "sessionware", *arguments]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)  # noqa: S603 - ours
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_output_that_nobody_reads_is_not_written_again_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Closed())
    assert (main(["secret"]), sys.stdout) == (141, None)


def test_version_is_that_of_the_installed_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"sessionware {version('sessionware')}\n"
    assert sessionware.__version__ == version("sessionware")


def test_closed_standard_output_is_not_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise, a script would use the empty output as a key."""
    monkeypatch.setattr("sys.stdout", None)
    assert main(["secret"]) == 1
