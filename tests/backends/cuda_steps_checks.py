"""Which kernels a training step launches, counted in the simulator."""

import numpy as np

import nkeras
from nkeras import layers
from nkeras_numba_cuda.counting import counting

# What CuPy would compute a convolution, a product or pooling with.
FORBIDDEN = frozenset(
    "matmul dot vdot inner outer tensordot einsum pad take_along_axis argmax maximum stack".split()
)


nkeras.set_backend("cuda")


def step(model, x, y):
    """What the second training step does."""
    model.compile("sgd", "mean_squared_error")
    model.train_on_batch(x, y)
    with counting() as counts:
        model.train_on_batch(x, y)
    return counts


def test_a_step_of_the_convnet():
    model = nkeras.Sequential(
        [
            layers.Input((10, 10, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, activation="relu"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    draw = np.random.default_rng(0).standard_normal
    counts = step(model, draw((2, 10, 10, 1)).astype("float32"), np.ones((2, 3), "float32"))
    assert not FORBIDDEN & counts.computations.keys(), counts
    expected = {
        "conv_forward": 2,
        "conv_backward_input": 1,
        "conv_backward_kernel": 2,
        "max_pool_forward_2x2": 1,
        "max_pool_backward_apart_4": 1,
        "average_pool_forward_4": 1,
        "average_pool_backward_apart_4": 1,
    }
    found = {name: n for name, n in counts.launches.items() if "conv" in name or "pool" in name}
    assert found == expected
    print(counts)


def test_a_step_of_a_resnet_block():
    x = nkeras.Input((6, 6, 3))
    y = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(y)
    y = shortcut = layers.ReLU()(y)
    y = layers.Conv2D(4, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization()(y)
    y = layers.ReLU()(layers.add([y, shortcut]))
    y = layers.MaxPooling2D(3, strides=1, padding="same")(y)
    y = layers.DepthwiseConv2D(3, padding="same")(y)
    y = layers.Conv2DTranspose(2, 2, strides=2)(y)
    y = layers.GlobalAveragePooling2D()(y)
    model = nkeras.Model(x, layers.Dense(3)(y))
    draw = np.random.default_rng(0).standard_normal
    counts = step(model, draw((2, 6, 6, 3)).astype("float32"), np.ones((2, 3), "float32"))
    assert not FORBIDDEN & counts.computations.keys(), counts
    expected = {
        "conv_forward": 3,  # one is the gradient of the transposed convolution
        "conv_backward_input": 2,
        "conv_backward_kernel": 4,
        "depthwise_forward": 1,
        "depthwise_backward_input": 1,
        "max_pool_forward_4": 1,
        "max_pool_backward_4": 1,
    }
    found = {name: n for name, n in counts.launches.items() if "conv" in name or "pool" in name}
    found |= {name: n for name, n in counts.launches.items() if "depthwise" in name}
    assert found == expected
    print(counts)
