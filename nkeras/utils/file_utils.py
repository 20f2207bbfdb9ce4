"""`get_file`: files from the web, in a cache on disk."""

from __future__ import annotations

import os
import tempfile
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path

from nkeras.core.errors import as_bool, cut_text, short
from nkeras.utils import io_utils
from nkeras.utils.archives import as_formats, extract_archive
from nkeras.utils.checksums import Checksum, as_checksum

_OWNER = "get_file()"


def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str | os.PathLike[str] = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Iterable[str] | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """Path of a file from the web, which is downloaded unless the cache has it.

    A file with the right hash is used where it lies, without network: put there by hand, by Keras,
    or in a folder that may only be read. A download is written beside it, and takes the name once
    it is whole and its hash is right; until then, or if it fails, the old file stays. Servers that
    are busy, silent, slow or that hang up are asked up to four times. A server may redirect to
    http and https only, and not from https to http.

    Give `file_hash` whenever you know it: without, a file is what the server sent at the time.

    Args:
        fname: name of the file in the cache, without a folder; by default that of `origin`. With
            `extract` the archive is called `<name>_archive` and the folder `<name>`, or, where
            `fname` has an extension, `fname` and `<fname up to the first dot>_extracted`.
        origin: URL of the file: `http://`, `https://` or `file://`.
        untar: Keras' older name of `extract` with `archive_format="tar"`.
        md5_hash: Keras' older name of `file_hash` with `hash_algorithm="md5"`.
        file_hash: SHA-256 or MD5 of the file, in hexadecimal digits.
        cache_subdir: folder inside the cache; an absolute path takes the place of the cache.
        hash_algorithm: `"sha256"`, `"md5"`, or `"auto"` for what the length of `file_hash` says.
        extract: whether the file is an archive, to be extracted beside it. Archives with links,
            devices or names that leave the folder are refused as a whole.
        archive_format: `"tar"` (also compressed by gzip, bzip2 or xz), `"zip"`, a list of them, or
            `"auto"` for both.
        cache_dir: the cache; by default the environment variable `KERAS_HOME`, else `~/.keras`,
            else, where the home folder cannot be written, `.keras` in the folder for temporary
            files.
        force_download: whether to download also what the cache has.

    Returns:
        Path of the file, or of the folder that the archive was extracted to.

    Raises:
        ValueError: an argument is wrong, the file has another hash, or the archive is refused.
        OSError: the file could not be downloaded or written. The text names the URL and the place
            where a file that you fetch in another way is looked for.

    Example:
        >>> import pathlib, tempfile
        >>> source = pathlib.Path(tempfile.mkdtemp(), "numbers.txt")
        >>> _ = source.write_text("1 2 3")
        >>> cache = tempfile.mkdtemp()
        >>> path = get_file(origin=source.as_uri(), cache_dir=cache)  # doctest: +ELLIPSIS
        Downloading data from file:///...
        >>> pathlib.Path(path).read_text()
        '1 2 3'

    Source: https://keras.io/api/utils/python_utils/#get_file-function
    """
    from nkeras.utils.download import as_url

    url = as_url(origin)
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    checksum = as_checksum(file_hash, hash_algorithm)
    untar = as_bool(untar, "untar", _OWNER)
    archive = as_bool(extract, "extract", _OWNER) or untar
    formats = as_formats("tar" if untar else archive_format, _OWNER)
    if archive and not formats:
        raise ValueError(
            f"{_OWNER}: `extract=True` needs an `archive_format`. Received: {short(archive_format)}"
        )
    name, folder_name = _names(fname, url, archive)

    force = as_bool(force_download, "force_download", _OWNER)
    for folder in _folders(cache_dir, cache_subdir):
        if not force and _is_there(folder / name, checksum):
            break
    else:
        folder = _writable(_folders(cache_dir, cache_subdir), name)
        _download(url, folder / name, checksum)
    if not archive:
        return str(folder / name)
    extract_archive(folder / name, folder / folder_name, formats)
    return str(folder / folder_name)


def _names(fname: str | os.PathLike[str] | None, origin: str, archive: bool) -> tuple[str, str]:
    """Name of the file, and of the folder that it is extracted to."""
    given = _path("fname", fname) if fname else ""
    name = given or os.path.basename(urllib.parse.urlsplit(origin).path)
    if not name or name in (".", "..") or any(c in name for c in {"/", "\0", os.sep}):
        raise ValueError(
            f"{_OWNER}: argument `fname` must be the name of a file without a folder, which "
            f"`cache_dir` and `cache_subdir` give. Received: fname={short(fname)}, "
            f"origin={short(origin)}"
        )
    if not archive:
        return name, ""
    if given and "." in given:
        return name, f"{given.partition('.')[0]}_extracted"
    return f"{name}_archive", name


def _folders(cache_dir: object, cache_subdir: str | os.PathLike[str]) -> Iterator[Path]:
    """Where the file may lie: the first one, or the second if the user's home is read-only."""
    default = cache_dir is None and not os.environ.get("KERAS_HOME")
    if cache_dir is None:
        cache_dir = os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")
    inside = _path("cache_subdir", cache_subdir)
    folder = Path(os.path.expanduser(_path("cache_dir", cache_dir)), inside)
    yield folder
    if default and not os.path.isabs(inside) and not _can_be_written(folder):
        yield _temporary() / inside


def _path(argument: str, value: object) -> str:
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else value
    if isinstance(path, str) and "\0" not in path:
        return path
    raise TypeError(f"{_OWNER}: argument `{argument}` must be a path. Received: {short(value)}")


def _is_there(path: Path, checksum: Checksum | None) -> bool:
    """Whether the cache has the file, with the right hash if that is known."""
    if not path.is_file():
        return False
    if checksum is None or checksum.of_file(path) == checksum.digits:
        return True
    io_utils.print_msg(
        f"The {checksum.algorithm} of {path} is not {checksum.digits[:16]}...: downloading it again"
    )
    return False


def _writable(folders: Iterable[Path], name: str) -> Path:
    """The first folder that can be written, made if need be."""
    folder = Path()
    for folder in folders:
        if _can_be_written(folder):
            return folder
    raise OSError(
        f"{_OWNER}: {short(name, 60)} cannot be put into {cut_text(str(folder), 150)}, which is no "
        "folder that can be written; `cache_dir` or the environment variable KERAS_HOME names "
        "another one."
    )


def _can_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _temporary() -> Path:
    """A cache in the folder for temporary files, where it must be the user's own."""
    base = Path(tempfile.gettempdir(), ".keras")
    base.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and (base.lstat().st_uid != os.getuid() or base.is_symlink()):
        raise OSError(
            f"{_OWNER}: the home folder cannot be written, and {base} belongs to somebody else; "
            "name another folder by `cache_dir` or the environment variable KERAS_HOME."
        )
    return base


def _download(origin: str, path: Path, checksum: Checksum | None) -> None:
    from nkeras.utils.download import NoDownload, download

    try:
        download(origin, path, checksum)
    except NoDownload as error:
        raise OSError(
            f"{cut_text(origin, 100)} cannot be downloaded: {cut_text(str(error), 70)}. "
            f"Or put the file there by hand: {short(path.name, 40)} in "
            f"{cut_text(str(path.parent), 125)}"
        ) from error
    except ValueError as error:
        raise ValueError(f"{_OWNER}: {cut_text(origin, 150)}: {error}") from error
