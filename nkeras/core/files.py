"""Writing files so that nothing is lost: the old file stays until the new one is whole."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any


@contextmanager
def replacing(path: str | os.PathLike[str], mode: str = "wb") -> Generator[IO[Any], None, None]:
    """A new file that takes the place of `path` at the end of the block, whole or not at all.

    What is written lies in a file beside it, which reaches the disk before it gets the name. A
    reader, a second writer or a kill at any moment finds the old file or the new one. Files beside
    it that a killed writer has left are removed after an hour. The new file has the permissions of
    the old one; a symbolic link stays, and what it points to is replaced.

    Args:
        path: file to write; its folder must be there.
        mode: `"wb"`, `"w+b"` or `"w"` (text in UTF-8, lines ending as written).

    Yields:
        The open file.

    Raises:
        OSError: the file cannot be written; it is as before, and nothing else is left behind.

    Example:
        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "numbers.txt")
        >>> with replacing(path, "w") as file:
        ...     _ = file.write("1 2 3")
        >>> os.listdir(os.path.dirname(path))
        ['numbers.txt']
    """
    target = Path(os.path.realpath(path))
    before = _permissions(target)
    if target.exists() and not target.is_file():  # a pipe or a device has no other beside it
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "Cannot write: it is a folder", str(target))
        with open(target, mode.replace("+", ""), **_text(mode)) as file:
            yield file
        return
    _remove_leftovers(target)
    beside = _beside(target)
    try:
        # Made by `open`, so that a new file has the permissions of any new file.
        file = open(beside, mode.replace("w", "x"), **_text(mode))
    except OSError as error:
        raise _named(error, path) from error
    try:
        with file:
            _lock(file.fileno())
            yield file
            file.flush()
            if before is not None:
                os.chmod(beside, before)
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException as error:
        with suppress(OSError):
            beside.unlink()
        if isinstance(error, OSError) and error.filename is None:
            raise _named(error, path) from error
        raise
    _sync_folder(target.parent)


def replacing_by_link(path: str | os.PathLike[str], source: str | os.PathLike[str]) -> None:
    """Let `path` be another name of the file `source`, in the same folder, instead of a copy.

    A file that takes the place of `source` later leaves it alone.

    Raises:
        OSError: it cannot be done; `path` is as before.
    """
    beside = _beside(Path(path))
    try:
        try:
            os.link(source, beside)
        except OSError:  # a file system without such links
            with open(source, "rb") as old, replacing(path) as new:
                shutil.copyfileobj(old, new)
            return
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    _sync_folder(Path(path).parent)


def leftovers(path: str | os.PathLike[str]) -> list[Path]:
    """Files that writers of `path` have left behind who were killed, or are still at work."""
    target = Path(os.path.realpath(path))
    name = re.compile(re.escape(f".{target.name[:100]}.") + r"[0-9a-f]{12}\.tmp")
    if not target.parent.is_dir():
        return []
    return [found for found in target.parent.iterdir() if name.fullmatch(found.name)]


def _remove_leftovers(target: Path) -> None:
    """Remove what dead writers have left: old files that nobody has locked."""
    for found in leftovers(target):
        with suppress(OSError):
            about = found.lstat()
            # A link to a whole file is on its way (`replacing_by_link`).
            if not stat.S_ISREG(about.st_mode) or about.st_nlink > 1:
                continue
            if time.time() - about.st_mtime > _LONG_AGO:
                descriptor = os.open(found, os.O_RDONLY)
                try:
                    if _lock(descriptor):
                        found.unlink()
                finally:
                    os.close(descriptor)


_LONG_AGO = 3600  # seconds: a file is locked a moment after it was made


def _lock(descriptor: int) -> bool:
    """Lock a file until it is closed, or its process ends; False where that cannot be."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")


def _text(mode: str) -> dict[str, Any]:
    return {} if "b" in mode else {"encoding": "utf-8", "newline": ""}


def _permissions(target: Path) -> int | None:
    """Those of the file of before, which must be one that may be written."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "Cannot write: the file is read-only", str(target))
    return stat.S_IMODE(found.st_mode)


def _named(error: OSError, path: str | os.PathLike[str]) -> OSError:
    """The error with the name that the user gave, not that of the file beside it."""
    return type(error)(error.errno, f"Cannot write: {error.strerror or error}", os.fspath(path))


def _sync_folder(folder: Path) -> None:
    """The new name reaches the disk. Windows opens no folders: there it follows on its own."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
