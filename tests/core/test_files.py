"""`replacing`: old file or new file, and nothing beside it, whatever happens."""

import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest

from nkeras.core.files import leftovers, replacing

pytestmark = pytest.mark.skipif(os.name == "nt", reason="limits and signals of POSIX")


def write(path, data: bytes) -> None:
    with replacing(path) as file:
        file.write(data)


def test_a_new_file_and_its_permissions_are_those_of_open(tmp_path):
    write(tmp_path / "new", b"1")
    (tmp_path / "plain").write_bytes(b"1")
    assert (tmp_path / "new").read_bytes() == b"1"
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_old_permissions_stay(tmp_path):
    path = tmp_path / "old"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_symbolic_links_are_followed(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "file")
    write(tmp_path / "link", b"1")
    write(tmp_path / "link", b"2")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "file").read_bytes() == b"2"
    assert os.listdir(tmp_path / "folder") == ["file"]


def test_an_error_in_the_block_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupted():
        with replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_text_is_utf8_with_lines_as_written(tmp_path):
    with replacing(tmp_path / "text", "w") as file:
        file.write("é\n")
    assert (tmp_path / "text").read_bytes() == b"\xc3\xa9\n"


def test_a_device_is_written_itself():
    write(os.devnull, b"1")
    assert not stat.S_ISREG(os.stat(os.devnull).st_mode)


@pytest.mark.parametrize("kind", ["missing folder", "folder", "read-only"])
def test_errors_name_the_path(tmp_path, kind, monkeypatch):
    path = tmp_path / "gone" / "file" if kind == "missing folder" else tmp_path / "file"
    if kind == "folder":
        path.mkdir()
    elif kind == "read-only":
        path.write_bytes(b"old")
        monkeypatch.setattr(os, "access", lambda *_: False)  # a superuser may write everything
    with pytest.raises(OSError, match="file") as error:
        write(path, b"new")
    assert ".tmp" not in str(error.value)
    assert not path.is_file() or path.read_bytes() == b"old"


def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        with pytest.raises(OSError, match=r"Cannot write: .*file"):
            write(path, b"1" * 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_two_writers_never_mix(tmp_path):
    path = tmp_path / "file"
    contents = [bytes([number]) * 100_000 for number in range(4)]
    threads = [threading.Thread(target=write, args=(path, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert os.listdir(tmp_path) == ["file"]


WRITER = """
import sys
from nkeras.core.files import leftovers, replacing
number = 0
while True:
    number += 1
    with replacing(sys.argv[1]) as file:
        for _ in range(20):
            file.write(bytes([number % 256]) * 50_000)
    print(number, flush=True)
"""


def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "file"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    for _ in range(3):
        last = int(writer.stdout.readline())
    time.sleep(0.003)
    writer.kill()
    last = max([last, *map(int, writer.stdout.read().split())])
    writer.wait()
    writer.stdout.close()
    content = path.read_bytes()
    assert len(content) == 1_000_000
    assert set(content) in ({last % 256}, {(last + 1) % 256})


def leave(path, number: int, age: float):
    left = path.with_name(f".{path.name}.{number:012x}.tmp")
    left.write_bytes(b"half")
    os.utime(left, (time.time() - age, time.time() - age))
    return left


def test_what_dead_writers_left_is_removed(tmp_path):
    import fcntl

    path = tmp_path / "model.keras"
    dead, young, locked, linked = (
        leave(path, number, age) for number, age in enumerate((9000, 60, 9000, 9000))
    )
    os.link(linked, tmp_path / "another name")
    other = tmp_path / ".model.keras.backup.tmp"
    other.write_bytes(b"")
    os.utime(other, (0, 0))
    leave(path, 5, 9000).unlink()
    os.mkfifo(tmp_path / f".model.keras.{5:012x}.tmp")
    assert len(leftovers(path)) == 5
    with locked.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write(path, b"new")
        assert locked.exists()
    assert not dead.exists()
    assert young.exists()
    assert linked.exists()
    assert other.exists()
    write(path, b"newer")
    assert not locked.exists()


def test_a_slow_writer_keeps_its_file(tmp_path):
    path = tmp_path / "model.keras"
    with replacing(path) as file:
        file.write(b"slow")
        file.flush()
        (beside,) = leftovers(path)
        os.utime(beside, (0, 0))
        write(path, b"quick")
        assert beside.exists()
    assert path.read_bytes() == b"slow"
