"""Layers, weights, configurations and files of all architectures are those of Keras 3.15.

What Keras has was recorded by `tests/applications/record.py`.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.backend import registry
from nkeras.core.variable import postponed_values
from tests.applications.building import Enough, outline
from tests.applications.facts import NAMES, SMALLEST, built, calls, facts, images, key, sample
from tests.harness import oracle

FOLDER = Path(__file__).parent
TABLE = json.loads((FOLDER / "table.json").read_text("utf-8"))
OUTPUTS = json.loads((FOLDER / "outputs.json").read_text("utf-8"))

# In the default run, one call of each family that is made in less than half a second.
QUICK = {
    "ConvNeXtTiny(weights=None, include_preprocessing=False)",
    "EfficientNetB0(weights='imagenet')",
    "EfficientNetV2B0(weights='imagenet')",
    "InceptionV3(weights='imagenet')",
    "MobileNet(weights='imagenet')",
    "MobileNetV2(weights='imagenet')",
    "MobileNetV3Small(weights='imagenet')",
    "ResNet50(weights='imagenet')",
    "ResNet50V2(weights='imagenet', include_top=False)",
    "VGG16(weights='imagenet')",
    "VGG19(weights='imagenet')",
    "Xception(weights='imagenet')",
}
QUICK_OUTPUTS = {"MobileNetV2", "MobileNetV3Small"}
QUICK_EXAMPLES = {f"nkeras.applications.{family}" for family in ("mobilenet", "vgg16", "xception")}


def long_unless(quick: bool) -> Any:
    return () if quick else pytest.mark.long


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        pytest.param(name, arguments, id=call, marks=long_unless(call in QUICK))
        for name, arguments in calls()
        for call in [key(name, arguments)]
    ],
)
def test_a_model_is_that_of_keras(name: str, arguments: dict[str, Any]) -> None:
    model, files = outline(name, arguments)
    assert {"files": files, **facts(model)} == TABLE[key(name, arguments)]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=long_unless(name in QUICK_OUTPUTS)) for name in SMALLEST],
)
def test_outputs_are_those_of_keras_with_the_same_weights(name: str) -> None:
    model = built(nkeras.applications, name)
    found = np.array(sample(model(images(name)).numpy()))
    expected = np.array(OUTPUTS[name])
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5 * np.abs(expected[:-1]).max())


@oracle.requires_keras
def test_arguments_are_those_of_keras() -> None:
    expected = oracle.run("""
import inspect
result = {
    name: [(p.name, p.default) for p in inspect.signature(function).parameters.values()]
    for name in dir(keras.applications)
    for function in [getattr(keras.applications, name)] if inspect.isfunction(function)
}
""")
    assert set(expected) == set(NAMES)
    for name, parameters in expected.items():
        signature = inspect.signature(getattr(nkeras.applications, name))
        found = [(one.name, one.default) for one in signature.parameters.values()]
        assert found == parameters, name


@pytest.mark.parametrize("name", NAMES)
def test_documentation_is_whole(name: str) -> None:
    function = getattr(nkeras.applications, name)
    text = inspect.getdoc(function)
    assert text is not None
    for argument in inspect.signature(function).parameters:
        assert f"\n    {argument}: " in text
    for section in ("Args", "Returns", "Raises", "Example", "Source"):
        assert text.count(f"\n{section}:") == 1


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(family, marks=long_unless(family in QUICK_EXAMPLES))
        for family in sorted({getattr(nkeras.applications, name).__module__ for name in NAMES})
    ],
)
def test_examples_run(family: str) -> None:
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    module = importlib.import_module(family)
    with registry.use_backend("numpy"):
        for test in doctest.DocTestFinder(exclude_empty=True).find(module):
            with contextlib.suppress(Enough), postponed_values():
                runner.run(test, out=report.append)
                raise Enough  # so that no values are made at the end
    assert runner.summarize(verbose=False).attempted > 0
    assert not report, "".join(report)


def test_modules_are_loaded_when_a_name_is_used() -> None:
    code = """
import sys
import nkeras
def loaded():
    return {name[20:] for name in sys.modules if name.startswith("nkeras.applications.")}
assert not loaded() and "nkeras.applications" not in sys.modules
nkeras.applications.VGG16
assert loaded() == set("architecture heads images imagenet_utils pretrained vgg vgg16".split())
assert "ResNet50" in dir(nkeras.applications) and "resnet_v2" in dir(nkeras.applications)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_families_offer_the_same_functions() -> None:
    applications = nkeras.applications
    assert applications.resnet50.ResNet50 is applications.ResNet50
    assert applications.resnet50.preprocess_input is applications.resnet.preprocess_input
    for name in NAMES:
        home = importlib.import_module(getattr(applications, name).__module__)
        assert getattr(home, name) is getattr(applications, name)
