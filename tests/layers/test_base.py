"""The base class: weights, tracking, losses, names, dtypes, masks, errors, threads."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from nkeras.core.graph import get_mask, set_mask


@pytest.fixture(autouse=True)
def _numpy_backend() -> Any:
    with nkeras.use_backend("numpy"):
        yield


class Scale(nkeras.Layer):
    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")

    def call(self, inputs: Any) -> Any:
        return inputs * self.scale


class Block(nkeras.Layer):
    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.first = layers.Dense(units)
        self.rest = [layers.Dense(units), Scale()]
        self.named = {"last": layers.Dense(1)}

    def call(self, inputs: Any) -> Any:
        x = self.first(inputs)
        for layer in self.rest:
            x = layer(x)
        return self.named["last"](x)


class MasksFirst(nkeras.Layer):
    """Attaches a mask, as an embedding does."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return ops.not_equal(inputs[..., 0], 0.0)

    def call(self, inputs: Any) -> Any:
        return inputs + 0.0


class Sums(nkeras.Layer):
    """Uses a mask, which then has served."""

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return None

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.sum(inputs, axis=1)
        return ops.sum(ops.where(ops.expand_dims(mask, -1), inputs, 0.0), axis=1)


def test_add_weight_gives_a_variable_with_all_it_was_given() -> None:
    layer = nkeras.Layer(name="own")
    weight = layer.add_weight(
        shape=(2, 3), initializer="ones", regularizer="l2", constraint="non_neg", name="w"
    )
    assert weight.shape == (2, 3)
    assert weight.path == "own/w"
    assert weight.regularizer is not None
    assert weight.constraint is not None
    np.testing.assert_allclose(float(layer.losses[0]), 0.06, rtol=1e-6)
    frozen = layer.add_weight(shape=(), trainable=False, dtype="int32", name="count")
    assert frozen.dtype == "int32"
    assert [v.name for v in layer.weights] == ["w", "count"]
    assert [v.name for v in layer.trainable_weights] == ["w"]
    assert [v.name for v in layer.non_trainable_weights] == ["count"]


def test_add_variable_is_add_weight() -> None:
    layer = layers.Layer()
    weight = layer.add_variable((2,), "ones", dtype="float16", trainable=False, name="scale")
    assert layer.non_trainable_weights == [weight]
    assert (weight.name, weight.dtype, weight.numpy().tolist()) == ("scale", "float16", [1.0, 1.0])


def test_add_weight_needs_a_known_shape() -> None:
    with pytest.raises(ValueError, match="known shape"):
        nkeras.Layer().add_weight(shape=(None, 2))
    with pytest.raises(ValueError, match="initializer"):
        nkeras.Layer().add_weight(shape=(2,), initializer="no such")


def test_sublayers_in_lists_and_dicts_are_tracked_in_order() -> None:
    block = Block(2, name="block")
    block(np.ones((3, 4), "float32"))
    assert [v.path for v in block.weights] == [
        "block/dense/kernel",
        "block/dense/bias",
        "block/dense_1/kernel",
        "block/dense_1/bias",
        "block/scale/scale",
        "block/dense_2/kernel",
        "block/dense_2/bias",
    ]
    assert block.count_params() == 10 + 6 + 2 + 3


def test_paths_and_order_of_nested_layers_are_those_of_keras(oracle: Any) -> None:
    theirs = oracle.run(
        """
        class Scale(keras.Layer):
            def build(self, input_shape):
                self.scale = self.add_weight(
                    shape=(input_shape[-1],), initializer="ones", name="scale"
                )
            def call(self, inputs):
                return inputs * self.scale
        class Block(keras.Layer):
            def __init__(self):
                super().__init__()
                self.first = keras.layers.BatchNormalization()
                self.rest = [keras.layers.Dense(2), Scale()]
                self.own = self.add_weight(shape=(2,), trainable=False, name="own")
                self.drop = keras.layers.Dropout(0.5)
            def call(self, inputs):
                x = self.first(inputs)
                for layer in self.rest:
                    x = layer(x)
                return self.drop(x)
        block = Block()
        block(np.ones((3, 4), "float32"))
        result = [
            [v.path for v in block.weights],
            [v.path for v in block.variables],
            [v.path for v in block.trainable_variables],
            [v.path for v in block.non_trainable_variables],
        ]
        """
    )

    class Block(nkeras.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.first = layers.BatchNormalization()
            self.rest = [layers.Dense(2), Scale()]
            self.own = self.add_weight(shape=(2,), trainable=False, name="own")
            self.drop = layers.Dropout(0.5)

        def call(self, inputs: Any) -> Any:
            x = self.first(inputs)
            for layer in self.rest:
                x = layer(x)
            return self.drop(x)

    block = Block()
    block(np.ones((3, 4), "float32"))
    mine = [
        [v.path for v in block.weights],
        [v.path for v in block.variables],
        [v.path for v in block.trainable_variables],
        [v.path for v in block.non_trainable_variables],
    ]
    for one, other in zip(mine, theirs, strict=True):
        assert one == other


def test_sublayers_built_in_call_get_the_path_of_their_layer() -> None:
    class Late(nkeras.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.dense = layers.Dense(2)

        def build(self, input_shape: Any) -> None:
            self.own = self.add_weight(shape=(), name="own")

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs) * self.own

    layer = Late(name="late")
    layer(np.ones((1, 3), "float32"))
    assert [v.path for v in layer.weights] == ["late/own", "late/dense/kernel", "late/dense/bias"]


def test_trainable_reaches_all_sublayers_and_back() -> None:
    block = Block(2)
    block(np.ones((3, 4), "float32"))
    count = len(block.trainable_weights)
    block.trainable = False
    assert block.trainable_weights == []
    assert not block.first.kernel.trainable
    block.trainable = True
    assert len(block.trainable_weights) == count
    block.first.trainable = False
    assert len(block.trainable_weights) == count - 2
    assert len(block.non_trainable_weights) == 2


def test_losses_of_calls_and_regularizers() -> None:
    class Adds(nkeras.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(
                2, kernel_regularizer="l1", activity_regularizer="l2", kernel_initializer="ones"
            )

        def call(self, inputs: Any) -> Any:
            self.add_loss(ops.sum(inputs))
            return self.dense(inputs)

    layer = Adds()
    x = np.ones((1, 3), "float32")
    for _ in range(2):  # losses of earlier calls are forgotten
        layer(x)
        values = sorted(float(loss) for loss in layer.losses)
        np.testing.assert_allclose(values, [0.06, 0.18, 3.0], rtol=1e-5)
    with pytest.raises(ValueError, match="tensor"):
        layer.add_loss("much")


def test_names_are_unique_and_scopes_nest() -> None:
    assert [layers.Dense(1).name for _ in range(3)] == ["dense", "dense_1", "dense_2"]
    assert layers.Conv2DTranspose(1, 1).name == "conv2d_transpose"
    assert layers.ReLU().name == "re_lu"
    with nkeras.name_scope("outer"):
        layer = layers.Dense(1, name="inner")
        layer.build((None, 2))
    assert layer.kernel.path == "outer/inner/kernel"
    with pytest.raises(ValueError, match="name"):
        layers.Dense(1, name="a/b")


def test_autocast_of_inputs_and_weights() -> None:
    seen = {}

    class Looks(nkeras.Layer):
        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(shape=(2,), initializer="ones")
            self.kept = self.add_weight(shape=(2,), initializer="ones", autocast=False)

        def call(self, inputs: Any, other: Any = None) -> Any:
            seen.update(x=inputs.dtype, w=self.w.dtype, kept=self.kept.dtype, other=other.dtype)
            return inputs * self.w

    layer = Looks(dtype="mixed_bfloat16")
    y = layer(np.ones((1, 2), "float64"), other=np.ones(2, "int32"))
    assert seen == {"x": "bfloat16", "w": "bfloat16", "kept": "float32", "other": "int32"}
    assert y.dtype == "bfloat16"
    assert layer.w.dtype == "float32"
    assert layer.compute_dtype == "bfloat16"
    assert layer.variable_dtype == "float32"
    uncast = Looks(autocast=False)
    uncast(np.ones((1, 2), "float64"), other=np.ones(2))
    assert seen["x"] == "float64"


def test_masks_travel_and_are_used() -> None:
    x = np.array([[[1.0], [0.0], [3.0]], [[0.0], [5.0], [7.0]]], "float32")
    masked = MasksFirst()(x)
    np.testing.assert_array_equal(get_mask(masked).numpy(), x[..., 0] != 0)
    through = layers.Dropout(0.5)(layers.Dense(1, kernel_initializer="ones")(masked) + 0.0)
    assert get_mask(through) is None  # an op has no mask
    kept = layers.ReLU()(
        layers.Dense(1, kernel_initializer="ones", bias_initializer="ones")(masked)
    )
    np.testing.assert_array_equal(Sums()(kept).numpy().ravel(), [6.0, 14.0])
    np.testing.assert_array_equal(Sums()(x + 1.0).numpy().ravel(), [7.0, 15.0])
    explicit = Sums()(kept, mask=ops.ones((2, 3), "bool"))
    np.testing.assert_array_equal(explicit.numpy().ravel(), [7.0, 15.0])


def test_masks_travel_in_functional_models() -> None:
    inputs = nkeras.Input((None, 1))
    outputs = Sums()(layers.ReLU()(MasksFirst()(inputs)))
    model = nkeras.Model(inputs, outputs)
    x = np.array([[[1.0], [0.0], [3.0]]], "float32")
    np.testing.assert_array_equal(model(x).numpy(), [[4.0]])


def test_a_layer_that_destroys_a_mask_warns() -> None:
    x = ops.ones((2, 3, 1))
    set_mask(x, ops.ones((2, 3), "bool"))
    with pytest.warns(UserWarning, match="does not support masking"):
        layers.Flatten()(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers.GlobalAveragePooling1D()(x)


def test_config_of_a_layer_of_the_users_own_is_free() -> None:
    block = Block(3, name="mine", dtype="float64")
    config = block.get_config()
    assert config["units"] == 3
    assert config["name"] == "mine"
    twin = Block.from_config(config)
    assert twin.units == 3
    assert twin.dtype == "float64"


def test_lambda() -> None:
    layer = layers.Lambda(lambda x, factor: x * factor, arguments={"factor": 3.0})
    np.testing.assert_array_equal(layer(np.ones((1, 2), "float32")).numpy(), [[3.0, 3.0]])
    shaped = layers.Lambda(lambda x: ops.sum(x, axis=-1), output_shape=())
    assert shaped(nkeras.Input((4,))).shape == (None,)
    assert layers.Lambda(ops.square)(nkeras.Input((4,))).shape == (None, 4)
    pair = [nkeras.Input((4,)), nkeras.Input((2,))]
    summed = layers.Lambda(lambda x: ops.sum(x[0], -1), output_shape=())
    assert summed(pair).shape == (None,)
    named = layers.Lambda(lambda x: x, output_shape={"a": (4,), "b": (2,)})
    outputs = named(dict(zip("ab", pair, strict=True)))
    assert {key: output.shape for key, output in outputs.items()} == {
        "a": (None, 4),
        "b": (None, 2),
    }
    turned = layers.Lambda(lambda x: x[::-1], output_shape=lambda shapes: shapes[::-1])
    assert [one.shape for one in turned(pair)] == [(None, 2), (None, 4)]
    model = nkeras.Model(pair, turned(pair))
    values = model([np.ones((3, 4)), np.ones((3, 2))])
    assert [value.shape for value in values] == [(3, 2), (3, 4)]
    modes: list[Any] = []
    sees = layers.Lambda(lambda x, training: (modes.append(training), x)[1])
    sees(np.ones((1, 1), "float32"), training=True)
    assert modes == [True]
    with pytest.raises(TypeError, match="callable"):
        layers.Lambda(3)
    with pytest.raises(ValueError, match="lambda"):
        nkeras.core.serialization.serialize_keras_object(layers.Lambda(lambda x: x))


def test_wrong_constructor_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="no_such"):
        layers.Dense(2, no_such=1)
    with pytest.raises(TypeError, match="units"):
        layers.Dense()
    with pytest.raises(ValueError, match="units"):
        layers.Dense(0)
    with pytest.raises(ValueError, match="lora_rank"):
        layers.Dense(2, lora_rank=-4)


def test_set_weights_is_all_or_nothing() -> None:
    layer = layers.Dense(2)
    layer.build((None, 3))
    before = layer.get_weights()
    for weights in (
        [np.ones((3, 2)), np.ones(3)],
        [np.ones((3, 2))],
        [np.ones((3, 2)), np.array(["a", "b"])],
    ):
        with pytest.raises(ValueError, match="weight"):
            layer.set_weights(weights)
        for old, new in zip(before, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
    layer.set_weights([np.ones((3, 2)), np.ones(2)])
    np.testing.assert_array_equal(layer.bias.numpy(), [1.0, 1.0])


def test_wrong_calls_are_refused() -> None:
    dense = layers.Dense(2)
    with pytest.raises(ValueError, match="positional"):
        dense(3.0)
    with pytest.raises(ValueError, match="ndim"):
        dense(np.ones(3, "float32"))
    dense(np.ones((1, 3), "float32"))
    with pytest.raises(ValueError, match="axis -1"):
        dense(np.ones((1, 4), "float32"))
    with pytest.raises(TypeError, match="call"):
        dense(np.ones((1, 3), "float32"), no_such=1)

    class Forgets(nkeras.Layer):
        def __init__(self) -> None:
            self.x = 1

    with pytest.raises(RuntimeError, match="super"):
        Forgets()(np.ones(2))
    with pytest.raises(NotImplementedError, match="call"):
        nkeras.Layer()(np.ones(2, "float32"))


def test_sublayers_may_be_set_before_the_constructor_of_the_base() -> None:
    class Early(nkeras.Layer):
        def __init__(self) -> None:
            self.first, self.more = layers.Dense(2), [layers.Dense(1)]
            super().__init__()

        def call(self, inputs: Any) -> Any:
            return self.more[0](self.first(inputs))

    early = Early()
    early(np.ones((1, 3), "float32"))
    assert [weight.shape for weight in early.weights] == [(3, 2), (2,), (2, 1), (1,)]


def test_call_that_leaves_for_numpy_says_which_line() -> None:
    class Leaves(nkeras.Layer):
        def call(self, inputs: Any) -> Any:
            return np.exp(inputs)

    with pytest.raises(ValueError, match=r"test_base\.py, line"):
        Leaves()(nkeras.Input((2,)))


def test_build_with_several_arguments() -> None:
    class Two(nkeras.Layer):
        def build(self, x_shape: Any, y_shape: Any) -> None:
            self.shapes = (x_shape, y_shape)

        def call(self, x: Any, y: Any) -> Any:
            return ops.matmul(x, y)

    layer = Two()
    layer(np.ones((2, 3), "float32"), y=np.ones((3, 4), "float32"))
    assert layer.shapes == ((2, 3), (3, 4))
    assert layer.get_build_config() == {"shapes_dict": {"x_shape": (2, 3), "y_shape": (3, 4)}}


def test_calls_from_many_threads_at_once() -> None:
    block = Block(4)
    drop = layers.Dropout(0.5, seed=1)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    errors: list[BaseException] = []
    results: list[np.ndarray] = []

    def work() -> None:
        try:
            with nkeras.use_backend("numpy"):
                for _ in range(10):
                    results.append(drop(block(x)).numpy())
        except BaseException as error:  # handed to the test below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    assert len(block.weights) == 7
    for result in results:
        np.testing.assert_array_equal(result, results[0])


def test_weights_and_sublayers_are_made_before_the_first_call() -> None:
    class Late(nkeras.Layer):
        def build(self, input_shape: Any) -> None:
            self.built = True

        def call(self, inputs: Any) -> Any:
            return inputs * self.add_weight(shape=(2,))

    with pytest.raises(ValueError, match="is already built: a weight cannot be added"):
        Late(name="late")(np.ones((1, 2)))
    block = Block(3)
    block(np.ones((1, 2)))
    for value in (layers.Dense(2), nkeras.Variable(1.0)):
        with pytest.raises(ValueError, match="is already built: the attribute 'more' cannot be"):
            block.more = value
    block.first = block.first
    block.note = "what is no state may be set"
    assert len(block.weights) == 7


def test_input_and_output_are_those_of_the_first_symbolic_call() -> None:
    dense = layers.Dense(2, name="dense")
    with pytest.raises(AttributeError, match="has never been called on symbolic tensors"):
        assert dense.output
    inputs = [nkeras.Input((3,)), nkeras.Input((3,))]
    outputs = [dense(item) for item in inputs]
    assert dense.input is inputs[0]
    assert dense.output is outputs[0]


def test_python_may_look_at_data_when_a_layer_is_first_called() -> None:
    class Looks(nkeras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = layers.Dense(3)
            self.outer = layers.Dense(1)
            self.seen: list[float] = []

        def call(self, inputs: Any) -> Any:
            hidden = self.inner(inputs)
            self.seen.append(float(nkeras.ops.sum(hidden)))
            return self.outer(np.asarray(hidden) if self.seen[-1] > 1e9 else hidden)

    model = Looks()
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(np.ones((8, 4), "float32"), np.ones((8, 1), "float32"), verbose=0)
    assert len(model.seen) == 2  # to build, and for the step
    name = model.name
    assert [variable.path for variable in model.variables] == [
        f"{name}/{inner}/{weight}"
        for inner in (model.inner.name, model.outer.name)
        for weight in ("kernel", "bias")
    ]
    assert model.get_build_config() == {"input_shape": (8, 4)}
    with pytest.raises(ValueError, match="already built"):
        model.more = layers.Dense(1)


def test_add_weight_finds_initializer_regularizer_and_constraint_by_name() -> None:
    class Own(nkeras.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.scale_initializer, self.scale_constraint = "ones", "nonneg"
            self.inner_regularizer = "l2"
            self.inner_initializer = nkeras.initializers.Constant(2.0)

        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight("scale", (2,))
            self.kernel = self.add_weight("inner_kernel", (3,), trainable=False)

    layer = Own()
    assert not layer.built
    layer.build((1, 2))
    assert layer.scale.numpy().tolist() == [1.0, 1.0]
    assert isinstance(layer.scale.constraint, nkeras.constraints.NonNeg)
    assert layer.scale.regularizer is None
    assert layer.kernel.numpy().tolist() == [2.0, 2.0, 2.0]
    assert isinstance(layer.kernel.regularizer, nkeras.regularizers.L2)
    assert (layer.scale.name, layer.kernel.name) == ("scale", "inner_kernel")


def test_a_layer_without_build_is_built() -> None:
    assert layers.ReLU().built
    assert not layers.Dense(1).built


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Dense(2, "softmax"), (1, 3)),
        (layers.EinsumDense("ab,bc->ac", 2, activation="softmax"), (1, 3)),
        (layers.Conv1D(2, 2, activation="softmax"), (1, 3, 2)),
        (layers.LocallyConnected1D(2, 2, activation="softmax"), (1, 3, 2)),
        (layers.Activation("softmax"), (1, 3)),
    ],
)
def test_an_activation_is_taken_away_or_named(layer: layers.Layer, shape: tuple[int, ...]) -> None:
    """`model.layers[-1].activation = None` is Keras' way to get logits."""
    x = nkeras.random.normal(shape, seed=1)
    model = nkeras.Sequential([layer])
    y = model.predict(x, verbose=0)
    layer.activation = None
    logits = model.predict(x, verbose=0)
    assert layer.get_config()["activation"] == "linear"
    np.testing.assert_allclose(ops.softmax(logits), y, rtol=1e-5)
    layer.activation = "softmax"
    np.testing.assert_array_equal(model.predict(x, verbose=0), y)
    with pytest.raises(ValueError, match="softmix"):
        layer.activation = "softmix"


def test_a_call_that_fails_while_a_layer_is_built() -> None:
    class Own(nkeras.Layer):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.dense = layers.Dense(2)

        def build(self, input_shape: Any) -> None:
            super().build(input_shape)

        def call(self, inputs: Any) -> Any:
            return ops.reshape(self.dense(inputs), (7, 7))

    with pytest.raises(RuntimeError, match=r"'own'.*its `call`, which failed .* \(3, 4\): reshape"):
        Own()(np.ones((3, 4), "float32"))
