"""How long the forward pass of a single layer takes, called as a user calls it.

    python benchmarks/layers.py --peers-python .peers/bin/python

`layer(x)` on a tensor of the framework, in nkeras, in Keras with its backends (which do not compile
a single layer) and in torch.nn under inference mode, in the faster memory format for images.
"""

from __future__ import annotations

from typing import Any

from measuring import FOLDER, Question, options

from nkeras.cli.peers import Row

FRAMEWORKS = ("nkeras", "keras-jax", "keras-tensorflow", "torch")
IMAGES = [32, 28, 28, 64]

# Name: shape of x, arguments of the layer of Keras, how to call it.
LAYERS: dict[str, tuple[list[int], dict[str, Any], dict[str, Any]]] = {
    "Dense": ([32, 784], {"units": 128, "activation": "relu"}, {}),
    "Conv1D": ([32, 128, 64], {"filters": 64, "kernel_size": 3, "padding": "same"}, {}),
    "Conv2D": (IMAGES, {"filters": 64, "kernel_size": 3, "padding": "same"}, {}),
    "Conv2DTranspose": (
        [32, 14, 14, 64],
        {"filters": 32, "kernel_size": 2, "strides": 2, "padding": "valid"},
        {},
    ),
    "DepthwiseConv2D": (IMAGES, {"kernel_size": 3, "padding": "same"}, {}),
    "BatchNormalization": (IMAGES, {"epsilon": 1e-3}, {"training": False}),
    "BatchNormalization training": (IMAGES, {"epsilon": 1e-3}, {"training": True}),
    "MaxPooling2D": (IMAGES, {"pool_size": 2}, {}),
    "AveragePooling2D": (IMAGES, {"pool_size": 2}, {}),
    "GlobalAveragePooling2D": (IMAGES, {}, {}),
    "ReLU": (IMAGES, {}, {}),
    "Activation gelu": (IMAGES, {"activation": "gelu"}, {}),
    "Softmax": ([256, 1000], {}, {}),
    "Dropout training": (IMAGES, {"rate": 0.5}, {"training": True}),
    "Flatten": (IMAGES, {}, {}),
    "UpSampling2D": (IMAGES, {"size": 2}, {}),
    "ZeroPadding2D": (IMAGES, {"padding": 1}, {}),
}


def main() -> None:
    chosen = options(__doc__, rounds=5).parse_args()
    rows = [
        Row(
            f"{name} {'x'.join(map(str, shape))}",
            {"layer": name.split()[0], "shape": shape, "arguments": arguments, "call": call},
        )
        for name, (shape, arguments, call) in LAYERS.items()
    ]
    Question("layers", rows, FRAMEWORKS, chosen).take_turns(FOLDER / "layers_worker.py")


if __name__ == "__main__":
    main()
