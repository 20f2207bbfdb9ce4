"""How large the cache on disk may become: what was not used for longest is deleted first."""

from __future__ import annotations

import functools
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nkeras.core.errors import short, warn
from nkeras_numba_cpu.compile.folders import PATTERN
from nkeras_numba_cpu.compile.trust import distrust

VARIABLE = "NKERAS_CACHE_MEGABYTES"
_DEFAULT = 500
_DAY = 24 * 3600
_MONTH = 30 * _DAY
UNFINISHED = ".part"  # the end of the names of files that are being written


def limit() -> int:
    """How many bytes may be kept; 0 keeps nothing on disk."""
    return _megabytes(os.environ.get(VARIABLE, "").strip()) << 20


@functools.cache
def _megabytes(text: str) -> int:
    if text and not text.isdecimal():
        warn(f"{VARIABLE} must be a number of megabytes, received {short(text)}; used {_DEFAULT}.")
        text = ""
    return int(text or _DEFAULT)


def used_now(file: Path, modified: float) -> None:
    """Note that a file, last modified then, is in use; once a day is enough."""
    if time.time() - modified > _DAY:
        with suppress(OSError):  # not ours to change
            os.utime(file)


def trim(folder: Path) -> None:
    """Delete what is too old or too much among `folder` and those of other versions beside it.

    What other versions left unused for a month, what a killed process left half written, and then
    the oldest files as long as all together exceed the limit.
    """
    now = time.time()
    kept: list[tuple[float, int, Path]] = []
    for version in folder.parent.glob(PATTERN):
        with suppress(OSError):  # another process may have been quicker
            if distrust(version):  # another user's, or a link to anywhere
                continue
            files = list(_files(version))
            newest = max([version.stat().st_mtime, *(used for used, _, _ in files)])
            if version != folder and now - newest > _MONTH:
                shutil.rmtree(version)
            else:
                kept += files
    excess = sum(size for _, size, _ in kept) - limit()
    for used, size, file in sorted(kept):
        is_left = file.suffix == UNFINISHED and now - used > _DAY
        if excess > 0 or is_left:
            with suppress(OSError):
                file.unlink()
                excess -= size


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """When files were last used, their sizes and paths."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    facts = entry.stat(follow_symlinks=False)
                    yield facts.st_mtime, facts.st_size, Path(entry.path)
