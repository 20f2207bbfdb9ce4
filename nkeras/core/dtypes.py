"""dtype names, as strings, and their promotion, as in Keras (the lattice of JAX).

Source: https://docs.jax.dev/en/latest/jep/9407-type-promotion.html
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from nkeras.core import config
from nkeras.core.errors import short
from nkeras.core.strings import STRING, no_text

try:
    import ml_dtypes  # also makes "bfloat16" a dtype name that NumPy knows
except ModuleNotFoundError:  # it has no wheel for this machine
    ml_dtypes = None

FLOATS = ("bfloat16", "float16", "float32", "float64")
INTEGERS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
COMPLEX = ("complex64", "complex128")
HALVES = ("bfloat16", "float16")

_NUMPY: dict[str, np.dtype] = {
    name: np.dtype(name)
    for name in ("bool", *INTEGERS, *FLOATS, *COMPLEX)
    if name != "bfloat16" or ml_dtypes is not None
}
DTYPES = tuple(_NUMPY)  # those that can be had here
_NAMES: dict[object, str] = {dtype: name for name, dtype in _NUMPY.items()}
_NAMES_OF_ARRAYS = {**_NAMES, np.dtype(object): STRING}

# Edges of the promotion lattice; "int", "float" and "complex" are the weak types of
# Python numbers.
_ABOVE: dict[str, tuple[str, ...]] = {
    "bool": ("int",),
    "int": ("uint8", "int8"),
    "uint8": ("uint16", "int16"),
    "uint16": ("uint32", "int32"),
    "uint32": ("uint64", "int64"),
    "uint64": ("float",),
    "int8": ("int16",),
    "int16": ("int32",),
    "int32": ("int64",),
    "int64": ("float",),
    "float": ("bfloat16", "float16", "complex"),
    "bfloat16": ("float32",),
    "float16": ("float32",),
    "float32": ("float64", "complex64"),
    "float64": ("complex128",),
    "complex": ("complex64",),
    "complex64": ("complex128",),
    "complex128": (),
}


def standardize(dtype: Any) -> str:
    """The name of a dtype: of a string, a dtype of NumPy, TensorFlow or torch, a type of Python.

    None is `floatx`.

    Raises:
        ValueError: nkeras has no such dtype, or not on this machine.
    """
    if dtype is None:
        return config.floatx()
    if isinstance(dtype, str) and dtype in _NUMPY:
        return dtype
    if dtype in _PYTHON:
        return _PYTHON[dtype]
    try:
        name = _NAMES[np.dtype(_foreign_name(dtype) or dtype).newbyteorder("=")]
    except (TypeError, KeyError):
        config.require(dtype)
        raise ValueError(
            f"Invalid dtype: {short(dtype)}. nkeras has {', '.join(DTYPES)}."
        ) from None
    return name


def standardize_dtype(dtype: Any) -> str:
    """As `standardize`, and `"string"` (also for `str`), the dtype of tensors of text.

    Args:
        dtype: string, dtype of NumPy, TensorFlow or torch, Python type, or None for `floatx`.

    Returns:
        The name.

    Raises:
        ValueError: nkeras has no such dtype, or not on this machine.

    Example:
        >>> standardize_dtype(float), standardize_dtype("string")
        ('float32', 'string')

    Source: https://keras.io/api/utils/backend_utils/
    """
    if dtype is str or STRING in (dtype, _foreign_name(dtype)):
        return STRING
    return standardize(dtype)


def _foreign_name(dtype: Any) -> str | None:
    """What TensorFlow and torch call theirs: `tf.float32`, `torch.int64`."""
    library = type(dtype).__module__.partition(".")[0]
    if library == "tensorflow":
        return dtype.name
    return str(dtype).removeprefix("torch.") if library == "torch" else None


_PYTHON: dict[object, str] = {
    bool: "bool",
    int: "int32",
    float: "float32",
    complex: "complex64",
    "int": "int32",
}


def name_of(dtype: np.dtype) -> str:
    """The name of an array's dtype, fast; KeyError where nkeras does not have it."""
    return _NAMES_OF_ARRAYS[dtype]


def to_numpy(name: str) -> np.dtype:
    """The NumPy dtype of a name."""
    return _NUMPY[name]


def limits(name: str) -> tuple[Any, Any]:
    """The lowest and the highest finite number of a dtype, which is not bool."""
    if name == "bfloat16":
        assert ml_dtypes is not None  # or the name would have been refused
        facts = ml_dtypes.finfo(_NUMPY[name])
    else:
        facts = np.iinfo(_NUMPY[name]) if is_integer(name) else np.finfo(_NUMPY[name])
    return facts.min, facts.max


def epsilon(name: str) -> float:
    """The distance of 1 to the next number of a floating dtype that arithmetic is done in."""
    return float(np.finfo("float32" if name in HALVES else name).eps)


def is_floating(name: str) -> bool:
    """Whether values of the dtype are real numbers that can have gradients."""
    return name in FLOATS


def is_complex(name: str) -> bool:
    """Whether values of the dtype are complex numbers."""
    return name in COMPLEX


def no_complex(owner: str, dtype: str) -> TypeError:
    """What an operation raises that means nothing for complex numbers."""
    return TypeError(
        f"{owner}: this is not done with complex numbers. Received dtype {dtype}; take `ops.real`, "
        "`ops.imag` or `ops.absolute` of them."
    )


def is_differentiable(name: str) -> bool:
    """Whether values of the dtype can have gradients: real or complex numbers."""
    return name in _DIFFERENTIABLE


_DIFFERENTIABLE = frozenset(FLOATS + COMPLEX)


def complex_of(name: str) -> str:
    """The complex dtype whose parts have, at least, the precision of a dtype of real numbers."""
    return name if name in COMPLEX else "complex128" if name == "float64" else "complex64"


def real_of(name: str) -> str:
    """The dtype of the parts of a complex dtype; another dtype is its own."""
    return {"complex64": "float32", "complex128": "float64"}.get(name, name)


def is_integer(name: str) -> bool:
    """Whether the dtype is a signed or unsigned integer."""
    return name in INTEGERS


def is_float_dtype(dtype: Any) -> bool:
    """Whether a dtype, in any form that `standardize` takes, is floating: `float16`, `bfloat16`...

    Example:
        >>> is_float_dtype("bfloat16"), is_float_dtype(int)
        (True, False)

    Source: https://keras.io/api/utils/backend_utils/
    """
    return is_floating(standardize(dtype))


def is_int_dtype(dtype: Any) -> bool:
    """Whether a dtype, in any form that `standardize` takes, is a signed or unsigned integer.

    Example:
        >>> is_int_dtype("uint8"), is_int_dtype(bool)
        (True, False)

    Source: https://keras.io/api/utils/backend_utils/
    """
    return is_integer(standardize(dtype))


@cache
def _upper(name: str) -> frozenset[str]:
    return frozenset({name}).union(*(_upper(above) for above in _ABOVE[name]))


@cache
def _join(names: tuple[str, ...]) -> str:
    common = frozenset.intersection(*(_upper(name) for name in names))
    (least,) = (name for name in common if common <= _upper(name))
    return least


@cache
def _result(names: tuple[str, ...], floatx: str) -> str:
    joined = _join(names)
    weak = {"int": "int32", "float": floatx, "complex": complex_of(floatx)}
    return weak.get(joined, joined)


def weak(value: object) -> str:
    """The lattice name of a value or type: Python numbers are weak."""
    if type(value) is str and value in _ABOVE:
        return value
    kind = value if isinstance(value, type) else type(value)
    if kind is bool:
        return "bool"
    if kind is int or isinstance(value, int):
        return "int"
    # Numbers from NumPy, as in `x * np.sqrt(2.0)`, are Python floats too: no reason for float64.
    if kind is float or isinstance(value, float):
        return "float"
    if kind is complex or isinstance(value, complex):
        return "complex"
    dtype = value if isinstance(value, (str, type, np.dtype)) else getattr(value, "dtype", value)
    if dtype == STRING:
        raise no_text("An operation on numbers")
    return dtype if isinstance(dtype, str) and dtype in _ABOVE else standardize(dtype)


def result_type(*values: object) -> str:
    """The dtype that an operation over `values` (tensors, dtypes, Python types, numbers) has.

    Example:
        >>> result_type("int32", float)
        'float32'
    """
    return _result(tuple([weak(value) for value in values]) or ("float",), "float32")
