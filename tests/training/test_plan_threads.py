"""Plans when the number of threads changes, and in a forked child, whose threads are lost."""

import os
import subprocess
import sys

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
            assert any(one.plan for one in model._plans._entries.values())
    finally:
        threads.set_num_threads(before)
    return model.get_weights()


def test_the_number_of_threads_may_change():
    with nkeras.use_backend("numba_cpu"):
        expected, found = weights_after([1, 1, 1]), weights_after([1, 2, 1])
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


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
