"""Samples per second of `fit`, against Keras' other backends and a plain loop in torch.

    python benchmarks/fit.py --peers-python .peers/bin/python

One call of `fit` for one epoch, of a model that has been fitted before; Adam, loss and accuracy.
The torch loop has the fused Adam and the faster of both memory formats.
"""

from __future__ import annotations

from measuring import CASES, Question, options

from nkeras.cli.peers import Bar, Row

FRAMEWORKS = ("nkeras", "keras-jax", "keras-tensorflow", "torch")

# Name: model, batch size, samples in an epoch, bar.
FITS = {
    "tiny MLP 4-16-3": ("tiny", 16, 8000, 3.0),
    "MLP 784-512-512-10": ("wide", 128, 6400, 1.3),
    "MNIST convnet": ("convnet", 128, 1920, 1.5),
    "ResNet with BN 32x32": ("resnet", 64, 320, 1.3),
    "LSTM 128 on text": ("lstm", 32, 640, 1.2),
    "bidirectional GRU 64": ("gru", 32, 640, 1.2),
    "transformer block": ("transformer", 32, 640, 1.2),
    "Conv1D on a series": ("series", 32, 320, 1.3),
    "locally connected 2D": ("local", 64, 1280, 2.0),
}


def main() -> None:
    chosen = options(__doc__, rounds=5).parse_args()
    rows = [
        Row(
            f"{name}, batch {batch}",
            {"model": model, "do": "fit", "batch": batch, "samples": samples},
            (Bar(bar),),
            samples=samples,
        )
        for name, (model, batch, samples, bar) in FITS.items()
    ]
    Question("fit", rows, FRAMEWORKS, chosen).take_turns(CASES)


if __name__ == "__main__":
    main()
