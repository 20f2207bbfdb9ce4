"""Predictions of `keras.applications`, against ONNX Runtime with the same weights.

    python benchmarks/applications.py --peers-python .peers/bin/python

Each model has random weights, and the size of images that its own weights are for. The graphs of
ONNX Runtime are what `Model.export` writes of them. "predict" is `model.predict(x, verbose=0)`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from applications_cases import model_of
from measuring import FOLDER, Question, options

from nkeras.cli.peers import Bar, Row

FRAMEWORKS = ("nkeras", "onnxruntime")
AS_FAST = Bar(1.0, ("onnxruntime",))

# Name, height and width, samples; a bar where one is set.
CASES: list[tuple[str, int, int, tuple[Bar, ...]]] = [
    ("ResNet50", 224, 1, (AS_FAST,)),
    ("ResNet50", 224, 8, ()),
    ("MobileNetV2", 224, 1, (AS_FAST,)),
    ("MobileNetV2", 224, 32, ()),
    ("MobileNet", 224, 1, ()),
    ("MobileNetV3Small", 224, 1, ()),
    ("MobileNetV3Large", 224, 1, ()),
    ("ResNet50V2", 224, 1, ()),
    ("ResNet101", 224, 1, ()),
    ("VGG16", 224, 1, ()),
    ("DenseNet121", 224, 1, ()),
    ("Xception", 299, 1, ()),
    ("InceptionV3", 299, 1, ()),
    ("InceptionResNetV2", 299, 1, ()),
    ("EfficientNetB0", 224, 1, ()),
    ("EfficientNetB0", 224, 8, ()),
    ("EfficientNetV2B0", 224, 1, ()),
    ("ConvNeXtTiny", 224, 1, ()),
    ("NASNetMobile", 224, 1, ()),
]


def rows(folder: Path) -> Iterable[Row]:
    """A row for each case."""
    for name, side, samples, bars in CASES:
        case = {"model": name, "side": side, "batch": samples, "path": str(folder / f"{name}.onnx")}
        many = samples if samples > 1 else None
        yield Row(f"{name} {side} predict {samples}", case, bars, samples=many)


def main() -> None:
    chosen = options(__doc__, rounds=5).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        question = Question("applications", list(rows(Path(folder))), FRAMEWORKS, chosen)
        for row in question.rows:
            path = Path(str(row.case["path"]))
            if not path.exists():
                model_of(row.case).export(path, format="onnx")
        question.take_turns(FOLDER / "applications_cases.py", seconds=0.3)


if __name__ == "__main__":
    main()
