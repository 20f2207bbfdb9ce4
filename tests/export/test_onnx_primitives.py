"""Every primitive that a prediction may use in ONNX Runtime, or its name in a table of reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.backend import derive
from nkeras.core.elementwise import Elementwise
from nkeras.core.primitive import PRIMITIVES
from nkeras.export.onnx import formulas
from nkeras.export.onnx.writers.complexes import OF_COMPLEX
from nkeras.export.onnx.writers.table import WRITERS
from tests.export.one_layer import OnePrimitive, signature
from tests.export.runtime import TOLERANCE, largest_error, run, session
from tests.ops.cases_elementwise import case_of, elementwise_operations, is_of_a_test
from tests.ops.tables import CASES

_RANDOM = "a file has no state, so it would give the same numbers each time"
_NO_OPERATOR = "ONNX has no operator for it, and it is no short formula of others"
_TEXT = "files hold no text"
_PLANS = "only plans and optimizers call it"
NOT_WRITTEN = {
    "random_bits": _RANDOM,
    "gamma_normals": _RANDOM,
    "dropout": _RANDOM,
    "paste_noise": _RANDOM,
    "max_pool_take": "only derivatives of derivatives call it",
    "fold_batch_norm": _PLANS,
    "means_of_squares": _PLANS,
    "bitcast": "runtimes have no operator for it yet",
    **{name: _TEXT for name, one in PRIMITIVES.items() if one.takes_text},
    **dict.fromkeys(
        "cofactors cholesky qr lu eigh eig svd matrix_rank pinv solve solve_triangular "
        "nextafter".split(),
        _NO_OPERATOR,
    ),
}

# How many of the results are written; the others are kept for gradients.
RESULTS = {"max_pool": 1, "lstm": 3, "gru": 2, "simple_rnn": 2}


def is_of_training(name: str) -> bool:
    """Whether only gradients and optimizers call a primitive."""
    return "_grad" in name or name.endswith("_update")


def is_written(name: str, case: Any) -> bool:
    """Whether a case is no exception.

    Complex numbers are, dropout inside attention, and places of NaN, of which ONNX says nothing.
    """
    arrays = [np.asarray(array) for array in case.arrays if array is not None]
    if name in ("label_hits", "target_hits") and any(np.isnan(array).any() for array in arrays):
        return False
    is_complex = name in OF_COMPLEX or any(array.dtype.kind == "c" for array in arrays)
    return not is_complex and not case.static.get("rate")


CHOSEN = [
    (name, case)
    for name, cases in CASES.items()
    for case in cases
    if not is_of_training(name) and name not in NOT_WRITTEN and is_written(name, case)
]
CHOSEN += [(one.name, case_of(one)) for one in elementwise_operations()]
NAMES = [name for name, _ in CHOSEN]


def compare(name: str, case: Any, path: Path, dtype: str, tolerance: float) -> None:
    arrays = [np.asarray(array) for array in case.arrays if array is not None]
    with nkeras.use_backend("numpy"):
        model = OnePrimitive(name, case, RESULTS.get(name), dtype)
        wanted = model(*arrays)
        model.export(path, verbose=False, input_signature=signature(arrays, fixed=True))
    assert largest_error(run(session(path), arrays), wanted) <= tolerance


@pytest.mark.parametrize(("name", "case"), CHOSEN, ids=NAMES)
def test_primitive(name: str, case: Any, tmp_path: Path) -> None:
    compare(name, case, tmp_path / "one.onnx", "float32", TOLERANCE)


# By several roundings of the dtype: the runtime adds in another order.
@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(("name", "case"), CHOSEN, ids=NAMES)
def test_primitive_of_halves(name: str, case: Any, dtype: str, tmp_path: Path) -> None:
    if name == "ctc":  # sums of probabilities that halves do not hold
        return
    rounding = 2.0**-11 if dtype == "float16" else 2.0**-8
    compare(name, case, tmp_path / "one.onnx", dtype, 4 * rounding)


# Those that ONNX Runtime has no kernels for in double precision; the files are right.
ONLY_SINGLE = frozenset(
    "average_pool conv conv_bias det slogdet arctan2 arcsin arccos arctan arcsinh arccosh arctanh "
    "sinh cosh tan erf erfc erfinv gelu".split()
)


@pytest.mark.long
@pytest.mark.parametrize(("name", "case"), CHOSEN, ids=NAMES)
def test_primitive_of_doubles(name: str, case: Any, tmp_path: Path) -> None:
    if name not in ONLY_SINGLE:
        compare(name, case, tmp_path / "one.onnx", "float64", 1e-12)


def test_every_primitive_is_written_or_has_a_reason() -> None:
    own = {
        name
        for name, primitive in PRIMITIVES.items()
        if not is_of_a_test(primitive) and not isinstance(primitive, Elementwise)
    }
    expected = {name for name in own if not is_of_training(name)}
    assert set(NOT_WRITTEN) <= expected
    assert expected - set(NOT_WRITTEN) - OF_COMPLEX == {n for n in NAMES if n in own} - OF_COMPLEX
    assert set(WRITERS) <= own
    assert not set(WRITERS) & set(NOT_WRITTEN)


@pytest.mark.parametrize("name", derive.FUNCTIONS)
def test_every_function_of_scalars_is_written(name: str) -> None:
    known = set(formulas._OPERATORS) | set(formulas._COMPOSED) | {"where"}
    assert name in known


def test_text_is_refused(tmp_path: Path) -> None:
    word = nkeras.Input((1,), dtype="string", name="word")
    model = nkeras.Model(word, nkeras.layers.Identity()(word))
    with pytest.raises(ValueError, match="input 'word' is text"):
        model.export(tmp_path / "one.onnx")


OF_NUMBERS = [name for name in NOT_WRITTEN if NOT_WRITTEN[name] is not _TEXT]


@pytest.mark.parametrize("name", [name for name in OF_NUMBERS if CASES[name][0].arrays])
def test_a_primitive_without_writer_is_named(name: str, tmp_path: Path) -> None:
    case = CASES[name][0]
    model = OnePrimitive(name, case, None, "float32")
    arrays = [np.asarray(array) for array in case.arrays if array is not None]
    wanted = "random_bits" if name in ("dropout", "paste_noise") else name
    with nkeras.use_backend("numpy"), pytest.raises(ValueError, match=f"model: {wanted}"):
        model.export(tmp_path / "one.onnx", input_signature=signature(arrays, fixed=True))


@pytest.mark.parametrize("dtype", ["int32", "int8", "uint8", "int64", "bool"])
def test_integers(dtype: str, tmp_path: Path) -> None:
    def compute(x: Any, y: Any) -> list[Any]:
        ops = nkeras.ops
        if dtype == "bool":
            return [ops.logical_xor(x, y), ops.maximum(x, y), ops.where(x, y, x), x == y]
        return [x + y, x - y, x * y, x // y, x % y, ops.maximum(x, y), ops.clip(x, 1, 5), x < y]

    class Arithmetic(nkeras.Model):
        def call(self, x: Any, y: Any) -> list[Any]:
            return compute(x, y)

    rng = np.random.default_rng(3)
    low = 0 if dtype in ("uint8", "bool") else -7
    x, y = (rng.integers(low, 8, (4, 5)).astype(dtype) for _ in range(2))
    y = np.where(y == 0, 3, y).astype(dtype) if dtype != "bool" else y
    with nkeras.use_backend("numpy"):
        model = Arithmetic()
        model.export(tmp_path / "one.onnx", verbose=False, input_signature=signature([x, y]))
        assert largest_error(run(session(tmp_path / "one.onnx"), [x, y]), model(x, y)) == 0.0
