"""The source archives that other projects have published, with their tests."""

import subprocess
import sys
import tarfile
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import NamedTuple

import pytest

CACHE = Path(gettempdir(), "sessionware-archives")
"""Kept from one run to the next, because a download takes seconds."""


class Archive(NamedTuple):
    """The archive of one version, which pip downloads."""

    name: str
    version: str
    sha256: str

    def unpack(self, folder: Path) -> Path:
        """Return the folder with what is in the archive. Skip the test if it cannot be had.

        That is never a failure, because a package index may not answer.
        """
        kept = CACHE / f"{self.name}-{self.version}.tar.gz"
        if not kept.exists():
            self._download(kept)
        # Its tests will be run, and other users of the machine may write into the cache.
        assert sha256(kept.read_bytes()).hexdigest() == self.sha256, f"{kept} is another archive"
        with tarfile.open(kept) as archive:
            if hasattr(tarfile, "data_filter"):  # since Python 3.11.4; newer ones ask for it
                archive.extraction_filter = tarfile.data_filter
            archive.extractall(folder)  # noqa: S202 - its hash is known
        [top] = folder.iterdir()
        return top

    def _download(self, kept: Path) -> None:
        CACHE.mkdir(exist_ok=True)
        # Into a folder of its own, so that a download that is cut short is never kept.
        with TemporaryDirectory(dir=CACHE) as folder:
            arguments = ["download", "-q", "--no-deps", f"--no-binary={self.name}", f"-d{folder}"]
            command = [sys.executable, "-m", "pip", *arguments, f"{self.name}=={self.version}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode != 0:
                pytest.skip(f"pip cannot download the source of {self.name} {self.version}")
            [archive] = Path(folder).glob("*.tar.gz")
            archive.rename(kept)
