"""int8: numbers, weights and configurations are those of Keras; what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.core.serialization import serialize_keras_object
from nkeras.quantizers import AbsMaxQuantizer, Int8QuantizationConfig

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((3, 5, 8)).astype("float32")
WORDS = RANDOM.integers(0, 9, (3, 5)).astype("int32")
EINSUM = [
    ("abc,cd->abd", (5, 4), "d"),
    ("abc,cde->abde", (5, 2, 4), "de"),
    ("abc,bcd->ad", (4,), "d"),
    ("abc,bd->adc", (4, 8), "d"),
    ("abc,bcd->abd", (5, 4), "bd"),
]
CASES: list[tuple[str, dict[str, Any], np.ndarray, dict[str, Any]]] = [
    ("Dense", {"units": 6, "activation": "relu"}, X, {}),
    ("Dense", {"units": 6, "use_bias": False, "kernel_regularizer": "l2"}, X[:, 0], {}),
    *(
        ("EinsumDense", {"equation": e, "output_shape": shape, "bias_axes": bias}, X, {})
        for e, shape, bias in EINSUM
    ),
    ("Embedding", {"input_dim": 9, "output_dim": 4, "mask_zero": True}, WORDS, {}),
    ("ReversibleEmbedding", {"input_dim": 9, "output_dim": 8}, WORDS, {}),
    ("ReversibleEmbedding", {"input_dim": 9, "output_dim": 8}, X, {"reverse": True}),
    (
        "ReversibleEmbedding",
        {"input_dim": 9, "output_dim": 8, "tie_weights": False, "logit_soft_cap": 2.0},
        X,
        {"reverse": True},
    ),
]
CONFIGS: dict[str, Any] = {
    "usual": None,
    "weights alone": {"activation_quantizer": None},
    "narrow": {"activation_quantizer": {"value_range": (-31, 31)}},
}

IN_KERAS = """
import json
Q = keras.quantizers
layer = getattr(keras.layers, name)(**options)
layer.build(x.shape)
layer.set_weights(weights)
if rank is not None:
    layer.enable_lora(rank, lora_alpha=3)
    of_lora = [v for v in layer.weights if "lora" in v.name]
    for variable, value in zip(of_lora, factors):
        variable.assign(value)
if config is None:
    layer.quantize("int8")
else:
    given = dict(config)
    if given["activation_quantizer"] is not None:
        given["activation_quantizer"] = Q.AbsMaxQuantizer(**given["activation_quantizer"])
    layer.quantize(config=Q.Int8QuantizationConfig(**given))
store = {}
layer.save_own_variables(store)
result = {
    "y": np.asarray(layer(x, **call)),
    "weights": [(v.path, v.dtype, v.trainable, np.asarray(v)) for v in layer.weights],
    "config": json.loads(json.dumps(keras.saving.serialize_keras_object(layer.get_config()))),
    "store": [np.asarray(store[str(i)]) for i in range(len(store))],
}
"""


def built(name: str, options: dict[str, Any], x: np.ndarray) -> Any:
    nkeras.core.naming.reset()
    layer = getattr(layers, name)(**options, name="layer")
    layer.build(x.shape)
    random = np.random.default_rng(4)
    layer.set_weights([random.standard_normal(w.shape) for w in layer.weights])
    return layer


def config_of(which: str) -> Any:
    if CONFIGS[which] is None:
        return None
    given = dict(CONFIGS[which])
    if given["activation_quantizer"] is not None:
        given["activation_quantizer"] = AbsMaxQuantizer(**given["activation_quantizer"])
    return Int8QuantizationConfig(**given)


@pytest.mark.parametrize("which", CONFIGS)
@pytest.mark.parametrize("number", range(len(CASES)))
def test_numbers_are_those_of_keras(number: int, which: str, oracle: Any) -> None:
    name, options, x, call = CASES[number]
    fails_in_keras = options.get("equation") == "abc,bd->adc"
    rank = 2 if which == "usual" and not (call or fails_in_keras) else None
    layer = built(name, options, x)
    factors = [
        np.random.default_rng(6).standard_normal(s).astype("float32") for s in shapes(layer, rank)
    ]
    expected = oracle.run(
        IN_KERAS,
        name=name,
        options={**options, "name": "layer"},
        x=x,
        weights=layer.get_weights(),
        config=CONFIGS[which],
        call=call,
        rank=rank,
        factors=factors,
    )
    for backend in ("numpy", "numba_cpu"):
        compare(CASES[number], which, rank, factors, expected, backend)


def compare(
    case: tuple[str, dict[str, Any], np.ndarray, dict[str, Any]],
    which: str,
    rank: int | None,
    factors: list[np.ndarray],
    expected: dict[str, Any],
    backend: str,
) -> None:
    """Hold a quantized layer against what Keras answered."""
    name, options, x, call = case
    with nkeras.use_backend(backend):
        layer = built(name, options, x)
        if rank is not None:
            layer.enable_lora(rank, lora_alpha=3)
            for variable, value in zip(layer._factors()[:2], factors, strict=True):
                variable.assign(value)
        layer.quantize("int8" if CONFIGS[which] is None else None, config=config_of(which))
        np.testing.assert_allclose(layer(x, **call).numpy(), expected["y"], rtol=1e-5, atol=1e-5)
        found = [(v.path, v.dtype, v.trainable, v.numpy()) for v in layer.weights]
        assert [one[:3] for one in found] == [tuple(one[:3]) for one in expected["weights"]]
        for one, other in zip(found, expected["weights"], strict=True):
            np.testing.assert_allclose(one[3], other[3], rtol=1e-6)
        config = json.loads(json.dumps(serialize_keras_object(layer.get_config())))
        assert config == expected["config"]
        store: dict[str, Any] = {}
        layer.save_own_variables(store)
        for i, other in enumerate(expected["store"]):
            np.testing.assert_allclose(store[str(i)], other, rtol=1e-5)
        twin = type(layer).from_config(layer.get_config())
        twin.build(x.shape)
        twin.set_weights(layer.get_weights())
        np.testing.assert_array_equal(twin(x, **call).numpy(), layer(x, **call).numpy())


def shapes(layer: Any, rank: int | None) -> list[tuple[int, ...]]:
    if rank is None:
        return []
    base = layer.base_weight
    return [(*base.shape[:-1], rank), (rank, base.shape[-1])]


def test_ellipses_of_which_keras_fails() -> None:
    found = []
    for equation, shape in (("...x,xy->...y", 4), ("abx,xy->aby", (5, 4))):
        layer = built("EinsumDense", {"equation": equation, "output_shape": shape}, X)
        layer.quantize("int8")
        found.append(layer(X).numpy())
    np.testing.assert_array_equal(*found)


class Halves(nkeras.quantizers.Quantizer):
    """A quantizer of a user's: multiples of 1/2."""

    def __call__(self, x: Any, axis: Any = None) -> Any:
        integers = nkeras.ops.cast(nkeras.ops.clip(nkeras.ops.round(x * 2.0), -127, 127), "int8")
        return integers, nkeras.ops.full((1,) * len(x.shape), 2.0)


@pytest.mark.parametrize("number", [0, 2, 5])
def test_a_quantizer_of_the_users(number: int) -> None:
    name, options, x, _ = CASES[number]
    layer = built(name, options, x)
    layer.quantize(config=Int8QuantizationConfig(activation_quantizer=Halves()))
    found = layer(x).numpy()
    twin = built(name, options, x)
    twin.quantize(config=Int8QuantizationConfig(activation_quantizer=None))
    rounded = np.clip(np.round(x * 2.0), -127, 127) / 2.0
    np.testing.assert_allclose(found, twin(rounded).numpy(), rtol=1e-5, atol=1e-5)


def test_gradients_by_inputs_are_those_of_the_floats() -> None:
    for number in (0, 2, 5):
        name, options, x, _ = CASES[number]
        layer = built(name, {**options, "activation": None}, x)
        layer.quantize("int8")
        source = nkeras.ops.convert_to_tensor(x)
        floats = getattr(layers, name)(**{**options, "activation": None})
        floats.build(x.shape)
        floats.set_weights([layer._floats("kernel"), layer.bias])
        grads = []
        for one in (layer, floats):
            with nkeras.GradientTape() as tape:
                tape.watch(source)
                loss = nkeras.ops.sum(one(source))
            grads.append(tape.gradient(loss, [source, one.bias]))
        for found, expected in zip(*grads, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_bfloat16() -> None:
    layer = layers.Dense(6, dtype="mixed_bfloat16")
    before = layer(X).numpy().astype("float32")
    layer.quantize("int8")
    assert layer.dtype_policy.name == "int8_from_mixed_bfloat16"
    after = layer(X)
    assert after.dtype == "bfloat16"
    np.testing.assert_allclose(after.numpy().astype("float32"), before, atol=0.1)


def small_model() -> Any:
    nkeras.utils.set_random_seed(0)
    inputs = nkeras.Input((5,), dtype="int32")
    x = layers.Embedding(9, 8, name="words")(inputs)
    x = layers.Flatten()(layers.EinsumDense("abc,cd->abd", (5, 8), bias_axes="d", name="mix")(x))
    return nkeras.Model(inputs, layers.Dense(3, name="last")(x))


def test_layers_with_weights_that_stay_floats_are_named() -> None:
    model = nkeras.Sequential([nkeras.Input((4,)), layers.Dropout(0.1), layers.UnitNormalization()])
    model.quantize("int8")
    model.add(layers.LayerNormalization())
    with pytest.warns(UserWarning, match="Layer LayerNormalization does not have a `quantize`"):
        model.quantize("int8")


def test_plans_notice_that_a_model_is_quantized() -> None:
    model = small_model()
    floats = [model.predict(WORDS, verbose=0) for _ in range(4)][-1]
    model.quantize("int8")
    found = [model.predict(WORDS, verbose=0) for _ in range(4)][-1]
    assert model._plans.refusals() == {}
    np.testing.assert_array_equal(found, model(WORDS).numpy())
    assert 0.0 < abs(found - floats).max() < 0.05
    twin = type(model).from_config(model.get_config())
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin.predict(WORDS, verbose=0), found)


@pytest.mark.parametrize(
    ("filters", "chosen"),
    [
        ("last", {"last"}),
        (["wor", "mi"], {"words", "mix"}),
        (lambda layer: layer.name == "mix", {"mix"}),
    ],
)
def test_filters(filters: Any, chosen: set[str]) -> None:
    model = small_model()
    model.quantize("int8", filters=filters)
    assert {layer.name for layer in model.layers if layer.quantization_mode == "int8"} == chosen


class Derived(layers.Dense):
    """A layer of a user's."""


def test_what_is_refused() -> None:
    layer = layers.Dense(3)
    with pytest.raises(ValueError, match="isn't yet built"):
        layer.quantize("int8")
    layer.build((None, 4))
    for mode in ("int4", "float8", "gptq", "awq"):
        with pytest.raises(ValueError, match=f"no kernels for {mode}"):
            layer.quantize(mode)
        with pytest.raises(ValueError, match="int4, float8, GPTQ and AWQ"):
            nkeras.dtype_policies.get(f"{mode}_from_float32")
    with pytest.raises(ValueError, match="either `mode` or `config`"):
        layer.quantize()
    with pytest.raises(ValueError, match="instance of `QuantizationConfig`"):
        layer.quantize(config=3)
    with pytest.raises(ValueError, match="Contradictory"):
        layer.quantize("int4", config=Int8QuantizationConfig())
    with pytest.raises(ValueError, match="weight_quantizer"):
        Int8QuantizationConfig(AbsMaxQuantizer(output_dtype="int16"))
    with pytest.raises(ValueError, match="value_range"):
        AbsMaxQuantizer(value_range=(-200, 200))
    with pytest.raises(ValueError, match="quantization_config"):
        layers.Dense(3, quantization_config="int4")
    layer.quantize("int8")
    with pytest.raises(ValueError, match="already quantized"):
        layer.quantize("int8")
    half = layers.Dense(3, dtype="float16")
    half.build((None, 4))
    with pytest.raises(ValueError, match="float16"):
        half.quantize("int8")
    derived = Derived(3)
    derived.build((None, 4))
    with pytest.raises(NotImplementedError, match="Derived"):
        derived.quantize("int8")
    derived.quantize("int8", type_check=False)
    with pytest.raises(NotImplementedError, match="Conv2D"):
        layers.Conv2D(2, 3).quantize("int8")
    with pytest.raises(ValueError, match="filters"):
        small_model().quantize("int8", filters=3)
    with pytest.raises(AttributeError, match="int4"):
        nkeras.quantizers.Int4QuantizationConfig  # noqa: B018


def test_policies_make_integers_at_once() -> None:
    layer = layers.Dense(3, dtype="int8_from_float32")
    layer.build((None, 4))
    assert [(w.dtype, w.shape) for w in layer.weights] == [
        ("float32", (3,)),
        ("int8", (4, 3)),
        ("float32", (3,)),
    ]


def test_quantizers_by_name() -> None:
    quantizer = AbsMaxQuantizer(axis=0, value_range=(-7, 7))
    twin = nkeras.quantizers.get(nkeras.quantizers.serialize(quantizer))
    assert (twin.axis, tuple(twin.value_range)) == ((0,), (-7, 7))
    assert isinstance(nkeras.quantizers.get("abs_max_quantizer"), AbsMaxQuantizer)
    assert nkeras.quantizers.get(None) is None
    config = nkeras.quantizers.deserialize(nkeras.quantizers.serialize(Int8QuantizationConfig()))
    assert isinstance(config.activation_quantizer, AbsMaxQuantizer)


@pytest.mark.parametrize("to_numpy", [False, True])
def test_abs_max_quantize_is_that_of_keras(to_numpy: bool, oracle: Any) -> None:
    expected = oracle.run(
        """
        q = keras.quantizers.abs_max_quantize
        result = [np.asarray(one) for axis in (0, -1, (0, 2)) for one in q(x, axis, to_numpy=flag)]
        """,
        x=X,
        flag=to_numpy,
    )
    quantize = nkeras.quantizers.abs_max_quantize
    found = [one for axis in (0, -1, (0, 2)) for one in quantize(X, axis, to_numpy=to_numpy)]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-6)


def test_products_of_bytes_are_summed_as_in_keras(oracle: Any) -> None:
    x = RANDOM.integers(-128, 128, (2, 5, 8)).astype("int8")
    y = RANDOM.integers(-128, 128, (8, 6)).astype("int8")
    calls = (
        "ops.matmul(x, y)",
        "ops.matmul(x, x.swapaxes(1, 2))",
        "ops.matmul(x[0, 0], y[:, 0])",
        "ops.einsum('abc,cd->adb', x, y)",
        "ops.einsum('abc,cd->d', x, y)",
        "ops.einsum('abc->b', x)",
        "ops.einsum('abc,cd,de->ae', x, y, y[:6])",
        "ops.dot(x, y)",
        "ops.tensordot(x, y, 1)",
        "ops.vdot(x[0, 0], y[:, 0])",
    )
    expected = oracle.run(
        "result = [(str(r.dtype), np.asarray(r)) for r in (eval(one) for one in calls)]",
        calls=calls,
        x=x,
        y=y,
    )
    for backend in ("numpy", "numba_cpu"):
        with nkeras.use_backend(backend):
            for call, (dtype, values) in zip(calls, expected, strict=True):
                found = eval(call, {"ops": nkeras.ops, "x": x, "y": y})
                assert found.dtype == dtype, call
                np.testing.assert_array_equal(found.numpy(), values, err_msg=call)
