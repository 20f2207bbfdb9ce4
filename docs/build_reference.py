"""Make the API reference from the docstrings: `python docs/build_reference.py FOLDER`.

It needs the extra `docs`. Each public name of each public module must be on a page, with a
docstring; every link must lead to a page; every warning of pdoc is an error.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
import types
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import pdoc.doc
import pdoc.doc_types
import pdoc.render

import nkeras
from nkeras.core.missing import public_names

# Public modules beside those that `nkeras` names; and one of those that has no names for users.
FURTHER = ("nkeras", "nkeras.datasets.digits", "nkeras.optimizers.schedules")
WITHOUT_PAGE = "training"


def modules() -> dict[str, types.ModuleType]:
    """The public modules by name."""
    names = [f"nkeras.{name}" for name in nkeras._MODULES if name != WITHOUT_PAGE]
    return {name: import_module(name) for name in sorted([*FURTHER, *names])}


def show(module: types.ModuleType) -> dict[str, Any]:
    """Make pdoc see what a module offers: also what it loads late, and operations as functions."""
    shown = {}
    for name in public_names(module):
        value = getattr(module, name)
        if callable(value) and not inspect.isroutine(value) and not inspect.isclass(value):
            value = as_function(value, name, module.__name__)
        if inspect.isclass(value):
            let_init_speak(value)
        if name not in ("__version__", WITHOUT_PAGE):
            shown[name] = value
    vars(module).update(shown)
    module.__all__ = list(shown)
    return shown


def let_init_speak(cls: type) -> None:
    """Make pdoc show the constructor, an inherited one too, and not the docstring of `__new__`."""
    if inspect.isfunction(cls.__init__) and "__init__" not in vars(cls):
        own = functools.wraps(cls.__init__)(lambda *args, **kwargs: None)
        own.__module__, own.__qualname__ = cls.__module__, f"{cls.__qualname__}.__init__"
        cls.__init__ = own
    for base in cls.__mro__:
        new = vars(base).get("__new__")
        if isinstance(new, staticmethod):
            new.__func__.__doc__ = None


class AsWritten(str):
    """A type that is shown as it is written: names of `nkeras.core.typing` say most to readers."""

    def __repr__(self) -> str:
        return str(self)


def as_written(annotation: Any, *_: Any) -> Any:
    """What pdoc shows for an annotation, instead of evaluating it."""
    return AsWritten(annotation) if isinstance(annotation, str) else annotation


def as_function(operation: Any, name: str, module: str) -> types.FunctionType:
    """A function that looks like an operation, which is an object."""

    def function(*arguments: Any, **named: Any) -> Any:
        return operation(*arguments, **named)

    function.__name__ = function.__qualname__ = name
    function.__module__ = module
    function.__doc__ = operation.__doc__
    function.__signature__ = inspect.signature(operation)
    return function


def faults(module: types.ModuleType, shown: dict[str, Any], text: str) -> list[str]:
    """What the page of a module lacks."""
    found = []
    for name, value in shown.items():
        if not isinstance(value, types.ModuleType):
            if f'id="{name}"' not in text:
                found.append(f"{module.__name__}.{name} is not on its page")
            if not inspect.getdoc(value):
                found.append(f"{module.__name__}.{name} has no docstring")
    return found


def dead_links(folder: Path) -> list[str]:
    """Links of pages to files that are not there."""
    found = []
    for page in sorted(folder.rglob("*.html")):
        links = set(re.findall(r'href="(?!https?:|\$)([^"#]+)', page.read_text(encoding="utf-8")))
        found += [f"{page}: {link}" for link in sorted(links) if not (page.parent / link).exists()]
    return found


def main(folder: Path) -> None:
    """Write the pages, and check them."""
    warnings.simplefilter("error")
    pdoc.doc.safe_eval_type = pdoc.doc_types.safe_eval_type = as_written
    pdoc.render.configure(docformat="google", show_source=False, search=True)
    shown = {name: show(module) for name, module in modules().items()}
    pages = {name: pdoc.doc.Module(module) for name, module in modules().items()}
    missing = []
    for name, page in pages.items():
        text = pdoc.render.html_module(page, pages)
        file = folder.joinpath(*name.split(".")).with_suffix(".html")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        missing += faults(page.obj, shown[name], text)
    (folder / "index.html").write_text(pdoc.render.html_index(pages), encoding="utf-8")
    (folder / "search.js").write_text(pdoc.render.search_index(pages), encoding="utf-8")
    missing += dead_links(folder)
    if missing:
        sys.exit("\n".join(missing))
    print(f"{sum(map(len, shown.values()))} names on {len(pages)} pages in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
