"""Archives are extracted whole or not at all, and nothing leaves the folder."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import os
import random
import shutil
import stat
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import nkeras as keras
from nkeras.utils import archives
from tests.harness import web

FILES = {
    "a.txt": b"first",
    "b/c.bin": bytes(range(256)) * 3000,
    "b/empty": b"",
    "d/e/f": b"x" * 512,
}
LONG = "n" * 90 + "/" + "m" * 200 + "/" + "ü" * 60


def tar(
    files: dict[str, bytes] = FILES, format: int = tarfile.PAX_FORMAT, **attributes: Any
) -> bytes:
    """A tar archive, each of whose members has these attributes."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=format) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data[: info.size]))
    return target.getvalue()


def zipped(
    files: dict[str, bytes] = FILES, method: int = zipfile.ZIP_DEFLATED, mode: int = 0
) -> bytes:
    """A zip archive; `mode` is the kind and the permissions of its members."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, data, method)
    return target.getvalue()


@pytest.fixture
def extract(tmp_path: Path) -> Callable[..., Path]:
    """Extract bytes into the folder `cache/out`."""

    def run(data: bytes, formats: Any = ("tar", "zip")) -> Path:
        (tmp_path / "cache").mkdir(exist_ok=True)
        path = tmp_path / "cache" / "archive"
        path.write_bytes(data)
        archives.extract_archive(path, tmp_path / "cache" / "out", formats)
        return tmp_path / "cache" / "out"

    return run


@pytest.fixture
def refused(extract: Callable[..., Path], tmp_path: Path) -> Callable[..., str]:
    """Why an archive is refused, which leaves nothing behind."""

    def run(data: bytes, formats: Any = ("tar", "zip")) -> str:
        with pytest.raises(ValueError, match="Cannot extract") as caught:
            extract(data, formats)
        assert [path.name for path in tmp_path.rglob("*")] == ["cache", "archive"]
        text = str(caught.value)
        assert len(text) <= 400
        assert "\n" not in text
        return text

    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


PACKED: dict[str, Callable[[], bytes]] = {
    "tar": tar,
    "tar of GNU": lambda: tar(format=tarfile.GNU_FORMAT),
    "tar of 1988": lambda: tar(format=tarfile.USTAR_FORMAT),
    "gzip": lambda: gzip.compress(tar()),
    "gzip in parts": lambda: gzip.compress(tar()[:700]) + gzip.compress(tar()[700:]),
    "bzip2": lambda: bz2.compress(tar()),
    "xz": lambda: lzma.compress(tar()),
    "xz in parts": lambda: lzma.compress(tar()[:700]) + lzma.compress(tar()[700:]),
    "zip": zipped,
    "zip stored": lambda: zipped(method=zipfile.ZIP_STORED),
    "zip bzip2": lambda: zipped(method=zipfile.ZIP_BZIP2),
    "zip of unix": lambda: zipped(mode=stat.S_IFREG | 0o644),
}


@functools.cache
def packed(kind: str) -> bytes:
    return PACKED[kind]()


@pytest.mark.parametrize("kind", PACKED)
def test_formats(extract: Callable[..., Path], tmp_path: Path, kind: str) -> None:
    assert contents(extract(packed(kind))) == FILES
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["archive", "out"]


@pytest.mark.parametrize("kind", PACKED)
def test_formats_that_were_not_asked_for(refused: Callable[..., str], kind: str) -> None:
    other = "tar" if "zip" in kind and "gzip" not in kind and "bzip2" != kind else "zip"
    assert f"no archive of the format {other}" in refused(packed(kind), (other,))


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names(extract: Callable[..., Path], format: int) -> None:
    assert contents(extract(tar({LONG: b"x", "s": b"y"}, format))) == {LONG: b"x", "s": b"y"}


def test_names_with_a_prefix(extract: Callable[..., Path]) -> None:
    name = "p" * 140 + "/" + "q" * 90
    assert contents(extract(tar({name: b"x"}, tarfile.USTAR_FORMAT))) == {name: b"x"}


def test_folders_and_odd_names(extract: Callable[..., Path]) -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name in ("./", "./x/", "x/y"):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
        for name in ("./x//z", "x/y/:w"):
            archive.addfile(tarfile.TarInfo(name))
    assert contents(extract(target.getvalue())) == {"x/z": b"", "x/y/:w": b""}


def test_folders_of_zip(extract: Callable[..., Path]) -> None:
    folder = extract(zipped({"x/": b"", "x/y/": b"", "x/z": b"1"}))
    assert contents(folder) == {"x/z": b"1"}
    assert (folder / "x" / "y").is_dir()


def test_an_empty_zip(extract: Callable[..., Path]) -> None:
    assert contents(extract(zipped({}))) == {}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_permissions_are_those_of_new_files(extract: Callable[..., Path], tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.write_bytes(b"")
    for data in (tar({"a": b"x"}, mode=0o6777), zipped({"a": b"x"}, mode=stat.S_IFREG | 0o6777)):
        assert (extract(data) / "a").stat().st_mode == usual.stat().st_mode


OUTSIDE = ["/etc/x", "//etc/x", "../x", "a/../../x", "a/..", "..", "a\\b", "..\\x", "C:\\x"]


@pytest.mark.parametrize("make", [tar, zipped])
@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_leave_the_folder(
    refused: Callable[..., str], make: Callable[..., bytes], name: str
) -> None:
    assert "would leave the folder" in refused(make({"good": b"x", name: b"x"}))


def test_long_names_that_leave_the_folder(refused: Callable[..., str]) -> None:
    for format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert "would leave" in refused(tar({"a/" * 60 + "../" * 61 + "x": b"x"}, format))


def test_names_that_windows_takes_for_others(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [("x", 0, None, None)]
    assert [member.parts for member in archives._checked(found, 10)] == [("x",)]
    monkeypatch.setattr(os, "name", "nt")
    for name in ("a:b", "C:x", "nul", "COM1.txt", "x.", "x ", "a/con/b", "a?"):
        with pytest.raises(ValueError, match="no name on Windows"):
            list(archives._checked([(name, 0, None, None)], 10))
    assert list(archives._checked([("console", 0, None, None)], 10))


KINDS = {
    "symbolic link": (tarfile.SYMTYPE, "link"),
    "hard link": (tarfile.LNKTYPE, "link"),
    "character device": (tarfile.CHRTYPE, "device"),
    "block device": (tarfile.BLKTYPE, "device"),
    "pipe": (tarfile.FIFOTYPE, "pipe"),
    "unknown": (b"Z", "unknown type"),
    "sparse": (tarfile.GNUTYPE_SPARSE, "unknown type"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file(refused: Callable[..., str], kind: str) -> None:
    code, word = KINDS[kind]
    info = tarfile.TarInfo("bad")
    info.type, info.linkname = code, "a"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
        archive.addfile(info)
    assert word in refused(packed.getvalue())


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_what_is_no_file_in_a_zip(refused: Callable[..., str], kind: int) -> None:
    assert "a link or a device" in refused(zipped({"a": b"/etc/passwd"}, mode=kind | 0o777))


def test_sparse_files(refused: Callable[..., str]) -> None:
    headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "1000000000000"}
    assert "holes" in refused(tar({"a": b"x"}, pax_headers=headers))


@pytest.mark.parametrize("make", [tar, zipped])
def test_names_that_stand_there_twice(
    refused: Callable[..., str], make: Callable[..., bytes]
) -> None:
    for names in (["a", "./a"], ["a", "a/b"], ["a/b", "a"]):
        assert "stands there twice" in refused(make(dict.fromkeys(names, b"x")))


def test_encrypted(refused: Callable[..., str]) -> None:
    data = bytearray(zipped({"a": b"x"}))
    data[data.index(b"PK\1\2") + 8] |= 1
    assert "encrypted" in refused(bytes(data))


def test_methods_that_are_refused(refused: Callable[..., str]) -> None:
    assert "compressed by method 14" in refused(zipped({"a": b"x" * 99}, zipfile.ZIP_LZMA))


@pytest.mark.parametrize("kind", PACKED)
def test_damages(refused: Callable[..., str], kind: str) -> None:
    """Cut off anywhere, or with a byte that is another one: refused, or what it was."""
    data = packed(kind)
    for end in range(20, len(data), len(data) // 7):
        if not any(data[end:]):
            continue  # only the zeros at the end of a tar are missing
        refused(data[:end])


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zip"])
def test_bytes_that_are_others(extract: Callable[..., Path], kind: str) -> None:
    good = packed(kind)
    for at in range(0, len(good), max(1, len(good) // 60)):
        bad = good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :]
        with suppress(ValueError):
            # What no sum covers: names of a zip, times, the comment of a gzip.
            assert sorted(contents(extract(bad)).values()) == sorted(FILES.values())


def test_any_bytes_are_extracted_or_refused(extract: Callable[..., Path], tmp_path: Path) -> None:
    """Bytes changed at random: never another exception, never half a folder."""
    small = {"a.txt": b"first", "b/" + "n" * 120: b"x" * 700}
    good = [tar(small), tar(small, tarfile.GNU_FORMAT), gzip.compress(tar(small)), zipped(small)]
    choose = random.Random(3)
    refused = 0
    for number in range(160):
        data = bytearray(good[number % 4])
        for _ in range(choose.randrange(1, 4)):
            data[choose.randrange(min(len(data), 2000))] = choose.randrange(256)
        try:
            extract(bytes(data))
        except ValueError:
            refused += 1
        shutil.rmtree(tmp_path / "cache" / "out", ignore_errors=True)
        assert [path.name for path in tmp_path.rglob("*")] == ["cache", "archive"]
    assert 80 < refused < 160


@pytest.mark.parametrize("at", [0, 124, 148, 156, 257])
def test_headers_of_tar_that_are_others(refused: Callable[..., str], at: int) -> None:
    data = bytearray(tar(format=tarfile.USTAR_FORMAT))
    data[1024 + at] ^= 0x55  # of the second member
    assert "header" in refused(bytes(data))


def header(name: str, size: bytes, kind: bytes = b"0") -> bytes:
    """The header of a tar member, with any bytes for its size."""
    block = bytearray(512)
    block[: len(name)] = name.encode()
    block[124 : 124 + len(size)] = size
    block[156:157] = kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def test_sizes_that_are_lies(refused: Callable[..., str]) -> None:
    for size in (b"77777777777\0", b"\x80" + b"\xff" * 11, b"-1", b"1e3", b"\xff" * 12):
        refused(header("a", size) + b"x" * 512)
    for length in (b"77777777777\0", b"\x80" + b"\xff" * 11):
        for kind in (b"L", b"K", b"x", b"g"):
            assert "a header has" in refused(header("a", length, kind))


@pytest.mark.parametrize(
    "record", [b"9 path=a", b"0 path=a\n", b"99 path=a\n", b"x", b"-9 path=a\n", b"12 size=-10\n"]
)
def test_extended_headers_that_are_lies(refused: Callable[..., str], record: bytes) -> None:
    data = header("x", b"%o" % len(record), b"x") + record.ljust(512, b"\0") + header("a", b"0")
    assert "extended header" in refused(data) or b"size" in record


def test_thousands_of_headers_before_a_file(extract: Callable[..., Path]) -> None:
    """tarfile recurses here."""
    name = header("long", b"1", b"L") + b"b".ljust(512, b"\0")
    assert contents(extract(name * 5000 + header("a", b"0") + bytes(1024))) == {"b": b""}


def test_a_bomb_takes_neither_memory_nor_disk(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_BYTES", 1 << 20)
    zeros = bytes(1 << 20)
    big = gzip.compress(header("a", b"%o" % (1 << 25)) + zeros * 32)
    name = gzip.compress(header("a", b"%o" % (1 << 25), b"x") + zeros * 32)
    long_map = {"GNU.sparse.map": "1," * 400_000 + "1"}
    tracemalloc.start()
    assert "more than" in refused(big)
    assert "a header has" in refused(name)
    assert "more than" in refused(zipped({f"{i}": zeros for i in range(8)}))
    refused(gzip.compress(tar({"a": b"x"}, pax_headers=long_map)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 << 20


def test_xz_that_wants_much_memory(refused: Callable[..., str]) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 4096}]
    data = bytearray(lzma.compress(tar(), filters=filters))
    at = data.index(b"\x21\x01") + 2  # the size of the dictionary: here 4 GiB
    data[at] = 40
    end = 12 + (data[12] + 1) * 4
    import zlib

    data[end - 4 : end] = zlib.crc32(data[12 : end - 4]).to_bytes(4, "little")
    assert "emory" in refused(bytes(data))


def test_what_follows_the_end(refused: Callable[..., str], extract: Callable[..., Path]) -> None:
    assert "goes on after its end" in refused(gzip.compress(tar() + bytes(1 << 25)))
    assert contents(extract(tar() + bytes(1 << 20))) == FILES


def test_too_many_members(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    assert "more than 3 members" in refused(tar())
    assert "more than 3 members" in refused(zipped())


def test_a_directory_that_is_large(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = zipped(dict.fromkeys(map(str, range(3000)), b""))
    size = int.from_bytes(data[-10:-6], "little")
    monkeypatch.setattr(archives, "MOST_OF_A_DIRECTORY", size - 1)
    assert f"its directory has {size} bytes" in refused(data)


def test_too_many_folders(refused: Callable[..., str]) -> None:
    assert "has 101 parts" in refused(tar({"a/" * 100 + "b": b"x"}))


def test_a_folder_that_is_there(extract: Callable[..., Path]) -> None:
    """What is missing or another one is made good; what is not of the archive stays."""
    folder = extract(packed("zip"))
    (folder / "mine.txt").write_bytes(b"mine")
    before = (folder / "d/e/f").stat().st_mtime_ns
    (folder / "a.txt").write_bytes(b"FIRST")
    (folder / "b/c.bin").unlink()
    assert contents(extract(packed("zip"))) == {**FILES, "mine.txt": b"mine"}
    time.sleep(0.02)
    extract(packed("zip"))
    after = (folder / "a.txt").stat().st_mtime_ns
    extract(packed("zip"))
    assert (folder / "a.txt").stat().st_mtime_ns == after
    assert (folder / "d/e/f").stat().st_mtime_ns >= before


def test_a_hostile_archive_leaves_a_folder_as_it_is(extract: Callable[..., Path]) -> None:
    folder = extract(packed("tar"))
    with pytest.raises(ValueError, match="leave"):
        extract(tar({"a.txt": b"changed", "../x": b""}))
    assert contents(folder) == FILES


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_links_in_the_folder_lead_nowhere(extract: Callable[..., Path], tmp_path: Path) -> None:
    folder = extract(packed("tar"))
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "g").symlink_to(outside)
    with pytest.raises(ValueError, match="link that leaves"):
        extract(tar({"g/x": b"x"}))
    assert list(outside.iterdir()) == []


def test_two_extract_at_once(
    extract: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process has made the folder while this one extracted."""
    rename = os.rename

    def later(source: Any, target: Path) -> None:
        target.mkdir()
        (target / "a.txt").write_bytes(b"half")
        rename(source, target)

    monkeypatch.setattr(os, "rename", later)
    assert contents(extract(packed("tar"))) == FILES
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["archive", "out"]


def test_a_full_disk(
    extract: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        extract(packed("tar"))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["archive"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[web.Server]:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "*")
    with web.serving() as found:
        yield found


NAMES = [
    ({}, "data.tar.gz", "data.tar.gz_archive"),
    ({"fname": "mine"}, "mine", "mine_archive"),
    ({"fname": "mine.tar.gz"}, "mine_extracted", "mine.tar.gz"),
]


@pytest.mark.parametrize("how", [{"extract": True}, {"untar": True}])
@pytest.mark.parametrize(("given", "folder", "archive"), NAMES)
def test_get_file_extracts(
    server: web.Server, tmp_path: Path, how: Any, given: Any, folder: str, archive: str
) -> None:
    url = server.offer("data.tar.gz", packed("gzip"))
    for _ in range(2):
        path = keras.utils.get_file(origin=url, **how, **given)
    home = tmp_path / "home" / "datasets"
    assert Path(path) == home / folder
    assert contents(home / folder) == FILES
    assert sorted(found.name for found in home.iterdir()) == sorted([folder, archive])
    assert server.asked == ["data.tar.gz"]


@pytest.mark.parametrize("archive_format", ["auto", "zip", ["zip"], ("tar", "zip")])
def test_archive_format(server: web.Server, archive_format: Any) -> None:
    url = server.offer("data.zip", packed("zip"))
    path = keras.utils.get_file(origin=url, extract=True, archive_format=archive_format)
    assert contents(Path(path)) == FILES


@pytest.mark.parametrize("given", [{"untar": True}, {"extract": True, "archive_format": "tar"}])
def test_another_format(server: web.Server, given: Any) -> None:
    url = server.offer("data.zip", packed("zip"))
    with pytest.raises(ValueError, match="no archive of the format tar"):
        keras.utils.get_file(origin=url, **given)


def test_names_are_those_of_keras(server: web.Server, tmp_path: Path, oracle: Any) -> None:
    url = server.offer("data.tar.gz", packed("gzip"))
    cases = [
        {**given, **how}
        for how in ({"extract": True}, {"untar": True}, {})
        for given, _, _ in NAMES
    ]
    theirs = oracle.run(
        """
        import os
        result = []
        for number, given in enumerate(cases):
            folder = os.path.join(parent, str(number))
            os.mkdir(folder)
            path = keras.utils.get_file(origin=url, cache_dir=folder, **given)
            names = sorted(os.listdir(os.path.join(folder, "datasets")))
            result.append([os.path.relpath(path, folder), names])
        """,
        url=url,
        parent=str(tmp_path),
        cases=cases,
    )
    for number, given in enumerate(cases):
        folder = tmp_path / f"ours{number}"
        path = keras.utils.get_file(origin=url, cache_dir=folder, **given)
        names = sorted(os.listdir(folder / "datasets"))
        assert [os.path.relpath(path, folder), names] == theirs[number]
