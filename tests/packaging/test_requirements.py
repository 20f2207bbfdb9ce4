"""What `pip install nkeras` asks for on other machines, so that it fails on none of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest brings it where Python has none
    import tomli as tomllib

ALL = {"numpy", "numba", "h5py", "ml_dtypes"}
PROJECT = Path(__file__).parents[2] / "pyproject.toml"

# Python, system, processor, implementation: the packages asked for.
MACHINES: dict[str, tuple[tuple[str, str, str, str], set[str]]] = {
    "linux-oldest": (("3.10", "linux", "x86_64", "cpython"), ALL),
    "linux-newest": (("3.14", "linux", "x86_64", "cpython"), ALL),
    "linux-arm": (("3.14", "linux", "aarch64", "cpython"), ALL),
    "mac-arm": (("3.14", "darwin", "arm64", "cpython"), ALL),
    "mac-intel": (("3.13", "darwin", "x86_64", "cpython"), ALL),
    "mac-intel-newest": (("3.14", "darwin", "x86_64", "cpython"), ALL - {"numba"}),
    "windows": (("3.14", "win32", "AMD64", "cpython"), ALL),
    "windows-arm": (("3.14", "win32", "ARM64", "cpython"), ALL),
    "windows-arm-older": (("3.11", "win32", "ARM64", "cpython"), ALL - {"numba"}),
    "no-h5py-yet": (("3.15", "linux", "x86_64", "cpython"), ALL - {"h5py"}),
    "newer-than-numba": (("3.16", "linux", "x86_64", "cpython"), {"numpy"}),
    "far-future": (("3.99", "darwin", "arm64", "cpython"), {"numpy"}),
    "browser": (("3.14", "emscripten", "wasm32", "cpython"), ALL - {"numba"}),
    "phone": (("3.14", "android", "aarch64", "cpython"), {"numpy"}),
    "32-bit": (("3.13", "linux", "i686", "cpython"), {"numpy"}),
    "raspberry": (("3.13", "linux", "armv7l", "cpython"), {"numpy"}),
    "risc-v": (("3.13", "linux", "riscv64", "cpython"), {"numpy"}),
    "power": (("3.13", "linux", "ppc64le", "cpython"), {"numpy"}),
    "mainframe": (("3.13", "linux", "s390x", "cpython"), {"numpy"}),
    "pypy": (("3.11", "linux", "x86_64", "pypy"), {"numpy"}),
}

# Those of which the package index has wheels of all that is asked for: the ABI, the platforms.
# That of the browser has an index of its own; for the others NumPy is built from source.
WHEELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "linux-oldest": ("cp310", ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64")),
    "linux-newest": ("cp314", ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64")),
    "linux-arm": ("cp314", ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64")),
    "mac-arm": ("cp314", ("macosx_14_0_arm64", "macosx_11_0_arm64", "macosx_10_15_universal2")),
    "mac-intel": ("cp313", ("macosx_14_0_x86_64", "macosx_10_15_x86_64")),
    "mac-intel-newest": ("cp314", ("macosx_14_0_x86_64", "macosx_10_15_x86_64")),
    "windows": ("cp314", ("win_amd64",)),
    "windows-arm": ("cp314", ("win_arm64",)),
    "windows-arm-older": ("cp311", ("win_arm64",)),
    "no-h5py-yet": ("cp315", ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64")),
    "free-threaded": ("cp314t", ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64")),
}
# Markers cannot tell it from the ordinary build: what is asked for must be there for both.
MACHINES["free-threaded"] = MACHINES["linux-newest"]


def requirements(machine: str) -> list[Requirement]:
    """What is asked for on a machine: pip itself reads markers for the machine that it runs on."""
    (python, system, processor, implementation), _ = MACHINES[machine]
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": system,
        "platform_machine": processor,
        "implementation_name": implementation,
    }
    with PROJECT.open("rb") as file:
        project: dict[str, Any] = tomllib.load(file)["project"]
    asked = [Requirement(text) for text in project["dependencies"]]
    return [one for one in asked if one.marker is None or one.marker.evaluate(environment)]


@pytest.mark.parametrize("machine", MACHINES)
def test_asked_for_where_there_are_wheels(machine: str) -> None:
    names = [one.name for one in requirements(machine)]
    assert sorted(names) == sorted(MACHINES[machine][1])  # none of them twice


@pytest.mark.long
@pytest.mark.parametrize("machine", WHEELS)
def test_the_package_index_has_wheels_of_all_that_is_asked_for(
    machine: str, tmp_path: Path
) -> None:
    abi, platforms = WHEELS[machine]
    (python, *_), names = MACHINES[machine]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-"]
    command += ["--ignore-installed", "--only-binary=:all:", "--target", str(tmp_path)]
    command += ["--python-version", python, "--implementation", "cp", "--abi", abi]
    command += ["--ignore-requires-python"]  # it would be read for the Python that runs pip
    command += [word for platform in platforms for word in ("--platform", platform)]
    command += [f"{one.name}{one.specifier}" for one in requirements(machine)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {one["metadata"]["name"] for one in json.loads(done.stdout)["install"]}
    assert {name.replace("_", "-") for name in names} <= {one.replace("_", "-") for one in found}
