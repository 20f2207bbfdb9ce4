"""Check an installed wheel, in a fresh venv: `python check_wheel.py nkeras-*.whl`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

PACKAGES = ("nkeras", "nkeras_numpy", "nkeras_numba_cpu", "nkeras_numba_cuda")
OTHER_FRAMEWORKS = ("keras", "jax", "tensorflow", "torch")
NOT_AT_IMPORT = ("numba", "h5py")

# Runs in a process of its own, so that nothing is loaded before it.
TRAIN = """
import sys

import nkeras

loaded = set({not_at_import!r}) & set(sys.modules)
assert not loaded, f"import nkeras loads {{loaded}}"
assert nkeras.__file__.startswith(sys.prefix), f"not the wheel: {{nkeras.__file__}}"

import numpy as np
from nkeras.datasets import digits

(x, y), _ = digits.load_data()
for backend in ("numpy", "cpu"):
    nkeras.set_backend(backend)
    model = nkeras.Sequential(
        [
            nkeras.layers.Input((8, 8, 1)),
            nkeras.layers.Conv2D(4, 3, activation="relu"),
            nkeras.layers.MaxPooling2D(),
            nkeras.layers.Flatten(),
            nkeras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    before = [np.array(weight) for weight in model.get_weights()]
    loss = float(np.asarray(model.train_on_batch(x[:32, ..., None] / 16.0, y[:32])))
    assert np.isfinite(loss), loss
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights())]
    assert all(changed), f"weights that did not move: {{changed}}"
    print(f"one step on {{nkeras.get_backend()}}: loss {{loss:.4f}}")

loaded = set({frameworks!r}) & set(sys.modules)
assert not loaded, f"nkeras loads {{loaded}}"
"""


def require(condition: bool, message: str) -> None:
    """End with `message` unless `condition` holds."""
    if not condition:
        sys.exit(f"check_wheel: {message}")


def check_contents(wheel: Path) -> None:
    """The wheel is pure and holds what it should, and nothing else."""
    require(wheel.name.endswith("-py3-none-any.whl"), f"{wheel.name} is not py3-none-any")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = archive.read(
            next(name for name in names if name.endswith(".dist-info/entry_points.txt"))
        ).decode()
    needed = [f"{package}/{file}" for package in PACKAGES for file in ("__init__.py", "py.typed")]
    needed += ["nkeras/datasets/digits.npz", "nkeras/datasets/digits.LICENSE.txt"]
    for name in needed:
        require(name in names, f"the wheel lacks {name}")
    require(any(name.endswith("licenses/LICENSE") for name in names), "the wheel lacks LICENSE")
    for name in names:
        top = name.split("/")[0]
        require(top in PACKAGES or top.endswith(".dist-info"), f"the wheel installs {name}")
        require(Path(name).suffix not in {".so", ".pyd", ".dll"}, f"{name} is compiled")
    for backend in ("numpy", "numba_cpu", "numba_cuda"):
        require(f"{backend} = nkeras_{backend}:backend" in entry_points, f"no backend {backend}")
    print(f"{wheel.name}: {wheel.stat().st_size / 1024:.0f} KiB, {len(names)} files")


def main() -> None:
    """Check the wheel named on the command line."""
    check_contents(Path(sys.argv[1]))
    for name in OTHER_FRAMEWORKS:
        require(importlib.util.find_spec(name) is None, f"{name} is installed with the wheel")
    code = TRAIN.format(not_at_import=NOT_AT_IMPORT, frameworks=OTHER_FRAMEWORKS)
    subprocess.run([sys.executable, "-W", "error", "-I", "-c", code], check=True)


if __name__ == "__main__":
    main()
