"""Files of every layer of the catalogue: Keras opens ours, we open what Keras writes of it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import nkeras
from nkeras.core import tree
from tests.harness import oracle
from tests.harness.check_parity import make
from tests.layers.case import Case
from tests.layers.tables import LONG, SHORT

IN_KERAS = """
def answer(path):
    keras.utils.clear_session(free_memory=False)
    model = keras.saving.load_model(path)
    model.save(path.replace(".keras", ".of_keras.keras"))
    return [np.array(one) for one in model.get_weights()]

result = [answer(path) for path in paths]
"""


def first_of_each(cases: list[Case]) -> list[Case]:
    return list({case.layer: case for case in reversed(cases)}.values())[::-1]


SHOWN = first_of_each(SHORT)
OTHERS = [case for case in [*SHORT, *LONG] if case not in SHOWN]
AT_ONCE = 16
# In Keras the symbolic result of Equalization is its input, which makes a cycle of a model;
# RandomShear refuses the factors below 0 of its own configurations.
NOT_READ_BY_KERAS = {"Equalization", "RandomShear"}


def model_of(case: Case) -> Any:
    """A functional model of the one layer, its weights other than any initializer's."""
    inputs = [nkeras.Input(shape[1:], dtype=case.dtype) for shape in case.shapes]
    arguments, named = case.passed(inputs)
    outputs = tree.flatten(make(case)(*arguments, **named))
    model = nkeras.Model(*(one[0] if len(one) == 1 else one for one in (inputs, outputs)))
    random = np.random.default_rng(3)
    model.set_weights([random.uniform(0.4, 1.6, v.shape).astype(v.dtype) for v in model.weights])
    return model


def arrays_in(path: Path) -> set[str]:
    """Paths of the arrays and of the groups that name an object; not our seeds."""
    found: set[str] = set()

    def visit(name: str, thing: Any) -> None:
        if "seeds" not in name.split("/") and (isinstance(thing, h5py.Dataset) or thing.attrs):
            found.add(name)

    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as file:
        with h5py.File(file, "r") as opened:
            opened.visititems(visit)
    return found


def outputs_of(model: Any, case: Case) -> list[np.ndarray]:
    arrays = case.arrays()
    return [
        np.asarray(one) for one in tree.flatten(model(arrays if len(arrays) > 1 else arrays[0]))
    ]


@pytest.fixture(autouse=True)
def _numpy() -> Iterator[None]:
    """What is written and read does not depend on kernels, and these need no compiler."""
    with nkeras.use_backend("numpy"):
        yield


def check_alone(case: Case, folder: Path) -> None:
    """What is written is read again: weights, outputs, configuration."""
    model = model_of(case)
    model.save(folder / "model.keras")
    read = nkeras.saving.load_model(folder / "model.keras")
    for before, after in zip(model.get_weights(), read.get_weights(), strict=True):
        np.testing.assert_array_equal(after, before)
    assert [v.path for v in read.weights] == [v.path for v in model.weights]
    for before, after in zip(outputs_of(model, case), outputs_of(read, case), strict=True):
        np.testing.assert_array_equal(after, before)
    assert json.dumps(read.get_config()) == json.dumps(model.get_config())


def check_with_keras(cases: list[Case], folder: Path) -> None:
    models = [model_of(case) for case in cases]
    paths = [folder / f"{number}.keras" for number in range(len(cases))]
    for model, path in zip(models, paths, strict=True):
        model.save(path)
    answers = oracle.run(IN_KERAS, paths=[str(path) for path in paths])
    for case, model, path, answer in zip(cases, models, paths, answers, strict=True):
        of_keras = path.with_suffix(".of_keras.keras")
        assert arrays_in(path) == arrays_in(of_keras), str(case)
        read = nkeras.saving.load_model(of_keras)
        for ours, theirs, again in zip(
            model.get_weights(), answer, read.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(theirs, ours, err_msg=str(case))
            np.testing.assert_array_equal(again, ours, err_msg=str(case))


def in_keras(cases: list[Case]) -> list[Any]:
    cases = [case for case in cases if case.in_keras and case.layer not in NOT_READ_BY_KERAS]
    groups = [cases[start : start + AT_ONCE] for start in range(0, len(cases), AT_ONCE)]
    return [pytest.param(group, id=f"{group[0].layer}-{group[-1].layer}") for group in groups]


@pytest.mark.parametrize("case", SHOWN, ids=str)
def test_layer(case: Case, tmp_path: Path) -> None:
    check_alone(case, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("case", OTHERS, ids=str)
def test_layer_long(case: Case, tmp_path: Path) -> None:
    check_alone(case, tmp_path)


@oracle.requires_keras
@pytest.mark.parametrize("cases", in_keras(SHOWN))
def test_keras(cases: list[Case], tmp_path: Path) -> None:
    check_with_keras(cases, tmp_path)


@pytest.mark.long
@oracle.requires_keras
@pytest.mark.parametrize("cases", in_keras(OTHERS))
def test_keras_long(cases: list[Case], tmp_path: Path) -> None:
    check_with_keras(cases, tmp_path)
