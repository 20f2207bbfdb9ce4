"""One call of every name of `nkeras.ops` and `nkeras.random`, as an expression over the inputs.

`ops` stands for the framework's own functions: `nkeras.ops`, `keras.ops` or NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

SIZES = {"small": 32, "large": 1000}
"""Rows, and columns, of most inputs: about 1,000 and 1,000,000 elements."""

CASES: dict[str, str] = {}
"""By name of the op."""

NOT_TIMED = {
    "cond": "calls one of two functions",
    "switch": "calls one of some functions",
    "custom_gradient": "wraps a function",
    "dtype": "reads an attribute",
    "is_tensor": "asks for a type",
    "ndim": "reads an attribute",
    "shape": "reads an attribute",
    "size": "reads an attribute",
    "random.SeedGenerator": "is a class",
}
"""Names without a case, and why."""


def add(names: str, expression: str = "{}(x)") -> None:
    """`{}` in the expression stands for the op."""
    for name in names.split():
        call = f"ops.{name}" if not name.startswith("random.") else name
        CASES[name] = expression.replace("{}", call)


add(
    "abs absolute negative sign square floor ceil trunc exp expm1 sin cos tan arctan sinh "
    "cosh tanh arcsinh erf erfc isnan isinf isfinite isposinf isneginf signbit deg2rad "
    "rad2deg sinc fabs cbrt round nan_to_num i0 exp2 logical_not relu relu6 sigmoid "
    "log_sigmoid softplus softsign silu swish leaky_relu elu selu celu gelu hard_sigmoid "
    "hard_silu hard_swish hard_tanh hard_shrink soft_shrink tanh_shrink squareplus "
    "sparse_plus sparse_sigmoid softmax log_softmax sparsemax glu"
)
add("sqrt rsqrt log log1p log2 log10 reciprocal", "{}(p)")
add("arcsin arccos arctanh erfinv", "{}(unit)")
add("arccosh", "{}(p + 1.0)")
add("bitwise_not bitwise_invert", "{}(i)")
add("threshold", "{}(x, 0.5, -1.0)")
add(
    "add subtract multiply maximum minimum divide true_divide divide_no_nan floor_divide mod fmod "
    "fmax fmin heaviside logaddexp logaddexp2 hypot arctan2 nextafter equal not_equal greater "
    "greater_equal less less_equal isclose allclose",
    "{}(x, y)",
)
add("power", "{}(p, y)")
add("logical_and logical_or logical_xor", "{}(b, c)")
add(
    "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift left_shift "
    "right_shift gcd lcm",
    "{}(i, j)",
)
add("ldexp", "{}(x, i)")
add("clip", "{}(x, -1.0, 1.0)")
add("where", "{}(b, x, y)")
add("select", "{}([b, c], [x, y], 5.0)")

add(
    "sum mean prod max min amax amin any all std var logsumexp median ptp argmax argmin "
    "count_nonzero cumsum cumprod sort argsort",
    "{}(x, axis=1)",
)
add(
    "nansum nanmean nanmax nanmin nanstd nanvar nanprod nanmedian nancumsum nancumprod nanargmax "
    "nanargmin",
    "{}(holes, axis=1)",
)
add("quantile", "{}(x, 0.3, axis=1)")
add("nanquantile", "{}(holes, 0.3, axis=1)")
add("percentile", "{}(x, 30.0, axis=1)")
add("nanpercentile", "{}(holes, 30.0, axis=1)")
add("argpartition", "{}(x, 5)")
add("average", "{}(x, axis=1, weights=row)")
add("moments", "{}(x, axes=(0,))")
add("bincount", "{}(classes)")
add("histogram", "{}(flat)")
add("corrcoef")
add("diff trapezoid")
add("top_k", "{}(flat, 10)")
add("ctc_loss", "{}(said, heard, pauses // 4, pauses)")
add("ctc_decode", "{}(heard, pauses)[1]")
add("in_top_k", "{}(labels, x, 5)")
add("searchsorted", "{}(line, flat)")
add("digitize", "{}(flat, line)")
add("isin", "{}(i, labels)")
add("nonzero", "{}(b)")
add("unique", "{}(classes)")
add("segment_sum segment_max segment_min segment_prod", "{}(x, groups, num_segments=10)")
add("normalize", "{}(x)")
add("psnr", "{}(x, y, 1.0)")
add("cdist", "{}(x, y)")

add("reshape", "{}(x, (-1,))")
add("swapaxes moveaxis", "ops.reshape({}(x, 0, 1), (-1,))")
add("transpose", "ops.reshape({}(x), (-1,))")
add("broadcast_to", "{}(row, x.shape) * 1.0")
add("concatenate stack hstack vstack dstack", "{}([x, y])")
add("expand_dims", "{}(x, 0)")
add("squeeze", "{}(x[None])")
add("flip fliplr flipud ravel copy rot90", "{}(x)")
add("pad", "{}(x, ((1, 2), (2, 1)))")
add("get_item", "{}(x, (slice(1, None), slice(None, -1)))")
add("append", "{}(x, y, axis=1)")
add("split array_split", "{}(x, 4, axis=1)")
add("hsplit vsplit", "{}(x, 4)")
add("dsplit", "{}(cube, 4)")
add("unstack", "{}(x[:16])")
add("tile", "{}(x, (2, 1))")
add("repeat", "{}(x, 2, axis=1)")
add("roll", "{}(x, 3, axis=1)")
add("slice", "{}(x, (1, 1), (10, 10))")
add("slice_update", "{}(x, (1, 1), x[:10, :10])")
add("take", "{}(x, labels, axis=0)")
add("take_along_axis", "{}(x, places, axis=1)")
add("scatter", "{}(labels[:, None], x, x.shape)")
add("scatter_update", "{}(x, labels[:, None], y)")
add("unravel_index", "{}(classes, (32, 32))")
add("one_hot", "{}(labels, 1000)")
add("multi_hot", "{}(j, 10)")
add("tril triu diag diagonal trace")
add("diagflat", "{}(row)")
add("meshgrid", "{}(row, row)")
add("vander", "{}(row, 10)")
add("zeros ones empty", "{}((count, count))")
add("full", "{}((count, count), 2.5)")
add("zeros_like ones_like empty_like")
add("full_like", "{}(x, 2.5)")
add("array convert_to_tensor convert_to_numpy stop_gradient")
add("arange", "{}(count * count)")
add("linspace logspace", "{}(0.0, 1.0, count * count)")
add("geomspace", "{}(1.0, 10.0, count * count)")
add("eye identity tri", "{}(count)")
add("hanning hamming blackman bartlett", "{}(count * count)")
add("kaiser", "{}(count * count, 5.0)")
add("cast saturate_cast", "{}(x, 'int32')")

add("matmul dot inner", "{}(x, y)")
add("outer", "{}(row, row)")
add("vdot", "{}(x, y)")
add("tensordot", "{}(x, y, 1)")
add("kron", "{}(x[:30, :30], y[:30, :30])")
add("cross", "{}(x[:, :3], y[:, :3])")
add("correlate", "{}(flat, row[:20])")
add("einsum", "{}('ij,kj->ik', x, y)")
add("cholesky", "{}(ops.matmul(x, ops.transpose(x)) + 4.0 * ops.eye(count))")
add("cholesky_inverse inv det slogdet logdet", "{}(x + 80.0 * ops.eye(count))")
add("solve solve_triangular lstsq", "{}(x + 80.0 * ops.eye(count), y)")
add("eigh", "{}(x + ops.transpose(x))")
add("eig", "{}(x)")
add("real imag conj conjugate angle isreal view_as_real", "{}(x * (1.0 + 2.0j))")
add("polar", "{}(x, y)")
add("view_as_complex", "{}(cube[..., :2])")
add("fft fft2 ifft2 irfft", "{}((x, y))")
add("rfft")
add("extract_sequences", "{}(flat, 64, 32)")
add("stft", "{}(flat, 64, 32, 64)")
add("istft", "{}((x[:, :33], y[:, :33]), 64, 32, 64)")
add("jvp", "{}(ops.sin, (x,), (y,))")
add("vectorize", "{}(lambda a: a * 2.0)(x)")
add("view", "{}(x, 'int32')")
add("rearrange", "{}(x, 'a b -> (b a)')")
add("pinv matrix_rank qr lu_factor svd norm")
add("dot_product_attention", "{}(heads, heads, heads)")
add("conv", "{}(image, kernel, padding='same')")
add("conv_transpose", "{}(image, kernel, 2)")
add("depthwise_conv", "{}(image, depthwise, padding='same')")
add("separable_conv", "{}(image, depthwise, pointwise, padding='same')")
add("max_pool average_pool", "{}(image, 2)")
add("adaptive_average_pool adaptive_max_pool", "{}(image, (9, 9))")
add("depth_to_space space_to_depth", "{}(image, 2)")
add("unfold", "{}(image, 3, padding=1)")
add("fold", "{}(ops.unfold(image, 3), image.shape[2:], 3)")
add(
    "image.rgb_to_grayscale image.rgb_to_hsv image.hsv_to_rgb image.sobel_edges",
    "{}(photos)",
)
add("image.resize", "{}(photos, (112, 112))")
add("image.affine_transform", "{}(photos, moves)")
add("image.perspective_transform", "{}(photos, corners, corners + 0.5)")
add("image.map_coordinates", "{}(x, coordinates, 1)")
add("image.elastic_transform", "{}(photos, seed=1)")
add("image.gaussian_blur", "{}(photos, (5, 5), (1.0, 1.0), 'channels_last')")
add("image.ssim", "{}(photos, photos)")
add("image.pad_images image.crop_images", "{}(photos, 8, 8, 8, 8)")
add("image.extract_patches", "{}(photos, 16)")
add("image.extract_patches_3d", "{}(volumes, 4)")
add(
    "image.scale_and_translate",
    "{}(photos, (len(photos), 112, 112, 3), ops.array([0.5, 0.5]), ops.array([0.0, 0.0]), "
    "(1, 2), 'linear')",
)
add("batch_normalization", "{}(image, channel, channel, axis=-1)")
add("layer_normalization rms_normalization", "{}(x)")
add("binary_crossentropy", "{}(probabilities, probabilities)")
add("categorical_crossentropy", "{}(probabilities, x, from_logits=True)")
add("sparse_categorical_crossentropy", "{}(labels, x, from_logits=True)")

add("map vectorized_map", "{}(lambda r: r * 2.0 + 1.0, x[:200])")
add("scan", "{}(lambda c, r: (c + r, c), x[0], x[:200])")
add("associative_scan", "{}(lambda a, b: a + b, x[:200])")
add("while_loop", "{}(lambda v: ops.sum(v) < 0.0, lambda v: v + 1.0, x * x)")
add("fori_loop", "{}(0, 20, lambda k, v: v + 1.0, x)")

add("random.normal random.uniform random.truncated_normal", "{}((count, count), seed=1)")
add("random.randint", "{}((count, count), 0, 100, seed=1)")
add("random.gamma", "{}((count, count), 2.0, seed=1)")
add("random.beta", "{}((count, count), 2.0, 3.0, seed=1)")
add("random.binomial", "{}((count, count), 10.0, 0.3, seed=1)")
add("random.categorical", "{}(x, 10, seed=1)")
add("random.dropout", "{}(x, 0.3, seed=1)")
add("random.shuffle", "{}(x, seed=1)")


def inputs(expression: str, count: int) -> dict[str, np.ndarray]:
    """The arrays that an expression names, the same for every framework."""
    names = set(compile(expression, "case", "eval").co_names)
    for code in compile(expression, "case", "eval").co_consts:
        names |= set(getattr(code, "co_names", ()))
    return {name: make(count) for name, make in _INPUTS.items() if name in names}


def _random(name: str) -> np.random.Generator:
    return np.random.default_rng(sum(name.encode()))


def _floats(name: str, low: float, high: float) -> Callable[[int], np.ndarray]:
    return lambda n: _random(name).uniform(low, high, (n, n)).astype("float32")


def _integers(name: str, low: int, high: int) -> Callable[[int], np.ndarray]:
    return lambda n: _random(name).integers(low, high, (n, n)).astype("int32")


def _holes(n: int) -> np.ndarray:
    x = _floats("holes", -2, 2)(n)
    x[_random("where").random((n, n)) < 0.1] = np.nan
    return x


def _image(*shape: int) -> Callable[[int], np.ndarray]:
    """Sizes of -1 grow with the count."""

    def make(n: int) -> np.ndarray:
        sizes = [(8 if n > 100 else 1) if size == -1 else size for size in shape]
        return _random("image").normal(size=sizes).astype("float32")

    return make


def _photos(*shape: int) -> Callable[[int], np.ndarray]:
    """Like `_image`, from 0 to 1."""
    return lambda n: np.clip(_image(*shape)(n) / 4 + 0.5, 0.0, 1.0)


_INPUTS: dict[str, Callable[[int], Any]] = {
    "x": _floats("x", -2, 2),
    "y": _floats("y", -2, 2),
    "p": _floats("p", 0.05, 2),
    "unit": _floats("unit", -0.95, 0.95),
    "probabilities": _floats("probabilities", 0.01, 0.99),
    "holes": _holes,
    "flat": lambda n: _random("flat").normal(size=n * n).astype("float32"),
    "row": lambda n: _random("row").normal(size=n).astype("float32"),
    "line": lambda n: np.sort(_random("line").normal(size=10 * n)).astype("float32"),
    "cube": lambda n: _random("cube").normal(size=(n, n // 8, 8)).astype("float32"),
    "i": _integers("i", -5, 6),
    "j": _integers("j", 1, 6),
    "places": lambda n: _random("places").integers(0, n, (n, n)).astype("int32"),
    "labels": lambda n: _random("labels").integers(0, n, n).astype("int32"),
    "groups": lambda n: np.sort(_random("groups").integers(0, 10, n)).astype("int32"),
    "classes": lambda n: _random("classes").integers(0, 1000, n * n).astype("int32"),
    "b": lambda n: _random("b").random((n, n)) < 0.5,
    "c": lambda n: _random("c").random((n, n)) < 0.5,
    "image": _image(-1, 56, 56, 32),
    "photos": _photos(-1, 224, 224, 3),
    "volumes": _photos(-1, 16, 32, 32, 4),
    "moves": lambda n: np.tile(
        np.array([1.02, 0.1, -5, 0.1, 0.97, 4, 0, 0], "float32"), (8 if n > 100 else 1, 1)
    ),
    "corners": lambda n: np.tile(
        np.array([[[0, 3], [5, 220], [200, 0], [222, 223]]], "float32"),
        (8 if n > 100 else 1, 1, 1),
    ),
    "coordinates": lambda n: _random("coordinates").uniform(0, n, (2, n, n)).astype("float32"),
    "heads": _image(-1, 64, 8, 32),
    "kernel": _image(3, 3, 32, 32),
    "depthwise": _image(3, 3, 32, 1),
    "pointwise": _image(1, 1, 32, 32),
    "heard": lambda n: _random("heard").normal(size=(8, n // 4, 30)).astype("float32"),
    "said": lambda n: _random("said").integers(1, 30, (8, n // 16)).astype("int32"),
    "pauses": lambda n: np.full(8, n // 4, "int32"),
    "channel": lambda n: _random("channel").uniform(0.5, 1.5, 32).astype("float32"),
}
