"""PTX on disk, found by later processes. All of it is optional: what is not there is compiled anew.

Each file holds a digest and the code behind it; one that was cut or changed is not used. The folder
belongs to the user, and nobody else may write to it. Together the files have at most as many
megabytes as the environment variable NKERAS_CACHE_MEGABYTES says, 500 by default; 0 keeps nothing.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from nkeras.core.errors import cut_text, warn
from nkeras_numba_cuda.cuda import config

VARIABLE = "NKERAS_CACHE_MEGABYTES"
_DEFAULT = 500
_TRIM_EVERY = 50  # files that a process has written
_HAS_OWNERS = hasattr(os, "geteuid")


class _State:
    """What this process knows of its writing."""

    written = 0
    has_warned = False


def folder() -> Path | None:
    """Where code is kept; None where none is to be."""
    if not _limit():
        return None
    chosen = str(config.CACHE_DIR)
    if not chosen:
        personal = os.environ.get("XDG_CACHE_HOME", "")
        if not os.path.isabs(personal):
            personal = os.path.join(os.path.expanduser("~"), ".cache")
        chosen = os.path.join(personal, "nkeras")
    return Path(os.path.realpath(os.path.join(chosen, "nkeras-ptx")))


def load(name: str) -> str | None:
    """The code of that name, if a whole file of the user's has it."""
    place = folder()
    if place is None:
        return None
    path = place / f"{name}.ptx"
    try:
        if _distrust(place):
            return None
        content = path.read_bytes()
    except OSError:  # there is none, or it cannot be read
        return None
    digest, _, code = content.partition(b"\n")
    if hashlib.sha256(code).hexdigest().encode() != digest:
        return None
    with suppress(OSError):  # so that what is in use is the last to go
        os.utime(path)
    return code.decode()


def store(name: str, text: str) -> None:
    """Keep code for later processes; warn once where that is not possible."""
    place = folder()
    if place is None:
        return
    code = text.encode()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        problem = _distrust(place)
        if not problem:
            _write(place / f"{name}.ptx", hashlib.sha256(code).hexdigest().encode() + b"\n" + code)
            if _State.written % _TRIM_EVERY == 0:
                _trim(place)
            _State.written += 1
    except OSError as error:
        problem = f"{place}: {error.strerror or error}"
    if problem and not _State.has_warned:
        _State.has_warned = True
        warn(
            "nkeras cannot keep compiled CUDA kernels, so each process compiles them anew "
            f"({cut_text(problem, 150)}). Set NUMBA_CACHE_DIR to a folder of your own."
        )


def _write(path: Path, content: bytes) -> None:
    """Beside, then renamed: other processes may read or write the same file."""
    beside = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
    try:
        with open(beside, "xb") as file:
            file.write(content)
        os.replace(beside, path)
    finally:
        with suppress(OSError):  # it has got its name
            beside.unlink()


def _limit() -> int:
    """Bytes that may be kept."""
    text = os.environ.get(VARIABLE, "").strip()
    return (int(text) if text.isdecimal() else _DEFAULT) << 20


def _distrust(place: Path) -> str:
    """Why code in a folder is not to be used; empty where it may.

    Raises:
        OSError: there is no such folder.
    """
    facts = os.lstat(place)
    if not stat.S_ISDIR(facts.st_mode):
        return f"{place} is not a folder"
    if not _HAS_OWNERS:  # Windows: folders of a user are that user's
        return ""
    if facts.st_uid != os.geteuid():
        return f"{place} belongs to another user, number {facts.st_uid}"
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{place} can be written by others"
    return ""


def _trim(place: Path) -> None:
    """Delete what was not used for longest, as long as all together is too much."""
    kept: list[tuple[float, int, Path]] = []
    for path in place.iterdir():  # also what killed processes left unfinished
        with suppress(OSError):  # another process was quicker
            facts = path.stat()
            kept.append((facts.st_mtime, facts.st_size, path))
    excess = sum(size for _, size, _ in kept) - _limit()
    for _, size, path in sorted(kept):
        if excess <= 0:
            return
        with suppress(OSError):
            path.unlink()
            excess -= size
