"""One run of libFuzzer: ``python -m tests.fuzz.engine TARGET ARGUMENT_OF_LIBFUZZER...``."""

import shlex
import sys
from importlib import import_module
from typing import Any

if __name__ == "__main__":
    # Only where it is run: replaying the corpus needs no atheris.
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["sessionware", "uuid", "zoneinfo"]):
        from .targets import TARGETS
    target, *arguments = sys.argv[1:]
    # With -merge=1 libFuzzer starts itself anew, by a shell.
    program = shlex.join([sys.executable, "-m", "tests.fuzz.engine", target])
    atheris.Setup([program, *arguments], TARGETS[target])
    atheris.Fuzz()
