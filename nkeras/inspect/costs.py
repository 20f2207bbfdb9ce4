"""What each layer of a model costs: floating-point operations, memory, measured time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from nkeras import ops
from nkeras.backend import registry
from nkeras.backend.protocol import Array, Kernel
from nkeras.core import tree
from nkeras.core.errors import cut_text
from nkeras.core.graph import KerasTensor
from nkeras.core.operation import Operation
from nkeras.core.primitive import Primitive
from nkeras.core.strings import STRING, blank
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure
from nkeras.inspect.activations import Recorder
from nkeras.inspect.outline import graph_of

if TYPE_CHECKING:
    from nkeras.models.model import Model

Shapes = Sequence[tuple[int, ...]]

_UNKNOWN = 32  # a size that the model leaves open
_SAMPLES = 3  # times that a model runs; the medians count

# Those that only move numbers or say how they lie.
_FREE = frozenset(
    """bitcast broadcast_to cast concatenate from_start gather_nd pad repeat reshape rest_of slice
    slice_update stack stop_gradient take take_along_axis transpose""".split()
)


class Cost(NamedTuple):
    """What one call of a layer costs, without the layers inside.

    Attributes:
        flops: floating-point operations for one sample; a multiplication and an addition are two.
        bytes: of its outputs, for one sample.
        microseconds: of its kernels, for one sample.
    """

    flops: int
    bytes: int
    microseconds: float


def costs(model: Model) -> dict[str, Cost]:
    """Costs of the layers of a model for one sample, by name.

    The model runs on zeros, three times; times are medians, on the active backend. Sizes that are
    not known are 32. Operations are counted where a product is formed, and one for each element
    elsewhere.

    Args:
        model: a built model.

    Returns:
        Costs by name: `"dense"`, `"encoder/dense"` in a nested model, `"dense#2"` of a second call.

    Raises:
        ValueError: the shapes of the inputs are not known.

    Example:
        >>> import nkeras
        >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2, name="a")])
        >>> costs(model)["a"].flops
        14
    """
    found = graph_of(model)
    if found is None:
        raise ValueError(
            f"Model {cut_text(model.name)}: costs are measured on zeros, but the shapes of its "
            "inputs are not known. Build it, or call it once."
        )
    inputs = tree.map_structure(_sample, found.inputs_structure)
    arguments = [inputs] if model.has_graph() else inputs
    runs: list[dict[str, Cost]] = []
    for _ in range(_SAMPLES + 1):  # the first one compiles
        recorder = _Costs(model)
        with recorder.observing():
            model(*arguments, training=False)
        runs.append(recorder.costs)
    return {
        name: cost._replace(microseconds=median(run[name].microseconds for run in runs[1:]))
        for name, cost in runs[-1].items()
    }


def _sample(tensor: KerasTensor) -> Tensor:
    """One sample of zeros, or of empty texts."""
    shape = (1, *(_UNKNOWN if size is None else size for size in tensor.shape[1:]))
    if tensor.dtype == STRING:
        return Tensor(blank(shape), registry.active())
    return ops.zeros(shape, tensor.dtype)


def cost_of(name: str, found: Mapping[str, Cost]) -> Cost:
    """What all calls of a layer cost, with the layers inside; `bytes` are those of its outputs.

    Args:
        name: as in `costs`, without the number of a call.
        found: what `costs` returned.
    """
    calls = [cost for key, cost in found.items() if _layer(key) == name]
    inside = [cost for key, cost in found.items() if _layer(key).startswith(f"{name}/")]
    return Cost(
        sum(cost.flops for cost in calls + inside),
        sum(cost.bytes for cost in calls),
        sum(cost.microseconds for cost in calls + inside),
    )


def _layer(key: str) -> str:
    return key.partition("#")[0]


class _Costs(Recorder):
    """Adds up what kernels cost, by the innermost layer around."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, lambda name: True)
        self.costs: dict[str, Cost] = {}
        self._own: list[Cost] = []  # of each layer around, so far

    def enter(self, layer: Operation) -> None:
        """A layer is called."""
        super().enter(layer)
        self._own.append(Cost(0, 0, 0.0))

    def leave(self, layer: Operation, outputs: Structure) -> None:
        """The call is over."""
        super().leave(layer, outputs)
        self._own.pop()

    def keep(self, name: str, outputs: Structure) -> None:
        """A layer or an op has given its outputs."""
        size = sum(leaf.data.nbytes for leaf in tree.flatten(outputs) if hasattr(leaf, "data"))
        self.costs[name] = self._own[-1]._replace(bytes=size)
        self._own[-1] = Cost(0, 0, 0.0)

    def run(
        self,
        primitive: Primitive[Any],
        kernel: Kernel,
        arrays: Sequence[Array | None],
        static: Mapping[str, object],
    ) -> Any:
        """Call a kernel and wait for it."""
        backend = registry.active()
        begin = time.perf_counter_ns()
        found = kernel(*arrays, **static)
        backend.synchronize()
        elapsed = (time.perf_counter_ns() - begin) / 1000
        if self._own:
            results = found if isinstance(found, tuple) else (found,)
            flops = flops_of(primitive.name, _shapes(arrays), _shapes(results))
            own = self._own[-1]
            self._own[-1] = Cost(own.flops + flops, own.bytes, own.microseconds + elapsed)
        return found


def _shapes(arrays: Sequence[Array | None]) -> list[tuple[int, ...]]:
    return [() if array is None else tuple(array.shape) for array in arrays]


def flops_of(primitive: str, inputs: Shapes, outputs: Shapes) -> int:
    """The floating-point operations of a primitive, where products are formed counted by them.

    Args:
        primitive: its name.
        inputs: shapes of its arrays; `()` for one that is not given.
        outputs: shapes of its results.

    Returns:
        A number; 0 for a primitive that only moves numbers.

    Example:
        >>> flops_of("matmul", [(2, 3), (3, 4)], [(2, 4)])
        48
    """
    if primitive in _FREE:
        return 0
    products = _PRODUCTS.get(primitive)
    if products is not None:
        return products(inputs, outputs)
    return max(math.prod(shape) for shape in (*inputs, *outputs))


def _of_matmul(inputs: Shapes, outputs: Shapes) -> int:
    return 2 * math.prod(outputs[0]) * inputs[0][-1]


def _of_dense(inputs: Shapes, outputs: Shapes) -> int:
    return (2 * inputs[1][0] + bool(inputs[2])) * math.prod(outputs[0])


def _of_conv(inputs: Shapes, outputs: Shapes) -> int:
    has_bias = len(inputs) > 2 and bool(inputs[2])
    return (2 * math.prod(inputs[1][:-1]) + has_bias) * math.prod(outputs[0])


def _of_transposed_conv(inputs: Shapes, outputs: Shapes) -> int:
    return 2 * math.prod(inputs[1][:-1]) * math.prod(inputs[0])


def _of_locally_connected(inputs: Shapes, outputs: Shapes) -> int:
    return 2 * inputs[1][-2] * math.prod(outputs[0])


def _of_attention(inputs: Shapes, outputs: Shapes) -> int:
    query, key, value = inputs[:3]  # (batch, steps, heads, channels)
    return 2 * math.prod(query[:3]) * key[1] * (query[3] + value[3])


def _of_recurrent(inputs: Shapes, outputs: Shapes) -> int:
    states = len(inputs) - 6  # behind x; then two kernels, bias, mask, dropout
    kernels = [math.prod(shape) for shape in inputs[1 + states :][:2] if shape]
    return 2 * math.prod(inputs[0][:2]) * sum(kernels)


_PRODUCTS: dict[str, Callable[[Shapes, Shapes], int]] = {
    "matmul": _of_matmul,
    "int8_matmul": _of_matmul,
    "dense": _of_dense,
    "int8_dense": _of_matmul,
    "conv": _of_conv,
    "conv_bias": _of_conv,
    "conv_grad_input": _of_transposed_conv,
    "locally_connected": _of_locally_connected,
    "attention": _of_attention,
    "lstm": _of_recurrent,
    "gru": _of_recurrent,
    "simple_rnn": _of_recurrent,
}
