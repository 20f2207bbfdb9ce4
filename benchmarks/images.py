"""How long images take on their way into a model: resized, flipped, turned and of other contrast.

    python benchmarks/images.py --peers-python .peers/bin/python

32 images of 256x256 become 224x224, in nkeras' layers, called as a user calls them, and in
torchvision's transforms.v2 on tensors. Each of our layers gives each image a transformation of its
own. torchvision gives one to all images of a tensor; to give each its own it is called on one after
the other, which is what its users do: the rows "one by one". Both resize with antialiasing, and
interpolate linearly where they turn.
"""

from __future__ import annotations

from measuring import FOLDER, Question, options

from nkeras.cli.peers import Bar, Row

FRAMEWORKS = ("nkeras", "torch")
STEPS = ("Resizing", "RandomFlip", "RandomRotation", "RandomContrast")
AS_FAST = (Bar(ratio=1.0),)


def rows() -> list[Row]:
    """All rows."""
    found: list[Row] = []
    for dtype in ("uint8", "float32"):
        for each in (False, True):
            name = f"all four {'one by one' if each else 'on one tensor'}, {dtype}"
            case = {"steps": STEPS, "dtype": dtype, "each": each}
            found.append(Row(name, case, bars=AS_FAST, samples=32))
        for step in STEPS:
            case = {"steps": [step], "dtype": dtype, "each": False}
            found.append(Row(f"{step}, {dtype}", case, samples=32))
    return found


def main() -> None:
    chosen = options(__doc__, rounds=7).parse_args()
    Question("images", rows(), FRAMEWORKS, chosen).take_turns(FOLDER / "images_worker.py")


if __name__ == "__main__":
    main()
