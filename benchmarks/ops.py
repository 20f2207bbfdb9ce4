"""How long single operations take, forward and backward, against the peers' own.

    python benchmarks/ops.py --peers-python .peers/bin/python

nkeras runs `nkeras.ops` on tensors; dense layers, batch norm, optimizers and what records gradients
with a GradientTape run in a `nkeras.function`, and once more without it in the rows named eager,
which have no bar. torch runs its functions, in the
faster of its memory formats for images, and autograd; JAX one jitted function on arrays that it
holds already; TensorFlow a tf.function. A row says what is done: "grad x" is the backward pass
alone, "train" forward and backward. Transposes are reshaped, so that something moves.

A bar is what is possible: 1.1 times as fast as the fastest peer, or 0.9 of what the processor can
do, measured in the same run: the speed of a copy in buffers of the size of the row's arrays, for
the bytes that the row must move, or the peak of fused multiply-adds, for those that it must do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

from copy_speed import copy_speed
from fma_peak import fma_peak
from measuring import FOLDER, Question, options

from nkeras.cli.peers import Bar, Row

FRAMEWORKS = ("nkeras", "torch", "jax", "tensorflow")


PEER, LIMIT = 1.1, 0.9  # shares that are wanted: of the fastest peer, of the limit
ITEM = 4  # bytes
Clock: TypeAlias = "Callable[[], float]"


class Needs(NamedTuple):
    """What any implementation must do: move bytes, multiply and add."""

    bytes: float = 0.0
    flops: float = 0.0


def row(
    name: str,
    sizes: str,
    op: str,
    inputs: Sequence[Any],
    needs: Needs | None,
    **others: Any,
) -> Row:
    """A case for ops_<framework>.py: shapes of arrays, or shapes with a bound for integers.

    Rows without `needs` have no bar.
    """
    flops = others.pop("flops", None)
    case = {"op": op, "inputs": list(inputs), "what": "forward", "needs": needs, **others}
    group = " ".join(name.format("").split())
    return Row(name.format(sizes), case, flops=flops, group=group)


def with_bar(one: Row, threads: int, peak: float, clock: Clock) -> Row:
    """The row with its bar: the limit is that of the memory or of the arithmetic."""
    case = dict(one.case)
    needs = case.pop("needs")
    if not isinstance(needs, Needs):
        return replace(one, case=case)
    arithmetic = needs.flops / (peak * 1e9)
    memory = needs.bytes / copy_speed(threads, _size(case), clock) if needs.bytes else 0.0
    name = f"{LIMIT} of {'memory' if memory > arithmetic else 'peak'}"
    bar = Bar(PEER, at_most=max(arithmetic, memory) / LIMIT, name=name)
    return replace(one, case=case, bars=(bar,))


def _size(case: Any) -> int:
    """Bytes of the arrays of a case, with a result as large as the largest."""
    shapes = [x["shape"] if isinstance(x, dict) else x for x in case["inputs"]]
    sizes = [ITEM * math.prod(shape) for shape in shapes]
    return sum(sizes) + max(sizes)


# Name: shape of x, spatial kernel size, filters, strides, padding.
CONVOLUTIONS = {
    "MNIST1 128x28x28x1-32": ([128, 28, 28, 1], 3, 32, 1, "valid"),
    "MNIST2 128x13x13x32-64": ([128, 13, 13, 32], 3, 64, 1, "valid"),
    "CIFAR 64x32x32x64-64": ([64, 32, 32, 64], 3, 64, 1, "same"),
    "R50 8x56x56x64-64": ([8, 56, 56, 64], 3, 64, 1, "same"),
    "R50 8x28x28x128-128": ([8, 28, 28, 128], 3, 128, 1, "same"),
    "R50 8x14x14x256-256": ([8, 14, 14, 256], 3, 256, 1, "same"),
    "R50 8x56x56x64-256": ([8, 56, 56, 64], 1, 256, 1, "same"),
    "R50 8x224x224x3-64": ([8, 224, 224, 3], 7, 64, 2, "same"),
}
REPLAYED = ("dense", "batch_norm", "adam", "sgd")
GRADIENTS = {"forward": [], "grad x": [0], "grad kernel": [1]}


def convolutions() -> Iterator[Row]:
    for name, (x, size, filters, strides, padding) in CONVOLUTIONS.items():
        channels = x[-1]
        positions = x[0]
        for extent in x[1:3]:
            positions *= -(-extent // strides) if padding == "same" else extent - size + 1
        flops = 2.0 * positions * size * size * channels * filters
        inputs = [x, [size, size, channels, filters]]
        for what, by in GRADIENTS.items():
            if what == "grad x" and channels < 32:
                continue  # these convolutions take the data; nobody asks for its gradient
            is_wanted = what == "forward" if size != 3 else channels >= 32
            needs = Needs(flops=flops) if is_wanted else None
            kind = "backward" if by else "forward"
            yield row(
                f"conv {size}x{size} {{}} {what}", name, "conv", inputs, needs, flops=flops,
                what=kind, by=by, strides=strides, padding=padding,
            )  # fmt: skip
    inputs = [[8, 56, 56, 128], [3, 3, 128, 1]]
    flops = 2.0 * 8 * 56 * 56 * 128 * 9
    moved = Needs(2 * ITEM * math.prod(inputs[0]), flops)
    for what, by in GRADIENTS.items():
        yield row(
            f"depthwise 3x3 {{}} {what}", "8x56x56x128", "depthwise_conv", inputs,
            None if by else moved, flops=flops, what="backward" if by else "forward", by=by,
            strides=1, padding="same",
        )  # fmt: skip


def products() -> Iterator[Row]:
    """GEMM, and the dense layers of MLPs."""
    for size in (64, 128, 256, 512, 1024, 2048):
        flops, square = 2.0 * size**3, [size, size]
        needs = Needs(3 * ITEM * size**2, flops) if size >= 256 else None
        yield row("GEMM {}", str(size), "matmul", [square, square], needs, flops=flops)
        yield row(
            "GEMM {} bias relu", str(size), "dense", [square, square, [size]], needs, flops=flops,
            activation="relu",
        )  # fmt: skip
    for batch in (1, 32, 256):
        for wide, units in ((784, 128), (784, 512), (512, 512)):
            inputs, flops = [[batch, wide], [wide, units], [units]], 2.0 * batch * wide * units
            name, weights = f"{batch}x{wide}-{units}", ITEM * wide * units
            once, thrice = Needs(weights, flops), Needs(3 * weights, 3 * flops)
            yield row(
                "dense {} forward", name, "dense", inputs, once, flops=flops, activation="relu"
            )
            yield row(
                "dense {} train", name, "dense", inputs, thrice, flops=3 * flops,
                activation="relu", what="both", by=[0, 1, 2],
            )  # fmt: skip


def pools() -> Iterator[Row]:
    for op in ("max_pool", "average_pool"):
        for x in ([128, 26, 26, 32], [64, 32, 32, 64]):
            sizes, needs = "x".join(map(str, x)), Needs(1.25 * ITEM * math.prod(x))
            yield row(op + " 2x2 {} forward", sizes, op, [x], needs, size=2)
            yield row(op + " 2x2 {} grad x", sizes, op, [x], needs, size=2, what="backward", by=[0])


def normalizations() -> Iterator[Row]:
    for x in ([64, 32, 32, 64], [8, 14, 14, 256]):
        sizes, inputs = "x".join(map(str, x)), [x, [x[-1]], [x[-1]]]
        # Statistics, then x to y; two sums, then x and its gradient to another: 8 times its size.
        needs = Needs(8 * ITEM * math.prod(x))
        yield row(
            "batch_norm {} train", sizes, "batch_norm", inputs, needs, what="both", by=[0, 1, 2]
        )
    inputs, sizes = [[4096, 512], [512], [512]], "4096x512"
    yield row("layer_norm {} forward", sizes, "layer_norm", inputs, None)
    yield row("layer_norm {} train", sizes, "layer_norm", inputs, None, what="both", by=[0, 1, 2])


def attentions() -> Iterator[Row]:
    """Each framework takes heads where its own function wants them."""
    for batch, length, heads, size in ((1, 512, 8, 64), (32, 64, 4, 32)):
        inputs = [[batch, length, heads, size]] * 3
        for causal in (False, True):
            flops = 4.0 * batch * heads * length**2 * size / (1 + causal)
            sizes = "x".join(map(str, inputs[0])) + (" causal" if causal else "")
            yield row(
                "attention {} forward", sizes, "attention", inputs, None, flops=flops,
                causal=causal,
            )  # fmt: skip
            yield row(
                "attention {} train", sizes, "attention", inputs, None, flops=3.5 * flops,
                causal=causal, what="both", by=[0, 1, 2],
            )  # fmt: skip


def activations() -> Iterator[Row]:
    for op in ("relu", "tanh", "sigmoid", "gelu", "exp"):
        for size in (100_000, 4_000_000):
            yield row(op + " {}", f"{size:,}", op, [[size // 1000, 1000]], Needs(2 * ITEM * size))
    for op in ("softmax", "log_softmax"):
        for x in ([128, 10], [256, 1000]):
            yield row(op + " {}", f"{x[0]}x{x[1]}", op, [x], Needs(2 * ITEM * x[0] * x[1]))
    for rows, classes in ((128, 10), (256, 1000), (64, 32000)):
        inputs = [[rows, classes], {"shape": [rows], "below": classes}]
        sizes, needs = f"{rows}x{classes}", Needs(2 * ITEM * rows * classes)
        yield row(
            "cross_entropy {} train", sizes, "cross_entropy", inputs, needs, what="both", by=[0]
        )


def others() -> Iterator[Row]:
    for op, passes in (("adam", 7), ("sgd", 5)):  # over weights, gradients and moments
        for size in (100_000, 1_000_000, 10_000_000):
            needs = Needs(passes * ITEM * size)
            yield row(op + " {}", f"{size:,}", op, [[size], [size]], needs)
    for x, units in (([64, 28, 28], 128), ([128, 128, 128], 128)):
        inputs = [x, [x[-1], 4 * units], [units, 4 * units], [4 * units]]
        sizes = f"{'x'.join(map(str, x))}-{units}"
        yield row("lstm {} forward", sizes, "lstm", inputs, None)
        yield row("lstm {} train", sizes, "lstm", inputs, None, what="both", by=[0, 1, 2, 3])
    yield row("sum of all {}", "1024x1024", "sum", [[1024, 1024]], None, axis=None)
    yield row("mean of columns {}", "1024x1024", "mean", [[1024, 1024]], None, axis=0)
    yield row("max of rows {}", "1024x1024", "max", [[1024, 1024]], None, axis=1)
    yield row("transpose {}", "2048x1024", "transpose", [[2048, 1024]], None, axes=[1, 0])
    yield row(
        "transpose NHWC-NCHW {}",
        "32x56x56x64",
        "transpose",
        [[32, 56, 56, 64]],
        None,
        axes=[0, 3, 1, 2],
    )
    inputs = [[20_000, 128], {"shape": [64, 128], "below": 20_000}]
    sizes = "64x128 of 20000x128"
    yield row("embedding {} forward", sizes, "embedding", inputs, None)
    yield row("embedding {} grad", sizes, "embedding", inputs, None, what="backward", by=[0])


def all_rows(threads: int, peak: float, clock: Clock = time.perf_counter) -> list[Row]:
    """Every row; the peak, in GFLOP/s, is what arithmetic is held against."""
    families = (
        *(convolutions(), products(), pools(), normalizations(), attentions(), activations()),
        others(),
    )
    rows = [with_bar(one, threads, peak, clock) for family in families for one in family]
    return [version for one in rows for version in versions(one)]


def versions(one: Row) -> Iterator[Row]:
    """The row, and where nkeras runs it in a function of its own the same without."""
    yield one
    if one.case["op"] in REPLAYED or one.case["what"] == "both":
        case, group = {**one.case, "eager": True}, f"{one.group}, eager"
        yield replace(one, name=f"{one.name}, eager", case=case, bars=(), group=group)


def main() -> None:
    chosen = options(__doc__, rounds=5).parse_args()
    clock = time.process_time if chosen.cpu_time else time.perf_counter
    peak = fma_peak(chosen.threads, clock)
    print(f"fused multiply-add in registers: {peak:.0f} GFLOP/s on {chosen.threads} threads")
    question = Question("ops", all_rows(chosen.threads, peak, clock), FRAMEWORKS, chosen)
    question.take_turns(FOLDER / "ops_worker.py", **{"FMA peak, GFLOP/s": peak})


if __name__ == "__main__":
    main()
