"""Rewrite: a graph with fewer passes over memory.

A rewrite is a pattern, two calls of which the second alone uses a result of the first, and a
function that gives other calls for both, or None. Results stay the same bit by bit, but for those
marked `rounds`, which are done in predictions only: batch normalization becomes part of the weights
in front of it, what is added to the result of a layer is added in its kernel, zeros around an
image are part of the convolution behind them.

Which activations and sums a kernel can do in its epilogue stands with the declaration of its
primitive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from nkeras.backend.protocol import Backend
from nkeras.core.primitive import PRIMITIVES
from nkeras.replay.graph import Call, Graph, Host, Loop, Value

Calls = Sequence[Call]
Replace = Callable[["_Rewriter", Call, Call], "Calls | None"]
_Step: TypeAlias = "Call | Host | Loop"


class Rewrite(NamedTuple):
    """A pattern.

    Attributes:
        first: the name of a primitive, or `"+name"`: any that has this epilogue.
        then: the name of the primitive that uses its result.
        rounds: whether the last bits of results may change.
        replace: gives the calls that take the place of the second; the first is removed.
    """

    first: str
    then: str
    rounds: bool
    replace: Replace

    def starts_with(self, call: Call) -> bool:
        """Whether a call may be the first."""
        if not self.first.startswith("+"):
            return call.name == self.first
        return self.first[1:] in call.primitive.epilogues and _has_no_epilogue(call)


REWRITES: list[Rewrite] = []


def rewrite(first: str, then: str, rounds: bool = False) -> Callable[[Replace], Replace]:
    """Decorator: a pattern; they are tried in the order in which they stand here."""

    def declare(replace: Replace) -> Replace:
        REWRITES.append(Rewrite(first, then, rounds, replace))
        return replace

    return declare


def rewritten(graph: Graph, backend: Backend, may_round: bool) -> Graph:
    """The same step with other calls; `graph` stays as it is.

    Args:
        graph: a recorded step.
        backend: the backend it ran on.
        may_round: whether the last bits of results may change.
    """
    rewriter = _Rewriter(graph, backend)
    for pattern in REWRITES:
        if may_round or not pattern.rounds:
            rewriter.apply(pattern)
    steps = [
        step._replace(body=rewritten(step.body, backend, may_round))
        if isinstance(step, Loop)
        else step
        for step in rewriter.steps()
    ]
    return graph._replace(values=rewriter.values, steps=steps)


class _Rewriter:
    """The steps of a graph while they are rewritten."""

    def __init__(self, graph: Graph, backend: Backend) -> None:
        self.kernels = backend.kernels
        self.to_numpy = backend.to_numpy
        self.values = list(graph.values)
        self._kept = {*graph.outputs, *graph.assigned.values()}
        self._assigned = graph.assigned
        self._places: list[list[_Step]] = [[] for _ in graph.steps]  # what stands for each step
        self._place_of: dict[int, int] = {}  # by the identity of a step
        self._users: dict[int | None, list[_Step]] = {}  # by value
        self._makers: dict[int | None, Call] = {}
        for place, step in enumerate(graph.steps):
            self._insert(step, place, 0)

    def steps(self) -> list[_Step]:
        """The steps of now."""
        return [step for steps in self._places for step in steps]

    def apply(self, pattern: Rewrite) -> None:
        """Rewrite all places where a pattern fits."""
        for call in [step for step in self.steps() if isinstance(step, Call)]:
            if not pattern.starts_with(call) or id(call) not in self._place_of:
                continue
            then = self._only_user(call.outputs[0], pattern.then)
            calls = None if then is None else pattern.replace(self, call, then)
            if then is not None and calls is not None:
                place, first = self._remove(then)
                for i, new in enumerate(calls, first):
                    self._insert(new, place, i)
                self._remove(call)

    def _only_user(self, index: int | None, name: str) -> Call | None:
        """The call of that name that alone uses a value."""
        users = self._users.get(index, ())
        if index is None or index in self._kept or len(users) != 1:
            return None
        (user,) = users
        return user if isinstance(user, Call) and user.name == name else None

    def _insert(self, step: _Step, place: int, position: int) -> None:
        self._places[place].insert(position, step)
        self._place_of[id(step)] = place
        for i in set(step.inputs):
            self._users.setdefault(i, []).append(step)
        if isinstance(step, Call):
            self._makers |= {i: step for i in step.outputs if i is not None}

    def _remove(self, step: Call) -> tuple[int, int]:
        """Take a step away; where it stood."""
        place = self._place_of.pop(id(step))
        position = next(i for i, other in enumerate(self._places[place]) if other is step)
        del self._places[place][position]
        for i in set(step.inputs):
            self._users[i] = [other for other in self._users[i] if other is not step]
        for i in step.outputs:
            if self._makers.get(i) is step:
                del self._makers[i]
        return place, position

    def is_used(self, index: int | None) -> bool:
        """Whether a call or the caller uses a value."""
        return index is not None and (index in self._kept or bool(self._users.get(index)))

    def maker(self, index: int | None) -> Call | None:
        """The call that makes a value."""
        return self._makers.get(index)

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

    def number(self, index: int | None) -> float | None:
        """The number that a value is, where that is a constant."""
        value = None if index is None else self.values[index]
        if value is None or value.kind != "constant" or value.shape != ():
            return None
        return float(self.to_numpy(value.source))


def _has_no_epilogue(call: Call) -> bool:
    return call.static["activation"] == "linear"


def _has_no_addend(call: Call) -> bool:
    """Whether all inputs are those that the primitive declares: an addend comes behind them."""
    return len(call.inputs) == len(call.primitive.arguments)


def _with_activation(call: Call, then: Call, name: str) -> Calls:
    static = {**call.static, "activation": name}
    return (call._replace(static=static, outputs=then.outputs),)


@rewrite("pad", "conv", rounds=True)
@rewrite("pad", "conv_bias", rounds=True)
def _pad_by_convolution(steps: _Rewriter, pad: Call, conv: Call) -> Calls | None:
    """Zeros around an image, then a convolution: one that pads by itself."""
    width = pad.static["pad_width"]
    if pad.static["mode"] != "constant" or pad.static["constant"] != 0:
        return None
    if conv.inputs[0] != pad.outputs[0] or any(width[0]) or any(width[-1]):
        return None
    pairs = zip(width[1:-1], conv.static["padding"], strict=True)
    padding = tuple((a + low, b + high) for (a, b), (low, high) in pairs)
    static = {**conv.static, "padding": padding}
    return (conv._replace(inputs=(*pad.inputs, *conv.inputs[1:]), static=static),)


@rewrite("+add", "batch_norm_inference", rounds=True)
def _normalize_by_weights(steps: _Rewriter, call: Call, norm: Call) -> Calls | None:
    """A layer, then batch normalization with given statistics: the layer with other weights."""
    fold = steps.kernels.get("fold_batch_norm")
    x, kernel, bias = call.inputs[:3]
    weights = (kernel, bias, *norm.inputs[1:])
    if fold is None or kernel is None or norm.inputs[0] != call.outputs[0]:
        return None
    if not _has_no_addend(call) or not all(map(steps.is_fixed, weights)):
        return None
    value = steps.values[kernel]
    folded = (
        steps.new_value(value.shape, value.dtype),
        steps.new_value(value.shape[-1:], value.dtype),
    )
    made = Call(PRIMITIVES["fold_batch_norm"], fold, weights, norm.static, folded)
    return made, call._replace(inputs=(x, *folded), outputs=norm.outputs)


@rewrite("+add", "add", rounds=True)
def _add_in_epilogue(steps: _Rewriter, call: Call, add: Call) -> Calls | None:
    """A layer, then the sum with an array of the same shape."""
    others = [item for item in add.inputs if item != call.outputs[0]]
    if not _has_no_addend(call) or len(others) != 1 or others[0] is None:
        return None
    (mine, other) = (steps.values[i] for i in (call.outputs[0], others[0]) if i is not None)
    if (mine.shape, mine.dtype) != (other.shape, other.dtype):
        return None
    return (call._replace(inputs=(*call.inputs, others[0]), outputs=add.outputs),)


@rewrite("reshape", "relu")
@rewrite("transpose", "relu")
def _relu_before_view(steps: _Rewriter, view: Call, relu: Call) -> Calls | None:
    """A layer with channels first, or of several axes: relu's turn comes first, in the epilogue."""
    (y,) = view.inputs
    maker = steps.maker(y)
    if y is None or maker is None or "relu" not in maker.primitive.epilogues:
        return None
    made = steps.new_value(steps.values[y].shape, steps.values[y].dtype)
    first = relu._replace(inputs=(y,), outputs=(made,))
    return first, view._replace(inputs=(made,), outputs=relu.outputs)


@rewrite("+relu", "relu")
def _relu_in_epilogue(steps: _Rewriter, call: Call, relu: Call) -> Calls:
    return _with_activation(call, relu, "relu")


@rewrite("+relu6", "relu6")
def _relu6_in_epilogue(steps: _Rewriter, call: Call, relu6: Call) -> Calls:
    return _with_activation(call, relu6, "relu6")


@rewrite("+relu6", "threshold_relu")
def _limited_relu_in_epilogue(steps: _Rewriter, call: Call, relu: Call) -> Calls | None:
    """With slope 0, limit 6 and threshold 0 it is relu6."""
    numbers = [steps.number(i) for i in relu.inputs[1:]]
    return _with_activation(call, relu, "relu6") if numbers == [0.0, 6.0, 0.0] else None


@rewrite("pad", "max_pool")
def _pad_by_pooling(steps: _Rewriter, pad: Call, pool: Call) -> Calls | None:
    """Zeros around what is never negative, then max pooling: one that pads by itself."""
    width = pad.static["pad_width"]
    if pad.static["mode"] != "constant" or pad.static["constant"] != 0:
        return None
    if any(width[0]) or any(width[-1]) or not _is_never_negative(steps.maker(pad.inputs[0])):
        return None
    if any(map(steps.is_used, pool.outputs[1:])):
        return None  # places of the largest values are counted from the window's first pixel
    pairs = zip(width[1:-1], pool.static["padding"], strict=True)
    padding = tuple((a + low, b + high) for (a, b), (low, high) in pairs)
    if any(max(ends) >= size for ends, size in zip(padding, pool.static["pool_size"], strict=True)):
        return None  # a window of zeros alone
    static = {**pool.static, "padding": padding}
    return (pool._replace(inputs=pad.inputs, static=static),)


def _is_never_negative(call: Call | None) -> bool:
    relus = ("relu", "relu6")
    return call is not None and (call.name in relus or call.static.get("activation") in relus)


@rewrite("max_pool_grad", "relu_grad_x")
def _relu_grad_before_pool_grad(steps: _Rewriter, call: Call, relu_grad: Call) -> Calls | None:
    """The gradient of relu, then max pooling: relu's taken where the pooled values are.

    A window's gradient goes to its largest value, which is the pooled one: whether that is positive
    can be asked before, of fewer numbers.
    """
    grad, winner = call.inputs
    pool = steps.maker(winner)
    if pool is None or grad is None or relu_grad.inputs != (call.outputs[0], pool.inputs[0]):
        return None
    masked = steps.new_value(steps.values[grad].shape, steps.values[grad].dtype)
    first = relu_grad._replace(inputs=(grad, pool.outputs[0]), outputs=(masked,))
    return first, call._replace(inputs=(masked, winner), outputs=relu_grad.outputs)


@rewrite("take_grad", "sgd_update")
def _descend_in_rows(steps: _Rewriter, take_grad: Call, update: Call) -> Calls | None:
    """Gradient descent without momentum leaves rows alone that the step did not take."""
    w, grad, velocity = update.inputs
    if velocity is not None:
        return None
    static = {"learning_rate": update.static["learning_rate"]}
    return _row_update(steps, "sgd_row_update", take_grad, update, (w, grad), static)


@rewrite("take_grad", "adagrad_update")
def _adagrad_in_rows(steps: _Rewriter, take_grad: Call, update: Call) -> Calls | None:
    """Adagrad does so too, as long as nothing is divided by 0."""
    if update.static["epsilon"] <= 0.0:
        return None
    return _row_update(steps, "adagrad_row_update", take_grad, update, update.inputs, update.static)


def _row_update(
    steps: _Rewriter,
    name: str,
    take_grad: Call,
    update: Call,
    inputs: Sequence[int | None],
    static: dict[str, Any],
) -> Calls | None:
    w, grad, *buffers = inputs
    kernel = steps.kernels.get(name)
    if kernel is None or w is None or take_grad.static["axis"] != 0 or grad != take_grad.outputs[0]:
        return None
    if steps.values[w].dtype not in ("float32", "float64"):
        return None  # half types round the gradient before it is used
    given, outputs = (w, *take_grad.inputs, *buffers), update.outputs[: 1 + len(buffers)]
    return (Call(PRIMITIVES[name], kernel, given, static, outputs),)
