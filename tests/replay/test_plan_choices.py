"""Steps that go one way or another by what the host counts: each way has a plan."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from nkeras.optimizers import SGD, Adam, schedules
from tests.replay.replays import both_ways, needs_plans, numbers, planned_kinds, reasons
from tests.training.same_code import agree

pytestmark = needs_plans

X, Y = numbers(40, 4), numbers(40, 3, seed=1)


def stack():
    return nkeras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(5, "relu", kernel_constraint="max_norm", kernel_regularizer="l2"),
            layers.Dropout(0.2, seed=3),
            layers.Dense(3),
        ]
    )


def fit(model, epochs=6):
    history = model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, validation_data=(X, Y))
    return [*history.history["loss"], *history.history["val_loss"]]


def ways(model):
    """How many plans there are for steps of training."""
    return sum(key[0] == "train" for key, entry in model._plans._entries.items() if entry.plan)


CHOOSING = {
    "accumulation": (lambda: Adam(0.01, gradient_accumulation_steps=2), 2),
    "long accumulation": (lambda: SGD(0.1, momentum=0.9, gradient_accumulation_steps=4), 2),
    "average": (lambda: SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3), 2),
    "average at each step": (lambda: Adam(0.1, use_ema=True, ema_overwrite_frequency=1), 1),
    "both": (
        lambda: Adam(
            0.01,
            weight_decay=0.01,
            global_clipnorm=0.5,
            use_ema=True,
            ema_overwrite_frequency=2,
            gradient_accumulation_steps=2,
        ),
        4,
    ),
    "schedule": (
        lambda: SGD(schedules.ExponentialDecay(0.1, 3, 0.5), gradient_accumulation_steps=2),
        2,
    ),
}


@pytest.mark.parametrize("case", CHOOSING)
def test_each_way_has_a_plan(case):
    optimizer, count = CHOOSING[case]
    model = both_ways(stack, fit, optimizer=optimizer, loss="mse")
    assert ways(model) == count
    assert not reasons(model)


def test_the_counter_may_be_set_between_steps():
    def use(model):
        found = fit(model)
        model.optimizer._iterations.assign(8)
        found += fit(model, epochs=1)
        weights = [variable.numpy() for variable in model.optimizer.variables]
        found += fit(model, epochs=1)
        model.optimizer.set_weights(weights)
        return found + fit(model, epochs=1)

    both_ways(stack, use, optimizer=lambda: Adam(0.01, gradient_accumulation_steps=3), loss="mse")


class Twice(nkeras.Sequential):
    """Applies its gradients in two halves, each of which counts."""

    def train_step(self, data):
        x, y = data
        for part in (slice(0, 4), slice(4, 8)):
            with nkeras.GradientTape() as tape:
                loss = ops.mean(ops.square(self(x[part]) - y[part]))
            variables = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"loss": loss}


def test_a_step_that_counts_twice_runs_as_it_comes():
    def make():
        return Twice([layers.Input((4,)), layers.Dense(3)])

    def use(model):
        return model.fit(X, Y, batch_size=8, epochs=6, verbose=0).history["loss"]

    optimizer = {"optimizer": lambda: SGD(0.1, gradient_accumulation_steps=3)}
    model = both_ways(make, use, **optimizer)
    assert not planned_kinds(model)
    assert all("what it changes itself" in reason for reason in reasons(model))


CODE = """
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, kernel_constraint="max_norm")])
model.set_weights([kernel, np.zeros(3, "float32")])
optimizer = keras.optimizers.Adam(0.05, {arguments})
model.compile(optimizer, "mse")
history = model.fit(x, y, batch_size=8, epochs=4, shuffle=False, verbose=0)
result = history.history, model.get_weights(), [np.array(v) for v in optimizer.variables]
"""


@pytest.mark.parametrize(
    "arguments",
    [
        "gradient_accumulation_steps=3",
        "use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=4",
        "gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3",
    ],
)
def test_fit_is_that_of_keras(oracle, arguments):
    code = CODE.format(arguments=arguments)
    agree(oracle, code, atol=1e-5, x=X, y=Y, kernel=np.abs(numbers(4, 3, seed=2)))
