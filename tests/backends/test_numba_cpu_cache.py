"""The cache on disk is optional: whatever happens to it, the run goes on and the next one works."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import textwrap
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nkeras_numba_cpu.compile import cache, cache_size, native
from nkeras_numba_cpu.launch.tasks import tasks

VERSIONS = [f"nkeras-{digit * 16}" for digit in "0123"]

FIT = """
    import numpy as np, nkeras
    from nkeras_numba_cpu.compile import cache
    model = nkeras.Sequential([nkeras.layers.Input((2,)), nkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 2), "float32"), np.ones((4, 1), "float32"), epochs=2, verbose=0)
    print(nkeras.get_backend(), cache.cache_note())
    """


def run(code: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process whose cache is wherever the environment says."""
    path = os.pathsep.join(path for path in sys.path if path)
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders for the cache of this process."""
    real = Path(os.path.realpath(tmp_path))
    found = real / "first" / VERSIONS[0], real / "second" / VERSIONS[0]
    monkeypatch.setattr(cache, "folders", lambda: found)
    for name, value in vars(cache._State).items():
        if not name.startswith("_"):
            monkeypatch.setattr(cache._State, name, value)
    monkeypatch.setattr(cache._State, "written", 0)
    return found


def full(*disks: Path) -> Callable[[str, int], int]:
    """Opens files, but not on disks that are full."""

    def opened(path: str, flags: int) -> int:
        if any(disk in Path(path).parents for disk in disks):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.open(path, flags, 0o644)

    return opened


def test_what_was_stored_is_loaded(places: tuple[Path, Path]) -> None:
    assert cache.load("kernel") is None
    cache.store("kernel", b"code")
    assert cache.load("kernel") == b"code"
    assert [file.name for file in places[0].iterdir()] == ["kernel.o"]
    assert not places[1].exists()
    assert cache.cache_dir() == places[0]
    assert cache.cache_note() == str(places[0])
    assert [file.name for file in places[0].iterdir()] == ["kernel.o"]


def test_a_full_disk_makes_the_next_folder_serve(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_not_for_others", full(places[0]))
    cache.store("kernel", b"code")
    assert cache.load("kernel") == b"code"
    assert cache.is_kept()
    assert list(places[0].iterdir()) == []
    reason = f"{places[0].parent}: {os.strerror(errno.ENOSPC)}"
    assert cache.cache_note() == f"{places[1]} ({reason})"


def test_where_nothing_can_be_kept_one_warning_says_so(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_not_for_others", full(*places))
    with pytest.warns(UserWarning, match=r"cannot keep.*No space left.*NUMBA_CACHE_DIR") as caught:
        cache.store("kernel", b"code")
    assert len(str(caught[0].message)) <= 400
    assert caught[0].filename == __file__
    assert not cache.is_kept()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.store("kernel", b"code")
    assert cache.load("kernel") is None
    assert cache.cache_dir() is None
    assert cache.cache_note().startswith("in memory only (")
    monkeypatch.setattr(cache, "_not_for_others", full())  # there is space again
    cache.store("kernel", b"code")
    assert cache.is_kept()
    assert cache.load("kernel") == b"code"


def test_a_file_in_the_way_and_a_read_only_disk(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    places[0].parent.write_text("no folder can be made below a file")
    cache.store("kernel", b"code")
    assert cache.load("kernel") == b"code"
    assert cache.cache_note().endswith(f"({places[0].parent}: {os.strerror(errno.ENOTDIR)})")

    def refused(folder: Path, mode: int = 0o777) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    places[0].parent.unlink()
    monkeypatch.setattr(Path, "mkdir", refused)
    assert cache.load("kernel") == b"code"
    assert cache.cache_note().endswith(f"({places[0].parent}: {os.strerror(errno.EROFS)})")


def test_what_cannot_be_written_is_read(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.store("kernel", b"made when the image was")
    monkeypatch.setattr(cache, "_not_for_others", full(places[0]))
    cache.store("other", b"made now")
    assert cache.load("kernel") == b"made when the image was"
    assert cache.load("other") == b"made now"


def test_the_folder_may_go_while_a_process_lives(places: tuple[Path, Path]) -> None:
    cache.store("kernel", b"code")
    shutil.rmtree(places[0].parent)
    assert cache.load("kernel") is None
    cache.store("kernel", b"code")
    assert cache.load("kernel") == b"code"
    assert not places[1].exists()


@pytest.mark.parametrize("damage", [b"", b"x", b"\0" * 100, b"code"])
def test_a_damaged_file_is_replaced(places: tuple[Path, Path], damage: bytes) -> None:
    cache.store("kernel", b"code")
    file = places[0] / "kernel.o"
    for content in (damage, file.read_bytes()[:-1] + damage[:1], file.read_bytes() + damage):
        file.write_bytes(content)
        assert cache.load("kernel") in (None, b"code")
        cache.store("kernel", b"code")
        assert cache.load("kernel") == b"code"


@tasks
def _double(task, x):
    x[task] = 2 * x[task]


def test_a_damaged_kernel_is_compiled_anew(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.arange(4.0)
    for damage in (b"", b"more"):
        monkeypatch.setattr(_double, "_launchers", {})
        monkeypatch.setattr(native, "_loaded", {})
        for file in places[0].glob("*_double*"):
            file.write_bytes(file.read_bytes()[:100] + damage)
        _double.compiled((x,))
        (file,) = places[0].glob("*_double*")
        assert cache.load(file.stem) is not None


def version(parent: Path, name: str, **files: float) -> Path:
    """A folder with files of a megabyte, used so many days ago."""
    folder = parent / name
    folder.mkdir()
    for file, days in files.items():
        path = folder / file.replace("_", ".")
        path.write_bytes(bytes(1 << 20))
        os.utime(path, (time.time() - days * 86400,) * 2)
    used = time.time() - min(files.values()) * 86400
    os.utime(folder, (used, used))
    return folder


def files(parent: Path) -> set[str]:
    return {str(file.relative_to(parent)) for file in parent.rglob("*") if file.is_file()}


def test_versions_that_nobody_used_for_a_month_are_deleted(tmp_path: Path) -> None:
    parent = Path(os.path.realpath(tmp_path))
    own = version(parent, VERSIONS[0], a_o=400)
    version(parent, VERSIONS[1], a_o=40, b_o=50)
    version(parent, VERSIONS[2], a_o=20, b_o=50)
    version(parent, "of_others", a_o=400)
    cache_size.trim(own)
    kept = {f"{VERSIONS[0]}/a.o", f"{VERSIONS[2]}/a.o", f"{VERSIONS[2]}/b.o", "of_others/a.o"}
    assert files(parent) == kept
    assert not (parent / VERSIONS[1]).exists()


def test_the_oldest_files_go_where_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cache_size.VARIABLE, "3")
    parent = Path(os.path.realpath(tmp_path))
    own = version(parent, VERSIONS[0], a_o=1, b_o=9, c_o=3)
    version(parent, VERSIONS[1], d_o=2, e_o=4)
    cache_size.trim(own)
    assert files(parent) == {f"{VERSIONS[0]}/a.o", f"{VERSIONS[0]}/c.o", f"{VERSIONS[1]}/d.o"}


def test_what_a_killed_process_left_is_deleted_after_a_day(tmp_path: Path) -> None:
    parent = Path(os.path.realpath(tmp_path))
    own = version(parent, VERSIONS[0], a_part=2, b_part=0.5, c_o=2)
    cache_size.trim(own)
    assert files(own) == {"b.part", "c.o"}


def test_nothing_is_deleted_behind_links_and_in_folders_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cache_size.VARIABLE, "1")
    parent = Path(os.path.realpath(tmp_path))
    (parent / "cache").mkdir()
    own = version(parent / "cache", VERSIONS[0], a_o=1)
    version(parent, "elsewhere", a_o=400)
    (parent / "cache" / VERSIONS[1]).symlink_to(parent / "elsewhere")
    version(parent / "cache", VERSIONS[2], a_o=400).chmod(0o777)
    cache_size.trim(own)
    assert len(files(parent)) == 3 + (sys.platform == "win32")


def test_a_process_that_writes_trims_now_and_then(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_TRIM_EVERY", 3)
    trimmed = []
    monkeypatch.setattr(cache_size, "trim", trimmed.append)
    for number in range(7):
        cache.store(f"kernel{number}", b"code")
    assert trimmed == [places[0]] * 3


def test_loading_notes_the_day_of_use(places: tuple[Path, Path]) -> None:
    cache.store("kernel", b"code")
    file = places[0] / "kernel.o"
    for days, is_noted in ((3, True), (0.5, False)):
        then = time.time() - days * 86400
        os.utime(file, (then, then))
        assert cache.load("kernel") == b"code"
        assert (file.stat().st_mtime > then + 1) == is_noted


def test_no_megabytes_keep_nothing(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.store("kernel", b"code")
    monkeypatch.setenv(cache_size.VARIABLE, "0")
    assert cache.load("kernel") is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.store("other", b"code")
    assert not cache.is_kept()
    assert cache.cache_note() == "in memory only (NKERAS_CACHE_MEGABYTES is 0)"
    assert files(places[0]) == {"kernel.o"}


def test_nonsense_for_megabytes_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache_size.VARIABLE, "a lot")
    with pytest.warns(UserWarning, match=r"NKERAS_CACHE_MEGABYTES must be.*'a lot'; used 500"):
        assert cache_size._megabytes.__wrapped__("a lot") == 500


# Whole processes, which train: with the cache as large as the operating system lets it be.

FULL = """
    import os, resource, tempfile
    tempfile.tempdir = os.environ["TMPDIR"]  # not another one, where that is full
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))  # of each file
    """


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_fit_goes_on_with_full_disks_and_the_next_one_works(tmp_path: Path) -> None:
    where = {"NUMBA_CACHE_DIR": str(tmp_path / "1"), "XDG_CACHE_HOME": str(tmp_path / "2")}
    where["TMPDIR"] = str(tmp_path)
    done = run(textwrap.dedent(FULL) + textwrap.dedent(FIT), **where)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("numba_cpu in memory only (")
    assert done.stderr.count("UserWarning") == done.stderr.count("cannot keep") == 1
    again = run(FIT, **where)
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith(f"numba_cpu {tmp_path / '1'}")
    assert "UserWarning" not in again.stderr


KILLED = """
    import os, signal
    from nkeras_numba_cpu.compile import cache
    os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)
    import nkeras
    nkeras.ops.sum([1.0])
    """


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill -9")
def test_a_process_that_is_killed_while_it_writes_leaves_a_cache_that_works(
    tmp_path: Path,
) -> None:
    where = {"NUMBA_CACHE_DIR": str(tmp_path), "NKERAS_COMPILE_PROCESSES": "1"}
    assert run(KILLED, **where).returncode == -9
    (left,) = files(tmp_path)
    assert left.endswith(cache_size.UNFINISHED)
    done = run("import nkeras; print(nkeras.ops.sum([1.0, 2.0]).item())", "-W", "error", **where)
    assert (done.returncode, done.stdout) == (0, "3.0\n"), done.stderr
    assert len(files(tmp_path)) > 2


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(tmp_path)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root can mount a disk of its own here")
    try:
        where = dict.fromkeys(("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "TMPDIR"), str(tmp_path))
        code = "import os, tempfile; tempfile.tempdir = os.environ['TMPDIR']\n"
        code += "import nkeras; print(nkeras.ops.sum(nkeras.ops.tanh([0.0, 0.0])).item())"
        for _ in range(2):
            done = run(code, **where)
            assert (done.returncode, done.stdout) == (0, "0.0\n"), done.stderr
            assert done.stderr.count("UserWarning: nkeras cannot keep compiled kernels") == 1
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
