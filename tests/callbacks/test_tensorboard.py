"""TensorBoard: tags and values of its event files, read by a reader of our own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import numpy as np
import pytest

import nkeras
from nkeras import callbacks, layers
from nkeras.core import observer
from tests.callbacks.event_reader import Events, read_png

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype("float32")
Y = (X @ RNG.normal(size=(3, 1))).astype("float32")


def make_model(**compiled):
    model = nkeras.Sequential(
        [
            nkeras.Input((3,)),
            layers.Dense(4, activation="tanh", name="a"),
            layers.Dense(1, name="b"),
        ],
        name="seq",
    )
    model.compile(**{"optimizer": "adam", "loss": "mse", "metrics": ["mae"], **compiled})
    return model


def fit(model, folder, epochs=2, callback=None, **arguments):
    board = callbacks.TensorBoard(folder, **arguments)
    given = [board] if callback is None else [board, callback]
    return model.fit(
        X, Y, batch_size=8, epochs=epochs, verbose=0, validation_split=0.2, callbacks=given
    )


def pairs(values):
    return [(step, np.float32(value)) for step, value in enumerate(values)]


def test_results_of_epochs(tmp_path):
    history = fit(make_model(), tmp_path).history
    train, validation = Events(tmp_path / "train"), Events(tmp_path / "validation")
    assert set(train.scalars) == {"epoch_loss", "epoch_mae", "epoch_learning_rate"}
    assert set(validation.scalars) == {
        "epoch_loss",
        "epoch_mae",
        "evaluation_loss_vs_iterations",
        "evaluation_mae_vs_iterations",
    }
    for name in ("loss", "mae"):
        values = history[f"val_{name}"]
        assert train.scalars[f"epoch_{name}"] == pairs(history[name])
        assert validation.scalars[f"epoch_{name}"] == pairs(values)
        found = validation.scalars[f"evaluation_{name}_vs_iterations"]
        assert found == [(4, np.float32(values[0])), (8, np.float32(values[1]))]
    assert train.scalars["epoch_learning_rate"] == pairs([0.001, 0.001])


@pytest.mark.parametrize(
    ("frequency", "steps"), [("batch", range(1, 9)), (1, range(1, 9)), (3, (3, 6))]
)
def test_results_of_steps(tmp_path, frequency, steps):
    losses = []
    keep = callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: losses.append(logs["loss"]))
    fit(make_model(), tmp_path, callback=keep, update_freq=frequency, write_steps_per_second=True)
    train = Events(tmp_path / "train").scalars
    assert train["batch_loss"] == [(step, np.float32(losses[step - 1])) for step in steps]
    assert [step for step, _ in train["batch_mae"]] == list(steps)
    assert [step for step, _ in train["batch_steps_per_second"]] == list(steps)
    assert all(value > 0 for _, value in train["batch_steps_per_second"])
    # Also where no step of the epoch is written, unlike in Keras.
    assert len(train["epoch_loss"]) == len(train["epoch_steps_per_second"]) == 2
    assert "evaluation_loss_vs_iterations" in Events(tmp_path / "validation").scalars


def test_learning_rates(tmp_path):
    schedule = nkeras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.5)
    scaled = nkeras.optimizers.LossScaleOptimizer(nkeras.optimizers.SGD(schedule))
    fit(make_model(optimizer=scaled), tmp_path / "scaled")
    found = Events(tmp_path / "scaled" / "train").scalars["epoch_learning_rate"]
    assert np.allclose([value for _, value in found], [0.05, 0.025])
    optimizers = nkeras.optimizers
    several = optimizers.MultiOptimizer(
        optimizers.OptimizerMap(
            optimizers.SGD(0.1, name="sgd"), {"seq/a/.*": optimizers.Adam(0.01, name="adam")}
        )
    )
    fit(make_model(optimizer=several), tmp_path / "several")
    found = Events(tmp_path / "several" / "train").scalars
    assert found["epoch_learning_rate_sgd"] == pairs([0.1, 0.1])
    assert found["epoch_learning_rate_adam"] == pairs([0.01, 0.01])


def test_histograms_and_images(tmp_path):
    model = make_model()
    fit(model, tmp_path, epochs=3, histogram_freq=2, write_images=True)
    train = Events(tmp_path / "train")
    assert list(train.values["histograms"]) == [
        f"{weight.path}/histogram" for weight in model.weights
    ]
    for weight in model.weights:
        (first, _), (second, buckets) = train.values["histograms"][f"{weight.path}/histogram"]
        assert (first, second) == (0, 2)
        values = weight.numpy().astype("float64").ravel()
        counts, edges = np.histogram(values, 30)
        assert np.array_equal(buckets[:, 2], counts if values.size > 1 else [0] * 29 + [1])
        if values.size > 1:
            assert np.array_equal(buckets[:, 0], edges[:-1])
            assert np.array_equal(buckets[:, 1], edges[1:])
    kernel = model.layers[0].kernel.numpy()
    step, (width, height, image) = train.values["images"]["seq/a/kernel/image"][-1]
    assert (step, width, height) == (2, b"4", b"3")
    gray = np.round((kernel.astype("float64") / np.abs(kernel).max() + 1) / 2 * 255)
    assert np.array_equal(read_png(image)[..., 0], gray.astype("uint8"))
    assert train.values["images"]["seq/b/kernel/image"][0][1][:2] == [b"1", b"4"]
    assert train.values["images"]["seq/a/bias/image"][0][1][:2] == [b"1", b"4"]


def test_images_of_kernels(tmp_path):
    images = nkeras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, name="colors")(images)
    x = layers.Conv2D(1, (2, 1), name="gray")(x)
    x = layers.Conv2D(5, 1, name="none")(x)
    x = layers.Reshape((12, 5))(x[:, :3])
    x = layers.Conv1D(6, 2, name="line")(x)
    model = nkeras.Model(images, layers.GlobalAveragePooling1D()(x))
    model.compile("sgd", "mse")
    board = callbacks.TensorBoard(tmp_path, histogram_freq=1, write_images=True)
    model.fit(np.ones((2, 6, 6, 3)), np.ones((2, 6)), verbose=0, callbacks=board)
    found = Events(tmp_path / "train").values["images"]
    sizes = {tag: [*texts[:2], len(texts) - 2] for tag, ((_, texts),) in found.items()}
    assert sizes["colors/kernel/image"] == [b"3", b"3", 3]  # RGBA: four filters
    assert sizes["gray/kernel/image"] == [b"4", b"2", 1]
    assert sizes["line/kernel/image"] == [b"5", b"2", 3]  # six slices, of which three are shown
    assert sizes["none/kernel/image"] == [b"1", b"5", 1]


def test_weights_that_are_not_finite(tmp_path):
    model = make_model()
    model.layers[0].set_weights([np.full((3, 4), np.nan), [np.inf, -np.inf, 1.0, 3.0]])
    model.layers[1].trainable = model.layers[0].trainable = False
    with pytest.warns(UserWarning, match="trainable weights"):
        fit(model, tmp_path, epochs=1, histogram_freq=1, write_images=True)
    found = Events(tmp_path / "train").values["histograms"]
    assert not found["seq/a/kernel/histogram"][0][1].any()
    assert found["seq/a/bias/histogram"][0][1][:, 2].sum() == 2


def test_graph_of_a_functional_model(tmp_path):
    first, second = nkeras.Input((4,), name="first"), nkeras.Input((4,), name="second")
    inside = nkeras.Input((4,), name="inside")
    block = nkeras.Model(inside, layers.Dense(4, name="dense")(inside), name="block")
    total = nkeras.ops.tanh(block(first) + block(second)) * 2.0
    model = nkeras.Model([first, second], layers.Dense(1, name="end of it")(total), name="whole")
    model.compile("sgd", "mse")
    model.fit(
        [np.ones((2, 4))] * 2, np.ones((2, 1)), verbose=0, callbacks=callbacks.TensorBoard(tmp_path)
    )
    train = Events(tmp_path / "train")
    (graph,) = train.graphs
    assert graph == {
        "whole/first": ("InputLayer", []),
        "whole/second": ("InputLayer", []),
        "whole/block/dense": ("Dense", ["whole/first"]),
        "whole/block_1/dense": ("Dense", ["whole/second"]),
        "whole/add": ("add", ["whole/block/dense", "whole/block_1/dense"]),
        "whole/tanh": ("tanh", ["whole/add"]),
        "whole/multiply": ("multiply", ["whole/tanh"]),
        "whole/end_of_it": ("Dense", ["whole/multiply"]),
    }
    ((step, text),) = train.values["graph_keras_model"]["keras"]
    assert step == 0
    found = json.loads(text)
    assert [layer["config"]["name"] for layer in found["config"]["layers"]][:3] == [
        layer.name for layer in model.layers
    ][:3]
    for layer in found["config"]["layers"]:  # what TensorBoard's reader wants
        for call in layer["inbound_nodes"]:
            assert all(len(one["config"]["keras_history"]) == 3 for one in call["args"])
    assert [layer["inbound_nodes"] for layer in found["config"]["layers"][:2]] == [[], []]


def test_graph_of_a_sequential_model_and_of_none(tmp_path):
    fit(make_model(), tmp_path / "on", epochs=1)
    train = Events(tmp_path / "on" / "train")
    assert [op for op, _ in train.graphs[0].values()] == ["InputLayer", "Dense", "Dense"]
    assert "keras" in train.values["graph_keras_model"]
    fit(make_model(), tmp_path / "off", epochs=1, write_graph=False)
    train = Events(tmp_path / "off" / "train")
    assert not train.graphs
    assert "graph_keras_model" not in train.values


def test_embeddings(tmp_path):
    words = nkeras.Input((2,), dtype="int32")
    x = layers.Flatten()(layers.Embedding(7, 3, name="some words")(words))
    model = nkeras.Model(words, layers.Dense(1)(x))
    model.compile("sgd", "mse")
    numbers = np.array([[1, 2], [3, 6]])
    board = callbacks.TensorBoard(
        tmp_path, embeddings_freq=1, embeddings_metadata={"some words": 'a "name".tsv'}
    )
    for _ in range(2):  # the dict given stays as it is
        model.fit(numbers, np.ones((2, 1)), verbose=0, callbacks=board)
        found = np.loadtxt(tmp_path / "train" / "some_words_embeddings.tsv", delimiter="\t")
        assert np.array_equal(found.astype("float32"), model.layers[1].embeddings.numpy())
    lines = (tmp_path / "projector_config.pbtxt").read_text().split("\n")
    assert lines == [
        "embeddings {",
        '  tensor_name: "some words/embeddings"',
        '  tensor_path: "train/some_words_embeddings.tsv"',
        '  metadata_path: "a \\"name\\".tsv"',
        "}",
        "",
    ]
    model.layers[1].quantize("int8")
    board.on_epoch_end(1, {})
    rounded = np.loadtxt(tmp_path / "train" / "some_words_embeddings.tsv", delimiter="\t")
    assert 0 < np.abs(rounded - found).max() < 0.01
    wrong = callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"word": "a"})
    with pytest.raises(ValueError, match=r"`embeddings_metadata` names .*'word'.*'some words'"):
        model.fit(numbers, np.ones((2, 1)), verbose=0, callbacks=wrong)


class OwnStep(nkeras.Model):
    """A model with a training step, and an optimizer, of its own."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)
        self.own = nkeras.optimizers.SGD(0.1)

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data
        with nkeras.GradientTape() as tape:
            loss = nkeras.ops.mean((self(x) - y) ** 2)
        self.own.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"own": loss, "pair": nkeras.ops.ones((2,))}


def test_own_training_step(tmp_path):
    model = OwnStep()
    model.compile()
    with pytest.warns(UserWarning, match="no number") as warned:
        model.fit(
            X,
            Y,
            verbose=0,
            batch_size=20,
            callbacks=callbacks.TensorBoard(
                tmp_path, update_freq=1, histogram_freq=1, write_steps_per_second=True
            ),
        )
    assert [str(one.message).split(" is not")[0] for one in warned] == [
        "TensorBoard: batch_pair",
        "TensorBoard: epoch_pair",
    ]
    train = Events(tmp_path / "train")
    expected = {
        f"{moment}_{name}" for moment in ("batch", "epoch") for name in ("own", "steps_per_second")
    }
    assert {"epoch_learning_rate"} | expected >= set(train.scalars) >= expected
    assert not train.graphs
    assert len(train.values["histograms"]) == 2


def test_evaluation_and_prediction(tmp_path):
    model = make_model()
    board = callbacks.TensorBoard(tmp_path)
    model.evaluate(X, Y, verbose=0, callbacks=[board])
    results = model.evaluate(X, Y, verbose=0, callbacks=[board])
    model.predict(X, verbose=0, callbacks=[board])
    validation = Events(tmp_path / "validation")
    assert set(validation.scalars) == {
        "evaluation_loss_vs_iterations",
        "evaluation_mae_vs_iterations",
    }
    found = validation.scalars["evaluation_loss_vs_iterations"]
    assert found == [(0, np.float32(results[0]))] * 2
    train = Events(tmp_path / "train")
    assert len(train.graphs) == len(train.files) == 1


def test_each_fit_has_files_of_its_own(tmp_path):
    model, board = make_model(), callbacks.TensorBoard(tmp_path, update_freq=1)
    for _ in range(3):  # in one second
        model.fit(X, Y, verbose=0, callbacks=board)
    train = Events(tmp_path / "train")
    assert len(train.files) == 3
    assert [step for step, _ in train.scalars["batch_loss"]] == [1, 2, 1, 2, 1, 2]
    assert len(train.graphs) == 1
    other = make_model()
    other.fit(X, Y, verbose=0, callbacks=board)
    assert len(Events(tmp_path / "train").graphs) == 2


class Failing(callbacks.Callback):
    """Ends training in the third step, in an evaluation, or in a prediction."""

    def __init__(self, event):
        super().__init__()
        setattr(self, event, self._fail)

    def _fail(self, batch, logs=None):
        if batch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    "event", ["on_train_batch_begin", "on_train_batch_end", "on_test_batch_begin"]
)
def test_exceptions_in_fit(tmp_path, event):
    model = make_model()
    threads = threading.active_count()
    board = callbacks.TensorBoard(tmp_path / "logs", update_freq=1, profile_batch=(2, 30))
    log = callbacks.CSVLogger(tmp_path / "log.csv")
    with pytest.raises(KeyboardInterrupt):
        model.fit(
            X,
            Y,
            batch_size=8,
            verbose=0,
            validation_data=(X, Y),
            validation_batch_size=8,
            callbacks=[board, log, Failing(event)],
        )
    assert observer.active() is None
    assert threading.active_count() == threads
    assert log.csv_file is None
    train = Events(tmp_path / "logs" / "train")
    assert len(train.scalars["batch_loss"]) >= 2
    assert len(train.values["text"]) == 2
    model.fit(X, Y, verbose=0, callbacks=[board])
    assert "epoch_loss" in Events(tmp_path / "logs" / "train").scalars


FULL = """
import os, resource, signal, sys
import numpy as np
import nkeras

model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(300), nkeras.layers.Dense(1)])
model.compile("sgd", "mse")
board = nkeras.callbacks.TensorBoard(
    sys.argv[1], histogram_freq=1, write_images=True, profile_batch=(1, 900)
)
log = nkeras.callbacks.CSVLogger(sys.argv[1] + ".csv")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, 16_000))
try:
    model.fit(np.ones((8, 3)), np.ones((8, 1)), epochs=50, verbose=0, callbacks=[board, log])
except OSError as error:
    print(error.strerror)
assert log.csv_file is None
links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
assert not [one for one in links if os.path.realpath(one).startswith(sys.argv[1])]
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of files are Linux'")
def test_a_full_disk(tmp_path):
    path = str(tmp_path / "logs")
    options = [sys.executable, "-X", "dev", "-W", "error", "-c", FULL, path]
    found = subprocess.run(options, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "File too large\n"), found.stderr
    assert "ResourceWarning" not in found.stderr


def test_exceptions_in_evaluate_and_predict(tmp_path):
    model, board = make_model(), callbacks.TensorBoard(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        model.evaluate(
            X, Y, batch_size=8, verbose=0, callbacks=[board, Failing("on_test_batch_end")]
        )
    with pytest.raises(KeyboardInterrupt):
        model.predict(
            X, batch_size=8, verbose=0, callbacks=[board, Failing("on_predict_batch_end")]
        )
    assert len(Events(tmp_path / "train").graphs) == 1


def test_a_bar_is_shown_after_an_exception(capsys):
    model, bar = make_model(), callbacks.ProgbarLogger()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, batch_size=8, callbacks=[bar, Failing("on_train_batch_end")])
    capsys.readouterr()
    model.evaluate(X, Y, callbacks=[bar])
    assert "loss" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"histogram_freq": -1}, "`histogram_freq` must be an int of at least 0"),
        ({"embeddings_freq": 1.5}, "`embeddings_freq` must be an int of at least 0"),
        ({"update_freq": "step"}, '`update_freq` must be "batch", "epoch" or a positive int'),
        ({"update_freq": 0}, "`update_freq` must be"),
        ({"profile_batch": -1}, "`profile_batch` must be a non-negative int or a pair"),
        ({"profile_batch": (5, 2)}, "`profile_batch` must be"),
        ({"profile_batch": (0, 2)}, "`profile_batch` must be"),
        ({"profile_batch": "one"}, "`profile_batch` must be"),
        ({"profile_batch": (1, 2, 3)}, "`profile_batch` must be"),
    ],
)
def test_arguments_that_do_not_fit(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        callbacks.TensorBoard("logs", **arguments)


def test_further_arguments_that_do_not_fit():
    with pytest.raises(TypeError, match="`write_images` must be True or False"):
        callbacks.TensorBoard("logs", write_images="yes")
    with pytest.raises(TypeError, match="write_grads"):
        callbacks.TensorBoard("logs", write_grads=True)


def test_without_the_package(monkeypatch):
    from nkeras.callbacks.tensorboard.event_file import messages

    messages.cache_clear()
    monkeypatch.setitem(sys.modules, "tensorboardX.record_writer", None)
    with pytest.raises(ImportError, match=r"pip install 'nkeras\[tensorboard\]'"):
        callbacks.TensorBoard("logs")


def test_nothing_heavy_is_imported():
    code = "import nkeras.callbacks, sys; print('tensorboardX' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_remote_monitor_is_refused_by_name():
    with pytest.raises(AttributeError, match=r"RemoteMonitor.*not offered.*sends nothing"):
        _ = callbacks.RemoteMonitor
