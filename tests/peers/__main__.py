"""Print the comparison in ``tests/README.md``: ``python -m tests.peers``."""

import sys

from tests.peers.test_comparison import TABLE

sys.stdout.write(f"{TABLE}\n")
