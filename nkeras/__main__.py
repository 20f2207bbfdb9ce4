"""`python -m nkeras`: models in files, and what there is to know of this machine."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from nkeras import __version__
from nkeras.cli.words import loaded

_COMMANDS = ("demo", "predict", "convert", "inspect", "view", "doctor", "bench", "warmup")


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
    words = list(sys.argv[1:] if arguments is None else arguments)
    # The others cost time, which shows in a command that takes half a second.
    wanted = [name for name in _COMMANDS if name == words[0]] if words else []
    for name in wanted or _COMMANDS:
        # Files of this folder also run by themselves: none may have the name of a module of Python.
        module = import_module(f"nkeras.cli.{'inspection' if name == 'inspect' else name}")
        summary = module.DESCRIPTION
        command = commands.add_parser(name, help=summary, description=summary)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    if wanted != ["predict"]:  # which says itself when it has loaded its model
        loaded()
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


def script() -> NoReturn:
    """The program `nkeras`: `main`, but what is loaded is not searched for cycles, nor at the end.

    That search takes a quarter of the time of a command that loads a model and predicts.
    """
    gc.disable()
    status = main()
    gc.freeze()
    sys.exit(status)


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
    script()
