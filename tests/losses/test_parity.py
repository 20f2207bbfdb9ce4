"""Every loss against Keras: values, weights, masks, reductions, gradients, configs, dtypes."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import losses, ops
from nkeras.core.serialization import deserialize_keras_object, serialize_keras_object
from tests.losses import loss_cases

KERAS = """
from keras.src import backend
cls, function = getattr(keras.losses, case[0]), getattr(keras.losses, case[1])
called = arguments or ({"q": 0.5} if case[1].startswith("categorical_gen") else {})

@jax.jit  # one compilation instead of one for each operation
def compute(y_pred):
    result = {"function": function(np.asarray(y_true, "float32"), y_pred, **called)}
    for reduction, name in combinations:
        loss = cls(reduction=reduction, **arguments)
        result[f"{reduction}/{name}"] = loss(y_true, y_pred, sample_weight=weights[name])
        if mask is not None:
            masked = y_pred + 0.0
            backend.set_keras_mask(masked, jnp.asarray(mask))
            result[f"{reduction}/{name}/masked"] = loss(y_true, masked, sample_weight=weights[name])
    loss = cls(**arguments)
    result["gradient"] = jax.grad(lambda x: loss(y_true, x))(y_pred)
    return result

result = compute(jnp.asarray(y_pred))
"""


def per_sample_shape(case: loss_cases.Case, y_true: Any, y_pred: Any) -> tuple[int, ...]:
    """The shape of what the loss gives without a reduction."""
    loss = getattr(losses, case.cls)(reduction=None, **case.arguments)
    return loss(y_true, y_pred).shape


@pytest.mark.parametrize("case", loss_cases.CASES)
def test_loss_is_keras(case: loss_cases.Case, oracle: Any) -> None:
    scalar = case.cls in ("Dice", "Tversky") and not case.arguments.get("axis")
    check(case, oracle, [("sum_over_batch_size", "none"), (None, "none" if scalar else "whole")])


@pytest.mark.parametrize("case", loss_cases.EACH_KIND_OF_SHAPE)
def test_every_reduction_is_keras(case: loss_cases.Case, oracle: Any) -> None:
    y_true, y_pred = loss_cases.inputs(case.kind)
    with nkeras.use_backend("numpy"):
        names = loss_cases.weights(per_sample_shape(case, y_true, y_pred))
    check(case, oracle, [(one, name) for one in loss_cases.REDUCTIONS for name in names])


@pytest.mark.long
@pytest.mark.parametrize("case", loss_cases.CASES)
def test_every_reduction_of_every_loss_is_keras(case: loss_cases.Case, oracle: Any) -> None:
    test_every_reduction_is_keras(case, oracle)


def check(case: loss_cases.Case, oracle: Any, combinations: list[tuple[Any, str]]) -> None:
    """Hold a loss against Keras, for pairs of reduction and kind of sample weights."""
    y_true, y_pred = loss_cases.inputs(case.kind)
    with nkeras.use_backend("numpy"):
        shape = per_sample_shape(case, y_true, y_pred)
        weights = loss_cases.weights(shape)
        mask = np.arange(np.prod(shape)).reshape(shape) % 3 > 0 if shape else None
        expected = oracle.run(
            KERAS,
            case=tuple(case[:2]),
            arguments=loss_cases.for_keras(case),
            combinations=combinations,
            weights=weights,
            mask=mask,
            y_true=y_true,
            y_pred=y_pred,
        )
        found = ours(case, y_true, y_pred, weights, mask, combinations)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        assert found[name].dtype == value.dtype, name
        np.testing.assert_allclose(found[name], value, rtol=2e-5, atol=2e-6, err_msg=name)


def ours(
    case: loss_cases.Case,
    y_true: Any,
    y_pred: Any,
    weights: dict[str, Any],
    mask: Any,
    combinations: list[tuple[Any, str]],
) -> dict[str, Any]:
    """The same as the oracle's code."""
    cls, function = getattr(losses, case.cls), getattr(losses, case.function)
    arguments = case.arguments
    called = (
        {"q": 0.5} if case.function.startswith("categorical_gen") and not arguments else arguments
    )
    result: dict[str, Any] = {"function": function(y_true, y_pred, **called).numpy()}
    for reduction, name in combinations:
        loss = cls(reduction=reduction, **arguments)
        result[f"{reduction}/{name}"] = loss(y_true, y_pred, sample_weight=weights[name]).numpy()
        if mask is not None:
            masked = ops.convert_to_tensor(y_pred)
            masked._keras_mask = ops.convert_to_tensor(mask)
            value = loss(y_true, masked, sample_weight=weights[name])
            result[f"{reduction}/{name}/masked"] = value.numpy()
    loss = cls(**arguments)
    prediction = ops.convert_to_tensor(y_pred)
    with nkeras.GradientTape() as tape:
        tape.watch(prediction)
        value = loss(y_true, prediction)
    result["gradient"] = tape.gradient(value, prediction).numpy()
    return result


@pytest.mark.parametrize("case", loss_cases.EACH_KIND_OF_SHAPE)
def test_half_precision_is_keras(case: loss_cases.Case, oracle: Any) -> None:
    y_true, y_pred = loss_cases.inputs(case.kind)
    expected = oracle.run(
        """
        result = {}
        for dtype in ("float16", "bfloat16"):
            value = getattr(keras.losses, cls)(dtype=dtype, **arguments)(y_true, y_pred)
            result[dtype] = np.asarray(value, "float32"), str(value.dtype)
        """,
        cls=case.cls,
        arguments=loss_cases.for_keras(case),
        y_true=y_true,
        y_pred=y_pred,
    )
    with nkeras.use_backend("numpy"):
        for dtype, tolerance in (("float16", 0.02), ("bfloat16", 0.1)):
            loss = getattr(losses, case.cls)(dtype=dtype, **case.arguments)
            value = loss(y_true, y_pred)
            assert value.dtype == expected[dtype][1]
            np.testing.assert_allclose(
                value.numpy().astype("float32"), expected[dtype][0], rtol=tolerance, atol=tolerance
            )


@pytest.mark.long
@pytest.mark.parametrize("case", loss_cases.CASES)
def test_half_precision_of_every_loss_is_keras(case: loss_cases.Case, oracle: Any) -> None:
    test_half_precision_is_keras(case, oracle)


@pytest.mark.parametrize("case", loss_cases.CASES)
def test_backends_agree(case: loss_cases.Case) -> None:
    y_true, y_pred = loss_cases.inputs(case.kind)
    found = {}
    for backend in ("numpy", "numba_cpu"):
        with nkeras.use_backend(backend):
            prediction = ops.convert_to_tensor(y_pred)
            with nkeras.GradientTape() as tape:
                tape.watch(prediction)
                value = getattr(losses, case.cls)(**case.arguments)(y_true, prediction)
            found[backend] = value.numpy(), tape.gradient(value, prediction).numpy()
    for item, other in zip(found["numpy"], found["numba_cpu"], strict=True):
        np.testing.assert_allclose(other, item, rtol=1e-5, atol=1e-6)


def exported(base: type) -> set[str]:
    """Names of the exported subclasses of a class."""
    return {
        name
        for name, thing in vars(losses).items()
        if inspect.isclass(thing) and issubclass(thing, base)
    }


def test_every_loss_is_in_the_table() -> None:
    cases = [parameters.values[0] for parameters in loss_cases.CASES]
    assert exported(losses.Loss) - {"Loss", "LossFunctionWrapper"} == {case.cls for case in cases}
    functions = {
        name
        for name, thing in vars(losses).items()
        if inspect.isfunction(thing)
        and name not in ("__getattr__", "get", "serialize", "deserialize")
    }
    assert functions == {case.function for case in cases}


DEFAULT_CLASSES = sorted(exported(losses.Loss) - {"Loss", "LossFunctionWrapper"})


def test_configs_and_signatures_are_keras(oracle: Any) -> None:
    expected = oracle.run(
        """
        import inspect
        result = {}
        for name in names:
            cls = getattr(keras.losses, name)
            parameters = inspect.signature(cls.__init__).parameters.values()
            defaults = [(p.name, None if p.default is p.empty else p.default) for p in parameters]
            result[name] = cls().get_config(), defaults
        """,
        names=DEFAULT_CLASSES,
    )
    for name in DEFAULT_CLASSES:
        cls = getattr(losses, name)
        assert cls().get_config() == expected[name][0]
        parameters = inspect.signature(cls.__init__).parameters
        given = [(p, None if q.default is q.empty else q.default) for p, q in parameters.items()]
        assert given == expected[name][1], name


def test_function_signatures_are_keras(oracle: Any) -> None:
    names = sorted({parameters.values[0].function for parameters in loss_cases.CASES})
    expected = oracle.run(
        """
        import inspect
        result = {n: list(inspect.signature(getattr(keras.losses, n)).parameters) for n in names}
        """,
        names=names,
    )
    for name in names:
        assert list(inspect.signature(getattr(losses, name)).parameters) == expected[name]


@pytest.mark.parametrize("case", loss_cases.CASES)
def test_config_round_trip(case: loss_cases.Case) -> None:
    y_true, y_pred = loss_cases.inputs(case.kind)
    loss = getattr(losses, case.cls)(reduction="sum", name="mine", **case.arguments)
    copy = type(loss).from_config(loss.get_config())
    again = deserialize_keras_object(serialize_keras_object(loss))
    with nkeras.use_backend("numpy"):
        value = loss(y_true, y_pred).numpy()
        for other in (copy, again, losses.get(losses.serialize(loss))):
            assert type(other) is type(loss)
            assert (other.name, other.reduction) == ("mine", "sum")
            np.testing.assert_array_equal(other(y_true, y_pred).numpy(), value)


def test_identifiers_are_keras(oracle: Any) -> None:
    known = oracle.run("from keras.src.losses import ALL_OBJECTS_DICT as d; result = sorted(d)")
    left_out = {"Loss", "LossFunctionWrapper"}
    for name in set(known) - left_out:
        found = losses.get(name)
        assert callable(found), name
