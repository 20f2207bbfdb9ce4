"""Plans and threads: of the kernels, of the user, and those that a forked child has lost."""

import contextvars
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import nkeras
from nkeras import layers

pytestmark = pytest.mark.skipif(
    nkeras.backends().get("numba_cpu") not in ("active", "available"), reason="plans need numba_cpu"
)


def large_model():
    """Layers large enough for parallel kernels, and data for them."""
    nkeras.utils.set_random_seed(0)
    model = nkeras.Sequential(
        [layers.Input((32, 32, 8)), layers.Conv2D(8, 3), layers.Flatten(), layers.Dense(4)]
    )
    model.compile("adam", "mse")
    x = np.random.default_rng(0).standard_normal((16, 32, 32, 8)).astype("float32")
    return model, x, np.zeros((16, 4), "float32")


def weights_after(counts):
    """Weights after some steps for each number of threads."""
    from nkeras_numba_cpu import threads

    before = threads.get_num_threads()
    model, x, y = large_model()
    try:
        for count in counts:
            threads.set_num_threads(min(count, threads.limit()))
            for _ in range(4):
                model.train_on_batch(x, y)
            assert any(entry.plan for entry in model._plans._entries.values())
    finally:
        threads.set_num_threads(before)
    return model.get_weights()


def test_the_number_of_threads_may_change():
    with nkeras.use_backend("numba_cpu"):
        expected, found = weights_after([1, 1, 1]), weights_after([1, 2, 1])
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


def sharing_models(width):
    """Two models of the same layers, whose weights stay equal to one another in each step."""
    inputs = layers.Input((width,))
    dense = [layers.Dense(width, use_bias=False, kernel_initializer="zeros") for _ in range(2)]
    outputs = layers.Concatenate()([one(inputs) for one in dense])
    trained, asked = nkeras.Model(inputs, outputs), nkeras.Model(inputs, outputs)
    trained.compile("sgd", "mse")
    return trained, asked


@pytest.mark.parametrize("is_planned", [True, False], ids=["planned", "eager"])
def test_a_model_predicts_while_another_one_trains_its_layers(is_planned):
    with nkeras.use_backend("numba_cpu"):
        trained, asked = sharing_models(700)
        x, y = np.ones((1, 700), "float32"), np.full((1, 1400), 5000, "float32")
        for _ in range(4):
            trained.train_on_batch(x, y)
            asked.predict(x, verbose=0)
        assert any(entry.plan for entry in asked._plans._entries.values())
        trained.run_eagerly = not is_planned
        kernels = [layer.kernel for layer in trained.layers[1:3]]

        def train():
            for _ in range(100):
                trained.train_on_batch(x, y)
                if not is_planned:
                    for kernel in kernels:
                        kernel.assign(kernel * 1.5)

        with ThreadPoolExecutor(1) as other:
            training = other.submit(contextvars.copy_context().run, train)
            found = [asked.predict(x, verbose=0)]
            while not training.done():
                found.append(asked.predict(x, verbose=0))
            training.result()
    assert len(found) > 10
    parts = np.stack(found).reshape(len(found), 2, 700)
    if is_planned:  # all weights are those of one step
        parts = parts.reshape(len(found), 1, -1)
    np.testing.assert_allclose(parts, parts[:, :, :1].repeat(parts.shape[2], 2), rtol=1e-4)


def test_threads_make_plans_of_shared_layers_at_once():
    """Both work on the same values of the weights."""
    with nkeras.use_backend("numba_cpu"):
        trained, asked = sharing_models(8)
        x, y = np.ones((1, 8), "float32"), np.ones((1, 16), "float32")
        together = threading.Barrier(2)

        def use(step):
            for _ in range(20):
                together.wait()
                step()

        with ThreadPoolExecutor(2) as pool:
            for step in (
                lambda: trained.train_on_batch(x, y),
                lambda: asked.predict(x, verbose=0),
            ):
                pool.submit(contextvars.copy_context().run, use, step)
        for _ in range(4):
            trained.train_on_batch(x, y)
        expected = np.asarray(asked(x))
        np.testing.assert_allclose(asked.predict(x, verbose=0), expected, rtol=1e-5)
        np.testing.assert_allclose(trained.predict(x, verbose=0), expected, rtol=1e-5)


SCRIPT = """
import os, sys, warnings
import numpy as np
sys.path.insert(0, {folder!r})
from test_plan_threads import large_model

model, x, y = large_model()
before = [model.predict(x, verbose=0) for _ in range(4)][-1]
for _ in range(4):
    model.train_on_batch(x, y)
model.set_weights([w * 0 for w in model.get_weights()])
expected = model.predict(x, verbose=0)
warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads: what is tested
child = os.fork()
if child == 0:
    same = all(np.array_equal(model.predict(x, verbose=0), expected) for _ in range(4))
    model.train_on_batch(x, y)
    changed = not np.array_equal(model.predict(x, verbose=0), expected)
    os._exit(0 if same and changed else 1)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert np.array_equal(model.predict(x, verbose=0), expected)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_makes_plans_of_its_own():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(folder=os.path.dirname(__file__))],
        env={
            **os.environ,
            "NKERAS_BACKEND": "numba_cpu",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
