"""`model(x)` outside of steps and tapes replays a plan, where all code in the model is nkeras'."""

from __future__ import annotations

import numpy as np

import nkeras
from nkeras import layers
from tests.replay.replays import needs_plans, numbers

pytestmark = needs_plans


def convnet():
    nkeras.utils.set_random_seed(1)
    return nkeras.Sequential(
        [
            nkeras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(3, activity_regularizer="l2"),
        ]
    )


def replays(model):
    return model._plans._earned


def eagerly(model, *arguments, **named):
    return layers.Layer.__call__(model, *arguments, **named)


def test_calls_are_replayed_and_equal_bit_by_bit():
    model = convnet()
    for seed in range(8):
        x = numbers(2, 8, 8, 1, seed=seed)
        found = model(x)
        losses = [float(loss) for loss in model.losses]
        np.testing.assert_array_equal(found, eagerly(model, x))
        assert losses == [float(loss) for loss in model.losses]
        if seed == 4:
            model.set_weights([array * 0.5 for array in model.get_weights()])
    assert replays(model) == 5


def test_calls_for_training_draw_and_count_as_ever():
    planned, other = convnet(), convnet()
    for seed in range(7):
        x = numbers(2, 8, 8, 1, seed=seed)
        np.testing.assert_array_equal(planned(x, training=True), eagerly(other, x, training=True))
    for variable, same in zip(planned.variables, other.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), same.numpy())
    assert replays(planned) == 4


def test_earlier_results_stay():
    model = convnet()
    found = [model(numbers(2, 8, 8, 1, seed=seed)) for seed in range(6)]
    for seed, item in enumerate(found):
        np.testing.assert_array_equal(item, eagerly(model, numbers(2, 8, 8, 1, seed=seed)))


def test_a_tape_sees_the_layers():
    model, x = convnet(), numbers(2, 8, 8, 1)
    for _ in range(5):
        model(x)
    with nkeras.GradientTape() as tape:
        loss = nkeras.ops.sum(model(x) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(gradient is not None for gradient in gradients)


def test_code_of_users_runs_each_time():
    seen = []

    def look(x):
        seen.append(x.shape)
        return x * 2.0

    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(2), layers.Lambda(look)])
    seen.clear()
    for _ in range(8):
        model(numbers(2, 3))
    assert len(seen) == 8


def test_lists_dicts_and_functional_models():
    a, b = nkeras.Input((3,), name="a"), nkeras.Input((3,), name="b")
    model = nkeras.Model({"a": a, "b": b}, [layers.Add()([a, b]), layers.Dense(2)(a)])
    for seed in range(6):
        x = {"a": numbers(2, 3, seed=seed), "b": numbers(2, 3, seed=seed + 9)}
        found, expected = model(x), eagerly(model, x)
        assert isinstance(found, list)
        for item, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(item, other)
    assert replays(model) == 3


def test_run_eagerly_turns_it_off():
    model = convnet()
    model.compile(run_eagerly=True)
    for _ in range(6):
        model(numbers(2, 8, 8, 1))
    assert "_plans" not in model.__dict__
