"""Raw strings in, an opinion out: the layer for text is in the model, which predicts on strings.

Reviews are made up of a few phrases, offline; "not" turns the sense of the phrase behind it around.
"""

import numpy as np

import nkeras as keras
from nkeras import layers

GOOD = ["a fine film", "moving", "great acting", "I laughed a lot", "clever", "a gem"]
BAD = ["dull", "far too long", "a mess", "I fell asleep", "wooden acting", "boring"]
NEUTRAL = ["the plot is about a dog", "seen on Monday", "with my sister", "in black and white"]


def review(random):
    """A text of some phrases, and whether it praises the film."""
    is_good = bool(random.integers(2))
    parts = list(random.choice(NEUTRAL, 2, replace=False))
    for _ in range(random.integers(1, 4)):
        turned = random.random() < 0.3
        phrase = random.choice(GOOD if is_good != turned else BAD)
        parts.append(f"not {phrase}" if turned else phrase)
    random.shuffle(parts)
    marks = random.choice([".", "!", "...", " ;-)"], len(parts))
    text = " ".join(part + mark for part, mark in zip(parts, marks, strict=True))
    return text.capitalize(), float(is_good)


def reviews(count, seed):
    """Texts and labels."""
    random = np.random.default_rng(seed)
    texts, labels = zip(*(review(random) for _ in range(count)), strict=True)
    return np.array(texts, object), np.array(labels, "float32")


def build(texts):
    """A model of strings: words and pairs of words, the mean of their vectors."""
    vectorize = layers.TextVectorization(max_tokens=500, ngrams=2, output_sequence_length=48)
    vectorize.adapt(texts)
    return keras.Sequential(
        [
            keras.Input((1,), dtype="string"),
            vectorize,
            layers.Embedding(vectorize.vocabulary_size(), 16, mask_zero=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def main(epochs=8, count=2000):
    """Accuracy on reviews that were not learned from."""
    texts, labels = reviews(count, seed=0)
    model = build(texts)
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    model.fit(texts, labels, batch_size=32, epochs=epochs, validation_split=0.1, verbose=0)
    _, accuracy = model.evaluate(*reviews(500, seed=1), verbose=0)
    print(f"accuracy on new reviews: {accuracy:.3f}")
    for text in ("A fine film, great acting!", "Not great acting... and far too long."):
        print(f"{model.predict([text], verbose=0).item():.2f}  {text}")
    return accuracy


if __name__ == "__main__":
    main()
