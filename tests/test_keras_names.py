"""docs/keras-compatibility.md says of each public name of Keras what is true of it here.

`NKERAS_WRITE_PAGES=1 pytest -n 0 tests/test_keras_names.py` writes the page anew.
"""

from __future__ import annotations

import os
import pydoc
import textwrap
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import nkeras
from nkeras.core import missing
from tests.harness import oracle

PAGE = Path(__file__).parents[1] / "docs" / "keras-compatibility.md"
WIDTH = 128

NAMES_OF_KERAS = """
import types

def walk(module, path):
    names = [name for name in dir(module) if name[0] != "_"]
    found = {path: []}
    for name in names:
        value = getattr(module, name)
        if not isinstance(value, types.ModuleType):
            found[path].append(name)
        elif not value.__name__.startswith("keras.src"):
            found.update(walk(value, f"{path}.{name}".lstrip(".")))
    return found

result = walk(keras, "")
"""

HEAD = """# What of Keras is there

Each public name of Keras 3.15 is offered under the same name, coming, or not offered, with the
reason. Asking for one that is missing raises an error with the same reason.

A name that is offered takes the arguments that Keras takes; tests compare its results with Keras'.

A test writes this page from the names of Keras and of nkeras and the table in
`nkeras/core/missing.py`, and fails when it is out of date. To write it anew:
`NKERAS_WRITE_PAGES=1 pytest -n 0 tests/test_keras_names.py`.
"""
BEYOND = """## Beyond Keras

These public names of nkeras have no counterpart in Keras, or stand elsewhere there.
"""


@pytest.fixture(scope="module")
def keras_names() -> dict[str, list[str]]:
    """The names in each public module of Keras; the package itself is `""`."""
    names = oracle.run(NAMES_OF_KERAS)
    assert len(names) > 50
    return names


def ours(path: str) -> Any:
    """What `nkeras.<path>` is, or None."""
    value: Any = nkeras
    for part in filter(None, path.split(".")):
        value = getattr(value, part, None)
    return value


def join(module: str, name: str) -> str:
    return f"{module}.{name}".lstrip(".")


def standing(qualified: str) -> tuple[str, str]:
    """State of a name, and the reason why it is missing."""
    if ours(qualified) is not None:
        return "offered", ""
    reason = missing.reason(qualified)
    assert reason is not None, f"nkeras/core/missing.py lacks a reason for {qualified}"
    return reason


def listed(names: Iterable[str], indent: str = "") -> str:
    """Names in a paragraph, no line of which is too long."""
    text = ", ".join(f"`{name}`" for name in names)
    return textwrap.fill(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def folded(keras_names: dict[str, list[str]]) -> dict[str, list[str]]:
    """The names by section; a module that is missing as a whole takes in those below it."""
    sections: dict[str, list[str]] = {}
    for module, names in keras_names.items():
        parts = module.split(".")
        paths = [".".join(parts[: end + 1]) for end in range(len(parts))]
        top = next((path for path in paths if path in missing.TABLE), module)
        below = module.removeprefix(top).lstrip(".")
        sections.setdefault(top, []).extend(join(below, name) for name in names)
    return {module: names for module, names in sections.items() if names}


def title(module: str, package: str = "keras") -> str:
    return f"`{package}.{module}`" if module else f"`{package}`"


def section(module: str, names: list[str]) -> str:
    """What the page says of one module."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in names:
        groups.setdefault(standing(join(module, name)), []).append(name)
    offered = groups.pop(("offered", ""), [])
    parts = [f"## {title(module)}\n"]
    if offered:
        parts.append(f"Offered, {len(offered)} of {len(names)}:\n{listed(offered)}\n")
    for state in (missing.COMING, missing.NOT_OFFERED):
        lines = [
            f"- {reason}:\n  {listed(members, '  ')}\n"
            for (its_state, reason), members in sorted(groups.items())
            if its_state == state
        ]
        if lines:
            parts.append(f"{state.capitalize()}:\n\n{''.join(lines)}")
    return "\n".join(parts)


def table(sections: dict[str, list[str]]) -> str:
    """How many names of each module are there."""
    states = ("offered", missing.COMING, missing.NOT_OFFERED)
    lines = ["| module | offered | coming | not offered |", "|---|---:|---:|---:|"]
    for module, names in sections.items():
        found = [standing(join(module, name))[0] for name in names]
        counts = [str(found.count(state) or "") for state in states]
        lines.append(f"| {title(module)} | {' | '.join(counts)} |")
    return "\n".join(lines) + "\n"


def beyond(sections: dict[str, list[str]]) -> str:
    """The public names that Keras lacks."""
    lines = []
    for module, names in sections.items():
        package = ours(module)
        if any(hasattr(package, name) for name in names):
            extra = set(missing.public_names(package)) - set(names) - set(nkeras._MODULES)
            if extra:
                lines.append(f"- {title(module, 'nkeras')}:\n  {listed(sorted(extra), '  ')}\n")
    return BEYOND + "\n" + "".join(lines)


def page(keras_names: dict[str, list[str]]) -> str:
    """The whole page."""
    sections = folded(keras_names)
    parts = [section(module, names) for module, names in sections.items()]
    return "\n".join([HEAD, table(sections), *parts, beyond(sections)])


@oracle.requires_keras
def test_page_is_what_would_be_written(keras_names: dict[str, list[str]]) -> None:
    text = page(keras_names)
    if os.environ.get("NKERAS_WRITE_PAGES"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text, f"out of date, see {__name__}"


@oracle.requires_keras
def test_no_reason_is_left_over(keras_names: dict[str, list[str]]) -> None:
    absent = {
        qualified
        for module, names in keras_names.items()
        for qualified in [module, *(join(module, name) for name in names)]
        if ours(qualified) is None
    }
    parents = {name[:end] for name in absent for end, c in enumerate(name) if c == "."}
    assert set(missing.TABLE) - absent - parents == set()


def test_each_reason_is_said() -> None:
    for qualified, (state, reason) in missing.TABLE.items():
        module, _, name = qualified.rpartition(".")
        package = ours(module)
        if isinstance(package, ModuleType) and ours(qualified) is None:
            with pytest.raises(AttributeError) as caught:
                getattr(package, name)
            assert str(caught.value).endswith(f"{name!r}, which is {state}: {reason}.")


def test_a_module_that_is_not_offered_says_so() -> None:
    with pytest.raises(AttributeError, match=r"'distribution', which is not offered: a model runs"):
        nkeras.distribution.DataParallel  # noqa: B018


@pytest.mark.parametrize(
    ("owner", "name", "near"),
    [
        ("layers", "Dence", "Dense"),
        ("losses", "mean_square_error", "mean_squared_error"),
        ("ops", "matmull", "matmul"),
        ("utils", "to_categorial", "to_categorical"),
        ("config", "set_floatz", "set_floatx"),
        ("backend", "epsilom", "epsilon"),
        ("", "Sequental", "Sequential"),
    ],
)
def test_a_typo_gets_the_nearest_names(owner: str, name: str, near: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(ours(owner), name)
    said = str(caught.value).partition("Did you mean ")[2]
    assert near in said
    assert said.count("'") <= 6


@pytest.mark.parametrize("package", ["layers", "config"])
def test_from_import_says_it_too(package: str) -> None:
    with pytest.raises(ImportError, match=r"no attribute 'Dence'"):
        exec(f"from nkeras.{package} import Dence")
    with pytest.raises(ImportError, match="'distribution', which is not offered"):
        exec("from nkeras import distribution")


def test_the_traceback_guesses_once() -> None:
    with pytest.raises(AttributeError) as caught:
        nkeras.layers.Dence  # noqa: B018
    lines = traceback.format_exception(caught.type, caught.value, caught.tb)
    assert lines[-1].count("Did you mean") == 1


def test_a_name_can_still_be_asked_about() -> None:
    assert not hasattr(nkeras.layers, "Absent")
    assert getattr(nkeras, "absent", 3) == 3
    assert pydoc.locate("nkeras.layers.Absent") is None
