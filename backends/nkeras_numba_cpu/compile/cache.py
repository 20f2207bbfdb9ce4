"""Compiled code on disk, found by later processes. All of it is optional: without it kernels are
compiled anew, whatever is wrong with disks and folders.

Each file holds a digest and the code behind it. A file that was cut or changed is not used, nor is
one that somebody else could have written, see `trust`.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from nkeras.core.errors import cut_text, warn
from nkeras_numba_cpu.compile import cache_size
from nkeras_numba_cpu.compile.folders import folders
from nkeras_numba_cpu.compile.trust import distrust, is_trusted_file

_DIGEST = 32  # bytes
_TRIM_EVERY = 50  # files that a process has written


class _State:
    """What this process knows of its writing."""

    written = 0
    is_kept = True  # so far
    has_warned = False


def load(name: str) -> bytes | None:
    """The code of that name, if a whole and trusted file has it."""
    for folder in _folders():
        code = _read(folder, name)
        if code is not None:
            return code
    return None


def store(name: str, code: bytes) -> None:
    """Keep code for later processes in the first folder that takes it; warn once if none does."""
    problems: list[str] = []
    for folder in _folders():
        problem = _write(folder, name, code)
        if not problem:
            _State.is_kept = True
            if _State.written % _TRIM_EVERY == 0:
                cache_size.trim(folder)
            _State.written += 1
            return
        problems.append(problem)
    _State.is_kept = False
    if problems and not _State.has_warned:
        _State.has_warned = True
        why = "; ".join(cut_text(problem, 75) for problem in problems)
        warn(
            f"nkeras cannot keep compiled kernels, so each process compiles them anew ({why}). "
            "Set NUMBA_CACHE_DIR to a folder of your own with free space."
        )


def is_kept() -> bool:
    """Whether other processes may find what this one compiles, as far as is known."""
    return _State.is_kept and bool(_folders())


def is_empty() -> bool:
    """Whether no process has kept any code of this version."""
    return not any(folder.is_dir() for folder in _folders())


def cache_dir() -> Path | None:
    """The folder where compiled code is kept now, made if need be; None if there is none."""
    return _writable()[0]


def cache_note() -> str:
    """What `describe` says about the cache: its folder, and why it is not the first choice."""
    folder, problems = _writable()
    if folder is None and not problems:
        return f"in memory only ({cache_size.VARIABLE} is 0)"
    where = "in memory only" if folder is None else str(folder)
    return f"{where} ({'; '.join(problems)})" if problems else where


def _writable() -> tuple[Path | None, list[str]]:
    """The first folder that takes a file, and what is wrong with those before it."""
    problems: list[str] = []
    for folder in _folders():
        problem = _write(folder, "trial", b"\0" * 4096)
        if not problem:
            with suppress(OSError):
                (folder / "trial.o").unlink()
            return folder, problems
        problems.append(problem)
    return None, problems


def _folders() -> tuple[Path, ...]:
    return folders() if cache_size.limit() else ()


def _read(folder: Path, name: str) -> bytes | None:
    file = folder / f"{name}.o"
    try:
        if distrust(folder):
            return None
        with open(file, "rb") as opened:
            facts = os.fstat(opened.fileno())
            if not is_trusted_file(facts):
                return None
            content = opened.read()
    except OSError:  # there is none, or it cannot be read
        return None
    cache_size.used_now(file, facts.st_mtime)
    code = content[_DIGEST:]
    return code if hashlib.sha256(code).digest() == content[:_DIGEST] else None


def _write(folder: Path, name: str, code: bytes) -> str:
    """Beside, then renamed: other processes may read or write the same file.

    Returns:
        Why that was not possible; empty if it was.
    """
    beside = folder / f"{name}.{os.urandom(4).hex()}{cache_size.UNFINISHED}"
    try:
        _make(folder)
        problem = distrust(folder)
        if problem:
            return problem
        try:
            with open(beside, "xb", opener=_not_for_others) as opened:
                opened.write(hashlib.sha256(code).digest() + code)
            os.replace(beside, folder / f"{name}.o")
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
    except OSError as error:
        # Windows lets nobody replace a file that is being read: that one is whole as well.
        is_there = _read(folder, name) == code
        return "" if is_there else f"{folder.parent}: {error.strerror or error}"
    return ""


def _make(folder: Path) -> None:
    """Make a folder and those that it lies in, which only the user may write to."""
    if not folder.is_dir():
        _make(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(0o755)


def _not_for_others(path: str, flags: int) -> int:
    return os.open(path, flags, 0o644)
