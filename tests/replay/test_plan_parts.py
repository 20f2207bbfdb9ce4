"""Steps with a part that is left out when gradients are not finite: loss scaling."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from nkeras.optimizers import SGD, Adam, LossScaleOptimizer
from tests.replay.replays import both_ways, needs_plans, numbers, planned_kinds, reasons
from tests.training.same_code import agree

pytestmark = needs_plans

X, Y = numbers(48, 4), numbers(48, 3, seed=1)


def stack(policy="float32"):
    return nkeras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(5, "relu", kernel_constraint="max_norm", dtype=policy),
            layers.BatchNormalization(),
            layers.Dropout(0.2, seed=3),
            layers.Dense(3),
        ]
    )


def spoiled():
    """Data of which some batches of 8 are infinite or NaN."""
    x = X.copy()
    x[10], x[30] = np.nan, np.inf
    return x


def fit(model, x=X, epochs=6):
    arguments = {"batch_size": 8, "shuffle": False, "verbose": 0}
    history = model.fit(x, Y, epochs=epochs, validation_data=(X, Y), **arguments).history
    return [*history["loss"], *history["val_loss"]]


SCALED = {
    "ordinary": lambda: LossScaleOptimizer(Adam(0.01)),
    "overflow": lambda: LossScaleOptimizer(SGD(0.1), initial_scale=2.0**127),
    "growth": lambda: LossScaleOptimizer(SGD(0.1), initial_scale=2.0, dynamic_growth_steps=3),
    "accumulation": lambda: LossScaleOptimizer(Adam(0.01, gradient_accumulation_steps=2)),
    "average": lambda: LossScaleOptimizer(SGD(0.1, use_ema=True, ema_overwrite_frequency=4)),
    "decay": lambda: LossScaleOptimizer(Adam(0.01, weight_decay=0.1, global_clipnorm=1.0)),
}


@pytest.mark.parametrize("case", SCALED)
@pytest.mark.parametrize("x", [X, spoiled()], ids=["finite", "spoiled"])
def test_scaled_losses_are_planned(case, x):
    model = both_ways(stack, lambda model: fit(model, x), optimizer=SCALED[case], loss="mse")
    assert "train" in planned_kinds(model)
    assert not reasons(model)


def test_half_precision_is_planned():
    def make():
        model = stack("mixed_float16")
        model.dtype_policy = nkeras.DTypePolicy("mixed_float16")
        return model

    model = both_ways(make, fit, optimizer="adam", loss="mse")
    assert isinstance(model.optimizer, LossScaleOptimizer)
    assert "train" in planned_kinds(model)


def test_a_bad_step_changes_no_weight():
    model = stack()
    model.compile(LossScaleOptimizer(Adam(0.01), initial_scale=8.0), "mse")
    for _ in range(4):
        model.train_on_batch(X[:8], Y[:8])
    assert "train" in planned_kinds(model)
    before = [
        variable.numpy() for variable in (*model.trainable_variables, *model.optimizer.variables)
    ]
    model.train_on_batch(np.full_like(X[:8], np.nan), Y[:8])
    after = [
        variable.numpy() for variable in (*model.trainable_variables, *model.optimizer.variables)
    ]
    changed = [
        i for i, pair in enumerate(zip(before, after, strict=True)) if not np.array_equal(*pair)
    ]
    assert len(changed) == 2  # the factor and the counter
    assert float(model.optimizer.dynamic_scale) == 4.0
    assert int(model.optimizer.step_counter) == 0


class Own(nkeras.Sequential):
    """A step of the user's; subclasses say what is done before and behind the update."""

    def train_step(self, data):
        x, y = data
        with nkeras.GradientTape() as tape:
            loss = ops.mean(ops.square(self(x) - y))
            scaled = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        before = self.prepare()
        self.optimizer.apply(tape.gradient(scaled, variables), variables)
        return {"loss": loss, "found": self.finish(before)}

    def prepare(self):
        return None

    def finish(self, before):
        return 0.0


class Decaying(Own):
    def prepare(self):
        kernel = self.layers[0].kernel
        kernel.assign(kernel * 0.99)


class Behind(Own):
    def finish(self, before):
        return ops.sum(self.layers[0].kernel)


class Before(Own):
    def prepare(self):
        return ops.reshape(self.layers[0].kernel.value, (-1,))

    def finish(self, before):
        return ops.sum(before)


class Later(Own):
    def finish(self, before):
        kernel = self.layers[0].kernel
        kernel.assign(kernel * 0.99)
        return 0.0


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Own, None),
        (Decaying, "in several parts"),
        (Later, "in several parts"),
        (Behind, "used behind it"),
        # Reshaped, it is a view of the storage.
        pytest.param(Before, "used behind it", marks=pytest.mark.cpu),
    ],
)
def test_what_crosses_a_part_runs_as_it_comes(kind, why):
    def use(model):
        x = spoiled()
        history = model.fit(x, Y, batch_size=8, shuffle=False, epochs=6, verbose=0).history
        return [*history["loss"], *history["found"]]

    model = both_ways(
        lambda: kind([layers.Input((4,)), layers.Dense(3)]), use, optimizer=SCALED["ordinary"]
    )
    assert ("train" in planned_kinds(model)) == (why is None)
    assert all(why in reason for reason in reasons(model))


CODE = """
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
model.set_weights([kernel, np.zeros(3, "float32")])
optimizer = keras.optimizers.LossScaleOptimizer(
    keras.optimizers.SGD(0.05, momentum=0.9), initial_scale=scale, dynamic_growth_steps=4
)
model.compile(optimizer, "mse")
for _ in range(4):
    for i in range(0, 48, 8):
        model.train_on_batch(x[i : i + 8], y[i : i + 8])
result = model.get_weights(), [np.array(v) for v in optimizer.variables]
"""


@pytest.mark.parametrize("scale", [8.0, 2.0**126])
def test_scaling_is_that_of_keras(oracle, scale):
    agree(oracle, CODE, x=spoiled(), y=Y, kernel=numbers(4, 3, seed=2), scale=scale)


@pytest.mark.parametrize("case", ["ordinary", "accumulation"])
def test_functions_of_users_scale_losses(case):
    """Large inputs are those of the caller, also inside of a part."""

    def loop(is_function):
        nkeras.utils.set_random_seed(3)
        model = nkeras.Sequential([layers.Input((64,)), layers.Dense(3)])
        optimizer = SCALED[case]()
        optimizer.build(model.trainable_variables)

        def step(x, y):
            with nkeras.GradientTape() as tape:
                loss = ops.mean(ops.square(model(x, training=True) - y))
                scaled = optimizer.scale_loss(loss)
            variables = model.trainable_variables
            optimizer.apply(tape.gradient(scaled, variables), variables)
            return loss

        found, called = [], nkeras.function(step) if is_function else step
        for i in range(16):
            x = numbers(1024, 64, seed=i) * (np.inf if i == 12 else 1.0)
            found.append(called(ops.convert_to_tensor(x), ops.ones((1024, 3))).numpy())
        if is_function:
            assert not called.refusals()
            assert any(entry.plan for entry in called._plans._entries.values())
        return [
            *found,
            *(variable.numpy() for variable in (*model.variables, *optimizer.variables)),
        ]

    for one, other in zip(loop(False), loop(True), strict=True):
        np.testing.assert_array_equal(one, other)
