"""What a small network gives in float64: outputs, the gradient of a picture, and weights after 1 and 20 steps.

Every backend is held to it in float32, each in a process of its own (`test_reference.py`). How far float32 may be off
is measured here too, on the same float64 run. What float32 would round (pictures; weights, moving means and momenta, at
the start and after each step) is moved by up to half a unit in the last place of float32, at random. The farthest that
any of `DRAWS` such runs ends from the undisturbed one is stored beside it. TensorFlow computes all of it in float64;
JAX and PyTorch would normalise batches in float32.

    KERAS_BACKEND=tensorflow python -m tests.backends.reference
"""

from pathlib import Path

import numpy as np

from dlcv04 import backends
from dlcv04.backends import keras

FILE = Path(__file__).with_name("reference.npz")
BATCH, STEPS, DRAWS = 8, 20, 20
HALF_A_UNIT = 2.0**-24


def network():
    """A layer of each kind that the convnets have, less dropout, whose draws differ between backends."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            # A bias that batch normalisation takes away again has no gradient but what was rounded.
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )


def figures(disturb=lambda array: array, *, rate=0.05):
    """The four arrays by name, in Keras's present type; what may be rounded goes through `disturb`."""
    draw, kind = np.random.RandomState(0), keras.config.floatx()
    x, y = draw.rand(BATCH * STEPS, 8, 8, 2), draw.randint(0, 4, BATCH * STEPS).astype(np.int32)
    x = disturb(x).astype(kind)
    model = network()
    for variable in model.trainable_variables:
        fan = max(1, np.prod(variable.shape[:-1]))
        variable.assign(disturb(draw.standard_normal(variable.shape) / np.sqrt(fan)).astype(kind))
    found = {"outputs": backends.predict(keras.Model(model.inputs, {"all": model.outputs[0]}), x)["all"]}
    step = backends.value_and_gradient(model, lambda pictures, outputs: -keras.ops.log(outputs[:, 0]))
    found["gradient of pictures"] = backends.to_numpy(step(x[:BATCH])[1])
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
        "sparse_categorical_crossentropy",
        jit_compile=backends.resolved_jit(),
    )
    steps = backends.make_steps(model, (x[:BATCH], y[:BATCH]))
    data = steps.put(x), steps.put(y)
    order = steps.put_order(np.arange(BATCH * STEPS, dtype=np.int32).reshape(STEPS, BATCH))
    for number in range(STEPS):
        steps.train_on(data, order, number, 1)
        steps.write_variables()
        if number in (0, STEPS - 1):
            weights = [backends.to_numpy(variable).ravel() for variable in model.variables if variable.shape]
            found[f"weights after {number + 1}"] = np.concatenate(weights)
        for variable in (*model.variables, *model.optimizer.variables):
            if variable.shape:
                variable.assign(disturb(backends.to_numpy(variable)))
        steps.read_variables()
    return found


def rounding(seed):
    """Moves each value by up to half a unit in the last place of float32."""
    draw = np.random.RandomState(seed)
    return lambda array: array * (1 + HALF_A_UNIT * draw.uniform(-1, 1, array.shape))


def main():
    """Write the file."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    exact = figures()
    assert all(array.dtype == np.float64 for array in exact.values())
    off = dict.fromkeys(exact, 0.0)
    for seed in range(1, DRAWS + 1):
        for name, array in figures(rounding(seed)).items():
            off[name] = max(off[name], float(np.abs(array - exact[name]).max()))
    np.savez_compressed(FILE, **exact, **{f"{name}, off by": np.float64(value) for name, value in off.items()})
    print(off)


if __name__ == "__main__":
    main()
