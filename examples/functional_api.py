"""The toy residual network of the guide "The Functional API", cut to digits of 8x8 pixels.

Source: https://keras.io/guides/functional_api/
"""

import numpy as np

import nkeras as keras
from nkeras import layers


def toy_resnet(input_shape=(8, 8, 1), num_classes=10):
    """Two residual blocks: their outputs are added to what went in."""
    inputs = keras.Input(shape=input_shape, name="img")
    x = layers.Conv2D(16, 3, activation="relu")(inputs)
    block_1_output = layers.MaxPooling2D(2)(x)

    x = layers.Conv2D(16, 3, activation="relu", padding="same")(block_1_output)
    x = layers.Conv2D(16, 3, activation="relu", padding="same")(x)
    block_2_output = layers.add([x, block_1_output])

    x = layers.Conv2D(16, 3, activation="relu", padding="same")(block_2_output)
    x = layers.Conv2D(16, 3, activation="relu", padding="same")(x)
    block_3_output = layers.add([x, block_2_output])

    x = layers.Conv2D(32, 3, activation="relu")(block_3_output)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(64, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    outputs = layers.Dense(num_classes)(x)
    return keras.Model(inputs, outputs, name="toy_resnet")


def main(epochs=8):
    """Train, evaluate, and return the test accuracy."""
    keras.utils.set_random_seed(1)
    (x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
    x_train = np.expand_dims(x_train.astype("float32") / 16, -1)
    x_test = np.expand_dims(x_test.astype("float32") / 16, -1)
    y_train = keras.utils.to_categorical(y_train, 10)
    y_test = keras.utils.to_categorical(y_test, 10)

    model = toy_resnet()
    model.summary()
    model.compile(
        optimizer=keras.optimizers.RMSprop(1e-3),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["acc"],
    )
    model.fit(x_train, y_train, batch_size=32, epochs=epochs, validation_split=0.2)
    loss, accuracy = model.evaluate(x_test, y_test)
    print(f"Test loss: {loss:.4f}, accuracy: {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    main()
