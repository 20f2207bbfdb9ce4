"""Tables of cases that lie in several files are found by the files' names, not listed again."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

TESTS = Path(__file__).parents[1]


def modules(folder: str, pattern: str) -> Iterator[ModuleType]:
    """The modules of a folder below `tests` whose file names match, in order."""
    for path in sorted((TESTS / folder).glob(pattern)):
        if path.stem != "__init__":
            yield import_module(".".join(("tests", *Path(folder).parts, path.stem)))
