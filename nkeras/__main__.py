"""`python -m nkeras`: demo, doctor, bench and warmup."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from nkeras import __version__
from nkeras.cli import bench, demo, doctor, warmup

_COMMANDS = {"demo": demo, "doctor": doctor, "bench": bench, "warmup": warmup}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the program's exit status is returned.

    Args:
        arguments: the words behind `python -m nkeras`; those of this process by default.
    """
    parser = argparse.ArgumentParser(
        prog="nkeras", description="Keras on Numba.", epilog="Each command has its own --help."
    )
    parser.add_argument("--version", action="version", version=f"nkeras {__version__}")
    commands = parser.add_subparsers(metavar="command")
    for name, module in _COMMANDS.items():
        summary = module.DESCRIPTION
        command = commands.add_parser(name, help=summary, description=summary)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    if "run" not in options:
        parser.print_help()
        return 0
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
