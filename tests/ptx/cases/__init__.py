"""Calls that launch each kernel of the backend, by topic: each module here has a list `CASES`.

A kernel that no case names fails the suite (`tests/ptx/test_kernels.py`).
"""

from __future__ import annotations

import importlib
import pkgutil

from tests.ptx.case import Case


def collected() -> list[Case]:
    """The cases of all modules."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [one for name in names for one in importlib.import_module(f"{__name__}.{name}").CASES]
