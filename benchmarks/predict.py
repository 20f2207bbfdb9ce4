"""The time of one prediction, and predictions per second, against Keras and ONNX Runtime.

    python benchmarks/predict.py --peers-python .peers/bin/python

All have the same weights; the ONNX graphs are written from them. "call" is `model(x)` as NumPy
array, "predict" is `model.predict(x, verbose=0)`; ONNX Runtime and torch have one way for both.
Times are medians of many calls.
"""

from __future__ import annotations

from measuring import CASES, Question, options

from nkeras.cli.peers import KERAS, Bar, Row

FRAMEWORKS = ("nkeras", "keras-jax", "keras-tensorflow", "torch", "onnxruntime")
TO_KERAS, TO_ONNX = Bar(10.0, KERAS), Bar(0.7, ("onnxruntime",))
NEAR_ONNX = Bar(0.8, ("onnxruntime",))

TITLES = {
    "mlp": "MLP 784-128-10",
    "convnet": "MNIST convnet",
    "mobilenet": "MobileNetV2 96x96",
    "lstm": "LSTM 128 on text",
    "gru": "bidirectional GRU 64",
    "transformer": "transformer block",
    "series": "Conv1D on a series",
    "local": "locally connected 2D",
}


def row(model: str, do: str, samples: int, *bars: Bar) -> Row:
    """A row for one or for many samples, at batch 32."""
    case = {"model": model, "do": do, "batch": min(samples, 32), "samples": samples}
    many = samples if samples > 1 else None
    return Row(f"{TITLES[model]} {do} {samples}", case, bars, samples=many)


ROWS = [
    row("mlp", "predict", 1, TO_KERAS, TO_ONNX),
    row("mlp", "call", 1),
    row("mlp", "predict", 4096, TO_ONNX),
    row("convnet", "predict", 1, TO_KERAS, TO_ONNX),
    row("convnet", "call", 1),
    row("convnet", "predict", 1024, TO_ONNX),
    row("mobilenet", "predict", 1, TO_ONNX),
    row("mobilenet", "predict", 64, TO_ONNX),
    row("lstm", "predict", 1, NEAR_ONNX),
    row("gru", "predict", 1, NEAR_ONNX),
    row("transformer", "predict", 1, NEAR_ONNX),
    row("series", "predict", 1, NEAR_ONNX),
    row("local", "predict", 1),
]


def main() -> None:
    chosen = options(__doc__, rounds=7).parse_args()
    Question("predict", ROWS, FRAMEWORKS, chosen).take_turns(CASES, seconds=0.1)


if __name__ == "__main__":
    main()
