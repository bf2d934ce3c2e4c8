"""Trains the bundled model on CIFAR-10 as JPEGs; needs the extra `train`.

    python models/train_cifar10.py --data ../shared/data/cifar10-jpeg.zip --work build/cifar10

Shows progress, keeps a checkpoint after every epoch and goes on from the newest one when started again.
Ends by writing `average.weights.h5`, the moving average of the weights, which `models/export_cifar10.py`
turns into the files of `models/resnet_cifar10/`.
"""

import argparse
import io
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

import resnet_v2
from resnet_v2 import CLASSES

SIDE = 32
PADDING = 4


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures, uint8 [N, 32, 32, 3], and their class indices, int64 [N]."""

    pixels: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Recipe:
    """How it is trained: SGD with Nesterov momentum on one cycle of the learning rate."""

    epochs: int
    batch: int = 128
    peak_rate: float = 0.2
    warm_up: float = 0.2  # part of the steps in which the rate rises
    momentum: float = 0.9
    weight_decay: float = 5e-4  # on kernels only
    label_smoothing: float = 0.05
    average_decay: float = 0.998  # of the moving average of the weights, a step


def read_pictures(data: Path, split: str) -> Pictures:
    """Decodes `<split>/<class>/*` of a folder or a zip, by Pillow, as the embedded engine does.

    Raises FileNotFoundError when the split holds no picture.
    """
    pixels, labels = [], []
    for name, encoded in _encoded_pictures(data, split):
        with Image.open(io.BytesIO(encoded)) as picture:
            pixels.append(np.asarray(picture.convert("RGB"), np.uint8))
        labels.append(CLASSES.index(name.split("/")[-2]))
    if not pixels:
        raise FileNotFoundError(f"no pictures of the split {split!r} in {data}")
    return Pictures(np.stack(pixels), np.asarray(labels, np.int64))


def _encoded_pictures(data: Path, split: str) -> Iterator[tuple[str, bytes]]:
    if data.is_dir():
        for path in sorted((data / split).glob("*/*.jp*g")):
            yield path.as_posix(), path.read_bytes()
        return
    with zipfile.ZipFile(data) as archive:
        for name in sorted(archive.namelist()):
            parts = name.split("/")
            if len(parts) >= 3 and parts[-3] == split and parts[-1]:
                yield name, archive.read(name)


def augmented(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A copy of uint8 [N, 32, 32, 3]: each picture shifted by up to four pixels, mirrored half the time."""
    edge = ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0))
    padded = np.pad(pixels, edge, mode="reflect")
    out = np.empty_like(pixels)
    shifts = random.integers(0, 2 * PADDING + 1, (len(pixels), 2))
    for top in range(2 * PADDING + 1):
        for left in range(2 * PADDING + 1):
            chosen = np.flatnonzero((shifts[:, 0] == top) & (shifts[:, 1] == left))
            out[chosen] = padded[chosen, top : top + SIDE, left : left + SIDE]
    mirrored = random.random(len(pixels)) < 0.5
    out[mirrored] = out[mirrored, :, ::-1]
    return out


def learning_rate(recipe: Recipe, progress: float) -> float:
    """The rate at `progress` (0..1 of all steps): up to the peak and down to zero, both linear."""
    rising = progress / recipe.warm_up
    falling = (1 - progress) / (1 - recipe.warm_up)
    return recipe.peak_rate * max(0.0, min(rising, falling))


class Trainer:
    """The network, its optimizer and the moving average of its weights, kept in checkpoints."""

    def __init__(self, recipe: Recipe, work: Path) -> None:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        self.recipe = recipe
        self.network = resnet_v2.build()
        self.average = resnet_v2.build()
        self.average.set_weights(self.network.get_weights())
        self.optimizer = keras.optimizers.SGD(recipe.peak_rate, recipe.momentum, nesterov=True)
        self.optimizer.build(self.network.trainable_variables)
        self.epoch = tf.Variable(0, dtype=tf.int64)
        checkpoint = tf.train.Checkpoint(
            network=self.network, average=self.average, optimizer=self.optimizer, epoch=self.epoch
        )
        self.checkpoints = tf.train.CheckpointManager(checkpoint, str(work), max_to_keep=2)
        checkpoint.restore(self.checkpoints.latest_checkpoint)
        self._step = tf.function(self._train_step)
        self._predict = tf.function(self._average_logits)

    def train_epoch(self, train: Pictures) -> float:
        """One pass over the training pictures; returns the mean loss and writes a checkpoint."""
        epoch = int(self.epoch.numpy())
        random = np.random.default_rng(epoch)
        order = random.permutation(len(train.labels))
        pixels, labels = augmented(train.pixels, random)[order], train.labels[order]
        steps = len(labels) // self.recipe.batch
        losses = []
        started = time.monotonic()
        for step in range(steps):
            progress = (epoch * steps + step) / (self.recipe.epochs * steps)
            self.optimizer.learning_rate.assign(learning_rate(self.recipe, progress))
            batch = slice(step * self.recipe.batch, (step + 1) * self.recipe.batch)
            losses.append(self._step(tf.constant(pixels[batch]), tf.constant(labels[batch])))
            if (step + 1) % 50 == 0:
                rate = (step + 1) * self.recipe.batch / (time.monotonic() - started)
                print(
                    f"\repoch {epoch + 1} step {step + 1}/{steps} {rate:.0f} pictures/s", end="", flush=True
                )
        self.epoch.assign_add(1)
        self.checkpoints.save()
        return float(np.mean([loss.numpy() for loss in losses]))

    def accuracy(self, pictures: Pictures) -> float:
        """The part of the pictures that the averaged network gets right, 0..1."""
        right = 0
        for start in range(0, len(pictures.labels), 500):
            logits = self._predict(tf.constant(pictures.pixels[start : start + 500]))
            right += int((logits.numpy().argmax(axis=1) == pictures.labels[start : start + 500]).sum())
        return right / len(pictures.labels)

    def _train_step(self, pixels: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        smoothing = self.recipe.label_smoothing
        targets = tf.one_hot(labels, len(CLASSES)) * (1 - smoothing) + smoothing / len(CLASSES)
        variables = self.network.trainable_variables
        with tf.GradientTape() as tape:
            logits = self.network(_normalised(pixels), training=True)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        gradients = [
            gradient + self.recipe.weight_decay * variable if "kernel" in variable.name else gradient
            for gradient, variable in zip(tape.gradient(loss, variables), variables, strict=True)
        ]
        self.optimizer.apply(gradients, variables)
        decay = self.recipe.average_decay
        for mean, value in zip(self.average.weights, self.network.weights, strict=True):
            mean.assign(decay * mean + (1 - decay) * value)
        return loss

    def _average_logits(self, pixels: tf.Tensor) -> tf.Tensor:
        return self.average(_normalised(pixels), training=False)


def _normalised(pixels: tf.Tensor) -> tf.Tensor:
    return (tf.cast(pixels, tf.float32) - resnet_v2.MEAN) / resnet_v2.STD


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/cifar10-jpeg.zip"))
    parser.add_argument("--work", type=Path, default=Path("build/cifar10"), help="checkpoints and weights")
    parser.add_argument("--epochs", type=int, default=45)
    arguments = parser.parse_args()

    train, test = read_pictures(arguments.data, "train"), read_pictures(arguments.data, "test")
    trainer = Trainer(Recipe(epochs=arguments.epochs), arguments.work)
    while trainer.epoch.numpy() < arguments.epochs:
        started = time.monotonic()
        loss = trainer.train_epoch(train)
        print(
            f"\repoch {trainer.epoch.numpy()}/{arguments.epochs} loss {loss:.4f}"
            f" test {trainer.accuracy(test):.4f} in {time.monotonic() - started:.0f} s",
            flush=True,
        )
    trainer.average.save_weights(arguments.work / "average.weights.h5")


if __name__ == "__main__":
    main()
