"""Classify the rows of a table with numbers, codes and words: a FeatureSpace in front of a model.

The table is made here: patients, of whom some have a disease; a real one would come from
`dict(pandas.read_csv(...))`. One model is trained on vectors that are made ahead; the other takes
raw rows and goes into one file.
"""

import numpy as np

import nkeras as keras
from nkeras.utils import FeatureSpace


def make_table(rows, seed=0):
    """Columns of numbers, codes and words, and who is ill: mostly by age, peak, pain and thal."""
    rng = np.random.default_rng(seed)
    table = {
        "age": rng.normal(54, 9, rows).round(),
        "cholesterol": rng.normal(245, 50, rows),
        "peak": rng.exponential(1.0, rows),
        "sex": rng.integers(0, 2, rows),
        "pain": rng.integers(0, 4, rows),
        "thal": rng.choice(["normal", "fixed", "reversible"], rows),
        "city": rng.choice([f"city {i}" for i in range(40)], rows),
    }
    risk = 0.1 * (table["age"] - 54) + 1.2 * table["peak"] + 1.5 * (table["pain"] == 3) - 1.8
    risk += 2.0 * (table["thal"] == "reversible") * (table["sex"] == 1)
    return table, (rng.random(rows) < 1.0 / (1.0 + np.exp(-2.0 * risk))).astype("float32")


def make_space():
    """What becomes of each column."""
    return FeatureSpace(
        features={
            "age": FeatureSpace.float_discretized(num_bins=8),
            "cholesterol": "float_normalized",
            "peak": FeatureSpace.float_rescaled(scale=0.5),
            "sex": FeatureSpace.integer_categorical(num_oov_indices=0),
            "pain": FeatureSpace.integer_categorical(num_oov_indices=0),
            "thal": "string_categorical",
            "city": FeatureSpace.string_hashed(num_bins=16),
        },
        crosses=[FeatureSpace.cross(("sex", "thal"), crossing_dim=16)],
        output_mode="concat",
    )


def main(rows=2000, epochs=8):
    """Train; returns the share of right answers, and the risk of one patient."""
    keras.utils.set_random_seed(1)
    table, ill = make_table(rows)
    test_table, test_ill = make_table(500, seed=1)
    space = make_space()
    space.adapt(table)

    encoded = space.get_encoded_features()
    x = keras.layers.Dense(32, activation="relu")(encoded)
    output = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Dropout(0.3)(x))
    trained = keras.Model(encoded, output)
    trained.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    test_data = (space(test_table), test_ill)
    trained.fit(space(table), ill, epochs=epochs, validation_data=test_data, verbose=2)

    whole = keras.Model(space.get_inputs(), output)  # from raw rows to answers
    patient = {"age": 63.0, "cholesterol": 233.0, "peak": 2.3, "sex": 1, "pain": 3}
    patient |= {"thal": "reversible", "city": "city 7"}
    row = {name: np.array([[value]]) for name, value in patient.items()}
    risk = float(whole.predict(row, verbose=0)[0, 0])
    accuracy = trained.evaluate(*test_data, verbose=0)[1]
    print(f"{accuracy:.0%} of 500 patients right; risk of this one: {risk:.0%}")
    return accuracy, risk


if __name__ == "__main__":
    main()
