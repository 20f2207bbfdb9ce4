"""What this backend can run on: CPython with its lock, and which versions of Numba."""

from __future__ import annotations

import platform
import sys

from nkeras.core.errors import BackendError, warn

# CI tests both. LLVM before that of Numba 0.62 aborts the process at `llvm.maximum` on x86.
OLDEST_NUMBA = (0, 62)
NEWEST_NUMBA = (0, 68)


def check_python() -> None:
    """Refuse a Python whose objects the launcher cannot read.

    Raises:
        BackendError: it is not CPython, or CPython built without its global lock.
    """
    name = platform.python_implementation()
    if name != "CPython":
        raise BackendError(f"The backend numba_cpu needs CPython. This is {name}.")
    if "free-threading build" in sys.version:
        raise BackendError(
            "The backend numba_cpu cannot run on free-threaded Python, whose objects are laid out "
            "in another way than its launcher knows. Use the ordinary build of Python "
            f"{sys.version_info[0]}.{sys.version_info[1]}."
        )


def check_numba(version: str) -> None:
    """Refuse a Numba that is too old, and warn of one that is newer than any tried.

    Args:
        version: of the Numba that is installed.

    Raises:
        BackendError: it is older than the oldest that is tested.
    """
    major, minor = (int(part) for part in version.split(".")[:2])
    if (major, minor) < OLDEST_NUMBA:
        raise BackendError(
            f"The backend numba_cpu needs Numba {_text(OLDEST_NUMBA)} or newer. Installed is "
            f"{version}. Run `pip install --upgrade numba`."
        )
    if (major, minor) > NEWEST_NUMBA:
        warn(
            f"nkeras was never tried with Numba {version}; the newest that was is "
            f"{_text(NEWEST_NUMBA)}. It may work, with slower compiling. If it does not, run "
            f"`pip install 'numba=={_text(NEWEST_NUMBA)}.*'`."
        )


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
