"""How long text takes to become numbers, beside TensorFlow's kernels in Keras' own layers.

    python benchmarks/text.py --peers-python .peers/bin/python

Texts are generated: words as often as Zipf's law has them, with capitals and punctuation. Texts are
tensors before, in TensorFlow those of a `tf.function`; single words are lists of `str` or arrays,
which both make tensors of. `adapt` learns the vocabulary from the same texts.
"""

from __future__ import annotations

from measuring import FOLDER, Question, options

from nkeras.cli.peers import Bar, Row

FRAMEWORKS = ("nkeras", "tensorflow")
TEXTS, WORDS = 2000, 200
FORMS = ("a list", "an array of objects", "an array of fixed width")
ONCE = (Bar(ratio=1),)
THREE_TIMES = (Bar(ratio=3),)


def rows() -> list[Row]:
    """All rows."""
    found = [
        Row(
            f"{case}, {TEXTS} texts of {WORDS} words",
            {"case": case},
            bars=THREE_TIMES,
            samples=TEXTS,
        )
        for case in ("sequences", "count vectors", "bigrams", "characters", "adapt")
    ]
    words = TEXTS * WORDS // 4
    found += [
        Row(
            f"{case} of {form} of {words} words",
            {"case": case, "form": form},
            bars=ONCE,
            samples=words,
        )
        for form in FORMS
        for case in ("lookup", "hashing", "salted hashing")
    ]
    return found


def main() -> None:
    chosen = options(__doc__, rounds=5).parse_args()
    Question("text", rows(), FRAMEWORKS, chosen).take_turns(FOLDER / "text_worker.py")


if __name__ == "__main__":
    main()
