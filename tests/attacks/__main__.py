"""Print the table of attacks in ``tests/README.md``: ``python -m tests.attacks``."""

import sys

from tests.attacks.test_table import TABLE

sys.stdout.write(f"{TABLE}\n")
