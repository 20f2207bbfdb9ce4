"""A kernel of one's own for whole arrays: moving averages whose decays are learned."""

import numpy as np

import nkeras as keras


@keras.kernel(shape=lambda x, decay: x, parallel="n")
def moving_average(n, x, decay, y):
    """`y[t] = decay * y[t - 1] + (1 - decay) * x[t]` for each series n and channel."""
    for c in range(x.shape[2]):
        last = x[n, 0, c]
        for t in range(x.shape[1]):
            last = decay[c] * last + (1.0 - decay[c]) * x[n, t, c]
            y[n, t, c] = last


@moving_average.vjp(sums="grad_decay")
def _(n, x, decay, y, grad_y, grad_x, grad_decay):
    for c in range(x.shape[2]):
        carried = 0.0
        for t in range(x.shape[1] - 1, -1, -1):
            carried += grad_y[n, t, c]
            before = y[n, t - 1, c] if t > 0 else x[n, 0, c]
            grad_decay[c] += carried * (before - x[n, t, c])
            grad_x[n, t, c] = carried * (1.0 - decay[c])
            carried *= decay[c]
        grad_x[n, 0, c] += carried


def learn_decays():
    """Find the decays that made the data, by gradient descent through the kernel."""
    x = np.random.default_rng(0).normal(size=(64, 50, 3)).astype("float32")
    true = np.array([0.2, 0.6, 0.9], "float32")
    wanted = moving_average(x, true)
    logit = keras.Variable(np.zeros(3, "float32"))
    optimizer = keras.optimizers.Adam(0.1)

    @keras.function
    def step():
        with keras.GradientTape() as tape:
            found = moving_average(x, keras.ops.sigmoid(logit))
            loss = keras.ops.mean(keras.ops.square(found - wanted))
        optimizer.apply(tape.gradient(loss, [logit]), [logit])
        return loss

    for _ in range(150):
        loss = step()
    print(f"loss {float(loss):.2e}, decays {keras.ops.sigmoid(logit).numpy().round(3)}")
    return keras.ops.sigmoid(logit).numpy(), true


if __name__ == "__main__":
    moving_average.check(keras.random.normal((2, 5, 3)), [0.2, 0.6, 0.9])
    learn_decays()
