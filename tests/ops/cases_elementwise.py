"""Arguments of every elementwise operation; `*_grad_*` are covered through their parents."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from nkeras import ops
from nkeras.core.elementwise import Elementwise
from nkeras.core.primitive import PRIMITIVES, Primitive
from tests.ops.cases import Case, floats, ints

for _module in pkgutil.walk_packages(ops.__path__, "nkeras.ops."):  # they register primitives
    importlib.import_module(_module.name)

# Ranges in which the function is smooth; (-2, 2) for all others. One range for each argument.
RANGES: dict[str, tuple[tuple[float, float], ...]] = {
    "divide": ((-2, 2), (0.5, 2)),
    "divide_no_nan": ((-2, 2), (0.5, 2)),
    "floor_divide": ((-2, 2), (0.5, 2)),
    "mod": ((0.6, 2.0), (2.1, 3.0)),
    "fmod": ((0.6, 2.0), (2.1, 3.0)),
    "power": ((0.2, 2), (-2, 2)),
    "power_in_the_plane": ((0.2, 2), (-2, 2)),
    "clip": ((-2, 2), (-1, -0.5), (0.5, 1)),
    "arcsin": ((-0.9, 0.9),),
    "arccos": ((-0.9, 0.9),),
    "arctanh": ((-0.9, 0.9),),
    "erfinv": ((-0.9, 0.9),),
    "arccosh": ((1.2, 3),),
    "box_muller": ((0.1, 0.9), (0.1, 0.9)),
    "truncated_normal_quantile": ((0.1, 0.9),),
    "sigmoid_cross_entropy": ((0, 1), (-2, 2)),
    "binary_cross_entropy": ((0, 1), (0.2, 0.8), (0.01, 0.1), (0.9, 0.99)),
    "threshold_relu": ((-2, 2), (0.1, 0.3), (1, 1.5), (0.2, 0.4)),
    "celu": ((-2, 2), (0.5, 1.5)),
    "elu": ((-2, 2), (0.5, 1.5)),
    "squareplus": ((-2, 2), (1, 4)),
    "hard_shrink": ((-2, 2), (0.3, 0.7)),
    "soft_shrink": ((-2, 2), (0.3, 0.7)),
    "huber": ((-2, 2), (0.5, 1)),
    "erfc": ((-2, 4),),
    **dict.fromkeys(
        ("rgb_hue", "rgb_saturation", "rgb_value"),
        ((0.7, 1), (0.35, 0.6), (0.05, 0.3), (1e-4, 1e-3)),
    ),
    "hsv_channel": ((0.2, 0.3), (0.1, 0.9), (0.1, 0.9), (0.05, 0.1)),
    "shifted_tone": ((-1, 1), (-1, 1), (-3, -2.5), (2.5, 3)),
    "blended_tone": ((-1, 1), (-1, 1), (0, 1), (-3, -2.5), (2.5, 3)),
    "posterized_tone": ((0.1, 0.9), (7.9, 8.1), (-0.1, 0), (1, 1.1)),
    "solarized_tone": ((0.1, 0.4), (0, 1), (150, 160), (-0.1, 0), (1, 1.1)),
    "stretched_tone": ((0.2, 0.8), (0.05, 0.15), (0.85, 0.95), (-1, 0), (1, 2)),
    "saturated_tone": ((0.2, 0.8), (0.8, 0.9), (0.1, 0.2), (0.3, 1.0)),
    "triangle_window": ((0.1, 0.9),),
    "cubic_window": ((-0.9, 0.9),),
    "lanczos_window": ((0.1, 2), (2.5, 5)),
    "over_root": ((-2, 2), (0.2, 2)),
    "over_root_of_product": ((-2, 2), (0.2, 2), (0.2, 2)),
    **{
        name: ((0.2, 2),)
        for name in ("sqrt", "root", "reciprocal_root", "rsqrt", "log", "log1p", "log2", "log10")
    },
    **{name: ((0.3, 2),) for name in ("cbrt", "reciprocal", "reciprocal_square")},
}


def case_of(operation: Elementwise) -> Case:
    """The second and later arguments broadcast, so that their gradients are sums."""
    count = len(operation.arguments)
    shapes = [(2, 3), *[(3,)] * (count - 1)]
    if operation.name.startswith("bitwise"):
        return Case(tuple(ints(5, *shape) for shape in shapes), {})
    ranges = RANGES.get(operation.name, ((-2, 2),) * count)
    arrays: list[Any] = []
    for shape, limits, name in zip(shapes, ranges, operation.arguments, strict=True):
        array = floats(*shape, low=limits[0], high=limits[1])
        arrays.append(array > 0 if name in operation.scalar.conditions else array)
    if operation.name in ("floor", "ceil", "trunc", "rint", "floor_divide", "posterized_tone"):
        return Case(tuple(arrays), {}, gradient=False)  # flat between jumps
    return Case(tuple(arrays), {})


def is_of_a_test(primitive: Primitive) -> bool:
    """Other tests of this process may have registered their own; derived ones have no module."""
    if (
        isinstance(primitive, Elementwise)
        and "<doctest" in primitive.scalar.function.__code__.co_filename
    ):
        return True
    return not (primitive.__module__ or "nkeras").startswith("nkeras")


def elementwise_operations() -> list[Elementwise]:
    """All of nkeras that are no gradients of others."""
    return [
        primitive
        for primitive in PRIMITIVES.values()
        if isinstance(primitive, Elementwise)
        and "_grad_" not in primitive.name
        and not is_of_a_test(primitive)
    ]
