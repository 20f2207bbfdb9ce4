"""Real Keras (JAX, CPU) in a process of its own, so that two frameworks never share a process.

    result = oracle.run("result = keras.activations.relu(x)", x=np.ones(3))

This file is both sides: imported by tests it starts `python oracle.py` on first use, one for each
pytest process, and talks to it through pickles on its standard input and output.
"""

from __future__ import annotations

import atexit
import importlib.metadata
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest

TIMEOUT_SECONDS = 120.0
ENVIRONMENT = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


class OracleError(RuntimeError):
    """The code failed in Keras; the text is the worker's traceback.

    Attributes:
        kind: name of the exception's class there, for example `"ValueError"`.
    """

    def __init__(self, text: str, kind: str = "") -> None:
        super().__init__(text)
        self.kind = kind


def missing() -> str | None:
    """Why Keras cannot be asked here, or None."""
    if os.environ.get("NKERAS_TESTS_WITHOUT_KERAS"):
        return "NKERAS_TESTS_WITHOUT_KERAS is set"
    for package, least in (("keras", (3, 15)), ("jax", (0, 4))):
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            if sys.version_info < (3, 11):
                return "Keras 3.15 does not exist for Python 3.10"
            return f"{package} is not installed; the test extra has it"
        if tuple(int(part) for part in version.split(".")[:2]) < least:
            return f"the parity tests need {package} {least[0]}.{least[1]}, found {version}"
    return None


def keras_available() -> bool:
    """Whether `run` can work here."""
    return missing() is None


requires_keras = pytest.mark.skipif(not keras_available(), reason=missing() or "")


def run(code: str, **inputs: Any) -> Any:
    """Run Python code in the Keras process; its variable `result` comes back as NumPy.

    Args:
        code: `keras`, `ops`, `jax`, `jnp`, `np` and the inputs are defined in it. It is indented as
            a whole or not at all. Sessions are cleared before, so automatic names begin again.
        inputs: anything that pickles; tensors and variables of nkeras arrive as NumPy arrays.

    Returns:
        `result`: nested lists, tuples and dicts of arrays, numbers, strings and None.

    Raises:
        OracleError: the code failed, or took longer than `TIMEOUT_SECONDS`.
    """
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    return _shared.run(code, {name: _to_numpy(value) for name, value in inputs.items()})


class _Oracle:
    """The parent's side of one worker process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def run(self, code: str, inputs: dict[str, Any]) -> Any:
        with self._lock:
            process = self._started()
            timer = threading.Timer(TIMEOUT_SECONDS, process.kill)
            timer.start()
            try:
                assert process.stdin is not None
                assert process.stdout is not None
                pickle.dump((code, inputs), process.stdin)
                process.stdin.flush()
                kind, text, result = pickle.load(process.stdout)
            except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
                text = self._last_words()
                self.close()
                raise OracleError(
                    f"The Keras process ended (or took over {TIMEOUT_SECONDS:.0f} s).\n{text}"
                ) from error
            finally:
                timer.cancel()
        if kind is not None:
            raise OracleError(text, kind)
        return result

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._owner == os.getpid():
            return self._process
        self._home = tempfile.TemporaryDirectory(prefix="nkeras-oracle-")
        # An empty KERAS_HOME: the user's keras.json must not change what is compared with.
        environment = {**os.environ, **ENVIRONMENT, "KERAS_HOME": self._home.name}
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", str(Path(__file__).resolve())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            )
        self._owner = os.getpid()
        atexit.register(self.close)
        return self._process

    @property
    def _log(self) -> Path:
        return Path(self._home.name) / "stderr.txt"

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    def close(self) -> None:
        """End the worker; a forked child leaves its parent's alone."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:  # unsent bytes of the call that ended the worker
                    continue
        self._home.cleanup()
        atexit.unregister(self.close)


_shared = _Oracle()


def _to_numpy(value: Any) -> Any:
    """NumPy where there is an array; used on both sides."""
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if isinstance(value, dict):
        return {_to_numpy(key): _to_numpy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_to_numpy(item) for item in value]
    if isinstance(value, tuple):
        return tuple(_to_numpy(item) for item in value)
    if hasattr(value, "__array__"):
        import numpy as np

        return np.array(value)
    if __name__ != "__main__":
        return value  # what pickles may be sent; only arrays of a framework come back
    raise TypeError(f"The oracle cannot return a {type(value).__name__}: {value!r}")


def _serve() -> None:
    """The worker's loop: read (code, inputs), answer (error kind, traceback, result)."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what Keras prints must not get among the pickles
    requests = os.fdopen(os.dup(0), "rb")
    import jax
    import jax.numpy as jnp
    import keras
    import numpy as np

    own_weights = _draw_weights_with_numpy()
    defined = {"keras": keras, "ops": keras.ops, "jax": jax, "jnp": jnp, "np": np}
    defined["own_weights"] = own_weights
    while True:
        try:
            code, inputs = pickle.load(requests)
        except EOFError:
            return
        try:
            keras.utils.clear_session(free_memory=False)
            namespace = {"__name__": "oracle", **defined, **inputs}
            exec(compile(_dedent(code), "<oracle>", "exec"), namespace)
            answer = pickle.dumps((None, "", _to_numpy(namespace["result"])))
        except Exception as error:
            answer = pickle.dumps((type(error).__name__, traceback.format_exc(), None))
        answers.write(answer)
        answers.flush()


def _draw_weights_with_numpy() -> Any:
    """Random first values of weights, which few tests compare: XLA compiles each shape for 0.3 s.

    Returns:
        A context manager for those few: Keras draws.
    """
    from contextlib import contextmanager

    import numpy as np
    from keras.src.backend.jax.core import JaxVariable
    from keras.src.initializers.random_initializers import RandomInitializer

    random, usual = np.random.default_rng(0), JaxVariable._initialize_with_initializer

    def initialize(self: Any, initializer: Any) -> None:
        if isinstance(initializer, RandomInitializer):
            values = random.uniform(-0.3, 0.3, self._shape)
            self._initialize(values.astype(self._dtype))
        else:
            usual(self, initializer)

    JaxVariable._initialize_with_initializer = initialize

    @contextmanager
    def own_weights() -> Any:
        JaxVariable._initialize_with_initializer = usual
        try:
            yield
        finally:
            JaxVariable._initialize_with_initializer = initialize

    return own_weights


def _dedent(code: str) -> str:
    import textwrap

    return textwrap.dedent(code).strip("\n")


if __name__ == "__main__":
    _serve()
