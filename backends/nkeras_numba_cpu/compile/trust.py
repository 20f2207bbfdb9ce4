"""Whether compiled code may be loaded from a folder: only the user may have put it there.

Whoever can write to a folder of compiled kernels can make this process run anything. So the folder
and all that it lies in must belong to somebody whose programs run here anyway, and nobody else may
be allowed to write. In a folder with the sticky bit, such as /tmp, others may write, but not
replace what is not theirs.

Windows has no user numbers and no such modes; folders of a user are that user's by default there,
and nothing is checked.
"""

from __future__ import annotations

import functools
import os
import stat
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1]

IS_CHECKED = hasattr(os, "geteuid")

_known: dict[tuple[int, ...], str] = {}


def distrust(folder: Path) -> str:
    """Why code in a folder must not be loaded; empty where it may.

    Args:
        folder: its real path, without links.

    Raises:
        OSError: there is no such folder.
    """
    facts = os.lstat(folder)
    if not stat.S_ISDIR(facts.st_mode):
        return f"{folder} is not a folder"
    if not IS_CHECKED:
        return ""
    key = (facts.st_dev, facts.st_ino, facts.st_mode, facts.st_uid, facts.st_gid)
    if key not in _known:
        _known[key] = _why(folder)
    return _known[key]


def is_trusted_file(facts: os.stat_result) -> bool:
    """Whether an open file is one that only the user can have written."""
    return stat.S_ISREG(facts.st_mode) and not (IS_CHECKED and _writers(facts))


def _why(folder: Path) -> str:
    """The first of a folder and those that it lies in which somebody else can change."""
    for place in (folder, *folder.parents):
        if place == PACKAGE:  # who can write here can change the sources of the kernels
            break
        facts = os.lstat(place)
        found = _writers(facts, may_add=place != folder and bool(facts.st_mode & stat.S_ISVTX))
        if found:
            return f"{place} {found}"
    return ""


def _writers(facts: os.stat_result, may_add: bool = False) -> str:
    """Who else can write, as a message; empty if nobody can."""
    if facts.st_uid not in _owners(os.geteuid()):
        return f"belongs to another user, number {facts.st_uid}"
    if facts.st_mode & stat.S_IWOTH and not may_add:
        return "can be written by everybody"
    if facts.st_mode & stat.S_IWGRP and not (may_add or _is_private(facts.st_gid, facts.st_uid)):
        return f"can be written by a group, number {facts.st_gid}"
    return ""


@functools.cache
def _owners(user: int) -> frozenset[int]:
    """Whose programs run in this process: the user's, root's, the interpreter's and ours."""
    owners = {0, user}
    for program in (sys.executable, __file__):
        if program and os.path.exists(program):
            owners.add(os.stat(program).st_uid)
    return frozenset(owners)


@functools.cache
def _is_private(group: int, user: int) -> bool:
    """Whether a group is that of one user alone, which many systems let write by default."""
    try:
        import grp
        import pwd

        found, owner = grp.getgrgid(group), pwd.getpwuid(user)
    except (ImportError, KeyError):  # unknown to the system, as in many containers
        return False
    is_own = owner.pw_gid == group and found.gr_name == owner.pw_name
    return is_own and set(found.gr_mem) <= {owner.pw_name}
