"""What test_compile_ahead.py runs, in processes of their own: `compile_ahead_script.py NAME`.

Each function ends with the results that must not depend on how kernels are compiled, and main with
facts about how they were. What functions print goes to stderr.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np

import nkeras
from nkeras import layers, ops
from nkeras.backend import registry

SETTING = os.environ["NKERAS_COMPILE_PROCESSES"]
started: list[Any] = []  # processes
compiled: list[str] = []  # by this process
_popen = subprocess.Popen


class _Listed(_popen):  # type: ignore[type-arg]
    def __init__(self, command: Any, **arguments: Any) -> None:
        super().__init__(command, **arguments)
        started.append(self)


def _is_together() -> bool:
    return SETTING != "1"


def _watch() -> None:
    """List what this process compiles."""
    from nkeras_numba_cpu.compile import native

    optimized = native.optimized

    def listed(symbol: str, emit: Any) -> Any:
        compiled.append(symbol)
        return optimized(symbol, emit)

    native.optimized = listed  # type: ignore[assignment]


def _waits() -> bool:
    """Whether launches are put off now."""
    from nkeras_numba_cpu.compile import ahead

    return ahead.queue is not None


def _model(*more: Any) -> Any:
    nkeras.utils.set_random_seed(3)
    model = nkeras.Sequential([layers.Dense(4, activation="relu"), layers.Dropout(0.5), *more])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def _data() -> tuple[np.ndarray, np.ndarray]:
    x = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
    return x, x.sum(1, keepdims=True) * np.ones(4, "float32")


def _state(model: Any) -> list[Any]:
    host = [np.asarray(variable).tolist() for variable in model.optimizer.variables]
    seeds = [variable.numpy().tolist() for variable in model.non_trainable_variables]
    draw = ops.convert_to_numpy(nkeras.random.uniform((2,))).tolist()
    return [[array.tolist() for array in model.get_weights()], host, seeds, draw]


def training() -> Any:
    """Training, layers built late: weights, metrics, seeds and counters."""
    model, (x, y) = _model(), _data()
    results = [model.train_on_batch(x, y) for _ in range(4)]
    return results, _state(model), model.evaluate(x, y, verbose=0), model.predict(x).tolist()


def templates() -> Any:
    """Kernels made of templates."""
    nkeras.utils.set_random_seed(3)
    model = nkeras.Sequential([layers.Conv2D(16, 3, padding="same"), layers.DepthwiseConv2D(3)])
    return model(np.ones((2, 8, 8, 3), "float32")).tolist()


def convolutions() -> Any:
    """Kernels made of templates, their gradients, and tables of micro-kernels."""
    nkeras.utils.set_random_seed(3)
    model = nkeras.Sequential(
        [
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(16, 3, padding="same"),
            layers.DepthwiseConv2D(3),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x = np.sin(np.arange(4 * 16 * 16 * 3, dtype="float32")).reshape(4, 16, 16, 3)
    results = [model.train_on_batch(x, np.arange(4) % 3) for _ in range(3)]
    return results, [array.tolist() for array in model.get_weights()]


def loop() -> Any:
    """A training loop of one's own, without a plan."""
    nkeras.utils.set_random_seed(3)
    layer, (x, y) = layers.Dense(4), _data()
    layer.build(x.shape)
    optimizer = nkeras.optimizers.SGD(0.1)
    losses = []
    for _ in range(2):
        with nkeras.GradientTape() as tape:
            loss = ops.mean(ops.square(layer(x) - y))
        optimizer.apply(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables)
        losses.append(float(loss))
    return losses, [array.tolist() for array in layer.get_weights()]


def drawing() -> Any:
    """A variable's first value."""

    def value(shape: Any, dtype: Any) -> Any:
        return ops.tanh(ops.exp(nkeras.random.uniform(shape, dtype=dtype, seed=7)))

    return nkeras.Variable(value, shape=(5,), dtype="float32").numpy().tolist()


class _Looks(layers.Layer):
    """Python looks at values, and goes on by what it sees."""

    def call(self, x: Any) -> Any:
        x = ops.square(x) + 1
        other = ops.sinh(x)
        assert not _is_together() or _waits()
        total = float(ops.sum(x))
        assert 24 < total < 50
        return (ops.tanh(x) if total < 50 else ops.erf(x)) + other


def looking() -> Any:
    return _Looks()(_data()[0]).tolist()


class _Counts(layers.Layer):
    """Does something to the outside."""

    calls = 0

    def call(self, x: Any) -> Any:
        type(self).calls += 1
        x = ops.sinh(ops.square(x))
        print("called", file=sys.stderr, flush=True)
        os.write(2, b"wrote\n")
        return x + ops.cos(x)


def once() -> Any:
    """What a layer does, it does once."""
    sys.stdout.write("buffered ")
    return _Counts()(_data()[0]).tolist(), _Counts.calls


class _Fails(layers.Layer):
    """Fails behind an assignment."""

    calls = 0

    def __init__(self) -> None:
        super().__init__()
        self.total = self.add_weight(shape=(8, 4), initializer="zeros", trainable=False)

    def call(self, x: Any) -> Any:
        type(self).calls += 1
        self.total.assign_add(ops.cosh(x))
        raise RuntimeError("as the user wrote it")


def failing() -> Any:
    """What came before an exception of the user's is done."""
    layer = _Fails()
    model, (x, y) = _model(layer), _data()
    try:
        model.train_on_batch(x, y)
    except RuntimeError as error:
        said = str(error).splitlines()[0]  # Python 3.10 has no notes
    if _waits() != _is_together():
        return "nothing waits"
    return said, _Fails.calls, layer.total.numpy().tolist(), _state(model), _waits()


class _Writes(layers.Layer):
    """Uses a buffer of its own again, as soon as it has been used."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = np.ones((8, 3), "float32")

    def call(self, x: Any) -> Any:
        first = ops.cosh(ops.convert_to_tensor(self.buffer))
        self.buffer += 1
        second = ops.sinh(ops.convert_to_tensor(self.buffer))
        self.buffer += 1
        return first + second + ops.convert_to_tensor(self.buffer) * x


def writing() -> Any:
    return _Writes()(_data()[0]).tolist()


def writing_late() -> Any:
    """The same where there are no workers before: what is shared already stays as it is."""
    registry.active()
    if _is_together():
        from nkeras_numba_cpu.compile import workers

        workers.end()
    return _Writes()(_data()[0]).tolist()


@nkeras.elementwise
def own_function(x: Any, y: Any) -> Any:
    return exp(-x) * y + 0.125  # type: ignore[name-defined]  # noqa: F821


class _Own(layers.Layer):
    def call(self, x: Any) -> Any:
        return ops.cosh(own_function(ops.sinh(x), x))


def own() -> Any:
    """A function of this very script's, which no worker can or may import."""
    return _Own()(_data()[0]).tolist()


class _Shares(layers.Layer):
    """Another thread looks at what this one has not computed yet, and computes with it."""

    def call(self, x: Any) -> Any:
        made = ops.cosh(ops.square(x))
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append((ops.sinh(made)).tolist()))
        thread.start()
        thread.join()
        return made + ops.convert_to_tensor(np.array(found[0], "float32"))


def threads() -> Any:
    return _Shares()(_data()[0]).tolist()


def beside_threads() -> Any:
    """As in Jupyter: other threads are alive."""
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    result = training()
    stop.set()
    thread.join()
    return result


class _Forks(layers.Layer):
    """A child of the user's, forked in the middle of a step, sees the same values."""

    def call(self, x: Any) -> Any:
        made = ops.cosh(ops.square(x))
        assert not _is_together() or _waits()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, np.asarray(made).tobytes())
            os._exit(0)
        os.waitpid(child, 0)
        values = np.frombuffer(os.read(reader, 1 << 16), "float32").reshape(8, 3)
        assert np.array_equal(values, made)
        return made


def forking() -> Any:
    return _Forks()(_data()[0]).tolist()


def dying() -> Any:
    """Workers die before they have compiled anything."""
    registry.active()
    for process in started:
        process.kill()
        process.wait()
    return drawing()


def killed() -> Any:
    """Workers die while the process waits for them, with functions they have taken."""
    registry.active()
    if _is_together():
        from nkeras_numba_cpu.compile import workers

        is_held = workers.Pool._is_held

        def kill(self: Any, job: Any) -> bool:
            for process in started:
                process.kill()
            return is_held(self, job)

        workers.Pool._is_held = kill  # type: ignore[method-assign]
    return training()


def refused() -> Any:
    """The system has no more processes."""

    def no_process(*_: Any, **__: Any) -> Any:
        raise BlockingIOError("no more processes")

    subprocess.Popen = no_process  # type: ignore[assignment,misc]
    return drawing()


def embedded() -> Any:
    """Python is part of a program, which must not be started again."""
    sys.executable = "/bin/true"
    return drawing()


def interrupted() -> Any:
    """Ctrl-C while the process compiles what a step needs: the step is done all the same."""
    model, (x, y) = _model(), _data()
    model.build(x.shape)
    if _is_together():
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
        from nkeras_numba_cpu.compile import ahead, native

        known = native.optimized

        def interrupt(symbol: str, emit: Any) -> Any:
            if ahead.queue is not None and "micro" not in symbol:
                native.optimized = known  # type: ignore[assignment]
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(5)
            return known(symbol, emit)

        native.optimized = interrupt  # type: ignore[assignment]
        try:
            model.train_on_batch(x, y)
        except KeyboardInterrupt:
            assert _waits()
        else:
            raise AssertionError("no interrupt")
    else:
        model.train_on_batch(x, y)
    return _state(model), model.train_on_batch(x, y), _state(model)


def silent() -> Any:
    """What each function gives that prints nothing."""
    given: list[Any] = [templates, loop, looking, failing, writing, writing_late, own, threads]
    given += [drawing, interrupted, *([forking] if hasattr(os, "fork") else [])]
    return {function.__name__: function() for function in given}


def waiting() -> Any:
    """Is killed by the test."""
    registry.active()
    print(json.dumps([process.pid for process in started]), flush=True)
    time.sleep(60)


def main(name: str) -> None:
    subprocess.Popen = _Listed  # type: ignore[misc]
    registry.active()
    _watch()
    result = globals()[name]()
    print(json.dumps({"result": result, "started": len(started), "compiled": len(compiled)}))


if __name__ == "__main__":
    main(sys.argv[1])
