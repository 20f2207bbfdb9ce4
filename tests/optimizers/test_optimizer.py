"""What all optimizers share: arguments, learning rate, state, errors, configurations."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
from typing import Any

import numpy as np
import pytest

from nkeras import ops, optimizers
from nkeras.backend import registry
from nkeras.core import tape
from nkeras.core.primitive import PRIMITIVES
from nkeras.core.serialization import register_keras_serializable
from nkeras.core.variable import Variable
from tests.optimizers import optimizer_runs as runs

ALL = [
    variable
    for name, variable in vars(optimizers).items()
    if isinstance(variable, type)
    if name not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap")
]


def has(kind: Any, argument: str) -> bool:
    return argument in inspect.signature(kind).parameters


ONE = np.ones(2, "float32")


def weight(name: str = "w") -> Variable:
    return Variable(np.ones(2, "float32"), name=name)


@pytest.mark.parametrize("kind", ALL)
def test_arguments_are_checked(kind: Any) -> None:
    for arguments, message in [
        ({"learning_rate": -0.1}, "`learning_rate` must not be negative"),
        ({"learning_rate": math.nan}, "`learning_rate` must not be negative"),
        ({"learning_rate": 1}, "`learning_rate` must be a float"),
        ({"learning_rate": "fast"}, "`learning_rate` must be a float"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "only one of `clipnorm`"),
        ({"clipnorm": -1.0}, "`clipnorm` must not be negative"),
        ({"gradient_accumulation_steps": 1}, "`gradient_accumulation_steps` must be an integer"),
        ({"use_ema": True, "ema_momentum": 1.5}, "`ema_momentum` must be in the range"),
        ({"use_ema": True, "ema_overwrite_frequency": 0.5}, "`ema_overwrite_frequency` must be"),
        ({"unknown": 3}, r"argument\(s\) not recognized: {'unknown': 3}"),
    ]:
        with pytest.raises(ValueError, match=message):
            kind(**arguments)


@pytest.mark.parametrize("wrong", [-0.1, 1.0, math.nan, "0.9", None])
@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        (kind, name)
        for kind in ALL
        for name in ("beta_1", "beta_2", "rho")
        if has(kind, name) and (kind, name) != (optimizers.Lion, "beta_1")  # Keras' own range
    ],
)
def test_decay_rates_are_fractions(kind: Any, argument: str, wrong: Any) -> None:
    message = f"{kind.__name__}: argument `{argument}` must be a number in"
    with pytest.raises(ValueError, match=message):
        kind(**{argument: wrong})


def test_classes_instead_of_instances() -> None:
    with pytest.raises(ValueError, match=r"is a class. Pass an instance, such as Adam\(\)"):
        optimizers.get(optimizers.Adam)
    with pytest.raises(ValueError, match="must be a LearningRateSchedule, not its class"):
        optimizers.SGD(optimizers.schedules.ExponentialDecay)
    with pytest.raises(ValueError, match="`inner_optimizer` must be an optimizer"):
        optimizers.LossScaleOptimizer(optimizers.Adam)  # type: ignore[arg-type]


def test_arguments_of_single_optimizers() -> None:
    with pytest.raises(ValueError, match="`momentum` must be a float"):
        optimizers.SGD(momentum=2.0)
    with pytest.raises(ValueError, match="`weight_decay` must be a float"):
        optimizers.AdamW(weight_decay=None)  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match="`decay` is no longer supported"):
        optimizers.SGD(decay=0.1)


def test_shared_arguments_are_shown_and_taken_by_position() -> None:
    for kind in (optimizers.Adam, optimizers.AdamW, optimizers.SGD, optimizers.Ftrl):
        names = list(inspect.signature(kind).parameters)
        shared = inspect.signature(optimizers.Optimizer).parameters
        further = [name for name in shared if name not in names[:2]]
        assert names[-len(further) :] == further
        assert all(f"{name}: " in str(kind.__doc__) for name in names[:-1])
        assert "shared" not in str(kind.__doc__)
    make: Any = optimizers.SGD
    assert make(0.1, 0.5, False, None, 2.0).clipnorm == 2.0
    with pytest.raises(TypeError, match="SGD: multiple values for argument 'momentum'"):
        make(0.1, 0.5, momentum=0.5)


def test_the_repr_is_short() -> None:
    assert repr(optimizers.SGD(0.1, name="a")) == 'SGD(learning_rate=0.1, name="a")'
    schedule = optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    expected = 'Adam(learning_rate=ExponentialDecay(0.1, 2, 0.5), name="adam")'
    assert repr(optimizers.Adam(schedule, name="adam")) == expected
    wrapped = optimizers.LossScaleOptimizer(optimizers.SGD(0.1, name="b"), name="c")
    assert repr(wrapped) == 'LossScaleOptimizer(SGD(learning_rate=0.1, name="b"), name="c")'


def test_a_step_leaves_the_learning_rate_and_the_counter_on_the_host() -> None:
    optimizer = optimizers.Adam()
    with registry.use_backend("numba_cpu"):
        optimizer.apply([ONE], [weight()])
        assert int(optimizer.iterations + 1) == 2  # as users' own optimizers write it
    assert optimizer.iterations is optimizer.variables[0]
    assert optimizer.iterations.host
    assert optimizer.iterations.dtype == "int32"
    assert optimizer.learning_rate.host
    assert optimizer.learning_rate._tensor.backend.name == "numpy"


def test_the_learning_rate_can_be_set() -> None:
    optimizer = optimizers.SGD(learning_rate=0.5)
    w = weight()
    for value in (0.25, np.float32(0.25), ops.convert_to_tensor(0.25)):
        optimizer.learning_rate = value
        assert float(optimizer.learning_rate) == 0.25
    optimizer.apply([ONE], [w])
    np.testing.assert_array_equal(w.numpy(), 0.75)
    with pytest.raises(ValueError, match="must not be negative"):
        optimizer.learning_rate = -1.0
    optimizer.learning_rate = optimizers.schedules.PiecewiseConstantDecay([9], [0.5, 0.1])
    assert [variable.name for variable in optimizer.variables] == ["iteration"]
    assert optimizer.learning_rate == 0.5
    with pytest.raises(TypeError, match="created with a LearningRateSchedule"):
        optimizer.learning_rate = 0.1


def test_the_learning_rate_may_be_a_function() -> None:
    rates = iter([0.5, 0.25])
    optimizer = optimizers.SGD(learning_rate=lambda: next(rates))
    w = weight()
    optimizer.apply([ONE], [w])
    optimizer.apply([ONE], [w])
    np.testing.assert_array_equal(w.numpy(), 0.25)
    with pytest.raises(TypeError, match="created with a function"):
        optimizer.learning_rate = 0.1


def test_gradients_and_variables_must_fit() -> None:
    optimizer = optimizers.SGD()
    optimizer.apply([])
    with pytest.raises(ValueError, match="must be built before"):
        optimizer.apply([ONE])
    w = weight()
    optimizer.build([w])
    with pytest.raises(ValueError, match="2 gradients for 1 variables"):
        optimizer.apply([ONE, ONE])
    with pytest.raises(ValueError, match="1 gradients for 2 variables"):
        optimizer.apply([ONE], [w, w])
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.apply([ONE], [weight("other")])
    with pytest.raises(ValueError, match=r"'w' must have its shape \(2,\). Received: shape \(3,\)"):
        optimizer.apply([np.ones(3, "float32")])
    assert int(optimizer.iterations) == 0


def test_missing_gradients_warn_and_none_at_all_is_an_error() -> None:
    optimizer = optimizers.Adam(learning_rate=0.5)
    first, second = weight("first"), weight("second")
    with pytest.warns(UserWarning, match=r"do not exist for variables \['first'\]"):
        optimizer.apply([None, ONE], [first, second])
    np.testing.assert_array_equal(first.numpy(), 1.0)
    np.testing.assert_allclose(second.numpy(), 0.5, rtol=1e-5)
    with pytest.raises(ValueError, match=r"for any variable: .* use `nkeras.ops`"):
        optimizer.apply([None, None])


def test_pairs_of_gradient_and_variable() -> None:
    w = weight()
    returned = optimizers.SGD(learning_rate=0.5).apply_gradients(zip([ONE], [w], strict=True))
    assert int(returned) == 1
    np.testing.assert_array_equal(w.numpy(), 0.5)


def test_constraints_hold_after_the_update() -> None:
    w = weight()
    w.constraint = lambda value: ops.maximum(value, 0.9)
    optimizers.SGD(learning_rate=0.5).apply([ONE], [w])
    np.testing.assert_allclose(w.numpy(), 0.9)


@pytest.mark.parametrize(
    ("excluded", "expected"),
    [
        ({"var_names": ["bi.s"]}, [0.75, 1.0]),
        ({"var_names": None}, [0.75, 0.75]),
        ("first", [1.0, 0.75]),
    ],
)
def test_variables_may_be_excluded_from_weight_decay(excluded: Any, expected: list[float]) -> None:
    variables = [weight("kernel"), weight("bias")]
    optimizer = optimizers.AdamW(learning_rate=0.5, weight_decay=0.5)
    if excluded == "first":
        excluded = {"var_list": variables[:1]}
    optimizer.exclude_from_weight_decay(**excluded)
    optimizer.apply([0 * ONE, 0 * ONE], variables)
    assert [float(excluded.numpy()[0]) for excluded in variables] == expected


@pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy, lambda leaf: pickle.loads(pickle.dumps(leaf))],
    ids=["copy", "pickle"],
)
def test_copies_go_on_where_the_original_stands(duplicate: Any) -> None:
    variables = [weight("kernel"), weight("bias")]
    optimizer = optimizers.AdamW(learning_rate=0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=variables[1:])
    optimizer.apply([ONE, ONE], variables)
    assert len(optimizer.variables) == 6  # iteration, rate, two moments of each: no model's weight
    others, other = duplicate((variables, optimizer))
    for one, weights in ((optimizer, variables), (other, others)):
        one.apply([ONE, 2 * ONE], weights)
    for left, right in zip(variables, others, strict=True):
        assert left is not right
        np.testing.assert_array_equal(left.numpy(), right.numpy())
    with pytest.raises(ValueError, match=r"Unknown variable: 'kernel' of shape \(2,\)\. This"):
        other.apply([ONE], variables[:1])


@pytest.mark.parametrize("kind", ALL)
def test_variables_overwritten_by_their_gradient(kind: Any) -> None:
    w, scale = weight(), weight("scale")
    scale.overwrite_with_gradient = True
    optimizer = kind(learning_rate=0.1)
    optimizer.apply([ONE, 5 * ONE], [w, scale])
    np.testing.assert_array_equal(scale.numpy(), 5.0)
    assert (w.numpy() < 1).all()
    assert not [variable.name for variable in optimizer.variables if "scale_" in variable.name]


def test_overwriting_takes_the_maximum_of_accumulated_gradients() -> None:
    scale = weight("scale")
    scale.overwrite_with_gradient = True
    optimizer = optimizers.SGD(gradient_accumulation_steps=2)
    seen = []
    for value in (5.0, 3.0, 1.0, 2.0):
        optimizer.apply([value * ONE], [scale])
        seen.append(float(scale.numpy()[0]))
    assert seen == [1.0, 5.0, 5.0, 2.0]
    assert int(optimizer.iterations) == 2


def test_the_loss_is_scaled() -> None:
    assert float(optimizers.SGD(loss_scale_factor=8.0).scale_loss(ops.convert_to_tensor(2.0))) == 16
    assert optimizers.SGD().scale_loss(2.0) == 2.0


def test_an_update_inside_a_tape_is_not_recorded() -> None:
    w = weight()
    with tape.GradientTape() as recorded:
        optimizers.SGD(learning_rate=0.5).apply([ONE], [w])
        loss = ops.sum(ops.square(w))
    np.testing.assert_array_equal(recorded.gradient(loss, w).numpy(), 1.0)


def test_state_is_saved_and_loaded() -> None:
    weights, grads = runs.problem(6)
    expected = runs.run(optimizers.Adam(learning_rate=0.1), 6)["trace"][-1]
    variables = [Variable(one, name=name) for one, name in zip(weights, runs.NAMES, strict=True)]
    first = optimizers.Adam(learning_rate=0.1)
    for step in grads[:3]:
        first.apply(step, variables)
    store: dict[str, Any] = {}
    first.save_own_variables(store)
    second = optimizers.Adam(learning_rate=0.5)
    with pytest.warns(UserWarning, match="2 variables whereas the saved optimizer has 8"):
        second.load_own_variables(store)
    second.build(variables)
    second.load_own_variables(store)
    for step in grads[3:]:
        second.apply(step)
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_set_weights_is_all_or_nothing() -> None:
    optimizer = optimizers.SGD(learning_rate=0.5, momentum=0.5)
    with pytest.raises(ValueError, match="has no variables yet"):
        optimizer.set_weights([])
    optimizer.build([weight()])
    values = [variable.numpy() + 1 for variable in optimizer.variables]
    with pytest.raises(ValueError, match=r"must have 3 elements\. Received: 2"):
        optimizer.set_weights(values[:2])
    with pytest.raises(ValueError, match=r"has shape \(2,\), not compatible"):
        optimizer.set_weights([*values[:2], np.ones(3)])
    assert int(optimizer.iterations) == 0
    optimizer.set_weights(values)
    assert [variable.numpy().tolist() for variable in optimizer.variables] == [1, 1.5, [1.0, 1.0]]


def test_stateless_apply_changes_no_variable() -> None:
    optimizer = optimizers.SGD(learning_rate=0.5, momentum=0.5)
    w = weight()
    with pytest.raises(ValueError, match="must be built"):
        optimizer.stateless_apply([], [ONE], [ONE])
    optimizer.build([w])
    state = [variable.numpy() for variable in optimizer.variables]
    with pytest.raises(ValueError, match="`optimizer_variables` must be"):
        optimizer.stateless_apply([], [ONE], [ONE])
    with pytest.raises(ValueError, match="`trainable_variables` must be"):
        optimizer.stateless_apply(state, [ONE], [])
    (trained,), changed = optimizer.stateless_apply(state, [ONE], [3 * ONE])
    np.testing.assert_array_equal(trained.numpy(), 2.5)
    assert int(changed[0]) == 1
    np.testing.assert_array_equal(w.numpy(), 1.0)
    for variable, value in zip(optimizer.variables, state, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_averages_need_the_variables_of_build() -> None:
    optimizer = optimizers.SGD(use_ema=True)
    optimizer.build([weight()])
    with pytest.raises(ValueError, match="Received: 2 variables"):
        optimizer.finalize_variable_values([weight(), weight()])
    optimizers.SGD().finalize_variable_values([weight()])


@pytest.mark.parametrize("kind", ALL)
def test_configurations_come_back(kind: Any) -> None:
    schedule = optimizers.schedules.CosineDecay(0.1, 10)
    for made in (kind(), kind(learning_rate=schedule, clipnorm=0.5, use_ema=True, name="mine")):
        config = optimizers.serialize(made)
        again = optimizers.get(config)
        assert type(again) is kind
        assert optimizers.serialize(again) == config
        assert kind.from_config(made.get_config()).get_config() == made.get_config()


def test_get_knows_names() -> None:
    for name, kind in [
        ("sgd", optimizers.SGD),
        ("SGD", optimizers.SGD),
        ("adam", optimizers.Adam),
        ("adamw", optimizers.AdamW),
        ("AdamW", optimizers.AdamW),
        ("rmsprop", optimizers.RMSprop),
        ("Nadam", optimizers.Nadam),
        ("adafactor", optimizers.Adafactor),
    ]:
        assert type(optimizers.get(name)) is kind
        assert type(optimizers.get({"class_name": name, "config": {}})) is kind
    made = optimizers.SGD()
    assert optimizers.get(made) is made
    assert optimizers.get(None) is None
    for wrong in ("gradient", 3, len):
        with pytest.raises(ValueError, match="Could not interpret optimizer identifier"):
            optimizers.get(wrong)


def test_the_loss_scale_adapts_itself() -> None:
    optimizer = optimizers.LossScaleOptimizer(
        optimizers.SGD(learning_rate=0.5), initial_scale=4.0, dynamic_growth_steps=2
    )
    w, scales = weight(), []
    for value in (4.0, math.inf, 2.0, 2.0, 4.0):
        optimizer.apply([value * ONE], [w])
        scales.append(float(optimizer.dynamic_scale))
    assert scales == [4.0, 2.0, 2.0, 4.0, 4.0]
    np.testing.assert_array_equal(w.numpy(), 1 - 0.5 * 4)
    assert int(optimizer.iterations) == 4
    assert float(optimizer.scale_loss(ops.convert_to_tensor(3.0))) == 12.0
    optimizer.learning_rate = 0.25
    assert float(optimizer.inner_optimizer.learning_rate) == 0.25
    config = optimizers.serialize(optimizer)
    assert optimizers.serialize(optimizers.get(config)) == config
    with pytest.raises(ValueError, match="does not support `clipnorm`"):
        optimizers.LossScaleOptimizer(optimizers.SGD(), clipnorm=1.0)
    with pytest.raises(ValueError, match="`dynamic` must be True"):
        optimizers.LossScaleOptimizer(optimizers.SGD(), dynamic=False)


def test_bounds_of_lion_and_ftrl() -> None:
    with pytest.raises(ValueError, match=r"Lion: argument `beta_1` must be in \(0, 1\]"):
        optimizers.Lion(beta_1=0.0)
    with pytest.raises(ValueError, match="`learning_rate_power` must be negative or zero"):
        optimizers.Ftrl(learning_rate_power=0.5)
    with pytest.raises(ValueError, match="`l1_regularization_strength` must be positive or zero"):
        optimizers.Ftrl(l1_regularization_strength=-0.5)


@register_keras_serializable(package="tests")
class Signs(optimizers.Optimizer):
    """A user's optimizer, written as Keras' guide does."""

    def __init__(self, learning_rate: float = 0.25, power: float = 1.0, **kwargs: Any) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.power = power
        self.extra = Variable(0.0, name="extra")

    def build(self, variables: Any) -> None:
        super().build(variables)
        self.counts = [
            self.add_variable_from_reference(variable, name="count") for variable in variables
        ]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        learning_rate = ops.cast(learning_rate, variable.dtype)
        self.assign_add(self.counts[self._get_variable_index(variable)], ops.ones_like(variable))
        self.assign_sub(variable, ops.multiply(learning_rate, ops.sign(gradient)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "power": self.power}


def test_an_optimizer_of_the_users_own() -> None:
    w = weight()
    optimizer = optimizers.get(optimizers.serialize(Signs(power=2.0, name="signs")))
    assert isinstance(optimizer, Signs)
    optimizer.apply([-3 * ONE], [w])
    np.testing.assert_array_equal(w.numpy(), 1.25)
    names = [variable.path for variable in optimizer.variables]
    assert names == ["signs/iteration", "signs/learning_rate", "extra", "signs/w_count"]
    assert optimizer.power == 2.0


def test_super_must_come_first() -> None:
    class Hasty(optimizers.Optimizer):
        def __init__(self) -> None:
            self.power = 1.0
            super().__init__(learning_rate=0.1)

    with pytest.raises(RuntimeError, match="must be the first statement"):
        Hasty()


UPDATES = {
    "sgd_update": [
        ({"learning_rate": 0.1, "momentum": 0.0, "nesterov": False}, [None]),
        ({"learning_rate": 0.1, "momentum": 0.9, "nesterov": False}, [1]),
        ({"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}, [1]),
    ],
    "adam_update": [({"alpha": 0.1, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-7}, [1, 1])],
    "amsgrad_update": [({"alpha": 0.1, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-7}, [1, 1, 1])],
    "adagrad_update": [({"learning_rate": 0.1, "epsilon": 1e-3}, [1])],
    "adadelta_update": [({"learning_rate": 0.1, "rho": 0.9, "epsilon": 1e-3}, [1, 1])],
    "lion_update": [({"learning_rate": 0.1, "beta_1": 0.9, "beta_2": 0.99}, [1])],
    "adamax_update": [({"alpha": 0.1, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-3}, [1, 1])],
    "nadam_update": [
        (
            {"factors": (0.1, 0.2, 1.5), "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-3},
            [1, 1],
        )
    ],
    "ftrl_update": [
        (
            {"learning_rate": 0.1, "power": p, "l1": 0.1, "l2": 0.2, "shrinkage": 0.3, "beta": 0.5},
            [1, 1],
        )
        for p in (0.5, 0.7)
    ],
    "lamb_update": [({"factors": (1.5, 2.0), "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-3}, [1])],
    "rmsprop_update": [
        (
            {"learning_rate": 0.1, "rho": 0.9, "momentum": m, "epsilon": 1e-3, "centered": c},
            [1, 1 if m else None, 0.1 if c else None],
        )
        for m in (0.0, 0.9)
        for c in (False, True)
    ],
}


def test_every_update_has_a_case() -> None:
    declared = {
        name
        for name, value in PRIMITIVES.items()
        if value.__module__ == "nkeras.ops.optimizers" and name.endswith("_update")
    }
    assert declared == set(UPDATES)


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
@pytest.mark.parametrize("name", UPDATES)
def test_decompositions_are_their_kernels(name: str, backend: str) -> None:
    update = PRIMITIVES[name]
    generator = np.random.default_rng(3)
    with registry.use_backend(backend):
        for static, state in UPDATES[name]:
            arrays = [generator.normal(size=(5, 3)).astype("float32") for _ in range(2)]
            arrays += [
                None if one is None else (one * generator.uniform(1, 2, (5, 3))).astype("float32")
                for one in state
            ]
            tensors = [None if array is None else ops.convert_to_tensor(array) for array in arrays]
            assert update.kernel(registry.active()) is not None
            assert update.decompose is not None
            fused, plain = update(*tensors, **static), update.decompose(*tensors, **static)
            assert len(fused) == len(plain)
            for left, right in zip(fused, plain, strict=True):
                assert (left is None) == (right is None)
                if left is not None:
                    np.testing.assert_allclose(left.numpy(), right.numpy(), rtol=2e-5, atol=1e-6)
            with pytest.raises(
                ValueError, match=rf"{name}: gradient and buffers must have the shape"
            ):
                update(tensors[0], tensors[1][:2], *tensors[2:], **static)
