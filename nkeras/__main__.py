"""`python -m nkeras`: demo, doctor, bench and warmup."""

from __future__ import annotations

import argparse
import os
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
    try:
        status = options.run(options) if "run" in options else parser.print_help()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        return 141  # as of a program that the signal for it has ended
    return status or 0


def _nobody_reads() -> bool:
    """Whether standard output is closed at its other end, as by `| head`; then all else is lost."""
    try:
        print(flush=True)
    except BrokenPipeError:
        # Python writes once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
