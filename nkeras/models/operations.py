"""Calls of operations in a functional model, as Keras writes them, and back.

Keras has a class for each operation. Arguments that are tensors stand in the call, the others in
the configuration of the class.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from nkeras import ops
from nkeras.core.errors import short
from nkeras.core.primitive import PRIMITIVES
from nkeras.core.serialization import deserialize_keras_object, get_registered_object
from nkeras.core.typing import Config, Structure

# (file of Keras' operations, arguments that stand in the call, functions of nkeras.ops)
_ROWS = (
    ("core", "x", "cast"),
    ("core", "indices values", "scatter"),
    ("core", "inputs indices updates", "scatter_update"),
    ("core", "inputs start_indices", "slice"),
    ("core", "inputs start_indices updates", "slice_update"),
    ("core", "variable", "stop_gradient"),
    ("core", "x", "unstack"),
    ("einops", "tensor pattern", "rearrange"),
    (
        "image",
        "images",
        """rgb_to_grayscale rgb_to_hsv hsv_to_rgb resize extract_patches pad_images
        crop_images gaussian_blur elastic_transform sobel_edges""",
    ),
    ("image", "images transform", "affine_transform"),
    ("image", "volumes", "extract_patches_3d"),
    ("image", "inputs coordinates", "map_coordinates"),
    ("image", "images start_points end_points", "perspective_transform"),
    ("image", "images output_shape scale translation", "scale_and_translate"),
    ("image", "image1 image2", "ssim"),
    (
        "linalg",
        "x",
        """cholesky cholesky_inverse det eig eigh inv lu_factor norm qr svd matrix_rank
        pinv""",
    ),
    ("linalg", "a b", "solve solve_triangular lstsq"),
    ("math", "data segment_ids", "segment_sum segment_max segment_min segment_prod"),
    (
        "math",
        "x",
        """top_k logsumexp extract_sequences fft fft2 ifft2 rfft irfft stft istft rsqrt erf
        erfc erfinv logdet view_as_complex view_as_real""",
    ),
    ("math", "targets predictions", "in_top_k"),
    ("math", "x y", "cdist"),
    (
        "nn",
        "x",
        """relu relu6 sigmoid sparse_sigmoid softplus softsign soft_shrink sparse_plus silu
        squareplus log_sigmoid leaky_relu hard_sigmoid hard_silu elu selu gelu celu glu
        tanh_shrink hard_tanh hard_shrink threshold softmax log_softmax sparsemax
        one_hot moments normalize unfold fold depth_to_space space_to_depth""",
    ),
    (
        "nn",
        "inputs",
        """max_pool adaptive_max_pool average_pool adaptive_average_pool multi_hot""",
    ),
    ("nn", "inputs kernel", "conv depthwise_conv conv_transpose"),
    ("nn", "inputs depthwise_kernel pointwise_kernel", "separable_conv"),
    (
        "nn",
        "target output",
        """binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy""",
    ),
    ("nn", "x mean variance offset scale", "batch_normalization"),
    ("nn", "target output target_length output_length", "ctc_loss"),
    ("nn", "inputs sequence_lengths", "ctc_decode"),
    ("nn", "x1 x2", "psnr"),
    ("nn", "query key value bias mask scale", "dot_product_attention"),
    ("nn", "x scale", "rms_normalization"),
    ("nn", "x gamma beta", "layer_normalization"),
    ("nn", "abs_ angle", "polar"),
    ("numpy", "array", "rot90"),
    (
        "numpy",
        "x",
        """absolute fabs all angle any amax amin arccos arccosh arcsin arcsinh arctan
        arctanh argmax argmin argsort array view bincount bitwise_invert bitwise_not
        broadcast_to cbrt ceil clip conjugate copy cos cosh count_nonzero cumprod cumsum
        deg2rad rad2deg diag diagflat diagonal empty_like exp exp2 expand_dims expm1
        flip fliplr flipud floor hsplit imag i0 isfinite isinf isnan isneginf isposinf
        isreal log log10 log1p log2 logical_not max median min moveaxis nanargmax
        nanargmin nancumsum nancumprod nanmax nanmean nanmedian nanmin nanprod nanstd
        nansum nanvar nan_to_num ndim nonzero ones_like zeros_like prod ptp ravel real
        reciprocal repeat reshape roll round sign signbit sin sinc sinh size sort split
        stack std swapaxes tan tanh tile trace tril triu trunc vsplit negative square
        sqrt squeeze transpose mean vander var sum corrcoef slogdet argpartition
        histogram array_split unique dsplit""",
    ),
    (
        "numpy",
        "x1 x2",
        """add allclose append arctan2 heaviside cross dot equal gcd greater greater_equal
        hypot isin kron lcm ldexp less less_equal logaddexp logaddexp2 logical_and
        logical_or matmul maximum fmax minimum fmin mod fmod not_equal outer tensordot
        vdot inner subtract multiply divide divide_no_nan true_divide power nextafter
        floor_divide logical_xor correlate""",
    ),
    ("numpy", "start stop step", "arange"),
    ("numpy", "x weights", "average"),
    (
        "numpy",
        "x y",
        """bitwise_and bitwise_or bitwise_xor bitwise_left_shift left_shift
        bitwise_right_shift right_shift""",
    ),
    ("numpy", "xs", "concatenate dstack hstack vstack"),
    ("numpy", "x bins", "digitize"),
    ("numpy", "*operands", "einsum"),
    ("numpy", "x constant_values", "pad"),
    ("numpy", "fill_value", "full"),
    ("numpy", "x fill_value", "full_like"),
    ("numpy", "x key", "get_item"),
    ("numpy", "x1 x2 rtol atol", "isclose"),
    ("numpy", "*x", "meshgrid"),
    ("numpy", "x q", "nanpercentile nanquantile percentile quantile"),
    ("numpy", "indices", "unravel_index"),
    ("numpy", "sorted_sequence values", "searchsorted"),
    ("numpy", "x indices", "take take_along_axis"),
    ("numpy", "condition x1 x2", "where"),
    ("numpy", "y", "trapezoid"),
    ("numpy", "condlist choicelist default", "select"),
)

# Classes that are not named as the function is.
_CLASSES = {
    "rgb_to_grayscale": "RGBToGrayscale",
    "rgb_to_hsv": "RGBToHSV",
    "hsv_to_rgb": "HSVToRGB",
    "extract_patches_3d": "ExtractPatches",
    "ssim": "SSIM",
    "svd": "SVD",
    "cdist": "CDist",
    "fft": "FFT",
    "fft2": "FFT2",
    "ifft2": "IFFT2",
    "rfft": "RFFT",
    "irfft": "IRFFT",
    "stft": "STFT",
    "istft": "ISTFT",
    "batch_normalization": "BatchNorm",
    "ctc_loss": "CTCLoss",
    "ctc_decode": "CTCDecode",
    "psnr": "PSNR",
    "rms_normalization": "RMSNorm",
    "layer_normalization": "LayerNorm",
    "allclose": "AllClose",
    "isin": "IsIn",
    "searchsorted": "SearchSorted",
}


class _Operation(NamedTuple):
    function: str
    module: str
    class_name: str
    called_with: tuple[str, ...]


def _operations() -> Iterator[_Operation]:
    for file, called_with, names in _ROWS:
        for name in names.split():
            words = "".join(word[:1].upper() + word[1:] for word in name.split("_"))
            class_name = _CLASSES.get(name, words)
            module = f"keras.src.ops.{file}"
            yield _Operation(name, module, class_name, tuple(called_with.split()))


_BY_FUNCTION = {operation.function: operation for operation in _operations()}
_BY_CLASS = {operation.class_name: operation for operation in reversed(_BY_FUNCTION.values())}


def describe(
    function: Callable[..., Any], name: str, arguments: Structure, named: dict[str, Any]
) -> tuple[Config, list[Any], dict[str, Any]]:
    """The configuration of a call of an operation, and what stands in the call.

    Args:
        function: the operation.
        name: of the call in the model.
        arguments: positional arguments.
        named: named arguments.

    Returns:
        Configuration without the call; positional and named arguments of the call. An operation
        that Keras has not is described for nkeras alone.
    """
    operation = _BY_FUNCTION.get(_name_in_keras(function.__name__))
    if operation is None or not _is_ours(function):
        config = {"module": "nkeras.ops", "class_name": function.__name__, "config": {"name": name}}
        return {**config, "registered_name": None}, list(arguments), named
    signature = inspect.signature(function)
    bound = signature.bind(*arguments, **named)
    given = dict(bound.arguments)
    lengths: dict[str, Any] = {}  # named freely, as those of `rearrange`
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            lengths = given.pop(parameter.name, {})
    bound.apply_defaults()
    called: list[Any] = []
    for parameter in operation.called_with:
        argument = parameter.lstrip("*")
        given.pop(argument, None)
        value = bound.arguments[argument]
        called += value if parameter.startswith("*") else [value]
    if operation.function == "get_item" and isinstance(called[1], slice):
        called[1] = (called[1],)  # all that Keras takes
    if operation.function == "extract_patches_3d" and isinstance(given["size"], int):
        given["size"] = (given["size"],) * 3  # the class is that of two axes
    described = {
        "module": operation.module,
        "class_name": operation.class_name,
        "config": {"name": name, **given},
        "registered_name": operation.class_name,
    }
    return described, called, lengths


def find(described: Config) -> Callable[..., Structure]:
    """The operation that a configuration describes, to be called with what stands in the call.

    Raises:
        ValueError: it is none that nkeras has.
    """
    name = described["class_name"]
    if str(described.get("module")).startswith("keras.src.ops."):
        operation = _BY_CLASS.get(name)
        function = None if operation is None else _function(operation.function)
        if operation is None or function is None:
            raise ValueError(f"nkeras has no operation {short(name)} of Keras.")
        static = {key: value for key, value in described["config"].items() if key != "name"}
        return _with_static(function, operation, deserialize_keras_object(static))
    function = get_registered_object(name) or _function(name)
    if function is None:
        raise ValueError(
            f"There is no operation {short(name)}. One of your own must be defined, or given in "
            "`custom_objects`, before."
        )
    return function


def _with_static(
    function: Callable[..., Structure], operation: _Operation, static: Config
) -> Callable[..., Structure]:
    names = operation.called_with
    if operation.function == "get_item":  # JSON has no tuples
        return lambda x, key: function(x, tuple(key) if isinstance(key, list) else key)
    if names[0].startswith("*"):
        first = [static.pop("subscripts")] if "subscripts" in static else []
        return lambda *called, **named: function(*first, *called, **named, **static)
    return lambda *called, **named: function(
        **dict(zip(names, called, strict=False)), **named, **static
    )


def _name_in_keras(name: str) -> str:
    name = name.rstrip("_")
    return {"getitem": "get_item", "conj": "conjugate"}.get(name, name)


def _is_ours(function: Callable[..., Any]) -> bool:
    return str(getattr(function, "__module__", "")).startswith("nkeras.")


def _function(name: str) -> Any:
    """An operation by name: one of Keras', or a primitive."""
    if _name_in_keras(name) in _BY_FUNCTION:
        return vars(ops).get(_name_in_keras(name)) or vars(ops.image).get(name)
    return PRIMITIVES.get(name.strip("_"))
