"""What a step of `fit` costs: nothing is copied but the batch, nothing waits, launches are few."""

from __future__ import annotations

from typing import Any

import pytest

import nkeras
from nkeras_numba_cuda.counting import Counts, counting
from tests.strict import small_models

OF_A_BATCH = 2
"""Copies: those of two batches may begin in one step, each its inputs and labels as one block."""
MOST = {"mlp": 36, "convnet": 63, "lstm": 62, "residual": 35}
"""By model, the most launches in a step, CuPy's among them."""
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


def check(counts: Counts) -> None:
    """Only the batch goes to the device, and nothing comes back."""
    assert counts.to_device.total() <= OF_A_BATCH, str(counts)
    assert all("training/uploading.py" in place for place in counts.to_device), str(counts)
    assert not counts.to_host, str(counts)
    assert not counts.synchronizations, str(counts)


def steps_of(name: str, **options: Any) -> list[Counts]:
    """The counts of the steps of two epochs."""
    x, y = small_models.data(name)
    watch = Watch()
    with nkeras.use_backend("numba_cuda"):
        model = small_models.MODELS[name]()
        settings = {"optimizer": "adam", "loss": small_models.LOSS, "metrics": ["accuracy"]}
        model.compile(**{**settings, **options})
        model.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=[watch])
    return watch.steps


@pytest.mark.parametrize("name", list(small_models.MODELS))
def test_steps(name: str) -> None:
    _, *later = steps_of(name)
    assert len(later) == 7
    for counts in later:
        check(counts)
        assert counts.launches.total() + counts.computations.total() <= MOST[name], str(counts)
        assert not OURS & set(counts.computations), str(counts)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": nkeras.optimizers.SGD(nkeras.optimizers.schedules.CosineDecay(0.1, 9))},
        {"optimizer": nkeras.optimizers.AdamW(0.1, global_clipnorm=1.0, use_ema=True)},
        {"loss": nkeras.losses.SparseCategoricalCrossentropy(ignore_class=0), "metrics": []},
        {"metrics": ["sparse_top_k_categorical_accuracy"]},
    ],
)
def test_steps_with_settings(options: dict[str, Any]) -> None:
    for counts in steps_of("mlp", **options)[1:]:
        check(counts)


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
