"""Saving and loading a model in each framework; peers load this by path.

`numpy` is no framework here: it writes and reads so many bytes, which nobody can do without.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import peer_models

MODEL = "resnet50"
FORMATS = (".keras", ".weights.h5", ".safetensors")
_models: dict[str, Any] = {}


def make(framework: str, case: Mapping[str, Any]) -> Callable[[], object] | None:
    """A function that saves or loads, or None where the framework lacks the format."""
    path = Path(os.environ["NKERAS_BENCHMARK_FOLDER"], framework + case["format"])
    if framework == "numpy":
        save, load = _bare(path)
    elif framework == "torch":
        save, load = _torch(path, case["format"])
    else:
        save, load = _keras(framework, path, case["format"])
    if save is None:
        return None
    save()
    if case["do"] == "load from disk":
        return lambda: (_forget(path), load())[1]
    return save if case["do"] == "save" else load


def _forget(path: Path) -> None:
    """Have the system read a file from the disk the next time."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _bare(path: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    if "bare" not in _models:
        arrays = peer_models.weights(peer_models.MODELS[MODEL])
        _models["bare"] = np.concatenate([array.reshape(-1) for array in arrays])
    numbers: np.ndarray = _models["bare"]

    def save() -> None:
        with path.open("wb") as file:
            file.write(memoryview(numbers).cast("B"))
            file.flush()
            os.fsync(file.fileno())

    def load() -> None:
        with path.open("rb", buffering=0) as file:
            file.readinto(memoryview(np.empty_like(numbers)).cast("B"))

    return save, load


def _keras(framework: str, path: Path, format: str) -> tuple[Any, Any]:
    keras = peer_models.keras_of(framework)
    if framework != "nkeras" and format == ".safetensors":
        return None, None
    if framework not in _models:
        _models[framework] = peer_models.keras_model(keras, MODEL)
    model = _models[framework]
    if format == ".keras":

        def load() -> None:
            keras.saving.load_model(path)

        return lambda: model.save(path), load

    return lambda: model.save_weights(path), lambda: model.load_weights(path)


def _torch(path: Path, format: str) -> tuple[Any, Any]:
    import peer_torch
    import torch

    if "torch" not in _models:
        _models["torch"] = peer_torch.model(MODEL, softmax=True)
    model = _models["torch"]
    if format == ".safetensors":
        try:
            from safetensors.torch import load_file, save_file
        except ImportError:
            return None, None

        def save_tensors() -> None:
            save_file({name: one.contiguous() for name, one in model.state_dict().items()}, path)

        def load_tensors() -> None:
            model.load_state_dict(load_file(path))

        return save_tensors, load_tensors

    def load() -> None:
        model.load_state_dict(torch.load(path))

    return lambda: torch.save(model.state_dict(), path), load


def peak(framework: str, case: Mapping[str, Any]) -> float | None:
    """Bytes that saving or loading takes at most, above what the process has before."""
    folder = Path(os.environ["NKERAS_BENCHMARK_FOLDER"])
    if case["do"] == "load":  # the file comes from another process
        if os.fork() == 0:
            try:
                made = make(framework, {**case, "do": "save"})
            finally:
                os._exit(0 if made is not None else 1)
        if os.wait()[1] != 0:
            return None
        call = _fresh_load(framework, folder / (framework + case["format"]), case["format"])
    else:
        call = make(framework, case)
        if call is None:
            return None
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = _status("VmRSS")
    kept = call()
    del kept
    return _status("VmHWM") - before


def _status(name: str) -> float:
    line = next(one for one in Path("/proc/self/status").open() if one.startswith(name))
    return float(line.split()[1]) * 1024


def _fresh_load(framework: str, path: Path, format: str) -> Callable[[], object]:
    """Loads into a model whose weights were never touched."""
    if framework == "torch":
        import peer_torch
        import torch

        model = peer_torch.model(MODEL, softmax=True)
        return lambda: model.load_state_dict(torch.load(path))
    keras = peer_models.keras_of(framework)
    if format == ".keras":
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).predict(
            np.ones((1, 4)), verbose=0
        )
        return lambda: keras.saving.load_model(path)
    model = peer_models.keras_model(keras, MODEL, set_weights=False)
    return lambda: model.load_weights(path)


if __name__ == "__main__":
    print(json.dumps(peak(sys.argv[1], json.loads(sys.argv[2]))))
