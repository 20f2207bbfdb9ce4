"""Configurations of users' classes, which need no `get_config`; and `repr`."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest

import nkeras
from nkeras.core.configurable import Configurable
from nkeras.core.serialization import deserialize_keras_object, serialize_keras_object


class OwnLoss(nkeras.losses.Loss):
    def __init__(self, power: float, scale: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.power, self.scale = power, scale


class OwnMetric(nkeras.metrics.Mean):
    def __init__(self, power: float, scale: float = 1.0, name: str = "own") -> None:
        super().__init__(name=name)
        self.power, self.scale = power, scale


class OwnOptimizer(nkeras.optimizers.SGD):
    def __init__(self, power: float, scale: float = 1.0, **kwargs: Any) -> None:
        super().__init__(momentum=0.5, **kwargs)
        self.power, self.scale = power, scale


class OwnSchedule(nkeras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, power: float, scale: float = 1.0) -> None:
        self.power, self.scale = power, scale


class OwnInitializer(nkeras.initializers.Initializer):
    def __init__(self, power: float, scale: float = 1.0) -> None:
        self.power, self.scale = power, scale


class OwnRegularizer(nkeras.regularizers.Regularizer):
    def __init__(self, power: float, scale: float = 1.0) -> None:
        self.power, self.scale = power, scale


class OwnConstraint(nkeras.constraints.Constraint):
    def __init__(self, power: float, scale: float = 1.0) -> None:
        self.power, self.scale = power, scale


class OwnCallback(nkeras.callbacks.Callback):
    def __init__(self, power: float, scale: float = 1.0) -> None:
        super().__init__()
        self.power, self.scale = power, scale


class OwnLayer(nkeras.Layer):
    def __init__(self, power: float, scale: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.power, self.scale = power, scale


FAMILIES = [
    variable
    for variable in vars().values()
    if inspect.isclass(variable) and variable.__name__[:3] == "Own"
]


@pytest.mark.parametrize("cls", FAMILIES)
def test_users_classes_come_back_from_their_configuration(cls: Any) -> None:
    made = cls(2.0, scale=0.5)
    made.power = 3.0  # a configuration has the values of now
    described = serialize_keras_object(made)
    assert described["module"] == __name__
    again = deserialize_keras_object(described, {cls.__name__: cls})
    assert (type(again), again.power, again.scale) == (cls, 3.0, 0.5)
    assert again.get_config() == made.get_config() == described["config"]
    assert repr(made).startswith(f"{cls.__name__}(3.0, scale=0.5")
    for twin in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert twin.get_config() == made.get_config()


def test_arguments_that_go_on_to_the_base_class_are_listed() -> None:
    optimizer = OwnOptimizer(2.0, clipnorm=1.0)
    optimizer.learning_rate = 0.5
    expected = {"power": 2.0, "scale": 1.0, "clipnorm": 1.0, "learning_rate": 0.5}
    assert optimizer.get_config() == expected  # the constructor itself sets momentum
    assert set(OwnMetric(2.0).get_config()) == {"power", "scale", "name"}  # all that it takes


def test_in_a_get_config_of_ones_own_super_has_what_keras_has() -> None:
    class Named(nkeras.losses.Loss):
        def __init__(self, function: Any) -> None:
            super().__init__(name="named")
            self.function = function

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "power": 2}

    expected = {"name": "named", "reduction": "sum_over_batch_size", "power": 2}
    assert Named(lambda x: x).get_config() == expected  # no name for the function is needed


def test_a_given_value_without_an_attribute_is_listed() -> None:
    class Doubling(Configurable):
        def __init__(self, units: int, *rest: int, kind: str = "a", **others: Any) -> None:
            self.doubled = 2 * units

    made = Doubling(3, 4, kind="b", more=(1, 2))
    assert made.get_config() == {"units": 3, "kind": "b", "more": (1, 2)}
    assert repr(made) == 'Doubling(3, kind="b", more=(1, 2))'


def test_repr_shows_what_differs_from_the_defaults() -> None:
    layers = nkeras.layers
    assert repr(layers.Dense(32, activation="relu", name="d")) == (
        'Dense(32, activation="relu", name="d")'
    )
    assert repr(layers.Dropout(0.5, dtype="mixed_float16", name="d")) == (
        'Dropout(0.5, dtype="mixed_float16", name="d")'
    )
    assert repr(nkeras.losses.MeanSquaredError()) == "MeanSquaredError()"
    optimizer = nkeras.optimizers.SGD(name="s")
    optimizer.learning_rate = 0.3
    assert repr(optimizer) == 'SGD(learning_rate=0.3, name="s")'
    model = nkeras.Sequential([layers.Dense(1) for _ in range(30)], name="m")
    assert len(repr(model)) < 100


def test_signatures_are_those_of_the_constructors() -> None:
    assert list(inspect.signature(nkeras.layers.Conv2D).parameters)[:2] == [
        "filters",
        "kernel_size",
    ]
    assert not inspect.signature(nkeras.constraints.NonNeg).parameters
    assert list(inspect.signature(nkeras.losses.Huber()).parameters)[:2] == ["y_true", "y_pred"]


def test_half_made_objects_have_a_repr() -> None:
    with pytest.raises(TypeError, match="units"):
        nkeras.layers.Dense()  # type: ignore[call-arg]
    assert repr(OwnLayer.__new__(OwnLayer)).startswith("OwnLayer(")
