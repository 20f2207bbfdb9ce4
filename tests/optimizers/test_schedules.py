"""Schedules: the values of Keras, on the host and on tensors; configurations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nkeras import ops
from nkeras.core.serialization import deserialize_keras_object
from nkeras.core.variable import Variable
from nkeras.optimizers import SGD, schedules

CASES = [
    ("ExponentialDecay", "(0.1, 7, 0.5)"),
    ("ExponentialDecay", "(0.1, 7, 0.5, staircase=True)"),
    ("InverseTimeDecay", "(0.1, 7, 0.5)"),
    ("InverseTimeDecay", "(0.1, 7, 0.5, staircase=True, name='mine')"),
    ("PolynomialDecay", "(0.1, 10)"),
    ("PolynomialDecay", "(0.1, 10, end_learning_rate=0.01, power=2.0)"),
    ("PolynomialDecay", "(0.1, 10, power=0.5, cycle=True)"),
    ("PiecewiseConstantDecay", "([5, 12], [0.1, 0.2, 0.05])"),
    ("PiecewiseConstantDecay", "([4], [0.1, 0.2])"),
    ("CosineDecay", "(0.1, 20)"),
    ("CosineDecay", "(0.1, 20, alpha=0.2)"),
    ("CosineDecay", "(0.05, 15, warmup_target=0.2, warmup_steps=6)"),
    ("CosineDecay", "(0.05, 15, warmup_target=0.2)"),
    ("CosineDecayRestarts", "(0.1, 5.5)"),
    ("CosineDecayRestarts", "(0.1, 5.5, t_mul=1.0, m_mul=0.5)"),
    ("CosineDecayRestarts", "(0.1, 3.5, t_mul=1.5, m_mul=0.9, alpha=0.1)"),
]
STEPS = list(range(30))


def make(kind: str, arguments: str) -> Any:
    return eval(f"schedules.{kind}{arguments}", {"schedules": schedules})


def test_every_exported_schedule_has_a_case() -> None:
    exported = {
        name
        for name in schedules.__all__
        if isinstance(getattr(schedules, name), type) and name != "LearningRateSchedule"
    }
    assert exported == {kind for kind, _ in CASES}


def test_values_and_configurations_are_those_of_keras(oracle: Any) -> None:
    expected = oracle.run(
        """
        result = []
        for kind, arguments in cases:
            made = eval("keras.optimizers.schedules." + kind + arguments)
            values = np.array(jax.vmap(made)(jnp.array(steps)))
            result.append((values, keras.optimizers.schedules.serialize(made)))
        """,
        cases=CASES,
        steps=STEPS,
    )
    for case, (values, config) in zip(CASES, expected, strict=True):
        schedule = make(*case)
        found = [schedule(step) for step in STEPS]
        assert all(type(value) is float for value in found)
        np.testing.assert_allclose(found, values, rtol=2e-5, atol=1e-7, err_msg=str(case))
        assert schedules.serialize(schedule) == config, case


@pytest.mark.parametrize("case", CASES)
def test_tensors_give_the_values_of_numbers(case: tuple[str, str]) -> None:
    schedule = make(*case)
    expected = [schedule(step) for step in STEPS]
    found = schedule(ops.convert_to_tensor(np.array(STEPS, "int32")))
    assert found.dtype == "float32"
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_configurations_come_back(case: tuple[str, str]) -> None:
    schedule = make(*case)
    again = schedules.deserialize(schedules.serialize(schedule))
    assert again.get_config() == schedule.get_config()
    assert [again(step) for step in STEPS] == [schedule(step) for step in STEPS]


def test_restarts_at_the_ends_of_geometric_periods() -> None:
    schedule = schedules.CosineDecayRestarts(0.1, 1, t_mul=3.0)
    for periods in range(1, 12):  # log(243) / log(3) is 4.999...
        assert schedule((3**periods - 1) // 2) == pytest.approx(0.1)


@pytest.mark.parametrize("case", [case for case in CASES if "Piecewise" not in case[0]])
def test_no_steps_are_refused(case: tuple[str, str]) -> None:
    kind = getattr(schedules, case[0])
    argument = "first_decay_steps" if "Restarts" in case[0] else "decay_steps"
    more = {"decay_rate": 0.5} if case[0] in ("ExponentialDecay", "InverseTimeDecay") else {}
    with pytest.raises(ValueError, match=f"{case[0]}: argument `{argument}` must be > 0"):
        kind(0.1, **{argument: 0}, **more)


def test_piecewise_needs_one_value_more() -> None:
    with pytest.raises(ValueError, match=r"one element more.*length 2.*length 2"):
        schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2])


class Halving(schedules.LearningRateSchedule):
    def __call__(self, step: Any) -> Any:
        return 0.5 / (ops.cast(step, "float32") + 1.0)


def test_a_schedule_of_the_users_own_made_of_ops() -> None:
    weight = Variable(np.zeros(1, "float32"))
    optimizer = SGD(learning_rate=Halving())
    for _ in range(3):
        optimizer.apply([np.ones(1, "float32")], [weight])
    np.testing.assert_allclose(weight.numpy(), [-0.5 - 0.25 - 0.5 / 3], rtol=1e-6)
    described = optimizer.get_config()["learning_rate"]
    assert type(deserialize_keras_object(described, {"Halving": Halving})) is Halving


def test_the_base_class_is_abstract() -> None:
    with pytest.raises(NotImplementedError, match="must define `__call__"):
        schedules.LearningRateSchedule()(1)
