"""What holds for the whole: threads, forks, memory, repeatability, changing the backend mid-way."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest

import nkeras
from nkeras import layers

IMAGES = np.random.default_rng(0).random((64, 8, 8, 1), "float32")
LABELS = np.arange(64) % 4


def convnet(optimizer: str = "adam") -> nkeras.Sequential:
    model = nkeras.Sequential(
        [
            nkeras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def trained(seed: int = 7, epochs: int = 2, optimizer: str = "adam") -> list[np.ndarray]:
    nkeras.utils.set_random_seed(seed)
    model = convnet(optimizer)
    model.fit(IMAGES, LABELS, batch_size=16, epochs=epochs, verbose=0)
    return model.get_weights()


def test_the_same_seed_gives_the_same_bits() -> None:
    for first, second in zip(trained(), trained(), strict=True):
        np.testing.assert_array_equal(first, second)
    other = trained(seed=8)
    assert any((a != b).any() for a, b in zip(trained(), other, strict=True))


SCRIPT = """
import hashlib, numpy as np
import tests.test_system as system
weights = system.trained()
print(hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest())
"""


def test_one_thread_and_two_give_the_same_bits() -> None:
    digests = set()
    for threads in ("1", "2"):
        # Every kernel runs in parallel where it can, however small the arrays are.
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import nkeras_numba_cpu.launch.tasks as d; d.SERIAL_BELOW = 0" + SCRIPT,
            ],
            env=os.environ
            | {
                "NUMBA_NUM_THREADS": "2",
                "NKERAS_NUM_THREADS": threads,
                "NKERAS_BACKEND": "numba_cpu",
                "PYTHONPATH": os.pathsep.join((".", "backends")),
            },
            cwd=os.path.dirname(os.path.dirname(__file__)),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_numpy_and_numba_train_alike() -> None:
    found = []
    for backend in ("numpy", "numba_cpu"):
        with nkeras.use_backend(backend):
            found.append(trained(epochs=1, optimizer="sgd"))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_a_half_trained_model_continues_on_another_backend() -> None:
    def run(switch: bool) -> tuple[list[np.ndarray], int]:
        nkeras.utils.set_random_seed(3)
        nkeras.set_backend("numba_cpu")
        model = convnet("sgd")
        model.fit(IMAGES, LABELS, batch_size=16, epochs=1, verbose=0)
        if switch:
            nkeras.set_backend("numpy")
        model.fit(IMAGES, LABELS, batch_size=16, epochs=1, verbose=0)
        return model.get_weights(), int(model.optimizer.iterations.numpy())

    (stayed, steps), (switched, steps_switched) = run(False), run(True)
    assert steps == steps_switched == 8
    for a, b in zip(stayed, switched, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_threads_may_predict_at_once() -> None:
    model = convnet()
    expected = model.predict(IMAGES, verbose=0)
    before = model.get_weights()
    wrong: list[object] = []

    def work() -> None:
        try:
            for _ in range(20):
                got = model.predict(IMAGES[:16], verbose=0)
                if not np.allclose(got, expected[:16], atol=1e-6):
                    wrong.append(got)
        except Exception as error:  # shown by the assertion
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


FORK = """
import os, sys, numpy as np
import tests.test_system as system
model = system.convnet()
model.fit(system.IMAGES, system.LABELS, epochs=1, verbose=0)
big = np.tile(system.IMAGES, (40, 1, 1, 1))
expected = model.predict(big, batch_size=len(big), verbose=0)
child = os.fork()
if child == 0:
    same = np.array_equal(model.predict(big, batch_size=len(big), verbose=0), expected)
    os._exit(0 if same else 3)
_, status = os.waitpid(child, 0)
model.predict(big, verbose=0)
print("child", os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_may_predict() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK],
        env=os.environ | {"PYTHONPATH": os.pathsep.join((".", "backends"))},
        cwd=os.path.dirname(os.path.dirname(__file__)),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stdout.strip() == "child 0", done.stdout + done.stderr


def test_predicting_2000_times_does_not_grow_memory() -> None:
    model = nkeras.Sequential([nkeras.Input((16,)), layers.Dense(8, "relu"), layers.Dense(2)])
    x = np.ones((1, 16), "float32")
    for _ in range(50):
        model.predict(x, verbose=0)
    gc.collect()
    tracemalloc.start()
    try:
        start = tracemalloc.get_traced_memory()[0]
        for _ in range(2000):
            model.predict(x, verbose=0)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - start
    finally:
        tracemalloc.stop()
    assert grown < 50_000, f"{grown} bytes more after 2,000 predictions"


def test_training_steps_do_not_grow_memory() -> None:
    model = convnet()
    model.fit(IMAGES, LABELS, batch_size=16, epochs=2, verbose=0)
    gc.collect()
    tracemalloc.start()
    try:
        start = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            model.train_on_batch(IMAGES[:16], LABELS[:16])
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - start
    finally:
        tracemalloc.stop()
    assert grown < 100_000, f"{grown} bytes more after 100 steps"
