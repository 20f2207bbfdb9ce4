"""dtype names and their promotion."""

from __future__ import annotations

import itertools
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from nkeras.core import config, dtypes
from tests.harness import oracle


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("float32", "float32"),
        (np.float64, "float64"),
        (np.dtype(">i4"), "int32"),
        (float, "float32"),
        (int, "int32"),
        (bool, "bool"),
        ("int", "int32"),
        (ml_dtypes.bfloat16, "bfloat16"),
        (complex, "complex64"),
        ("complex128", "complex128"),
        (np.complex64, "complex64"),
        (None, "float32"),
    ],
)
def test_standardize(given: Any, name: str) -> None:
    assert dtypes.standardize(given) == name


def _foreign(library: str, name: str) -> Any:
    """A dtype as TensorFlow and torch have them, which are not installed here."""
    kind = type("DType", (), {"name": name, "__repr__": lambda _: f"torch.{name}"})
    kind.__module__ = library
    return kind()


def test_dtypes_of_tensorflow_and_torch() -> None:
    assert dtypes.standardize(_foreign("tensorflow.python.framework.dtypes", "int64")) == "int64"
    assert dtypes.standardize_dtype(_foreign("torch", "bfloat16")) == "bfloat16"
    assert dtypes.standardize_dtype(_foreign("tensorflow", "string")) == "string"
    with pytest.raises(ValueError, match=r"Invalid dtype: torch\.qint8"):
        dtypes.standardize(_foreign("torch", "qint8"))


@pytest.mark.parametrize("given", ["float31", "complex256", np.str_, object(), "no"])
def test_unknown_dtypes_are_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="Invalid dtype"):
        dtypes.standardize(given)


def test_floatx_is_the_default() -> None:
    config.set_floatx("float16")
    assert dtypes.standardize(None) == "float16"
    assert dtypes.result_type("float32", 1.0) == "float32"


@oracle.requires_keras
def test_promotion_is_that_of_keras() -> None:
    names = [name for name in dtypes.DTYPES if name not in ("int64", "uint64", "float64")]
    pairs = list(itertools.product(names, [*names, "python float", "python int"]))
    kinds = "{'python float': float, 'python int': int}"
    code = f"result = [keras.backend.result_type(a, {kinds}.get(b, b)) for a, b in pairs]"
    want = oracle.run(code, pairs=pairs)
    python = {"python float": float, "python int": int}
    got = [dtypes.result_type(a, python.get(b, b)) for a, b in pairs]
    narrow = {
        "int64": "int32",
        "float64": "float32",
        "complex128": "complex64",
    }  # JAX computes with 32 bits unless told
    assert [narrow.get(name, name) for name in got] == want


def test_promotion_knows_no_order() -> None:
    for names in itertools.product(dtypes.DTYPES, repeat=3):
        assert dtypes.result_type(*names) == dtypes.result_type(*names[::-1])
