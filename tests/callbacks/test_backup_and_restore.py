"""BackupAndRestore: a training that was broken off ends with the bits of one that was not."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras import callbacks, layers, optimizers

RNG = np.random.default_rng(4)
X = RNG.normal(size=(40, 6)).astype("float32")
Y = RNG.normal(size=(40, 1)).astype("float32")
IMAGES = RNG.normal(size=(24, 6, 6, 1)).astype("float32")
LABELS = RNG.integers(0, 3, 24)


class Break(callbacks.Callback):
    """Ends a training as a power cut does, at the beginning of a step."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_begin(self, batch, logs=None):
        self.step -= 1
        if self.step == 0:
            raise InterruptedError


def mlp():
    model = nkeras.Sequential(
        [nkeras.Input((6,)), layers.Dense(8, "relu"), layers.Dropout(0.4), layers.Dense(1)]
    )
    model.compile("adam", "mse", metrics=["mae", nkeras.metrics.MeanSquaredError()])
    return model


def convnet():
    stack = [
        nkeras.Input((6, 6, 1)),
        layers.Conv2D(4, 3),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3),
    ]
    model = nkeras.Sequential(stack)
    loss = nkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"])
    return model


def scheduled():
    model = mlp()
    schedule = optimizers.schedules.ExponentialDecay(0.1, 3, 0.7)
    model.compile(optimizers.SGD(schedule, momentum=0.5), "mse")
    return model


def mixed():
    policy = nkeras.DTypePolicy("mixed_float16")
    model = nkeras.Sequential(
        [
            nkeras.Input((6,)),
            layers.Dense(8, "relu", dtype=policy),
            layers.Dropout(0.2),
            layers.Dense(1, dtype="float32"),
        ]
    )
    scaled = optimizers.LossScaleOptimizer(optimizers.Adam(0.01), dynamic_growth_steps=4)
    model.compile(scaled, "mse")
    return model


def averaged():
    model = mlp()
    model.compile(optimizers.SGD(0.05, use_ema=True, ema_overwrite_frequency=4), "mse")
    return model


class OwnStep(nkeras.Model):
    """Two optimizers, of which `compile` knows none, and a step of its own."""

    def __init__(self):
        super().__init__()
        self.first, self.second = layers.Dense(4), layers.Dense(1)
        self.noise = layers.GaussianNoise(0.3)
        self.own = [optimizers.Adam(0.01), optimizers.SGD(0.1, momentum=0.9)]
        self.error = nkeras.metrics.Mean(name="error")

    def call(self, x, training=False):
        return self.second(self.noise(self.first(x), training=training))

    def train_step(self, data):
        x, y = data
        with nkeras.GradientTape() as tape:
            loss = nkeras.ops.mean((self(x, training=True) - y) ** 2)
        parts = [layer.trainable_variables for layer in (self.first, self.second)]
        for optimizer, part, found in zip(self.own, parts, tape.gradient(loss, parts), strict=True):
            optimizer.apply(found, part)
        self.error.update_state(loss)
        return {"error": self.error.result(), "now": loss}


def own_step():
    model = OwnStep()
    model.compile()
    return model


def plateau():
    return [callbacks.ReduceLROnPlateau("loss", 0.5, patience=1, min_delta=0.5)]


def stopping():
    stop = callbacks.EarlyStopping("val_loss", 0.5, patience=3, restore_best_weights=True)
    return [stop, callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.7)]


class Pieces(nkeras.utils.PyDataset):
    """Draws an order of its own after each epoch."""

    saved_attributes = ("order", "rng")

    def __init__(self, workers=1):
        super().__init__(workers=workers)
        self.rng = np.random.default_rng(2)
        self.order = np.arange(40)

    def __len__(self):
        return 5

    def __getitem__(self, index):
        rows = self.order[index * 8 : index * 8 + 8]
        return X[rows], Y[rows]

    def on_epoch_end(self):
        self.order = self.rng.permutation(40)


ARRAYS = {"x": X, "y": Y, "batch_size": 8}

# By name: model, other callbacks, arguments of fit, save_freq, step that breaks off, epochs.
CASES = {
    "mlp with dropout and adam": (mlp, list, ARRAYS, "epoch", 13),
    "in the middle of an epoch": (mlp, list, ARRAYS, 3, 13),
    "at the end of an epoch's steps": (mlp, list, {**ARRAYS, "validation_split": 0.2}, 4, 6),
    "convnet with batch norm": (
        convnet,
        list,
        {"x": IMAGES, "y": LABELS, "batch_size": 7},
        2,
        8,
    ),
    "mixed precision": (mixed, list, ARRAYS, 2, 14),
    "exponential decay": (scheduled, list, ARRAYS, "epoch", 13),
    "decay in the middle": (scheduled, list, ARRAYS, 2, 14),
    "plateau": (mlp, plateau, ARRAYS, "epoch", 18),
    "plateau in the middle": (mlp, plateau, ARRAYS, 2, 18),
    "early stopping": (mlp, stopping, {**ARRAYS, "validation_split": 0.2}, 3, 15),
    "averages": (averaged, lambda: [callbacks.SwapEMAWeights(True)], ARRAYS, 3, 13),
    "averages by epoch": (averaged, lambda: [callbacks.SwapEMAWeights(True)], ARRAYS, "epoch", 13),
    "step of one's own": (own_step, list, ARRAYS, "epoch", 13),
    "step of one's own in the middle": (own_step, list, ARRAYS, 3, 13),
    "shuffled in batches": (mlp, list, {**ARRAYS, "shuffle": "batch"}, 2, 13),
    "short epochs": (
        mlp,
        list,
        {"x": X, "y": Y, "batch_size": 4, "steps_per_epoch": 5},
        "epoch",
        8,
    ),
    "dataset": (mlp, list, {"x": Pieces}, 2, 13),
    "dataset with workers": (mlp, list, {"x": lambda: Pieces(2)}, "epoch", 13),
    "list of batches": (mlp, list, {"x": lambda: Again()}, 2, 13),
}
ALWAYS = (
    "in the middle of an epoch",
    "convnet with batch norm",
    "mixed precision",
    "exponential decay",
    "plateau",
    "early stopping",
    "step of one's own in the middle",
    "dataset",
)


class Again:
    """An iterable that begins anew, which is no array and no dataset."""

    def __iter__(self):
        for start in range(0, 40, 8):
            yield X[start : start + 8], Y[start : start + 8]


def run(make, others, data, told, seed):
    nkeras.utils.set_random_seed(seed)
    model = make()
    given = {name: value() if callable(value) else value for name, value in data.items()}
    history = model.fit(epochs=4, verbose=0, callbacks=[*told, *others()], **given)
    return model, history.history


def bits(model):
    """All that a training has changed, by optimizer, metric and so on."""
    owners = [model, *model.metrics, *getattr(model, "own", [])]
    found = [variable for owner in owners for variable in owner.variables]
    if model.optimizer is not None:
        found += model.optimizer.variables
    return [variable.numpy() for variable in found]


@pytest.mark.parametrize(
    "case", [one if one in ALWAYS else pytest.param(one, marks=pytest.mark.long) for one in CASES]
)
def test_same_bits(tmp_path, case):
    make, others, data, save_freq, step = CASES[case]
    whole, history = run(make, others, data, [], 1)
    folder = tmp_path / "backup"
    told = [callbacks.BackupAndRestore(folder, save_freq), Break(step)]
    with pytest.raises(InterruptedError):
        run(make, others, data, told, 1)
    assert [path.name for path in folder.iterdir()] == ["latest.weights.h5"]
    resumed, rest = run(make, others, data, [callbacks.BackupAndRestore(folder, save_freq)], 2)
    assert not folder.exists()
    assert 0 < len(rest[next(iter(rest))]) <= 4
    assert rest == {name: values[-len(rest[name]) :] for name, values in history.items()}
    for ours, theirs in zip(bits(resumed), bits(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_broken_off_twice(tmp_path):
    whole, _ = run(mlp, list, ARRAYS, [], 1)
    for seed, step in ((1, 4), (2, 9)):
        told = [callbacks.BackupAndRestore(tmp_path / "b", 2), Break(step)]
        with pytest.raises(InterruptedError):
            run(mlp, list, ARRAYS, told, seed)
    resumed, _ = run(mlp, list, ARRAYS, [callbacks.BackupAndRestore(tmp_path / "b", 2)], 3)
    for ours, theirs in zip(bits(resumed), bits(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_generator_goes_on_with_what_it_gives(tmp_path):
    def batches():
        while True:
            yield X[:8], Y[:8]

    def fit(*told):
        model = mlp()
        model.fit(batches(), steps_per_epoch=4, epochs=3, verbose=0, callbacks=list(told))
        return model

    with pytest.raises(InterruptedError):
        fit(callbacks.BackupAndRestore(tmp_path, 3), Break(8))
    model = fit(callbacks.BackupAndRestore(tmp_path, 3))
    assert int(model.optimizer.iterations) == 12


def test_what_a_callback_names_goes_on(tmp_path):
    class Count(callbacks.Callback):
        saved_attributes = ("seen",)

        def __init__(self):
            super().__init__()
            self.seen = {"batches": 0, "first": None}

        def on_train_batch_end(self, batch, logs=None):
            self.seen["batches"] += 1

    with pytest.raises(InterruptedError):
        run(mlp, list, ARRAYS, [callbacks.BackupAndRestore(tmp_path, 2), Count(), Break(8)], 1)
    count = Count()
    run(mlp, list, ARRAYS, [callbacks.BackupAndRestore(tmp_path, 2), count], 1)
    assert count.seen == {"batches": 20, "first": None}
    count.seen = {"batches": 0, "model": mlp()}
    with pytest.raises(TypeError, match=r"`saved_attributes`.*Sequential"):
        run(mlp, list, ARRAYS, [callbacks.BackupAndRestore(tmp_path), count], 1)


def test_the_end_of_training_is_kept(tmp_path):
    def fit(epochs):
        model = mlp()
        keep = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        return model.fit(X, Y, epochs=epochs, verbose=0, callbacks=[keep]).epoch

    assert fit(2) == [0, 1]
    assert fit(2) == []
    assert fit(5) == [2, 3, 4]


def test_nothing_is_removed_but_the_backup(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    run(mlp, list, ARRAYS, [callbacks.BackupAndRestore(tmp_path)], 1)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_what_killed_writers_left_is_removed(tmp_path):
    (tmp_path / ".latest.weights.h5.0123456789ab.tmp").write_text("half")
    (tmp_path / ".latest.weights.h5.bkp.0123456789ab.tmp").write_text("half")
    run(mlp, list, ARRAYS, [callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)], 1)
    assert [path.name for path in tmp_path.iterdir()] == ["latest.weights.h5"]


@pytest.mark.parametrize("damage", [b"0", None])
def test_the_backup_before_a_damaged_one(tmp_path, damage):
    whole, _ = run(mlp, list, ARRAYS, [], 1)
    told = [callbacks.BackupAndRestore(tmp_path, double_checkpoint=True), Break(13)]
    with pytest.raises(InterruptedError):
        run(mlp, list, ARRAYS, told, 1)
    latest = tmp_path / "latest.weights.h5"
    latest.write_bytes(damage or latest.read_bytes()[:-1000])
    told = [callbacks.BackupAndRestore(tmp_path, double_checkpoint=True)]
    with pytest.warns(UserWarning, match="the backup before it is taken"):
        resumed, rest = run(mlp, list, ARRAYS, told, 2)
    assert len(rest["loss"]) == 3
    for ours, theirs in zip(bits(resumed), bits(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def interrupted(folder, save_freq="epoch"):
    with pytest.raises(InterruptedError):
        run(mlp, list, ARRAYS, [callbacks.BackupAndRestore(folder, save_freq), Break(8)], 1)


def test_a_damaged_backup(tmp_path):
    interrupted(tmp_path)
    latest = tmp_path / "latest.weights.h5"
    latest.write_bytes(b"0")
    with pytest.raises(ValueError, match=r"latest.weights.h5: it is no HDF5 file"):
        run(mlp, list, ARRAYS, [callbacks.BackupAndRestore(tmp_path)], 1)
    mlp().save_weights(latest)
    with pytest.raises(ValueError, match="has no state of a training"):
        run(mlp, list, ARRAYS, [callbacks.BackupAndRestore(tmp_path)], 1)


def test_the_backup_of_something_else(tmp_path):
    interrupted(tmp_path, 3)
    told = [callbacks.BackupAndRestore(tmp_path, 3)]
    with pytest.raises(ValueError, match="weights do not fit the model"):
        run(lambda: small(), list, ARRAYS, told, 1)
    with pytest.raises(ValueError, match=r"variables, .* of them are in the file"):
        run(lambda: compiled("sgd"), list, ARRAYS, told, 1)
    with pytest.raises(ValueError, match="other metrics"):
        run(lambda: compiled("adam"), list, ARRAYS, told, 1)
    with pytest.raises(ValueError, match="other data, or another argument `shuffle`"):
        run(mlp, list, {**ARRAYS, "shuffle": False}, told, 1)


def small():
    model = nkeras.Sequential(
        [nkeras.Input((6,)), layers.Dense(7), layers.Dropout(0.4), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model


def compiled(optimizer):
    model = mlp()
    model.compile(optimizer, "mse")
    return model


def test_a_callback_that_is_missing(tmp_path):
    told = [callbacks.BackupAndRestore(tmp_path), Break(13)]
    with pytest.raises(InterruptedError):
        run(mlp, plateau, ARRAYS, told, 1)
    with pytest.warns(UserWarning, match="'ReduceLROnPlateau'.* is lost"):
        run(mlp, list, ARRAYS, [callbacks.BackupAndRestore(tmp_path)], 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backup_dir": ""}, "Empty `backup_dir`"),
        ({"backup_dir": None}, "Empty `backup_dir`"),
        ({"backup_dir": 3}, "must be the path of a folder"),
        ({"backup_dir": "b", "save_freq": "batch"}, "Invalid value"),
        ({"backup_dir": "b", "save_freq": 0.15}, "Invalid value"),
        ({"backup_dir": "b", "save_freq": 0}, "Invalid value"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        callbacks.BackupAndRestore(**arguments)


def test_only_restored(tmp_path):
    interrupted(tmp_path)
    told = callbacks.BackupAndRestore(tmp_path, save_freq=False, delete_checkpoint=False)
    before = (tmp_path / "latest.weights.h5").read_bytes()
    _, rest = run(mlp, list, ARRAYS, [told], 1)
    assert len(rest["loss"]) == 3
    assert (tmp_path / "latest.weights.h5").read_bytes() == before


def test_outside_of_fit(tmp_path):
    told = callbacks.CallbackList([callbacks.BackupAndRestore(tmp_path)], model=mlp())
    with pytest.raises(ValueError, match="only be used in `fit`"):
        told.on_train_begin()
