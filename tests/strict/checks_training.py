"""Training on numba_cuda is training on numpy: whole fits, callbacks, copies, files, swaps."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import callbacks, layers
from tests.strict import small_models
from tests.strict.comparing import compare

MODELS = list(small_models.MODELS)
FEW = [name if name == "mlp" else pytest.param(name, marks=pytest.mark.long) for name in MODELS]


def compiled(name: str, **options: Any) -> Any:
    model = small_models.MODELS[name]()
    settings = {"optimizer": "adam", "loss": small_models.LOSS, "metrics": ["accuracy"]}
    model.compile(**{**settings, **options})
    return model


def trained(name: str, epochs: int = 2, told: Any = (), **options: Any) -> list[Any]:
    """History, results on other data, and weights."""
    x, y = small_models.data(name)
    model = compiled(name, **options)
    history = model.fit(
        x, y, batch_size=8, epochs=epochs, validation_split=0.25, verbose=0, callbacks=list(told)
    ).history
    results = model.evaluate(x, y, batch_size=8, verbose=0)
    probabilities = model.predict(x, batch_size=8, verbose=0)
    return [history, results, probabilities, *model.weights, *model.optimizer.variables]


@pytest.mark.parametrize("name", MODELS)
def test_fit_evaluate_predict(name: str) -> None:
    compare(lambda: trained(name), rounding=1e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize("name", ["mlp", "convnet"])
def test_dtype_policies(name: str, policy: str) -> None:
    before = nkeras.config.dtype_policy()
    nkeras.config.set_dtype_policy(policy)
    try:
        compare(lambda: trained(name, epochs=1), rounding=1e-6 if policy == "float64" else 0.06)
    finally:
        nkeras.config.set_dtype_policy(before)


@pytest.mark.parametrize(
    "make",
    [
        lambda: callbacks.EarlyStopping(monitor="loss", patience=0, restore_best_weights=True),
        lambda: callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=0, min_delta=10.0),
        lambda: callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1)),
        lambda: callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: logs["loss"]),
        lambda: callbacks.TerminateOnNaN(),
        lambda: callbacks.SwapEMAWeights(),
    ],
)
def test_callbacks(make: Callable[[], Any]) -> None:
    def results() -> Any:
        told = make()
        options = {}
        if isinstance(told, callbacks.SwapEMAWeights):
            options["optimizer"] = nkeras.optimizers.SGD(0.1, use_ema=True)
        return trained("mlp", 3, [told], **options)

    compare(results, rounding=1e-3)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": nkeras.optimizers.SGD, "steps_per_execution": 3},
        {"run_eagerly": True},
        {"jit_compile": False},
        {"weighted_metrics": ["accuracy"]},
        {"loss": nkeras.losses.SparseCategoricalCrossentropy(ignore_class=1)},
    ],
)
def test_ways_to_compile(options: dict[str, Any]) -> None:
    def results() -> Any:
        settings = dict(options)
        if "optimizer" in settings:
            settings["optimizer"] = settings["optimizer"](0.1, momentum=0.9)
        model = compiled("mlp", **settings)
        x, y = small_models.data("mlp")
        weights = np.linspace(0.5, 1.5, len(x)).astype("float32")
        history = model.fit(x, y, sample_weight=weights, batch_size=8, epochs=2, verbose=0)
        losses = model.fit(x, y, class_weight={0: 1.0, 1: 2.0, 2: 0.5}, verbose=0)
        return [history.history, losses.history, model.train_on_batch(x[:4], y[:4])]

    compare(results, rounding=1e-3)


class OwnStep(nkeras.Model):
    """A step of the user's own, with a loss in a layer and gradients of gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = layers.Dense(4, activation="tanh", activity_regularizer="l2")
        self.outer = layers.Dense(3)

    def call(self, x: Any) -> Any:
        """Logits."""
        return self.outer(self.inner(x))

    def train_step(self, data: Any) -> Any:
        """Cross-entropy and the norm of its gradient by the input."""
        x, y = data
        with nkeras.GradientTape() as tape:
            with nkeras.GradientTape() as inside:
                inside.watch(x)
                logits = self(x, training=True)
                loss = nkeras.ops.mean(
                    nkeras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
                )
            slope = inside.gradient(loss, x)
            total = loss + nkeras.ops.sum(nkeras.ops.square(slope)) + sum(self.losses)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(total, variables), variables)
        return {"loss": total, "slope": nkeras.ops.max(nkeras.ops.abs(slope))}


def test_own_step() -> None:
    def results() -> Any:
        x, y = small_models.data("mlp")
        model = OwnStep()
        model.compile("rmsprop")
        return [model.fit(x, y, batch_size=8, epochs=3, verbose=0).history, *model.weights]

    compare(results, rounding=1e-3)


def test_a_function_of_tensors() -> None:
    def results() -> Any:
        total = nkeras.Variable(np.zeros(3, "float32"))

        @nkeras.function
        def step(x: Any) -> Any:
            total.assign_add(nkeras.ops.sum(x, axis=0))
            return nkeras.random.uniform((4,), seed=3) * total[0]

        return [step(np.full((2, 3), i, "float32")) for i in range(5)] + [total]

    compare(results)


def swapping(names: list[str], name: str) -> list[Any]:
    """A fit for each backend, with the same model and with predictions in between."""
    x, y = small_models.data(name)
    nkeras.utils.set_random_seed(5)
    model, found = None, []
    for backend in names:
        nkeras.set_backend(backend)
        model = compiled(name) if model is None else model
        found.append(model.fit(x, y, batch_size=8, epochs=1, verbose=0).history["loss"])
        found.append(model.predict(x[:5], verbose=0))
    return [np.asarray(one) for one in found]


@pytest.mark.parametrize("name", FEW)
def test_backends_are_swapped_between_fits(name: str) -> None:
    wanted = swapping(["numpy"] * 5, name)
    found = swapping(["numpy", "numba_cuda", "numba_cpu", "numba_cuda", "numpy"], name)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3)


def test_backends_are_swapped_within_a_fit() -> None:
    x, y = small_models.data("mlp")

    def losses(names: list[str]) -> Any:
        nkeras.set_backend(names[0])
        nkeras.utils.set_random_seed(5)
        model = compiled("mlp")
        swap = callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: nkeras.set_backend(names[epoch + 1])
        )
        history = model.fit(x, y, batch_size=8, epochs=4, verbose=0, callbacks=[swap]).history
        return np.asarray(history["loss"])

    found = losses(["numba_cuda", "numpy", "numba_cuda", "numba_cpu", "numba_cuda"])
    np.testing.assert_allclose(found, losses(["numpy"] * 5), rtol=1e-3)


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("name", FEW)
def test_copies_go_on(name: str, twin: Callable[[Any], Any]) -> None:
    """Random numbers, optimizer and metrics included: seeds are variables of the host."""
    x, y = small_models.data(name)
    with nkeras.use_backend("numba_cuda"):
        model = compiled(name)
        model.fit(x, y, batch_size=8, verbose=0)
        other = twin(model)
        histories = [m.fit(x, y, batch_size=8, verbose=0, shuffle=False) for m in (model, other)]
    assert histories[0].history == histories[1].history
    with nkeras.use_backend("numpy"):
        last = pickle.loads(pickle.dumps(other))
        np.testing.assert_allclose(
            last.predict(x, verbose=0), other.predict(x, verbose=0), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("backends", [("numba_cuda", "numpy"), ("numpy", "numba_cuda")])
@pytest.mark.parametrize("name", FEW)
def test_files(name: str, backends: tuple[str, str], tmp_path: Path) -> None:
    x, y = small_models.data(name)
    with nkeras.use_backend(backends[0]):
        model = compiled(name)
        model.fit(x, y, batch_size=8, verbose=0)
        model.save(tmp_path / "model.keras")
        model.save_weights(tmp_path / "model.weights.h5")
        wanted = model.predict(x, verbose=0)
    with nkeras.use_backend(backends[1]):
        loaded = nkeras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(loaded.predict(x, verbose=0), wanted, rtol=1e-4, atol=1e-5)
        loaded.fit(x, y, batch_size=8, verbose=0)
        loaded.load_weights(tmp_path / "model.weights.h5")
        np.testing.assert_allclose(loaded.predict(x, verbose=0), wanted, rtol=1e-4, atol=1e-5)


def test_checkpoints_and_backups(tmp_path: Path) -> None:
    x, y = small_models.data("mlp")
    with nkeras.use_backend("numba_cuda"):
        model = compiled("mlp")
        told = [
            callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss", save_best_only=True),
            callbacks.BackupAndRestore(tmp_path / "backup", delete_checkpoint=False),
            callbacks.CSVLogger(tmp_path / "log.csv"),
            callbacks.TensorBoard(tmp_path / "board", histogram_freq=1),
        ]
        model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=told)
        again = compiled("mlp")
        again.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=told)
        np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
        assert nkeras.models.load_model(tmp_path / "best.keras").count_params()


def test_mistakes_in_targets_are_told() -> None:
    x, y = small_models.data("mlp")
    with nkeras.use_backend("numba_cuda"):
        for _ in range(2):
            model = compiled("mlp")
            with pytest.warns(UserWarning, match="labels must be whole"):
                model.fit(x, y + 0.5, verbose=0)
