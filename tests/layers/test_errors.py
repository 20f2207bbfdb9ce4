"""Wrong arguments are refused when the layer is made, wrong inputs when it is called."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers

ARGUMENTS = [
    (layers.Conv2D, {"filters": 0, "kernel_size": 3}, "filters"),
    (layers.Conv2D, {"filters": 2, "kernel_size": 0}, "kernel_size"),
    (layers.Conv2D, {"filters": 2, "kernel_size": (1, 2, 3)}, "kernel_size"),
    (layers.Conv2D, {"filters": 2, "kernel_size": 3, "strides": 0}, "strides"),
    (layers.Conv2D, {"filters": 2, "kernel_size": 3, "padding": "causal"}, "padding"),
    (layers.Conv2D, {"filters": 3, "kernel_size": 3, "groups": 2}, "groups"),
    (layers.Conv2D, {"filters": 3, "kernel_size": 3, "data_format": "nhwc"}, "data_format"),
    (layers.Conv2D, {"filters": 3, "kernel_size": 3, "lora_rank": 2.5}, "lora_rank"),
    (layers.DepthwiseConv2D, {"kernel_size": 3, "depth_multiplier": 0}, "depth_multiplier"),
    (layers.SeparableConv2D, {"filters": -1, "kernel_size": 3}, "filters"),
    (
        layers.Conv2DTranspose,
        {"filters": 2, "kernel_size": 3, "output_padding": 1},
        "output_padding",
    ),
    (layers.MaxPooling2D, {"pool_size": 0}, "pool_size"),
    (layers.MaxPooling2D, {"padding": "causal"}, "padding"),
    (layers.AveragePooling1D, {"pool_size": (2, 2)}, "pool_size"),
    (layers.BatchNormalization, {"axis": 1.5}, "axis"),
    (layers.LayerNormalization, {"axis": "last"}, "axis"),
    (layers.UnitNormalization, {"axis": 1.5}, "axis"),
    (layers.GroupNormalization, {"groups": 0}, "groups"),
    (layers.GroupNormalization, {"axis": [1, 2]}, "axis"),
    (layers.Wrapper, {"layer": "dense"}, "layer"),
    (layers.SpectralNormalization, {"layer": layers.Dense(2), "power_iterations": 0}, "power"),
    (layers.BatchNormalization, {"renorm": True, "renorm_clipping": {"max": 1}}, "renorm_clipping"),
    (layers.ReLU, {"max_value": -1.0}, "max_value"),
    (layers.ReLU, {"negative_slope": None}, "negative_slope"),
    (layers.LeakyReLU, {"negative_slope": -0.1}, "negative_slope"),
    (layers.ThresholdedReLU, {"theta": -1.0}, "theta"),
    (layers.Dropout, {"rate": 1.5}, "rate"),
    (layers.Dropout, {"rate": 0.5, "noise_shape": (0, 1)}, "noise_shape"),
    (layers.AlphaDropout, {"rate": -0.5}, "rate"),
    (layers.GaussianNoise, {"stddev": 2.0}, "stddev"),
    (layers.GaussianDropout, {"rate": 1}, "rate"),
    (layers.Reshape, {"target_shape": (-1, -1)}, "target_shape"),
    (layers.Permute, {"dims": (0, 1)}, "dims"),
    (layers.RepeatVector, {"n": 0}, "n"),
    (layers.ZeroPadding2D, {"padding": -1}, "padding"),
    (layers.ZeroPadding2D, {"padding": (1, 2, 3)}, "padding"),
    (layers.Cropping2D, {"cropping": -1}, "cropping"),
    (layers.UpSampling2D, {"interpolation": "linear"}, "interpolation"),
    (layers.Dot, {"axes": (1, 2, 3)}, "axes"),
    (layers.Activation, {"activation": "no such"}, "no such"),
]


@pytest.mark.parametrize(("layer", "options", "named"), ARGUMENTS)
def test_wrong_arguments_are_named(layer: Any, options: dict[str, Any], named: str) -> None:
    with pytest.raises((TypeError, ValueError), match=named):
        layer(**options)


def _ones(*shapes: tuple[int, ...]) -> Any:
    arrays = [np.ones(shape, "float32") for shape in shapes]
    return arrays[0] if len(arrays) == 1 else arrays


INPUTS = [
    (layers.Conv2D(2, 3), _ones((1, 2, 5, 1)), "does not fit"),
    (layers.Conv2D(2, 3), _ones((5, 5, 1)), "ndim"),
    (layers.Conv2D(2, 3, groups=2), _ones((1, 5, 5, 3)), "groups"),
    (layers.MaxPooling2D(3), _ones((1, 2, 2, 1)), "does not fit"),
    (layers.BatchNormalization(axis=4), _ones((2, 3)), "axis"),
    (layers.PReLU(shared_axes=[3]), _ones((2, 3)), "shared_axes"),
    (layers.Reshape((4,)), _ones((2, 3)), "target_shape"),
    (layers.Cropping1D(2), _ones((1, 4, 1)), "cropping"),
    (layers.Add(), _ones((2, 3)), "list"),
    (layers.Add(), _ones((2, 3), (2, 4)), "incompatible"),
    (layers.Add(), _ones((2, 3), (4, 3)), "batch"),
    (layers.Subtract(), _ones((2, 3), (2, 3), (2, 3)), "2 inputs"),
    (layers.Concatenate(), _ones((2, 3), (1, 3)), "axis"),
    (layers.Dot(1), _ones((2, 3), (2, 4)), "sizes"),
]


@pytest.mark.parametrize(("layer", "inputs", "message"), INPUTS)
def test_wrong_inputs_are_refused(layer: Any, inputs: Any, message: str) -> None:
    with nkeras.use_backend("numpy"), pytest.raises(ValueError, match=message):
        layer(inputs)


def test_repeat_vector_wants_an_int() -> None:
    with pytest.raises(TypeError, match="n"):
        layers.RepeatVector(1.5)


def test_softmax_refuses_a_mask_that_does_not_broadcast() -> None:
    with nkeras.use_backend("numpy"), pytest.raises(ValueError, match="mask"):
        layers.Softmax()(_ones((2, 3)), mask=np.ones((2, 4), "bool"))
    with nkeras.use_backend("numpy"):
        y = layers.Softmax()(_ones((2, 3)), mask=np.array([[True, True, False]]))
    np.testing.assert_allclose(y.numpy(), [[0.5, 0.5, 0.0]] * 2)


def test_dropout_keeps_the_sum_and_is_the_same_for_a_seed() -> None:
    with nkeras.use_backend("numpy"):
        x = np.ones((200, 50), "float32")
        first, second = (layers.Dropout(0.25, seed=4)(x, training=True).numpy() for _ in range(2))
        np.testing.assert_array_equal(first, second)
        assert set(np.unique(first)) == {np.float32(0.0), np.float32(1 / 0.75)}
        assert abs(first.mean() - 1.0) < 0.02
        spatial = layers.SpatialDropout1D(0.5, seed=1)(np.ones((4, 6, 8)), training=True).numpy()
        assert (spatial == spatial[:, :1]).all()
        noise = layers.GaussianNoise(0.5, seed=1)(np.zeros((100, 100)), training=True).numpy()
        assert abs(noise.std() - 0.5) < 0.02
        product = layers.GaussianDropout(0.5, seed=1)(x, training=True).numpy()
        assert abs(product.std() - 1.0) < 0.05
        assert abs(product.mean() - 1.0) < 0.05


@pytest.mark.parametrize("wrong", ["False", None, 2, 0.5])
def test_trainable_is_a_bool(wrong: Any) -> None:
    message = "argument `trainable` must be True or False. Received: "
    with pytest.raises(TypeError, match=f"Dense: {message}"):
        layers.Dense(1, trainable=wrong)
    layer, variable = layers.Dense(1, trainable=np.bool_(False)), nkeras.Variable([1.0])
    assert layer.trainable is False
    for thing in (layer, variable):
        with pytest.raises(TypeError, match=f"{type(thing).__name__}: {message}"):
            thing.trainable = wrong
    assert (layer.trainable, variable.trainable) == (False, True)


def test_a_class_is_no_layer() -> None:
    with pytest.raises(ValueError, match=r"Only instances of `nkeras.Layer`"):
        nkeras.Sequential([layers.Flatten])


@pytest.mark.parametrize(
    ("get", "wrong", "suggested"),
    [
        (nkeras.activations.get, "rleu", "'relu'"),
        (nkeras.optimizers.get, "adm", "'Adam'"),
        (nkeras.losses.get, "mean_square_error", "'mean_squared_error'"),
        (nkeras.metrics.get, "MeanSquareError", "'mean_squared_error'"),
        (nkeras.initializers.get, "glorot", "'GlorotNormal'"),
        (nkeras.regularizers.get, "l3", "'l1'"),
    ],
)
def test_unknown_names_get_the_nearest_three(get: Any, wrong: str, suggested: str) -> None:
    with pytest.raises(ValueError, match=f"identifier: '{wrong}'. Did you mean ") as caught:
        get(wrong)
    names = str(caught.value).partition("Did you mean ")[2].rstrip("?").split(", ")
    assert suggested in names
    assert len(names) <= 3


@pytest.mark.parametrize(
    ("make", "wrong", "right"),
    [
        (layers.Flatten, "data_formt", "data_format"),
        (nkeras.optimizers.Adam, "learning_rat", "learning_rate"),
        (nkeras.losses.Huber, "dleta", "delta"),
        (nkeras.metrics.AUC, "num_threshold", "num_thresholds"),
        (nkeras.callbacks.EarlyStopping, "patienc", "patience"),
        (nkeras.initializers.RandomNormal, "std", "stddev"),
        (nkeras.regularizers.L1, "l", "l1"),
    ],
)
def test_unknown_arguments_get_the_nearest_three(make: Any, wrong: str, right: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"Did you mean .*'{right}'"):
        make(**{wrong: 3})


@pytest.mark.parametrize("wrong", ["x" * 1000, [*range(1000)], {"class_name": "x" * 1000}])
def test_messages_stay_short(wrong: Any) -> None:
    if isinstance(wrong, dict):
        wrong["config"] = {}
    for make in (
        lambda: layers.Dense(1, activation=wrong),
        lambda: nkeras.losses.get(wrong),
        lambda: layers.Conv2D(wrong, 3),
        lambda: layers.Dense(1, unknown=wrong),
    ):
        with pytest.raises((ValueError, TypeError)) as caught:
            make()
        assert len(str(caught.value)) <= 400


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Dense(1, activation="softmax", name="lone"),
        lambda: layers.Conv1D(1, 1, activation="softmax", name="lone"),
        lambda: layers.Activation("softmax", name="lone"),
        lambda: layers.Softmax(name="lone"),
        lambda: layers.Softmax(axis=(1, 2), name="lone"),
    ],
)
def test_a_softmax_over_one_unit_is_warned_of_when_it_is_built(make):
    layer, x = make(), np.ones((2, 1, 1), "float32")
    with pytest.warns(
        UserWarning, match="Layer 'lone': a softmax over an axis of size 1"
    ) as caught:
        layer(x)
    layer(x)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_softmax_over_several_units_is_not_warned_of():
    x = np.ones((2, 1, 2), "float32")
    for layer in (layers.Dense(2, "softmax"), layers.Softmax(), layers.Softmax(axis=(1, 2))):
        layer(x)
    layers.Dense(1, "sigmoid")(x)
