"""What this backend can run on: CPython with its lock, and which versions of Numba.

What can only be seen by running code is tried by `launch.proof`.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Generator
from contextlib import contextmanager

from nkeras.core.errors import BackendError, SettingError, cut_text, warn

# CI tests both. LLVM before that of Numba 0.62 aborts the process at `llvm.maximum` on x86.
OLDEST_NUMBA = (0, 62)
NEWEST_NUMBA = (0, 68)


def check_python() -> None:
    """Refuse a Python whose objects the launcher cannot read.

    Raises:
        BackendError: it is not CPython of 64 bits, or it was built without its global lock.
    """
    name = platform.python_implementation()
    if name != "CPython":
        raise BackendError(f"The backend numba_cpu needs CPython. This is {name}.")
    if sys.maxsize != 2**63 - 1:
        raise BackendError("The backend numba_cpu needs a Python of 64 bits.")
    if "free-threading build" in sys.version:
        raise BackendError(
            "The backend numba_cpu cannot run on free-threaded Python, whose objects are laid out "
            "in another way than its launcher knows. Use the ordinary build of Python "
            f"{sys.version_info[0]}.{sys.version_info[1]}."
        )


def check_numba(version: str) -> None:
    """Refuse a Numba that is too old or switched off, and warn of one newer than any tried.

    Args:
        version: of the Numba that is installed.

    Raises:
        BackendError: it is older than the oldest that is tested, or does not compile.
    """
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("0", ""):
        raise BackendError("numba_cpu compiles its kernels, which NUMBA_DISABLE_JIT forbids.")
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


@contextmanager
def explained() -> Generator[None]:
    """Around what uses internals of Numba, Python and NumPy: an error names their versions.

    Raises:
        BackendError: in place of any other exception, but for a mistaken setting.
    """
    try:
        yield
    except (BackendError, SettingError):
        raise
    except Exception as error:
        reason = cut_text(" ".join(f"{type(error).__name__}: {error}".split()), 150)
        raise BackendError(f"numba_cpu does not work with {_versions()}: {reason}") from error


def _versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for name in ("numba", "llvmlite", "numpy"):
        found.append(f"{name} {getattr(sys.modules.get(name), '__version__', '')}")
    return ", ".join(found)


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
