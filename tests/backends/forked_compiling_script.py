"""What test_forked_compiling.py runs, in processes of their own: `forked_compiling_script.py NAME`.

Each function ends with the results that must not depend on how kernels are compiled, and with
facts about how they were. What functions print goes to stderr.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from typing import Any

import numpy as np

import nkeras
from nkeras import layers, ops
from nkeras_numba_cpu.compile import forked_compiling, native

forks = 0
compiled: list[str] = []  # by this process
_fork, _optimized = os.fork, native.optimized


def _counted() -> int:
    global forks
    forks += 1
    return _fork()


def _listed(symbol: str, emit: Any) -> Any:
    compiled.append(symbol)
    return _optimized(symbol, emit)


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
        return ops.tanh(nkeras.random.uniform(shape, dtype=dtype, seed=7))

    return nkeras.Variable(value, shape=(5,), dtype="float32").numpy().tolist()


class _Looks(layers.Layer):
    """Python looks at values, and goes on by what it sees."""

    def call(self, x: Any) -> Any:
        x = ops.square(x) + 1
        total = float(ops.sum(x))
        assert 24 < total < 50
        return ops.tanh(x) if total < 50 else ops.erf(x)


def looking() -> Any:
    """A step that depends on values is not run ahead on values that nobody computed."""
    return _Looks()(_data()[0]).tolist()


class _Fails(layers.Layer):
    calls = 0

    def call(self, x: Any) -> Any:
        type(self).calls += 1
        x = ops.cosh(x)
        raise RuntimeError("as the user wrote it")


def failing() -> Any:
    """An exception of the user's code comes from the process itself, once."""
    model, (x, y) = _model(_Fails()), _data()
    try:
        model.train_on_batch(x, y)
    except RuntimeError as error:
        return str(error), _Fails.calls, _children()
    return "no error"


class _Prints(layers.Layer):
    def call(self, x: Any) -> Any:
        x = ops.sinh(ops.square(x))
        print("called", file=sys.stderr, flush=True)
        os.write(2, b"wrote\n")
        return x + ops.cos(x)


def printing() -> Any:
    """What a child prints nobody sees, also not what was printed before and not written yet."""
    sys.stdout.write("buffered ")
    return _Prints()(_data()[0]).tolist()


def threaded() -> Any:
    """With another thread alive the process does not fork."""
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    result = drawing()
    stop.set()
    thread.join()
    return result


def dying() -> Any:
    """Children die before they have compiled anything."""
    forked_compiling._Family.work = lambda *_: os._exit(1)  # type: ignore[method-assign]
    return drawing()


def killed() -> Any:
    """A child dies in the middle of a function that the parent waits for."""

    def die(symbol: str, emit: Any) -> Any:
        if forked_compiling._family is not None and forked_compiling._family.is_child:
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGKILL)
        return _listed(symbol, emit)

    native.optimized = die  # type: ignore[assignment]
    return drawing()


def refused() -> Any:
    """The system has no more processes."""

    def fork() -> int:
        raise BlockingIOError("no more processes")

    os.fork = fork  # type: ignore[assignment]
    return drawing()


class _Waits(layers.Layer):
    """Sends Ctrl-C to all processes, as a terminal does, while children are at work."""

    def call(self, x: Any) -> Any:
        x = ops.cosh(x)
        if forked_compiling.notes is None and forks:
            os.killpg(0, signal.SIGINT)
            time.sleep(5)
        return x


def interrupted() -> Any:
    """Ctrl-C leaves neither processes nor half files."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background
    model, (x, y) = _model(_Waits()), _data()
    try:
        model.train_on_batch(x, y)
    except KeyboardInterrupt:
        folder = os.environ["NUMBA_CACHE_DIR"]
        files = [name for _, _, names in os.walk(folder) for name in names]
        half = [file for file in files if not file.endswith((".o", ".nbi", ".nbc"))]
        return _children(), half
    return "no interrupt"


def _children() -> str:
    try:
        return str(os.waitpid(-1, os.WNOHANG))
    except ChildProcessError:
        return "none"


def main(name: str) -> None:
    os.fork = _counted  # type: ignore[assignment]
    native.optimized = _listed  # type: ignore[assignment]
    result = globals()[name]()
    print(json.dumps({"result": result, "forks": forks, "compiled": len(compiled)}))


if __name__ == "__main__":
    main(sys.argv[1])
