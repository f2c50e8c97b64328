"""Fuzz one target, and add the inputs that increase its coverage to the corpus."""

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from .targets import OURS, TARGETS

CORPUS = Path(__file__).parent / "corpus"
MAX_INPUT = 1024

_TAGS = [f'{{"!{tag}":' for tag in ("b", "d", "dt", "m", "n", "s", "t", "u", "!t", "!", "x")]
_JSON = [*_TAGS, '"', '\\"', "[", "]", "{", "}", "[0,{", '},"id"]', ":", ",", "\\ud83d", "\\ude00"]
_JSON += ['"2026-01-01T00:00:00+01:00"', "[Europe/Berlin]", '"1E+99"', "1e99", "-0.0", "NaN"]
_JSON += ["null", "true", "Infinity", "-61", "9" * 60, "[" * 60, '"YQ=="', "0" * 32]
WORDS = {
    "scanner": ["session=", "; ", "\t", "a=", "__Host-$.b|c*=", "__Host-", ";;", "\xa0", '"'],
    "codec": [part for token in OURS for part in token.split(".") if part] + [".", "=", "-", "_"],
    "serializer": _JSON,
    "envelope": _JSON,
}
"""The dictionary of libFuzzer: tokens that it inserts into its inputs."""


def fuzz(target: str, found: Path, *limits: str) -> "subprocess.CompletedProcess[str]":
    """Run libFuzzer with these limits. It writes inputs with new coverage to ``found``."""
    words = found.with_name("words")
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS[target]))
    return engine(
        target,
        str(found),
        str(CORPUS / target),
        f"-dict={words}",
        f"-max_len={MAX_INPUT}",
        "-print_final_stats=1",
        "-timeout=10",
        "-use_value_profile=1",
        *limits,
    )


def engine(target: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run libFuzzer with these arguments, and capture its output."""
    command = [sys.executable, "-m", "tests.fuzz.engine", target, *arguments]
    return subprocess.run(  # noqa: S603 - all arguments are ours
        command, cwd=CORPUS.parents[2], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02X}" for byte in word.encode("latin-1"))


def main() -> int:
    """Run the command line, and return libFuzzer's exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=600)
    options = parser.parse_args()
    kept = CORPUS / options.target
    with TemporaryDirectory() as name:
        found = Path(name, "found")
        found.mkdir()
        # A failing input goes into the corpus, so that its test fails until the error is fixed.
        limit = f"-max_total_time={options.seconds}"
        run = fuzz(options.target, found, limit, f"-artifact_prefix={kept}/")
        # Without counters, only lines and branches count, which keeps the corpus small.
        merged = engine(options.target, "-merge=1", "-use_counters=0", str(kept), str(found))
    print(run.stdout[-4000:], merged.stdout[-300:])  # noqa: T201
    return run.returncode or merged.returncode


if __name__ == "__main__":
    sys.exit(main())
