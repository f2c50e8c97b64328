"""Command line: ``python -m sessionware secret``."""

import argparse
import secrets
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; argparse exits with status 2 where it is used wrongly."""
    parser = argparse.ArgumentParser(prog="python -m sessionware")
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("secret", help="print a new secret key: 256 bits, as hexadecimal")
    parser.parse_args(arguments)
    print(secrets.token_hex(32))  # noqa: T201  # to print it is the command


if __name__ == "__main__":
    main()
