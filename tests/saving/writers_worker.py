"""Writers of files that are killed, run out of disk, or meet each other; in a process of its own.

Usage: python -m tests.saving.writers_worker SCENARIO COUNT KIND...

It prints a JSON object for each kind. A trial is a fork of a process that has imported everything.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import nkeras
from nkeras import callbacks, layers

X = np.random.default_rng(0).normal(size=(24, 16)).astype("float32")
Y = np.random.default_rng(1).normal(size=(24, 4)).astype("float32")
STEPS = 12  # of a training
NAMES = {
    "model": "model.keras",
    "weights": "model.weights.h5",
    "tensors": "model.safetensors",
    "checkpoint": "model.keras",
    "backup": "latest.weights.h5",
}


def make_model():
    model = nkeras.Sequential([nkeras.Input((16,)), layers.Dense(200), layers.Dense(4)])
    model.compile(nkeras.optimizers.Adam(0.01), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def save(kind: str, model: nkeras.Model, path: Path) -> None:
    if kind == "model":
        model.save(path)
    else:
        model.save_weights(path)


def write_forever(kind: str, path: Path) -> None:
    """Files one after the other, without an end."""
    nkeras.utils.set_random_seed(0)
    model = make_model()
    if kind in ("checkpoint", "backup"):
        told: callbacks.Callback
        if kind == "checkpoint":
            told = callbacks.ModelCheckpoint(path, save_freq=1)
        else:
            told = callbacks.BackupAndRestore(path.parent, 1, delete_checkpoint=False)
        model.fit(X, Y, batch_size=8, epochs=STEPS // 3, verbose=0, callbacks=[told])
        return
    number = 0
    while True:
        number += 1
        fill(model, number)
        save(kind, model, path)


def fill(model: nkeras.Model, number: float) -> None:
    for variable in (*model.variables, *model.optimizer.variables):
        variable.assign(np.full(variable.shape, number, variable.dtype))


def state(model: nkeras.Model) -> list[np.ndarray]:
    """Weights and those of the optimizer, without the learning rate."""
    kept = [*model.variables, *model.optimizer.variables]
    return [variable.numpy() for variable in kept if "learning_rate" not in variable.path]


def what_training_passes() -> list[list[np.ndarray]]:
    """The state after each step."""
    found: list[list[np.ndarray]] = []
    nkeras.utils.set_random_seed(0)
    model = make_model()
    found.append(state(model))
    told = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: found.append(state(model))
    )
    model.fit(X, Y, batch_size=8, epochs=STEPS // 3, verbose=0, callbacks=[told])
    return found


def load(kind: str, path: Path) -> nkeras.Model:
    """What the file has in it; a backup by going on to the end of its training."""
    if kind in ("model", "checkpoint"):
        return nkeras.saving.load_model(path)
    nkeras.utils.set_random_seed(5)
    model = make_model()
    if kind == "backup":
        told = callbacks.BackupAndRestore(path.parent, 1, delete_checkpoint=False)
        model.fit(X, Y, batch_size=8, epochs=STEPS // 3, verbose=0, callbacks=[told])
    else:
        model.load_weights(path)
    return model


def is_whole(kind: str, model: nkeras.Model, passed: list[list[np.ndarray]]) -> bool:
    """Whether all weights are those of one moment."""
    found = state(model)
    if passed:
        steps = int(model.optimizer.iterations)
        wanted = passed[-1 if kind == "backup" else steps]
        return all(np.array_equal(one, other) for one, other in zip(found, wanted, strict=True))
    weights = [array for array in found if array.size] if kind != "tensors" else found[:4]
    number = float(weights[0].flat[0])
    return all((array == number).all() for array in weights)


def forked(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException as error:  # the fork must not go on as if it were its parent
        print(repr(error), file=sys.stderr)
        os._exit(1)


def wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing was written to {path}")
        time.sleep(0.001)


def kill(kind: str, folder: Path, count: int) -> dict[str, object]:
    """Kill a writer at so many moments, and look at the file each time."""
    moments = random.Random(kind)
    passed = what_training_passes() if kind in ("checkpoint", "backup") else []
    whole = cut = 0
    for trial in range(count):
        path = folder / str(trial) / NAMES[kind]
        path.parent.mkdir()
        child = forked(lambda path=path: write_forever(kind, path))
        wait_for(path)
        time.sleep(moments.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        cut += len(os.listdir(path.parent)) > 1
        whole += is_whole(kind, load(kind, path), passed)
    return {"whole": whole, "cut": cut}


def full_disk(kind: str, folder: Path, count: int) -> dict[str, object]:
    """Save with less room than the file needs, at so many sizes."""
    path = folder / NAMES[kind]
    model = make_model()
    told = {
        "checkpoint": lambda: callbacks.ModelCheckpoint(path, save_freq=1),
        "backup": lambda: callbacks.BackupAndRestore(folder, 1, delete_checkpoint=False),
    }

    def write() -> None:
        if kind in told:
            model.fit(X, Y, batch_size=8, epochs=50, verbose=0, callbacks=[told[kind]()])
        else:
            save(kind, model, path)

    model.fit(X, Y, batch_size=8, epochs=1, verbose=0)
    if kind == "backup":
        before = told["backup"]()
        model.fit(X, Y, batch_size=8, epochs=1, verbose=0, callbacks=[before])
    else:
        write()
    old = path.read_bytes()
    kept = clear = alone = 0
    errors: set[str] = set()
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    for size in np.linspace(0, len(old) - 1, count, dtype=int):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), hard))
        try:
            write()
        except OSError as error:
            clear += str(path) in str(error) and "Cannot write: File too large" in str(error)
            errors.add(str(error).replace(str(folder), "")[:200])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        kept += path.read_bytes() == old
        alone += os.listdir(folder) == [path.name]
    return {"kept": kept, "clear": clear, "alone": alone, "errors": sorted(errors)}


def read_only(kind: str, folder: Path, count: int) -> dict[str, object]:
    """Save into a folder that must not be written, as a user who is no superuser."""
    path = folder / NAMES[kind]
    model = make_model()
    if kind == "checkpoint":
        told: callbacks.Callback = callbacks.ModelCheckpoint(path)
    else:
        told = callbacks.BackupAndRestore(folder, delete_checkpoint=False)

    def write(epochs: int) -> None:
        if kind in ("checkpoint", "backup"):
            model.fit(X, Y, epochs=epochs, verbose=0, callbacks=[told])
        else:
            save(kind, model, path)

    write(1)
    old = path.read_bytes()
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        write(3)
        error = ""
    except OSError as raised:
        error = str(raised)
    os.seteuid(os.getuid())
    return {
        "kept": path.read_bytes() == old,
        "clear": str(path) in error and "Cannot write: Permission denied" in error,
        "alone": os.listdir(folder) == [path.name],
        "errors": [error],
    }


def two_writers(kind: str, folder: Path, count: int) -> dict[str, object]:
    """Two processes write one path, which a third reads so many times."""
    path = folder / NAMES[kind]
    children = [forked(lambda: write_forever(kind, path)) for _ in range(2)]
    wait_for(path)
    whole = sum(is_whole(kind, load(kind, path), []) for _ in range(count))
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return {"whole": whole}


SCENARIOS = {
    "kill": kill,
    "full disk": full_disk,
    "read-only": read_only,
    "two writers": two_writers,
}


def main(scenario: str, count: str, *kinds: str) -> None:
    nkeras.set_backend("numpy")  # without threads, which a fork has not
    for kind in kinds:
        # Not a folder of pytest's, into which other users may not look.
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)
            print(json.dumps(SCENARIOS[scenario](kind, folder, int(count))), flush=True)
            folder.chmod(0o755)


if __name__ == "__main__":
    main(*sys.argv[1:])
