"""A certificate for a server of a test."""

import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.processes import program


class Certificate(NamedTuple):
    """The files of a certificate for 127.0.0.1, for which no authority vouches."""

    key: Path
    chain: Path


def make_certificate(folder: Path) -> Certificate:
    """Return a new certificate, whose files are in the folder."""
    made = Certificate(folder / "key", folder / "certificate")
    command = [program("openssl"), "req", "-x509", "-subj=/CN=test", "-days=1", "-nodes"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(made.key)]
    subprocess.run([*command, "-out", str(made.chain)], check=True, capture_output=True)  # noqa: S603
    return made
