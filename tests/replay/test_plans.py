"""Steps that are replayed give what steps that run as they come give, bit by bit."""

import copy
import threading

import numpy as np
import pytest

import nkeras
from nkeras import layers

pytestmark = pytest.mark.skipif(
    nkeras.backends().get("numba_cpu") not in ("active", "available"), reason="plans need numba_cpu"
)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def labels(count, classes, seed=0):
    return np.random.default_rng(seed).integers(0, classes, count)


def mlp():
    return nkeras.Sequential(
        [layers.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(3, "softmax")]
    )


def convnet():
    return nkeras.Sequential(
        [
            layers.Input((8, 8, 2)),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def data_for(model, samples=40):
    return numbers(samples, *model.input_shape[1:]), labels(samples, 3)


def plans(model):
    """The plans that were made, and why others were not."""
    entries = model._plans._entries
    return [key for key, entry in entries.items() if entry.plan], model._plans.refusals()


def both_ways(make, use, compiled):
    """`use(model)` with steps as they come and with plans: what it returns, and all variables."""
    found = []
    for eagerly in (True, False):
        nkeras.utils.set_random_seed(3)
        model = make()
        model.compile(**compiled(), run_eagerly=eagerly)
        result = use(model)
        state = [v.numpy() for v in (*model.variables, *model.optimizer.variables)]
        found.append((result, state, model))
    (expected, weights, _), (result, state, model) = found
    assert result == expected
    for weight, other in zip(weights, state, strict=True):
        np.testing.assert_array_equal(weight, other)
    return model


def classify(optimizer="adam", **more):
    return lambda: {
        "optimizer": optimizer() if callable(optimizer) else optimizer,
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        **more,
    }


def fit(**arguments):
    def use(model):
        x, y = data_for(model)
        extra = {
            name: argument(x, y) if callable(argument) else argument
            for name, argument in arguments.items()
        }
        return model.fit(x, y, batch_size=8, epochs=3, verbose=0, **extra).history

    return use


@pytest.mark.parametrize("make", [mlp, convnet])
def test_fit_equals_steps_as_they_come(make):
    model = both_ways(make, fit(), classify())
    made, refused = plans(model)
    assert not refused
    assert [key[0] for key in made] == ["train"]


@pytest.mark.parametrize(
    "optimizer",
    "sgd rmsprop adam adamw nadam adamax adagrad adadelta lion lamb adafactor ftrl".split(),
)
def test_all_optimizers(optimizer):
    model = both_ways(mlp, fit(), classify(optimizer))
    assert not plans(model)[1]


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: nkeras.optimizers.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda: nkeras.optimizers.Adam(0.01, amsgrad=True, clipnorm=0.1),
        lambda: nkeras.optimizers.Adam(0.01, global_clipnorm=0.1, use_ema=True),
        lambda: nkeras.optimizers.RMSprop(0.01, momentum=0.9, centered=True, clipvalue=0.01),
        lambda: nkeras.optimizers.SGD(
            nkeras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5, staircase=True)
        ),
        lambda: nkeras.optimizers.Adam(lambda: 0.01),
    ],
)
def test_settings_of_optimizers(optimizer):
    model = both_ways(mlp, fit(), classify(optimizer))
    assert not plans(model)[1]


@pytest.mark.filterwarnings("ignore:Argument `class_weight` lacks")
@pytest.mark.parametrize(
    "extra",
    [
        {"sample_weight": lambda x, y: numbers(len(x), seed=5) ** 2},
        {"class_weight": {0: 0.5, 2: 3.0}},
        {"validation_split": 0.3},
        {"validation_data": lambda x, y: (x[:12], y[:12])},
        {"shuffle": False},
        {"batch_size": 7},
        {"callbacks": lambda x, y: [nkeras.callbacks.LearningRateScheduler(lambda e, r: r / 2)]},
    ],
)
def test_ways_of_fitting(extra):
    def use(model):
        x, y = data_for(model)
        given = {name: value(x, y) if callable(value) else value for name, value in extra.items()}
        given.setdefault("batch_size", 8)
        return model.fit(x, y, epochs=4, verbose=0, **given).history

    both_ways(convnet, use, classify(weighted_metrics=["accuracy"]))


def test_callbacks_change_and_read_what_the_plan_uses():
    class Meddler(nkeras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seen, self.kept = [], []

        def on_train_batch_end(self, batch, logs=None):
            dense = self.model.layers[-1]
            self.seen.append((logs["loss"], float(dense.kernel.numpy().sum())))
            self.kept.append((dense.kernel.value, dense.kernel.numpy()))
            if batch == 2:
                self.model.optimizer.learning_rate = 0.05
            if batch == 3:
                dense.bias.assign(dense.bias + 1.0)

    def use(model):
        meddler = Meddler()
        fit(callbacks=[meddler])(model)
        for tensor, copied in meddler.kept:  # tensors that were read keep their values
            np.testing.assert_array_equal(tensor.numpy(), copied)
        return meddler.seen

    both_ways(mlp, use, classify("sgd"))


def test_batches_evaluation_and_prediction_between():
    predictions = []

    def use(model):
        x, y = data_for(model)
        seen = []
        for i in range(5):
            seen.append(model.train_on_batch(x[:8], y[:8]))
            seen.append(model.evaluate(x, y, batch_size=8, verbose=0))
            predictions.append(model.predict(x[i : i + 1], verbose=0))
            seen.append(model.test_on_batch(x[:5], y[:5]))
            model.fit(x, y, batch_size=8, verbose=0)
        return seen

    model = both_ways(convnet, use, classify())
    assert {key[0] for key in plans(model)[0]} == {"train", "test", "predict"}
    for prediction, other in zip(predictions[:5], predictions[5:], strict=True):
        np.testing.assert_allclose(prediction, other, rtol=1e-5)  # batch norm is in the weights


def test_freezing_a_layer_makes_a_new_plan():
    def use(model):
        fit()(model)
        model.layers[0].trainable = False
        before = model.layers[0].get_weights()
        fit()(model)
        for one, other in zip(before, model.layers[0].get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        model.layers[0].trainable = True
        fit()(model)
        model.set_weights([w * 0.5 for w in model.get_weights()])
        model.optimizer.beta_1 = 0.5
        return fit()(model)

    both_ways(mlp, use, classify())


def test_backends_change_on_a_live_model():
    def use(model):
        fit()(model)
        with nkeras.use_backend("numpy"):
            model.predict(data_for(model)[0], verbose=0)
        return fit()(model)

    both_ways(mlp, use, classify())


def test_a_step_that_python_counts_runs_as_it_comes():
    class Counting(nkeras.Layer):
        def call(self, inputs):
            self.__dict__["count"] = self.__dict__.get("count", 0) + 1
            return inputs * self.count

    model = nkeras.Sequential([layers.Input((2,)), Counting()])
    x, before = np.ones((1, 2), "float32"), 0
    for _ in range(6):
        found = model.predict(x, verbose=0)[0, 0]
        assert found > before
        before = found
    assert "changes what an attribute of a layer holds" in next(iter(plans(model)[1].values()))


def test_a_tensor_carried_over_runs_as_it_comes():
    class Carrying(nkeras.Layer):
        def call(self, inputs):
            if isinstance(inputs, nkeras.KerasTensor):
                return inputs
            self.__dict__["last"] = self.__dict__.get("last", 0.0) + inputs
            return self.last

    model = nkeras.Sequential([layers.Input((2,)), Carrying()])
    x = np.ones((1, 2), "float32")
    first = float(model.predict(x, verbose=0)[0, 0])
    assert [float(model.predict(x, verbose=0)[0, 0]) for _ in range(5)] == [
        first + i for i in range(1, 6)
    ]


@pytest.mark.cpu  # on a device nobody looks at them
def test_labels_out_of_range_are_still_refused():
    model = mlp()
    model.compile(**classify()())
    x, y = data_for(model)
    model.fit(x, y, batch_size=8, verbose=0)
    with pytest.raises(ValueError, match="out of range"):
        model.train_on_batch(x[:8], np.full(8, 3))


def test_copies_of_a_model_are_trained_apart():
    nkeras.utils.set_random_seed(0)
    model = mlp()
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = data_for(model)
    model.fit(x, y, batch_size=8, verbose=0)
    twin = copy.deepcopy(model)
    weights = twin.get_weights()
    model.fit(x, y, batch_size=8, verbose=0)
    for weight, other in zip(weights, twin.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)


def test_threads_predict_at_once():
    model = convnet()
    xs = [numbers(1, 8, 8, 2, seed=i) for i in range(4)]
    for _ in range(3):  # until there is a plan, which rounds elsewhere
        model.predict(xs[0], verbose=0)
    expected = [model.predict(x, verbose=0) for x in xs]
    wrong = []

    def work(i):
        for _ in range(200):
            if not np.array_equal(model.predict(xs[i], verbose=0), expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_predict_returned_stays():
    model = mlp()
    xs = numbers(6, 1, 4)
    found = [model.predict(x, verbose=0) for x in xs]
    again = [model.predict(x, verbose=0) for x in xs]
    for item, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(item, other)


def test_half_precision_and_several_outputs():
    def make():
        inputs = layers.Input((4,))
        x = layers.Dense(6, activation="gelu", dtype="mixed_bfloat16")(inputs)
        return nkeras.Model(
            inputs, {"a": layers.Dense(1, name="a")(x), "b": layers.Dense(2, name="b")(x)}
        )

    def use(model):
        x = numbers(32, 4)
        y = {"a": numbers(32, 1), "b": numbers(32, 2)}
        history = model.fit(x, y, batch_size=8, epochs=3, verbose=0).history
        return history, {k: v.tolist() for k, v in model.predict(x, verbose=0).items()}

    model = both_ways(
        make,
        use,
        lambda: {
            "optimizer": "adam",
            "loss": {"a": "mse", "b": "mae"},
            "loss_weights": {"a": 1, "b": 2.0},
        },
    )
    assert plans(model)[0]


def test_dropout_is_drawn_anew_in_each_replay():
    """A layer in a graph takes `training` from the call around it, not from when it was built."""
    model = nkeras.Sequential([layers.Input((50,)), layers.Dropout(0.5, seed=1)])
    x = np.ones((2, 50), "float32")
    first, second = (np.asarray(model(x, training=True)) for _ in range(2))
    assert (first == 0).any()
    assert not np.array_equal(first, second)
    model = convnet()
    model.compile(**classify()())
    fit()(model)
    assert int(model.layers[4].seed_generator.state.numpy()[1]) == 15  # one for each step


def test_prediction_follows_the_weights():
    model = convnet()
    x = numbers(1, 8, 8, 2)
    for _ in range(5):
        model.predict(x, verbose=0)
    assert plans(model)[0]
    for _ in range(3):
        model.set_weights([w + 0.5 for w in model.get_weights()])
        for _ in range(2):
            found = model.predict(x, verbose=0)
            expected = np.asarray(model(x, training=False))
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_prediction_of_many_batches_is_planned():
    model = mlp()
    x = numbers(40, 4)
    found = [model.predict(x, batch_size=8, verbose=0) for _ in range(2)]
    np.testing.assert_array_equal(*found)
    for i in range(0, 40, 8):
        np.testing.assert_array_equal(found[1][i : i + 8], np.asarray(model(x[i : i + 8])))
    kinds = [key[:2] for key in plans(model)[0] if key[0] == "predict"]
    assert kinds == [("predict", (8, 4))]
