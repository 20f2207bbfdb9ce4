"""A bidirectional LSTM reads texts of different lengths: does every bracket close its own kind?"""

import numpy as np

import nkeras as keras
from nkeras import layers

LENGTH = 20
LETTERS = " ()[]xyz"  # the first one fills up short texts, and is masked
WRONG = str.maketrans("()[]", "[](" + ")")


def text(random):
    """A text, and whether its brackets fit: in every second one a bracket has the wrong kind."""
    letters, waiting = [], []
    for _ in range(random.integers(4, LENGTH // 2)):
        choice = random.random()
        if choice < 0.5:
            kind = random.integers(2)
            letters.append("(["[kind])
            waiting.append(")]"[kind])
        elif choice < 0.7 and waiting:
            letters.append(waiting.pop())
        else:
            letters.append("xyz"[random.integers(3)])
    letters += waiting[::-1]
    brackets = [i for i, letter in enumerate(letters) if letter in "()[]"]
    fits = not brackets or random.random() < 0.5
    if not fits:
        i = random.choice(brackets)
        letters[i] = letters[i].translate(WRONG)
    return letters, fits


def texts(count, seed):
    """Numbers of letters `(count, LENGTH)`, zeros behind the end, and labels."""
    random = np.random.default_rng(seed)
    made = [text(random) for _ in range(count)]
    x = np.zeros((count, LENGTH), "int32")
    for row, (letters, _) in zip(x, made, strict=True):
        row[: len(letters)] = [LETTERS.index(letter) for letter in letters]
    return x, np.array([fits for _, fits in made], "int32")


def main(epochs=12, count=4000):
    """Train, and return the accuracy on new texts."""
    keras.utils.set_random_seed(4)
    x, y = texts(count, 1)
    x_test, y_test = texts(1000, 2)
    model = keras.Sequential(
        [
            keras.Input((LENGTH,), dtype="int32"),
            layers.Embedding(len(LETTERS), 16, mask_zero=True),
            layers.Bidirectional(layers.LSTM(32)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), "binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=2)
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    print(f"accuracy on new texts: {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main()
