"""Print the README's table of attacks: ``python -m tests.attacks``."""

import sys

from tests.attacks.test_table import TABLE

sys.stdout.write(f"{TABLE}\n")
