"""What a step of `fit` costs: nothing is copied but the batch, nothing waits, launches are few.

A step that is replayed has the bits of one that runs as it comes, takes no memory, and is a graph.
"""

from __future__ import annotations

from typing import Any

import pytest

import nkeras
from nkeras import optimizers
from nkeras_numba_cuda.counting import Counts, counting
from tests.strict import small_models

OF_A_BATCH = 2
"""Copies: those of two batches may begin in one step, each its inputs and labels as one block."""
INPUTS = 2
"""Copies on the device: inputs and labels go to where the plan has them."""
MOST = {"mlp": 36, "convnet": 63, "lstm": 62, "residual": 35}
"""By model, the most launches in a step, CuPy's among them."""
RECORDED = 3
"""Steps before the first that is replayed."""
OURS = {"matmul", "dot", "tensordot", "einsum", "convolve", "correlate"}
"""Functions of CuPy's in whose place kernels of ours are launched."""


class Watch(nkeras.callbacks.Callback):
    """Counts each step."""

    accepts_lazy_logs = True

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Counts] = []
        self._open: Any = None

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Begin to count."""
        self._open = counting()
        self.steps.append(self._open.__enter__())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stop."""
        self._open.__exit__(None, None, None)


def check(counts: Counts, numbers: int = 0) -> None:
    """Only the batch goes to the device, and what the host computes; nothing comes back."""
    own = sum(count for place, count in counts.to_device.items() if "storage_lock" in place)
    assert own <= numbers, str(counts)
    assert counts.to_device.total() - own <= OF_A_BATCH, str(counts)
    wanted = ("training/uploading.py", "storage_lock")
    assert all(any(name in place for name in wanted) for place in counts.to_device), str(counts)
    assert not counts.to_host, str(counts)
    assert not counts.synchronizations, str(counts)


def trained(name: str, run_eagerly: bool, **options: Any) -> tuple[list[Counts], list[bytes]]:
    """The counts of the steps of two epochs; loss, weights and state after them."""
    x, y = small_models.data(name)
    watch = Watch()
    nkeras.utils.set_random_seed(7)
    with nkeras.use_backend("numba_cuda"):
        model = small_models.MODELS[name]()
        settings = {"optimizer": "adam", "loss": small_models.LOSS, "metrics": ["accuracy"]}
        settings |= {key: value() if callable(value) else value for key, value in options.items()}
        model.compile(**settings, run_eagerly=run_eagerly)
        model.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=[watch], shuffle=False)
        assert run_eagerly or not model._plans.refusals()
        state = [*model.weights, *model.optimizer.variables, model._compiled.loss_tracker.total]
        return watch.steps, [variable.numpy().tobytes() for variable in state]


def check_replays(name: str, graphs: int = 1, taken: int = 0, **options: Any) -> list[Counts]:
    """Steps as they come, and replayed; the counts of the former.

    Args:
        name: of the model.
        graphs: how many there are in a replayed step; between them CuPy computes.
        taken: arrays that it makes then.
        options: for `compile`.
    """
    (_, *eager), expected = trained(name, run_eagerly=True, **options)
    steps, found = trained(name, run_eagerly=False, **options)
    assert found == expected
    assert len(eager) == 7
    for counts in eager:
        check(counts)
        assert not OURS & set(counts.computations), str(counts)
    most = eager[-1].launches.total() + eager[-1].computations.total()
    for counts in steps[RECORDED:]:
        check(counts, numbers=1)
        launches = counts.launches.total() + counts.computations.total() - INPUTS
        assert launches <= most, str(counts)
        assert counts.allocations.total() <= taken + OF_A_BATCH, str(counts)
    for counts in steps[RECORDED + 1 :]:  # the first replay compiles, the second captures
        assert counts.graphs.total() == graphs, str(counts)
    return eager


@pytest.mark.parametrize("name", list(small_models.MODELS))
def test_steps(name: str) -> None:
    for counts in check_replays(name):
        assert counts.launches.total() + counts.computations.total() <= MOST[name], str(counts)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": lambda: optimizers.SGD(optimizers.schedules.CosineDecay(0.1, 9))},
        {"optimizer": lambda: optimizers.AdamW(0.1, global_clipnorm=1.0, use_ema=True)},
        {
            "loss": lambda: nkeras.losses.SparseCategoricalCrossentropy(ignore_class=0),
            "metrics": [],
        },
        {"metrics": ["sparse_top_k_categorical_accuracy"], "graphs": 3, "taken": 2},
    ],
)
def test_steps_with_settings(options: dict[str, Any]) -> None:
    check_replays("mlp", **options)


def test_an_epoch_waits_once_for_each_number() -> None:
    """Loss and accuracy are read at its end: two numbers and how often they were counted."""
    x, y = small_models.data("mlp")
    with nkeras.use_backend("numba_cuda"):
        model = small_models.mlp()
        model.compile("adam", small_models.LOSS, metrics=["accuracy"])
        model.fit(x, y, batch_size=4, verbose=0)
        with counting() as counts:
            model.fit(x, y, batch_size=4, verbose=0)
    assert counts.synchronizations.total() <= 4, str(counts)


def test_random_numbers_of_a_step_are_drawn_on_the_device() -> None:
    layers = nkeras.layers
    random = [layers.Dropout, layers.GaussianDropout, layers.GaussianNoise, layers.AlphaDropout]
    with nkeras.use_backend("numba_cuda"):
        x = nkeras.ops.ones((4, 32))
        for kind in random:
            layer = kind(0.5)
            layer(x, training=True)
            with counting() as counts:
                layer(x, training=True)
            assert not counts.to_device, f"{kind.__name__}: {counts}"
            assert not counts.synchronizations, f"{kind.__name__}: {counts}"
