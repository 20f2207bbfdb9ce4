"""What commands have in common: words that count, warnings and failures as lines."""

from __future__ import annotations

import argparse
import gc
import sys
import warnings
from collections.abc import Callable


def positive(text: str) -> int:
    """An argument that counts something."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def loaded() -> None:
    """From here on cycles are looked for, among what is made after this: all has been loaded.

    It changes nothing where they were looked for before.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def attempt(command: str, work: Callable[[], None]) -> int:
    """Do a command's work; warnings and failures become lines on standard error.

    Args:
        command: its name.
        work: function that does it.

    Returns:
        The exit status: 1 where something is wrong with files, arguments or the machine.
    """
    from nkeras.core.errors import BackendError

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            work()
            status = 0
        except (OSError, ValueError, TypeError, ImportError, BackendError) as error:
            print(f"nkeras {command}: {error}", file=sys.stderr)
            status = 1
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        print(f"nkeras {command}: warning: {text}", file=sys.stderr)
    return status
