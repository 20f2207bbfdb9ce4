"""The floors of pyproject.toml hold, and every module stands on one."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
BACKENDS = ("nkeras_numpy", "nkeras_numba_cpu", "nkeras_numba_cuda")
LOWEST_FLOOR = (
    "nkeras.backend",
    *(f"nkeras.core.{n}" for n in ("spec", "dtypes", "config", "errors")),
)
# Packages that any floor may use; import-linter still follows imports through them.
WITHOUT_FLOOR = {
    "nkeras.config",
    "nkeras.core",
    "nkeras.datasets",
    "nkeras.dtype_policies",
    "nkeras.legacy",
    "nkeras.preprocessing",
    "nkeras.tree",
    "nkeras.utils",
    "nkeras.visualization",
    "nkeras.__main__",
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("nkeras", *BACKENDS, cache_dir=None)


def contracts() -> list[dict[str, object]]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    with open(ROOT / "pyproject.toml", "rb") as file:
        return tomllib.load(file)["tool"]["importlinter"]["contracts"]


def inside(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def test_contracts_hold() -> None:
    path = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    command = "from importlinter.cli import lint_imports_command as run; run()"
    result = subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--no-logo"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_package_has_a_floor(graph: grimp.ImportGraph) -> None:
    floors = next(contract for contract in contracts() if contract["id"] == "floors")
    assert isinstance(floors["layers"], list)
    layers = [layer.replace("|", ":") for layer in floors["layers"]]
    named = {name.strip(" ()") for layer in layers for name in layer.split(":")}
    present = graph.find_children("nkeras") | graph.find_children("nkeras.core")
    assert present - named - WITHOUT_FLOOR == set()


@pytest.mark.parametrize("backend", BACKENDS)
def test_backend_imports_only_the_lowest_floor(graph: grimp.ImportGraph, backend: str) -> None:
    allowed = (*LOWEST_FLOOR, "nkeras_numpy", backend)
    for module in {backend} | graph.find_descendants(backend):
        foreign = {
            imported
            for imported in graph.find_modules_directly_imported_by(module)
            if not inside(imported, allowed)
        }
        assert foreign == set(), f"{module} imports {sorted(foreign)}"


def imported_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def test_one_file_imports_the_cuda_target() -> None:
    """The target library may be exchanged some day, see docs/design.md."""
    targets = ("numba.cuda", "numba_cuda", "numba_cuda_mlir")
    users = {
        path.relative_to(ROOT).as_posix()
        for folder in ("nkeras", "backends")
        for path in (ROOT / folder).rglob("*.py")
        if any(inside(name, targets) for name in imported_names(path))
    }
    assert users <= {"backends/nkeras_numba_cuda/cuda.py"}


def test_modules_import_in_no_circle() -> None:
    """Not even inside functions."""
    graph = grimp.build_graph(
        "nkeras", *BACKENDS, cache_dir=None, exclude_type_checking_imports=True
    )
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for module in graph.modules:
        sorter.add(module, *graph.find_modules_directly_imported_by(module))
    sorter.prepare()
