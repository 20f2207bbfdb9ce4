"""Fusion: a recorded step with fewer passes over memory.

Calls are merged or exchanged by the names of their primitives. Results stay the same bit by bit,
but for what is done in predictions only: batch normalization becomes part of the weights in front
of it, and so is rounded elsewhere; what is added to the result of a layer is added in its kernel;
zeros around an image are part of the convolution behind them.
"""

from __future__ import annotations

from collections.abc import Mapping

from nkeras.backend.protocol import Kernel
from nkeras.core.recording import Call, Host, Trace, Value

# x, kernel (..., filters), bias or None, perhaps what is added; static `activation`.
_LINEAR = ("conv_bias", "dense")
# `conv_bias` and `dense` take an addend where this says that a call has none yet.
_NO_ADDEND = 3


def fused(trace: Trace, kernels: Mapping[str, Kernel], fold: bool) -> Trace:
    """The same step with merged calls; `trace` stays as it is.

    Args:
        trace: a recorded step.
        kernels: the backend's.
        fold: whether the last bits of results may change.
    """
    found = _Steps(trace, kernels)
    exact = (_merge_activation, _relu_grad_before_pool_grad)
    rounding = (_fold_pad, _fold_batch_norm, _merge_add) if fold else ()
    for rewrite in (*rounding, *exact):
        for call in found.calls():
            rewrite(found, call)
    return trace._replace(values=found.values, steps=[step for step in found.steps if step])


class _Steps:
    """The steps of a trace while they are rewritten; those that were removed are None."""

    def __init__(self, trace: Trace, kernels: Mapping[str, Kernel]) -> None:
        self.kernels = kernels
        self.values = list(trace.values)
        self.steps: list[Call | Host | None] = list(trace.steps)
        self._kept = {*trace.outputs, *trace.assigned.values()}
        self._assigned = trace.assigned

    def calls(self) -> list[Call]:
        """The calls of now."""
        return [step for step in self.steps if isinstance(step, Call)]

    def users(self, index: int) -> list[Call | Host]:
        """The steps that use a value."""
        return [step for step in self.steps if step is not None and index in step.inputs]

    def only_user(self, index: int, name: str) -> Call | None:
        """The call of that name that alone uses a value."""
        users = self.users(index)
        if len(users) != 1 or index in self._kept:
            return None
        (user,) = users
        return user if isinstance(user, Call) and user.name == name else None

    def maker(self, index: int | None) -> Call | None:
        """The call that makes a value."""
        return next((call for call in self.calls() if index in call.outputs), None)

    def is_fixed(self, index: int | None) -> bool:
        """Whether a value follows from variables alone, which the step does not assign."""
        if index is None:
            return True
        value = self.values[index]
        if value.kind == "computed":
            maker = self.maker(index)
            return maker is not None and all(self.is_fixed(item) for item in maker.inputs)
        return value.kind == "constant" or (
            value.kind == "variable" and value.source not in self._assigned
        )

    def new_value(self, shape: tuple[int, ...], dtype: str) -> int:
        """One more computed value."""
        self.values.append(Value("computed", None, shape, dtype))
        return len(self.values) - 1

    def replace(self, old: Call, *new: Call) -> None:
        """Other calls in the place of one."""
        i = next(i for i, step in enumerate(self.steps) if step is old)
        self.steps[i : i + 1] = new or (None,)


def _fold_batch_norm(steps: _Steps, call: Call) -> None:
    """Conv or dense, then batch normalization: one with other weights."""
    if call.name not in _LINEAR or call.static["activation"] != "linear":
        return
    fold = steps.kernels.get("fold_batch_norm")
    (y,) = call.outputs
    norm = None if y is None else steps.only_user(y, "batch_norm_inference")
    if fold is None or norm is None or norm.inputs[0] != y:
        return
    x, kernel, bias = call.inputs
    weights = (kernel, bias, *norm.inputs[1:])
    if kernel is None or not all(map(steps.is_fixed, weights)):
        return
    value = steps.values[kernel]
    folded = (
        steps.new_value(value.shape, value.dtype),
        steps.new_value(value.shape[-1:], value.dtype),
    )
    steps.replace(norm)
    made = Call("fold_batch_norm", fold, weights, norm.static, folded)
    steps.replace(call, made, call._replace(inputs=(x, *folded), outputs=norm.outputs))


def _merge_activation(steps: _Steps, call: Call) -> None:
    """Conv or dense, then relu or relu6: one with that in its epilogue."""
    if call.name not in _LINEAR or call.static["activation"] != "linear":
        return
    (y,) = call.outputs
    for name in ("relu", "relu6", "threshold_relu"):
        user = None if y is None else steps.only_user(y, name)
        if user is None or (name == "threshold_relu" and not _is_relu6(steps, user)):
            continue
        static = {**call.static, "activation": "relu" if name == "relu" else "relu6"}
        steps.replace(call, call._replace(static=static, outputs=user.outputs))
        steps.replace(user)


def _is_relu6(steps: _Steps, call: Call) -> bool:
    """Whether slope, limit and threshold of a `threshold_relu` are those of relu6."""
    numbers = [None if i is None else steps.values[i] for i in call.inputs[1:]]
    return [
        float(number.source)
        if number and number.kind == "constant" and number.shape == ()
        else None
        for number in numbers
    ] == [0.0, 6.0, 0.0]


def _merge_add(steps: _Steps, call: Call) -> None:
    """Conv or dense, then the sum with an array of the same shape: added in the epilogue."""
    if call.name not in _LINEAR or call.static["activation"] != "linear":
        return
    (y,) = call.outputs
    add = None if y is None else steps.only_user(y, "add")
    if add is None or y is None or len(call.inputs) != _NO_ADDEND:
        return
    others = [item for item in add.inputs if item != y]
    if len(others) == 1 and others[0] is not None:
        mine, other = steps.values[y], steps.values[others[0]]
        if (mine.shape, mine.dtype) == (other.shape, other.dtype):
            # At the place of the sum, where what is added exists.
            merged = call._replace(inputs=(*call.inputs, others[0]), outputs=add.outputs)
            steps.replace(add, merged)
            steps.replace(call)


def _fold_pad(steps: _Steps, call: Call) -> None:
    """Zeros around an image, then a convolution: one that pads by itself."""
    if call.name != "pad" or call.static["mode"] != "constant" or call.static["constant"] != 0:
        return
    (padded,) = call.outputs
    conv = None if padded is None else steps.only_user(padded, "conv_bias")
    width = call.static["pad_width"]
    if conv is None or conv.inputs[0] != padded or any(width[0]) or any(width[-1]):
        return
    pairs = zip(width[1:-1], conv.static["padding"], strict=True)
    padding = tuple((a + low, b + high) for (a, b), (low, high) in pairs)
    static = {**conv.static, "padding": padding}
    steps.replace(conv, conv._replace(inputs=(*call.inputs, *conv.inputs[1:]), static=static))
    steps.replace(call)


def _relu_grad_before_pool_grad(steps: _Steps, call: Call) -> None:
    """The gradient of relu, then max pooling: relu's taken where the pooled values are.

    A window's gradient goes to its largest value, which is the pooled one: whether that is positive
    can be asked before, of fewer numbers.
    """
    if call.name != "max_pool_grad":
        return
    grad, winner = call.inputs
    (spread,) = call.outputs
    relu_grad = None if spread is None else steps.only_user(spread, "relu_grad_x")
    pool = steps.maker(winner)
    if relu_grad is None or pool is None or relu_grad.inputs != (spread, pool.inputs[0]):
        return
    if grad is None:
        return
    value = steps.values[grad]
    masked = steps.new_value(value.shape, value.dtype)
    first = relu_grad._replace(inputs=(grad, pool.outputs[0]), outputs=(masked,))
    steps.replace(relu_grad)
    steps.replace(call, first, call._replace(inputs=(masked, winner), outputs=relu_grad.outputs))
