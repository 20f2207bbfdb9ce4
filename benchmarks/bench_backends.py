"""Operations by backend: `pytest benchmarks/bench_backends.py --benchmark-enable -n 0`.

To keep the numbers, add `--benchmark-group-by=param:case` and
`--benchmark-json=benchmarks/results/backends.json`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import ops

BACKENDS = ("numpy", "numba_cpu", "numba_cuda")

# Name: shapes of the arguments, function of them.
CASES: dict[str, tuple[list[tuple[int, ...]], Callable[..., Any]]] = {
    "add": ([(256, 1024), (1024,)], ops.add),
    "relu": ([(256, 1024)], ops.relu),
    "gelu": ([(256, 1024)], ops.gelu),
    "exp": ([(256, 1024)], ops.exp),
    "softmax": ([(256, 1000)], ops.softmax),
    "sum of all": ([(256, 1024)], ops.sum),
    "mean of rows": ([(256, 1024)], lambda x: ops.mean(x, axis=0)),
    "argmax": ([(256, 1000)], ops.argmax),
    "transpose": ([(256, 1024)], lambda x: ops.copy(ops.transpose(x))),
    "matmul 256": ([(256, 256), (256, 256)], ops.matmul),
    "matmul 1x784x128": ([(1, 784), (784, 128)], ops.matmul),
    "conv 3x3": ([(8, 28, 28, 16), (3, 3, 16, 32)], lambda x, k: ops.conv(x, k, padding="same")),
    "depthwise conv": (
        [(8, 28, 28, 32), (3, 3, 32, 1)],
        lambda x, k: ops.depthwise_conv(x, k, padding="same"),
    ),
    "max pool": ([(8, 28, 28, 32)], lambda x: ops.max_pool(x, 2)),
    "average pool": ([(8, 28, 28, 32)], lambda x: ops.average_pool(x, 2)),
}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Any:
    """Each backend that works here; the simulator of the GPU would measure Python."""
    if nkeras.backends().get(request.param) not in ("active", "available"):
        pytest.skip(f"{request.param} is not available")
    with nkeras.use_backend(request.param) as backend:
        if "simulator" in backend.device:
            pytest.skip("the simulator is not measured")
        yield backend


def arguments(shapes: list[tuple[int, ...]]) -> list[Any]:
    generator = np.random.default_rng(0)
    arrays = [generator.standard_normal(shape, dtype=np.float32) for shape in shapes]
    return [ops.convert_to_tensor(array) for array in arrays]


@pytest.mark.parametrize("case", CASES)
def test_forward(benchmark: Any, backend: Any, case: str) -> None:
    shapes, function = CASES[case]
    tensors = arguments(shapes)

    def run() -> Any:
        y = function(*tensors)
        backend.synchronize()
        return y

    run()
    y = benchmark(run)
    with nkeras.use_backend("numpy"):
        expected = function(*[ops.convert_to_tensor(tensor.numpy()) for tensor in tensors])
    np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("case", [name for name in CASES if name != "argmax"])
def test_forward_and_backward(benchmark: Any, backend: Any, case: str) -> None:
    shapes, function = CASES[case]
    tensors = arguments(shapes)

    def run() -> Any:
        with nkeras.GradientTape() as tape:
            for tensor in tensors:
                tape.watch(tensor)
            y = ops.sum(function(*tensors))
        gradients = tape.gradient(y, tensors)
        backend.synchronize()
        return gradients

    run()
    gradients = benchmark(run)
    assert [tuple(gradient.shape) for gradient in gradients] == shapes
