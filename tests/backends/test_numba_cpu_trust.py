"""Compiled code is loaded from where nobody but the user can have put it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from nkeras_numba_cpu.compile import cache, folders, trust

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "_known", {})


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is that of a user who trusts himself alone."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(trust, "_owners", lambda user: frozenset({user}))


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    return Path(os.path.realpath(tmp_path))


def made(folder: Path, mode: int) -> Path:
    folder.mkdir()
    folder.chmod(mode)  # `mkdir` leaves out what the umask has
    return folder


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o555])
def test_a_folder_of_ones_own_is_trusted(parent: Path, mode: int) -> None:
    assert trust.distrust(made(parent / "own", mode)) == ""


@pytest.mark.parametrize("mode", [0o777, 0o707, 0o1777])
def test_a_folder_that_all_can_write_to_is_not(parent: Path, mode: int) -> None:
    folder = made(parent / "open", mode)
    assert trust.distrust(folder) == f"{folder} can be written by everybody"


def test_nor_one_below_it_but_for_a_sticky_one(parent: Path) -> None:
    above = made(parent / "open", 0o777)
    folder = made(above / "between", 0o755) / "own"
    folder.mkdir(0o755)
    assert trust.distrust(folder) == f"{above} can be written by everybody"
    above.chmod(0o1777)
    trust._known.clear()
    assert trust.distrust(folder) == ""


def test_a_group_may_write_if_it_is_the_users_alone(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made(parent / "own", 0o775)
    for is_private in (True, False):
        trust._known.clear()
        monkeypatch.setattr(trust, "_is_private", lambda group, user, found=is_private: found)
        assert bool(trust.distrust(folder)) != is_private
    assert "can be written by a group, number" in trust.distrust(folder)


def test_which_group_is_the_users_alone() -> None:
    import pwd

    user = pwd.getpwuid(0)
    assert trust._is_private(user.pw_gid, 0)
    assert not trust._is_private(user.pw_gid, 54321)  # nobody
    assert not trust._is_private(2**31 - 7, 0)


@pytest.mark.usefixtures("stranger")
def test_a_folder_of_another_user_is_not_trusted(parent: Path) -> None:
    folder = made(parent / "of_another", 0o755)
    assert f"belongs to another user, number {os.getuid()}" in trust.distrust(folder)


def test_a_real_other_user(parent: Path) -> None:
    folder = made(parent / "of_another", 0o755)
    if os.geteuid() == 0:  # only root can give things away
        os.chown(folder, 12345, 12345)
        assert trust.distrust(folder) == f"{folder} belongs to another user, number 12345"
        os.chown(folder, 0, 0)
    assert trust.distrust(folder) == ""


def test_who_owns_the_interpreter_and_the_package_is_trusted() -> None:
    owners = trust._owners(12345)
    assert {0, 12345, os.stat(sys.executable).st_uid, os.stat(trust.__file__).st_uid} == owners


def test_a_link_is_no_folder(parent: Path) -> None:
    link = parent / "link"
    link.symlink_to(made(parent / "own", 0o755))
    assert trust.distrust(link) == f"{link} is not a folder"
    with pytest.raises(FileNotFoundError):
        trust.distrust(parent / "missing")


def test_links_to_the_cache_are_resolved_once(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = parent / "link"
    link.symlink_to(made(parent / "own", 0o755))
    monkeypatch.setattr(folders, "_numba_cache_dir", lambda: str(link))
    first = folders.folders.__wrapped__()[0]
    assert first.parent == parent / "own"


def test_where_the_sources_lie_nothing_is_asked(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = made(parent / "package", 0o777)
    monkeypatch.setattr(trust, "PACKAGE", package)
    beside = made(package / "__pycache__", 0o755)
    folder = made(beside / "nkeras-0", 0o755)
    assert trust.distrust(folder) == ""
    beside.chmod(0o777)
    trust._known.clear()
    assert trust.distrust(folder) == f"{beside} can be written by everybody"


def test_without_users_nothing_is_checked(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "IS_CHECKED", False)
    assert trust.distrust(made(parent / "open", 0o777)) == ""


def test_a_file_that_others_can_write_to_is_not_loaded(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "folders", lambda: (parent / "own",))
    cache.store("kernel", b"code")
    assert cache.load("kernel") == b"code"
    file = parent / "own" / "kernel.o"
    assert file.stat().st_mode & 0o7777 == 0o644
    file.chmod(0o666)
    assert cache.load("kernel") is None
    file.chmod(0o644)
    assert cache.load("kernel") == b"code"
    cache.store("other", b"code of another name")
    (parent / "own" / "other.o").unlink()
    (parent / "own" / "other.o").symlink_to(made(parent / "open", 0o777))
    assert cache.load("other") is None


def test_the_next_folder_serves_and_the_note_says_why(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, own = made(parent / "open", 0o777), parent / "own"
    monkeypatch.setattr(cache, "folders", lambda: (opened / "1", own / "2"))
    (opened / "1").mkdir()
    digest = cache.hashlib.sha256(b"of somebody").digest()
    (opened / "1" / "kernel.o").write_bytes(digest + b"of somebody")
    assert cache.load("kernel") is None
    cache.store("kernel", b"of the user")
    assert cache.load("kernel") == b"of the user"
    assert cache.cache_note() == f"{own / '2'} ({opened} can be written by everybody)"
    assert (opened / "1" / "kernel.o").read_bytes().endswith(b"of somebody")


def test_a_folder_that_another_user_puts_there_later(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = parent / "own"
    monkeypatch.setattr(cache, "folders", lambda: (folder,))
    cache.store("kernel", b"code")
    assert cache.load("kernel") == b"code"
    folder.chmod(0o777)
    assert cache.load("kernel") is None
