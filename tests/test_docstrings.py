"""The examples in docstrings are right: one test for each module of nkeras that has any."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import nkeras
from nkeras.backend import registry

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(nkeras.__path__, "nkeras.")
    if not module.name.endswith("__main__")
)
# Models of some hundred million numbers: tests/applications runs their examples without these.
_LARGE = re.compile(r"nkeras\.applications\.(?!imagenet_utils)")


def _has_examples(name: str) -> bool:
    path = Path(nkeras.__path__[0]).parent.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    has_any = re.search(r"^\s*>>> ", file.read_text("utf-8"), re.MULTILINE) is not None
    return has_any and not _LARGE.match(name)


@pytest.mark.parametrize("name", [name for name in MODULES if _has_examples(name)])
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example may write a file
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
    report: list[str] = []
    with registry.use_backend("numpy"):  # compiles nothing
        runner = doctest.DocTestRunner(
            verbose=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        )
        for test in found:
            runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).attempted > 0
    assert not report, "".join(report)
