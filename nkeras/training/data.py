"""What users pass as data, made into NumPy arrays and tuples `(x, y, sample_weight)`."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from numbers import Number

import numpy as np

from nkeras.core import config, dtypes, tree
from nkeras.core.errors import cut_text, is_a, refuse, short, warn
from nkeras.core.strings import is_text, text_array
from nkeras.core.tensor import Tensor, from_numpy
from nkeras.core.typing import Structure
from nkeras.core.variable import Variable
from nkeras.data.foreign import host_array, is_column
from nkeras.data.rows import rows_in_a_file


def unpack_x_y_sample_weight(data: Structure) -> tuple[Structure, Structure, Structure]:
    """A batch as `(x, y, sample_weight)`, with None for what it lacks.

    Args:
        data: x, or a tuple or list of up to three entries.

    Returns:
        Tuple of three.

    Raises:
        ValueError: a tuple of another length.

    Example:
        >>> import nkeras
        >>> nkeras.utils.unpack_x_y_sample_weight((1, 2))
        (1, 2, None)

    Source: https://keras.io/api/utils/
    """
    if not isinstance(data, (list, tuple)):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`. "
            f"Received a {type(data).__name__} of length {len(data)}."
        )
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def pack_x_y_sample_weight(
    x: Structure, y: Structure = None, sample_weight: Structure = None
) -> Structure:
    """The shortest form of a batch: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    Args:
        x: inputs.
        y: targets, or None.
        sample_weight: weights, or None.

    Returns:
        `x` itself where there are no targets and x is no tuple or list, else a tuple.

    Example:
        >>> import nkeras
        >>> nkeras.utils.pack_x_y_sample_weight(1, 2)
        (1, 2)

    Source: https://keras.io/api/utils/
    """
    if y is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    if sample_weight is None:
        return x, y
    return x, y, sample_weight


def is_array_like(value: object) -> bool:
    """Whether it is one array, also a pandas frame or another framework's tensor."""
    if isinstance(value, (np.ndarray, Tensor, Variable)):
        return True
    return (hasattr(value, "__array__") and not isinstance(value, (type, str))) or is_column(value)


def is_tuple_of_arrays(batch: Structure) -> bool:
    """Whether a batch is a plain tuple of NumPy arrays; asked in every step."""
    if type(batch) is not tuple:
        return False
    for array in batch:
        if type(array) is not np.ndarray:
            return False
    return True


def holds_arrays(structure: Structure) -> bool:
    """Whether all leaves are arrays or None, lists of numbers included."""
    if structure is None or is_array_like(structure):
        return True
    if isinstance(structure, Mapping):
        return all(holds_arrays(value) for value in structure.values())
    if isinstance(structure, (list, tuple)):
        return _is_numbers(structure) or all(holds_arrays(part) for part in structure)
    return False


def _is_numbers(structure: Structure) -> bool:
    """Whether it is a nested list of numbers or texts, which is one array."""
    if isinstance(structure, (list, tuple)):
        return all(_is_numbers(part) for part in structure)
    return isinstance(structure, (Number, np.generic, str, bytes))


def to_arrays(
    structure: Structure,
    argument: str,
    convert: Callable[[Structure, str], Structure] | None = None,
) -> Structure:
    """A structure of NumPy arrays with at least one dimension; floats become `floatx`.

    Args:
        structure: the structure.
        argument: its name, for errors.
        convert: makes an array of a leaf and the name of its place; `to_array` for None.

    Raises:
        ValueError: a leaf cannot be an array, or is a single number.
    """
    convert = to_array if convert is None else convert
    if structure is None:
        return None
    if isinstance(structure, Mapping):
        return {
            key: to_arrays(value, f"{argument}[{key!r}]", convert)
            for key, value in structure.items()
        }
    if isinstance(structure, (list, tuple)) and not _is_numbers(structure):
        items = [to_arrays(value, f"{argument}[{i}]", convert) for i, value in enumerate(structure)]
        return type(structure)(*items) if hasattr(structure, "_fields") else type(structure)(items)
    return convert(structure, argument)


def rows_or_array(value: Structure, argument: str) -> Structure:
    """As `to_array`, but what is large and lies in a file stays there, as `Rows`."""
    rows = rows_in_a_file(value)
    return to_array(value, argument) if rows is None else rows


def to_array(value: Structure, argument: str) -> np.ndarray:
    """One NumPy array in the machine's byte order; floats become `floatx`."""
    if hasattr(value, "tocoo"):
        raise ValueError(
            f"Argument `{argument}` is a sparse {type(value).__name__}; nkeras has dense arrays "
            f"only. Pass `{argument}.toarray()`."
        )
    array = value.numpy() if isinstance(value, (Tensor, Variable)) else value
    if not is_text(array) and type(array) is not np.ndarray:
        array = host_array(array, argument)
    if is_text(array):
        array = text_array(array, f"Argument `{argument}`")
    if array.ndim == 0:
        raise ValueError(
            f"Argument `{argument}` must have at least one dimension, that of the samples. "
            f"Received: {short(value)}"
        )
    if array.dtype == object and not is_text(array):
        array = _stacked(array, argument)
    if array.dtype.kind in "biuf" or array.dtype.name == "bfloat16":
        name = dtypes.standardize(array.dtype)
        name = config.floatx() if dtypes.is_floating(name) else name
        return array.astype(dtypes.to_numpy(name), copy=False)
    return array


def _stacked(rows: np.ndarray, argument: str) -> np.ndarray:
    """An array of arrays or lists, as columns of tables hold them, as one array of numbers."""
    try:
        array = np.stack(rows.tolist())
    except (ValueError, TypeError) as error:
        message = cut_text(str(error), 100)
    else:
        if array.dtype != object:
            return array
        message = f"the first one is {short(rows.flat[0], 60)}"
    raise ValueError(
        f"Argument `{argument}` is an array of Python objects, so it cannot become a tensor: "
        f"are its rows of different length? ({message})"
    )


def to_tensors(batch: Structure) -> Structure:
    """A batch with tensors on the active backend; None stays what it is."""

    def convert(leaf: Structure) -> Structure:
        if leaf is None or isinstance(leaf, Tensor):
            return leaf
        array = to_array(leaf, "x")
        return from_numpy(array)

    return map_batch(convert, batch)


def map_batch(function: Callable[[Structure], Structure], batch: Structure) -> Structure:
    """As `tree.map_structure`, but a list of numbers is one leaf."""
    if isinstance(batch, Mapping):
        return {key: map_batch(function, value) for key, value in batch.items()}
    if isinstance(batch, (list, tuple)) and not (batch and _is_numbers(batch)):
        items = [map_batch(function, value) for value in batch]
        return type(batch)(*items) if hasattr(batch, "_fields") else type(batch)(items)
    return function(batch)


def count_samples(x: Structure, y: Structure = None, sample_weight: Structure = None) -> int:
    """The number of samples, which all arrays must share.

    Raises:
        ValueError: it differs, or there is no array.
    """
    named = (("x", x), ("y", y), ("sample_weight", sample_weight))
    sizes = {
        name: [leaf.shape[0] for leaf in tree.flatten(value) if leaf is not None]
        for name, value in named
    }
    counts = {size for found in sizes.values() for size in found}
    if not counts:
        raise ValueError("There is no data: argument `x` holds no array.")
    if len(counts) > 1:
        described = [f"{name}: {short(found, 70)}" for name, found in sizes.items() if found]
        raise ValueError(
            "Data cardinality is ambiguous. Make sure all arrays contain the same number of "
            f"samples. Received sizes {', '.join(described)}"
        )
    return counts.pop()


def check_split(validation_split: object) -> None:
    """Refuse what is no share of the samples."""
    if not isinstance(validation_split, (int, float, np.number)) or not 0 < validation_split < 1:
        raise ValueError(
            "Argument `validation_split` must be a number between 0 and 1 (exclusive). "
            f"Received: validation_split={short(validation_split)}"
        )


def train_validation_split(
    arrays: Structure, validation_split: float
) -> tuple[Structure, Structure]:
    """Cut the last part of the samples off, for validation.

    Args:
        arrays: structure of arrays, None among them.
        validation_split: share of the samples, between 0 and 1.

    Returns:
        Two structures: for training and for validation.

    Raises:
        ValueError: the share is not between 0 and 1, the data are no arrays, or one part is empty.
    """
    check_split(validation_split)
    if not holds_arrays(arrays):
        kinds = sorted({type(leaf).__name__ for leaf in tree.flatten(arrays) if leaf is not None})
        raise ValueError(
            "Argument `validation_split` is only supported for arrays and tensors. "
            f"Received data of type {', '.join(kinds)}; pass `validation_data` instead."
        )
    arrays = tuple(
        to_arrays(array, name, rows_or_array)
        for array, name in zip(arrays, ("x", "y", "sample_weight"), strict=False)
    )
    samples = count_samples(*arrays)
    exact = samples * (1.0 - validation_split)
    cut = round(exact)  # 10 * (1 - 0.9) is a little less than 1
    cut = cut if math.isclose(exact, cut, abs_tol=1e-12 * samples) else math.floor(exact)
    if cut in (0, samples):
        raise ValueError(
            f"Training data contains {samples} samples, which is not sufficient to split it into a "
            f"validation and training set as specified by `validation_split={validation_split}`. "
            "Provide more data, or a different value for the argument `validation_split`."
        )

    def part(start: int, stop: int) -> Structure:
        return tree.map_structure(lambda leaf: None if leaf is None else leaf[start:stop], arrays)

    return part(0, cut), part(cut, samples)


def class_weight_to_sample_weights(
    y: Structure, class_weight: Mapping[int, float], told: set[int] | None = None
) -> np.ndarray:
    """The weight of each sample's class.

    Args:
        y: integer classes `(batch,)` or `(batch, 1)`, or one-hot rows `(batch, classes)`;
            with an axis of steps too: `(batch, steps, 1)`, `(batch, steps, classes)`.
        class_weight: dict from class to weight; classes that it lacks weigh 1, with a warning.
        told: classes that were warned of before; those that this call warns of are added.

    Returns:
        Array of `floatx`: the shape of `y` without the last axis, or `(batch,)`.

    Raises:
        ValueError: no mapping, or rows that are not one-hot (Keras 3.15 takes their largest place).
    """
    if not is_a(class_weight, Mapping):
        raise ValueError(
            "Argument `class_weight` must be a dict from class index to weight. "
            f"Received: class_weight={short(class_weight)}"
        )
    for label in class_weight:
        # Classes that the dict lacks weigh 1, so that a wrong key would be without any effect.
        if not isinstance(label, numbers.Real) or label < 0 or label != int(label):
            refuse("class_weight", label, "a dict whose keys are class indices", "fit()")
    if y is None or isinstance(y, (tuple, Mapping)):
        raise ValueError(
            "Argument `class_weight` is only supported for models with a single output and needs "
            "targets `y`; use `sample_weight` for several outputs."
        )
    classes = to_array(y, "y")
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    elif classes.ndim > 1:
        if classes.min(initial=0) < 0 or not np.allclose(classes.sum(-1), 1, atol=1e-3):
            raise ValueError(
                f"Argument `class_weight` needs targets `y` of classes (batch,) or (batch, ..., 1),"
                " or rows of one-hot or probabilities, which sum to 1. Received rows that do not, "
                f"of shape {classes.shape}; give `sample_weight`, or y[..., None] for labels of "
                "steps."
            )
        classes = classes.argmax(-1)
    classes = np.round(classes).astype("int64")
    found, where = np.unique(classes, return_inverse=True)
    told = set() if told is None else told
    missing = sorted(
        {int(label) for label in found} - {int(label) for label in class_weight} - told
    )
    if missing:
        told.update(missing)
        warn(
            f"Argument `class_weight` lacks the classes {short(missing)}, which occur in the "
            "targets: each of them weighs 1."
        )
    weights = np.array(
        [class_weight.get(int(label), 1.0) for label in found], dtypes.to_numpy(config.floatx())
    )
    return weights[where.reshape(classes.shape)]
