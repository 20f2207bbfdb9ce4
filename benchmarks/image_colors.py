"""How long layers for colors, noise and mixing take on 32 images of 224x224, beside torchvision.

    python benchmarks/image_colors.py --peers-python .peers/bin/python

Both are called as users call them in training, on images as they are read (uint8) and on floats.
Our layers make float32 of both, as Keras' do; with `dtype="uint8"` they leave bytes as they are, as
torchvision's do: the rows "to uint8". Each of our layers draws for each image; torchvision's
transforms.v2 draw once for a whole batch. There is no CLAHE in torchvision; layers of ours alone
are timed without a peer.
"""

from __future__ import annotations

from measuring import FOLDER, Question, options

from nkeras.cli.peers import Bar, Row

FRAMEWORKS = ("nkeras", "torch")
NAMES = (
    "RandomBrightness RandomContrast RandomSaturation RandomHue RandomColorJitter RandomGrayscale "
    "RandomGaussianBlur RandomSharpness RandomPosterization RandomInvert Solarization AutoContrast "
    "Equalization RandomErasing RandAugment AugMix MixUp CutMix"
).split()
OF_BYTES = ("RandomPosterization", "RandomInvert", "RandomGrayscale", "RandomErasing", "CutMix")
ALONE = ("RandomColorDegeneration", "ContrastLimitedAdaptiveHistogramEqualization")
NOT_FAR = (Bar(ratio=1 / 3),)


def rows() -> list[Row]:
    """All rows."""
    found: list[Row] = []
    for dtype in ("uint8", "float32"):
        for name in (*NAMES, *ALONE):
            case: dict[str, object] = {"layer": name, "dtype": dtype}
            bars = () if name in ALONE else NOT_FAR
            found.append(Row(f"{name}, {dtype}", case, bars=bars, samples=32))
    for name in OF_BYTES:
        case: dict[str, object] = {"layer": name, "dtype": "uint8", "result": "uint8"}
        found.append(Row(f"{name}, uint8 to uint8", case, bars=NOT_FAR, samples=32))
    return found


def main() -> None:
    chosen = options(__doc__, rounds=5).parse_args()
    Question("image_colors", rows(), FRAMEWORKS, chosen).take_turns(
        FOLDER / "image_colors_worker.py"
    )


if __name__ == "__main__":
    main()
