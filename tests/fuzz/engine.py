"""One run of libFuzzer: ``python -m tests.fuzz.engine TARGET ARGUMENT_OF_LIBFUZZER...``."""

import shlex
import sys
from importlib import import_module
from typing import Any

if __name__ == "__main__":
    # Imported here, because replaying the corpus does not need atheris.
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["sessionware", "uuid", "zoneinfo"]):
        from .targets import TARGETS
    target, *arguments = sys.argv[1:]
    # With -merge=1, libFuzzer restarts itself with a shell.
    program = shlex.join([sys.executable, "-m", "tests.fuzz.engine", target])
    atheris.Setup([program, *arguments], TARGETS[target])
    atheris.Fuzz()
